//! What a plan may never do.

use serde_json::Value;

use super::{Before, Pair, pairs};
use crate::bundle::Deployed;
use crate::model::record::{Desired, Record};

/// A change that a guard forbids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The instance; `None` where it is about the whole.
    pub instance: Option<String>,
    /// What is forbidden, and what to do.
    pub reason: String,
}

/// What guards forbid of putting `desired` in force over `base`. `allow_delete` is the number of deletions that the
/// operator has seen and wants: the exact one lifts the limits on deletions, and nothing else.
pub fn refusals(desired: &Desired, base: Option<&Deployed>, allow_delete: Option<usize>) -> Vec<Refusal> {
    let before = Before::from(base);
    let pairs = pairs(desired, &before);
    let mut refusals = refused(desired, &pairs);
    refusals.extend(lifted_and_deleted(&pairs, before.trust(), &desired.trust));
    let deleted = deletions(&pairs);
    match allow_delete {
        None => refusals.extend(too_many(&pairs, before.trust(), &desired.trust)),
        Some(allowed) if allowed != deleted => refusals.push(Refusal {
            instance: None,
            reason: format!(
                "the plan deletes {deleted}, and `--allow-delete {allowed}` was given: look at the plan again"
            ),
        }),
        Some(_) => {}
    }
    refusals
}

/// What a new trust block lifts of the old one: `protected`, and `guards` of which a limit is gone or higher.
pub fn lifted(old: &Value, new: &Value) -> Vec<&'static str> {
    let unprotected = is_protected_block(old) && !is_protected_block(new);
    // A protected environment without limits allows no deletion.
    let limits =
        |trust: &Value, implied: bool| match (limit(trust, "max_delete_percent"), limit(trust, "max_delete_count")) {
            (None, None) if implied && is_protected_block(trust) => (None, Some(0.0)),
            limits => limits,
        };
    let (old, new) = (limits(old, !unprotected), limits(new, true));
    let looser = |old: Option<f64>, new: Option<f64>| old.is_some_and(|old| new.is_none_or(|new| new > old));
    let guards = looser(old.0, new.0) || looser(old.1, new.1);
    [(unprotected, "protected"), (guards, "guards")].into_iter().filter_map(|(is, what)| is.then_some(what)).collect()
}

/// Refuses deletions by the very apply that lifts what guards against them, whatever number is allowed.
pub(super) fn lifted_and_deleted(pairs: &[Pair<'_>], old_trust: &Value, new_trust: &Value) -> Option<Refusal> {
    let (lifted, deleted) = (lifted(old_trust, new_trust), deletions(pairs));
    (deleted > 0 && !lifted.is_empty()).then(|| {
        let lifted = lifted.join("` and `");
        let deployed = pairs.iter().filter(|pair| pair.old.is_some()).count();
        let reason = format!(
            "it lifts `{lifted}`, and {deleted} of {deployed} deployed connections would be deleted; lift `{lifted}` in an \
             apply of its own first"
        );
        Refusal { instance: None, reason }
    })
}

/// Sees to it that what is put in force again is guarded as what is in force: a rollback lifts neither `protected` nor
/// `guards`, nor a connection's `protect`. Gives what was kept, by name.
pub fn keep(desired: &mut Desired, base: &Deployed) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let old = &base.manifest.trust;
    let lifted = lifted(old, &desired.trust);
    if !lifted.is_empty() {
        for part in ["protected", "guards"] {
            desired.trust[part] = old.get(part).cloned().unwrap_or_default();
        }
        kept.extend(lifted.into_iter().map(|what| format!("`{what}`")));
    }
    let before = Before::Deployed(base);
    let unprotected: Vec<String> = unprotected(&pairs(desired, &before)).map(str::to_owned).collect();
    for id in unprotected {
        if let Some(record) = desired.records.get_mut(&id) {
            record["protect"] = true.into();
            kept.push(format!("`protect` of `{id}`"));
        }
    }
    kept
}

