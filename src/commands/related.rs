//! The environments that have the secrets which another one has for the first time: a new one, one with a profile, one
//! that extends others. Where their secrets go is deployed there.
//!
//! A branch does not choose which are asked: those that the memory and Git know are, besides those of the work tree, and what
//! each has deployed says whether it has the secrets.

use std::rc::Rc;

use super::deploy::{Elsewhere, Place};
use super::formers;
use crate::bundle::Deployed;
use crate::model::record::Desired;
use crate::plan::elsewhere::Unsettled;
use crate::plan::relocation::Former;
use crate::plan::trust::TrustChange;
use crate::plan::{Before, Places, Plan};
use crate::serials::Seen;
use crate::targets::{TargetError, previous};
use crate::ui::Ui;
use crate::workspace::Workspace;
use crate::workspace::layers::At;
use crate::workspace::stores::Address;

/// At most so many environments are looked at for one; each costs a few requests to a target.
const MAX_RELATED: usize = 1000;
/// Of them so many in object stores.
const MAX_STORES: usize = 64;
/// So many applies before the last one are looked at.
const MAX_EARLIER: usize = 20;

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
    if unsettled.is_empty() {
        return;
    }
    if let Some(why) = base.and_then(|base| earlier(plan, place, base, &mut unsettled, places)) {
        plan.trust.push(TrustChange::Unknown { environment: Some(place.at.to_string()), why });
    }
    if unsettled.is_empty() {
        return;
    }
    let (scopes, mut unknown) = scopes(place);
    let (mut held, mut stores, mut left_out) = (Vec::new(), 0, 0);
    for (count, at) in scopes.into_iter().enumerate() {
        let is_store = place.own.is_none() || !Looked::is_inside(place, &at);
        stores += usize::from(is_store);
        if count == MAX_RELATED || (is_store && stores > MAX_STORES) {
            left_out += 1;
            continue;
        }
        let looked = Looked::at(place, &at, ui);
        for (deployed, is_vouched) in looked.deployed {
            if is_vouched {
                plan.hold(&at.to_string(), &Before::Deployed(&deployed), &mut unsettled, true, places);
            } else {
                held.push((at.clone(), deployed));
            }
        }
        if unsettled.is_empty() {
            return;
        }
        unknown.extend(looked.unknown.map(|why| (Some(at.to_string()), why)));
    }
    for (at, deployed) in held {
        // Whoever made an environment up would settle what another one has.
        plan.hold(&at.to_string(), &Before::Deployed(&deployed), &mut unsettled, false, places);
    }
    if left_out > 0 {
        unknown.push((None, format!("{left_out} of them were not looked at")));
    }
    plan.trust.extend(unknown.into_iter().map(|(environment, why)| TrustChange::Unknown { environment, why }));
}

/// Holds them against what was in force here before: a secret that was out of force for an apply goes where it went. Gives why
/// that can't be read.
fn earlier(
    plan: &mut Plan,
    place: &Place,
    base: &Deployed,
    unsettled: &mut Unsettled<'_>,
    places: Places<'_>,
) -> Option<String> {
    let mut older = previous(&*place.target, base);
    for _ in 0..MAX_EARLIER {
        let found = match older {
            Ok(Some(found)) if !unsettled.is_empty() => found,
            // What `gc` took is not known any more.
            Ok(_) | Err(TargetError::Missing(_)) => return None,
            Err(error) => return Some(error.to_string()),
        };
        let name = format!("{} (serial {})", place.at, found.manifest.serial);
        plan.hold(&name, &Before::Deployed(&found), unsettled, true, places);
        older = previous(&*place.target, &found);
    }
    None
}

/// What another environment has deployed.
#[derive(Default)]
struct Looked {
    /// At the target that was typed, at its own, and at those that it had before; each with whether it was applied on this
    /// machine.
    deployed: Vec<(Deployed, bool)>,
    /// Why that may not be all.
    unknown: Option<String>,
}

impl Looked {
    fn place(place: &Place, at: &At, target: Option<String>) -> Result<Place, super::Failure> {
        let elsewhere = Elsewhere { target, ..Elsewhere::default() };
        Place::of(Rc::clone(&place.session), at.clone(), &elsewhere)
    }

