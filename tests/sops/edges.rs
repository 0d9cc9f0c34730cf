//! Promise: what stands at an edge of the format stands on the side where it belongs, and what an edit leaves alone stays
//! byte for byte.
#![allow(clippy::unwrap_used)]

use tieline::secret::Secret;
use tieline::sops::config::creation;
use tieline::sops::{
    Clear, Enc, Encrypted, ErrorKind, Format, Identities, IdentityError, MAX_VALUES, Map, Rule, Settings, Step, Value,
    encrypt, encrypt_text,
};

use super::{TIME, key, random};

const BLOCK: &str = "sops: {version: 3.9.0, lastmodified: '2026-11-20T00:00:00Z', mac: x, age: []}\n";

/// A text sealed under a rule, and who opens it.
fn sealed(plain: &str, format: Format, rule: &Rule) -> (Identities, String) {
    let (identities, recipient, _) = key();
    let settings = Settings { rule, mac_only_encrypted: false, recipients: &[recipient], lastmodified: TIME };
    let (text, left_out) = encrypt_text(plain, format, &settings, &mut random).unwrap();
    assert_eq!(left_out, 0, "{plain}");
    (identities, text)
}

/// What `text` becomes if it is opened, changed as a text, and sealed again; `None` where nothing changed.
fn edited(text: &str, format: Format, identities: &Identities, from: &str, to: &str) -> Option<String> {
    let file = Encrypted::parse_as(text, format).unwrap();
    let opened = file.clear(identities).unwrap();
    let clear = opened.text(format).unwrap();
    assert!(clear.expose().contains(from), "{}", clear.expose());
    file.with_text(&opened, &clear.expose().replacen(from, to, 1), "2026-11-22T08:00:00Z", &mut random).unwrap()
}

fn clear(text: &str, format: Format, identities: &Identities) -> String {
    let opened: Clear = Encrypted::parse_as(text, format).unwrap().clear(identities).unwrap();
    opened.text(format).unwrap().expose().clone()
}

/// The lines of `old` that `new` has not.
fn gone<'o>(old: &'o str, new: &str) -> Vec<&'o str> {
    let line = |line: &'o str| line.trim_start().split([':', '[']).next().unwrap_or_default();
    old.lines().filter(|old| !new.lines().any(|new| new == *old)).map(line).collect()
}

#[test]
fn e2_11_a_time_is_one_that_was() {
    let (_, recipient, _) = key();
    let written = |lastmodified: &str| {
        let rule = Rule::default();
        let recipients = std::slice::from_ref(&recipient);
        let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients, lastmodified };
        let mut data = Map::new();
        data.push("a", "x");
        encrypt(&data, &settings, &mut random).map(drop).map_err(|error| error.kind)
    };
    for time in ["2024-02-29T23:59:59Z", "2000-02-29T00:00:00Z", "2026-04-30T00:00:00Z", "2026-12-31T00:00:00Z"] {
        assert_eq!(written(time), Ok(()), "{time}");
    }
    for time in [
        "2023-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-06-31T00:00:00Z",
        "2026-09-31T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-12-32T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+01:00",
        "2026-01-01T00:00:00",
    ] {
        assert_eq!(written(time), Err(ErrorKind::BadTimestamp), "{time}");
    }
}

#[test]
fn e2_11_a_version_has_three_numbers_and_says_something_behind_a_sign() {
    let kind = |version: &str| Encrypted::parse(&BLOCK.replace("3.9.0", version)).err().map(|error| error.kind);
    for version in ["3.9.0", "v3.9.0", "3.9.0-rc.1", "3.9.0+build-7"] {
        assert_eq!(kind(version), None, "{version}");
    }
    for version in ["3.9.0-", "3.9.0+", "3.9.0-rc_1", "3.9.0.1", "v3.9", "3..0", "3.9.x", "vv3.9.0"] {
        assert_eq!(kind(version), Some(ErrorKind::BadBlock("version")), "{version}");
    }
}

