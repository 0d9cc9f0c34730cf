//! Plaintext that was ever committed in a secret field: a value that is in Git's history is known to whoever has a clone.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::documents::{Documents, literals};
use crate::connectors::Catalogue;
use crate::source::Sources;
use crate::template;
use crate::validate::document;
use crate::value::path::dotted;
use crate::workspace::discover::{Family, Role, classify, is_segment};
use crate::workspace::secrets;
use crate::world::git::{self, Enter, History, Skipped, Version};
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

/// Looks through every version of every file that all branches and tags have. Gives the commits that were passed over as well.
///
/// # Errors
/// Git's history can't be read, or not all of it, in words for people.
pub fn find(folder: &std::path::Path, catalogue: &Catalogue) -> Result<(Vec<Committed>, Vec<Skipped>), String> {
    let History { versions, skipped } = git::versions(folder, &enter, &|path| role(path).is_some())?;
    let documents = Documents::none(catalogue);
    // The same text is judged as each kind of document that it is somewhere, where it was first.
    let mut wanted: BTreeMap<&str, BTreeMap<Option<Family>, &Version>> = BTreeMap::new();
    for version in &versions {
        wanted.entry(&version.blob).or_default().entry(role(&version.path).and_then(family)).or_insert(version);
    }
    let blobs: Vec<&str> = wanted.keys().copied().collect();
    let mut seen: BTreeSet<(String, String, String)> = BTreeSet::new();
    let each = |blob: &str, text: &str| {
        let each = |version: &&Version| {
            let found = in_clear(&version.path, text, &documents).into_iter();
            let (time, path, commit, author) =
                (version.time, version.path.clone(), version.commit.clone(), version.author.clone());
            found.map(move |(field, line)| (time, path.clone(), line, field, commit.clone(), author.clone()))
        };
        wanted.get(blob).into_iter().flat_map(BTreeMap::values).flat_map(each).collect::<Vec<_>>()
    };
    let found: BTreeSet<_> = git::contents(folder, &blobs, each)?.into_iter().flatten().collect();
    let mut committed = Vec::new();
    for (time, file, line, field, commit, author) in found {
        // The same field of the same file, commit by commit, is told once for each commit that changed the file.
        if seen.insert((file.clone(), field.clone(), commit.clone())) {
            committed.push(Committed { file, line, field, commit, author, time });
        }
    }
    Ok((committed, skipped))
}

/// Whether a folder may hold documents, and with which others it shares what they are: a folder of connections is one
/// wherever it stands.
fn enter(path: &str) -> Enter {
    let segments: Vec<&str> = path.split('/').collect();
    let kind = match segments.as_slice() {
        ["environments"] => 0,
        ["customers"] => 1,
        ["environments", name] if is_segment(name) => 2,
        ["customers", name] if is_segment(name) => 3,
        ["environments" | "customers", name, "profiles"] if is_segment(name) => 4,
        ["customers", name, "environments"] if is_segment(name) => 5,
        ["environments" | "customers", name, "profiles", below] | ["customers", name, "environments", below]
            if is_segment(name) && is_segment(below) =>
        {
            6
        }
        _ => match role(&format!("{path}/x.yaml")).and_then(family) {
            Some(Family::Connections) => 7,
            Some(Family::Credentials) => 8,
            _ => return Enter::No,
        },
    };
    Enter::Once(kind)
}

fn family(role: Role) -> Option<Family> {
    if let Role::Item(family, _) = role { Some(family) } else { None }
}

fn role(path: &str) -> Option<Role> {
    let found = Found { path: path.to_owned(), utf8: true, kind: Kind::File };
    let (_, role) = classify(&found).ok()?;
    matches!(role, Role::Item(Family::Connections | Family::Credentials, _) | Role::Secrets).then_some(role)
}

/// The secret fields of a version of a file that hold a value in clear, with their lines: as `validate` would judge it, of the
/// connectors that there are today.
fn in_clear(path: &str, text: &str, documents: &Documents<'_>) -> Vec<(String, usize)> {
    let mut sources = Sources::default();
    let file = sources.add(path, text.to_owned(), false);
    let line = |at: u32| text.get(..at as usize).map_or(1, |before| before.matches('\n').count() + 1);
    let family = match role(path) {
        Some(Role::Secrets) => {
            let secrets = secrets::read(file, text, &mut Vec::new());
            let open = secrets.names.iter().filter(|(_, sealed)| sealed.version.is_none());
            return open.map(|(name, sealed)| (name.to_string(), line(sealed.span.start))).collect();
        }
        Some(Role::Item(family, _)) => family,
        _ => return Vec::new(),
    };
    let (Some(root), _) = yaml::parse(file, text) else { return Vec::new() };
    let ground = documents.ground_alone(family, &root);
    let found = document::in_clear(&root, literals(family), ground.as_ref(), &|_| false);
    // An expression without a secret holds nothing itself; beside one, a literal may stand in its place.
    let value = |found: &document::InClear<'_>| {
        let text = found.node.as_str();
        (!found.is_expression() || text.is_some_and(template::names_secret)) && !text.is_some_and(str::is_empty)
    };
    let place = |found: document::InClear<'_>| (dotted(&found.pointer), line(found.node.span.start));
    found.into_iter().filter(value).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is the same in two places is read once only where it means the same.
    #[test]
    fn e2_11_folders_are_entered_by_what_they_may_hold() {
        for (path, kind) in [
            ("environments", Some(0)),
            ("customers", Some(1)),
            ("environments/dev", Some(2)),
            ("customers/acme", Some(3)),
            ("environments/dev/profiles", Some(4)),
            ("customers/acme/profiles", Some(4)),
            ("customers/acme/environments", Some(5)),
            ("environments/dev/profiles/eu", Some(6)),
            ("customers/acme/profiles/eu", Some(6)),
            ("customers/acme/environments/dev", Some(6)),
            ("connections", Some(7)),
            ("connections/finance", Some(7)),
            ("environments/dev/connections", Some(7)),
            ("environments/dev/profiles/eu/connections", Some(7)),
            ("customers/acme/environments/dev/connections/finance", Some(7)),
            ("credentials", Some(8)),
            ("customers/acme/credentials", Some(8)),
            ("environments/Dev", None),
            ("customers/.git", None),
            ("environments/Dev/profiles", None),
            ("customers/.git/profiles", None),
            ("customers/.git/environments", None),
            ("environments/dev/profiles/.git", None),
            ("environments/Dev/profiles/eu", None),
            ("customers/acme/environments/.git", None),
            ("customers/.git/environments/dev", None),
            ("environments/dev/environments", None),
            ("environments/dev/environments/dev", None),
            ("consumers", None),
            ("docs", None),
            (".git", None),
        ] {
            assert_eq!(enter(path), kind.map_or(Enter::No, Enter::Once), "{path}");
        }
    }
}
