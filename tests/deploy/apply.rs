//! Promise: an apply does what is new, nothing else, and nothing at all if it may not.
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;

use super::*;
use tieline::reporters::plan_human::Against;
use tieline::world::beneath::Beneath;

fn many(bench: &Bench) -> Desired {
    let ids: Vec<String> = (0..100).map(|n| format!("group-{}/c{n}", n % 7)).collect();
    bench.desired(&ids.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_second_apply_changes_no_byte() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b/c", "b/c@globex"]);
    let first = bench.apply(&desired).unwrap();
    assert_eq!((first.changed, first.sealed, first.carried, first.head.serial), (true, 3, 0, 1));
    assert_eq!(first.view, Ok(true));
    let before = bench.tree();
    let second = bench.apply(&desired).unwrap();
    assert_eq!((second.changed, second.sealed, second.carried, second.head), (false, 0, 3, first.head));
    assert_eq!(second.view, Ok(false));
    assert!(bench.tree() == before);
}

#[test]
fn one_change_in_a_hundred_seals_one_and_an_owner_none() {
    let bench = Bench::new();
    let mut desired = many(&bench);
    assert_eq!(bench.apply(&desired).unwrap().sealed, 100);
    desired.records.get_mut("group-3/c3").unwrap()["config"]["host"] = "db2.example".into();
    let applied = bench.apply(&desired).unwrap();
    assert_eq!((applied.sealed, applied.carried, bench.objects()), (1, 99, 101));
    for (field, value) in
        [("owner", json!("x")), ("labels", json!({})), ("title", json!(null)), ("consumers", json!([]))]
    {
        desired.records.get_mut("group-4/c4").unwrap()[field] = value;
    }
    desired.trust["rules"] = json!({"x": "off"});
    let applied = bench.apply(&desired).unwrap();
    assert_eq!((applied.changed, applied.sealed, applied.head.serial, bench.objects()), (true, 0, 3, 101));
    desired.records.get_mut("group-5/c5").unwrap()["auth"]["password"] = secret("DB_PASSWORD", "2");
    assert_eq!(bench.apply(&desired).unwrap().sealed, 1);
    let (_, other) = keygen();
    desired.records.get_mut("group-6/c6").unwrap()["recipients"] = json!([other.as_str(), bench.recipient]);
    assert_eq!(bench.apply(&desired).unwrap().sealed, 1);
    let manifest = bench.deployed().unwrap().manifest;
    assert_eq!((manifest.serial, manifest.time.as_str()), (5, "2026-11-21T08:00:00Z"));
}

#[test]
fn a_lineage_is_kept_and_manifests_form_a_chain() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let first = bench.deployed().unwrap();
    bench.apply(&bench.desired(&["a", "b"])).unwrap();
    let second = bench.deployed().unwrap();
    assert_eq!(first.manifest.previous, None);
    assert_eq!(second.manifest.previous, Some(first.digest));
    assert_eq!(second.manifest.lineage, first.manifest.lineage);
}

#[test]
fn external_secrets_without_a_version_are_sealed_at_every_apply() {
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b", "c"]);
    let external = |delivery: &str| {
        let source = json!({"name": "P", "from": "env:TIELINE_SECRET_P", "version": null});
        json!({"$secret": {"names": ["P"], "sources": [source], "delivery": delivery}})
    };
    desired.records.get_mut("a").unwrap()["auth"]["password"] = external("resolve");
    desired.records.get_mut("b").unwrap()["auth"]["password"] = external("reference");
    bench.apply(&desired).unwrap();
    let again = bench.apply(&desired).unwrap();
    assert_eq!((again.changed, again.sealed, again.carried), (true, 1, 2));
    let plan = tieline::plan::Plan::new(&desired, bench.deployed().as_ref(), &|_, _| None);
    assert!(!plan.is_empty() && plan.changes.is_empty());
    let told = tieline::reporters::plan_human::plan_human(&plan, Against::Target("t"), LOOK);
    let expected =
        "resolved at apply: external secrets without a version\n  a\n\n0 to create, 0 to update, 0 to delete\n";
    assert_eq!(told, expected);
}

