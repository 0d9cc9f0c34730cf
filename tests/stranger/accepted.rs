//! Data keys of somebody else that are accepted: by hand, or because an allowed signer committed them.

use std::fs;

use super::data_key::{Eve, ME, STAGE, ended_well, entries, entry};
use crate::secrets::{PROD, as_other, commit, git, identity, quickstart, set, set_with_yes};
use crate::shell::{Ended, Shell, feed, sops};

/// Ana and ben share a workspace; each has a home of their own.
fn ana_and_ben() -> (Shell, Shell) {
    let ana = quickstart();
    let ben = ana.again();
    let recipient = ben.ok(&["keygen"]).stdout.trim().to_owned();
    ana.ok(&["recipients", "add", "ben", &recipient]);
    (ana, ben)
}

#[test]
fn e02_two_operators_write_in_turn_under_the_same_data_key_once_it_is_accepted() {
    let (ana, ben) = ana_and_ben();
    let made = entries(&ana.read(PROD));
    assert_eq!(made.len(), 2);
    let asked = ben.run(&["recipients", "accept", "-e", "prod"]);
    assert_eq!(asked.code, 64, "{asked:#?}");
    assert!(asked.stderr.contains(&format!("`me ({ME})`, `ben (age1")), "{asked:#?}");
    ben.ok(&["recipients", "accept", "-e", "prod", "--yes"]);
    for turn in 0..10 {
        let who = if turn % 2 == 0 { &ben } else { &ana };
        let ended = set(who, "HUBSPOT_TOKEN", "prod", &format!("kelp {turn}"));
        assert!(!ended.stderr.contains("data key"), "{ended:#?}");
        assert_eq!(entries(&ana.read(PROD)), made, "turn {turn}");
    }
    assert!(ben.ok(&["recipients", "accept", "-e", "prod", "--yes"]).stderr.contains("nothing to accept"));
    // A file that was not accepted gets a new one, and then it is ana who is told.
    let ended = set_with_yes(&ben, "HUBSPOT_TOKEN", "dev", "kelp");
    assert!(ended.stderr.contains("not made or accepted here"), "{ended:#?}");
    assert!(set(&ana, "HUBSPOT_TOKEN", "dev", "sand").stderr.contains("not made or accepted here"));
    assert!(!set(&ana, "HUBSPOT_TOKEN", "dev", "salt").stderr.contains("data key"));
}

/// Keys that sign commits, and the operator's file that allows one of them.
fn signers(shell: &Shell) -> String {
    for name in ["ana", "eve"] {
        let file = shell.home().join(name);
        let made =
            feed(shell.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file), "");
        ended_well(&made);
    }
    let public = fs::read_to_string(shell.home().join("ana.pub")).unwrap();
    let allowed = shell.home().join("allowed_signers");
    fs::write(&allowed, format!("ana@example.com namespaces=\"git\" {public}")).unwrap();
    allowed.to_str().unwrap().to_owned()
}

