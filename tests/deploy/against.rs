//! Promise: a plan against a revision needs no key, no network and no work of the repository's own, and shows every change.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::peers::{permitted, there};
use crate::secrets::{commit, git};
use crate::shell::{Ended, Shell, feed};

/// The quickstart in a repository, committed, nobody's key at hand.
fn repository() -> Shell {
    let shell = Shell::example("quickstart");
    commit(&shell, "one");
    shell
}

fn edit(shell: &Shell, path: &str, from: &str, to: &str) {
    let text = shell.read(path);
    assert!(text.contains(from), "{path} has no {from}");
    shell.put(path, &text.replace(from, to));
}

fn json(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.ok(&[arguments, &["--format", "json"]].concat()).stdout).unwrap()
}

#[test]
fn n01_a_strangers_pull_request_is_planned_without_a_key_and_every_change_is_shown() {
    let shell = repository();
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    edit(
        &shell,
        "consumers/nightly-sync.yaml",
        "  - hubspot",
        "  - {slot: crm, connection: hubspot, accepts: [hubspot]}\n#",
    );
    shell.put(
        "connections/status.yaml",
        "connector: http\nconfig: {base_url: https://s.example.com}\nauth: {mode: none}\n",
    );
    // Whoever has no key can seal: a secret is seen by its version.
    let sealed = shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "pat-na1-other");
    assert_ne!(sealed.code, 0, "without a key the other values can't be kept: {sealed:?}");
    let theirs = Shell::example("quickstart").with_demo_identity();
    assert_eq!(theirs.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "pat-na1-other").code, 0);
    shell.put("environments/prod/secrets.sops.yaml", &theirs.read("environments/prod/secrets.sops.yaml"));
    let text = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    insta::assert_snapshot!("against_head", text);
    // The last line but the counts of the target: nothing was ever deployed here.
    assert!(!shell.folder.join("dist").exists());
    let plan = json(&shell, &["plan", "prod", "--against", "HEAD"]);
    assert_eq!(plan["base"]["revision"], "HEAD");
    assert_eq!(plan["summary"]["create"], 1);
    assert_eq!(shell.run(&["plan", "prod", "--against", "HEAD", "--detailed-exitcode"]).code, 2);
}

#[test]
fn n01_two_revisions_and_where_a_branch_began_are_compared_and_the_work_tree_is_not_looked_at() {
    let shell = repository();
    assert_eq!(git(&shell, &["checkout", "-q", "-b", "feature"]).code, 0);
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    commit(&shell, "two");
    assert_eq!(git(&shell, &["checkout", "-q", "main"]).code, 0);
    edit(&shell, "connections/hubspot.yaml", "number_of_api_call_retries: 5", "number_of_api_call_retries: 6");
    commit(&shell, "three");
    fs::remove_dir_all(shell.folder.join("connections")).unwrap();
    let told = |range: &str| shell.ok(&["plan", "prod", "--against", range]).stdout;
    let both = told("main..feature");
    assert!(both.contains("config.port: 5432 -> 5433") && both.contains("retries: 6 -> 5"), "{both}");
    let branch = told("main...feature");
    assert!(branch.contains("config.port: 5432 -> 5433") && !branch.contains("retries"), "{branch}");
    assert_eq!(told("main..main"), "no changes: prod is the same at main\n");
    // What went has the line that it stood on.
    let back = told("feature..main~1");
    assert!(back.contains("5433 -> 5432"), "{back}");
}

#[test]
fn a_linked_work_tree_and_a_workspace_deep_in_a_repository_are_compared_too() {
    let shell = Shell::new();
    let deep = shell.folder.join("teams/data");
    crate::shell::copy(&crate::support::root().join("examples/quickstart"), &deep);
    commit(&shell, "one");
    assert_eq!(git(&shell, &["worktree", "add", "-q", "../linked", "-b", "linked"]).code, 0);
    for root in [shell.folder.clone(), shell.everything().join("linked")] {
        let folder = root.join("teams/data");
        let path = folder.join("connections/warehouse.yaml");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("port: 5432", "port: 5433")).unwrap();
        let plan = shell.ok(&["plan", "prod", "--against", "HEAD", "-C", folder.to_str().unwrap()]).stdout;
        assert!(plan.contains("config.port: 5432 -> 5433"), "{plan}");
        assert!(plan.ends_with("0 to create, 1 to update, 0 to delete\n"), "{plan}");
    }
}

