//! Objects, as they are stored: bounded, and what is missing is named.

use std::fmt;

use gix::ObjectId;
use gix::objs::{CommitRefIter, Kind};

/// A commit may have this many bytes, its message included.
const MAX_COMMIT: u64 = 64 << 20;

/// Why an object was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Lack {
    /// This clone does not have it.
    Missing(ObjectId),
    /// It is not what it is taken for, or larger than any that is read.
    Unusable(ObjectId),
    /// There are more files, folders in folders, or commits than are looked at.
    TooMany,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(id) => write!(f, "the object {id} is not in this clone (a partial clone lacks some)"),
            Self::Unusable(id) => write!(f, "the object {id} is damaged, or too large"),
            Self::TooMany => f.write_str("it has too many commits or files"),
        }
    }
}

/// The bytes of an object of a kind, and at most so many: the size is looked at first, which costs no memory.
pub(super) fn object(repository: &gix::Repository, id: ObjectId, kind: Kind, limit: u64) -> Result<Vec<u8>, Lack> {
    let header = repository.try_find_header(id).map_err(|_| Lack::Unusable(id))?.ok_or(Lack::Missing(id))?;
    if header.kind() != kind || header.size() > limit {
        return Err(Lack::Unusable(id));
    }
    let object = repository.try_find_object(id).map_err(|_| Lack::Unusable(id))?.ok_or(Lack::Missing(id))?;
    Ok(object.detach().data)
}

/// What of a commit is used.
pub(super) struct Commit {
    /// Its files.
    pub(super) tree: ObjectId,
    /// The commits that it was made of.
    pub(super) parents: Vec<ObjectId>,
    /// The author's name, with whatever bytes it was given.
    pub(super) author: String,
    /// When it was written, in seconds since 1970, as the author says.
    pub(super) written: i64,
    /// When it was committed.
    pub(super) committed: i64,
}

/// Reads a commit. Names and dates of any form are taken, as people only look at them: a commit that Git itself has is never
/// passed over for what they hold.
pub(super) fn commit(repository: &gix::Repository, id: ObjectId) -> Result<Commit, Lack> {
    let data = object(repository, id, Kind::Commit, MAX_COMMIT)?;
    let tree = CommitRefIter::from_bytes(&data, id.kind()).tree_id().map_err(|_| Lack::Unusable(id))?;
    let parents = CommitRefIter::from_bytes(&data, id.kind()).parent_ids().collect();
    let (author, written) = person(&data, b"author ");
    let (_, committed) = person(&data, b"committer ");
    Ok(Commit { tree, parents, author, written, committed })
}

/// The name and the time of a line `author NAME <MAIL> SECONDS ZONE` of a commit's head.
fn person(data: &[u8], key: &[u8]) -> (String, i64) {
    let head = data.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let line = head.filter_map(|line| line.strip_prefix(key)).next().unwrap_or_default();
    let at = |wanted: u8| line.iter().rposition(|byte| *byte == wanted);
    let name = at(b'<').map_or(line, |at| &line[..at]);
    let words = at(b'>').and_then(|at| std::str::from_utf8(&line[at + 1..]).ok());
    let time = words.and_then(|words| words.split_whitespace().next()?.parse().ok());
    (String::from_utf8_lossy(name).trim().to_owned(), time.unwrap_or(0))
}

/// The commit that an id names, through tags; `None` where it names something else.
pub(super) fn peeled(repository: &gix::Repository, id: ObjectId) -> Result<Option<ObjectId>, Lack> {
    let mut id = id;
    // A tag of a tag of a tag: nobody makes more.
    for _ in 0..16 {
        let header = repository.try_find_header(id).map_err(|_| Lack::Unusable(id))?.ok_or(Lack::Missing(id))?;
        match header.kind() {
            Kind::Commit => return Ok(Some(id)),
            Kind::Tag => {
                let data = object(repository, id, Kind::Tag, MAX_COMMIT)?;
                let tag = gix::objs::TagRefIter::from_bytes(&data, id.kind()).target_id();
                id = tag.map_err(|_| Lack::Unusable(id))?;
            }
            Kind::Tree | Kind::Blob => return Ok(None),
        }
    }
    Err(Lack::Unusable(id))
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn a_name_is_read_whatever_it_holds() {
        let commit = |author: &str| format!("tree 0\n{author}\ncommitter C <c@x> 7 +0000\n\nauthor Z <z> 9 +0000\n");
        let read = |author: &str| person(commit(author).as_bytes(), b"author ");
        assert_eq!(read("author Ana <a@x> 5 +0100"), ("Ana".to_owned(), 5));
        assert_eq!(read("author A\u{1}n\u{2}a <a@x> 5 +0100"), ("A\u{1}n\u{2}a".to_owned(), 5));
        assert_eq!(read("author A <b> C <a@x> 5 +0100"), ("A <b> C".to_owned(), 5));
        assert_eq!(read("author <a@x>"), (String::new(), 0));
        assert_eq!(read("author"), (String::new(), 0));
        assert_eq!(read("mergetag x"), (String::new(), 0), "what the message says is not asked");
    }
}
