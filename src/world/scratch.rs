//! A file for an editor, in memory: never on a disk, and gone when we are.
#![allow(clippy::disallowed_methods, reason = "this is the door")]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::child::{Environment, Start};
use super::disk::read_private;
use super::{ReadError, World};
use crate::secret::Secret;

/// A folder that only the owner may enter, on storage that is memory, with one file in it.
///
/// A guard process waits for this one to end, however it ends (killed too), and then removes the folder. So swap files and
/// backups that an editor leaves beside the file go with it.
pub struct Scratch {
    folder: PathBuf,
    file: PathBuf,
    guard: Child,
}

impl Scratch {
    /// Makes the file.
    ///
    /// # Errors
    /// There is no memory-backed storage, or the operating system's.
    pub fn new(world: &dyn World, name: &str, text: &Secret<String>) -> io::Result<Self> {
        let places = [world.variable("XDG_RUNTIME_DIR").map(PathBuf::from), Some(PathBuf::from("/dev/shm"))];
        let place = places.into_iter().flatten().find(|place| in_memory(place)).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::Unsupported,
                "no memory-backed storage: neither XDG_RUNTIME_DIR nor /dev/shm is a tmpfs",
            )
        })?;
        let mut builder = tempfile::Builder::new();
        builder.prefix("tieline-").rand_bytes(12);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o700));
        }
        let folder = builder.tempdir_in(place)?.keep();
        let guard = guard(&folder).inspect_err(|_| _ = fs::remove_dir_all(&folder))?;
        let scratch = Self { file: folder.join(name), folder, guard };
        super::disk::create(&scratch.file, text.expose().as_bytes(), super::disk::Access::Private)?;
        Ok(scratch)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// What it holds now.
    ///
    /// # Errors
    /// It is gone, or has more than `limit` bytes.
    pub fn read(&self, limit: usize) -> Result<Secret<String>, ReadError> {
        read_private(&self.file, limit)
    }

    /// Runs an editor on it, and waits.
    ///
    /// # Errors
    /// It can't be run, or ends with a failure.
    pub fn open_in(&self, editor: &[String]) -> Result<(), String> {
        let Some((program, arguments)) = editor.split_first() else { return Err("there is no editor".to_owned()) };
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).chain([self.file.as_os_str()]).collect();
        let start = Start {
            program: OsStr::new(program),
            arguments: &arguments,
            environment: Environment::Operator(&[]),
            folder: None,
            pipes: (Stdio::inherit(), Stdio::inherit(), Stdio::inherit()),
            apart: false,
        };
        match start.now().and_then(|mut child| child.wait()) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{program}` ended with {status}")),
            Err(error) => Err(format!("`{program}` can't be run: {}", error.kind())),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A shell that removes the folder once its standard input closes, and that no signal for us reaches.
fn guard(folder: &Path) -> io::Result<Child> {
    let script = "trap '' INT TERM HUP; cat >/dev/null; rm -rf -- \"$1\"";
    let start = Start {
        program: OsStr::new("/bin/sh"),
        arguments: &[OsStr::new("-c"), OsStr::new(script), OsStr::new("sh"), folder.as_os_str()],
        environment: Environment::Bare,
        folder: None,
        pipes: (Stdio::piped(), Stdio::null(), Stdio::null()),
        apart: true,
    };
    start.now()
}

#[cfg(target_os = "linux")]
fn in_memory(place: &Path) -> bool {
    // From <linux/magic.h>: tmpfs, ramfs.
    rustix::fs::statfs(place).is_ok_and(|fs| matches!(fs.f_type as u64 & 0xffff_ffff, 0x0102_1994 | 0x8584_58f6))
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_file_is_the_owners_alone_and_goes_with_the_value() {
        let text = Secret::new("kelp".to_owned());
        let scratch = Scratch::new(&super::super::System::new("."), "a.yaml", &text).unwrap();
        let (folder, file) = (scratch.folder.clone(), scratch.path().to_owned());
        assert_eq!(scratch.read(10).unwrap().expose(), "kelp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        }
        // What an editor leaves beside it goes too.
        fs::write(folder.join(".a.yaml.swp"), "x").unwrap();
        drop(scratch);
        assert!(!folder.exists());
    }
}
