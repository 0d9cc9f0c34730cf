//! Promise: what a plan says of secrets in use is so for records of any form, written by hand.
use super::written::*;
use super::*;

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

/// What a connection calls sealed in its login is a setting, as long as either side does; what its schema calls secret is not.
#[test]
fn e2_11_a_sealed_setting_of_a_login_is_told_where_either_side_seals_it() {
    let with = |version: &str, fields: &[&str]| {
        let auth = json!({"username": sealed("USER", version), "token": sealed("TOKEN", "1")});
        let mut one = record("a", json!({}), auth);
        one["sealed"] = json!(fields);
        one
    };
    let (user, other) = (&["/auth/username"][..], &["/auth/user"][..]);
    for (was, is, expected) in [
        (&[][..], &[][..], &[][..]),
        (other, other, &[]),
        (user, &[], &["a /auth/username"]),
        (&[], user, &["a /auth/username"]),
        (&["/auth/token", "/auth/username"], user, &["a /auth/username"]),
    ] {
        assert_eq!(told(&[with("1", was)], &[with("2", is)]), expected, "{was:?} {is:?}");
        assert!(told(&[with("1", was)], &[with("1", is)]).is_empty(), "{was:?} {is:?}");
    }
}
