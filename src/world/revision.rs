//! A Git revision as a world: what the pipeline reads instead of the work tree.
//!
//! Objects are read as they are stored. No hook, filter, textconv or other program of the repository or its configuration
//! runs, nothing is fetched, and neither the work tree nor the index is looked at.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::RwLock;

use gix::ObjectId;
use gix::objs::tree::EntryKind;

use super::git::Repository;
use super::{Found, Kind, ReadError, World};

/// Folders nest at most this deep; a tree may name itself.
const MAX_DEPTH: usize = 64;
/// A folder has at most this many files below it: trees that share their parts may stand for more than exist.
const MAX_FILES: usize = 1_000_000;

/// Files of one history that are looked up.
const MAX_LOOKS: usize = 500_000;
/// Commits of one history that are looked at.
const MAX_COMMITS: usize = 200_000;

/// A workspace in a commit.
pub struct Revision {
    repository: Repository,
    /// The tree of the workspace's folder; `None` where the revision has no such folder.
    top: Option<ObjectId>,
    /// The commit.
    commit: String,
    /// What was listed: finding a file anew would read every folder above it again.
    known: RwLock<HashMap<String, (ObjectId, EntryKind)>>,
}

/// Two revisions as they were typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The older side.
    pub from: String,
    /// The newer one; `None` for the work tree.
    pub to: Option<String>,
    /// Compare with the last common ancestor of both.
    pub since_fork: bool,
}

impl Range {
    /// `REV`, `A..B`, or `A...B` (what B changed since it left A). A missing side is `HEAD`; of `A...` it is the work tree.
    pub fn parse(text: &str) -> Self {
        let side = |text: &str| if text.is_empty() { "HEAD".to_owned() } else { text.to_owned() };
        if let Some((from, to)) = text.split_once("...") {
            return Self { from: side(from), to: (!to.is_empty()).then(|| to.to_owned()), since_fork: true };
        }
        match text.split_once("..") {
            Some((from, to)) => Self { from: side(from), to: Some(side(to)), since_fork: false },
            None => Self { from: side(text), to: None, since_fork: false },
        }
    }
}

impl Revision {
    /// The revision of this name, in the repository that `workspace` lies in.
    ///
    /// # Errors
    /// There is no repository, or no such revision in it, in words for people.
    pub fn open(workspace: &Path, name: &str) -> Result<Self, String> {
        Self::at(workspace, name, None)
    }

    /// The last common ancestor of two revisions.
    ///
    /// # Errors
    /// As [`Revision::open`]; or they have none.
    pub fn fork_of(workspace: &Path, one: &str, other: &str) -> Result<Self, String> {
        Self::at(workspace, one, Some(other))
    }

    /// Each state in which commits from `HEAD` back have the files that `paths` names, newest first, and whether more than
    /// `most` of them have another workspace than those before, or there are more than 200,000.
    pub fn states(workspace: &Path, paths: &dyn Fn(&Self) -> Vec<String>, most: usize) -> (Vec<Self>, bool) {
        let (mut states, mut tops, mut seen) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut looks = MAX_LOOKS;
        let Ok(repository) = Repository::around(workspace) else { return (states, false) };
        let local = repository.local();
        let Some(walk) = local.head_id().ok().and_then(|head| local.rev_walk([head.detach()]).all().ok()) else {
            return (states, false);
        };
        for (count, commit) in walk.enumerate() {
            if count == MAX_COMMITS || tops.len() == most {
                return (states, true);
            }
            // Where the clone ends, so does the walk.
            let Some(commit) = commit.ok().and_then(|commit| local.find_commit(commit.id).ok()) else { break };
            let Ok(state) = Self::of(repository.clone(), &commit) else { continue };
            if !tops.insert(state.top) {
                continue;
            }
            let paths = paths(&state);
            if paths.len() > looks {
                return (states, true);
            }
            looks -= paths.len();
            if seen.insert(paths.iter().map(|path| state.object(path)).collect::<Vec<_>>()) {
                states.push(state);
            }
        }
        (states, false)
    }

    /// The names of the folders in a folder.
    pub fn folders(&self, path: &str) -> Vec<String> {
        let repository = self.repository.local();
        let tree = self.entry(&repository, path).and_then(|(id, _)| repository.find_tree(id).ok());
        let entries = tree.iter().flat_map(|tree| tree.iter()).filter_map(Result::ok);
        let folders = entries.filter(|entry| entry.mode().is_tree());
        folders.filter_map(|entry| std::str::from_utf8(entry.filename()).ok().map(str::to_owned)).collect()
    }

    /// Whether anything stands at a path.
    pub fn has(&self, path: &str) -> bool {
        self.object(path).is_some()
    }

    /// The id of what stands at a path, a file or a folder.
    fn object(&self, path: &str) -> Option<ObjectId> {
        Some(self.entry(&self.repository.local(), path)?.0)
    }

