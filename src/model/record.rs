//! The record: what "desired" means.
//!
//! One canonical JSON object per connection (maps sorted by code point, as `serde_json` keeps them here). `render`, plan,
//! manifest and the test for "nothing to do" all use this one form. Secrets stand in it as references, never as values.
//!
//! There may be a hundred thousand records, and those of one connection's instances hardly differ: records share the values
//! that are equal, and a copy of one copies none.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::digest::Digest;
use crate::value::{push_segment, segments};

/// The one key of the map that stands in a record for a secret value:
/// `{"$secret": {"names": […], "sources": [{"name", "from", "version"}], "delivery": "resolve"}}`, and `template`, a
/// digest of the scalar around the secret where there is more to it than `${{ secrets.NAME }}`.
pub const SECRET: &str = "$secret";

/// Everything that one environment (and profile) is to have.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The workspace's id.
    pub workspace: Uuid,
    /// The environment.
    pub environment: Arc<str>,
    /// The profile, where one was asked for.
    pub profile: Option<Arc<str>>,
    /// Records by instance: a connection's id, or `id@customer`.
    pub records: BTreeMap<String, Record>,
    /// Who and what is trusted: `target`, `publish`, `recipients: {NAME: public key}`, guards, rule levels, and for each connector used
    /// its schema's digest and secret paths, `connectors: {ID: {schema, secrets, harmless, references}}`: lists of pointers, of
    /// which a segment `*` stands for any.
    pub trust: Value,
}

impl Desired {
    /// The desired digest: equal on any machine for the same input and tool version.
    pub fn digest(&self) -> Digest {
        /// What it is a digest of: its JSON, the keys sorted.
        #[derive(Serialize)]
        struct Whole<'d> {
            environment: &'d str,
            profile: Option<&'d str>,
            records: Vec<&'d Record>,
            trust: &'d Value,
            workspace: String,
        }
        let whole = Whole {
            environment: &self.environment,
            profile: self.profile.as_deref(),
            records: self.records.values().collect(),
            trust: &self.trust,
            workspace: self.workspace.to_string(),
        };
        Digest::of_json(&whole)
    }
}

/// The keys of a record, sorted. `slots` are the secrets that a customer is to supply: `[{path, required, schema}]`.
pub const KEYS: [&str; 17] = [
    "auth",
    "config",
    "connector",
    "consumers",
    "customer",
    "expose",
    "id",
    "key",
    "labels",
    "owner",
    "profile",
    "protect",
    "recipients",
    "reference",
    "sealed",
    "slots",
    "title",
];

/// What one connection is to be, as JSON. The compiler sets all of [`KEYS`], to `null` or empty where nothing is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Its values, in the order of [`KEYS`].
    values: [Option<Arc<Value>>; KEYS.len()],
}

impl Record {
    /// A record with these values.
    pub fn new<'k>(values: impl IntoIterator<Item = (&'k str, Value)>) -> Self {
        let mut record = Self::default();
        values.into_iter().for_each(|(key, value)| record[key] = value);
        record
    }

    /// The value of one of its keys.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values[place(key)?].as_deref()
    }

    /// The text of one of its keys; empty if it has no text.
    pub fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The customer whose instance it is of.
    pub fn customer(&self) -> Option<&str> {
        self.get("customer")?.as_str()
    }

    /// What stands at a JSON Pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        let (key, _) = pointer.strip_prefix('/')?.split_once('/').unwrap_or((&pointer[1..], ""));
        self.get(key)?.pointer(&pointer[1 + key.len()..])
    }

    /// Its keys that are set, sorted, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        KEYS.into_iter().zip(&self.values).filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }

    /// Shares each value that equals that of another record, so that memory holds it once.
    pub fn share(&mut self, other: &Self) {
        for (own, other) in self.values.iter_mut().zip(&other.values) {
            if own == other {
                own.clone_from(other);
            }
        }
    }
}

/// Where a key stands among [`KEYS`].
fn place(key: &str) -> Option<usize> {
    KEYS.binary_search(&key).ok()
}

impl Index<&str> for Record {
    type Output = Value;

    /// The value of a key; null where it is not set.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Value::Null)
    }
}

