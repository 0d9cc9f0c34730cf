//! What a plan changes in who and what is trusted, told apart from the rest: the trust block, and secrets that stay what
//! they are while the place that they are sent to does not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::leaves::{Leaf, diff};
use super::{Pair, Places};
use crate::bundle::Deployed;
use crate::model::record::{Desired, secrets};
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
pub(super) fn changes(pairs: &[Pair<'_>], base: &Deployed, desired: &Desired, places: Places<'_>) -> Vec<TrustChange> {
    let block = diff(&base.manifest.trust, &desired.trust, &[]).into_iter().map(TrustChange::Block);
    let deployed: Vec<&Value> = base.manifest.connections.values().map(|sealed| &sealed.record).collect();
    let destinations = pairs.iter().filter(|pair| pair.differs()).filter_map(|pair| {
        let (instance, _) = pair.new?;
        let sealed = pair.secret_paths(&base.manifest.trust, &desired.trust);
        let told = destinations(pair, &deployed, &sealed).into_iter().map(|mut leaf| {
            leaf.place = places(instance, &leaf.path);
            TrustChange::Destination { instance: instance.to_owned(), leaf }
        });
        Some(told.collect::<Vec<_>>())
    });
    block.chain(destinations.flatten()).collect()
}

/// The settings of the new side that send a deployed secret to a new place.
fn destinations(pair: &Pair<'_>, deployed: &[&Value], sealed: &[&str]) -> Vec<Leaf> {
    let Some((_, new)) = pair.new else { return Vec::new() };
    let sent = sources(new);
    // Not by version: a rotated secret of the same name is worth as much.
    let shares = |old: &&Value| !sources(old).is_disjoint(&sent);
    let kept = pair.old.map(|(_, old)| old).filter(shares);
    let others: Vec<&Value> = match kept {
        Some(_) => Vec::new(),
        None => deployed.iter().copied().filter(shares).collect(),
    };
    if kept.is_none() && others.is_empty() {
        return Vec::new();
    }
    let is_known = |leaf: &Leaf| others.iter().any(|old| old.pointer(&leaf.path) == Some(&leaf.new));
    diff(&destination(kept.unwrap_or(&Value::Null)), &destination(new), sealed)
        .into_iter()
        .filter(|leaf| leaf.secret.is_none() && decides_where(leaf) && !is_known(leaf))
        .collect()
}

/// What can decide where a secret is sent.
fn destination(record: &Value) -> Value {
    let part = |key: &str| record.get(key).cloned().unwrap_or(Value::Null);
    serde_json::json!({"connector": part("connector"), "config": part("config"), "auth": part("auth")})
}

/// Name and origin of each secret.
fn sources(record: &Value) -> BTreeSet<(String, String)> {
    let text = |source: &Value, key: &str| source[key].as_str().unwrap_or_default().to_owned();
    let all = secrets(record).into_iter().flat_map(|(_, secret)| secret["sources"].as_array().into_iter().flatten());
    all.map(|source| (text(source, "name"), text(source, "from"))).collect()
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
