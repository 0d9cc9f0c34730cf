//! Plaintext in secret fields: found, named, and taken out of its file.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, code};
use crate::edit::Changes;
use crate::secret::Secret;
use crate::span::Span;
use crate::value::{Node, Value};
use crate::workspace::discover::Family;
use crate::workspace::settings::is_name;
use crate::workspace::{Layer, Workspace};
use crate::yaml;

/// A secret that stands in clear in a YAML file.
pub struct InClear {
    /// Where its value stands.
    pub span: Span,
    /// The value.
    pub value: Secret<String>,
    /// The name that it gets.
    pub name: String,
    /// The folder of the layer that the file is in.
    pub layer: String,
}

/// Finds every value that `validate` tells to be a secret in clear, in the order of files and lines. One value that stands
/// in two places of one layer gets one name.
pub fn find(workspace: &Workspace, told: &[Diagnostic]) -> Vec<InClear> {
    let mut spans: Vec<Span> =
        told.iter().filter(|d| d.code == code::PLAINTEXT_SECRET).filter_map(Diagnostic::span).collect();
    spans.sort_by_key(|span| (workspace.sources.path(*span).to_owned(), span.start));
    spans.dedup();
    let mut taken: BTreeSet<String> = workspace
        .layers()
        .flat_map(|layer| layer.secrets.iter().flat_map(|s| s.names.keys()).chain(layer.settings.secrets.keys()))
        .map(ToString::to_string)
        .collect();
    let mut known: BTreeMap<(String, String), [u8; 32]> = BTreeMap::new();
    let mut found = Vec::new();
    for span in spans {
        let Some((layer, id, path, value)) = standing(workspace, span) else { continue };
        let print = digest(value.expose());
        let same = known.iter().find(|((of, _), digest)| **of == *layer.path && **digest == print);
        let name = match same {
            Some(((_, name), _)) => name.clone(),
            None => {
                let name = named(id, &path, &taken);
                taken.insert(name.clone());
                known.insert((layer.path.to_string(), name.clone()), print);
                name
            }
        };
        found.push(InClear { span, value, name, layer: layer.path.to_string() });
    }
    found
}

/// What looks like a secret and can't be moved: it stands in a variable, in a field that is no secret one, within a URL, or in
/// a consumer's settings.
pub fn left<'d>(workspace: &Workspace, told: &'d [Diagnostic]) -> Vec<&'d Diagnostic> {
    const SHAPED: [&str; 3] = ["secret-shaped-value", "credential-in-url", "literal-credential-in-consumer"];
    let plain =
        |d: &&Diagnostic| d.code == code::PLAINTEXT_SECRET && d.span().is_none_or(|s| standing(workspace, s).is_none());
    told.iter().filter(|d| SHAPED.contains(&d.code) || plain(d)).collect()
}

fn digest(value: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(value.as_bytes()).into()
}

/// The layer, id and path of what stands at a span, and its value as a text.
fn standing(workspace: &Workspace, span: Span) -> Option<(&Layer, &str, Vec<String>, Secret<String>)> {
    for layer in workspace.layers() {
        for family in [Family::Connections, Family::Credentials, Family::Consumers] {
            let documents = layer.family(family);
            let Some((id, document)) = documents.iter().find(|(_, document)| document.file == span.file) else {
                continue;
            };
            let mut path = Vec::new();
            let node = at(document.root.as_ref()?, span, &mut path)?;
            let text = match &node.value {
                Value::String(text) => text.to_string(),
                // A password of digits: as it is written.
                _ => workspace.sources.slice(span).to_owned(),
            };
            return Some((layer, id, path, Secret::new(text)));
        }
    }
    None
}

fn at<'n>(node: &'n Node, span: Span, path: &mut Vec<String>) -> Option<&'n Node> {
    if node.span == span && !matches!(node.value, Value::Map(_) | Value::List(_)) {
        return Some(node);
    }
    match &node.value {
        Value::Map(map) => map.iter().find_map(|entry| {
            path.push(entry.key.to_string());
            let found = at(&entry.value, span, path);
            if found.is_none() {
                path.pop();
            }
            found
        }),
        Value::List(items) => items.iter().find_map(|item| at(item, span, path)),
        _ => None,
    }
}

/// `WAREHOUSE_PASSWORD` for `auth.password` of `finance/warehouse`; more of the id, then a number, where that is taken.
fn named(id: &str, path: &[String], taken: &BTreeSet<String>) -> String {
    let field = path.last().map_or("secret", String::as_str);
    let segments: Vec<&str> = id.split('/').collect();
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
    };
    let from = |depth: usize| {
        let name = format!("{}_{}", word(&segments[segments.len() - depth..].join("_")), word(field));
        if is_name(&name) { name } else { format!("S_{name}") }
    };
    let mut names = (1..=segments.len()).map(from);
    names.find(|name| !taken.contains(name)).unwrap_or_else(|| {
        let whole = from(segments.len());
        (2..).map(|n| format!("{whole}_{n}")).find(|name| !taken.contains(name)).unwrap_or(whole)
    })
}

/// Puts references in the place of the values. Comments and everything else stay.
pub fn rewrite<'w>(workspace: &'w Workspace, found: &[InClear]) -> Changes<'w> {
    let mut changes = Changes::new(workspace);
    for secret in found {
        let span = whole(workspace, secret.span);
        changes.replace(span, spelled(workspace, span, &secret.name));
    }
    changes
}

/// The span with the `|` or `>` of a block before it.
fn whole(workspace: &Workspace, span: Span) -> Span {
    let text = workspace.sources.get(span.file).text();
    let range = span.range();
    let slice = text.get(range.clone()).unwrap_or("");
    let before = text.get(..range.start).unwrap_or("");
    // The lines of a block begin on a line of their own, behind its header.
    let header = before.trim_end().rfind([':', '-']).map(|at| at + 1);
    let opened = header.and_then(|at| before.get(at..)).filter(|gap| {
        let gap = gap.trim();
        gap.starts_with(['|', '>']) && gap[1..].chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-'))
    });
    let end = range.start + slice.trim_end_matches(['\n', '\r', ' ']).len();
    match (opened, header) {
        (Some(gap), Some(at)) => Span::new(span.file, at + (gap.len() - gap.trim_start().len())..end),
        _ => span,
    }
}

/// The reference, in quotes where the style around it wants them.
fn spelled(workspace: &Workspace, span: Span, name: &str) -> String {
    let reference = format!("${{{{ secrets.{name} }}}}");
    let text = workspace.sources.get(span.file).text();
    let with = |word: &str| format!("{}{word}{}", &text[..span.range().start], &text[span.range().end..]);
    let (tree, told) = yaml::parse(span.file, &with(&reference));
    let holds = tree.is_some_and(|tree| has(&tree, &reference)) && told.is_empty();
    if holds { reference } else { format!("\"{reference}\"") }
}

fn has(node: &Node, text: &str) -> bool {
    match &node.value {
        Value::Map(map) => map.iter().any(|entry| has(&entry.value, text)),
        Value::List(items) => items.iter().any(|item| has(item, text)),
        _ => node.as_str() == Some(text),
    }
}
