//! YAML -> documents: aliases expanded, comments kept beside the entry they belong to.
//!
//! Takes the events of a text. Every limit on what a text may expand to is kept here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::Range;
use std::rc::Rc;

use super::document::{Comment, Document, Entry, Item, Kind, MAX_DEPTH, MAX_NODES, Map, Node, Scalar, split, unique};
use super::error::{ErrorKind, SopsError};
use super::typing::Typed;
use crate::yaml::events::{Event, Events, SyntaxErrorKind};

/// Bytes of text that aliases may add.
const MAX_COPIED: usize = 16 << 20;

/// Reads all documents of a text.
///
/// # Errors
///
/// Whatever is wrong with the text as YAML, a limit that is exceeded, a document that is no map, a key that is no
/// string or stands twice, and [`ErrorKind::Empty`].
pub(super) fn documents(text: &str) -> Result<Vec<Document<'_>>, SopsError> {
    let mut builder = Builder {
        text,
        events: Events::new(text, MAX_DEPTH, true).peekable(),
        anchors: HashMap::new(),
        pending: Vec::new(),
        nodes: 0,
        copied: 0,
    };
    let mut documents = Vec::new();
    let mut missing = true;
    // The start of a document, one node, which is a null where nothing stands, and the end.
    while builder.next()?.is_some() {
        builder.anchors.clear();
        let node = builder.node(0)?;
        let root = match node.kind {
            Kind::Map(map) => {
                missing = false;
                map
            }
            Kind::Scalar(scalar) if matches!(scalar.resolve(), Ok(Typed::Null)) => {
                missing &= node.range.is_empty();
                Map::default()
            }
            _ => return Err(SopsError::at(ErrorKind::TopNotMap, &node.range)),
        };
        // The document's last comments, up to `---` or the end of the text.
        builder.next()?;
        documents.push(split(root, std::mem::take(&mut builder.pending)));
    }
    if missing { Err(ErrorKind::Empty.into()) } else { Ok(documents) }
}

struct Builder<'a> {
    text: &'a str,
    events: Peekable<Events<'a>>,
    anchors: HashMap<usize, (Rc<Node<'a>>, Size)>,
    /// Comments that no entry has claimed yet.
    pending: Vec<Comment<'a>>,
    nodes: usize,
    copied: usize,
}

/// What a copy of a node costs.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    height: usize,
}

type Spanned<'a> = (Event<'a>, Range<usize>);

