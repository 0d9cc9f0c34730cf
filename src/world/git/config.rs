//! A setting of this clone.

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
