//! Desired records and the deployed manifest -> what an apply would do, and what that touches.
//!
//! Needs no key and opens nothing. Every value in a [`Plan`] may be shown: secrets were redacted on the way in. A
//! connection is followed by its stable key, so that a new id is a move.

pub mod access;
mod changes;
pub mod elsewhere;
pub mod guards;
mod identity;
pub mod leaves;
pub mod moves;
pub mod reencrypted;
pub mod relocation;
mod retarget;
pub mod saved;
mod sides;
pub mod trust;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::bundle::{Deployed, Digest, Scope, object};
use crate::model::record::{Desired, Record, secret_paths, texts};
use crate::source::Line;
use access::Access;
pub use changes::{Action, Change};
use changes::{change, shared};
use guards::Refusal;
use moves::Suggestion;
use reencrypted::Reencrypted;
use relocation::Relocation;
use trust::TrustChange;

/// Says for an instance and a JSON Pointer in its record which file and line the value comes from.
pub type Places<'a> = &'a dyn Fn(&str, &str) -> Option<Line>;

/// What an apply would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is about.
    pub scope: Scope,
    /// What it starts from; `None` where there is nothing.
    pub base: Option<Base>,
    /// The desired digest.
    pub desired: Digest,
    /// Every connection that differs, by id.
    pub changes: Vec<Change>,
    /// Secrets files under a new data key.
    pub reencrypted: Vec<Reencrypted>,
    /// The connections that nothing happens to.
    pub unchanged: usize,
    /// Instances whose external secrets have no version: resolved and sealed anew at every apply.
    pub volatile: Vec<String>,
    /// The consumers that use a connection which changes.
    pub consumers: BTreeSet<String>,
    /// The customers that have one.
    pub customers: BTreeSet<String>,
    /// Who can newly decrypt what, and who no longer can.
    pub access: Vec<Access>,
    /// What changes in who and what is trusted.
    pub trust: Vec<TrustChange>,
    /// What goes and comes and was probably moved.
    pub moves: Vec<Suggestion>,
    /// What a guard forbids; such a plan can't be applied.
    pub refused: Vec<Refusal>,
    /// Where the environment was deployed, if the workspace sends it to another target now.
    pub moved: Vec<Relocation>,
}

/// What a plan starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// What is deployed.
    Deployed {
        /// The manifest's lineage.
        lineage: String,
        /// Its serial.
        serial: u64,
        /// Its digest.
        digest: Digest,
        /// The desired digest of what was applied.
        desired: Digest,
    },
    /// What a Git revision compiles to.
    Revision {
        /// As it was typed.
        name: String,
        /// The commit.
        commit: String,
        /// Its desired digest.
        desired: Digest,
    },
}

impl Base {
    /// The desired digest of the side that a plan starts from.
    pub fn desired(&self) -> &Digest {
        let (Self::Deployed { desired, .. } | Self::Revision { desired, .. }) = self;
        desired
    }
}

/// The side that a plan starts from, whole.
#[derive(Clone, Copy)]
pub enum Before<'a> {
    /// There is nothing.
    Nothing,
    /// What is deployed.
    Deployed(&'a Deployed),
    /// What a Git revision compiles to.
    Revision {
        /// As it was typed.
        name: &'a str,
        /// The commit.
        commit: &'a str,
        /// What it compiles to; `None` where it has no such environment.
        desired: Option<&'a Desired>,
        /// Says where a value of that side comes from.
        places: Places<'a>,
    },
}

impl<'a> From<Option<&'a Deployed>> for Before<'a> {
    fn from(deployed: Option<&'a Deployed>) -> Self {
        deployed.map_or(Self::Nothing, Self::Deployed)
    }
}

impl<'a> Before<'a> {
    fn records(&self) -> BTreeMap<&'a str, &'a Record> {
        match self {
            Self::Deployed(deployed) => {
                deployed.manifest.connections.iter().map(|(id, sealed)| (&**id, &sealed.record)).collect()
            }
            Self::Revision { desired: Some(desired), .. } => {
                desired.records.iter().map(|(id, record)| (&**id, record)).collect()
            }
            Self::Nothing | Self::Revision { .. } => BTreeMap::new(),
        }
    }

    fn trust(&self) -> &'a Value {
        match self {
            Self::Deployed(deployed) => &deployed.manifest.trust,
            Self::Revision { desired: Some(desired), .. } => &desired.trust,
            Self::Nothing | Self::Revision { .. } => &Value::Null,
        }
    }

    fn base(&self) -> Option<Base> {
        match self {
            Self::Deployed(Deployed { digest, manifest }) => Some(Base::Deployed {
                lineage: manifest.lineage.clone(),
                serial: manifest.serial,
                digest: digest.clone(),
                desired: manifest.desired.clone(),
            }),
            Self::Revision { name, commit, desired: Some(desired), .. } => Some(Base::Revision {
                name: (*name).to_owned(),
                commit: (*commit).to_owned(),
                desired: desired.digest(),
            }),
            Self::Nothing | Self::Revision { .. } => None,
        }
    }

    fn places(&self) -> Option<Places<'a>> {
        match self {
            Self::Revision { places, .. } => Some(*places),
            _ => None,
        }
    }
}

