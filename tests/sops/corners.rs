//! Promise: what is rare in a file is read, edited and refused as what is common.
#![allow(clippy::unwrap_used)]

use tieline::secret::Secret;
use tieline::sops::config::creation;
use tieline::sops::{
    Encrypted, ErrorKind, Format, Identities, Map, Recipient, Rule, Settings, Step, Type, Value, encrypt, encrypt_text,
};

use super::vectors::{cases, read, sealed as vector};
use super::{TIME, key, random};

const BLOCK: &str = "sops: {version: 3.9.0, lastmodified: '2026-11-20T00:00:00Z', mac: x, age: []}\n";
const LATER: &str = "2026-11-22T08:00:00Z";

fn written(plain: &str, format: Format, rule: &Rule, only: bool) -> (Identities, Result<String, ErrorKind>) {
    let (identities, recipient, _) = key();
    let settings = Settings { rule, mac_only_encrypted: only, recipients: &[recipient], lastmodified: TIME };
    let text = encrypt_text(plain, format, &settings, &mut random);
    (identities, text.map(|(text, _)| text).map_err(|error| error.kind))
}

fn sealed(plain: &str, format: Format, rule: &Rule) -> (Identities, String) {
    let (identities, text) = written(plain, format, rule, false);
    (identities, text.unwrap())
}

fn s() -> Rule {
    Rule::EncryptedRegex("^s".into())
}

fn clear(text: &str, identities: &Identities) -> String {
    Encrypted::parse(text).unwrap().clear(identities).unwrap().text(Format::Yaml).unwrap().expose().clone()
}

/// The file with another text in clear in its place.
fn with_text(text: &str, identities: &Identities, new: &str) -> Result<Option<String>, ErrorKind> {
    let file = Encrypted::parse(text).unwrap();
    let opened = file.clear(identities).unwrap();
    file.with_text(&opened, new, LATER, &mut random).map_err(|error| error.kind)
}

fn set(text: &str, identities: &Identities, path: &[&str], value: Option<&str>) -> String {
    let file = Encrypted::parse(text).unwrap();
    let mut edit = file.edit(identities).unwrap();
    match value {
        Some(value) => edit.set(path, Secret::new(value.to_owned())).map(drop).unwrap(),
        None => edit.unset(path).map(drop).unwrap(),
    }
    edit.finish(LATER, &mut random).unwrap().unwrap()
}

fn text_of<'m>(data: &'m [Map], document: usize, key: &str) -> Option<&'m str> {
    data[document].get(key).and_then(Value::as_str).map(|text| text.expose().as_str())
}

#[test]
fn e2_11_every_document_of_a_file_counts_in_an_edited_text() {
    let (identities, text) = sealed("a: x\nb: u\n---\nc: z\n", Format::Yaml, &Rule::default());
    let edited = |new: &str| with_text(&text, &identities, new).unwrap();
    assert_eq!(edited("a: x\nb: u\n---\nc: z\n"), None);
    for new in ["a: x\nb: u\n", "a: v\nb: u\n---\nc: w\n", "b: u\na: v\n---\nc: z\n", "d: x\nb: u\n---\nc: z\n"] {
        assert_eq!(clear(&edited(new).unwrap(), &identities), new);
    }
    assert_eq!(with_text(&text, &identities, "a: x\nsops: {}\n"), Err(ErrorKind::ReservedKey));
}

/// Further documents have a block of their own, which nobody reads.
#[test]
fn e2_11_what_the_block_of_a_further_document_lacks_keeps_nobody_from_an_edit() {
    let (identities, text) = sealed("s: x\n---\ns: z\n", Format::Yaml, &s());
    let (first, rest) = text.split_once("---\n").unwrap();
    let (data, _) = rest.split_once("sops:\n").unwrap();
    let text = format!("{first}---\n{data}sops:\n    version: 3.9.0\n");
    let new = set(&text, &identities, &["s"], Some("y"));
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    assert_eq!((text_of(&data, 0, "s"), text_of(&data, 1, "s")), (Some("y"), Some("z")));
    let (others, other, _) = key();
    let new = Encrypted::parse(&text).unwrap().rewrap(&identities, &[other]).unwrap();
    assert!(Encrypted::parse(&new).unwrap().open(&others).is_ok(), "{new}");
}

