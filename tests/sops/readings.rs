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

/// How many groups it takes, and what else may hold the key: to the edges of what a block may say.
#[test]
fn e2_11_a_threshold_is_a_number_of_groups() {
    let read = |fields: &str| {
        let text = BLOCK.replace("age: []", fields);
        Encrypted::parse(&text).map(|file| file.metadata().threshold).map_err(|error| error.kind)
    };
    let bad = Err(ErrorKind::BadBlock("shamir_threshold"));
    for (threshold, expected) in [
        ("null", Ok(None)),
        ("0", Ok(None)),
        ("1", Ok(Some(1))),
        ("2", Ok(Some(2))),
        ("255", Ok(Some(255))),
        ("256", bad.clone()),
        ("-1", bad.clone()),
        ("1.0", bad.clone()),
        ("'1'", bad.clone()),
        ("[1]", bad),
    ] {
        assert_eq!(read(&format!("age: [], shamir_threshold: {threshold}")), expected, "{threshold}");
    }
    assert_eq!(read("age: []"), Ok(None));
    let has_mac = |mac: &str| Encrypted::parse(&BLOCK.replace("mac: x", mac)).unwrap().metadata().has_mac();
    assert_eq!(["mac: x", "mac: ''", "mac: null", "other: x"].map(has_mac), [true, false, false, false]);
    let seals = |rule: &str, key: &str| {
        Encrypted::parse(&BLOCK.replace("mac: x", &format!("mac: x, {rule}"))).unwrap().seals(key)
    };
    for (rule, key, sealed) in [
        ("unencrypted_suffix: _p", "a", true),
        ("unencrypted_suffix: _p", "a_p", false),
        ("encrypted_suffix: _p", "a_p", true),
        ("encrypted_regex: '^s'", "s", true),
        ("encrypted_regex: '^s'", "xs", false),
        ("unencrypted_regex: '^s'", "xs", true),
        ("encrypted_comment_regex: s", "s", false),
        ("unencrypted_comment_regex: s", "x", false),
    ] {
        assert_eq!(seals(rule, key), sealed, "{rule} {key}");
    }
}

#[test]
fn e2_11_an_entry_of_json_goes_with_its_comma_and_nothing_else() {
    let plain =
        "{\"by\": 1, \"s1\": \"x\", \"m\": {\"s2\": \"v\", \"s3\": \"w\"}, \"n\": {\"s4\": \"u\"}, \"s5\": \"z\"}";
    let (identities, text) = written(plain, Format::Json, false);
    let text = text.unwrap().replace("\"by\": ", "\"by\":     ");
    for path in [&["s1"][..], &["m", "s2"], &["m", "s3"], &["n", "s4"], &["s5"]] {
        let file = Encrypted::parse_as(&text, Format::Json).unwrap();
        let mut edit = file.edit(&identities).unwrap();
        edit.unset(path).unwrap();
        let new = edit.finish(TIME, &mut random).unwrap().unwrap();
        assert!(new.contains("\"by\":     1"), "{new}");
        let key = format!("\"{}\"", path.last().unwrap());
        assert!(text.contains(&key) && !new.contains(&key), "{new}");
        assert_eq!(text.matches("ENC[").count(), new.matches("ENC[").count() + 1, "{new}");
        assert!(Encrypted::parse_as(&new, Format::Json).unwrap().open(&identities).is_ok(), "{new}");
    }
}

/// What is put into an opened text is put there and nowhere else.
#[test]
fn e2_11_a_value_is_put_at_its_place_of_the_first_document() {
    let (identities, text) = written("a: x\nl:\n- 1\n- [2, 3]\n- k: v\n---\na: z\n", Format::Yaml, false);
    let text = text.unwrap();
    let opened = || Encrypted::parse(&text).unwrap().clear(&identities).unwrap();
    let shown = |change: &dyn Fn(&mut tieline::sops::Clear)| {
        let mut opened = opened();
        change(&mut opened);
        opened.text(Format::Yaml).unwrap().expose().clone()
    };
    let list = "l:\n    - 1\n    - - 2\n      - 3\n    - k: v\n";
    assert_eq!(shown(&|_| {}), format!("a: x\n{list}---\na: z\n"));
    assert_eq!(shown(&|opened| opened.remove("a")), format!("{list}---\na: z\n"));
    assert_eq!(shown(&|opened| opened.remove("b")), format!("a: x\n{list}---\na: z\n"));
    let put = |key: &'static str| shown(&|opened| opened.put(key, &Secret::new("w".to_owned())));
    assert_eq!(put("a"), format!("a: w\n{list}---\na: z\n"));
    assert_eq!(put("b"), format!("a: x\n{list}b: w\n---\na: z\n"));
    let set = |path: &[Step<'_>], json: &str| {
        let mut opened = opened();
        let done = opened.set(path, json).map_err(|error| error.kind);
        done.map(|()| opened.text(Format::Yaml).unwrap().expose().replace("---\na: z\n", ""))
    };
    let (l, at) = (Step::Key("l"), Step::Index);
    let items = |items: &str| Ok(format!("a: x\nl:\n{items}"));
    assert_eq!(set(&[l, at(0)], "9"), items("    - 9\n    - - 2\n      - 3\n    - k: v\n"));
    assert_eq!(set(&[l, at(1), at(1)], "9"), items("    - 1\n    - - 2\n      - 9\n    - k: v\n"));
    assert_eq!(set(&[l, at(1), at(2)], "9"), items("    - 1\n    - - 2\n      - 3\n      - 9\n    - k: v\n"));
    assert_eq!(set(&[l, at(2), Step::Key("k")], "9"), items("    - 1\n    - - 2\n      - 3\n    - k: 9\n"));
    assert_eq!(set(&[l, at(2), Step::Key("q")], "9"), items("    - 1\n    - - 2\n      - 3\n    - k: v\n      q: 9\n"));
    assert_eq!(set(&[l, at(3)], "{}"), items("    - 1\n    - - 2\n      - 3\n    - k: v\n    - {}\n"));
    assert_eq!(set(&[l], "[]"), items("").map(|_| "a: x\nl: []\n".to_owned()));
    for path in [
        &[l, at(4)][..],
        &[l, at(3), at(0)],
        &[l, at(0), at(0)],
        &[at(0)],
        &[l, Step::Key("k")],
        &[Step::Key("a"), at(0)],
    ] {
        assert_eq!(set(path, "9"), Err(ErrorKind::NoSuchMap), "{path:?}");
    }
    assert_eq!(set(&[Step::Key("sops")], "9"), Err(ErrorKind::ReservedKey));
    assert_eq!(set(&[Step::Key("q"), Step::Key("sops")], "9"), Ok(format!("a: x\n{list}q:\n    sops: 9\n")));
    for json in ["", "9, \"x\": 1", "}", "x"] {
        assert_eq!(set(&[l], json), Err(ErrorKind::NotJson), "{json}");
    }
    assert_eq!(set(&[l], "9007199254740993"), Err(ErrorKind::Unwritable(Type::Int)));
}
