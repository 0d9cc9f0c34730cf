//! What expressions can name in one environment: the merged variables, and every secret of the stack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Compiled;
use crate::diagnostic::{listed, nearest};
use crate::digest::Digest;
use crate::model::connection::Connection;
use crate::overlay::{Notes, merge_map};
use crate::template::{self, Scope, SecretNames};
use crate::value::{Map, Node};
use crate::workspace::layers::At;
use crate::workspace::secrets::SCOPE;
use crate::workspace::{Layer, Workspace};

/// Where a secret's value comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'w> {
    /// The layer that has it.
    pub layer: &'w Layer,
    /// What it is there.
    pub kind: SourceKind<'w>,
}

/// The two places that a layer can have a secret in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind<'w> {
    /// Its `secrets.sops.yaml`; the digest of the ENC text.
    Sealed(Option<&'w Digest>),
    /// A secret store.
    Store {
        /// The address of the secret.
        uri: &'w str,
        /// The address is delivered, not the value.
        by_reference: bool,
    },
}

/// The names of one environment.
pub struct Names<'w> {
    workspace: &'w Workspace,
    customer: Option<Box<str>>,
    /// The layers that they are of, lowest first.
    pub stack: Vec<&'w Layer>,
    /// The variables of the whole stack.
    pub vars: Map,
    secrets: BTreeMap<&'w str, Source<'w>>,
    /// The profile, where it has secrets of its own alone; the names that the layers below have all the same.
    withheld: Option<(At, BTreeSet<&'w str>)>,
    /// A layer's secrets could not be read: any name might be in it.
    unreadable: bool,
    /// All layers are known.
    complete: bool,
}

impl<'w> Names<'w> {
    /// Collects the names of an environment and profile, or of what a customer has there.
    pub fn new(workspace: &'w Workspace, at: &At, customer: Option<&str>, notes: &mut Notes) -> Self {
        Self::of(workspace, at, customer, workspace.stack_of(at, customer), notes)
    }

    /// What a customer's instances would name if the customer's layers said nothing.
    pub fn shared(workspace: &'w Workspace, at: &At, customer: &str) -> Self {
        Self::of(workspace, at, Some(customer), workspace.stack(at), &mut Notes::default())
    }

    fn of(workspace: &'w Workspace, at: &At, customer: Option<&str>, stack: Vec<&'w Layer>, notes: &mut Notes) -> Self {
        let mut vars = Map::default();
        let mut secrets = BTreeMap::new();
        let complete = workspace.is_complete(&at.environment) && stack.iter().all(|layer| !layer.unusable);
        let mut unreadable = !complete;
        let apart = at.profile.is_some() && !workspace.inherits_secrets(at, customer);
        let mut withheld = BTreeSet::new();
        for layer in stack.iter().copied() {
            merge_map(&mut vars, &layer.settings.vars, notes);
            if apart && !layer.is_profile() {
                let sealed = layer.secrets.iter().flat_map(|file| file.names.keys());
                withheld.extend(sealed.chain(layer.settings.secrets.keys()).map(|name| &**name));
                continue;
            }
            if let Some(file) = &layer.secrets {
                unreadable |= !file.readable;
                for (name, sealed) in file.names.iter().filter(|(name, _)| &***name != SCOPE) {
                    secrets.insert(&**name, Source { layer, kind: SourceKind::Sealed(sealed.version.as_ref()) });
                }
            }
            for (name, binding) in &layer.settings.secrets {
                match &binding.uri {
                    Some(uri) => {
                        let kind = SourceKind::Store { uri, by_reference: binding.by_reference };
                        secrets.insert(&**name, Source { layer, kind })
                    }
                    None => secrets.remove(&**name),
                };
            }
        }
        for entry in vars.iter() {
            template::forbid(&entry.value, "`vars`", &mut notes.diagnostics);
        }
        let customer = customer.map(Into::into);
        let withheld = apart.then(|| (at.clone(), withheld));
        Self { workspace, customer, stack, vars, secrets, withheld, unreadable, complete }
    }

