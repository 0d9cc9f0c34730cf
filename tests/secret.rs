//! `tieline secret`

use std::fs;

use serde_json::Value;
use tieline::sops::keygen;

use crate::shell::{Ended, Shell, copy, feed, sops, tree};
use crate::support::root;

const FILE: &str = "environments/prod/secrets.sops.yaml";
const VALUE: &str = "Zk7-tr0ub4dor:#'\"ö";

fn set(shell: &Shell, name: &str, value: &str) -> Ended {
    shell.run_with(&["secret", "set", name, "-e", "prod"], value)
}

/// The line of a secret.
fn line(text: &str, name: &str) -> String {
    let found: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{name}: "))).collect();
    assert_eq!(found.len(), 1, "{name} stands once in\n{text}");
    found[0].to_owned()
}

/// The lines that a change may not touch: all secrets but one, the recipients and their copies of the data key.
fn rest(text: &str, but: &str) -> Vec<String> {
    let changes =
        |line: &&str| [but, "    lastmodified", "    mac"].iter().any(|key| line.starts_with(&format!("{key}: ")));
    text.lines().filter(|line| !changes(line)).map(str::to_owned).collect()
}

fn silent(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(VALUE) && !text.contains("tr0ub4dor"), "{ended:#?}");
    }
}

#[test]
fn z14_a_secret_is_replaced_and_nothing_else_changes_a_byte() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["recipients", "accept", "--yes"]);
    let before = tree(&shell.folder);
    let (text, ended) = (shell.read(FILE), set(&shell, "HUBSPOT_TOKEN", VALUE));
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended:#?}");
    let told = "  seen by `prod: hubspot`\n  and so by `nightly-sync`\n  in force with the next `tieline apply prod`\n";
    assert_eq!(ended.stderr, format!("HUBSPOT_TOKEN replaced in {FILE}\n{told}"));
    let after = shell.read(FILE);
    assert_ne!(line(&text, "HUBSPOT_TOKEN"), line(&after, "HUBSPOT_TOKEN"));
    assert_eq!(rest(&text, "HUBSPOT_TOKEN"), rest(&after, "HUBSPOT_TOKEN"));
    assert!(!after.contains("tr0ub4dor"));
    let others = |tree: Vec<(String, Vec<u8>)>| tree.into_iter().filter(|(path, _)| path != FILE).collect::<Vec<_>>();
    assert!(others(before) == others(tree(&shell.folder)), "only the environment's file changes");
    shell.ok(&["validate"]);
    shell.ok(&["apply", "prod", "--yes"]);
}

#[test]
fn the_same_value_again_changes_nothing_and_says_so() {
    let shell = Shell::example("quickstart").with_demo_identity();
    set(&shell, "HUBSPOT_TOKEN", VALUE);
    let text = shell.read(FILE);
    // As `echo` writes it, with a line break at its end, which is not part of the value.
    for input in [VALUE.to_owned(), format!("{VALUE}\n"), format!("{VALUE}\r\n")] {
        let ended = set(&shell, "HUBSPOT_TOKEN", &input);
        assert_eq!(ended.stderr, format!("HUBSPOT_TOKEN is that already in {FILE}\n"));
        assert_eq!((ended.code, shell.read(FILE)), (0, text.clone()));
    }
}

#[test]
fn a_new_secret_is_added_and_the_others_stay() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["recipients", "accept", "--yes"]);
    let text = shell.read(FILE);
    let ended = set(&shell, "NEW_ONE", VALUE);
    assert_eq!((ended.code, ended.stderr), (0, format!("NEW_ONE added to {FILE}\n  no connection uses it\n")));
    let after = shell.read(FILE);
    assert!(line(&after, "NEW_ONE").starts_with("NEW_ONE: ENC[AES256_GCM,data:"));
    assert_eq!(rest(&text, ""), rest(&after, "NEW_ONE"));
    shell.ok(&["validate"]);
    let listed = shell.ok(&["secret", "list", "-e", "prod"]).stdout;
    assert!(listed.contains("NEW_ONE"), "{listed}");
}

#[test]
fn the_first_secret_of_an_environment_makes_its_file() {
    let shell = Shell::example("quickstart").with_demo_identity();
    fs::remove_file(shell.folder.join(FILE)).unwrap();
    for name in ["HUBSPOT_TOKEN", "WAREHOUSE_PASSWORD"] {
        let ended = set(&shell, name, VALUE);
        assert_eq!(ended.code, 0, "{ended:#?}");
        assert!(ended.stderr.contains(&format!("{name} added to {FILE}\n  seen by `prod: ")), "{ended:#?}");
    }
    shell.ok(&["validate"]);
    shell.ok(&["apply", "prod", "--yes"]);
}

