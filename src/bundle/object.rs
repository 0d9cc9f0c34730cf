//! One connection with its secrets, sealed: a sops document that stock sops opens.
//!
//! `tieline` (what it is), `config`, `auth`, then the `sops` block. It is sealed to the record's recipients under a data
//! key of its own. What is encrypted is told by one regular expression over the names of the secret keys; sops tries it
//! on every key from the top, so a clear value that shares such a name is sealed too, even a field of the header, and all
//! below it. That hides nothing that the manifest does not say, so it needs no special case.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{FORMAT, Scope};
use crate::model::record::{Record, each_secret, is_secret, secrets, texts};
use crate::secret::Secret;
use crate::sops::{Map, Recipient, Rule, Settings, Value as Data, encrypt};
use crate::value::{push_segment, segments};

/// An object may have this many bytes (16 MiB).
pub const MAX_OBJECT: usize = 16 << 20;

/// Gives the plaintext of the secrets in records; implemented over whatever holds them.
pub trait Reveal: Sync {
    /// The value at the JSON Pointer `pointer` of the record of `instance`.
    ///
    /// # Errors
    /// Why there is none, in words that hold no value.
    fn reveal(&self, instance: &str, pointer: &str) -> Result<Secret<String>, String>;
}

/// Why a connection was not sealed. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The instance.
    pub instance: String,
    /// Where in its record; empty if it concerns the whole.
    pub pointer: String,
    /// Why.
    pub reason: String,
}

/// The part of a record that its object is made of. Title, owner, labels, consumers and the like are not in it, so that
/// changing them seals nothing. The versions of secrets are, inside `config` and `auth`.
pub fn sealing_inputs(record: &Record) -> Value {
    let mut inputs = header_fields(record);
    for part in ["config", "auth"] {
        inputs[part] = record[part].clone();
    }
    inputs["recipients"] = recipients(record).into_iter().collect();
    inputs
}

/// Whether the object of `old` may stand for `new`.
pub fn carries_over(old: &Record, new: &Record) -> bool {
    !is_volatile(new) && (old == new || sealing_inputs(old) == sealing_inputs(new))
}

/// Whether a record has a secret of which nobody can tell without opening it whether it changed: an external one
/// without a version. Its object is sealed anew at every apply.
pub fn is_volatile(record: &Record) -> bool {
    let mut volatile = false;
    each_secret(record, &mut |secret| {
        // What is sealed by reference is the address in the record itself.
        let resolved = secret["delivery"] != "reference";
        let sources = secret["sources"].as_array();
        volatile |= resolved && sources.is_some_and(|sources| sources.iter().any(|source| source["version"].is_null()));
    });
    volatile
}

/// Seals one record. `time` is RFC 3339, UTC, whole seconds.
///
/// # Errors
/// Everything that keeps it from being sealed, secrets that could not be had each on its own.
pub fn seal(
    scope: &Scope,
    instance: &str,
    record: &Record,
    time: &str,
    reveal: &dyn Reveal,
) -> Result<Vec<u8>, Vec<Failure>> {
    let mut sealing = Sealing { instance, reveal, failures: Vec::new() };
    let mut document = Map::new();
    document.push("tieline", sealing.data(&header(scope, record), &mut "/tieline".to_owned()));
    for part in ["config", "auth"] {
        document.push(part, sealing.data(&record[part], &mut format!("/{part}")));
    }
    let mut to = Vec::new();
    for text in recipients(record) {
        match text.parse::<Recipient>() {
            Ok(recipient) => to.push(recipient),
            Err(error) => sealing.fail("/recipients", &format!("`{text}`: {error}")),
        }
    }
    if !sealing.failures.is_empty() {
        return Err(sealing.failures);
    }
    let rule = selection(record);
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &to, lastmodified: time };
    let mut random = Ok(());
    let sealed = encrypt(&document, &settings, &mut |bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            random = Err(error);
        }
    });
    match (sealed, random) {
        (_, Err(error)) => sealing.fail("", &format!("no random numbers: {error}")),
        (Err(error), _) => sealing.fail("", &error.to_string()),
        (Ok(text), _) if text.len() > MAX_OBJECT => sealing.fail("", "the object would be larger than 16 MiB"),
        (Ok(text), _) => return Ok(text.into_bytes()),
    }
    Err(sealing.failures)
}

