//! All of the above: layers, expressions, schemas and references of one environment, or of all.
//!
//! [`compile`] makes one environment's connections; [`check`] tells every problem of every environment, does each piece
//! of work once where environments share their inputs, and keeps nothing.

pub mod choices;
pub mod connection;
pub mod consumers;
pub mod context;
pub mod customers;
pub mod desired;
mod sealed_fields;
pub mod documents;
pub mod explain;
pub mod names;
pub mod ownership;
pub mod policy;
mod policy_names;
mod profiles;
mod schemas;
mod shared;
pub mod references;
pub mod states;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::budget::{self, Over};
use crate::connectors::Catalogue;
use crate::diagnostic::{self, Diagnostic, code, has_errors};
use crate::model::connection::Connection;
use crate::model::consumer::Consumer;
use crate::overlay::{Idle, Notes};
use crate::parallel;
use crate::rules::facts::Facts;
use crate::rules::levels::{self, Levels};
use crate::rules::{Everything, Judge, Running};
use crate::span::{FileId, Span};
use crate::workspace::discover::Family;
use crate::workspace::layers::At;
use crate::workspace::{Layer, Workspace};
use connection::{Outcome, State};
use context::{Context, Inputs};
use customers::Keep;
use names::Names;
use states::States;

/// One environment, compiled.
pub struct Compiled {
    /// The environment and profile.
    pub at: At,
    /// Its connections by id, the instances of customers by `id@customer`; without those that are switched off.
    pub connections: BTreeMap<Arc<str>, Connection>,
    /// The consumers that run in it.
    pub consumers: Vec<Consumer>,
    /// Every connection that other files may refer to.
    pub states: States,
}

/// Compiles one environment, which must exist. Its problems come beside it; with an error among them, the result is for
/// showing only.
pub fn compile(workspace: &Workspace, catalogue: &Catalogue, at: &At) -> (Compiled, Vec<Diagnostic>) {
    let (compiled, mut told) = compile_base(workspace, catalogue, at);
    let levels = Levels::new(workspace, &mut Vec::new());
    let mut found = documents::check(workspace, catalogue, &levels, Some(at), &told);
    levels::excuse(workspace, &levels, &mut found, false);
    told.extend(found);
    (compiled, told)
}

/// The same of the older side of a comparison: a secret in clear that no connection has is no reason not to compare with
/// it; the newer side may be what removes it.
pub fn compile_base(workspace: &Workspace, catalogue: &Catalogue, at: &At) -> (Compiled, Vec<Diagnostic>) {
    let (compiled, mut told) = assemble(workspace, catalogue, at);
    let mut broken = policy::check(workspace, catalogue, &compiled);
    broken.iter_mut().for_each(|diagnostic| diagnostic.environments.push(at.to_string().into()));
    told.extend(broken);
    (compiled, told)
}

