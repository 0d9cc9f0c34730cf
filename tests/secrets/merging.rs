//! `merge-driver`: Git merges secrets files by their values, with the real Git.

use super::{DEV, PROD, as_other, commit, get, git, identity, quickstart, set};
use crate::shell::{Shell, feed, sops};

/// A clone in which Git calls the driver; on `main`, with one commit.
fn clone() -> Shell {
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_tieline")).parent().unwrap();
    let shell = quickstart().with_path(bin);
    commit(&shell, "first");
    shell.ok(&["merge-driver", "--install"]);
    shell
}

fn branch(shell: &Shell, name: &str, change: impl Fn()) {
    assert_eq!(git(shell, &["checkout", "-q", "-b", name]).code, 0);
    change();
    commit(shell, name);
    assert_eq!(git(shell, &["checkout", "-q", "main"]).code, 0);
}

#[test]
fn two_people_change_two_secrets_on_two_branches() {
    let shell = clone();
    branch(&shell, "side", || {
        set(&shell, "HUBSPOT_TOKEN", "prod", "from the side");
        set(&shell, "SIDE", "prod", "new there");
    });
    set(&shell, "WAREHOUSE_PASSWORD", "prod", "from main");
    commit(&shell, "main");
    let merged = git(&shell, &["merge", "-q", "-m", "m", "side"]);
    assert_eq!(merged.code, 0, "{merged:#?}");
    assert!(merged.stderr.contains("`HUBSPOT_TOKEN`, `SIDE` from theirs"), "{merged:#?}");
    for (name, value) in
        [("HUBSPOT_TOKEN", "from the side"), ("SIDE", "new there"), ("WAREHOUSE_PASSWORD", "from main")]
    {
        assert_eq!(get(&shell, name, "prod"), value);
    }
    shell.ok(&["validate"]);
    if let Some(sops) = sops() {
        let opened = feed(shell.command(&sops).args(["decrypt", PROD]), "");
        assert_eq!(opened.code, 0, "{opened:#?}");
    }
}

#[test]
fn a_real_conflict_leaves_both_values_sealed_and_says_what_to_do() {
    let shell = clone();
    branch(&shell, "side", || drop(set(&shell, "HUBSPOT_TOKEN", "prod", "kelp of theirs")));
    set(&shell, "HUBSPOT_TOKEN", "prod", "kelp of ours");
    commit(&shell, "main");
    let merged = git(&shell, &["merge", "-m", "m", "side"]);
    assert_eq!(merged.code, 1, "{merged:#?}");
    assert!(merged.stderr.contains("both sides changed `HUBSPOT_TOKEN`"), "{merged:#?}");
    assert!(!merged.stderr.contains("kelp") && !shell.read(PROD).contains("kelp"));
    assert!(git(&shell, &["status", "--short"]).stdout.contains(&format!("UU {PROD}")));
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "kelp of ours");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN__theirs", "prod"), "kelp of theirs");
    let told = shell.run(&["validate"]);
    assert_eq!(told.code, 1, "nobody deploys an open question");
    assert!(told.stdout.contains("a merge left another value of `HUBSPOT_TOKEN` here"), "{told:#?}");
    shell.ok(&["secret", "unset", "HUBSPOT_TOKEN__theirs", "-e", "prod"]);
    shell.ok(&["validate"]);
    commit(&shell, "chosen");
}

#[test]
fn one_side_removes_what_the_other_changes() {
    let shell = clone();
    set(&shell, "IDLE", "prod", "first");
    commit(&shell, "idle");
    branch(&shell, "side", || drop(shell.ok(&["secret", "unset", "IDLE", "-e", "prod"])));
    set(&shell, "IDLE", "prod", "second");
    commit(&shell, "main");
    assert_eq!(git(&shell, &["merge", "-m", "m", "side"]).code, 1);
    assert_eq!(get(&shell, "IDLE", "prod"), "second");
}

