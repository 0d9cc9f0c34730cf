//! Writing to disk, for commands that change files of the workspace: whole files, replaced atomically.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the door")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ReadError;
use crate::secret::Secret;

/// Who may read a file that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As the umask says.
    Shared,
    /// The owner alone (0600).
    Private,
}

/// Writes `bytes` to `path` so that at every moment the old or the new content stands there, whole, also after a crash:
/// written beside under a random name that must not exist yet, synced, renamed over.
///
/// A link at `path` is replaced, not followed. An existing file keeps its permissions.
///
/// # Errors
/// The operating system's; the old file is untouched then.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = beside(path, folder, access)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// A file under a random name in `folder`, with the permissions that the one at `path` has or is to have.
fn beside(path: &Path, folder: &Path, access: Access) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tieline-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let existing = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file);
        let mode = match (access, existing) {
            (Access::Private, _) => 0o600,
            (Access::Shared, Some(metadata)) => metadata.permissions().mode() & 0o777,
            (Access::Shared, None) => 0o666,
        };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder)
}

/// Changes files below `root`: path -> new text, `None` for what goes away. `before` is what they are believed to hold now:
/// where that is not so, nothing is done.
///
/// Everything is written beside its place first, then renamed; folders that are empty then go away.
///
/// # Errors
/// A file was changed by somebody else; or the operating system's, after which some files may be new and others old.
pub fn change(
    root: &Path,
    files: &BTreeMap<String, Option<String>>,
    before: &BTreeMap<String, String>,
) -> io::Result<()> {
    for path in files.keys() {
        let now = fs::read(root.join(path)).ok();
        if now.as_deref() != before.get(path).map(String::as_bytes) {
            return Err(io::Error::other(format!("{path} was changed while this ran")));
        }
    }
    let mut ready = Vec::new();
    for (path, text) in files {
        let (Some(text), target) = (text, root.join(path)) else { continue };
        let folder = target.parent().unwrap_or(root);
        fs::create_dir_all(folder)?;
        let mut file = beside(&target, folder, Access::Shared)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        ready.push((file, target));
    }
    for (file, target) in ready {
        file.persist(&target).map_err(|e| e.error)?;
        sync_folder(target.parent().unwrap_or(root))?;
    }
    for path in files.iter().filter(|(_, text)| text.is_none()).map(|(path, _)| path) {
        fs::remove_file(root.join(path))?;
        let mut folder = Path::new(path).parent();
        while let Some(empty) = folder.filter(|f| !f.as_os_str().is_empty() && fs::remove_dir(root.join(f)).is_ok()) {
            folder = empty.parent();
        }
    }
    Ok(())
}

/// Held while files below a folder are changed by others of our kind. Nothing is left behind by it, not even by a crash.
pub struct Lock(#[allow(dead_code, reason = "held")] Option<fs::File>);

/// Waits until no other holds the lock of `folder`.
///
/// # Errors
/// The operating system's.
pub fn lock(folder: &Path) -> io::Result<Lock> {
    #[cfg(unix)]
    {
        let file = fs::File::open(folder)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(Lock(Some(file)))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(Lock(None))
    }
}

/// Makes a rename in `folder` outlive a power cut.
///
/// # Errors
/// The operating system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Writes a file that must not exist yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or the operating system's.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::Private {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the folder that `path` is to stand in.
///
/// # Errors
/// The operating system's.
pub fn folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Reads a file that the operator named, which lies outside of any workspace: a file of identities, say.
///
/// # Errors
/// It is missing, no regular file, over the limit, or not text.
pub fn read_private(path: &Path, limit: usize) -> Result<Secret<String>, ReadError> {
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Failed(super::system::reason(error)),
    };
    let metadata = fs::metadata(path).map_err(|e| failed(&e))?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    if metadata.len() > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    fs::read_to_string(path).map(Secret::new).map_err(|e| failed(&e))
}

/// Opens a regular file that the operator named, to be read as it comes.
///
/// # Errors
/// It is missing or no regular file.
pub fn open(path: &Path) -> Result<impl io::Read, ReadError> {
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Failed(super::system::reason(error)),
    };
    if !fs::metadata(path).map_err(|e| failed(&e))?.is_file() {
        return Err(ReadError::NotAFile);
    }
    fs::File::open(path).map(io::BufReader::new).map_err(|e| failed(&e))
}

/// Whether something stands at `path`, a broken link included.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The path from the root, with no look at the disk; as it is where there is no working directory.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Appends text to a file that only the owner may read, and makes the file where there is none.
///
/// # Errors
/// The operating system's.
pub fn append_private(path: &Path, text: &Secret<String>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

/// The way from the root of the repository that `folder` is in to it, with a `/` at its end; empty for the root itself, and
/// outside of a repository.
pub fn below_repository(folder: &Path) -> String {
    let root = repository(folder);
    let below = root.and_then(|root| folder.strip_prefix(root).ok());
    let segments = below.into_iter().flat_map(Path::iter).map(|segment| segment.to_string_lossy());
    segments.map(|segment| format!("{segment}/")).collect()
}

/// The root of the repository that `folder` is in.
pub fn repository(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| exists(&above.join(".git")))
}
