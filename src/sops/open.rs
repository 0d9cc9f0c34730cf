//! An encrypted file: what it shows without a key, and how it opens with one.

use std::ops::Range;

use zeroize::Zeroizing;

use super::document::{self, Document, Format};
use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::leaf::{DataKey, Enc, PREFIX, Type};
use super::mac::{Digits, Mac};
use super::metadata::{self, Metadata};
use super::rule::{Rule, Selector};
use super::transform::list_comments;
use super::typing::Typed;
use super::value::{Map, Value};
use super::walk::{Path, Place, walk};
use super::{json, keys};
use crate::secret::Secret;

/// A file encrypted with sops, parsed but not opened.
pub struct Encrypted<'a> {
    pub(super) text: &'a str,
    pub(super) format: Format,
    pub(super) documents: Vec<Document<'a>>,
    pub(super) metadata: Metadata,
    pub(super) selector: Selector,
}

/// A leaf as it stands in the file.
#[derive(Clone, Debug)]
pub struct Leaf<'t> {
    /// The document it is in, from 0.
    pub document: usize,
    /// The way to it.
    pub path: Path<'t>,
    /// The bytes of its key; `None` for the element of a list.
    pub key_range: Option<Range<usize>>,
    /// The bytes of its value. For a leaf that an alias brought in, those of its anchor or of the alias.
    pub range: Range<usize>,
    /// Its ENC text. Whether the rule demands one is another question: in a plain place it is a string like any other.
    pub enc: Option<Enc<'t>>,
    /// The type: what an ENC text claims, or that of the plain scalar.
    pub kind: Type,
    /// Whether the value is empty: null or the empty string, which are never encrypted.
    pub empty: bool,
    /// Whether the rule demands encryption here.
    pub demanded: bool,
}

/// Whether a text has a sops block with a version and a MAC in its first document. Needs no key, and says nothing
/// about whether the file opens.
pub fn is_sops(text: &str, format: Format) -> bool {
    let Ok(documents) = document::parse(text, format) else { return false };
    let block = documents.first().and_then(|first| first.block.as_ref());
    block.is_some_and(|block| metadata::read(block).is_ok_and(|metadata| !metadata.mac.is_empty()))
}

impl<'a> Encrypted<'a> {
    /// Parses an encrypted YAML text. The caller bounds its length.
    ///
    /// # Errors
    ///
    /// Everything that keeps the text from being a sops file, before any key is asked for.
    pub fn parse(text: &'a str) -> Result<Self, SopsError> {
        Self::parse_as(text, Format::Yaml)
    }

    /// Parses an encrypted text of either format.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::parse`].
    pub fn parse_as(text: &'a str, format: Format) -> Result<Self, SopsError> {
        let documents = document::parse(text, format)?;
        let block = documents.first().and_then(|first| first.block.as_ref()).ok_or(ErrorKind::NoBlock)?;
        let metadata = metadata::read(block)?;
        let selector = Selector::new(&metadata.rule)?;
        Ok(Self { text, format, documents, metadata, selector })
    }

    /// What the block says.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// How many comments stand in lists. A file that is written anew loses them: sealed there, some releases of sops do not
    /// open it.
    pub fn comments_in_lists(&self) -> usize {
        list_comments(&self.documents)
    }

    /// Whether the rule demands that a value at the top, under this key, is encrypted, whatever stands around it. The rule
    /// stands in the file, for whoever wrote it to choose.
    pub fn seals(&self, key: &str) -> bool {
        let by_comment =
            matches!(self.metadata.rule, Rule::EncryptedCommentRegex(_) | Rule::UnencryptedCommentRegex(_));
        !by_comment && self.selector.demands(self.selector.matches(Some(key), &[]))
    }

    /// The number of YAML documents.
    pub fn documents(&self) -> usize {
        self.documents.len()
    }

