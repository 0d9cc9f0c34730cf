//! The way through a file: every leaf with its path, in the order that the MAC takes.
//!
//! Takes the trees of all documents and the rule, calls back for each leaf, gives the data that the calls returned.
//! Opening a file and listing it without a key are the same walk.

use std::fmt;
use std::ops::Range;

use super::document::{Comment, Document, Kind, Map, Node, Scalar};
use super::error::{ErrorKind, SopsError};
use super::rule::Selector;
use super::value::{self, Value};

/// Bytes of all keys on the way to a leaf: each leaf's are authenticated anew, so their length is a cost per leaf.
pub(super) const MAX_PATH: usize = 16 << 10;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'t> {
    /// Into a map.
    Key(&'t str),
    /// Into a list, from 0. Not part of what authenticates a leaf.
    Index(usize),
}

/// The way from the top of a document to a leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path<'t>(pub Vec<Step<'t>>);

impl Path<'_> {
    /// All of it, for who typed it: `a.b[2]`; keys of other characters than letters, digits, `_`, `-` and `/` are quoted and
    /// escaped.
    pub(super) fn whole(&self) -> String {
        let mut text = String::new();
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 && matches!(step, Step::Key(_)) {
                text.push('.');
            }
            text.push_str(&step.to_string());
        }
        text
    }
}

impl fmt::Display for Path<'_> {
    /// The first step, and `.…` where there are more: what stands below a name may be a value that lost its quotes, as
    /// `hunter2` in `A: {hunter2}`; and so may what follows it, as in `A=hunter2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, below)) = self.0.split_first() else { return Ok(()) };
        let key = match first {
            Step::Key(key) => *key,
            Step::Index(_) => "",
        };
        match key.find(|c: char| !is_simple(c) && c != '.') {
            Some(end) => write!(f, "{}…", &key[..end])?,
            None => first.fmt(f)?,
        }
        if below.is_empty() { Ok(()) } else { f.write_str(".…") }
    }
}

/// Whether a character needs no quotes in a path.
fn is_simple(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/')
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if !key.is_empty() && key.chars().all(is_simple) => f.write_str(key),
            Self::Key(key) => write!(f, "{key:?}"),
        }
    }
}

/// Where a walk stands.
#[derive(Default)]
pub(super) struct Place<'t> {
    pub(super) document: usize,
    pub(super) path: Path<'t>,
    /// The keys, each with a `:` behind it.
    pub(super) aad: String,
    pub(super) key_range: Option<Range<usize>>,
    /// Whether the rule demands encryption.
    pub(super) demanded: bool,
}

impl Place<'_> {
    pub(super) fn error(&self, kind: ErrorKind, node: &Node<'_>) -> SopsError {
        SopsError::at(kind, &node.range).with_path(self.path.to_string())
    }
}

/// Walks all documents. `leaf` returns the value, or `None` for what is not data.
pub(super) fn walk<'t, F>(
    documents: &'t [Document<'_>],
    selector: &Selector,
    leaf: F,
) -> Result<Vec<value::Map>, SopsError>
where
    F: FnMut(&Place<'t>, &'t Node<'t>, &'t Scalar<'t>) -> Result<Option<Value>, SopsError>,
{
    let mut walk = Walk { selector, leaf, place: Place::default() };
    let mut data = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        walk.place.document = index;
        data.push(walk.map(&document.root, false)?);
    }
    Ok(data)
}

struct Walk<'s, 't, F> {
    selector: &'s Selector,
    leaf: F,
    place: Place<'t>,
}

impl<'t, F> Walk<'_, 't, F>
where
    F: FnMut(&Place<'t>, &'t Node<'t>, &'t Scalar<'t>) -> Result<Option<Value>, SopsError>,
{
    fn map(&mut self, map: &'t Map<'t>, matched: bool) -> Result<value::Map, SopsError> {
        let mut data = value::Map { entries: Vec::with_capacity(map.entries.len()) };
        for entry in &map.entries {
            let length = self.place.aad.len();
            if length + entry.key.len() >= MAX_PATH {
                return Err(SopsError::at(ErrorKind::PathTooLong, &entry.key_range));
            }
            self.place.aad.push_str(&entry.key);
            self.place.aad.push(':');
            self.place.key_range = Some(entry.key_range.clone());
            let value = self.child(Step::Key(&entry.key), &entry.comments, &entry.value, matched)?;
            self.place.aad.truncate(length);
            data.entries.extend(value.map(|value| (entry.key.to_string(), value)));
        }
        Ok(data)
    }

    fn child(
        &mut self,
        step: Step<'t>,
        comments: &[Comment<'_>],
        node: &'t Node<'t>,
        matched: bool,
    ) -> Result<Option<Value>, SopsError> {
        let key = match step {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        };
        let matched = matched || self.selector.matches(key, comments);
        self.place.path.0.push(step);
        let value = match &node.kind {
            Kind::Scalar(scalar) => {
                self.place.demanded = self.selector.demands(matched);
                (self.leaf)(&self.place, node, scalar)?
            }
            Kind::Map(map) => Some(Value::Map(self.map(map, matched)?)),
            Kind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.place.key_range = None;
                    list.extend(self.child(Step::Index(index), &item.comments, &item.value, matched)?);
                }
                Some(Value::List(list))
            }
        };
        self.place.path.0.pop();
        Ok(value)
    }
}
