//! A local folder as a target.
//!
//! `objects/HEX`, `manifests/HEX.json` (`.sig` beside it where it is signed), and for each environment `environments/ENV[+PROFILE]/head.json` with the
//! readable view `current/connections/ID.yaml` beside it. Files are for their owner alone: they are secrets, even
//! sealed. Nothing below the folder is reached through a link, whoever put it there. The head is swapped under a lock on `.lock` beside it,
//! which the kernel frees when its holder dies.
mod view;

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    Inventory, Stored, Swap, Target, TargetError, ViewFault, manifest_path, object_path, signature_path, stored,
};
use crate::bundle::manifest::{MAX_HEAD, MAX_MANIFEST};
use crate::bundle::object::MAX_OBJECT;
use crate::bundle::signature::MAX_SIGNATURE;
use crate::bundle::{Deployed, Digest, Head, Scope};
use crate::parallel;
use crate::world::beneath::{Access, Beneath, Folder, Lock, Obstacle, Typed};
use crate::world::{Kind, ReadError};

/// One environment in a folder.
pub struct Directory {
    /// The folder, for messages.
    shown: PathBuf,
    /// What lies beneath it.
    files: Beneath,
    /// `environments/ENV[+PROFILE]`.
    environment: String,
}

/// How often, and how long, a view is waited for that shows what was in force before.
const WAITS: usize = 20;
const WAIT: Duration = Duration::from_millis(50);

type Result<T> = std::result::Result<T, TargetError>;

impl Directory {
    /// The target in the folder `root`, which need not exist before the first apply. Links above it are the operator's; it
    /// is not one itself.
    pub fn new(root: impl Into<PathBuf>, scope: &Scope) -> Self {
        let root = root.into();
        Self { files: Beneath::strictly(&root), ..Self::within(Beneath::new(root), scope) }
    }

    /// The target in a folder that an environment's settings name, beneath the workspace.
    pub fn within(files: Beneath, scope: &Scope) -> Self {
        Self { shown: files.path(), files, environment: format!("environments/{}", scope.name()) }
    }

    /// The target in a folder that was typed; `shown` is how.
    pub fn typed(folder: &Typed, shown: &str, scope: &Scope) -> Self {
        match folder {
            Typed::Inside { .. } => Self { shown: shown.into(), ..Self::within(folder.folder(), scope) },
            Typed::Outside(path) => Self::new(path, scope),
        }
    }

    fn failed(&self, what: &str, path: &str, why: &dyn std::fmt::Display) -> TargetError {
        TargetError::Failed(format!("cannot {what} `{}`: {why}", self.shown.join(path).display()))
    }

    /// The same for what the disk says: a link, or a file where a folder belongs, was put there.
    fn refused(&self, what: &str, path: &str, error: &io::Error) -> TargetError {
        match error.get_ref().is_some_and(|inner| inner.is::<Obstacle>()) {
            true => self.damaged(path, &format!("can't be used: {error}")),
            false => self.failed(what, path, error),
        }
    }

    fn missing(&self, path: &str) -> TargetError {
        TargetError::Missing(format!("`{}` is missing", self.shown.join(path).display()))
    }

    fn damaged(&self, path: &str, why: &str) -> TargetError {
        TargetError::Integrity(format!("`{}` {why}", self.shown.join(path).display()))
    }

    /// Opens a folder, which is made where it is missing.
    fn folder(&self, folder: &str) -> Result<Folder> {
        self.files.make(folder, Access::Private).map_err(|error| self.refused("create", folder, &error))
    }

    /// Opens a folder; `None` where there is none.
    fn existing(&self, folder: &str) -> Result<Option<Folder>> {
        match self.files.folder(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map(Some).map_err(|error| self.refused("read", folder, &error)),
        }
    }

    /// The bytes of a file; `None` where there is none.
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        self.judged(path, self.files.read(path, limit))
    }

    fn judged(&self, path: &str, found: std::result::Result<Vec<u8>, ReadError>) -> Result<Option<Vec<u8>>> {
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadError::Missing) => Ok(None),
            Err(ReadError::NotAFile) => Err(match self.files.obstacle(path) {
                Some(obstacle) => self.refused("read", path, &obstacle.into()),
                None => self.damaged(path, "is no regular file"),
            }),
            Err(ReadError::TooLarge) => Err(self.damaged(path, "is larger than any that tieline writes")),
            Err(ReadError::Failed(why)) => Err(self.failed("read", path, &why)),
        }
    }

    /// The bytes of a file that is named by their digest.
    fn read_named(&self, path: &str, digest: &Digest, limit: usize) -> Result<Vec<u8>> {
        let bytes = self.read(path, limit)?.ok_or_else(|| self.missing(path))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(self.damaged(path, "was changed: its digest is not its name"))
        }
    }

    /// Writes a file of a folder that is named by the digest of its bytes, or of what it belongs to, unless it is there.
    fn put(&self, folder: &Folder, path: &str, bytes: &[u8], limit: usize) -> Result<()> {
        if bytes.len() > limit {
            let why = format!("it has {} bytes, {limit} are the most", bytes.len());
            return Err(self.failed("write", path, &why));
        }
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        match self.judged(path, folder.read(name, limit))? {
            Some(found) if found == bytes => Ok(()),
            Some(_) => Err(self.damaged(path, "was changed: its digest is not its name")),
            None => {
                let written = folder.replace(OsStr::new(name), bytes, Access::Private);
                written.map_err(|error| self.refused("write", path, &error))
            }
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.files.replace(path, bytes, Access::Private).map_err(|error| self.refused("write", path, &error))
    }

    /// Deletes a file. That it is gone already, with its folder too, is no error.
    fn remove(&self, path: &Path) -> Result<()> {
        match self.files.remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.refused("delete", &path.to_string_lossy(), &error))
            }
            _ => Ok(()),
        }
    }

    /// The environment's lock, if nobody holds it for longer than an apply does.
    fn lock_soon(&self) -> Option<Lock> {
        let folder = self.files.folder(&self.environment).ok()?;
        for _ in 0..WAITS {
            if let Some(lock) = folder.hold_now(".lock").ok()? {
                return Some(lock);
            }
            std::thread::sleep(WAIT);
        }
        None
    }

    /// Waits for the environment's lock, which the kernel frees when the file is closed, at the latest by our death.
    fn lock(&self) -> Result<Lock> {
        let path = format!("{}/.lock", self.environment);
        self.folder(&self.environment)?.hold(".lock").map_err(|error| match self.files.obstacle(&path) {
            Some(obstacle) => self.refused("lock", &path, &obstacle.into()),
            None => self.failed("lock", &path, &error),
        })
    }
}

