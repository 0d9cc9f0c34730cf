//! Secrets that stay what they are while something beside them changes.
//!
//! Who changes a host, a certificate, a driver's parameter or a user name beside a secret decides where the secret goes,
//! how it is protected on the way, and as whom it logs in. No list of names says which fields can do that: every one can,
//! unless the connector's schema calls it harmless, on the deployed side and on the new one.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::identity::{Change, Identity, Kept, address, secrets, text, unversioned};
use super::leaves::{Leaf, LeafAction, diff};
use super::{Pair, Places};
use crate::model::record::{covers, harmless_paths, is_secret, reference_paths, secret_paths};
use crate::value::{push_segment, segments};

/// A secret that arrives is compared with at most so many of the connections that have it.
const MAX_CANDIDATES: usize = 32;
/// And taken for one of at most so many at another address: any of them is as good to be told of.
const MAX_SPELLED: usize = 256;

/// One setting that changes beside a secret in use.
pub(super) struct Retarget {
    /// The instance that changes.
    pub(super) instance: String,
    /// The deployed instance whose secret comes into this one; `None` where it was in this one before.
    pub(super) of: Option<String>,
    /// The setting.
    pub(super) leaf: Leaf,
}

/// All of them, in the order of `pairs`.
pub(super) fn retargeted(
    pairs: &[Pair<'_>],
    old_trust: &Value,
    new_trust: &Value,
    places: Places<'_>,
) -> Vec<Retarget> {
    let sides = Sides { old_trust, new_trust, pairs, names: Default::default() };
    let deployed = Deployed::new(&sides);
    let mut found = Vec::new();
    for pair in pairs {
        let Some((instance, new)) = pair.new else { continue };
        if !pair.differs() && reference_paths(new_trust, text(new, "connector")).next().is_none() {
            continue;
        }
        for (of, mut leaf) in sides.of_pair(pair.old, new, &deployed) {
            leaf.place = places(instance, &leaf.path);
            found.push(Retarget { instance: instance.to_owned(), of, leaf });
        }
    }
    let through = sides.through();
    for pair in pairs.iter().filter(|pair| pair.differs()) {
        let (Some((_, old)), Some((instance, new))) = (pair.old, pair.new) else { continue };
        if !through.contains(text(new, "reference")) {
            continue;
        }
        for mut leaf in sides.beside(old, new, &Kept::default()) {
            if !found.iter().any(|told| told.instance == instance && told.leaf.path == leaf.path) {
                leaf.place = places(instance, &leaf.path);
                found.push(Retarget { instance: instance.to_owned(), of: None, leaf });
            }
        }
    }
    found
}

/// What of a value is in clear.
fn clear(value: Option<&Value>) -> Value {
    match value {
        Some(secret) if is_secret(secret) => Value::Null,
        Some(Value::Object(map)) => map.iter().map(|(key, value)| (key.clone(), clear(Some(value)))).collect(),
        Some(Value::Array(items)) => items.iter().map(|item| clear(Some(item))).collect(),
        other => other.cloned().unwrap_or_default(),
    }
}

/// What can decide where a secret goes.
fn destination(record: &Value) -> Value {
    let part = |key: &str| record.get(key).cloned().unwrap_or(Value::Null);
    serde_json::json!({"connector": part("connector"), "config": part("config"), "auth": part("auth")})
}

/// Where the deployed secrets are.
struct Deployed<'a> {
    /// The instances that have a secret, and their records.
    users: BTreeMap<Identity, Vec<(&'a str, &'a Value)>>,
    /// The same by the names under which other spellings of a store's address find it.
    spelled: BTreeMap<String, Vec<(&'a str, &'a Value)>>,
    /// The settings that a secret goes with already.
    known: BTreeSet<(Identity, String)>,
}

