//! The block: who can open a file, what its rule is, when it was written.
//!
//! Takes the map under `sops` of a file's first document. It is in clear and, but for `lastmodified`, authenticated by
//! nothing: what it says about recipients is a claim.

use super::document::{Entry, Item, Kind, Map, Node};
use super::error::{ErrorKind, SopsError};
use super::rule::Rule;
use super::time::Time;
use super::typing::Typed;

/// What a file's block says.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The age recipients, in order.
    pub recipients: Vec<WrappedKey>,
    /// What else holds the data key than age recipients of the whole file: `pgp`, `kms`, `key_groups` ….
    pub unsupported: Vec<String>,
    /// The age recipients of each key group, each of which holds a share of the data key.
    pub groups: Vec<Vec<WrappedKey>>,
    /// Everything in the block that holds the data key or may hold it, one text each, byte for byte: age entries, other kinds of
    /// master keys, fields of releases to come. Whoever wrote one of them may know the data key.
    pub entries: Vec<String>,
    /// How many groups it takes; `None` means all.
    pub threshold: Option<usize>,
    /// As written, an RFC 3339 timestamp.
    pub lastmodified: String,
    /// The release of sops whose format the file claims.
    pub version: String,
    /// What is encrypted; the default if the block names no rule.
    pub rule: Rule,
    /// Whether the MAC covers encrypted leaves only.
    pub mac_only_encrypted: bool,
    /// The ENC text of the MAC; empty if there is none.
    pub(super) mac: String,
    /// `lastmodified` in the form that authenticates the MAC.
    pub(super) canonical: String,
}

impl Metadata {
    /// Whether there is a MAC at all; without one, no identity opens the file.
    pub fn has_mac(&self) -> bool {
        !self.mac.is_empty()
    }
}

/// The data key, wrapped for one recipient.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    /// The recipient as configured: a claim, which `enc` does not prove.
    pub recipient: String,
    /// An armored age file.
    pub enc: String,
}

const OTHER_KEYS: [&str; 7] = ["kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "pgp", "key_groups"];

/// Groups that a file may have: x is one byte, and none is 0.
const MAX_GROUPS: usize = 255;

/// Reads the block.
///
/// # Errors
///
/// [`ErrorKind::BadBlock`] naming the field, [`ErrorKind::VersionMissing`], [`ErrorKind::TwoRules`]. Unknown fields are
/// ignored, a missing MAC is left to whoever opens the file.
pub(super) fn read(entry: &Entry<'_>) -> Result<Metadata, SopsError> {
    let bad = |field, range| SopsError::at(ErrorKind::BadBlock(field), range);
    let Kind::Map(block) = &entry.value.kind else {
        return Err(SopsError::at(ErrorKind::NoBlock, &entry.value.range));
    };
    let version = field(block, "version")?.unwrap_or_default();
    if version.is_empty() {
        return Err(SopsError::at(ErrorKind::VersionMissing, &entry.key_range));
    }
    if !is_semver(&version) {
        return Err(bad("version", &entry.key_range));
    }
    let mut rules = Vec::new();
    for key in Rule::KEYS {
        // An empty text is a rule that is not set.
        let text = field(block, key)?.filter(|text| !text.is_empty());
        rules.extend(text.and_then(|text| Rule::from_block(key, text)));
    }
    if rules.len() > 1 {
        return Err(SopsError::at(ErrorKind::TwoRules, &entry.key_range));
    }
    let lastmodified = field(block, "lastmodified")?.unwrap_or_default();
    let time = Time::parse_rfc3339(&lastmodified).ok_or_else(|| bad("lastmodified", &entry.key_range))?;
    let mac_only_encrypted = match block.get("mac_only_encrypted") {
        None => false,
        Some(entry) => match &entry.value.kind {
            Kind::Scalar(scalar) => match scalar.resolve() {
                Ok(Typed::Bool(only)) => only,
                Ok(Typed::Null) => false,
                _ => return Err(bad("mac_only_encrypted", &entry.value.range)),
            },
            _ => return Err(bad("mac_only_encrypted", &entry.value.range)),
        },
    };
    Ok(Metadata {
        entries: entries(block),
        recipients: recipients(block)?,
        groups: groups(block)?,
        threshold: threshold(block)?,
        unsupported: OTHER_KEYS.iter().filter(|key| is_set(block, key)).map(|key| (*key).to_owned()).collect(),
        canonical: time.seconds(),
        lastmodified,
        version,
        rule: rules.pop().unwrap_or_default(),
        mac_only_encrypted,
        mac: field(block, "mac")?.unwrap_or_default(),
    })
}

/// Fields that hold no data key, besides the rules.
const NO_KEYS: [&str; 5] = ["lastmodified", "mac", "mac_only_encrypted", "version", "shamir_threshold"];

fn entries(block: &Map<'_>) -> Vec<String> {
    let fields = block.entries.iter().filter(|entry| {
        let key = &*entry.key;
        !NO_KEYS.contains(&key) && !Rule::KEYS.contains(&key) && is_set(block, key)
    });
    let mut entries = Vec::new();
    for field in fields {
        let each: Vec<&Node<'_>> = match &field.value.kind {
            Kind::List(items) => items.iter().map(|item| &item.value).collect(),
            _ => vec![&field.value],
        };
        for node in each {
            let mut text = format!("{}:", field.key);
            spell(node, &mut text);
            entries.push(text);
        }
    }
    entries
}

