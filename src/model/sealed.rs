//! `sealed`: fields that are secret in every respect although the schema leaves them in clear.

use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::span::Span;
use crate::template::OPEN;
use crate::value::{Map, Node, path, segments};

/// The key.
pub const SEALED: &str = "sealed";

/// One such field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The JSON Pointer of the field.
    pub pointer: Box<str>,
    /// Where it is named.
    pub span: Span,
}

/// Reads `sealed`, whose paths begin with one of `blocks`, and reports invalid paths.
pub fn read(fields: &mut Fields<'_>, blocks: &[&str]) -> Vec<Sealed> {
    let mut sealed = Vec::new();
    // An expression is reported by the check for expressions.
    for written in fields.texts(SEALED).unwrap_or_default().into_iter().filter(|one| !one.value.contains(OPEN)) {
        match field(&written.value, blocks) {
            Ok(pointer) => sealed.push(Sealed { pointer: pointer.into(), span: written.span }),
            Err((message, help)) => {
                fields.diagnostics().push(Diagnostic::error(code::SEALED, written.span, message).help(help));
            }
        }
    }
    sealed
}

fn field(written: &str, blocks: &[&str]) -> Result<String, (String, String)> {
    let example = if blocks.contains(&"config") { "config.host" } else { "auth.username" };
    let form =
        || format!("a field is written `{example}`, with quotes around a name that has a dot: `{}.\"a.b\"`", blocks[0]);
    let pointer = path::pointer(written).ok_or_else(|| ("a quote is not closed in this path".to_owned(), form()))?;
    let (block, field) = {
        let mut names = segments(&pointer);
        (names.next().unwrap_or_default(), names.next())
    };
    if !blocks.contains(&&*block) || field.is_none_or(|field| field.is_empty()) {
        let all: Vec<String> = blocks.iter().map(|block| format!("`{block}`")).collect();
        return Err((format!("this is not the path of a field below {}", all.join(" or ")), form()));
    }
    if let "/auth/mode" | "/config/variant" = pointer.as_str() {
        let message = format!("`{}` can't be sealed: it decides which fields there are", path::dotted(&pointer));
        return Err((message, "remove it from `sealed`".to_owned()));
    }
    Ok(pointer)
}

/// The fields that one document names, as JSON Pointers, whatever directive they stand in; what has not the form of a path
/// is left out.
pub fn named(root: &Node) -> Vec<String> {
    fn texts<'n>(node: &'n Node, found: &mut Vec<&'n str>) {
        if let Some(items) = node.as_list() {
            found.extend(items.iter().filter_map(Node::as_str));
        }
        let inner = node.as_map().into_iter().flat_map(Map::iter).filter(|entry| &*entry.key != "$remove");
        inner.for_each(|entry| texts(&entry.value, found));
    }
    let mut found = Vec::new();
    root.get(SEALED).into_iter().for_each(|node| texts(node, &mut found));
    found.into_iter().filter_map(|text| field(text, &["config", "auth"]).ok()).collect()
}