/// Who left on one branch has left after the merge: a new data key, whichever side had the old one.
#[test]
fn a70_a_merge_does_not_bring_back_who_was_removed() {
    let shell = clone();
    let ben = identity(&shell, "../ben.txt");
    shell.ok(&["recipients", "add", "ben", &ben]);
    commit(&shell, "ben joins");
    branch(&shell, "side", || drop(set(&shell, "HUBSPOT_TOKEN", "prod", "after")));
    shell.ok(&["recipients", "remove", "ben", "--rotate-data-key"]);
    commit(&shell, "ben leaves");
    let merged = git(&shell, &["merge", "-q", "-m", "m", "side"]);
    assert_eq!(merged.code, 0, "{merged:#?}");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "after");
    assert_eq!(as_other(&shell, "../ben.txt")(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]).code, 1);
    assert_eq!(as_other(&shell, "../ben.txt")(&["secret", "get", "HUBSPOT_TOKEN", "-e", "dev"]).code, 1);
    shell.ok(&["recipients", "check"]);
}

/// A70: the block of a branch names whom it likes; nobody is sealed to for that. The settings are what was reviewed.
#[test]
fn a70_a_merge_seals_to_nobody_whom_a_branch_only_names() {
    let shell = clone();
    let mallory = identity(&shell, "../mallory.txt");
    branch(&shell, "side", || {
        set(&shell, "A", "prod", "1");
        // No key is needed for this: the MAC does not cover the block.
        let text = shell.read(PROD);
        let entry =
            text.lines().skip_while(|line| !line.contains("- recipient:")).take_while(|l| !l.contains("lastmod"));
        let copy = entry.collect::<Vec<_>>().join("\n");
        let first = copy.lines().next().unwrap().to_owned();
        let forged = copy.replace(&first, &format!("        - recipient: {mallory}"));
        shell.put(PROD, &text.replacen("    age:\n", &format!("    age:\n{forged}\n"), 1));
    });
    set(&shell, "B", "prod", "2");
    commit(&shell, "main");
    let merged = git(&shell, &["merge", "-q", "-m", "m", "side"]);
    assert_eq!(merged.code, 1, "somebody looks before it is committed: {merged:#?}");
    assert!(merged.stderr.contains(&format!("`{mallory}` stands only in theirs")), "{merged:#?}");
    assert!(!shell.read(PROD).contains(&mallory));
    assert_eq!(as_other(&shell, "../mallory.txt")(&["secret", "get", "A", "-e", "prod"]).code, 1);
    assert_eq!((get(&shell, "A", "prod"), get(&shell, "B", "prod")), ("1".to_owned(), "2".to_owned()));
    shell.ok(&["recipients", "check"]);
}

#[test]
fn without_a_key_or_with_a_tampered_side_nothing_is_merged() {
    let shell = clone();
    branch(&shell, "side", || drop(set(&shell, "A", "prod", "1")));
    branch(&shell, "bad", || {
        set(&shell, "A", "prod", "1");
        let text = shell.read(PROD);
        let at = text.find("A: ENC[AES256_GCM,data:").unwrap() + "A: ENC[AES256_GCM,data:".len();
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        shell.put(PROD, &format!("{}{other}{}", &text[..at], &text[at + 1..]));
    });
    set(&shell, "B", "prod", "2");
    commit(&shell, "main");
    let ours = shell.read(PROD);
    let bad = git(&shell, &["merge", "-m", "m", "bad"]);
    assert_eq!(bad.code, 1, "{bad:#?}");
    assert!(bad.stderr.contains("not merged: `A`: the value does not decrypt"), "{bad:#?}");
    assert_eq!(git(&shell, &["merge", "--abort"]).code, 0);
    let shell = shell.with("SOPS_AGE_KEY_FILE", "/nowhere");
    let keyless = git(&shell, &["merge", "-m", "m", "side"]);
    assert_eq!(keyless.code, 1, "{keyless:#?}");
    assert!(keyless.stderr.contains("none of your identities opens it"), "{keyless:#?}");
    assert_eq!(shell.read(PROD), ours, "our side stands there as it was");
    assert!(!shell.read(DEV).is_empty());
}
