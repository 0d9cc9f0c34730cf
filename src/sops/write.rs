//! Data or a text in clear -> encrypted text, in the profile that every sops from 3.8.1 on opens.
//!
//! Takes documents, the rule, the recipients, the time and randomness; gives them with the block last. What the profile
//! leaves out (timestamps, comments in lists, merge keys, a plain negative zero) is refused rather than written wrongly.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::clear::Clear;
use super::document::{self, BLOCK, Comment, Document, Format, Node, Scalar};
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::exact;
use super::keys::Recipient;
use super::leaf::{DataKey, Enc, Type};
use super::mac::Mac;
use super::metadata::WrappedKey;
use super::open::{Encrypted, plain};
use super::rule::{Rule, Selector};
use super::time::Time;
use super::transform::{Transform, comment_aad, list_comments, transform, wipe};
use super::tree::{age_entries, entry, map_node, of_data, of_value, scalar, string};
use super::value::{Map, Value};
use super::walk::{Place, Step};
use crate::yaml::events::Style;

/// The release whose format is claimed: the oldest that knows all of what is written.
const VERSION: &str = "3.9.0";

/// Integers beyond this are floats to JSON readers, and hashed as such.
pub(super) const JSON_INTEGERS: i64 = 1 << 53;

/// How a new file is to be encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// What is encrypted.
    pub rule: &'a Rule,
    /// Whether the MAC covers encrypted leaves only.
    pub mac_only_encrypted: bool,
    /// Who can open it, in the order of the block.
    pub recipients: &'a [Recipient],
    /// The time of writing, `YYYY-MM-DDTHH:MM:SSZ`.
    pub lastmodified: &'a str,
}

impl Settings<'_> {
    fn check(&self) -> Result<(), SopsError> {
        check_timestamp(self.lastmodified)?;
        if self.recipients.is_empty() {
            return Err(ErrorKind::NoRecipients.into());
        }
        if matches!(self.rule, Rule::EncryptedCommentRegex(_) | Rule::UnencryptedCommentRegex(_)) {
            return Err(ErrorKind::CommentRule.into());
        }
        Ok(())
    }
}

/// Fills its argument with random bytes.
pub type Random<'r> = dyn FnMut(&mut [u8]) + 'r;

/// Encrypts data under a new data key, as YAML. `random` gives the data key and each leaf's IV; age draws its own.
///
/// # Errors
///
/// [`ErrorKind::NoRecipients`], [`ErrorKind::BadTimestamp`], a rule that cannot be written, and data that some sops
/// release would misread, each with its path.
pub fn encrypt(data: &Map, settings: &Settings<'_>, random: &mut Random<'_>) -> Result<String, SopsError> {
    let mut documents = [Document { root: of_data(data)?, block: None }];
    let sealed = seal_documents(&documents, Format::Yaml, settings, random);
    wipe(&mut documents);
    sealed
}

/// Encrypts a text as it stands: comments, order and documents stay, values get their canonical spelling. Comments in
/// lists are left out; the number says how many.
///
/// # Errors
///
/// Those of [`encrypt`], and what keeps the text from being read. [`ErrorKind::ReservedKey`] if it is encrypted already.
pub fn encrypt_text(
    text: &str,
    format: Format,
    settings: &Settings<'_>,
    random: &mut Random<'_>,
) -> Result<(String, usize), SopsError> {
    let documents = document::parse(text, format)?;
    if let Some(block) = documents.iter().find_map(|document| document.block.as_ref()) {
        return Err(SopsError::at(ErrorKind::ReservedKey, &block.key_range));
    }
    documents.iter().try_for_each(|document| exact::numbers(&document.root, format))?;
    let left_out = list_comments(&documents);
    Ok((seal_documents(&documents, format, settings, random)?, left_out))
}