#[test]
fn e2_11_json_that_is_not_closed_or_has_no_commas_is_refused() {
    let parse = |text: &str| Encrypted::parse_as(text, Format::Json).err().map(|error| error.kind);
    for text in [
        "{\"a\": 1",
        "{\"a\": 1 \"b\": 2}",
        "{\"a\" 1}",
        "{\"a\": 1,}",
        "{a: 1}",
        "{\"a\": [1}",
        "{\"a\": [1 2]}",
        "{\"a\": [1,]}",
        "{\"a\": 1}}",
    ] {
        assert!(matches!(parse(text), Some(ErrorKind::Syntax(_) | ErrorKind::NotJson)), "{text}: {:?}", parse(text));
    }
}

#[test]
fn e2_11_an_alias_may_stand_as_deep_as_what_it_stands_for() {
    let nest = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    let parse = |inner: &str| Encrypted::parse(&format!("a: &x [[y]]\nb: {inner}\n{BLOCK}")).err().map(|e| e.kind);
    let mut refused = 0;
    for depth in 55..70 {
        let (alias, spelled) = (parse(&nest(depth, "*x")), parse(&nest(depth, "[[y]]")));
        assert_eq!(alias.is_none(), spelled.is_none(), "{depth}: {alias:?} {spelled:?}");
        refused += usize::from(alias == Some(ErrorKind::TooDeep));
    }
    assert!((1..15).contains(&refused), "{refused}");
}

#[test]
fn e2_11_an_enc_text_has_whole_groups_of_base64() {
    let right = "ENC[AES256_GCM,data:AAAA,iv:BBBB,tag:CCCC,type:str]";
    assert!(Enc::parse(right).is_some());
    for (from, to) in
        [("AAAA", "AAA"), ("BBBB", "BBBBB"), ("CCCC", ""), ("AAAA", "AA.A"), (":str", ":text"), ("]", "] ")]
    {
        assert!(Enc::parse(&right.replace(from, to)).is_none(), "{to:?}");
    }
}

#[test]
fn e2_11_an_empty_rule_of_a_config_is_none() {
    let config = "creation_rules:\n  - encrypted_regex: ''\n    encrypted_suffix: _s\n    age: ''\n";
    let found = creation(config, "a.yaml").unwrap().unwrap();
    assert_eq!((found.rule, found.recipients.len()), (Some(Rule::EncryptedSuffix("_s".into())), 0));
    let twice = config.replace("''\n    enc", "x\n    enc");
    assert_eq!(creation(&twice, "a.yaml").unwrap_err().kind, ErrorKind::TwoRules);
}

#[test]
fn e2_11_a_merge_key_is_not_set_and_a_place_in_a_list_is_named() {
    let (identities, text) = sealed("a: x\nl: [y]\nm: {n: z}\n", Format::Yaml, &Rule::default());
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    for path in [&["<<"][..], &["m", "<<"]] {
        let error = edit.set(path, Secret::new("x".to_owned())).unwrap_err();
        assert_eq!((error.kind, error.path), (ErrorKind::MergeKey, Some(path.join(".").replace("<<", "\"<<\""))));
    }
    let mut opened = file.clear(&identities).unwrap();
    let path = [Step::Key("l"), Step::Index(0), Step::Key("x"), Step::Index(2)];
    let error = opened.set(&path, "1").unwrap_err();
    assert_eq!((error.kind, error.path.as_deref()), (ErrorKind::NoSuchMap, Some("l[0].x[2]")));
    // Behind the last item of a list stands the next one, and nothing of it.
    let behind = [Step::Key("l"), Step::Index(1)];
    assert_eq!(opened.set(&[&behind[..], &[Step::Key("x")]].concat(), "1").unwrap_err().kind, ErrorKind::NoSuchMap);
    opened.set(&behind, "1").unwrap();
    assert_eq!(opened.set(&[Step::Key("sops")], "1").unwrap_err().kind, ErrorKind::ReservedKey);
    opened.set(&[Step::Key("m"), Step::Key("sops")], "1").unwrap();
}

