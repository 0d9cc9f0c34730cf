//! CODEOWNERS: who must review a change of what is sealed, of whom it is sealed to, and of each connection.
//!
//! Sealing says who may use a secret; the Git host, with these rules and a protected branch, says who may change it.

use std::collections::{BTreeMap, BTreeSet};

use super::recipients;
use crate::workspace::discover::Family;
use crate::workspace::{Layer, Workspace};

/// Where our block of rules begins and ends.
const BEGIN: &str = "# tieline: begin (written by `tieline codeowners`)\n";
const END: &str = "# tieline: end\n";

/// How names become the Git host's.
pub struct Handles {
    /// Name -> handle; an empty one is left out: machines own nothing.
    pub names: BTreeMap<String, String>,
    /// The organization whose teams `owner` names.
    pub organization: Option<String>,
}

impl Handles {
    fn person(&self, name: &str) -> Option<String> {
        match self.names.get(name) {
            Some(handle) if handle.is_empty() => None,
            Some(handle) => Some(handle.clone()),
            None => Some(format!("@{name}")),
        }
    }

    fn team(&self, owner: &str) -> Option<String> {
        match (self.names.get(owner), &self.organization) {
            (Some(handle), _) if handle.is_empty() => None,
            (Some(handle), _) => Some(handle.clone()),
            _ if owner.contains('@') => Some(owner.to_owned()),
            (None, Some(organization)) => Some(format!("@{organization}/{owner}")),
            (None, None) => Some(format!("@{owner}")),
        }
    }
}

/// The rules; the Git host lets the last one that fits win. `prefix` is the way from the repository's root to the
/// workspace, with a `/` at its end.
pub fn rules(workspace: &Workspace, handles: &Handles, prefix: &str) -> String {
    let mut out = String::from(BEGIN);
    let mut rule = |path: &str, owners: BTreeSet<String>| {
        // A path without owners would be free for all: it keeps those of the rule before it.
        if !owners.is_empty() {
            let owners: Vec<String> = owners.into_iter().collect();
            out.push_str(&format!("/{prefix}{} {}\n", path.replace(' ', "\\ "), owners.join(" ")));
        }
    };
    for layer in workspace.layers() {
        for family in [Family::Connections, Family::Credentials, Family::Consumers] {
            for (id, document) in layer.family(family) {
                let owner = document.root.as_ref().and_then(|root| root.get("owner")).and_then(|owner| owner.as_str());
                let path = layer.file(&format!("{}/{id}.yaml", family.folder()));
                rule(&path, owner.and_then(|owner| handles.team(owner)).into_iter().collect());
            }
        }
    }
    let people = |stack: &[&Layer]| -> BTreeSet<String> {
        let named = recipients::of(stack).unwrap_or_default();
        named.iter().filter_map(|named| handles.person(&named.name)).collect()
    };
    let all = workspace.layers_with_stacks();
    for (layer, stack) in &all {
        let owners = people(stack);
        if layer.settings_file.is_some() || layer.secrets.is_some() {
            let settings = layer.settings_file.map(|file| workspace.sources.get(file).path().to_owned());
            settings.into_iter().for_each(|path| rule(&path, owners.clone()));
            rule(&layer.file("secrets.sops.yaml"), owners);
        }
    }
    // Who decides what is secret and who reviews: all that may open anything of the root's.
    let root = all.iter().find(|(layer, _)| layer.path.is_empty()).map(|(_, stack)| people(stack)).unwrap_or_default();
    for path in ["connectors/", ".sops.yaml", ".github/CODEOWNERS", "CODEOWNERS"] {
        rule(path, root.clone());
    }
    out.push_str(END);
    out
}

/// A file of rules with ours in the place of those it had, or at its end.
pub fn into_file(old: &str, rules: &str) -> String {
    let begin = old.find(BEGIN.trim_end());
    let end = begin.and_then(|at| Some(at + old[at..].find(END.trim_end())? + END.len()));
    match (begin, end) {
        (Some(begin), Some(end)) => format!("{}{rules}{}", &old[..begin], old.get(end..).unwrap_or("")),
        _ if old.is_empty() || old.ends_with('\n') => format!("{old}{rules}"),
        _ => format!("{old}\n{rules}"),
    }
}
