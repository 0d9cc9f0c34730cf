//! Changes to the files of a workspace, by byte ranges: what is not changed stays as somebody wrote it.
//!
//! A command collects [`Changes`], gets [`Edited`] files, has them [checked](check) as if they stood there already, and only
//! then writes them. What would not compile is never written.

pub mod check;
pub mod format;
mod lists;
pub mod references;
pub mod skeleton;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use similar::TextDiff;

use crate::source::{Source, Sources};
use crate::span::{FileId, Span};
use crate::value::Node;
use crate::workspace::Workspace;
use crate::yaml::{self, conceal};

/// What is to change.
pub struct Changes<'w> {
    workspace: &'w Workspace,
    splices: BTreeMap<FileId, Vec<(Range<usize>, String)>>,
    moved: BTreeMap<FileId, String>,
    removed: BTreeSet<FileId>,
    created: BTreeMap<String, String>,
}

/// The files that come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// Path -> its text; `None` where it goes away.
    pub files: BTreeMap<String, Option<String>>,
    /// Path -> its text before; a new file has none.
    pub before: BTreeMap<String, String>,
    /// Files that go from one path to another.
    pub moved: Vec<(String, String)>,
}

impl<'w> Changes<'w> {
    /// None yet.
    pub fn new(workspace: &'w Workspace) -> Self {
        Self {
            workspace,
            splices: BTreeMap::new(),
            moved: BTreeMap::new(),
            removed: BTreeSet::new(),
            created: BTreeMap::new(),
        }
    }

    /// Puts `text` in place of what stands under `span`.
    pub fn replace(&mut self, span: Span, text: impl Into<String>) {
        self.splices.entry(span.file).or_default().push((span.range(), text.into()));
    }

    /// Puts a name in place of a scalar, in quotes where YAML readers would take it for something else.
    pub fn rename(&mut self, span: Span, name: &str) {
        self.replace(span, scalar(name));
    }

    /// Puts a line below the one that `span` ends in, indented by `indent` spaces.
    pub fn line_below(&mut self, span: Span, indent: usize, line: &str) {
        let text = self.workspace.sources.get(span.file).text();
        let end = span.range().end.min(text.len());
        let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let line = format!("{}{line}", " ".repeat(indent));
        match text[end..].find('\n') {
            Some(at) => self.replace(Span::new(span.file, end + at + 1..end + at + 1), format!("{line}{ending}")),
            None => self.replace(Span::new(span.file, text.len()..text.len()), format!("{ending}{line}")),
        }
    }

    /// Moves a file.
    pub fn move_file(&mut self, file: FileId, to: String) {
        self.moved.insert(file, to);
    }

    /// Removes a file.
    pub fn remove(&mut self, file: FileId) {
        self.removed.insert(file);
    }

    /// Makes a file.
    pub fn create(&mut self, path: String, text: String) {
        self.created.insert(path, text);
    }

    /// The files as they are to be.
    pub fn finish(self) -> Edited {
        let mut edited = Edited::default();
        let touched: BTreeSet<FileId> =
            self.splices.keys().chain(self.moved.keys()).chain(&self.removed).copied().collect();
        for file in touched {
            let source = self.workspace.sources.get(file);
            let path = source.path().to_owned();
            edited.before.insert(path.clone(), source.text().to_owned());
            if self.removed.contains(&file) {
                edited.files.insert(path, None);
                continue;
            }
            let mut splices = self.splices.get(&file).cloned().unwrap_or_default();
            splices.sort_by_key(|(range, _)| range.start);
            let mut text = source.text().to_owned();
            for (range, new) in splices.into_iter().rev() {
                text.replace_range(range, &new);
            }
            match self.moved.get(&file) {
                Some(to) => {
                    edited.files.insert(path.clone(), None);
                    edited.files.insert(to.clone(), Some(text));
                    edited.moved.push((path, to.clone()));
                }
                None => {
                    edited.files.insert(path, Some(text));
                }
            }
        }
        edited.files.extend(self.created.into_iter().map(|(path, text)| (path, Some(text))));
        edited
    }
}

impl Edited {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|(path, text)| text.as_ref() == self.before.get(path))
    }

    /// The change as a unified diff, as `git diff` words renames. What may be a secret is masked, by what is known of it in
    /// the texts before and after.
    pub fn diff(&self, before: &Sources, after: &Sources) -> String {
        let shown = |sources: &Sources, path: &str, text: &str| {
            let count = u32::try_from(sources.len()).unwrap_or(u32::MAX);
            let mut all = (0..count).rev().map(|id| sources.get(FileId(id)));
            let source = all.find(|source| source.path() == path && source.text() == text);
            source.map_or_else(|| conceal::shown(&Source::of(path, text)), conceal::shown)
        };
        let mut diff = String::new();
        let from = |path: &str| self.moved.iter().find(|(_, to)| to == path).map(|(from, _)| from.as_str());
        for (path, text) in &self.files {
            if text.is_none() && self.moved.iter().any(|(from, _)| from == path) {
                continue;
            }
            let source = from(path).unwrap_or(path);
            if source != path {
                diff += &format!("rename from {source}\nrename to {path}\n");
            }
            let (old, new) = (self.before.get(source).map_or("", |t| t), text.as_deref().unwrap_or(""));
            if old == new {
                continue;
            }
            let name = |path: &str, prefix: &str, there: bool| {
                if there { format!("{prefix}/{path}") } else { "/dev/null".to_owned() }
            };
            let header = (name(source, "a", self.before.contains_key(source)), name(path, "b", text.is_some()));
            let (old, new) = (shown(before, source, old), shown(after, path, new));
            let lines = TextDiff::from_lines(&old, &new);
            diff += &lines.unified_diff().context_radius(2).header(&header.0, &header.1).to_string();
        }
        diff
    }
}

/// A text as a YAML scalar, on one line, that every reader takes as this text, behind a key as in brackets.
pub fn scalar(text: &str) -> String {
    let same = |around: (&str, &str)| {
        let (root, told) = yaml::parse(FileId(0), &format!("a: {}{text}{}\n", around.0, around.1));
        let value = root.as_ref().and_then(|root| root.get("a"));
        let value = value.map(|value| value.as_list().map_or(value, |items| items.first().unwrap_or(value)));
        told.is_empty() && value.and_then(Node::as_str) == Some(text)
    };
    if same(("", "")) && same(("[", "]")) { plain(text) } else { quoted(text) }
}

/// The same for the key of a map.
pub fn key(name: &str) -> String {
    let (root, told) = yaml::parse(FileId(0), &format!("{name}: a\n"));
    let entry = root.as_ref().and_then(Node::as_map).and_then(|map| map.iter().next());
    let same = entry.is_some_and(|entry| &*entry.key == name && entry.value.as_str() == Some("a"));
    if same && told.is_empty() { plain(name) } else { quoted(name) }
}

fn plain(text: &str) -> String {
    if text.chars().any(acts) { quoted(text) } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    if !text.chars().any(acts) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if acts(c) => escape(c),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// Whether a character could end a line, or act on who reads it.
fn acts(c: char) -> bool {
    c.is_control() || c.escape_debug().len() > 2
}

/// A character as strings in double quotes have it.
fn escape(c: char) -> String {
    format!("\\U{:08X}", u32::from(c))
}
