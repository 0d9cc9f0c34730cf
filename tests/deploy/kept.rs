//! Promise: what a plan says of secrets in use is so for records of any form, written by hand here: most can be had from a
//! workspace, and all of them from a target, where anybody may have written them.
use tieline::plan::elsewhere::Unsettled;
use tieline::plan::trust::{TrustChange, retargeted};
use tieline::plan::{Before, Places, Plan};
use tieline::source::Line;

use super::*;

const FILE: &str = "environments/prod/secrets.sops.yaml";

/// What stands for a secret with these sources: name, file or address, version.
fn of(sources: &[(&str, &str, Option<&str>)]) -> Value {
    let names: Vec<&str> = sources.iter().map(|(name, ..)| *name).collect();
    let sources: Vec<Value> =
        sources.iter().map(|(name, from, version)| json!({"name": name, "from": from, "version": version})).collect();
    json!({"$secret": {"names": names, "sources": sources, "delivery": "resolve"}})
}

/// One of a file.
fn sealed(name: &str, version: &str) -> Value {
    of(&[(name, FILE, Some(version))])
}

/// One of a store.
fn stored(address: &str) -> Value {
    of(&[("STORED", address, None)])
}

/// The same as a part of another text.
fn within(mut secret: Value, template: &str) -> Value {
    secret["$secret"]["template"] = template.into();
    secret
}

fn record(id: &str, config: Value, auth: Value) -> Record {
    let record = json!({
        "id": id, "key": id, "reference": format!("ref-{id}"), "connector": "own", "config": config, "auth": auth,
        "recipients": ["age1a"], "customer": null,
    });
    serde_json::from_value(record).unwrap()
}

