//! Secrets that an environment has for the first time, held against the environments that have them already.
//!
//! A new environment, one with a profile, or one that extends another now, has nothing deployed that says where a secret
//! goes. What others have deployed does.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::{Identity, address, places, secrets};
use super::trust::TrustChange;
use super::{Before, Places, Plan, pairs, retarget};
use crate::model::record::Desired;

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

    /// The secrets files that they stand in.
    pub fn files(&self) -> BTreeSet<&str> {
        let sealed = self.open.values().flat_map(BTreeMap::keys).filter(|secret| address(secret).is_none());
        sealed.map(|(file, _)| &**file).collect()
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
}

impl Plan {
    /// Adds what holding them against another environment says; what that one has is settled then.
    pub fn hold(&mut self, environment: &str, before: &Before<'_>, unsettled: &mut Unsettled<'_>, lines: Places<'_>) {
        let desired = unsettled.desired;
        let pairs = pairs(desired, before);
        for retarget in retarget::retargeted(&pairs, before.trust(), &desired.trust, lines) {
            let retarget::Retarget { instance, of, leaf } = retarget;
            // What has no secret of its own, those of others may go through.
            let asked = unsettled.open.contains_key(&*instance)
                || desired.records.get(&instance).is_some_and(|record| secrets(record).is_empty());
            let told = |change: &TrustChange| {
                matches!(change, TrustChange::Destination { instance: other, leaf: known, .. }
                    if *other == instance && known.path == leaf.path)
            };
            if asked && !self.trust.iter().any(told) {
                let environment = Some(environment.to_owned());
                self.trust.push(TrustChange::Destination { instance, of, environment, leaf });
            }
        }
        unsettled.settle(before);
    }
}
