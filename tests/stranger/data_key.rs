//! A data key that somebody else knows: it is not written under again.

use std::fs;
use std::path::Path;

use crate::secrets::{PROD, as_other, commit, get, git, identity, quickstart, set};
use crate::shell::{Ended, Shell, feed, sops};

pub(super) const STAGE: &str = "environments/stage/secrets.sops.yaml";
pub(super) const WORKSPACE: &str = "7a1f0b52-3c7e-4f0e-9d57-52f1c0de5eed";
pub(super) const ME: &str = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";

/// The lines of a recipient's entry in a block.
pub(super) fn entry(text: &str, recipient: &str) -> String {
    let first = format!("        - recipient: {recipient}");
    let lines = text.lines().skip_while(|line| *line != first);
    let rest = lines.enumerate().take_while(|(n, line)| *n == 0 || line.starts_with("          "));
    let entry: String = rest.map(|(_, line)| format!("{line}\n")).collect();
    assert!(entry.contains("END AGE"), "{recipient}\n{text}");
    entry
}

/// Every entry of a block.
pub(super) fn entries(text: &str) -> Vec<String> {
    let recipients = text.lines().filter_map(|line| line.strip_prefix("        - recipient: "));
    recipients.map(|recipient| entry(text, recipient)).collect()
}

/// Eve, who has made an environment with a secrets file whose data key she knows, and whose block doesn't tell.
pub(super) struct Eve {
    pub(super) shell: Shell,
    /// Her entry.
    saved: String,
}

impl Eve {
    /// Writes `layer` with these values, sealed to the operator and her; her entry is kept aside.
    pub(super) fn seals(operator: &Shell, layer: &str, values: &str, more: &[&str]) -> Self {
        let shell = operator.again();
        let recipient = shell.ok(&["keygen"]).stdout.trim().to_owned();
        let path = format!("{layer}/secrets.sops.yaml");
        fs::create_dir_all(shell.folder.join(layer)).unwrap();
        shell.put(&path, &format!("{values}tieline_scope: {WORKSPACE}/{layer}\n"));
        let to = format!("{ME},{recipient}");
        let rule: &[&str] = if more.is_empty() { &["--encrypted-regex", ".*"] } else { more };
        shell.ok(&[&["sops", "encrypt", "-i", &path, "--age", &to], rule].concat());
        let text = shell.read(&path);
        let saved = entry(&text, &recipient);
        shell.put(&path, &text.replace(&saved, ""));
        Self { shell, saved }
    }

    pub(super) fn stage(operator: &Shell) -> Self {
        let eve = Self::seals(operator, "environments/stage", "HUBSPOT_TOKEN: a\nWAREHOUSE_PASSWORD: b\n", &[]);
        eve.shell.put("environments/stage/environment.yaml", "extends: dev\n");
        eve
    }

    /// What she reads with her entry put back, with our reader and with stock sops; `None` where neither opens it.
    pub(super) fn reads(&self, path: &str) -> Option<String> {
        let text = self.shell.read(path).replacen("    age:\n", &format!("    age:\n{}", self.saved), 1);
        self.shell.put("../eve.yaml", &text);
        let ours = self.shell.run(&["sops", "decrypt", "../eve.yaml"]);
        if let Some(stock) = sops() {
            let stock = feed(self.shell.command(stock).args(["decrypt", "../eve.yaml"]), "");
            assert_eq!(stock.code == 0, ours.code == 0, "{ours:#?}{stock:#?}");
        }
        (ours.code == 0).then_some(ours.stdout)
    }
}

pub(super) fn ended_well(ended: &Ended) {
    assert_eq!(ended.code, 0, "{ended:#?}");
}

