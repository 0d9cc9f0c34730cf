//! Profiles: one error lists all secrets that a profile lacks.

use std::collections::BTreeSet;

use super::names::withheld;
use crate::diagnostic::{Diagnostic, code, listed};
use crate::workspace::layers::At;
use crate::workspace::{Layer, Workspace};

/// Uses that are shown of all.
const SHOWN: usize = 4;

/// Replaces the errors for secrets that the environment has and its profile lacks by one error.
pub(super) fn gather(workspace: &Workspace, at: &At, told: &mut Vec<Diagnostic>) {
    let Some(profile) = &at.profile else { return };
    let here = at.to_string();
    let is_here =
        |d: &Diagnostic| d.code == code::UNKNOWN_SECRET && matches!(&*d.environments, [name] if **name == *here);
    if !told.iter().any(is_here) {
        return;
    }
    let customers = workspace.customers_in(&at.environment).flat_map(|(name, _)| workspace.customer_layers(at, name));
    let layers: Vec<&Layer> =
        workspace.stack(at).into_iter().chain(customers).filter(|layer| !layer.is_profile()).collect();
    let below: BTreeSet<&str> = layers
        .iter()
        .flat_map(|layer| layer.secrets.iter().flat_map(|file| file.names.keys()).chain(layer.settings.secrets.keys()))
        .map(|name| &**name)
        .collect();
    let name = |d: &Diagnostic| d.span().map(|span| workspace.sources.slice(span).to_owned());
    let (missing, rest): (Vec<Diagnostic>, Vec<Diagnostic>) = std::mem::take(told)
        .into_iter()
        .partition(|d| is_here(d) && name(d).is_some_and(|name| below.contains(name.as_str())));
    *told = rest;
    let names: BTreeSet<String> = missing.iter().filter_map(name).collect();
    let mut places: Vec<_> = missing.iter().filter_map(Diagnostic::span).collect();
    places.sort_unstable();
    places.dedup();
    let Some((first, others)) = places.split_first() else { return };
    let count = names.len();
    let secrets = if count == 1 { "the secret" } else { "the secrets" };
    let all = listed(names.iter().map(String::as_str), count);
    let message = format!("the profile `{profile}` of `{}` lacks {secrets} {all}", at.environment);
    let mut one = Diagnostic::error(code::UNKNOWN_SECRET, *first, message).label("used here").help(withheld(at));
    for other in others.iter().take(SHOWN) {
        one = one.also(*other, "and here");
    }
    one.environments.push(here.as_str().into());
    told.push(one);
}
