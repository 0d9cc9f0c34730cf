//! Promise: what sops wrote opens as sops opens it, and what was tampered with fails for the right reason.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use tieline::sops::{Encrypted, ErrorKind, Format, Identities, Map, SopsError, Value, is_sops};

use super::data::Data;

pub(crate) fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sops");
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert_eq!(cases.len(), 71);
    cases
}

pub(crate) fn read(case: &Path, name: &str) -> String {
    fs::read_to_string(case.join(name)).unwrap_or_else(|error| panic!("{}/{name}: {error}", case.display()))
}

/// A key of `case.toml` whose value is a string.
pub(crate) fn setting(case: &Path, key: &str) -> String {
    let toml = read(case, "case.toml");
    let line = toml.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= \"")).unwrap();
    line.trim_end_matches('"').to_owned()
}

/// The sealed text of a case, and its format.
pub(crate) fn sealed(case: &Path) -> (String, Format) {
    match setting(case, "format").as_str() {
        "json" => (read(case, "encrypted.json"), Format::Json),
        _ => (read(case, "encrypted.yaml"), Format::Yaml),
    }
}

/// Its text before it was sealed.
pub(crate) fn in_clear(case: &Path) -> (String, Format) {
    match sealed(case).1 {
        Format::Json => (read(case, "plain.json"), Format::Json),
        Format::Yaml => (read(case, "plain.yaml"), Format::Yaml),
    }
}

fn open((text, format): &(String, Format), identities: &str) -> Result<Vec<Map>, SopsError> {
    Encrypted::parse_as(text, *format)?.open(&Identities::parse(identities).unwrap())
}

#[test]
fn every_case_opens_or_fails_as_it_says() {
    let mut ran = std::collections::BTreeMap::new();
    for case in cases() {
        *ran.entry(setting(&case, "reader")).or_insert(0) += 1;
        let name = case.file_name().unwrap().to_str().unwrap();
        let outcome = open(&sealed(&case), &read(&case, "identity.txt"));
        let expect = setting(&case, "expect");
        match (outcome, setting(&case, "reader").as_str()) {
            (Ok(data), "must-accept" | "may-either") => check_data(&case, &data),
            (Err(error), "must-refuse" | "may-either") => check_error(name, &expect, &error),
            (Ok(_), _) => panic!("{name}: opened, but {expect}"),
            (Err(error), _) => panic!("{name}: {error} at {:?}", error.range),
        }
    }
    eprintln!("sops vectors through the library: {ran:?}");
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
        Some("not enough shares") => *kind == ErrorKind::SharesMissing { have: 1, needed: 2 },
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
        let mut expected: Vec<_> = expected.iter().filter(|leaf| leaf["type"] != "comment").map(leaf_text).collect();
        if case.join("encrypted.json").exists() {
            // An integer in clear is one to newer releases and a float to older ones; its text is the same.
            let number = |leaf: &mut String| *leaf = leaf.replace("] int ", "] float ");
            leaves.iter_mut().chain(&mut expected).for_each(number);
        }
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
    let (mut opened, mut shares) = (0, 0);
    for case in cases() {
        for entry in fs::read_dir(&case).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.starts_with("identity-") {
                continue;
            }
            let outcome = open(&sealed(&case), &read(&case, &name));
            let group = outcome.as_ref().err().map(|error| &error.kind);
            if group == Some(&ErrorKind::SharesMissing { have: 1, needed: 2 }) {
                shares += 1;
            } else if name == "identity-removed.txt" {
                assert!(matches!(outcome.err().unwrap().kind, ErrorKind::NoIdentity { .. }));
            } else {
                assert!(outcome.is_ok(), "{} {name}", case.display());
                opened += 1;
            }
        }
    }
    assert_eq!((opened, shares), (7, 6));
}

#[test]
fn any_two_of_three_groups_open_a_file_and_one_twice_does_not() {
    let case = cases().into_iter().find(|case| case.ends_with("p26-shamir-2-of-3")).unwrap();
    let key = |n: usize| read(&case, &format!("identity-{n}.txt"));
    for (a, b) in [(1, 2), (2, 3), (3, 1), (1, 1)] {
        let outcome = open(&sealed(&case), &format!("{}\n{}", key(a), key(b)));
        assert_eq!(outcome.is_ok(), a != b, "{a} {b}");
    }
}

/// A group whose entry was damaged matters only if the others are too few.
#[test]
fn a_damaged_group_is_done_without() {
    let case = cases().into_iter().find(|case| case.ends_with("p26-shamir-2-of-3")).unwrap();
    let keys: Vec<String> = (1..=3).map(|n| read(&case, &format!("identity-{n}.txt"))).collect();
    let (text, format) = sealed(&case);
    let file = Encrypted::parse_as(&text, format).unwrap();
    // The first group's share in the place of a data key of another length.
    let other = age::encrypt_and_armor(
        &file.metadata().groups[0][0].recipient.parse::<age::x25519::Recipient>().unwrap(),
        b"short",
    );
    let indented =
        |armor: &str, by: &str| armor.trim_end().lines().map(|line| format!("{by}{line}\n")).collect::<String>();
    let enc = &file.metadata().groups[0][0].enc;
    let line = text.lines().find(|line| line.contains(enc.lines().nth(1).unwrap())).unwrap();
    let by = &line[..line.len() - line.trim_start().len()];
    let damaged = text.replace(&indented(enc, by), &indented(&other.unwrap(), by));
    assert_ne!(damaged, text);
    let outcome =
        |keys: &[String]| open(&(damaged.clone(), format), &keys.join("\n")).map(drop).map_err(|error| error.kind);
    assert_eq!(outcome(&keys), Ok(()));
    assert_eq!(outcome(&keys[..2]), Err(ErrorKind::BadDataKey));
}

#[test]
fn without_a_key_a_file_shows_its_leaves_and_what_they_claim() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let (text, format) = sealed(&case);
        let refused = ["n04", "n11", "n12"].iter().any(|n| name.starts_with(n));
        assert_eq!(is_sops(&text, format), !refused, "{name}");
        assert!(!is_sops(&in_clear(&case).0, format), "{name}");
        let Ok(file) = Encrypted::parse_as(&text, format) else { continue };
        let metadata = file.metadata();
        assert!(!metadata.recipients.is_empty() || !metadata.groups.is_empty());
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
