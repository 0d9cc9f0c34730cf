//! Which secrets a record has, as far as anybody can tell who opens none.
//!
//! The same address, the same file and name there, or the same sealed text in another file, is the same secret. Two addresses may be of one secret all the same:
//! a store has several spellings for it, names and ids, copies. So what was a secret here and is one of a store now counts
//! as kept, and one that arrives is looked up by every spelling that its form shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::record::{Record, SECRET, each_secret, is_secret};
use crate::workspace::stores::Address;

/// A secret, whatever it is called here: its address in a store, or its file and name there. Not its version: a rotated
/// one is worth as much.
pub(super) type Identity = (String, String);

fn identity(source: &Value) -> Identity {
    let (from, name) = (text(source, "from"), text(source, "name"));
    match Address::parse(from) {
        Ok(address) => (canonical(&address), String::new()),
        Err(_) => (from.to_owned(), name.to_owned()),
    }
}

/// An address without what asks for another version. Nothing else: what is taken for the same here is not told.
fn canonical(address: &Address<'_>) -> String {
    let Address { scheme, path, .. } = address;
    let field = address.field.map(|field| format!("#{field}")).unwrap_or_default();
    match *scheme {
        "vault" | "awssm" => format!("{scheme}://{path}{field}"),
        // Names in 1Password have no case.
        "op" => format!("op://{}", path.to_lowercase()),
        _ => address.uri.to_owned(),
    }
}

/// The address of a secret, if it is one of a store.
pub(super) fn address(secret: &Identity) -> Option<Address<'_>> {
    if secret.1.is_empty() { Address::parse(&secret.0).ok() } else { None }
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Where what is sealed under a digest stands does not matter: a file can be moved, or copied into another layer.
const SEALED: &str = "sealed as";

/// The same by what is sealed, for a secret in a file.
fn sealed(source: &Value) -> Option<Identity> {
    let version = source.get("version")?.as_str()?;
    // What a file seals, it seals under its name there.
    Some((SEALED.to_owned(), format!("{} {version}", text(source, "name"))))
}

fn sources(secret: &Value) -> impl Iterator<Item = &Value> {
    secret.get("sources").and_then(Value::as_array).into_iter().flatten()
}

/// The secrets in what stands under a `$secret`, each by all that it is known by.
fn identities(secret: &Value) -> impl Iterator<Item = Identity> {
    sources(secret).flat_map(|source| std::iter::once(identity(source)).chain(sealed(source)))
}

/// The secrets of a record, each by all that it is known by.
pub(super) fn secrets(record: &Record) -> BTreeSet<Identity> {
    let mut found = BTreeSet::new();
    each_secret(record, &mut |secret| found.extend(identities(secret)));
    found
}

/// The secrets of a record by where they are, with what is sealed there.
pub(super) fn places(record: &Record) -> BTreeMap<Identity, Option<Identity>> {
    let mut found = BTreeMap::new();
    each_secret(record, &mut |secret| found.extend(sources(secret).map(|source| (identity(source), sealed(source)))));
    found
}

/// The secrets anywhere in a value.
fn secrets_in(value: Option<&Value>) -> BTreeSet<Identity> {
    fn walk(value: &Value, found: &mut BTreeSet<Identity>) {
        match value {
            secret if is_secret(secret) => found.extend(identities(&secret[SECRET])),
            Value::Object(map) => map.values().for_each(|value| walk(value, found)),
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    value.into_iter().for_each(|value| walk(value, &mut found));
    found
}

/// A value in which secrets have no version.
pub(super) fn unversioned(value: &Value) -> Value {
    match value {
        Value::Object(map) if is_secret(value) => {
            let secret = &map[SECRET];
            let sources: BTreeSet<Identity> = sources(secret).map(identity).collect();
            serde_json::json!({SECRET: [sources, secret.get("template"), secret.get("delivery")]})
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), unversioned(value))).collect(),
        Value::Array(items) => items.iter().map(unversioned).collect(),
        other => other.clone(),
    }
}

