//! A local folder as a target.
//!
//! `objects/HEX`, `manifests/HEX.json` (`.sig` beside it where it is signed), and for each environment `environments/ENV[+PROFILE]/head.json` with the
//! readable view `current/connections/ID.yaml` beside it. Files are for their owner alone: they are secrets, even
//! sealed. Nothing below the folder is reached through a link. The head is swapped under a lock on `.lock` beside it,
//! which the kernel frees when its holder dies.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "targets write")]

mod view;

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Inventory, Stored, Swap, Target, TargetError, manifest_path, object_path, signature_path, stored};
use crate::bundle::manifest::{MAX_HEAD, MAX_MANIFEST};
use crate::bundle::object::MAX_OBJECT;
use crate::bundle::signature::MAX_SIGNATURE;
use crate::bundle::{Deployed, Digest, Head, Scope};
use crate::parallel;
use crate::world::disk::{Access, replace, sync_folder};
use crate::world::{ReadError, System, World};

/// One environment in a folder.
pub struct Directory {
    root: PathBuf,
    /// Reads below the root without following a link at the end of a path.
    files: System,
    /// `environments/ENV[+PROFILE]`.
    environment: String,
}

type Result<T> = std::result::Result<T, TargetError>;

impl Directory {
    /// The target in the folder `root`, which need not exist before the first apply.
    pub fn new(root: impl Into<PathBuf>, scope: &Scope) -> Self {
        let root = root.into();
        let environment = format!("environments/{}", scope.name());
        Self { files: System::new(&root), root, environment }
    }

    fn failed(&self, what: &str, path: &str, why: &dyn std::fmt::Display) -> TargetError {
        TargetError::Failed(format!("cannot {what} `{}`: {why}", self.root.join(path).display()))
    }

    fn damaged(&self, path: &str, why: &str) -> TargetError {
        TargetError::Integrity(format!("`{}` {why}", self.root.join(path).display()))
    }

