//! Promise: an environment in an object store is deployed, raced for and looked at as one in a folder is.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::contract::s3;
use crate::peers::Server;
use crate::shell::{Shell, copy};

/// The quickstart, deployed to a prefix of its own in the server's bucket.
fn remote(address: &str) -> (Shell, String) {
    let url = format!("s3://deployments/{}", uuid::Uuid::new_v4());
    let shell = Shell::example("quickstart").with_demo_identity();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put(
        "environments/prod/environment.yaml",
        &format!("{settings}target: {{kind: object-store, url: '{url}'}}\n"),
    );
    (operated(shell, address), url)
}

/// With the operator's endpoint and credentials.
fn operated(shell: Shell, address: &str) -> Shell {
    let shell = shell.with("AWS_ENDPOINT_URL", address).with("AWS_ALLOW_HTTP", "true");
    let shell = shell.with("AWS_ACCESS_KEY_ID", "testing").with("AWS_SECRET_ACCESS_KEY", "testing-canary-key");
    shell.with("AWS_DEFAULT_REGION", "us-east-1")
}

fn edit(shell: &Shell, path: &str, from: &str, to: &str) {
    let text = shell.read(path);
    assert!(text.contains(from), "{path} has no {from}");
    shell.put(path, &text.replace(from, to));
}

#[test]
fn an_environment_lives_in_a_bucket_from_its_first_apply_to_a_rollback() {
    let Some(address) = s3() else { return };
    let (shell, url) = remote(address);
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(plan.starts_with(&format!("nothing deployed at {url} yet")), "{plan}");
    assert!(
        shell
            .ok(&["apply", "prod", "--yes", "--initial"])
            .stderr
            .contains(&format!("applied serial 1 to {url}: 2 objects sealed"))
    );
    assert!(shell.ok(&["apply", "prod", "--yes"]).stderr.contains("nothing to do"));
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    assert!(
        shell
            .ok(&["apply", "prod", "--plan", "x.plan", "--jobs", "4"])
            .stderr
            .contains("1 object sealed, 1 carried over")
    );
    assert!(shell.ok(&["verify", "prod"]).stdout.contains("2 opened and their MACs checked: all as they should be"));
    shell.ok(&["rollback", "prod", "--yes"]);
    let history: Value = serde_json::from_str(&shell.ok(&["history", "prod", "--format", "json"]).stdout).unwrap();
    let told: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["serial"].as_u64().unwrap(), row["rollback_of"].as_u64()))
        .collect();
    assert_eq!(told, [(3, Some(1)), (2, None), (1, None)]);
    let status: Value = serde_json::from_str(&shell.ok(&["status", "--format", "json"]).stdout).unwrap();
    let prod = status.as_array().unwrap().iter().find(|row| row["environment"] == "prod").unwrap();
    assert_eq!((prod["serial"].as_u64(), prod["drift"].as_u64()), (Some(3), Some(0)));
    assert_eq!(prod["pending"], "0 to create, 1 to update, 0 to delete");
    assert!(shell.ok(&["gc", "prod", "--yes"]).stderr.contains("nothing to delete"));
    // The same by the operator's word alone.
    let file = shell.everything().join("b.tgz");
    shell.ok(&["bundle", "export", "prod", file.to_str().unwrap(), "--target", &url]);
}

#[test]
fn what_the_operator_did_not_say_or_the_store_refuses_is_told_without_the_credentials() {
    let Some(address) = s3() else { return };
    let (shell, _) = remote(address);
    edit(&shell, "environments/prod/environment.yaml", "s3://deployments/", "s3://no-such-bucket/");
    let refused = shell.run(&["apply", "prod", "--yes", "--initial"]);
    assert!(refused.code == 1 && refused.stderr.contains("cannot write `s3://no-such-bucket/"), "{refused:?}");
    assert!(refused.stderr.contains("0 of 2 objects are stored") || refused.stderr.contains("cannot"), "{refused:?}");
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
    let (shell, _) = remote("http://127.0.0.1:1");
    let gone = shell.run(&["plan", "prod"]);
    assert!(gone.code == 1 && gone.stderr.contains("cannot read `s3://deployments/"), "{gone:?}");
    // Out of reach is not damaged.
    let status = shell.run(&["status"]);
    assert!(status.code == 1 && status.stdout.contains("can't be read"), "{status:?}");
    assert!(!status.stdout.contains("damaged"), "{status:?}");
    for url in [
        "s3://x",
        "s3://UPPER/x",
        "s3://bucket/../x",
        "s3://user:pw@bucket",
        "ftp://bucket/x",
        "s3://bucket.example.com:80/x",
    ] {
        let bad = shell.run(&["plan", "prod", "--target", url]);
        assert_eq!(bad.code, 64, "{url}: {bad:?}");
    }
}

