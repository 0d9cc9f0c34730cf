//! Promise: what sops wrote opens as sops opens it, and what was tampered with fails for the right reason.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use tieline::sops::{Encrypted, ErrorKind, Identities, Map, SopsError, Value, is_sops};

use super::data::Data;

pub(crate) fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sops");
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert_eq!(cases.len(), 63);
    cases
}

pub(crate) fn read(case: &Path, name: &str) -> String {
    fs::read_to_string(case.join(name)).unwrap_or_else(|error| panic!("{}/{name}: {error}", case.display()))
}

/// A key of `case.toml` whose value is a string.
fn setting(case: &Path, key: &str) -> String {
    let toml = read(case, "case.toml");
    let line = toml.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= \"")).unwrap();
    line.trim_end_matches('"').to_owned()
}

fn open(text: &str, identities: &str) -> Result<Vec<Map>, SopsError> {
    Encrypted::parse(text)?.open(&Identities::parse(identities).unwrap())
}

#[test]
fn every_case_opens_or_fails_as_it_says() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let outcome = open(&read(&case, "encrypted.yaml"), &read(&case, "identity.txt"));
        let expect = setting(&case, "expect");
        match (outcome, setting(&case, "reader").as_str()) {
            (Ok(data), "must-accept" | "may-either") => check_data(&case, &data),
            (Err(error), "must-refuse" | "may-either") => check_error(name, &expect, &error),
            (Ok(_), _) => panic!("{name}: opened, but {expect}"),
            (Err(error), _) => panic!("{name}: {error} at {:?}", error.range),
        }
    }
}

fn check_error(name: &str, expect: &str, error: &SopsError) {
    let kind = &error.kind;
    let right = match expect.strip_prefix("fail:") {
        Some("MAC mismatch") => *kind == ErrorKind::MacMismatch,
        Some("no MAC") => *kind == ErrorKind::MacMissing,
        Some(text) if text.starts_with("the MAC does not open") => *kind == ErrorKind::MacDoesNotDecrypt,
        Some(text) if text.starts_with("authentication of the value fails") => *kind == ErrorKind::DoesNotDecrypt,
        Some("no key for this identity" | "wrong identity") => {
            matches!(kind, ErrorKind::NoIdentity { recipients } if !recipients.is_empty())
        }
        Some("version missing") => *kind == ErrorKind::VersionMissing,
        Some("lastmodified is not a string") => *kind == ErrorKind::BadBlock("lastmodified"),
        Some("not an ENC text") => matches!(kind, ErrorKind::BadEnc | ErrorKind::NotEncrypted),
        // Where sops is laxer than this reader.
        None => *kind == ErrorKind::BadEnc && name.starts_with("t04"),
        Some(_) => false,
    };
    assert!(right, "{name}: {expect}, but {error}");
    let about_a_leaf = matches!(kind, ErrorKind::DoesNotDecrypt | ErrorKind::BadEnc | ErrorKind::NotEncrypted);
    assert_eq!(about_a_leaf, error.path.is_some(), "{name}");
}

fn check_data(case: &Path, data: &[Map]) {
    if case.join("expected-docs.json").exists() {
        let documents = Data::List(data.iter().map(Data::of_map).collect());
        assert!(documents.matches(&Data::of_json(&read(case, "expected-docs.json"))), "{}", case.display());
    }
    if case.join("expected.json").exists() {
        let expected = Data::of_json(&read(case, "expected.json"));
        assert!(Data::of_map(&data[0]).matches(&expected), "{}", case.display());
    }
    if case.join("leaves.json").exists() {
        let mut leaves = Vec::new();
        for (index, map) in data.iter().enumerate() {
            list_leaves(index, &mut Vec::new(), map, &mut leaves);
        }
        let expected: Vec<serde_json::Value> = serde_json::from_str(&read(case, "leaves.json")).unwrap();
        let expected: Vec<_> = expected.iter().filter(|leaf| leaf["type"] != "comment").map(leaf_text).collect();
        assert_eq!(leaves, expected, "{}", case.display());
    }
}

fn leaf_text(leaf: &serde_json::Value) -> String {
    let text = leaf.get("text").or_else(|| leaf.get("base64"));
    let path: Vec<_> = leaf["path"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let kind = leaf["type"].as_str().unwrap();
    format!("{} {path:?} {kind} {}", leaf["doc"], text.map_or("", |text| text.as_str().unwrap()))
}

fn list_leaves(document: usize, path: &mut Vec<String>, map: &Map, leaves: &mut Vec<String>) {
    for (key, value) in map.iter() {
        path.push(key.to_owned());
        list_value(document, path, value, leaves);
        path.pop();
    }
}

fn list_value(document: usize, path: &mut Vec<String>, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Map(map) => list_leaves(document, path, map, leaves),
        Value::List(list) => list.iter().for_each(|value| list_value(document, path, value, leaves)),
        _ => {
            let text = value.with_bytes(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).unwrap_or_default();
            leaves.push(format!("{document} {path:?} {} {text}", value.kind().unwrap()));
        }
    }
}

#[test]
fn further_identities_open_a_file_unless_they_were_removed() {
    let mut opened = 0;
    for case in cases() {
        for entry in fs::read_dir(&case).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.starts_with("identity-") {
                continue;
            }
            let outcome = open(&read(&case, "encrypted.yaml"), &read(&case, &name));
            if name == "identity-removed.txt" {
                assert!(matches!(outcome.err().unwrap().kind, ErrorKind::NoIdentity { .. }));
            } else {
                assert!(outcome.is_ok(), "{} {name}", case.display());
                opened += 1;
            }
        }
    }
    assert_eq!(opened, 6);
}

#[test]
fn without_a_key_a_file_shows_its_leaves_and_what_they_claim() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let text = read(&case, "encrypted.yaml");
        let refused = ["n04", "n11", "n12"].iter().any(|n| name.starts_with(n));
        assert_eq!(is_sops(&text), !refused, "{name}");
        assert!(!is_sops(&read(&case, "plain.yaml")), "{name}");
        let Ok(file) = Encrypted::parse(&text) else { continue };
        assert!(!file.metadata().recipients.is_empty());
        for leaf in file.leaves().unwrap() {
            assert!(name.starts_with("p45") || leaf.key_range.is_none_or(|range| range.start < leaf.range.start));
            if let Some(enc) = leaf.enc {
                assert!(text[leaf.range.clone()].contains(enc.text), "{name}");
                assert_eq!(enc.kind, leaf.kind);
            }
            let tampered = ["n13", "n14", "t04"].iter().any(|n| name.starts_with(n));
            assert!(tampered || !leaf.demanded || leaf.enc.is_some() || leaf.empty, "{name} {}", leaf.path);
        }
    }
}
