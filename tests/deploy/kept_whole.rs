//! Promise: what a plan says of the whole, and of other environments, is so for records of any form, written by hand.
use tieline::plan::elsewhere::Unsettled;
use tieline::plan::trust::{TrustChange, retargeted};
use tieline::plan::{Before, Plan};
use tieline::source::Line;

use super::written::*;
use super::*;

// --- Against other environments -----------------------------------------------------------------------------------

/// What is told of `new` where `own` is deployed, held against these environments in turn.
fn held(own: &[Record], new: &Desired, others: &[(&str, &Desired)]) -> Vec<TrustChange> {
    let own = desired(own);
    let before = Before::Revision { name: "main", commit: "0", desired: Some(&own), places: &|_, _| None };
    let mut unsettled = Unsettled::new(new, before);
    let mut plan = Plan::new(new, before, &|_, _| None);
    plan.trust.clear();
    for (environment, other) in others {
        let before = Before::Revision { name: "main", commit: "0", desired: Some(other), places: &|_, _| None };
        plan.hold(environment, &before, &mut unsettled, false, &|_, _| None);
    }
    plan.trust
}

#[test]
fn e2_11_only_what_is_new_here_is_held_against_other_environments() {
    let with =
        |id: &str, name: &str, host: &str| record(id, json!({"host": host}), json!({"token": sealed(name, "1")}));
    let new = desired(&[with("x", "X", "here"), with("y", "Y", "here")]);
    let prod = desired(&[with("x", "X", "there"), with("y", "Y", "there")]);
    let own = [with("x", "X", "here")];
    let told = held(&own, &new, &[("prod", &prod)]);
    let TrustChange::Destination { instance, of: None, environment: Some(environment), leaf } = &told[0] else {
        panic!("{told:?}")
    };
    assert_eq!((&**instance, &**environment, &*leaf.path, told.len()), ("y", "prod", "/config/host", 1));
    // The same of another environment is no other line.
    assert_eq!(held(&own, &new, &[("prod", &prod), ("canary", &prod)]), told);
    // What those go through is asked too, whether it is new or not.
    let through = |host: &str| {
        let mut proxy = record("x", json!({"host": host}), json!({"mode": "none"}));
        proxy["key"] = "proxy".into();
        [proxy, record("y", json!({"via": "proxy"}), json!({"token": sealed("Y", "1")}))]
    };
    let told =
        held(&[through("here")[0].clone()], &desired(&through("here")), &[("prod", &desired(&through("there")))]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(matches!(&told[0], TrustChange::Destination { instance, .. } if instance == "x"), "{told:?}");
}

/// Another spelling of an address is of the same connection, not of one that it comes from.
#[test]
fn e2_11_a_secret_that_is_spelled_otherwise_elsewhere_stays_where_it_is() {
    let at =
        |host: &str, address: &str| desired(&[record("x", json!({"host": host}), json!({"token": stored(address)}))]);
    let there = at("there", "vault://kv/prod/TOKEN#value");
    for (address, count) in [
        ("vault://kv/prod/TOKEN#value", 1),
        ("vault://kv/prod/TOKEN?version=2#value", 1),
        ("vault://kv/data/prod/TOKEN#value", 1),
        ("vault://kv/prod/OTHER#value", 0),
    ] {
        let told = held(&[], &at("here", address), &[("prod", &there)]);
        let own = |one: &&TrustChange| matches!(one, TrustChange::Destination { of: None, .. });
        assert_eq!((told.iter().filter(own).count(), told.len()), (count, count), "{address}: {told:?}");
    }
}

#[test]
fn e2_11_who_opens_it_here_alone_is_told_once_and_by_name() {
    let with = |keys: &[&str], host: &str, protected: bool| {
        let mut record = record("x", json!({"host": host}), json!({"token": sealed("X", "1")}));
        record["recipients"] = json!(keys);
        let mut all = desired(&[record]);
        all.trust["protected"] = protected.into();
        all.trust["recipients"] = json!({"ops": "age1a", "eve": "age1e"});
        all
    };
    let apart = |told: &[TrustChange]| -> Vec<String> {
        let paths = told.iter().filter_map(|change| match change {
            TrustChange::Apart { environment, leaf } => Some(format!("{environment} {}", leaf.path)),
            _ => None,
        });
        paths.collect()
    };
    let new = with(&["age1a", "age1e"], "here", false);
    let (prod, canary) = (with(&["age1a"], "there", true), with(&[" age1a "], "there", true));
    let told = held(&[], &new, &[("prod", &prod), ("canary", &canary)]);
    assert_eq!(apart(&told), ["prod /protected", "prod /recipients/eve"]);
    assert_eq!(told.len(), 3, "{told:?}");
    // What two of them open counts together, and what is protected here as there is no less.
    let both = with(&["age1a", "age1e"], "here", true);
    assert_eq!(apart(&held(&[], &both, &[("prod", &both)])), [""; 0]);
    assert_eq!(apart(&held(&[], &both, &[("prod", &with(&["age1a", "age1e"], "here", false))])), [""; 0]);
    assert_eq!(apart(&held(&[], &with(&["age1x"], "here", true), &[("prod", &both)])), ["prod /recipients/age1x"]);
}

// --- What is told of the whole ------------------------------------------------------------------------------------

#[test]
fn e2_11_what_lifts_a_guard_and_deletes_counts_what_was_deployed() {
    let all = |ids: &[&str]| ids.iter().map(|id| record(id, json!({}), json!({}))).collect::<Vec<_>>();
    let mut old = desired(&all(&["a", "b", "c"]));
    old.trust["protected"] = true.into();
    let plan = plan_with(&old, &desired(&all(&["a", "new", "newer"])), &|_, _| None);
    let reasons: Vec<&str> = plan.refused.iter().map(|refusal| &*refusal.reason).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for reason in &reasons {
        assert!(reason.contains("2 of 3 deployed connections would be deleted"), "{reason}");
    }
    assert!(reasons[0].starts_with("it lifts `protected`"), "{reasons:?}");
}

#[test]
fn e2_11_a_move_is_suggested_where_hardly_a_setting_differs() {
    let config = |same: usize, other: &[&str]| {
        let same = (0..same).map(|n| (format!("same{n}"), json!(n)));
        Value::Object(same.chain(other.iter().enumerate().map(|(n, v)| (format!("other{n}"), json!(v)))).collect())
    };
    let moves = |same: usize, old: &[&str], new: &[&str]| {
        let none = || Value::Null;
        plan(&[record("old", config(same, old), none())], &[record("new", config(same, new), none())]).moves.len()
    };
    // One that differs, and two that are alike.
    for (same, old, new, count) in [
        (2, &[][..], &[][..], 1),
        (1, &[], &[], 0),
        (2, &["a"], &["b"], 1),
        (1, &["a"], &["b"], 0),
        (9, &["a"], &["b"], 1),
        (9, &["a", "a"], &["b", "b"], 0),
    ] {
        assert_eq!(moves(same, old, new), count, "{same} {old:?} {new:?}");
    }
    let of = |key: &str, value: &str| {
        let mut one = record("new", config(5, &[]), json!({}));
        one[key] = value.into();
        one["key"] = "another".into();
        plan(&[record("old", config(5, &[]), json!({}))], &[one]).moves.len()
    };
    assert_eq!((of("title", "x"), of("connector", "http"), of("customer", "acme")), (1, 0, 0));
}

/// A file under a new data key is told once, and beside it whatever else happened to its secrets.
#[test]
fn e2_11_what_happens_beside_a_new_data_key_is_told_by_itself() {
    let all = |version: &str| {
        let one = |id: &str, name: &str| record(id, json!({}), json!({"token": sealed(name, version)}));
        vec![one("a", "A"), one("b", "B"), one("c", "C")]
    };
    let one_by_one = |new: &[Record], old: &[Record]| -> (usize, Vec<String>) {
        let plan = plan(old, new);
        (plan.reencrypted.len(), plan.changes_one_by_one().iter().map(|change| change.instance.clone()).collect())
    };
    assert_eq!(one_by_one(&all("2"), &all("1")), (1, vec![]));
    type Source<'a> = (&'a str, &'a str, Option<&'a str>);
    let changed = |sources: &[Source<'_>]| {
        let mut new = all("2");
        new[2]["auth"]["token"]["$secret"] = json!({
            "names": ["C"], "delivery": "resolve",
            "sources": sources.iter().map(|(name, from, version)| json!({"name": name, "from": from, "version": version})).collect::<Vec<_>>(),
        });
        one_by_one(&new, &all("1"))
    };
    assert_eq!(changed(&[("C", FILE, Some("2"))]), (1, vec![]));
    let c = || (1, vec!["c".to_owned()]);
    assert_eq!(changed(&[("C", FILE, Some("2")), ("B", FILE, Some("2"))]), c());
    assert_eq!(changed(&[]), c());
    assert_eq!(changed(&[("B", FILE, Some("2"))]), c());
    assert_eq!(changed(&[("C", "shared.sops.yaml", Some("2"))]), c());
    // Of a text of two secrets, one stays: of a store, or of a file that has its old data key.
    for (from, version) in [("vault://kv/prod/X#value", None), ("other.sops.yaml", Some("1"))] {
        let two = |version_of_c: &str, version: Option<&str>| {
            let mut all = all(version_of_c);
            all[2]["auth"]["token"] = of(&[("C", FILE, Some(version_of_c)), ("X", from, version)]);
            all
        };
        assert_eq!(one_by_one(&two("2", version), &two("1", version)), (1, vec![]), "{from}");
        assert_eq!(one_by_one(&two("2", Some("9")), &two("1", version)), c(), "{from}");
    }
    // Where each of them changed otherwise too, nothing is left to tell of the file.
    let mut others = all("2");
    others.iter_mut().for_each(|one| one["auth"]["token"]["$secret"]["delivery"] = "reference".into());
    assert_eq!(one_by_one(&others, &all("1")).0, 0);
    // One secret alone, or one that kept its version, is no sign of a new data key.
    assert_eq!(one_by_one(&all("2")[..1], &all("1")[..1]), (0, vec!["a".to_owned()]));
    let mut kept = all("2");
    kept[2] = all("1")[2].clone();
    assert_eq!(one_by_one(&kept, &all("1")), (0, vec!["a".to_owned(), "b".to_owned()]));
}