    /// Sees to it that `folder` and all above it, up to the root, are folders and no links. Gives whether they exist;
    /// with `create`, they do afterwards.
    fn folder(&self, folder: &str, create: bool) -> Result<bool> {
        if create {
            // What is above the root is not ours: its links and permissions are the user's choice.
            if let Some(above) = self.root.parent() {
                fs::create_dir_all(above).map_err(|e| self.failed("create", "", &e))?;
            }
        }
        let mut path = self.root.clone();
        for segment in std::iter::once("").chain(folder.split('/').filter(|s| !s.is_empty())) {
            if matches!(segment, "." | "..") {
                return Err(self.failed("use", folder, &"it would lead elsewhere"));
            }
            if !segment.is_empty() {
                path.push(segment);
            }
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => {
                    return Err(TargetError::Integrity(format!(
                        "`{}` is not a folder, or is a link to one",
                        path.display()
                    )));
                }
                Err(error) if error.kind() == ErrorKind::NotFound && !create => return Ok(false),
                Err(error) if error.kind() == ErrorKind::NotFound => self.make(&path)?,
                Err(error) => return Err(self.failed("read", folder, &error)),
            }
        }
        Ok(true)
    }

    fn make(&self, path: &Path) -> Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = match builder.create(path) {
            // Another apply made it meanwhile; a link that took its place is found at the next step into it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        };
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        made.and_then(|()| sync_folder(above))
            .map_err(|error| TargetError::Failed(format!("cannot create `{}`: {error}", path.display())))
    }

    /// The bytes of a file; `None` where there is none.
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
        // Opening follows no link below the root; the folders are looked at one by one to say what is wrong, and where a
        // system has no such way of opening.
        if !self.folder(if cfg!(unix) { "" } else { folder }, false)? {
            return Ok(None);
        }
        let found = self.files.read(path, limit);
        if found.is_err() && !self.folder(folder, false)? {
            return Ok(None);
        }
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadError::Missing) => Ok(None),
            Err(ReadError::NotAFile) => Err(self.damaged(path, "is no regular file")),
            Err(ReadError::TooLarge) => Err(self.damaged(path, "is larger than any that tieline writes")),
            Err(ReadError::Failed(why)) => Err(self.failed("read", path, &why)),
        }
    }

    /// The bytes of a file that is named by their digest.
    fn read_named(&self, path: &str, digest: &Digest, limit: usize) -> Result<Vec<u8>> {
        let bytes = self.read(path, limit)?.ok_or_else(|| self.damaged(path, "is missing"))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(self.damaged(path, "was changed: its digest is not its name"))
        }
    }

    /// Writes a file that is named by the digest of its bytes, or of what it belongs to, unless it is there.
    fn put(&self, path: &str, bytes: &[u8], limit: usize) -> Result<()> {
        if bytes.len() > limit {
            let why = format!("it has {} bytes, {limit} are the most", bytes.len());
            return Err(self.failed("write", path, &why));
        }
        self.folder(path.rsplit_once('/').map_or("", |(folder, _)| folder), true)?;
        match self.read(path, limit)? {
            Some(found) if found == bytes => Ok(()),
            Some(_) => Err(self.damaged(path, "was changed: its digest is not its name")),
            None => self.write(path, bytes),
        }
    }

    /// What stands in a folder, links and all.
    fn entries(&self, folder: &str) -> Result<Vec<fs::DirEntry>> {
        let read = fs::read_dir(self.root.join(folder)).and_then(Iterator::collect);
        read.map_err(|error| self.failed("read", folder, &error))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        replace(&self.root.join(path), bytes, Access::Private).map_err(|error| self.failed("write", path, &error))
    }

    /// Waits for the environment's lock, which the kernel frees when the file is closed, at the latest by our death.
    fn lock(&self) -> Result<File> {
        self.folder(&self.environment, true)?;
        let path = format!("{}/.lock", self.environment);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use rustix::fs::OFlags;
            use std::os::unix::fs::OpenOptionsExt;
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            options.mode(0o600).custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
        }
        let file = options.open(self.root.join(&path)).map_err(|error| self.failed("open", &path, &error))?;
        file.lock().map_err(|error| self.failed("lock", &path, &error))?;
        Ok(file)
    }
}

impl Target for Directory {
    fn describe(&self) -> String {
        self.root.display().to_string()
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
        match fs::symlink_metadata(self.root.join(&path)) {
            Ok(metadata) => Ok(!metadata.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(self.failed("read", &path, &error)),
        }
    }

    fn read_object(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.read_named(&object_path(digest), digest, MAX_OBJECT)
    }

    fn put_objects(&self, objects: &[(&Digest, &[u8])], stored: &(dyn Fn() + Sync)) -> Result<()> {
        parallel::try_each(objects, |(digest, bytes)| {
            self.put(&object_path(digest), bytes, MAX_OBJECT)?;
            stored();
            Ok(())
        })
    }

    fn put_manifest(&self, digest: &Digest, bytes: &[u8], signature: Option<&[u8]>) -> Result<()> {
        if let Some(signature) = signature {
            self.put(&signature_path(digest), signature, MAX_SIGNATURE)?;
        }
        self.put(&manifest_path(digest), bytes, MAX_MANIFEST)
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

    fn inventory(&self) -> Result<Inventory> {
        let mut found = Inventory::default();
        for folder in ["objects", "manifests"] {
            if !self.folder(folder, false)? {
                continue;
            }
            for entry in self.entries(folder)? {
                let Ok(metadata) = entry.metadata() else { continue };
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                let written = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
                let written = written.map_or(i64::MAX, jiff::Timestamp::as_second);
                found.stored.extend(metadata.is_file().then(|| stored(&path, metadata.len(), written)).flatten());
            }
        }
        if self.folder("environments", false)? {
            for entry in self.entries("environments")? {
                // A file that somebody put there is no environment; of a link nobody knows, and it is told below.
                if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    continue;
                }
                let name = entry.file_name().to_string_lossy().into_owned();
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
            match fs::remove_file(self.root.join(&path)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.failed("delete", &path, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}
