//! Whether the files of the workspace are those of its commit.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::index::entry::stat::Options;
use gix::index::entry::{Flags, Stat};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::Repository;
use super::read::{self, Lack};
use super::tree::{Comparison, Enter, Entry, MAX_AGAIN, of_workspace};
use crate::parallel;
use crate::world::{System, World};

/// A file that may have been changed is compared up to this many bytes; a larger one counts as changed.
const MAX_BYTES: usize = 64 << 20;

/// The commit that is checked out, and whether the workspace differs from it. `None` outside of a repository, before the
/// first commit, and where the clone lacks the commit's files.
///
/// It differs ("dirty") if a file of the commit below `folder` is gone or has other content, or if one of `used` (the files
/// that the workspace was read from) is not in the commit. Contents are compared as they are, with no filter; only line
/// ends may be CRLF where the commit has LF, as Git writes them on Windows. Other files that the commit does not have,
/// ignored or not, and permissions play no part. A file whose size, times and inode are those that Git noted when it
/// compared it last is not read again.
pub fn commit<'p>(folder: &Path, used: impl Iterator<Item = &'p str>) -> Option<(String, bool)> {
    let repository = Repository::around(folder).ok()?;
    let local = repository.local();
    let head = local.head_id().ok()?.detach();
    let commit = read::commit(&local, head).ok()?;
    let files = files(&local, commit.tree, repository.below()).ok()?;
    let names: HashSet<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let added = used.into_iter().any(|path| !names.contains(path));
    let dirty = added || changed(folder, &files, &Noted::of(&local, repository.below()));
    Some((head.to_string(), dirty))
}

/// Every file of a commit below the workspace's folder.
fn files(local: &gix::Repository, tree: ObjectId, below: &[String]) -> Result<Vec<(String, Entry)>, Lack> {
    let mut files = Vec::new();
    let top = of_workspace(local, tree, below)?;
    let everything = |_: &str| Enter::Always;
    Comparison::new(local, &everything, &mut { MAX_AGAIN }).run(None, top, &mut |path, _, entry| {
        files.extend(entry.map(|entry| (path.to_owned(), entry)));
    })?;
    Ok(files)
}

fn changed(folder: &Path, files: &[(String, Entry)], noted: &Noted) -> bool {
    let world = System::new(folder);
    parallel::try_each(files, |(path, entry)| match is_same(folder, &world, path, *entry, noted) {
        true => Ok(()),
        false => Err(()),
    })
    .is_err()
}

fn is_same(folder: &Path, world: &System, path: &str, entry: Entry, noted: &Noted) -> bool {
    match entry.kind {
        // The commit of a submodule: no file.
        EntryKind::Commit | EntryKind::Tree => return true,
        EntryKind::Link => {
            return link(&folder.join(path)).is_some_and(|text| hash(&entry.id, &text) == Some(entry.id));
        }
        EntryKind::Blob | EntryKind::BlobExecutable => {}
    }
    match noted.says(&folder.join(path), path, entry.id) {
        Some(same) => same,
        None => world.read(path, MAX_BYTES).is_ok_and(|bytes| {
            hash(&entry.id, &bytes) == Some(entry.id) || hash(&entry.id, &without_cr(&bytes)) == Some(entry.id)
        }),
    }
}

/// The id that this content has as a file of a repository with ids like `like`.
fn hash(like: &ObjectId, bytes: &[u8]) -> Option<ObjectId> {
    gix::objs::compute_hash(like.kind(), Kind::Blob, bytes).ok()
}

/// The same with LF for CRLF.
fn without_cr(bytes: &[u8]) -> Vec<u8> {
    let next = bytes.iter().skip(1).map(Some).chain([None]);
    bytes
        .iter()
        .zip(next)
        .filter(|(byte, next)| (**byte, *next) != (b'\r', Some(&b'\n')))
        .map(|(byte, _)| *byte)
        .collect()
}

/// What a link says.
#[allow(clippy::disallowed_methods, reason = "this is the door")]
fn link(path: &Path) -> Option<Vec<u8>> {
    let target = std::fs::read_link(path).ok()?;
    Some(target.into_os_string().into_encoded_bytes())
}

/// What Git noted in its index when it looked at the files last.
#[derive(Default)]
struct Noted(HashMap<String, Note>);

/// Of one file.
struct Note {
    /// The content.
    id: ObjectId,
    stat: Stat,
    flags: Flags,
    /// It was looked at in the second in which it was changed, and may have been changed since.
    racy: bool,
}

impl Noted {
    /// Of the files below the workspace's folder. Nothing where the index can't be read: every file is compared then.
    fn of(local: &gix::Repository, below: &[String]) -> Self {
        let Ok(index) = local.open_index() else { return Self::default() };
        let before: String = below.iter().map(|name| format!("{name}/")).collect();
        let own = index.entries().iter().filter(|entry| entry.stage_raw() == 0).filter_map(|entry| {
            let path = std::str::from_utf8(entry.path(&index)).ok()?.strip_prefix(&before)?;
            let racy = entry.stat.is_racy(index.timestamp(), Options::default());
            Some((path.to_owned(), Note { id: entry.id, stat: entry.stat, flags: entry.flags, racy }))
        });
        Self(own.collect())
    }

    /// Whether the file at `full` has the content `id`, as far as that shows without reading it.
    fn says(&self, full: &Path, path: &str, id: ObjectId) -> Option<bool> {
        let note = self.0.get(path).filter(|note| note.id == id)?;
        let Ok(now) = gix::index::fs::Metadata::from_path_no_follow(full) else {
            // A sparse checkout leaves files out.
            return Some(note.flags.contains(Flags::SKIP_WORKTREE));
        };
        let same = now.is_file() && Stat::from_fs(&now).is_ok_and(|now| note.stat.matches(&now, Options::default()));
        (same && !note.racy).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::without_cr;

    #[test]
    fn only_a_cr_before_a_line_feed_goes() {
        assert_eq!(without_cr(b"a\r\nb\rc\r\n\r"), b"a\nb\rc\n\r");
        assert_eq!(without_cr(b""), b"");
    }
}
