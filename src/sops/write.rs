//! Data -> encrypted text: a new file, in the profile that every sops from 3.8.1 on opens.
//!
//! Takes a map, the rule, the recipients, the time and randomness; gives YAML with the block last. What the profile
//! leaves out (timestamps, comments, merge keys, a plain negative zero) is refused rather than written wrongly.

use std::borrow::Cow;
use std::collections::HashSet;

use zeroize::Zeroizing;

use super::document::{BLOCK, Document, Entry, Item, Kind, MAX_DEPTH, MAX_NODES, Map as Tree, Node, Scalar};
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::keys::Recipient;
use super::leaf::{DataKey, Type};
use super::mac::Mac;
use super::rule::{Rule, Selector};
use super::time::Time;
use super::value::{Map, Value};
use super::walk::{MAX_PATH, Path, Step};
use crate::yaml::events::Style;

/// The release whose format is claimed: the oldest that knows all of what is written.
const VERSION: &str = "3.9.0";

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

/// Encrypts a document under a new data key. `random` fills its argument with random bytes, for the data key and each
/// leaf's IV; age draws its own.
///
/// # Errors
///
/// [`ErrorKind::NoRecipients`], [`ErrorKind::BadTimestamp`], a rule that cannot be written, and data that some sops
/// release would misread, each with its path.
pub fn encrypt(data: &Map, settings: &Settings<'_>, random: &mut dyn FnMut(&mut [u8])) -> Result<String, SopsError> {
    check_timestamp(settings.lastmodified)?;
    if settings.recipients.is_empty() {
        return Err(ErrorKind::NoRecipients.into());
    }
    if matches!(settings.rule, Rule::EncryptedCommentRegex(_) | Rule::UnencryptedCommentRegex(_)) {
        return Err(ErrorKind::CommentRule.into());
    }
    if data.get(BLOCK).is_some() {
        return Err(SopsError::new(ErrorKind::ReservedKey).with_path(BLOCK.to_owned()));
    }
    let mut bytes = Zeroizing::new([0; 32]);
    random(&mut *bytes);
    let key = DataKey::new(bytes);
    let mut sealer = Sealer {
        key: &key,
        random,
        selector: Selector::new(settings.rule)?,
        mac: Mac::new(settings.mac_only_encrypted),
        path: Path::default(),
        aad: String::new(),
        // The block is part of what a reader counts.
        nodes: 64 + 8 * settings.recipients.len(),
    };
    let root = sealer.map(data, false)?;
    let mac = sealer.mac.finish().seal(&key, settings.lastmodified, sealer.random).ok_or(ErrorKind::TooLarge)?;
    let block = Some(entry(BLOCK, block(settings, &key, mac)?));
    emit::documents(&[Document { root, block }])
}

/// `YYYY-MM-DDTHH:MM:SSZ` and nothing else.
pub(super) fn check_timestamp(text: &str) -> Result<(), SopsError> {
    let canonical = text.ends_with('Z') && Time::parse_rfc3339(text).is_some_and(|time| time.seconds() == text);
    if canonical { Ok(()) } else { Err(ErrorKind::BadTimestamp.into()) }
}

fn block<'a>(settings: &Settings<'_>, key: &DataKey, mac: String) -> Result<Node<'a>, SopsError> {
    let mut age = Vec::with_capacity(settings.recipients.len());
    for recipient in settings.recipients {
        let wrapped = recipient.wrap(key)?;
        let enc = Scalar { text: Cow::Owned(wrapped.enc), style: Style::Block, tag: None };
        let fields = vec![
            entry("recipient", string(wrapped.recipient)),
            entry("enc", Node { range: 0..0, kind: Kind::Scalar(enc) }),
        ];
        age.push(Item { comments: Vec::new(), value: map_node(fields) });
    }
    let (rule, text) = settings.rule.entry();
    let mut fields = vec![
        entry("age", Node { range: 0..0, kind: Kind::List(age) }),
        entry("lastmodified", string(settings.lastmodified.to_owned())),
        entry("mac", string(mac)),
        entry(rule, string(text.to_owned())),
    ];
    if settings.mac_only_encrypted {
        fields.push(entry("mac_only_encrypted", scalar("true".to_owned(), Style::Plain)));
    }
    fields.push(entry("version", string(VERSION.to_owned())));
    Ok(map_node(fields))
}

fn entry<'a>(key: &str, value: Node<'a>) -> Entry<'a> {
    Entry { comments: Vec::new(), key: Cow::Owned(key.to_owned()), key_range: 0..0, value }
}