impl<'a> Deployed<'a> {
    /// Of the secrets that come into a connection which had them not: of others nobody asks.
    fn new(sides: &Sides<'a, '_>) -> Self {
        let arriving = |pair: &&Pair<'a>| -> Vec<Identity> {
            let before = pair.old.map(|(_, old)| secrets(old)).unwrap_or_default();
            let after = pair.new.map(|(_, new)| secrets(new)).unwrap_or_default();
            after.difference(&before).cloned().collect()
        };
        let wanted: BTreeSet<Identity> =
            sides.pairs.iter().filter(|pair| pair.differs()).flat_map(|p| arriving(&p)).collect();
        let mut deployed = Self { users: BTreeMap::new(), spelled: BTreeMap::new(), known: BTreeSet::new() };
        if wanted.is_empty() {
            return deployed;
        }
        let spellings: BTreeSet<String> =
            wanted.iter().filter_map(address).flat_map(|address| address.other_names()).collect();
        for (instance, record) in sides.pairs.iter().filter_map(|pair| pair.old) {
            let mut has = secrets(record);
            let names: BTreeSet<String> = match spellings.is_empty() {
                true => BTreeSet::new(),
                false => has.iter().filter_map(address).flat_map(|address| address.names()).collect(),
            };
            for name in names.intersection(&spellings) {
                deployed.spelled.entry(name.clone()).or_default().push((instance, record));
            }
            has.retain(|secret| wanted.contains(secret));
            if has.is_empty() {
                continue;
            }
            let settings = sides.settings(record);
            for secret in has {
                deployed.known.insert((secret.clone(), settings.clone()));
                deployed.users.entry(secret).or_default().push((instance, record));
            }
        }
        deployed
    }
}

/// Both sides, whole.
struct Sides<'a, 'p> {
    old_trust: &'p Value,
    new_trust: &'p Value,
    pairs: &'p [Pair<'a>],
    /// Their records by id, key and reference.
    names: [OnceCell<Names<'a>>; 2],
}

