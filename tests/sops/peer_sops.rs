//! Promise: real sops opens what we write and edit, and we open what it writes.
//!
//! The program is `$TIELINE_PEER_SOPS`, or `sops` on the path. Without one the tests are passed over.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::excessive_precision)]

use std::fs;
use std::path::Path;
use std::process::Command;

use tieline::secret::Secret;
use tieline::sops::{Encrypted, Map, Rule, Settings, Value, encrypt};

use super::data::Data;
use super::{TIME, key, random};

fn run(program: &str, folder: &Path, identity: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("HOME", folder).env("SOPS_AGE_KEY", identity).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn sample() -> Map {
    let mut inner = Map::new();
    inner.push("password", Secret::new("korrekt: #häst\n\u{85}'\"".to_owned()));
    inner.push("list", vec![Value::from(1), Value::from("no"), Value::Null, Value::from(""), Value::List(vec![])]);
    let mut element = Map::new();
    element.push("a", 1);
    element.push("deep", Map::new());
    let nested = vec![Value::from(element), Value::from(vec![Value::from(true), Value::from(vec![Value::from(2.5)])])];
    inner.push("nested", nested);
    let mut data = Map::new();
    for (key, value) in
        [("y", "yes"), ("123", "017"), ("", "~"), ("a:b", "2031-05-06"), ("#", "ENC[AES256_GCM,data:x]")]
    {
        data.push(key, value);
    }
    for (key, float) in
        [("tie", 1000000000000000.25), ("whole", 1000.0), ("large", 1e21), ("small", 1e-7), ("pi", 3.25)]
    {
        data.push(key, float);
        data.push(format!("open_{key}"), float);
    }
    data.push("int", i64::MIN);
    data.push("open_int", 9007199254740993);
    data.push("open_bool", false);
    data.push("open_text", "0x1F");
    data.push("open_map", inner);
    let mut again = Map::new();
    again.push("password", Secret::new("x".repeat(5000)));
    data.push("group", again);
    data
}

#[test]
fn peer_sops_opens_what_we_encrypt_and_edit() {
    let Some(program) = crate::shell::sops() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (identities, recipient, identity) = key();
    let (_, other, other_identity) = key();
    let recipients = [recipient, other];
    let rules = [
        Rule::UnencryptedRegex("^open_".into()),
        Rule::EncryptedRegex("password|int|tie".into()),
        Rule::default(),
        Rule::EncryptedSuffix("ord".into()),
    ];
    for (rule, mac_only_encrypted) in rules.iter().flat_map(|rule| [(rule, false), (rule, true)]) {
        let data = sample();
        let settings = Settings { rule, mac_only_encrypted, recipients: &recipients, lastmodified: TIME };
        let text = encrypt(&data, &settings, &mut random).unwrap();
        fs::write(folder.path().join("a.yaml"), &text).unwrap();
        let decrypt = ["decrypt", "--output-type", "json", "a.yaml"];
        for identity in [&identity, &other_identity] {
            let theirs = Data::of_json(&run(&program, folder.path(), identity, &decrypt));
            assert!(theirs.matches(&Data::of_map(&data)), "{rule:?}\n{text}\n{theirs:?}");
        }
        let file = Encrypted::parse(&text).unwrap();
        let mut edit = file.edit(&identities).unwrap();
        edit.set(&["group", "password"], Secret::new("new".into())).unwrap();
        edit.set(&["open_map", "on"], Secret::new("added: nested".into())).unwrap();
        edit.set(&["no"], Secret::new("added".into())).unwrap();
        edit.unset(&["pi"]).unwrap();
        let edited = edit.finish("2026-11-21T09:00:00Z", &mut random).unwrap().unwrap();
        fs::write(folder.path().join("a.yaml"), &edited).unwrap();
        let theirs = Data::of_json(&run(&program, folder.path(), &identity, &decrypt));
        let ours = Encrypted::parse(&edited).unwrap().open(&identities).unwrap();
        assert!(theirs.matches(&Data::of_map(&ours[0])), "{edited}");
        // And sops may go on with it.
        run(&program, folder.path(), &identity, &["set", "a.yaml", "[\"group\"][\"password\"]", "\"theirs\""]);
        let text = fs::read_to_string(folder.path().join("a.yaml")).unwrap();
        let data = Encrypted::parse(&text).unwrap().open(&identities).unwrap();
        let group = data[0].get("group").and_then(Value::as_map).unwrap();
        assert_eq!(group.get("password").and_then(Value::as_str).unwrap().expose(), "theirs");
    }
}

#[test]
fn peer_sops_writes_what_we_open() {
    let Some(program) = crate::shell::sops() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (identities, recipient, identity) = key();
    let plain = "# head\na: 1\nb_unencrypted: 017 # line\nc: [1, two, 3.0]\nd: {e: yes, f: ''}\ng: |\n  block\n  text\n\
                 h: !!binary aGVsbG8=\n---\na: second\n";
    fs::write(folder.path().join("p.yaml"), plain).unwrap();
    let text = run(&program, folder.path(), &identity, &["encrypt", "--age", recipient.as_str(), "p.yaml"]);
    let file = Encrypted::parse(&text).unwrap();
    let data = file.open(&identities).unwrap();
    let expected = r#"[{"a": 1, "b_unencrypted": 15, "c": [1, "two", 3.0], "d": {"e": "yes", "f": ""},
                        "g": "block\ntext\n", "h": "hello"}, {"a": "second"}]"#;
    assert!(Data::List(data.iter().map(Data::of_map).collect()).matches(&Data::of_json(expected)));
    // An edit of several documents, comments and all.
    let mut edit = file.edit(&identities).unwrap();
    edit.set(&["d", "e"], Secret::new("no".into())).unwrap();
    edit.set(&["z"], Secret::new("last".into())).unwrap();
    let edited = edit.finish(TIME, &mut random).unwrap().unwrap();
    fs::write(folder.path().join("p.yaml"), &edited).unwrap();
    let theirs = run(&program, folder.path(), &identity, &["decrypt", "p.yaml"]);
    assert!(theirs.starts_with("# head\na: 1\n") && theirs.contains("e: \"no\"\n") && theirs.contains("\nz: last\n"));
}
