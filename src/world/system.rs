//! The real world: a folder of this machine.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the door")]

use std::borrow::Cow;
use std::fs;
use std::io::{ErrorKind, Read};
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::io::Errno;
use walkdir::WalkDir;

use super::{Found, Kind, ReadError, World};

/// A workspace in a folder.
pub struct System {
    root: PathBuf,
    /// The root, opened once.
    #[cfg(unix)]
    top: OnceLock<OwnedFd>,
}

impl System {
    /// The world as seen from the workspace in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            #[cfg(unix)]
            top: OnceLock::new(),
        }
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[cfg(unix)]
impl System {
    /// Opens a file below the root for reading, through no link: none that was listed, and none put in the place of a file
    /// or folder since. A pipe doesn't block.
    fn open(&self, path: &str) -> std::io::Result<fs::File> {
        use rustix::fs::{Mode, OFlags, open, openat};
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let top = match self.top.get() {
            Some(top) => top,
            None => {
                let top = open(&self.root, folder, Mode::empty())?;
                self.top.get_or_init(|| top)
            }
        };
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{ResolveFlags, openat2};
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match openat2(top, path, file, Mode::empty(), resolve) {
                // An old kernel, or a sandbox that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => {}
                opened => return Ok(opened?.into()),
            }
        }
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = top.try_clone()?;
        for segment in folders.split('/').filter(|segment| !segment.is_empty()) {
            at = openat(&at, segment, folder | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| match error {
                // What a link is called where a folder is wanted.
                Errno::NOTDIR => Errno::LOOP,
                error => error,
            })?;
        }
        Ok(openat(&at, name, file, Mode::empty())?.into())
    }
}

#[cfg(not(unix))]
impl System {
    fn open(&self, path: &str) -> std::io::Result<fs::File> {
        fs::File::open(self.root.join(path))
    }
}

impl World for System {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let top = self.root.join(folder);
        if let Err(error) = fs::symlink_metadata(&top) {
            return if error.kind() == ErrorKind::NotFound { Ok(Vec::new()) } else { Err(failed(&error)) };
        }
        let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().as_encoded_bytes().starts_with(b".");
        // What stands before a path of the workspace in a path of the walk.
        let before = top.as_os_str().len().saturating_sub(folder.len());
        let mut found = Vec::new();
        for entry in WalkDir::new(&top).follow_root_links(false).into_iter().filter_entry(visible) {
            let entry = entry.map_err(|e| ReadError::Failed(e.io_error().map_or_else(String::new, reason)))?;
            let kind = entry.file_type();
            if kind.is_dir() {
                continue;
            }
            let (path, utf8) = match entry.path().to_str().and_then(|path| path.get(before..)) {
                Some(path) => (Cow::Borrowed(path), true),
                None => {
                    let below = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
                    (below.to_string_lossy(), below.to_str().is_some())
                }
            };
            let path = if cfg!(windows) { path.replace('\\', "/") } else { path.into_owned() };
            let kind = if kind.is_symlink() {
                Kind::Link
            } else if kind.is_file() {
                Kind::File
            } else {
                Kind::Other
            };
            found.push(Found { path, utf8, kind });
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        let mut file = self.open(path).map_err(|e| failed(&e))?;
        let metadata = file.metadata().map_err(|e| failed(&e))?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile);
        }
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if size > limit {
            return Err(ReadError::TooLarge);
        }
        // One byte more than there should be: where it doesn't come, that was all, and nobody needs to ask again.
        let mut bytes = vec![0; size + 1];
        let read = file.read(&mut bytes).unwrap_or(0);
        bytes.truncate(read);
        if read != size {
            // Files of /proc say that they are empty; whatever grows while being read is cut off at the limit.
            let rest = (limit + 1).saturating_sub(read);
            (&mut file).take(rest as u64).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        }
        if bytes.len() > limit { Err(ReadError::TooLarge) } else { Ok(bytes) }
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|v| !v.is_empty())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

fn failed(error: &std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::NotFound => ReadError::Missing,
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => ReadError::NotAFile,
        _ => ReadError::Failed(reason(error)),
    }
}

/// The operating system's reason without Rust's `(os error 13)`.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or("").to_lowercase()
}