type Names<'a> = BTreeMap<&'a str, Vec<(usize, &'a Value)>>;

impl<'a> Sides<'a, '_> {
    /// The settings that change in a connection beside secrets in use; with the instance that a secret comes from.
    fn of_pair(
        &self,
        old: Option<(&str, &Value)>,
        new: &Value,
        deployed: &Deployed<'a>,
    ) -> Vec<(Option<String>, Leaf)> {
        let old = old.map_or(&Value::Null, |(_, old)| old);
        let (before, after) = (secrets(old), secrets(new));
        let kept = Kept::of(&before, &after);
        let mut found = Vec::new();
        if !kept.is_empty() {
            found.extend(self.beside(old, new, &kept).into_iter().map(|leaf| (None, leaf)));
            found.extend(self.other_connections(old, new).into_iter().map(|leaf| (None, leaf)));
        }
        for (instance, like, arriving) in self.arriving(new, &before, &after, deployed) {
            for leaf in self.beside(like, new, &arriving) {
                if !found.iter().any(|(_, told)| told.path == leaf.path) {
                    found.push((Some(instance.to_owned()), leaf));
                }
            }
        }
        found
    }

    /// The deployed secrets that come into a connection, by the instance to compare it with: of those that have the secret
    /// the one that differs least.
    fn arriving<'d>(
        &self,
        new: &Value,
        before: &BTreeSet<Identity>,
        after: &BTreeSet<Identity>,
        deployed: &'d Deployed<'a>,
    ) -> Vec<(&'d str, &'d Value, Kept)> {
        let mut found: BTreeMap<&str, (&Value, Kept)> = BTreeMap::new();
        let settings = OnceCell::new();
        for secret in after.difference(before) {
            let users = deployed.users.get(secret);
            let settings: &String = settings.get_or_init(|| self.settings(new));
            if users.is_some() && deployed.known.contains(&(secret.clone(), settings.clone())) {
                continue;
            }
            let spelled = if users.is_none() { spelled(secret, before, deployed) } else { Vec::new() };
            let users = users.map_or(&spelled, |users| users);
            let mut one = Kept::default();
            one.add(secret.clone(), spelled.is_empty());
            let alike = |(_, user): &&(&str, &Value)| text(user, "connector") == text(new, "connector");
            let candidates = users.iter().filter(alike).chain(users.iter().filter(|user| !alike(user)));
            let candidates = candidates.take(MAX_CANDIDATES).map(|user| (user, self.beside(user.1, new, &one).len()));
            // One that has another secret of the same name, and sends it there, settles nothing.
            let candidates = candidates.filter(|(_, differ)| spelled.is_empty() || *differ > 0);
            if let Some(((instance, user), _)) = candidates.min_by_key(|(_, differ)| *differ) {
                found
                    .entry(instance)
                    .or_insert_with(|| (user, Kept::default()))
                    .1
                    .add(secret.clone(), spelled.is_empty());
            }
        }
        found.into_iter().map(|(instance, (user, secrets))| (instance, user, secrets)).collect()
    }

    /// The settings that differ between two records, both with these secrets, and matter to them.
    fn beside(&self, old: &Value, new: &Value, kept: &Kept) -> Vec<Leaf> {
        let connectors = [text(old, "connector"), text(new, "connector")];
        let paths = |connector| secret_paths(self.old_trust, connector).chain(secret_paths(self.new_trust, connector));
        let sealed: Vec<&str> = connectors.into_iter().flat_map(paths).collect();
        let mut leaves = diff(&destination(old), &destination(new), &sealed);
        leaves.retain(|leaf| self.matters(old, new, leaf, kept));
        leaves
    }

    fn matters(&self, old: &Value, new: &Value, leaf: &Leaf, kept: &Kept) -> bool {
        let harmless = self.harmless(old, new, &leaf.path);
        if leaf.secret.is_none() {
            return !harmless && !self.same_connection(old, new, leaf);
        }
        let at = |record: &'_ Value| record.pointer(&leaf.path).filter(|value| !value.is_null()).cloned();
        let (was, is) = (at(old), at(new));
        let change = kept.change(old, was.as_ref(), is.as_ref());
        if matches!(change, Change::Moved) {
            // It goes to wherever this field's value goes: that another value is harmless there says nothing of it.
            return true;
        }
        if harmless {
            return false;
        }
        // Beside another secret a new value of a sealed setting is a change that nobody sees; else it is a rotation.
        clear(was.as_ref()) != clear(is.as_ref())
            || (leaf.path.starts_with("/config") && !matches!(change, Change::Rotated { all: true }))
    }

    /// Whether both schemas, the deployed one and the new one, say that nothing of the kind hangs on a setting.
    fn harmless(&self, old: &Value, new: &Value, path: &str) -> bool {
        let says = |trust: &Value, record: &Value| {
            harmless_paths(trust, text(record, "connector")).any(|pattern| covers(pattern, path))
        };
        says(self.old_trust, old) && says(self.new_trust, new)
    }

    /// What of a record decides where its secrets go, as a text.
    fn settings(&self, record: &Value) -> String {
        let mut settings = Vec::new();
        for leaf in diff(&Value::Null, &unversioned(&destination(record)), &[]) {
            if !self.harmless(record, record, &leaf.path) {
                settings.push(serde_json::json!([leaf.path, leaf.new]));
            }
        }
        Value::Array(settings).to_string()
    }

    /// Whether a setting names the same connection as before, by another name.
    fn same_connection(&self, old: &Value, new: &Value, leaf: &Leaf) -> bool {
        let names = |trust: &Value, record: &Value| {
            reference_paths(trust, text(record, "connector")).any(|pattern| same_place(pattern, &leaf.path))
        };
        let both = names(self.old_trust, old) && names(self.new_trust, new) && leaf.action == LeafAction::Change;
        both && {
            let was = self.reference(Side::Old, old, leaf.old.as_str());
            was.is_some() && was == self.reference(Side::New, new, leaf.new.as_str())
        }
    }

    /// Settings that name another connection than before by the same name.
    fn other_connections(&self, old: &Value, new: &Value) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        for pattern in reference_paths(self.new_trust, text(new, "connector")) {
            let pattern: Vec<String> = segments(pattern).collect();
            expand(new, &pattern, &mut String::new(), &mut |path, named| {
                let Some(name) = named.as_str().filter(|_| old.pointer(path) == Some(named)) else { return };
                let (was, is) =
                    (self.reference(Side::Old, old, Some(name)), self.reference(Side::New, new, Some(name)));
                if was != is {
                    let action = LeafAction::Change;
                    let value = |side: Option<&str>| side.map_or(Value::Null, Into::into);
                    let (old, new) = (value(was), value(is));
                    let path = path.to_owned();
                    leaves.push(Leaf { path, action, old, new, secret: None, place: None, old_place: None });
                }
            });
        }
        leaves
    }

    /// The references of the connections that those with deployed secrets name, as far as names lead: a proxy, say, that
    /// has no secret of its own and through which those of others go.
    fn through(&self) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let records = || self.pairs.iter().filter_map(|pair| pair.new).map(|(_, record)| record);
        let names = |record: &&Value| reference_paths(self.new_trust, text(record, "connector")).next().is_some();
        if !records().any(|record| names(&record)) {
            return found;
        }
        let deployed: BTreeSet<Identity> =
            self.pairs.iter().filter_map(|pair| pair.old).flat_map(|(_, record)| secrets(record)).collect();
        // A store's secret that has come may be one of them at another address.
        let is_in_use = |record: &&Value| {
            let has = secrets(record);
            !has.is_disjoint(&deployed) || (!deployed.is_empty() && has.iter().any(|secret| address(secret).is_some()))
        };
        let by_reference: BTreeMap<&str, &'a Value> =
            records().map(|record| (text(record, "reference"), record)).collect();
        let mut open: Vec<&'a Value> = records().filter(names).filter(is_in_use).collect();
        while let Some(record) = open.pop() {
            for pattern in reference_paths(self.new_trust, text(record, "connector")) {
                let pattern: Vec<String> = segments(pattern).collect();
                expand(record, &pattern, &mut String::new(), &mut |_, named| {
                    let Some(reference) = self.reference(Side::New, record, named.as_str()) else { return };
                    if found.insert(reference) {
                        open.extend(by_reference.get(reference));
                    }
                });
            }
        }
        found
    }

    /// The reference of the connection that a record of the old or the new side names by its id, key or reference.
    fn reference(&self, side: Side, record: &Value, name: Option<&str>) -> Option<&'a str> {
        let names = self.names[side as usize].get_or_init(|| self.names_of(side));
        let customer = |record: &'_ Value| record.get("customer").and_then(Value::as_str).map(str::to_owned);
        let named = names.get(name?)?.iter().filter(|(_, one)| {
            let own = customer(one);
            own.is_none() || own == customer(record)
        });
        named.min_by_key(|(rank, _)| rank).map(|(_, record)| text(record, "reference"))
    }

    fn names_of(&self, side: Side) -> Names<'a> {
        let mut names = Names::new();
        let records = self.pairs.iter().filter_map(|pair| match side {
            Side::Old => pair.old,
            Side::New => pair.new,
        });
        for (_, record) in records {
            // An id is meant before a key, as in the compiler.
            for (rank, key) in ["id", "key", "reference"].into_iter().enumerate() {
                names.entry(text(record, key)).or_default().push((rank, record));
            }
        }
        names
    }
}