/// What several lines say is told without a line, what one says with it.
#[test]
fn e2_11_what_several_lines_change_has_no_line() {
    let with = |host: &str| {
        ["a", "b"].map(|id| record(id, json!({"host": host, "port": host}), json!({"token": sealed("T", "1")})))
    };
    let places = |instance: &str, pointer: &str| {
        let file = if pointer == "/config/port" { instance } else { "both" };
        Some(Line { file: file.into(), number: 4 })
    };
    let plan = plan_with(&desired(&with("one")), &desired(&with("two")), &places);
    let all = retargeted(&plan.trust);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].instances, ["a", "b"]);
    let lines: Vec<_> = all[0].leaves.iter().map(|leaf| (&*leaf.path, leaf.place.is_some())).collect();
    assert_eq!(lines, [("/config/host", true), ("/config/port", false)]);
}

/// A plan that only leaves a target is something to apply.
#[test]
fn e2_11_a_target_that_is_left_is_a_change_by_itself() {
    use tieline::plan::relocation::Former;
    let bench = Bench::new();
    let desired = bench.desired(&["a"]);
    bench.apply(&desired).unwrap();
    let mut plan = Plan::new(&desired, bench.deployed().as_ref(), &|_, _| None);
    assert!(plan.is_empty());
    let former = Former {
        workspace: String::new(),
        target: "elsewhere".into(),
        deployed: None,
        unread: None,
        known: None,
        history: None,
        protection: Value::Null,
    };
    plan.leave(&former, "dist", &desired, &|_, _| None);
    assert!(plan.trust.is_empty() && plan.changes.is_empty() && !plan.is_empty());
}
