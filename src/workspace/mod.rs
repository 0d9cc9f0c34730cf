//! Discover and read a workspace: every file of every layer, parsed and filed under what it is.
//!
//! Takes a [`World`], gives a [`Workspace`] and every problem of single files. Nothing is merged here, and no file
//! depends on another. A file that can't be used stays known by its id, so that what refers to it is not blamed.

pub mod discover;
mod read;
pub mod secrets;
pub mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::source::Sources;
use crate::span::{FileId, Span};
use crate::value::Node;
use crate::world::World;
use discover::Family;
use secrets::SecretsFile;
use settings::Settings;

/// One YAML file of a layer.
#[derive(Debug)]
pub struct Document {
    /// The file.
    pub file: FileId,
    /// Its content; `None` where it can't be used, which was told.
    pub root: Option<Node>,
    /// The names that its expressions use, once somebody asked for them.
    pub names: OnceLock<Vec<String>>,
}

/// A folder of connections, credentials, consumers, settings and secrets.
#[derive(Debug, Default)]
pub struct Layer {
    /// `""` for the root, else `environments/E`.
    pub path: Box<str>,
    /// The settings file, where there is one.
    pub settings_file: Option<FileId>,
    /// What it says.
    pub settings: Settings,
    /// Its settings file is missing or can't be used, which was told.
    pub unusable: bool,
    /// Connections (or overlays of them) by id.
    pub connections: BTreeMap<Arc<str>, Document>,
    /// Credentials by id.
    pub credentials: BTreeMap<Arc<str>, Document>,
    /// Consumers by id.
    pub consumers: BTreeMap<Arc<str>, Document>,
    /// The layer's sealed secrets.
    pub secrets: Option<SecretsFile>,
}

impl Layer {
    /// The documents of one family.
    pub fn family(&self, family: Family) -> &BTreeMap<Arc<str>, Document> {
        match family {
            Family::Connections => &self.connections,
            Family::Credentials => &self.credentials,
            Family::Consumers => &self.consumers,
        }
    }

    fn family_mut(&mut self, family: Family) -> &mut BTreeMap<Arc<str>, Document> {
        match family {
            Family::Connections => &mut self.connections,
            Family::Credentials => &mut self.credentials,
            Family::Consumers => &mut self.consumers,
        }
    }
}

/// A workspace as read.
#[derive(Default)]
pub struct Workspace {
    /// Every text.
    pub sources: Sources,
    /// The layer that all others stand on.
    pub root: Layer,
    /// The environments by name.
    pub environments: BTreeMap<Arc<str>, Layer>,
    /// Connector schemas of the workspace by id.
    pub connectors: BTreeMap<Box<str>, FileId>,
}

impl Workspace {
    /// Reads a workspace, with every problem of its files.
    ///
    /// # Errors
    /// [`NoWorkspace`] where there is no `tieline.yaml`.
    pub fn read(world: &dyn World) -> Result<(Self, Vec<Diagnostic>), NoWorkspace> {
        read::read(world)
    }

    /// The layers of an environment, lowest first: the root, what it extends (farthest first), itself.
    ///
    /// Unknown and circular `extends` end the chain; reading the workspace tells them.
    pub fn stack(&self, environment: &str) -> Vec<&Layer> {
        let mut chain = Vec::new();
        let mut next = self.environments.get(environment);
        while let Some(layer) = next {
            if chain.iter().any(|l: &&Layer| l.path == layer.path) {
                break;
            }
            chain.push(layer);
            next = layer.settings.extends.as_ref().and_then(|e| self.environments.get(&e.value));
        }
        chain.push(&self.root);
        chain.reverse();
        chain
    }

    /// Whether all layers of an environment are known: each has settings that could be read, and the chain ends at the
    /// root. Where not, that was told, and what is missing in the environment is not to blame.
    pub fn is_complete(&self, environment: &str) -> bool {
        let stack = self.stack(environment);
        let lowest = stack.get(1).and_then(|l| l.settings.extends.as_ref());
        lowest.is_none() && stack.iter().all(|layer| !layer.unusable)
    }

