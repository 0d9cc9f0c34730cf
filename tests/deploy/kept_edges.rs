//! Promise: what a plan says holds at the edges too: rare forms of records, and what a setting leads to, one step further.
use tieline::plan::elsewhere::Unsettled;
use tieline::plan::guards::{lifted, refusals};
use tieline::plan::relocation::Former;
use tieline::plan::trust::TrustChange;
use tieline::plan::{Action, Before, Plan};
use tieline::source::Line;

use super::written::*;
use super::*;

fn before(desired: &Desired) -> Before<'_> {
    Before::Revision { name: "main", commit: "0", desired: Some(desired), places: &|_, _| None }
}

// --- Secrets that stay ----------------------------------------------------------------------------------------------

#[test]
fn e2_11_a_rotated_secret_makes_no_other_one_the_same() {
    // What arrives beside a rotated secret comes in no one's place.
    let (one, two) = (sealed("PROXY", "1"), sealed("PROXY", "2"));
    let new = (json!({"proxy_password": two, "key": sealed("NEW", "1")}), none());
    assert!(becomes((json!({"proxy_password": one}), none()), new).is_empty());
    // One that another connection has is held against that one, whatever it replaces here.
    let at = |id: &str, host: &str, name: &str| record(id, json!({"host": host}), json!({"token": sealed(name, "1")}));
    let old = [at("a", "one", "X"), at("b", "two", "Y")];
    assert_eq!(told(&old, &[at("a", "three", "Y"), old[1].clone()]), ["a /config/host of b"]);
}

#[test]
fn e2_11_a_secret_in_a_list_counts_as_any_other() {
    let token = json!({"token": sealed("TOKEN", "1")});
    let key = |items: Value| (json!({"key": items}), token.clone());
    // Into a harmless field nothing in use may come, in a list neither.
    assert_eq!(becomes(key(json!([])), key(json!([sealed("TOKEN", "1")]))), ["a /config/key"]);
    assert_eq!(becomes(key(json!([])), key(json!([[sealed("TOKEN", "1")]]))), ["a /config/key/0"]);
    assert!(becomes(key(json!(["x"])), key(json!(["y"]))).is_empty());
    let beside = |text: &str| key(json!([sealed("KEY", "1"), text]));
    assert_eq!(becomes(beside("x"), beside("y")), ["a /config/key"]);
}

#[test]
fn e2_11_a_text_of_two_secrets_stays_only_if_both_do() {
    let two = |file: &str, address: &str| {
        let file_of = format!("environments/{file}/secrets.sops.yaml");
        let sources = [("T", &*file_of, Some("1")), ("STORED", address, None)];
        (json!({}), json!({"token": of(&sources)}))
    };
    let (x, y) = ("vault://kv/prod/X#value", "vault://kv/prod/Y#value");
    assert!(becomes(two("prod", x), two("moved", x)).is_empty());
    assert_eq!(becomes(two("prod", x), two("prod", y)), ["a /auth/token"]);
    assert_eq!(becomes(two("prod", x), two("moved", y)), ["a /auth/token"]);
}

#[test]
fn e2_11_what_is_harmless_is_so_by_both_schemas() {
    let with = |timeout: u64, harmless: &Value| {
        let one = record("a", json!({"timeout": timeout}), json!({"token": sealed("TOKEN", "1")}));
        let mut all = desired(&[one]);
        all.trust["connectors"]["own"]["harmless"] = harmless.clone();
        all
    };
    let (yes, no) = (json!(["/config/timeout"]), json!([]));
    for (was, is, count) in [(&yes, &yes, 0), (&yes, &no, 1), (&no, &yes, 1), (&no, &no, 1)] {
        let plan = plan_with(&with(1, was), &with(2, is), &|_, _| None);
        assert_eq!(destinations(&plan).len(), count, "{was} {is}");
    }
}

#[test]
fn e2_11_a_customers_connection_goes_through_what_all_share_or_its_own() {
    let proxy = |customer: Option<&str>, host: &str| {
        let mut proxy = record("front", json!({"host": host}), none());
        proxy["customer"] = customer.map_or(Value::Null, Into::into);
        proxy
    };
    let mut own = record("own", json!({"via": "front"}), json!({"token": sealed("TOKEN", "1")}));
    own["customer"] = "acme".into();
    for (customer, expected) in
        [(None, &["front /config/host"][..]), (Some("acme"), &["front /config/host"]), (Some("globex"), &[])]
    {
        let told = told(&[own.clone(), proxy(customer, "h")], &[own.clone(), proxy(customer, "evil")]);
        assert_eq!(told, expected, "{customer:?}");
    }
}

