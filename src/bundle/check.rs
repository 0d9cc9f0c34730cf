//! Whether an object is what its manifest says: as much as can be told without a key, and the rest with one.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::object::{MAX_OBJECT, header, recipients, sealed_keys, selection};
use super::{Digest, Scope, Sealed};
use crate::model::record::{Record, is_secret};
use crate::sops::{Enc, Encrypted, ErrorKind, Identities};
use crate::span::FileId;
use crate::value::{Node, Value as Written, push_segment};
use crate::yaml;

/// What became of opening an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// An identity opened it, and its MAC covers all its values.
    Yes,
    /// There was no identity that opens it.
    No,
}

/// Checks the bytes of an object against what the manifest of `scope` says of it.
///
/// # Errors
/// Everything that differs, without any value.
pub fn check(
    scope: &Scope,
    sealed: &Sealed,
    bytes: &[u8],
    identities: Option<&Identities>,
) -> Result<Opened, Vec<String>> {
    let one = |problem: &str| vec![problem.to_owned()];
    if bytes.len() > MAX_OBJECT {
        return Err(one("the object is larger than 16 MiB"));
    }
    if Digest::of(bytes) != sealed.object {
        return Err(one("the object's bytes have another digest than its name"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| one("the object is no UTF-8"))?;
    let encrypted = Encrypted::parse(text).map_err(|error| one(&format!("the object: {error}")))?;
    let mut problems = block(&encrypted, &sealed.record);
    problems.extend(clear(scope, &sealed.record, text));
    let opened = match identities.map(|identities| encrypted.open(identities)) {
        None => Opened::No,
        Some(Ok(_)) => Opened::Yes,
        Some(Err(error)) => {
            if !matches!(error.kind, ErrorKind::NoIdentity { .. }) {
                problems.push(format!("the object: {error}"));
            }
            Opened::No
        }
    };
    if problems.is_empty() { Ok(opened) } else { Err(problems) }
}

/// The MAC covers neither the rule nor the recipients.
fn block(encrypted: &Encrypted<'_>, record: &Record) -> Vec<String> {
    let mut problems = Vec::new();
    let metadata = encrypted.metadata();
    let sealed_to: BTreeSet<&str> = metadata.recipients.iter().map(|key| &*key.recipient).collect();
    if sealed_to != recipients(record) || sealed_to.len() != metadata.recipients.len() {
        problems.push("the object is sealed to other recipients than the manifest says".to_owned());
    }
    if !metadata.unsupported.is_empty() {
        problems.push("the object is sealed to a kind of key that tieline does not write".to_owned());
    }
    if metadata.rule != selection(record) || metadata.mac_only_encrypted {
        problems.push("the object has another rule for what is encrypted than tieline writes".to_owned());
    }
    problems
}

/// Compares header and clear values, and sees to it that what must be encrypted is.
fn clear(scope: &Scope, record: &Record, text: &str) -> Vec<String> {
    let (node, diagnostics) = yaml::parse(FileId(0), text);
    let mut root = match node {
        Some(Node { value: Written::Map(map), .. }) if diagnostics.is_empty() => map,
        _ => return vec!["the object is no YAML of the kind that tieline writes".to_owned()],
    };
    root.remove("sops");
    let mut expected = Map::new();
    expected.insert("tieline".to_owned(), header(scope, record));
    for part in ["config", "auth"] {
        expected.insert(part.to_owned(), record[part].clone());
    }
    let keys = sealed_keys(record);
    let mut compare = Compare { keys: &keys, pointer: String::new(), problems: Vec::new() };
    compare.maps(&expected, &root, false);
    compare.problems
}

struct Compare<'a> {
    keys: &'a BTreeSet<String>,
    pointer: String,
    problems: Vec<String>,
}

impl Compare<'_> {
    fn differs(&mut self, what: &str) {
        self.problems.push(format!("the object's `{}` {what}", self.pointer));
    }

    fn maps(&mut self, expected: &Map<String, Value>, written: &crate::value::Map, sealed: bool) {
        if expected.len() != written.len() || written.iter().any(|entry| !expected.contains_key(&*entry.key)) {
            return self.differs("has other keys than the manifest says");
        }
        for (key, expected) in expected {
            if let Some(node) = written.get(key) {
                self.below(expected, node, key, sealed || self.keys.contains(key));
            }
        }
    }

    fn below(&mut self, expected: &Value, written: &Node, segment: &str, sealed: bool) {
        let length = self.pointer.len();
        push_segment(&mut self.pointer, segment);
        self.nodes(expected, written, sealed);
        self.pointer.truncate(length);
    }

    fn nodes(&mut self, expected: &Value, written: &Node, sealed: bool) {
        if is_secret(expected) || (sealed && !expected.is_null() && !expected.is_array() && !expected.is_object()) {
            let text = written.as_str();
            let empty = text == Some("") && expected == "";
            if !empty && text.is_none_or(|text| Enc::parse(text).is_none()) {
                self.differs("is not encrypted");
            }
            return;
        }
        let same = match (expected, &written.value) {
            (Value::Object(expected), Written::Map(map)) => return self.maps(expected, map, sealed),
            (Value::Array(expected), Written::List(list)) if expected.len() == list.len() => {
                for (index, (expected, node)) in expected.iter().zip(list).enumerate() {
                    self.below(expected, node, &index.to_string(), sealed);
                }
                return;
            }
            (Value::Null, Written::Null) => true,
            (Value::Bool(a), Written::Bool(b)) => a == b,
            (Value::Number(a), Written::Int(b)) => a.as_i64() == Some(*b),
            (Value::Number(a), Written::Float(b)) => a.as_i64().is_none() && a.as_f64() == Some(*b),
            (Value::String(a), Written::String(b)) => **a == **b,
            _ => false,
        };
        if !same {
            self.differs("is not what the manifest says");
        }
    }
}