/// The comments at the end of a map belong to it, if they are indented as it is.
#[test]
fn e2_11_a_comment_is_sealed_where_its_map_is_and_nowhere_else() {
    let plain = "# top\na:\n    b: x\n    # inner\nc:\n    d: v\n    # plain\n# outer\n";
    let (identities, text) = sealed(plain, Format::Yaml, &Rule::EncryptedRegex("^a$".into()));
    assert!(!text.contains("inner"), "{text}");
    for comment in ["# top\n", "    # plain\n", "# outer\n"] {
        assert!(text.contains(comment), "{comment}{text}");
    }
    assert_eq!(clear(&text, Format::Yaml, &identities), plain);
}

#[test]
fn e2_11_a_comment_behind_the_last_line_is_kept() {
    let plain = [
        "a: x\n# last\n",
        "a:\n    b: x\n# last\n",
        "a:\n    b: x\n    # inner\n",
        "a:\n    # first\n    b: x\n",
        "a: {}\nb: []\n# last\n",
        "l:\n    - a: x\n      b: u\n    - - u\n      - v\n    - w\n",
        "l:\n    - a: x\n      # inner\n      b: u\n",
    ];
    for plain in plain {
        let (identities, text) = sealed(plain, Format::Yaml, &Rule::default());
        assert_eq!(clear(&text, Format::Yaml, &identities), plain);
    }
}

#[test]
fn e2_11_a_comment_alone_is_a_change() {
    let (identities, text) = sealed("# one\na: x\nb: v\n", Format::Yaml, &Rule::default());
    let new = edited(&text, Format::Yaml, &identities, "# one", "# two").unwrap();
    assert_eq!(clear(&new, Format::Yaml, &identities), "# two\na: x\nb: v\n");
    assert_eq!(edited(&text, Format::Yaml, &identities, "# one", "# one"), None);
}