/// A96: the attack, as it was found.
#[test]
fn e02_an_entry_that_was_taken_out_and_is_put_back_opens_nothing_written_since() {
    let shell = quickstart();
    let eve = Eve::stage(&shell);
    shell.ok(&["validate"]);
    shell.ok(&["recipients", "check"]);
    assert!(eve.reads(STAGE).is_some_and(|text| text.contains("HUBSPOT_TOKEN: a")), "she knows the data key");
    let set = shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "stage"], "kelp");
    ended_well(&set);
    assert!(set.stderr.contains("its data key was not made or accepted here"), "{set:#?}");
    assert_eq!(eve.reads(STAGE), None);
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "stage"), "kelp");
    assert_eq!(get(&shell, "WAREHOUSE_PASSWORD", "stage"), "b");
    shell.ok(&["validate"]);
}

/// Every command that writes a sealed file.
#[test]
fn e02_no_command_writes_under_a_data_key_that_a_stranger_made() {
    type Write<'w> = (&'w str, &'w dyn Fn(&Shell) -> Ended);
    let editor = |shell: &Shell| {
        shell.put("../editor", "#!/bin/sh\nsed -i 's/^HUBSPOT_TOKEN: .*/HUBSPOT_TOKEN: kelp/' \"$1\"\n");
        let editor = format!("sh {}", shell.folder.join("../editor").display());
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        feed(command.env("EDITOR", editor).args(["secret", "edit", "-e", "stage"]), "")
    };
    let extract = |shell: &Shell| {
        fs::create_dir_all(shell.folder.join("environments/stage/credentials")).unwrap();
        shell.put("environments/stage/credentials/warehouse-db.yaml", "auth: {password: kelp-in-clear}\n");
        shell.run(&["secret", "extract"])
    };
    let adopt_file = |shell: &Shell| {
        shell.put("../more.yaml", "MORE: kelp\n");
        shell.ok(&["sops", "encrypt", "-i", "../more.yaml", "--age", ME]);
        shell.run(&["secret", "adopt", "../more.yaml", "-e", "stage", "--yes"])
    };
    let ben = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
    // An entry that claims to be ben's, so that there is something to remove; no key is needed for it.
    let remove = |shell: &Shell| {
        let text = shell.read(STAGE);
        let forged = entry(&text, ME).replace(ME, ben);
        shell.put(STAGE, &text.replacen("    age:\n", &format!("    age:\n{forged}"), 1));
        shell.put(
            "environments/stage/environment.yaml",
            &format!("extends: dev\nkeys: {{ben: {ben}}}\nrecipients: [me, ben]\n"),
        );
        shell.run(&["recipients", "remove", "ben", "-e", "stage"])
    };
    let writes: &[Write<'_>] = &[
        ("set", &|s| s.run_with(&["secret", "set", "NEW", "-e", "stage"], "kelp")),
        ("unset", &|s| s.run(&["secret", "unset", "HUBSPOT_TOKEN", "-e", "stage", "--force"])),
        ("rotate", &|s| s.run_with(&["secret", "rotate", "HUBSPOT_TOKEN", "-e", "stage"], "kelp")),
        ("edit", &editor),
        ("extract", &extract),
        ("adopt", &|s| s.run(&["secret", "adopt", "-e", "stage", "--yes"])),
        ("adopt FILE", &adopt_file),
        ("recipients add", &|s| s.run(&["recipients", "add", "ben", ben, "-e", "stage"])),
        ("recipients remove", &remove),
        ("sops set", &|s| s.run_with(&["sops", "set", STAGE, "[\"HUBSPOT_TOKEN\"]"], "\"kelp\"")),
        ("sops updatekeys", &|s| s.run(&["sops", "updatekeys", STAGE, "--yes", "--age", &format!("{ME},{ben}")])),
        ("sops rotate", &|s| s.run(&["sops", "rotate", "-i", STAGE])),
    ];
    for (name, write) in writes {
        let shell = quickstart();
        let eve = Eve::stage(&shell);
        shell.put("../before.yaml", &shell.read(STAGE));
        assert!(eve.reads(STAGE).is_some(), "{name}");
        let ended = write(&shell);
        assert!(ended.code == 0, "{name}: {ended:#?}");
        assert_ne!(shell.read(STAGE), shell.read("../before.yaml"), "{name}: it was written");
        assert_eq!(eve.reads(STAGE), None, "{name}");
    }
}