#[test]
fn a_store_that_fails_for_a_while_or_loses_answers_is_asked_again() {
    for mode in ["flaky", "lossy"] {
        let Some(server) = Server::start("s3.py", &[mode]) else { return };
        let (shell, _) = remote(&server.address);
        shell.ok(&["apply", "prod", "--yes", "--initial"]);
        for serial in 2..=7 {
            edit(&shell, "connections/warehouse.yaml", "port: ", "port: 1");
            let text = shell
                .read("connections/warehouse.yaml")
                .replace(&format!("port: 1{}", 5432 + serial - 2), &format!("port: {}", 5432 + serial - 1));
            shell.put("connections/warehouse.yaml", &text);
            let applied = shell.ok(&["apply", "prod", "--yes"]);
            assert!(applied.stderr.contains(&format!("applied serial {serial} ")), "{mode}: {applied:?}");
        }
        assert!(shell.ok(&["verify", "prod"]).stdout.contains("all as they should be"), "{mode}");
        let asked = server.asked();
        assert!(asked.len() > 60, "{mode}: some of {} requests were made again", asked.len());
    }
}

/// 20 processes apply at once, each something else. Gives how often each exit code was seen.
fn race(shell: &Shell, target: &str, round: usize) -> Vec<i32> {
    let folders: Vec<_> = (0..20)
        .map(|n| {
            let folder = shell.everything().join(format!("work-{round}-{n}"));
            copy(&shell.folder, &folder);
            let path = folder.join("connections/warehouse.yaml");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, text.replace("port: 5432", &format!("port: {}", 6000 + 100 * round + n))).unwrap();
            folder
        })
        .collect();
    let start = |folder: &std::path::PathBuf| -> Child {
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        command.current_dir(folder).args(["apply", "prod", "--yes", "--target", target]);
        command.env("XDG_STATE_HOME", folder.join("state"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = folders.iter().map(start).collect();
    let ended = children.into_iter().map(|child| child.wait_with_output().unwrap());
    ended
        .map(|output| {
            let told = String::from_utf8(output.stderr).unwrap();
            let code = output.status.code().unwrap();
            assert!(code == 0 || (code == 3 && told.contains("the environment moved from")), "{code}: {told}");
            code
        })
        .collect()
}

/// Each serial was won once, no update was lost, and the history is a chain.
fn one_winner_for_each_serial(shell: &Shell, target: &str) {
    shell.ok(&["apply", "prod", "--yes", "--target", target]);
    let mut won = 0;
    for round in 0..3 {
        let codes = race(shell, target, round);
        won += codes.iter().filter(|code| **code == 0).count();
        assert!(codes.contains(&0), "{codes:?}");
    }
    let memory = shell.everything().join("fresh");
    let shell = shell.again().with("XDG_STATE_HOME", memory.to_str().unwrap());
    let shell = match target.split_once("s3://") {
        Some(_) => operated(shell, s3().unwrap()),
        None => shell,
    };
    let history = shell.ok(&["history", "prod", "--target", target, "--format", "json", "--limit", "1000"]).stdout;
    let history: Value = serde_json::from_str(&history).unwrap();
    let serials: Vec<u64> = history.as_array().unwrap().iter().map(|row| row["serial"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (1..=won as u64 + 1).rev().collect();
    assert_eq!(serials, expected, "every winner is in the history, and nobody else");
    let unique: BTreeSet<u64> = serials.iter().copied().collect();
    assert_eq!(unique.len(), serials.len());
    assert!(shell.ok(&["verify", "prod", "--target", target]).stdout.contains("all as they should be"));
}

#[test]
fn a79_n08_of_twenty_applies_on_a_folder_one_wins_each_serial() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let target = shell.everything().join("target");
    one_winner_for_each_serial(&shell, target.to_str().unwrap());
}

#[test]
fn a79_n08_of_twenty_applies_on_an_object_store_one_wins_each_serial() {
    let Some(address) = s3() else { return };
    let (shell, url) = remote(address);
    one_winner_for_each_serial(&shell, &url);
}

#[test]
fn requests_grow_with_the_change_and_not_with_the_workspace() {
    let asked = |connections: usize| -> Option<usize> {
        let server = Server::start("s3.py", &[])?;
        let (shell, _) = remote(&server.address);
        for n in 0..connections {
            let text =
                format!("connector: http\nconfig: {{base_url: 'https://c{n}.example.com'}}\nauth: {{mode: none}}\n");
            shell.put(&format!("connections/c{n}.yaml"), &text);
        }
        shell.ok(&["apply", "prod", "--yes", "--initial"]);
        edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
        shell.ok(&["apply", "prod", "--yes"]);
        Some(server.asked().len() - connections)
    };
    let (Some(few), Some(many)) = (asked(3), asked(60)) else { return };
    // The first apply puts each object once; all else is the same.
    assert_eq!(few, many);
    assert!(few < 30, "{few} requests");
}
