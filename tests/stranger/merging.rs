//! Merges of secrets files with a stranger's branch: with the real Git, which calls the driver.

use std::fs;
use std::path::Path;

use super::data_key::{ME, WORKSPACE, ended_well, entry};
use crate::secrets::{DEV, as_other, commit, get, git, identity, quickstart, set, set_with_yes};
use crate::shell::{Ended, Shell, feed, sops};

/// A clone in which Git calls the driver; on `main`, with one commit.
fn clone() -> Shell {
    let bin = Path::new(env!("CARGO_BIN_EXE_tieline")).parent().unwrap();
    let shell = quickstart().with_path(bin);
    commit(&shell, "first");
    shell.ok(&["merge-driver", "--install"]);
    shell
}

fn at(shell: &Shell, steps: &[&[&str]]) {
    steps.iter().for_each(|step| ended_well(&git(shell, step)));
}

fn merge(shell: &Shell, into: &str, from: &str) -> Ended {
    at(shell, &[&["checkout", "-q", into]]);
    git(shell, &["merge", "-q", "-m", "m", from])
}

/// Whether eve reads it, with stock sops where there is one.
fn eve_reads(shell: &Shell, path: &str) -> bool {
    let ours = as_other(shell, "../eve.txt")(&["sops", "decrypt", path]);
    if let Some(stock) = sops() {
        let mut stock = shell.command(stock);
        stock.env("SOPS_AGE_KEY_FILE", shell.folder.join("../eve.txt"));
        let stock = feed(stock.args(["decrypt", path]), "");
        assert_eq!(stock.code == 0, ours.code == 0, "{stock:#?}{ours:#?}");
    }
    ours.code == 0
}

/// The pull request's copy of the file has eve in its block; `main` sets a real value meanwhile. Whichever of the two is
/// checked out, what they become is not sealed to her, and Git doesn't commit it.
#[test]
fn e02_a_merge_seals_to_nobody_who_stands_on_one_side_alone() {
    for (into, from, side) in
        [("pr", "main", "only in ours"), ("main", "pr", "only in theirs"), ("pr", "pr2", "in both")]
    {
        let shell = clone();
        let eve = identity(&shell, "../eve.txt");
        let values =
            ["HUBSPOT_TOKEN", "WAREHOUSE_PASSWORD"].map(|name| format!("{name}: {}\n", get(&shell, name, "dev")));
        at(&shell, &[&["checkout", "-q", "-b", "pr"]]);
        let settings = shell.read("tieline.yaml");
        shell.put(DEV, &format!("{}tieline_scope: {WORKSPACE}/environments/dev\n", values.concat()));
        shell.ok(&["sops", "encrypt", "-i", DEV, "--age", &format!("{ME},{eve}"), "--encrypted-regex", ".*"]);
        commit(&shell, "typo");
        assert!(eve_reads(&shell, DEV));
        at(&shell, &[&["checkout", "-q", "main"]]);
        set(&shell, "HUBSPOT_TOKEN", "dev", "kelp");
        commit(&shell, "real");
        // Another branch of hers says that main's file is sealed to her; no key is needed for that.
        at(&shell, &[&["checkout", "-q", "-b", "pr2"]]);
        let text = shell.read(DEV);
        let forged = entry(&text, ME).replace(ME, &eve);
        shell.put(DEV, &text.replacen("    age:\n", &format!("    age:\n{forged}"), 1));
        commit(&shell, "pr2");
        at(&shell, &[&["checkout", "-q", into]]);
        let head = || git(&shell, &["rev-parse", "HEAD"]).stdout;
        let before = head();
        let merged = merge(&shell, into, from);
        assert_eq!(merged.code, 1, "{side}: {merged:#?}");
        assert!(merged.stderr.contains(&format!("`{eve}` stands {side}")), "{side}: {merged:#?}");
        assert_eq!(head(), before, "{side}: nothing was committed");
        assert!(git(&shell, &["status", "--short"]).stdout.contains(&format!("UU {DEV}")), "{side}");
        assert!(!shell.read(DEV).contains(&eve) && !eve_reads(&shell, DEV), "{side}");
        assert_eq!(get(&shell, "HUBSPOT_TOKEN", "dev"), "kelp", "{side}");
        assert_eq!(shell.read("tieline.yaml"), settings);
        shell.ok(&["recipients", "check"]);
        commit(&shell, "looked at");
    }
}

