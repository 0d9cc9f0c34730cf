//! What a policy may name: a misspelt name is never there, and a policy that asks for it would ask for nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::model::record::KEYS;
use crate::template::{Condition, PolicyName};
use crate::value::{Node, push_segment};
use crate::workspace::Workspace;

/// Fields lie at most this deep in a schema.
const MAX_DEPTH: usize = 8;
/// All schemas together describe at most this many fields; a recursive schema could describe any number.
const MAX_FIELDS: usize = 20_000;

/// Everything that records of this workspace can have.
pub(super) struct Known {
    /// Below `config` and `auth`: the fields that a schema describes, and those that stand in files.
    fields: Fields,
    labels: BTreeSet<Box<str>>,
}

/// The names at one place, and what lies below each; nothing where anything may.
#[derive(Default)]
struct Fields(BTreeMap<String, Fields>);

impl Known {
    /// Of a workspace: in all of its environments, so that a policy is right or wrong in each of them alike.
    pub(super) fn new(workspace: &Workspace, catalogue: &Catalogue) -> Self {
        let (mut fields, mut left) = (Fields::default(), MAX_FIELDS);
        // Fields of a schema that can't be read are unknown: the schema is reported, and no policy is to blame.
        let is_broken = catalogue.ids().any(|id| matches!(catalogue.get(id), Some(Err(_))));
        for connector in catalogue.ids().filter(|_| !is_broken).filter_map(|id| catalogue.get(id)?.ok()) {
            fields.describe(connector, &mut left);
        }
        let mut labels = BTreeSet::new();
        for layer in workspace.layers() {
            for document in layer.connections.values().chain(layer.credentials.values()) {
                let root = document.root.as_ref();
                for part in ["config", "auth"].into_iter().filter(|_| !is_broken) {
                    let node = root.and_then(|root| root.get(part));
                    node.into_iter().for_each(|node| fields.0.entry(part.to_owned()).or_default().add(node));
                }
                let map = root.and_then(|root| root.get("labels")?.as_map());
                labels.extend(map.into_iter().flat_map(|map| map.iter().map(|entry| entry.key.clone())));
            }
        }
        Self { fields, labels }
    }

    /// What is wrong with the names of a condition.
    pub(super) fn faults(&self, condition: &Condition<'_>) -> Vec<Diagnostic> {
        let names = condition.names();
        names.iter().filter_map(|name| self.fault(name, condition)).collect()
    }

    fn fault(&self, name: &PolicyName<'_>, condition: &Condition<'_>) -> Option<Diagnostic> {
        let words: Vec<&str> = name.segments.iter().map(|(word, _)| *word).collect();
        let undefined = |depth: usize, message: String, known: &mut dyn Iterator<Item = &str>| {
            let known: Vec<&str> = known.collect();
            let help = match nearest(words[depth], known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", listed(known.into_iter(), 20)),
            };
            let span = condition.span(name.segments[depth].1.clone());
            Some(Diagnostic::error(code::UNDEFINED_NAME, span, message).help(help))
        };
        let path = |depth: usize| words[..=depth].join(".");
        match words[..] {
            ["connection"] | ["env"] | ["env", "name", ..] => None,
            ["env", ..] => undefined(1, format!("`{}` is not defined", path(1)), &mut ["name"].into_iter()),
            ["connection", "labels", label, ..] if !name.is_tested && !self.labels.contains(label) => {
                let near = nearest(label, self.labels.iter().map(|label| &**label));
                let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`?; "));
                let span = condition.span(name.segments[2].1.clone());
                let message = format!("no connection has the label `{label}`");
                let help = format!("{near}`{} is defined` asks whether one has", path(2));
                Some(Diagnostic::error(code::UNDEFINED_NAME, span, message).help(help))
            }
            ["connection", part @ ("config" | "auth"), ..] => {
                let mut fields = self.fields.0.get(part)?;
                for (depth, word) in words.iter().enumerate().skip(2) {
                    if fields.0.is_empty() {
                        return None;
                    }
                    let Some(below) = fields.0.get(*word) else {
                        let message =
                            format!("no connector has a field `{}`", path(depth).trim_start_matches("connection."));
                        return undefined(depth, message, &mut fields.0.keys().map(String::as_str));
                    };
                    fields = below;
                }
                None
            }
            ["connection", key, ..] if !KEYS.contains(&key) => {
                undefined(1, format!("`{}` is not defined", path(1)), &mut KEYS.into_iter())
            }
            ["connection", ..] => None,
            _ => undefined(0, format!("`{}` is not defined", path(0)), &mut ["connection", "env"].into_iter()),
        }
    }
}

impl Fields {
    /// Adds the fields that a schema describes, in any variant and mode.
    fn describe(&mut self, connector: &Connector, left: &mut usize) {
        for part in ["config", "auth"] {
            let fields = self.0.entry(part.to_owned()).or_default();
            fields.describe_below(connector, &mut format!("/{part}"), 0, left);
        }
    }

    /// Where the limit is reached, nothing is described: any name may stand there.
    fn describe_below(&mut self, connector: &Connector, pointer: &mut String, depth: usize, left: &mut usize) {
        let names = if depth == MAX_DEPTH || *left == 0 { Vec::new() } else { connector.names(pointer) };
        let Some(rest) = left.checked_sub(names.len()) else {
            *left = 0;
            return;
        };
        *left = rest;
        for name in names {
            let length = pointer.len();
            push_segment(pointer, name);
            self.0.entry(name.to_owned()).or_default().describe_below(connector, pointer, depth + 1, left);
            pointer.truncate(length);
        }
    }

    /// Adds the keys of a value in a file. Where schemas name nothing, anything may stand, and nothing is added.
    fn add(&mut self, node: &Node) {
        let Some(map) = node.as_map().filter(|_| !self.0.is_empty()) else { return };
        for entry in map.iter() {
            match self.0.get_mut(&*entry.key) {
                Some(below) => below.add(&entry.value),
                None => {
                    self.0.insert(entry.key.to_string(), Self::default());
                }
            }
        }
    }
}
