//! Promise: what a person wrote by hand, or another release of sops, is read as it is meant, and stays.
#![allow(clippy::unwrap_used)]

use tieline::secret::Secret;
use tieline::sops::{Encrypted, ErrorKind, Format, Identities, Rule, Settings, Step, Type, encrypt_text};

use super::vectors::{cases, read, sealed as vector};
use super::{TIME, key, random};

const BLOCK: &str = "sops: {version: 3.9.0, lastmodified: '2026-11-20T00:00:00Z', mac: x, age: []}\n";

fn written(plain: &str, format: Format, only: bool) -> (Identities, Result<String, ErrorKind>) {
    let (identities, recipient, _) = key();
    let rule = Rule::EncryptedRegex("^s".into());
    let settings = Settings { rule: &rule, mac_only_encrypted: only, recipients: &[recipient], lastmodified: TIME };
    let text = encrypt_text(plain, format, &settings, &mut random);
    (identities, text.map(|(text, _)| text).map_err(|error| error.kind))
}

fn clear(text: &str, identities: &Identities) -> String {
    Encrypted::parse(text).unwrap().clear(identities).unwrap().text(Format::Yaml).unwrap().expose().clone()
}

fn set(text: &str, format: Format, identities: &Identities, path: &[&str]) -> String {
    let file = Encrypted::parse_as(text, format).unwrap();
    let mut edit = file.edit(identities).unwrap();
    edit.set(path, Secret::new("w".to_owned())).unwrap();
    edit.finish(TIME, &mut random).unwrap().unwrap()
}

#[test]
fn e2_11_a_number_is_written_if_it_is_the_one_that_is_meant() {
    for (number, refused) in [
        (".inf", None),
        ("-.inf", None),
        (".nan", None),
        ("0.0", None),
        ("0.12345678901234567", None),
        ("0.123456789012345678", Some(ErrorKind::Rounded)),
        ("-18446744073709551616", Some(ErrorKind::Rounded)),
        ("+18446744073709551616", Some(ErrorKind::Rounded)),
        ("18_446_744_073_709_551_616", Some(ErrorKind::Rounded)),
        ("2026-11-20", Some(ErrorKind::Unwritable(Type::Time))),
    ] {
        assert_eq!(written(&format!("a: {number}\n"), Format::Yaml, false).1.err(), refused, "{number}");
    }
}

/// Releases up to 3.13.1 hash an integer of JSON as a float.
#[test]
fn e2_11_an_integer_of_json_may_have_been_a_float_to_who_sealed_it() {
    let plain = "{\"m\": [{\"p\": 9007199254740992}], \"s\": \"x\"}";
    let (identities, text) = written(plain, Format::Json, false);
    let text = text.unwrap();
    let other = text.replace("9007199254740992", "9007199254740993");
    assert_ne!(text, other);
    assert!(Encrypted::parse_as(&other, Format::Json).unwrap().open(&identities).is_ok());
    let further = text.replace("9007199254740992", "9007199254740995");
    assert!(Encrypted::parse_as(&further, Format::Json).unwrap().open(&identities).is_err());
}

#[test]
fn e2_11_json_has_its_keys_in_quotes_and_no_line_break_in_a_text() {
    for text in ["{a\": 1}", "{\"a\": \"x\ny\"}", "{\"a\": \"x\u{1}\"}", "{\"a\nb\": 1}"] {
        let kind = Encrypted::parse_as(text, Format::Json).err().unwrap().kind;
        assert!(matches!(kind, ErrorKind::NotJson | ErrorKind::Syntax(_)), "{text:?} {kind:?}");
    }
}

#[test]
fn e2_11_json_that_was_laid_out_by_hand_stays_so() {
    let (identities, text) = written("{\"by\": 1, \"m\": {\"s1\": \"x\"}}", Format::Json, false);
    let text = text.unwrap().replace("\"by\": ", "\"by\":     ");
    for path in [&["s2"][..], &["m", "s2"], &["m", "s1"]] {
        let new = set(&text, Format::Json, &identities, path);
        assert!(new.contains("\"by\":     1"), "{new}");
    }
}

