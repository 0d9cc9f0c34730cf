//! The highest serial that was seen of each environment, so that an older bundle is noticed.
//!
//! A valid old manifest is as whole as a new one; only memory tells them apart. It is kept in the user's state folder
//! (`$XDG_STATE_HOME/tieline`, else `~/.local/state/tieline`), a file per workspace and environment: the highest serial of
//! each lineage. Machines without a memory, such as those of CI, are told by `--min-serial`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bundle::{Manifest, Scope};
use crate::world::World;
use crate::world::state::StateFile;

/// Lineages of one environment that are remembered; a file that names more was not written here.
const MAX_LINEAGES: usize = 1000;
/// The file may have this many bytes.
const MAX_BYTES: usize = 256 << 10;

/// What is remembered of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The highest serial of each lineage.
    lineages: BTreeMap<String, u64>,
    /// Where that stands; `None` without a home.
    #[serde(skip)]
    file: Option<StateFile>,
}

/// What a manifest is by what was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As new as any that was seen, or newer.
    Current,
    /// Of another lineage than those that were seen.
    OtherLineage,
    /// Older: this serial was seen before.
    Older(u64),
}

impl Seen {
    /// Reads the memory of an environment. What can't be read counts as none.
    pub fn read(world: &dyn World, scope: &Scope) -> Self {
        let below = Path::new("serials").join(&scope.workspace).join(format!("{}.json", scope.name()));
        let Some(file) = StateFile::at(world, &below) else { return Self::default() };
        let seen = file.read(MAX_BYTES).and_then(|text| serde_json::from_str::<Self>(&text).ok());
        Self { file: Some(file), ..seen.filter(|seen| seen.lineages.len() <= MAX_LINEAGES).unwrap_or_default() }
    }

    /// How a manifest stands to what was seen.
    pub fn standing(&self, manifest: &Manifest) -> Standing {
        match self.lineages.get(&manifest.lineage) {
            Some(seen) if *seen > manifest.serial => Standing::Older(*seen),
            Some(_) => Standing::Current,
            None if self.lineages.is_empty() => Standing::Current,
            None => Standing::OtherLineage,
        }
    }

    /// Remembers a lineage and its serial, even if it is a lower one. That it can't be written is no error: a read-only
    /// home has no memory.
    pub fn remember(&mut self, lineage: &str, serial: u64) {
        if self.lineages.get(lineage) == Some(&serial) || self.lineages.len() >= MAX_LINEAGES {
            return;
        }
        self.lineages.insert(lineage.to_owned(), serial);
        let Some(file) = &self.file else { return };
        let Ok(mut bytes) = serde_json::to_vec_pretty(self) else { return };
        bytes.push(b'\n');
        let _ = file.write(&bytes);
    }
}
