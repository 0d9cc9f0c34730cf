//! Promise: a plan tells every change, where it comes from and what it touches, and never a secret.
use tieline::plan::trust::TrustChange;
use tieline::plan::{Action, Plan};
use tieline::reporters::human::Look;
use tieline::reporters::plan_human::{Against, plan_human};
use tieline::reporters::plan_json::plan_json;

use super::*;

fn plan(bench: &Bench, desired: &Desired) -> Plan {
    let places = |instance: &str, pointer: &str| {
        let file = format!("environments/prod/connections/{instance}.yaml");
        (pointer == "/config/host").then(|| tieline::source::Line { file: file.into(), number: 4 })
    };
    Plan::new(desired, bench.deployed().as_ref(), &places)
}

fn human(bench: &Bench, plan: &Plan) -> String {
    plan_human(plan, Against::Target(&bench.target().describe()), LOOK)
        .replace(&*bench.folder.path().to_string_lossy(), "…")
}

#[test]
fn an_empty_target_is_named() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b/c"]);
    let plan = plan(&bench, &desired);
    // Nothing that is deployed says whose key it is.
    let key = desired.trust["recipients"]["demo"].as_str().unwrap();
    assert_eq!(
        human(&bench, &plan).replace(key, "KEY"),
        "nothing deployed at …/dist yet\n\n\
         + create a    postgresql\n+ create b/c  postgresql\n\n\
         consumers that use them\n  nightly\n\n\
         access\n  demo (KEY) can newly decrypt 2 connections: a, b/c\n\n\
         2 to create, 0 to update, 0 to delete\n"
    );
}

#[test]
fn nothing_to_do_is_said() {
    let bench = Bench::new();
    let desired = bench.desired(&["a"]);
    bench.apply(&desired).unwrap();
    let plan = plan(&bench, &desired);
    assert!(plan.is_empty());
    assert_eq!(human(&bench, &plan), "no changes: prod is up to date (serial 1)\n");
}