#[test]
fn a79_two_applies_race_and_the_loser_changes_nothing() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let base = bench.deployed();
    let (one, two) = (bench.desired(&["a", "one"]), bench.desired(&["a", "two"]));
    let start = Barrier::new(2);
    let results = std::thread::scope(|scope| {
        let run = |desired| {
            start.wait();
            bench.apply_onto(desired, base.as_ref())
        };
        let threads = [&one, &two].map(|desired| scope.spawn(move || run(desired)));
        threads.map(|thread| thread.join().unwrap())
    });
    let won: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert!(won == [true, false] || won == [false, true], "{results:?}");
    let [won_first, _] = won[..] else { unreachable!() };
    let manifest = bench.deployed().unwrap().manifest;
    assert_eq!(manifest.serial, 2);
    assert_eq!(manifest.connections.contains_key("one"), won_first);
    assert_eq!((bench.view("one").exists(), bench.view("two").exists()), (won_first, !won_first));
    let lost = results.into_iter().find_map(Result::err).unwrap();
    assert_eq!(lost.exit_code(), 3);
    let told = lost.to_string();
    assert!(told.starts_with("the environment moved from serial 1 (") && told.contains(") to serial 2 ("), "{told}");
}

#[test]
fn a81_the_same_plan_twice_is_refused_from_an_empty_target_too() {
    let bench = Bench::new();
    let desired = bench.desired(&["a"]);
    bench.apply_onto(&desired, None).unwrap();
    let before = bench.tree();
    assert_eq!(code(bench.apply_onto(&desired, None)), 3);
    assert!(bench.tree() == before);
}

#[test]
fn secrets_that_cannot_be_had_are_told_all_at_once_and_nothing_is_written() {
    struct Fails;
    impl Reveal for Fails {
        fn reveal(&self, instance: &str, _: &str) -> Result<Secret<String>, String> {
            match instance {
                "b" => Ok(Secret::new(CANARY.into())),
                "d" => Ok(Secret::new(String::new())),
                _ => Err("no identity opens it".into()),
            }
        }
    }
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b", "c", "d"]);
    desired.records.get_mut("c").unwrap()["recipients"] = json!(["age1nonsense"]);
    let error =
        tieline::apply::apply(&bench.target(), &desired, None, &Fails, &stamp(), &Options::default()).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let told = error.to_string();
    assert_eq!(told.lines().count(), 5, "{told}");
    assert!(told.contains("`d` /auth/password: the secret is empty"), "{told}");
    assert!(
        told.contains("can't be sealed: 3;") && told.contains("`a` /auth/password: no identity opens it"),
        "{told}"
    );
    assert!(!told.contains(CANARY));
    assert!(!bench.root().exists());
}

#[test]
fn a86_protect_forbids_delete_and_change_of_connector_or_key_until_lifted() {
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b"]);
    let set = |desired: &mut Desired, field: &str, value: Value| desired.records.get_mut("a").unwrap()[field] = value;
    set(&mut desired, "protect", true.into());
    bench.apply(&desired).unwrap();
    let before = bench.tree();
    assert_eq!(code(bench.apply(&bench.desired(&["b"]))), 4);
    for (field, value) in [("connector", "mysql"), ("key", "other")] {
        for protect in [true, false] {
            let mut changed = desired.clone();
            set(&mut changed, field, value.into());
            set(&mut changed, "protect", protect.into());
            assert_eq!(code(bench.apply(&changed)), 4, "{field}");
        }
    }
    let mut swapped = desired.clone();
    set(&mut swapped, "key", "b".into());
    swapped.records.get_mut("b").unwrap()["key"] = "a".into();
    assert_eq!(code(bench.apply(&swapped)), 4);
    assert!(bench.tree() == before);
    set(&mut desired, "protect", false.into());
    bench.apply(&desired).unwrap();
    bench.apply(&bench.desired(&["b"])).unwrap();
}