impl Target for Directory {
    fn describe(&self) -> String {
        self.shown.display().to_string()
    }

    fn read_head(&self) -> Result<Option<Head>> {
        let bytes = self.read(&format!("{}/head.json", self.environment), MAX_HEAD)?;
        bytes.map(|bytes| Ok(Head::parse(&bytes)?)).transpose()
    }

    fn read_manifest(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.read_named(&manifest_path(digest), digest, MAX_MANIFEST)
    }

    fn read_signature(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        self.read(&signature_path(digest), MAX_SIGNATURE)
    }

    fn is_lost(&self, digest: &Digest) -> Result<bool> {
        let path = object_path(digest);
        match self.files.entry(&path) {
            Ok(entry) => Ok(entry.kind != Kind::File),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(self.refused("read", &path, &error)),
        }
    }

    fn read_object(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.read_named(&object_path(digest), digest, MAX_OBJECT)
    }

    fn put_objects(&self, objects: &[(&Digest, &[u8])], stored: &(dyn Fn() + Sync)) -> Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        let folder = self.folder("objects")?;
        parallel::try_each(objects, |(digest, bytes)| {
            self.put(&folder, &object_path(digest), bytes, MAX_OBJECT)?;
            stored();
            Ok(())
        })
    }

    fn put_manifest(&self, digest: &Digest, bytes: &[u8], signature: Option<&[u8]>) -> Result<()> {
        let folder = self.folder("manifests")?;
        if let Some(signature) = signature {
            self.put(&folder, &signature_path(digest), signature, MAX_SIGNATURE)?;
        }
        self.put(&folder, &manifest_path(digest), bytes, MAX_MANIFEST)
    }

    fn swap_head(&self, expected: Option<&Head>, new: &Head) -> Result<Swap> {
        let lock = self.lock()?;
        let found = self.read_head()?;
        if found.as_ref() != expected {
            return Ok(Swap::Lost { found });
        }
        self.write(&format!("{}/head.json", self.environment), &new.bytes()?)?;
        drop(lock);
        Ok(Swap::Done)
    }

    fn refresh_view(&self, deployed: &Deployed) -> Result<bool> {
        // Without the lock first: where nothing is to be done, the target may be read-only.
        let faults = self.faults(deployed);
        if faults.is_none() {
            return Ok(false);
        }
        let lock = self.lock()?;
        // An apply that came after ours shows what is newer, and none that came before is still at it.
        let ours = self.read_head()? == Some(deployed.head());
        if ours {
            self.repair(&faults)?;
        }
        drop(lock);
        Ok(ours)
    }

    fn view_faults(&self, deployed: &Deployed) -> Vec<ViewFault> {
        let mut faults = self.faults(deployed);
        if !faults.is_none() {
            faults = self.settled_faults(deployed);
        }
        for _ in 0..WAITS {
            if faults.is_none() || !self.shows_previous(&faults, deployed) {
                break;
            }
            // An apply writes the view after the head, or died between the two.
            std::thread::sleep(WAIT);
            faults = self.settled_faults(deployed);
        }
        match self.read_head() {
            Ok(Some(head)) if head == deployed.head() => faults.told(),
            _ => Vec::new(),
        }
    }

    fn inventory(&self) -> Result<Inventory> {
        let mut found = Inventory::default();
        for path in ["objects", "manifests"] {
            let Some(folder) = self.existing(path)? else { continue };
            for (name, _) in folder.entries().map_err(|error| self.failed("read", path, &error))? {
                let Ok(entry) = folder.entry(&name) else { continue };
                let path = format!("{path}/{}", name.to_string_lossy());
                let stored = || stored(&path, entry.size, entry.modified);
                found.stored.extend((entry.kind == Kind::File).then(stored).flatten());
            }
        }
        if let Some(folder) = self.existing("environments")? {
            for (name, kind) in folder.entries().map_err(|error| self.failed("read", "environments", &error))? {
                // A file that somebody put there is no environment; of a link nobody knows, and it is told below.
                if kind == Kind::File {
                    continue;
                }
                let name = name.to_string_lossy().into_owned();
                let path = format!("environments/{name}/head.json");
                if let Some(bytes) = self.read(&path, MAX_HEAD)? {
                    found.heads.push((name, Head::parse(&bytes)?));
                }
            }
        }
        found.heads.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    fn delete(&self, stored: &Stored) -> Result<()> {
        for path in stored.paths() {
            self.remove(Path::new(&path))?;
        }
        Ok(())
    }
}