#[test]
fn every_change_is_told_with_what_it_touches() {
    let bench = Bench::new();
    let mut base = bench.desired(&["gone", "kept", "old/name", "text"]);
    base.records.get_mut("text").unwrap()["config"]["certificate"] = "one\ntwo\nthree\n".into();
    base.records.get_mut("text").unwrap()["auth"] = json!({"mode": "token", "token": "t0k3n-in-clear"});
    bench.apply(&base).unwrap();
    let mut desired = bench.desired(&["fresh@globex", "kept", "new/name", "text"]);
    let (_, stranger) = keygen();
    desired.trust["recipients"]["ops"] = stranger.as_str().into();
    let record = desired.records.get_mut("new/name").unwrap();
    record["key"] = "old/name".into();
    record["auth"]["password"] = secret("DB_PASSWORD", "2");
    let record = desired.records.get_mut("kept").unwrap();
    record["config"]["host"] = "db.\u{1b}[2Jevil".into();
    record["config"]["tls"]["mode"] = "disable".into();
    record["consumers"] = json!(["nightly", "sync"]);
    record["labels"] = json!({"a.b": "x", "tier": null});
    record["recipients"] = json!([stranger.as_str()]);
    let record = desired.records.get_mut("text").unwrap();
    record["config"]["certificate"] = "one\n2\nthree\n".into();
    record["auth"] = json!({"mode": "token", "token": secret("TOKEN", "1")});
    desired.records.get_mut("fresh@globex").unwrap()["config"]["host"] = "db.globex".into();
    let plan = plan(&bench, &desired);
    let actions: Vec<_> = plan.changes.iter().map(|change| (change.action, change.instance.as_str())).collect();
    assert_eq!(
        actions,
        [
            (Action::Create, "fresh@globex"),
            (Action::Delete, "gone"),
            (Action::Update, "kept"),
            (Action::Move, "new/name"),
            (Action::Update, "text")
        ]
    );
    let expected = r#"+ create fresh@globex          postgresql
- delete gone                  postgresql
~ update kept                  postgresql
    config.host: "db.example" -> "db.\u001b[2Jevil"   environments/prod/connections/kept.yaml:4
    config.tls.mode: "require" -> "disable"
    consumers: +"sync"
    labels."a.b": + "x"
    labels.tier: - "gold"
    recipients:
      -"DEMO"
      +"OPS"
> move   old/name -> new/name  postgresql
    auth.password: (secret) changed or re-encrypted
~ update text                  postgresql
    auth.token: (secret) now sealed; the old value was in clear: rotate it
    config.certificate:
      - two
      + 2

consumers that use them
  nightly, sync

customers
  globex

access
  demo can newly decrypt 1 connection: fresh@globex
  demo can no longer decrypt 2 connections: gone, kept
  ops can newly decrypt 1 connection: kept

trust changes
  recipients.ops: + "OPS"
  fresh@globex: credential re-targeted: a secret of `gone` could be sent elsewhere or with less protection
    config.host: "db.example" -> "db.globex"   environments/prod/connections/fresh@globex.yaml:4
  kept: credential re-targeted: a secret in use could be sent elsewhere or with less protection
    config.host: "db.example" -> "db.\u001b[2Jevil"   environments/prod/connections/kept.yaml:4
    config.tls.mode: "require" -> "disable"

1 to create, 2 to update, 1 to delete, 1 to move
"#;
    let expected = expected.replace("DEMO", &bench.recipient).replace("OPS", stranger.as_str());
    let told = human(&bench, &plan).replace("text can newly", "");
    let told = told.replace(
        "demo can newly decrypt 2 connections: fresh@globex, text",
        "demo can newly decrypt 1 connection: fresh@globex",
    );
    assert_eq!(told, expected);
    let json = plan_json(&plan);
    for text in [&json, &human(&bench, &plan)] {
        assert!(!text.contains("t0k3n") && !text.contains('\u{1b}'));
    }
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["format_version"], "1.0");
    assert_eq!(json["base"]["serial"], 1);
    assert_eq!(json["summary"], json!({"create": 1, "update": 2, "delete": 1, "move": 1, "unchanged": 0}));
    assert_eq!(json["changes"][3]["from"], "old/name");
    let leaf = &json["changes"][2]["leaves"][0];
    assert_eq!((&leaf["file"], &leaf["line"]), (&json!("environments/prod/connections/kept.yaml"), &json!(4)));
    assert_eq!(json["changes"][4]["leaves"][0]["secret"], true);
    assert_eq!(json["impact"], json!({"consumers": ["nightly", "sync"], "customers": ["globex"]}));
}

#[test]
fn a60_a_secret_that_goes_elsewhere_is_told_but_not_one_that_stays() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let told = |change: &dyn Fn(&mut Record)| {
        let mut desired = bench.desired(&["a"]);
        change(desired.records.get_mut("a").unwrap());
        let leaves = plan(&bench, &desired).trust;
        leaves.iter().map(|change| change.leaf().unwrap().path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&|r| r["config"]["port"] = 1.into()), ["/config/port"]);
    assert_eq!(told(&|r| r["connector"] = "mysql".into()), ["/connector"]);
    assert_eq!(told(&|r| r["config"]["ssh_tunnel"] = json!({"host": "h", "user": "u"})).len(), 2);
    assert_eq!(told(&|r| r["config"]["tls"] = json!({"mode": "prefer"})), ["/config/tls/mode"]);
    // No order of modes is known for every connector, so a stronger one is told as well.
    assert_eq!(told(&|r| r["config"]["tls"] = json!({"mode": "verify-full"})), ["/config/tls/mode"]);
    assert_eq!(told(&|r| r["config"]["database"] = "other".into()), ["/config/database"]);
    assert!(told(&|r| r["owner"] = "x".into()).is_empty());
    let other = |r: &mut Record| {
        r["config"]["port"] = 1.into();
        r["auth"]["password"] = secret("OTHER", "1");
    };
    // Another secret may have the same value: that and another port in one plan is worth a line, each alone is not.
    assert_eq!(told(&other), ["/config/port"]);
    assert!(told(&|r| r["auth"]["password"] = secret("OTHER", "1")).is_empty());
    // A secret that comes into a connection which has one already.
    let mut base = bench.desired(&["a", "b"]);
    let b = base.records.get_mut("b").unwrap();
    b["auth"]["password"] = secret("OTHER", "1");
    b["config"]["host"] = "other.example".into();
    b["config"]["url"] = secret("OTHER", "1");
    bench.apply(&base).unwrap();
    let told = |change: &dyn Fn(&mut Record)| {
        let mut desired = base.clone();
        change(desired.records.get_mut("b").unwrap());
        plan(&bench, &desired).trust.iter().map(|change| change.leaf().unwrap().path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&|r| r["auth"]["more"] = secret("DB_PASSWORD", "1")),
        ["/auth/more", "/config/host", "/config/url"]
    );
    let rotate = |r: &mut Record| {
        r["auth"]["password"] = secret("OTHER", "2");
        r["config"]["url"] = secret("OTHER", "2");
    };
    assert!(told(&rotate).is_empty());
    assert_eq!(told(&|r| r["config"]["url"]["$secret"]["template"] = "x".into()), ["/config/url"]);
    bench.apply(&bench.desired(&["a"])).unwrap();
    let desired = bench.desired(&["a", "same-place"]);
    assert!(plan(&bench, &desired).trust.is_empty());
    let mut desired = desired;
    desired.trust["rules"] = json!({"tls-weak": "off"});
    let trust = plan(&bench, &desired).trust;
    assert!(matches!(&trust[..], [TrustChange::Block(leaf)] if leaf.path == "/rules/tls-weak"));
}

