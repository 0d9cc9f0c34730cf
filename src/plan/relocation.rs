//! An environment that the workspace sends to another target than before: what was deployed where it was, held against what
//! is to be deployed.
//!
//! A new target that holds nothing makes everything new: a plan against it shows neither the connections that are gone, nor
//! what was protected, nor a secret that is sent elsewhere. One that holds something may hold what a stranger made up, with
//! the lineage and serial that everybody can read. What was deployed before answers all of that.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::guards::{self, Refusal, lifted};
use super::leaves::{Leaf, diff};
use super::trust::{self, TrustChange};
use super::{Before, Places, Plan, pairs};
use crate::bundle::{Deployed, Digest};
use crate::model::record::Desired;

/// What an environment had at another target.
pub struct Former {
    /// The workspace's id there; empty where nobody knows.
    pub workspace: String,
    /// The target, for people.
    pub target: String,
    /// What is deployed there, where it can be read.
    pub deployed: Option<Deployed>,
    /// Why it can't be.
    pub unread: Option<String>,
    /// The serial and the number of connections, by memory where it can't be read.
    pub known: Option<(u64, usize)>,
    /// The lineage and the digest of the manifest, by memory where it can't be read.
    pub history: Option<(String, Option<Digest>)>,
    /// `target`, `protected` and `guards`, as they are deployed, remembered or committed.
    pub protection: Value,
}

/// An environment that a comparison has on its older side alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its name, with its profile.
    pub name: String,
    /// Whether it was protected.
    pub is_protected: bool,
}

/// A target that changes, as a plan shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where the environment was.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// The serial that is deployed where it was, if that is known.
    pub serial: Option<u64>,
    /// How many connections that has.
    pub connections: Option<usize>,
    /// The connections that are deployed there and not in the plan.
    pub gone: Vec<String>,
    /// Why what is deployed there can't be read.
    pub unread: Option<String>,
}

impl Former {
    /// The target with what is there: `dist (serial 4, 12 connections)`.
    pub fn describe(&self) -> String {
        described(&self.target, self.known, self.unread.as_deref())
    }

    /// Whether something is deployed there, or nobody knows.
    pub fn is_deployed(&self) -> bool {
        self.known.is_some() || self.unread.is_some()
    }

    /// Whether it is known to have had this lineage.
    pub fn is_of(&self, lineage: &str) -> bool {
        self.history.as_ref().is_some_and(|(own, _)| own == lineage)
    }

    /// Whether the workspace had another id there.
    pub fn is_of_another(&self, workspace: &str) -> bool {
        !self.workspace.is_empty() && self.workspace != workspace
    }

    /// Whether its environment was protected there.
    pub fn is_protected(&self) -> bool {
        guards::is_protected_block(&self.protection)
    }

    /// What guards forbid of leaving it for another target. `allow_delete` is the number of connections that the operator
    /// has seen are gone.
    pub fn refusals(&self, desired: &Desired, allow_delete: Option<usize>) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let refusal =
            |instance: Option<&str>, reason: String| Refusal { instance: instance.map(str::to_owned), reason };
        let mut refuse = |instance: Option<&str>, reason: String| refusals.push(refusal(instance, reason));
        for what in lifted(&self.protection, &desired.trust) {
            refuse(None, format!("it lifts `{what}` and moves the target; lift `{what}` in an apply of its own first"));
        }
        let Some(deployed) = &self.deployed else { return refusals };
        let before = Before::Deployed(deployed);
        let pairs = pairs(desired, &before);
        for id in guards::unprotected(&pairs) {
            refuse(
                Some(id),
                "it is protected, and the target moves; lift `protect` in an apply of its own first".to_owned(),
            );
        }
        refusals.extend(guards::refused(desired, &pairs));
        let gone = guards::deletions(&pairs);
        if gone > 0 && self.is_of_another(&desired.workspace.to_string()) {
            refusals.push(refusal(
                None,
                format!(
                    "the workspace has another `id` than at {}, and {gone} of what was deployed there are gone; delete them in \
                     an apply of its own first",
                    self.target
                ),
            ));
        }
        match allow_delete {
            Some(allowed) if allowed == gone => {}
            Some(allowed) if gone > 0 => refusals.push(Refusal {
                instance: None,
                reason: format!(
                    "{gone} of what was deployed at {} are gone, and `--allow-delete {allowed}` was given: look at the plan \
                     again",
                    self.target
                ),
            }),
            _ => refusals.extend(guards::too_many(&pairs, before.trust(), &desired.trust)),
        }
        refusals
    }
}

impl Relocation {
    /// The target with what is there: `dist (serial 4, 12 connections)`.
    pub fn describe(&self) -> String {
        described(&self.from, self.serial.zip(self.connections), self.unread.as_deref())
    }
}

fn described(target: &str, known: Option<(u64, usize)>, unread: Option<&str>) -> String {
    let known = known
        .map(|(serial, count)| format!("serial {serial}, {count} connection{}", if count == 1 { "" } else { "s" }));
    let told: Vec<String> = known.into_iter().chain(unread.map(|why| format!("can't be read: {why}"))).collect();
    if told.is_empty() { target.to_owned() } else { format!("{target} ({})", told.join("; ")) }
}

impl Plan {
    /// Adds that what it starts from is of the workspace `id`, where that is another one: memory, secrets and what is deployed
    /// are found by it.
    pub fn was_of(&mut self, id: &str) {
        if id == self.scope.workspace {
            return;
        }
        let change = TrustChange::Block(Leaf::change("/id", id.into(), self.scope.workspace.as_str().into()));
        if !self.trust.contains(&change) {
            self.trust.push(change);
        }
    }

    /// Adds what leaving another target for `to` means.
    pub fn leave(&mut self, former: &Former, to: &str, desired: &Desired, places: Places<'_>) {
        let mut gone = Vec::new();
        let told = match &former.deployed {
            Some(deployed) => {
                let before = Before::Deployed(deployed);
                let pairs = pairs(desired, &before);
                let ids = pairs.iter().filter(|pair| pair.new.is_none()).filter_map(|pair| pair.old);
                gone.extend(ids.map(|(id, _)| id.to_owned()));
                trust::changes(&pairs, before.trust(), desired, places)
            }
            None if former.protection.is_null() => Vec::new(),
            None => {
                diff(&former.protection, &protection(&desired.trust), &[]).into_iter().map(TrustChange::Block).collect()
            }
        };
        if !former.workspace.is_empty() {
            self.was_of(&former.workspace);
        }
        let mut known: HashSet<TrustChange> = self.trust.iter().cloned().collect();
        self.trust.extend(told.into_iter().filter(|change| known.insert(change.clone())));
        let mut known: HashSet<Refusal> = self.refused.iter().cloned().collect();
        self.refused.extend(former.refusals(desired, None).into_iter().filter(|one| known.insert(one.clone())));
        let (serial, connections) = former.known.unzip();
        self.moved.push(Relocation {
            from: former.target.clone(),
            to: to.to_owned(),
            serial,
            connections,
            gone,
            unread: former.unread.clone(),
        });
    }
}

/// What of a trust block keeps an environment from being lost or sent elsewhere.
pub fn protection(trust: &Value) -> Value {
    let part = |name: &str| trust.get(name).cloned().unwrap_or_default();
    json!({"target": part("target"), "protected": part("protected"), "guards": part("guards")})
}
