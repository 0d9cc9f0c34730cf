//! Both sides of a comparison, whole: which connection a setting names on each, and where that leads.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Pair;
use super::identity::{Identity, address, secrets, unversioned};
use super::leaves::{Leaf, diff_records};
use crate::model::connection::instance_id;
use crate::model::record::{Record, covers, harmless_paths, reference_paths};
use crate::value::{push_segment, segments};

/// Both sides.
pub(super) struct Sides<'a, 'p> {
    pub(super) old_trust: &'p Value,
    pub(super) new_trust: &'p Value,
    pub(super) pairs: &'p [Pair<'a>],
    /// Whether the old side is another environment: then another secret is no rotation of the one that is there.
    pub(super) is_elsewhere: bool,
    /// Their records by id, key and reference.
    names: [OnceCell<Names<'a>>; 2],
}

type Names<'a> = BTreeMap<&'a str, Vec<(usize, &'a Record)>>;

/// One of two sides.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Old,
    New,
}

/// Whether a key of a record can decide where a secret goes.
pub(super) fn destination(key: &str) -> bool {
    matches!(key, "connector" | "config" | "auth")
}

/// `ID`, or `ID@CUSTOMER`.
pub(super) fn instance(record: &Record) -> String {
    instance_id(record.text("id"), record.customer())
}

impl<'a, 'p> Sides<'a, 'p> {
    pub(super) fn new(pairs: &'p [Pair<'a>], old_trust: &'p Value, new_trust: &'p Value, is_elsewhere: bool) -> Self {
        Self { old_trust, new_trust, pairs, is_elsewhere, names: Default::default() }
    }

    /// Whether both schemas, the deployed one and the new one, say that nothing of the kind hangs on a setting.
    pub(super) fn harmless(&self, old: &Record, new: &Record, path: &str) -> bool {
        let says = |trust: &Value, record: &Record| {
            harmless_paths(trust, record.text("connector")).any(|pattern| covers(pattern, path))
        };
        says(self.old_trust, old) && says(self.new_trust, new)
    }

    /// What of a record, and of those that it names, decides where its secrets go, as a text.
    pub(super) fn settings(&self, side: Side, record: &'a Record) -> String {
        let (mut settings, mut seen, mut open) = (Vec::new(), BTreeSet::new(), vec![record]);
        while let Some(record) = open.pop() {
            let clear = record.iter().filter(|(key, _)| destination(key)).map(|(key, value)| (key, unversioned(value)));
            for leaf in diff_records(None, Some(&Record::new(clear)), destination, &[]) {
                if !self.harmless(record, record, &leaf.path) {
                    settings.push(serde_json::json!([leaf.path, leaf.new]));
                }
            }
            settings.push(Value::Null);
            let named = self.named(side, record).into_iter().filter_map(|(_, named)| named);
            open.extend(named.filter(|named| seen.insert(named.text("reference"))));
        }
        Value::Array(settings).to_string()
    }

    /// Whether a setting names the same connection as before, by another name.
    pub(super) fn same_connection(&self, old: &Record, new: &Record, leaf: &Leaf) -> bool {
        let names = |trust: &Value, record: &Record| {
            reference_paths(trust, record.text("connector")).any(|pattern| same_place(pattern, &leaf.path))
        };
        let was = self.reference(Side::Old, old, leaf.old.as_str());
        let both = names(self.old_trust, old) && names(self.new_trust, new);
        both && was.is_some() && was == self.reference(Side::New, new, leaf.new.as_str())
    }

    /// Settings that name another connection than before by the same name.
    pub(super) fn other_connections(&self, old: &Record, new: &Record) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.each_name(Side::New, new, &mut |path, named| {
            let Some(name) = named.as_str().filter(|_| old.pointer(path) == Some(named)) else { return };
            let (was, is) = (self.reference(Side::Old, old, Some(name)), self.reference(Side::New, new, Some(name)));
            if was != is {
                let value = |side: Option<&str>| side.map_or(Value::Null, Into::into);
                leaves.push(Leaf::change(path, value(was), value(is)));
            }
        });
        leaves
    }

    /// The references of the connections that those which `start` names lead to, as far as names lead: a proxy, say, through
    /// which their secrets go.
    pub(super) fn through(&self, start: &dyn Fn(&str, &Record) -> bool) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let names = |record: &Record| reference_paths(self.new_trust, record.text("connector")).next().is_some();
        let records = self.pairs.iter().filter_map(|pair| pair.new);
        let starts = records.filter(|(instance, record)| names(record) && start(instance, record));
        let mut open: Vec<&'a Record> = starts.map(|(_, record)| record).collect();
        while let Some(record) = open.pop() {
            let named = self.named(Side::New, record).into_iter().filter_map(|(_, named)| named);
            open.extend(named.filter(|named| found.insert(named.text("reference"))));
        }
        found
    }

    /// Whether a record of the new side has a secret of the old one, or one of a store that may be one of them at another
    /// address.
    pub(super) fn is_in_use(&self) -> impl Fn(&str, &Record) -> bool {
        let deployed: BTreeSet<Identity> =
            self.pairs.iter().filter_map(|pair| pair.old).flat_map(|(_, record)| secrets(record)).collect();
        let names: BTreeSet<String> = match self.is_elsewhere {
            true => deployed.iter().filter_map(address).flat_map(|address| address.names()).collect(),
            false => BTreeSet::new(),
        };
        let is_elsewhere = self.is_elsewhere;
        move |_, record| {
            let has = secrets(record);
            let may_be = |secret: &Identity| match address(secret) {
                Some(address) if is_elsewhere => address.other_names().iter().any(|name| names.contains(name)),
                found => found.is_some(),
            };
            !deployed.is_empty() && (!has.is_disjoint(&deployed) || has.iter().any(may_be))
        }
    }

    /// What stands wherever a record may name another connection, and which one that is.
    pub(super) fn named(&self, side: Side, record: &'a Record) -> Vec<(String, Option<&'a Record>)> {
        let mut found = Vec::new();
        self.each_name(side, record, &mut |path, named| {
            found.push((path.to_owned(), named.as_str().and_then(|name| self.connection(side, record, name))));
        });
        found
    }

    fn each_name(&self, side: Side, record: &Record, each: &mut dyn FnMut(&str, &Value)) {
        let trust = match side {
            Side::Old => self.old_trust,
            Side::New => self.new_trust,
        };
        for pattern in reference_paths(trust, record.text("connector")) {
            let pattern: Vec<String> = segments(pattern).collect();
            let Some((key, rest)) = pattern.split_first() else { continue };
            let mut path = String::new();
            push_segment(&mut path, key);
            record.get(key).into_iter().for_each(|value| expand(value, rest, &mut path, each));
        }
    }

    /// The reference of the connection that a record of the old or the new side names by its id, key or reference.
    fn reference(&self, side: Side, record: &Record, name: Option<&str>) -> Option<&'a str> {
        self.connection(side, record, name?).map(|named| named.text("reference"))
    }

    fn connection(&self, side: Side, record: &Record, name: &str) -> Option<&'a Record> {
        let names = self.names[side as usize].get_or_init(|| self.names_of(side));
        let named = names.get(name)?.iter().filter(|(_, one)| {
            let own = one.customer();
            own.is_none() || own == record.customer()
        });
        named.min_by_key(|(rank, _)| rank).map(|(_, record)| *record)
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
                names.entry(record.text(key)).or_default().push((rank, record));
            }
        }
        names
    }
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
