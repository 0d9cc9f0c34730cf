//! The user's state folder: what this machine remembers from one command to the next, for its owner only.
//!
//! `$XDG_STATE_HOME/tieline`, else `~/.local/state/tieline`. Folders are 0700 and files 0600 whatever the umask. Looser ones,
//! which an earlier version or a hand made, are closed before anything in them is believed.

use std::io;
use std::path::{Path, PathBuf};

use super::World;
use super::disk::{self, Access};
use super::git;

/// The file that stands for the lock of a folder.
const LOCK: &str = ".lock";

/// A file of the state folder, which may not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// The folder of ours.
    top: PathBuf,
    /// The file.
    path: PathBuf,
}

impl StateFile {
    /// The file at `below`, relative to our folder and without `..`. `None` without a home.
    pub fn at(world: &dyn World, below: &Path) -> Option<Self> {
        let state = world.variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || Some(PathBuf::from(world.variable("HOME")?)).filter(|home| home.is_absolute());
        let top = state.or_else(|| Some(home()?.join(".local/state")))?.join("tieline");
        Some(Self { path: top.join(below), top })
    }

    /// Its text; `None` where it is missing, larger than `limit` bytes, committed to a repository, or where others can write to it and can't be kept from
    /// it.
    pub fn read(&self, limit: usize) -> Option<String> {
        let folder = self.path.parent()?;
        // What a commit brought is the word of whoever made it.
        if !disk::exists(&self.path) || git::is_committed(&self.path) {
            return None;
        }
        disk::close_folders(folder, &self.top).ok()?;
        for path in [&self.path, &folder.join(LOCK)] {
            if disk::exists(path) {
                disk::close_file(path).ok()?;
            }
        }
        disk::read_private(&self.path, limit).ok().map(|text| text.expose().clone())
    }

    /// Replaces its text.
    ///
    /// # Errors
    /// The operating system's; or others can write to a folder on the way, and can't be kept from it.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(&self.top);
        disk::private_folder(folder)?;
        disk::close_folders(folder, &self.top)?;
        disk::replace(&self.path, bytes, Access::Private)
    }

    /// Replaces its text by what `new` makes of it, if that is anything, while no other command changes it.
    ///
    /// # Errors
    /// As [`StateFile::write`].
    pub fn change(&self, new: impl FnOnce() -> Option<Vec<u8>>) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(&self.top);
        disk::private_folder(folder)?;
        let _lock = disk::hold(folder, LOCK)?;
        new().map_or(Ok(()), |bytes| self.write(&bytes))
    }

    /// The names of the files in its folder, sorted.
    pub fn beside(&self) -> Vec<String> {
        self.path.parent().map(disk::names).unwrap_or_default()
    }

    /// Whether the folder that it lies in exists.
    pub fn has_folder(&self) -> bool {
        self.path.parent().is_some_and(disk::exists)
    }
}