/// The rule stands in the block, for whoever made the file to choose: by it, a value that is set would be left in clear.
#[test]
fn e02_a_rule_that_a_stranger_chose_leaves_no_value_in_clear() {
    for (rule, of) in [("--unencrypted-regex", "^NEW$"), ("--encrypted-regex", "^(HUB|WARE|tieline)")] {
        let shell = quickstart();
        let eve = Eve::seals(&shell, "environments/prod", "HUBSPOT_TOKEN: a\nWAREHOUSE_PASSWORD: b\n", &[rule, of]);
        shell.ok(&["validate"]);
        for _ in 0..2 {
            // Also where the data key was accepted.
            ended_well(&shell.run_with(&["secret", "set", "NEW", "-e", "prod"], "kelp"));
            assert!(!shell.read(PROD).contains("kelp"), "{}", shell.read(PROD));
            shell.ok(&["validate"]);
            assert_eq!(get(&shell, "NEW", "prod"), "kelp");
            eve.shell.put(
                "x.yaml",
                &format!("HUBSPOT_TOKEN: a\nWAREHOUSE_PASSWORD: b\ntieline_scope: {WORKSPACE}/environments/prod\n"),
            );
            eve.shell.ok(&["sops", "encrypt", "-i", "x.yaml", "--age", ME, rule, of]);
            fs::rename(shell.folder.join("x.yaml"), shell.folder.join(PROD)).unwrap();
            shell.ok(&["recipients", "accept", "-e", "prod", "--yes"]);
        }
    }
}

/// Others than age entries hold the data key as well: an entry of a kind that we can't seal to goes, or nothing is written.
#[test]
fn e02_a_master_key_of_another_kind_is_not_kept_beside_ours() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
    let pgp = "    pgp:\n        - created_at: \"2026-11-20T08:00:00Z\"\n          enc: x\n          fp: EVE-KEY\n    version:";
    for kind in [pgp, &pgp.replace("pgp:", "quantum:")] {
        let with = shell.read(PROD).replace("    version:", kind);
        shell.put(PROD, &with);
        ended_well(&shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], &format!("kelp{}", kind.len())));
        assert!(!shell.read(PROD).contains("EVE-KEY"), "{}", shell.read(PROD));
    }
    shell.put("a.yaml", "a: kelp\n");
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", ME]);
    let with = shell.read("a.yaml").replace("    version:", pgp);
    shell.put("a.yaml", &with);
    let ben = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
    for ended in [
        shell.run_with(&["sops", "set", "a.yaml", "[\"a\"]"], "\"new\""),
        shell.run(&["sops", "updatekeys", "a.yaml", "--yes", "--age", ben]),
        shell.run(&["sops", "rotate", "-i", "a.yaml"]),
    ] {
        assert_eq!(ended.code, 1, "{ended:#?}");
        assert!(ended.stderr.contains("others than age recipients hold its data key"), "{ended:#?}");
    }
    assert_eq!(shell.read("a.yaml"), with);
    shell.ok(&["recipients", "accept", "a.yaml", "--yes"]);
    ended_well(&shell.run_with(&["sops", "set", "a.yaml", "[\"a\"]"], "\"new\""));
}

/// An older file of ours is as foreign as another's: who has left since knows its data key.
#[test]
fn e02_an_older_version_of_our_own_file_is_not_written_under_its_data_key() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_TOKEN", "prod", "one");
    let alone = shell.read(PROD);
    let ben = identity(&shell, "../ben.txt");
    shell.ok(&["recipients", "add", "ben", &ben]);
    let both = shell.read(PROD);
    shell.ok(&["recipients", "remove", "ben", "--rotate-data-key"]);
    shell.put(PROD, &alone);
    set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
    let put_back = shell.read(PROD).replacen("    age:\n", &format!("    age:\n{}", entry(&both, &ben)), 1);
    shell.put(PROD, &put_back);
    assert_ne!(as_other(&shell, "../ben.txt")(&["sops", "decrypt", PROD]).code, 0);
}

