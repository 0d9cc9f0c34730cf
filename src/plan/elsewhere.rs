//! Secrets that an environment has for the first time, held against the environments that have them already.
//!
//! A new environment, one with a profile, or one that extends another now, has nothing deployed that says where a secret
//! goes, or who can open it. What others have deployed does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::access::name;
use super::guards::is_protected_block;
use super::identity::{Identity, address, places, secrets};
use super::leaves::Leaf;
use super::sides::Sides;
use super::trust::TrustChange;
use super::{Before, Places, Plan, pairs, retarget};
use crate::model::record::{Desired, texts};
use crate::value::push_segment;

/// The secrets of an environment of which nothing deployed says yet where they go.
pub struct Unsettled<'d> {
    desired: &'d Desired,
    /// By instance, where each is, with what is sealed there; none is empty.
    open: BTreeMap<&'d str, BTreeMap<Identity, Option<Identity>>>,
}

impl<'d> Unsettled<'d> {
    /// All those that an environment does not have already.
    pub fn new<'a>(desired: &'d Desired, before: impl Into<Before<'a>>) -> Self {
        let all = desired.records.iter().map(|(id, record)| (&**id, places(record)));
        let mut unsettled = Self { desired, open: all.collect() };
        unsettled.settle(&before.into());
        unsettled
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The names that those in files have there.
    pub fn sealed(&self) -> BTreeSet<&str> {
        let sealed = self.open.values().flat_map(BTreeMap::keys).filter(|secret| address(secret).is_none());
        sealed.map(|(_, name)| &**name).collect()
    }

    /// The names under which their addresses in stores may be filed: [`crate::workspace::stores::Address::names`].
    pub fn names(&self) -> BTreeSet<String> {
        let addresses = self.open.values().flat_map(BTreeMap::keys).filter_map(address);
        addresses.flat_map(|address| address.other_names()).collect()
    }

    fn settle(&mut self, before: &Before<'_>) {
        let known: BTreeSet<Identity> = before.records().values().flat_map(|record| secrets(record)).collect();
        for open in self.open.values_mut() {
            open.retain(|secret, sealed| {
                !known.contains(secret) && !sealed.as_ref().is_some_and(|sealed| known.contains(sealed))
            });
        }
        self.open.retain(|_, open| !open.is_empty());
    }

    /// For each instance with secrets that another environment has too: who can open them there.
    fn readers<'b>(&self, before: &Before<'b>) -> BTreeMap<&'d str, BTreeSet<&'b str>> {
        let mut same: BTreeMap<Identity, BTreeSet<&str>> = BTreeMap::new();
        let mut spelled: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for record in before.records().into_values() {
            let keys = || texts(record, "recipients").map(str::trim);
            for secret in secrets(record) {
                let names = address(&secret).map(|address| address.names()).unwrap_or_default();
                names.into_iter().for_each(|name| spelled.entry(name).or_default().extend(keys()));
                same.entry(secret).or_default().extend(keys());
            }
        }
        let mut readers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (instance, open) in &self.open {
            for (secret, sealed) in open {
                let others = address(secret).map(|address| address.other_names()).unwrap_or_default();
                let others = others.iter().filter_map(|name| spelled.get(name));
                for keys in std::iter::once(secret).chain(sealed).filter_map(|one| same.get(one)).chain(others) {
                    readers.entry(instance).or_default().extend(keys);
                }
            }
        }
        readers
    }
}

impl Plan {
    /// Adds what holding them against another environment says. Where its word is good, what it has `is_settled` then.
    pub fn hold(
        &mut self,
        environment: &str,
        before: &Before<'_>,
        unsettled: &mut Unsettled<'_>,
        is_settled: bool,
        lines: Places<'_>,
    ) {
        let desired = unsettled.desired;
        let pairs = pairs(desired, before);
        let sides = Sides::new(&pairs, before.trust(), &desired.trust, true);
        let is_open = |instance: &str| unsettled.open.contains_key(instance);
        // What those secrets go through is asked too, whatever secrets it has itself.
        let through = sides.through(&|instance, _| is_open(instance));
        let destination = |change: &TrustChange| match change {
            TrustChange::Destination { instance, environment: Some(_), leaf, .. } => {
                Some((instance.clone(), leaf.path.clone()))
            }
            _ => None,
        };
        let mut told: BTreeSet<(String, String)> = self.trust.iter().filter_map(destination).collect();
        for retarget in retarget::retargeted(&sides, lines) {
            let retarget::Retarget { instance, of, leaf } = retarget;
            let reference = desired.records.get(&instance).map(|record| record.text("reference"));
            let asked = is_open(&instance) || reference.is_some_and(|reference| through.contains(reference));
            if asked && told.insert((instance.clone(), leaf.path.clone())) {
                let environment = Some(environment.to_owned());
                self.trust.push(TrustChange::Destination { instance, of, environment, leaf });
            }
        }
        for leaf in apart(desired, before.trust(), &unsettled.readers(before)) {
            let told =
                |change: &TrustChange| matches!(change, TrustChange::Apart { leaf: known, .. } if *known == leaf);
            if !self.trust.iter().any(told) {
                self.trust.push(TrustChange::Apart { environment: environment.to_owned(), leaf });
            }
        }
        if is_settled {
            unsettled.settle(before);
        }
    }
}

/// What guards the same secrets less than in another environment: who can open them here and not there, by key, and whether
/// the environment is protected.
fn apart(desired: &Desired, there: &Value, readers: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    if !readers.is_empty() && is_protected_block(there) && !is_protected_block(&desired.trust) {
        leaves.push(Leaf::change("/protected", true.into(), false.into()));
    }
    let here = readers.iter().filter_map(|(instance, there)| Some((desired.records.get(*instance)?, there)));
    let newcomers: BTreeSet<&str> = here
        .flat_map(|(record, there)| texts(record, "recipients").map(str::trim).filter(|key| !there.contains(key)))
        .collect();
    for key in newcomers {
        let who = name(&desired.trust, key).unwrap_or(key);
        let mut path = "/recipients".to_owned();
        push_segment(&mut path, who);
        let was = ["recipients", "runtimes"].into_iter().find_map(|list| there.get(list)?.get(who)).cloned();
        leaves.push(Leaf::change(&path, was.unwrap_or_default(), key.into()));
    }
    leaves
}
