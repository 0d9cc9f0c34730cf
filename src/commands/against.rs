//! What an environment compiles to at a Git revision: for plans that need neither a key nor a network.

use super::related;
use super::session::{Chosen, Failure, Session};
use crate::compile::desired::{desired, place};
use crate::compile::{Compiled, compile, compile_base};
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, has_errors};
use crate::model::record::Desired;
use crate::plan::elsewhere::Unsettled;
use crate::plan::trust::TrustChange;
use crate::plan::{Before, Places, Plan};
use crate::reporters::human;
use crate::ui::Ui;
use crate::workspace::Workspace;
use crate::workspace::layers::At;
use crate::world::Revision;
use crate::world::revision::Range;

/// How a side is compiled.
type Compile = fn(&Workspace, &Catalogue, &At) -> (Compiled, Vec<Diagnostic>);

/// A workspace as a commit has it.
pub(super) struct Past {
    /// As it was typed.
    pub(super) name: String,
    /// The commit.
    commit: String,
    /// `None` where the commit has no workspace there.
    read: Option<(Workspace, Catalogue, Vec<Diagnostic>)>,
}

/// Both sides of a comparison; the newer one is the work tree where there is none.
pub(super) struct Sides {
    /// The older side.
    pub(super) old: Past,
    /// The newer side.
    pub(super) new: Option<Past>,
}

impl Sides {
    /// Reads the revisions of `REV`, `A..B` or `A...B`.
    pub(super) fn open(session: &Session, typed: &str) -> Result<Self, Failure> {
        let Range { from, to, since_fork } = Range::parse(typed);
        let root = session.world.root();
        let failed =
            |why: String| Failure::new(why).help("CI systems clone a part: fetch the revision, or the whole history");
        let old = if since_fork {
            Revision::fork_of(root, &from, to.as_deref().unwrap_or("HEAD"))
        } else {
            Revision::open(root, &from)
        };
        let old = Past::read(&from, &old.map_err(failed)?);
        let new = match to {
            Some(name) => Some(Past::read(&name, &Revision::open(root, &name).map_err(failed)?)),
            None => None,
        };
        Ok(Self { old, new })
    }
}

impl Past {
    fn read(name: &str, revision: &Revision) -> Self {
        let read = Workspace::read(revision).ok().map(|(workspace, told)| {
            let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
            (workspace, catalogue, told)
        });
        Self { name: name.to_owned(), commit: revision.commit().to_owned(), read }
    }

    /// Every environment and profile that it has.
    pub(super) fn everywhere(&self) -> Vec<At> {
        self.read.as_ref().map_or_else(Vec::new, |(workspace, ..)| workspace.everywhere())
    }

    /// Whether an environment is protected there.
    pub(super) fn is_protected(&self, at: &At) -> bool {
        self.read.as_ref().is_some_and(|(workspace, ..)| workspace.is_protected(&at.environment))
    }

    /// Whether it has an environment (and profile).
    fn has(&self, at: &At) -> bool {
        self.read.as_ref().is_some_and(|(workspace, ..)| {
            let profile = |profile| workspace.profiles(&at.environment).contains(profile);
            workspace.has_environment(&at.environment) && at.profile.as_ref().is_none_or(profile)
        })
    }

    /// What an environment compiles to, by `compile`; `None` where it has none of this name.
    fn compile(&self, compile: Compile, at: &At, ui: &Ui) -> Result<Option<(Compiled, Desired)>, Failure> {
        self.compiled(compile, at).map_err(|told| {
            if let Some((workspace, ..)) = &self.read {
                ui.problems(&told, &workspace.sources, 1);
            }
            let tally = human::tally(&told);
            Failure::new(format!("`{at}` does not compile at {}: {tally}", self.name))
                .help("compare with a revision that compiles, or with what is deployed: without `--against`")
        })
    }

    /// That an environment does not compile, and so nobody knows what it has.
    fn broken(&self, at: &At, told: &[Diagnostic]) -> TrustChange {
        let why = format!("it does not compile at {}: {}", self.name, human::tally(told));
        TrustChange::Unknown { environment: Some(at.to_string()), why }
    }

