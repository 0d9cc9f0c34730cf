//! The plaintext of a record's secrets, for whoever seals it: opened files and evaluated scalars behind
//! [`Reveal`].

use std::collections::BTreeSet;

use crate::bundle::object::Reveal;
use crate::compile::Compiled;
use crate::compile::names::{Names, SourceKind};
use crate::overlay::Notes;
use crate::providers::{Opened, Unopened};
use crate::secret::Secret;
use crate::sops::Identities;
use crate::template::{self, Scope};
use crate::value::Value;
use crate::workspace::{Layer, Workspace};

/// What secrets of an environment can be named, and where each comes from.
pub struct Stores<'w> {
    workspace: &'w Workspace,
    names: Names<'w>,
}

impl<'w> Stores<'w> {
    /// The stores of a stack of layers.
    pub fn new(workspace: &'w Workspace, compiled: &Compiled) -> Self {
        let stack = workspace.stack(&compiled.environment);
        Self { workspace, names: Names::new(workspace, &stack, &mut Notes::default()) }
    }

    /// Opens the secrets files that the environment's connections take values from, and no others.
    ///
    /// # Errors
    /// Every file that does not open.
    pub fn open(&self, compiled: &Compiled, identities: &Identities) -> Result<Opened, Vec<Unopened>> {
        let used: BTreeSet<&str> =
            compiled.connections.values().flat_map(|c| template::secrets_in(&c.instance)).collect();
        let mut layers: Vec<&Layer> = Vec::new();
        for source in used.into_iter().filter_map(|name| self.names.source(name)) {
            let sealed = matches!(source.kind, SourceKind::Sealed(_));
            if sealed && !layers.iter().any(|layer| layer.path == source.layer.path) {
                layers.push(source.layer);
            }
        }
        Opened::open(self.workspace, &layers, identities)
    }

    /// The values of `compiled`'s secrets, one at a time.
    pub fn unsealer<'a>(&'a self, compiled: &'a Compiled, opened: &'a Opened) -> Unsealer<'a> {
        let scope = Scope::environment(&compiled.environment, &self.names.vars, &self.names);
        Unsealer { compiled, names: &self.names, scope, opened }
    }
}

/// Opened secrets, ready to be put where records name them.
pub struct Unsealer<'a> {
    compiled: &'a Compiled,
    names: &'a Names<'a>,
    scope: Scope<'a>,
    opened: &'a Opened,
}

impl Reveal for Unsealer<'_> {
    fn reveal(&self, instance: &str, pointer: &str) -> Result<Secret<String>, String> {
        let connection = self.compiled.connections.get(instance).ok_or("there is no such connection")?;
        let node = connection.instance.pointer(pointer).ok_or("nothing stands there")?;
        let Value::Secret(reference) = &node.value else { return Err("no secret stands there".into()) };
        for name in &reference.names {
            if let Some(SourceKind::Store(_)) = self.names.source(name).map(|s| s.kind) {
                return Err(format!(
                    "`{name}` is bound to a secret store, which this version of tieline can't ask yet"
                ));
            }
        }
        let scope = self.scope.connection(&connection.id, &connection.connector.value);
        template::reveal(reference, &scope, &|name| {
            let source = self.names.source(name)?;
            self.opened.value(&source.layer.path, name)
        })
    }
}