/// A connection on both sides, or on one.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) old: Option<(&'a str, &'a Record)>,
    pub(crate) new: Option<(&'a str, &'a Record)>,
    /// Whether the sides differ: looked at once, for records are large.
    differs: bool,
}

impl Plan {
    /// Compares. `places` knows the lines of `desired`.
    pub fn new<'a>(desired: &Desired, before: impl Into<Before<'a>>, places: Places<'_>) -> Self {
        let before: Before<'_> = before.into();
        let pairs = pairs(desired, &before);
        let (base, old_trust) = (before.base(), before.trust());
        let old_places = before.places();
        let changes = pairs.iter().filter_map(|pair| change(pair, old_trust, &desired.trust, places, old_places));
        let changes = shared(changes);
        let touched = || pairs.iter().filter(|pair| pair.differs()).flat_map(Pair::records);
        let mut refused = guards::refused(desired, &pairs);
        refused.extend(guards::lifted_and_deleted(&pairs, old_trust, &desired.trust));
        refused.extend(guards::too_many(&pairs, old_trust, &desired.trust));
        Self {
            scope: Scope::of(desired),
            desired: desired.digest(),
            reencrypted: reencrypted::files(&pairs),
            unchanged: pairs.iter().filter(|pair| !pair.differs()).count(),
            volatile: volatile(desired),
            consumers: touched().flat_map(|record| texts(record, "consumers")).map(str::to_owned).collect(),
            customers: touched().filter_map(|record| record.customer().map(str::to_owned)).collect(),
            access: access::changes(&pairs, old_trust, &desired.trust),
            trust: match base {
                Some(_) => trust::changes(&pairs, old_trust, desired, places),
                None => Vec::new(),
            },
            moves: moves::suggestions(&pairs, places),
            refused,
            moved: Vec::new(),
            changes,
            base,
        }
    }

    /// What differs from one environment to another; `places` knows the lines of the second.
    pub fn between(from: &Desired, to: &Desired, places: Places<'_>) -> Vec<Change> {
        let pairs = pairs_of(to, from.records.iter().map(|(id, record)| (&**id, record)).collect());
        shared(pairs.iter().filter_map(|pair| change(pair, &from.trust, &to.trust, places, None)))
    }

    /// Whether an apply would change nothing.
    pub fn is_empty(&self) -> bool {
        match &self.base {
            // What a store holds by then is looked at when it is applied.
            Some(Base::Deployed { desired, .. }) => {
                // A manifest that says one digest and holds other records is not believed.
                let same = *desired == self.desired && self.changes.is_empty() && self.trust.is_empty();
                same && self.volatile.is_empty() && self.moved.is_empty()
            }
            Some(Base::Revision { desired, .. }) => *desired == self.desired,
            None => false,
        }
    }

    /// How many connections have this action.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

fn volatile(desired: &Desired) -> Vec<String> {
    let records = desired.records.iter().filter(|(_, record)| object::is_volatile(record));
    records.map(|(id, _)| id.clone()).collect()
}

impl<'a> Pair<'a> {
    fn of(old: Option<(&'a str, &'a Record)>, new: Option<(&'a str, &'a Record)>) -> Self {
        Self { old, new, differs: old != new }
    }

    fn differs(&self) -> bool {
        self.differs
    }

    /// The secret paths of its schemas: those of both sides, as both trust blocks know them.
    fn secret_paths(&self, old_trust: &'a Value, new_trust: &'a Value) -> Vec<&'a str> {
        let connectors = self.records().map(|record| record.text("connector"));
        connectors.flat_map(|id| secret_paths(old_trust, id).chain(secret_paths(new_trust, id))).collect()
    }

    fn records(&self) -> impl Iterator<Item = &'a Record> + use<'a> {
        [self.old, self.new].into_iter().flatten().map(|(_, record)| record)
    }
}

/// The stable key of an instance.
fn identity(record: &Record) -> Option<(&str, Option<&str>)> {
    Some((record.get("key")?.as_str()?, record.customer()))
}

/// Every connection of both sides once, by id: matched by key, what is left by id. A key is unique on its side.
fn pairs<'a>(desired: &'a Desired, before: &Before<'a>) -> Vec<Pair<'a>> {
    pairs_of(desired, before.records())
}

fn pairs_of<'a>(desired: &'a Desired, mut old: BTreeMap<&'a str, &'a Record>) -> Vec<Pair<'a>> {
    let by_key: BTreeMap<_, &str> = old.iter().filter_map(|(id, record)| Some((identity(record)?, *id))).collect();
    let mut pairs = Vec::new();
    let mut left = Vec::new();
    for (id, record) in &desired.records {
        let found = identity(record).and_then(|key| by_key.get(&key)).and_then(|id| old.remove_entry(id));
        match found {
            Some(found) => pairs.push(Pair::of(Some(found), Some((id, record)))),
            None => left.push((&**id, record)),
        }
    }
    for (id, record) in left {
        pairs.push(Pair::of(old.remove_entry(id), Some((id, record))));
    }
    pairs.extend(old.into_iter().map(|entry| Pair::of(Some(entry), None)));
    pairs.sort_by_key(|pair| pair.new.or(pair.old).map(|(id, _)| id));
    pairs
}
