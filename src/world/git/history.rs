//! Every version of every file, from all branches and tags: linear in what changed, as folders that no commit touched are
//! not entered.

use std::collections::HashMap;
use std::path::Path;

use gix::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::Repository;
use super::read::{self, Commit, Lack};
use super::tree::{Comparison, Enter, Entry, MAX_AGAIN, find, of_workspace};
use crate::parallel;
use crate::world::disk;

/// A history may have this many commits.
const MAX_COMMITS: usize = 5_000_000;

/// A version may have this many bytes; a larger one is passed over.
const MAX_VERSION: u64 = 4 << 20;

/// So many objects are read through one handle, whose caches they share.
const PIECE: usize = 64;

/// A version of a file, and the commit that brought it.
#[derive(Clone, Debug)]
pub struct Version {
    /// The commit.
    pub commit: String,
    /// Its author's name, with whatever characters it was given.
    pub author: String,
    /// Seconds since 1970.
    pub time: i64,
    /// The file, relative to the folder.
    pub path: String,
    /// The object that holds the content.
    pub blob: String,
}

/// A commit that was not looked at: it has too many folders, or a part of it can't be read.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The commit.
    pub commit: String,
    /// Its author's name, with whatever characters it was given.
    pub author: String,
    /// Seconds since 1970.
    pub time: i64,
}

/// What was found in a history.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The versions, those of the oldest commit first.
    pub versions: Vec<Version>,
    /// Commits that were passed over.
    pub skipped: Vec<Skipped>,
}

/// A commit of the history.
struct Node {
    id: ObjectId,
    /// The tree of the workspace's folder.
    tree: Result<Option<ObjectId>, Lack>,
    /// The commits that it was made of.
    parents: Vec<ObjectId>,
    committed: i64,
}

/// Every version of the regular files below a folder that are `wanted` by their path, in all branches and tags, the oldest
/// commit first. A version is told of the commit that brought it: none of that commit's parents has it at this path. `enter`
/// says of a folder whether it is entered; what stands in several that are the same is told of once.
///
/// # Errors
/// There is no repository or commit, or this clone lacks a part of its history, in words that say which.
pub fn versions(
    folder: &Path,
    enter: &dyn Fn(&str) -> Enter,
    wanted: &(dyn Fn(&str) -> bool + Sync),
) -> Result<History, String> {
    let repository = Repository::around(folder)?;
    let local = repository.local();
    let told = |lack: Lack| lack.to_string();
    let nodes = walk(&local, tips(&local)?, repository.below()).map_err(told)?;
    if nodes.is_empty() {
        return Err("the Git repository has no commit yet".to_owned());
    }
    let trees: HashMap<ObjectId, Option<ObjectId>> =
        nodes.iter().map(|node| (node.id, node.tree.ok().flatten())).collect();
    let mut history = History::default();
    for node in &nodes {
        // Of each commit so many: what one of them does costs the others nothing.
        let mut left = MAX_AGAIN;
        let mut comparison = Comparison::new(&local, enter, &mut left);
        let brought = node.tree.and_then(|tree| brought(&local, &mut comparison, (node, tree), &trees, wanted));
        let is_skipped = matches!(brought, Err(Lack::TooMany | Lack::Unusable(_)));
        let brought = if is_skipped { Vec::new() } else { brought.map_err(told)? };
        if brought.is_empty() && !is_skipped {
            continue;
        }
        let Commit { author, written: time, .. } = read::commit(&local, node.id).map_err(told)?;
        let commit = node.id.to_string();
        history.versions.extend(brought.into_iter().map(|(path, blob)| Version {
            commit: commit.clone(),
            author: author.clone(),
            time,
            path,
            blob: blob.to_string(),
        }));
        if is_skipped {
            history.skipped.push(Skipped { commit, author, time });
        }
    }
    Ok(history)
}