impl<'a> Builder<'a> {
    /// The next event that is no comment; comments before it become pending.
    fn next(&mut self) -> Result<Option<Spanned<'a>>, SopsError> {
        self.peek()?;
        match self.events.next() {
            Some(Ok(event)) => Ok(Some(event)),
            _ => Ok(None),
        }
    }

    fn peek(&mut self) -> Result<Option<&Event<'a>>, SopsError> {
        while let Some(comment) = self.comment_if(|_| true)? {
            self.pending.push(comment);
        }
        Ok(match self.events.peek() {
            Some(Ok((event, _))) => Some(event),
            _ => None,
        })
    }

    /// Takes the next event if it is a comment that passes the test.
    fn comment_if(&mut self, test: impl Fn(usize) -> bool) -> Result<Option<Comment<'a>>, SopsError> {
        let found = match self.events.peek() {
            Some(Ok((Event::Comment(_), range))) => test(range.start),
            Some(Err(error)) => {
                let kind = match error.kind {
                    SyntaxErrorKind::TooDeep => ErrorKind::TooDeep,
                    kind => ErrorKind::Syntax(kind),
                };
                return Err(SopsError::at(kind, &(error.offset..error.offset)));
            }
            _ => false,
        };
        if !found {
            return Ok(None);
        }
        self.count(1)?;
        Ok(match self.events.next() {
            Some(Ok((Event::Comment(text), range))) => Some(Comment { text, range }),
            _ => None,
        })
    }

    /// The comments that stand on the same line as what ended at `end`.
    fn line_end(&mut self, end: usize, comments: &mut Vec<Comment<'a>>) -> Result<(), SopsError> {
        let text = self.text;
        let same_line = |start| text.get(end..start).is_some_and(|gap| !gap.contains('\n'));
        while let Some(comment) = self.comment_if(same_line)? {
            comments.push(comment);
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize) -> Result<(), SopsError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(ErrorKind::TooLarge.into()) } else { Ok(()) }
    }

    fn node(&mut self, depth: usize) -> Result<Node<'a>, SopsError> {
        let Some((event, range)) = self.next()? else {
            return Err(ErrorKind::Syntax(SyntaxErrorKind::Other).into());
        };
        if depth > MAX_DEPTH {
            return Err(SopsError::at(ErrorKind::TooDeep, &range));
        }
        self.count(1)?;
        let (node, anchor) = match event {
            Event::Scalar { text, style, tag, anchor } => {
                (Node { range, kind: Kind::Scalar(Scalar::new(text, style, tag)) }, anchor)
            }
            Event::Alias(id) => return self.alias(id, range, depth),
            Event::SequenceStart { flow, anchor, .. } => {
                let (items, end) = self.items(depth)?;
                let end = if flow { end.end } else { items.last().map_or(range.end, |item| item.value.range.end) };
                (Node { range: range.start..end, kind: Kind::List(items) }, anchor)
            }
            Event::MappingStart { flow, anchor, .. } => {
                let (map, end) = self.entries(depth, flow, range.start)?;
                let last = map.entries.last();
                let end =
                    if flow { end.end } else { last.map_or(range.end, |e| e.value.range.end.max(e.key_range.end)) };
                (Node { range: range.start..end, kind: Kind::Map(map) }, anchor)
            }
            _ => return Err(SopsError::at(ErrorKind::Syntax(SyntaxErrorKind::Other), &range)),
        };
        if anchor != 0 {
            let size = measure(&node);
            self.charge(size, &node.range)?;
            self.anchors.insert(anchor, (Rc::new(node.clone()), size));
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, range: Range<usize>, depth: usize) -> Result<Node<'a>, SopsError> {
        // An alias inside of its own anchor finds nothing, for the anchor is stored when it is complete.
        let Some((node, size)) = self.anchors.get(&id).cloned() else {
            return Err(SopsError::at(ErrorKind::Syntax(SyntaxErrorKind::UnknownAnchor), &range));
        };
        self.charge(size, &range)?;
        if depth + size.height > MAX_DEPTH {
            return Err(SopsError::at(ErrorKind::TooDeep, &range));
        }
        Ok(Node { range, kind: node.kind.clone() })
    }

    fn charge(&mut self, size: Size, range: &Range<usize>) -> Result<(), SopsError> {
        self.copied += size.bytes;
        if self.copied > MAX_COPIED || self.count(size.nodes).is_err() {
            return Err(SopsError::at(ErrorKind::TooLarge, range));
        }
        Ok(())
    }

    fn items(&mut self, depth: usize) -> Result<(Vec<Item<'a>>, Range<usize>), SopsError> {
        let mut items: Vec<Item<'a>> = Vec::new();
        loop {
            if matches!(self.peek()?, Some(Event::SequenceEnd) | None) {
                let end = self.next()?.map_or(self.text.len()..self.text.len(), |(_, range)| range);
                return Ok((items, end));
            }
            let mut comments = std::mem::take(&mut self.pending);
            let value = self.node(depth + 1)?;
            if is_leaf(&value.kind) {
                comments.append(&mut self.pending);
            }
            self.line_end(value.range.end, &mut comments)?;
            items.push(Item { comments, value });
        }
    }

    fn entries(&mut self, depth: usize, flow: bool, start: usize) -> Result<(Map<'a>, Range<usize>), SopsError> {
        let mut map = Map { flow, ..Map::default() };
        loop {
            if matches!(self.peek()?, Some(Event::MappingEnd) | None) {
                let end = self.next()?.map_or(self.text.len()..self.text.len(), |(_, range)| range);
                // A map without entries has no place for comments: they stay pending, for its own entry.
                if !map.entries.is_empty() {
                    map.trailing = self.inner_comments(flow, start);
                }
                unique(&map)?;
                return Ok((map, end));
            }
            let mut comments = std::mem::take(&mut self.pending);
            let Node { range: key_range, kind } = self.node(depth + 1)?;
            let key = match kind {
                Kind::Scalar(scalar) if matches!(scalar.resolve(), Ok(Typed::Str)) => scalar.text,
                _ => return Err(SopsError::at(ErrorKind::KeyNotString, &key_range)),
            };
            self.line_end(key_range.end, &mut comments)?;
            let value = self.node(depth + 1)?;
            if is_leaf(&value.kind) {
                comments.append(&mut self.pending);
            }
            self.line_end(value.range.end, &mut comments)?;
            map.entries.push(Entry { comments, key, key_range, value });
        }
    }

    /// Of the pending comments at a map's end, those that stand at its column or deeper; the others stay pending, for
    /// they belong to what follows further out.
    fn inner_comments(&mut self, flow: bool, start: usize) -> Vec<Comment<'a>> {
        if flow || self.pending.is_empty() {
            return std::mem::take(&mut self.pending);
        }
        let before = |at| self.text.get(..at).unwrap_or_default();
        let column = |at: usize| at - before(at).rfind('\n').map_or(0, |newline| newline + 1);
        let own = column(start);
        let inner = self.pending.iter().take_while(|comment| column(comment.range.start) >= own).count();
        let outer = self.pending.split_off(inner);
        std::mem::replace(&mut self.pending, outer)
    }
}

