//! Who changed each line of a file last.
//!
//! A line belongs to the newest commit that has it while none of its parents does. Lines are compared as a set: one that
//! only moved within its file was not changed, which is what a map of names to values means, and costs no more than reading
//! the versions. One walk serves all files.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::objs::Kind;

use super::Repository;
use super::read::{self, Lack, object};
use super::tree::{Comparison, Enter, Entry, MAX_AGAIN, find, of_workspace};

/// A version may have this many bytes: its lines belong to the commit that has it otherwise.
const MAX_VERSION: u64 = 4 << 20;
/// Versions of this many bytes in all are compared.
const MAX_BYTES: usize = 4 << 30;
/// Files that went away in the commit that brought another: so many are looked at for its lines.
const MAX_RENAMES: usize = 64;

/// Who changed a line last, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// The author's name, with whatever characters it was given.
    pub author: String,
    /// Seconds since 1970.
    pub time: i64,
    /// The commit.
    pub commit: String,
    /// The clone's history ends with this commit: the change may be older.
    pub or_before: bool,
}

/// The last change of each line of each file (path below `folder` -> its text as it stands in the work tree): for a line that
/// is not committed yet, `None`. Outside of a repository, and before the first commit, nothing is known of any file.
///
/// # Errors
/// The repository can't be read, in words for people.
pub fn last_changes(
    folder: &Path,
    files: &BTreeMap<&str, &str>,
) -> Result<BTreeMap<String, Vec<Option<LastChange>>>, String> {
    if !Repository::is_around(folder) {
        return Ok(BTreeMap::new());
    }
    let repository = Repository::around(folder)?;
    let local = repository.local();
    let Ok(head) = local.head_id().map(gix::Id::detach) else { return Ok(BTreeMap::new()) };
    let shallow = local.shallow_commits().ok().flatten();
    let ends = shallow.iter().flat_map(|commits| commits.iter().copied()).collect();
    let mut walk = Walk {
        local: &local,
        below: repository.below(),
        ends,
        due: BinaryHeap::new(),
        at: HashMap::new(),
        left: MAX_BYTES,
        again: MAX_AGAIN,
    };
    let mut known: BTreeMap<String, Vec<Option<LastChange>>> = BTreeMap::new();
    let mut open = Vec::new();
    for (path, text) in files {
        let lines: Vec<Vec<u8>> = split(text.as_bytes()).map(<[u8]>::to_vec).collect();
        known.insert((*path).to_owned(), vec![None; lines.len()]);
        open.push(Open {
            file: (*path).to_owned(),
            path: (*path).to_owned(),
            lines: lines.into_iter().enumerate().collect(),
        });
    }
    // Lines that the commit does not have are not committed yet.
    let begun = walk.begin(head, open);
    let ended = begun.and_then(|()| {
        walk.run(&mut |file, line, change| {
            if let Some(place) = known.get_mut(file).and_then(|lines| lines.get_mut(line)) {
                *place = Some(change.clone());
            }
        })
    });
    match ended {
        Ok(()) => Ok(known),
        Err(lack) => Err(format!("who changed what last is not known: {lack}")),
    }
}

/// The lines of a text, whatever their ends.
fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Lines of a file that some commit has, and whose last change is not found yet.
struct Open {
    /// The file as it is called now.
    file: String,
    /// As it is called in that commit.
    path: String,
    /// Number and text.
    lines: Vec<(usize, Vec<u8>)>,
}

/// What a commit changed: path -> what its parent has, and what it has.
type Changes = BTreeMap<String, (Option<Entry>, Option<Entry>)>;

struct Walk<'r> {
    local: &'r gix::Repository,
    below: &'r [String],
    /// Commits whose parents a shallow clone does not have.
    ends: HashSet<ObjectId>,
    /// Commits to look at, the newest first.
    due: BinaryHeap<(i64, ObjectId)>,
    at: HashMap<ObjectId, Vec<Open>>,
    /// Bytes of versions that may still be compared.
    left: usize,
    /// Entries of folders that may still be seen again.
    again: usize,
}

/// Takes a file, the number of a line of it, and its last change.
type Found<'f> = dyn FnMut(&str, usize, &LastChange) + 'f;

