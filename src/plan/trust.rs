//! What a plan changes in who and what is trusted, told apart from the rest: the trust block, and secrets that stay what
//! they are while the place that they are sent to does not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::leaves::{Leaf, diff};
use super::{Pair, Places};
use crate::model::record::{Desired, SECRET, each_secret, is_secret};
use crate::value::segments;

/// One such change.
#[derive(Clone, Debug, PartialEq)]
pub enum TrustChange {
    /// A leaf of the trust block differs.
    Block(Leaf),
    /// A secret that is deployed already would be sent to another host or port, or under other TLS.
    Destination {
        /// The instance that would send it.
        instance: String,
        /// The setting that decides where to. In a new connection, `old` is null.
        leaf: Leaf,
    },
}

impl TrustChange {
    /// The leaf that differs.
    pub fn leaf(&self) -> &Leaf {
        match self {
            Self::Block(leaf) | Self::Destination { leaf, .. } => leaf,
        }
    }
}

/// All of them.
pub(super) fn changes(
    pairs: &[Pair<'_>],
    old_trust: &Value,
    desired: &Desired,
    places: Places<'_>,
) -> Vec<TrustChange> {
    let block = diff(old_trust, &desired.trust, &[]).into_iter().filter(|leaf| !is_newcomer(leaf, old_trust, desired));
    let block = block.map(TrustChange::Block);
    let changed = pairs.iter().filter(|pair| pair.differs()).filter_map(|pair| pair.new);
    let wanted: BTreeSet<Source> = changed.flat_map(|(_, record)| sources(record)).collect();
    let known = Known::new(pairs.iter().filter_map(|pair| pair.old).map(|(_, record)| record), &wanted);
    let destinations = pairs.iter().filter(|pair| pair.differs()).filter_map(|pair| {
        let (instance, _) = pair.new?;
        let sealed = pair.secret_paths(old_trust, &desired.trust);
        let told = destinations(pair, &known, &sealed).into_iter().map(|mut leaf| {
            leaf.place = places(instance, &leaf.path);
            TrustChange::Destination { instance: instance.to_owned(), leaf }
        });
        Some(told.collect::<Vec<_>>())
    });
    block.chain(destinations.flatten()).collect()
}

/// Whether a leaf is about a connector that one side does not use at all: that follows from the connections, which are told.
fn is_newcomer(leaf: &Leaf, old_trust: &Value, desired: &Desired) -> bool {
    let mut path = segments(&leaf.path);
    path.next().as_deref() == Some("connectors")
        && path
            .next()
            .is_some_and(|id| [old_trust, &desired.trust].iter().any(|trust| trust["connectors"].get(&id).is_none()))
}

/// Name and origin of a secret. Not its version: a rotated one is worth as much.
type Source = (String, String);

/// Where the deployed secrets go already.
struct Known {
    sources: BTreeSet<Source>,
    /// With the JSON Pointer of a setting and its value.
    places: BTreeSet<(Source, String, String)>,
}

impl Known {
    /// Of `wanted` alone: of others nobody asks.
    fn new<'r>(records: impl Iterator<Item = &'r Value>, wanted: &BTreeSet<Source>) -> Self {
        let mut known = Self { sources: BTreeSet::new(), places: BTreeSet::new() };
        if wanted.is_empty() {
            return known;
        }
        for record in records {
            let mut sources = sources(record);
            sources.retain(|source| wanted.contains(source));
            if sources.is_empty() {
                continue;
            }
            for leaf in diff(&Value::Null, &destination(record), &[]) {
                let place = |source: &Source| (source.clone(), leaf.path.clone(), leaf.new.to_string());
                known.places.extend(sources.iter().map(place));
            }
            known.sources.extend(sources);
        }
        known
    }

    /// Whether each of these secrets goes there already.
    fn all_go(&self, sources: &BTreeSet<Source>, leaf: &Leaf) -> bool {
        let place = |source: &Source| (source.clone(), leaf.path.clone(), leaf.new.to_string());
        // Of a place that is itself secret nobody can tell.
        leaf.secret.is_none() && sources.iter().all(|source| self.places.contains(&place(source)))
    }
}

/// The settings of the new side that send a deployed secret to a new place: where it stays in its connection, those that
/// change; where it comes into one, those that it does not go to from elsewhere.
fn destinations(pair: &Pair<'_>, known: &Known, sealed: &[&str]) -> Vec<Leaf> {
    let Some((_, new)) = pair.new else { return Vec::new() };
    let old = pair.old.map_or(&Value::Null, |(_, old)| old);
    let (before, after) = (sources(old), sources(new));
    let arriving: BTreeSet<Source> = after.difference(&before).filter(|s| known.sources.contains(s)).cloned().collect();
    let mut leaves = Vec::new();
    if !before.is_disjoint(&after) {
        leaves = diff(&destination(old), &destination(new), sealed);
        leaves.retain(|leaf| !is_rotation(old, new, leaf));
    }
    if !arriving.is_empty() {
        let mut all = diff(&Value::Null, &destination(new), sealed);
        all.retain(|leaf| !known.all_go(&arriving, leaf) && !leaves.iter().any(|told| told.path == leaf.path));
        leaves.extend(all);
    }
    leaves.retain(decides_where);
    leaves
}

/// Whether a leaf is a secret (a URL with a password in it) of which nothing but the version differs.
fn is_rotation(old: &Value, new: &Value, leaf: &Leaf) -> bool {
    let unversioned = |record: &Value| {
        let mut secret = record.pointer(&leaf.path).filter(|value| is_secret(value))?[SECRET].clone();
        for source in secret.get_mut("sources").and_then(Value::as_array_mut).into_iter().flatten() {
            source.as_object_mut()?.remove("version");
        }
        Some(secret)
    };
    unversioned(old).is_some_and(|old| unversioned(new) == Some(old))
}

/// What can decide where a secret is sent.
fn destination(record: &Value) -> Value {
    let part = |key: &str| record.get(key).cloned().unwrap_or(Value::Null);
    serde_json::json!({"connector": part("connector"), "config": part("config"), "auth": part("auth")})
}

fn sources(record: &Value) -> BTreeSet<Source> {
    let text = |source: &Value, key: &str| source[key].as_str().unwrap_or_default().to_owned();
    let mut found = BTreeSet::new();
    each_secret(record, &mut |secret| {
        let sources = secret["sources"].as_array().into_iter().flatten();
        found.extend(sources.map(|source| (text(source, "name"), text(source, "from"))));
    });
    found
}

/// The names of settings that say where a system is.
const PLACES: [&str; 15] = [
    "host",
    "hosts",
    "hostname",
    "port",
    "url",
    "base_url",
    "instance_url",
    "token_url",
    "authorize_url",
    "node",
    "nodes",
    "cloud_id",
    "endpoint",
    "domain",
    "connector",
];

fn decides_where(leaf: &Leaf) -> bool {
    let path: Vec<String> = segments(&leaf.path).collect();
    if path.iter().any(|segment| segment == "tls") {
        return !is_stronger(&leaf.old, &leaf.new);
    }
    path.iter().any(|segment| PLACES.contains(&&**segment))
}

/// The modes of TLS, weakest first.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Whether a setting of TLS is certainly no weaker than before.
fn is_stronger(old: &Value, new: &Value) -> bool {
    let rank = |value: &Value| value.as_str().and_then(|mode| MODES.iter().position(|known| *known == mode));
    matches!((rank(old), rank(new)), (Some(old), Some(new)) if new > old)
}
