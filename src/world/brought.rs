//! The commits that brought a file's present content to the branch that is checked out, and their signatures; and all
//! versions that the file had before.
//!
//! Objects are read as they are stored; no program runs, and nothing is fetched.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::objs::tree::EntryKind;

use super::git::Repository;

/// A history may be this long; a file that came before counts as unknown.
const MAX_COMMITS: usize = 200_000;
/// A version may have this many bytes; a larger one is another.
const MAX_BYTES: u64 = 64 << 20;

/// All versions of a file may have this many bytes.
const MAX_ALL_BYTES: u64 = 256 << 20;

/// A commit that brought something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Its id.
    pub commit: String,
    /// Its author's name: a claim, unless it is signed.
    pub author: String,
    /// When it was committed, in seconds since 1970: a claim too.
    pub time: i64,
    /// Its signature, if it has one.
    pub signature: Option<Signature>,
}

/// The signature of a commit, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// As it stands in the commit, armored.
    pub armored: Vec<u8>,
    /// The bytes that it is of: the commit without it.
    pub payload: Vec<u8>,
}

/// The commit from which on every version of `file` in the checked-out branch is `same`: the one whose parents have other
/// versions, or none. Behind it, in their order, the merges that went back to the version.
///
/// Where a merge takes a version from one side, that side's commit brought it; unless the other side had that version already
/// and left it: then the merge brought it as well. Any of these may be a stranger's, whoever made the others.
///
/// `None` outside of a repository, where the checked-out commit has no such version, or where the clone lacks the history
/// that would tell.
pub fn brought(file: &Path, same: &dyn Fn(&str) -> bool) -> Option<Vec<Brought>> {
    let opened = Repository::around(file.parent()?).ok()?;
    let name = file.file_name()?.to_str()?;
    let below: Vec<&str> = opened.below().iter().map(String::as_str).chain([name]).collect();
    let repository = opened.local();
    let mut versions = Versions { repository: &repository, path: &below, same, known: HashMap::new() };
    let mut at = repository.head_id().ok()?.detach();
    if !versions.has(at)? {
        return None;
    }
    let mut merges: Vec<(ObjectId, Vec<ObjectId>)> = Vec::new();
    for count in 0.. {
        let parents: Vec<ObjectId> =
            repository.find_commit(at).ok()?.parent_ids().map(|parent| parent.detach()).collect();
        let having = parents.iter().map(|parent| versions.has(*parent)).collect::<Option<Vec<bool>>>()?;
        let Some(next) = having.iter().position(|has| *has) else { break };
        let others: Vec<ObjectId> = parents.iter().zip(&having).filter(|(_, has)| !**has).map(|(id, _)| *id).collect();
        if !others.is_empty() {
            merges.push((at, others));
        }
        at = parents[next];
        if count == MAX_COMMITS {
            return None;
        }
    }
    let left = versions.left(merges.iter().flat_map(|(_, others)| others.clone()).collect());
    // What can't be told counts as yes.
    let went_back = |others: &[ObjectId]| left.as_ref().is_none_or(|left| others.iter().any(|id| left.contains(id)));
    let merges = merges.iter().rev().filter(|(_, others)| went_back(others)).map(|(merge, _)| *merge);
    std::iter::once(at).chain(merges).map(|id| described(&repository.find_commit(id).ok()?)).collect()
}

/// A version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its text.
    pub text: String,
    /// The versions that it came after, by their places in the list.
    pub after: Vec<usize>,
}

