//! Documents -> documents of the same shape with other scalars: in clear becomes sealed, sealed becomes clear.
//!
//! Where [`super::walk`] gives data, this keeps what a person wrote around it: comments, their order, the documents.

use std::borrow::Cow;

use zeroize::Zeroize;

use super::document::{Comment, Document, Entry, Item, Kind, MAX_DEPTH, Map, Node, Scalar};
use super::error::{ErrorKind, SopsError};
use super::rule::Selector;
use super::walk::{MAX_PATH, Place, Step};

/// What becomes of scalars and comments. `None` drops one.
pub(super) trait Transform {
    fn scalar(&mut self, place: &Place<'_>, scalar: &Scalar<'_>) -> Result<Option<Scalar<'static>>, ErrorKind>;

    /// A comment in a map; `place` is that of the map.
    fn comment(&mut self, place: &Place<'_>, comment: &Comment<'_>) -> Result<Option<String>, ErrorKind>;
}

/// Transforms the data of documents; their blocks are left out.
pub(super) fn transform(
    documents: &[Document<'_>],
    selector: &Selector,
    with: &mut dyn Transform,
) -> Result<Vec<Document<'static>>, SopsError> {
    let mut walk = Walk { selector, with, place: Place::default() };
    let mut done = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        walk.place.document = index;
        done.push(Document { root: walk.map(&document.root, false)?, block: None });
    }
    Ok(done)
}

/// Overwrites every text that the trees own.
pub(super) fn wipe(documents: &mut [Document<'static>]) {
    documents.iter_mut().for_each(|document| wipe_map(&mut document.root));
}

fn wipe_map(map: &mut Map<'static>) {
    let comments = map.entries.iter_mut().flat_map(|entry| &mut entry.comments).chain(&mut map.trailing);
    comments.for_each(|comment| wipe_text(&mut comment.text));
    map.entries.iter_mut().for_each(|entry| wipe_node(&mut entry.value));
}

fn wipe_node(node: &mut Node<'static>) {
    match &mut node.kind {
        Kind::Map(map) => wipe_map(map),
        Kind::List(items) => items.iter_mut().for_each(|item| wipe_node(&mut item.value)),
        Kind::Scalar(scalar) => wipe_text(&mut scalar.text),
    }
}

fn wipe_text(text: &mut Cow<'static, str>) {
    if let Cow::Owned(text) = text {
        text.zeroize();
    }
}

struct Walk<'s, 'p> {
    selector: &'s Selector,
    with: &'s mut dyn Transform,
    place: Place<'p>,
}

impl<'p> Walk<'_, 'p> {
    fn map(&mut self, map: &'p Map<'_>, matched: bool) -> Result<Map<'static>, SopsError> {
        let mut done = Map::default();
        for entry in &map.entries {
            let comments = self.comments(&entry.comments, matched)?;
            let length = self.place.aad.len();
            if length + entry.key.len() >= MAX_PATH {
                return Err(SopsError::at(ErrorKind::PathTooLong, &entry.key_range));
            }
            self.place.aad.push_str(&entry.key);
            self.place.aad.push(':');
            self.place.key_range = Some(entry.key_range.clone());
            let value = self.child(Step::Key(&entry.key), &entry.comments, &entry.value, matched)?;
            self.place.aad.truncate(length);
            let key = Cow::Owned(entry.key.to_string());
            done.entries.extend(value.map(|value| Entry { comments, key, key_range: 0..0, value }));
        }
        done.trailing = self.comments(&map.trailing, matched)?;
        Ok(done)
    }

    fn comments(&mut self, comments: &[Comment<'_>], matched: bool) -> Result<Vec<Comment<'static>>, SopsError> {
        let mut done = Vec::with_capacity(comments.len());
        let mut matched = matched;
        for comment in comments {
            // What a rule by comment goes by stays plain; it holds for the lines behind it.
            let named = self.selector.names(&comment.text);
            matched |= named;
            self.place.demanded = !named && self.selector.demands(matched);
            let text = self.with.comment(&self.place, comment).map_err(|kind| SopsError::at(kind, &comment.range))?;
            done.extend(text.map(|text| Comment { text: Cow::Owned(text), range: 0..0 }));
        }
        Ok(done)
    }

    fn child(
        &mut self,
        step: Step<'p>,
        comments: &[Comment<'_>],
        node: &'p Node<'_>,
        matched: bool,
    ) -> Result<Option<Node<'static>>, SopsError> {
        let key = match step {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        };
        let matched = matched || self.selector.matches(key, comments);
        self.place.path.0.push(step);
        if self.place.path.0.len() > MAX_DEPTH {
            return Err(self.place.error(ErrorKind::TooDeep, node));
        }
        let kind = match &node.kind {
            Kind::Scalar(scalar) => {
                self.place.demanded = self.selector.demands(matched);
                let done = self.with.scalar(&self.place, scalar).map_err(|kind| self.place.error(kind, node))?;
                done.map(Kind::Scalar)
            }
            Kind::Map(map) => Some(Kind::Map(self.map(map, matched)?)),
            Kind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.place.key_range = None;
                    let value = self.child(Step::Index(index), &item.comments, &item.value, matched)?;
                    // Comments in lists become elements that some releases trip over: they are not written.
                    list.extend(value.map(|value| Item { comments: Vec::new(), value }));
                }
                Some(Kind::List(list))
            }
        };
        self.place.path.0.pop();
        Ok(kind.map(|kind| Node { range: 0..0, kind }))
    }
}

/// The path of a place, for a map's own comments.
pub(super) fn comment_aad<'a>(place: &'a Place<'_>) -> &'a str {
    if place.aad.is_empty() { ":" } else { &place.aad }
}

/// How many comments stand in lists.
pub(super) fn list_comments(documents: &[Document<'_>]) -> usize {
    fn of(node: &Node<'_>) -> usize {
        match &node.kind {
            Kind::Scalar(_) => 0,
            Kind::Map(map) => map.entries.iter().map(|entry| of(&entry.value)).sum(),
            Kind::List(items) => items.iter().map(|item| item.comments.len() + of(&item.value)).sum(),
        }
    }
    documents.iter().flat_map(|document| &document.root.entries).map(|entry| of(&entry.value)).sum()
}
