//! Our tree as the JSON that the schema validator reads: no copy is made.
//!
//! The validator has no limits of its own, so its work is counted here, where it asks for values. Once the budget is used
//! up, it gets no more values and ends; its caller then ignores the result.

use std::borrow::Cow;
use std::cell::Cell;
use std::slice::Iter;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node as JsonNode, NodeIdentity, Object};
use serde_json::Value as Plain;

use super::patterns::Weights;
use crate::budget::{self, Cost};
use crate::span::{FileId, Span};
use crate::value::{Entry, Map, Node, Value};

thread_local! {
    /// What a byte of a text costs, in the schema that is asked on this thread.
    static WEIGHTS: Cell<Weights> = const { Cell::new(Weights::NONE) };
}

/// Runs a validator whose patterns weigh so much.
pub(super) fn weighed<T>(weights: Weights, run: impl FnOnce() -> T) -> T {
    let before = WEIGHTS.replace(weights);
    let result = run();
    WEIGHTS.set(before);
    result
}

/// Counts looks; false where the budget is used up.
fn look(amount: usize) -> bool {
    budget::spend(Cost::Checks, amount as u64)
}

/// The representation whose nodes are [`Node`]s.
pub struct Tree;

impl Json for Tree {
    type Node<'a> = &'a Node;
    type PreparedKey = Box<str>;
    type StringBuffer = Option<Node>;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(buffer: &mut Option<Node>, string: &str, f: impl FnOnce(&Node) -> T) -> T {
        f(buffer.insert(Node::new(Span::file(FileId(0)), Value::String(string.into()))))
    }
}

/// An integer or a finite float.
pub enum Number {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
}

impl JsonNumber for Number {
    fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(i) => u64::try_from(*i).ok(),
            Self::Float(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            Self::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(*f),
        }
    }

    fn as_str(&self) -> Cow<'_, str> {
        self.to_number().to_string().into()
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        let zero = || serde_json::Number::from(0);
        Cow::Owned(match self {
            Self::Int(i) => (*i).into(),
            Self::Float(f) => serde_json::Number::from_f64(*f).unwrap_or_else(zero),
        })
    }

    fn is_integer(&self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Float(f) => f.fract() == 0.0,
        }
    }

    fn is_written_as_integer(&self) -> bool {
        matches!(self, Self::Int(_))
    }
}

impl<'a> JsonNode<'a, Tree> for &'a Node {
    type Object = &'a Map;
    type Array = &'a [Node];
    type Number = Number;

    fn as_object(&self) -> Option<&'a Map> {
        Node::as_map(self).filter(|_| look(1))
    }

    fn as_array(&self) -> Option<&'a [Node]> {
        Node::as_list(self).filter(|items| look(1 + items.len()))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match &self.value {
            Value::String(s) if !look(WEIGHTS.get().of_text(s)) => None,
            Value::String(s) => Some(Cow::Borrowed(s)),
            // Schemas are used in a form that accepts anything in secret places; elsewhere the placement is told.
            Value::Secret(_) => Some(Cow::Borrowed("")),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Number> {
        match self.value {
            Value::Int(i) => Some(Number::Int(i)),
            Value::Float(f) => Some(Number::Float(f)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.value {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    fn json_type(&self) -> JsonType {
        match self.value {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Int(_) | Value::Float(_) => JsonType::Number,
            Value::String(_) | Value::Secret(_) => JsonType::String,
            Value::List(_) => JsonType::Array,
            Value::Map(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Plain) -> bool {
        let same = |node: &Node, expected: &Plain| JsonNode::<Tree>::equals_value(&node, expected);
        look(1)
            && match (&self.value, expected) {
                (Value::String(a), Plain::String(b)) => **a == **b,
                (Value::Bool(a), Plain::Bool(b)) => a == b,
                (Value::Null, Plain::Null) => true,
                (Value::Int(_) | Value::Float(_), Plain::Number(_)) => {
                    jsonschema::json::cmp::equal(&plain(self), expected)
                }
                (Value::List(items), Plain::Array(others)) => {
                    items.len() == others.len() && items.iter().zip(others).all(|(item, other)| same(item, other))
                }
                (Value::Map(map), Plain::Object(other)) => {
                    let found = |entry: &Entry| other.get(&*entry.key).is_some_and(|other| same(&entry.value, other));
                    map.len() == other.len() && map.iter().all(found)
                }
                _ => false,
            }
    }

    fn to_value(&self) -> Cow<'a, Plain> {
        Cow::Owned(if look(self.size()) { plain(self) } else { Plain::Null })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Node>(self) as usize))
    }
}

impl<'a> Object<'a, Tree> for &'a Map {
    type Node = &'a Node;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, key: &Box<str>) -> Option<&'a Node> {
        Map::get(self, key).filter(|_| look(1))
    }

    fn members(&self) -> Members<'a> {
        Members(Map::iter(self))
    }
}

/// The members of a map.
pub struct Members<'a>(Iter<'a, Entry>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        look(WEIGHTS.get().of_key(&entry.key)).then_some((&*entry.key, &entry.value))
    }
}

impl<'a> Array<'a, Tree> for &'a [Node] {
    type Node = &'a Node;
    type ElementsIter = Iter<'a, Node>;

    fn len(&self) -> usize {
        <[Node]>::len(self)
    }

    fn elements(&self) -> Iter<'a, Node> {
        <[Node]>::iter(self)
    }
}

/// A copy as plain JSON, secrets as `null`: for errors, whose values are masked.
pub fn plain(node: &Node) -> Plain {
    match &node.value {
        Value::Null | Value::Secret(_) => Plain::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Float(f) => (*f).into(),
        Value::String(s) => (&**s).into(),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(map) => Plain::Object(map.iter().map(|e| (e.key.to_string(), plain(&e.value))).collect()),
    }
}
