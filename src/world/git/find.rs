//! Where the repository of a work tree is.
#![allow(clippy::disallowed_methods, reason = "this is the door")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::disk;

/// A `.git` that is a file says one path.
const MAX_BYTES: usize = 64 << 10;

/// The folder that `.git` in `root` is or leads to, without links.
///
/// # Errors
/// It leads nowhere, or into the work tree.
pub(super) fn git_folder(root: &Path) -> Result<PathBuf, String> {
    let entry = root.join(".git");
    let failed = || format!("{} does not lead to a Git repository", entry.display());
    let folder = match disk::read_private(&entry, MAX_BYTES) {
        Ok(text) => root.join(text.expose().strip_prefix("gitdir:").ok_or_else(failed)?.trim()),
        Err(_) => entry.clone(),
    };
    let folder = fs::canonicalize(folder).map_err(|_| failed())?;
    outside(root, &folder)?;
    Ok(folder)
}

/// A path without links and `..`.
///
/// # Errors
/// Nothing is there.
pub(super) fn whole(path: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(path).map_err(|_| format!("{} can't be read", path.display()))
}

/// Holds a folder of the repository to this: it is `.git` in `root`, below that, or not in `root` at all.
///
/// # Errors
/// It lies among the files of the work tree, where a commit may have put it.
pub(super) fn outside(root: &Path, folder: &Path) -> Result<(), String> {
    let (root, folder) = (whole(root)?, whole(folder)?);
    match folder.strip_prefix(&root) {
        Ok(below) if below.iter().next().is_none_or(|first| first != ".git") => Err(format!(
            "the Git repository {} lies inside of the work tree, where a commit may have put it",
            folder.display()
        )),
        _ => Ok(()),
    }
}
