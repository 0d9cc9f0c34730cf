//! The YAML that we accept: what all readers read alike.

use serde_json::json;

use super::{instance, layers};
use crate::support::Folder;

fn mysql(config: &str) -> Folder {
    Folder::base().with(
        "connections/orders.yaml",
        format!("connector: mysql\nconfig:\n  host: orders.acme.example\n{config}credential: finance-db\n"),
    )
}

#[test]
fn a07_values_that_readers_take_differently_must_be_quoted() {
    for value in
        ["no", "Off", "y", "0123", "0o17", "1_000", "1:30", "190:20:30", "2026-11-20", "2026-11-20T08:00:00Z", "0b11"]
    {
        assert_eq!(mysql(&format!("  database: {value}\n")).codes(), ["ambiguous-scalar"], "{value}");
        for quoted in [format!("'{value}'"), format!("\"{value}\""), format!("!!str {value}")] {
            assert_eq!(mysql(&format!("  database: {quoted}\n")).codes(), Vec::<String>::new(), "{quoted}");
        }
    }
}

#[test]
fn a07_values_that_lose_their_spelling_must_be_quoted_where_text_is_wanted() {
    for value in ["1.10", "1.0e+3", "0x1F", "123", "true", "-0", "1."] {
        let folder = mysql(&format!("  database: {value}\n"));
        let report = folder.json();
        let told = report["diagnostics"].as_array().unwrap();
        assert_eq!(told.len(), 1, "{value}: {report:#}");
        assert_eq!(
            (told[0]["code"].as_str(), told[0]["help"].as_str().unwrap()),
            (Some("schema"), &*format!("quote it: '{value}'"))
        );
        assert_eq!(mysql(&format!("  database: '{value}'\n")).codes(), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn a07_numbers_keep_their_value_or_are_refused() {
    let folder = layers(
        "connector: anything\nconfig:\n  a: [9223372036854775807, -9223372036854775808, 0x10, 1.5, 1.0e+3, -0, .5]\n",
        &[],
    );
    let read = instance(&folder, "dev");
    assert_eq!(read["config"]["a"], json!([i64::MAX, i64::MIN, 16, 1.5, 1000.0, 0, 0.5]));
    for value in
        ["9223372036854775808", "-9223372036854775809", "1.0e+400", ".inf", "-.inf", ".nan", "0xFFFFFFFFFFFFFFFFF"]
    {
        let folder = layers(&format!("connector: anything\nconfig: {{a: {value}}}\n"), &[]);
        assert_eq!(folder.codes(), ["number-range"], "{value}");
    }
}

#[test]
fn z23_a_string_that_spells_an_integer_is_taken_with_a_warning() {
    for (value, codes) in [
        ("'3306'", &["string-for-integer"][..]),
        ("\"3306\"", &["string-for-integer"]),
        ("'33x'", &["schema"]),
        ("'99999'", &["string-for-integer", "schema"]),
        ("3306", &[]),
        ("'3306.0'", &["schema"]),
        ("' 3306'", &["schema"]),
        ("''", &["schema"]),
    ] {
        let folder = mysql(&format!("  database: orders\n  port: {value}\n"));
        let mut told = folder.codes();
        told.sort();
        let mut codes = codes.to_vec();
        codes.sort_unstable();
        assert_eq!(told, codes, "{value}");
    }
    let folder = mysql("  database: orders\n  port: '3306'\n");
    let run = folder.validate();
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.ends_with("3 connections, 2 environments: 1 warning\n"), "{}", run.stdout);
    let (_, compiled, _) = super::compiled(&folder, "dev");
    let port = compiled.connections["orders"].instance.pointer("/config/port").unwrap();
    assert_eq!(port.value, tieline::value::Value::Int(3306));
    // Nothing else is coerced.
    assert_eq!(mysql("  database: orders\n  connect_timeout: 1.5\n").codes(), ["schema"]);
    assert_eq!(mysql("  database: orders\n  params: {a: [1]}\n").codes(), ["schema"]);
}

#[test]
fn aliases_work_within_a_file() {
    let folder =
        layers("connector: anything\nconfig:\n  a: &x {k: [1, 2]}\n  b: *x\n  c: &y text\n  d: [*y, *y]\n", &[]);
    let read = instance(&folder, "dev");
    assert_eq!(read["config"], json!({"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": "text", "d": ["text", "text"]}));
    // Of a key too.
    let folder = layers("connector: anything\nconfig: {&x a: 1, b: *x}\n", &[]);
    assert_eq!(instance(&folder, "dev")["config"], json!({"a": 1, "b": "a"}));
}

#[test]
fn a08_unknown_tags_are_errors() {
    for value in [
        "!!python/object:os.system x",
        "!include x",
        "!!binary aGk=",
        "!!set {a}",
        "!!float 1",
        "!!timestamp 2026-01-01",
        "!secret x",
        "!<tag:x> y",
        "!!int '5'",
    ] {
        let folder = layers(&format!("connector: anything\nconfig:\n  a: {value}\n"), &[]);
        assert_eq!(folder.codes(), ["yaml-tag"], "{value}");
    }
}

#[test]
fn an_unknown_key_anywhere_is_an_error_with_a_near_name() {
    let base = "vars: {db_host: db.acme.example}\nsecrets: {FINANCE_PASSWORD: 'env:X'}\n";
    let cases = [
        ("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nnmae: acme\n".to_owned(), "name"),
        ("environments/dev/environment.yaml", format!("{base}protectd: true\n"), "protected"),
        ("environments/dev/environment.yaml", format!("{base}target: {{kind: directory, pth: x}}\n"), "path"),
        (
            "connections/landing.yaml",
            "connector: s3\nenabeld: true\nconfig: {region: eu-central-1}\nauth: {mode: default}\n".into(),
            "enabled",
        ),
        (
            "connections/landing.yaml",
            "connector: s3\nconfig: {region: eu-central-1, buket: x}\nauth: {mode: default}\n".into(),
            "bucket",
        ),
        (
            "credentials/finance-db.yaml",
            "rotatd: x\nauth: {mode: password, username: u, password: \"${{ secrets.FINANCE_PASSWORD }}\"}\n".into(),
            "rotated",
        ),
        ("consumers/nightly.yaml", "kind: flow\nuse: [finance]\n".into(), "uses"),
        (
            "consumers/nightly.yaml",
            "kind: flow\nuses: [{conection: landing, connection: finance}]\n".into(),
            "connection",
        ),
    ];
    for (path, text, near) in cases {
        let report = Folder::base().with(path, &text).json();
        let told = &report["diagnostics"][0];
        assert_eq!(report["diagnostics"].as_array().unwrap().len(), 1, "{text}: {report:#}");
        assert_eq!(
            // What else is said of a credential stands on a line of its own.
            (told["code"].as_str(), told["help"].as_str().and_then(|help| help.lines().next())),
            (Some("unknown-key"), Some(&*format!("did you mean `{near}`?"))),
            "{text}"
        );
    }
}

#[test]
fn a11_a_pair_without_a_map_before_the_end_of_the_file_is_told() {
    // The map of such a pair starts at its key, which need not be one byte wide.
    let folder = Folder::bare().with("connections/c.yaml", "keys: [\u{301}credential: l\n%YAML 1.1\n");
    assert_eq!(folder.codes(), ["yaml-syntax"]);
}

#[test]
fn e2_07_keys_that_could_not_be_sealed_are_refused() {
    let key = "k".repeat(1000);
    for (levels, expected) in [(2, false), (9, true)] {
        let nested = (0..levels).fold("x".to_owned(), |below, _| format!("{{? {key} : {below}}}"));
        let codes = mysql(&format!("  database: orders\n  params: {nested}\n")).codes();
        assert_eq!(codes.iter().any(|code| code == "yaml-key"), expected, "{levels}: {codes:?}");
    }
}

/// A list that is indented no deeper than its key begins at its first dash, as any other does.
#[test]
fn e2_11_a_list_begins_at_its_dash() {
    for (text, at) in [
        ("a:\n- x\n- z\n", "- x\n- z"),
        ("a:\n  - x\n", "- x"),
        ("a:\n- -5\n", "- -5"),
        ("a:\n-\n  b: 1\n", "-\n  b: 1"),
        ("a:\n  - - x\n", "- - x"),
        ("a: [x]\n", "[x]"),
    ] {
        let (root, told) = tieline::yaml::parse(tieline::span::FileId(0), text);
        assert!(told.is_empty(), "{text:?} {told:?}");
        let root = root.unwrap();
        assert_eq!(&text[root.get("a").unwrap().span.range()], at, "{text:?}");
    }
    let text = "a:\n  - - x\n";
    let (root, _) = tieline::yaml::parse(tieline::span::FileId(0), text);
    let root = root.unwrap();
    let inner = &root.get("a").unwrap().as_list().unwrap()[0];
    assert_eq!(&text[inner.span.range()], "- x");
}