    /// The customer whose names these are, if any.
    pub fn customer(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    /// Where a secret comes from: the highest layer that has it.
    pub fn source(&self, name: &str) -> Option<Source<'w>> {
        self.secrets.get(name).copied()
    }

    /// Whether a secret's address is delivered in the place of its value.
    pub fn by_reference(&self, name: &str) -> bool {
        matches!(self.source(name).map(|source| source.kind), Some(SourceKind::Store { by_reference: true, .. }))
    }

    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&Node> {
        self.vars.get(name)
    }
}

/// The names of everything that is compiled in an environment: what all share, and what each customer has.
pub struct AllNames<'w>(BTreeMap<Option<Arc<str>>, Names<'w>>);

impl<'w> AllNames<'w> {
    /// Those of the customers that have an instance, and of none.
    pub fn new(workspace: &'w Workspace, compiled: &Compiled) -> Self {
        let customers: BTreeSet<Option<&Arc<str>>> =
            compiled.connections.values().map(|c| c.customer.as_ref()).chain([None]).collect();
        let names = |customer: Option<&Arc<str>>| {
            let names = Names::new(workspace, &compiled.at, customer.map(|c| &**c), &mut Notes::default());
            (customer.cloned(), names)
        };
        Self(customers.into_iter().map(names).collect())
    }

    /// The names of a connection.
    pub fn of(&self, connection: &Connection) -> Option<&Names<'w>> {
        self.0.get(&connection.customer)
    }

    /// The same, ready for evaluation, by customer.
    pub fn scopes<'a>(&'a self, at: &At) -> BTreeMap<&'a Option<Arc<str>>, Scope<'a>> {
        let scope = |(customer, names): (&'a Option<Arc<str>>, &'a Names<'w>)| {
            (customer, Scope::environment(&at.environment, customer.as_deref(), &names.vars, names))
        };
        self.0.iter().map(scope).collect()
    }
}

/// What to do about secrets that a profile lacks.
pub fn withheld(at: &At) -> String {
    let (environment, profile) = (&at.environment, at.profile.as_deref().unwrap_or_default());
    format!(
        "a profile uses no secrets but its own: `tieline secret set NAME -e {environment} --profile {profile}` for each; or \
         write `inherit_secrets: true` in environments/{environment}/profiles/{profile}/profile.yaml"
    )
}

impl SecretNames for Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.unreadable || self.secrets.contains_key(name)
    }

    fn complete(&self) -> bool {
        self.complete
    }

    fn help(&self, name: &str) -> String {
        if let Some((at, names)) = &self.withheld
            && names.contains(name)
        {
            return withheld(at);
        }
        let has = |layer: &&Layer| {
            let sealed = layer.secrets.as_ref().is_some_and(|s| s.names.contains_key(name));
            sealed || layer.settings.secrets.get(name).is_some_and(|b| b.uri.is_some())
        };
        let elsewhere: BTreeSet<&str> = self.workspace.layers().filter(has).map(|l| &*l.path).collect();
        let command = match &self.customer {
            Some(customer) => format!("`tieline secret set {name} --customer {customer}`"),
            None => format!("`tieline secret set {name} -e ENV`"),
        };
        if !elsewhere.is_empty() {
            let has = if elsewhere.len() == 1 { "has" } else { "have" };
            let whose = match elsewhere.iter().any(|path| path.starts_with("customers/")) {
                true => "environment or customer",
                false => "environment",
            };
            let elsewhere = listed(elsewhere.iter().copied(), 4);
            return format!("{elsewhere} {has} it, and no {whose} reads another's secrets; set it here: {command}");
        }
        match nearest(name, self.secrets.keys().copied()) {
            Some(near) => format!("did you mean `secrets.{near}`?"),
            None => format!("set it: {command}"),
        }
    }
}
