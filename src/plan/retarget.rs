//! Secrets that stay what they are while something beside them changes.
//!
//! Who changes a host, a certificate, a driver's parameter or a user name beside a secret decides where the secret goes,
//! how it is protected on the way, and as whom it logs in. No list of names says which fields can do that: every one can,
//! unless the connector's schema calls it harmless, on the deployed side and on the new one.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::identity::{Change, Identity, Kept, address, secrets};
use super::leaves::{Leaf, diff_records};
use super::sides::{Side, Sides, destination, instance};
use super::{Pair, Places};
use crate::model::record::{Record, covers, is_secret, reference_paths, secret_paths};

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

/// All of them, in the order of the pairs.
pub(super) fn retargeted(sides: &Sides<'_, '_>, places: Places<'_>) -> Vec<Retarget> {
    let deployed = Deployed::new(sides);
    let mut found: Vec<Retarget> = Vec::new();
    let mut told = BTreeSet::new();
    let mut tell = |instance: &str, of: Option<String>, mut leaf: Leaf| {
        if told.insert((instance.to_owned(), leaf.path.clone())) {
            leaf.place = places(instance, &leaf.path);
            found.push(Retarget { instance: instance.to_owned(), of, leaf });
        }
    };
    for pair in sides.pairs {
        let Some((instance, new)) = pair.new else { continue };
        if !pair.differs() && reference_paths(sides.new_trust, new.text("connector")).next().is_none() {
            continue;
        }
        for (beside, of, leaf) in sides.of_pair(pair.old, new, &deployed) {
            tell(beside.as_deref().unwrap_or(instance), of, leaf);
        }
    }
    let names_others =
        |(_, new): (&str, &Record)| reference_paths(sides.new_trust, new.text("connector")).next().is_some();
    if !sides.pairs.iter().filter_map(|pair| pair.new).any(names_others) {
        return found;
    }
    let through = sides.through(&sides.is_in_use());
    for pair in sides.pairs.iter().filter(|pair| pair.differs()) {
        let (Some((_, old)), Some((instance, new))) = (pair.old, pair.new) else { continue };
        if through.contains(new.text("reference")) {
            sides.beside(old, new, &Kept::default()).into_iter().for_each(|leaf| tell(instance, None, leaf));
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

/// Where the deployed secrets are.
struct Deployed<'a> {
    /// The instances that have a secret, and their records.
    users: BTreeMap<Identity, Vec<(&'a str, &'a Record)>>,
    /// The same by the names under which other spellings of a store's address find it.
    spelled: BTreeMap<String, Vec<(&'a str, &'a Record)>>,
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
            let settings = sides.settings(Side::Old, record);
            for secret in has {
                deployed.known.insert((secret.clone(), settings.clone()));
                deployed.users.entry(secret).or_default().push((instance, record));
            }
        }
        deployed
    }
}