#[test]
fn n07_peer_sops_reads_what_secret_set_wrote_and_the_other_way_round() {
    let Some(sops) = sops() else { return };
    let shell = Shell::example("quickstart").with_demo_identity();
    set(&shell, "HUBSPOT_TOKEN", VALUE);
    let stock = |arguments: &[&str]| {
        let ended = feed(shell.command(&sops).args(arguments).arg(FILE), "");
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stdout
    };
    let opened: Value = serde_json::from_str(&stock(&["decrypt", "--output-type", "json"])).unwrap();
    assert_eq!((&opened["HUBSPOT_TOKEN"], &opened["WAREHOUSE_PASSWORD"]), (&VALUE.into(), &"replace-me".into()));
    let mut edit = shell.command(&sops);
    let ended = feed(edit.args(["set", FILE, "[\"WAREHOUSE_PASSWORD\"]", "\"by sops\""]), "");
    assert_eq!(ended.code, 0, "{ended:#?}");
    shell.ok(&["validate"]);
    let ended = set(&shell, "WAREHOUSE_PASSWORD", "by sops");
    assert!(ended.stderr.contains("is that already"), "{ended:#?}");
}

#[test]
fn x18_without_an_identity_or_with_another_nothing_is_written() {
    let (other, _) = keygen();
    let none = Shell::example("quickstart");
    let wrong = Shell::example("quickstart").with("SOPS_AGE_KEY", other.expose());
    for shell in [none, wrong] {
        let text = shell.read(FILE);
        let ended = set(&shell, "HUBSPOT_TOKEN", VALUE);
        assert_eq!((ended.code, ended.stdout.as_str(), shell.read(FILE)), (1, "", text), "{ended:#?}");
        for told in [FILE, "it is sealed to `me (age1a0x6ea…95t35s)`: ask one of them", "SOPS_AGE_KEY_FILE"] {
            assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        }
        silent(&ended);
        assert!(!ended.stderr.contains(other.expose().as_str()));
    }
}

#[test]
fn an_identity_can_be_named() {
    let shell = Shell::example("quickstart");
    let arguments = ["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--identity", "demo-identity.txt"];
    let ended = shell.run_with(&arguments, VALUE);
    assert_eq!(ended.code, 0, "{ended:#?}");
    let arguments = ["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--identity", "nowhere.txt"];
    let ended = shell.run_with(&arguments, VALUE);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains("nowhere.txt: there is no such file"), "{}", ended.stderr);
}

#[test]
fn a66_the_file_of_another_environment_is_refused_with_5() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let dev = shell.read("environments/dev/secrets.sops.yaml");
    shell.put(FILE, &dev);
    for ended in [set(&shell, "HUBSPOT_TOKEN", VALUE), shell.run(&["apply", "prod", "--yes"])] {
        assert_eq!(ended.code, 5, "{ended:#?}");
        assert!(ended.stderr.contains("sealed for `environments/dev`"), "{}", ended.stderr);
        silent(&ended);
    }
    assert_eq!(shell.read(FILE), dev);
    assert!(!shell.folder.join("dist/environments/prod/head.json").exists());
}

#[test]
fn a66_values_swapped_within_a_file_are_refused_with_5() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let text = shell.read(FILE);
    let value = |name: &str| line(&text, name).split_once(": ").unwrap().1.to_owned();
    let (one, two) = (value("HUBSPOT_TOKEN"), value("WAREHOUSE_PASSWORD"));
    let swapped = text.replace(&one, "@").replace(&two, &one).replace('@', &two);
    shell.put(FILE, &swapped);
    for ended in [set(&shell, "OTHER", VALUE), shell.run(&["apply", "prod", "--yes"])] {
        assert_eq!(ended.code, 5, "{ended:#?}");
        silent(&ended);
    }
    assert_eq!(shell.read(FILE), swapped);
}

