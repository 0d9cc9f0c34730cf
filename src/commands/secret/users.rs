//! Who sees a secret: connections that take it from a layer, and the consumers behind them.

use std::collections::BTreeSet;

use crate::commands::Session;
use crate::compile::names::AllNames;
use crate::compile::{self};
use crate::diagnostic::listed;
use crate::template;
use crate::ui::Ui;

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
    /// Those of a secret, as the layer's file has it.
    pub(in crate::commands) fn of(session: &Session, layer: &str, name: &str) -> Self {
        let workspace = &session.workspace;
        let mut users = Self::default();
        for at in workspace.everywhere() {
            let (compiled, _) = compile::compile(workspace, &session.catalogue, &at);
            let names = AllNames::new(workspace, &compiled);
            for connection in compiled.connections.values() {
                let uses = template::secrets_in(&connection.instance).into_iter().any(|used| used == name);
                let source = names.of(connection).and_then(|names| names.source(name));
                if !uses || source.is_none_or(|source| *source.layer.path != *layer) {
                    continue;
                }
                users.connections.insert(format!("{at}: {}", connection.instance_id()));
                users.environments.insert(at.to_string());
                users.consumers.extend(compiled.consumers_of(connection).map(|consumer| consumer.id.to_string()));
                users.credentials.extend(connection.credential.iter().map(|link| link.value.to_string()));
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
