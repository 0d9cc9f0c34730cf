//! `secret get`, `unset`, `rotate`, and where values come from.

use std::fs;

use super::{DEV, PROD, changed, commit, edit, get, quickstart, set};
use crate::shell::feed;

#[test]
fn c04_a_value_comes_back_as_it_was_set_and_nothing_else_is_printed() {
    let shell = quickstart();
    let value = "two\nlines: #'\"ö";
    set(&shell, "HUBSPOT_TOKEN", "prod", value);
    let ended = shell.ok(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (value, ""));
    let ended = shell.run(&["secret", "get", "HUBSPOT_TOKN", "-e", "prod"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (64, ""));
    assert!(ended.stderr.contains("did you mean `HUBSPOT_TOKEN`?"), "{ended:#?}");
}

/// What connections see: a value of a layer below, and of a store only its address.
#[test]
fn c04_a_value_of_a_layer_below_is_found_and_a_stores_is_told() {
    let shell = quickstart();
    let settings = shell.read("environments/dev/environment.yaml");
    shell.put(
        "environments/dev/environment.yaml",
        &format!("{settings}extends: prod\nsecrets: {{OTHER: 'vault://kv/a#b'}}\n"),
    );
    set(&shell, "BELOW", "prod", "of prod");
    assert_eq!(get(&shell, "BELOW", "dev"), "of prod");
    let ended = shell.run(&["secret", "get", "OTHER", "-e", "dev"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (64, ""));
    assert!(ended.stderr.contains("it is bound to vault://kv/a#b"), "{ended:#?}");
}

/// A40: the runner compares lines, so every line is hidden; short ones would garble the log and hide nothing.
#[test]
fn a40_on_github_every_line_of_a_value_is_masked_before_it_is_printed() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_TOKEN", "prod", "-----BEGIN KEY-----\nabcdef%41\nxy\n-----END KEY-----\n");
    let shell = shell.with("GITHUB_ACTIONS", "true");
    let ended = shell.ok(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]);
    let masks: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(masks, ["::add-mask::-----BEGIN KEY-----", "::add-mask::abcdef%2541", "::add-mask::-----END KEY-----"]);
    // The same of other commands that print what was sealed; what was not is no secret.
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["bundle", "export", "prod", "../b.tar.gz"]);
    for words in [
        &["sops", "decrypt", PROD][..],
        &["sops", "decrypt", PROD, "--output-type", "json"],
        &["sops", "decrypt", PROD, "--extract", "[\"HUBSPOT_TOKEN\"]"],
        &["bundle", "open", "../b.tar.gz", "hubspot"],
    ] {
        let ended = shell.run(words);
        assert_eq!(ended.code, 0, "{words:?} {ended:#?}");
        assert!(ended.stderr.contains("::add-mask::abcdef%2541\n"), "{words:?} {ended:#?}");
        assert!(!ended.stderr.contains("::add-mask::hubspot"), "{words:?} {ended:#?}");
    }
}

#[test]
fn p10_a_value_is_made_up_that_nobody_has_seen() {
    let shell = quickstart();
    let ended = shell.ok(&["secret", "set", "NEW", "-e", "prod", "--generate"]);
    let first = get(&shell, "NEW", "prod");
    assert_eq!(first.len(), 32);
    assert!(!ended.stdout.contains(&first) && !ended.stderr.contains(&first));
    shell.ok(&["secret", "set", "NEW", "-e", "prod", "--generate=64,hex"]);
    let second = get(&shell, "NEW", "prod");
    assert!(second.len() == 64 && second.bytes().all(|b| b.is_ascii_hexdigit()), "{second}");
    for weak in ["--generate=4", "--generate=12,digits", "--generate=x", "--generate=32,a"] {
        let ended = shell.run(&["secret", "set", "NEW", "-e", "prod", weak]);
        assert_eq!(ended.code, 64, "{weak}: {ended:#?}");
    }
    assert_eq!(get(&shell, "NEW", "prod"), second);
}

/// P10: the organization makes the key of a customer.
#[test]
fn p10_a_customers_value_goes_into_the_customers_file() {
    let shell = crate::shell::Shell::example("tenants").with_demo_identity();
    let customer = fs::read_dir(shell.folder.join("customers")).unwrap().next().unwrap().unwrap().file_name();
    let customer = customer.to_str().unwrap();
    shell.ok(&["secret", "set", "MADE_UP", "--customer", customer, "--generate"]);
    assert!(shell.read(&format!("customers/{customer}/secrets.sops.yaml")).contains("MADE_UP: ENC["));
}