/// The deployed connections that may have a secret which is at another address there; none where the connection itself had
/// it, for then all that changes beside it is told.
fn spelled<'a>(secret: &Identity, before: &BTreeSet<Identity>, deployed: &Deployed<'a>) -> Vec<(&'a str, &'a Value)> {
    let Some(names) = address(secret).map(|address| address.other_names()) else { return Vec::new() };
    if before.iter().filter_map(address).flat_map(|own| own.names()).any(|own| names.contains(&own)) {
        return Vec::new();
    }
    let found = names.iter().filter_map(|name| deployed.spelled.get(name)).flatten();
    let mut users: Vec<(&str, &Value)> = found.take(MAX_SPELLED).copied().collect();
    users.sort_by_key(|(instance, _)| *instance);
    users.dedup_by_key(|(instance, _)| *instance);
    users
}

#[derive(Clone, Copy)]
enum Side {
    Old,
    New,
}

/// Whether a pattern names exactly this path.
fn same_place(pattern: &str, path: &str) -> bool {
    covers(pattern, path) && segments(pattern).count() == segments(path).count()
}

/// Calls `each` with every path of a value that fits a pattern, and what stands there.
fn expand<'v>(value: &'v Value, pattern: &[String], path: &mut String, each: &mut dyn FnMut(&str, &'v Value)) {
    let [next, rest @ ..] = pattern else { return each(path, value) };
    let mut below = |segment: &str, value: &'v Value| {
        let length = path.len();
        push_segment(path, segment);
        expand(value, rest, path, each);
        path.truncate(length);
    };
    match value {
        Value::Object(map) if next == "*" => map.iter().for_each(|(key, value)| below(key, value)),
        Value::Object(map) => map.get(next).into_iter().for_each(|value| below(next, value)),
        Value::Array(items) if next == "*" => {
            items.iter().enumerate().for_each(|(index, item)| below(&index.to_string(), item));
        }
        _ => {}
    }
}
