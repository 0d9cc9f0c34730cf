//! Lists of names and maps of texts at the top of a settings file: one more, one less, in the style that is there.

use super::{Changes, scalar};
use crate::span::{FileId, Span};
use crate::value::{Map, Node};

/// The column of a byte, and the line that it is in.
fn column(text: &str, at: usize) -> usize {
    at - text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Whether a value is written in brackets: what comes first behind its key.
fn is_flow(text: &str, node: &Node) -> bool {
    matches!(text.as_bytes().get(node.span.start as usize), Some(b'[' | b'{'))
}

impl Changes<'_> {
    fn text(&self, file: FileId) -> String {
        self.workspace.sources.get(file).text().to_owned()
    }

    /// Puts lines at the end of a file.
    fn append(&mut self, file: FileId, lines: &str) {
        let text = self.text(file);
        let broken = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.replace(Span::new(file, text.len()..text.len()), format!("{broken}{lines}"));
    }

    /// Writes a list anew, or adds the key with it. `names` is all that it is to hold.
    pub fn write_list(&mut self, file: FileId, root: Option<&Node>, key: &str, names: &[String]) {
        let words: Vec<String> = names.iter().map(|name| scalar(name)).collect();
        let entry = root.and_then(Node::as_map).and_then(|map| map.entry(key));
        let Some(entry) = entry else {
            self.append(file, &format!("{key}: [{}]\n", words.join(", ")));
            return;
        };
        let text = self.text(file);
        let old = entry.value.as_list().unwrap_or(&[]);
        let (Some(first), Some(last)) = (old.first(), old.last()) else {
            let behind = Span::new(
                file,
                entry.key_span.range().end..entry.value.span.range().end.max(entry.key_span.range().end),
            );
            self.replace(behind, format!(": [{}]", words.join(", ")));
            return;
        };
        if is_flow(&text, &entry.value) {
            self.replace(first.span.to(last.span), words.join(", "));
            return;
        }
        // A line each: those that stay keep their comments.
        for item in old {
            if !item.as_str().is_some_and(|name| names.iter().any(|n| n == name)) {
                let start = item.span.range().start - column(&text, item.span.range().start);
                let end =
                    text[item.span.range().end..].find('\n').map_or(text.len(), |at| item.span.range().end + at + 1);
                self.replace(Span::new(file, start..end), "");
            }
        }
        let line = column(&text, last.span.range().start).saturating_sub(2);
        for name in names.iter().filter(|name| !old.iter().any(|item| item.as_str() == Some(name))) {
            self.line_below(last.span, line, &format!("- {}", scalar(name)));
        }
    }

    /// Adds a text to a map, or the key with it.
    pub fn add_to_map(&mut self, file: FileId, root: Option<&Node>, key: &str, name: &str, value: &str) {
        let line = format!("{}: {}", scalar(name), scalar(value));
        let entry = root.and_then(Node::as_map).and_then(|map| map.entry(key));
        let last = entry.and_then(|entry| entry.value.as_map()).and_then(|map| Map::iter(map).last());
        let text = self.text(file);
        match (entry, last) {
            (Some(entry), Some(last)) if is_flow(&text, &entry.value) => {
                let end = last.value.span.range().end;
                self.replace(Span::new(file, end..end), format!(", {line}"));
            }
            (Some(_), Some(last)) => {
                let indent = column(&text, last.key_span.range().start);
                self.line_below(last.value.span, indent, &line);
            }
            (Some(entry), None) => {
                let behind = Span::new(
                    file,
                    entry.key_span.range().end..entry.value.span.range().end.max(entry.key_span.range().end),
                );
                self.replace(behind, format!(":\n  {line}"));
            }
            (None, _) => self.append(file, &format!("{key}:\n  {line}\n")),
        }
    }
}