/// Every version of `file` that the checked-out commit or one before it has, each once; what is not text is left out.
///
/// `None` outside of a repository, where nothing is committed, where the clone lacks a part of the history, or where there is
/// more than is looked at.
pub fn versions(file: &Path) -> Option<Vec<Former>> {
    let opened = Repository::around(file.parent()?).ok()?;
    let name = file.file_name()?.to_str()?;
    let below: Vec<&str> = opened.below().iter().map(String::as_str).chain([name]).collect();
    let repository = opened.local();
    if repository.is_shallow().unwrap_or(true) {
        return None;
    }
    let of = Versions { repository: &repository, path: &below, same: &|_| false, known: HashMap::new() };
    let mut blobs: HashMap<ObjectId, Option<ObjectId>> = HashMap::new();
    let mut blob = |commit: ObjectId| -> Option<Option<ObjectId>> {
        if let Some(known) = blobs.get(&commit) {
            return Some(*known);
        }
        let found = of.blob(commit)?;
        blobs.insert(commit, found);
        Some(found)
    };
    let (mut places, mut after, mut versions, mut bytes) = (HashMap::new(), BTreeSet::new(), Vec::new(), 0);
    for (count, commit) in repository.rev_walk([repository.head_id().ok()?.detach()]).all().ok()?.enumerate() {
        let commit = commit.ok()?;
        if count == MAX_COMMITS {
            return None;
        }
        let Some(own) = blob(commit.id)? else { continue };
        if let Entry::Vacant(place) = places.entry(own) {
            bytes += repository.find_header(own).ok()?.size();
            if bytes > MAX_ALL_BYTES {
                return None;
            }
            let text = String::from_utf8(repository.find_object(own).ok()?.detach().data).unwrap_or_default();
            place.insert(versions.len());
            versions.push(Former { text, after: Vec::new() });
        }
        for parent in commit.parent_ids() {
            after.extend(blob(parent.detach())?.filter(|parent| *parent != own).map(|parent| (own, parent)));
        }
    }
    for (own, parent) in after {
        if let (Some(own), Some(parent)) = (places.get(&own), places.get(&parent)) {
            versions[*own].after.push(*parent);
        }
    }
    Some(versions)
}

fn described(commit: &gix::Commit<'_>) -> Option<Brought> {
    let author = commit.author().ok()?;
    let signature = commit
        .signature()
        .ok()?
        .map(|(armored, payload)| Signature { armored: armored.to_vec(), payload: payload.to_bstring().to_vec() });
    Some(Brought {
        commit: commit.id.to_string(),
        author: author.name.to_string(),
        time: commit.time().ok()?.seconds,
        signature,
    })
}

/// The versions of one file.
struct Versions<'v> {
    repository: &'v gix::Repository,
    /// The file's way from the root of the repository.
    path: &'v [&'v str],
    same: &'v dyn Fn(&str) -> bool,
    /// What was found of each blob.
    known: HashMap<ObjectId, bool>,
}

impl Versions<'_> {
    /// The commits, of all from `tips` back, that come after one that has the version. Which one doesn't matter: the same
    /// version may have come in twice, as where a branch was squashed.
    fn left(&mut self, tips: Vec<ObjectId>) -> Option<HashSet<ObjectId>> {
        if tips.is_empty() {
            return Some(HashSet::new());
        }
        let mut children: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
        let mut open = Vec::new();
        for (count, commit) in self.repository.rev_walk(tips).all().ok()?.enumerate() {
            let commit = commit.ok()?;
            if count == MAX_COMMITS {
                return None;
            }
            if self.has(commit.id)? {
                open.push(commit.id);
            }
            for parent in commit.parent_ids() {
                children.entry(parent.detach()).or_default().push(commit.id);
            }
        }
        let mut left = HashSet::new();
        while let Some(id) = open.pop() {
            open.extend(children.remove(&id).into_iter().flatten().filter(|child| left.insert(*child)));
        }
        Some(left)
    }

    /// The file as a commit has it; the outer `None` where the clone lacks the commit.
    fn blob(&self, commit: ObjectId) -> Option<Option<ObjectId>> {
        let mut tree = self.repository.find_commit(commit).ok()?.tree().ok()?;
        let Some((name, folders)) = self.path.split_last() else { return Some(None) };
        for folder in folders {
            let Some(entry) = tree.find_entry(*folder) else { return Some(None) };
            let (id, kind) = (entry.object_id(), entry.mode().kind());
            if kind != EntryKind::Tree {
                return Some(None);
            }
            tree = self.repository.find_tree(id).ok()?;
        }
        let entry = tree.find_entry(*name);
        let file = entry.filter(|entry| matches!(entry.mode().kind(), EntryKind::Blob | EntryKind::BlobExecutable));
        Some(file.map(|entry| entry.object_id()))
    }

    /// Whether a commit has a version that is the same; `None` where the clone lacks the commit.
    fn has(&mut self, commit: ObjectId) -> Option<bool> {
        let Some(blob) = self.blob(commit)? else { return Some(false) };
        if let Some(known) = self.known.get(&blob) {
            return Some(*known);
        }
        let small = self.repository.find_header(blob).ok()?.size() <= MAX_BYTES;
        let text = if small { Some(self.repository.find_object(blob).ok()?.detach().data) } else { None };
        let has = text.is_some_and(|text| std::str::from_utf8(&text).is_ok_and(self.same));
        self.known.insert(blob, has);
        Some(has)
    }
}
