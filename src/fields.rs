//! A map -> its typed keys, for every file whose keys are fixed: unknown keys are told with a near name, values of the
//! wrong type with what was expected.

use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::span::{Span, Spanned};
use crate::value::{Entry, Map, Node, Value};

/// Reads the keys of one map and reports what does not fit.
pub struct Fields<'a> {
    map: &'a Map,
    span: Span,
    what: &'a str,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Fields<'a> {
    /// The fields of `node`, which `what` names in messages ("a connection"); `known` are all keys that it may have.
    ///
    /// `None` if it is no map, which is reported.
    pub fn new(node: &'a Node, what: &'a str, known: &[&str], diagnostics: &'a mut Vec<Diagnostic>) -> Option<Self> {
        let Value::Map(map) = &node.value else {
            diagnostics.push(
                Diagnostic::error(code::WRONG_TYPE, node.span, format!("{what} is a map, this is {}", node.kind()))
                    .help(format!("its keys: {}", listed(known.iter().copied(), 20))),
            );
            return None;
        };
        for entry in map.iter().filter(|e| !known.contains(&&*e.key)) {
            let unknown = format!("unknown key `{}` in {what}", entry.key);
            let help = match nearest(&entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", listed(known.iter().copied(), 20)),
            };
            diagnostics.push(Diagnostic::error(code::UNKNOWN_KEY, entry.key_span, unknown).help(help));
        }
        Some(Self { map, span: node.span, what, diagnostics })
    }

    /// Where problems go.
    pub fn diagnostics(&mut self) -> &mut Vec<Diagnostic> {
        self.diagnostics
    }

    /// The whole map's place.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The entry of `key`, of any type. A `null` counts as absent.
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.map.entry(key).filter(|e| e.value.value != Value::Null)
    }

    /// Reports a value that is not what its key wants.
    pub fn wrong(&mut self, node: &Node, key: &str, expected: &str) {
        let message = format!("`{key}` is {expected}, this is {}", node.kind());
        let mut told = Diagnostic::error(code::WRONG_TYPE, node.span, message);
        told.help = match (&node.value, expected) {
            (Value::String(text), "`true` or `false`") if matches!(&**text, "true" | "false") => {
                Some("remove the quotes".to_owned())
            }
            (Value::Int(_) | Value::Float(_) | Value::Bool(_), "a string") => Some("quote it".to_owned()),
            (Value::List(_), "a map") => Some(format!("write `KEY: VALUE` lines below `{key}:`, without `- `")),
            (Value::Map(_), _) if expected.starts_with("a list") => {
                Some(format!("start each item below `{key}:` with `- `"))
            }
            (_, "a map") => Some(format!("write `KEY: VALUE` lines below `{key}:`, indented")),
            (_, _) if expected.starts_with("a list") => Some(format!("write `{key}: […]`, even for a single one")),
            _ => None,
        };
        self.diagnostics.push(told);
    }

    /// A required key: reported where missing, underlining `at`.
    pub fn require(&mut self, key: &str, at: Span, help: impl Into<String>) -> Option<&'a Entry> {
        let entry = self.entry(key);
        if entry.is_none() {
            let message = format!("{} needs `{key}`", self.what);
            self.diagnostics.push(Diagnostic::error(code::MISSING_KEY, at, message).help(help));
        }
        entry
    }

    /// A string.
    pub fn string(&mut self, key: &str) -> Option<Spanned<&'a str>> {
        let entry = self.entry(key)?;
        match &entry.value.value {
            Value::String(s) => Some(Spanned { value: s, span: entry.value.span }),
            _ => {
                self.wrong(&entry.value, key, "a string");
                None
            }
        }
    }

    /// A boolean; `None` where absent.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        let entry = self.entry(key)?;
        match entry.value.value {
            Value::Bool(b) => Some(b),
            _ => {
                self.wrong(&entry.value, key, "`true` or `false`");
                None
            }
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, key: &str) -> Option<Vec<Spanned<Box<str>>>> {
        let entry = self.entry(key)?;
        let Value::List(items) = &entry.value.value else {
            self.wrong(&entry.value, key, "a list of strings");
            return None;
        };
        let mut strings = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::String(s) => strings.push(Spanned { value: s.clone(), span: item.span }),
                _ => self.wrong(item, key, "a list of strings"),
            }
        }
        Some(strings)
    }

    /// A map.
    pub fn map(&mut self, key: &str) -> Option<&'a Map> {
        let entry = self.entry(key)?;
        match &entry.value.value {
            Value::Map(map) => Some(map),
            _ => {
                self.wrong(&entry.value, key, "a map");
                None
            }
        }
    }
}