/// The same before the workspace's own policies are asked.
fn assemble(workspace: &Workspace, catalogue: &Catalogue, at: &At) -> (Compiled, Vec<Diagnostic>) {
    let mut notes = Notes::default();
    let levels = Levels::new(workspace, &mut notes.diagnostics);
    let names = Names::new(workspace, at, None, &mut notes);
    let context = Context::new(workspace, (catalogue, &levels), at, &names, None, &mut notes);
    let ids: Vec<Arc<str>> = context.ids(Family::Connections).into_iter().collect();
    let outcomes = match within(catalogue, &ids, |id| connection::compile(&context, id), |id| place(workspace, id)) {
        Ok(outcomes) => outcomes,
        Err(over) => return nothing(at, *over),
    };
    let mut states = Vec::with_capacity(ids.len());
    let mut connections = BTreeMap::new();
    let mut facts = Vec::new();
    for (id, outcome) in ids.into_iter().zip(outcomes) {
        notes.diagnostics.extend(outcome.notes.diagnostics);
        facts.extend(outcome.facts);
        states.push((id.clone(), outcome.state));
        connections.extend(outcome.connection.filter(|c| c.enabled).map(|c| (id, c)));
    }
    let states: States = states.into_iter().collect();
    check_keys(&states, &mut notes.diagnostics);
    references::check(&context, &states, &mut notes.diagnostics);
    let consumers = consumers::compile(&context, &states, &mut notes);
    let mut diagnostics = Vec::new();
    let instances = match customers::compile(workspace, (catalogue, &levels), at, &states, Keep::Connections) {
        Ok(instances) => instances,
        Err(over) => return nothing(at, *over),
    };
    for instances in instances {
        diagnostics.extend(instances.diagnostics);
        facts.extend(instances.facts);
        let enabled = instances.connections.into_iter().filter(|c| c.enabled);
        connections.extend(enabled.map(|c| (Arc::from(c.instance_id()), c)));
    }
    if !has_errors(&notes.diagnostics) {
        context.judge().environment(&facts.iter().collect::<Vec<_>>(), &mut notes.diagnostics);
    }
    if let Some(name) = &at.expose {
        connections.retain(|_, connection: &mut Connection| connection.expose.iter().any(|e| **e == **name));
    }
    let compiled = Compiled { at: at.clone(), connections, consumers, states };
    diagnostics.extend(context.told(notes.diagnostics));
    diagnostics.extend(schemas::check(workspace, catalogue, &levels));
    profiles::gather(workspace, at, &mut diagnostics);
    levels::excuse(workspace, &levels, &mut diagnostics, false);
    (compiled, diagnostics)
}

/// Every problem of every environment, profile and customer. A workspace without environments is checked as its root
/// alone. `told` is what reading it told; the result is all of it in order, each fault once.
pub fn check(workspace: &Workspace, catalogue: &Catalogue, mut told: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let places = match workspace.concrete().count() {
        0 => vec![At::plain(&Arc::from(""))],
        _ => workspace.everywhere(),
    };
    let levels = Levels::new(workspace, &mut told);
    let mut notes: Vec<Notes> = places.iter().map(|_| Notes::default()).collect();
    let names: Vec<Names<'_>> =
        places.iter().zip(&mut notes).map(|(at, notes)| Names::new(workspace, at, None, notes)).collect();
    let contexts: Vec<Context<'_>> = places
        .iter()
        .zip(&names)
        .zip(&mut notes)
        .map(|((at, names), notes)| Context::new(workspace, (catalogue, &levels), at, names, None, notes))
        .collect();
    if budget::over().is_some() {
        told.extend(notes.into_iter().flat_map(|notes| notes.diagnostics).filter(|d| d.code == code::OVER_BUDGET));
        return diagnostic::merge(told);
    }
    let ids = ids_of_all(workspace);
    let checked = match within(catalogue, &ids, |id| everywhere(&contexts, id), |id| place(workspace, id)) {
        Ok(checked) => checked,
        Err(over) => {
            told.push(*over);
            return diagnostic::merge(told);
        }
    };
    let mut states: Vec<Vec<(Arc<str>, State)>> = contexts.iter().map(|_| Vec::with_capacity(ids.len())).collect();
    let mut facts: Vec<Vec<Facts>> = contexts.iter().map(|_| Vec::with_capacity(ids.len())).collect();
    for (id, checked) in ids.iter().zip(checked) {
        let each = notes.iter_mut().zip(&mut states).zip(&mut facts);
        for (checked, ((notes, states), facts)) in checked.into_iter().zip(each) {
            notes.diagnostics.extend(checked.diagnostics);
            notes.idle.extend(checked.idle);
            states.push((Arc::clone(id), checked.state));
            facts.extend(checked.facts);
        }
    }
    // Sorted already: building a map of them at once is much less work than inserting them.
    let states: Vec<States> = states.into_iter().map(|states| states.into_iter().collect()).collect();
    let mut running = Vec::with_capacity(contexts.len());
    let mut idle: BTreeMap<Idle, usize> = BTreeMap::new();
    for (((context, notes), states), mut facts) in contexts.iter().zip(&mut notes).zip(&states).zip(facts) {
        check_keys(states, &mut notes.diagnostics);
        references::check(context, states, &mut notes.diagnostics);
        running.push(consumers::compile(context, states, notes));
        count(&mut idle, notes.idle.drain(..));
        let all = match customers::compile(workspace, (catalogue, &levels), &context.at, states, Keep::Findings) {
            Ok(all) => all,
            Err(over) => {
                told.push(*over);
                return diagnostic::merge(told);
            }
        };
        for instances in all {
            told.extend(instances.diagnostics);
            facts.extend(instances.facts);
            count(&mut idle, instances.idle.into_iter());
        }
        // What compares connections says nothing true of a workspace that is half understood.
        if !has_errors(&told) && !has_errors(&notes.diagnostics) {
            context.judge().environment(&facts.iter().collect::<Vec<_>>(), &mut notes.diagnostics);
        }
        if !workspace.root.settings.policy.is_empty() {
            let (compiled, found) = assemble(workspace, catalogue, &context.at);
            notes.diagnostics.extend(found.into_iter().filter(|d| d.code == code::OVER_BUDGET));
            notes.diagnostics.extend(policy::check(workspace, catalogue, &compiled));
        }
        told.extend(context.told(std::mem::take(&mut notes.diagnostics)));
    }
    let running = contexts.iter().zip(&running);
    let running = running.map(|(c, consumers)| Running { at: &c.at, stack: &c.stack, consumers }).collect();
    let everything = Everything { workspace, running };
    if !has_errors(&told) {
        Judge::new(&levels, &workspace.sources).workspace(&everything, &mut told);
    }
    contexts.iter().for_each(|context| profiles::gather(workspace, &context.at, &mut told));
    told.extend(idle_everywhere(workspace, &contexts, idle));
    told.extend(customers::without(workspace));
    told.extend(schemas::check(workspace, catalogue, &levels));
    let documents = documents::check(workspace, catalogue, &levels, None, &told);
    told.extend(documents);
    levels::excuse(workspace, &levels, &mut told, true);
    name_links(workspace, &mut told);
    for diagnostic in &mut told {
        diagnostic.environments.retain(|e| !e.is_empty());
    }
    diagnostic::merge(told)
}