#[test]
fn e2_11_a_text_of_lines_is_shown_as_lines() {
    for plain in ["{}\n", "a: |\n  x\n\n  v\n", "a: |-\n  x\n  v\n", "m:\n    a: |\n      x\n      v\nb: u\n"] {
        let (identities, text) = written(plain, Format::Yaml, false);
        assert_eq!(clear(&text.unwrap(), &identities), plain);
    }
}

#[test]
fn e2_11_a_comment_further_in_is_a_change_too() {
    let plain = "m:\n    # one\n    a: x\nl:\n    - b:\n        # two\n        c: x\n";
    let (identities, text) = written(plain, Format::Yaml, false);
    let text = text.unwrap();
    for (from, to) in [("# one", "# three"), ("# two", "# three")] {
        let file = Encrypted::parse(&text).unwrap();
        let opened = file.clear(&identities).unwrap();
        let new = file.with_text(&opened, &plain.replace(from, to), TIME, &mut random).unwrap();
        assert!(new.is_some_and(|new| new.contains("# three")), "{from}");
    }
}

#[test]
fn e2_11_a_merge_key_stays_one_where_the_file_is_written_anew() {
    let (identities, text) = written("m:\n    s1: x\n", Format::Yaml, true);
    let text = text.unwrap();
    let enc = text.lines().find_map(|line| line.strip_prefix("    s1: ")).unwrap();
    let flow = text.replacen(&format!("m:\n    s1: {enc}\n"), &format!("m: {{s1: \"{enc}\"}}\n"), 1);
    let new = set(&format!("b:\n    <<: {{k: v}}\n{flow}"), Format::Yaml, &identities, &["m", "s2"]);
    assert!(new.contains("    !!merge <<:\n"), "{new}");
}

#[test]
fn e2_11_what_may_hold_the_data_key_is_listed_and_nothing_else() {
    let entries = |fields: &str| {
        let text = BLOCK.replace("age: []", fields);
        let file = Encrypted::parse(&text).unwrap();
        (file.metadata().entries.len(), file.metadata().unsupported.len())
    };
    assert_eq!(entries("age: [], kms: null, pgp: [], hc_vault: {}, encrypted_regex: x"), (0, 0));
    assert_eq!(entries("age: [], kms: [{arn: x}, {arn: v}], hc_vault: {a: b}, new: x"), (4, 2));
    let (text, twice) = (format!("a: x\n{BLOCK}"), format!("a: x\n{BLOCK}---\nb: x\n"));
    let documents = [text.as_str(), &twice].map(|text| Encrypted::parse(text).unwrap().documents());
    assert_eq!(documents, [1, 2]);
    // One group is enough where the block says so; it is not then the key.
    let case = cases().into_iter().find(|case| case.ends_with("p26-shamir-2-of-3")).unwrap();
    let (text, format) = vector(&case);
    let one = Identities::parse(&read(&case, "identity-1.txt")).unwrap();
    let text = text.replacen("shamir_threshold: 2", "shamir_threshold: 1", 1);
    let kind = Encrypted::parse_as(&text, format).unwrap().open(&one).err().unwrap().kind;
    assert!(!matches!(kind, ErrorKind::SharesMissing { .. }), "{kind:?}");
}

#[test]
fn e2_11_a_place_that_is_refused_is_written_as_people_write_it() {
    let (identities, text) = written("a: x\n", Format::Yaml, false);
    let text = text.unwrap();
    let file = Encrypted::parse(&text).unwrap();
    assert!(!file.open(&identities).unwrap()[0].is_empty());
    let mut opened = file.clear(&identities).unwrap();
    for (key, shown) in [("a-b_c/1", "a-b_c/1[9]"), ("a b", "\"a b\"[9]"), ("", "\"\"[9]")] {
        let error = opened.set(&[Step::Key(key), Step::Index(9)], "1").unwrap_err();
        assert_eq!(error.path.as_deref(), Some(shown));
    }
}
