//! Plaintext that was ever committed in a secret field: a value that is in Git's history is known to whoever has a clone.

use std::collections::{BTreeMap, BTreeSet};

use crate::connectors::Catalogue;
use crate::model::record::covers;
use crate::source::Sources;
use crate::template;
use crate::value::{Node, Value, push_segment};
use crate::workspace::discover::{Family, Role, classify};
use crate::workspace::secrets;
use crate::world::git::{self, Version};
use crate::world::{Found, Kind};
use crate::yaml;

/// A place where a secret once stood in clear. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Committed {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The field.
    pub field: String,
    /// The first commit that had it.
    pub commit: String,
    /// Who made that.
    pub author: String,
    /// When, in seconds since 1970.
    pub time: i64,
}

/// Looks through every version of every file that all branches and tags have. `None` without Git.
pub fn find(folder: &std::path::Path, catalogue: &Catalogue) -> Option<Vec<Committed>> {
    let versions = git::versions(folder)?;
    let fields = secret_fields(catalogue);
    let mut wanted: BTreeMap<&str, &Version> = BTreeMap::new();
    for version in &versions {
        if role(&version.path).is_some() {
            // The oldest comes first.
            wanted.entry(&version.blob).or_insert(version);
        }
    }
    let blobs: Vec<&str> = wanted.keys().copied().collect();
    let mut found = BTreeSet::new();
    let mut seen: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut each = |blob: &str, text: &str| {
        let Some(version) = wanted.get(blob) else { return };
        for (field, line) in in_clear(&version.path, text, &fields) {
            found.insert((
                version.time,
                version.path.clone(),
                line,
                field,
                version.commit.clone(),
                version.author.clone(),
            ));
        }
    };
    git::contents(folder, &blobs, &mut each)?;
    let mut committed = Vec::new();
    for (time, file, line, field, commit, author) in found {
        // The same field of the same file, commit by commit, is told once for each commit that changed the file.
        if seen.insert((file.clone(), field.clone(), commit.clone())) {
            committed.push(Committed { file, line, field, commit, author, time });
        }
    }
    Some(committed)
}

fn role(path: &str) -> Option<Role> {
    let found = Found { path: path.to_owned(), utf8: true, kind: Kind::File };
    let (_, role) = classify(&found).ok()?;
    matches!(role, Role::Item(Family::Connections | Family::Credentials, _) | Role::Secrets).then_some(role)
}

/// Every field that some connector calls secret.
fn secret_fields(catalogue: &Catalogue) -> BTreeSet<String> {
    let connectors = catalogue.ids().filter_map(|id| catalogue.get(id).and_then(Result::ok));
    connectors.flat_map(|connector| connector.secret_pointers()).collect()
}

/// The secret fields of a version of a file that hold a value in clear, with their lines.
fn in_clear(path: &str, text: &str, fields: &BTreeSet<String>) -> Vec<(String, usize)> {
    let mut sources = Sources::default();
    let file = sources.add(path, text.to_owned(), false);
    let line = |at: u32| text.get(..at as usize).map_or(1, |before| before.matches('\n').count() + 1);
    if matches!(role(path), Some(Role::Secrets)) {
        let secrets = secrets::read(file, text, &mut Vec::new());
        let open = secrets.names.iter().filter(|(_, sealed)| sealed.version.is_none());
        return open.map(|(name, sealed)| (name.to_string(), line(sealed.span.start))).collect();
    }
    let (Some(root), _) = yaml::parse(file, text) else { return Vec::new() };
    let mut found = Vec::new();
    visit(&root, &mut String::new(), fields, &mut |pointer, node| {
        found.push((crate::validate::dotted(pointer), line(node.span.start)));
    });
    found
}

fn visit(node: &Node, pointer: &mut String, fields: &BTreeSet<String>, found: &mut dyn FnMut(&str, &Node)) {
    match &node.value {
        Value::Map(map) => {
            for entry in map.iter() {
                let length = pointer.len();
                // What a directive puts in its place stands where the directive does.
                if !entry.key.starts_with('$') {
                    push_segment(pointer, &entry.key);
                }
                visit(&entry.value, pointer, fields, found);
                pointer.truncate(length);
            }
        }
        Value::List(items) => {
            let length = pointer.len();
            pointer.push_str("/*");
            items.iter().for_each(|item| visit(item, pointer, fields, found));
            pointer.truncate(length);
        }
        Value::Null | Value::Secret(_) => {}
        Value::String(text) if text.is_empty() || text.contains(template::OPEN) => {}
        _ if fields.contains(pointer.as_str()) || fields.iter().any(|field| covers(field, pointer)) => {
            found(pointer, node)
        }
        _ => {}
    }
}
