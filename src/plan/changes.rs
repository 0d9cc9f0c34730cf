//! What happens to each connection that differs, leaf by leaf.

use std::sync::Arc;

use serde_json::Value;

use super::leaves::{Leaf, LeafAction, diff_records};
use super::{Pair, Places};

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// It changes.
    Update,
    /// It goes.
    Delete,
    /// It has a new id, and may change as well.
    Move,
}

impl Action {
    /// `create`, `update`, `delete` or `move`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Move => "move",
        }
    }
}

/// One connection that differs.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its instance, `ID` or `ID@CUSTOMER`.
    pub instance: String,
    /// Its id.
    pub id: String,
    /// Its customer, if any.
    pub customer: Option<String>,
    /// Its profile, if any.
    pub profile: Option<String>,
    /// Its reference.
    pub reference: String,
    /// Its connector.
    pub connector: String,
    /// What happens.
    pub action: Action,
    /// The instance that it was, in a move.
    pub from: Option<String>,
    /// The leaves that differ. Those of one connection's instances are mostly the same: they are in memory once.
    pub leaves: Vec<Arc<Leaf>>,
}

/// The changes, each with those leaves of the one before it that are equal to its own.
pub(super) fn shared(changes: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    for mut change in changes {
        for (own, other) in change.leaves.iter_mut().zip(all.iter().next_back().into_iter().flat_map(|one| &one.leaves))
        {
            if own == other {
                own.clone_from(other);
            }
        }
        all.push(change);
    }
    all
}

/// Keys that other fields of a change show.
const NOT_COMPARED: [&str; 4] = ["id", "customer", "profile", "reference"];

/// The change of one pair, if its sides differ.
pub(super) fn change<'a>(
    pair: &Pair<'a>,
    old_trust: &'a Value,
    new_trust: &'a Value,
    places: Places<'_>,
    old_places: Option<Places<'_>>,
) -> Option<Change> {
    if !pair.differs() {
        return None;
    }
    let (instance, record) = pair.new.or(pair.old)?;
    let (action, from) = match (pair.old, pair.new) {
        (None, _) => (Action::Create, None),
        (_, None) => (Action::Delete, None),
        (Some((old, _)), Some((new, _))) if old != new => (Action::Move, Some(old.to_owned())),
        _ => (Action::Update, None),
    };
    let [old, new] = [pair.old, pair.new].map(|side| side.map(|(_, record)| record));
    let compared = |key: &str| !NOT_COMPARED.contains(&key);
    let mut leaves = diff_records(old, new, compared, &pair.secret_paths(old_trust, new_trust));
    if pair.new.is_some() {
        for leaf in &mut leaves {
            leaf.place = places(instance, &leaf.path);
        }
    }
    if let (Some(old_places), Some((was, _))) = (old_places, pair.old) {
        // What goes has no line of its own any more: that on the other side says where it was.
        for leaf in leaves.iter_mut().filter(|leaf| leaf.action == LeafAction::Remove) {
            leaf.place = None;
            leaf.old_place = old_places(was, &leaf.path);
        }
    }
    let mut leaves: Vec<Arc<Leaf>> = leaves.into_iter().map(Arc::new).collect();
    // The list that they come from is used again for them, and is much larger.
    leaves.shrink_to_fit();
    Some(Change {
        instance: instance.to_owned(),
        id: record.text("id").to_owned(),
        customer: record.customer().map(str::to_owned),
        profile: record.get("profile").and_then(Value::as_str).map(str::to_owned),
        reference: record.text("reference").to_owned(),
        connector: record.text("connector").to_owned(),
        action,
        from,
        leaves,
    })
}
