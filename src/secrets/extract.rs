//! Plaintext in secret fields: found, named, and taken out of its file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::homes::homes;
use crate::compile::documents::{Documents, Standing};
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, code};
use crate::edit::Changes;
use crate::secret::Secret;
use crate::span::Span;
use crate::validate::document::InClear as Found;
use crate::value::{Node, Value};
use crate::workspace::Workspace;
use crate::workspace::settings::is_name;
use crate::yaml;

/// A secret that stands in clear in a YAML file.
pub struct InClear {
    /// Where its value stands.
    pub span: Span,
    /// The value.
    pub value: Secret<String>,
    /// The name that it gets.
    pub name: String,
    /// The folders of the layers whose secrets files it goes into.
    pub homes: Vec<String>,
}

/// One that can't be moved.
pub struct Left {
    /// Where it stands.
    pub span: Span,
    /// What is told of it.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Codes of what looks like a secret and may stand where none can: in a variable, in a field that is not a secret one, within a
/// URL, or in a consumer's settings.
const ELSEWHERE: [&str; 5] = [
    code::PLAINTEXT_SECRET,
    "secret-named-value",
    "secret-shaped-value",
    "credential-in-url",
    "literal-credential-in-consumer",
];

/// Finds every value that `validate` tells to be a secret in clear, in the order of files and lines, and what can't be moved.
/// One value that stands in two places of one layer gets one name. With `only`, values of the root go into the files of these
/// environments.
pub fn find(
    workspace: &Workspace,
    catalogue: &Catalogue,
    told: &[Diagnostic],
    only: &[std::sync::Arc<str>],
) -> (Vec<InClear>, Vec<Left>) {
    let known: HashMap<Span, &Diagnostic> = told
        .iter()
        .filter(|d| ELSEWHERE.contains(&d.code))
        .filter_map(|diagnostic| Some((diagnostic.span()?, diagnostic)))
        .collect();
    let documents = Documents::new(workspace, catalogue);
    let mut names = Names::new(workspace);
    let (mut found, mut left) = (Vec::new(), Vec::new());
    let mut seen: BTreeSet<Span> = BTreeSet::new();
    let mut standings: Vec<&Standing<'_>> = documents.all.iter().collect();
    standings.sort_by_key(|standing| workspace.sources.path(standing.root.span));
    for standing in standings {
        let ground = documents.ground(standing);
        let all = standing.in_clear(ground.as_ref(), &|_| false);
        for value in &all {
            let Some(diagnostic) = known.get(&value.node.span).filter(|_| seen.insert(value.node.span)) else {
                continue;
            };
            match movable(standing, &all, value).and_then(|()| {
                homes(workspace, standing, ground.as_ref().is_some_and(|ground| ground.is_global(&value.pointer)), only)
            }) {
                Ok(homes) => {
                    let text = text(workspace, value.node);
                    let name = names.of(standing.id, &value.pointer, &homes, text.expose());
                    found.push(InClear { span: value.node.span, value: text, name, homes });
                }
                Err(help) => {
                    left.push(Left { span: value.node.span, message: diagnostic.message.clone(), help });
                }
            }
        }
    }
    for (span, diagnostic) in known.into_iter().filter(|(span, _)| !seen.contains(span)) {
        let help = diagnostic.help.clone().unwrap_or_else(|| "move it by hand".to_owned());
        left.push(Left { span, message: diagnostic.message.clone(), help });
    }
    left.sort_by_key(|left| (workspace.sources.path(left.span).to_owned(), left.span.start));
    (found, left)
}

/// Whether a reference can stand in the place of a value; else what to do.
fn movable(standing: &Standing<'_>, all: &[Found<'_>], value: &Found<'_>) -> Result<(), String> {
    let span = value.node.span;
    if value.is_expression() {
        return Err("write ${{ secrets.NAME }}; no variable can hold a secret".into());
    }
    if value.removed {
        return Err("write the list without it, as `$replace: [ … ]`, and rotate it".into());
    }
    if value.stuck {
        return Err("no secret can stand here: write it as ${{ secrets.NAME }} in a field of `auth`".into());
    }
    if value.node.as_str().is_some_and(str::is_empty) {
        return Err("it is empty: delete the line, or write ${{ secrets.NAME }}".into());
    }
    let secret = all.iter().filter(|other| other.node.span == span).count();
    if times(standing.root, span) > secret {
        return Err("an alias puts it into a field that is not secret too: write both values out".into());
    }
    Ok(())
}

/// How often a value stands in a tree, by its anchor and aliases.
fn times(node: &Node, span: Span) -> usize {
    match &node.value {
        Value::Map(map) => map.iter().map(|entry| times(&entry.value, span)).sum(),
        Value::List(items) => items.iter().map(|item| times(item, span)).sum(),
        _ => usize::from(node.span == span),
    }
}

fn text(workspace: &Workspace, node: &Node) -> Secret<String> {
    Secret::new(match &node.value {
        // As it is evaluated, which it is no more in a secrets file.
        Value::String(text) => text.replace("$${{", "${{"),
        // A password of digits: as it is written.
        _ => workspace.sources.slice(node.span).to_owned(),
    })
}

fn digest(value: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(value.as_bytes()).into()
}

/// The names of secrets: those that are taken, and those that are given.
struct Names {
    taken: BTreeSet<String>,
    given: BTreeMap<(Vec<String>, [u8; 32]), String>,
}

impl Names {
    fn new(workspace: &Workspace) -> Self {
        let layers = workspace.layers();
        let names = layers
            .flat_map(|layer| layer.secrets.iter().flat_map(|s| s.names.keys()).chain(layer.settings.secrets.keys()));
        Self { taken: names.map(ToString::to_string).collect(), given: BTreeMap::new() }
    }

