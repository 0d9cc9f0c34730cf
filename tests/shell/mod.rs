//! A person's shell: a home, a folder to work in, an environment with nothing else, and what was typed into a command.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{files, passed_over, root};

/// A home and a working folder that go away with the value.
pub(crate) struct Shell {
    temp: tempfile::TempDir,
    /// Where commands run.
    pub(crate) folder: PathBuf,
    variables: Vec<(String, String)>,
    path: Option<std::ffi::OsString>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Shell {
    /// An empty home and an empty folder.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("work");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(temp.path().join("home")).unwrap();
        Self { temp, folder, variables: Vec::new(), path: std::env::var_os("PATH") }
    }

    /// In a copy of an example, without an identity at hand.
    pub(crate) fn example(name: &str) -> Self {
        let mut shell = Self::new();
        let to = shell.folder.join(name);
        copy(&root().join("examples").join(name), &to);
        shell.folder = to;
        shell
    }

    /// The same with the example's identity at hand.
    pub(crate) fn with_demo_identity(self) -> Self {
        let file = self.folder.join("demo-identity.txt");
        self.with("SOPS_AGE_KEY_FILE", file.to_str().unwrap())
    }

    /// Another shell in the same folder, with a home of its own.
    pub(crate) fn again(&self) -> Self {
        let mut shell = Self::new();
        shell.folder.clone_from(&self.folder);
        shell
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(n, _)| n != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a folder in front of the path.
    pub(crate) fn with_path(mut self, folder: &Path) -> Self {
        let rest = self.path.take().unwrap_or_default();
        let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&rest));
        self.path = Some(std::env::join_paths(folders).unwrap());
        self
    }

    /// The folder that holds home and working folder.
    pub(crate) fn everything(&self) -> &Path {
        self.temp.path()
    }

    /// The home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.temp.path().join("home")
    }

    /// Where a new identity is put.
    pub(crate) fn keys(&self) -> PathBuf {
        self.home().join(".config/sops/age/keys.txt")
    }

    /// A command with the shell's environment, in its folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env_clear();
        command.env("HOME", self.home()).env("XDG_CONFIG_HOME", self.home().join(".config")).env("LANG", "C.UTF-8");
        command.envs(self.path.iter().map(|path| ("PATH", path)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs tieline.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// Runs tieline with something on its stdin.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(env!("CARGO_BIN_EXE_tieline"));
        feed(command.args(arguments), input)
    }

    /// Runs tieline, which must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "tieline {arguments:?}\n{ended:#?}");
        ended
    }

    /// The text of a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Writes a file, over another if need be.
    pub(crate) fn put(&self, path: &str, text: &str) {
        fs::write(self.folder.join(path), text).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
}

/// Runs a command to its end.
pub(crate) fn feed(command: &mut Command, input: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A command that wants no input may be gone before it was written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { stdout, stderr, status } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let code = status.code().expect("the process ended by itself, not by a signal");
    Ended { stdout: text(stdout), stderr: text(stderr), code }
}

/// Copies a folder, without what an apply left in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    for path in files(from).into_iter().filter(|path| !path.starts_with("dist/")) {
        let target = to.join(&path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(&path), target).unwrap();
    }
}

/// Every file below a folder with its bytes.
pub(crate) fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    files(folder).into_iter().map(|path| (path.clone(), fs::read(folder.join(path)).unwrap())).collect()
}

/// Stock sops: `$TIELINE_PEER_SOPS`, or `sops` on the path. Without one a test is passed over.
pub(crate) fn sops() -> Option<String> {
    let name = std::env::var("TIELINE_PEER_SOPS").unwrap_or_else(|_| "sops".to_owned());
    let found = Command::new(&name).args(["--version", "--disable-version-check"]).output().is_ok();
    if !found {
        passed_over("no sops program found");
    }
    found.then_some(name)
}
