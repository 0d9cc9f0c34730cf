//! Abuse cases of secrets and of the sealed file, each as somebody would try it.

use std::fs;

use tieline::secret::Secret;
use tieline::sops::{Encrypted, ErrorKind, Identities, Map, Rule, Settings, encrypt};

use super::{DEV, PROD, edit, quickstart, set};
use crate::shell::{Ended, tree};
use crate::sops::{TIME, key, random};

const VALUE: &str = "Kelp-forest/7";

fn silent(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("Kelp-forest") && !text.contains("S2VscC1mb3Jlc3"), "{ended:#?}");
    }
}

/// A35: a value that does not fit its field is told by what the field wants, at `validate` as at `apply`.
#[test]
fn a35_a45_a_plaintext_secret_is_refused_and_not_shown() {
    let shell = quickstart();
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", VALUE);
    for format in ["human", "concise", "json", "github"] {
        let ended = shell.run(&["validate", "--format", format]);
        assert_eq!(ended.code, 1);
        assert!(ended.stdout.contains("plaintext-secret"), "{ended:#?}");
        silent(&ended);
    }
    for arguments in [vec!["render", "prod"], vec!["plan", "prod"], vec!["apply", "prod", "--yes"], vec!["audit"]] {
        silent(&shell.run(&arguments));
    }
}

/// A35: what no plan can look at, an apply can: the value has another form than its field asks for, and is not shown.
#[test]
fn a35_a_value_of_another_form_is_refused_at_apply_and_not_shown() {
    let shell = quickstart();
    fs::create_dir_all(shell.folder.join("connectors")).unwrap();
    shell.put(
        "connectors/acme.json",
        r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["auth"],
            "properties": {"config": {"type": "object", "additionalProperties": false}, "auth": {"type": "object",
            "required": ["mode", "pin"], "additionalProperties": false, "properties": {"mode": {"const": "pin"},
            "pin": {"type": "string", "writeOnly": true, "pattern": "^[0-9]{8}$", "description": "eight digits"}}}}}"#,
    );
    shell.put("connections/acme.yaml", "connector: acme\nauth:\n  mode: pin\n  pin: ${{ secrets.PIN }}\n");
    for environment in ["dev", "prod"] {
        set(&shell, "PIN", environment, VALUE);
    }
    shell.run(&["plan", "prod"]);
    let ended = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains("the form that the field asks for: eight digits"), "{ended:#?}");
    assert!(!shell.folder.join("dist/environments/prod/head.json").exists());
    silent(&ended);
    set(&shell, "PIN", "prod", "12345678");
    shell.ok(&["apply", "prod", "--yes"]);
}

/// A36: what is made of a secret is as secret: joined, encoded, in a URL.
#[test]
fn a36_what_is_made_of_a_secret_stays_one() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_TOKEN", "prod", VALUE);
    for made in [
        "Bearer ${{ secrets.HUBSPOT_TOKEN }}",
        "${{ secrets.HUBSPOT_TOKEN | b64encode }}",
        "postgres://u:${{ secrets.HUBSPOT_TOKEN | urlencode }}@h",
    ] {
        let text = quickstart().read("connections/hubspot.yaml");
        let line = "access_token: ${{ secrets.HUBSPOT_TOKEN }}";
        assert!(text.contains(line));
        shell.put("connections/hubspot.yaml", &text.replace(line, &format!("access_token: \"{made}\"")));
        for arguments in
            [vec!["render", "prod"], vec!["plan", "prod"], vec!["explain", "prod", "hubspot", "auth.access_token"]]
        {
            silent(&shell.ok(&arguments));
        }
        let ended = shell.ok(&["apply", "prod", "--yes"]);
        silent(&ended);
        for (path, bytes) in tree(&shell.folder) {
            assert!(!String::from_utf8_lossy(&bytes).contains("Kelp-forest"), "{path}");
        }
    }
    // In a clear field it is a compile error, whatever was made of it.
    let shell = quickstart();
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: ${{ secrets.WAREHOUSE_PASSWORD | int }}");
    let ended = shell.run(&["validate"]);
    assert!(ended.stdout.contains("secret-in-clear"), "{ended:#?}");
}

/// A37: what a plan says of a secret is a digest of its ciphertext: the same value twice looks like two.
#[test]
fn a37_equal_values_do_not_look_equal() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_TOKEN", "prod", VALUE);
    set(&shell, "WAREHOUSE_PASSWORD", "prod", VALUE);
    let json = shell.ok(&["secret", "list", "-e", "prod", "--format", "json"]).stdout;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_ne!(rows[0]["version"], rows[1]["version"]);
    let text = shell.read(PROD);
    let data = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split("data:").nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    assert_ne!(data("HUBSPOT_TOKEN"), data("WAREHOUSE_PASSWORD"));
}

