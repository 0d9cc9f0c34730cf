//! Promise: what is wrong with a file is named, with its place and without its values; no file costs more than it
//! weighs.
#![allow(clippy::unwrap_used)]

use tieline::secret::Secret;
use tieline::sops::{
    Encrypted, ErrorKind, Identities, Map, Recipient, Rule, Settings, SopsError, Type, Value, encrypt,
};
use tieline::yaml::events::SyntaxErrorKind;

use super::{TIME, key, random};

fn parse(text: &str) -> SopsError {
    Encrypted::parse(text).err().unwrap()
}

fn message(error: &SopsError) -> String {
    let text = error.to_string();
    assert!(!text.ends_with('.'), "{text}");
    assert!(!text.starts_with(|c: char| c.is_uppercase()), "{text}");
    text
}

const BLOCK: &str = "sops: {version: 3.9.0, lastmodified: '2026-11-20T00:00:00Z', mac: x, age: []}\n";

#[test]
fn each_fault_has_its_kind_and_its_place() {
    let cases = [
        ("", ErrorKind::Empty, None),
        ("# only words\n", ErrorKind::Empty, None),
        ("a: [hunter2\n", ErrorKind::Syntax(SyntaxErrorKind::Unclosed), None),
        ("a: *x\n", ErrorKind::Syntax(SyntaxErrorKind::UnknownAnchor), None),
        ("a: &x [*x]\n", ErrorKind::Syntax(SyntaxErrorKind::UnknownAnchor), Some("*x")),
        ("- a\n", ErrorKind::TopNotMap, Some("- a")),
        ("hunter2\n", ErrorKind::TopNotMap, Some("hunter2")),
        ("a: 1\n123: x\n", ErrorKind::KeyNotString, Some("123")),
        ("~: x\n", ErrorKind::KeyNotString, Some("~")),
        ("? [a]\n: x\n", ErrorKind::KeyNotString, Some("[a]")),
        ("k: 1\n'k': 2\n", ErrorKind::DuplicateKey { first: 0..1 }, Some("'k'")),
        ("a: 1\n", ErrorKind::NoBlock, None),
        ("a: 1\n---\nsops: {}\n", ErrorKind::NoBlock, None),
        ("sops: x\n", ErrorKind::NoBlock, Some("x")),
        ("sops: {}\n", ErrorKind::VersionMissing, Some("sops")),
        ("sops: {version: 3.9}\n", ErrorKind::BadBlock("version"), Some("3.9")),
        ("sops: {version: junk}\n", ErrorKind::BadBlock("version"), Some("sops")),
        ("sops: {version: v3.9.0-rc.1, lastmodified: x}\n", ErrorKind::BadBlock("lastmodified"), Some("sops")),
    ];
    for (text, kind, place) in cases {
        let error = parse(text);
        assert_eq!(error.kind, kind, "{text}");
        if let Some(place) = place {
            assert_eq!(text[error.range.clone().unwrap()].trim_end(), place, "{text}");
        }
        assert!(!message(&error).contains("hunter2"));
    }
}

#[test]
fn rules_that_disagree_or_do_not_compile_are_refused() {
    let with = |rule: &str| parse(&BLOCK.replace("age: []", rule)).kind;
    assert_eq!(with("encrypted_regex: a, unencrypted_suffix: b"), ErrorKind::TwoRules);
    assert_eq!(with("encrypted_regex: '('"), ErrorKind::BadRegex);
    assert_eq!(with("mac_only_encrypted: maybe"), ErrorKind::BadBlock("mac_only_encrypted"));
}

#[test]
fn leaves_that_are_no_sops_values_are_named_by_path() {
    let leaves = |text: &str| Encrypted::parse(&format!("{text}\n{BLOCK}")).unwrap().leaves().map(|l| l.len());
    let error = leaves("a:\n  - b c: 18446744073709551615").unwrap_err();
    assert_eq!((error.kind.clone(), error.path.as_deref()), (ErrorKind::IntegerTooLarge, Some("a.…")));
    assert_eq!(message(&error), "`a.…`: the integer does not fit 64 bits with a sign");
    assert_eq!(leaves("a: !!int hunter2").unwrap_err().kind, ErrorKind::TagMismatch);
    assert_eq!(leaves("a: {b: [1, 'ENC[x]']}").map_err(|error| error.kind), Ok(2));
}

