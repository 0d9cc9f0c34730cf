//! Writing: whole files, replaced at once or not at all.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::{Beneath, Folder, Kind, explained, split};
use crate::world::ReadError;

/// Who may read a file that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As the umask says.
    Shared,
    /// The owner alone: files 0600, folders 0700.
    Private,
}

impl Access {
    fn of_files(self) -> u16 {
        if self == Self::Private { 0o600 } else { 0o666 }
    }

    fn of_folders(self) -> u16 {
        if self == Self::Private { 0o700 } else { 0o777 }
    }
}

/// A file that is to be changed may have this many bytes now.
const MAX_BYTES: usize = 64 << 20;

/// Held while files below a folder are changed: others of our kind wait. The kernel frees it, at the latest by our death.
pub struct Lock(#[allow(dead_code, reason = "held")] Option<fs::File>);

impl Folder {
    /// Writes `bytes` to a file so that at every moment the old or the new content stands there, whole, also after a crash:
    /// written beside under a random name that must not exist yet, synced, renamed over.
    ///
    /// A link, pipe or hard link under the name is replaced, not written to. An existing file keeps its permissions.
    ///
    /// # Errors
    /// The operating system's; the old file is untouched then.
    pub fn replace(&self, name: &OsStr, bytes: &[u8], access: Access) -> io::Result<()> {
        let beside = self.stage(name, bytes, access)?;
        self.put(&beside, name)?;
        self.sync()
    }

    /// Waits for the lock that a file stands for, which is made where there is none.
    ///
    /// # Errors
    /// It is a link or not a regular file; or the operating system's.
    pub fn hold(&self, name: &str) -> io::Result<Lock> {
        let file = self.lock_file(OsStr::new(name))?;
        file.lock()?;
        Ok(Lock(Some(file)))
    }

    /// The same without waiting; `None` while somebody else holds it.
    ///
    /// # Errors
    /// As [`Folder::hold`].
    pub fn hold_now(&self, name: &str) -> io::Result<Option<Lock>> {
        let file = self.lock_file(OsStr::new(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(Some(file)))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Writes what is to stand under `name` beside it, and syncs it; gives the name that it has until it is
    /// [put](Self::put) in its place.
    fn stage(&self, name: &OsStr, bytes: &[u8], access: Access) -> io::Result<OsString> {
        let mode = match (access, self.entry(name)) {
            (Access::Shared, Ok(found)) if found.kind == Kind::File => found.mode,
            _ => access.of_files(),
        };
        let (beside, mut file) = self.beside(mode)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.inspect_err(|_| _ = self.unlink(&beside))?;
        Ok(beside)
    }

    /// A new file under a name that nobody can know before.
    fn beside(&self, mode: u16) -> io::Result<(OsString, fs::File)> {
        loop {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let name = OsString::from(format!(".tieline-{:016x}", u64::from_le_bytes(random)));
            match self.create(&name, mode) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => return Ok((name, created?)),
            }
        }
    }

    /// Puts what was written beside in its place. It outlives a power cut once the folder is synced.
    fn put(&self, beside: &OsStr, name: &OsStr) -> io::Result<()> {
        self.rename(beside, name).inspect_err(|_| _ = self.unlink(beside))
    }

    /// The folder at a path below, made with all above it where they are missing, each durable before the next.
    fn made(self, before: &Path, path: &Path, access: Access) -> io::Result<Self> {
        let (mut at, mut before) = (self, before.to_owned());
        for segment in path {
            let name = Path::new(segment);
            let found = match at.folder(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    match at.make(segment, access.of_folders()) {
                        // Another made it meanwhile.
                        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                        made => made.and_then(|()| at.sync())?,
                    }
                    at.folder(name)
                }
                found => found,
            };
            let found = found.map_err(|error| explained(&at, &before, name, error))?;
            before.push(segment);
            at = found;
        }
        Ok(at)
    }
}

impl Beneath {
    /// Opens a folder beneath; it and all above it are made where they are missing.
    ///
    /// # Errors
    /// An [`Obstacle`](super::Obstacle), or the operating system's.
    pub fn make(&self, path: impl AsRef<Path>, access: Access) -> io::Result<Folder> {
        let path = path.as_ref();
        match self.folder(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return found,
        }
        if self.top().is_err() {
            // What is above the root is as everybody's; the root itself is as what is in it.
            fs::create_dir_all(&self.anchor)?;
            if let (Some(above), Some(name)) = (self.prefix.parent(), self.prefix.file_name()) {
                let above = self.anchored()?.made(Path::new(""), above, Access::Shared)?;
                above.made(self.prefix.parent().unwrap_or(Path::new("")), Path::new(name), access)?;
            }
        }
        self.folder("")?.made(&self.prefix, path, access)
    }

    /// Writes a file as [`Folder::replace`] does. Its folder must exist.
    ///
    /// # Errors
    /// An [`Obstacle`](super::Obstacle), or the operating system's; the old file is untouched then.
    pub fn replace(&self, path: impl AsRef<Path>, bytes: &[u8], access: Access) -> io::Result<()> {
        let (folder, name) = self.above(path.as_ref())?;
        folder.replace(name, bytes, access)
    }

    /// Writes a file that must not exist yet, not even as a link; its folder is made where it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], an [`Obstacle`](super::Obstacle), or the operating system's.
    pub fn create(&self, path: impl AsRef<Path>, bytes: &[u8], access: Access) -> io::Result<()> {
        let (folder, name) = split(path.as_ref())?;
        let folder = self.make(folder, Access::Shared)?;
        let mut file = folder.create(name, access.of_files())?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Removes a file, or a link as itself.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], an [`Obstacle`](super::Obstacle), or the operating system's.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (folder, name) = self.above(path.as_ref())?;
        folder.unlink(name)
    }

    /// Removes a folder that is empty.
    ///
    /// # Errors
    /// It is not empty; or as of [`Beneath::remove_file`].
    pub fn remove_folder(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (folder, name) = self.above(path.as_ref())?;
        folder.remove(name)
    }

    /// Waits until no other holds the lock of the root.
    ///
    /// # Errors
    /// The operating system's.
    pub fn lock(&self) -> io::Result<Lock> {
        self.top()?.lock().map(Lock)
    }

    /// Changes files: path -> new text, `None` for what goes away. `before` is what they are believed to hold now: where
    /// that is not so, nothing is done.
    ///
    /// Everything is written beside its place first, then renamed; folders that are empty then go away.
    ///
    /// # Errors
    /// A file was changed by somebody else; an [`Obstacle`](super::Obstacle); or the operating system's, after which some
    /// files may be new and others old.
    pub fn change(
        &self,
        files: &BTreeMap<String, Option<String>>,
        before: &BTreeMap<String, String>,
    ) -> io::Result<()> {
        for path in files.keys() {
            let now = match self.read(path, MAX_BYTES) {
                Ok(bytes) => Some(bytes),
                Err(ReadError::Missing) => None,
                Err(_) => return Err(self.obstacle(path).map_or_else(|| unreadable(path), Into::into)),
            };
            if now.as_deref() != before.get(path).map(String::as_bytes) {
                return Err(io::Error::other(format!("{path} was changed while this ran")));
            }
        }
        let mut ready = Vec::new();
        let written = self.write_beside(files, &mut ready).and_then(|()| self.put_all(&ready));
        if written.is_err() {
            for (path, beside) in &ready {
                // Those that are in their place already are not there any more.
                let _ = self.remove_file(path.with_file_name(beside));
            }
        }
        written?;
        for path in files.iter().filter(|(_, text)| text.is_none()).map(|(path, _)| Path::new(path)) {
            self.remove_file(path)?;
            let mut folder = path.parent();
            while let Some(empty) = folder.filter(|folder| self.remove_folder(folder).is_ok()) {
                folder = empty.parent();
            }
        }
        Ok(())
    }

    fn write_beside<'f>(
        &self,
        files: &'f BTreeMap<String, Option<String>>,
        ready: &mut Vec<(&'f Path, OsString)>,
    ) -> io::Result<()> {
        for (path, text) in files {
            let (Some(text), path) = (text, Path::new(path)) else { continue };
            let (folder, name) = split(path)?;
            let folder = self.make(folder, Access::Shared)?;
            ready.push((path, folder.stage(name, text.as_bytes(), Access::Shared)?));
        }
        Ok(())
    }

    fn put_all(&self, ready: &[(&Path, OsString)]) -> io::Result<()> {
        for (path, beside) in ready {
            let (folder, name) = self.above(path)?;
            folder.put(beside, name)?;
            folder.sync()?;
        }
        Ok(())
    }
}

fn unreadable(path: &str) -> io::Error {
    io::Error::other(format!("{path} can't be read, or is not a regular file"))
}
