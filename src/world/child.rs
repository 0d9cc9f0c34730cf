//! The one place where a program is started.
//!
//! What a child inherits is said by whoever starts it. A program that the operator named (an editor, a command that gives a
//! key, a plugin of an identity, `op`, `az`) gets the operator's environment without the variables that hold secrets of
//! ours: it needs its own settings and logins, and nothing of what we open. A program that a repository can cause to start
//! (the plugin of a recipient) and our own helpers get nothing but `PATH`. A value that was opened is never an argument or a
//! variable of a child.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is the door")]

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The variables of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment<'a> {
    /// `PATH` alone, by which programs are found.
    Bare,
    /// The operator's, without our secrets, and with these.
    Operator(&'a [(&'a str, &'a str)]),
}

/// A program that is to start.
pub struct Start<'a> {
    /// The program, found like a shell finds it.
    pub program: &'a OsStr,
    /// Its arguments; no shell is in between.
    pub arguments: &'a [&'a OsStr],
    /// Its variables.
    pub environment: Environment<'a>,
    /// The folder that it works in; `None` for ours.
    pub folder: Option<&'a Path>,
    /// Its standard input, output and error.
    pub pipes: (Stdio, Stdio, Stdio),
    /// Whether signals for us, from a terminal, pass it by.
    pub apart: bool,
}

impl Start<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn now(self) -> io::Result<Child> {
        let mut command = Command::new(self.program);
        command.args(self.arguments).env_clear();
        match self.environment {
            Environment::Bare => command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))),
            Environment::Operator(more) => {
                let allowed = std::env::var("TIELINE_SECRETS_ALLOW").unwrap_or_default();
                let kept = |(name, _): &(OsString, OsString)| !is_secret(&name.to_string_lossy(), &allowed);
                command.envs(std::env::vars_os().filter(kept)).envs(more.iter().copied())
            }
        };
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        #[cfg(unix)]
        if self.apart {
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let (stdin, stdout, stderr) = self.pipes;
        command.stdin(stdin).stdout(stdout).stderr(stderr).spawn()
    }
}

/// Variables that hold a secret which is ours, and that no other program has a use for: an identity, the values of `env:`
/// addresses (those that the operator allows by name, `TIELINE_SECRETS_ALLOW`, among them), the password of a registry.
///
/// Logins of other programs (`VAULT_TOKEN`, `AWS_…`, `OP_…`) are not among them: a command that gives a key may need them.
fn is_secret(name: &str, allowed: &str) -> bool {
    let globs = allowed.split([' ', ',', '\n', '\t']).filter_map(|word| word.strip_prefix("env:"));
    // `env:*` says nothing about which variables are secrets.
    let mut named = globs.filter(|glob| !glob.starts_with('*')).map(|glob| fits(glob, name));
    name == "SOPS_AGE_KEY"
        || name == "TIELINE_REGISTRY_PASSWORD"
        || name.starts_with("TIELINE_SECRET_")
        || named.any(|fits| fits)
}

/// Whether a name is one of a pattern, in which `*` is any text.
fn fits(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((before, rest)) => {
            let Some(after) = name.strip_prefix(before) else { return false };
            (0..=after.len()).any(|at| after.get(at..).is_some_and(|after| fits(rest, after)))
        }
    }
}

/// A program of the operator's `PATH`; entries that are not absolute are passed over, as they lead to wherever we stand.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = [program.to_owned(), format!("{program}{}", std::env::consts::EXE_SUFFIX)];
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn what_is_a_secret_of_ours_goes_to_no_child() {
        for name in ["SOPS_AGE_KEY", "TIELINE_SECRET_A", "TIELINE_REGISTRY_PASSWORD", "DEPLOY_TOKEN", "A_B_C"] {
            assert!(is_secret(name, "vault://x env:DEPLOY_*,env:A*B*C"), "{name}");
        }
        for name in ["PATH", "HOME", "SOPS_AGE_KEY_FILE", "TIELINE_SECRETS_ALLOW", "OP_SESSION", "XDEPLOY_A", "A_C"] {
            assert!(!is_secret(name, "vault://x env:DEPLOY_*,env:A*B*C env:*"), "{name}");
        }
    }
}
