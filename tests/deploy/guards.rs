//! Promise: nothing is deleted that somebody did not mean to.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tieline::plan::guards::refusals;

use super::Bench;
use crate::peers::there;
use crate::shell::{Ended, Shell, feed, tree};

/// A workspace with so many connections, applied.
fn applied(count: usize, settings: &str) -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    for n in 0..count {
        shell.put(
            &path(n),
            &format!("connector: http\nconfig: {{base_url: 'https://c{n}.example.com'}}\nauth: {{mode: none}}\n"),
        );
    }
    guard(&shell, settings);
    shell.ok(&["apply", "prod", "--yes"]);
    shell
}

fn path(n: usize) -> String {
    format!("connections/c{n}.yaml")
}

fn guard(shell: &Shell, settings: &str) {
    let file = "environments/prod/environment.yaml";
    let text = shell.read(file);
    let kept: String =
        text.lines().filter(|line| !line.starts_with("guards")).map(|line| format!("{line}\n")).collect();
    shell.put(file, &format!("{kept}{settings}"));
}

fn delete(shell: &Shell, numbers: std::ops::Range<usize>) {
    numbers.for_each(|n| fs::remove_file(shell.folder.join(path(n))).unwrap());
}

fn refused(shell: &Shell, more: &[&str], words: &str) -> Ended {
    let before = tree(&shell.folder.join("dist"));
    let ended = shell.run(&[&["apply", "prod", "--yes"], more].concat());
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    assert!(tree(&shell.folder.join("dist")) == before);
    ended
}

#[test]
fn a86_more_deletions_than_usual_need_their_exact_number() {
    let shell = applied(10, "");
    delete(&shell, 0..3);
    // Three of twelve are many, and few.
    shell.ok(&["apply", "prod", "--yes"]);
    delete(&shell, 3..7);
    refused(&shell, &[], "4 of 9 deployed connections would be deleted");
    refused(&shell, &["--allow-delete", "3"], "the plan deletes 4, and `--allow-delete 3` was given");
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(plan.contains("refused\n  4 of 9 deployed connections would be deleted"), "{plan}");
    assert!(plan.contains("`--allow-delete 4`"), "{plan}");
    shell.ok(&["apply", "prod", "--yes", "--allow-delete", "4"]);
}

#[test]
fn a86_the_stricter_of_the_deployed_and_the_new_guards_counts() {
    let shell = applied(10, "guards: {max_delete_count: 0}\n");
    delete(&shell, 0..1);
    refused(&shell, &[], "the deployed guards allow 0");
    // To lift a guard and delete in one change is refused: the first is an apply of its own.
    guard(&shell, "guards: {max_delete_count: 5}\n");
    refused(&shell, &[], "the deployed guards allow 0");
    guard(&shell, "guards: {max_delete_percent: 5}\n");
    refused(&shell, &[], "the deployed guards allow 0");
    let shell = applied(10, "guards: {max_delete_count: 5}\n");
    guard(&shell, "guards: {max_delete_percent: 5}\n");
    delete(&shell, 0..1);
    refused(&shell, &[], "the new guards allow 5 %");
}

