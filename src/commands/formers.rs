//! The targets that an environment was sent to before, with what is deployed there.
//!
//! Memory knows the one that this machine saw last; Git knows that of `HEAD`, where the work tree differs, that of its first
//! parent, which is what a merge brought its changes to, and those of the first parents before. Only settings are read:
//! nothing is compiled, no key is looked for.

use serde_json::Value;

use super::Failure;
use super::deploy::Place;
use super::destination::Destination;
use crate::bundle::{Deployed, Digest, Scope};
use crate::compile::desired::protection;
use crate::plan::relocation::{self, Former};
use crate::serials::{Own, Seen};
use crate::targets::deployed;
use crate::workspace::Workspace;
use crate::workspace::deployment::Target;
use crate::workspace::layers::At;
use crate::world::{Found, ReadError, Revision, World};

/// Where an environment was, and what is known of it without a look at the target.
struct Candidate {
    scope: Scope,
    protection: Value,
    known: Option<(u64, usize)>,
    history: Option<(String, Option<Digest>)>,
}

impl Candidate {
    /// Whether it is the same environment at the same target.
    fn is_same(&self, other: &Self) -> bool {
        self.scope == other.scope && self.protection["target"] == other.protection["target"]
    }
}

/// Commits that are looked at.
const MAX_COMMITS: usize = 20_000;
/// Object stores of those commits that are asked.
const MAX_STORES: usize = 16;

/// The other targets that an environment had, by memory, `HEAD` and its first parent. `own` is the one that the workspace
/// names now.
///
/// # Errors
/// What stands at one of them is not what was seen there.
pub(super) fn find(place: &Place, own: &Value, seen: &Seen) -> Result<Vec<Former>, Failure> {
    let candidates = candidates(place, own, seen.own());
    candidates.into_iter().filter_map(|candidate| former(place, candidate, seen).transpose()).collect()
}

/// All targets that commits before named and at which something is deployed, and whether the history is longer than is looked
/// at. A branch of two commits would hide the target from who looks at one, and one of three would put a made-up target
/// between; so would a merge whose first parent is another history.
///
/// # Errors
/// As [`find`].
pub(super) fn earlier(place: &Place, own: &Value, seen: &Seen) -> Result<(Vec<Former>, bool), Failure> {
    let mut known = candidates(place, own, None);
    let recent = known.len();
    let (states, mut is_cut) = Revision::states(place.session.world.root(), &settings_files, MAX_COMMITS);
    for candidate in states.iter().filter_map(|state| settings_of(place, state)) {
        if candidate.protection["target"] != *own && !known.iter().any(|other| other.is_same(&candidate)) {
            known.push(candidate);
        }
    }
    let mut formers = Vec::new();
    let mut asked = 0;
    for candidate in known.drain(recent..) {
        // A folder is looked at soon; a store is asked.
        asked += usize::from(candidate.protection["target"]["kind"] != "directory");
        if asked > MAX_STORES {
            is_cut = true;
            break;
        }
        // Where nothing can be read, an operator has given the target up or does not allow it any more.
        formers.extend(former(place, candidate, seen)?.filter(|former| former.deployed.is_some()));
    }
    Ok((formers, is_cut))
}

/// Who knows what an environment had, where history goes on for longer than anybody looks.
pub(super) fn unknown() -> Former {
    Former {
        target: "a target of long ago".to_owned(),
        deployed: None,
        unread: Some(format!("the history has more than {MAX_COMMITS} commits or {MAX_STORES} targets")),
        known: None,
        history: None,
        protection: Value::Null,
    }
}

fn settings_files(revision: &Revision) -> Vec<String> {
    let environments = revision.folders("environments").into_iter();
    let files = environments.map(|name| format!("environments/{name}/environment.yaml"));
    std::iter::once("tieline.yaml".to_owned()).chain(files).collect()
}

