//! What was seen of each environment: the highest serial of each lineage, and which lineage each target held, so that an
//! older bundle, one of another history and a head that is gone are noticed.
//!
//! A valid old manifest is as whole as a new one, and so is one of another target's run; only memory tells them apart. It is
//! kept in the user's state folder (`$XDG_STATE_HOME/tieline`, else `~/.local/state/tieline`), a file per workspace and
//! environment. Machines without a memory, such as those of CI, are told by `--min-serial` and `--lineage`.
//!
//! A lineage belongs to an address: who deploys to a folder and to a bucket has two, and neither may stand in the place of
//! the other. The workspace's own target is remembered besides, so that a workspace which sends an environment somewhere
//! else does not start with a clean slate there.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::{Digest, Head, Manifest, Scope};
use crate::world::World;
use crate::world::state::StateFile;

/// Lineages and targets of one environment that are remembered; a file that names more was not written here.
const MAX_LINEAGES: usize = 1000;
/// The file may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// What is remembered of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The highest serial of each lineage.
    lineages: BTreeMap<String, u64>,
    /// The lineage that each target held, by the target's address.
    #[serde(default)]
    targets: BTreeMap<String, String>,
    /// What stood at the target that the workspace itself names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<Own>,
    /// Where that stands; `None` without a home.
    #[serde(skip)]
    file: Option<StateFile>,
}

/// What stood at the workspace's own target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The target's address.
    pub address: String,
    /// The target, as in the trust block.
    pub target: Value,
    /// The lineage.
    pub lineage: String,
    /// The digest of the manifest; an older version of this memory did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The serial.
    pub serial: u64,
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
pub struct Standing {
    /// A higher serial of its lineage, which was seen before.
    pub older_than: Option<u64>,
    /// What its lineage is.
    pub lineage: Lineage,
}

/// What the lineage of a manifest is by what was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// The one that was seen there.
    Known,
    /// Nothing was seen there before, and this lineage elsewhere. It is no secret: whoever writes a target can say it.
    Elsewhere,
    /// Nothing was seen there before.
    First,
    /// Another than the one that was seen.
    Other {
        /// The one that was seen.
        seen: String,
        /// Where; `None` where an older version of this memory did not say.
        address: Option<String>,
    },
}

impl Seen {
    /// Reads the memory of an environment. What can't be read counts as none.
    pub fn read(world: &dyn World, scope: &Scope) -> Self {
        let below = Path::new("serials").join(&scope.workspace).join(format!("{}.json", scope.name()));
        let Some(file) = StateFile::at(world, &below) else { return Self::default() };
        let seen = file.read(MAX_BYTES).and_then(|text| serde_json::from_str::<Self>(&text).ok());
        let sound = |seen: &Self| seen.lineages.len().max(seen.targets.len()) <= MAX_LINEAGES;
        Self { file: Some(file), ..seen.filter(sound).unwrap_or_default() }
    }

    /// How a manifest that was found at a target stands to what was seen.
    pub fn standing(&self, spot: Spot<'_>, manifest: &Manifest) -> Standing {
        let lineage = &manifest.lineage;
        let known = self.lineages.get(lineage).copied();
        let other = |seen: &str, address: Option<&str>| Lineage::Other {
            seen: seen.to_owned(),
            address: address.map(str::to_owned),
        };
        let lineage = match (self.targets.get(spot.address), &self.own) {
            (Some(here), _) if here == lineage => Lineage::Known,
            (Some(here), _) => other(here, Some(spot.address)),
            // The workspace's own target moved: its history may have been moved along.
            (None, Some(own)) if spot.own.is_some() && own.lineage == *lineage => Lineage::Elsewhere,
            (None, Some(own)) if spot.own.is_some() => other(&own.lineage, Some(&own.address)),
            // A memory from before targets were remembered.
            (None, _) if self.targets.is_empty() && known.is_some() => Lineage::Elsewhere,
            (None, _) if self.targets.is_empty() => match self.lineages.keys().next() {
                Some(seen) => other(seen, None),
                None => Lineage::First,
            },
            _ => Lineage::First,
        };
        Standing { older_than: known.filter(|seen| *seen > manifest.serial), lineage }
    }

    /// The lineage that a target held when it was last looked at, and the highest serial of it.
    pub fn at(&self, address: &str) -> Option<(&str, u64)> {
        let lineage = self.targets.get(address)?;
        Some((lineage, self.lineages.get(lineage).copied().unwrap_or_default()))
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

    /// Remembers what stands at a target, even if its serial is a lower one. That it can't be written is no error: a
    /// read-only home has no memory.
    pub fn remember(&mut self, spot: Spot<'_>, lineage: &str, head: &Head, connections: usize, trust: &Value) {
        let before = self.clone();
        self.lineages.insert(lineage.to_owned(), head.serial);
        self.targets.insert(spot.address.to_owned(), lineage.to_owned());
        if let Some(target) = spot.own {
            let part = |name: &str| trust.get(name).cloned().unwrap_or_default();
            self.own = Some(Own {
                address: spot.address.to_owned(),
                target: target.clone(),
                lineage: lineage.to_owned(),
                digest: Some(head.manifest.clone()),
                serial: head.serial,
                connections,
                protected: part("protected"),
                guards: part("guards"),
            });
        }
        if *self == before || self.lineages.len().max(self.targets.len()) > MAX_LINEAGES {
            return;
        }
        let Some(file) = &self.file else { return };
        let Ok(mut bytes) = serde_json::to_vec_pretty(self) else { return };
        bytes.push(b'\n');
        let _ = file.write(&bytes);
    }
}