/// `run` of every item, within the budget of the run; what the workspace's schemas cost is counted first.
///
/// # Errors
/// The budget is used up; the error points at the `place` of the item that used most of it.
fn within<T: Sync, R: Send>(
    catalogue: &Catalogue,
    items: &[T],
    run: impl Fn(&T) -> R + Sync,
    place: impl Fn(&T) -> Option<Span>,
) -> Result<Vec<R>, Box<Diagnostic>> {
    catalogue.load().map_err(|(over, span)| over.told(span, "this schema"))?;
    let over = |over: Over| {
        let span = items.get(over.most.0).and_then(place).unwrap_or(Span::file(FileId(0)));
        Box::new(over.told(span, "this file"))
    };
    parallel::within(items, |_, item| run(item)).map_err(over)
}

/// Where the connection `id` is begun: its lowest file.
fn place(workspace: &Workspace, id: &str) -> Option<Span> {
    let document = workspace.layers().find_map(|layer| layer.connections.get(id))?;
    Some(Span::file(document.file))
}

/// What is compiled where the budget is used up.
fn nothing(at: &At, over: Diagnostic) -> (Compiled, Vec<Diagnostic>) {
    let compiled =
        Compiled { at: at.clone(), connections: BTreeMap::new(), consumers: Vec::new(), states: States::new() };
    (compiled, vec![over])
}

