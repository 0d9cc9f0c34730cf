//! What was seen of each environment: which manifest each target held last, so that an older bundle, one of another history,
//! one that was put in its place and a head that is gone are noticed.
//!
//! A valid old manifest is as whole as a new one, and so is one that whoever writes the target made up; only memory tells
//! them apart. It is kept in the user's state folder (`$XDG_STATE_HOME/tieline`, else `~/.local/state/tieline`), a file per
//! workspace and environment. Machines without a memory, such as those of CI, are told by `--min-serial` and `--lineage`.
//!
//! What was seen belongs to an address: who deploys to a folder and to a bucket has two histories, neither may stand in the
//! place of the other, and a look at a branch that names a third says nothing of them. The workspace's own target is
//! remembered besides, so that a workspace which sends an environment somewhere else does not start with a clean slate there.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::{Deployed, Digest, Scope};
use crate::plan::guards::GUARDS;
use crate::world::World;
use crate::world::state::StateFile;

/// Targets of one environment that are remembered; a file that names more was not written here.
const MAX_TARGETS: usize = 1000;
/// The file may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// What is remembered of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What each target held, by the target's address.
    #[serde(default)]
    targets: BTreeMap<String, Glimpse>,
    /// What stood at the target that the workspace itself names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<Own>,
    /// Where that stands; `None` without a home.
    #[serde(skip)]
    file: Option<StateFile>,
}

/// What a target held when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glimpse {
    /// The lineage.
    pub lineage: String,
    /// The serial.
    pub serial: u64,
    /// The manifest.
    pub manifest: Digest,
    /// The time that the manifest says.
    pub time: String,
    /// Whether it was applied here.
    #[serde(default)]
    pub vouched: bool,
}

/// What stood at the workspace's own target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The target's address.
    pub address: String,
    /// The target, as in the trust block.
    pub target: Value,
    /// What it held.
    pub seen: Glimpse,
    /// The number of connections.
    pub connections: usize,
    /// Whether it was protected, as in the trust block.
    pub protected: Value,
    /// Its guards, as in the trust block.
    pub guards: Value,
}

/// Where a manifest was found.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The target's address: the path of a folder, or a URL.
    pub address: &'a str,
    /// The target as in the trust block, if it is the workspace's own; `None` for one that the operator named.
    pub own: Option<&'a Value>,
}

/// What a manifest is by what was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The one that was seen last, there or elsewhere: then the target was copied.
    Known,
    /// Of the lineage that was seen there, with a higher serial. It has to follow what was seen.
    Newer(Glimpse),
    /// Of the lineage that was seen there, with a lower serial.
    Older(Glimpse),
    /// Of the lineage and the serial that were seen there, and another.
    Replaced,
    /// Nothing was seen there before, and its lineage at the target that the workspace named before. A lineage is no
    /// secret: whoever writes a target can say it.
    Moved,
    /// Nothing was seen there before.
    First,
    /// Another lineage than the one that was seen.
    Other {
        /// The one that was seen.
        seen: String,
        /// Where.
        address: String,
    },
}

/// What a target holds now.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    /// Which manifest.
    pub glimpse: Glimpse,
    /// The number of connections.
    pub connections: usize,
    /// The trust block.
    pub trust: &'a Value,
}

impl<'a> Held<'a> {
    /// What is deployed.
    pub fn of(deployed: &'a Deployed) -> Self {
        let Deployed { digest, manifest } = deployed;
        let (lineage, time) = (manifest.lineage.clone(), manifest.time.clone());
        Self {
            glimpse: Glimpse { lineage, serial: manifest.serial, manifest: digest.clone(), time, vouched: false },
            connections: manifest.connections.len(),
            trust: &manifest.trust,
        }
    }
}