fn desired(records: &[Record]) -> Desired {
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

fn plan_with(old: &Desired, new: &Desired, places: Places<'_>) -> Plan {
    let before = Before::Revision { name: "main", commit: "0", desired: Some(old), places: &|_, _| None };
    Plan::new(new, before, places)
}

fn plan(old: &[Record], new: &[Record]) -> Plan {
    plan_with(&desired(old), &desired(new), &|_, _| None)
}

/// The re-targeted secrets of a plan: instance and path of each, and the instance whose secret it is, where it is another.
fn destinations(plan: &Plan) -> Vec<String> {
    let told = plan.trust.iter().filter_map(|change| match change {
        TrustChange::Destination { instance, of, leaf, .. } => {
            Some(format!("{instance} {}{}", leaf.path, of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default()))
        }
        _ => None,
    });
    told.collect()
}

fn told(old: &[Record], new: &[Record]) -> Vec<String> {
    destinations(&plan(old, new))
}

/// One connection that becomes this.
fn becomes(old: (Value, Value), new: (Value, Value)) -> Vec<String> {
    told(&[record("a", old.0, old.1)], &[record("a", new.0, new.1)])
}

#[test]
fn e2_11_a_secret_of_a_file_in_the_place_of_another_one_is_told() {
    // The one of the proxy is sent to the server now.
    let (token, proxy) = (sealed("TOKEN", "1"), sealed("PROXY", "1"));
    let old = (json!({"proxy_password": proxy}), json!({"token": token}));
    assert_eq!(
        becomes(old.clone(), (json!({}), json!({"token": proxy}))),
        ["a /auth/token", "a /config/proxy_password"]
    );
    let swapped = (json!({"proxy_password": token}), json!({"token": proxy}));
    assert_eq!(becomes(old.clone(), swapped), ["a /auth/token", "a /config/proxy_password"]);
    // Where nobody knows a version: what is not known to be the same is not.
    let unversioned = |name: &str| of(&[(name, FILE, None)]);
    let (token, proxy) = (unversioned("TOKEN"), unversioned("PROXY"));
    let one = (json!({"proxy_password": proxy}), json!({"token": token}));
    let other = (json!({"proxy_password": token}), json!({"token": proxy}));
    assert_eq!(becomes(one, other), ["a /auth/token", "a /config/proxy_password"]);
    // A file that is moved is none of it.
    let moved = of(&[("TOKEN", "environments/other/secrets.sops.yaml", Some("1"))]);
    assert!(becomes(old.clone(), (old.0, json!({"token": moved}))).is_empty());
}

#[test]
fn e2_11_another_address_is_a_rotation_where_nothing_else_is_another() {
    let (one, two) = (stored("vault://kv/prod/ONE#value"), stored("vault://kv/prod/TWO#value"));
    let auth = |secret: &Value| (json!({}), json!({"token": secret}));
    assert!(becomes(auth(&one), auth(&two)).is_empty());
    for (old, new) in [
        (one.clone(), within(two.clone(), "a")),
        (within(one.clone(), "a"), two.clone()),
        (within(one.clone(), "a"), within(two.clone(), "b")),
    ] {
        assert_eq!(becomes(auth(&old), auth(&new)), ["a /auth/token"]);
    }
    let mut delivered = two.clone();
    delivered["$secret"]["delivery"] = "reference".into();
    assert_eq!(becomes(auth(&one), auth(&delivered)), ["a /auth/token"]);
    // In another spelling it is the proxy's that goes to the server.
    let proxy = stored("vault://kv/data/prod/TWO#value");
    let (old, new) = (json!({"proxy_password": proxy}), json!({"proxy_password": proxy}));
    assert_eq!(becomes((old, json!({"token": one})), (new, json!({"token": two}))), ["a /auth/token"]);
}

/// Where another secret may have come, nobody can tell a new value of a sealed setting beside it from a server of somebody's.
#[test]
fn e2_11_a_sealed_setting_is_rotated_beside_secrets_that_stay_and_changed_beside_others() {
    let config = |version: &str| json!({"proxy_password": sealed("PROXY", version)});
    let stays = json!({"token": sealed("TOKEN", "1")});
    let alone = json!({"mode": "none"});
    assert!(becomes((config("1"), alone.clone()), (config("2"), alone)).is_empty());
    assert_eq!(becomes((config("1"), stays.clone()), (config("2"), stays.clone())), ["a /config/proxy_password"]);
    let other = json!({"token": stored("vault://kv/prod/TOKEN#value")});
    assert_eq!(becomes((config("1"), stays.clone()), (config("2"), other)), ["a /config/proxy_password"]);
    // A harmless one may change, and nothing may come into it.
    let key = |secret: Value| (json!({"key": secret}), stays.clone());
    assert!(becomes(key(sealed("KEY", "1")), key(sealed("KEY", "2"))).is_empty());
    assert_eq!(becomes(key(sealed("KEY", "1")), key(sealed("TOKEN", "1"))), ["a /config/key"]);
    // In a login, what is in clear beside the sealed part counts.
    let part =
        |clear: &str, version: &str| (json!({}), json!({"token": {"of": sealed("TOKEN", version), "at": clear}}));
    assert!(becomes(part("one", "1"), part("one", "2")).is_empty());
    assert_eq!(becomes(part("one", "1"), part("two", "1")), ["a /auth/token/at"]);
}

/// Two connections that name each other, or themselves, end no plan and hide nothing.
#[test]
fn e2_11_connections_that_name_each_other_are_followed_once() {
    let ring =
        |id: &str, next: &str, host: &str| record(id, json!({"via": next, "host": host}), json!({"mode": "none"}));
    let head = |auth: Value| record("head", json!({"via": "one"}), auth);
    let old = [head(json!({"token": sealed("TOKEN", "1")})), ring("one", "two", "h"), ring("two", "one", "h")];
    let new = [old[0].clone(), ring("one", "two", "h"), ring("two", "one", "evil")];
    assert_eq!(told(&old, &new), ["two /config/host"]);
    // A connection that comes, and goes through another ring than the one that has its secret.
    let mut come = record("come", json!({"via": "one"}), json!({"token": sealed("TOKEN", "1")}));
    assert!(told(&old, &[&old[..], &[come.clone()]].concat()).is_empty());
    come["config"]["via"] = "three".into();
    let other = [come, ring("three", "four", "h"), ring("four", "three", "evil")];
    let found = told(&old, &[&old[..], &other].concat());
    assert_eq!(
        found,
        [
            "come /config/via of head",
            "three /config/via of head",
            "four /config/host of head",
            "four /config/via of head"
        ]
    );
    let own = |host: &str| record("own", json!({"via": "own", "host": host}), json!({"token": sealed("TOKEN", "1")}));
    assert_eq!(told(&[own("h")], &[own("evil")]), ["own /config/host"]);
}

#[test]
fn e2_11_a_connection_is_named_where_the_schema_says_so_and_exactly_there() {
    let token = json!({"token": sealed("TOKEN", "1")});
    let mut front = record("front", json!({}), json!({"mode": "none"}));
    front["key"] = "back".into();
    let becomes = |old: Value, new: Value| {
        told(&[record("a", old, token.clone()), front.clone()], &[record("a", new, token.clone()), front.clone()])
    };
    // By key or by id, it is the same.
    assert!(becomes(json!({"via": "front"}), json!({"via": "back"})).is_empty());
    assert!(becomes(json!({"via": "front"}), json!({"via": "ref-front"})).is_empty());
    assert!(becomes(json!({"hops": ["front"]}), json!({"hops": ["back"]})) == ["a /config/hops"]);
    assert!(becomes(json!({"hops": {"x": "front"}}), json!({"hops": {"x": "back"}})).is_empty());
    // Below the place, beside it, or where nothing is named, a text is a text.
    assert_eq!(becomes(json!({"via": {"x": "front"}}), json!({"via": {"x": "back"}})), ["a /config/via/x"]);
    assert_eq!(becomes(json!({"server": "front"}), json!({"server": "back"})), ["a /config/server"]);
    assert_eq!(becomes(json!({"via": "gone"}), json!({"via": "lost"})), ["a /config/via"]);
    assert_eq!(becomes(json!({}), json!({"via": "front"})), ["a /config/via"]);
    assert_eq!(becomes(json!({"via": "front"}), json!({})), ["a /config/via"]);
    // By both schemas, the deployed one and the new one.
    let with = |via: &str, references: Value| {
        let mut all = desired(&[record("a", json!({"via": via}), token.clone()), front.clone()]);
        all.trust["connectors"]["own"]["references"] = references;
        all
    };
    let (names, none) = (json!(["/config/via"]), json!([]));
    for (was, is, count) in [(&names, &names, 0), (&names, &none, 1), (&none, &names, 1)] {
        let plan = plan_with(&with("front", was.clone()), &with("back", is.clone()), &|_, _| None);
        assert_eq!(destinations(&plan).len(), count, "{was} {is}");
    }
}

/// Every place at which a schema says that connections are named is followed: in maps and in lists, and no other.
#[test]
fn e2_11_what_is_named_in_a_map_or_a_list_is_followed() {
    let proxy = |host: &str| record("front", json!({"host": host}), json!({"mode": "none"}));
    for (config, known) in [
        (json!({"via": "front"}), true),
        (json!({"hops": {"x": "front"}}), true),
        (json!({"hops": ["other", "front"]}), true),
        (json!({"list": {"name": "front"}}), true),
        (json!({"list": ["front"]}), false),
        (json!({"list": {"other": "front"}}), false),
        (json!({"via": ["front"]}), false),
        (json!({"hops": "front"}), false),
    ] {
        let own = record("own", config.clone(), json!({"token": sealed("TOKEN", "1")}));
        let told = told(&[own.clone(), proxy("h")], &[own, proxy("evil")]);
        let expected: &[&str] = if known { &["front /config/host"] } else { &[] };
        assert_eq!(told, expected, "{config}");
    }
}

#[test]
fn e2_11_what_goes_through_a_proxy_is_told_only_if_it_was_in_use() {
    let proxy = |host: &str| record("front", json!({"host": host}), json!({"mode": "none"}));
    let own = |auth: Value| record("own", json!({"via": "front"}), auth);
    let address = json!({"token": stored("vault://kv/prod/TOKEN#value")});
    let none = json!({"mode": "none"});
    // There was no secret at all: the first one goes to the new host.
    assert!(told(&[own(none.clone()), proxy("h")], &[own(address.clone()), proxy("evil")]).is_empty());
    let file = json!({"token": sealed("TOKEN", "1")});
    assert_eq!(told(&[own(file.clone()), proxy("h")], &[own(address), proxy("evil")]), ["front /config/host"]);
    assert!(told(&[own(file), proxy("h")], &[own(none), proxy("evil")]).is_empty());
}

/// A secret that comes from elsewhere is held against that connection which differs least.
#[test]
fn e2_11_a_secret_that_comes_is_held_against_the_nearest_that_has_it() {
    let token = json!({"token": sealed("TOKEN", "1")});
    let at = |id: &str, host: &str, port: u64| record(id, json!({"host": host, "port": port}), token.clone());
    let old = [at("far", "x", 1), at("near", "h", 1)];
    let new = |one: Record| [&old[..], &[one]].concat();
    assert_eq!(told(&old, &new(at("new", "h", 2))), ["new /config/port of near"]);
    assert!(told(&old, &new(at("new", "h", 1))).is_empty());
    // What is known of two does not add up.
    assert_eq!(told(&old, &new(at("new", "x", 2))), ["new /config/port of far"]);
    assert_eq!(told(&[at("far", "x", 2), at("near", "h", 1)], &new(at("new", "x", 1))).len(), 2);
    // One of the same connector is nearer than any other.
    let mut other = at("another", "h", 2);
    other["connector"] = "http".into();
    assert_eq!(
        told(&[&old[..], &[other.clone()]].concat(), &[&new(at("new", "h", 2))[..], &[other]].concat()),
        ["new /config/port of near"]
    );
}

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