impl Walk<'_> {
    fn begin(&mut self, head: ObjectId, open: Vec<Open>) -> Result<(), Lack> {
        let commit = read::commit(self.local, head)?;
        let tree = of_workspace(self.local, commit.tree, self.below)?;
        let mut kept = Vec::new();
        for mut open in open {
            let mut had = self.version(tree, &open.path)?;
            open.lines.retain(|(_, line)| had.take(line));
            kept.push(open);
        }
        self.pass(head, commit.committed, kept);
        Ok(())
    }

    /// Leaves lines with a commit.
    fn pass(&mut self, commit: ObjectId, time: i64, open: Vec<Open>) {
        let open: Vec<Open> = open.into_iter().filter(|open| !open.lines.is_empty()).collect();
        if open.is_empty() {
            return;
        }
        let waiting = self.at.entry(commit).or_default();
        if waiting.is_empty() {
            self.due.push((time, commit));
        }
        waiting.extend(open);
    }

    fn run(&mut self, found: &mut Found<'_>) -> Result<(), Lack> {
        while let Some((_, id)) = self.due.pop() {
            let Some(mut open) = self.at.remove(&id) else { continue };
            let commit = read::commit(self.local, id)?;
            let or_before = self.ends.contains(&id) || self.hand_down(&commit, &mut open)?;
            let change = LastChange { author: commit.author, time: commit.written, commit: id.to_string(), or_before };
            for open in open {
                open.lines.iter().for_each(|(line, _)| found(&open.file, *line, &change));
            }
        }
        Ok(())
    }

    /// Leaves to each parent the lines that it has; what is left is what the commit brought. Gives whether this clone lacks
    /// a part of a parent (a partial clone does), so that some of it may be older.
    fn hand_down(&mut self, commit: &read::Commit, open: &mut Vec<Open>) -> Result<bool, Lack> {
        let tree = of_workspace(self.local, commit.tree, self.below)?;
        let mut lacking = false;
        for parent in &commit.parents {
            match self.hand_to(*parent, tree, open) {
                Err(Lack::Missing(_)) => lacking = true,
                handed => handed?,
            }
            open.retain(|open| !open.lines.is_empty());
            if open.is_empty() {
                break;
            }
        }
        Ok(lacking)
    }

    fn hand_to(&mut self, parent: ObjectId, tree: Option<ObjectId>, open: &mut Vec<Open>) -> Result<(), Lack> {
        let above = read::commit(self.local, parent)?;
        let before = of_workspace(self.local, above.tree, self.below)?;
        if before == tree {
            self.pass(parent, above.committed, std::mem::take(open));
            return Ok(());
        }
        let changes = self.changes(before, tree, open)?;
        for open in open {
            let given = self.give(open, before, &changes)?;
            self.pass(parent, above.committed, vec![given]);
        }
        Ok(())
    }

    /// What a commit changed, as far as it is near one of these files: path -> before and after.
    fn changes(&mut self, before: Option<ObjectId>, tree: Option<ObjectId>, open: &[Open]) -> Result<Changes, Lack> {
        let names: HashSet<&str> = open.iter().filter_map(|open| open.path.rsplit('/').next()).collect();
        let top: HashSet<&str> = open.iter().filter_map(|open| open.path.split('/').next()).collect();
        // A file comes from a folder of its kind, if it comes from another.
        let enter = |path: &str| match path.split('/').next().is_some_and(|first| top.contains(first)) {
            true => Enter::Always,
            false => Enter::No,
        };
        let mut changes = BTreeMap::new();
        Comparison::new(self.local, &enter, &mut self.again).run(before, tree, &mut |path, was, is| {
            if path.rsplit('/').next().is_some_and(|name| names.contains(name)) {
                changes.insert(path.to_owned(), (was, is));
            }
        })?;
        Ok(changes)
    }

    /// Those of the lines that the parent has, under the same name or under that of a file which went away.
    fn give(&mut self, open: &mut Open, before: Option<ObjectId>, changes: &Changes) -> Result<Open, Lack> {
        let mut path = open.path.clone();
        let had = match changes.get(&path) {
            None => return Ok(Open { file: open.file.clone(), path, lines: std::mem::take(&mut open.lines) }),
            Some((Some(_), _)) => self.version(before, &path)?,
            Some((None, _)) => {
                let gone = changes.iter().filter(|(other, (was, is))| {
                    was.is_some() && is.is_none() && other.rsplit('/').next() == open.path.rsplit('/').next()
                });
                let mut best = (0, Bag::default());
                for (other, _) in gone.take(MAX_RENAMES) {
                    let had = self.version(before, other)?;
                    let shared = open.lines.iter().filter(|(_, line)| had.0.contains_key(line)).count();
                    if shared > best.0 {
                        (best, path) = ((shared, had), other.clone());
                    }
                }
                best.1
            }
        };
        let (mut had, mut given) = (had, Vec::new());
        open.lines.retain_mut(|(number, line)| {
            let there = had.take(line);
            if there {
                given.push((*number, std::mem::take(line)));
            }
            !there
        });
        Ok(Open { file: open.file.clone(), path, lines: given })
    }

    /// The lines of a file in a tree.
    fn version(&mut self, tree: Option<ObjectId>, path: &str) -> Result<Bag, Lack> {
        let Some(tree) = tree else { return Ok(Bag::default()) };
        let Some(entry) = find(self.local, tree, path.split('/'))?.filter(|entry| entry.is_file()) else {
            return Ok(Bag::default());
        };
        let text = match object(self.local, entry.id, Kind::Blob, MAX_VERSION) {
            Err(Lack::Unusable(_)) => return Ok(Bag::default()),
            text => text?,
        };
        self.left = self.left.checked_sub(text.len()).ok_or(Lack::TooMany)?;
        let mut bag = Bag::default();
        split(&text).for_each(|line| *bag.0.entry(line.to_vec()).or_insert(0) += 1);
        Ok(bag)
    }
}

/// Lines, and how often each stands there.
#[derive(Default)]
struct Bag(HashMap<Vec<u8>, usize>);

impl Bag {
    /// Takes one out, if it is in.
    fn take(&mut self, line: &[u8]) -> bool {
        match self.0.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}