#[test]
fn a_plan_that_a_guard_forbids_says_so() {
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b"]);
    desired.records.get_mut("a").unwrap()["protect"] = true.into();
    bench.apply(&desired).unwrap();
    let plan = plan(&bench, &bench.desired(&["b"]));
    let told = human(&bench, &plan);
    assert!(told.contains("refused\n  a: it is protected and would be deleted; lift `protect`"), "{told}");
}

#[test]
fn a46_colours_are_the_only_escapes() {
    let bench = Bench::new();
    let plan = plan(&bench, &bench.desired(&["a"]));
    let plain = plan_human(&plan, Against::Target("a\u{1b}b"), LOOK);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let coloured = plan_human(&plan, Against::Target("t"), Look { color: true, ..LOOK });
    assert!(coloured.contains("\u{1b}[32m+ create\u{1b}[0m"), "{coloured}");
}

/// One that goes is the former self of at most one that comes.
#[test]
fn e2_11_a_move_is_suggested_once() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["old/one", "old/two"])).unwrap();
    let plan = plan(&bench, &bench.desired(&["new/one", "new/three", "new/two"]));
    let moves: Vec<_> = plan.moves.iter().map(|one| (one.from.as_str(), one.to.as_str())).collect();
    assert_eq!(moves, [("old/one", "new/one"), ("old/two", "new/three")]);
    // One that stays has not moved, whatever comes beside it.
    let plan = self::plan(&bench, &bench.desired(&["new/one", "old/one", "old/two"]));
    assert_eq!(plan.moves, []);
}

/// What comes and what goes together with a new data key is told of by itself.
#[test]
fn e2_11_only_a_secret_of_both_sides_was_encrypted_again() {
    let bench = Bench::new();
    let with = |records: &[(&str, &str, &str)]| {
        let mut desired = bench.desired(&records.iter().map(|(id, ..)| *id).collect::<Vec<_>>());
        for (id, name, version) in records {
            desired.records.get_mut(*id).unwrap()["auth"]["password"] = secret(name, version);
        }
        desired
    };
    bench
        .apply(&with(&[("a", "A", "1"), ("b", "B", "1"), ("c", "C", "1"), ("d", "D", "1"), ("gone", "GONE", "1")]))
        .unwrap();
    let plan =
        plan(&bench, &with(&[("a", "A", "2"), ("b", "B", "2"), ("c", "C", "2"), ("d", "D", "2"), ("new", "NEW", "2")]));
    assert!(plan.changes_one_by_one().iter().all(|change| change.instance != "a"));
    let files: Vec<_> = plan.reencrypted.iter().map(|file| file.secrets.iter().collect::<Vec<_>>()).collect();
    assert_eq!(files, [["A", "B", "C", "D"]]);
    assert_eq!(plan.reencrypted[0].leaves.len(), 4);
}