#[test]
fn every_environment_is_planned_and_one_that_is_gone_or_new_is_said() {
    let shell = repository();
    fs::create_dir_all(shell.folder.join("environments/test")).unwrap();
    shell.put("environments/test/environment.yaml", "extends: dev\n");
    fs::remove_dir_all(shell.folder.join("environments/prod")).unwrap();
    let all = shell.ok(&["plan", "--all", "--against", "HEAD"]);
    assert!(all.stdout.contains("== dev\nno changes"), "{all:?}");
    assert!(all.stdout.contains("== test\nthere is no test at HEAD yet"), "{all:?}");
    assert!(all.stderr.contains("`prod` is gone; what is deployed of it stays"), "{all:?}");
    let plans = json(&shell, &["plan", "--all", "--against", "HEAD"]);
    let names: Vec<&str> =
        plans["plans"].as_array().unwrap().iter().map(|p| p["environment"].as_str().unwrap()).collect();
    assert_eq!(names, ["dev", "test"]);
}

#[test]
fn a_profile_that_is_gone_is_said_and_not_planned() {
    let shell = Shell::example("tenants");
    let profile = walkdir::WalkDir::new(&shell.folder).into_iter().map(|e| e.unwrap().into_path());
    let profiles: Vec<_> = profile.filter(|path| path.is_dir() && path.ends_with("profiles")).collect();
    assert!(!profiles.is_empty());
    commit(&shell, "one");
    let before = shell.ok(&["plan", "--all", "--against", "HEAD"]);
    assert!(before.stdout.contains("+test\n") && before.stderr.is_empty(), "{before:?}");
    profiles.iter().for_each(|path| fs::remove_dir_all(path).unwrap());
    let after = shell.ok(&["plan", "--all", "--against", "HEAD"]);
    assert!(!after.stdout.contains("+test\n"), "{after:?}");
    assert!(after.stderr.contains("+test` is gone; what is deployed of it stays as it is"), "{after:?}");
}

#[test]
fn a_revision_that_is_not_there_or_does_not_compile_is_said() {
    let shell = repository();
    let absent = shell.run(&["plan", "prod", "--against", "origin/main"]);
    assert_eq!(absent.code, 1);
    assert!(absent.stderr.contains("there is no revision `origin/main` in this clone"), "{absent:?}");
    assert!(absent.stderr.contains("fetch"), "{absent:?}");
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "prot: 5432");
    commit(&shell, "broken");
    edit(&shell, "connections/warehouse.yaml", "prot: 5432", "port: 5432");
    let broken = shell.run(&["plan", "prod", "--against", "HEAD"]);
    assert_eq!(broken.code, 1);
    assert!(broken.stderr.contains("did you mean `port`?"), "{broken:?}");
    assert!(broken.stderr.contains("`prod` does not compile at HEAD: 1 error"), "{broken:?}");
    // Before there was a workspace, everything is new.
    let other = Shell::new();
    fs::write(other.folder.join("README"), "x").unwrap();
    commit(&other, "nothing yet");
    crate::shell::copy(&crate::support::root().join("examples/quickstart"), &other.folder);
    let fresh = other.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    assert!(fresh.starts_with("there is no prod at HEAD yet\n") && fresh.contains("2 to create"), "{fresh}");
    let none = Shell::example("quickstart").run(&["plan", "prod", "--against", "HEAD"]);
    assert!(none.stderr.contains("the workspace is not in a Git repository"), "{none:?}");
}

#[test]
fn a61_a62_validate_and_plan_say_the_same_without_a_network_a_key_or_a_home() {
    if !there("unshare", Command::new("unshare").arg("--version"))
        || !permitted("unshare", Command::new("unshare").args(["-n", "true"]))
    {
        return;
    }
    let shell = repository();
    edit(
        &shell,
        "environments/prod/environment.yaml",
        "description: Production",
        "description: P\nsecrets: {API: 'vault://kv/prod/x#y'}",
    );
    edit(&shell, "connections/hubspot.yaml", "secrets.HUBSPOT_TOKEN", "secrets.API");
    shell.put(
        "environments/dev/environment.yaml",
        &format!("{}secrets: {{API: 'env:TIELINE_SECRET_API'}}\n", shell.read("environments/dev/environment.yaml")),
    );
    let alone = |arguments: &[&str]| -> Ended {
        let mut command = shell.command("unshare");
        command
            .args(["-n", env!("CARGO_BIN_EXE_tieline")])
            .args(arguments)
            .env_remove("HOME")
            .env_remove("XDG_CONFIG_HOME");
        feed(&mut command, "")
    };
    let with = shell_with_key(&shell);
    for arguments in [
        vec!["validate"],
        vec!["plan", "prod", "--against", "HEAD"],
        vec!["plan", "--all", "--against", "HEAD", "--format", "json"],
        vec!["plan", "prod", "--against", "HEAD", "--format", "markdown"],
    ] {
        let (here, there) = (with.run(&arguments), alone(&arguments));
        assert_eq!(
            (here.code, &here.stdout, &here.stderr),
            (there.code, &there.stdout, &there.stderr),
            "{arguments:?}"
        );
        assert_eq!(here.code, 0, "{here:?}");
    }
    // What a store holds is not resolved, and said so.
    let plan = alone(&["plan", "prod", "--against", "HEAD"]).stdout;
    assert!(plan.contains("resolved at apply"), "{plan}");
}