impl Encrypted<'_> {
    /// Encrypts everything again under a new data key. Rule and documents stay; `lastmodified` is the time of writing.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::open`] and [`encrypt`].
    pub fn rotate(
        &self,
        identities: &super::Identities,
        recipients: &[Recipient],
        lastmodified: &str,
        random: &mut Random<'_>,
    ) -> Result<String, SopsError> {
        self.with_new_key(&self.clear(identities)?, &self.settings(recipients, lastmodified), random)
    }

    /// How the file is encrypted now, for other recipients at another time.
    pub fn settings<'s>(&'s self, recipients: &'s [Recipient], lastmodified: &'s str) -> Settings<'s> {
        let Self { metadata, .. } = self;
        Settings { rule: &metadata.rule, mac_only_encrypted: metadata.mac_only_encrypted, recipients, lastmodified }
    }

    /// Encrypts what [`Encrypted::clear`] gave, changed or not, under a new data key.
    ///
    /// # Errors
    ///
    /// Those of [`encrypt`].
    pub fn with_new_key(
        &self,
        clear: &Clear,
        settings: &Settings<'_>,
        random: &mut Random<'_>,
    ) -> Result<String, SopsError> {
        check_timestamp(settings.lastmodified)?;
        if settings.recipients.is_empty() {
            return Err(ErrorKind::NoRecipients.into());
        }
        sealed_anew(&clear.documents, self.format, settings, false, random)
    }
}