fn commit_signed(shell: &Shell, by: &str) {
    let key = shell.home().join(by);
    let key = format!("user.signingkey={}", key.display());
    assert_eq!(git(shell, &["add", "-A"]).code, 0);
    let options = ["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "-m", by];
    ended_well(&git(shell, &options));
}

#[test]
fn e02_a_data_key_that_an_allowed_signer_committed_is_kept() {
    let (ana, ben) = ana_and_ben();
    let allowed = signers(&ana);
    commit(&ana, "first");
    let ben = ben.with("TIELINE_ALLOWED_SIGNERS", &allowed);
    let kept = |name: &str| {
        let before = entries(&ana.read(PROD));
        let ended = set_with_yes(&ben, "HUBSPOT_TOKEN", "prod", name);
        let kept = entries(&ana.read(PROD)) == before;
        assert_eq!(kept, !ended.stderr.contains("data key"), "{ended:#?}");
        kept
    };
    assert!(!kept("the first commit is not signed"));
    set(&ana, "HUBSPOT_TOKEN", "prod", "ana's");
    assert!(!kept("not committed"));
    set(&ana, "HUBSPOT_TOKEN", "prod", "ana's again");
    commit_signed(&ana, "ana");
    let (old, there) = (ana.read(PROD), git(&ana, &["rev-parse", "HEAD"]).stdout);
    assert!(kept("signed"));
    ana.put("README.md", "later commits don't matter\n");
    commit(&ana, "later");
    assert!(kept("signed by ana, and accepted by now"));
    set(&ana, "WAREHOUSE_PASSWORD", "prod", "x");
    ana.ok(&["sops", "rotate", "-i", PROD]);
    commit_signed(&ana, "eve");
    assert!(!kept("signed by eve"));
    // What ana signed once, and a stranger brings back.
    ana.put(PROD, &old);
    commit(&ana, "back");
    assert!(!kept("signed, and left since"));
    commit(&ana, "now");
    for step in [&["checkout", "-q", "-b", "other", there.trim()][..], &["commit", "-q", "--allow-empty", "-m", "x"]] {
        ended_well(&git(&ana, step));
    }
    ended_well(&git(&ana, &["checkout", "-q", "main"]));
    ended_well(&git(&ana, &["merge", "-q", "-s", "ours", "-m", "m", "other"]));
    ana.put(PROD, &old);
    assert_eq!(git(&ana, &["add", "-A"]).code, 0);
    ended_well(&git(&ana, &["commit", "-q", "--amend", "--no-edit"]));
    assert!(!kept("a merge that goes back to it"));
}

/// Who holds a key that has expired names a day on which it had not, as any committer can.
#[test]
fn e02_the_day_that_a_commit_names_does_not_revive_a_key_that_expired() {
    for (validity, counts) in [("valid-before=\"20200101\"", false), ("valid-after=\"20180101\"", true)] {
        let shell = quickstart();
        let allowed = signers(&shell);
        let public = fs::read_to_string(shell.home().join("ana.pub")).unwrap();
        fs::write(&allowed, format!("left namespaces=\"git\",{validity} {public}")).unwrap();
        let shell = shell.with("TIELINE_ALLOWED_SIGNERS", &allowed);
        commit(&shell, "first");
        let eve = Eve::seals(&shell, "environments/prod", "HUBSPOT_TOKEN: a\nWAREHOUSE_PASSWORD: b\n", &[]);
        assert_eq!(git(&shell, &["add", "-A"]).code, 0);
        let key = format!("user.signingkey={}", shell.home().join("ana").display());
        let mut backdated = shell.command("git");
        for (name, value) in [("NAME", "Left"), ("EMAIL", "left@example.com"), ("DATE", "2019-06-01T00:00:00Z")] {
            backdated.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        backdated.args(["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "-m", "x"]);
        ended_well(&feed(&mut backdated, ""));
        // Git itself finds the signature good, on that day.
        let allow = format!("gpg.ssh.allowedSignersFile={allowed}");
        ended_well(&git(&shell, &["-c", "gpg.format=ssh", "-c", &allow, "verify-commit", "HEAD"]));
        let asked = shell.run(&["recipients", "accept", "-e", "prod"]).stderr;
        assert_eq!(asked.contains("signed by left"), counts, "{asked}");
        set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
        assert_eq!(eve.reads(PROD).is_some(), counts, "{validity}");
    }
}

#[test]
fn e02_a_branch_of_a_signer_counts_where_a_merge_takes_it_in() {
    let (ana, ben) = ana_and_ben();
    let allowed = signers(&ana);
    commit(&ana, "first");
    assert_eq!(git(&ana, &["checkout", "-q", "-b", "side"]).code, 0);
    ana.ok(&["sops", "rotate", "-i", PROD]);
    commit_signed(&ana, "ana");
    assert_eq!(git(&ana, &["checkout", "-q", "main"]).code, 0);
    ended_well(&git(&ana, &["merge", "-q", "--no-ff", "-m", "m", "side"]));
    let before = entries(&ana.read(PROD));
    let ben = ben.with("TIELINE_ALLOWED_SIGNERS", &allowed);
    set(&ben, "HUBSPOT_TOKEN", "prod", "kelp");
    assert_eq!(entries(&ana.read(PROD)), before);
}

/// Git with the key of somebody for signatures.
fn by<'g>(shell: &'g Shell, who: &str) -> impl Fn(&[&str]) -> String + use<'g> {
    let key = format!("user.signingkey={}", shell.home().join(who).display());
    move |arguments| {
        let ended = git(shell, &[&["-c", "gpg.format=ssh", "-c", &key], arguments].concat());
        ended_well(&ended);
        ended.stdout.trim().to_owned()
    }
}

/// A merge commit of a stranger goes back to a version that was left, and the maintainer's signed merge takes it in.
#[test]
fn e02_a_merge_that_goes_back_counts_only_if_all_of_them_are_signed() {
    for parents in [["main", "hers"], ["hers", "main"]] {
        let shell = quickstart();
        let allowed = signers(&shell);
        let shell = shell.with("TIELINE_ALLOWED_SIGNERS", &allowed);
        commit(&shell, "first");
        set(&shell, "HUBSPOT_TOKEN", "prod", "one");
        commit_signed(&shell, "ana");
        let ana = by(&shell, "ana");
        ana(&["checkout", "-q", "-b", "hers"]);
        let eve = Eve::seals(&shell, "environments/prod", "HUBSPOT_TOKEN: a\nWAREHOUSE_PASSWORD: b\n", &[]);
        commit(&shell, "hers");
        ana(&["checkout", "-q", "main"]);
        ana(&["merge", "-q", "-S", "--no-ff", "-m", "m", "hers"]);
        assert!(set(&shell, "HUBSPOT_TOKEN", "prod", "two").stderr.contains("not made or accepted here"));
        assert_eq!(eve.reads(PROD), None);
        commit_signed(&shell, "ana");
        let back = |git: &dyn Fn(&[&str]) -> String, to: &str, parents: [&str; 2], more: &[&str]| {
            let tree = format!("{to}^{{tree}}");
            let [one, other] = parents;
            git(&[&["commit-tree", &tree, "-p", one, "-p", other, "-m", "back"], more].concat())
        };
        let merge = back(&ana, "hers", parents, &[]);
        ana(&["merge", "-q", "-S", "--no-ff", "-m", "m", &merge]);
        assert!(eve.reads(PROD).is_some(), "the file is hers again");
        let ended = set(&shell, "HUBSPOT_TOKEN", "prod", "three");
        assert!(ended.stderr.contains("not made or accepted here"), "{ended:#?}");
        assert_eq!(eve.reads(PROD), None, "{parents:?}");
        commit_signed(&shell, "ana");
        // Who may sign may go back as well.
        let (signed, made) = (ana(&["rev-parse", "HEAD"]), entries(&shell.read(PROD)));
        shell.ok(&["sops", "rotate", "-i", PROD]);
        commit_signed(&shell, "ana");
        let merge = back(&ana, &signed, ["main", &signed], &["-S"]);
        ana(&["reset", "-q", "--hard", &merge]);
        set(&shell, "HUBSPOT_TOKEN", "prod", "four");
        assert_eq!(entries(&shell.read(PROD)), made);
    }
}

/// Where a signed branch was squashed, its commits are not what `main` had; the version is.
#[test]
fn e02_a_merge_that_goes_back_to_a_branch_that_was_squashed_counts_as_one() {
    let (shell, ben) = ana_and_ben();
    let allowed = signers(&shell);
    commit(&shell, "first");
    let ana = by(&shell, "ana");
    ana(&["checkout", "-q", "-b", "side"]);
    shell.ok(&["sops", "rotate", "-i", PROD]);
    commit_signed(&shell, "ana");
    let old = entries(&shell.read(PROD));
    ana(&["checkout", "-q", "main"]);
    ana(&["merge", "-q", "--squash", "side"]);
    commit_signed(&shell, "ana");
    shell.ok(&["sops", "rotate", "-i", PROD]);
    commit_signed(&shell, "ana");
    let merge = ana(&["commit-tree", "side^{tree}", "-p", "main", "-p", "side", "-m", "back"]);
    ana(&["reset", "-q", "--hard", &merge]);
    assert_eq!(entries(&shell.read(PROD)), old);
    let ben = ben.with("TIELINE_ALLOWED_SIGNERS", &allowed);
    let ended = set_with_yes(&ben, "HUBSPOT_TOKEN", "prod", "kelp");
    assert!(ended.stderr.contains("not made or accepted here"), "{ended:#?}");
    assert_ne!(entries(&shell.read(PROD)), old);
}

/// The file of allowed signers is the operator's: never one that a pull request can change.
#[test]
fn e02_the_repository_does_not_say_whose_signature_counts() {
    let shell = quickstart();
    commit(&shell, "first");
    shell.put("signers", "");
    let inside = shell.folder.join("signers");
    for named in ["signers", inside.to_str().unwrap(), "/nowhere"] {
        let shell = shell.again().with("TIELINE_ALLOWED_SIGNERS", named);
        let shell = shell.with("SOPS_AGE_KEY_FILE", inside.with_file_name("demo-identity.txt").to_str().unwrap());
        let ended = shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "kelp");
        assert_eq!(ended.code, 64, "{ended:#?}");
    }
}

#[test]
fn e02_who_accepts_is_told_who_is_in_the_file_and_who_brought_it() {
    let shell = quickstart();
    let eve = Eve::stage(&shell);
    commit(&shell, "stage");
    let asked = shell.run(&["recipients", "accept", "-e", "stage"]);
    assert_eq!(asked.code, 64);
    for words in [&format!("{STAGE} says that it is sealed to `me ({ME})`"), "by Ana on 20", "the name is only a claim"]
    {
        assert!(asked.stderr.contains(words), "{words}: {asked:#?}");
    }
    assert!(shell.run(&["recipients", "accept", "-e", "prodd"]).code == 64);
    // To accept is to trust: then it is hers to read.
    shell.ok(&["recipients", "accept", "-e", "stage", "--yes"]);
    set(&shell, "HUBSPOT_TOKEN", "stage", "kelp");
    assert!(eve.reads(STAGE).is_some());
}

#[test]
fn e02_an_audit_names_files_whose_data_key_nobody_here_accepted() {
    let shell = quickstart();
    let rows = |shell: &Shell| {
        let ended = shell.run(&["audit", "--format", "json"]);
        let all: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let own = all.as_array().unwrap().iter().filter(|row| row["kind"] == "unaccepted");
        let places: Vec<String> = own.map(|row| row["place"].as_str().unwrap().to_owned()).collect();
        (ended.code, places, ended.stderr)
    };
    let (code, places, told) = rows(&shell);
    assert_eq!((code, places.len(), &*told), (0, 0, ""), "without a memory nothing fails");
    let told = shell.ok(&["audit"]).stderr;
    assert_eq!(told.matches("no data key was made or accepted on this machine").count(), 1, "{told}");
    shell.ok(&["recipients", "accept", "--yes"]);
    assert_eq!(rows(&shell), (0, Vec::new(), String::new()));
    Eve::stage(&shell);
    let (code, places, _) = rows(&shell);
    assert_eq!((code, places), (1, vec![STAGE.to_owned()]));
    let told = shell.run(&["audit"]).stdout;
    assert!(told.contains("files whose data key somebody else made"), "{told}");
}

/// Who was a recipient of the file as it once was opens it with that entry put back.
fn former_opens(shell: &Shell, old: &str, who: &str, recipient: &str) -> bool {
    let text = shell.read(PROD);
    let with = text.replacen("    age:\n", &format!("    age:\n{}", entry(old, recipient)), 1);
    assert_ne!(with, text);
    shell.put("../stolen.yaml", &with);
    as_other(shell, who)(&["sops", "decrypt", "../stolen.yaml"]).code == 0
}

/// Ana takes eve out by `updatekeys`, which keeps the data key, and signs that. Nothing in Git says that eve left.
#[test]
fn e02_a_signed_commit_does_not_hide_who_left_before() {
    // Ours, stock's, and one more change behind it, by which the last version but one has nobody who left.
    for (stock, later) in [(false, false), (true, false), (false, true)] {
        let Some(ended) = who_left(stock, later) else { continue };
        assert!(ended.stderr.contains("who lost access may know the old data key"), "{stock} {later} {ended:#?}");
    }
}

fn who_left(stock: bool, later: bool) -> Option<Ended> {
    let ana = quickstart();
    let allowed = signers(&ana);
    let (eve, bob) = (identity(&ana, "../eve.txt"), identity(&ana, "../bob.txt"));
    commit(&ana, "first");
    ana.ok(&["recipients", "add", "eve", &eve]);
    commit_signed(&ana, "ana");
    let with_eve = ana.read(PROD);
    let settings = ana.read("tieline.yaml").replace(&format!("  eve: {eve}\n"), "").replace(", eve]", "]");
    assert!(!settings.contains(&eve) && settings.contains("[me]"));
    ana.put("tieline.yaml", &settings);
    if stock {
        let rules = ana.read(".sops.yaml").lines().filter(|line| !line.contains(&eve)).collect::<Vec<_>>().join("\n");
        ana.put(".sops.yaml", &rules);
        ended_well(&feed(ana.command(sops()?).args(["updatekeys", "-y", PROD]), ""));
    } else {
        ana.ok(&["sops", "updatekeys", "-y", PROD, "--age", ME]);
    }
    assert!(!ana.read(PROD).contains(&eve));
    commit_signed(&ana, "ana");
    assert!(former_opens(&ana, &with_eve, "../eve.txt", &eve), "the data key is the same");
    if later {
        // By somebody whose machine has not heard of it: the data key stays.
        ana.put(
            "tieline.yaml",
            &settings.replace("[me]", "[me, bob]").replace("keys:\n", &format!("keys:\n  bob: {bob}\n")),
        );
        let rules = ana.read(".sops.yaml").replace(&eve, &bob);
        ana.put(".sops.yaml", &rules);
        ended_well(&feed(ana.command(sops()?).args(["updatekeys", "-y", PROD]), ""));
        assert!(ana.read(PROD).contains(&bob));
        commit_signed(&ana, "ana");
        assert!(former_opens(&ana, &with_eve, "../eve.txt", &eve), "the data key is the same");
    }
    // Another machine, to which ana's signature counts.
    let ben = ana.again().with_demo_identity().with("TIELINE_ALLOWED_SIGNERS", &allowed);
    let ended = set(&ben, "HUBSPOT_TOKEN", "prod", "kelp");
    assert!(!former_opens(&ana, &with_eve, "../eve.txt", &eve), "{ended:#?}");
    // From now on the data key is ben's.
    let before = entries(&ana.read(PROD));
    assert!(!set(&ben, "HUBSPOT_TOKEN", "prod", "sand").stderr.contains("data key"));
    assert_eq!(entries(&ana.read(PROD)), before);
    Some(ended)
}

/// Stock sops' files have no scope, and who removes somebody with care changes every value in the same commit: then only the
/// data key itself tells.
#[test]
fn e02_who_left_while_every_value_was_changed_is_found_by_the_data_key() {
    for rotated in [false, true] {
        let ana = quickstart();
        let allowed = signers(&ana);
        let eve = identity(&ana, "../eve.txt");
        let values = "HUBSPOT_TOKEN: a\nWAREHOUSE_PASSWORD: b\n";
        ana.put(PROD, values);
        ana.ok(&["sops", "encrypt", "-i", PROD, "--age", &format!("{ME},{eve}"), "--encrypted-regex", ".*"]);
        commit(&ana, "first");
        let with_eve = ana.read(PROD);
        ana.ok(&["sops", "updatekeys", "-y", PROD, "--age", ME]);
        let Some(stock) = sops() else { return };
        for name in ["HUBSPOT_TOKEN", "WAREHOUSE_PASSWORD"] {
            ended_well(&feed(ana.command(&stock).args(["set", PROD, &format!("[\"{name}\"]"), "\"new\""]), ""));
        }
        if rotated {
            ended_well(&feed(ana.command(&stock).args(["rotate", "-i", PROD]), ""));
        }
        commit_signed(&ana, "ana");
        assert_eq!(former_opens(&ana, &with_eve, "../eve.txt", &eve), !rotated);
        let ben = ana.again().with_demo_identity().with("TIELINE_ALLOWED_SIGNERS", &allowed);
        let before = entries(&ana.read(PROD));
        let ended = set(&ben, "HUBSPOT_TOKEN", "prod", "kelp");
        assert!(!former_opens(&ana, &with_eve, "../eve.txt", &eve), "{ended:#?}");
        assert_eq!(entries(&ana.read(PROD)) == before, rotated, "another data key is seen to be one: {ended:#?}");
    }
}

/// The same where a person accepts it, who is told.
#[test]
fn e02_accepting_a_data_key_names_who_left_before() {
    let ana = quickstart();
    let eve = identity(&ana, "../eve.txt");
    ana.ok(&["recipients", "add", "eve", &eve]);
    commit(&ana, "eve joins");
    let with_eve = ana.read(PROD);
    ana.ok(&["recipients", "remove", "eve"]);
    commit(&ana, "eve leaves");
    let ben = ana.again().with_demo_identity();
    let accepted = ben.ok(&["recipients", "accept", "-e", "prod", "--yes"]).stderr;
    let told = format!("`{eve}` could decrypt an earlier version, and may know the data key");
    assert!(
        accepted.contains(&told) || accepted.contains(&format!("`eve ({eve})` could decrypt an earlier")),
        "{accepted}"
    );
    assert!(accepted.contains("accepted, until the next change of it"), "{accepted}");
    set(&ben, "HUBSPOT_TOKEN", "prod", "kelp");
    assert!(!former_opens(&ana, &with_eve, "../eve.txt", &eve));
    // A clone that lacks a part of the history can't tell, and says so.
    let from = format!("file://{}", ana.folder.display());
    ended_well(&git(&ana, &["clone", "-q", "--depth", "2", &from, "../shallow"]));
    let dan = ana.again().with_demo_identity();
    let told = dan.ok(&["-C", "../shallow", "recipients", "accept", "-e", "prod", "--yes"]).stderr;
    assert!(told.contains("under it is not known: the clone is shallow or partial"), "{told}");
}