/// Whom this operator took in on one side, or who stands in a side that was accepted, stays; and it is told.
#[test]
fn e02_a_merge_keeps_who_joined_on_a_side_that_counts() {
    for accepted in [false, true] {
        for (into, from) in [("side", "main"), ("main", "side")] {
            let shell = clone();
            let ben = identity(&shell, "../ben.txt");
            set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
            commit(&shell, "main");
            at(&shell, &[&["checkout", "-q", "-b", "side", "HEAD~1"]]);
            let who = if accepted { shell.again().with_demo_identity() } else { shell.again() };
            let who = if accepted { &who } else { &shell };
            who.ok(&["recipients", "add", "ben", &ben]);
            commit(&shell, "ben joins");
            if accepted {
                shell.ok(&["recipients", "accept", "-e", "prod", "--yes"]);
            }
            let merged = merge(&shell, into, from);
            assert_eq!(merged.code, 0, "{accepted} {into}: {merged:#?}");
            assert!(merged.stderr.contains("can decrypt environments/prod"), "{accepted} {into}: {merged:#?}");
            let read = as_other(&shell, "../ben.txt")(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]);
            assert_eq!((read.code, &*read.stdout), (0, "kelp"), "{read:#?}");
            shell.ok(&["recipients", "check"]);
            assert!(!set(&shell, "HUBSPOT_TOKEN", "prod", "x").stderr.contains("data key"), "remembered");
        }
    }
}

/// Git gives the driver the file's name, and whoever opens a pull request names it.
#[test]
fn e01_a_file_name_is_not_an_option_of_the_merge_driver() {
    for driver in ["merge-driver --", "merge-driver"] {
        let shell = clone();
        // As clones have it where an earlier version installed it.
        let line = format!("tieline {driver} %O %A %B %P");
        at(&shell, &[&["config", "merge.tieline.driver", &line]]);
        let name = shell.folder.join("--identity=evil.sops.yaml");
        shell.put(".gitattributes", "*.sops.yaml merge=tieline\n");
        shell.put("evil.sops.yaml", "not an identity\n");
        let sealed = |text: &str, message: &str| {
            shell.put("x.yaml", text);
            shell.ok(&["sops", "encrypt", "-i", "x.yaml", "--age", ME]);
            fs::rename(shell.folder.join("x.yaml"), &name).unwrap();
            commit(&shell, message);
        };
        sealed("a: one\nb: one\n", "first");
        at(&shell, &[&["checkout", "-q", "-b", "pr"]]);
        sealed("a: two\nb: one\n", "pr");
        at(&shell, &[&["checkout", "-q", "main"]]);
        sealed("a: one\nb: two\n", "main");
        let merged = merge(&shell, "main", "pr");
        ended_well(&merged);
        assert!(merged.stderr.contains("--identity=evil.sops.yaml: `a` from theirs"), "{driver}: {merged:#?}");
    }
}

/// `.sops.yaml` is in clear, and the pattern of secrets files fits its name, in the clones of earlier releases too.
#[test]
fn e02_the_rules_of_sops_are_merged_as_text() {
    for attributes in [None, Some("*.sops.yaml merge=tieline\n")] {
        let shell = clone();
        if let Some(attributes) = attributes {
            shell.put(".gitattributes", attributes);
            commit(&shell, "as before");
        }
        let (carol, dave) = (identity(&shell, "../carol.txt"), identity(&shell, "../dave.txt"));
        at(&shell, &[&["checkout", "-q", "-b", "side"]]);
        shell.ok(&["recipients", "add", "dave", &dave]);
        commit(&shell, "dave");
        at(&shell, &[&["checkout", "-q", "main"]]);
        commit_change(&shell, "README.md", "one side alone\n");
        ended_well(&merge(&shell, "main", "side"));
        assert!(shell.read(".sops.yaml").contains(&dave));
        at(&shell, &[&["reset", "-q", "--hard", "HEAD~1"]]);
        // Carol is a colleague's, whose machine is another one.
        shell.again().with_demo_identity().ok(&["recipients", "add", "carol", &carol, "--yes"]);
        commit(&shell, "carol");
        let merged = merge(&shell, "side", "main");
        assert_eq!(merged.code, 1, "{merged:#?}");
        assert!(!merged.stderr.contains("no `sops` block"), "{merged:#?}");
        let rules = shell.read(".sops.yaml");
        for part in ["<<<<<<< ", "=======\n", ">>>>>>> ", &*carol, &*dave] {
            assert!(rules.contains(part), "{part}\n{rules}");
        }
        // The advice works as it is printed.
        assert!(merged.stderr.contains("`tieline recipients add NAME` seals the merged file to them"), "{merged:#?}");
        let settings = git(&shell, &["show", "main:tieline.yaml"]).stdout.replace("[me, carol]", "[me, carol, dave]");
        shell.put("tieline.yaml", &settings.replace("keys:\n", &format!("keys:\n  dave: {dave}\n")));
        shell.ok(&["recipients", "add", "carol"]);
        commit(&shell, "merged");
        shell.ok(&["validate"]);
        for who in ["../carol.txt", "../dave.txt"] {
            ended_well(&as_other(&shell, who)(&["sops", "decrypt", DEV]));
        }
        assert!(!shell.read(".sops.yaml").contains("<<<<"));
    }
}