/// Who was removed knows the data key: what is written next is under another one, though the removal kept it.
#[test]
fn e02_who_was_removed_opens_nothing_that_is_written_later() {
    for stock in [false, true] {
        let shell = quickstart();
        let ben = identity(&shell, "../ben.txt");
        set(&shell, "HUBSPOT_TOKEN", "prod", "one");
        shell.ok(&["recipients", "add", "ben", &ben]);
        let saved = entry(&shell.read(PROD), &ben);
        let removed = match stock {
            true => shell.ok(&["sops", "updatekeys", PROD, "--yes", "--age", ME]),
            false => shell.ok(&["recipients", "remove", "ben"]),
        };
        assert!(removed.stderr.contains("`ben") && removed.stderr.contains("can no longer decrypt"), "{removed:#?}");
        let put_back = || {
            let text = shell.read(PROD).replacen("    age:\n", &format!("    age:\n{saved}"), 1);
            shell.put("../back.yaml", &text);
            as_other(&shell, "../ben.txt")(&["sops", "decrypt", "../back.yaml"])
        };
        assert_eq!(put_back().code, 0, "the removal keeps values and data key");
        let set = match stock {
            true => shell.run_with(&["sops", "set", PROD, "[\"HUBSPOT_TOKEN\"]"], "\"kelp\""),
            false => set(&shell, "HUBSPOT_TOKEN", "prod", "kelp"),
        };
        ended_well(&set);
        assert!(set.stderr.contains("who lost access may know the old data key"), "{set:#?}");
        assert_ne!(put_back().code, 0);
        let before = entries(&shell.read(PROD));
        ended_well(&shell.run_with(&["sops", "set", PROD, "[\"HUBSPOT_TOKEN\"]"], "\"again\""));
        assert_eq!(entries(&shell.read(PROD)), before, "once is enough");
    }
}

/// A clone with Git's merge driver, where the stranger's branch has the file under a data key that she knows.
#[test]
fn e02_a_merge_keeps_no_data_key_that_a_stranger_made() {
    let bin = Path::new(env!("CARGO_BIN_EXE_tieline")).parent().unwrap();
    let shell = quickstart().with_path(bin);
    let eve = Eve::stage(&shell);
    commit(&shell, "hers");
    shell.ok(&["merge-driver", "--install"]);
    assert_eq!(git(&shell, &["checkout", "-q", "-b", "side"]).code, 0);
    // Both sides are changed under her key, as releases before this one did.
    let under_hers = |name: &str| {
        let text = shell.read(STAGE).replacen("    age:\n", &format!("    age:\n{}", eve.saved), 1);
        eve.shell.put("../both.yaml", &text);
        eve.shell.ok(&["recipients", "accept", "../both.yaml", "--yes"]);
        ended_well(&eve.shell.run_with(&["sops", "set", "../both.yaml", &format!("[\"{name}\"]")], "\"old\""));
        shell.put(STAGE, &eve.shell.read("../both.yaml").replace(&eve.saved, ""));
    };
    under_hers("THEIRS");
    commit(&shell, "side");
    assert_eq!(git(&shell, &["checkout", "-q", "main"]).code, 0);
    under_hers("OURS");
    commit(&shell, "main");
    assert!(eve.reads(STAGE).is_some());
    let merged = git(&shell, &["merge", "-q", "-m", "m", "side"]);
    ended_well(&merged);
    assert!(merged.stderr.contains("its data key was not made or accepted here"), "{merged:#?}");
    assert_eq!(eve.reads(STAGE), None);
    assert_eq!((get(&shell, "OURS", "stage"), get(&shell, "THEIRS", "stage")), ("old".into(), "old".into()));
}