#[test]
fn e2_11_a_key_that_comes_or_goes_leaves_every_other_line() {
    let rule = Rule::EncryptedRegex("^s".into());
    // What stands in clear is laid out as nobody but a person does.
    let (identities, text) = sealed("s1: u\nplain: [1]\ns2: v\n", Format::Yaml, &rule);
    let text = text.replacen("plain:\n    - 1\n", "plain:   [ 1 ]   # by hand\n", 1);
    assert!(text.contains("by hand"), "{text}");
    let new = edited(&text, Format::Yaml, &identities, "s2: v\n", "s2: v\ns3: w\n").unwrap();
    assert_eq!(gone(&text, &new), ["lastmodified", "mac"], "{new}");
    assert_eq!(clear(&new, Format::Yaml, &identities).matches("s3: w\n").count(), 1);
    let new = edited(&text, Format::Yaml, &identities, "s1: u\n", "").unwrap();
    assert_eq!(gone(&text, &new), ["s1", "lastmodified", "mac"], "{new}");
    // A block scalar ends with its own line break: what comes behind it starts there.
    let (identities, text) = sealed("by: hand\ns1: u\nplain: |\n  one\n  two\n", Format::Yaml, &rule);
    let text = text.replacen("by: hand\n", "by:   hand\n", 1);
    assert!(text.contains("plain: |\n  one\n  two\n"), "{text}");
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    edit.set(&["s2"], Secret::new("y".to_owned())).unwrap();
    let new = edit.finish("2026-11-22T08:00:00Z", &mut random).unwrap().unwrap();
    assert_eq!(gone(&text, &new), ["lastmodified", "mac"], "{new}");
    assert!(new.contains("  two\ns2: ENC["), "{new}");
    let mut edit = file.edit(&identities).unwrap();
    edit.unset(&["plain"]).unwrap();
    let new = edit.finish("2026-11-22T08:00:00Z", &mut random).unwrap().unwrap();
    assert_eq!(gone(&text, &new), ["plain", "one", "two", "lastmodified", "mac"], "{new}");
    // Behind a map that others stand behind, further out.
    let nested = "a:\n    b:\n        c:\n            s1: u\n    e: v\nby: hand\n";
    let (identities, text) = sealed(nested, Format::Yaml, &rule);
    let text = text.replacen("by: hand\n", "by:   hand\n", 1);
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    edit.set(&["a", "b", "s2"], Secret::new("w".to_owned())).unwrap();
    let new = edit.finish("2026-11-22T08:00:00Z", &mut random).unwrap().unwrap();
    assert_eq!(gone(&text, &new), ["lastmodified", "mac"], "{new}");
    assert!(new.contains("\n        s2: ENC["), "{new}");
    // JSON, laid out by hand too.
    let (identities, text) = sealed("{\"s1\": \"x\", \"s2\": \"y\", \"s3\": \"z\"}", Format::Json, &rule);
    let text = text.replace("\"s2\": ", "\"s2\":     ").replace("\"s3\": ", "\"s3\":     ");
    for (key, at) in [("s1", 0), ("s2", 1), ("s3", 2)] {
        let file = Encrypted::parse_as(&text, Format::Json).unwrap();
        let mut edit = file.edit(&identities).unwrap();
        edit.unset(&[key]).unwrap();
        let new = edit.finish("2026-11-22T08:00:00Z", &mut random).unwrap().unwrap();
        let left: Vec<&str> = ["s1", "s2", "s3"].into_iter().filter(|other| *other != key).collect();
        let data = Encrypted::parse_as(&new, Format::Json).unwrap().open(&identities).unwrap();
        assert_eq!(data[0].iter().map(|(key, _)| key).collect::<Vec<_>>(), left, "{new}");
        assert_eq!(new.matches(":     ").count(), if at == 0 { 2 } else { 1 }, "{new}");
    }
}

/// A file that is laid out so that it has to be written anew keeps what a tag says.
#[test]
fn e2_11_bytes_in_clear_stay_bytes() {
    let rule = Rule::EncryptedRegex("^s".into());
    let (identities, text) = sealed("s1: u\nb: hallo\nm:\n    s2: v\n", Format::Yaml, &rule);
    let (before, rest) = text.split_once("m:\n    s2: ").unwrap();
    let (enc, after) = rest.split_once('\n').unwrap();
    let before = before.replace("b: hallo\n", "b: !!binary |\n    aGFs\n    bG8=\n");
    let text = format!("{before}m: {{s2: \"{enc}\"}}\n{after}");
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    edit.set(&["m", "s3"], Secret::new("w".to_owned())).unwrap();
    let new = edit.finish(TIME, &mut random).unwrap().unwrap();
    assert!(new.contains("\nb: !!binary \"aGFsbG8=\"\n"), "{new}");
    assert!(Encrypted::parse(&new).unwrap().open(&identities).is_ok());
}

#[test]
fn e2_11_a_field_of_a_block_that_is_null_or_empty_names_no_key() {
    let (identities, ..) = key();
    let read = |fields: &str| {
        let text = BLOCK.replace("age: []", fields);
        let file = Encrypted::parse(&text).unwrap();
        (file.metadata().unsupported.clone(), file.open(&identities).err().unwrap().kind)
    };
    let nobody = ErrorKind::NoIdentity { recipients: vec![] };
    assert_eq!(read("age: [], pgp: null, kms: ~, hc_vault: []"), (vec![], nobody.clone()));
    for groups in ["key_groups: null", "key_groups: []"] {
        assert_eq!(read(groups), (vec![], nobody.clone()), "{groups}");
    }
    let (unsupported, kind) = read("age: null, pgp: [{fp: x}], kms: null");
    assert_eq!((unsupported, kind), (vec!["pgp".to_owned()], ErrorKind::UnsupportedKeys(vec!["pgp".to_owned()])));
}

