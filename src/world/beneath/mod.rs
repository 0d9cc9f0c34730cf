//! A folder and what lies beneath it: how a workspace and a directory target are read and written, and no other way.
//!
//! What stands in a workspace was committed by strangers; what stands in a target may have been put there by one. So a
//! path is resolved beneath its root through no link, on writing as on reading, temporary files included: where
//! `connections/finance` is a link, `connections/finance/x.yaml` is an error, wherever the link leads. On Unix every call
//! goes through descriptors of folders (`descriptor.rs`), so that a folder which is swapped for a link at any moment
//! changes nothing; elsewhere each segment is looked at before it is used (`looked_up.rs`), which leaves that race open.
//!
//! Links above the root are the operator's. (The crate cap-std follows links that stay beneath; here none is followed.)
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the door")]

#[cfg(unix)]
mod descriptor;
#[cfg(any(not(unix), test))]
#[cfg_attr(unix, allow(dead_code, unreachable_pub, reason = "tested where it is not used"))]
mod looked_up;
mod typed;
mod walk;
mod write;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

#[cfg(unix)]
pub use descriptor::Folder;
#[cfg(not(unix))]
pub use looked_up::Folder;
pub use typed::Typed;
pub use walk::Walk;
pub use write::{Access, Lock};

use super::{Kind, ReadError};

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in seconds since 1970.
    pub modified: i64,
    /// Who may do what with it, the lowest nine bits.
    mode: u16,
}

/// What stands where a path wants a folder or a file: nothing behind it was touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Where, from the root.
    path: PathBuf,
    is_link: bool,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.is_link {
            true => write!(f, "`{path}` is a symbolic link, and links are not followed here"),
            false => write!(f, "`{path}` is not a folder"),
        }
    }
}

impl std::error::Error for Obstacle {}

impl From<Obstacle> for io::Error {
    fn from(obstacle: Obstacle) -> Self {
        Self::other(obstacle)
    }
}

/// The root of a workspace or of a target.
pub struct Beneath {
    /// The operator's: links on the way to it are followed.
    anchor: PathBuf,
    /// From the anchor to the root, through no link.
    prefix: PathBuf,
    /// The root, opened once.
    top: OnceLock<Folder>,
}

impl Beneath {
    /// What lies beneath a folder that the operator named. It may be a link, as may all above it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { anchor: root.into(), prefix: PathBuf::new(), top: OnceLock::new() }
    }

    /// What lies beneath a folder that the operator named and that is not to be a link itself.
    pub fn strictly(root: &Path) -> Self {
        match (root.parent(), root.file_name()) {
            (Some(above), Some(name)) => Self::new(above).within(name),
            _ => Self::new(root),
        }
    }

    /// What lies beneath a folder of this one, which is reached through no link either. It need not exist.
    #[must_use]
    pub fn within(&self, path: impl AsRef<Path>) -> Self {
        Self { anchor: self.anchor.clone(), prefix: self.prefix.join(path), top: OnceLock::new() }
    }

    /// The root's path, for messages and for programs that are told where to work.
    pub fn path(&self) -> PathBuf {
        if self.prefix.as_os_str().is_empty() { self.anchor.clone() } else { self.anchor.join(&self.prefix) }
    }

    /// The root, opened.
    fn top(&self) -> io::Result<&Folder> {
        if let Some(top) = self.top.get() {
            return Ok(top);
        }
        let top = self.anchored()?;
        let top = match self.prefix.as_os_str().is_empty() {
            true => top,
            false => {
                checked(&self.prefix)?;
                top.folder(&self.prefix).map_err(|error| explained(&top, Path::new(""), &self.prefix, error))?
            }
        };
        Ok(self.top.get_or_init(|| top))
    }

    fn anchored(&self) -> io::Result<Folder> {
        Folder::open(if self.anchor.as_os_str().is_empty() { Path::new(".") } else { &self.anchor })
    }

    /// Opens a folder beneath, for several things to be done in it. An empty path is the root.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], an [`Obstacle`], or the operating system's.
    pub fn folder(&self, path: impl AsRef<Path>) -> io::Result<Folder> {
        let (top, path) = (self.top()?, path.as_ref());
        if !path.as_os_str().is_empty() {
            checked(path)?;
        }
        top.folder(path).map_err(|error| explained(top, &self.prefix, path, error))
    }

    /// Opens the folder that a path lies in, and gives the path's last segment.
    fn above<'p>(&self, path: &'p Path) -> io::Result<(Folder, &'p OsStr)> {
        let (folder, name) = split(path)?;
        Ok((self.folder(folder)?, name))
    }

    /// The content of a regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// See [`ReadError`]; what stands in the way of a `NotAFile`, [`Beneath::obstacle`] says.
    pub fn read(&self, path: impl AsRef<Path>, limit: usize) -> Result<Vec<u8>, ReadError> {
        self.top().map_err(|error| failed(&error))?.read(path, limit)
    }

    /// The first segment of a path that is a link, or no folder where one is wanted.
    pub fn obstacle(&self, path: impl AsRef<Path>) -> Option<Obstacle> {
        match self.top() {
            Ok(top) => obstacle(top, &self.prefix, path.as_ref()),
            Err(error) => error.downcast::<Obstacle>().ok(),
        }
    }

    /// What stands at a path, a link as itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], an [`Obstacle`], or the operating system's.
    pub fn entry(&self, path: impl AsRef<Path>) -> io::Result<Entry> {
        let (folder, name) = self.above(path.as_ref())?;
        folder.entry(name)
    }

    /// Whether something stands at a path, a broken link included.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.entry(path).is_ok()
    }
}

