//! The readable view of what is in force: `current/connections/ID.yaml`, real files, renamed in one by one after the head.

use std::path::{Path, PathBuf};

use super::{Directory, Result};
use crate::bundle::object::MAX_OBJECT;
use crate::bundle::{Deployed, Digest, Sealed};
use crate::parallel;
use crate::targets::{Target, ViewFault, previous};
use crate::world::Kind;
use crate::world::beneath::Walk;

/// What is not as it should be in a view.
pub(super) struct Faults {
    /// Paths whose files are missing or others, with the objects that belong there.
    wrong: Vec<Wrong>,
    /// Files that do not belong there.
    extra: Vec<PathBuf>,
}

/// A file of a view that is missing or another.
struct Wrong {
    path: String,
    instance: String,
    object: Digest,
}

impl Faults {
    /// Each file, to be told.
    pub(super) fn told(self) -> Vec<ViewFault> {
        let wrong = self.wrong.into_iter().map(|one| ViewFault { path: one.path, instance: Some(one.instance) });
        let extra = self.extra.iter().map(|path| path.to_string_lossy().into_owned());
        wrong.chain(extra.map(|path| ViewFault { path, instance: None })).collect()
    }

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
        let path = |id: &str| format!("{top}/connections/{id}.yaml");
        let all: Vec<_> = connections.map(|(id, sealed)| (path(id), id, sealed)).collect();
        let right = parallel::map(&all, |_, (path, _, sealed)| is_right(path, sealed));
        let wrong = all.into_iter().zip(right).filter(|(_, right)| !right);
        let wrong =
            wrong.map(|((path, id, sealed), _)| Wrong { path, instance: id.clone(), object: sealed.object.clone() });
        let wrong = wrong.collect();
        let files = self.shown_files().files.into_iter().map(|(path, _)| path);
        let extra = files.filter(|path| !is_view_of(deployed, path, Path::new(&top))).collect();
        Faults { wrong, extra }
    }

    /// The same while nobody writes the view, where the lock is to be had: not in a target that can only be read.
    pub(super) fn settled_faults(&self, deployed: &Deployed) -> Faults {
        let _lock = self.lock_soon();
        self.faults(deployed)
    }

    /// Whether all that is wrong in the view is as the manifest before says: then an apply may be at it.
    pub(super) fn shows_previous(&self, faults: &Faults, deployed: &Deployed) -> bool {
        let previous = previous(self, deployed).ok().flatten();
        let object = |id: &str| previous.as_ref()?.manifest.connections.get(id).map(|sealed| &sealed.object);
        let shown = |path: &str| self.read(path, MAX_OBJECT).unwrap_or(None).map(|bytes| Digest::of(&bytes));
        let top = self.view();
        let is_old = |path: &str| {
            let id = id_of(Path::new(path), Path::new(&top));
            shown(path).as_ref() == id.as_deref().and_then(object)
        };
        faults.wrong.iter().all(|wrong| is_old(&wrong.path))
            && faults.extra.iter().all(|path| is_old(&path.to_string_lossy()))
    }

    /// Puts the view right.
    pub(super) fn repair(&self, faults: &Faults) -> Result<()> {
        // First, for one may stand where a folder belongs.
        for path in &faults.extra {
            self.remove(path)?;
        }
        for Wrong { path, object, .. } in &faults.wrong {
            let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
            let bytes = self.read_object(object)?;
            self.clear_way(folder)?;
            self.folder(folder)?;
            self.write(path, &bytes)?;
        }
        for folder in self.shown_files().folders.iter().rev() {
            // Those that are not empty stay.
            let _ = self.files.remove_folder(folder);
        }
        Ok(())
    }

    /// Everything in the view. What can't be read is not there for those who read the view either.
    fn shown_files(&self) -> Walk {
        self.files.walk(self.view(), true).unwrap_or_default()
    }

    /// Deletes files and links that stand where the view wants a folder.
    fn clear_way(&self, folder: &str) -> Result<()> {
        let mut path = PathBuf::from(&self.environment);
        let below = folder.strip_prefix(&self.environment).unwrap_or("");
        for segment in below.split('/').filter(|s| !s.is_empty()) {
            path.push(segment);
            if self.files.entry(&path).is_ok_and(|entry| entry.kind != Kind::Folder) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }
}

fn is_view_of(deployed: &Deployed, path: &Path, top: &Path) -> bool {
    id_of(path, top).is_some_and(|id| deployed.manifest.connections.contains_key(&id))
}

/// The instance that a file of the view below `top` is of.
fn id_of(path: &Path, top: &Path) -> Option<String> {
    let below = path.strip_prefix(top.join("connections")).ok().and_then(Path::to_str);
    Some(below?.strip_suffix(".yaml")?.replace('\\', "/"))
}