    /// Every leaf of all documents, in order; no key needed. Encrypted comments in lists appear as leaves.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PathTooLong`], and plain scalars that have no type: [`ErrorKind::IntegerTooLarge`],
    /// [`ErrorKind::TagMismatch`].
    pub fn leaves(&self) -> Result<Vec<Leaf<'_>>, SopsError> {
        let mut leaves = Vec::new();
        walk(&self.documents, &self.selector, |place, node, scalar| {
            let typed = scalar.resolve().map_err(|kind| place.error(kind, node))?;
            let enc = Enc::parse(&scalar.text);
            leaves.push(Leaf {
                document: place.document,
                path: place.path.clone(),
                key_range: place.key_range.clone(),
                range: node.range.clone(),
                kind: enc.map_or(typed.kind(), |enc| enc.kind),
                enc,
                empty: typed == Typed::Null || scalar.text.is_empty(),
                demanded: place.demanded,
            });
            Ok(None)
        })?;
        Ok(leaves)
    }

    /// Whether another file has the same data key.
    ///
    /// # Errors
    ///
    /// No identity fits one of the two.
    pub fn has_key_of(&self, other: &Encrypted<'_>, identities: &Identities) -> Result<bool, SopsError> {
        let (own, other) = (keys::data_key(&self.metadata, identities)?, keys::data_key(&other.metadata, identities)?);
        Ok(own == other)
    }

    /// Decrypts all documents and verifies the MAC.
    ///
    /// # Errors
    ///
    /// No identity fits, a leaf is not what the rule demands or does not decrypt, or the MAC does not match.
    pub fn open(&self, identities: &Identities) -> Result<Vec<Map>, SopsError> {
        self.open_with(&keys::data_key(&self.metadata, identities)?)
    }

    pub(super) fn open_with(&self, key: &DataKey) -> Result<Vec<Map>, SopsError> {
        self.verified(key).map(|(data, _)| data)
    }

    /// The data, and which reading of its numbers the MAC was made of.
    pub(super) fn verified(&self, key: &DataKey) -> Result<(Vec<Map>, Numbers), SopsError> {
        if self.metadata.mac.is_empty() {
            return Err(ErrorKind::MacMissing.into());
        }
        let readings: &[Numbers] = match self.format {
            Format::Yaml => &[Numbers::AsWritten],
            Format::Json => &[Numbers::AsWritten, Numbers::Floats],
        };
        let mut failed = ErrorKind::MacMismatch;
        for numbers in readings {
            let (data, digits) = self.decrypt(key, *numbers)?;
            match digits.matches(key, &self.metadata.mac, &self.metadata.canonical) {
                Some(true) => return Ok((data, *numbers)),
                Some(false) => {}
                None => failed = ErrorKind::MacDoesNotDecrypt,
            }
        }
        Err(failed.into())
    }

    /// The data, and the MAC that it has; what the block says of the MAC is not looked at.
    pub(super) fn decrypt(&self, key: &DataKey, numbers: Numbers) -> Result<(Vec<Map>, Digits), SopsError> {
        let mut floats;
        let documents = match numbers {
            Numbers::AsWritten => &self.documents,
            Numbers::Floats => {
                floats = self.documents.clone();
                floats.iter_mut().for_each(|document| json::as_floats(&mut document.root));
                &floats
            }
        };
        let mut mac = Mac::new(self.metadata.mac_only_encrypted);
        let data = walk(documents, &self.selector, |place, node, scalar| {
            let value = if place.demanded && !scalar.text.is_empty() {
                sealed(key, place, scalar)
            } else {
                scalar.resolve().map(|typed| Some(plain(typed, &scalar.text)))
            };
            let value = value.map_err(|kind| place.error(kind, node))?;
            if let Some(value) = &value {
                value.with_bytes(|bytes| mac.add(bytes, place.demanded));
            }
            Ok(value)
        })?;
        Ok((data, mac.finish()))
    }
}

/// How the integers of a JSON text are taken. Which it was, its MAC tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As integers: sops 3.13.2 and newer, and YAML.
    AsWritten,
    /// As floats: every release before.
    Floats,
}

/// A leaf that must be an ENC text; `None` for a comment, which is the element of a list.
pub(super) fn sealed(
    key: &DataKey,
    place: &Place<'_>,
    scalar: &document::Scalar<'_>,
) -> Result<Option<Value>, ErrorKind> {
    match scalar.resolve()? {
        Typed::Null => return Ok(Some(Value::Null)),
        Typed::Str => {}
        _ => return Err(ErrorKind::NotEncrypted),
    }
    let enc = Enc::parse(&scalar.text)
        .ok_or_else(|| if scalar.text.starts_with(PREFIX) { ErrorKind::BadEnc } else { ErrorKind::NotEncrypted })?;
    let bytes = key.open(&enc, place.aad.as_bytes()).ok_or(ErrorKind::DoesNotDecrypt)?;
    if enc.kind == Type::Comment && place.key_range.is_none() {
        return Ok(None);
    }
    Value::from_plaintext(enc.kind, bytes).map(Some).ok_or(ErrorKind::BadPlaintext(enc.kind))
}

pub(super) fn plain(typed: Typed, text: &str) -> Value {
    match typed {
        Typed::Null => Value::Null,
        Typed::Bool(bool) => Value::from(bool),
        Typed::Int(int) => Value::from(int),
        Typed::Float(float) => Value::from(float),
        Typed::Time(time) => Value::Time(Secret::new(time.text())),
        Typed::Bytes(mut bytes) => {
            let bytes = Zeroizing::new(std::mem::take(&mut bytes));
            Value::from_plaintext(Type::Str, bytes).unwrap_or(Value::Null)
        }
        Typed::Str => Value::from(text),
    }
}

impl Typed {
    fn kind(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Float(_) => Type::Float,
            Self::Time(_) => Type::Time,
            Self::Bytes(_) | Self::Str => Type::Str,
        }
    }
}
