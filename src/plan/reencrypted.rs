//! Secrets files under a new data key: every value that both sides use was encrypted again.
//!
//! Without a key nobody can tell which of the values changed as well, and a line for each hides what matters. So they are
//! told once for the file. What else happens to a secret (another name, another place around it) is told at its leaf.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Action, Change, Pair, Plan};
use crate::model::record::{each_secret, secrets};

/// A file that has one secret only, or two sides that have only one in common, says nothing about its data key.
const FEWEST: usize = 2;

/// A secrets file whose secrets were encrypted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reencrypted {
    /// Its path.
    pub file: String,
    /// The secrets that both sides use.
    pub secrets: BTreeSet<String>,
    /// Where they stand: instances, and JSON Pointers in their records.
    pub leaves: BTreeSet<(String, String)>,
}

impl Reencrypted {
    /// The connections that use them.
    pub fn connections(&self) -> BTreeSet<&String> {
        self.leaves.iter().map(|(instance, _)| instance).collect()
    }
}

impl Plan {
    /// The changes without what [`Plan::reencrypted`] says for whole files.
    pub fn changes_one_by_one(&self) -> Cow<'_, [Change]> {
        if self.reencrypted.is_empty() {
            return Cow::Borrowed(&self.changes);
        }
        let told: BTreeSet<(&str, &str)> = self
            .reencrypted
            .iter()
            .flat_map(|file| &file.leaves)
            .map(|(instance, path)| (&**instance, &**path))
            .collect();
        let rest = self.changes.iter().filter_map(|change| {
            let mut rest = change.clone();
            rest.leaves.retain(|leaf| !told.contains(&(&*change.instance, &*leaf.path)));
            let nothing_else = change.action == Action::Update && rest.leaves.is_empty() && !change.leaves.is_empty();
            (!nothing_else).then_some(rest)
        });
        Cow::Owned(rest.collect())
    }
}

/// The versions of a secret on the old side and on the new one.
type Versions<'r> = [BTreeSet<&'r str>; 2];

/// The files whose secrets were all encrypted again.
pub(super) fn files(pairs: &[Pair<'_>]) -> Vec<Reencrypted> {
    if !pairs.iter().any(|pair| pair.differs() && pair.old.is_some() && pair.new.is_some()) {
        return Vec::new();
    }
    let mut files: BTreeMap<String, Reencrypted> = BTreeMap::new();
    for (file, names) in versions(pairs) {
        let common: Vec<_> = names.into_iter().filter(|(_, [old, new])| !old.is_empty() && !new.is_empty()).collect();
        if common.len() >= FEWEST && common.iter().all(|(_, [old, new])| old.is_disjoint(new)) {
            let secrets = common.into_iter().map(|(name, _)| name.to_owned()).collect();
            files.insert(file.to_owned(), Reencrypted { file: file.to_owned(), secrets, leaves: BTreeSet::new() });
        }
    }
    if files.is_empty() {
        return Vec::new();
    }
    for pair in pairs.iter().filter(|pair| pair.differs()) {
        let (Some((_, old)), Some((instance, new))) = (pair.old, pair.new) else { continue };
        let old: BTreeMap<String, &Value> = secrets(old).into_iter().collect();
        for (pointer, new) in secrets(new) {
            let Some(from) = old.get(&pointer).and_then(|old| same_but_for(old, new, &files)) else { continue };
            for file in from {
                if let Some(file) = files.get_mut(&file) {
                    file.leaves.insert((instance.to_owned(), pointer.clone()));
                }
            }
        }
    }
    files.into_values().filter(|file| !file.leaves.is_empty()).collect()
}

/// The versions of all sealed secrets, by file and name.
fn versions<'r>(pairs: &[Pair<'r>]) -> BTreeMap<&'r str, BTreeMap<&'r str, Versions<'r>>> {
    let mut found: BTreeMap<&str, BTreeMap<&str, Versions<'_>>> = BTreeMap::new();
    for pair in pairs {
        for (side, record) in [pair.old, pair.new].into_iter().enumerate() {
            let Some((_, record)) = record else { continue };
            each_secret(record, &mut |secret| {
                for source in secret["sources"].as_array().into_iter().flatten() {
                    if let (Some(name), Some(from), Some(version)) =
                        (source["name"].as_str(), source["from"].as_str(), source["version"].as_str())
                    {
                        found.entry(from).or_default().entry(name).or_default()[side].insert(version);
                    }
                }
            });
        }
    }
    found
}

/// The files that a secret comes from, if nothing about it changed but versions in such files.
fn same_but_for(old: &Value, new: &Value, files: &BTreeMap<String, Reencrypted>) -> Option<BTreeSet<String>> {
    let (before, after) = (old["sources"].as_array()?, new["sources"].as_array()?);
    let same = ["names", "delivery", "template"].iter().all(|key| old.get(key) == new.get(key));
    if !same || before.len() != after.len() {
        return None;
    }
    let mut from = BTreeSet::new();
    for (old, new) in before.iter().zip(after) {
        if old["name"] != new["name"] || old["from"] != new["from"] {
            return None;
        }
        if old["version"] != new["version"] {
            from.insert(new["from"].as_str().filter(|file| files.contains_key(*file))?.to_owned());
        }
    }
    (!from.is_empty()).then_some(from)
}