/// Secrets that are in use, and in a connection now.
#[derive(Default)]
pub(super) struct Kept {
    /// By the address, or the file and name, that they are in use by.
    same: BTreeSet<Identity>,
    /// Those of stores at other addresses, which may be the same ones.
    perhaps: BTreeSet<Identity>,
}

/// What happens to the secrets at one place.
pub(super) enum Change {
    /// Nothing but a rotation, as far as anybody can tell.
    Rotated {
        /// Whether all kept ones are there.
        all: bool,
    },
    /// A kept one comes there, or into another text.
    Moved,
    /// Another secret, or none.
    Other,
}

impl Kept {
    /// What stays of the secrets that a connection had. Nobody can tell offline that one which comes in the place of another has
    /// another value, unless it `is_of_another` connection.
    pub(super) fn of(
        before: &BTreeSet<Identity>,
        after: &BTreeSet<Identity>,
        is_of_another: &dyn Fn(&Identity) -> bool,
    ) -> Self {
        let is_replaced = before.difference(after).any(|secret| secret.0 != SEALED);
        let may_be = |secret: &&Identity| match address(secret) {
            Some(_) => !before.is_empty(),
            None => is_replaced && !is_of_another(secret),
        };
        let arriving = after.difference(before).filter(may_be);
        Self { same: before.intersection(after).cloned().collect(), perhaps: arriving.cloned().collect() }
    }

    /// What a connection has of the secrets that the same one has in another environment, where others are expected.
    pub(super) fn elsewhere(before: &BTreeSet<Identity>, after: &BTreeSet<Identity>) -> Self {
        let names: BTreeSet<String> = before.iter().filter_map(address).flat_map(|address| address.names()).collect();
        let may_be = |secret: &&Identity| {
            address(secret).is_some_and(|address| address.other_names().iter().any(|name| names.contains(name)))
        };
        let arriving = after.difference(before).filter(may_be);
        Self { same: before.intersection(after).cloned().collect(), perhaps: arriving.cloned().collect() }
    }

    /// Adds one that comes from another connection.
    pub(super) fn add(&mut self, secret: Identity, is_same: bool) {
        let list = if is_same { &mut self.same } else { &mut self.perhaps };
        list.insert(secret);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.same.is_empty() && self.perhaps.is_empty()
    }

    /// What happens at one place of the record `old`, which becomes that of another.
    pub(super) fn change(&self, old: &Record, was: Option<&Value>, is: Option<&Value>) -> Change {
        let here = secrets_in(is);
        if was.map(unversioned) == is.map(unversioned) || self.is_replaced(old, was, is, &here) {
            return Change::Rotated { all: self.same.is_subset(&here) && self.perhaps.is_subset(&here) };
        }
        let moved = here.iter().any(|secret| self.same.contains(secret) || self.perhaps.contains(secret));
        if moved { Change::Moved } else { Change::Other }
    }

    /// Whether what stood at this place is at another address now, and can't be another secret of the same connection: then
    /// it is as good as rotated.
    fn is_replaced(&self, old: &Record, was: Option<&Value>, is: Option<&Value>, here: &BTreeSet<Identity>) -> bool {
        let secret = |side: Option<&Value>| side.filter(|value| is_secret(value)).map(|value| value[SECRET].clone());
        let (Some(old_secret), Some(new_secret)) = (secret(was), secret(is)) else { return false };
        let alike = ["template", "delivery"].into_iter().all(|key| old_secret.get(key) == new_secret.get(key));
        let there = secrets_in(was);
        // The same by what is sealed, and by the addresses of the rest: only the file moved.
        let lasting = |secrets: &BTreeSet<Identity>| -> BTreeSet<Identity> {
            secrets.iter().filter(|secret| secret.0 == SEALED || address(secret).is_some()).cloned().collect()
        };
        if alike && lasting(&there) == lasting(here) && here.iter().any(|secret| secret.0 == SEALED) {
            return true;
        }
        let others = secrets(old);
        let others: Vec<String> =
            others.difference(&there).filter_map(address).flat_map(|address| address.names()).collect();
        let mut spellings = here.iter().filter_map(address).flat_map(|address| address.other_names());
        alike && here.is_subset(&self.perhaps) && !spellings.any(|name| others.contains(&name))
    }
}