/// Of connections that have a secret, one under which it arrives unchanged settles it, unless it is another one's by name.
#[test]
fn e2_11_another_spelling_of_an_address_is_held_against_who_has_it() {
    let (t, other) = ("vault://kv/prod/T#value", "vault://kv/data/prod/T#value");
    let at = |id: &str, host: &str, address: &str| record(id, json!({"host": host}), json!({"token": stored(address)}));
    let new = |old: &[Record], one: Record| [old, &[one]].concat();
    // The connection had it itself: another one that has it too doesn't matter.
    let old = [at("a", "h", t), at("b", "x", t)];
    assert!(told(&old, &[at("a", "h", other), old[1].clone()]).is_empty());
    // One that is like it in all may have another secret by that name: the next one counts.
    let old = [at("p", "h", t), at("q", "x", t)];
    assert_eq!(told(&old, &new(&old, at("c", "h", other))), ["c /config/host of q"]);
    assert!(told(&old, &new(&old, at("c", "h", "vault://kv/prod/OTHER#value"))).is_empty());
    // Where the very same is found, whoever has it spelled otherwise is not asked.
    let mut front = record("front", json!({}), none());
    front["key"] = "back".into();
    let via = |id: &str, via: &str, address: &str| {
        record(id, json!({"host": "h", "via": via}), json!({"token": stored(address)}))
    };
    let old = [front, via("near", "front", t), at("far", "x", t), at("odd", "y", other)];
    assert!(told(&old, &new(&old, via("c", "back", t))).is_empty());
}

// --- Against other environments -------------------------------------------------------------------------------------

#[test]
fn e2_11_what_is_settled_is_not_asked_again() {
    let with = |secrets: &[Value]| {
        let config = secrets.iter().enumerate().map(|(n, secret)| (format!("s{n}"), secret.clone())).collect();
        desired(&[record("a", Value::Object(config), json!({}))])
    };
    let in_file = |file: &str, version: Option<&str>| of(&[("TOKEN", file, version)]);
    let address = stored("vault://kv/prod/T#value");
    let own = with(&[in_file(FILE, Some("1")), address.clone()]);
    for (new, sealed, is_empty) in [
        (own.clone(), &[][..], true),
        (with(&[]), &[], true),
        (with(&[in_file("moved.sops.yaml", Some("1"))]), &[], true),
        (with(&[in_file(FILE, Some("2"))]), &[], true),
        (with(&[in_file("moved.sops.yaml", Some("2"))]), &["TOKEN"], false),
        (with(&[in_file("moved.sops.yaml", None)]), &["TOKEN"], false),
        (with(&[stored("vault://kv/prod/OTHER#value"), in_file(FILE, Some("1"))]), &[], false),
    ] {
        let unsettled = Unsettled::new(&new, before(&own));
        assert_eq!(unsettled.is_empty(), is_empty, "{new:?}");
        assert_eq!(unsettled.sealed().into_iter().collect::<Vec<_>>(), sealed, "{new:?}");
        assert_eq!(unsettled.names().is_empty(), is_empty || !sealed.is_empty(), "{new:?}");
    }
}

/// A proxy there counts for the secrets that go through it there: the same, or one of a store under another spelling.
#[test]
fn e2_11_what_secrets_of_elsewhere_go_through_is_told() {
    let with = |host: &str, address: &str| {
        let proxy = record("front", json!({"host": host}), none());
        desired(&[proxy, record("x", json!({"via": "front"}), json!({"token": stored(address)}))])
    };
    let prod = with("there", "vault://kv/prod/T#value");
    for (address, count) in
        [("vault://kv/prod/T#value", 1), ("vault://kv/data/prod/T#value", 1), ("vault://kv/prod/OTHER#value", 0)]
    {
        let new = with("here", address);
        let nothing = desired(&[]);
        let mut unsettled = Unsettled::new(&new, before(&nothing));
        let mut plan = Plan::new(&new, before(&nothing), &|_, _| None);
        plan.trust.clear();
        for _ in 0..2 {
            plan.hold("prod", &before(&prod), &mut unsettled, false, &|_, _| None);
        }
        let fronts = plan
            .trust
            .iter()
            .filter(|change| matches!(change, TrustChange::Destination { instance, .. } if instance == "front"));
        assert_eq!((fronts.count(), plan.trust.len()), (count, count), "{address}: {:?}", plan.trust);
    }
}

