//! What a plan changes in who and what is trusted, apart from the rest: the trust block, and secrets that stay what they
//! are while what is set beside them does not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::guards;
use super::leaves::{Leaf, diff};
use super::retarget::{self, Retarget};
use super::sides::Sides;
use super::{Pair, Places};
use crate::model::record::{Desired, Record};
use crate::value::segments;

/// One such change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TrustChange {
    /// A leaf of the trust block differs.
    Block(Leaf),
    /// A secret that is deployed already could be sent elsewhere, with less protection, or by another login.
    Destination {
        /// The instance that would send it.
        instance: String,
        /// The deployed instance whose secret comes into this one, and whose settings the old values are; `None` where the
        /// secret was in this one before.
        of: Option<String>,
        /// The environment that has the secret deployed; `None` where it is this one.
        environment: Option<String>,
        /// The setting that changes.
        leaf: Leaf,
    },
    /// A connection whose `protect` is lifted: the next change may delete it.
    Unprotected {
        /// The instance.
        instance: String,
        /// Its `protect`.
        leaf: Leaf,
    },
    /// Fields of a connection that are no longer sealed: what stands there is shown from now on.
    Unsealed {
        /// The instance.
        instance: String,
        /// Its `sealed`.
        leaf: Leaf,
    },
    /// Secrets that another environment has too are guarded less here: somebody can open them who can't there, or this one is
    /// not protected.
    Apart {
        /// The environment that has them deployed.
        environment: String,
        /// The setting, as it is there and here.
        leaf: Leaf,
    },
    /// It is not known where another environment sends secrets that are new here.
    Unknown {
        /// The environment; `None` where not even that is known.
        environment: Option<String>,
        /// Why not.
        why: String,
    },
}

impl TrustChange {
    /// The leaf that differs, where one is known.
    pub fn leaf(&self) -> Option<&Leaf> {
        match self {
            Self::Block(leaf)
            | Self::Destination { leaf, .. }
            | Self::Unprotected { leaf, .. }
            | Self::Unsealed { leaf, .. }
            | Self::Apart { leaf, .. } => Some(leaf),
            Self::Unknown { .. } => None,
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
    let sides = Sides::new(pairs, old_trust, &desired.trust, false);
    let retargeted = retarget::retargeted(&sides, places).into_iter();
    let retargeted = retargeted.map(|Retarget { instance, of, leaf }| {
        let environment = None;
        TrustChange::Destination { instance, of, environment, leaf }
    });
    let lifted = guards::unprotected(pairs).map(|instance| {
        let path = "/protect".to_owned();
        let leaf = Leaf { place: places(instance, &path), ..Leaf::change(&path, true.into(), false.into()) };
        TrustChange::Unprotected { instance: instance.to_owned(), leaf }
    });
    block.chain(lifted).chain(unsealed(pairs, places)).chain(retargeted).collect()
}

/// The connections of which a field is no longer sealed.
fn unsealed<'p>(pairs: &'p [Pair<'_>], places: Places<'p>) -> impl Iterator<Item = TrustChange> + 'p {
    let fields = |record: &Record| record.get("sealed").and_then(Value::as_array).cloned().unwrap_or_default();
    pairs.iter().filter(|pair| pair.differs()).filter_map(move |pair| {
        let ((_, old), (instance, new)) = (pair.old?, pair.new?);
        let (was, is) = (fields(old), fields(new));
        if was.iter().all(|field| is.contains(field)) {
            return None;
        }
        let path = "/sealed".to_owned();
        let leaf = Leaf { place: places(instance, &path), ..Leaf::change(&path, was.into(), is.into()) };
        Some(TrustChange::Unsealed { instance: instance.to_owned(), leaf })
    })
}

/// Connections beside whose secrets the same settings change in the same way.
pub struct Retargeted<'a> {
    /// The instances, in the order of the plan.
    pub instances: Vec<&'a str>,
    /// The deployed instance whose secret comes into them; `None` where it was there before.
    pub of: Option<&'a str>,
    /// The environment that has the secret deployed; `None` where it is this one.
    pub environment: Option<&'a str>,
    /// The settings. One that comes from several lines has none.
    pub leaves: Vec<Leaf>,
}

/// Whose secret it is: instance and environment, where they are others.
type From<'a> = (Option<&'a str>, Option<&'a str>);

/// The re-targeted secrets of a plan, what is the same in several connections once.
pub fn retargeted(changes: &[TrustChange]) -> Vec<Retargeted<'_>> {
    let mut order = Vec::new();
    let mut same: BTreeMap<String, (Vec<&str>, From<'_>, Leaf)> = BTreeMap::new();
    for change in changes {
        let TrustChange::Destination { instance, of, environment, leaf } = change else { continue };
        let note = leaf.told();
        let key =
            serde_json::json!([leaf.path, leaf.action.word(), leaf.old, leaf.new, note, of, environment]).to_string();
        let (instances, _, first) = same.entry(key.clone()).or_insert_with(|| {
            order.push(key);
            (Vec::new(), (of.as_deref(), environment.as_deref()), leaf.clone())
        });
        instances.push(instance);
        if first.place != leaf.place {
            first.place = None;
        }
    }
    let mut groups: Vec<Retargeted<'_>> = Vec::new();
    let mut at: BTreeMap<(Vec<&str>, From<'_>), usize> = BTreeMap::new();
    for (instances, from, leaf) in order.iter().filter_map(|key| same.remove(key)) {
        let group = *at.entry((instances.clone(), from)).or_insert_with(|| {
            let (of, environment) = from;
            groups.push(Retargeted { instances, of, environment, leaves: Vec::new() });
            groups.len() - 1
        });
        groups[group].leaves.push(leaf);
    }
    groups
}

/// Whether a leaf is about a connector that one side does not use at all: that follows from the connections, which are told.
fn is_newcomer(leaf: &Leaf, old_trust: &Value, desired: &Desired) -> bool {
    let mut path = segments(&leaf.path);
    path.next().as_deref() == Some("connectors")
        && path
            .next()
            .is_some_and(|id| [old_trust, &desired.trust].iter().any(|trust| trust["connectors"].get(&id).is_none()))
}
