//! The real world: a folder of this machine.
#![allow(clippy::disallowed_methods, reason = "this is the door")]

use std::path::{Path, PathBuf};

use super::beneath::{Beneath, reason};
use super::{Found, Kind, ReadError, World};

/// A workspace in a folder.
pub struct System {
    root: PathBuf,
    files: Beneath,
}

impl System {
    /// The world as seen from the workspace in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::within(Beneath::new(root))
    }

    /// The same where the root is itself reached through no link.
    pub fn within(files: Beneath) -> Self {
        Self { root: files.path(), files }
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A variable of the process' environment, also where it is empty: what allows things allows nothing then. What is not
    /// UTF-8 allows nothing either.
    pub fn said(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.into_string().unwrap_or_default())
    }

    /// Its files, to be written.
    pub fn files(&self) -> &Beneath {
        &self.files
    }
}

impl World for System {
    fn folders(&self) -> Vec<String> {
        let found = self.files.folder("").and_then(|top| top.entries()).unwrap_or_default().into_iter();
        let folders = found.filter(|(_, kind)| *kind == Kind::Folder);
        let names = folders.filter_map(|(name, _)| name.into_string().ok());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let walk = self.files.walk(folder, false).map_err(|error| ReadError::Failed(reason(&error)))?;
        let found = |(path, kind): (PathBuf, Kind)| {
            let (path, utf8) = match path.into_os_string().into_string() {
                Ok(path) => (path, true),
                Err(path) => (path.to_string_lossy().into_owned(), false),
            };
            Found { path: slashed(path), utf8, kind }
        };
        let mut found: Vec<Found> = walk.files.into_iter().map(found).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        self.files.read(path, limit)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|v| !v.is_empty())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// With `/` between segments.
fn slashed(path: String) -> String {
    if cfg!(windows) { path.replace('\\', "/") } else { path }
}