/// The mark of a conflict is a new name: where the file's rule goes by names, it would stand in clear.
#[test]
fn e02_a_merge_leaves_no_value_in_clear_by_the_rule_of_a_side() {
    let shell = quickstart();
    let sealed = |name: &str, value: &str| {
        shell.put(name, &format!("password: {value}\nhost: db\n"));
        shell.ok(&["sops", "encrypt", "-i", name, "--age", ME, "--encrypted-regex", "^password$"]);
    };
    for (name, value) in [("base.yaml", "one"), ("ours.yaml", "kelp-of-ours"), ("theirs.yaml", "kelp-of-theirs")] {
        sealed(name, value);
    }
    let before = shell.read("ours.yaml");
    let ended = shell.run(&["merge-driver", "base.yaml", "ours.yaml", "theirs.yaml", "x.sops.yaml"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains("would leave `password__theirs` in clear"), "{ended:#?}");
    assert_eq!(shell.read("ours.yaml"), before);
}

/// Forty secrets and more, deployed, and their file under a new data key.
#[test]
fn e02_a_plan_says_once_that_a_file_was_encrypted_again() {
    let shell = quickstart();
    shell.put("../more.yaml", &(0..40).map(|n| format!("S{n}: kelp{n}\n")).collect::<String>());
    shell.ok(&["sops", "encrypt", "-i", "../more.yaml", "--age", ME]);
    shell.ok(&["secret", "adopt", "../more.yaml", "-e", "prod", "--yes"]);
    fs::create_dir_all(shell.folder.join("environments/prod/connections")).unwrap();
    let connection = |n: usize, secret: usize| {
        let auth = format!("auth:\n  mode: password\n  username: u\n  password: ${{{{ secrets.S{secret} }}}}\n");
        let text = format!("connector: postgresql\nconfig: {{host: db{n}, database: d}}\n{auth}");
        shell.put(&format!("environments/prod/connections/db{n}.yaml"), &text);
    };
    (0..40).for_each(|n| connection(n, n));
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["sops", "rotate", "-i", PROD]);
    let plan = shell.ok(&["plan", "prod"]).stdout;
    let told = format!("{PROD}: 42 secrets re-encrypted under a new data key; any of them may have changed\n");
    assert_eq!(plan.matches(&told).count(), 1, "{plan}");
    assert!(plan.contains("HUBSPOT_TOKEN, S0, S1, ") && plan.contains("in 42 connections: db0, db1, "), "{plan}");
    assert!(!plan.contains("(secret) changed") && plan.lines().count() < 20, "{plan}");
    assert!(plan.contains("0 to create, 42 to update, 0 to delete"), "{plan}");
    let comment = shell.ok(&["plan", "prod", "--format", "markdown"]).stdout;
    assert!(comment.contains("42 secrets re-encrypted under a new data key"), "{comment}");
    let json: serde_json::Value =
        serde_json::from_str(&shell.ok(&["plan", "prod", "--format", "json"]).stdout).unwrap();
    let leaves = json["changes"].as_array().unwrap().iter().flat_map(|change| change["leaves"].as_array().unwrap());
    assert_eq!(leaves.count(), 42);
    assert_eq!(json["reencrypted"][0]["secrets"].as_array().unwrap().len(), 42);
    // What else happens to a secret is told at its leaf, in the middle of all that; one that is set is no new data key.
    connection(7, 8);
    let plan = shell.ok(&["plan", "prod"]).stdout;
    // That it is another connection's secret now is a trust change besides.
    let (changes, trust) = plan.split_once("trust changes").unwrap();
    assert_eq!(changes.matches("(secret) changed or re-encrypted").count(), 1, "{plan}");
    assert!(trust.contains("db7: credential re-targeted: a secret of `db8`"), "{plan}");
    assert!(plan.contains(" db7 ") && plan.contains(&told.replace("42", "41")), "{plan}");
    shell.ok(&["apply", "prod", "--yes"]);
    set(&shell, "S1", "prod", "sand");
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(!plan.contains("new data key") && plan.contains("auth.password: (secret) changed"), "{plan}");
}