struct Sealing<'a> {
    instance: &'a str,
    reveal: &'a dyn Reveal,
    failures: Vec<Failure>,
}

impl Sealing<'_> {
    fn fail(&mut self, pointer: &str, reason: &str) {
        let (instance, pointer, reason) = (self.instance.to_owned(), pointer.to_owned(), reason.to_owned());
        self.failures.push(Failure { instance, pointer, reason });
    }

    /// A value of the record with its secrets opened.
    fn data(&mut self, value: &Value, pointer: &mut String) -> Data {
        if is_secret(value) {
            return match self.reveal.reveal(self.instance, pointer) {
                Ok(secret) if !secret.expose().is_empty() => secret.into(),
                // sops leaves the empty text in clear, and nobody means it.
                Ok(_) => {
                    self.fail(pointer, "the secret is empty");
                    Data::Null
                }
                Err(reason) => {
                    self.fail(pointer, &reason);
                    Data::Null
                }
            };
        }
        match value {
            Value::Null => Data::Null,
            Value::Bool(bool) => (*bool).into(),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => int.into(),
                (None, Some(float)) if !number.is_u64() => float.into(),
                _ => {
                    self.fail(pointer, "the integer does not fit 64 bits with a sign");
                    Data::Null
                }
            },
            Value::String(text) => text.as_str().into(),
            Value::Array(list) => {
                let items = list.iter().enumerate();
                let items = items.map(|(index, item)| self.below(item, pointer, &index.to_string()));
                items.collect::<Vec<_>>().into()
            }
            Value::Object(map) => {
                let mut data = Map::new();
                for (key, value) in map {
                    data.push(key.as_str(), self.below(value, pointer, key));
                }
                data.into()
            }
        }
    }

    fn below(&mut self, value: &Value, pointer: &mut String, segment: &str) -> Data {
        let length = pointer.len();
        push_segment(pointer, segment);
        let data = self.data(value, pointer);
        pointer.truncate(length);
        data
    }
}

fn header_fields(record: &Record) -> Value {
    json!({
        "id": record["id"],
        "customer": record["customer"],
        "reference": record["reference"],
        "connector": record["connector"],
    })
}

/// The map under `tieline`.
pub(super) fn header(scope: &Scope, record: &Record) -> Value {
    let mut header = header_fields(record);
    header["format"] = FORMAT.into();
    header["workspace"] = scope.workspace.as_str().into();
    header["environment"] = scope.environment.as_str().into();
    header["profile"] = scope.profile.as_deref().into();
    header
}

/// Who can open the object: sorted, none twice.
pub(super) fn recipients(record: &Record) -> BTreeSet<&str> {
    texts(record, "recipients").map(str::trim).collect()
}

/// The keys that are sealed: those under which secrets stand; for one in a list, the key of the list. Where there is no
/// secret, the empty key, since a rule must name something.
pub(super) fn sealed_keys(record: &Record) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (pointer, _) in secrets(record) {
        let mut segments = segments(&pointer);
        let mut last = segments.next().unwrap_or_default();
        let mut node = record.get(&last);
        for segment in segments {
            node = match node {
                Some(Value::Array(list)) => segment.parse::<usize>().ok().and_then(|index| list.get(index)),
                Some(Value::Object(map)) => {
                    let below = map.get(&segment);
                    last = segment;
                    below
                }
                _ => None,
            };
        }
        keys.insert(last);
    }
    if keys.is_empty() {
        keys.insert(String::new());
    }
    keys
}

/// The rule of the object: exactly the sealed keys.
pub(super) fn selection(record: &Record) -> Rule {
    let keys: Vec<String> = sealed_keys(record).iter().map(|key| regex::escape(key)).collect();
    Rule::EncryptedRegex(format!("^({})$", keys.join("|")))
}
