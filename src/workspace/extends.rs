//! What environments stand on: names that lead nowhere, circles, and chains without end.

use std::collections::HashMap;
use std::sync::Arc;

use super::Workspace;
use super::layers::MAX_CHAIN;
use crate::diagnostic::{Diagnostic, code};
use crate::span::{Span, Spanned};

/// Members of a circle that are named.
const MAX_NAMED: usize = 12;

/// Tells all of it. Each environment is looked at once, however long the chains are.
pub(super) fn check(workspace: &Workspace, told: &mut Vec<Diagnostic>) {
    // How many environments stand on each other below and with each.
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for name in workspace.environments.keys() {
        let mut path: Vec<(&str, Option<Span>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut next = Some(&**name);
        while let Some(at) = next.filter(|at| !depths.contains_key(at) && !places.contains_key(at)) {
            places.insert(at, path.len());
            let extends = extends(workspace, at);
            path.push((at, extends.map(|extends| extends.span)));
            next = match extends {
                Some(extends) if !workspace.environments.contains_key(&extends.value) => {
                    told.push(workspace.unknown_environment(&extends.value, extends.span));
                    None
                }
                extends => extends.map(|extends| &*extends.value),
            };
        }
        let circle = next.and_then(|next| places.get(next));
        if let Some(first) = circle {
            told.push(round(&path[*first..]));
        }
        let mut depth = next.and_then(|next| depths.get(next)).copied().unwrap_or(0);
        for (at, (name, extends)) in path.iter().enumerate().rev() {
            depth = if circle.is_some_and(|first| at >= *first) { 0 } else { depth.saturating_add(1) };
            depths.insert(name, depth);
            // What stands on it in turn is told with it.
            if let (true, Some(span)) = (depth == MAX_CHAIN + 1, extends) {
                let message = format!("the chain of `extends` below `{name}` has more than {MAX_CHAIN} environments");
                told.push(Diagnostic::error(code::TOO_LARGE, *span, message).help(
                    "let it extend one that is nearer to the root: each of them is merged into all that stand on it",
                ));
            }
        }
    }
}

fn extends<'w>(workspace: &'w Workspace, name: &str) -> Option<&'w Spanned<Arc<str>>> {
    workspace.environments.get(name)?.settings.extends.as_ref()
}

/// A circle, told at its first member by name.
fn round(circle: &[(&str, Option<Span>)]) -> Diagnostic {
    let first = (0..circle.len()).min_by_key(|at| circle[*at].0).unwrap_or(0);
    let members = || circle[first..].iter().chain(&circle[..first]);
    let mut names: Vec<&str> = members().map(|(name, _)| *name).take(MAX_NAMED).collect();
    if circle.len() > MAX_NAMED {
        names.push("…");
    }
    names.extend(members().map(|(name, _)| *name).next());
    let places: Vec<(&str, Span)> =
        members().filter_map(|(name, span)| Some((*name, (*span)?))).take(MAX_NAMED).collect();
    let span = places.first().map_or(Span::file(crate::span::FileId(0)), |(_, span)| *span);
    let told =
        Diagnostic::error(code::EXTENDS_CYCLE, span, format!("`extends` runs in a circle: {}", names.join(" -> ")))
            .help("let one of them stand on the root alone: remove its `extends`");
    places.iter().skip(1).fold(told, |told, (name, span)| told.also(*span, format!("`{name}` goes on here")))
}