/// An environment that is protected there and not here matters only to secrets of both.
#[test]
fn e2_11_protection_elsewhere_is_asked_for_where_a_secret_is_shared() {
    let with = |name: &str, protected: bool| {
        let mut all = desired(&[record("x", json!({}), json!({"token": sealed(name, "1")}))]);
        all.trust["protected"] = protected.into();
        all
    };
    for (name, count) in [("T", 1), ("OTHER", 0)] {
        let (new, there, nothing) = (with("T", false), with(name, true), desired(&[]));
        let mut unsettled = Unsettled::new(&new, before(&nothing));
        let mut plan = Plan::new(&new, before(&nothing), &|_, _| None);
        plan.trust.clear();
        plan.hold("prod", &before(&there), &mut unsettled, true, &|_, _| None);
        let apart = plan.trust.iter().filter(|change| matches!(change, TrustChange::Apart { .. }));
        assert_eq!((apart.count(), unsettled.is_empty()), (count, count == 1), "{name}: {:?}", plan.trust);
    }
}

// --- Guards ---------------------------------------------------------------------------------------------------------

#[test]
fn e2_11_what_lifts_a_guard_is_told_by_what_it_was_and_is() {
    let trust = |protected: bool, percent: Option<u64>, count: Option<u64>| json!({"protected": protected, "guards": {"max_delete_percent": percent, "max_delete_count": count}});
    let (p, no) = (|percent, count| trust(true, percent, count), |percent, count| trust(false, percent, count));
    for (old, new, expected) in [
        (p(None, None), p(None, None), &[][..]),
        (p(None, None), no(None, None), &["protected"]),
        (no(None, None), p(None, None), &[]),
        (no(None, None), no(None, None), &[]),
        // Protected without limits is as good as a count of none.
        (p(None, None), p(None, Some(0)), &[]),
        (p(None, None), p(None, Some(1)), &["guards"]),
        (p(None, None), p(Some(1), None), &["guards"]),
        (no(None, Some(0)), p(None, None), &[]),
        (no(None, Some(3)), p(None, None), &[]),
        (no(None, None), no(None, Some(3)), &[]),
        (no(None, Some(3)), no(None, Some(3)), &[]),
        (no(None, Some(3)), no(None, Some(2)), &[]),
        (no(None, Some(3)), no(None, Some(4)), &["guards"]),
        (no(None, Some(3)), no(None, None), &["guards"]),
        (no(Some(10), None), no(Some(10), None), &[]),
        (no(Some(10), None), no(Some(9), None), &[]),
        (no(Some(10), None), no(Some(11), None), &["guards"]),
        (no(Some(10), None), no(None, Some(1)), &["guards"]),
        (no(Some(10), Some(3)), no(Some(11), Some(2)), &["guards"]),
        (p(Some(10), None), no(Some(10), None), &["protected"]),
        (p(Some(10), None), no(Some(20), None), &["protected", "guards"]),
    ] {
        assert_eq!(lifted(&old, &new), expected, "{old} {new}");
    }
}

#[test]
fn e2_11_a_deletion_with_a_lifted_guard_is_refused_from_the_first_one_on() {
    let bench = Bench::new();
    let all = |ids: &[&str], protected: bool| {
        let mut all = bench.desired(ids);
        all.trust["protected"] = protected.into();
        all
    };
    bench.apply(&all(&["a", "b"], true)).unwrap();
    let deployed = bench.deployed().unwrap();
    let reasons = |ids: &[&str], allow: Option<usize>| -> Vec<String> {
        refusals(&all(ids, false), Some(&deployed), allow).into_iter().map(|one| one.reason).collect()
    };
    assert!(reasons(&["a", "b"], None).is_empty() && reasons(&["a", "b", "c"], None).is_empty());
    let one = reasons(&["a"], Some(1));
    assert!(one.len() == 1 && one[0].contains("1 of 2 deployed connections would be deleted"), "{one:?}");
    assert_eq!(reasons(&["a"], None).len(), 2);
}