#[test]
fn who_could_open_a_file_is_said_when_we_cannot() {
    let (identities, ..) = key();
    let open = |age: &str| {
        let text = BLOCK.replace("age: []", age);
        Encrypted::parse(&text).unwrap().open(&identities).err().unwrap()
    };
    let error = open("age: [{recipient: age1abc, enc: junk}, {recipient: ssh-rsa AAA, enc: ''}]");
    assert_eq!(message(&error), "no identity opens the file; its recipients are age1abc, ssh-rsa AAA");
    let error = open("age: null, pgp: [{fp: x}], key_groups: [{}], kms: []");
    assert_eq!(error.kind, ErrorKind::NoIdentity { recipients: vec![] });
    message(&error);
}

#[test]
fn recipients_of_other_kinds_are_named_as_such() {
    let kind = |text: &str| text.parse::<Recipient>().err().map(|error| error.kind);
    assert_eq!(kind("ssh-ed25519 AAAA"), Some(ErrorKind::BadRecipient));
    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA== ana";
    assert_eq!(kind(ecdsa), Some(ErrorKind::UnsupportedRecipient));
    assert_eq!(kind("age1pq1xyz"), Some(ErrorKind::PostQuantum));
    assert_eq!(kind("age1tagpq1xyz"), Some(ErrorKind::PostQuantum));
    assert_eq!(kind("age1yubikey1qqq"), Some(ErrorKind::BadRecipient));
    assert_eq!(kind("age1hunter"), Some(ErrorKind::BadRecipient));
    let (_, recipient, _) = key();
    assert_eq!(kind(&format!(" {recipient}\n")), None);
    // The comment of an SSH key is free text, and is written into the files that name the key.
    let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    assert_eq!((kind(ssh), kind(&format!("{ssh} ana@acme"))), (None, None));
    for acts in ["\n", "\r", "\u{1b}[2J", "\0", "\u{7}", "\t", "\u{7f}", "\u{85}", "\u{9b}"] {
        assert_eq!(kind(&format!("{ssh} ana{acts}acme")), Some(ErrorKind::BadRecipient), "{acts:?}");
    }
}

#[test]
fn text_that_multiplies_or_nests_is_refused_at_once() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let before = format!("*a{}", n - 1);
        bomb += &format!("a{n}: &a{n} [{}]\n", [before.as_str(); 10].join(", "));
    }
    assert_eq!(parse(&bomb).kind, ErrorKind::TooLarge);
    let long = format!("a: &a \"{}\\n\"\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(5000));
    assert_eq!(parse(&long).kind, ErrorKind::TooLarge);
    let mut chain = String::from("a0: &a0 [x]\n");
    (1..80).for_each(|n| chain += &format!("a{n}: &a{n} [*a{}]\n", n - 1));
    assert_eq!(parse(&chain).kind, ErrorKind::TooDeep);
    let deep = |open: &str, close: &str| format!("a: {}{}\n", open.repeat(5000), close.repeat(5000));
    for deep in [deep("[", "]"), deep("{a: ", "}"), format!("a: {}x\n", "- ".repeat(5000)), deep("? ", "")] {
        assert!(matches!(parse(&deep).kind, ErrorKind::TooDeep | ErrorKind::Syntax(_)));
    }
    assert_eq!(parse(&"- a\n".repeat(200_000)).kind, ErrorKind::TooLarge);
    assert_eq!(parse(&format!("a: 1\n{}", "# x\n".repeat(200_000))).kind, ErrorKind::TooLarge);
    let path = format!("\"{}\":\n  {}{BLOCK}", "k".repeat(500), "? a\n");
    assert!(Encrypted::parse(&path).is_ok());
    let path = format!("? {}\n: {{a: 1}}\n{BLOCK}", "k".repeat(20_000));
    assert_eq!(Encrypted::parse(&path).unwrap().leaves().unwrap_err().kind, ErrorKind::PathTooLong);
}