    fn of(&mut self, id: &str, pointer: &str, homes: &[String], value: &str) -> String {
        let key = (homes.to_vec(), digest(value));
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let path: Vec<String> = crate::value::segments(pointer).collect();
        let name = named(id, &path, &self.taken);
        self.taken.insert(name.clone());
        self.given.insert(key, name.clone());
        name
    }
}

/// `WAREHOUSE_PASSWORD` for `auth.password` of `finance/warehouse`; more of the id, then a number, where that is taken.
fn named(id: &str, path: &[String], taken: &BTreeSet<String>) -> String {
    // The items of a list are named after it.
    let is_key = |segment: &&String| !segment.bytes().all(|b| b.is_ascii_digit());
    let field = path.iter().rev().find(is_key).map_or("secret", String::as_str);
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
        let (span, comment) = whole(workspace, secret.span);
        let reference = spelled(workspace, span, &secret.name);
        changes.replace(span, if comment.is_empty() { reference } else { format!("{reference} {comment}") });
    }
    changes
}

/// The span with the `|` or `>` of a block before it, without the line break behind it; and the comment of that line.
fn whole(workspace: &Workspace, span: Span) -> (Span, &str) {
    let text = workspace.sources.get(span.file).text();
    let range = span.range();
    let slice = text.get(range.clone()).unwrap_or("");
    let before = text.get(..range.start).unwrap_or("");
    let end = range.start + slice.trim_end_matches(['\n', '\r', ' ']).len();
    let (start, comment) = header(before).unwrap_or((range.start, ""));
    (Span::new(span.file, start..end), comment)
}

/// Where the header of a block stands that a text ends in, and the comment behind it. The lines of a block begin on a line of
/// their own.
fn header(before: &str) -> Option<(usize, &str)> {
    let before = before.trim_end();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    before[line..].match_indices(['|', '>']).map(|(at, _)| line + at).find_map(|at| {
        let (head, behind) = (&before[line..at], &before[at + 1..]);
        // Behind a key or the dash of an item, or their anchor or tag.
        let word = head.split_whitespace().next_back()?;
        let opens = word.ends_with([':', '-']) || word.starts_with(['&', '!']);
        let comment = behind.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
        let ends = comment.is_empty() || (comment.starts_with([' ', '\t']) && comment.trim_start().starts_with('#'));
        let is_header = head.ends_with([' ', '\t']) && !head.contains(" #") && opens && ends;
        is_header.then(|| (at, comment.trim()))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_11_a_secret_is_named_after_its_document_and_its_field() {
        for (id, path, taken, name) in [
            ("finance/warehouse", "auth password", "", "WAREHOUSE_PASSWORD"),
            ("finance/warehouse", "auth password", "WAREHOUSE_PASSWORD", "FINANCE_WAREHOUSE_PASSWORD"),
            ("warehouse", "auth password", "WAREHOUSE_PASSWORD", "WAREHOUSE_PASSWORD_2"),
            ("warehouse", "auth password", "WAREHOUSE_PASSWORD WAREHOUSE_PASSWORD_2", "WAREHOUSE_PASSWORD_3"),
            ("a/b", "auth x", "B_X A_B_X", "A_B_X_2"),
            ("a", "config keys 0", "", "A_KEYS"),
            ("a", "config x2", "", "A_X2"),
            ("a", "0", "", "A_SECRET"),
            ("a", "", "", "A_SECRET"),
            ("my.api-v2", "auth api-key", "", "MY_API_V2_API_KEY"),
            ("2fa", "auth token", "", "S_2FA_TOKEN"),
        ] {
            let path: Vec<String> = path.split_whitespace().map(str::to_owned).collect();
            let taken: BTreeSet<String> = taken.split_whitespace().map(str::to_owned).collect();
            assert_eq!(named(id, &path, &taken), name, "{id} {path:?}");
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn e2_11_a_block_begins_with_its_header() {
        for (before, found) in [
            ("a: |\n  ", Some((3, ""))),
            ("x: 1\na:  >-\n\n  ", Some((9, ""))),
            ("- |2+\n  ", Some((2, ""))),
            ("a: &b |-\n", Some((6, ""))),
            ("a: !!str |\n", Some((9, ""))),
            ("a: | # why | # not\n", Some((3, "# why | # not"))),
            ("\"a | b\": >\n", Some((9, ""))),
            // A key like that is rare: the reference goes into the block.
            ("\"a # b\": >\n", None),
            ("a: ", None),
            ("a:\n  ", None),
            ("a: # see: | # x\n  ", None),
            ("a: |x\n  ", None),
            ("a: |# x\n  ", None),
            ("a:|\n  ", None),
            ("a |\n  ", None),
            ("", None),
        ] {
            assert_eq!(header(before), found, "{before:?}");
        }
    }

    #[test]
    fn e2_11_a_value_is_found_wherever_it_stands_and_counted() {
        let mut sources = crate::source::Sources::default();
        let text = "a: {b: [x, &n y], c: z}\nd: *n\n";
        let file = sources.add("x.yaml", text.to_owned(), false);
        let Some(root) = yaml::parse(file, text).0 else { return assert_eq!(text, "read") };
        for (word, is_there) in [("x", true), ("y", true), ("z", true), ("a", false), ("n", false), ("", false)] {
            assert_eq!(has(&root, word), is_there, "{word}");
        }
        let count = |pointer: &str| root.pointer(pointer).map(|node| times(&root, node.span));
        assert_eq!((count("/a/b/0"), count("/a/b/1"), count("/a/c")), (Some(1), Some(2), Some(1)));
    }
}