#[test]
fn e2_11_a_value_that_is_replaced_leaves_the_lines_around_it() {
    let (identities, text) = sealed("by: hand\ns: u\np: |\n  one\n  two\ne:\nf: {s1: x, s2: y}\n", Format::Yaml, &s());
    let text = text.replacen("by: hand\n", "by:   hand\n", 1).replacen("\ne: null\n", "\ne:\n", 1);
    assert!(text.contains("\ne:\n"), "{text}");
    for path in ["p", "e"] {
        let new = set(&text, &identities, &[path], Some("z"));
        assert!(new.contains("by:   hand\n") && new.contains(&format!("\n{path}: z\n")), "{new}");
        assert!(!new.contains("two") || path == "e", "{new}");
    }
    // The seal too may stand as a block.
    let line = text.lines().find(|line| line.starts_with("    mac: ")).unwrap();
    let block = text.replacen(line, &format!("    mac: |-\n      {}", line.trim_start_matches("    mac: ")), 1);
    let new = set(&block, &identities, &["s"], Some("v"));
    assert!(Encrypted::parse(&new).unwrap().open(&identities).is_ok() && new.contains("by:   hand\n"), "{new}");
    // Of two on one line, the one goes.
    let enc = |key: &str| text.lines().find_map(|line| line.strip_prefix(&format!("    {key}: "))).unwrap().to_owned();
    let (one, two) = (enc("s1"), enc("s2"));
    let flow = format!("f: {{s1: \"{one}\", s2: \"{two}\"}}\n");
    let text = text.replacen(&format!("f:\n    s1: {one}\n    s2: {two}\n"), &flow, 1);
    assert!(text.contains("f: {"), "{text}");
    let new = set(&text, &identities, &["f", "s1"], None);
    assert!(new.contains(&two) && !new.contains(&one), "{new}");
}

#[test]
fn e2_11_a_line_is_added_to_a_file_that_ends_without_one_or_has_nothing() {
    let (identities, text) = sealed("by: hand\ns1: u\n", Format::Yaml, &s());
    let (data, block) = text.split_once("sops:\n").unwrap();
    let data = data.replacen("by: hand", "by:   hand", 1);
    let text = format!("sops:\n{block}{}", data.trim_end());
    let new = set(&text, &identities, &["s2"], Some("v"));
    assert!(new.contains("by:   hand\n") && new.contains("\ns2: ENC["), "{new}");
    let (identities, text) = sealed("{}\n", Format::Yaml, &s());
    let text = text.trim_start_matches("{}\n");
    let new = set(text, &identities, &["s2"], Some("v"));
    assert!(new.starts_with("s2: ENC["), "{new}");
}

#[test]
fn e2_11_a_comment_in_a_list_stays_where_the_file_is_written_anew() {
    let (identities, text) =
        sealed("l:\n    - - u\n      - v\n    - a: w\n      b: v\nm:\n    s1: x\n", Format::Yaml, &s());
    let enc = text.lines().find_map(|line| line.strip_prefix("    s1: ")).unwrap();
    let text = text.replacen(&format!("m:\n    s1: {enc}\n"), &format!("m: {{s1: \"{enc}\"}}\n"), 1);
    let text = text.replacen("- u\n", "- u # note\n", 1).replacen("a: w\n", "a: w # other\n", 1);
    let new = set(&text, &identities, &["m", "s2"], Some("w"));
    assert!(new.contains("    -\n      # note\n      - u\n      - v\n"), "{new}");
    assert!(new.contains("    -\n      # other\n      a: w\n      b: v\n"), "{new}");
}

#[test]
fn e2_11_an_empty_comment_and_a_text_of_line_breaks_stay() {
    let (identities, text) = sealed("#\na: x\n", Format::Yaml, &Rule::default());
    assert_eq!(clear(&text, &identities), "#\na: x\n");
    let (identities, text) = sealed("a: |+\n\n\nb: |\n\n  x\nc: \"x \\ny\\n\"\n", Format::Yaml, &s());
    let data = Encrypted::parse(&text).unwrap().open(&identities).unwrap();
    assert_eq!(text_of(&data, 0, "a"), Some("\n\n"));
    assert_eq!((text_of(&data, 0, "b"), text_of(&data, 0, "c")), (Some("\nx\n"), Some("x \ny\n")));
}

