//! Discover and read a workspace: every file of every layer, parsed and filed under what it is.
//!
//! Takes a [`World`], gives a [`Workspace`] and every problem of single files. Nothing is merged here, and no file
//! depends on another. A file that can't be used stays known by its id, so that what refers to it is not blamed.

mod check;
pub mod deployment;
pub mod discover;
mod extends;
pub mod layers;
pub mod names;
pub mod policy;
mod read;
pub mod secrets;
pub mod settings;
pub mod stores;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use crate::diagnostic::Diagnostic;
use crate::source::Sources;
use crate::span::{FileId, Spanned};
use crate::value::Node;
use crate::world::World;
use discover::Family;
use layers::At;
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
    /// Its folder: `""` for the root, else `environments/E`, `customers/C`, or one within these.
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
    /// What differs in an environment: of a customer alone.
    pub environments: BTreeMap<Arc<str>, Layer>,
    /// Profiles, of an environment or customer.
    pub profiles: BTreeMap<Arc<str>, Layer>,
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
    /// The customers by name.
    pub customers: BTreeMap<Arc<str>, Layer>,
    /// The day on which it was read, UTC.
    pub today: jiff::civil::Date,
    /// Connector schemas of the workspace by id.
    pub connectors: BTreeMap<Box<str>, FileId>,
    /// The layers that have a connection of an id or key; made when the first asks.
    named: OnceLock<HashMap<Box<str>, BTreeSet<Box<str>>>>,
}

impl Workspace {
    /// Reads a workspace, with every problem of its files.
    ///
    /// # Errors
    /// [`NoWorkspace`] where there is no `tieline.yaml`.
    pub fn read(world: &dyn World) -> Result<(Self, Vec<Diagnostic>), NoWorkspace> {
        read::read(world)
    }

    /// The key that a name stands for in a stack: the highest layer that names it wins.
    pub fn public_key<'a>(stack: &[&'a Layer], name: &str) -> Option<&'a str> {
        stack.iter().rev().find_map(|layer| layer.settings.keys.get(name)).map(|key| &*key.value)
    }

    /// The recipients in force at the top of a stack: an environment's list replaces the inherited one.
    pub fn recipients<'a>(stack: &[&'a Layer]) -> &'a [Spanned<Box<str>>] {
        stack.iter().rev().find_map(|layer| layer.settings.recipients.as_deref()).unwrap_or(&[])
    }

    /// The environments that have a connection of this id or stable key.
    pub fn environments_with(&self, name: &str) -> Vec<&str> {
        let named = self.named.get_or_init(|| {
            let mut named: HashMap<Box<str>, BTreeSet<Box<str>>> = HashMap::new();
            for layer in self.layers() {
                for (id, document) in &layer.connections {
                    let key = document.root.as_ref().and_then(|root| root.get("key")?.as_str());
                    for name in [Some(&**id), key].into_iter().flatten() {
                        named.entry(name.into()).or_default().insert(layer.path.clone());
                    }
                }
            }
            named
        });
        let Some(layers) = named.get(name) else { return Vec::new() };
        let has = |environment: &&Arc<str>| {
            self.stack(&At::plain(environment)).iter().any(|layer| layers.contains(&layer.path))
        };
        self.concrete().filter(has).map(|name| &**name).collect()
    }

    /// How many connections there are, over all layers, each counted once.
    pub fn connection_count(&self) -> usize {
        let above = self.layers().skip(1).flat_map(|layer| layer.connections.keys());
        let added: BTreeSet<_> = above.filter(|id| !self.root.connections.contains_key(*id)).collect();
        self.root.connections.len() + added.len()
    }
}

/// There is no `tieline.yaml` where one was looked for.
#[derive(Debug)]
pub struct NoWorkspace;
