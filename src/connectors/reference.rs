//! Fields of a connection that name another connection: `x-connection` in its schema.

use super::sensitive::Places;
use crate::span::Span;
use crate::value::{Node, Value, push_segment};

/// A field of a connection that names another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The field's JSON Pointer.
    pub pointer: String,
    /// The connection's id, key or reference.
    pub name: Box<str>,
    /// Where it is written.
    pub span: Span,
    /// Connectors, categories or capabilities, any of which will do.
    pub accepts: Vec<Box<str>>,
}

impl Places {
    /// The connections that an instance names in its fields.
    pub fn references(&self, instance: &Node) -> Vec<Reference> {
        let mut found = Vec::new();
        self.refer(instance, &mut String::new(), &mut found);
        found
    }

    fn refer(&self, node: &Node, pointer: &mut String, found: &mut Vec<Reference>) {
        if let (Some(accepts), Some(name)) = (&self.connection, node.as_str()) {
            let (pointer, name) = (pointer.clone(), name.into());
            found.push(Reference { pointer, name, span: node.span, accepts: accepts.clone() });
        }
        let mut below = |segment: &str, node: &Node| {
            let Some(place) = self.below(segment) else { return };
            let length = pointer.len();
            push_segment(pointer, segment);
            place.refer(node, pointer, found);
            pointer.truncate(length);
        };
        match &node.value {
            Value::Map(map) => map.iter().for_each(|e| below(&e.key, &e.value)),
            Value::List(items) => items.iter().enumerate().for_each(|(i, n)| below(&i.to_string(), n)),
            _ => {}
        }
    }
}