    /// The key that a name stands for in a stack: the highest layer that names it wins.
    pub fn public_key<'a>(stack: &[&'a Layer], name: &str) -> Option<&'a str> {
        stack.iter().rev().find_map(|layer| layer.settings.keys.get(name)).map(|key| &*key.value)
    }

    /// The recipients in force at the top of a stack: an environment's list replaces the inherited one.
    pub fn recipients<'a>(stack: &[&'a Layer]) -> &'a [crate::span::Spanned<Box<str>>] {
        stack.iter().rev().find_map(|layer| layer.settings.recipients.as_deref()).unwrap_or(&[])
    }

    /// How many connections there are, over all layers, each counted once.
    pub fn connection_count(&self) -> usize {
        let added = self.environments.values().flat_map(|l| l.connections.keys());
        let added: std::collections::BTreeSet<_> =
            added.filter(|id| !self.root.connections.contains_key(*id)).collect();
        self.root.connections.len() + added.len()
    }

    /// The name of a layer's environment, if it is one.
    pub fn environment_of<'a>(&self, layer: &'a Layer) -> Option<&'a str> {
        layer.path.strip_prefix("environments/")
    }

    /// Tells `extends` that names nothing or runs in a circle, and recipients that no layer names.
    fn check_layers(&self, diagnostics: &mut Vec<Diagnostic>) {
        for (name, layer) in &self.environments {
            self.check_extends(name, layer, diagnostics);
        }
        let names = self.environments.keys().map(|n| (&**n, self.stack(n))).chain([("", vec![&self.root])]);
        for (_, stack) in names.filter(|(name, _)| self.is_complete(name)) {
            let top = stack.last().map_or(&self.root, |l| *l);
            for recipient in top.settings.recipients.iter().flatten() {
                if Self::public_key(&stack, &recipient.value).is_none() {
                    let known: Vec<&str> = stack.iter().flat_map(|l| l.settings.keys.keys()).map(|k| &**k).collect();
                    let help = match nearest(&recipient.value, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("add it: `keys: {{{}: age1…}}`", recipient.value),
                    };
                    let message = format!("no layer has a key named `{}`", recipient.value);
                    diagnostics.push(Diagnostic::error(code::UNKNOWN_RECIPIENT, recipient.span, message).help(help));
                }
            }
        }
    }

    fn check_extends(&self, name: &Arc<str>, layer: &Layer, diagnostics: &mut Vec<Diagnostic>) {
        let Some(extends) = &layer.settings.extends else { return };
        if !self.environments.contains_key(&extends.value) {
            let near = nearest(&extends.value, self.environments.keys().map(|n| &**n));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("environments: {}", listed(self.environments.keys().map(|n| &**n), 12)),
            };
            let message = format!("there is no environment `{}`", extends.value);
            diagnostics.push(Diagnostic::error(code::UNKNOWN_ENVIRONMENT, extends.span, message).help(help));
            return;
        }
        // The chain from here, until it ends or meets itself.
        let mut chain: Vec<(&str, Span)> = vec![(name, extends.span)];
        let mut next = &extends.value;
        while let Some(extends) = self.environments.get(next).and_then(|l| l.settings.extends.as_ref()) {
            if next == name {
                break;
            }
            if chain.iter().any(|(seen, _)| **seen == **next) {
                return; // A circle further down, told where it begins.
            }
            chain.push((next, extends.span));
            next = &extends.value;
        }
        // Told once a circle, at its first member by name.
        if next != name || chain.iter().any(|(member, _)| *member < &**name) {
            return;
        }
        let path: Vec<&str> = chain.iter().map(|(n, _)| *n).chain([&**name]).collect();
        let message = format!("`extends` runs in a circle: {}", path.join(" -> "));
        let mut told = Diagnostic::error(code::EXTENDS_CYCLE, extends.span, message)
            .help("let one of them stand on the root alone: remove its `extends`");
        for (member, span) in &chain[1..] {
            told = told.also(*span, format!("`{member}` goes on here"));
        }
        diagnostics.push(told);
    }
}

/// There is no `tieline.yaml` where one was looked for.
#[derive(Debug)]
pub struct NoWorkspace;
