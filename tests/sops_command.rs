//! `tieline sops`: the format alone, as a drop-in for sops with age.

use std::collections::BTreeMap;
use std::fs;

use crate::shell::{Ended, Shell, feed, sops};
use crate::sops::data::Data;
use crate::sops::vectors::{cases, in_clear, read, setting};
use crate::support::root;

/// An age identity in the shell's folder, at hand; its recipient.
fn keygen(shell: &Shell, file: &str) -> String {
    let made = shell.ok(&["keygen", "--output", file]);
    made.stdout.trim().to_owned()
}

fn with_identity() -> (Shell, String) {
    let shell = Shell::new();
    let recipient = keygen(&shell, "key.txt");
    let file = shell.folder.join("key.txt");
    (shell.with("SOPS_AGE_KEY_FILE", file.to_str().unwrap()), recipient)
}

fn silent(ended: &Ended, words: &[&str]) {
    for word in words {
        assert!(!ended.stdout.contains(word) && !ended.stderr.contains(word), "{word}: {ended:#?}");
    }
}

/// Every case of `fixtures/sops` through the command: what comes out, or that nothing does.
#[test]
fn every_vector_opens_or_is_refused_through_the_command() {
    let shell = Shell::new();
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let file = case.join(if case.join("encrypted.json").exists() { "encrypted.json" } else { "encrypted.yaml" });
        let identity = case.join("identity.txt");
        let ended = shell.run(&["sops", "decrypt", file.to_str().unwrap(), "--identity", identity.to_str().unwrap()]);
        let reader = setting(&case, "reader");
        match (ended.code, reader.as_str()) {
            (0, "must-accept" | "may-either") => {
                let json = shell.run(&[
                    "sops",
                    "decrypt",
                    file.to_str().unwrap(),
                    "--identity",
                    identity.to_str().unwrap(),
                    "--output-type",
                    "json",
                ]);
                // Several documents, infinities: what JSON can't hold is refused.
                if json.code == 0 && case.join("expected.json").exists() {
                    let expected = Data::of_json(&read(&case, "expected.json"));
                    assert!(Data::of_json(&json.stdout).matches(&expected), "{name}\n{}", json.stdout);
                }
                assert!(json.code == 0 || ["p04", "p16"].iter().any(|n| name.starts_with(n)), "{name}: {json:#?}");
            }
            (1 | 5, "must-refuse" | "may-either") => {
                assert_eq!(ended.stdout, "", "{name}: never a partial result");
                assert!(ended.stderr.contains("nothing of it was used"), "{name}: {}", ended.stderr);
                assert!(ended.stderr.contains("\n  help: "), "{name}: {}", ended.stderr);
            }
            _ => panic!("{name} is {reader}\n{ended:#?}"),
        }
        *ran.entry(reader).or_default() += 1;
    }
    eprintln!("sops vectors through the command: {ran:?}");
    assert_eq!(ran.values().sum::<usize>(), 71);
}

#[test]
fn a_file_goes_there_and_back_and_stock_sops_opens_it_too() {
    let (shell, recipient) = with_identity();
    let stock = sops();
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        if !name.starts_with('p') || !(case.join("plain.yaml").exists() || case.join("plain.json").exists()) {
            continue;
        }
        let (text, format) = in_clear(&case);
        let file = if format == tieline::sops::Format::Json { "a.json" } else { "a.yaml" };
        // Integers that stock sops rounds are refused.
        let rounded =
            |line: &&str| line.starts_with("big_decimal_is_float:") || line.starts_with("below_min_is_float:");
        if text.lines().any(|line| rounded(&line)) {
            shell.put(file, &text);
            let refused = shell.run(&["sops", "encrypt", file, "--age", &recipient]);
            assert!(refused.code == 1 && refused.stderr.contains("more digits"), "{name}: {refused:#?}");
        }
        let text: String = text.split_inclusive('\n').filter(|line| !rounded(line)).collect();
        shell.put(file, &text);
        let sealed = shell.run(&["sops", "encrypt", file, "--age", &recipient]);
        if sealed.code != 0 {
            // What not every release reads back is not written.
            assert!(sealed.stderr.contains("cannot be written") || sealed.stderr.contains("<<"), "{name}: {sealed:#?}");
            continue;
        }
        shell.put(file, &sealed.stdout);
        let opened = shell.run(&["sops", "decrypt", file, "--output-type", "json"]);
        if opened.code != 0 {
            assert!(name.starts_with("p04") || name.starts_with("p16"), "{name}: {opened:#?}");
        } else if let Some(stock) = &stock {
            let theirs = feed(shell.command(stock).args(["decrypt", "--output-type", "json", file]), "");
            assert_eq!(theirs.code, 0, "{name}: {}\n{}", theirs.stderr, sealed.stdout);
            assert!(Data::of_json(&opened.stdout).matches(&Data::of_json(&theirs.stdout)), "{name}");
        }
    }
}