/// What is protected and goes is told once, also where its id is another one's now.
#[test]
fn e2_11_a_protected_connection_that_goes_is_told_once() {
    let keyed = |id: &str, key: &str| {
        let mut one = record(id, json!({}), json!({}));
        (one["key"], one["protect"]) = (key.into(), true.into());
        one
    };
    let refused = |old: &[Record], new: &[Record]| -> Vec<String> {
        let told = plan(old, new).refused;
        told.into_iter().map(|one| format!("{} {}", one.instance.unwrap_or_default(), one.reason)).collect()
    };
    let reasons =
        refused(&[keyed("a", "k1"), keyed("b", "k2"), keyed("c", "k3")], &[keyed("a", "k2"), keyed("c", "k3")]);
    let of_a: Vec<&String> = reasons.iter().filter(|reason| reason.starts_with("a ")).collect();
    assert!(of_a.len() == 1 && of_a[0].contains("would be deleted"), "{reasons:?}");
    assert!(!reasons.iter().any(|reason| reason.starts_with("c ")), "{reasons:?}");
}

// --- What is told of the whole --------------------------------------------------------------------------------------

#[test]
fn e2_11_only_what_goes_may_have_moved() {
    let config = json!({"a": 1, "b": 2, "c": 3});
    let one = |id: &str| record(id, config.clone(), json!({}));
    let moves = |old: &[&str], new: &[&str]| -> Vec<String> {
        let all = |ids: &[&str]| ids.iter().map(|id| one(id)).collect::<Vec<_>>();
        plan(&all(old), &all(new)).moves.into_iter().map(|one| format!("{} {}", one.from, one.to)).collect()
    };
    assert!(moves(&["a"], &["a", "copy"]).is_empty());
    assert!(moves(&["a", "b"], &["a"]).is_empty());
    assert_eq!(moves(&["a", "b"], &["b", "x"]), ["a x"]);
    assert_eq!(moves(&["a", "b"], &["x", "y"]), ["a x", "b y"]);
    assert_eq!(moves(&["a"], &["x", "y"]), ["a x"]);
}

#[test]
fn e2_11_a_line_is_told_of_what_has_one_on_its_side() {
    let place = |file: &str| Some(Line { file: file.into(), number: 1 });
    let all = |records: &[(&str, Value)]| {
        desired(&records.iter().map(|(id, config)| record(id, config.clone(), none())).collect::<Vec<_>>())
    };
    let old = all(&[("gone", json!({"host": "h"})), ("stays", json!({"host": "h", "port": 1}))]);
    let new = all(&[("stays", json!({"host": "x", "user": "u"})), ("zz", json!({"host": "h"}))]);
    let before = Before::Revision { name: "main", commit: "0", desired: Some(&old), places: &|_, _| place("old") };
    let places = |plan: &[tieline::plan::Change], path: &str, instance: &str| {
        let change = plan.iter().find(|change| change.instance == instance).unwrap();
        let leaf = change.leaves.iter().find(|leaf| leaf.path == path).unwrap();
        let file = |line: &Option<Line>| line.as_ref().map(|line| line.file.to_string());
        (file(&leaf.place), file(&leaf.old_place))
    };
    let (in_old, in_new) = (Some("old".to_owned()), Some("new".to_owned()));
    let plan = Plan::new(&new, before, &|_, _| place("new")).changes;
    for (path, instance, expected) in [
        ("/config/host", "gone", (None, in_old.clone())),
        ("/config/host", "stays", (in_new.clone(), None)),
        ("/config/port", "stays", (None, in_old)),
        ("/config/user", "stays", (in_new.clone(), None)),
        ("/config/host", "zz", (in_new.clone(), None)),
    ] {
        assert_eq!(places(&plan, path, instance), expected, "{instance} {path}");
    }
    // Between two environments, what goes has no line in the second.
    let between = Plan::between(&old, &new, &|_, _| place("new"));
    assert_eq!(places(&between, "/config/host", "gone"), (None, None));
    assert_eq!(places(&between, "/config/host", "stays"), (in_new, None));
}