/// One spelling for each tree: texts with their lengths, keys in order.
fn spell(node: &Node<'_>, out: &mut String) {
    let text = |text: &str, out: &mut String| *out += &format!("{}:{text}", text.len());
    match &node.kind {
        Kind::Scalar(scalar) => text(&scalar.text, out),
        Kind::List(items) => {
            out.push('[');
            items.iter().for_each(|item| spell(&item.value, out));
            out.push(']');
        }
        Kind::Map(map) => {
            let mut entries: Vec<&Entry<'_>> = map.entries.iter().collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            out.push('{');
            for entry in entries {
                text(&entry.key, out);
                spell(&entry.value, out);
            }
            out.push('}');
        }
    }
}

fn groups(block: &Map<'_>) -> Result<Vec<Vec<WrappedKey>>, SopsError> {
    let Some(entry) = block.get("key_groups").filter(|_| is_set(block, "key_groups")) else { return Ok(Vec::new()) };
    let bad = || SopsError::at(ErrorKind::BadBlock("key_groups"), &entry.value.range);
    let Kind::List(items) = &entry.value.kind else { return Err(bad()) };
    if items.len() > MAX_GROUPS {
        return Err(bad());
    }
    let group = |item: &Item<'_>| match &item.value.kind {
        Kind::Map(map) => recipients(map),
        _ => Err(bad()),
    };
    items.iter().map(group).collect()
}

fn threshold(block: &Map<'_>) -> Result<Option<usize>, SopsError> {
    let Some(entry) = block.get("shamir_threshold") else { return Ok(None) };
    let typed = match &entry.value.kind {
        Kind::Scalar(scalar) => scalar.resolve().ok(),
        _ => None,
    };
    match typed {
        Some(Typed::Null) => Ok(None),
        Some(Typed::Int(number)) if (0..=MAX_GROUPS as i64).contains(&number) => {
            Ok(usize::try_from(number).ok().filter(|number| *number > 0))
        }
        _ => Err(SopsError::at(ErrorKind::BadBlock("shamir_threshold"), &entry.value.range)),
    }
}

fn recipients(block: &Map<'_>) -> Result<Vec<WrappedKey>, SopsError> {
    let Some(entry) = block.get("age") else { return Ok(Vec::new()) };
    let bad = |range| SopsError::at(ErrorKind::BadBlock("age"), range);
    let items = match &entry.value.kind {
        Kind::List(items) => items,
        Kind::Scalar(scalar) if matches!(scalar.resolve(), Ok(Typed::Null)) => return Ok(Vec::new()),
        _ => return Err(bad(&entry.value.range)),
    };
    let wrapped = items.iter().map(|item| {
        let Kind::Map(map) = &item.value.kind else { return Err(bad(&item.value.range)) };
        Ok(WrappedKey {
            recipient: field(map, "recipient")?.unwrap_or_default(),
            enc: field(map, "enc")?.unwrap_or_default(),
        })
    });
    wrapped.collect()
}

/// A field that must be a string, if it is there and not null.
fn field(map: &Map<'_>, key: &'static str) -> Result<Option<String>, SopsError> {
    let Some(entry) = map.get(key) else { return Ok(None) };
    let bad = || SopsError::at(ErrorKind::BadBlock(key), &entry.value.range);
    let Kind::Scalar(scalar) = &entry.value.kind else { return Err(bad()) };
    match scalar.resolve() {
        Ok(Typed::Str) => Ok(Some(scalar.text.to_string())),
        Ok(Typed::Null) => Ok(None),
        // `3.9`, or an unquoted timestamp, which newer releases refuse as well.
        _ => Err(bad()),
    }
}

fn is_set(block: &Map<'_>, key: &str) -> bool {
    block.get(key).is_some_and(|entry| match &entry.value.kind {
        Kind::Scalar(scalar) => !matches!(scalar.resolve(), Ok(Typed::Null)),
        Kind::List(items) => !items.is_empty(),
        Kind::Map(map) => !map.entries.is_empty(),
    })
}

/// `1.2.3`, with an optional `v`, pre-release and build.
fn is_semver(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (core, rest) = text.find(['-', '+']).map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let extra = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
    core.split('.').count() == 3
        && core.split('.').all(number)
        && rest.is_none_or(|rest| !rest.is_empty() && extra(rest))
}
