//! Folders of commits: walked, and compared with each other. Folders that are equal are not entered.

use std::cmp::Ordering;
use std::collections::HashSet;

use gix::ObjectId;
use gix::objs::tree::{EntryKind, EntryRef, name_order};
use gix::objs::{Kind, TreeRefIter};

use super::read::{Lack, object};

/// Folders nest at most this deep.
const MAX_DEPTH: usize = 64;
/// This many entries of folders that were seen before are looked at: folders that share their parts may stand for more than
/// exist. What is seen once costs no more than it has bytes.
pub(super) const MAX_AGAIN: usize = 5_000_000;
/// One folder may have this many bytes: a million files.
const MAX_TREE: u64 = 64 << 20;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The object.
    pub(super) id: ObjectId,
    /// What it is.
    pub(super) kind: EntryKind,
}

impl Entry {
    /// Whether it is a regular file.
    pub(super) fn is_file(self) -> bool {
        matches!(self.kind, EntryKind::Blob | EntryKind::BlobExecutable)
    }

    fn folder(self) -> Option<ObjectId> {
        (self.kind == EntryKind::Tree).then_some(self.id)
    }
}

impl From<EntryRef<'_>> for Entry {
    fn from(entry: EntryRef<'_>) -> Self {
        Self { id: entry.oid.to_owned(), kind: entry.mode.kind() }
    }
}

/// The bytes of a folder; of no folder, none.
fn listing(repository: &gix::Repository, tree: Option<ObjectId>) -> Result<Vec<u8>, Lack> {
    tree.map_or(Ok(Vec::new()), |tree| object(repository, tree, Kind::Tree, MAX_TREE))
}

/// The entries of a folder, in Git's order.
struct Entries<'d> {
    all: TreeRefIter<'d>,
    next: Option<EntryRef<'d>>,
    /// What was read behind the last one is no entry.
    damaged: bool,
}

impl<'d> Entries<'d> {
    fn of(repository: &gix::Repository, listing: &'d [u8]) -> Self {
        let all = TreeRefIter::from_bytes(listing, repository.object_hash());
        let mut entries = Self { all, next: None, damaged: false };
        entries.take();
        entries
    }

    fn take(&mut self) -> Option<EntryRef<'d>> {
        let next = self.all.next().transpose();
        self.damaged |= next.is_err();
        std::mem::replace(&mut self.next, next.ok().flatten())
    }
}

/// What stands at a path below a tree.
pub(super) fn find<'p>(
    repository: &gix::Repository,
    tree: ObjectId,
    path: impl Iterator<Item = &'p str>,
) -> Result<Option<Entry>, Lack> {
    let mut at = Entry { id: tree, kind: EntryKind::Tree };
    for segment in path {
        let Some(tree) = at.folder() else { return Ok(None) };
        let data = object(repository, tree, Kind::Tree, MAX_TREE)?;
        let mut all = TreeRefIter::from_bytes(&data, tree.kind()).filter_map(gix::Result::ok);
        let Some(entry) = all.find(|entry| entry.filename == segment.as_bytes()) else { return Ok(None) };
        at = entry.into();
    }
    Ok(Some(at))
}

/// The tree of the workspace's folder in a tree; `None` where it has none.
pub(super) fn of_workspace(
    repository: &gix::Repository,
    tree: ObjectId,
    below: &[String],
) -> Result<Option<ObjectId>, Lack> {
    Ok(find(repository, tree, below.iter().map(String::as_str))?.and_then(Entry::folder))
}

/// Whether a folder is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Enter {
    /// It is not.
    No,
    /// Wherever it stands.
    Always,
    /// Once of all that are the same and of this kind: what one of them holds means what it means in the others.
    Once(u8),
}

/// A comparison under way.
pub(super) struct Comparison<'r> {
    repository: &'r gix::Repository,
    /// Whether to enter the folder at a path.
    enter: &'r dyn Fn(&str) -> Enter,
    /// What is left of [`MAX_AGAIN`], for all runs of a walk.
    left: &'r mut usize,
    seen: HashSet<(Option<ObjectId>, Option<ObjectId>, Enter)>,
}

/// Takes a path below the folder that was compared, and what stands there before and after.
type Each<'e> = dyn FnMut(&str, Option<Entry>, Option<Entry>) + 'e;

impl<'r> Comparison<'r> {
    /// One that enters these folders, and looks at no more than `left` entries of folders that it has seen.
    pub(super) fn new(repository: &'r gix::Repository, enter: &'r dyn Fn(&str) -> Enter, left: &'r mut usize) -> Self {
        Self { repository, enter, left, seen: HashSet::new() }
    }

    /// Hands everything that is no folder, and is not the same in both trees, to `each`.
    pub(super) fn run(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        each: &mut Each<'_>,
    ) -> Result<(), Lack> {
        self.seen.clear();
        self.level((old, new), Enter::Always, "", 0, each)
    }

    fn level(
        &mut self,
        (old, new): (Option<ObjectId>, Option<ObjectId>),
        enter: Enter,
        path: &str,
        depth: usize,
        each: &mut Each<'_>,
    ) -> Result<(), Lack> {
        if old == new || enter == Enter::No {
            return Ok(());
        }
        let is_new = self.seen.insert((old, new, enter));
        if !is_new && enter != Enter::Always {
            return Ok(());
        }
        let (before, after) = (listing(self.repository, old)?, listing(self.repository, new)?);
        if !is_new {
            // An entry has 24 bytes at least; to open a folder costs as much as many of them.
            *self.left = self.left.checked_sub(100 + (before.len() + after.len()) / 24).ok_or(Lack::TooMany)?;
        }
        if depth == MAX_DEPTH {
            return Err(Lack::TooMany);
        }
        let mut before = Entries::of(self.repository, &before);
        let mut after = Entries::of(self.repository, &after);
        loop {
            // A file and a folder of one name are two entries, in this order too.
            let order = match (before.next, after.next) {
                (None, None) => {
                    let damaged = [(&before, old), (&after, new)].into_iter().find(|(entries, _)| entries.damaged);
                    return damaged.and_then(|(_, tree)| tree).map_or(Ok(()), |tree| Err(Lack::Unusable(tree)));
                }
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => {
                    name_order(one.filename, one.mode.is_tree(), other.filename, other.mode.is_tree())
                }
            };
            let was = if order.is_le() { before.take() } else { None };
            let is = if order.is_ge() { after.take() } else { None };
            if was == is {
                continue;
            }
            let Some(name) = was.or(is).map(|entry| String::from_utf8_lossy(entry.filename)) else { continue };
            let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
            let (was, is) = (was.map(Entry::from), is.map(Entry::from));
            let folders = (was.and_then(Entry::folder), is.and_then(Entry::folder));
            if folders == (None, None) {
                each(&path, was, is);
            } else {
                self.level(folders, (self.enter)(&path), &path, depth + 1, each)?;
            }
        }
    }
}
