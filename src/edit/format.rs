//! The canonical form of a workspace file: top-level keys in the order of the language, two spaces a level, everything
//! else as it was written. Comments stay with the key that they stand above or beside.
//!
//! What comes out parses to the same tree, or nothing is changed: layout that this does not understand is left alone.

use crate::rules::levels::MARK;
use crate::source::Sources;
use crate::span::FileId;
use crate::value::{Map, Node, Value};
use crate::workspace::discover::{Family, Role};
use crate::yaml;

const CONNECTION: &[&str] = &[
    "connector",
    "title",
    "description",
    "owner",
    "labels",
    "key",
    "scope",
    "supplied_by",
    "expose",
    "protect",
    "enabled",
    "config",
    "credential",
    "auth",
    "sealed",
];
const CREDENTIAL: &[&str] =
    &["title", "description", "owner", "labels", "connectors", "rotate_every", "rotated", "runbook", "auth", "sealed"];
const CONSUMER: &[&str] = &["kind", "title", "description", "owner", "environments", "uses", "recipients", "settings"];
const WORKSPACE: &[&str] = &["tieline", "id", "name", "keys", "recipients", "vars", "rules", "policy"];
const LAYER: &[&str] = &[
    "description",
    "extends",
    "abstract",
    "environments",
    "connections",
    "protected",
    "vars",
    "secrets",
    "keys",
    "recipients",
    "target",
    "publish",
    "guards",
];

/// The order of the top-level keys of a file; `None` for files that are not formatted.
pub fn order(role: &Role) -> Option<&'static [&'static str]> {
    match role {
        Role::Workspace => Some(WORKSPACE),
        Role::Environment | Role::Customer | Role::Profile => Some(LAYER),
        Role::Item(Family::Connections, _) => Some(CONNECTION),
        Role::Item(Family::Credentials, _) => Some(CREDENTIAL),
        Role::Item(Family::Consumers, _) => Some(CONSUMER),
        Role::Secrets | Role::Connector(_) => None,
    }
}

/// The text in its canonical form. `None` where it can't be parsed, or is laid out in a way that is left alone.
pub fn format(text: &str, order: &[&str]) -> Option<String> {
    let root = parsed(text)?;
    let ordered = reorder(text, &root, order);
    let root = parsed(&ordered).filter(|again| again.same(&root))?;
    let indented = reindent(&ordered, &root);
    let done = parsed(&indented).filter(|again| again.same(&root))?;
    // What would change again is not in a form at all.
    let again = reindent(&reorder(&indented, &done, order), &done);
    (again == indented).then_some(indented)
}

fn parsed(text: &str) -> Option<Node> {
    let (root, told) = yaml::parse(FileId(0), text);
    root.filter(|root| told.is_empty() && root.as_map().is_some())
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |i| i + 1)
}

/// Puts the top-level blocks in order. A block is a key with its value, and the comments right above it.
fn reorder(text: &str, root: &Node, order: &[&str]) -> String {
    let entries: Vec<_> = root.as_map().into_iter().flat_map(Map::iter).collect();
    let starts: Vec<usize> = entries.iter().map(|e| e.key_span.start as usize).collect();
    // Only keys that begin their lines at the margin have blocks.
    let at_margin = |start: &usize| line_start(text, *start) == *start;
    if !starts.iter().all(at_margin) || starts.windows(2).any(|pair| pair[0] >= pair[1]) {
        return text.to_owned();
    }
    let begins: Vec<usize> = starts.iter().map(|start| with_comments(text, *start)).collect();
    let Some(first) = begins.first() else { return text.to_owned() };
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let rank = |key: &str| order.iter().position(|known| *known == key).unwrap_or(order.len());
    let mut blocks: Vec<(usize, &str)> = entries
        .iter()
        .zip(begins.iter().zip(ends))
        .map(|(e, (begin, end))| (rank(&e.key), &text[*begin..end]))
        .collect();
    if blocks.windows(2).all(|pair| pair[0].0 <= pair[1].0) {
        return text.to_owned();
    }
    blocks.sort_by_key(|(rank, _)| *rank);
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = text[..*first].to_owned();
    for (i, (_, block)) in blocks.iter().enumerate() {
        let last = i + 1 == blocks.len();
        // Empty lines between blocks belong to nobody: they don't move.
        let body = block.trim_end_matches(['\n', '\r', ' ']);
        out += body;
        out += if last { "" } else { ending };
        // A comment that ends a block is not to become that of the next key.
        let is_comment = body.lines().next_back().is_some_and(|line| line.trim_start().starts_with('#'));
        out += if is_comment && !last { ending } else { "" };
    }
    out + if text.ends_with('\n') { ending } else { "" }
}

/// Where the comment lines right above a line begin; not those at the very top, which are the file's.
fn with_comments(text: &str, start: usize) -> usize {
    let mut begin = start;
    while begin > 0 {
        let above = line_start(text, begin - 1);
        if !text[above..begin].trim_start().starts_with('#') || above == 0 {
            break;
        }
        begin = above;
    }
    // A comment block that reaches to the top of the file is about the file, but for an excuse: that is about the line below.
    let top = text[..begin].lines().all(|line| line.trim_start().starts_with('#'));
    if !top || begin == 0 {
        return begin;
    }
    let above = line_start(text, start.saturating_sub(1));
    if text[above..start].contains(MARK) { above } else { start }
}

