//! Promise: an object is held against its record to the last value, without a key.

use super::*;
use tieline::bundle::Sealed;
use tieline::bundle::check::check;
use tieline::bundle::object::{MAX_OBJECT, seal};

fn record(bench: &Bench) -> Record {
    let mut record = bench.database("a");
    record["config"] = json!({
        "host": "db.example", "port": 5432, "ratio": 0.25, "on": true, "nothing": null, "hosts": ["one", "two"],
        "tls": {"mode": "require"},
    });
    record
}

/// What is said of a text in the place of an object.
fn told(record: &Record, bytes: &[u8]) -> Vec<String> {
    let sealed = Sealed { record: record.clone(), object: Digest::of(bytes) };
    check(&scope(), &sealed, bytes, None).err().unwrap_or_default()
}

#[test]
fn e2_11_every_value_of_an_object_is_that_of_its_record() {
    let bench = Bench::new();
    let record = record(&bench);
    let text = String::from_utf8(seal(&scope(), "a", &record, "2026-11-21T08:00:00Z", &Canaries).unwrap()).unwrap();
    assert_eq!(told(&record, text.as_bytes()), [""; 0], "{text}");
    let is_not = |path: &str| format!("the object's `{path}` is not what the manifest says");
    for (from, to, path) in [
        ("host: db.example", "host: db.evil", "/config/host"),
        ("host: db.example", "host: true", "/config/host"),
        ("host: db.example", "host: null", "/config/host"),
        ("port: 5432", "port: 5433", "/config/port"),
        ("port: 5432", "port: 5432.0", "/config/port"),
        ("port: 5432", "port: \"5432\"", "/config/port"),
        ("port: 5432", "port: null", "/config/port"),
        ("ratio: 0.25", "ratio: 0.5", "/config/ratio"),
        ("ratio: 0.25", "ratio: \"0.25\"", "/config/ratio"),
        ("on\": true", "on\": false", "/config/on"),
        ("on\": true", "on\": 1", "/config/on"),
        ("nothing: null", "nothing: \"\"", "/config/nothing"),
        ("nothing: null", "nothing: false", "/config/nothing"),
        ("nothing: null", "nothing: {}", "/config/nothing"),
        ("- two", "- three", "/config/hosts/1"),
        ("        - two\n", "", "/config/hosts"),
        ("        - two\n", "        - two\n        - two\n", "/config/hosts"),
        ("mode: require", "mode: disable", "/config/tls/mode"),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}\n{text}");
        assert_eq!(told(&record, text.replace(from, to).as_bytes()), [is_not(path)], "{from} -> {to}");
    }
    let keys = |path: &str| format!("the object's `{path}` has other keys than the manifest says");
    for (from, to, path) in [
        ("    ratio: 0.25\n", "", "/config"),
        ("    ratio: 0.25\n", "    ratios: 0.25\n", "/config"),
        ("    ratio: 0.25\n", "    ratio: 0.25\n    more: 1\n", "/config"),
        ("    connector: postgresql\n", "", "/tieline"),
        ("    connector: postgresql\n", "    connectors: postgresql\n", "/tieline"),
        ("config:\n", "more: 1\nconfig:\n", ""),
    ] {
        assert_eq!(told(&record, text.replacen(from, to, 1).as_bytes()), [keys(path)], "{from} -> {to}");
    }
    // The same secret under a key that the record has in clear, and in clear under its own.
    let line = text.lines().find(|line| line.contains("password: ENC[")).unwrap();
    let sealed = line.trim().strip_prefix("password: ").unwrap();
    assert_eq!(told(&record, text.replace("db.example", sealed).as_bytes()), [is_not("/config/host")]);
    let clear = ["the object's `/auth/password` is not encrypted".to_owned()];
    for value in ["hunter2", "\"\"", "null", "{}", "ENC[AES256_GCM,data:]"] {
        assert_eq!(told(&record, text.replace(sealed, value).as_bytes()), clear, "{value}");
    }
}

#[test]
fn e2_11_an_object_of_another_digest_or_of_no_size_that_is_written_is_refused() {
    let bench = Bench::new();
    let record = record(&bench);
    let bytes = seal(&scope(), "a", &record, "2026-11-21T08:00:00Z", &Canaries).unwrap();
    let sealed = Sealed { record: record.clone(), object: Digest::of(b"other") };
    let other = check(&scope(), &sealed, &bytes, None).unwrap_err();
    assert_eq!(other, ["the object's bytes have another digest than its name"]);
    let mut large = bytes.clone();
    large.extend(std::iter::repeat_n(b'\n', MAX_OBJECT + 1 - bytes.len()));
    assert_eq!(told(&record, &large), ["the object is larger than 16 MiB"]);
    assert_eq!(told(&record, b"\xff"), ["the object is no UTF-8"]);
}

/// What stands in clear under the key of a secret is sealed with it, but for the empty text, which sops leaves as it is.
#[test]
fn e2_11_an_empty_text_under_the_key_of_a_secret_stays_empty() {
    let bench = Bench::new();
    let mut record = record(&bench);
    record["config"]["tls"]["password"] = "".into();
    record["config"]["hosts"] = json!([{"password": "clear"}, {"password": null}, {"password": ["x", ""]}]);
    let text = String::from_utf8(seal(&scope(), "a", &record, "2026-11-21T08:00:00Z", &Canaries).unwrap()).unwrap();
    assert_eq!(told(&record, text.as_bytes()), [""; 0], "{text}");
    let empty = "        password: \"\"\n";
    assert_eq!(text.matches(empty).count(), 1, "{text}");
    let clear = ["the object's `/config/tls/password` is not encrypted".to_owned()];
    for value in ["x", "null", "1"] {
        let forged = text.replace(empty, &format!("        password: {value}\n"));
        assert_eq!(told(&record, forged.as_bytes()), clear, "{value}");
    }
    for line in text.lines().filter(|line| line.contains("ENC[") && !line.contains("mac:")) {
        let (before, _) = line.split_once("ENC[").unwrap();
        let problems = told(&record, text.replace(line, &format!("{before}x")).as_bytes());
        assert!(problems.len() == 1 && problems[0].ends_with("is not encrypted"), "{line}: {problems:?}");
    }
}

#[test]
fn e2_11_an_object_is_yaml_of_our_kind() {
    let bench = Bench::new();
    let record = record(&bench);
    let text = String::from_utf8(seal(&scope(), "a", &record, "2026-11-21T08:00:00Z", &Canaries).unwrap()).unwrap();
    for (from, to) in [("host: db.example", "host: yes"), ("port: 5432", "port: 0o12")] {
        let problems = told(&record, text.replace(from, to).as_bytes());
        assert_eq!(problems, ["the object is no YAML of the kind that tieline writes"], "{to}");
    }
}
