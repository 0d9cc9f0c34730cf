//! The record: what "desired" means.
//!
//! One canonical JSON object per connection (maps sorted by code point, as `serde_json` keeps them here). `render`, plan,
//! manifest and the test for "nothing to do" all use this one form. Secrets stand in it as references, never as values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
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
    ///
    /// Keys of a record: `id`, `customer`, `profile`, `reference`, `key`, `connector`, `config`, `auth`, `title`, `owner`,
    /// `labels`, `recipients`, `consumers`, `slots` (secrets that a customer is to supply: `[{path, required, schema}]`), `expose`, `protect`. All are always there; what is not set is `null` or empty.
    pub records: BTreeMap<String, Value>,
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
            records: Vec<&'d Value>,
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
        // None of these types can fail to be written.
        Digest::of(&serde_json::to_vec(&whole).unwrap_or_default())
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
    trust.get("connectors").and_then(|all| all.get(connector)).into_iter().flat_map(|one| texts(one, list))
}

/// Whether `path` is, or lies below, what such a path names.
pub fn covers(pattern: &str, path: &str) -> bool {
    let mut path = segments(path);
    segments(pattern).all(|pattern| path.next().is_some_and(|segment| pattern == "*" || pattern == segment))
}

/// The secrets of a record, in `config` and `auth`: the JSON Pointer of each and what stands under `$secret`.
pub fn secrets(record: &Value) -> Vec<(String, &Value)> {
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
pub fn each_secret<'r>(record: &'r Value, each: &mut impl FnMut(&'r Value)) {
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
pub fn texts<'r>(record: &'r Value, key: &str) -> impl Iterator<Item = &'r str> + use<'r> {
    record.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