fn candidates(place: &Place, own: &Value, seen: Option<&Own>) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    if let Some(seen) = seen {
        let trust = serde_json::json!({"target": seen.target, "protected": seen.protected, "guards": seen.guards});
        let known = Some((seen.seen.serial, seen.connections));
        let history = Some((seen.seen.lineage.clone(), Some(seen.seen.manifest.clone())));
        candidates.push(Candidate { scope: place.scope.clone(), protection: trust, known, history });
    }
    for candidate in ["HEAD", "HEAD^1"].into_iter().filter_map(|revision| settings(place, revision)) {
        if !candidates.iter().any(|other| other.is_same(&candidate)) {
            candidates.push(candidate);
        }
    }
    candidates.retain(|candidate| candidate.protection["target"] != *own);
    candidates
}

/// Whether the clone knows what was before its last commit; one of depth 1, as CI systems make them, doesn't.
pub(super) fn is_history_there(place: &Place) -> bool {
    Revision::open(place.session.world.root(), "HEAD^1").is_ok()
}

/// Looks at the target. `None` where the memory or the commit names none that can be.
///
/// # Errors
/// What stands there is not what was seen there: whoever writes it put something in its place.
fn former(place: &Place, candidate: Candidate, seen: &Seen) -> Result<Option<Former>, Failure> {
    let Candidate { scope, protection, known, history } = candidate;
    let Some(target) = Target::from_json(&protection["target"]) else { return Ok(None) };
    let destination = Destination::own(target);
    let opened = destination.open(&place.session, &scope, None).map_err(|failure| failure.message);
    let named = opened.as_ref().map_or_else(|_| destination.named().to_owned(), |target| target.describe());
    let found = match &opened {
        Ok(target) => deployed(&**target, &scope).map_err(|error| error.to_string()),
        Err(why) => Err(why.clone()),
    };
    if let (Ok(target), Ok(Some(found))) = (&opened, &found) {
        let address = destination.address(&place.session);
        place.as_it_was_seen_at(&**target, &address, found, seen)?;
    }
    let (found, unread) = match found {
        Ok(Some(found)) => (Some(found), None),
        // What memory saw there is gone.
        Ok(None) => (None, known.map(|_| "nothing is deployed there any more".to_owned())),
        Err(why) => (None, Some(why)),
    };
    let of = |found: &Deployed| (found.manifest.serial, found.manifest.connections.len());
    let lived = |found: &Deployed| (found.manifest.lineage.clone(), Some(found.digest.clone()));
    Ok(Some(Former {
        target: named,
        known: found.as_ref().map(of).or(known),
        history: found.as_ref().map(lived).or(history),
        protection: found.as_ref().map_or(protection, |found| relocation::protection(&found.manifest.trust)),
        deployed: found,
        unread,
    }))
}

/// The settings of the environment in a commit; `None` where there is no such commit in the clone, or no such environment in
/// it.
fn settings(place: &Place, revision: &str) -> Option<Candidate> {
    settings_of(place, &Revision::open(place.session.world.root(), revision).ok()?)
}

fn settings_of(place: &Place, revision: &Revision) -> Option<Candidate> {
    let (workspace, _) = Workspace::read(&SettingsOnly(revision)).ok()?;
    let At { environment, .. } = &place.at;
    workspace.environments.get(environment)?;
    let id = workspace.root.settings.id.unwrap_or_default().to_string();
    let scope = Scope { workspace: id, ..place.scope.clone() };
    Some(Candidate { scope, protection: protection(&workspace, &place.at), known: None, history: None })
}

/// A revision of which only the settings of the workspace and its environments are read.
struct SettingsOnly<'r>(&'r Revision);

impl World for SettingsOnly<'_> {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let mut found = match folder {
            "tieline.yaml" | "environments" => self.0.list(folder)?,
            _ => Vec::new(),
        };
        found.retain(|file| is_settings(&file.path));
        Ok(found)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        self.0.read(path, limit)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }
}

/// Whether a path is `tieline.yaml` or `environments/ENV/environment.yaml`.
fn is_settings(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    matches!(segments[..], ["tieline.yaml"] | ["environments", _, "environment.yaml"])
}
