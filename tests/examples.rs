//! Promise: every example compiles, deploys and opens, as its own README says.

use std::fs;

use serde_json::Value;

use crate::shell::{Shell, feed, sops, tree};
use crate::support::{files, root};

fn each(check: impl Fn(&str, Shell)) {
    let mut names: Vec<_> = fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| root().join("examples").join(name).is_dir())
        .collect();
    names.sort();
    assert!(names.contains(&"quickstart".to_owned()), "{names:?}");
    for name in names {
        check(&name, Shell::example(&name));
    }
}

fn environments(shell: &Shell) -> Vec<String> {
    let folders = fs::read_dir(shell.folder.join("environments")).unwrap();
    let mut names: Vec<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_example_validates_without_a_key() {
    each(|name, shell| {
        let ended = shell.ok(&["validate"]);
        assert!(ended.stdout.ends_with(": no problems\n"), "{name}: {}", ended.stdout);
        assert_eq!(ended.stderr, "", "{name}");
        let report: Value = serde_json::from_str(&shell.ok(&["validate", "--format", "json"]).stdout).unwrap();
        assert_eq!(report["diagnostics"].as_array().unwrap().len(), 0, "{name}");
    });
}

#[test]
fn z12_every_example_plans_and_applies_each_environment_and_a_second_apply_changes_no_byte() {
    each(|name, shell| {
        for environment in environments(&shell) {
            let at = format!("{name}/{environment}");
            let target = shell.folder.join("elsewhere");
            let target = ["--target", target.to_str().unwrap()];
            let run = |arguments: &[&str]| shell.run(&[arguments, &target].concat());
            let plan = run(&["plan", &environment, "--detailed-exitcode"]);
            assert_eq!(plan.code, 2, "{at}: no key is needed to plan\n{plan:#?}");
            let sealed = run(&["apply", &environment, "--yes", "--initial"]);
            assert_eq!(sealed.code, 1, "{at}: without an identity nothing is applied\n{sealed:#?}");
            let head = shell.folder.join("elsewhere/environments").join(&environment).join("head.json");
            assert!(!head.exists(), "{at}");

            let identity = shell.folder.join("demo-identity.txt");
            let identity = ["--identity", identity.to_str().unwrap()];
            let with_key = |arguments: &[&str]| {
                let ended = shell.run(&[arguments, &target, &identity].concat());
                assert_eq!(ended.code, 0, "{at}: {arguments:?}\n{ended:#?}");
                ended
            };
            with_key(&["apply", &environment, "--yes", "--initial"]);
            let told = with_key(&["verify", &environment]).stdout;
            assert!(told.ends_with(": all as they should be\n"), "{at}: {told}");

            let before = tree(&shell.folder.join("elsewhere"));
            assert_eq!(run(&["plan", &environment, "--detailed-exitcode"]).code, 0, "{at}");
            let again = run(&["apply", &environment, "--yes"]);
            assert_eq!((again.code, again.stderr.as_str()), (0, "nothing to do\n"), "{at}: {again:#?}");
            assert!(before == tree(&shell.folder.join("elsewhere")), "{at}: a second apply changed something");
        }
    });
}

#[test]
fn n07_peer_sops_opens_every_file_of_the_view() {
    let Some(sops) = sops() else { return };
    each(|name, shell| {
        let shell = shell.with_demo_identity();
        let mut opened = 0;
        for environment in environments(&shell) {
            shell.ok(&["apply", &environment, "--yes", "--initial"]);
            let records = shell.ok(&["render", &environment, "--format", "json"]).stdout;
            let records: Value = serde_json::from_str(&records).unwrap();
            let view = shell.folder.join("dist/environments").join(&environment).join("current/connections");
            for path in files(&view) {
                let mut command = shell.command(&sops);
                let ended = feed(command.args(["decrypt", "--output-type", "json"]).arg(view.join(&path)), "");
                assert_eq!(ended.code, 0, "{name}/{environment}/{path}: {}", ended.stderr);
                let document: Value = serde_json::from_str(&ended.stdout).unwrap();
                let record = &records["connections"][path.strip_suffix(".yaml").unwrap()];
                assert_eq!(document["tieline"]["reference"], record["reference"], "{name}/{environment}/{path}");
                same_but_secrets(&record["config"], &document["config"], &path);
                same_but_secrets(&record["auth"], &document["auth"], &path);
                opened += 1;
            }
            assert_eq!(records["connections"].as_object().unwrap().len(), files(&view).len(), "{name}/{environment}");
        }
        assert!(opened > 2, "{name}");
    });
}

/// What stock sops shows is what `render` shows, with text in the place of references.
fn same_but_secrets(record: &Value, opened: &Value, at: &str) {
    match (record, opened) {
        (Value::Object(map), Value::String(text)) => {
            assert!(map.contains_key("$secret") && !text.is_empty() && !text.starts_with("ENC["), "{at}: {record}");
        }
        (Value::Object(map), Value::Object(other)) => {
            assert!(map.keys().eq(other.keys()), "{at}: {record} {opened}");
            for (key, value) in map {
                same_but_secrets(value, &other[key], at);
            }
        }
        (Value::Array(list), Value::Array(other)) => {
            assert_eq!(list.len(), other.len(), "{at}");
            list.iter().zip(other).for_each(|(a, b)| same_but_secrets(a, b, at));
        }
        _ => assert_eq!(record, opened, "{at}"),
    }
}