#[test]
fn who_was_removed_from_the_recipients_cannot_open_the_next_value() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let (mine, public) = keygen();
    let settings = shell.read("tieline.yaml");
    let both = settings.replace("recipients: [me]", "recipients: [me, you]");
    shell.put("tieline.yaml", &both.replace("keys:\n", &format!("keys:\n  you: {public}\n")));
    assert_eq!(set(&shell, "HUBSPOT_TOKEN", VALUE).code, 64, "nobody agreed to it");
    assert_eq!(shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--yes"], VALUE).code, 0);
    assert_eq!(shell.read(FILE).matches("- recipient: ").count(), 2);
    let key = |text: &str| line(text, "WAREHOUSE_PASSWORD");
    let sealed_to_both = key(&shell.read(FILE));
    let only = shell.read("tieline.yaml").replace("recipients: [me, you]", "recipients: [you]");
    shell.put("tieline.yaml", &only);
    assert_eq!(set(&shell, "HUBSPOT_TOKEN", "another").code, 0);
    assert_ne!(sealed_to_both, key(&shell.read(FILE)), "a new data key, so every value is sealed anew");
    assert_eq!(set(&shell, "HUBSPOT_TOKEN", "a third").code, 1, "the demo identity opens it no more");
    let you = shell.with("SOPS_AGE_KEY", mine.expose());
    assert_eq!(set(&you, "HUBSPOT_TOKEN", "a third").code, 0);
}

#[test]
fn a38_a_value_can_not_be_an_argument() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let text = shell.read(FILE);
    for arguments in [
        vec!["secret", "set", "HUBSPOT_TOKEN", VALUE, "-e", "prod"],
        vec!["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--value", VALUE],
        vec!["secret", "set", "HUBSPOT_TOKEN=x", "-e", "prod"],
        vec!["secret", "set", "tieline_scope", "-e", "prod"],
        vec!["secret", "set", "1ST", "-e", "prod"],
        vec!["secret", "set", "HUBSPOT_TOKEN", "-e", "prdo"],
        vec!["secret", "set", "HUBSPOT_TOKEN"],
    ] {
        let ended = shell.run_with(&arguments, VALUE);
        assert_eq!((ended.code, shell.read(FILE)), (64, text.clone()), "{arguments:?} {ended:#?}");
    }
}

#[test]
fn what_is_no_value_is_refused() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let text = shell.read(FILE);
    let long = "x".repeat((256 << 10) + 1);
    for (input, told) in [("", "empty"), ("\n", "empty"), (&*long, "more than 262144 bytes")] {
        let ended = set(&shell, "HUBSPOT_TOKEN", input);
        assert_eq!((ended.code, shell.read(FILE)), (1, text.clone()), "{}", ended.stderr);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    // The largest value that is one, over several lines.
    let (lines, largest) = ("-----BEGIN\nx\n-----END\n", &long[1..]);
    for input in [lines, largest] {
        assert_eq!(set(&shell, "HUBSPOT_TOKEN", input).code, 0);
    }
}

#[test]
fn x15_secret_list_tells_names_places_users_and_who_opens_them_and_no_value() {
    let shell = Shell::example("quickstart");
    let text = shell.ok(&["secret", "list", "-e", "prod"]).stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "ENVIRONMENTS", "FROM", "VERSION", "AGE", "USED", "BY", "RECIPIENTS"]);
    assert_eq!(
        (lines[1][0], &lines[1][1..3], &lines[1][4..]),
        ("HUBSPOT_TOKEN", &["prod", FILE][..], &["hubspot", "me"][..])
    );
    assert_eq!(lines[1][3].len(), 8, "as much of the version as tells one from the next");
    assert_eq!(lines.len(), 3, "the file's own mark is no secret: {text}");
    let all = shell.ok(&["secret", "list"]).stdout;
    assert_eq!(all.lines().count(), 5, "{all}");
    let json = shell.ok(&["secret", "list", "-e", "prod", "--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["name"], "WAREHOUSE_PASSWORD");
    assert_eq!(json[1]["used_by"], serde_json::json!(["warehouse"]));
    assert_eq!(json[1]["recipients"], serde_json::json!(["me"]));
    assert!(json[1]["version"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn commands_run_from_elsewhere_and_from_within() {
    let mut shell = Shell::new();
    copy(&root().join("examples/quickstart"), &shell.folder.join("q"));
    let identity = shell.folder.join("q/demo-identity.txt");
    shell = shell.with("SOPS_AGE_KEY_FILE", identity.to_str().unwrap());
    let ended = shell.run_with(&["-C", "q", "secret", "set", "HUBSPOT_TOKEN", "-e", "dev"], VALUE);
    assert_eq!(ended.code, 0, "{ended:#?}");
    shell.folder.push("q/environments/dev");
    shell.ok(&["validate"]);
    assert_eq!(set(&shell, "HUBSPOT_TOKEN", VALUE).code, 0);
}