/// What a schema calls secret is not shown, though it stands there in clear; where a secret comes from is.
#[test]
fn e2_11_a_leaf_shows_where_its_secret_comes_from_and_nothing_in_clear() {
    let with = |token: Value| record("a", json!({}), json!({"token": token}));
    let leaf = |old: Value, new: Value| {
        let plan = plan(&[with(old)], &[with(new)]);
        let leaf = plan.changes[0].leaves[0].clone();
        assert!(leaf.secret.is_some() && leaf.old.is_null() && leaf.new.is_null(), "{leaf:?}");
        leaf.sources.as_deref().cloned()
    };
    assert_eq!(leaf("one".into(), "two".into()), None);
    assert_eq!(leaf(sealed("A", "1"), sealed("A", "2")), None);
    let from = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
    let file = |name: &str| format!("{name} in {FILE}");
    assert_eq!(leaf(sealed("A", "1"), sealed("B", "1")), from(&file("A"), &file("B")));
    let address = "vault://kv/prod/T#value";
    assert_eq!(leaf(sealed("A", "1"), stored(address)), from(&file("A"), address));
    let two = of(&[("A", FILE, Some("1")), ("STORED", address, None)]);
    assert_eq!(leaf(stored(address), two), from(address, &format!("{}, {address}", file("A"))));
    assert_eq!(leaf(sealed("A", "1"), of(&[("not a name", FILE, None)])), None);
}

/// A secret that goes from one file under a new data key into another such file is told by itself, and so is a connection's move.
#[test]
fn e2_11_what_moves_beside_new_data_keys_is_told_by_itself() {
    let of_file = |name: &str, file: &str, version: &str| json!({"token": of(&[(name, file, Some(version))])});
    let all = |version: &str, last: &str, id: &str| {
        let mut moved = record(id, json!({}), of_file("A", FILE, version));
        moved["key"] = "key-of-a".into();
        vec![
            moved,
            record("b", json!({}), of_file("B", FILE, version)),
            record("c", json!({}), of_file("C", "two.sops.yaml", version)),
            record("d", json!({}), of_file("D", "two.sops.yaml", version)),
            record("e", json!({}), of_file("E", last, version)),
        ]
    };
    let shown = |old: &[Record], new: &[Record]| -> (usize, Vec<String>) {
        let plan = plan(old, new);
        let one_by_one = plan.changes_one_by_one();
        (plan.reencrypted.len(), one_by_one.iter().map(|change| change.instance.clone()).collect())
    };
    assert_eq!(shown(&all("1", FILE, "a"), &all("2", FILE, "a")), (2, vec![]));
    assert_eq!(shown(&all("1", FILE, "a"), &all("2", "two.sops.yaml", "a")), (2, vec!["e".to_owned()]));
    assert_eq!(shown(&all("1", FILE, "a"), &all("2", FILE, "aa")), (2, vec!["aa".to_owned()]));
}

#[test]
fn e2_11_a_manifest_that_says_one_digest_and_holds_another_is_not_in_force() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b"]);
    bench.apply(&desired).unwrap();
    let is_empty = |change: &dyn Fn(&mut Deployed)| {
        let mut deployed = bench.deployed().unwrap();
        change(&mut deployed);
        Plan::new(&desired, Some(&deployed), &|_, _| None).is_empty()
    };
    assert!(is_empty(&|_| {}));
    assert!(!is_empty(&|deployed| deployed.manifest.trust["protected"] = true.into()));
    assert!(!is_empty(&|deployed| drop(deployed.manifest.connections.pop_first())));
    assert!(!is_empty(&|deployed| deployed.manifest.desired = Digest::of(b"")));
}

#[test]
fn e2_11_what_is_known_of_another_target_is_held_against_the_new_one() {
    let former = |protection: Value| Former {
        workspace: "w".into(),
        target: "elsewhere".into(),
        deployed: None,
        unread: None,
        known: None,
        history: Some(("lineage".into(), None)),
        protection,
    };
    let protected = json!({"target": null, "protected": true, "guards": null});
    let known = former(protected.clone());
    assert!(
        known.is_of("lineage") && !known.is_of("other") && !Former { history: None, ..former(Value::Null) }.is_of("")
    );
    assert!(known.is_protected() && !former(Value::Null).is_protected());
    assert!(known.is_of_another("x") && !known.is_of_another("w"));
    let mut new = desired(&[]);
    new.trust["protected"] = true.into();
    let told = |former: Former, new: &Desired| {
        let mut plan = plan_with(new, new, &|_, _| None);
        plan.leave(&Former { workspace: String::new(), ..former }, "dist", new, &|_, _| None);
        (plan.trust.len(), plan.refused.len(), plan.count(Action::Create))
    };
    // Where nothing is known of it, nothing is told of it.
    assert_eq!(told(former(Value::Null), &new), (0, 0, 0));
    assert_eq!(told(former(protected.clone()), &new), (0, 0, 0));
    assert_eq!(told(former(protected), &desired(&[])), (1, 1, 0));
}
