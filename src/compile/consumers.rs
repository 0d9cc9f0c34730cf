//! Consumers against the connections of an environment: what is used must be there, and of a kind that the slot takes.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::connection::State;
use super::context::Context;
use super::states::States;
use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::model::consumer::{Consumer, Use};
use crate::overlay::Notes;
use crate::span::Spanned;
use crate::template::OPEN;
use crate::workspace::Workspace;
use crate::workspace::discover::{Family, is_id};

/// Reads and checks every consumer of an environment; gives those that run in it.
pub fn compile(context: &Context<'_>, states: &States, notes: &mut Notes) -> Vec<Consumer> {
    let mut consumers = Vec::new();
    for id in context.ids(Family::Consumers) {
        let Some(document) = context.merged(Family::Consumers, &id, notes) else { continue };
        let told = &mut notes.diagnostics;
        let Some(mut consumer) = Consumer::read(&id, &document, told) else { continue };
        references(context, states, &mut consumer);
        context.judge().consumer(&consumer, &document, told);
        check_environments(context, &consumer, told);
        check_recipients(context, &consumer, told);
        if consumer.runs_in(&context.at.environment) {
            for used in &consumer.uses {
                check_use(context, states, &consumer, used, told);
            }
            consumers.push(consumer);
        }
    }
    consumers
}

/// A connection may be named by its reference, a UUID: from here on it is named by its id.
fn references(context: &Context<'_>, states: &States, consumer: &mut Consumer) {
    let workspace = context.workspace.root.settings.id.unwrap_or_default();
    for used in consumer.uses.iter_mut().filter(|used| Uuid::try_parse(&used.connection.value).is_ok()) {
        if let Some(id) = states.by_reference(workspace, &used.connection.value) {
            if used.slot == used.connection.value {
                used.slot = (**id).into();
            }
            used.connection.value = (**id).into();
        }
    }
}

fn check_environments(context: &Context<'_>, consumer: &Consumer, told: &mut Vec<Diagnostic>) {
    let known = |name: &str| context.workspace.has_environment(name) || name.contains(OPEN);
    for environment in consumer.environments.iter().flatten().filter(|e| !known(&e.value)) {
        told.push(context.workspace.unknown_environment(&environment.value, environment.span));
    }
}

fn check_recipients(context: &Context<'_>, consumer: &Consumer, told: &mut Vec<Diagnostic>) {
    if !context.workspace.is_complete(&context.at.environment) {
        return;
    }
    for recipient in consumer.recipients.iter().filter(|r| !r.value.contains(OPEN)) {
        if Workspace::public_key(&context.stack, &recipient.value).is_none() {
            let known = || context.stack.iter().flat_map(|l| l.settings.keys.keys()).map(|k| &**k);
            let help = match nearest(&recipient.value, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add it to tieline.yaml: `keys: {{{}: age1…}}`", recipient.value),
            };
            let message = format!("no layer has a key named `{}`", recipient.value);
            told.push(Diagnostic::error(code::UNKNOWN_RECIPIENT, recipient.span, message).help(help));
        }
    }
}

fn check_use(context: &Context<'_>, states: &States, consumer: &Consumer, used: &Use, told: &mut Vec<Diagnostic>) {
    let name = &used.connection.value;
    let environment = &context.at.environment;
    if name.contains(OPEN) {
        return;
    }
    let Some((_, state)) = states.find(name) else {
        if !context.workspace.is_complete(environment) {
            return;
        }
        let known = || states.iter().filter(|(_, s)| **s != State::Absent).map(|(id, _)| &**id);
        let elsewhere = context.workspace.environments_with(name);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if !elsewhere.is_empty() => format!(
                "it is there in {}; add it to this environment, or limit the consumer: `environments: [{}]`",
                listed(elsewhere.iter().copied(), 6),
                elsewhere.join(", ")
            ),
            // Nothing but an id goes into a command.
            None if !is_id(name) => format!("use one of {}", listed(known(), 6)),
            None => format!(
                "`tieline add CONNECTOR {name} --for {}` makes it; or use one of {}",
                consumer.id,
                listed(known(), 6)
            ),
        };
        let message = format!("`{}` uses the connection `{name}`, which does not exist", consumer.id);
        told.push(Diagnostic::error(code::UNKNOWN_CONNECTION, used.connection.span, message).help(help));
        return;
    };
    let State::Known { connector, enabled, span, .. } = state else { return };
    if !enabled {
        let message = format!("`{}` uses the connection `{name}`, which is switched off", consumer.id);
        told.push(
            Diagnostic::error(code::UNKNOWN_CONNECTION, used.connection.span, message)
                .also(*span, "`enabled: false` in this environment")
                .help(format!("switch it on in `{environment}`, or use another")),
        );
    }
    check_accepts(context.catalogue, connector, used, told);
}

/// Whether a connector counts as one of these; an empty list is anything, and so is a connector that can't be used.
pub fn accepts<'k>(catalogue: &Catalogue, connector: &str, wanted: impl Iterator<Item = &'k str>) -> bool {
    let Some(Ok(connector)) = catalogue.get(connector) else { return true };
    let traits = connector.traits();
    let mut wanted = wanted.peekable();
    wanted.peek().is_none() || wanted.any(|kind| traits.contains(&kind))
}

/// Words of `accepts` that no connector has, as its id, category or capability.
fn check_words(catalogue: &Catalogue, connector: &str, used: &Use, told: &mut Vec<Diagnostic>) {
    let own = catalogue.get(connector).and_then(Result::ok).map(Connector::traits).unwrap_or_default();
    let unknown = |word: &&Spanned<Box<str>>| !own.contains(&&*word.value) && !catalogue.contains(&word.value);
    let unknown: Vec<&Spanned<Box<str>>> = used.accepts.iter().filter(unknown).collect();
    if unknown.is_empty() {
        return;
    }
    // Only now is every schema looked at.
    let loaded = catalogue.ids().filter_map(|id| catalogue.get(id)?.ok());
    let all: BTreeSet<&str> = loaded.flat_map(Connector::traits).collect();
    let is_known = |word: &Spanned<Box<str>>| all.contains(&*word.value) || word.value.contains(OPEN);
    // Next to a known word, an unknown one may name a future connector, unless it is nearly a known word.
    let dead = !used.accepts.iter().any(is_known);
    for word in unknown.into_iter().filter(|word| !is_known(word)) {
        let help = match nearest(&word.value, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if !dead => continue,
            None => "`tieline connector list` shows the ids, categories and capabilities".to_owned(),
        };
        let message = format!("no connector is a `{}`", word.value);
        told.push(Diagnostic::error(code::SLOT_ACCEPTS, word.span, message).help(help));
    }
}

fn check_accepts(catalogue: &Catalogue, connector: &str, used: &Use, told: &mut Vec<Diagnostic>) {
    let Some(Ok(connector)) = catalogue.get(connector) else { return };
    let traits = connector.traits();
    let Some(first) = used.accepts.first() else { return };
    let before = told.len();
    check_words(catalogue, connector.id(), used, told);
    if told.len() > before {
        return;
    }
    if !accepts(catalogue, connector.id(), used.accepts.iter().map(|wanted| &*wanted.value)) {
        let message = format!("the slot `{}` does not accept a `{}`", used.slot, connector.id());
        let is = format!("a `{}` counts as {}", connector.id(), listed(traits, 12));
        told.push(
            Diagnostic::error(code::SLOT_ACCEPTS, used.connection.span, message)
                .also(first.span, format!("it accepts {}", listed(used.accepts.iter().map(|a| &*a.value), 8)))
                .help(is),
        );
    }
}
