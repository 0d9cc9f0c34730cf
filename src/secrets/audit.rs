//! Who can open what, what nobody uses, what is overdue, and who changed what last: all that shows without a key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::recipients::{drifted, name_of};
use super::short;
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, code};
use crate::workspace::{Layer, Workspace};
use crate::world::brought::Brought;
use crate::world::git::{self, LastChange, Skipped};

/// One finding, or one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about: `access`, `changed`, `unused`, `missing`, `overdue`, `drift`, `unaccepted`, `committed`.
    pub kind: &'static str,
    /// The file, with a line where there is one.
    pub place: String,
    /// The secret, credential or field.
    pub name: String,
    /// The environments that it concerns.
    pub environments: String,
    /// The rest, in words.
    pub detail: String,
}

/// Kinds that ask for something to be done.
pub const FINDINGS: [&str; 6] = ["unused", "missing", "overdue", "drift", "unaccepted", "committed"];

/// Everything, in the order of kinds as [`Row::kind`] lists them; and why it is not known who changed what last, if that is
/// so inside of a Git repository. `told` is all that `validate` tells.
pub fn audit(workspace: &Workspace, told: &[Diagnostic], folder: &Path) -> (Vec<Row>, Option<String>) {
    let mut rows = access(workspace);
    let (changed, unknown) = match changed(workspace, folder) {
        Ok(changed) => (changed, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    rows.extend(changed);
    for (kind, code) in
        [("unused", "unused-secret"), ("missing", code::UNKNOWN_SECRET), ("overdue", "overdue-rotation")]
    {
        rows.extend(told.iter().filter(|d| d.code == code).map(|d| from(workspace, kind, d)));
    }
    for file in drifted(workspace) {
        let part = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
        let parts = [part("not sealed to", &file.drift.missing), part("sealed to", &file.drift.extra)];
        rows.push(Row {
            kind: "drift",
            place: file.path.to_owned(),
            name: String::new(),
            environments: String::new(),
            detail: parts.into_iter().flatten().collect::<Vec<_>>().join("; "),
        });
    }
    (rows, unknown)
}

/// The plaintext of Git's history, and the commits that could not be looked at.
///
/// # Errors
/// It can't be read, or not all of it, in words for people.
pub fn committed(catalogue: &Catalogue, folder: &Path) -> Result<Vec<Row>, String> {
    let (found, skipped) = super::history::find(folder, catalogue)?;
    let by = |commit: &str, author: &str, time: i64| {
        format!("{} by {author} on {}", &commit[..12.min(commit.len())], day(time))
    };
    let row = |one: super::history::Committed| Row {
        kind: "committed",
        place: format!("{}:{}", one.file, one.line),
        name: one.field,
        environments: String::new(),
        detail: format!("in clear since {}", by(&one.commit, &one.author, one.time)),
    };
    let unknown = |one: Skipped| Row {
        kind: "committed",
        place: String::new(),
        name: String::new(),
        environments: String::new(),
        detail: format!(
            "not looked at: {}, which has too many folders or is too large",
            by(&one.commit, &one.author, one.time)
        ),
    };
    Ok(found.into_iter().map(row).chain(skipped.into_iter().map(unknown)).collect())
}

/// Recipient -> the secrets of each file that it opens.
fn access(workspace: &Workspace) -> Vec<Row> {
    let mut rows = Vec::new();
    for (layer, _) in workspace.layers_with_stacks() {
        let Some(file) = &layer.secrets else { continue };
        let names: Vec<&str> = file.names.keys().map(|name| &**name).collect();
        for key in &file.recipients {
            let name = name_of(workspace, key).unwrap_or_else(|| format!("(no name) {}", short(key)));
            rows.push(Row {
                kind: "access",
                place: layer.file("secrets.sops.yaml"),
                name,
                environments: environments(workspace, &layer.path),
                detail: names.join(", "),
            });
        }
    }
    rows.sort_by(|a, b| (&a.name, &a.place).cmp(&(&b.name, &b.place)));
    rows
}

/// The environments that see a layer.
fn environments(workspace: &Workspace, layer: &str) -> String {
    let sees = |name: &str| workspace.chain(name).iter().any(|l| *l.path == *layer);
    let own =
        layer.split('/').nth_back(0).filter(|_| layer.starts_with("customers/") && layer.contains("/environments/"));
    match (layer, own) {
        (_, Some(name)) => name.to_owned(),
        ("", _) => workspace.concrete().map(|name| &**name).collect::<Vec<_>>().join(", "),
        (layer, None) if layer.starts_with("customers/") => {
            workspace.concrete().map(|name| &**name).collect::<Vec<_>>().join(", ")
        }
        _ => workspace.concrete().map(|name| &**name).filter(|name| sees(name)).collect::<Vec<_>>().join(", "),
    }
}

fn changed(workspace: &Workspace, folder: &Path) -> Result<Vec<Row>, String> {
    let files = || workspace.layers().filter_map(|layer| Some((layer, layer.secrets.as_ref()?)));
    let sources: BTreeMap<&str, &str> = files()
        .map(|(_, file)| workspace.sources.get(file.file))
        .map(|source| (source.path(), source.text()))
        .collect();
    let known = git::last_changes(folder, &sources)?;
    let mut rows = Vec::new();
    for (layer, file) in files() {
        let source = workspace.sources.get(file.file);
        let Some(lines) = known.get(source.path()) else { continue };
        for (name, sealed) in &file.names {
            let before = source.text().get(..sealed.span.range().start).unwrap_or("");
            let line = before.matches('\n').count();
            let Some(change) = lines.get(line) else { continue };
            rows.push(Row {
                kind: "changed",
                place: format!("{}:{}", source.path(), line + 1),
                name: name.to_string(),
                environments: environments(workspace, &layer.path),
                detail: change.as_ref().map_or_else(|| "not committed yet".to_owned(), by),
            });
        }
    }
    Ok(rows)
}

/// Who made a change, when, in which commit.
fn by(LastChange { author, time, commit, or_before }: &LastChange) -> String {
    let before = if *or_before { " or before, as far as this clone shows" } else { "" };
    format!("by {author} on {} in {}{before}", day(*time), &commit[..12.min(commit.len())])
}

/// A file whose data key nobody on this machine made or accepted; `brought` is the commit that it came with, and its author.
pub fn unaccepted(workspace: &Workspace, layer: &Layer, brought: Option<&Brought>) -> Row {
    let came = brought.map(|commit| {
        let id = commit.commit.get(..12).unwrap_or("");
        format!("came with commit {id} by {} on {}, and ", commit.author, day(commit.time))
    });
    Row {
        kind: "unaccepted",
        place: layer.file("secrets.sops.yaml"),
        name: String::new(),
        environments: environments(workspace, &layer.path),
        detail: format!("its data key {}was not accepted here", came.unwrap_or_default()),
    }
}

fn day(time: i64) -> String {
    jiff::Timestamp::from_second(time).map_or(String::new(), |time| time.strftime("%Y-%m-%d").to_string())
}

fn from(workspace: &Workspace, kind: &'static str, told: &Diagnostic) -> Row {
    let span = told.span();
    let place = span.map(|span| {
        let source = workspace.sources.get(span.file);
        let before = source.text().get(..span.range().start).unwrap_or("");
        format!("{}:{}", source.path(), before.matches('\n').count() + 1)
    });
    let names: BTreeSet<&str> = told.environments.iter().map(|name| &**name).collect();
    // The name is what the message quotes first.
    let name = told.message.split('`').nth(1).unwrap_or("").to_owned();
    Row {
        kind,
        place: place.unwrap_or_default(),
        name,
        environments: names.into_iter().collect::<Vec<_>>().join(", "),
        detail: told.message.clone(),
    }
}

/// How many rows there are of each kind.
pub fn tally(rows: &[Row]) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for row in rows {
        *tally.entry(row.kind).or_insert(0) += 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_11_a_change_is_told_with_its_author_its_day_and_twelve_letters_of_its_commit() {
        let change = |commit: &str, or_before| LastChange {
            author: "Ana".into(),
            time: 1_767_225_600,
            commit: commit.into(),
            or_before,
        };
        assert_eq!(by(&change("0123456789abcdef", false)), "by Ana on 2026-01-01 in 0123456789ab");
        assert_eq!(
            by(&change("0123456", true)),
            "by Ana on 2026-01-01 in 0123456 or before, as far as this clone shows"
        );
        assert_eq!(day(i64::MAX), "");
    }
}