/// The commits that branches, tags, other references and the heads of all worktrees point to.
fn tips(local: &gix::Repository) -> Result<Vec<ObjectId>, String> {
    let failed = |error: gix::Error| format!("the references of the Git repository can't be read: {error}");
    let mut tips: Vec<ObjectId> = local.head_id().into_iter().map(gix::Id::detach).collect();
    for reference in local.references().map_err(failed)?.all().map_err(failed)? {
        // A symbolic reference leads to one that comes by itself.
        tips.extend(reference.ok().and_then(|reference| reference.try_id().map(gix::Id::detach)));
    }
    for worktree in local.worktrees().map_err(failed)? {
        let head = disk::read_private(&worktree.git_dir().join("HEAD"), 1 << 10).ok();
        tips.extend(head.and_then(|head| ObjectId::from_hex(head.expose().trim().as_bytes()).ok()));
    }
    Ok(tips)
}

/// Every commit from here to the beginnings, the oldest first.
fn walk(local: &gix::Repository, tips: Vec<ObjectId>, below: &[String]) -> Result<Vec<Node>, Lack> {
    let mut queue = Vec::new();
    for tip in tips {
        queue.extend(read::peeled(local, tip)?);
    }
    let mut seen: HashMap<ObjectId, ()> = HashMap::new();
    let mut nodes = Vec::new();
    while let Some(id) = queue.pop() {
        if seen.insert(id, ()).is_some() {
            continue;
        }
        if nodes.len() == MAX_COMMITS {
            return Err(Lack::TooMany);
        }
        let commit = read::commit(local, id)?;
        let tree = of_workspace(local, commit.tree, below);
        queue.extend(commit.parents.iter().copied());
        nodes.push(Node { id, tree, parents: commit.parents, committed: commit.committed });
    }
    nodes.sort_by_key(|node| (node.committed, node.id));
    Ok(nodes)
}

/// The versions that are in a commit and in none of its parents, by path.
fn brought(
    local: &gix::Repository,
    comparison: &mut Comparison<'_>,
    (node, tree): (&Node, Option<ObjectId>),
    trees: &HashMap<ObjectId, Option<ObjectId>>,
    wanted: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<(String, ObjectId)>, Lack> {
    let mut parents = node.parents.iter().map(|parent| trees.get(parent).copied().flatten());
    let first = parents.next().flatten();
    let others: Vec<ObjectId> = parents.flatten().collect();
    if tree == first || tree.is_some_and(|tree| others.contains(&tree)) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    comparison.run(first, tree, &mut |path, _, now| {
        found.extend(now.filter(|now| now.is_file() && wanted(path)).map(|now| (path.to_owned(), now.id)));
    })?;
    for other in others {
        let mut failed = None;
        found.retain(|(path, id)| {
            let there = find(local, other, path.split('/')).unwrap_or_else(|lack| {
                failed = Some(lack);
                None
            });
            there.is_none_or(|there| there != Entry { id: *id, kind: EntryKind::Blob })
        });
        if let Some(lack) = failed {
            return Err(lack);
        }
    }
    Ok(found)
}

/// Hands the text of each object to `each`, on all cores, and gives what comes of it; what is not text, or larger than 4 MiB, is
/// passed over.
///
/// # Errors
/// There is no repository, or this clone lacks an object, in words that say which.
pub fn contents<T: Send>(
    folder: &Path,
    blobs: &[&str],
    each: impl Fn(&str, &str) -> T + Sync,
) -> Result<Vec<T>, String> {
    let repository = Repository::around(folder)?;
    let pieces: Vec<&[&str]> = blobs.chunks(PIECE).collect();
    let read = parallel::map(&pieces, |_, piece| {
        let local = repository.local();
        let mut read = Vec::with_capacity(piece.len());
        for blob in *piece {
            let Ok(id) = ObjectId::from_hex(blob.as_bytes()) else { continue };
            match read::object(&local, id, Kind::Blob, MAX_VERSION) {
                Ok(bytes) => read.extend(String::from_utf8(bytes).ok().map(|text| each(blob, &text))),
                Err(Lack::Unusable(_)) => {}
                Err(lack) => return Err(lack.to_string()),
            }
        }
        Ok(read)
    });
    Ok(read.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
