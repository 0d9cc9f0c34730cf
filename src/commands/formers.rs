//! The targets that an environment was sent to before, with what is deployed there.
//!
//! Memory knows the one that this machine saw last; Git knows that of `HEAD`, where the work tree differs, that of its first
//! parent, which is what a merge brought its changes to, and those of the first parents before. Only settings are read:
//! nothing is compiled, no key is looked for.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::deploy::Place;
use super::destination::Destination;
use super::{Failure, Session};
use crate::bundle::{Deployed, Digest, Scope};
use crate::compile::desired::protection;
use crate::plan::relocation::{self, Former};
use crate::serials::{Own, Seen};
use crate::targets::deployed;
use crate::workspace::Workspace;
use crate::workspace::deployment::Target;
use crate::workspace::layers::At;
use crate::world::{Found, Kind, ReadError, Revision, World, git};

/// Where an environment was, and what is known of it without a look at the target.
struct Candidate {
    scope: Scope,
    protection: Value,
    known: Option<(u64, usize)>,
    history: Option<(String, Option<Digest>)>,
    /// Where it was, by memory.
    address: Option<String>,
}

impl Candidate {
    /// Whether it is the same environment at the same target.
    fn is_same(&self, other: &Self) -> bool {
        self.scope == other.scope && self.protection["target"] == other.protection["target"]
    }
}

/// Commits that are looked at, of those that changed something in the workspace.
const MAX_COMMITS: usize = 20_000;
/// Bytes of settings that are read.
const MAX_BYTES: usize = 32 << 20;
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

/// What the history tells of other targets.
#[derive(Default)]
pub(super) struct Earlier {
    /// Those at which something is deployed.
    pub(super) formers: Vec<Former>,
    /// Whether there is more history than is looked at.
    pub(super) is_cut: bool,
    /// Whether the clone lacks the older part of it.
    pub(super) is_shallow: bool,
}