/// The name of the block is taken at the top alone.
#[test]
fn e2_11_a_key_below_the_top_may_be_called_as_the_block() {
    let (identities, recipient, _) = key();
    let rule = Rule::default();
    let recipients = [recipient];
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    let mut inner = Map::new();
    inner.push("sops", Secret::new("x".to_owned()));
    let mut data = Map::new();
    data.push("a", inner);
    let text = encrypt(&data, &settings, &mut random).unwrap();
    let opened = Encrypted::parse(&text).unwrap().open(&identities).unwrap();
    let inner = opened[0].get("a").and_then(|value| value.as_map()).unwrap();
    assert_eq!(inner.get("sops").and_then(|value| value.as_str()).map(Secret::expose), Some(&"x".to_owned()));
}

/// Values are counted one by one, up to the last that may be there.
#[test]
fn e2_11_a_file_has_as_many_values_as_can_be_read_again() {
    let (_, recipient, _) = key();
    let rule = Rule::EncryptedRegex("^s".into());
    let recipients = [recipient];
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    let written = |values: usize| {
        let mut data = Map::new();
        // The list is one of them.
        data.push("a", Value::List((1..values).map(|_| Value::from(1)).collect()));
        encrypt(&data, &settings, &mut random).map_err(|error| error.kind)
    };
    assert!(Encrypted::parse(&written(MAX_VALUES).unwrap()).is_ok());
    assert_eq!(written(MAX_VALUES + 1).err(), Some(ErrorKind::TooLarge));
}

/// What says that it is no comment is not opened as one.
#[test]
fn e2_11_a_comment_of_another_type_stays_as_it_stands() {
    let (identities, text) = sealed("# one\na: x\n", Format::Yaml, &Rule::default());
    let other = text.replacen("type:comment", "type:str", 1);
    assert_ne!(text, other);
    assert_eq!(clear(&text, Format::Yaml, &identities), "# one\na: x\n");
    let left = clear(&other, Format::Yaml, &identities);
    assert!(left.contains("ENC[") && !left.contains("one"), "{left}");
}

/// An integer that a JSON reader would round is not written.
#[test]
fn e2_11_an_integer_of_json_is_one_that_a_float_holds() {
    let (_, recipient, _) = key();
    let recipients = [recipient];
    for rule in [Rule::default(), Rule::EncryptedRegex("^s".into())] {
        let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
        for (number, fits) in [
            ("9007199254740992", true),
            ("-9007199254740992", true),
            ("9007199254740993", false),
            ("-9007199254740993", false),
        ] {
            let text = format!("{{\"a\": {number}}}");
            let written = encrypt_text(&text, Format::Json, &settings, &mut random);
            assert_eq!(written.is_ok(), fits, "{text} {:?}", written.err());
        }
    }
}

