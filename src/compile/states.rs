//! The connections of an environment, as others see them: by id, by stable key and by reference.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use super::connection::State;
use super::desired::reference;

/// What became of each connection of an environment, by id.
#[derive(Default)]
pub struct States {
    by_id: BTreeMap<Arc<str>, State>,
    /// Stable key -> id; made when the first asks.
    by_key: OnceLock<HashMap<Arc<str>, Arc<str>>>,
    /// Reference -> id; the same.
    by_reference: OnceLock<HashMap<String, Arc<str>>>,
}

impl States {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id and state of a connection, found by its id or stable key. If several share a key (an error that is reported
    /// elsewhere), the first by id.
    pub fn find(&self, name: &str) -> Option<(&Arc<str>, &State)> {
        let by_id = self.by_id.get_key_value(name).filter(|(_, state)| **state != State::Absent);
        by_id.or_else(|| {
            let keys = self.by_key.get_or_init(|| {
                let keys = self.by_id.iter().rev().filter_map(|(id, state)| match state {
                    State::Known { key, .. } => Some((Arc::clone(key), Arc::clone(id))),
                    _ => None,
                });
                keys.collect()
            });
            self.by_id.get_key_value(keys.get(name)?)
        })
    }

    /// The id behind a reference as bundles write it: a UUID, in any case.
    pub fn by_reference(&self, workspace: Uuid, name: &str) -> Option<&Arc<str>> {
        let all = self.by_reference.get_or_init(|| {
            let known = self.by_id.iter().rev().filter_map(|(id, state)| match state {
                State::Known { key, .. } => Some((reference(workspace, key), Arc::clone(id))),
                _ => None,
            });
            known.collect()
        });
        all.get(&name.to_lowercase())
    }
}

impl Deref for States {
    type Target = BTreeMap<Arc<str>, State>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl FromIterator<(Arc<str>, State)> for States {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, State)>>(states: I) -> Self {
        Self { by_id: states.into_iter().collect(), ..Self::default() }
    }
}

impl<'s> IntoIterator for &'s States {
    type Item = (&'s Arc<str>, &'s State);
    type IntoIter = std::collections::btree_map::Iter<'s, Arc<str>, State>;

    fn into_iter(self) -> Self::IntoIter {
        self.by_id.iter()
    }
}
