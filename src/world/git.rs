//! What Git says of the work tree, for the manifest: shown to people, never compared.
#![allow(clippy::disallowed_types, reason = "this is the door")]

use std::io::{BufRead, BufReader, Read, Write};
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

/// A version of a file, and the commit that brought it.
#[derive(Clone, Debug)]
pub struct Version {
    /// The commit.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// Seconds since 1970.
    pub time: i64,
    /// The file, relative to the folder.
    pub path: String,
    /// The object that holds the content.
    pub blob: String,
}

/// Every version of every file below a folder, in all branches and tags, the oldest commit first. `None` without Git.
pub fn versions(folder: &Path) -> Option<Vec<Version>> {
    let log = ["log", "--all", "--reverse", "--raw", "--no-abbrev", "--no-renames", "-m", "-z", "--relative"];
    let output = git(folder, &[&log[..], &["--format=%x01%H%x02%an%x02%at%x02", "--", "."]].concat())?;
    let mut versions = Vec::new();
    for commit in output.split('\u{1}').skip(1) {
        let mut fields = commit.splitn(4, '\u{2}');
        let (Some(id), Some(author), Some(time), Some(files)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        // `:MODE MODE OLD NEW STATUS`, then the path; a NUL behind each.
        let mut parts = files.split('\0').map(str::trim).filter(|part| !part.is_empty());
        while let (Some(raw), Some(path)) = (parts.next(), parts.next()) {
            let mut words = raw.split(' ');
            let (Some(mode), Some(blob)) = (words.nth(1), words.nth(1)) else { continue };
            // Regular files that are there afterwards.
            if mode.starts_with("100") {
                versions.push(Version {
                    commit: id.to_owned(),
                    author: author.to_owned(),
                    time: time.parse().unwrap_or(0),
                    path: path.to_owned(),
                    blob: blob.to_owned(),
                });
            }
        }
    }
    Some(versions)
}

/// A version may have this many bytes; a larger one is passed over.
const MAX_VERSION: usize = 4 << 20;

/// Hands the text of each object to `each`; what is no text is passed over. `None` if Git fails.
pub fn contents(folder: &Path, blobs: &[&str], each: &mut dyn FnMut(&str, &str)) -> Option<()> {
    let mut child = command(folder, &["cat-file", "--batch", "--buffer"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let mut reader = BufReader::new(stdout);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A reader that went away is told by its end.
            let _ = blobs.iter().try_for_each(|blob| writeln!(stdin, "{blob}"));
        });
        let mut header = String::new();
        loop {
            header.clear();
            if reader.read_line(&mut header).ok()? == 0 {
                break;
            }
            // `ID TYPE SIZE`, then the content and a line break.
            let mut words = header.split_whitespace();
            let (Some(id), Some(kind), Some(size)) = (words.next(), words.next(), words.next()) else { continue };
            let size: usize = size.parse().ok()?;
            if kind != "blob" || size > MAX_VERSION {
                std::io::copy(&mut (&mut reader).take(size as u64 + 1), &mut std::io::sink()).ok()?;
                continue;
            }
            let mut content = vec![0; size + 1];
            reader.read_exact(&mut content).ok()?;
            content.pop();
            if let Ok(text) = String::from_utf8(content) {
                each(id, &text);
            }
        }
        Some(())
    })?;
    child.wait().ok()?.success().then_some(())
}

/// Whether the clone lacks the older part of its history, as those of CI systems mostly do.
pub fn is_shallow(folder: &Path) -> bool {
    git(folder, &["rev-parse", "--is-shallow-repository"]).is_some_and(|answer| answer.trim() == "true")
}

/// Sets a key of the clone's configuration. `None` if Git fails.
pub fn configure(folder: &Path, key: &str, value: &str) -> Option<()> {
    git(folder, &["config", "--local", key, value]).map(drop)
}

/// Runs Git so that nothing which a repository's own configuration names is executed.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(folder, arguments).stdin(Stdio::null()).output().ok()?;
    // A name in some other encoding must not hide what stands beside it.
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat"])
        .args(["-c", "log.showSignature=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stderr(Stdio::null());
    command
}
