//! All of the above: layers, expressions, schemas and references of one environment, or of all.
//!
//! [`compile`] makes one environment's connections; [`check`] tells every problem of every environment, does each piece
//! of work once where environments share their inputs, and keeps nothing.

pub mod connection;
pub mod consumers;
pub mod context;
pub mod desired;
pub mod explain;
pub mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::connectors::Catalogue;
use crate::diagnostic::{self, Diagnostic, code};
use crate::model::connection::Connection;
use crate::model::consumer::Consumer;
use crate::overlay::{Idle, Notes};
use crate::span::{FileId, Span};
use crate::workspace::discover::Family;
use crate::workspace::{Layer, Workspace};
use connection::{Outcome, State};
use consumers::States;
use context::Context;
use names::Names;

/// One environment, compiled.
pub struct Compiled {
    /// The environment.
    pub environment: Arc<str>,
    /// Its connections by id, without those that are switched off.
    pub connections: BTreeMap<Arc<str>, Connection>,
    /// The consumers that run in it.
    pub consumers: Vec<Consumer>,
    /// Every connection that other files may refer to.
    pub states: States,
}

/// Compiles one environment, which must exist. Its problems come beside it; with an error among them, the result is for
/// showing only.
pub fn compile(workspace: &Workspace, catalogue: &Catalogue, environment: &Arc<str>) -> (Compiled, Vec<Diagnostic>) {
    let mut notes = Notes::default();
    let names = Names::new(workspace, &workspace.stack(environment), &mut notes);
    let context = Context::new(workspace, catalogue, environment, &names, &mut notes);
    let ids: Vec<Arc<str>> = context.ids(Family::Connections).into_iter().collect();
    let outcomes: Vec<Outcome> = ids.par_iter().with_min_len(16).map(|id| connection::compile(&context, id)).collect();
    let mut states = States::new();
    let mut connections = BTreeMap::new();
    for (id, outcome) in ids.into_iter().zip(outcomes) {
        notes.diagnostics.extend(outcome.notes.diagnostics);
        states.insert(id.clone(), outcome.state);
        connections.extend(outcome.connection.filter(|c| c.enabled).map(|c| (id, c)));
    }
    check_keys(&states, &mut notes.diagnostics);
    let consumers = consumers::compile(&context, &states, &mut notes);
    let mut diagnostics = context.told(notes.diagnostics);
    diagnostics.extend(check_catalogue(workspace, catalogue));
    (Compiled { environment: environment.clone(), connections, consumers, states }, diagnostics)
}

/// Every problem of every environment. A workspace without environments is checked as its root alone.
pub fn check(workspace: &Workspace, catalogue: &Catalogue) -> Vec<Diagnostic> {
    let alone: Arc<str> = Arc::from("");
    let environments: Vec<Arc<str>> = match workspace.environments.len() {
        0 => vec![alone],
        _ => workspace.environments.keys().cloned().collect(),
    };
    let mut notes: Vec<Notes> = environments.iter().map(|_| Notes::default()).collect();
    let names: Vec<Names<'_>> = environments
        .iter()
        .zip(&mut notes)
        .map(|(environment, notes)| Names::new(workspace, &workspace.stack(environment), notes))
        .collect();
    let contexts: Vec<Context<'_>> = environments
        .iter()
        .zip(&names)
        .zip(&mut notes)
        .map(|((environment, names), notes)| Context::new(workspace, catalogue, environment, names, notes))
        .collect();
    let ids: BTreeSet<Arc<str>> = contexts.iter().flat_map(|c| c.ids(Family::Connections)).collect();
    let ids: Vec<Arc<str>> = ids.into_iter().collect();
    let checked: Vec<Vec<Checked>> = ids.par_iter().with_min_len(16).map(|id| everywhere(&contexts, id)).collect();
    let mut states: Vec<States> = contexts.iter().map(|_| States::new()).collect();
    for (id, checked) in ids.iter().zip(checked) {
        for (((checked, notes), states), _) in checked.into_iter().zip(&mut notes).zip(&mut states).zip(&contexts) {
            notes.diagnostics.extend(checked.diagnostics);
            notes.idle.extend(checked.idle);
            states.insert(id.clone(), checked.state);
        }
    }
    let mut told = Vec::new();
    let mut idle: BTreeMap<Idle, BTreeSet<Arc<str>>> = BTreeMap::new();
    for ((context, notes), states) in contexts.iter().zip(&mut notes).zip(&states) {
        check_keys(states, &mut notes.diagnostics);
        consumers::compile(context, states, notes);
        told.extend(context.told(std::mem::take(&mut notes.diagnostics)));
        for patch in notes.idle.drain(..) {
            idle.entry(patch).or_default().insert(context.environment.clone());
        }
    }
    told.extend(idle_everywhere(workspace, &contexts, idle));
    told.extend(check_catalogue(workspace, catalogue));
    for diagnostic in &mut told {
        diagnostic.environments.retain(|e| !e.is_empty());
    }
    told
}

