//! Text -> tree: one strict YAML document.
//!
//! Takes a text and gives a [`Node`] with byte-exact spans, and every problem it has. It goes on after an error where
//! the parser can; a syntax error ends the file, since what follows can't be trusted. Depth, nodes and aliases are
//! bounded while building, never after. What YAML we accept is told in [`scalar`].

mod alike;
pub mod characters;
pub mod conceal;
pub mod events;
mod keys;
pub mod scalar;
mod size;
mod syntax;
mod tree;

use crate::diagnostic::Diagnostic;
use crate::span::FileId;
use crate::value::Node;

/// A file may have this many bytes (4 MiB).
pub const MAX_BYTES: usize = 4 << 20;
/// Collections may nest this deep, in blocks, brackets, aliases and what expressions give: as deep as they can be sealed.
pub const MAX_DEPTH: usize = 64;
/// A document may have this many nodes, aliases expanded.
pub const MAX_NODES: usize = 100_000;

/// Reads one document.
///
/// `None` where there is nothing usable: a syntax error, or no content. The tree comes back beside diagnostics of
/// single values; what is wrong there was told and is `null` or a string in the tree.
pub fn parse(file: FileId, text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let (text, skipped) = match text.strip_prefix('\u{feff}') {
        // Of two marks the second is one that stands behind the start.
        Some(rest) if !rest.starts_with('\u{feff}') => (rest, '\u{feff}'.len_utf8()),
        _ => (text, 0),
    };
    tree::Builder::new(file, text, skipped).build()
}
