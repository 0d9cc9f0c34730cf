//! `x-tieline: {harmless: […]}`: the fields that can't change where a secret goes, how it is protected on the way, or as
//! whom it logs in. A plan doesn't call a change of them a trust change.
//!
//! Each entry is a JSON Pointer in the instance and stands for all below it; a segment `*` stands for any.

use serde_json::Value;

use super::check::Wrong;
use super::sensitive::Places;
use crate::value::segments;

/// The entries of a schema, sorted.
pub(super) fn list(schema: &Value) -> Vec<&str> {
    let entries = entries(schema).and_then(Value::as_array).into_iter().flatten();
    let mut entries: Vec<&str> = entries.filter_map(Value::as_str).collect();
    entries.sort_unstable();
    entries.dedup();
    entries
}

fn entries(schema: &Value) -> Option<&Value> {
    schema.get("x-tieline")?.get("harmless")
}

/// What is wrong with the entries. `all` are the places of every variant and mode.
pub(super) fn check(schema: &Value, all: &Places) -> Vec<Wrong> {
    let wrong = |pointer: String, message: String| Wrong {
        pointer,
        message,
        help: "list JSON Pointers of fields, such as `/config/max_retries`".to_owned(),
    };
    let top = || "/x-tieline/harmless".to_owned();
    let Some(entries) = entries(schema) else { return Vec::new() };
    let Some(list) = entries.as_array() else {
        return vec![wrong(top(), "`harmless` must be a list of JSON Pointers".to_owned())];
    };
    let endpoints: Vec<&str> = schema["x-tieline"]["endpoint"]
        .as_object()
        .into_iter()
        .flat_map(|endpoint| endpoint.values().filter_map(Value::as_str))
        .collect();
    let told = list.iter().enumerate().filter_map(|(index, entry)| {
        let pointer = format!("{}/{index}", top());
        let Some(entry) = entry.as_str() else {
            return Some(wrong(pointer, "`harmless` must be a list of JSON Pointers".to_owned()));
        };
        Some(wrong(pointer, fault(entry, &endpoints, all)?))
    });
    told.collect()
}

fn fault(entry: &str, endpoints: &[&str], all: &Places) -> Option<String> {
    let path: Vec<String> = segments(entry).collect();
    let within = |block: &str| entry.starts_with(block);
    if path.len() < 2 || !(within("/config/") || within("/auth/")) || path.iter().any(String::is_empty) {
        return Some(format!("`{entry}` is not the JSON Pointer of a field of `config` or `auth`"));
    }
    let is = |pointer: &str| related(entry, pointer);
    if is("/auth/mode") || is("/config/variant") {
        return Some(format!("`{entry}` decides how the connection logs in: it can't be harmless"));
    }
    if endpoints.iter().any(|endpoint| is(endpoint)) {
        return Some(format!("`{entry}` says where the system is: it can't be harmless"));
    }
    // A secret of `config` may be listed: replacing a client's key sends no other secret elsewhere.
    let secret = within("/auth/") && all.secret_pointers().iter().any(|secret| is(secret));
    secret.then(|| format!("`{entry}` is a secret of `auth`: it can't be harmless"))
}

/// Whether one is at, above or below the other.
fn related(one: &str, other: &str) -> bool {
    segments(one).zip(segments(other)).all(|(a, b)| a == b || a == "*" || b == "*")
}
