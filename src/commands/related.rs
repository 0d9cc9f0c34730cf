//! The environments that have the secrets which another one has for the first time: a new one, one with a profile, one
//! that extends others. Where their secrets go is deployed there.

use std::rc::Rc;

use super::Failure;
use super::deploy::{Elsewhere, Place};
use crate::bundle::Deployed;
use crate::model::record::Desired;
use crate::plan::elsewhere::Unsettled;
use crate::plan::{Before, Places, Plan};
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::workspace::layers::At;
use crate::workspace::stores::Address;
use crate::workspace::{Layer, Workspace};

/// At most so many environments are looked at for one: each costs two requests to a target.
const MAX_RELATED: usize = 32;

/// Holds the secrets that nothing deployed here speaks of against what others have deployed. Reads no target where all of
/// them are deployed here already.
pub(super) fn hold(
    plan: &mut Plan,
    place: &Place,
    base: Option<&Deployed>,
    desired: &Desired,
    places: Places<'_>,
    ui: &Ui,
) {
    let mut unsettled = Unsettled::new(desired, base);
    for at in scopes(&place.session.workspace, &place.at, &unsettled) {
        if unsettled.is_empty() {
            return;
        }
        match deployed(place, &at, ui) {
            Ok(found) => {
                for deployed in found {
                    plan.hold(&at.to_string(), &Before::Deployed(&deployed), &mut unsettled, places);
                }
            }
            Err(failure) => ui.say(&visible(&format!(
                "warning: `{}` may have secrets of `{at}`, and where they go there is not known: {}",
                place.at, failure.message
            ))),
        }
    }
}

/// What another environment has deployed: at the target that was typed, else at its own, or at those that it had before.
fn deployed(place: &Place, at: &At, ui: &Ui) -> Result<Vec<Deployed>, Failure> {
    let typed = place.own.is_none().then(|| place.named.clone());
    let open = |target: Option<String>| {
        let elsewhere = Elsewhere { target, ..Elsewhere::default() };
        Place::of(Rc::clone(&place.session), at.clone(), &elsewhere)
    };
    if typed.is_some()
        && let Some(found) = open(typed)?.deployed(ui)?
    {
        return Ok(vec![found]);
    }
    let own = open(None)?;
    if let Some(found) = own.deployed(ui)? {
        return Ok(vec![found]);
    }
    Ok(own.all_formers()?.into_iter().filter_map(|former| former.deployed).collect())
}

/// The environments that may have them, those below this one first.
pub(super) fn scopes(workspace: &Workspace, at: &At, unsettled: &Unsettled<'_>) -> Vec<At> {
    let mut scopes: Vec<At> = Vec::new();
    if unsettled.is_empty() {
        return scopes;
    }
    let mut add = |one: At| {
        if one != *at && !scopes.contains(&one) {
            scopes.push(one);
        }
    };
    for layer in workspace.chain(&at.environment).iter().rev() {
        let below = At { environment: layer.name().into(), ..at.clone() };
        let plain = At::plain(&below.environment);
        let profile = At { expose: None, ..below.clone() };
        [below, profile, plain].into_iter().for_each(&mut add);
    }
    let (files, names) = (unsettled.files(), unsettled.names());
    let has = |layer: &&Layer| {
        let addresses =
            layer.settings.secrets.values().filter_map(|binding| Address::parse(binding.uri.as_deref()?).ok());
        files.contains(&*layer.file("secrets.sops.yaml"))
            || addresses.flat_map(|address| address.names()).any(|name| names.contains(&name))
    };
    for other in workspace.everywhere() {
        let customers = workspace.customers_in(&other.environment);
        let mut layers = workspace.stack(&other);
        layers.extend(customers.flat_map(|(name, _)| workspace.customer_layers(&other, name)));
        if layers.iter().any(has) {
            add(other);
        }
    }
    scopes.truncate(MAX_RELATED);
    scopes
}
