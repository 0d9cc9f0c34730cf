//! Connections that were probably moved: one goes, and another that is nearly the same comes. Without a `key` nobody can
//! tell; a line says it.

use serde_json::Value;

use super::leaves::diff_records;
use super::{Pair, Places};
use crate::model::record::Record;

/// A probable move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The id that goes.
    pub from: String,
    /// The id that comes.
    pub to: String,
    /// The key that makes it a move.
    pub key: String,
    /// The file that the line `key: KEY` goes into.
    pub file: Option<String>,
}

/// Two connections are taken for one if no more of their settings differ.
const MOST_DIFFERENT: usize = 1;
/// Settings that are alike by chance are no sign of anything.
const LEAST_EQUAL: usize = 2;

/// The probable moves among what goes and what comes.
pub(super) fn suggestions(pairs: &[Pair<'_>], places: Places<'_>) -> Vec<Suggestion> {
    let gone: Vec<(&str, &Record)> = pairs.iter().filter(|p| p.new.is_none()).filter_map(|p| p.old).collect();
    let come = pairs.iter().filter(|p| p.old.is_none()).filter_map(|p| p.new);
    let mut taken = Vec::new();
    let mut found = Vec::new();
    // Nobody renames thousands at once, and comparing all of them with all would take for ever.
    for (to, new) in come.take(100) {
        let like = |(from, old): &&(&str, &Record)| !taken.contains(from) && alike(old, new);
        let Some((from, old)) = gone.iter().take(100).find(like) else { continue };
        taken.push(*from);
        found.push(Suggestion {
            from: (*from).to_owned(),
            to: to.to_owned(),
            key: old.get("key").and_then(Value::as_str).unwrap_or(from).to_owned(),
            file: places(to, "/connector").map(|line| line.file.to_string()),
        });
    }
    found
}

/// The same connector for the same customer, and settings that hardly differ.
fn alike(old: &Record, new: &Record) -> bool {
    if ["connector", "customer"].into_iter().any(|key| old.get(key) != new.get(key)) {
        return false;
    }
    let settings = |key: &str| matches!(key, "config" | "auth");
    let different = diff_records(Some(old), Some(new), settings, &[]).len();
    let all = diff_records(None, Some(new), settings, &[]).len();
    different <= MOST_DIFFERENT && all >= different + LEAST_EQUAL
}
