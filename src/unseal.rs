//! The plaintext of a record's secrets, for whoever seals it: opened files and evaluated scalars behind
//! [`Reveal`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bundle::object::Reveal;
use crate::compile::Compiled;
use crate::compile::names::{AllNames, SourceKind};
use crate::connectors::Catalogue;
use crate::providers::Opened;
use crate::providers::gate::Gate;
use crate::secret::Secret;
use crate::secrets::Unopened;
use crate::sops::Identities;
use crate::template::{self, Scope};
use crate::value::Value;
use crate::workspace::{Layer, Workspace};
use crate::world::World;

/// What stores of secrets are asked with.
pub struct Outside<'o> {
    /// What the operator allows.
    pub gate: &'o Gate,
    /// The process' environment, and files.
    pub world: &'o dyn World,
}

/// What secrets of an environment can be named, and where each comes from.
pub struct Stores<'w> {
    workspace: &'w Workspace,
    names: AllNames<'w>,
}

impl<'w> Stores<'w> {
    /// The stores of a stack of layers.
    pub fn new(workspace: &'w Workspace, compiled: &Compiled) -> Self {
        Self { workspace, names: AllNames::new(workspace, compiled) }
    }

    /// Opens the secrets files and asks the stores that the environment's connections take values from, and no others.
    ///
    /// # Errors
    /// Every file that does not open, and every address that could not be had.
    pub fn open(
        &self,
        compiled: &Compiled,
        identities: &Identities,
        outside: &Outside<'_>,
    ) -> Result<Opened, Vec<Unopened>> {
        let mut layers: BTreeMap<&str, &Layer> = BTreeMap::new();
        let mut uris: BTreeSet<&str> = BTreeSet::new();
        for connection in compiled.connections.values() {
            let Some(names) = self.names.of(connection) else { continue };
            let used: BTreeSet<&str> = template::secrets_in(&connection.instance).into_iter().collect();
            for source in used.into_iter().filter_map(|name| names.source(name)) {
                match source.kind {
                    SourceKind::Sealed(_) => _ = layers.insert(&source.layer.path, source.layer),
                    SourceKind::Store { uri, by_reference: false } => _ = uris.insert(uri),
                    SourceKind::Store { .. } => {}
                }
            }
        }
        let opened = Opened::open(self.workspace, &layers.into_values().collect::<Vec<_>>(), identities);
        let (mut opened, mut failed) = match opened {
            Ok(opened) => (opened, Vec::new()),
            Err(failed) => (Opened::default(), failed),
        };
        failed.extend(opened.ask(&uris, outside.gate, outside.world).err().into_iter().flatten());
        if failed.is_empty() { Ok(opened) } else { Err(failed) }
    }

    /// The values of `compiled`'s secrets, one at a time.
    pub fn unsealer<'a>(
        &'a self,
        compiled: &'a Compiled,
        catalogue: &'a Catalogue,
        opened: &'a Opened,
    ) -> Unsealer<'a> {
        Unsealer { compiled, catalogue, names: &self.names, scopes: self.names.scopes(&compiled.at), opened }
    }
}

/// Opened secrets, ready to be put where records name them.
pub struct Unsealer<'a> {
    compiled: &'a Compiled,
    catalogue: &'a Catalogue,
    names: &'a AllNames<'a>,
    scopes: BTreeMap<&'a Option<Arc<str>>, Scope<'a>>,
    opened: &'a Opened,
}

impl Reveal for Unsealer<'_> {
    fn reveal(&self, instance: &str, pointer: &str) -> Result<Secret<String>, String> {
        let connection = self.compiled.connections.get(instance).ok_or("there is no such connection")?;
        let node = connection.instance.pointer(pointer).ok_or("nothing stands there")?;
        let Value::Secret(reference) = &node.value else { return Err("no secret stands there".into()) };
        let ground = self.scopes.get(&connection.customer).zip(self.names.of(connection));
        let (scope, names) = ground.ok_or("nobody knows its names")?;
        if let (true, [name]) = (reference.is_plain(), &*reference.names)
            && let Some(SourceKind::Store { uri, by_reference: true }) = names.source(name).map(|source| source.kind)
        {
            // The address itself, for a runtime that reads the store.
            return Ok(Secret::new(uri.to_owned()));
        }
        let scope = scope.connection(&connection.id, &connection.connector.value);
        let value = template::reveal(reference, &scope, &|name| {
            let source = names.source(name)?;
            match source.kind {
                SourceKind::Sealed(_) => self.opened.value(&source.layer.path, name),
                SourceKind::Store { uri, .. } => self.opened.stored(uri),
            }
        })?;
        let connector = self.catalogue.get(&connection.connector.value).and_then(Result::ok);
        if let Some(connector) = connector {
            let (variant, mode) = (connection.choice("config", "variant"), connection.choice("auth", "mode"));
            connector.fits(pointer, variant, mode, &value)?;
        }
        Ok(value)
    }
}