/// What a trust block says of guards, without what else somebody may have written there: the memory has a bound.
fn known_guards(block: &Value) -> Value {
    let Some(block) = block.as_object() else { return Value::Null };
    let known = |(name, value): &(&String, &Value)| GUARDS.contains(&name.as_str()) && value.is_number();
    block.iter().filter(known).map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Seen {
    /// Reads the memory of an environment. What can't be read counts as none.
    pub fn read(world: &dyn World, scope: &Scope) -> Self {
        let below = Path::new("serials").join(&scope.workspace).join(format!("{}.json", scope.name()));
        StateFile::at(world, &below).map_or_else(Self::default, Self::of)
    }

    /// The scopes of a workspace of which something is remembered, by name.
    pub fn scopes(world: &dyn World, workspace: &str) -> Vec<String> {
        let Some(folder) = StateFile::at(world, &Path::new("serials").join(workspace).join("*")) else {
            return Vec::new();
        };
        let names = folder.beside().into_iter();
        names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
    }

    fn of(file: StateFile) -> Self {
        let seen = file.read(MAX_BYTES).and_then(|text| serde_json::from_str::<Self>(&text).ok());
        let seen = seen.filter(|seen| seen.targets.len() <= MAX_TARGETS).unwrap_or_default();
        Self { file: Some(file), ..seen }
    }

    /// How what was found at a target stands to what was seen.
    pub fn standing(&self, spot: Spot<'_>, now: &Glimpse) -> Standing {
        let other =
            |seen: &Glimpse, address: &str| Standing::Other { seen: seen.lineage.clone(), address: address.to_owned() };
        if let Some(seen) = self.targets.get(spot.address) {
            return match now.serial.cmp(&seen.serial) {
                _ if seen.lineage != now.lineage => other(seen, spot.address),
                Ordering::Less => Standing::Older(seen.clone()),
                Ordering::Greater => Standing::Newer(seen.clone()),
                Ordering::Equal if seen.manifest == now.manifest => Standing::Known,
                Ordering::Equal => Standing::Replaced,
            };
        }
        // The same words in another clone mean another folder, and no move.
        match self.own.as_ref().filter(|own| spot.own.is_some_and(|target| *target != own.target)) {
            Some(own) if own.seen.lineage == now.lineage => Standing::Moved,
            Some(own) => other(&own.seen, &own.address),
            None if self.targets.values().any(|seen| seen.manifest == now.manifest) => Standing::Known,
            None => Standing::First,
        }
    }

    /// What a target held when it was last looked at.
    pub fn at(&self, address: &str) -> Option<&Glimpse> {
        self.targets.get(address)
    }

    /// What stood last at the workspace's own target.
    pub fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// Whether this is what the workspace's own target was when it was last looked at, or no target of the workspace's own.
    pub fn is_settled(&self, spot: Spot<'_>) -> bool {
        let Some(target) = spot.own else { return true };
        self.own.as_ref().is_some_and(|own| own.target == *target && own.address == spot.address)
    }

    /// Remembers what is deployed at a target. Where a higher serial of the same lineage was seen there, that stays, as
    /// another command may have seen it meanwhile; unless the operator said that this one is `meant`. That nothing can be
    /// written is no error: a read-only home has no memory.
    pub fn remember(&mut self, spot: Spot<'_>, held: &Held<'_>, meant: bool) {
        let Some(file) = self.file.clone() else { return };
        if !self.note(spot, held, meant) {
            return;
        }
        // What others remembered since this was read is kept: one at a time.
        let _ = file.change(|| {
            let mut now = Self::of(file.clone());
            let changed = now.note(spot, held, meant);
            *self = now;
            let mut bytes = serde_json::to_vec_pretty(&*self).ok().filter(|_| changed)?;
            bytes.push(b'\n');
            // What is too large is not read again: then the old stays.
            (bytes.len() <= MAX_BYTES).then_some(bytes)
        });
    }

    /// Makes room: what was made longest ago goes, but for the workspace's own.
    fn forget_one(&mut self) {
        let own = self.own.as_ref().map(|own| own.address.as_str());
        let others = self.targets.iter().filter(|(address, _)| Some(address.as_str()) != own);
        let oldest = others.min_by(|a, b| a.1.time.cmp(&b.1.time)).map(|(address, _)| address.clone());
        oldest.map(|address| self.targets.remove(&address));
    }

    /// Whether that is new.
    fn note(&mut self, spot: Spot<'_>, held: &Held<'_>, meant: bool) -> bool {
        let (now, before) = (held.glimpse.clone(), self.clone());
        let newer = |seen: &&Glimpse| seen.lineage == now.lineage && seen.serial > now.serial;
        if self.targets.get(spot.address).filter(newer).is_some() && !meant {
            return false;
        }
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(spot.address) {
            self.forget_one();
        }
        let is_same = |seen: &&Glimpse| seen.manifest == now.manifest;
        let vouched = now.vouched || self.targets.get(spot.address).filter(is_same).is_some_and(|seen| seen.vouched);
        let now = Glimpse { vouched, ..now };
        self.targets.insert(spot.address.to_owned(), now.clone());
        if let Some(target) = spot.own {
            let part = |name: &str| held.trust.get(name).cloned().unwrap_or_default();
            self.own = Some(Own {
                address: spot.address.to_owned(),
                target: target.clone(),
                seen: now,
                connections: held.connections,
                protected: part("protected").as_bool().into(),
                guards: known_guards(&part("guards")),
            });
        }
        *self != before
    }
}