/// A39: no core. That no other process looks into the memory is shown in `stranger`.
#[test]
#[cfg(target_os = "linux")]
fn a39_a_process_that_holds_a_secret_leaves_no_core() {
    use std::process::Stdio;
    let shell = quickstart();
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    command
        .args(["secret", "set", "X", "-e", "prod"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // It waits for the value.
    let limits = format!("/proc/{}/limits", child.id());
    let core = || {
        let text = fs::read_to_string(&limits).ok()?;
        let line = text.lines().find(|line| line.starts_with("Max core file size"))?.to_owned();
        Some(line.split_whitespace().skip(4).take(2).all(|limit| limit == "0"))
    };
    let start = std::time::Instant::now();
    while core() != Some(true) {
        assert!(start.elapsed().as_secs() < 10, "core dumps are off");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-ABRT", &pid]).status().unwrap().success());
    child.wait().unwrap();
    let left: Vec<_> = fs::read_dir(&shell.folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().starts_with("core")), "{left:?}");
    assert!(!left.iter().any(|name| name.to_str().unwrap().starts_with(".tieline-")), "{left:?}");
}

/// A44: what a CI system keeps as an artifact is sealed, or holds no secret.
#[test]
fn c01_a44_what_ci_keeps_is_sealed_or_without_secrets() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_TOKEN", "prod", VALUE);
    let plan = shell.ok(&["plan", "prod", "--format", "json"]);
    silent(&plan);
    shell.ok(&["apply", "prod", "--yes"]);
    let mut objects = 0;
    for (path, bytes) in tree(&shell.folder.join("dist")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Kelp-forest"), "{path}");
        objects += usize::from(text.contains("access_token: ENC[AES256_GCM,"));
    }
    assert!(objects >= 1);
}

/// A file with these values, as `secret set` writes one.
fn file(values: &[(&str, &str)]) -> (String, Identities) {
    let (identities, recipient, _) = key();
    let mut data = Map::new();
    for (name, value) in values {
        data.push(*name, Secret::new((*value).to_owned()));
    }
    let recipients = [recipient];
    let settings = Settings {
        rule: &Rule::EncryptedRegex(".*".into()),
        mac_only_encrypted: false,
        recipients: &recipients,
        lastmodified: TIME,
    };
    (encrypt(&data, &settings, &mut random).unwrap(), identities)
}

fn open(text: &str, identities: &Identities) -> Option<ErrorKind> {
    Encrypted::parse(text).and_then(|file| file.open(identities).map(drop)).err().map(|error| error.kind)
}

fn value<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

/// A66: two values exchanged, in a map, in a list, from another file, from another environment.
#[test]
fn a66_exchanged_values_are_found() {
    let (text, identities) = file(&[("A", "1"), ("B", "2")]);
    let (a, b) = (value(&text, "A").to_owned(), value(&text, "B").to_owned());
    let swapped = text.replace(&a, "@").replace(&b, &a).replace('@', &b);
    assert_eq!(open(&swapped, &identities), Some(ErrorKind::DoesNotDecrypt));
    let (other, _) = file(&[("A", "3")]);
    let foreign = text.replace(&a, value(&other, "A"));
    assert_eq!(open(&foreign, &identities), Some(ErrorKind::DoesNotDecrypt));
    // Elements of a list have one path: only the MAC tells.
    let shell = quickstart();
    shell.put("l.yaml", "l:\n  - one\n  - two\n");
    shell.ok(&[
        "sops",
        "encrypt",
        "-i",
        "l.yaml",
        "--age",
        "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s",
    ]);
    let list = shell.read("l.yaml");
    let items: Vec<&str> = list.lines().filter(|line| line.trim().starts_with("- ENC[")).collect();
    shell.put("l.yaml", &list.replace(items[0], "@").replace(items[1], items[0]).replace('@', items[1]));
    let ended = shell.run(&["sops", "decrypt", "l.yaml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""), "{ended:#?}");
    let dev = shell.read(DEV);
    let (mine, theirs) = (shell.read(PROD), value(&dev, "HUBSPOT_TOKEN").to_owned());
    shell.put(PROD, &mine.replace(value(&mine, "HUBSPOT_TOKEN"), &theirs));
    assert_eq!(shell.run(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]).code, 5);
}

/// A67: a key renamed or moved; `a.b` and `a:b` are not the same place to a reader, though they are to the path.
#[test]
fn a67_a_renamed_or_moved_value_does_not_open() {
    let (text, identities) = file(&[("A", "1"), ("B", "2")]);
    assert_eq!(open(&text.replacen("A: ENC", "C: ENC", 1), &identities), Some(ErrorKind::DoesNotDecrypt));
    let nested = text.replacen("A: ENC", "X:\n    A: ENC", 1);
    assert_eq!(open(&nested, &identities), Some(ErrorKind::DoesNotDecrypt));
    // The one pair that the format can't tell apart by path: here the name `a:b` is refused before a key is asked for.
    let shell = quickstart();
    let prod = shell.read(PROD);
    shell.put(PROD, &prod.replacen("HUBSPOT_TOKEN: ENC", "\"HUBSPOT:TOKEN\": ENC", 1));
    let told = shell.run(&["validate"]);
    assert!(told.stdout.contains("can't be the name of a secret"), "{told:#?}");
}

/// A68: a value dropped, added in clear, put elsewhere; bytes moved over the border of two values; a comment edited.
#[test]
fn a68_a_dropped_added_or_reordered_value_is_found() {
    let (text, identities) = file(&[("A", "ab"), ("B", "cd")]);
    let line = |name: &str| format!("{name}: {}\n", value(&text, name));
    assert_eq!(open(&text.replace(&line("A"), ""), &identities), Some(ErrorKind::MacMismatch));
    let reordered = text.replace(&line("A"), "").replace(&line("B"), &format!("{}{}", line("B"), line("A")));
    assert_eq!(open(&reordered, &identities), Some(ErrorKind::MacMismatch));
    assert_eq!(open(&format!("C: clear\n{text}"), &identities), Some(ErrorKind::NotEncrypted));
    let (longer, _) = file(&[("A", "abc"), ("B", "d")]);
    let shifted = text.replace(value(&text, "A"), value(&longer, "A"));
    assert_eq!(open(&shifted, &identities), Some(ErrorKind::DoesNotDecrypt));
    // Comments are in no MAC, and in no value either.
    assert_eq!(open(&format!("# edited by hand\n{text}"), &identities), None);
}

/// A69: the seal taken off, made weaker, or turned into something else.
#[test]
fn a69_a_weakened_seal_is_found() {
    let (text, identities) = file(&[("A", "12"), ("B", "cd")]);
    let mac = text.lines().find(|line| line.starts_with("    mac: ")).unwrap();
    assert_eq!(open(&text.replace(&format!("{mac}\n"), ""), &identities), Some(ErrorKind::MacMissing));
    let only = text.replace("    version:", "    mac_only_encrypted: true\n    version:");
    assert_eq!(open(&only, &identities), Some(ErrorKind::MacMismatch));
    let clear = text.replace(value(&text, "A"), "hunter2");
    assert_eq!(open(&clear, &identities), Some(ErrorKind::NotEncrypted));
    let rule = text.replace("encrypted_regex: \".*\"", "encrypted_regex: \"^B$\"");
    assert_eq!(
        open(&rule, &identities),
        Some(ErrorKind::MacMismatch),
        "what is taken for clear is hashed as it stands"
    );
    // The type is not sealed: the value is still the same text, and in a secrets file anything but a string is refused.
    let typed = text.replacen("type:str", "type:int", 1);
    assert_eq!(open(&typed, &identities), None);
    let shell = quickstart();
    let prod = shell.read(PROD);
    shell.put(PROD, &prod.replacen("type:str", "type:int", 1));
    assert!(shell.run(&["validate"]).stdout.contains("is sealed as `int`, secrets are strings"));
}

/// A70: who holds the data key beside the recipients is told, of whatever kind.
#[test]
fn a70_key_groups_and_other_kinds_of_key_are_refused_in_a_workspace() {
    for more in [
        "    key_groups:\n        - age:\n            - recipient: age1x\n              enc: x\n",
        "    pgp:\n        - fp: ABCD\n",
    ] {
        let shell = quickstart();
        let prod = shell.read(PROD);
        shell.put(PROD, &prod.replacen("    lastmodified:", &format!("{more}    lastmodified:"), 1));
        let told = shell.run(&["validate"]);
        assert_eq!(told.code, 1);
        let kind = more.trim_start().split(':').next().unwrap();
        assert!(told.stdout.contains(&format!("a master key of the kind `{kind}`")), "{told:#?}");
    }
}

/// A71: two blocks, base64 that says the same in other letters, texts cut off.
#[test]
fn a71_two_blocks_and_malleable_or_truncated_texts_are_refused() {
    let (text, identities) = file(&[("A", "12")]);
    let block = text.find("sops:").unwrap();
    assert!(matches!(open(&format!("{text}{}", &text[block..]), &identities), Some(ErrorKind::DuplicateKey { .. })));
    // `12` is two bytes: the last letter before `=` has two bits that nobody reads.
    let enc = value(&text, "A");
    let data = enc.split("data:").nth(1).unwrap().split(',').next().unwrap();
    let last = data.as_bytes()[2];
    let other =
        [b'A', b'B', b'C', b'D'].into_iter().map(|n| last ^ n ^ b'A').find(|b| *b != last && b.is_ascii_alphanumeric());
    if let Some(other) = other {
        let twin = format!("{}{}=", &data[..2], char::from(other));
        assert_eq!(open(&text.replace(data, &twin), &identities), Some(ErrorKind::DoesNotDecrypt));
    }
    for cut in ["data:,", "data:=,", "data:AA,"] {
        let broken = text.replace(&format!("data:{data},"), cut);
        assert!(matches!(open(&broken, &identities), Some(ErrorKind::BadEnc | ErrorKind::DoesNotDecrypt)), "{cut}");
    }
    for length in [0, 1, 10, text.len() / 2, text.len() - 20] {
        let cut = &text[..length];
        assert!(Encrypted::parse(cut).and_then(|file| file.open(&identities).map(drop)).is_err(), "{length}");
    }
}

/// A73: no nonce twice, over 100,000 seals; an unchanged value keeps its ciphertext, a changed one never does.
#[test]
fn a73_no_nonce_is_used_twice() {
    let names: Vec<String> = (0..2000).map(|n| format!("N{n}")).collect();
    let values: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "same")).collect();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..50 {
        let (text, _) = file(&values);
        let ivs = text.lines().filter_map(|line| line.split("iv:").nth(1)?.split(',').next());
        let before = seen.len();
        let fresh: Vec<String> = ivs.map(str::to_owned).collect();
        let count = fresh.len();
        seen.extend(fresh);
        assert_eq!(seen.len(), before + count);
    }
    assert!(seen.len() > 100_000);
    let (text, identities) = file(&[("A", "1"), ("B", "2")]);
    let encrypted = Encrypted::parse(&text).unwrap();
    let mut edit = encrypted.edit(&identities).unwrap();
    edit.set(&["A"], Secret::new("3".into())).unwrap();
    let changed = edit.finish(TIME, &mut random).unwrap().unwrap();
    let encrypted = Encrypted::parse(&changed).unwrap();
    let mut edit = encrypted.edit(&identities).unwrap();
    edit.set(&["A"], Secret::new("1".into())).unwrap();
    let back = edit.finish(TIME, &mut random).unwrap().unwrap();
    assert_ne!(value(&back, "A"), value(&text, "A"), "also where the old value comes back");
    assert_eq!(value(&back, "B"), value(&text, "B"));
}

/// N02: the two directions that a secret could leak by are compile errors, and nothing lifts them.
#[test]
fn n02_a_secret_reaches_no_clear_field_and_no_rule_allows_it() {
    let shell = quickstart();
    edit(&shell, "connections/warehouse.yaml", "database: ", "database: ${{ secrets.WAREHOUSE_PASSWORD }} # ");
    edit(&shell, "tieline.yaml", "recipients:", "rules: {secret-in-clear: 'off'}\nrecipients:");
    let ended = shell.run(&["validate"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("secret-in-clear"), "{ended:#?}");
}

/// The engine says why an expression has no value, and what it says may quote an operand: nothing of it is passed on.
#[test]
fn e2_11_an_expression_over_a_secret_that_fails_at_apply_tells_nothing_of_it() {
    let shell = quickstart();
    let reference = "${{ secrets.HUBSPOT_TOKEN }}";
    let written = shell.read("connections/hubspot.yaml");
    let put = |expression: &str| shell.put("connections/hubspot.yaml", &written.replace(reference, expression));
    set(&shell, "HUBSPOT_TOKEN", "prod", VALUE);
    put("${{ secrets.HUBSPOT_TOKEN | int }}");
    let ended = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(
        ended.stderr.contains("/auth/access_token: an expression over secrets has no value (details would quote it)"),
        "{ended:#?}"
    );
    assert!(!ended.stderr.contains("integer") && !ended.stderr.contains("invalid operation"), "{ended:#?}");
    silent(&ended);
    // What the engine would have to hold, a secret as long as a file, stands alone.
    set(&shell, "HUBSPOT_TOKEN", "prod", &VALUE.repeat(6_000));
    put("'Bearer ${{ secrets.HUBSPOT_TOKEN | trim }}'");
    let ended = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains("a secret of more than 64 KiB can only stand alone"), "{ended:#?}");
    silent(&ended);
    assert!(!shell.folder.join("dist/environments/prod/head.json").exists());
    put(reference);
    silent(&shell.ok(&["apply", "prod", "--yes"]));
}

/// A35: what is secret is what the schema marks, whatever it is called and whatever stands there.
#[test]
fn a35_a_marked_field_of_any_name_shows_nothing_of_a_value_in_clear() {
    let shell = quickstart();
    fs::create_dir_all(shell.folder.join("connectors")).unwrap();
    shell.put(
        "connectors/acme.json",
        r##"{"type": "object", "required": ["auth"], "$defs": {"colour": {"type": "string",
            "writeOnly": true, "pattern": "^[0-9]{3}$", "maxLength": 3}}, "properties": {"config": {"type": "object",
            "additionalProperties": false, "properties": {"colour": {"$ref": "#/$defs/colour"}}}, "auth": {"type": "object",
            "additionalProperties": false, "properties": {"mode": {"const": "paint"}, "colour": {"$ref": "#/$defs/colour"}}}}}"##,
    );
    for value in [
        VALUE,
        "[Kelp-forest/7, x]",
        "{a: Kelp-forest/7}",
        "7731094418",
        "'${{ \"Kelp-forest/7\" }}'",
        "|\n    Kelp-forest/7",
    ] {
        let field = format!("colour: {value}\n");
        shell.put(
            "connections/acme.yaml",
            &format!("connector: acme\nconfig:\n  {field}auth:\n  mode: paint\n  {field}"),
        );
        for line in [
            "validate",
            "validate --format concise",
            "validate --format json",
            "validate --format github",
            "render prod",
            "plan prod",
            "show acme",
            "explain prod acme",
            "explain prod acme config.colour",
            "audit",
        ] {
            let ended = shell.run(&line.split(' ').collect::<Vec<_>>());
            assert!(!line.starts_with("validate") || ended.stdout.contains("plaintext-secret"), "{line}: {ended:#?}");
            silent(&ended);
            assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("7731094418"), "{line}: {ended:#?}");
        }
    }
}

