//! Tree -> JSON, in sops' own layout: a tab a level, the block last.

use serde_json::Value;

use super::document::{Document, Kind, Map, Node};
use super::emit::float_spelled;
use super::error::{ErrorKind, SopsError};
use super::typing::Typed;

/// Writes the only document.
///
/// # Errors
///
/// [`ErrorKind::ManyDocuments`], [`ErrorKind::NotInJson`].
pub(super) fn document(documents: &[Document<'_>]) -> Result<String, SopsError> {
    let [document] = documents else { return Err(ErrorKind::ManyDocuments.into()) };
    let block = document.block.iter().map(|block| (&*block.key, &block.value));
    let entries = document.root.entries.iter().map(|entry| (&*entry.key, &entry.value)).chain(block);
    let mut out = String::new();
    map(&mut out, entries, 0)?;
    out.push('\n');
    Ok(out)
}

/// A string, in JSON's quotes.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n('\t', depth));
}

fn map<'m>(
    out: &mut String,
    entries: impl Iterator<Item = (&'m str, &'m Node<'m>)>,
    depth: usize,
) -> Result<(), SopsError> {
    out.push('{');
    let mut empty = true;
    for (key, value) in entries {
        if !empty {
            out.push(',');
        }
        empty = false;
        line(out, depth + 1);
        out.push_str(&quoted(key));
        out.push_str(": ");
        node(out, value, depth + 1)?;
    }
    if !empty {
        line(out, depth);
    }
    out.push('}');
    Ok(())
}

fn of_map<'m>(map: &'m Map<'m>) -> impl Iterator<Item = (&'m str, &'m Node<'m>)> {
    map.entries.iter().map(|entry| (&*entry.key, &entry.value))
}

fn node(out: &mut String, value: &Node<'_>, depth: usize) -> Result<(), SopsError> {
    match &value.kind {
        Kind::Map(inner) => map(out, of_map(inner), depth),
        Kind::List(items) if items.is_empty() => {
            out.push_str("[]");
            Ok(())
        }
        Kind::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                node(out, &item.value, depth + 1)?;
            }
            line(out, depth);
            out.push(']');
            Ok(())
        }
        Kind::Scalar(scalar) => {
            match scalar.resolve().map_err(|kind| SopsError::at(kind, &value.range))? {
                Typed::Null => out.push_str("null"),
                Typed::Bool(bool) => out.push_str(if bool { "true" } else { "false" }),
                Typed::Int(int) => out.push_str(&int.to_string()),
                Typed::Float(float) if !float.is_finite() => {
                    return Err(SopsError::at(ErrorKind::NotInJson, &value.range));
                }
                Typed::Float(float) => out.push_str(&float_spelled(float)),
                Typed::Time(time) => out.push_str(&quoted(&time.text())),
                Typed::Bytes(bytes) => out.push_str(&quoted(&String::from_utf8_lossy(&bytes))),
                Typed::Str => out.push_str(&quoted(&scalar.text)),
            }
            Ok(())
        }
    }
}