fn map_node(entries: Vec<Entry<'_>>) -> Node<'_> {
    Node { range: 0..0, kind: Kind::Map(Tree { entries, ..Tree::default() }) }
}

pub(super) fn string<'a>(text: String) -> Node<'a> {
    scalar(text, Style::Quoted)
}

fn scalar<'a>(text: String, style: Style) -> Node<'a> {
    Node { range: 0..0, kind: Kind::Scalar(Scalar { text: Cow::Owned(text), style, tag: None }) }
}

/// Turns data into a tree of ENC texts and plain scalars, hashing as it goes.
struct Sealer<'a> {
    key: &'a DataKey,
    random: &'a mut dyn FnMut(&mut [u8]),
    selector: Selector,
    mac: Mac,
    path: Path<'a>,
    aad: String,
    nodes: usize,
}

impl<'a> Sealer<'a> {
    fn error(&self, kind: ErrorKind) -> SopsError {
        SopsError::new(kind).with_path(self.path.to_string())
    }

    fn map(&mut self, map: &'a Map, matched: bool) -> Result<Tree<'a>, SopsError> {
        let mut seen = HashSet::with_capacity(map.len());
        let mut tree = Tree::default();
        for (key, value) in map.iter() {
            let length = self.aad.len();
            self.path.0.push(Step::Key(key));
            if !seen.insert(key) {
                return Err(self.error(ErrorKind::DuplicateKey { first: 0..0 }));
            }
            if key == "<<" {
                return Err(self.error(ErrorKind::MergeKey));
            }
            self.aad.push_str(key);
            self.aad.push(':');
            if self.aad.len() > MAX_PATH {
                return Err(SopsError::new(ErrorKind::PathTooLong));
            }
            let matched = matched || self.selector.matches(Some(key), &[]);
            let value = self.node(value, matched)?;
            tree.entries.push(Entry { comments: Vec::new(), key: Cow::Borrowed(key), key_range: 0..0, value });
            self.path.0.pop();
            self.aad.truncate(length);
        }
        Ok(tree)
    }

    fn node(&mut self, value: &'a Value, matched: bool) -> Result<Node<'a>, SopsError> {
        // What is written must be readable; the reader counts a key and its value.
        self.nodes += 2;
        if self.nodes > MAX_NODES {
            return Err(self.error(ErrorKind::TooLarge));
        }
        if self.path.0.len() > MAX_DEPTH - 1 {
            return Err(self.error(ErrorKind::TooDeep));
        }
        match value {
            Value::Map(map) => Ok(Node { range: 0..0, kind: Kind::Map(self.map(map, matched)?) }),
            Value::List(list) => {
                let mut items = Vec::with_capacity(list.len());
                for (index, value) in list.iter().enumerate() {
                    self.path.0.push(Step::Index(index));
                    items.push(Item { comments: Vec::new(), value: self.node(value, matched)? });
                    self.path.0.pop();
                }
                Ok(Node { range: 0..0, kind: Kind::List(items) })
            }
            leaf => self.leaf(leaf, self.selector.demands(matched)),
        }
    }

    fn leaf(&mut self, value: &Value, encrypted: bool) -> Result<Node<'a>, SopsError> {
        let kind = value.kind().unwrap_or(Type::Null);
        let negative_zero = |float: f64| float == 0.0 && float.is_sign_negative();
        let unwritable = match value {
            Value::Time(_) | Value::Bytes(_) => true,
            Value::Float(float) => !encrypted && negative_zero(*float.expose()),
            _ => false,
        };
        if unwritable {
            return Err(self.error(ErrorKind::Unwritable(kind)));
        }
        let Self { key, random, mac, aad, .. } = self;
        let sealed = value.with_bytes(|bytes| {
            mac.add(bytes, encrypted);
            // The empty string is never encrypted.
            (encrypted && !bytes.is_empty()).then(|| key.seal(bytes, kind, aad.as_bytes(), random))
        });
        match sealed.flatten() {
            Some(enc) => enc.map(string).ok_or_else(|| self.error(ErrorKind::TooLarge)),
            None => Ok(plain(value)),
        }
    }
}

/// A leaf in clear, spelled so that every reader types and hashes it alike.
fn plain<'a>(value: &Value) -> Node<'a> {
    match value {
        Value::Bool(bool) => scalar(bool.expose().to_string(), Style::Plain),
        Value::Int(int) => scalar(int.expose().to_string(), Style::Plain),
        Value::Float(float) => scalar(emit::float_spelled(*float.expose()), Style::Plain),
        Value::Str(text) => string(text.expose().clone()),
        _ => scalar(String::new(), Style::Plain),
    }
}