#[test]
fn the_view_shows_what_is_in_force_and_is_repaired() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b/c", "b/d/e"]);
    bench.apply(&desired).unwrap();
    let good = |bench: &Bench| fs::read(bench.view("b/c")).unwrap() == fs::read(object(bench, "b/c")).unwrap();
    assert!(good(&bench));
    fs::write(bench.view("b/c"), "other").unwrap();
    fs::remove_dir_all(bench.view("b/d").with_extension("")).unwrap();
    fs::write(bench.view("stray"), "x").unwrap();
    symlink("/etc", bench.view("b/d").with_extension("")).unwrap();
    let repaired = bench.apply(&desired).unwrap();
    assert_eq!((repaired.changed, repaired.view), (false, Ok(true)));
    assert!(good(&bench) && bench.view("b/d/e").is_file() && !bench.view("stray").exists());
    let fewer = bench.apply(&bench.desired(&["a"])).unwrap();
    assert_eq!(fewer.view, Ok(true));
    assert!(!bench.view("b").with_extension("").exists(), "empty folders go");
}

#[test]
fn a20_links_in_the_target_are_refused_and_files_are_the_owners_alone() {
    let bench = Bench::new();
    let desired = bench.desired(&["a"]);
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), bench.root()).unwrap();
    assert!(deployed(&bench.target(), &scope()).is_err());
    assert_eq!(code(bench.apply_onto(&desired, None)), 5);
    fs::remove_file(bench.root()).unwrap();
    for inner in ["objects", "manifests", "environments", "environments/prod"] {
        let path = bench.root().join(inner);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(elsewhere.path(), &path).unwrap();
        assert_eq!(code(bench.apply_onto(&desired, None)), 5, "{inner}");
        fs::remove_dir_all(bench.root()).unwrap();
    }
    // A folder that settings name, behind a link of the workspace.
    symlink(elsewhere.path(), bench.folder.path().join("out")).unwrap();
    let target = Directory::within(Beneath::new(bench.folder.path()).within("out/dist"), &scope());
    assert!(deployed(&target, &scope()).is_err());
    assert_eq!(code(tieline::apply::apply(&target, &desired, None, &Canaries, &stamp(), &Options::default())), 5);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    bench.apply(&desired).unwrap();
    for path in files(&bench.root()) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn e2_11_a_reseal_seals_every_connection_again() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b/c", "b/c@globex"]);
    bench.apply(&desired).unwrap();
    let objects = |bench: &Bench| -> Vec<Digest> {
        bench.deployed().unwrap().manifest.connections.into_values().map(|sealed| sealed.object).collect()
    };
    let before = objects(&bench);
    let options = Options { reseal: true, ..Options::default() };
    let base = bench.deployed();
    let applied =
        tieline::apply::apply(&bench.target(), &desired, base.as_ref(), &Canaries, &stamp(), &options).unwrap();
    assert_eq!((applied.changed, applied.sealed, applied.carried, applied.head.serial), (true, 3, 0, 2));
    assert!(objects(&bench).iter().all(|object| !before.contains(object)));
}

#[test]
fn e2_11_a_lost_object_is_sealed_again_and_not_carried_on() {
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b", "c"]);
    bench.apply(&desired).unwrap();
    let (lost, folder) = (object(&bench, "b"), object(&bench, "c"));
    for path in [&lost, &folder] {
        fs::remove_file(path).unwrap();
    }
    // What stands there and is no file is none of ours.
    fs::create_dir(folder).unwrap();
    desired.records.get_mut("a").unwrap()["config"]["host"] = "db2.example".into();
    let applied = bench.apply(&desired).unwrap();
    assert_eq!((applied.sealed, applied.carried), (3, 0));
    assert!(!lost.exists() && object(&bench, "b") != lost);
    let report = tieline::verify::verify(&bench.target(), &scope(), Some(&bench.identities())).unwrap();
    assert_eq!((report.objects, report.opened, report.problems), (3, 3, vec![]));
}

/// Two applies, of which the first is at its view while the second is done already.
#[test]
fn e2_11_an_apply_that_comes_late_shows_nothing_older() {
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b"]);
    bench.apply(&desired).unwrap();
    let first = bench.deployed().unwrap();
    desired.records.get_mut("a").unwrap()["config"]["host"] = "db2.example".into();
    desired.records.remove("b");
    bench.apply(&desired).unwrap();
    let before = bench.tree();
    assert_eq!(bench.target().refresh_view(&first), Ok(false));
    assert!(bench.tree() == before, "the view is that of serial 2");
    assert!(fs::read_to_string(bench.view("a")).unwrap().contains("db2.example") && !bench.view("b").exists());
}

