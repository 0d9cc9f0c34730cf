//! A folder as a path, where a system has no descriptors of folders: every segment is looked at before it is used. What is
//! swapped for a link between the look and the use is followed; nothing here can prevent that.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Entry, Kind};

/// A folder. Names in it are single segments.
pub struct Folder(PathBuf);

impl Folder {
    /// A folder of the operator's: links on the way are followed.
    pub(in crate::world) fn open(path: &Path) -> io::Result<Self> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(Self(path.to_owned())),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A folder beneath; an empty path is the folder itself.
    pub(super) fn folder(&self, path: &Path) -> io::Result<Self> {
        let mut at = self.0.clone();
        for segment in path {
            at.push(segment);
            if !fs::symlink_metadata(&at)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Ok(Self(at))
    }

    /// Opens a file beneath for reading.
    pub(super) fn file(&self, path: &Path) -> io::Result<fs::File> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let path = self.folder(above)?.0.join(name);
        match fs::symlink_metadata(&path)?.is_file() {
            true => fs::File::open(path),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }

    /// Makes a file that must not exist, not even as a link.
    pub(super) fn create(&self, name: &OsStr, _: u16) -> io::Result<fs::File> {
        fs::OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    /// Opens a file to lock it, and makes it where there is none.
    pub(super) fn lock_file(&self, name: &OsStr) -> io::Result<fs::File> {
        let path = self.0.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if !found.is_file() => Err(io::Error::other("it is not a regular file")),
            _ => fs::OpenOptions::new().write(true).create(true).truncate(false).open(path),
        }
    }

    pub(super) fn make(&self, name: &OsStr, _: u16) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    pub(super) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// What stands under a name, a link as itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the operating system's.
    pub fn entry(&self, name: &OsStr) -> io::Result<Entry> {
        let found = fs::symlink_metadata(self.0.join(name))?;
        let modified = found.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
        Ok(Entry {
            kind: kind(found.file_type()),
            size: found.len(),
            modified: modified.map_or(i64::MAX, jiff::Timestamp::as_second),
            mode: 0o666,
        })
    }

    /// The names in the folder and what stands under them, in no order.
    ///
    /// # Errors
    /// The operating system's.
    pub fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let entries = fs::read_dir(&self.0)?;
        entries.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), kind(entry.file_type()?))))).collect()
    }

    /// Nothing: such a system takes no folder to be synced.
    ///
    /// # Errors
    /// None.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// No lock: such a system takes no folder to be locked.
    pub(super) fn lock(&self) -> io::Result<Option<fs::File>> {
        Ok(None)
    }
}

fn kind(of: fs::FileType) -> Kind {
    if of.is_symlink() {
        Kind::Link
    } else if of.is_dir() {
        Kind::Folder
    } else if of.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn looked_up_nothing_is_reached_through_a_link_either() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/c"), "x").unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        std::os::unix::fs::symlink("c", root.join("a/b/last")).unwrap();
        let folder = Folder::open(root).unwrap();
        assert!(folder.file(Path::new("a/b/c")).is_ok() && folder.folder(Path::new("a/b")).is_ok());
        assert!(folder.folder(Path::new("")).is_ok());
        for path in ["link/b/c", "a/b/last", "link"] {
            assert!(folder.file(Path::new(path)).is_err(), "{path}");
        }
        assert!(folder.folder(Path::new("link/b")).is_err() && folder.lock_file(OsStr::new("link")).is_err());
        assert_eq!(folder.entry(OsStr::new("link")).unwrap().kind, Kind::Link);
        assert!(folder.create(OsStr::new("link"), 0o600).is_err());
        assert_eq!(folder.entries().unwrap().len(), 2);
        folder.make(OsStr::new("d"), 0o700).unwrap();
        drop(folder.create(OsStr::new("e"), 0o600).unwrap());
        folder.rename(OsStr::new("e"), OsStr::new("link")).unwrap();
        folder.unlink(OsStr::new("link")).unwrap();
        folder.remove(OsStr::new("d")).unwrap();
        assert!(folder.lock().unwrap().is_none() && folder.sync().is_ok());
        assert_eq!(fs::read(root.join("a/b/c")).unwrap(), b"x");
    }
}
