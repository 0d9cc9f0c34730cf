//! Who can newly decrypt which connections, and who no longer can.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Pair;
use crate::model::record::{Record, secrets, texts};

/// What changes for one recipient. Connections without secrets don't count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The recipient's name, or its public key where nobody named it.
    pub recipient: String,
    /// Its public key.
    pub key: String,
    /// The instances that it can newly decrypt.
    pub gains: Vec<String>,
    /// The instances that it can no longer decrypt, once they are sealed anew. What it has read it has.
    pub loses: Vec<String>,
}

/// Compares; sorted by recipient. A connection that only moved changes nothing.
pub(super) fn changes(pairs: &[Pair<'_>], old_trust: &Value, new_trust: &Value) -> Vec<Access> {
    let mut changes: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    // Who may read a connection stands in its record.
    for pair in pairs.iter().filter(|pair| pair.differs()) {
        let (old, new) = (readers(pair.old), readers(pair.new));
        if let Some((id, _)) = pair.new {
            for key in new.difference(&old) {
                changes.entry(key).or_default().0.insert(id);
            }
        }
        if let Some((id, _)) = pair.old {
            for key in old.difference(&new) {
                changes.entry(key).or_default().1.insert(id);
            }
        }
    }
    let owned = |ids: BTreeSet<&str>| ids.into_iter().map(str::to_owned).collect();
    let named = |(key, (gains, loses)): (&str, (BTreeSet<&str>, BTreeSet<&str>))| Access {
        key: key.to_owned(),
        recipient: name(new_trust, key).or_else(|| name(old_trust, key)).unwrap_or(key).to_owned(),
        gains: owned(gains),
        loses: owned(loses),
    };
    let mut list: Vec<Access> = changes.into_iter().map(named).collect();
    list.sort_by(|a, b| a.recipient.cmp(&b.recipient));
    list
}

fn readers<'a>(side: Option<(&'a str, &'a Record)>) -> BTreeSet<&'a str> {
    let record = side.map(|(_, record)| record).filter(|record| !secrets(record).is_empty());
    record.into_iter().flat_map(|record| texts(record, "recipients")).map(str::trim).collect()
}

/// People and machines go by the names that the trust block has for their keys: those of everything in the environment,
/// and those that single consumers bring in.
pub(super) fn name<'t>(trust: &'t Value, key: &str) -> Option<&'t str> {
    let names = ["recipients", "runtimes"].into_iter().filter_map(|list| trust.get(list)?.as_object()).flatten();
    names.into_iter().find(|(_, text)| text.as_str().map(str::trim) == Some(key)).map(|(name, _)| &**name)
}
