//! Trees made here, not read: data as a document in clear, and the block.

use std::borrow::Cow;
use std::collections::HashSet;

use super::document::{BLOCK, Entry, Item, Kind, MAX_DEPTH, MAX_NODES, Map as Tree, Node, Scalar};
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::leaf::Type;
use super::metadata::WrappedKey;
use super::typing::Typed;
use super::value::{Map, Value};
use super::walk::{MAX_PATH, Path, Step};
use crate::yaml::events::Style;

/// Values of a map that is sealed, lists and maps counted: what is written must be readable, and the reader counts a key and
/// its value, and the block.
pub const MAX_VALUES: usize = (MAX_NODES - 1000) / 2;

/// Data as a tree in clear.
///
/// # Errors
///
/// What can't be a document, or is not written: [`ErrorKind::DuplicateKey`], [`ErrorKind::ReservedKey`],
/// [`ErrorKind::Unwritable`], and limits.
pub(super) fn of_data(data: &Map) -> Result<Tree<'static>, SopsError> {
    let mut builder = Builder::default();
    let tree = builder.map(data);
    match builder.failed {
        Some(error) => Err(error),
        None => Ok(tree.unwrap_or_default()),
    }
}

pub(super) fn entry<'a>(key: &str, value: Node<'a>) -> Entry<'a> {
    Entry { comments: Vec::new(), key: Cow::Owned(key.to_owned()), key_range: 0..0, value }
}

pub(super) fn map_node(entries: Vec<Entry<'_>>) -> Node<'_> {
    Node { range: 0..0, kind: Kind::Map(Tree { entries, ..Tree::default() }) }
}

pub(super) fn string<'a>(text: String) -> Node<'a> {
    scalar(text, Style::Quoted)
}

pub(super) fn scalar<'a>(text: String, style: Style) -> Node<'a> {
    Node { range: 0..0, kind: Kind::Scalar(Scalar::new(Cow::Owned(text), style, None)) }
}

/// The list under `age`.
pub(super) fn age_entries(wrapped: Vec<WrappedKey>) -> Node<'static> {
    let one = |WrappedKey { recipient, enc }| {
        let fields = vec![entry("recipient", string(recipient)), entry("enc", scalar(enc, Style::Block))];
        Item { comments: Vec::new(), value: map_node(fields) }
    };
    Node { range: 0..0, kind: Kind::List(wrapped.into_iter().map(one).collect()) }
}

/// Builds a tree. What can't be one is kept as `failed`.
#[derive(Default)]
struct Builder<'a> {
    path: Path<'a>,
    length: usize,
    nodes: usize,
    failed: Option<SopsError>,
}

impl<'a> Builder<'a> {
    fn fail<T>(&mut self, kind: ErrorKind) -> Option<T> {
        let error = SopsError::new(kind).with_path(self.path.to_string());
        self.failed.get_or_insert(error);
        None
    }

    fn map(&mut self, map: &'a Map) -> Option<Tree<'static>> {
        let mut seen = HashSet::with_capacity(map.len());
        let mut tree = Tree::default();
        for (key, value) in map.iter() {
            self.path.0.push(Step::Key(key));
            self.length += key.len() + 1;
            if !seen.insert(key) {
                return self.fail(ErrorKind::DuplicateKey { first: 0..0 });
            }
            if self.path.0.len() == 1 && key == BLOCK {
                return self.fail(ErrorKind::ReservedKey);
            }
            if self.length > MAX_PATH {
                return self.fail(ErrorKind::PathTooLong);
            }
            tree.entries.push(entry(key, self.node(value)?));
            self.length -= key.len() + 1;
            self.path.0.pop();
        }
        Some(tree)
    }

    fn node(&mut self, value: &'a Value) -> Option<Node<'static>> {
        self.nodes += 1;
        if self.nodes > MAX_VALUES {
            return self.fail(ErrorKind::TooLarge);
        }
        if self.path.0.len() > MAX_DEPTH {
            return self.fail(ErrorKind::TooDeep);
        }
        let kind = match value {
            Value::Map(map) => Kind::Map(self.map(map)?),
            Value::List(list) => {
                let mut items = Vec::with_capacity(list.len());
                for (index, value) in list.iter().enumerate() {
                    self.path.0.push(Step::Index(index));
                    items.push(Item { comments: Vec::new(), value: self.node(value)? });
                    self.path.0.pop();
                }
                Kind::List(items)
            }
            Value::Time(_) => return self.fail(ErrorKind::Unwritable(Type::Time)),
            Value::Bytes(_) => return self.fail(ErrorKind::Unwritable(Type::Str)),
            leaf => Kind::Scalar(of_value(leaf)),
        };
        Some(Node { range: 0..0, kind })
    }
}

/// A value as a scalar of a tree, whose type is the value's own.
pub(super) fn of_value(value: &Value) -> Scalar<'static> {
    let plain =
        |text: String, typed| Scalar { typed: Some(typed), ..Scalar::new(Cow::Owned(text), Style::Plain, None) };
    match value {
        Value::Bool(bool) => plain(bool.expose().to_string(), Typed::Bool(*bool.expose())),
        Value::Int(int) => plain(int.expose().to_string(), Typed::Int(*int.expose())),
        Value::Float(float) => plain(emit::float_spelled(*float.expose()), Typed::Float(*float.expose())),
        Value::Str(text) => Scalar::new(Cow::Owned(text.expose().clone()), Style::Quoted, None),
        Value::Time(text) => match super::time::Time::parse_rfc3339(text.expose()) {
            Some(time) => plain(text.expose().clone(), Typed::Time(time)),
            None => Scalar::new(Cow::Owned(text.expose().clone()), Style::Quoted, None),
        },
        Value::Bytes(bytes) => plain(String::from("binary"), Typed::Bytes(bytes.expose().clone())),
        Value::Null | Value::List(_) | Value::Map(_) => plain(String::new(), Typed::Null),
    }
}
