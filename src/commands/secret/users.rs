//! Who sees a secret: connections that take it from a layer, and the consumers behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::Session;
use crate::compile::{self, names::AllNames};
use crate::diagnostic::listed;
use crate::template;
use crate::ui::Ui;
use crate::workspace::layers::At;

/// What takes secrets from a layer.
#[derive(Default)]
pub(in crate::commands) struct Users {
    /// `ENV: instance`.
    pub(in crate::commands) connections: BTreeSet<String>,
    /// Credentials that name it.
    pub(in crate::commands) credentials: BTreeSet<String>,
    /// Consumers.
    pub(in crate::commands) consumers: BTreeSet<String>,
    /// Environments that it is seen in.
    pub(in crate::commands) environments: BTreeSet<String>,
}

impl Users {
    /// Those of one secret, as the layer's file has it.
    pub(in crate::commands) fn of(session: &Session, layer: &str, name: &str) -> Self {
        Self::all(session, layer).remove(name).unwrap_or_default()
    }

    /// Those of every secret of a layer that has any.
    pub(in crate::commands) fn all(session: &Session, layer: &str) -> BTreeMap<String, Self> {
        let workspace = &session.workspace;
        let mut users: BTreeMap<String, Self> = BTreeMap::new();
        // A customer's layers stand above those of an environment.
        let sees = |at: &At| layer.starts_with("customers/") || workspace.stack(at).iter().any(|l| *l.path == *layer);
        for at in workspace.everywhere().into_iter().filter(sees) {
            let (compiled, _) = compile::compile(workspace, &session.catalogue, &at);
            let names = AllNames::new(workspace, &compiled);
            for connection in compiled.connections.values() {
                let of = names.of(connection);
                let here = |name: &&str| {
                    of.and_then(|names| names.source(name)).is_some_and(|source| *source.layer.path == *layer)
                };
                for name in template::secrets_in(&connection.instance).into_iter().filter(here) {
                    let users = users.entry(name.to_owned()).or_default();
                    users.connections.insert(format!("{at}: {}", connection.instance_id()));
                    users.environments.insert(at.to_string());
                    users.consumers.extend(compiled.consumers_of(connection).map(|consumer| consumer.id.to_string()));
                    users.credentials.extend(connection.credential.iter().map(|link| link.value.to_string()));
                }
            }
        }
        users
    }

    /// Says who sees a change.
    pub(in crate::commands) fn tell(&self, ui: &Ui) {
        if self.connections.is_empty() {
            ui.say("  no connection uses it");
            return;
        }
        let names = |names: &BTreeSet<String>| listed(names.iter().map(String::as_str), 8);
        ui.say(&format!("  seen by {}", names(&self.connections)));
        if !self.consumers.is_empty() {
            ui.say(&format!("  and so by {}", names(&self.consumers)));
        }
        ui.say(&format!("  in force with the next `tieline apply {}`", first(&self.environments)));
    }
}

fn first(names: &BTreeSet<String>) -> &str {
    let name = names.first().map_or("ENV", String::as_str);
    // `prod with test`: the deployment's name in words.
    name.split(' ').next().unwrap_or(name)
}