    fn at(workspace: &Path, name: &str, other: Option<&str>) -> Result<Self, String> {
        let repository = Repository::around(workspace)?;
        let local = repository.local();
        let commit = |name: &str| {
            let id =
                local.rev_parse_single(name).map_err(|_| format!("there is no revision `{name}` in this clone"))?;
            let object = id.object().map_err(|_| format!("the revision `{name}` is not in this clone"))?;
            object.peel_to_commit().map_err(|_| format!("`{name}` is no commit"))
        };
        let mut found = commit(name)?;
        if let Some(other) = other {
            let base = local.merge_base(found.id, commit(other)?.id).ok().flatten();
            let base = base.ok_or_else(|| format!("`{name}` and `{other}` have no common ancestor in this clone"))?;
            found = local.find_commit(base.detach()).map_err(|_| "their common ancestor is not in this clone")?;
        }
        let found = found.detach().id;
        Self::of(repository, &local.find_commit(found).map_err(|_| absent(name))?).map_err(|()| absent(name))
    }

    /// The workspace in a commit.
    fn of(repository: Repository, commit: &gix::Commit<'_>) -> Result<Self, ()> {
        let mut top = Some(commit.tree().map_err(|_| ())?);
        for segment in repository.below() {
            let entry = top.as_ref().and_then(|tree| tree.find_entry(segment.as_str())).map(|entry| entry.object_id());
            top = entry.and_then(|id| commit.repo.find_tree(id).ok());
        }
        let (top, commit) = (top.map(|tree| tree.id), commit.id.to_string());
        Ok(Self { repository, top, commit, known: RwLock::default() })
    }

    /// The commit's id.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// What stands at a path: its object and its kind.
    fn entry(&self, repository: &gix::Repository, path: &str) -> Option<(ObjectId, EntryKind)> {
        if let Some(known) = self.known.read().ok().and_then(|known| known.get(path).copied()) {
            return Some(known);
        }
        let mut at = (self.top?, EntryKind::Tree);
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            let tree = (at.1 == EntryKind::Tree).then(|| repository.find_tree(at.0).ok()).flatten()?;
            let entry = tree.find_entry(segment)?;
            at = (entry.object_id(), entry.mode().kind());
        }
        Some(at)
    }
}

fn absent(name: &str) -> String {
    format!("the files of `{name}` are not in this clone")
}

fn kind(of: EntryKind) -> Kind {
    match of {
        EntryKind::Blob | EntryKind::BlobExecutable => Kind::File,
        EntryKind::Link => Kind::Link,
        EntryKind::Commit | EntryKind::Tree => Kind::Other,
    }
}

/// Every file below a tree whose path is `path`.
fn walk(
    repository: &gix::Repository,
    tree: ObjectId,
    (path, utf8): (&str, bool),
    depth: usize,
    found: &mut Vec<(Found, (ObjectId, EntryKind))>,
) -> Result<(), ReadError> {
    let missing = |_| ReadError::Failed("the clone lacks files of this revision".to_owned());
    let tree = repository.find_tree(tree).map_err(missing)?;
    for entry in tree.iter() {
        let entry = entry.map_err(missing)?;
        let name = entry.filename();
        if name.starts_with(b".") {
            continue;
        }
        if depth == MAX_DEPTH || found.len() == MAX_FILES {
            return Err(ReadError::Failed("this revision has too many files".to_owned()));
        }
        let exact = utf8 && std::str::from_utf8(name).is_ok();
        let name = String::from_utf8_lossy(name);
        let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
        match entry.mode().kind() {
            EntryKind::Tree => walk(repository, entry.object_id(), (&path, exact), depth + 1, found)?,
            other => found.push((Found { path, utf8: exact, kind: kind(other) }, (entry.object_id(), other))),
        }
    }
    Ok(())
}

impl World for Revision {
    fn folders(&self) -> Vec<String> {
        Self::folders(self, "")
    }

    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let repository = self.repository.local();
        let mut found = Vec::new();
        match self.entry(&repository, folder) {
            None => {}
            Some((tree, EntryKind::Tree)) => walk(&repository, tree, (folder, true), 0, &mut found)?,
            Some(other) => found.push((Found { path: folder.to_owned(), utf8: true, kind: kind(other.1) }, other)),
        }
        if let Ok(mut known) = self.known.write() {
            known.extend(found.iter().map(|(file, entry)| (file.path.clone(), *entry)));
        }
        let mut found: Vec<Found> = found.into_iter().map(|(file, _)| file).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        let repository = self.repository.local();
        let (id, what) = self.entry(&repository, path).ok_or(ReadError::Missing)?;
        if kind(what) != Kind::File {
            return Err(ReadError::NotAFile);
        }
        let missing = |_| ReadError::Failed("the clone lacks this file of the revision".to_owned());
        // The size first, which costs no memory.
        if repository.find_header(id).map_err(missing)?.size() > limit as u64 {
            return Err(ReadError::TooLarge);
        }
        Ok(repository.find_object(id).map_err(missing)?.detach().data)
    }

    /// None: what a revision compiles to depends on nothing else.
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    #[allow(clippy::disallowed_methods, reason = "this is a door")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn a_range_is_read_as_git_reads_it() {
        let range = |from: &str, to: Option<&str>, since_fork| Range {
            from: from.to_owned(),
            to: to.map(str::to_owned),
            since_fork,
        };
        assert_eq!(Range::parse("main"), range("main", None, false));
        assert_eq!(Range::parse("a..b"), range("a", Some("b"), false));
        assert_eq!(Range::parse("a.."), range("a", Some("HEAD"), false));
        assert_eq!(Range::parse("origin/main..."), range("origin/main", None, true));
        assert_eq!(Range::parse("a...b"), range("a", Some("b"), true));
    }
}