#[test]
fn one_value_is_set_and_one_line_changes() {
    let (shell, recipient) = with_identity();
    for (file, text) in [
        ("a.yaml", "# why\ndb:\n  password: kelp # here\n  port: 5432\nlist: [a, b]\n"),
        ("a.json", "{\n  \"db\": {\"password\": \"kelp\", \"port\": 5432},\n  \"list\": [\"a\", \"b\"]\n}\n"),
    ] {
        shell.put(file, text);
        shell.ok(&["sops", "encrypt", file, "--age", &recipient, "-i"]);
        let before = shell.read(file);
        let path = "[\"db\"][\"password\"]";
        let ended = shell.run_with(&["sops", "set", file, path], "\"tr0ub4dor\"\n");
        assert_eq!(ended.code, 0, "{ended:#?}");
        let after = shell.read(file);
        assert_eq!(before.lines().count(), after.lines().count());
        let changed: Vec<&str> =
            before.lines().zip(after.lines()).filter(|(a, b)| a != b).map(|(_, b)| b.trim()).collect();
        // Two within one second have one time.
        let keys: Vec<&str> =
            changed.iter().map(|line| line.split([':', '"']).find(|s| !s.is_empty()).unwrap()).collect();
        assert!(keys == ["password", "lastmodified", "mac"] || keys == ["password", "mac"], "{changed:#?}");
        let again = shell.run_with(&["sops", "set", file, path], "\"tr0ub4dor\"");
        assert!(again.stderr.contains("is that already"), "{again:#?}");
        assert_eq!(shell.read(file), after);
        assert_eq!(shell.ok(&["sops", "decrypt", file, "--extract", path]).stdout, "tr0ub4dor");
        for (path, value) in
            [("[\"list\"][2]", "\"c\""), ("[\"new\"][\"deep\"]", "[1, {\"x\": true}]"), ("[\"db\"][\"port\"]", "5433")]
        {
            let ended = shell.run_with(&["sops", "set", file, path], value);
            assert_eq!(ended.code, 0, "{ended:#?}");
        }
        let opened = shell.ok(&["sops", "decrypt", file, "--output-type", "json"]).stdout;
        let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
        assert_eq!(opened["list"][2], "c");
        assert_eq!(opened["new"]["deep"][1]["x"], true);
        assert_eq!(opened["db"]["port"], 5433);
        let text = shell.run_with(&["sops", "set", file, path, "--text"], "not: [json");
        assert_eq!(text.code, 0, "{text:#?}");
        let wrong = shell.run_with(&["sops", "set", file, path], "not: [json hunter2");
        assert_eq!((wrong.code, wrong.stdout.as_str()), (64, ""));
        silent(&wrong, &["hunter2"]);
    }
}

/// A text is set in its line; another value means that the file is laid out anew, and what that loses is said.
#[test]
fn comments_in_lists_are_not_lost_in_silence() {
    let (shell, recipient) = with_identity();
    shell.put("a.yaml", "open: [1]\nsecret: x\n");
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", &recipient, "--encrypted-regex", "^secret$"]);
    let text = shell.read("a.yaml").replacen("    - 1\n", "    # by hand\n    - 1\n", 1);
    shell.put("a.yaml", &text);
    let ended = shell.run_with(&["sops", "set", "a.yaml", "[\"secret\"]"], "\"y\"");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(shell.read("a.yaml").contains("# by hand"));
    let ended = shell.run_with(&["sops", "set", "a.yaml", "[\"secret\"]"], "5");
    assert!(ended.stderr.contains("1 comment in lists left out"), "{ended:#?}");
    assert_eq!(shell.ok(&["sops", "decrypt", "a.yaml"]).stdout, "open:\n    - 1\nsecret: 5\n");
}

