//! A path that the operator typed.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::{Access, Beneath};
use crate::secret::Secret;
use crate::world::{ReadError, disk};

/// Where a typed path lies. Through the repository, whose links strangers commit, none is followed; anywhere else links are
/// the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// In the repository.
    Inside {
        /// The repository.
        root: PathBuf,
        /// The path in it.
        below: PathBuf,
    },
    /// Elsewhere; what of the path led through the repository is not in it any more.
    Outside(PathBuf),
}

impl Typed {
    /// Finds out where a path lies, which need not exist. `repository` is the folder, without links, whose content
    /// strangers may have committed.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub fn new(path: &Path, repository: Option<&Path>) -> Self {
        let Some(root) = repository else { return Self::Outside(path.to_owned()) };
        let whole = disk::absolute(path);
        let mut at = PathBuf::new();
        let mut components = whole.components().peekable();
        while let Some(component) = components.next() {
            match component {
                Component::ParentDir => _ = at.pop(),
                other => at.push(other),
            }
            // In the repository a path is taken as it is written, `..` too: a link there leads nowhere.
            if components.peek().is_some() && !at.starts_with(root) {
                at = at.canonicalize().unwrap_or(at);
            }
        }
        match at.strip_prefix(root) {
            Ok(below) => Self::Inside { root: root.to_owned(), below: below.to_owned() },
            Err(_) => Self::Outside(at),
        }
    }

    /// Another path, held against the same repository.
    #[must_use]
    pub fn beside(&self, path: &Path) -> Self {
        match self {
            Self::Inside { root, .. } => Self::new(path, Some(root)),
            Self::Outside(_) => Self::Outside(path.to_owned()),
        }
    }

    /// What lies beneath it, if it is a folder or is to be one. One outside of the repository may be a link.
    pub fn folder(&self) -> Beneath {
        match self {
            Self::Inside { root, below } => Beneath::new(root).within(below),
            Self::Outside(path) => Beneath::new(path),
        }
    }

    /// The root that the path is resolved from, and the way from there.
    fn resolved(&self) -> io::Result<(Beneath, &Path)> {
        match self {
            Self::Inside { root, below } => Ok((Beneath::new(root), below)),
            Self::Outside(path) => match (path.parent(), path.file_name()) {
                (Some(above), Some(name)) => Ok((Beneath::new(above), Path::new(name))),
                _ => Err(io::ErrorKind::IsADirectory.into()),
            },
        }
    }

    /// Writes the file as [`Folder::replace`](super::Folder::replace) does: a link at the path is replaced, not followed.
    ///
    /// # Errors
    /// A link on the way through the repository, or the operating system's; the old file is untouched then.
    pub fn replace(&self, bytes: &[u8], access: Access) -> io::Result<()> {
        let (root, path) = self.resolved()?;
        root.replace(path, bytes, access)
    }

    /// Writes the file, which must not exist yet, not even as a link; its folder is made where it is missing.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], a link on the way through the repository, or the operating system's.
    pub fn create(&self, bytes: &[u8], access: Access) -> io::Result<()> {
        let (root, path) = self.resolved()?;
        root.create(path, bytes, access)
    }

    /// Reads the file, which outside of the repository may be a link.
    ///
    /// # Errors
    /// It is missing, no regular file, over the limit, or not text.
    pub fn read(&self, limit: usize) -> Result<Secret<String>, ReadError> {
        let Self::Inside { root, below } = self else {
            let Self::Outside(path) = self else { return Err(ReadError::Missing) };
            return disk::read_private(path, limit);
        };
        let bytes = Beneath::new(root).read(below, limit)?;
        String::from_utf8(bytes).map(Secret::new).map_err(|error| {
            drop(Secret::new(error.into_bytes()));
            ReadError::Failed("not UTF-8".to_owned())
        })
    }

    /// The first segment of the path in the repository that is a link, or no folder where one is wanted.
    pub fn obstacle(&self) -> Option<super::Obstacle> {
        match self {
            Self::Inside { root, below } => Beneath::new(root).obstacle(below),
            Self::Outside(_) => None,
        }
    }

    /// Whether something stands there, a broken link included.
    pub fn exists(&self) -> bool {
        self.resolved().is_ok_and(|(root, path)| root.exists(path))
    }
}