/// Says of what is wrong in a credential which connections link it: all of them log in with it.
fn name_links(workspace: &Workspace, told: &mut [Diagnostic]) {
    let about_login =
        [code::SCHEMA, code::MISSING_KEY, code::UNKNOWN_KEY, code::PLAINTEXT_SECRET, code::SECRET_IN_CLEAR];
    if !told.iter().any(|d| about_login.contains(&d.code)) {
        return;
    }
    let mut links: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for (id, document) in workspace.layers().flat_map(|layer| &layer.connections) {
        let link = document.root.as_ref().and_then(|root| root.get("credential")?.as_str());
        if let Some(link) = link {
            links.entry(link).or_default().insert(id);
        }
    }
    let credentials = workspace.layers().flat_map(|layer| &layer.credentials);
    let ids: HashMap<FileId, &str> = credentials.map(|(id, document)| (document.file, &**id)).collect();
    for diagnostic in told.iter_mut().filter(|d| about_login.contains(&d.code)) {
        let file = diagnostic.span().map(|span| span.file);
        let Some(names) = file.and_then(|file| links.get(ids.get(&file)?)) else { continue };
        let names = format!("linked by {}", diagnostic::listed(names.iter().copied(), 6));
        diagnostic.help = Some(diagnostic.help.take().map_or(names.clone(), |help| format!("{help}\n{names}")));
    }
}

/// Counts patches without effect: one that is idle twice in one environment is idle there once.
fn count(idle: &mut BTreeMap<Idle, usize>, here: impl Iterator<Item = Idle>) {
    let here: BTreeSet<Idle> = here.collect();
    here.into_iter().for_each(|patch| *idle.entry(patch).or_default() += 1);
}

/// The ids of all connections of all environments and profiles, sorted.
fn ids_of_all(workspace: &Workspace) -> Vec<&Arc<str>> {
    let layers = workspace.layers().filter(|layer| !layer.is_customers());
    let mut ids: Vec<&Arc<str>> = layers.flat_map(|layer| layer.connections.keys()).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// What is left of an outcome once it is checked.
#[derive(Clone, Default)]
struct Checked {
    diagnostics: Vec<Diagnostic>,
    idle: Vec<Idle>,
    state: State,
    facts: Option<Facts>,
}

/// Environments that one is compared with.
const MAX_ALIKE: usize = 8;

/// One connection in every environment; where its inputs are the same in two, it is compiled once.
fn everywhere(contexts: &[Context<'_>], id: &Arc<str>) -> Vec<Checked> {
    let alone = |context| {
        let Outcome { notes, state, facts, .. } = connection::compile(context, id);
        Checked { diagnostics: notes.diagnostics, idle: notes.idle, state, facts }
    };
    if let [context] = contexts {
        return vec![alone(context)];
    }
    let mut checked: Vec<Checked> = Vec::with_capacity(contexts.len());
    let mut inputs: Vec<Inputs<'_>> = Vec::with_capacity(contexts.len());
    // Thousands of environments are not compared with each other, only those that could be the same.
    let mut earlier: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
    for (at, context) in contexts.iter().enumerate() {
        let ours = context.inputs(id);
        let alike = context.fingerprint(&ours).map(|print| earlier.entry(print).or_default());
        let same = |other: &&usize| context.same_inputs(&ours, &contexts[**other], &inputs[**other]);
        let twin = alike.as_ref().and_then(|alike| alike.iter().find(same).copied());
        checked.push(match twin {
            Some(twin) => checked[twin].clone(),
            None => alone(context),
        });
        if let (None, Some(alike)) = (twin, alike)
            && alike.len() < MAX_ALIKE
        {
            alike.push(at);
        }
        inputs.push(ours);
    }
    checked
}

/// A stable key names one connection.
fn check_keys(states: &States, told: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, (&str, Span)> = HashMap::with_capacity(states.len());
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

/// Patches that change nothing wherever their layer takes part.
fn idle_everywhere(workspace: &Workspace, contexts: &[Context<'_>], idle: BTreeMap<Idle, usize>) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for (patch, times) in idle {
        let file = patch.span.file;
        let shared = contexts.iter().filter(|c| c.stack.iter().any(|layer| layer_has(layer, file)));
        let customers = contexts.iter().flat_map(|c| {
            let customers = workspace.customers_in(&c.at.environment);
            customers.filter(|customer| customers::takes_part(workspace, &c.at, *customer, file))
        });
        if shared.count() + customers.count() <= times {
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
