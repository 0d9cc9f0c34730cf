//! The catalogue: built-in schemas and those of the workspace.
//!
//! Takes a connector's id, gives a [`Connector`]: its schema ready to validate an instance `{config, auth}`, and which of
//! its fields are secret. A schema is read and compiled when first asked for, once; a run that uses one connector pays
//! for one. No schema can name another document: nothing is ever fetched or read.

mod builtin;
mod text;
mod words;
mod keywords;
mod check;
mod patterns;
pub mod json;
pub mod sensitive;
mod marks;
mod form;
mod branching;
mod harmless;
mod unmarked;
mod shared;
mod compiled;
mod schema;
pub mod field;
pub mod reference;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::budget::{self, Over, Paid};
use crate::parallel;
use crate::source::Sources;
use crate::span::{FileId, Span};
pub use schema::{Connector, Fault};

impl Slot {
    /// What is loaded, with what it cost.
    fn get(&self, id: &str) -> &(Result<Connector, Vec<Fault>>, Paid) {
        self.loaded.get_or_init(|| {
            budget::aside(|| match &self.origin {
                Origin::Builtin(text) => Connector::load(id, text, true),
                Origin::Workspace(_, text) => Connector::load(id, text, false),
            })
        })
    }
}

/// All connectors of a workspace.
pub struct Catalogue {
    slots: BTreeMap<Box<str>, Slot>,
}

struct Slot {
    origin: Origin,
    loaded: OnceLock<(Result<Connector, Vec<Fault>>, Paid)>,
}

enum Origin {
    Builtin(&'static str),
    Workspace(FileId, Box<str>),
}

impl Catalogue {
    /// The built-in connectors and those in the workspace's `connectors/`. A built-in id can't be taken; the ids that
    /// tried come back.
    pub fn new(workspace: &BTreeMap<Box<str>, FileId>, sources: &Sources) -> (Self, Vec<(Box<str>, FileId)>) {
        let slot = |origin| Slot { origin, loaded: OnceLock::new() };
        let builtin = builtin::BUILTIN.iter().map(|(id, text)| ((*id).into(), slot(Origin::Builtin(text))));
        let mut slots: BTreeMap<Box<str>, Slot> = builtin.collect();
        let mut taken = Vec::new();
        for (id, file) in workspace {
            if slots.contains_key(id) {
                taken.push((id.clone(), *file));
            } else {
                let text = sources.get(*file).text().into();
                slots.insert(id.clone(), slot(Origin::Workspace(*file, text)));
            }
        }
        (Self { slots }, taken)
    }

    /// The built-in connectors alone.
    pub fn builtin() -> Self {
        Self::new(&BTreeMap::new(), &Sources::default()).0
    }

    /// Every id, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(|id| &**id)
    }

    /// The connector that people also call `name`. Loads every schema: for messages.
    pub fn by_alias(&self, name: &str) -> Option<&str> {
        let called = |id: &&str| {
            let connector = self.get(id).and_then(Result::ok);
            let aliases = connector.and_then(|c| c.schema().get("x-alias")?.as_array());
            aliases.into_iter().flatten().filter_map(Value::as_str).any(|alias| alias.eq_ignore_ascii_case(name))
        };
        self.ids().find(called)
    }

    /// Whether the id is taken, without loading anything.
    pub fn contains(&self, id: &str) -> bool {
        self.slots.contains_key(id)
    }

    /// The file of a workspace's connector.
    pub fn file(&self, id: &str) -> Option<Span> {
        match self.slots.get(id)?.origin {
            Origin::Builtin(_) => None,
            Origin::Workspace(file, _) => Some(Span::file(file)),
        }
    }

    /// The connector of this id; the faults of its schema where it has some.
    pub fn get(&self, id: &str) -> Option<Result<&Connector, &[Fault]>> {
        let slot = self.slots.get(id)?;
        let (loaded, _) = slot.get(id);
        Some(loaded.as_ref().map_err(Vec::as_slice))
    }

    /// Loads the workspace's own schemas, in the order of their ids, so that it is no connection that pays for them.
    ///
    /// # Errors
    /// At which of them the budget was used up.
    pub fn load(&self) -> Result<(), (Over, Span)> {
        let own = self.slots.iter().filter_map(|(id, slot)| match slot.origin {
            Origin::Workspace(file, _) => Some((&**id, slot, Span::file(file))),
            Origin::Builtin(_) => None,
        });
        let all: Vec<(&str, &Slot, Span)> = own.collect();
        let load = |_, (id, slot, _): &(&str, &Slot, Span)| {
            let _ = budget::pay(slot.get(id).1);
        };
        parallel::within(&all, load).map(|_| ()).map_err(|over| (over, all[over.most.0].2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z05_every_builtin_schema_loads_and_has_secrets_or_none() {
        let catalogue = Catalogue::builtin();
        for (id, text) in builtin::BUILTIN {
            // As a stranger's schema would be loaded: with the metaschema.
            let connector = Connector::load(id, text, false);
            assert!(connector.is_ok(), "{id}: {:?}", connector.err());
            assert!(catalogue.get(id).is_some_and(|c| c.is_ok()));
            let connector = connector.ok();
            for harmless in connector.iter().flat_map(Connector::harmless) {
                let known = connector.as_ref().is_some_and(|c| !c.field(harmless, "", "").schemas.is_empty());
                assert!(known, "{id} has no field {harmless}");
            }
        }
    }

    #[test]
    fn f05_no_builtin_field_says_secret_without_a_mark() {
        for (id, text) in builtin::BUILTIN {
            let connector = Connector::load(id, text, false);
            let fields = connector.iter().flat_map(Connector::unmarked).map(|field| &field.name);
            assert_eq!(fields.collect::<Vec<_>>(), [""; 0], "{id}");
        }
    }

    #[test]
    fn builtin_ids_are_sorted_and_unique() {
        assert!(builtin::BUILTIN.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