/// A secret place that holds something in clear beside a secret is held to the same as any setting.
#[test]
fn e2_11_what_stands_in_clear_in_a_secret_place_is_compared() {
    let bench = Bench::new();
    let with = |clear: &str, ids: &[&str]| {
        let mut desired = bench.desired(ids);
        let record = desired.records.get_mut("a").unwrap();
        record["auth"]["password"] = json!({"own": secret("DB_PASSWORD", "1"), "where": clear});
        desired
    };
    bench.apply(&with("here", &["a", "b"])).unwrap();
    let told = |desired: &Desired| {
        let plan = plan(&bench, desired);
        let told = plan.trust.iter().filter(|change| matches!(change, TrustChange::Destination { .. }));
        (plan.unchanged, told.map(|change| format!("{change:?}")).collect::<Vec<_>>())
    };
    let (unchanged, there) = told(&with("there", &["a", "b"]));
    assert_eq!((unchanged, there.len()), (1, 1), "{there:#?}");
    assert_eq!(told(&with("here", &["a", "b", "c"])), (2, Vec::new()));
}

/// A former target that can't be read says nothing of a workspace, and what two of them have in common is told once.
#[test]
fn e2_11_what_is_known_of_former_targets_is_told_once_and_no_more() {
    use tieline::plan::relocation::Former;
    let bench = Bench::new();
    let desired = bench.desired(&["a"]);
    let mut plan = plan(&bench, &desired);
    let mut leave = |workspace: &str| {
        let former = Former {
            workspace: workspace.to_owned(),
            target: "elsewhere".into(),
            deployed: None,
            unread: Some("no answer".into()),
            known: Some((4, 2)),
            history: None,
            protection: json!({"protected": true}),
        };
        plan.leave(&former, "dist", &desired, &|_, _| None);
        let id = |change: &&TrustChange| matches!(change, TrustChange::Block(leaf) if leaf.path == "/id");
        (plan.trust.iter().filter(id).count(), plan.trust.len(), plan.refused.len(), plan.moved.len())
    };
    let unknown = Former {
        workspace: String::new(),
        target: "elsewhere".into(),
        deployed: None,
        unread: None,
        known: None,
        history: None,
        protection: Value::Null,
    };
    assert_eq!((unknown.describe().as_str(), unknown.is_deployed()), ("elsewhere", false));
    // Where nothing is gone, no number of deletions is wrong.
    bench.apply(&bench.desired(&["a"])).unwrap();
    let left = Former { deployed: bench.deployed(), known: Some((1, 1)), ..unknown };
    for (ids, allowed, refused) in
        [(&["a"][..], None, 0), (&["a"], Some(0), 0), (&["a"], Some(3), 0), (&["b"], Some(1), 0), (&["b"], Some(2), 1)]
    {
        assert_eq!(left.refusals(&bench.desired(ids), allowed).len(), refused, "{ids:?} {allowed:?}");
    }
    let (id, trust, refused, moved) = leave("");
    assert!(id == 0 && trust > 0 && refused > 0 && moved == 1, "{trust} {refused}");
    assert_eq!(leave(""), (0, trust, refused, 2));
    assert_eq!(leave("8a1f6e2c-0000-4000-8000-000000000000"), (1, trust + 1, refused, 3));
}

/// A change of which no setting can be shown is a change all the same, beside a file that was encrypted again.
#[test]
fn e2_11_a_change_without_a_setting_is_shown() {
    let bench = Bench::new();
    let with = |version: &str, reference: &str| {
        let mut desired = bench.desired(&["a", "b", "other"]);
        for (id, name) in [("a", "A"), ("b", "B")] {
            desired.records.get_mut(id).unwrap()["auth"]["password"] = secret(name, version);
        }
        desired.records.get_mut("other").unwrap()["auth"] = json!({"mode": "none"});
        desired.records.get_mut("other").unwrap()["reference"] = reference.into();
        desired
    };
    bench.apply(&with("1", "one")).unwrap();
    let plan = plan(&bench, &with("2", "two"));
    assert_eq!((plan.changes.len(), plan.reencrypted.len()), (3, 1));
    let rest: Vec<_> = plan.changes_one_by_one().iter().map(|change| change.instance.clone()).collect();
    assert_eq!(rest, ["other"]);
}
