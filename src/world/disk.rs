//! Files that the operator named, outside of any workspace and target: a file of identities, the state folder. What lies in
//! a workspace or a target goes through [`beneath`](super::beneath).
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the door")]

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::ReadError;
pub use super::beneath::Access;
use super::beneath::{Folder, Lock, Typed, reason};
use crate::secret::Secret;

/// Writes `bytes` to a file outside of any workspace, so that at every moment the old or the new content stands there,
/// whole, also after a crash.
///
/// A link at `path` is replaced, not followed. An existing file keeps its permissions.
///
/// # Errors
/// The operating system's; the old file is untouched then.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    Typed::Outside(path.to_owned()).replace(bytes, access)
}

/// Writes a file outside of any workspace that must not exist yet; its folder is made where it is missing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or the operating system's.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    if let (Access::Private, Some(folder)) = (access, path.parent()) {
        private_folder(folder)?;
    }
    Typed::Outside(path.to_owned()).create(bytes, access)
}

/// Makes a folder and those missing above it. What is made is for the owner only (0700), whatever the umask.
///
/// # Errors
/// The operating system's.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Waits for the lock that a file of a folder stands for, which is made where there is none.
///
/// # Errors
/// The operating system's.
pub fn hold(folder: &Path, name: &str) -> io::Result<Lock> {
    Folder::open(folder)?.hold(name)
}

/// Closes a folder, and those above it as far as `top`, to everybody but the owner.
///
/// # Errors
/// One is open to others and belongs to somebody else, or the operating system's.
pub fn close_folders(folder: &Path, top: &Path) -> io::Result<()> {
    folder.ancestors().take_while(|above| above.starts_with(top)).try_for_each(|above| close(above, 0o700))
}

/// Closes a file to everybody but the owner (0600).
///
/// # Errors
/// As [`close_folders`].
pub fn close_file(path: &Path) -> io::Result<()> {
    close(path, 0o600)
}

fn close(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| {
                let why = reason(&error);
                io::Error::new(
                    error.kind(),
                    format!("`{}` is open to other users, and stays so: {why}", path.display()),
                )
            })?;
        }
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// Reads a file that the operator named, which lies outside of any workspace: a file of identities, say.
///
/// # Errors
/// It is missing, no regular file, over the limit, or not text.
pub fn read_private(path: &Path, limit: usize) -> Result<Secret<String>, ReadError> {
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Failed(reason(error)),
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
pub fn open(path: &Path) -> Result<impl Read, ReadError> {
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Failed(reason(error)),
    };
    if !fs::metadata(path).map_err(|e| failed(&e))?.is_file() {
        return Err(ReadError::NotAFile);
    }
    fs::File::open(path).map(io::BufReader::new).map_err(|e| failed(&e))
}

/// The names in a folder that are text, sorted; none where it can't be read.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Whether something stands at `path`, a broken link included.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The path from the root, with no look at the disk; as it is where there is no working directory.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path from the root on, through no link where it exists.
pub fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| absolute(path))
}

/// Appends text to a file that only the owner may read, and makes the file where there is none.
///
/// # Errors
/// The operating system's.
pub fn append_private(path: &Path, text: &Secret<String>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true).read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    // The file may be older, and open to others.
    close_file(path)?;
    // A last line without an end is not ours to go on with: it may be another key.
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(-1)).is_ok() {
        file.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
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
