//! The data keys that this operator made or accepted, told by the master keys that hold them.
//!
//! A sops file keeps its data key from one change to the next. Whoever made it may know it: a stranger who sealed the file to
//! herself and took her entry out of the block afterwards could put it back, and open what we write later. So the master keys
//! of a file (its `age` entries, and whatever else holds the data key) are remembered where we wrote or accepted them, as
//! digests, in the user's state folder. A file is written under its data key only while it has exactly those that were
//! remembered last: an older version of ours counts no more, for who was removed since may know its key.
//!
//! The memory is kept by place: a layer of a workspace, wherever it is cloned to, or the path of a file outside of
//! workspaces.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::scope;
use crate::digest::Digest;
use crate::sops::{Encrypted, Metadata};
use crate::world::World;
use crate::world::state::StateFile;

/// The file of one place may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// Where a file belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// To a layer of a workspace.
    Layer {
        /// The workspace's id.
        workspace: Uuid,
        /// The layer's folder.
        layer: String,
    },
    /// To no workspace: the absolute path.
    Path(PathBuf),
}

/// How the data key of a file stands to what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// We made or accepted it.
    Accepted,
    /// We made it, and somebody who knows it has lost access since.
    Retired,
    /// Somebody else made it, or it is not the last that we accepted.
    Foreign,
}

/// What is remembered of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    location: Location,
    file: Option<StateFile>,
    known: Option<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// For people.
    place: String,
    /// The master keys.
    entries: BTreeSet<Digest>,
    /// Whom they belong to, as far as they are age recipients.
    #[serde(default)]
    recipients: BTreeSet<String>,
    /// [`Standing::Retired`].
    #[serde(default)]
    retired: bool,
    /// The master keys of what it was merged to, which counts as well: the merge may be aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merged: Option<BTreeSet<Digest>>,
}

impl Accepted {
    /// Reads the memory of a place. What can't be read counts as none.
    pub fn read(world: &dyn World, location: Location) -> Self {
        let file = StateFile::at(world, &location.below());
        let text = file.as_ref().and_then(|file| file.read(MAX_BYTES));
        let known = text.and_then(|text| serde_json::from_str(&text).ok());
        Self { location, file, known }
    }

    /// Whether anything was ever remembered of the workspace, or of files outside of workspaces.
    pub fn has_memory(&self) -> bool {
        self.file.as_ref().is_some_and(StateFile::has_folder)
    }

    /// How a file's data key stands to what is remembered.
    pub fn standing(&self, file: &Encrypted<'_>) -> Standing {
        let entries = entries(file.metadata());
        match &self.known {
            Some(known) if known.merged.as_ref() == Some(&entries) => Standing::Accepted,
            Some(known) if known.entries != entries => Standing::Foreign,
            Some(known) if known.retired => Standing::Retired,
            Some(_) => Standing::Accepted,
            None => Standing::Foreign,
        }
    }

    /// The recipients of the file that was written or accepted last; none where nothing is remembered.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.known.iter().flat_map(|known| &known.recipients).map(String::as_str)
    }

    /// Remembers the data key of a file as the one to write under; `retired`: as one that somebody knows who has lost access.
    ///
    /// # Errors
    /// The text is not a sops file, there is no home, or the operating system's.
    pub fn remember(&mut self, file: &Encrypted<'_>, retired: bool) -> io::Result<()> {
        self.keep(Known {
            place: self.location.to_string(),
            entries: entries(file.metadata()),
            recipients: recipients(file),
            retired,
            merged: None,
        })
    }

    /// Remembers what a merge made of our side of a file, and that side as it was remembered before: an aborted merge leaves
    /// it. Not where the merge has removed somebody, who may know the data key of our side.
    ///
    /// # Errors
    /// As [`Accepted::remember`].
    pub fn remember_merged(&mut self, ours: &Encrypted<'_>, merged: &Encrypted<'_>) -> io::Result<()> {
        let standing = self.standing(ours);
        if standing == Standing::Foreign || !recipients(ours).is_subset(&recipients(merged)) {
            return self.remember(merged, false);
        }
        self.keep(Known {
            place: self.location.to_string(),
            entries: entries(ours.metadata()),
            recipients: recipients(ours),
            retired: standing == Standing::Retired,
            merged: Some(entries(merged.metadata())),
        })
    }

    fn keep(&mut self, known: Known) -> io::Result<()> {
        if self.known.as_ref() == Some(&known) {
            return Ok(());
        }
        let state = self.file.as_ref().ok_or_else(|| io::Error::other("there is no home folder"))?;
        let mut bytes = serde_json::to_vec_pretty(&known).map_err(io::Error::other)?;
        bytes.push(b'\n');
        state.write(&bytes)?;
        self.known = Some(known);
        Ok(())
    }
}

fn recipients(file: &Encrypted<'_>) -> BTreeSet<String> {
    file.metadata().recipients.iter().map(|entry| entry.recipient.trim().to_owned()).collect()
}

/// Whether two files have the same master keys, byte for byte.
pub fn same_entries(one: &Encrypted<'_>, other: &Encrypted<'_>) -> bool {
    entries(one.metadata()) == entries(other.metadata())
}

/// The digests of a file's master keys.
fn entries(metadata: &Metadata) -> BTreeSet<Digest> {
    metadata.entries.iter().map(|entry| Digest::of(entry.as_bytes())).collect()
}

impl Location {
    /// Where its memory lies in our state folder. The digest keeps a path from leading elsewhere.
    fn below(&self) -> PathBuf {
        let folder = match self {
            Self::Layer { workspace, .. } => workspace.to_string(),
            Self::Path(_) => "files".to_owned(),
        };
        let name = Digest::of(self.to_string().as_bytes());
        Path::new("accepted").join(folder).join(format!("{}.json", name.hex()))
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layer { workspace, layer } => f.write_str(&scope(*workspace, layer)),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}
