//! A plan for scripts.

use serde_json::{Value, json};

use super::json::{FORMAT_VERSION, pretty};
use crate::plan::leaves::Leaf;
use crate::plan::relocation::Gone;
use crate::plan::trust::TrustChange;
use crate::plan::{Action, Base, Change, Plan};

/// The plan as JSON with a newline at its end.
pub fn plan_json(plan: &Plan) -> String {
    pretty(&value(plan))
}

/// Several plans, and the environments that are gone, as JSON with a newline at its end.
pub fn plans_json(plans: &[Plan], gone: &[Gone]) -> String {
    let gone = gone.iter().map(|one| json!({"environment": one.name, "protected": one.is_protected}));
    pretty(&json!({
        "format_version": FORMAT_VERSION,
        "plans": plans.iter().map(value).collect::<Vec<_>>(),
        "gone": gone.collect::<Vec<_>>(),
    }))
}

/// What GitLab's widget for plans reads (`artifacts:reports:terraform`); what moves is updated.
pub fn plan_gitlab(plans: &[Plan]) -> String {
    let count = |action| plans.iter().map(|plan| plan.count(action)).sum::<usize>();
    let counts = json!({
        "create": count(Action::Create),
        "update": count(Action::Update) + count(Action::Move),
        "delete": count(Action::Delete),
    });
    format!("{counts}\n")
}

/// The plan as a JSON value.
pub fn value(plan: &Plan) -> Value {
    let base = plan.base.as_ref().map(|base| match base {
        Base::Deployed { lineage, serial, digest, .. } => {
            json!({"lineage": lineage, "serial": serial, "digest": digest})
        }
        Base::Revision { name, commit, desired } => json!({"revision": name, "commit": commit, "digest": desired}),
    });
    let access = plan
        .access
        .iter()
        .map(|access| json!({"recipient": access.recipient, "key": access.key, "gains": access.gains, "loses": access.loses}));
    let moves = plan.moves.iter().map(|m| json!({"from": m.from, "to": m.to, "key": m.key, "file": m.file}));
    let refused = plan.refused.iter().map(|one| json!({"instance": one.instance, "reason": one.reason}));
    let reencrypted = plan
        .reencrypted
        .iter()
        .map(|file| json!({"file": file.file, "secrets": file.secrets, "connections": file.connections()}));
    let moved = plan.moved.iter().map(|one| {
        json!({"target": one.from, "serial": one.serial, "connections": one.connections, "missing": one.gone, "unread": one.unread})
    });
    json!({
        "format_version": FORMAT_VERSION,
        "workspace": plan.scope.workspace,
        "environment": plan.scope.environment,
        "profile": plan.scope.profile,
        "base": base,
        "desired": {"digest": plan.desired},
        "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
        "reencrypted": reencrypted.collect::<Vec<_>>(),
        "resolved_at_apply": plan.volatile,
        "impact": {"consumers": plan.consumers, "customers": plan.customers},
        "access": access.collect::<Vec<_>>(),
        "trust_changes": plan.trust.iter().map(trust).collect::<Vec<_>>(),
        "probable_moves": moves.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "moved_from": moved.collect::<Vec<_>>(),
        "summary": {
            "create": plan.count(Action::Create),
            "update": plan.count(Action::Update),
            "delete": plan.count(Action::Delete),
            "move": plan.count(Action::Move),
            "unchanged": plan.unchanged,
        },
    })
}

/// One change, as in `changes` of a plan.
pub fn change(change: &Change) -> Value {
    json!({
        "id": change.id,
        "customer": change.customer,
        "profile": change.profile,
        "reference": change.reference,
        "action": change.action.word(),
        "from": change.from,
        "leaves": change.leaves.iter().map(|one| leaf(one)).collect::<Vec<_>>(),
    })
}

fn leaf(leaf: &Leaf) -> Value {
    json!({
        "path": leaf.path,
        "action": leaf.action.word(),
        "old": leaf.old,
        "new": leaf.new,
        "secret": leaf.secret.is_some(),
        "old_source": leaf.sources.as_ref().map(|both| &both.0),
        "new_source": leaf.sources.as_ref().map(|both| &both.1),
        "file": leaf.place.as_ref().map(|line| &*line.file),
        "line": leaf.place.as_ref().map(|line| line.number),
    })
}

fn trust(change: &TrustChange) -> Value {
    let mut value = leaf(change.leaf().unwrap_or(&Leaf::change("", Value::Null, Value::Null)));
    let (kind, instance, of, environment, why) = match change {
        TrustChange::Block(_) => ("trust", None, None, None, None),
        TrustChange::Unprotected { instance, .. } => ("protect", Some(instance), None, None, None),
        TrustChange::Unsealed { instance, .. } => ("sealed", Some(instance), None, None, None),
        TrustChange::Destination { instance, of, environment, .. } => {
            ("destination", Some(instance), of.as_deref(), environment.as_deref(), None)
        }
        TrustChange::Apart { environment, .. } => ("apart", None, None, Some(&**environment), None),
        TrustChange::Unknown { environment, why } => ("unknown", None, None, environment.as_deref(), Some(&**why)),
    };
    value["kind"] = kind.into();
    value["instance"] = instance.map(String::as_str).into();
    value["compared_with"] = of.into();
    value["compared_environment"] = environment.into();
    value["why"] = why.into();
    value
}