#[test]
fn e2_11_the_keys_above_a_value_have_a_limit_that_all_agree_on() {
    let (_, recipient, _) = key();
    let rule = Rule::default();
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &[recipient], lastmodified: TIME };
    for (last, fits) in [(959, true), (960, false)] {
        // With a sign behind each, 16 keys of 963 bytes and one of 959 are 16,384.
        let keys: Vec<String> = (0..16).map(|_| "k".repeat(963)).chain(["k".repeat(last)]).collect();
        let data = keys.iter().rev().fold(Value::from("x"), |inner, key| {
            let mut map = Map::new();
            map.push(key.as_str(), inner);
            Value::Map(map)
        });
        let Value::Map(data) = data else { unreachable!() };
        let text = keys.iter().enumerate().map(|(i, key)| format!("{}{key}:\n", " ".repeat(i))).collect::<String>();
        let text = format!("{} x\n", text.trim_end());
        let expected = (!fits).then_some(ErrorKind::PathTooLong);
        assert_eq!(encrypt(&data, &settings, &mut random).err().map(|e| e.kind), expected, "{last}");
        assert_eq!(encrypt_text(&text, Format::Yaml, &settings, &mut random).err().map(|e| e.kind), expected);
        let parsed = format!("{text}{BLOCK}");
        assert_eq!(Encrypted::parse(&parsed).unwrap().leaves().err().map(|e| e.kind), expected);
    }
    let mut data = Map::new();
    data.push("k".repeat(1000), "x");
    assert!(encrypt(&data, &settings, &mut random).is_ok());
    // What is set may be deeper than what is read.
    let (identities, text) = sealed("{\"a\": \"x\"}", Format::Json, &rule);
    let file = Encrypted::parse_as(&text, Format::Json).unwrap();
    let mut opened = file.clear(&identities).unwrap();
    let path = vec![Step::Key("k"); 40];
    opened.set(&path, &format!("{}1{}", "[".repeat(40), "]".repeat(40))).unwrap();
    let (_, other, _) = key();
    let sealed = file.with_new_key(&opened, &file.settings(&[other], LATER), &mut random);
    assert_eq!(sealed.err().map(|error| error.kind), Some(ErrorKind::TooDeep));
}

#[test]
fn e2_11_json_that_is_empty_or_too_large_is_named_as_such() {
    let kind = |text: &str| Encrypted::parse_as(text, Format::Json).err().unwrap().kind;
    for text in ["", " \n\t"] {
        assert_eq!(kind(text), ErrorKind::Empty);
    }
    // The object, the key and the list count.
    for (items, error) in [(99_997, ErrorKind::NoBlock), (99_998, ErrorKind::TooLarge)] {
        assert_eq!(kind(&format!("{{\"a\": [{}1]}}", "1,".repeat(items - 1))), error);
    }
}

#[test]
fn e2_11_what_holds_the_data_key_is_found_where_it_stands() {
    let (identities, text) = sealed("a: x\n", Format::Yaml, &Rule::default());
    let opens = |text: &str| Encrypted::parse(text).unwrap().open(&identities).map(drop).map_err(|error| error.kind);
    // A group alone holds the key itself; and what stands at the top wins.
    let group = text.replacen("    age:\n", "    key_groups:\n    - age:\n", 1);
    assert_eq!((group != text, opens(&group)), (true, Ok(())));
    assert_eq!(opens(&text.replacen("    age:\n", "    key_groups:\n    - {}\n    age:\n", 1)), Ok(()));
    let (identities, json) = sealed("{\"a\": \"x\"}", Format::Json, &Rule::default());
    let lines = json.replace("-----\\n", "-----\\r\\n");
    assert_ne!(lines, json);
    assert!(Encrypted::parse_as(&lines, Format::Json).unwrap().open(&identities).is_ok());
    let case = cases().into_iter().find(|case| case.ends_with("p26-shamir-2-of-3")).unwrap();
    let (text, format) = vector(&case);
    let one = Identities::parse(&read(&case, "identity-1.txt")).unwrap();
    let none = text.replacen("shamir_threshold: 2", "shamir_threshold: 0", 1);
    assert_ne!(none, text);
    let error = Encrypted::parse_as(&none, format).unwrap().open(&one).err().unwrap();
    assert_eq!(error.kind, ErrorKind::SharesMissing { have: 1, needed: 3 });
}

