//! Everything below a folder.

use std::io;
use std::path::{Path, PathBuf};

use super::{Beneath, Kind, split};

/// What was found below a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Whatever is not a folder, as paths from the root.
    pub files: Vec<(PathBuf, Kind)>,
    /// Folders, each before those in it.
    pub folders: Vec<PathBuf>,
}

impl Beneath {
    /// Everything below a folder, and the folder itself if it is not one; nothing where nothing is there. Links are found,
    /// never followed. With `hidden`, names that begin with a dot are found too.
    ///
    /// One folder is open at a time, however deep they nest.
    ///
    /// # Errors
    /// The operating system's; an [`Obstacle`](super::Obstacle) on the way to the folder.
    pub fn walk(&self, top: impl AsRef<Path>, hidden: bool) -> io::Result<Walk> {
        let mut walk = Walk::default();
        match self.kind(top.as_ref())? {
            None => {}
            Some(Kind::Folder) => self.descend(top.as_ref(), hidden, &mut walk)?,
            Some(kind) => walk.files.push((top.as_ref().to_owned(), kind)),
        }
        Ok(walk)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let found = match path.as_os_str().is_empty() {
            true => self.top().map(|_| Kind::Folder),
            false => split(path).and_then(|_| self.entry(path)).map(|entry| entry.kind),
        };
        match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    fn descend(&self, top: &Path, hidden: bool, walk: &mut Walk) -> io::Result<()> {
        let mut next = vec![top.to_owned()];
        while let Some(path) = next.pop() {
            let entries = match self.folder(&path).and_then(|folder| folder.entries()) {
                Ok(entries) => entries,
                Err(error) => match self.kind(&path)? {
                    // What it was swapped for since it was found.
                    Some(kind) if kind != Kind::Folder => {
                        walk.files.push((path, kind));
                        continue;
                    }
                    _ => return Err(error),
                },
            };
            for (name, kind) in entries {
                if !hidden && name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let found = path.join(name);
                if kind == Kind::Folder {
                    next.push(found);
                } else {
                    walk.files.push((found, kind));
                }
            }
            if path != top {
                walk.folders.push(path);
            }
        }
        Ok(())
    }
}
