//! Settings of this clone.

use std::path::Path;

use gix::lock::acquire::Fail;

use super::Repository;
use crate::world::disk::{self, Access};

/// The file of settings may have this many bytes.
const MAX_BYTES: usize = 4 << 20;

/// Sets keys (`section.name.key`) in the configuration file that all worktrees of the clone share, as `git config --local`
/// does: comments and all else stay, the file is replaced whole, and Git's own lock is held meanwhile.
///
/// # Errors
/// There is no repository, its configuration can't be read or written, or another process is changing it.
pub fn configure(folder: &Path, settings: &[(&str, &str)]) -> Result<(), String> {
    let file = Repository::around(folder)?.common().join("config");
    let failed = |why: String| format!("the clone's configuration {} can't be changed: {why}", file.display());
    let _lock = gix::lock::Marker::acquire_to_hold_resource(&file, Fail::Immediately, None, 0)
        .map_err(|_| failed("another process is changing it".to_owned()))?;
    let text = disk::read_private(&file, MAX_BYTES).map_err(|error| failed(format!("{error:?}")))?;
    let meta = gix::config::file::Metadata::from(gix::config::Source::Local);
    let parsed = gix::config::File::from_bytes_no_includes(text.expose().as_bytes(), meta, Default::default());
    let mut config = parsed.map_err(|error| failed(error.to_string()))?;
    for (key, value) in settings {
        config.set_raw_value(*key, *value).map_err(|error| failed(error.to_string()))?;
    }
    disk::replace(&file, &config.to_bstring(), Access::Shared).map_err(|error| failed(error.to_string()))
}

/// Whether a repository that can't be opened names its objects by SHA-256; `folder` is what its `.git` leads to.
pub(super) fn is_sha256(folder: &Path) -> bool {
    // A linked worktree has its settings where all of them have them.
    let shared = disk::read_private(&folder.join("commondir"), MAX_BYTES).ok();
    let shared = shared.map_or_else(|| folder.to_owned(), |shared| folder.join(shared.expose().trim()));
    let Ok(text) = disk::read_private(&shared.join("config"), MAX_BYTES) else { return false };
    let meta = gix::config::file::Metadata::from(gix::config::Source::Local);
    let parsed = gix::config::File::from_bytes_no_includes(text.expose().as_bytes(), meta, Default::default());
    parsed.is_ok_and(|config| {
        config.string("extensions.objectFormat").is_some_and(|format| format.eq_ignore_ascii_case(b"sha256"))
    })
}
