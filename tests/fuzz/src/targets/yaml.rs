//! A YAML document: read, shown, formatted, printed again.

use tieline::connectors::json::plain;
use tieline::edit::{self, format};
use tieline::source::Sources;
use tieline::span::FileId;
use tieline::workspace::discover::{Family, Role};
use tieline::yaml;

use super::super::oracles;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut sources = Sources::default();
    let file = sources.add("connections/a.yaml", text.to_owned(), false);
    let (root, told) = yaml::parse(file, text);
    oracles::report(&told, &sources, 1);
    oracles::conceals(&sources);
    if let Some(root) = &root {
        oracles::tree(root, &sources);
        // What is printed is always a map.
        if told.is_empty() && root.as_map().is_some() {
            oracles::prints(&plain(root));
        }
    }
    for family in [Family::Connections, Family::Credentials, Family::Consumers] {
        let order = format::order(&Role::Item(family, "a".into()));
        order.and_then(|order| oracles::formats(text, order));
    }
    for order in [format::order(&Role::Workspace), format::order(&Role::Environment)] {
        order.and_then(|order| oracles::formats(text, order));
    }
    // YAML has no key of more than 1024 characters without a `?`.
    if text.len() < 100 {
        quotes(text);
    }
}

/// A text that is written as a scalar or as a key is read as the same text.
fn quotes(text: &str) {
    let (root, told) = yaml::parse(FileId(0), &format!("a: {}\n", edit::scalar(text)));
    let read = root.as_ref().and_then(|root| root.get("a")?.as_str());
    assert_eq!((read, told.len()), (Some(text), 0), "{:?}", edit::scalar(text));
    let (root, told) = yaml::parse(FileId(0), &format!("{}: a\n", edit::key(text)));
    let read = root.as_ref().and_then(|root| root.get(text)?.as_str());
    assert_eq!((read, told.len()), (Some("a"), 0), "{:?}", edit::key(text));
}
