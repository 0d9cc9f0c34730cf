//! The plaintext of a record's secrets, for whoever seals it: opened files and evaluated scalars behind
//! [`Reveal`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bundle::object::Reveal;
use crate::compile::Compiled;
use crate::compile::names::{AllNames, SourceKind};
use crate::providers::Opened;
use crate::secret::Secret;
use crate::secrets::Unopened;
use crate::sops::Identities;
use crate::template::{self, Scope};
use crate::value::Value;
use crate::workspace::{Layer, Workspace};

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

    /// Opens the secrets files that the environment's connections take values from, and no others.
    ///
    /// # Errors
    /// Every file that does not open.
    pub fn open(&self, compiled: &Compiled, identities: &Identities) -> Result<Opened, Vec<Unopened>> {
        let mut layers: BTreeMap<&str, &Layer> = BTreeMap::new();
        for connection in compiled.connections.values() {
            let Some(names) = self.names.of(connection) else { continue };
            let used: BTreeSet<&str> = template::secrets_in(&connection.instance).into_iter().collect();
            let sources = used.into_iter().filter_map(|name| names.source(name));
            let sealed = sources.filter(|source| matches!(source.kind, SourceKind::Sealed(_)));
            layers.extend(sealed.map(|source| (&*source.layer.path, source.layer)));
        }
        Opened::open(self.workspace, &layers.into_values().collect::<Vec<_>>(), identities)
    }

    /// The values of `compiled`'s secrets, one at a time.
    pub fn unsealer<'a>(&'a self, compiled: &'a Compiled, opened: &'a Opened) -> Unsealer<'a> {
        Unsealer { compiled, names: &self.names, scopes: self.names.scopes(&compiled.at), opened }
    }
}

/// Opened secrets, ready to be put where records name them.
pub struct Unsealer<'a> {
    compiled: &'a Compiled,
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
        for name in &reference.names {
            if let Some(SourceKind::Store(_)) = names.source(name).map(|s| s.kind) {
                return Err(format!(
                    "`{name}` is bound to a secret store, which this version of tieline can't ask yet"
                ));
            }
        }
        let scope = scope.connection(&connection.id, &connection.connector.value);
        template::reveal(reference, &scope, &|name| {
            let source = names.source(name)?;
            self.opened.value(&source.layer.path, name)
        })
    }
}