#[test]
fn a_value_comes_from_a_file_without_the_editors_line_break() {
    let shell = quickstart();
    shell.put("password.txt", "kelp\n");
    shell.ok(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--from-file", "password.txt"]);
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "kelp");
    let key = "-----BEGIN\nx\n-----END\n";
    shell.put("key.pem", key);
    shell.ok(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--from-file", "key.pem"]);
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), key);
    let ended = shell.run(&["secret", "set", "X", "-e", "prod", "--from-file", "nowhere"]);
    assert_eq!(ended.code, 1);
    let ended = shell.run(&["secret", "set", "X", "-e", "prod", "--from-file", "key.pem", "--generate"]);
    assert_eq!(ended.code, 64, "two places for one value");
}

#[test]
fn x16_a_secret_in_use_is_not_removed_unless_somebody_insists() {
    let shell = quickstart();
    shell.ok(&["recipients", "accept", "--yes"]);
    let text = shell.read(PROD);
    let ended = shell.run(&["secret", "unset", "HUBSPOT_TOKEN", "-e", "prod"]);
    assert_eq!((ended.code, shell.read(PROD)), (4, text.clone()));
    assert!(ended.stderr.contains("HUBSPOT_TOKEN is in use: `prod: hubspot`"), "{ended:#?}");
    set(&shell, "IDLE", "prod", "x");
    shell.ok(&["secret", "unset", "IDLE", "-e", "prod"]);
    assert!(changed(&text, &shell.read(PROD)).iter().all(|key| key == "lastmodified" || key == "mac"));
    shell.ok(&["secret", "unset", "HUBSPOT_TOKEN", "-e", "prod", "--force"]);
    assert!(!shell.read(PROD).contains("HUBSPOT_TOKEN"));
    let ended = shell.run(&["secret", "unset", "HUBSPOT_TOKEN", "-e", "prod", "--force"]);
    assert_eq!(ended.code, 64, "{ended:#?}");
}

/// X14, X20: a rotation tells the runbook, writes the day beside the login, and lists everything that is linked.
#[test]
fn x14_x20_n04_a_rotation_writes_the_day_and_lists_what_is_linked() {
    let shell = quickstart();
    let login = "credentials/warehouse-db.yaml";
    edit(
        &shell,
        login,
        "auth:\n",
        "rotate_every: 90d # as policy has it\nrunbook: https://runbooks.example/db\nauth:\n",
    );
    let ended = shell.run_with(&["secret", "rotate", "WAREHOUSE_PASSWORD", "-e", "prod"], "a new one");
    assert_eq!(ended.code, 0, "{ended:#?}");
    for told in [
        "runbook of warehouse-db: https://runbooks.example/db",
        "WAREHOUSE_PASSWORD rotated in environments/prod/secrets.sops.yaml",
        "in environments/prod/credentials/warehouse-db.yaml",
        "seen by `prod: warehouse`",
        "and so by `nightly-sync`",
    ] {
        assert!(ended.stderr.contains(told), "{told}\n{}", ended.stderr);
    }
    let dated = shell.read("environments/prod/credentials/warehouse-db.yaml");
    assert!(dated.starts_with("rotated: '20"), "{dated}");
    assert!(!shell.read(login).contains("rotated:"), "dev has a value of its own, of another age");
    shell.ok(&["validate"]);
    assert_eq!(get(&shell, "WAREHOUSE_PASSWORD", "prod"), "a new one");
    edit(&shell, "environments/prod/credentials/warehouse-db.yaml", &dated, "rotated: '2020-01-31' # by hand\n");
    shell.ok(&["secret", "rotate", "WAREHOUSE_PASSWORD", "-e", "prod", "--generate"]);
    let again = shell.read("environments/prod/credentials/warehouse-db.yaml");
    assert_eq!(again, dated.replace('\n', " # by hand\n"), "the comment stays");
    let same = shell.run_with(
        &["secret", "rotate", "WAREHOUSE_PASSWORD", "-e", "prod"],
        &get(&shell, "WAREHOUSE_PASSWORD", "prod"),
    );
    assert_eq!(same.code, 1, "the old value is no new one");
}