#[test]
fn e2_11_a_field_of_a_block_is_what_it_must_be() {
    let kind = |fields: &str| Encrypted::parse(&BLOCK.replace("age: []", fields)).err().map(|error| error.kind);
    let groups = |count: usize| format!("key_groups: [{}]", vec!["{}"; count].join(", "));
    assert_eq!(kind(&groups(255)), None);
    assert_eq!(kind(&groups(256)), Some(ErrorKind::BadBlock("key_groups")));
    for right in ["shamir_threshold: 0", "shamir_threshold: 255", "shamir_threshold: null", "age: null", "age: []"] {
        assert_eq!(kind(right), None, "{right}");
    }
    for (wrong, field) in [
        ("shamir_threshold: 256", "shamir_threshold"),
        ("shamir_threshold: -1", "shamir_threshold"),
        ("shamir_threshold: two", "shamir_threshold"),
        ("age: x", "age"),
        ("age: 5", "age"),
        ("age: [x]", "age"),
        ("age: {}", "age"),
        ("age: [{recipient: 5}]", "recipient"),
        ("key_groups: x", "key_groups"),
        ("key_groups: [x]", "key_groups"),
    ] {
        assert_eq!(kind(wrong), Some(ErrorKind::BadBlock(field)), "{wrong}");
    }
    assert_eq!(kind("encrypted_regex: '', encrypted_suffix: _s"), None);
    let rule = |text: &str| Encrypted::parse(&BLOCK.replace("age: []", text)).unwrap().seals("x_s");
    assert!(rule("encrypted_suffix: _s") && !rule("unencrypted_suffix: _s"));
    // A comment above it may leave a value in clear.
    assert!(!rule("unencrypted_comment_regex: c") && !rule("encrypted_comment_regex: c"));
}

#[test]
fn e2_11_nobody_is_no_recipient() {
    let (identities, text) = sealed("a: x\n", Format::Yaml, &Rule::default());
    let file = Encrypted::parse(&text).unwrap();
    assert_eq!(file.rewrap(&identities, &[]).unwrap_err().kind, ErrorKind::NoRecipients);
    assert_eq!(file.rotate(&identities, &[], LATER, &mut random).unwrap_err().kind, ErrorKind::NoRecipients);
    let kind = |text: &str| text.parse::<Recipient>().err().map(|error| error.kind);
    let touch = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGNAAAABHNzaDo=";
    assert_eq!(kind(touch), Some(ErrorKind::UnsupportedRecipient));
    let plugin =
        "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt".parse::<Recipient>().unwrap();
    assert_eq!(plugin.plugin(), Some("yubikey"));
    let mut later = Identities::default();
    assert!(later.is_empty());
    later.later(|_| None);
    assert!(!later.is_empty());
}

#[test]
fn e2_11_a_value_that_says_it_is_a_comment_is_not_left_out() {
    let (identities, text) = sealed("a: x\n", Format::Yaml, &Rule::default());
    let other = text.replacen("type:str", "type:comment", 1);
    let error = Encrypted::parse(&other).unwrap().open(&identities).err().unwrap();
    assert_eq!(error.kind, ErrorKind::BadPlaintext(Type::Comment));
}

/// What only looks sealed, where nothing is to be, is a text like others.
#[test]
fn e2_11_a_text_that_looks_sealed_hinders_no_edit() {
    let looks = "ENC[AES256_GCM,data:AAAA,iv:BBBB,tag:CCCC,type:str]";
    let (identities, text) = sealed(&format!("p: {looks}\ns: u\n"), Format::Yaml, &s());
    let new = with_text(&text, &identities, &format!("# new\np: {looks}\ns: u\n")).unwrap().unwrap();
    assert!(new.starts_with(&format!("# new\np: {looks}\n")), "{new}");
    // A comment of another type does not stand for one that is written now.
    let (identities, text) = sealed("# one\na: x\n", Format::Yaml, &Rule::default());
    let text = text.replacen("type:comment", "type:str", 1);
    let shown = clear(&text, &identities);
    let new = with_text(&text, &identities, &format!("# one\n{shown}")).unwrap().unwrap();
    assert!(clear(&new, &identities).starts_with("# one\n"), "{new}");
}

