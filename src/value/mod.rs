//! The tree that the whole pipeline works on: every node knows where it was written, and a node may be a secret that
//! nobody has opened.

mod map;
pub mod path;

use crate::span::Span;
pub use map::{Entry, Map};

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it was written; stays with the value through every layer and expression.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A YAML 1.2 core value, or a reference to a secret.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// A string.
    String(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Map),
    /// A scalar that mentions a secret: kept unevaluated until `apply`.
    Secret(Box<SecretRef>),
}

/// A scalar that mentions secrets, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// The scalar's text with its `${{ … }}`.
    pub template: Box<str>,
    /// The secrets that it names, in order of mention, without repeats.
    pub names: Vec<Box<str>>,
}

impl SecretRef {
    /// Whether the scalar is exactly `${{ secrets.NAME }}`.
    pub fn is_plain(&self) -> bool {
        let inner = self.template.strip_prefix("${{").and_then(|t| t.strip_suffix("}}"));
        match (inner, self.names.as_slice()) {
            (Some(inner), [name]) => inner.trim().strip_prefix("secrets.") == Some(name),
            _ => false,
        }
    }
}

impl Node {
    /// How many values stand here, this one included.
    pub fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::count).sum(),
            Value::Map(map) => map.iter().map(|entry| entry.value.count()).sum(),
            _ => 0,
        }
    }

    /// How many maps and lists stand in each other here: 0 for a scalar, 1 for a map of scalars.
    pub fn height(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Value::Map(map) => 1 + map.iter().map(|entry| entry.value.height()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// A node of `value` that was written at `span`.
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, value }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(l) => Some(l),
            _ => None,
        }
    }

    /// The node below `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// The node at a JSON Pointer (RFC 6901); the empty pointer is the node itself.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        segments(pointer).try_fold(self, |node, segment| match &node.value {
            Value::Map(map) => map.get(&segment),
            Value::List(list) => list.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// What it takes in memory: its values, and one more for each 64 bytes of a text.
    pub fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(map) => map.iter().map(|e| e.key.len() / 64 + e.value.size()).sum(),
            Value::String(text) => text.len() / 64,
            _ => 0,
        }
    }

    /// Two values are the same, wherever they were written.
    pub fn same(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().all(|e| b.get(&e.key).is_some_and(|v| e.value.same(v)))
            }
            (a, b) => a == b,
        }
    }

    /// What tells a value from others without comparing it with them: equal texts are of values that are [`Node::same`].
    /// `None` for a list, a map, a secret and a float.
    pub fn identity(&self) -> Option<String> {
        match &self.value {
            Value::Null => Some("null".to_owned()),
            Value::Bool(value) => Some(format!("bool {value}")),
            Value::Int(value) => Some(format!("int {value}")),
            Value::String(value) => Some(format!("string {value}")),
            Value::Float(_) | Value::List(_) | Value::Map(_) | Value::Secret(_) => None,
        }
    }

    /// The kind of value, as a message says it: "a string", "a map".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Secret(_) => "a secret",
        }
    }
}

/// The unescaped segments of a JSON Pointer.
pub fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|s| s.replace("~1", "/").replace("~0", "~"))
}

/// A JSON Pointer with one more segment.
pub fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for c in segment.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}