/// The same folder, with the key that opens everything.
fn shell_with_key(shell: &Shell) -> Shell {
    let key = shell.folder.join("demo-identity.txt");
    shell.again().with("SOPS_AGE_KEY_FILE", key.to_str().unwrap())
}

#[test]
fn a12_links_in_a_revision_are_refused_as_those_of_a_work_tree() {
    let shell = repository();
    let secret = shell.everything().join("passwd");
    fs::write(&secret, "connector: http\n").unwrap();
    std::os::unix::fs::symlink(&secret, shell.folder.join("connections/link.yaml")).unwrap();
    commit(&shell, "a link");
    fs::remove_file(shell.folder.join("connections/link.yaml")).unwrap();
    let refused = shell.run(&["plan", "prod", "--against", "HEAD"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("link"), "{refused:?}");
}

#[test]
fn a56_a_name_of_another_environments_secret_does_not_resolve_in_a_plan() {
    let shell = repository();
    edit(&shell, "connections/hubspot.yaml", "secrets.HUBSPOT_TOKEN", "secrets.ONLY_PROD");
    let theirs = Shell::example("quickstart").with_demo_identity();
    assert_eq!(theirs.run_with(&["secret", "set", "ONLY_PROD", "-e", "prod"], "x-prod").code, 0);
    shell.put("environments/prod/secrets.sops.yaml", &theirs.read("environments/prod/secrets.sops.yaml"));
    let refused = shell.run(&["plan", "dev", "--against", "HEAD"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("ONLY_PROD") && refused.stderr.contains("prod"), "{refused:?}");
}

#[test]
fn a59_a60_what_a_pull_request_changes_in_trust_stands_in_a_section_of_its_own() {
    let shell = repository();
    let (_, stranger) = tieline::sops::keygen();
    shell_with_key(&shell).ok(&["recipients", "add", "evil", stranger.as_str(), "-e", "prod"]);
    edit(&shell, "tieline.yaml", "recipients: [me]", "recipients: [me]\nrules: {overdue-rotation: 'off'}\n");
    shell.put(
        "environments/prod/environment.yaml",
        &format!(
            "{}guards: {{max_delete_percent: 100}}\ntarget: {{kind: object-store, url: 's3://elsewhere/x'}}\n\
             publish: {{oci: 'registry.example.com/x/y'}}\n",
            shell.read("environments/prod/environment.yaml").replace("warehouse.example.com", "evil.example.com"),
        ),
    );
    let plan = json(&shell, &["plan", "prod", "--against", "HEAD"]);
    let told: Vec<(&str, &str)> = plan["trust_changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["kind"].as_str().unwrap(), t["path"].as_str().unwrap()))
        .collect();
    for expected in [
        ("trust", "/recipients/evil"),
        ("trust", "/rules/overdue-rotation"),
        ("trust", "/guards/max_delete_percent"),
        ("trust", "/target/url"),
        ("trust", "/publish"),
        ("destination", "/config/host"),
    ] {
        assert!(told.contains(&expected), "{expected:?} is not among {told:?}");
    }
    let gains = plan["access"].as_array().unwrap().iter().find(|a| a["recipient"] == "evil").unwrap();
    assert_eq!(gains["gains"].as_array().unwrap().len(), 2);
    let text = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    assert!(text.contains("credential re-targeted"), "{text}");
}

/// What is removed is shown where it was.
#[test]
fn e2_11_a_setting_that_is_gone_has_the_line_that_it_had() {
    let shell = repository();
    let text = shell.read("connections/warehouse.yaml");
    let line = text.lines().position(|line| line.trim_start().starts_with("port:")).unwrap() + 1;
    let port = text.lines().nth(line - 1).unwrap().to_owned();
    edit(&shell, "connections/warehouse.yaml", &format!("{port}\n"), "");
    let plan = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    let told = plan.lines().find(|line| line.contains("config.port: - ")).unwrap_or_else(|| panic!("{plan}"));
    assert!(told.ends_with(&format!("  connections/warehouse.yaml:{line}")), "{told}");
}