#[test]
fn e2_11_bytes_and_zero_are_written_as_far_as_all_read_them() {
    for (plain, refused) in [
        ("a: 0.0\n", None),
        ("a: -0.0\n", Some(ErrorKind::Unwritable(Type::Float))),
        ("s: -0.0\n", None),
        ("a: !!binary /w==\n", Some(ErrorKind::Unwritable(Type::Str))),
        ("s: !!binary /w==\n", Some(ErrorKind::Unwritable(Type::Str))),
        ("a: 09007199254740993\n", Some(ErrorKind::Rounded)),
        ("a: 09007199254740991\n", None),
    ] {
        assert_eq!(written(plain, Format::Yaml, &s(), false).1.err(), refused, "{plain}");
    }
    // What another sops wrote is written again.
    let (identities, text) = written("s: u\n", Format::Yaml, &s(), true);
    let text = format!("b: !!binary /w==\n{}", text.unwrap());
    let (_, other, _) = key();
    let new = Encrypted::parse(&text).unwrap().rotate(&identities, &[other], LATER, &mut random).unwrap();
    assert!(new.starts_with("b: !!binary \"/w==\"\n"), "{new}");
}

#[test]
fn e2_11_a_config_is_refused_where_a_field_is_not_what_it_must_be() {
    let kind = |text: &str| creation(text, "a.yaml").map(drop).map_err(|error| error.kind);
    let rule = |rule: &str| kind(&format!("creation_rules: [{{{rule}}}]\n"));
    for (text, field) in [
        ("age: 5", "age"),
        ("age: [5]", "age"),
        ("age: {a: b}", "age"),
        ("path_regex: 5", "path_regex"),
        ("encrypted_regex: true", "encrypted_regex"),
        ("mac_only_encrypted: 'yes'", "mac_only_encrypted"),
        ("mac_only_encrypted: []", "mac_only_encrypted"),
    ] {
        assert_eq!(rule(text), Err(ErrorKind::BadConfig(field)), "{text}");
    }
    for text in ["creation_rules: x\n", "creation_rules: [x]\n", "creation_rules: {a: b}\n"] {
        assert_eq!(kind(text), Err(ErrorKind::BadConfig("creation_rules")), "{text}");
    }
    assert_eq!(rule("age: 'age1x, age1y,'"), Ok(()));
}

/// A comment that stands in an empty map or list, or before it, is one of its key: sealed and opened, all three are as they were.
#[test]
fn e2_11_a_comment_in_what_is_empty_stays_a_comment() {
    for (plain, opened) in [
        ("a: {\n  # c\n}\n", "# c\na: {}\n"),
        ("a: { # c\n}\nb: u\n", "# c\na: {}\nb: u\n"),
        ("a: [\n  # c\n]\nb: u\n", "# c\na: []\nb: u\n"),
        ("a:\n  # c\n  {}\nb: u\n", "# c\na: {}\nb: u\n"),
        ("# a\na: {\n  # c\n} # d\n", "# a\n# c\n# d\na: {}\n"),
        ("m:\n  a: {\n    # c\n    }\n  b: u\n", "m:\n    # c\n    a: {}\n    b: u\n"),
        ("a: &x {\n  # c\n}\nb: *x\n", "# c\na: {}\nb: {}\n"),
        ("a: {b: u\n  # c\n}\n", "a:\n    b: u\n    # c\n"),
    ] {
        for rule in [Rule::default(), s()] {
            let (identities, text) = sealed(plain, Format::Yaml, &rule);
            assert_eq!(clear(&text, &identities), opened, "{plain} {text}");
        }
    }
    // One in a list is left out, as every one there is.
    let (identities, text) = sealed("a:\n- {\n  # c\n  }\n- u\n", Format::Yaml, &Rule::default());
    assert_eq!(clear(&text, &identities), "a:\n    - {}\n    - u\n");
}
