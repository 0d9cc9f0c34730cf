//! The readable view of what is in force: `current/connections/ID.yaml`, real files, renamed in one by one after the head.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{Directory, Result};
use crate::bundle::object::MAX_OBJECT;
use crate::bundle::{Deployed, Digest, Sealed};
use crate::parallel;
use crate::targets::{Target, TargetError};

/// What is not as it should be in a view.
pub(super) struct Faults {
    /// Paths whose files are missing or others, with the objects that belong there.
    wrong: Vec<(String, Digest)>,
    /// Files that do not belong there.
    extra: Vec<PathBuf>,
    /// The view's folder.
    top: PathBuf,
}

impl Faults {
    /// Whether all is as it should be.
    pub(super) fn is_none(&self) -> bool {
        self.wrong.is_empty() && self.extra.is_empty()
    }
}

impl Directory {
    fn view(&self) -> String {
        format!("{}/current", self.environment)
    }

    /// Compares the view with what is deployed.
    pub(super) fn faults(&self, deployed: &Deployed) -> Faults {
        let top = self.view();
        // Whatever keeps a file from being read is repaired like one that is another.
        let is_right = |path: &str, sealed: &Sealed| {
            let found = self.read(path, MAX_OBJECT).unwrap_or(None);
            found.is_some_and(|bytes| Digest::of(&bytes) == sealed.object)
        };
        let connections = deployed.manifest.connections.iter();
        let all: Vec<_> = connections.map(|(id, sealed)| (format!("{top}/connections/{id}.yaml"), sealed)).collect();
        let right = parallel::map(&all, |_, (path, sealed)| is_right(path, sealed));
        let wrong = all.into_iter().zip(right).filter(|(_, right)| !right);
        let wrong = wrong.map(|((path, sealed), _)| (path, sealed.object.clone())).collect();
        let top = self.root.join(top);
        let files = walk(&top).filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path);
        let extra = files.filter(|path| !is_view_of(deployed, path, &top)).collect();
        Faults { wrong, extra, top }
    }

    /// Puts the view right.
    pub(super) fn repair(&self, faults: &Faults) -> Result<()> {
        // First, for one may stand where a folder belongs.
        for path in &faults.extra {
            delete(path)?;
        }
        for (path, object) in &faults.wrong {
            let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
            let bytes = self.read_object(object)?;
            self.clear_way(folder)?;
            self.folder(folder, true)?;
            self.write(path, &bytes)?;
        }
        for folder in walk(&faults.top).filter(|entry| entry.file_type().is_dir()) {
            // Those that are not empty stay.
            let _ = fs::remove_dir(folder.path());
        }
        Ok(())
    }

    /// Deletes files and links that stand where the view wants a folder.
    fn clear_way(&self, folder: &str) -> Result<()> {
        let mut path = self.root.join(&self.environment);
        let below = folder.strip_prefix(&self.environment).unwrap_or("");
        for segment in below.split('/').filter(|s| !s.is_empty()) {
            path.push(segment);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_dir()) {
                delete(&path)?;
            }
        }
        Ok(())
    }
}

/// Everything below a folder, what stands in a folder before the folder itself.
fn walk(top: &Path) -> impl Iterator<Item = walkdir::DirEntry> {
    WalkDir::new(top)
        .min_depth(1)
        .follow_root_links(false)
        .contents_first(true)
        .into_iter()
        .filter_map(std::result::Result::ok)
}

fn is_view_of(deployed: &Deployed, path: &Path, top: &Path) -> bool {
    let below = path.strip_prefix(top.join("connections")).ok().and_then(Path::to_str);
    let id = below.and_then(|below| below.strip_suffix(".yaml")).map(|id| id.replace('\\', "/"));
    id.is_some_and(|id| deployed.manifest.connections.contains_key(&id))
}

/// Deletes a file. That it is gone already, with a folder that was one's way, is no error.
fn delete(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TargetError::Failed(format!("cannot delete `{}`: {error}", path.display())))
        }
        _ => Ok(()),
    }
}