/// All targets that commits before named and at which something is deployed. A branch of two commits would hide the target from who looks at one, and one of three would put a made-up target
/// between; so would a merge whose first parent is another history.
///
/// # Errors
/// As [`find`].
pub(super) fn earlier(place: &Place, own: &Value, seen: &Seen) -> Result<Earlier, Failure> {
    let mut known = candidates(place, own, None);
    let recent = known.len();
    let History { states, is_cut, is_shallow } = place.session.history.get_or_init(|| History::read(&place.session));
    let mut is_cut = *is_cut;
    for candidate in states.iter().filter_map(|workspace| candidate(place, workspace)) {
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
    Ok(Earlier { formers, is_cut, is_shallow: *is_shallow })
}

/// Who knows what an environment had, where history goes on for longer than anybody looks.
pub(super) fn unknown() -> Former {
    Former {
        workspace: String::new(),
        target: "a target of long ago".to_owned(),
        deployed: None,
        unread: Some("this clone does not tell, or its history is longer than is looked at".to_owned()),
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
        let (scope, address) = (place.scope.clone(), Some(seen.address.clone()));
        candidates.push(Candidate { scope, protection: trust, known, history, address });
    }
    for candidate in ["HEAD", "HEAD^1"].into_iter().filter_map(|revision| settings(place, revision)) {
        if !candidates.iter().any(|other| other.is_same(&candidate)) {
            candidates.push(candidate);
        }
    }
    candidates.retain(|candidate| candidate.protection["target"] != *own);
    candidates
}

/// Looks at the target. `None` where the memory or the commit names none that can be.
///
/// # Errors
/// What stands there is not what was seen there: whoever writes it put something in its place.
fn former(place: &Place, candidate: Candidate, seen: &Seen) -> Result<Option<Former>, Failure> {
    let Candidate { scope, protection, known, history, address } = candidate;
    let Some(target) = Target::from_json(&protection["target"]) else { return Ok(None) };
    // What was seen in a folder is there, also where this is another checkout.
    let destination = match address.filter(|_| matches!(target, Target::Directory(_))) {
        Some(address) => Destination::Typed(address),
        None => Destination::own(target),
    };
    if known.is_none() && destination.allowed(&place.session).is_err() {
        // The operator has given it up: of what nobody remembers, that is all there is to say.
        return Ok(None);
    }
    let opened = destination.open(&place.session, &scope, None).map_err(|failure| failure.message);
    let named = opened.as_ref().map_or_else(|_| destination.named().to_owned(), |target| target.describe());
    let found = match &opened {
        Ok(target) => deployed(&**target, &scope).map_err(|error| error.to_string()),
        Err(why) => Err(why.clone()),
    };
    if let (Ok(target), Ok(Some(found))) = (&opened, &found) {
        let address = destination.address(&place.session);
        place.as_it_was_seen_at(&**target, (&address, destination.named()), found, seen)?;
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
        workspace: scope.workspace,
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

/// Every environment, with each of its profiles, that `HEAD` or its first parent has; and that any commit before had, where
/// it is asked for `all`.
pub(super) fn environments(session: &Session, all: bool) -> Vec<At> {
    let mut found: Vec<At> = Vec::new();
    for revision in ["HEAD", "HEAD^1"] {
        let Ok(revision) = Revision::open(session.world.root(), revision) else { continue };
        let left = AtomicUsize::new(MAX_BYTES);
        let Ok((workspace, _)) = Workspace::read(&SettingsOnly { revision: &revision, left: &left }) else { continue };
        let customers = revision.folders("customers").into_iter();
        let customers: BTreeSet<String> =
            customers.flat_map(|name| revision.folders(&format!("customers/{name}/profiles"))).collect();
        for environment in workspace.environments.keys() {
            let chain = workspace.chain(environment).into_iter();
            let mut profiles = customers.clone();
            profiles.extend(chain.flat_map(|layer| revision.folders(&format!("{}/profiles", layer.path))));
            found.push(At::plain(environment));
            found.extend(
                profiles.iter().map(|profile| At { profile: Some((&**profile).into()), ..At::plain(environment) }),
            );
        }
    }
    if all {
        let history = session.history.get_or_init(|| History::read(session));
        found.extend(history.states.iter().flat_map(|workspace| workspace.environments.keys()).map(At::plain));
    }
    found
}

/// The workspace's ids in `HEAD` and its first parent.
pub(super) fn ids(session: &Session) -> BTreeSet<String> {
    let revisions = ["HEAD", "HEAD^1"].into_iter().filter_map(|name| Revision::open(session.world.root(), name).ok());
    let id = |revision: Revision| {
        let (workspace, _) = Workspace::read(&RootOnly(&revision)).ok()?;
        workspace.root.settings.id.map(|id| id.to_string())
    };
    revisions.filter_map(id).collect()
}

/// Whether the clone lacks even the commit before its last one.
pub(super) fn is_cut_off(session: &Session) -> bool {
    git::is_shallow(session.world.root()) && Revision::open(session.world.root(), "HEAD^1").is_err()
}

/// The settings in commits from `HEAD` back.
pub(super) struct History {
    /// Each state of them once.
    states: Vec<Workspace>,
    /// Whether there was more than is looked at.
    is_cut: bool,
    /// Whether the clone lacks the older part of it, as those of CI systems mostly do.
    is_shallow: bool,
}

impl History {
    fn read(session: &Session) -> Self {
        let (revisions, mut is_cut) = Revision::states(session.world.root(), &settings_files, MAX_COMMITS);
        let left = AtomicUsize::new(MAX_BYTES);
        let mut states = Vec::new();
        for revision in &revisions {
            states
                .extend(Workspace::read(&SettingsOnly { revision, left: &left }).ok().map(|(workspace, _)| workspace));
            if left.load(Ordering::Relaxed) == 0 {
                is_cut = true;
                break;
            }
        }
        Self { states, is_cut, is_shallow: git::is_shallow(session.world.root()) }
    }
}

fn settings_of(place: &Place, revision: &Revision) -> Option<Candidate> {
    let left = AtomicUsize::new(MAX_BYTES);
    candidate(place, &Workspace::read(&SettingsOnly { revision, left: &left }).ok()?.0)
}

fn candidate(place: &Place, workspace: &Workspace) -> Option<Candidate> {
    let At { environment, .. } = &place.at;
    workspace.environments.get(environment)?;
    let id = workspace.root.settings.id.unwrap_or_default().to_string();
    let scope = Scope { workspace: id, ..place.scope.clone() };
    Some(Candidate { scope, protection: protection(workspace, &place.at), known: None, history: None, address: None })
}

/// A revision of which only the settings of the workspace and its environments are read.
struct SettingsOnly<'r> {
    revision: &'r Revision,
    /// Bytes that may still be read.
    left: &'r AtomicUsize,
}

impl World for SettingsOnly<'_> {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let files = settings_files(self.revision).into_iter();
        let below =
            files.filter(|path| path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
        let there = below.filter(|path| self.revision.has(path));
        Ok(there.map(|path| Found { path, utf8: true, kind: Kind::File }).collect())
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        let left = self.left.load(Ordering::Relaxed);
        let read = self.revision.read(path, limit.min(left));
        let used = match &read {
            Ok(bytes) => bytes.len(),
            Err(ReadError::TooLarge) if left < limit => left,
            Err(_) => 0,
        };
        self.left.fetch_sub(used, Ordering::Relaxed);
        read
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.revision.variable(name)
    }

    fn now(&self) -> jiff::Timestamp {
        self.revision.now()
    }
}

/// A revision of which the settings of the workspace alone are read.
struct RootOnly<'r>(&'r Revision);

impl World for RootOnly<'_> {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        if folder == "tieline.yaml" { self.0.list(folder) } else { Ok(Vec::new()) }
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