impl<'a> Sides<'a, '_> {
    /// The settings that change beside the secrets in use of a connection: the instance that has them, where it is another one
    /// that they go through, and the one that a secret comes from.
    fn of_pair(
        &self,
        old: Option<(&str, &'a Record)>,
        new: &'a Record,
        deployed: &Deployed<'a>,
    ) -> Vec<(Option<String>, Option<String>, Leaf)> {
        let nothing = Record::default();
        let old = old.map_or(&nothing, |(_, old)| old);
        let (before, after) = (secrets(old), secrets(new));
        let kept = match self.is_elsewhere {
            true => Kept::elsewhere(&before, &after),
            false => Kept::of(&before, &after, &|secret| deployed.users.contains_key(secret)),
        };
        let mut found = Vec::new();
        let mut told: BTreeSet<(Option<String>, String)> = BTreeSet::new();
        if !kept.is_empty() {
            let leaves = self.beside(old, new, &kept).into_iter().chain(self.other_connections(old, new));
            found.extend(leaves.map(|leaf| (None, None, leaf)));
            told.extend(found.iter().map(|(_, _, leaf): &(_, _, Leaf)| (None, leaf.path.clone())));
        }
        for (of, like, arriving) in self.arriving(new, &before, &after, deployed) {
            let own = self.beside(like, new, &arriving).into_iter().map(|leaf| (None, leaf));
            let along = self.along(like, new).into_iter().map(|(beside, leaf)| (Some(beside), leaf));
            for (beside, leaf) in own.chain(along) {
                if told.insert((beside.clone(), leaf.path.clone())) {
                    found.push((beside, Some(of.to_owned()), leaf));
                }
            }
        }
        found
    }

    /// The settings that differ in what two connections name, where that goes by the same name: what their secrets go through.
    fn along(&self, old: &'a Record, new: &'a Record) -> Vec<(String, Leaf)> {
        let (mut found, mut seen, mut open) = (Vec::new(), BTreeSet::new(), vec![(old, new)]);
        while let Some((old, new)) = open.pop() {
            let was: BTreeMap<String, Option<&Record>> = self.named(Side::Old, old).into_iter().collect();
            for (path, is) in self.named(Side::New, new) {
                let (Some(is), Some(Some(was))) = (is, was.get(&path)) else { continue };
                if seen.insert((was.text("reference"), is.text("reference"))) {
                    let leaves = self.beside(was, is, &Kept::default()).into_iter();
                    found.extend(leaves.map(|leaf| (instance(is), leaf)));
                    open.push((was, is));
                }
            }
        }
        found
    }

    /// The deployed secrets that come into a connection, by the instance to compare it with: of those that have the secret
    /// the one that differs least.
    fn arriving<'d>(
        &self,
        new: &'a Record,
        before: &BTreeSet<Identity>,
        after: &BTreeSet<Identity>,
        deployed: &'d Deployed<'a>,
    ) -> Vec<(&'d str, &'a Record, Kept)> {
        let mut found: BTreeMap<&str, (&'a Record, Kept)> = BTreeMap::new();
        let settings = OnceCell::new();
        for secret in after.difference(before) {
            let users = deployed.users.get(secret);
            let settings: &String = settings.get_or_init(|| self.settings(Side::New, new));
            if users.is_some() && deployed.known.contains(&(secret.clone(), settings.clone())) {
                continue;
            }
            let own = if self.is_elsewhere { &BTreeSet::new() } else { before };
            let spelled = if users.is_none() { spelled(secret, own, deployed) } else { Vec::new() };
            let users = users.map_or(&spelled, |users| users);
            let mut one = Kept::default();
            one.add(secret.clone(), spelled.is_empty());
            let alike = |(_, user): &&(&str, &Record)| user.text("connector") == new.text("connector");
            let candidates = users.iter().filter(alike).chain(users.iter().filter(|user| !alike(user)));
            let candidates = candidates.take(MAX_CANDIDATES);
            let differ = |user: &'a Record| self.beside(user, new, &one).len() + self.along(user, new).len();
            let candidates = candidates.map(|user| (user, differ(user.1)));
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
    fn beside(&self, old: &Record, new: &Record, kept: &Kept) -> Vec<Leaf> {
        let connectors = [old.text("connector"), new.text("connector")];
        let paths = |connector| secret_paths(self.old_trust, connector).chain(secret_paths(self.new_trust, connector));
        let sealed: Vec<&str> = connectors.into_iter().flat_map(paths).collect();
        let mut leaves = diff_records(Some(old), Some(new), destination, &sealed);
        leaves.retain(|leaf| self.matters(old, new, leaf, kept));
        leaves
    }

    fn matters(&self, old: &Record, new: &Record, leaf: &Leaf, kept: &Kept) -> bool {
        let harmless = self.harmless(old, new, &leaf.path);
        if leaf.secret.is_none() {
            return !harmless && !self.same_connection(old, new, leaf);
        }
        let (was, is) = (old.pointer(&leaf.path), new.pointer(&leaf.path));
        let change = kept.change(old, was, is);
        if matches!(change, Change::Moved) {
            // It goes to wherever this field's value goes: that another value is harmless there says nothing of it.
            return true;
        }
        if harmless {
            return false;
        }
        // Beside another secret a new value of a sealed setting is a change that nobody sees; else it is a rotation.
        clear(was) != clear(is)
            || (is_setting(old, new, &leaf.path) && !matches!(change, Change::Rotated { all: true }))
    }
}

/// Whether a secret place holds a setting rather than the secret that logs in: anywhere in `config`, and what is sealed in
/// `auth`, such as a user name.
fn is_setting(old: &Record, new: &Record, path: &str) -> bool {
    let seals = |record: &Record| {
        let fields = record.get("sealed").and_then(Value::as_array);
        fields.into_iter().flatten().filter_map(Value::as_str).any(|field| covers(field, path))
    };
    path.starts_with("/config") || seals(old) || seals(new)
}

/// The deployed connections that may have a secret which is at another address there; none where the connection itself had
/// it, for then all that changes beside it is told.
fn spelled<'a>(secret: &Identity, before: &BTreeSet<Identity>, deployed: &Deployed<'a>) -> Vec<(&'a str, &'a Record)> {
    let Some(names) = address(secret).map(|address| address.other_names()) else { return Vec::new() };
    if before.iter().filter_map(address).flat_map(|own| own.names()).any(|own| names.contains(&own)) {
        return Vec::new();
    }
    let found = names.iter().filter_map(|name| deployed.spelled.get(name)).flatten();
    let mut users: Vec<(&str, &Record)> = found.take(MAX_SPELLED).copied().collect();
    users.sort_by_key(|(instance, _)| *instance);
    users.dedup_by_key(|(instance, _)| *instance);
    users
}
