//! Which fields of a document are sealed: by itself, and by every other document of its connection that stands above or
//! below it in some stack.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::choices::Below;
use crate::model::sealed;
use crate::value::Node;
use crate::workspace::Layer;
use crate::workspace::discover::Family;

/// One document.
#[derive(Clone, Copy)]
pub(super) struct Item<'w> {
    /// The path of its layer.
    pub(super) layer: &'w str,
    /// Connections or credentials.
    pub(super) family: Family,
    /// Its id.
    pub(super) id: &'w str,
    /// Its tree.
    pub(super) root: &'w Node,
}

/// The path of a layer, and the fields that a document there seals.
type Sealing<'w> = (&'w str, Vec<String>);

/// The fields that the documents of a workspace seal.
#[derive(Default)]
pub(super) struct SealedFields<'w> {
    /// By family and id: the layers that seal something, and what.
    by: HashMap<(Family, &'w str), Vec<Sealing<'w>>>,
    /// Credential -> the connections that link it.
    links: HashMap<&'w str, BTreeSet<&'w str>>,
    /// Layer -> the layers below it, in any stack.
    below: HashMap<&'w str, HashSet<&'w str>>,
}

impl<'w> SealedFields<'w> {
    /// Collects them; `layers` are those that have documents, `links` says which connections link a credential.
    pub(super) fn new(
        items: impl Iterator<Item = Item<'w>>,
        layers: impl Iterator<Item = (&'w Layer, Below<'w>)>,
        links: impl FnOnce() -> HashMap<&'w str, BTreeSet<&'w str>>,
    ) -> Self {
        let mut fields = Self::default();
        for item in items {
            let named = sealed::named(item.root);
            if !named.is_empty() {
                fields.by.entry((item.family, item.id)).or_default().push((item.layer, named));
            }
        }
        // Most workspaces seal nothing.
        if !fields.by.is_empty() {
            fields.links = links();
            let paths = |below: Below<'w>| below.stacks.into_iter().flatten().map(|layer| &*layer.path).collect();
            fields.below = layers.map(|(layer, below)| (&*layer.path, paths(below))).collect();
        }
        fields
    }

    /// The fields of a document that are sealed, as JSON Pointers.
    pub(super) fn of(&self, item: Item<'w>) -> Vec<String> {
        if self.by.is_empty() {
            return Vec::new();
        }
        let is_login = item.family == Family::Credentials;
        let links = self.links.get(item.id).filter(|_| is_login).into_iter().flatten();
        let linking = links.map(|id| (Family::Connections, *id));
        let all = std::iter::once((item.family, item.id)).chain(linking).filter_map(|one| self.by.get(&one)).flatten();
        let near = all.filter(|(layer, _)| self.share(item.layer, layer)).flat_map(|(_, fields)| fields);
        near.filter(|field| !is_login || field.starts_with("/auth/")).cloned().collect()
    }

    /// Whether two layers stand in one stack.
    fn share(&self, one: &str, other: &str) -> bool {
        let below = |above: &str, layer: &str| self.below.get(above).is_some_and(|below| below.contains(layer));
        one == other || below(one, other) || below(other, one)
    }
}