/// The instances that are protected no longer.
pub(super) fn unprotected<'p>(pairs: &'p [Pair<'_>]) -> impl Iterator<Item = &'p str> {
    pairs.iter().filter_map(|pair| {
        let ((_, old), (id, new)) = (pair.old?, pair.new?);
        (is_protected(old) && !is_protected(new)).then_some(id)
    })
}

pub(super) fn deletions(pairs: &[Pair<'_>]) -> usize {
    pairs.iter().filter(|pair| pair.new.is_none()).count()
}

/// Where neither limit is set, a protected environment asks for the number of any deletion; elsewhere more deletions than
/// both of these are too many: a small workspace may lose one of two, and a large one three.
const DEFAULT: (f64, u64) = (20.0, 3);

/// Whether so many would go that somebody has to say so: by the limits that are deployed and by the new ones. That nothing
/// is left is always too many: a workspace whose files were not found looks like that.
pub(super) fn too_many(pairs: &[Pair<'_>], old_trust: &Value, new_trust: &Value) -> Option<Refusal> {
    let deleted = deletions(pairs);
    let deployed = pairs.iter().filter(|pair| pair.old.is_some()).count();
    if deleted == 0 {
        return None;
    }
    let limit = [("deployed", old_trust), ("new", new_trust)].into_iter().find_map(|(whose, trust)| {
        exceeded(deleted, deployed, trust).map(|limit| format!("the {whose} guards allow {limit}"))
    });
    let left = pairs.iter().any(|pair| pair.new.is_some());
    let why = limit.or_else(|| (!left).then(|| "nothing would be left".to_owned()))?;
    let reason = format!(
        "{deleted} of {deployed} deployed connections would be deleted, {why}; if that is meant: `--allow-delete {deleted}`"
    );
    Some(Refusal { instance: None, reason })
}

/// The limit of a trust block that so many deletions exceed, in words.
fn exceeded(deleted: usize, deployed: usize, trust: &Value) -> Option<String> {
    #[allow(clippy::cast_precision_loss, reason = "numbers of connections")]
    let (count, share) = (deleted as f64, deleted as f64 * 100.0 / deployed.max(1) as f64);
    match (limit(trust, "max_delete_percent"), limit(trust, "max_delete_count")) {
        (None, None) if is_protected_block(trust) => Some("none, since the environment is protected".to_owned()),
        #[allow(clippy::cast_precision_loss, reason = "a constant")]
        (None, None) => {
            (share > DEFAULT.0 && count > DEFAULT.1 as f64).then(|| format!("{} % or {}", DEFAULT.0, DEFAULT.1))
        }
        (percent, number) => {
            let percent = percent.filter(|percent| share > *percent).map(|percent| format!("{percent} %"));
            percent.or_else(|| number.filter(|number| count > *number).map(|number| format!("{number}")))
        }
    }
}

/// The guards that a trust block can name: numbers.
pub const GUARDS: [&str; 2] = ["max_delete_percent", "max_delete_count"];

fn limit(trust: &Value, name: &str) -> Option<f64> {
    trust.get("guards")?.get(name)?.as_f64()
}

/// Whether a trust block says that its environment is protected.
pub fn is_protected_block(trust: &Value) -> bool {
    trust.get("protected").and_then(Value::as_bool) == Some(true)
}

/// What `protect` forbids: deleting a connection, and giving it another connector or key. It counts as deployed or as
/// desired, whichever is stricter, so it takes an apply of its own to lift it. A connection is protected under its key
/// and under its id alike: two that exchange their ids are refused.
pub(super) fn refused(desired: &Desired, pairs: &[Pair<'_>]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for pair in pairs {
        let Some((id, old)) = pair.old else { continue };
        let same_id = desired.records.get(id);
        let protected = [Some(old), pair.new.map(|(_, record)| record), same_id];
        if !protected.into_iter().flatten().any(is_protected) {
            continue;
        }
        let mut refuse = |what: &str| {
            let reason = format!("{what}; lift `protect` in an apply of its own first");
            refusals.push(Refusal { instance: Some(id.to_owned()), reason });
        };
        if pair.new.is_none() {
            refuse("it is protected and would be deleted");
            continue;
        }
        let others = [pair.new.map(|(_, record)| record), same_id];
        for (field, what) in [
            ("connector", "it is protected and would get another connector"),
            ("key", "it is protected and would get another key"),
        ] {
            if others.into_iter().flatten().any(|new| new.get(field) != old.get(field)) {
                refuse(what);
            }
        }
    }
    refusals
}

fn is_protected(record: &Record) -> bool {
    record.get("protect").and_then(Value::as_bool) == Some(true)
}
