//! A field, or a whole connector, is not to be used any more.
//!
//! Its schema says `deprecated: true`, or the connector's `x-tieline` block `status: deprecated`. It still works; what takes
//! its place stands in the field's description.
//!
//! ```yaml
//! auth: {mode: api_key, api_key: "${{ secrets.KEY }}"}   # a mode that the vendor has retired
//! ```
//!
//! Instead, use the field that the message names.

use serde_json::Value as Json;

use super::{Findings, Subject};
use crate::connectors::sensitive::Places;
use crate::span::Span;
use crate::value::{Map, Node, push_segment};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let Some(connector) = subject.connector else { return };
    let connection = subject.connection;
    if connector.about("status").and_then(Json::as_str) == Some("deprecated") {
        let message = format!("the connector `{}` is deprecated", connector.id());
        let docs = connector.about("docs").and_then(Json::as_str).unwrap_or("its documentation");
        findings.tell(connection.connector.span, message, format!("see {docs} for what takes its place"));
    }
    let (variant, mode) = (connection.choice("config", "variant"), connection.choice("auth", "mode"));
    let places = connector.places(variant, mode);
    let mut found = Vec::new();
    visit(&connection.instance, &places, &mut String::new(), &mut found);
    for (pointer, span) in found {
        let field = connector.field(&pointer, variant, mode);
        let description = field.word("description").and_then(Json::as_str);
        let message = format!("`{}` is deprecated", crate::value::path::dotted(&pointer));
        findings.tell(span, message, description.unwrap_or("use another field"));
    }
}

fn visit(node: &Node, places: &Places, pointer: &mut String, found: &mut Vec<(String, Span)>) {
    for entry in node.as_map().into_iter().flat_map(Map::iter) {
        let Some(below) = places.below(&entry.key) else { continue };
        let length = pointer.len();
        push_segment(pointer, &entry.key);
        if below.deprecated {
            found.push((pointer.clone(), entry.key_span));
        }
        visit(&entry.value, below, pointer, found);
        pointer.truncate(length);
    }
}
