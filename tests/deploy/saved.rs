//! Promise: what was reviewed is what is applied, or nothing is.

use std::fs;

use serde_json::Value;

use crate::secrets::commit;
use crate::shell::{Ended, Shell, tree};

fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

fn edit(shell: &Shell, path: &str, from: &str, to: &str) {
    let text = shell.read(path);
    assert!(text.contains(from), "{path} has no {from}");
    shell.put(path, &text.replace(from, to));
}

fn refused(shell: &Shell, words: &str) -> Ended {
    let before = tree(&shell.folder.join("dist"));
    let ended = shell.run(&["apply", "prod", "--plan", "x.plan"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stderr.contains("this is not what was planned; nothing was changed"), "{ended:?}");
    assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    assert!(tree(&shell.folder.join("dist")) == before);
    ended
}

#[test]
fn c29_c30_a_saved_plan_is_applied_as_a_whole_and_without_being_asked_again() {
    let shell = quickstart();
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    let applied = shell.ok(&["apply", "prod", "--plan", "x.plan"]);
    assert!(applied.stderr.contains("applied serial 1"), "{applied:?}");
    // One head for all connections of the environment.
    let heads = tree(&shell.folder.join("dist")).into_iter().filter(|(path, _)| path.ends_with("head.json"));
    assert_eq!(heads.count(), 1);
}

#[test]
fn a81_the_same_plan_twice_is_refused_from_the_empty_state_too() {
    let shell = quickstart();
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    shell.ok(&["apply", "prod", "--plan", "x.plan"]);
    refused(&shell, "in force: nothing deployed in the plan, serial 1");
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    shell.ok(&["apply", "prod", "--plan", "x.plan"]);
    refused(&shell, "in force: serial 1");
}

#[test]
fn a80_a_plan_is_stale_once_the_workspace_or_the_target_moved() {
    let shell = quickstart();
    shell.ok(&["apply", "prod", "--yes"]);
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    edit(&shell, "connections/warehouse.yaml", "port: 5433", "port: 5434");
    refused(&shell, "what is desired: sha256:");
    shell.ok(&["apply", "prod", "--yes"]);
    edit(&shell, "connections/warehouse.yaml", "port: 5434", "port: 5433");
    refused(&shell, "in force: serial 1");
    // A schema, a recipient, a guard is part of what was reviewed.
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    edit(&shell, "environments/prod/environment.yaml", "description", "guards: {max_delete_count: 9}\ndescription");
    refused(&shell, "what is desired");
}

#[test]
fn a74_a_plan_of_another_version_environment_or_target_is_refused() {
    let shell = quickstart();
    shell.ok(&["apply", "prod", "--yes"]);
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    let tampered = |from: &str, to: &str, code: i32, words: &str| {
        shell.ok(&["plan", "prod", "--out", "x.plan"]);
        let path = shell.folder.join("x.plan");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let ended = shell.run(&["apply", "prod", "--plan", "x.plan"]);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    };
    let version = env!("CARGO_PKG_VERSION");
    tampered(&format!("\"tool\": \"{version}\""), "\"tool\": \"0.0.9\"", 3, "version of tieline: 0.0.9 in the plan");
    tampered(
        "\"environment\": \"prod\"",
        "\"environment\": \"dev\"",
        64,
        "the plan `x.plan` is of `dev`, not of `prod`",
    );
    tampered("\"target\": \"dist\"", "\"target\": \"elsewhere\"", 3, "target: elsewhere in the plan, dist now");
    tampered("\"workspace\": \"7a1f", "\"workspace\": \"8a1f", 3, "workspace: 8a1f");
    tampered("\"tieline_plan\": 0", "\"tieline_plan\": 7", 1, "newer than this tieline knows");
    tampered("\"tieline_plan\": 0", "\"tieline_plan\": 1", 1, "newer than this tieline knows");
    tampered("\"tieline_plan\": 0,", "\"tieline_plan\": 0, \"more\": 1,", 1, "it is damaged");
    // A base of the same serial and lineage, and other bytes: in the first digits of its digest, or in the last.
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    let saved: Value = serde_json::from_str(&shell.read("x.plan")).unwrap();
    let digest = saved["base"]["digest"].as_str().unwrap();
    let other = |at: usize| {
        let digit = if &digest[at..=at] == "0" { "1" } else { "0" };
        format!("{}{digit}{}", &digest[..at], &digest[at + 1..])
    };
    for at in ["sha256:".len(), digest.len() - 1] {
        tampered(digest, &other(at), 3, "in force: serial 1");
    }
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    let elsewhere = shell.run(&["apply", "prod", "--plan", "x.plan", "--target", "other"]);
    assert_eq!(elsewhere.code, 3, "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("target: dist in the plan, other now"), "{elsewhere:?}");
    assert!(!shell.folder.join("other").exists());
    fs::write(shell.folder.join("x.plan"), "{}").unwrap();
    assert!(shell.run(&["apply", "prod", "--plan", "x.plan"]).stderr.contains("it is not a saved plan"));
}

#[test]
fn a_plan_of_a_pull_requests_head_applies_on_its_merge() {
    let shell = quickstart();
    commit(&shell, "one");
    shell.ok(&["plan", "prod", "--out", "../x.plan"]);
    shell.put("README.md", "merged\n");
    commit(&shell, "merged");
    shell.ok(&["apply", "prod", "--plan", "../x.plan"]);
}

#[test]
fn a44_a_saved_plan_holds_no_secret_and_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let shell = quickstart();
    assert_eq!(shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "kanarienvogel-7").code, 0);
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    let path = shell.folder.join("x.plan");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("kanarienvogel"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let saved: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(saved["plan"]["summary"]["create"], 2);
}

/// Of what is told of other targets and trust, the line may have moved, and nothing else.
#[test]
fn e2_11_a_trust_change_that_was_not_reviewed_is_told_wherever_it_stands() {
    use serde_json::json;
    use tieline::plan::saved::Saved;
    let saved = |line: u64, new: &str| -> Saved {
        let change = json!({"path": "/recipients/ops", "new": new, "file": "tieline.yaml", "line": line});
        serde_json::from_value(json!({
            "tieline_plan": 0, "tool": "0.1.0", "workspace": "w", "environment": "prod", "profile": null,
            "expose": null, "target": "dist", "base": null, "desired": tieline::bundle::Digest::of(b""),
            "commit": null, "time": "2026-11-21T08:00:00Z", "plan": {"trust_changes": [change]},
        }))
        .unwrap()
    };
    assert_eq!(saved(1, "age1a").differences(&saved(9, "age1a")), [""; 0]);
    let told = saved(1, "age1a").differences(&saved(1, "age1b"));
    assert_eq!(told, ["1 trust change now that the plan did not show"]);
}