impl IndexMut<&str> for Record {
    /// The value of a key, to change it.
    ///
    /// # Panics
    /// There is no such key in [`KEYS`].
    fn index_mut(&mut self, key: &str) -> &mut Value {
        let place = place(key).unwrap_or(KEYS.len());
        Arc::make_mut(self.values[place].get_or_insert_default())
    }
}

impl From<&Record> for Value {
    fn from(record: &Record) -> Self {
        Self::Object(record.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect())
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        self.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Record;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a record")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut record = Record::default();
                while let Some(key) = map.next_key::<String>()? {
                    // Another version's; the error is not shown, for a value could be in it.
                    let place = place(&key).ok_or_else(|| A::Error::custom("a key that no record has"))?;
                    record.values[place] = Some(Arc::new(map.next_value()?));
                }
                Ok(record)
            }
        }

        from.deserialize_map(Fields)
    }
}

/// Whether a JSON value stands for a secret; then it holds no value of it.
pub fn is_secret(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(SECRET))
}

/// Whether a JSON value is a secret or has one in it.
pub fn contains_secret(value: &Value) -> bool {
    is_secret(value)
        || match value {
            Value::Object(map) => map.values().any(contains_secret),
            Value::Array(list) => list.iter().any(contains_secret),
            _ => false,
        }
}

/// The secret paths of a connector's schema, from a trust block: JSON Pointers in which a segment `*` stands for any.
pub fn secret_paths<'t>(trust: &'t Value, connector: &str) -> impl Iterator<Item = &'t str> {
    paths(trust, connector, "secrets")
}

/// The paths that a connector's schema calls harmless, likewise: each stands for all below it.
pub fn harmless_paths<'t>(trust: &'t Value, connector: &str) -> impl Iterator<Item = &'t str> {
    paths(trust, connector, "harmless")
}

/// The paths of a connector's schema at which other connections are named, likewise.
pub fn reference_paths<'t>(trust: &'t Value, connector: &str) -> impl Iterator<Item = &'t str> {
    paths(trust, connector, "references")
}

fn paths<'t>(trust: &'t Value, connector: &str, list: &'static str) -> impl Iterator<Item = &'t str> + use<'t> {
    trust.get("connectors").and_then(|all| all.get(connector)).into_iter().flat_map(move |one| listed(one.get(list)))
}

/// Whether `path` is, or lies below, what such a path names.
pub fn covers(pattern: &str, path: &str) -> bool {
    let mut path = segments(path);
    segments(pattern).all(|pattern| path.next().is_some_and(|segment| pattern == "*" || pattern == segment))
}

/// The secrets of a record, in `config` and `auth`: the JSON Pointer of each and what stands under `$secret`.
pub fn secrets(record: &Record) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for part in ["config", "auth"] {
        if let Some(value) = record.get(part) {
            collect(value, &mut format!("/{part}"), &mut found);
        }
    }
    found
}

fn collect<'r>(value: &'r Value, pointer: &mut String, found: &mut Vec<(String, &'r Value)>) {
    if is_secret(value) {
        found.push((pointer.clone(), &value[SECRET]));
        return;
    }
    let length = pointer.len();
    let mut below = |segment: &str, value: &'r Value| {
        push_segment(pointer, segment);
        collect(value, pointer, found);
        pointer.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| below(&index.to_string(), value)),
        _ => {}
    }
}

/// Calls `each` with what stands under `$secret` of every secret of a record. Says nothing of where, and is the faster for it.
pub fn each_secret<'r>(record: &'r Record, each: &mut impl FnMut(&'r Value)) {
    fn walk<'r>(value: &'r Value, each: &mut impl FnMut(&'r Value)) {
        match value {
            Value::Object(map) => match map.get(SECRET).filter(|_| map.len() == 1) {
                Some(secret) => each(secret),
                None => map.values().for_each(|value| walk(value, each)),
            },
            Value::Array(list) => list.iter().for_each(|value| walk(value, each)),
            _ => {}
        }
    }
    ["config", "auth"].into_iter().filter_map(|part| record.get(part)).for_each(|value| walk(value, each));
}

/// The texts of a list in a record, such as `recipients` or `consumers`.
pub fn texts<'r>(record: &'r Record, key: &str) -> impl Iterator<Item = &'r str> + use<'r> {
    listed(record.get(key))
}

fn listed(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
