//! Events -> nodes: what stands where, with every collection that is still open on a stack. Not recursive.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use super::alike::Seen;
use super::events::{Event, Events, Style, Tag};
use super::keys::{Key, know};
use super::size::Size;
use super::{MAX_DEPTH, conceal, scalar};
use crate::diagnostic::{Diagnostic, MAX_IN_A_FILE, code, sounds_secret};
use crate::span::{FileId, Span};
use crate::value::{Entry, Map, Node, Value};

/// A collection that is still open.
pub(super) struct Open {
    pub(super) span: Span,
    tag: Option<Tag>,
    anchor: usize,
    pub(super) flow: bool,
    /// Bytes before it on its line; of brackets it is not asked for.
    pub(super) column: usize,
    pub(super) kind: OpenKind,
}

pub(super) enum OpenKind {
    List(Vec<Node>),
    /// `seen` is where each key stands among the entries, once there are many.
    Map {
        entries: Vec<Entry>,
        key: Option<Key>,
        seen: HashMap<Box<str>, usize>,
    },
}

pub(super) struct Builder<'a> {
    file: FileId,
    pub(super) text: &'a str,
    /// Bytes before `text` in the file: a byte order mark.
    pub(super) skipped: usize,
    diagnostics: Vec<Diagnostic>,
    /// The tree can't be used: it is incomplete or would not be what was written.
    pub(super) broken: bool,
    /// What of the text was looked at.
    pub(super) seen: Seen,
    /// The same, but reading can go on: a tag or a merge key makes something else of what follows.
    pub(super) lost: bool,
    pub(super) stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    /// The last event.
    pub(super) last: Range<usize>,
    size: Size,
    /// What no message quotes, found when the first asks.
    concealed: OnceCell<Vec<Range<usize>>>,
    /// Anchored nodes with the number of nodes in them; `None` while the node is still open.
    anchors: HashMap<usize, Option<(Node, usize)>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(file: FileId, text: &'a str, skipped: usize) -> Self {
        Self {
            file,
            text,
            skipped,
            diagnostics: Vec::new(),
            broken: false,
            seen: Seen::default(),
            lost: false,
            stack: Vec::new(),
            root: None,
            documents: 0,
            last: 0..0,
            size: Size::new(text.len()),
            concealed: OnceCell::new(),
            anchors: HashMap::new(),
        }
    }

    /// The document and its problems; no tree where it would not be what was written.
    pub(super) fn build(mut self) -> (Option<Node>, Vec<Diagnostic>) {
        self.run();
        let root = if self.broken || self.lost { None } else { self.root.take() };
        (root, self.diagnostics)
    }

    pub(super) fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range.start + self.skipped..range.end + self.skipped)
    }

    /// Whether what stands at `range` may be part of a secret: then no message quotes it.
    pub(super) fn conceals(&self, range: &Range<usize>) -> bool {
        conceal::conceals_unread(self.concealed.get_or_init(|| conceal::unread(self.text)), range)
    }

    /// The same of a span.
    pub(super) fn conceals_at(&self, span: Span) -> bool {
        let range = span.range();
        self.conceals(&(range.start - self.skipped..range.end - self.skipped))
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        // One more, so that it is known that there are more.
        if self.diagnostics.len() <= MAX_IN_A_FILE {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(super) fn stop(&mut self, diagnostic: Diagnostic) {
        self.broken = true;
        self.diagnostics.push(diagnostic);
    }

    fn run(&mut self) {
        for event in Events::new(self.text, MAX_DEPTH, false) {
            match event {
                Ok((event, range)) => {
                    self.last = range.clone();
                    self.event(event, range);
                }
                Err(error) => self.syntax(&error),
            }
            if self.broken {
                return;
            }
        }
        self.ended();
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        let span = self.span(range.clone());
        match &event {
            Event::Scalar { style, tag, .. } => {
                self.written(*style, &range);
                if let Some(tag) = tag {
                    self.tag_form(tag, &range);
                }
                if self.awaits_key() && !self.broken {
                    self.key_form(*style, &range);
                }
            }
            Event::SequenceStart { flow: true, .. } | Event::MappingStart { flow: true, .. } | Event::Alias(_) => {
                self.between(range.start);
            }
            Event::SequenceEnd | Event::MappingEnd if self.stack.last().is_some_and(|open| open.flow) => {
                self.between(range.start);
            }
            _ => {}
        }
        if self.broken {
            return;
        }
        match event {
            Event::DocumentStart => {
                self.documents += 1;
                if self.documents == 2 {
                    let span = if span.start == span.end {
                        span
                    } else {
                        self.span(range.start..range.end.min(range.start + 3))
                    };
                    self.stop(
                        Diagnostic::error(code::YAML_DOCUMENTS, span, "a second document starts here")
                            .help("one document a file: move it to a file of its own"),
                    );
                }
            }
            Event::DocumentEnd | Event::Comment(_) => {}
            Event::Scalar { text, style, tag, anchor } => self.scalar(&text, style, tag, anchor, span),
            Event::SequenceStart { flow, tag, anchor } => {
                let column = if flow { 0 } else { self.column(range.start) };
                let span = if flow { span } else { self.with_dash(span, range.start) };
                self.open(Open { span, tag, anchor, flow, column, kind: OpenKind::List(Vec::new()) });
            }
            Event::MappingStart { flow, tag, anchor } => {
                let kind = OpenKind::Map { entries: Vec::new(), key: None, seen: HashMap::new() };
                let column = if flow { 0 } else { self.column(range.start) };
                self.open(Open { span, tag, anchor, flow, column, kind });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span);
                self.closed();
            }
            Event::Alias(id) => self.alias(id, span),
        }
    }

    /// The span of a block list from its first dash on: one that is indented no deeper than its key is given as if it began at
    /// its first item.
    fn with_dash(&self, span: Span, start: usize) -> Span {
        let (before, rest) = self.text.split_at_checked(start).unwrap_or((self.text, ""));
        let is_at_dash =
            rest.strip_prefix('-').is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n']) || rest.is_empty());
        match before.trim_end().strip_suffix('-') {
            Some(before) if !is_at_dash => self.span(before.len()..start).to(span),
            _ => span,
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> bool {
        if let Err(told) = self.size.add(nodes, span) {
            self.stop(*told);
        }
        !self.broken
    }

    fn open(&mut self, open: Open) {
        if self.awaits_key() {
            let before = self.text.get(..open.span.start as usize - self.skipped).unwrap_or("");
            let help = if open.flow && before.ends_with('{') {
                "an expression is written ${{ vars.NAME }}; if braces belong to the text, quote it: \"{{ … }}\""
            } else {
                "keys are plain strings"
            };
            self.stop(Diagnostic::error(code::YAML_KEY, open.span, "a map or list as a key").help(help));
            return;
        }
        if self.stack.len() >= MAX_DEPTH {
            self.too_deep(open.span);
        } else if self.count(1, open.span) {
            if open.anchor != 0 {
                self.anchors.insert(open.anchor, None);
            }
            self.stack.push(open);
        }
    }

    fn close(&mut self, end: Span) {
        let Some(open) = self.stack.pop() else { return };
        let (value, last) = match open.kind {
            OpenKind::List(items) => {
                let last = items.last().map(|n| n.span);
                (Value::List(items), last)
            }
            OpenKind::Map { entries, .. } => {
                let last = entries.last().map(|e| e.key_span.to(e.value.span));
                (Value::Map(Map::new(entries)), last)
            }
        };
        // The range of a block collection's end lies at the next token: it ends where its last child does.
        let span = if open.flow { open.span.to(end) } else { last.map_or(open.span, |last| open.span.to(last)) };
        self.check_tag(open.tag, false);
        self.add(Node::new(span, value), open.anchor);
    }

    fn scalar(&mut self, text: &str, style: Style, tag: Option<Tag>, anchor: usize, span: Span) {
        let before = self.diagnostics.len();
        let tagged_string = self.check_tag(tag, true);
        let typed = tagged_string || self.diagnostics.len() > before;
        // Coordinates have such keys. YAML 1.1 calls `y` and `n` booleans; its readers (PyYAML, libyaml's, Go's, Ruby's) do not.
        let letter = self.awaits_key() && matches!(text, "y" | "Y" | "n" | "N");
        let read = if style == Style::Plain && !typed && !letter { scalar::plain(text) } else { scalar::Plain::Str };
        if self.awaits_key() {
            if anchor != 0 {
                self.anchors.insert(anchor, Some((Node::new(span, Value::String(text.into())), 1)));
            }
            self.key(text, &read, span);
            return;
        }
        if !self.count(1, span) {
            return;
        }
        let read = match read {
            scalar::Plain::MergeKey => scalar::Plain::Ambiguous(scalar::Reading::Mark),
            read => read,
        };
        let value = match read {
            scalar::Plain::Str => Value::String(text.into()),
            scalar::Plain::Null => Value::Null,
            scalar::Plain::Bool(b) => Value::Bool(b),
            scalar::Plain::Int(i) => Value::Int(i),
            scalar::Plain::Float(f) => Value::Float(f),
            scalar::Plain::Ambiguous(_) | scalar::Plain::OutOfRange(_) | scalar::Plain::MergeKey => {
                self.unclear(text, &read, span);
                Value::String(text.into())
            }
        };
        self.add(Node::new(span, value), anchor);
    }

    /// Tells a plain scalar that readers take differently, or that does not fit.
    fn unclear(&mut self, text: &str, read: &scalar::Plain, span: Span) {
        if self.diagnostics.len() > MAX_IN_A_FILE {
            return;
        }
        // Never a value that may be a secret.
        let secret = self.key_sounds_secret() || self.conceals_at(span);
        let quoted = if secret { String::new() } else { format!(": '{text}'") };
        let told = match read {
            scalar::Plain::Ambiguous(as_what) => {
                let message = format!("this is {as_what} to some YAML readers and not to others");
                let help = match as_what.instead() {
                    Some(instead) => format!("if it is text, quote it{quoted}; if it is not, write {instead}"),
                    None => format!("quote it{quoted}"),
                };
                Diagnostic::error(code::AMBIGUOUS_SCALAR, span, message).help(help)
            }
            scalar::Plain::OutOfRange(what) => {
                Diagnostic::error(code::NUMBER_RANGE, span, format!("the value is {what}"))
                    .help(format!("if it is text, quote it{quoted}"))
            }
            _ => return,
        };
        self.report(told);
    }

    fn key_sounds_secret(&self) -> bool {
        self.stack.iter().any(|open| match &open.kind {
            OpenKind::Map { key: Some(key), .. } => sounds_secret(&key.text),
            _ => false,
        })
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. }))
    }

    fn alias(&mut self, id: usize, span: Span) {
        if self.awaits_key() {
            self.stop(Diagnostic::error(code::YAML_KEY, span, "an alias as a key").help("write the key out"));
            return;
        }
        match self.anchors.get(&id) {
            Some(Some((node, size))) => {
                let (node, size) = (node.clone(), *size);
                if self.stack.len() + node.height() > MAX_DEPTH {
                    self.too_deep(span);
                } else if self.count(size, span) {
                    self.add(node, 0);
                }
            }
            _ => self.stop(
                Diagnostic::error(code::YAML_ALIAS, span, "the alias stands within its own anchor")
                    .help("a value can't contain itself: write it out"),
            ),
        }
    }

    fn add(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            // The copy that aliases are expanded from counts too: nested anchors would multiply it.
            let size = node.size();
            if !self.count(size, node.span) {
                return;
            }
            self.anchors.insert(anchor, Some((node.clone(), size)));
        }
        match self.stack.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map { entries, key, seen }) => {
                if let Some(Key { text: key, span: key_span, repeated }) = key.take() {
                    if repeated {
                        return;
                    }
                    entries.push(Entry { key, key_span, value: node });
                    know(entries, seen);
                }
            }
        }
    }
}
