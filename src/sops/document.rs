//! Text -> ordered trees of scalars as written, one for each YAML document, with the bytes they stand in.
//!
//! [`parse`] is told whether a text is YAML or JSON; what it gives is the same, the `sops` entry set apart. Nothing is
//! decrypted yet.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::error::{ErrorKind, SopsError};
use super::typing::{Typed, resolve};
use super::{json, yaml};
use crate::yaml::events::{Style, Tag};

/// Levels of maps and lists, aliases expanded.
pub(super) const MAX_DEPTH: usize = 64;
/// Scalars, maps, lists and comments, aliases expanded.
pub(super) const MAX_NODES: usize = 100_000;

/// The key of the block.
pub(super) const BLOCK: &str = "sops";

/// What a file is written in: sops goes by the name's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// One or more YAML documents.
    #[default]
    Yaml,
    /// One JSON object.
    Json,
}

#[derive(Clone, Debug)]
pub(super) struct Comment<'a> {
    /// What follows the `#`.
    pub(super) text: Cow<'a, str>,
    pub(super) range: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Scalar<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) style: Style,
    pub(super) tag: Option<Tag>,
    /// The type, where the text's own format tells it: a number of JSON.
    pub(super) typed: Option<Typed>,
}

impl<'a> Scalar<'a> {
    pub(super) fn new(text: Cow<'a, str>, style: Style, tag: Option<Tag>) -> Self {
        Self { text, style, tag, typed: None }
    }

    pub(super) fn resolve(&self) -> Result<Typed, ErrorKind> {
        match &self.typed {
            Some(typed) => Ok(typed.clone()),
            None => resolve(&self.text, self.style, self.tag.as_ref()),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    /// From the first byte to the end of the last child, without anchor and tag. For an alias, the alias itself.
    pub(super) range: Range<usize>,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    Scalar(Scalar<'a>),
    List(Vec<Item<'a>>),
    Map(Map<'a>),
}

#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) comments: Vec<Comment<'a>>,
    pub(super) value: Node<'a>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    /// The comments above the key and at the end of its line.
    pub(super) comments: Vec<Comment<'a>>,
    pub(super) key: Cow<'a, str>,
    pub(super) key_range: Range<usize>,
    pub(super) value: Node<'a>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Map<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// The comments after the last entry.
    pub(super) trailing: Vec<Comment<'a>>,
    /// `{…}` rather than `key: …`.
    pub(super) flow: bool,
}

impl<'a> Map<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// One YAML document.
#[derive(Clone, Debug)]
pub(super) struct Document<'a> {
    /// The data.
    pub(super) root: Map<'a>,
    /// The entry `sops`.
    pub(super) block: Option<Entry<'a>>,
}

/// Reads all documents of a text.
///
/// # Errors
///
/// Whatever is wrong with the text, a limit that is exceeded, a document that is no map, a key that is no string or
/// stands twice, and [`ErrorKind::Empty`].
pub(super) fn parse(text: &str, format: Format) -> Result<Vec<Document<'_>>, SopsError> {
    match format {
        Format::Yaml => yaml::documents(text),
        Format::Json => Ok(vec![json::document(text)?]),
    }
}

pub(super) fn split<'a>(mut root: Map<'a>, comments: Vec<Comment<'a>>) -> Document<'a> {
    root.trailing.extend(comments);
    let index = root.entries.iter().position(|entry| entry.key == BLOCK);
    let mut block = index.map(|index| root.entries.remove(index));
    if let Some(block) = &mut block {
        // Comments above the block belong to the data.
        root.trailing.splice(0..0, std::mem::take(&mut block.comments));
    }
    Document { root, block }
}

pub(super) fn unique(map: &Map<'_>) -> Result<(), SopsError> {
    let mut seen = HashMap::with_capacity(map.entries.len());
    for entry in &map.entries {
        if let Some(first) = seen.insert(&*entry.key, &entry.key_range) {
            let kind = ErrorKind::DuplicateKey { first: first.clone() };
            return Err(SopsError::at(kind, &entry.key_range));
        }
    }
    Ok(())
}