fn seal_documents(
    documents: &[Document<'_>],
    format: Format,
    settings: &Settings<'_>,
    random: &mut Random<'_>,
) -> Result<String, SopsError> {
    settings.check()?;
    sealed_anew(documents, format, settings, true, random)
}

fn sealed_anew(
    documents: &[Document<'_>],
    format: Format,
    settings: &Settings<'_>,
    strict: bool,
    random: &mut Random<'_>,
) -> Result<String, SopsError> {
    let mut bytes = Zeroizing::new([0; 32]);
    random(&mut *bytes);
    let key = DataKey::new(bytes);
    let selector = Selector::new(settings.rule)?;
    let sealing = Sealing { key: &key, strict, stash: Stash::default() };
    let (mut documents, mac) = sealing.run(documents, &selector, settings.mac_only_encrypted, random)?;
    let mac = mac.finish().seal(&key, settings.lastmodified, random).ok_or(ErrorKind::TooLarge)?;
    let wrapped = settings.recipients.iter().map(|recipient| recipient.wrap(&key)).collect::<Result<Vec<_>, _>>()?;
    let block = entry(BLOCK, block(settings, wrapped, mac));
    for document in &mut documents {
        document.block = Some(block.clone());
    }
    emit::documents(&documents, format)
}

/// `YYYY-MM-DDTHH:MM:SSZ` and nothing else.
pub(super) fn check_timestamp(text: &str) -> Result<(), SopsError> {
    let canonical = text.ends_with('Z') && Time::parse_rfc3339(text).is_some_and(|time| time.seconds() == text);
    if canonical { Ok(()) } else { Err(ErrorKind::BadTimestamp.into()) }
}

fn block(settings: &Settings<'_>, wrapped: Vec<WrappedKey>, mac: String) -> Node<'static> {
    let (rule, text) = settings.rule.entry();
    let mut fields = vec![
        entry("age", age_entries(wrapped)),
        entry("lastmodified", string(settings.lastmodified.to_owned())),
        entry("mac", string(mac)),
        entry(rule, string(text.to_owned())),
    ];
    if settings.mac_only_encrypted {
        fields.push(entry("mac_only_encrypted", scalar("true".to_owned(), Style::Plain)));
    }
    fields.push(entry("version", string(VERSION.to_owned())));
    map_node(fields)
}

/// ENC texts of a file that is sealed again, by what they hold: an unchanged value keeps its own.
#[derive(Default)]
pub(super) struct Stash(BTreeMap<[u8; 32], Vec<String>>);

impl Stash {
    /// Keeps a leaf of the old file. Those of one path, the elements of a list, keep their order.
    pub(super) fn put(&mut self, aad: &str, kind: Type, bytes: &[u8], enc: &Enc<'_>) {
        self.0.entry(Self::key(aad, kind, bytes)).or_default().insert(0, enc.text.to_owned());
    }

    fn take(&mut self, aad: &str, kind: Type, bytes: &[u8]) -> Option<String> {
        self.0.get_mut(&Self::key(aad, kind, bytes))?.pop()
    }

    /// A digest, so that no plaintext is kept.
    fn key(aad: &str, kind: Type, bytes: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(aad.len().to_le_bytes());
        hash.update(aad);
        hash.update(kind.name());
        hash.update([0]);
        hash.update(bytes);
        hash.finalize().into()
    }
}

/// Documents in clear -> sealed ones.
pub(super) struct Sealing<'k> {
    pub(super) key: &'k DataKey,
    /// Refuse what not every release reads back; else only what nobody does.
    pub(super) strict: bool,
    pub(super) stash: Stash,
}

impl Sealing<'_> {
    /// The sealed documents without a block, and the MAC of what they hold.
    pub(super) fn run(
        self,
        documents: &[Document<'_>],
        selector: &Selector,
        mac_only_encrypted: bool,
        random: &mut Random<'_>,
    ) -> Result<(Vec<Document<'static>>, Mac), SopsError> {
        let mut sealer = Sealer { sealing: self, mac: Mac::new(mac_only_encrypted), random };
        let documents = transform(documents, selector, &mut sealer)?;
        Ok((documents, sealer.mac))
    }

    /// Whether some release would misread it.
    fn check(&self, place: &Place<'_>, value: &Value) -> Result<(), ErrorKind> {
        let merge = place.path.0.contains(&Step::Key("<<"));
        let negative_zero = |float: f64| float == 0.0 && float.is_sign_negative();
        match value {
            _ if merge && self.strict => Err(ErrorKind::MergeKey),
            Value::Time(_) if self.strict => Err(ErrorKind::Unwritable(Type::Time)),
            Value::Bytes(_) if self.strict => Err(ErrorKind::Unwritable(Type::Str)),
            Value::Float(float) if !place.demanded && negative_zero(*float.expose()) => {
                Err(ErrorKind::Unwritable(Type::Float))
            }
            _ => Ok(()),
        }
    }
}

struct Sealer<'s, 'k, 'r> {
    sealing: Sealing<'k>,
    mac: Mac,
    random: &'s mut Random<'r>,
}

impl Transform for Sealer<'_, '_, '_> {
    fn scalar(&mut self, place: &Place<'_>, scalar: &Scalar<'_>) -> Result<Option<Scalar<'static>>, ErrorKind> {
        let value = plain(scalar.resolve()?, &scalar.text);
        let Self { sealing, mac, random } = self;
        let (aad, kind) = (&*place.aad, value.kind().unwrap_or(Type::Null));
        let done = value.with_bytes(|bytes| {
            mac.add(bytes, place.demanded);
            // The empty string is never encrypted.
            if !place.demanded || bytes.is_empty() {
                return None;
            }
            if let Some(kept) = sealing.stash.take(aad, kind, bytes) {
                return Some(Ok(kept));
            }
            let sealed = sealing
                .check(place, &value)
                .and_then(|()| sealing.key.seal(bytes, kind, aad.as_bytes(), *random).ok_or(ErrorKind::TooLarge));
            Some(sealed)
        });
        match done.flatten() {
            Some(sealed) => Ok(Some(Scalar::new(Cow::Owned(sealed?), Style::Quoted, None))),
            None => {
                sealing.check(place, &value)?;
                Ok(Some(of_value(&value)))
            }
        }
    }

    fn comment(&mut self, place: &Place<'_>, comment: &Comment<'_>) -> Result<Option<String>, ErrorKind> {
        let Self { sealing, random, .. } = self;
        if !place.demanded || comment.text.is_empty() {
            return Ok(Some(comment.text.to_string()));
        }
        let (aad, bytes) = (comment_aad(place), comment.text.as_bytes());
        if let Some(kept) = sealing.stash.take(aad, Type::Comment, bytes) {
            return Ok(Some(kept));
        }
        sealing.key.seal(bytes, Type::Comment, aad.as_bytes(), *random).map(Some).ok_or(ErrorKind::TooLarge)
    }
}
