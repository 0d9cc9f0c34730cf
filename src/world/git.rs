//! What Git says of the work tree, for the manifest: shown to people, never compared.
#![allow(clippy::disallowed_types, reason = "this is the door")]

use std::path::Path;
use std::process::{Command, Stdio};

/// The commit that is checked out, and whether files below `folder` differ from it. `None` without Git, outside of a
/// repository, or before the first commit.
pub fn commit(folder: &Path) -> Option<(String, bool)> {
    let id = git(folder, &["rev-parse", "--verify", "HEAD"])?;
    let changed = git(folder, &["status", "--porcelain", "--", "."])?;
    Some((id.trim().to_owned(), !changed.is_empty()))
}

/// Runs Git so that nothing which a repository's own configuration names is executed.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}
