//! Connections that name connections: a warehouse its staging bucket, a stream its schema registry. What is named must be
//! there, be of a kind that the field accepts, and lead to no circle.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::connection::State;
use super::consumers::accepts;
use super::context::Context;
use super::states::States;
use crate::connectors::reference::Reference;
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::template::OPEN;
use crate::value::path::dotted;

/// Checks what the connections of an environment name.
pub fn check(context: &Context<'_>, states: &States, told: &mut Vec<Diagnostic>) {
    let mut done = BTreeSet::new();
    for (id, state) in states {
        let State::Known { references, enabled: true, .. } = state else { continue };
        for reference in references.iter() {
            one(context, states, id, reference, told);
        }
        if !references.is_empty() {
            circle(states, id, &mut done, told);
        }
    }
}

/// Checks one field of the connection `id`.
pub fn one(context: &Context<'_>, states: &States, id: &str, reference: &Reference, told: &mut Vec<Diagnostic>) {
    let (name, field) = (&reference.name, dotted(&reference.pointer));
    if context.workspace.sources.slice(reference.span).contains(OPEN) {
        told.push(
            Diagnostic::error(code::EXPRESSION_NOT_ALLOWED, reference.span, format!("`{field}` must be literal"))
                .help("what ties connections together is checked without evaluating anything: write the id"),
        );
        return;
    }
    let Some((_, state)) = states.find(name) else {
        let known = || states.iter().filter(|(_, s)| **s != State::Absent).map(|(id, _)| &**id);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it names a connection that counts as {}", kinds(reference)),
        };
        let message = format!("`{field}` of `{id}` names the connection `{name}`, which does not exist");
        told.push(Diagnostic::error(code::UNKNOWN_CONNECTION, reference.span, message).help(help));
        return;
    };
    let State::Known { connector, enabled, span, .. } = state else { return };
    if !enabled {
        let message = format!("`{field}` of `{id}` names the connection `{name}`, which is switched off");
        told.push(
            Diagnostic::error(code::UNKNOWN_CONNECTION, reference.span, message)
                .also(*span, "`enabled: false` in this environment")
                .help("switch it on, or name another"),
        );
    }
    let accepted = reference.accepts.iter().map(|kind| &**kind);
    if !accepts(context.catalogue, connector, accepted) {
        let message = format!("`{field}` of `{id}` can't be a `{connector}`");
        told.push(
            Diagnostic::error(code::SLOT_ACCEPTS, reference.span, message)
                .also(*span, "this connection")
                .help(format!("it names a connection that counts as {}", kinds(reference))),
        );
    }
}

fn kinds(reference: &Reference) -> String {
    listed(reference.accepts.iter().map(|kind| &**kind), 8)
}

/// A connection that is being followed: its fields, and the one that leads on.
struct Step<'s> {
    id: &'s Arc<str>,
    references: &'s [Reference],
    next: usize,
}

/// Follows references from `id` and reports each circle once, at its first member by name. Visits each connection once,
/// however many connections refer to it.
fn circle<'s>(states: &'s States, id: &'s Arc<str>, done: &mut BTreeSet<&'s str>, told: &mut Vec<Diagnostic>) {
    let mut path: Vec<Step<'s>> = Vec::new();
    let mut places: HashMap<&'s str, usize> = HashMap::new();
    let mut enter = |id: &'s Arc<str>, path: &mut Vec<Step<'s>>, places: &mut HashMap<&'s str, usize>| {
        if let (Some(State::Known { references, .. }), true) = (states.get(id), done.insert(id)) {
            places.insert(id, path.len());
            path.push(Step { id, references, next: 0 });
        }
    };
    enter(id, &mut path, &mut places);
    while let Some(last) = path.last_mut() {
        let Some(reference) = last.references.get(last.next) else {
            places.remove(&**last.id);
            path.pop();
            continue;
        };
        last.next += 1;
        let Some((next, _)) = states.find(&reference.name) else { continue };
        match places.get(&**next) {
            Some(start) => {
                let members = path[*start..].iter().map(|step| (step.id, &step.references[step.next - 1]));
                told.push(told_circle(&members.collect::<Vec<_>>()));
            }
            None => enter(next, &mut path, &mut places),
        }
    }
}

/// Members of a circle that are named.
const MAX_NAMED: usize = 12;

fn told_circle(path: &[(&Arc<str>, &Reference)]) -> Diagnostic {
    let first = path.iter().enumerate().min_by_key(|(_, (id, _))| *id).map_or(0, |(at, _)| at);
    let turned: Vec<_> = path[first..].iter().chain(&path[..first]).collect();
    let more = if turned.len() > MAX_NAMED { Some("…") } else { None };
    let shown = turned.iter().take(MAX_NAMED).map(|(id, _)| &***id);
    let names: Vec<&str> = shown.chain(more).chain([&**turned[0].0]).collect();
    let message = format!("connections name each other in a circle: {}", names.join(" -> "));
    let mut told = Diagnostic::error(code::REFERENCE_CYCLE, turned[0].1.span, message)
        .help("nothing can be set up that needs itself: take one of these lines out");
    for (id, reference) in turned.iter().take(MAX_NAMED).skip(1) {
        told = told.also(reference.span, format!("`{id}` goes on here"));
    }
    told
}
