//! Records of any form, written by hand: most can be had from a workspace, and all of them from a target, where anybody may
//! have written them.
use tieline::plan::trust::TrustChange;
use tieline::plan::{Before, Places, Plan};

use super::*;

pub(super) const FILE: &str = "environments/prod/secrets.sops.yaml";

/// What stands for a secret with these sources: name, file or address, version.
pub(super) fn of(sources: &[(&str, &str, Option<&str>)]) -> Value {
    let names: Vec<&str> = sources.iter().map(|(name, ..)| *name).collect();
    let sources: Vec<Value> =
        sources.iter().map(|(name, from, version)| json!({"name": name, "from": from, "version": version})).collect();
    json!({"$secret": {"names": names, "sources": sources, "delivery": "resolve"}})
}

/// One of a file.
pub(super) fn sealed(name: &str, version: &str) -> Value {
    of(&[(name, FILE, Some(version))])
}

/// One of a store.
pub(super) fn stored(address: &str) -> Value {
    of(&[("STORED", address, None)])
}

/// The same as a part of another text.
pub(super) fn within(mut secret: Value, template: &str) -> Value {
    secret["$secret"]["template"] = template.into();
    secret
}

pub(super) fn record(id: &str, config: Value, auth: Value) -> Record {
    let record = json!({
        "id": id, "key": id, "reference": format!("ref-{id}"), "connector": "own", "config": config, "auth": auth,
        "recipients": ["age1a"], "customer": null,
    });
    serde_json::from_value(record).unwrap()
}

pub(super) fn desired(records: &[Record]) -> Desired {
    Desired {
        workspace: "2fc57e25-dce2-4a90-ae69-ae44cb0c8e84".parse().unwrap(),
        environment: "prod".into(),
        profile: None,
        records: records.iter().map(|record| (record.text("id").to_owned(), record.clone())).collect(),
        trust: json!({"connectors": {"own": {
            "secrets": ["/auth/token", "/config/proxy_password", "/config/key"],
            "harmless": ["/config/timeout", "/config/key"],
            "references": ["/config/via", "/config/hops/*", "/config/list/name"],
        }}}),
    }
}

pub(super) fn plan_with(old: &Desired, new: &Desired, places: Places<'_>) -> Plan {
    let before = Before::Revision { name: "main", commit: "0", desired: Some(old), places: &|_, _| None };
    Plan::new(new, before, places)
}

pub(super) fn plan(old: &[Record], new: &[Record]) -> Plan {
    plan_with(&desired(old), &desired(new), &|_, _| None)
}

/// The re-targeted secrets of a plan: instance and path of each, and the instance whose secret it is, where it is another.
pub(super) fn destinations(plan: &Plan) -> Vec<String> {
    let told = plan.trust.iter().filter_map(|change| match change {
        TrustChange::Destination { instance, of, leaf, .. } => {
            Some(format!("{instance} {}{}", leaf.path, of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default()))
        }
        _ => None,
    });
    told.collect()
}

pub(super) fn told(old: &[Record], new: &[Record]) -> Vec<String> {
    destinations(&plan(old, new))
}

/// One connection that becomes this.
pub(super) fn becomes(old: (Value, Value), new: (Value, Value)) -> Vec<String> {
    told(&[record("a", old.0, old.1)], &[record("a", new.0, new.1)])
}

/// No login.
pub(super) fn none() -> Value {
    json!({"mode": "none"})
}
