//! What a plan may never do.

use serde_json::Value;

use super::{Pair, pairs};
use crate::bundle::Deployed;
use crate::model::record::Desired;

/// A change that a guard forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The instance.
    pub instance: String,
    /// What is forbidden, and what to do.
    pub reason: String,
}

/// What guards forbid of putting `desired` in force over `base`.
pub fn refusals(desired: &Desired, base: Option<&Deployed>) -> Vec<Refusal> {
    refused(desired, &pairs(desired, base))
}

/// What `protect` forbids: deleting a connection, and giving it another connector or key. It counts as deployed or as
/// desired, whichever is stricter, so it takes an apply of its own to lift it. A connection is protected under its key
/// and under its id alike: two that exchange their ids are refused.
pub(super) fn refused(desired: &Desired, pairs: &[Pair<'_>]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for pair in pairs {
        let Some((id, old)) = pair.old else { continue };
        let same_id = desired.records.get(id);
        let protected = [Some(old), pair.new.map(|(_, record)| record), same_id];
        if !protected.into_iter().flatten().any(is_protected) {
            continue;
        }
        let mut refuse = |what: &str| {
            let reason = format!("{what}; lift `protect` in an apply of its own first");
            refusals.push(Refusal { instance: id.to_owned(), reason });
        };
        if pair.new.is_none() {
            refuse("it is protected and would be deleted");
            continue;
        }
        let others = [pair.new.map(|(_, record)| record), same_id];
        for (field, what) in [
            ("connector", "it is protected and would get another connector"),
            ("key", "it is protected and would get another key"),
        ] {
            if others.into_iter().flatten().any(|new| new.get(field) != old.get(field)) {
                refuse(what);
            }
        }
    }
    refusals
}

fn is_protected(record: &Value) -> bool {
    record.get("protect").and_then(Value::as_bool) == Some(true)
}