#[test]
fn e2_11_json_is_as_deep_as_yaml() {
    let deepest = |format: Format, text: &dyn Fn(usize) -> String| {
        let fits = |depth: &usize| !matches!(Encrypted::parse_as(&text(*depth), format), Err(error) if error.kind == ErrorKind::TooDeep);
        (1..100).take_while(fits).last().unwrap()
    };
    let maps = |depth: usize| format!("{{\"a\": {}1{}}}", "{\"a\": ".repeat(depth), "}".repeat(depth));
    let lists = |depth: usize| format!("{{\"a\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
    for text in [&maps as &dyn Fn(usize) -> String, &lists] {
        let (json, yaml) = (deepest(Format::Json, text), deepest(Format::Yaml, text));
        assert!(json.abs_diff(yaml) <= 1 && json > 50, "{json} {yaml}");
    }
}

/// What only looks the same is a change.
#[test]
fn e2_11_a_value_of_another_type_is_another_value() {
    for (plain, from, to) in [
        ("a: 5\n", "a: 5", "a: '5'"),
        ("a: 'true'\n", "a: \"true\"", "a: true"),
        ("a: u\n", "a: u", "a: !!binary dQ=="),
    ] {
        let (identities, text) = sealed(plain, Format::Yaml, &Rule::default());
        let new = edited(&text, Format::Yaml, &identities, from, to);
        assert!(new.is_some() || to.contains("binary"), "{plain}");
        if let Some(new) = new {
            let kind =
                |text: &str| Encrypted::parse(text).unwrap().open(&identities).unwrap()[0].get("a").unwrap().kind();
            assert!(kind(&new) != kind(&text) || to.contains("binary"), "{new}");
        }
    }
}

/// Who can open a file stands in its block: all other lines stay, by whomever they were laid out.
#[test]
fn e2_11_a_file_that_is_sealed_to_others_keeps_its_layout() {
    let (identities, recipient, _) = key();
    let (_, other, _) = key();
    let rule = Rule::EncryptedRegex("^s".into());
    let recipients = [recipient.clone()];
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    let (text, _) = encrypt_text("by: hand\ns: u\n", Format::Yaml, &settings, &mut random).unwrap();
    let text = text.replacen("by: hand\n", "by:   hand   # of ana\n", 1);
    let new = Encrypted::parse(&text).unwrap().rewrap(&identities, &[recipient, other.clone()]).unwrap();
    let (_, block) = text.split_once("sops:\n").unwrap();
    let kept = |line: &&str| !new.lines().any(|new| new == *line);
    let gone: Vec<&str> = text.lines().filter(kept).collect();
    assert!(gone.iter().all(|line| block.contains(*line) && line.starts_with("            ")), "{gone:#?}");
    assert!(new.contains("by:   hand   # of ana\n") && new.contains(other.as_str()), "{new}");
}

#[test]
fn e2_11_json_is_indented_by_its_depth() {
    let plain = "{\"a\": [{\"b\": \"u\", \"l\": [1, [2]]}, []], \"m\": {}}";
    let (identities, text) = sealed(plain, Format::Json, &Rule::default());
    let clear = clear(&text, Format::Json, &identities);
    let indents: Vec<usize> =
        clear.lines().map(|line| line.chars().take_while(|c| matches!(c, ' ' | '\t')).count()).collect();
    let step = indents[1];
    let depths: Vec<usize> = indents.iter().map(|indent| indent / step).collect();
    assert_eq!(depths, [0, 1, 2, 3, 3, 4, 4, 5, 4, 3, 2, 2, 1, 1, 0], "{clear}");
}

/// A comment that nobody changed keeps its ENC text, also where the file is written anew.
#[test]
fn e2_11_a_comment_that_was_not_edited_keeps_its_text() {
    let (identities, text) = sealed("# one\na: u\n", Format::Yaml, &Rule::default());
    let new = edited(&text, Format::Yaml, &identities, "a: u\n", "a: u\nl: [1]\n# two\n").unwrap();
    let comment = text.lines().find(|line| line.starts_with("#")).unwrap();
    assert!(new.contains(comment) && new.matches("type:comment").count() == 2, "{new}");
}

#[test]
fn e2_11_a_file_is_sealed_to_others_only_if_it_holds_what_is_meant() {
    let (identities, text) = sealed("a: u\n", Format::Yaml, &Rule::default());
    let (_, other, _) = key();
    let file = Encrypted::parse(&text).unwrap();
    let to = [other];
    assert_eq!(file.rewrap_if(&identities, &to, &|_| false).unwrap(), None);
    assert!(file.rewrap_if(&identities, &to, &|data| data[0].get("a").is_some()).unwrap().is_some());
    // An age file that somebody's key opens is no file of identities.
    let age = &file.metadata().recipients[0].enc;
    assert!(age.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"), "{age}");
    assert!(matches!(Identities::parse(age), Err(IdentityError::NotPassphrase)));
}