/// Each of many at once sees what the one before it wrote, and none is lost.
#[test]
fn two_changes_at_once_are_both_kept() {
    let shell = quickstart();
    std::thread::scope(|scope| {
        for n in 0..12 {
            let shell = &shell;
            scope.spawn(move || {
                let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
                let name = format!("N{n}");
                let ended = feed(command.args(["secret", "set", &name, "-e", "prod"]), &format!("value {n}"));
                assert_eq!(ended.code, 0, "{ended:#?}");
            });
        }
    });
    for n in 0..12 {
        assert_eq!(get(&shell, &format!("N{n}"), "prod"), format!("value {n}"));
    }
    let left: Vec<_> = fs::read_dir(&shell.folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().contains("lock")), "{left:?}");
}

/// Unchanged values keep their ciphertext: a review shows what was changed and nothing else.
#[test]
fn x17_a_change_of_one_value_is_a_change_of_one_line() {
    let shell = quickstart();
    set(&shell, "A", "prod", "1");
    commit(&shell, "first");
    let before = shell.read(PROD);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    set(&shell, "HUBSPOT_TOKEN", "prod", "another");
    assert_eq!(changed(&before, &shell.read(PROD)), ["HUBSPOT_TOKEN", "lastmodified", "mac"]);
    assert_eq!(shell.read(DEV), quickstart().read(DEV));
}

/// `.sops.yaml` says the same as the layers; one that somebody wrote is left alone.
#[test]
fn stock_sops_is_kept_in_step_and_a_file_by_hand_is_left_alone() {
    let shell = quickstart();
    let rules = shell.read(".sops.yaml");
    assert!(rules.contains("^environments/prod/secrets\\\\.sops\\\\.yaml$"), "{rules}");
    fs::remove_file(shell.folder.join(".sops.yaml")).unwrap();
    set(&shell, "A", "prod", "1");
    assert_eq!(shell.read(".sops.yaml"), rules);
    shell.put(".sops.yaml", "creation_rules: []\n");
    set(&shell, "A", "prod", "2");
    assert_eq!(shell.read(".sops.yaml"), "creation_rules: []\n");
}

#[test]
fn the_examples_have_the_rules_that_tieline_writes() {
    for example in ["quickstart", "ziggy", "tenants"] {
        let shell = crate::shell::Shell::example(example).with_demo_identity();
        let rules = shell.read(".sops.yaml");
        set(&shell, "ANY", "prod", "1");
        assert_eq!(shell.read(".sops.yaml"), rules, "{example}");
    }
}

/// Without a variable, the identity lies where sops has it on this system.
#[test]
fn e2_11_an_identity_is_found_where_sops_has_it() {
    let shell = crate::shell::Shell::example("quickstart");
    assert_ne!(shell.run(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]).code, 0);
    let folder = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
    let folder = shell.home().join(folder).join("sops/age");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(shell.folder.join("demo-identity.txt"), folder.join("keys.txt")).unwrap();
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "replace-me");
}

/// A typo would be a profile of its own, sealed and never used.
#[test]
fn f21_a_value_goes_into_no_profile_that_is_not_there() {
    let shell = quickstart();
    fs::create_dir_all(shell.folder.join("environments/prod/profiles/test")).unwrap();
    shell.put("environments/prod/profiles/test/profile.yaml", "inherit_secrets: true\n");
    let ended = shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--profile", "tset"], "value");
    assert_eq!(ended.code, 64, "{ended:#?}");
    assert!(
        ended.stderr.contains("did you mean `test`?") && !shell.folder.join("environments/prod/profiles/tset").exists()
    );
    let ended = shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--profile", "test"], "value");
    assert_eq!(ended.code, 0, "{ended:#?}");
}

/// A key that lost its last line break is one that OpenSSH refuses.
#[test]
fn f26_several_lines_keep_their_last_line_break() {
    let shell = quickstart();
    let key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n";
    shell.put("key.pem", key);
    for (given, kept) in
        [(key, key), ("one line\n", "one line"), ("one line\r\n", "one line"), ("a\r\nb\r\n", "a\r\nb\r\n")]
    {
        set(&shell, "NEW", "prod", given);
        assert_eq!(get(&shell, "NEW", "prod"), kept);
        shell.put("value.txt", given);
        shell.ok(&["secret", "set", "NEW", "-e", "prod", "--from-file", "value.txt"]);
        assert_eq!(get(&shell, "NEW", "prod"), kept);
    }
}