/// One source that can't be told apart is enough, wherever it stands; an address that is delivered has none.
#[test]
fn e2_11_a_secret_of_which_one_source_has_no_version_is_sealed_at_every_apply() {
    use tieline::bundle::object::is_volatile;
    let bench = Bench::new();
    let source = |version: Value| json!({"name": "P", "from": "env:TIELINE_SECRET_P", "version": version});
    let with = |sources: [Value; 2], delivery: &str| {
        let mut record = bench.database("a");
        record["auth"]["password"] =
            json!({"$secret": {"names": ["P", "Q"], "sources": sources.map(source), "delivery": delivery}});
        record
    };
    for (sources, volatile) in [
        ([json!("1"), json!(null)], true),
        ([json!(null), json!("1")], true),
        ([json!(null), json!(null)], true),
        ([json!("1"), json!("2")], false),
    ] {
        assert_eq!(is_volatile(&with(sources.clone(), "resolve")), volatile, "{sources:?}");
        assert!(!is_volatile(&with(sources, "reference")));
    }
}

/// In words that anybody can read without a key; the manifest is checked against them, so they are spelled out here.
#[test]
fn e2_11_an_object_says_where_it_belongs() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["b/c@globex"])).unwrap();
    let text = fs::read_to_string(object(&bench, "b/c@globex")).unwrap();
    let (head, _) = text.split_once("config:\n").unwrap();
    let expected = "tieline:\n    connector: postgresql\n    customer: globex\n    environment: prod\n    format: 0\n    \
                    id: b/c\n    profile: null\n    reference: \"reference-of-b/c@globex\"\n    \
                    workspace: \"2fc57e25-dce2-4a90-ae69-ae44cb0c8e84\"\n";
    assert_eq!(head, expected);
}

/// A manifest is never before the one that it follows, whose clock may be an hour ahead; a clock further ahead is wrong.
#[test]
fn e2_11_the_time_of_a_manifest_follows_that_of_the_one_before() {
    for (time, expected) in [
        ("2026-11-21T07:30:00Z", "2026-11-21T08:00:00Z"),
        ("2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z"),
        ("2026-11-21T06:59:59Z", "2026-11-21T06:59:59Z"),
        ("2026-11-21T08:00:01Z", "2026-11-21T08:00:01Z"),
    ] {
        let bench = Bench::new();
        let at = |time: &str| Stamp { time: time.parse().unwrap(), ..stamp() };
        let apply = |ids: &[&str], time: &str| {
            let base = bench.deployed();
            let options = Options::default();
            tieline::apply::apply(&bench.target(), &bench.desired(ids), base.as_ref(), &Canaries, &at(time), &options)
        };
        apply(&["a"], "2026-11-21T08:00:00Z").unwrap();
        let first = bench.deployed().unwrap();
        assert_eq!(apply(&["a", "b"], time).unwrap().time, expected);
        let now = bench.deployed().unwrap();
        assert_eq!(now.manifest.time, expected);
        let back =
            tieline::apply::roll_back(&bench.target(), &first, &now, &at("2026-11-21T07:45:00Z"), &Options::default());
        assert_eq!(back.unwrap().time, expected.max("2026-11-21T07:45:00Z"));
    }
}

/// What is sealed, filed and shown under an id is what the record says of itself.
#[test]
fn e2_11_a_record_under_another_id_is_not_applied() {
    let bench = Bench::new();
    for (id, of) in [("a", "b"), ("a", "a@globex"), ("a@globex", "a"), ("../a", "../a"), ("", ""), ("a/../b", "a/../b")]
    {
        let desired = bench.desired_of([(id.to_owned(), bench.database(of))].into());
        let error = bench.apply(&desired).unwrap_err();
        assert!(error.exit_code() == 1 && error.to_string().contains("is no id of a connection"), "{id} {of}: {error}");
        assert!(!bench.root().join("objects").exists());
    }
}
