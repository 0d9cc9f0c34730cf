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

/// Who changed a line last, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// The author's name; of a line that is not committed yet, `None`.
    pub author: Option<String>,
    /// Seconds since 1970.
    pub time: i64,
    /// The commit.
    pub commit: String,
}

/// The last change of each line of a file as it stands in the work tree. `None` without Git, or for a file that Git does not
/// know.
pub fn blame(folder: &Path, path: &str) -> Option<Vec<LastChange>> {
    let output =
        git(folder, &["-c", "blame.ignoreRevsFile=", "blame", "--no-textconv", "--line-porcelain", "--", path])?;
    let mut lines = Vec::new();
    let mut now = LastChange { author: None, time: 0, commit: String::new() };
    for line in output.lines() {
        if line.starts_with('\t') {
            let committed = !now.commit.bytes().all(|byte| byte == b'0');
            lines.push(LastChange { author: now.author.take().filter(|_| committed), ..now.clone() });
        } else if let Some(name) = line.strip_prefix("author ") {
            now.author = Some(name.to_owned());
        } else if let Some(time) = line.strip_prefix("author-time ") {
            now.time = time.parse().unwrap_or(0);
        } else if let Some(id) =
            line.split(' ').next().filter(|id| id.len() >= 40 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            now.commit = id.to_owned();
        }
    }
    Some(lines)
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