#[test]
fn keys_are_updated_and_rotated_and_the_one_who_was_removed_is_told_of() {
    let (shell, recipient) = with_identity();
    let other = keygen(&shell, "other.txt");
    shell.put("a.yaml", "a: kelp\n");
    shell.ok(&["sops", "encrypt", "a.yaml", "--age", &format!("{recipient},{other}"), "-i"]);
    let both = shell.read("a.yaml");
    let mine = ["sops", "updatekeys", "a.yaml", "--yes", "--age", &recipient];
    let ended = shell.ok(&mine);
    assert!(ended.stderr.contains("may still hold the data key: `tieline sops rotate -i a.yaml`"), "{ended:#?}");
    let one = shell.read("a.yaml");
    let line = |text: &str, key: &str| text.lines().find(|line| line.trim_start().starts_with(key)).unwrap().to_owned();
    for key in ["a: ", "mac: ", "lastmodified: "] {
        assert_eq!(line(&both, key), line(&one, key));
    }
    assert!(shell.ok(&mine).stderr.contains("sealed to them already"));
    let stranger = ["sops", "decrypt", "a.yaml", "--identity", "other.txt"];
    let shell = shell.with("SOPS_AGE_KEY_FILE", "/nowhere");
    let ended = shell.run(&stranger);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains(&recipient), "the error says who has one: {}", ended.stderr);
    let rotate = ["sops", "rotate", "-i", "a.yaml", "--identity", "key.txt", "--add-age", &other];
    shell.ok(&rotate);
    assert_ne!(line(&shell.read("a.yaml"), "a: "), line(&one, "a: "));
    assert_eq!(shell.ok(&stranger).stdout, "a: kelp\n");
}

#[test]
fn the_recipients_and_the_rule_of_dot_sops_yaml_are_followed() {
    let (shell, recipient) = with_identity();
    fs::create_dir_all(shell.folder.join("deep/er")).unwrap();
    shell.put(
        ".sops.yaml",
        &format!("creation_rules:\n  - path_regex: er/.*\\.yaml$\n    encrypted_regex: ^pass\n    age: {recipient}\n"),
    );
    shell.put("deep/er/a.yaml", "password: kelp\nhost: db\n");
    shell.ok(&["sops", "encrypt", "-i", "deep/er/a.yaml"]);
    let text = shell.read("deep/er/a.yaml");
    assert!(text.contains("password: ENC[") && text.contains("host: db\n"), "{text}");
    shell.put("b.yaml", "a: b\n");
    let ended = shell.run(&["sops", "encrypt", "b.yaml"]);
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("nobody is named to seal it to"), "{ended:#?}");
}