impl Folder {
    /// The content of a regular file beneath of at most `limit` bytes.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&self, path: impl AsRef<Path>, limit: usize) -> Result<Vec<u8>, ReadError> {
        let path = path.as_ref();
        let opened = checked(path).and_then(|()| self.file(path));
        let file = opened.map_err(|error| failed(&explained(self, Path::new(""), path, error)))?;
        content(file, limit)
    }
}

/// All of a file, if it is a regular one of at most `limit` bytes.
fn content(mut file: fs::File, limit: usize) -> Result<Vec<u8>, ReadError> {
    let metadata = file.metadata().map_err(|error| failed(&error))?;
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
        (&mut file).take(rest as u64).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    }
    if bytes.len() > limit { Err(ReadError::TooLarge) } else { Ok(bytes) }
}

/// Refuses a path that is empty, from the root, or goes up.
fn checked(path: &Path) -> io::Result<()> {
    let mut components = path.components().peekable();
    if components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_))) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{}` would lead elsewhere", path.display())))
}

/// The folder of a path, and its last segment.
fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    checked(path)?;
    path.parent().zip(path.file_name()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// What stands in the way of a path below `folder`; `before` is the way to that one, for messages.
fn obstacle(folder: &Folder, before: &Path, path: &Path) -> Option<Obstacle> {
    checked(path).ok()?;
    let mut segments = path.iter().peekable();
    let (mut at, mut shown) = (folder.folder(Path::new("")).ok()?, before.to_owned());
    while let Some(segment) = segments.next() {
        shown.push(segment);
        match at.entry(segment).ok()?.kind {
            Kind::Folder => at = at.folder(Path::new(segment)).ok()?,
            kind => {
                let is_link = kind == Kind::Link;
                return (is_link || segments.peek().is_some()).then_some(Obstacle { path: shown, is_link });
            }
        }
    }
    None
}

/// An error with what stands in the way, where something does.
fn explained(folder: &Folder, before: &Path, path: &Path, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => error,
        _ => obstacle(folder, before, path).map_or(error, Into::into),
    }
}

fn failed(error: &io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Obstacle>()) => ReadError::NotAFile,
        _ => ReadError::Failed(reason(error)),
    }
}

/// The operating system's reason without Rust's `(os error 13)`.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or("").to_lowercase()
}