/// Whether nothing in it can claim a comment.
fn is_leaf(kind: &Kind<'_>) -> bool {
    match kind {
        Kind::Scalar(_) => true,
        Kind::List(items) => items.is_empty(),
        Kind::Map(map) => map.entries.is_empty(),
    }
}

fn measure(node: &Node<'_>) -> Size {
    let text = |text: &Cow<'_, str>| match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.len(),
    };
    let comments = |list: &[Comment<'_>]| list.iter().map(|c| text(&c.text)).sum::<usize>();
    let mut size = Size { nodes: 1, ..Size::default() };
    let mut add = |child: &Node<'_>, bytes: usize, extra: usize| {
        let inner = measure(child);
        size.nodes += inner.nodes + extra;
        size.bytes += inner.bytes + bytes;
        size.height = size.height.max(inner.height + 1);
    };
    match &node.kind {
        Kind::Scalar(scalar) => size.bytes = text(&scalar.text) + scalar.tag.as_ref().map_or(0, |tag| tag.name.len()),
        Kind::List(items) => {
            items.iter().for_each(|item| add(&item.value, comments(&item.comments), item.comments.len()));
        }
        Kind::Map(map) => {
            for entry in &map.entries {
                add(&entry.value, comments(&entry.comments) + text(&entry.key), entry.comments.len() + 1);
            }
            size.bytes += comments(&map.trailing);
            size.nodes += map.trailing.len();
        }
    }
    size
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What an alias costs: nodes with keys and comments, the bytes that no text of the file lends, levels.
    #[test]
    fn e2_11_a_copy_costs_what_it_holds() {
        for (text, nodes, bytes, height) in [
            ("a: x\n", 1, 0, 0),
            ("a: \"x\\ty\"\n", 1, 3, 0),
            ("a: !!str 1\n", 1, 21, 0),
            ("a: []\n", 1, 0, 0),
            ("a: [1, 2]\n", 3, 0, 1),
            ("a: [1, [2]]\n", 4, 0, 2),
            ("a: [[2], 1]\n", 4, 0, 2),
            ("a:\n- 1\n# c\n- 2\n", 4, 0, 1),
            ("a: {}\n", 1, 0, 0),
            ("a: {b: 1, c: {d: 2}}\n", 7, 0, 2),
            ("a: {\"b\\t\": \"\\t\"}\n", 3, 3, 1),
            ("a:\n  # c\n  b: 1 # d\n  # e\n", 6, 0, 1),
        ] {
            let documents = documents(text).unwrap();
            let size = measure(&documents[0].root.entries[0].value);
            assert_eq!((size.nodes, size.bytes, size.height), (nodes, bytes, height), "{text}");
        }
    }

    /// Whose a comment behind the last entry of a map is, its column says.
    #[test]
    fn e2_11_a_comment_behind_a_map_is_of_the_map_at_its_column() {
        for (text, inner, outer) in [
            ("m:\n  a: 1\n  # c\n", 1, 0),
            ("m:\n  a: 1\n   # c\n", 1, 0),
            ("m:\n  a: 1\n # c\n", 0, 1),
            ("m:\n  a: 1\n# c\n", 0, 1),
            ("m:\n  a: 1\n  # c\n# d\n  # e\n", 1, 2),
            ("x: 1\nm:\n  a: 1\n  # c\n# d\n", 1, 1),
            ("m: {a: 1,\n# c\n}\n# d\n", 1, 1),
            ("m: {\n# c\n}\n# d\n", 0, 1),
        ] {
            let documents = documents(text).unwrap();
            let root = &documents[0].root;
            let Kind::Map(map) = &root.entries.last().unwrap().value.kind else { panic!("{text}") };
            assert_eq!((map.trailing.len(), root.trailing.len()), (inner, outer), "{text}");
        }
    }
}