#[test]
fn keygen_never_overwrites_and_the_file_is_the_owners_alone() {
    let shell = Shell::new();
    let made = shell.ok(&["keygen"]);
    let text = fs::read_to_string(shell.keys()).unwrap();
    assert!(text.contains(&format!("# public key: {}", made.stdout)), "stdout is the recipient");
    assert!(!made.stdout.contains("SECRET") && !made.stderr.contains("SECRET"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(shell.keys()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = shell.run(&["keygen"]);
    assert_eq!((again.code, again.stdout.as_str()), (4, ""));
    assert_eq!(fs::read_to_string(shell.keys()).unwrap(), text);
}

/// SOPS_AGE_KEY_CMD is run only for a file that nothing else opens, and is told the recipient.
#[test]
fn a_command_gives_the_identity_for_a_recipient() {
    let shell = Shell::new();
    let recipient = keygen(&shell, "key.txt");
    shell.put("a.yaml", "a: kelp\n");
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", &recipient]);
    shell.put("give", "#!/bin/sh\necho \"$SOPS_AGE_RECIPIENT\" >> asked\ncat \"$1\"\n");
    let shell = shell.with("SOPS_AGE_KEY_CMD", "sh give 'key.txt'");
    assert_eq!(shell.ok(&["sops", "decrypt", "a.yaml"]).stdout, "a: kelp\n");
    assert_eq!(shell.read("asked").trim(), recipient);
    shell.ok(&["sops", "decrypt", "a.yaml", "--identity", "key.txt"]);
    assert_eq!(shell.read("asked").lines().count(), 1);
}

#[test]
fn an_ssh_key_in_its_usual_place_opens_a_file() {
    let shell = Shell::new();
    let ssh = shell.home().join(".ssh");
    fs::create_dir_all(&ssh).unwrap();
    let made = feed(
        shell
            .command("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "ana", "-f"])
            .arg(ssh.join("id_ed25519")),
        "",
    );
    assert_eq!(made.code, 0, "{made:#?}");
    let public = fs::read_to_string(ssh.join("id_ed25519.pub")).unwrap();
    shell.put("a.yaml", "a: kelp\n");
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", public.trim()]);
    assert_eq!(shell.ok(&["sops", "decrypt", "a.yaml"]).stdout, "a: kelp\n");
}

/// A plugin: a program named age-plugin-NAME on the operator's path.
#[test]
fn a_plugin_that_is_not_installed_is_named() {
    let shell = Shell::new();
    shell.put("a.yaml", "a: kelp\n");
    // A recipient of the plugin `tide`, bech32.
    let ended = shell.run(&["sops", "encrypt", "a.yaml", "--age", &plugin_recipient()]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains("age-plugin-yubikey is not installed"), "{ended:#?}");
    let ended = shell.run(&["sops", "encrypt", "a.yaml", "--age", "age1pq1qqqq"]);
    assert!(ended.stderr.contains("post-quantum recipients are not supported yet"), "{ended:#?}");
}

/// With the program there, a plugin's recipient is one like others: the script of `tests/peers` speaks the protocol.
#[test]
#[cfg(unix)]
fn a_plugin_seals_and_opens_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    let bin = shell.everything().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join("age-plugin-tide");
    fs::copy(root().join("tests/peers/age_plugin_tide.py"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let shell = shell.with_path(&bin);
    let made = feed(&mut shell.command(&program), "");
    let (recipient, identity) = made.stdout.trim().split_once('\n').unwrap();
    shell.put("a.yaml", "a: kelp\n");
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", recipient]);
    shell.put("tide.txt", &format!("{identity}\n"));
    // Where the program is missing, the file's other identities open what they can.
    let plain = Shell::new();
    let own = keygen(&plain, "own.txt");
    plain.put("a.yaml", "a: kelp\n");
    plain.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", &own]);
    plain.put("both.txt", &format!("{identity}\n{}", plain.read("own.txt")));
    assert_eq!(plain.ok(&["sops", "decrypt", "a.yaml", "--identity", "both.txt"]).stdout, "a: kelp\n");
    plain.put("b.yaml", &shell.read("a.yaml"));
    let ended = plain.run(&["sops", "decrypt", "b.yaml", "--identity", "both.txt"]);
    assert!(ended.stderr.contains("whose program age-plugin-tide is not installed"), "{ended:#?}");
    assert_eq!(shell.ok(&["sops", "decrypt", "a.yaml", "--identity", "tide.txt"]).stdout, "a: kelp\n");
    if let Some(stock) = sops() {
        let opened = feed(shell.command(stock).env("SOPS_AGE_KEY", identity).args(["decrypt", "a.yaml"]), "");
        assert_eq!((opened.code, opened.stdout.as_str()), (0, "a: kelp\n"), "{opened:#?}");
    }
}

fn plugin_recipient() -> String {
    // From the README of age-plugin-yubikey.
    "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt".to_owned()
}

#[test]
fn what_is_no_sops_file_is_told_with_its_line() {
    let (shell, _) = with_identity();
    let vector = root().join("fixtures/sops/n14-plain-in-encrypted-place/encrypted.yaml");
    let ended = shell.run(&["sops", "decrypt", vector.to_str().unwrap()]);
    assert_eq!(ended.code, 1);
    shell.put("plain.yaml", "a: hunter2\n");
    let ended = shell.run(&["sops", "decrypt", "plain.yaml"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("plain.yaml: no `sops` block: the file is not encrypted with sops"), "{ended:#?}");
    silent(&ended, &["hunter2"]);
    shell.put("double.yaml", "a: 1\nb: 2\na: hunter2\n");
    let ended = shell.run(&["sops", "encrypt", "double.yaml", "--age", "age1x"]);
    assert_eq!(ended.code, 64, "{ended:#?}");
}