    /// Whether its own target is a folder of the workspace.
    fn is_inside(place: &Place, at: &At) -> bool {
        Self::place(place, at, None).is_ok_and(|own| own.is_inside)
    }

    fn at(place: &Place, at: &At, ui: &Ui) -> Self {
        let mut looked = Self::default();
        if place.own.is_none() {
            looked.look(Self::place(place, at, Some(place.named.clone())), ui);
        }
        looked.look(Self::place(place, at, None), ui);
        looked
    }

    fn look(&mut self, opened: Result<Place, super::Failure>, ui: &Ui) {
        let there = match opened {
            Ok(there) => there,
            Err(failure) => return self.unknown = Some(failure.message),
        };
        let formers = match there.look(false, ui) {
            Ok((Some(found), before)) => {
                let is_vouched = before.is_empty() && there.is_vouched(&found);
                self.deployed.push((found, is_vouched));
                if before.is_unknown {
                    self.unknown = Some(there.unknown());
                }
                before.formers
            }
            found => {
                self.unknown = found.err().map(|failure| failure.message).or(self.unknown.take());
                there.formers_there().unwrap_or_else(|failure| {
                    self.unknown = Some(failure.message);
                    Vec::new()
                })
            }
        };
        for former in formers {
            if former.deployed.is_none() && former.is_deployed() {
                self.unknown = Some(former.describe());
            }
            let Former { deployed, .. } = former;
            self.deployed.extend(deployed.map(|deployed| (deployed, false)));
        }
    }
}

/// The environments that may have them, those first that a branch did not bring; and what is not known of others.
fn scopes(place: &Place) -> (Vec<At>, Vec<(Option<String>, String)>) {
    let session = &place.session;
    let mut scopes: Vec<At> = Vec::new();
    let mut add = |one: At| {
        if one != place.at && !scopes.contains(&one) {
            scopes.push(one);
        }
    };
    let remembered = Seen::scopes(&session.world, &place.scope.workspace);
    let nothing_is = remembered.is_empty();
    remembered.into_iter().filter_map(|name| At::named(&name)).for_each(&mut add);
    formers::environments(session, nothing_is).into_iter().for_each(&mut add);
    let At { profile, .. } = &place.at;
    for layer in session.workspace.chain(&place.at.environment).iter().rev() {
        let below = At { environment: layer.name().into(), ..place.at.clone() };
        add(At { expose: None, profile: profile.clone(), ..below.clone() });
        add(At::plain(&below.environment));
        add(below);
    }
    session.workspace.everywhere().into_iter().for_each(&mut add);
    let unknown = formers::is_cut_off(session) && nothing_is;
    let why = "this clone has no earlier commit, and nothing is remembered here".to_owned();
    (scopes, unknown.then_some((None, why)).into_iter().collect())
}

/// The environments of a revision that have such secrets there, those that this one extends first.
pub(super) fn at_revision(old: &Workspace, new: &Workspace, at: &At, unsettled: &Unsettled<'_>) -> Vec<At> {
    let mut scopes: Vec<At> = Vec::new();
    if unsettled.is_empty() {
        return scopes;
    }
    let mut all = Vec::new();
    for layer in new.chain(&at.environment).iter().rev() {
        let below = At { environment: layer.name().into(), expose: None, ..at.clone() };
        all.extend([below.clone(), At::plain(&below.environment)]);
    }
    // What is exposed alone has the secrets of its environment.
    all.extend(old.everywhere());
    let (sealed, names) = (unsettled.sealed(), unsettled.names());
    for other in all {
        if other == *at || scopes.contains(&other) || !old.environments.contains_key(&other.environment) {
            continue;
        }
        let customers = old.customers_in(&other.environment);
        let mut layers = old.stack(&other);
        layers.extend(customers.flat_map(|(name, _)| old.customer_layers(&other, name)));
        let has = layers.iter().any(|layer| {
            let bound =
                layer.settings.secrets.values().filter_map(|binding| Address::parse(binding.uri.as_deref()?).ok());
            let file = layer.secrets.iter().flat_map(|file| file.names.keys());
            bound.flat_map(|address| address.names()).any(|name| names.contains(&name))
                || file.into_iter().any(|name| sealed.contains(&**name))
        });
        if has {
            scopes.push(other);
        }
    }
    scopes
}