/// What is left of an outcome once it is checked.
#[derive(Clone, Default)]
struct Checked {
    diagnostics: Vec<Diagnostic>,
    idle: Vec<Idle>,
    state: State,
}

/// One connection in every environment; where its inputs are the same in two, it is compiled once.
fn everywhere(contexts: &[Context<'_>], id: &Arc<str>) -> Vec<Checked> {
    let mut checked: Vec<Checked> = Vec::with_capacity(contexts.len());
    for (index, context) in contexts.iter().enumerate() {
        let twin = contexts[..index].iter().position(|earlier| context.same_inputs(earlier, id));
        checked.push(match twin {
            Some(twin) => checked[twin].clone(),
            None => {
                let Outcome { notes, state, .. } = connection::compile(context, id);
                Checked { diagnostics: notes.diagnostics, idle: notes.idle, state }
            }
        });
    }
    checked
}

/// A stable key names one connection.
fn check_keys(states: &States, told: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for (id, state) in states {
        let State::Known { key, span, .. } = state else { continue };
        if let Some((other, first)) = seen.insert(key, (id, *span)) {
            let message = format!("the connections `{other}` and `{id}` have the same key `{key}`");
            told.push(
                Diagnostic::error(code::DUPLICATE_KEY, *span, message)
                    .also(first, "the other one")
                    .help("a key names one connection for ever: give one of them another `key`"),
            );
        }
    }
}

/// Schemas that can't be used, and those that would take a built-in id.
fn check_catalogue(workspace: &Workspace, catalogue: &Catalogue) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for (id, file) in &workspace.connectors {
        if catalogue.file(id).is_none() {
            let message = format!("`{id}` is a built-in connector: its id can't be taken");
            told.push(
                Diagnostic::error(code::INVALID_CONNECTOR_SCHEMA, Span::file(*file), message)
                    .help("give the file another name"),
            );
        } else if let Some(Err(fault)) = catalogue.get(id) {
            let at = fault.offset.unwrap_or(0);
            let span = Span::new(*file, at..at);
            told.push(
                Diagnostic::error(code::INVALID_CONNECTOR_SCHEMA, span, fault.message.clone())
                    .help("a JSON Schema (2020-12) of `{config, auth}` that stands alone: `$ref` within the file only"),
            );
        }
    }
    told
}

/// Patches that change nothing wherever their layer takes part.
fn idle_everywhere(
    workspace: &Workspace,
    contexts: &[Context<'_>],
    idle: BTreeMap<Idle, BTreeSet<Arc<str>>>,
) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for (patch, environments) in idle {
        let has = |layer: &Layer| layer_has(layer, patch.span.file);
        let takes_part = contexts.iter().filter(|c| c.stack.iter().any(|layer| has(layer)));
        if takes_part.count() <= environments.len() {
            told.push(Diagnostic::error(patch.code, patch.span, patch.what).help(patch.help));
        }
    }
    debug_assert!(told.iter().all(|d| d.span().is_some_and(|s| (s.file.0 as usize) < workspace.sources.len())));
    told
}

fn layer_has(layer: &Layer, file: FileId) -> bool {
    let families = [Family::Connections, Family::Credentials, Family::Consumers];
    layer.settings_file == Some(file)
        || families.iter().any(|family| layer.family(*family).values().any(|d| d.file == file))
}

/// Reads what is to be told, in order, each fault once.
pub fn in_order(workspace_told: Vec<Diagnostic>, told: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostic::merge(workspace_told.into_iter().chain(told).collect())
}