/// Gives every level two spaces.
fn reindent(text: &str, root: &Node) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut offsets = Vec::with_capacity(lines.len());
    let mut at = 0;
    for line in &lines {
        offsets.push(at);
        at += line.len();
    }
    let mut shifts = Shifts { text, offsets: &offsets, by_line: vec![None; lines.len()] };
    shifts.visit(root, 0);
    // That of the next line that begins an entry, for each line.
    let mut below = shifts.by_line.clone();
    for i in (1..below.len()).rev() {
        below[i - 1] = below[i - 1].or(below[i]);
    }
    let mut out = String::with_capacity(text.len());
    let mut shift = 0isize;
    for (i, line) in lines.iter().enumerate() {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        shift = match shifts.by_line[i] {
            Some(own) => own,
            // A comment goes with the line that it stands above.
            None if content.starts_with('#') => below[i].unwrap_or(shift),
            None => shift,
        };
        if content.trim().is_empty() {
            out += content;
            continue;
        }
        let indent = usize::try_from(isize::try_from(indent).unwrap_or(0) + shift).unwrap_or(0);
        out.extend(std::iter::repeat_n(' ', indent));
        out += content;
    }
    out
}

/// How far each line that begins an entry is to be moved; lines between follow the one above.
struct Shifts<'t> {
    text: &'t str,
    offsets: &'t [usize],
    by_line: Vec<Option<isize>>,
}

impl Shifts<'_> {
    /// Puts the entries of a block at `column`.
    fn visit(&mut self, node: &Node, column: usize) {
        match &node.value {
            Value::Map(map) if !self.is_flow(node) => {
                for entry in map.iter() {
                    self.line(entry.key_span.start as usize, column);
                    self.visit(&entry.value, column + 2);
                }
            }
            Value::List(items) if !self.is_flow(node) => {
                for item in items {
                    let start = item.span.start as usize;
                    let dash = self.text[..start].rfind('-').unwrap_or(0);
                    self.line(dash, column);
                    // What follows the dash on its line moves with it.
                    let beside = !self.text[dash..start].contains('\n');
                    self.visit(item, column + if beside { start - dash } else { 2 });
                }
            }
            _ => {}
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text[node.span.start as usize..].starts_with(['{', '[', '*', '&'])
    }

    /// What begins at `at` is to stand in this column, if nothing but spaces is before it.
    fn line(&mut self, at: usize, column: usize) {
        let start = line_start(self.text, at);
        if !self.text[start..at].bytes().all(|b| b == b' ') {
            return;
        }
        if let Ok(line) = self.offsets.binary_search(&start) {
            let now = isize::try_from(at - start).unwrap_or(0);
            self.by_line[line] = Some(isize::try_from(column).unwrap_or(0) - now);
        }
    }
}

/// What formatting does with a file of a workspace.
pub fn of(sources: &Sources, file: FileId, role: &Role) -> Option<String> {
    format(sources.get(file).text(), order(role)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_go_in_order_with_their_comments_and_every_level_has_two_spaces() {
        let text = "auth: {mode: default}\n# the bucket\nconfig:\n    region: eu-central-1   # frankfurt\n    tags:\n    # a list\n    -  a\n    -  b: |\n         text\n           more\n       c: 1\nconnector: s3\n";
        let expected = "connector: s3\n# the bucket\nconfig:\n  region: eu-central-1   # frankfurt\n  tags:\n    # a list\n    -  a\n    -  b: |\n         text\n           more\n       c: 1\nauth: {mode: default}\n";
        let root = parsed(text).unwrap();
        let ordered = reorder(text, &root, CONNECTION);
        assert!(parsed(&ordered).unwrap().same(&root), "{ordered}");
        let again = parsed(&ordered).unwrap();
        assert_eq!(reindent(&ordered, &again), expected);
        assert_eq!(format(text, CONNECTION).as_deref(), Some(expected));
    }

    #[test]
    fn e2_a_comment_stays_with_what_it_is_about() {
        // At the top of the file, and yet about a line.
        let text = "# ours\n# tieline: allow x why\nconfig: {}\nconnector: s3\n# the end\n";
        let expected = "# ours\nconnector: s3\n# the end\n\n# tieline: allow x why\nconfig: {}\n";
        assert_eq!(format(text, CONNECTION).as_deref(), Some(expected));
        let text = "config: {}\n# tieline: allow x why\n\nauth: {}\nconnector: s3\n";
        let expected = "connector: s3\nconfig: {}\n# tieline: allow x why\n\nauth: {}\n";
        assert_eq!(format(text, CONNECTION).as_deref(), Some(expected));
    }

    #[test]
    fn e2_lines_end_as_they_did() {
        let text = "auth: {mode: default}\r\n\r\n# the bucket\r\nconfig:\r\n    region: a\r\nconnector: s3\r\n";
        let expected = "connector: s3\r\n# the bucket\r\nconfig:\r\n  region: a\r\nauth: {mode: default}\r\n";
        assert_eq!(format(text, CONNECTION).as_deref(), Some(expected));
    }
}