fn commit_change(shell: &Shell, path: &str, text: &str) {
    shell.put(path, text);
    commit(shell, path);
}

/// An aborted merge leaves what was there, and what is known of it.
#[test]
fn e02_an_aborted_merge_forgets_no_data_key() {
    let shell = clone();
    set(&shell, "HUBSPOT_TOKEN", "dev", "first");
    commit(&shell, "ours");
    at(&shell, &[&["checkout", "-q", "-b", "side"]]);
    set(&shell, "WAREHOUSE_PASSWORD", "dev", "kelp");
    shell.again().with_demo_identity().ok(&["sops", "rotate", "-i", DEV]);
    commit(&shell, "theirs");
    at(&shell, &[&["checkout", "-q", "main"]]);
    set(&shell, "HUBSPOT_TOKEN", "dev", "sand");
    commit(&shell, "ours again");
    shell.ok(&["recipients", "accept", "-e", "dev", "--yes"]);
    ended_well(&git(&shell, &["merge", "-q", "--no-commit", "--no-ff", "side"]));
    assert_eq!(get(&shell, "WAREHOUSE_PASSWORD", "dev"), "kelp");
    at(&shell, &[&["merge", "--abort"]]);
    assert!(!set(&shell, "HUBSPOT_TOKEN", "dev", "salt").stderr.contains("data key"), "aborted");
    at(&shell, &[&["checkout", "-q", "--", "."]]);
    ended_well(&merge(&shell, "main", "side"));
    assert!(!set(&shell, "HUBSPOT_TOKEN", "dev", "sea").stderr.contains("data key"), "merged");
}

/// An aborted merge that has removed somebody: who left may know the data key of what is back.
#[test]
fn e2_11_an_aborted_merge_that_removed_somebody_vouches_for_no_data_key() {
    for removes in [false, true] {
        let shell = clone();
        let ben = identity(&shell, "../ben.txt");
        shell.ok(&["recipients", "add", "ben", &ben, "-e", "dev", "--yes"]);
        set_with_yes(&shell, "HUBSPOT_TOKEN", "dev", "first");
        set_with_yes(&shell, "WAREHOUSE_PASSWORD", "dev", "first");
        commit(&shell, "both");
        at(&shell, &[&["checkout", "-q", "-b", "side"]]);
        if removes {
            shell.ok(&["recipients", "remove", "ben", "-e", "dev", "--yes"]);
        }
        set_with_yes(&shell, "WAREHOUSE_PASSWORD", "dev", "kelp");
        commit(&shell, "theirs");
        at(&shell, &[&["checkout", "-q", "main"]]);
        set_with_yes(&shell, "HUBSPOT_TOKEN", "dev", "sand");
        commit(&shell, "ours");
        shell.ok(&["recipients", "accept", "-e", "dev", "--yes"]);
        ended_well(&git(&shell, &["merge", "-q", "--no-commit", "--no-ff", "side"]));
        at(&shell, &[&["merge", "--abort"]]);
        let told = set_with_yes(&shell, "HUBSPOT_TOKEN", "dev", "salt").stderr;
        assert_eq!(told.contains("data key"), removes, "{told}");
    }
}