    /// The same, with its problems where it has errors.
    fn compiled(&self, compile: Compile, at: &At) -> Result<Option<(Compiled, Desired)>, Vec<Diagnostic>> {
        let Some((workspace, catalogue, told)) = self.read.as_ref().filter(|_| self.has(at)) else { return Ok(None) };
        let (compiled, more) = compile(workspace, catalogue, at);
        let told = crate::diagnostic::merge(told.iter().cloned().chain(more).collect());
        if has_errors(&told) {
            return Err(told);
        }
        let desired = desired(workspace, catalogue, &compiled);
        Ok(Some((compiled, desired)))
    }
}

/// The plan from the older side to the newer one; `None` where the newer one has no such environment. One of several does not
/// keep the others from being compared: that it does not compile on the older side is told in its plan.
pub(super) fn plan(
    session: &Session,
    sides: &Sides,
    at: &At,
    is_one_of_several: bool,
    ui: &Ui,
) -> Result<Option<Plan>, Failure> {
    let (old, broken) = match sides.old.compiled(compile_base, at) {
        Err(told) if is_one_of_several => (None, Some(sides.old.broken(at, &told))),
        _ => (sides.old.compile(compile_base, at, ui)?, None),
    };
    let plan = compared(session, sides, at, old.as_ref(), ui)?;
    Ok(plan.map(|mut plan| {
        plan.trust.extend(broken);
        plan
    }))
}

fn compared(
    session: &Session,
    sides: &Sides,
    at: &At,
    old: Option<&(Compiled, Desired)>,
    ui: &Ui,
) -> Result<Option<Plan>, Failure> {
    let old_places = |id: &str, pointer: &str| {
        let ((compiled, _), (workspace, ..)) = (old?, sides.old.read.as_ref()?);
        place(compiled, &workspace.sources, id, pointer)
    };
    let before = Before::Revision {
        name: &sides.old.name,
        commit: &sides.old.commit,
        desired: old.map(|(_, desired)| desired),
        places: &old_places,
    };
    if let Some(new) = &sides.new {
        let Some((compiled, desired)) = new.compile(compile, at, ui)? else { return Ok(None) };
        let Some((workspace, ..)) = &new.read else { return Ok(None) };
        let places = |id: &str, pointer: &str| place(&compiled, &workspace.sources, id, pointer);
        let mut plan = Plan::new(&desired, before, &places);
        hold(&mut plan, &sides.old, workspace, at, (&desired, before), &places);
        return Ok(Some(plan));
    }
    if !session.workspace.everywhere().contains(&At { expose: None, ..at.clone() }) {
        return Ok(None);
    }
    let compiled = session.compile(at, ui)?;
    let desired = desired(&session.workspace, &session.catalogue, &compiled);
    let places = |id: &str, pointer: &str| place(&compiled, &session.workspace.sources, id, pointer);
    let mut plan = Plan::new(&desired, before, &places);
    hold(&mut plan, &sides.old, &session.workspace, at, (&desired, before), &places);
    Ok(Some(plan))
}

/// Holds the workspace's id, and the secrets that an environment has for the first time, against the revision.
fn hold(
    plan: &mut Plan,
    old: &Past,
    workspace: &Workspace,
    at: &At,
    (desired, before): (&Desired, Before<'_>),
    places: Places<'_>,
) {
    let Some((there, ..)) = &old.read else { return };
    plan.was_of(&there.root.settings.id.unwrap_or_default().to_string());
    let mut unsettled = Unsettled::new(desired, before);
    for other in related::at_revision(there, workspace, at, &unsettled) {
        if unsettled.is_empty() {
            break;
        }
        let compiled = match old.compiled(compile_base, &other) {
            Ok(Some((_, compiled))) => compiled,
            Ok(None) => continue,
            Err(told) => {
                plan.trust.push(old.broken(&other, &told));
                continue;
            }
        };
        let places_there = |_: &str, _: &str| None;
        let before =
            Before::Revision { name: &old.name, commit: &old.commit, desired: Some(&compiled), places: &places_there };
        plan.hold(&other.to_string(), &before, &mut unsettled, true, places);
    }
}

/// The environment that was asked for, on whichever side it is.
pub(super) fn chosen(session: &Session, sides: &Sides, chosen: &Chosen) -> Result<At, Failure> {
    let typed = chosen.at();
    let named = At { expose: None, ..typed.clone() };
    match &sides.new {
        Some(new) if new.has(&named) || sides.old.has(&named) => Ok(typed),
        _ => session.chosen(chosen),
    }
}
