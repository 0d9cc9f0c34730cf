//! A folder as an open descriptor: what it is asked for is resolved from there, whatever its path leads to by then.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::fs::{flock, fsync, mkdirat, open, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::{Entry, Kind};

/// How a folder is opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How a file is read; a pipe doesn't block.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// How a file is written.
const WRITTEN: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder. Names in it are single segments.
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder of the operator's: links on the way are followed.
    pub(in crate::world) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder beneath; an empty path is the folder itself.
    pub(super) fn folder(&self, path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Self(self.beneath(path, FOLDER)?))
    }

    /// Opens what stands beneath for reading.
    pub(super) fn file(&self, path: &Path) -> io::Result<fs::File> {
        Ok(self.beneath(path, FILE)?.into())
    }

    fn beneath(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{ResolveFlags, openat2};
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match openat2(&self.0, path, flags, Mode::empty(), resolve) {
                // An old kernel, or a sandbox that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => {}
                opened => return opened,
            }
        }
        self.stepwise(path, flags)
    }

    /// The same where one call can't do it.
    fn stepwise(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mut at: Option<OwnedFd> = None;
        let mut segments = path.iter().peekable();
        while let Some(segment) = segments.next() {
            let flags = if segments.peek().is_some() { FOLDER } else { flags };
            at = Some(openat(at.as_ref().unwrap_or(&self.0), segment, flags | OFlags::NOFOLLOW, Mode::empty())?);
        }
        at.ok_or(Errno::NOENT)
    }

    /// Makes a file that must not exist, not even as a link.
    pub(super) fn create(&self, name: &OsStr, mode: u16) -> io::Result<fs::File> {
        Ok(openat(&self.0, name, WRITTEN | OFlags::EXCL, Mode::from_raw_mode(mode.into()))?.into())
    }

    /// Opens a file to lock it, and makes it where there is none.
    pub(super) fn lock_file(&self, name: &OsStr) -> io::Result<fs::File> {
        let file: fs::File =
            openat(&self.0, name, WRITTEN | OFlags::NONBLOCK, Mode::from_raw_mode(0o600)).map(Into::into)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }

    pub(super) fn make(&self, name: &OsStr, mode: u16) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, Mode::from_raw_mode(mode.into()))?)
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    pub(super) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// What stands under a name, a link as itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the operating system's.
    #[allow(clippy::unnecessary_cast, reason = "the width of a time depends on the platform")]
    pub fn entry(&self, name: &OsStr) -> io::Result<Entry> {
        let found = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Entry {
            kind: kind(FileType::from_raw_mode(found.st_mode)),
            size: u64::try_from(found.st_size).unwrap_or(0),
            modified: found.st_mtime as i64,
            mode: u16::try_from(found.st_mode & 0o777).unwrap_or(0o600),
        })
    }

    /// The names in the folder and what stands under them, in no order.
    ///
    /// # Errors
    /// The operating system's.
    pub fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems don't say.
                FileType::Unknown => self.entry(name)?.kind,
                known => kind(known),
            };
            found.push((name.to_owned(), kind));
        }
        Ok(found)
    }

    /// Makes what was renamed in the folder outlive a power cut.
    ///
    /// # Errors
    /// The operating system's.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.0)?)
    }

    /// Waits for the lock of the folder, which is held as long as the file is open.
    pub(super) fn lock(&self) -> io::Result<Option<fs::File>> {
        // Opened again: a lock belongs to what was opened, and this one is to be given back on its own.
        let folder: fs::File = self.folder(Path::new(""))?.0.into();
        flock(&folder, FlockOperation::LockExclusive)?;
        Ok(Some(folder))
    }
}

fn kind(of: FileType) -> Kind {
    match of {
        FileType::Directory => Kind::Folder,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn step_by_step_nothing_is_reached_through_a_link_either() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/c"), "x").unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        std::os::unix::fs::symlink("c", root.join("a/b/last")).unwrap();
        let folder = Folder::open(root).unwrap();
        assert!(folder.stepwise(Path::new("a/b/c"), FILE).is_ok());
        assert!(folder.stepwise(Path::new("a/b"), FOLDER).is_ok());
        assert!(folder.stepwise(Path::new("."), FOLDER).is_ok());
        for (path, flags) in [("link/b/c", FILE), ("link/b", FOLDER), ("link", FOLDER), ("a/b/last", FILE)] {
            assert!(folder.stepwise(Path::new(path), flags).is_err(), "{path}");
            assert!(folder.beneath(Path::new(path), flags).is_err(), "{path}");
        }
    }
}