#[test]
fn data_that_some_release_would_misread_is_not_written() {
    let (_, recipient, _) = key();
    let recipients = [recipient];
    let rule = Rule::EncryptedRegex("^s".into());
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    let write = |settings: &Settings<'_>, key: &str, value: Value| {
        let mut data = Map::new();
        data.push(key, value);
        encrypt(&data, settings, &mut random).map_err(|error| (message(&error), error.kind).1).err()
    };
    let refused = |key: &str, value: Value| write(&settings, key, value);
    assert_eq!(refused("sops", Value::Null), Some(ErrorKind::ReservedKey));
    assert_eq!(refused("<<", Value::Null), Some(ErrorKind::MergeKey));
    assert_eq!(refused("a", Value::from(-0.0)), Some(ErrorKind::Unwritable(Type::Float)));
    assert_eq!(refused("s", Value::from(-0.0)), None);
    assert_eq!(refused("a", Value::Time(Secret::new("x".into()))), Some(ErrorKind::Unwritable(Type::Time)));
    assert_eq!(refused("s", Value::Bytes(Secret::new(vec![255]))), Some(ErrorKind::Unwritable(Type::Str)));
    assert_eq!(refused(&"k".repeat(1001), Value::Null), Some(ErrorKind::PathTooLong));
    let mut twice = Map::new();
    twice.push("a", 1);
    twice.push("a", 2);
    assert_eq!(refused("a", Value::Map(twice)), Some(ErrorKind::DuplicateKey { first: 0..0 }));
    let deep = (0..80).fold(Value::from(1), |inner, _| Value::List(vec![inner]));
    assert_eq!(refused("a", deep), Some(ErrorKind::TooDeep));
    assert_eq!(refused("a", Value::List((0..60_000).map(Value::from).collect())), Some(ErrorKind::TooLarge));
    assert_eq!(write(&Settings { recipients: &[], ..settings }, "a", Value::Null), Some(ErrorKind::NoRecipients));
    for lastmodified in
        ["", "2026-11-20", "2026-11-20T00:00:00+00:00", "2026-11-20T00:00:00.5Z", "2026-02-30T00:00:00Z"]
    {
        assert_eq!(write(&Settings { lastmodified, ..settings }, "a", Value::Null), Some(ErrorKind::BadTimestamp));
    }
    let comment = Rule::EncryptedCommentRegex("x".into());
    assert_eq!(write(&Settings { rule: &comment, ..settings }, "a", Value::Null), Some(ErrorKind::CommentRule));
}

#[test]
fn the_deepest_data_that_is_written_can_be_read() {
    let (identities, recipient, _) = key();
    let recipients = [recipient];
    let settings =
        Settings { rule: &Rule::default(), mac_only_encrypted: true, recipients: &recipients, lastmodified: TIME };
    let mut deepest = 0;
    for depth in 1..80 {
        let mut data = Map::new();
        data.push("a", (0..depth).fold(Value::from("x"), |inner, _| Value::List(vec![inner])));
        if let Ok(text) = encrypt(&data, &settings, &mut random) {
            assert!(Encrypted::parse(&text).unwrap().open(&identities).is_ok(), "{depth}");
            deepest = depth;
        }
    }
    assert!(deepest > 50);
}

#[test]
fn no_identities_at_all_is_an_answer_too() {
    let (_, recipient, _) = key();
    let recipients = [recipient.clone()];
    let settings =
        Settings { rule: &Rule::default(), mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    let text = encrypt(&Map::new(), &settings, &mut random).unwrap();
    let kind = Encrypted::parse(&text).unwrap().open(&Identities::default()).err().unwrap().kind;
    assert_eq!(kind, ErrorKind::NoIdentity { recipients: vec![recipient.to_string()] });
}
