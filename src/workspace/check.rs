//! What can be said of the layers once all files are known: names that lead to nothing, circles, folders out of place.

use super::{Layer, Workspace, extends, names, secrets};
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::span::{FileId, Span, Spanned};

/// Tells all of it.
pub(super) fn layers(workspace: &mut Workspace, told: &mut Vec<Diagnostic>) {
    settings_there(workspace, told);
    extends::check(workspace, told);
    for (name, layer) in &workspace.customers {
        workspace.check_customer(name, layer, told);
    }
    workspace.check_recipients(told);
    names::check_documents(workspace, told);
    secrets::check_layers(workspace, told);
}

/// An environment has an `environment.yaml`, a customer a `customer.yaml`: a folder without is a slip of its name.
fn settings_there(workspace: &mut Workspace, told: &mut Vec<Diagnostic>) {
    let environments = workspace.environments.values_mut().map(|layer| (layer, "environment.yaml"));
    let customers = workspace.customers.values_mut().map(|layer| (layer, "customer.yaml"));
    for (layer, settings) in environments.chain(customers).filter(|(layer, _)| layer.settings_file.is_none()) {
        let Some(file) = first_file(layer) else { continue };
        layer.unusable = true;
        let path = &layer.path;
        told.push(
            Diagnostic::error(code::STRAY_FILE, Span::file(file), format!("`{path}/` has no {settings}"))
                .help(format!("create {path}/{settings} (it may be empty), or mend the folder's name")),
        );
    }
}

fn first_file(layer: &Layer) -> Option<FileId> {
    let items = layer.connections.values().chain(layer.credentials.values()).chain(layer.consumers.values());
    let own = items.map(|d| d.file).chain(layer.secrets.as_ref().map(|s| s.file)).chain(layer.settings_file).min();
    let below = layer.environments.values().chain(layer.profiles.values());
    own.or_else(|| below.filter_map(first_file).min())
}

impl Workspace {
    /// Tells environments and connections that a customer names and nobody has.
    fn check_customer(&self, name: &str, layer: &Layer, told: &mut Vec<Diagnostic>) {
        for environment in layer.settings.environments.iter().flatten() {
            if !self.has_environment(&environment.value) {
                told.push(self.unknown_environment(&environment.value, environment.span));
            }
        }
        for (environment, below) in &layer.environments {
            let Some(file) = first_file(below).filter(|_| !self.environments.contains_key(environment)) else {
                continue;
            };
            told.push(self.unknown_environment(environment, Span::file(file)));
        }
        let known = |id: &str| {
            let has = |layer: &Layer| layer.connections.contains_key(id);
            has(&self.root) || self.environments.values().any(has) || layer.with_sublayers().any(has)
        };
        let unknown = |listed: &&Spanned<Box<str>>| !known(&listed.value);
        for connection in layer.settings.connections.iter().filter(unknown) {
            let ids = || self.root.connections.keys().chain(layer.connections.keys()).map(|id| &**id);
            let help = match nearest(&connection.value, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    format!("create connections/{}.yaml with `scope: customer` or `organization`", connection.value)
                }
            };
            let message = format!("`{name}` lists the connection `{}`, which does not exist", connection.value);
            told.push(Diagnostic::error(code::UNKNOWN_CONNECTION, connection.span, message).help(help));
        }
    }

    /// Tells recipients that no layer below names.
    fn check_recipients(&self, told: &mut Vec<Diagnostic>) {
        for (layer, stack) in self.layers_with_stacks() {
            let environment = stack.get(1..).unwrap_or_default().iter().rfind(|l| !l.is_customers());
            let complete = environment.is_none_or(|l| self.is_complete(environment_name(l)));
            if !complete || stack.iter().any(|layer| layer.unusable) {
                continue;
            }
            for recipient in layer.settings.recipients.iter().flatten() {
                if Self::public_key(&stack, &recipient.value).is_none() {
                    let known: Vec<&str> = stack.iter().flat_map(|l| l.settings.keys.keys()).map(|k| &**k).collect();
                    let help = match nearest(&recipient.value, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("add it: `keys: {{{}: age1…}}`", recipient.value),
                    };
                    let message = format!("no layer has a key named `{}`", recipient.value);
                    told.push(Diagnostic::error(code::UNKNOWN_RECIPIENT, recipient.span, message).help(help));
                }
            }
        }
    }

    /// An environment that is named and not there, or abstract.
    pub fn unknown_environment(&self, name: &str, at: Span) -> Diagnostic {
        let (message, help) = self.no_environment(name);
        Diagnostic::error(code::UNKNOWN_ENVIRONMENT, at, message).help(help)
    }

    /// Why a name is not that of an environment, and what to do.
    pub fn no_environment(&self, name: &str) -> (String, String) {
        if self.environments.contains_key(name) {
            let message =
                format!("the environment `{name}` is abstract: a base of others, which is not deployed itself");
            let help = match &*self.built_on(name) {
                [] => "no environment extends it".to_owned(),
                others => format!("these stand on it: {}", listed(others.iter().copied(), 12)),
            };
            return (message, help);
        }
        let known = || self.concrete().map(|n| &**n);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known().next().is_none() => "make one: environments/NAME/environment.yaml".to_owned(),
            None => format!("environments: {}", listed(known(), 12)),
        };
        (format!("there is no environment `{name}`"), help)
    }
}

/// The environment that a layer of the form `environments/E` or `environments/E/profiles/P` belongs to.
fn environment_name(layer: &Layer) -> &str {
    layer.path.split('/').nth(1).unwrap_or("")
}