#[test]
fn a85_a_workspace_that_is_not_found_or_does_not_load_deletes_nothing() {
    let shell = applied(2, "guards: {max_delete_percent: 100, max_delete_count: 100}\n");
    let aside = shell.everything().join("aside");
    // No files at all: nothing would be left.
    for folder in ["connections", "consumers", "credentials", "environments/prod/connections"] {
        fs::rename(shell.folder.join(folder), aside.join(folder.replace('/', "-"))).unwrap_or_else(|_| {
            fs::create_dir_all(&aside).unwrap();
            fs::rename(shell.folder.join(folder), aside.join(folder.replace('/', "-"))).unwrap();
        });
    }
    refused(&shell, &[], "nothing would be left");
    for folder in ["connections", "consumers", "credentials", "environments/prod/connections"] {
        fs::rename(aside.join(folder.replace('/', "-")), shell.folder.join(folder)).unwrap();
    }
    // A file that can't be read, an environment that is not there: no apply.
    for (path, text) in [("connections/c0.yaml", "connector: [\n"), ("tieline.yaml", "tieline: 1\n")] {
        let good = shell.read(path);
        shell.put(path, text);
        let ended = shell.run(&["apply", "prod", "--yes", "--allow-delete", "4"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        shell.put(path, &good);
    }
    assert_eq!(shell.run(&["apply", "prd", "--yes"]).code, 64);
    assert!(shell.ok(&["apply", "prod", "--yes"]).stderr.contains("nothing to do"));
}

#[test]
fn c07_what_is_protected_stays_through_a_rollback_and_whatever_number_is_allowed() {
    let shell = applied(1, "");
    shell.put(&path(1), &format!("protect: true\n{}", shell.read(&path(0)).replace("c0.", "c1.")));
    shell.ok(&["apply", "prod", "--yes"]);
    let ended = shell.run(&["rollback", "prod", "--yes", "--allow-delete", "1"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.stderr.contains("`c1`: it is protected and would be deleted"), "{ended:?}");
    delete(&shell, 1..2);
    refused(&shell, &["--allow-delete", "1"], "it is protected and would be deleted");
}

#[test]
fn a_protected_environment_asks_for_a_word_at_its_first_apply() {
    let shell = Shell::example("quickstart").with_demo_identity();
    guard(&shell, "protected: true\n");
    let first = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(first.code, 4, "{first:?}");
    assert!(first.stderr.contains("if that is the right target: `tieline apply prod --initial`"), "{first:?}");
    shell.ok(&["apply", "prod", "--yes", "--initial"]);
    // It says that nothing is there, and no more than that.
    let again = shell.run(&["apply", "prod", "--yes", "--initial"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert!(again.stderr.contains("`--initial` says that nothing is deployed at"), "{again:?}");
}

#[test]
fn a86_in_a_protected_environment_every_deletion_needs_its_number() {
    let shell = Shell::example("quickstart").with_demo_identity();
    for n in 0..10 {
        shell.put(
            &path(n),
            &format!("connector: http\nconfig: {{base_url: 'https://c{n}.example.com'}}\nauth: {{mode: none}}\n"),
        );
    }
    guard(&shell, "protected: true\n");
    shell.ok(&["apply", "prod", "--yes", "--initial"]);
    delete(&shell, 0..1);
    refused(&shell, &[], "the deployed guards allow none, since the environment is protected");
    shell.ok(&["apply", "prod", "--yes", "--allow-delete", "1"]);
}

#[test]
fn on_a_terminal_an_apply_asks_and_takes_yes_alone_for_a_yes() {
    if !there("script", Command::new("script").arg("--version")) {
        return;
    }
    let shell = Shell::example("quickstart").with_demo_identity();
    let typed = |answer: &str| {
        let mut command = shell.command("script");
        command.args(["-qec", &format!("{} apply prod", env!("CARGO_BIN_EXE_tieline")), "/dev/null"]);
        feed(&mut command, answer)
    };
    for no in ["no\n", "y\n", "\n"] {
        let ended = typed(no);
        assert!(ended.code == 1 && ended.stdout.contains("nothing was changed"), "{ended:?}");
        assert!(!shell.folder.join("dist").exists());
    }
    let ended = typed("yes\n");
    assert!(ended.code == 0 && ended.stdout.contains("Apply this to prod?"), "{ended:?}");
    assert!(ended.stdout.contains("stored 2/2") && ended.stdout.contains("applied serial 1"), "{ended:?}");
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_applied() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let ended = shell.run(&["apply", "prod"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.stderr.contains("there is nobody to ask") && !shell.folder.join("dist").exists(), "{ended:?}");
    shell.ok(&["apply", "prod", "--yes"]);
    let ended = shell.run(&["rollback", "prod", "1"]);
    assert!(ended.stderr.contains("nothing to do"), "{ended:?}");
}

/// At each limit nothing is asked, one beyond it is; and the number that is given is exactly that of the plan.
#[test]
fn e2_11_a_guard_lets_through_what_it_names_and_not_one_more() {
    let names: Vec<String> = (0..25).map(|n| format!("c{n}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let bench = Bench::new();
    let of = |ids: &[&str], trust: &Value| {
        let mut desired = bench.desired(ids);
        for (key, value) in trust.as_object().unwrap() {
            desired.trust[key] = value.clone();
        }
        desired
    };
    let none = json!({});
    let (count, percent) = (json!({"guards": {"max_delete_count": 2}}), json!({"guards": {"max_delete_percent": 20}}));
    let protected = json!({"protected": true});
    for (trust, deployed, most) in
        [(&none, 25, 5), (&none, 10, 3), (&none, 5, 3), (&count, 10, 2), (&percent, 10, 2), (&protected, 10, 0)]
    {
        let _ = fs::remove_dir_all(bench.root());
        bench.apply(&of(&ids[..deployed], trust)).unwrap();
        let base = bench.deployed();
        let refused = |deleted: usize, allowed: Option<usize>| {
            !refusals(&of(&ids[deleted..deployed], trust), base.as_ref(), allowed).is_empty()
        };
        for deleted in 0..=most + 1 {
            assert_eq!(refused(deleted, None), deleted > most, "{trust}: {deleted} of {deployed}");
            for allowed in [0, 1, deleted, deleted + 1, 9] {
                assert_eq!(refused(deleted, Some(allowed)), allowed != deleted, "{trust}: {allowed} for {deleted}");
            }
        }
    }
}

/// What is deployed and what is new guard alike, and going back lifts neither.
#[test]
fn e2_11_the_stricter_guard_counts_whichever_side_it_stands_on() {
    let of = |bench: &Bench, ids: &[&str], trust: &Value| {
        let mut desired = bench.desired(ids);
        for (key, value) in trust.as_object().unwrap() {
            desired.trust[key] = value.clone();
        }
        desired
    };
    let ids = ["a", "b", "c", "d", "e"];
    let (none, protected) = (json!({}), json!({"protected": true}));
    let (count, higher) = (json!({"guards": {"max_delete_count": 0}}), json!({"guards": {"max_delete_count": 1}}));
    let percent = json!({"guards": {"max_delete_percent": 10}});
    let more = json!({"guards": {"max_delete_percent": 30}});
    let limits = json!({"protected": true, "guards": {"max_delete_count": 1}});
    // One of five is deleted; whether `--allow-delete 1` lets it through.
    for (old, new, refused, allowed) in [
        (&none, &none, false, true),
        (&none, &count, true, true),
        (&none, &percent, true, true),
        (&none, &protected, true, true),
        (&count, &count, true, true),
        (&higher, &higher, false, true),
        // It lifts what guards, and deletes: never in one apply.
        (&count, &none, true, false),
        (&count, &higher, true, false),
        (&percent, &more, true, false),
        (&percent, &none, true, false),
        (&protected, &none, true, false),
        // A protected environment without limits allows none; limits of its own are higher.
        (&protected, &limits, true, false),
        (&limits, &higher, true, false),
    ] {
        let bench = Bench::new();
        bench.apply(&of(&bench, &ids, old)).unwrap();
        let base = bench.deployed();
        let desired = of(&bench, &ids[1..], new);
        let found = |allow| !refusals(&desired, base.as_ref(), allow).is_empty();
        assert_eq!((found(None), !found(Some(1))), (refused, allowed), "{old} -> {new}");
        // Without a deletion, and with none left.
        assert!(refusals(&of(&bench, &ids, new), base.as_ref(), None).is_empty(), "{old} -> {new}");
        assert!(!refusals(&of(&bench, &[], new), base.as_ref(), None).is_empty(), "{old} -> {new}");
    }
}

/// `protect` counts on either side, under the id and under the key.
#[test]
fn e2_11_protect_counts_as_deployed_and_as_desired() {
    let bench = Bench::new();
    let with =
        |ids: &[&str], change: &dyn Fn(&mut std::collections::BTreeMap<String, tieline::model::record::Record>)| {
            let mut desired = bench.desired(ids);
            change(&mut desired.records);
            desired
        };
    let set = |id: &'static str, field: &'static str, value: Value| {
        move |records: &mut std::collections::BTreeMap<String, tieline::model::record::Record>| {
            records.get_mut(id).unwrap()[field] = value.clone();
        }
    };
    let refused = |old: &tieline::model::record::Desired, new: &tieline::model::record::Desired| -> Vec<String> {
        let _ = fs::remove_dir_all(bench.root());
        bench.apply(old).unwrap();
        let refused = refusals(new, bench.deployed().as_ref(), None);
        refused.into_iter().map(|one| one.reason.split(';').next().unwrap().to_owned()).collect()
    };
    let (plain, two) = (with(&["a", "b"], &|_| ()), with(&["a", "b", "c"], &|_| ()));
    let old = with(&["a", "b"], &set("a", "protect", true.into()));
    assert_eq!(refused(&old, &with(&["b"], &|_| ())), ["it is protected and would be deleted"]);
    assert_eq!(refused(&old, &plain), [""; 0], "to lift it is a change of its own");
    for (field, words) in [
        ("connector", "it is protected and would get another connector"),
        ("key", "it is protected and would get another key"),
    ] {
        let other = |protect: bool| {
            with(&["a", "b"], &|records| {
                set("a", field, "mysql".into())(records);
                set("a", "protect", protect.into())(records);
            })
        };
        for protect in [true, false] {
            assert_eq!(refused(&old, &other(protect))[0], words, "deployed as protected, desired {protect}");
        }
        assert_eq!(refused(&plain, &other(true))[0], words, "desired as protected");
        assert_eq!(refused(&plain, &other(false)), [""; 0]);
    }
    // Moved to another id, and another in its place.
    let moved = |protect: bool| {
        with(&["a", "b", "c"], &|records| {
            let mut record = records.remove("c").unwrap();
            record["id"] = "c".into();
            record["key"] = "a".into();
            record["protect"] = protect.into();
            records.insert("c".into(), record);
            records.get_mut("a").unwrap()["key"] = "new".into();
        })
    };
    for protect in [true, false] {
        assert!(!refused(&old, &moved(protect)).is_empty(), "the id of a protected one is given to another: {protect}");
    }
    assert!(!refused(&plain, &moved(true)).is_empty());
    // The protected one itself is moved, and gets another connector there.
    let elsewhere = |connector: &str| {
        with(&["b", "c"], &|records| {
            set("c", "key", "a".into())(records);
            set("c", "connector", connector.into())(records);
        })
    };
    assert_eq!(refused(&old, &elsewhere("mysql")), ["it is protected and would get another connector"]);
    assert_eq!(refused(&old, &elsewhere("postgresql")), [""; 0], "a move is no deletion");
    // Whoever gets its id is protected, and has another key.
    let newcomer = with(&["a", "b", "c"], &|records| {
        set("c", "key", "a".into())(records);
        set("a", "key", "new".into())(records);
        set("a", "protect", true.into())(records);
    });
    assert_eq!(refused(&plain, &newcomer), ["it is protected and would get another key"]);
    assert_eq!(refused(&two, &two), [""; 0]);
}

/// What was put in force before there were guards comes back under them.
#[test]
fn e2_11_a_rollback_is_guarded_as_what_is_in_force() {
    let (none, ids) = (json!({}), ["a", "b"]);
    for trust in [
        json!({"protected": true}),
        json!({"guards": {"max_delete_count": 0}}),
        json!({"protected": true, "guards": {"max_delete_percent": 10}}),
    ] {
        let bench = Bench::new();
        let of = |trust: &Value, host: &str| {
            let mut desired = bench.desired(&ids);
            for (key, value) in trust.as_object().unwrap() {
                desired.trust[key] = value.clone();
            }
            let record = desired.records.get_mut("a").unwrap();
            record["config"]["host"] = host.into();
            record["protect"] = (host != "db.example").into();
            desired
        };
        bench.apply(&of(&none, "db.example")).unwrap();
        let first = bench.deployed().unwrap();
        bench.apply(&of(&trust, "db2.example")).unwrap();
        let base = bench.deployed().unwrap();
        let options = tieline::apply::Options::default();
        tieline::apply::roll_back(&bench.target(), &first, &base, &super::stamp(), &options).unwrap();
        let now = bench.deployed().unwrap().manifest;
        for part in ["protected", "guards"] {
            let (is, was) = (now.trust.get(part), base.manifest.trust.get(part));
            assert_eq!(is.filter(|v| !v.is_null()), was, "{part} of {trust}");
        }
        let record = &now.connections["a"].record;
        assert_eq!((&record["protect"], &record["config"]["host"]), (&json!(true), &json!("db.example")), "{trust}");
        // A connection that came since is protected: going back would delete it.
        let mut more = of(&trust, "db2.example");
        more.records.insert("c".into(), bench.database("c"));
        more.records.get_mut("c").unwrap()["protect"] = true.into();
        bench.apply(&more).unwrap();
        let base = bench.deployed().unwrap();
        let back = tieline::apply::roll_back(&bench.target(), &first, &base, &super::stamp(), &options);
        assert_eq!(back.unwrap_err().exit_code(), 4, "{trust}");
    }
}