/// A value that somebody types by mistake stands in no log of the shell that ran the command.
#[test]
fn f03_a_value_that_is_typed_by_mistake_is_not_repeated() {
    const VALUE: &str = "hunter2-typed";
    let shell = crate::shell::Shell::example("quickstart").with_demo_identity();
    let commands = crate::stranger::encoding::leaves().into_iter().map(|(leaf, _)| leaf);
    let commands: Vec<String> = commands.filter(|leaf| leaf.starts_with("secret ") || *leaf == "sops set").collect();
    assert!(commands.len() > 8, "{commands:?}");
    let assigned = format!("TOKEN={VALUE}");
    let options = ["value", "valu", "generate", "password"].map(|name| format!("--{name}={VALUE}"));
    let mut lines: Vec<Vec<&str>> = vec![
        vec!["TOKEN", VALUE, VALUE, VALUE],
        vec!["TOKEN", "-e", "prod", VALUE, VALUE],
        vec![&assigned, VALUE, VALUE],
    ];
    lines.extend([vec![&*assigned, "-e", "prod"], vec!["TOKEN", "-e", "prod", "--generate", VALUE]]);
    lines.extend(options.iter().map(|option| vec!["TOKEN", "-e", "prod", option]));
    for command in &commands {
        for line in &lines {
            // What these take first is a file.
            let takes_file = ["sops set", "secret adopt"].contains(&&**command);
            let line = line.iter().map(|word| if takes_file && *word == assigned { "TOKEN" } else { word });
            let line: Vec<&str> = command.split(' ').chain(line).collect();
            let ended = shell.run(&line);
            assert_ne!(ended.code, 0, "{line:?}");
            assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(VALUE), "{line:?}: {ended:#?}");
        }
    }
    let ended = shell.run(&["secret", VALUE]);
    assert!(ended.code == 64 && !ended.stderr.contains(VALUE), "{ended:#?}");
    // Elsewhere what is wrong is named.
    assert!(shell.run(&["validate", "--formt", "json"]).stderr.contains("--formt"));
    assert!(shell.run(&["render", "prod", "hubspot", VALUE]).stderr.contains(VALUE));
}
