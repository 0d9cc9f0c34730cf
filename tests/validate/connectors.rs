//! `fixtures/connectors`: what each connector accepts, and the one error for each mistake; and the examples.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, files, root, told};

/// A workspace of these connection files, with every secret that they name bound to a store.
fn workspace(folder: &Path) -> Folder {
    let mut workspace = Folder::bare();
    let mut secrets = BTreeSet::new();
    for file in files(folder) {
        let text = fs::read_to_string(folder.join(&file)).unwrap();
        let named = text.match_indices("secrets.").map(|(at, name)| {
            let rest = &text[at + name.len()..];
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned()
        });
        secrets.extend(named);
        // An underscore is part of an id; a mode's name may have one.
        workspace = workspace.with(&format!("connections/{file}"), text);
    }
    let mut settings = String::from("secrets:\n");
    for name in secrets {
        let _ = writeln!(settings, "  {name}: vault://kv/connectors#{name}");
    }
    workspace.with("environments/dev/environment.yaml", settings)
}

#[test]
fn z05_every_valid_connection_of_every_connector_is_accepted() {
    let folder = workspace(&root().join("fixtures/connectors/valid"));
    let run = folder.validate();
    assert_eq!(run.code, 0, "{}", run.stdout);
    let count = files(&root().join("fixtures/connectors/valid")).len();
    assert_eq!(run.stdout, format!("{count} connections, 1 environment: no problems\n"));
}

#[test]
fn z05_every_builtin_connector_has_fixtures() {
    let named: BTreeSet<String> = ["valid", "invalid"]
        .iter()
        .flat_map(|kind| files(&root().join("fixtures/connectors").join(kind)).into_iter().map(move |f| (kind, f)))
        .map(|(kind, file)| format!("{kind} {}", file.split('-').next().unwrap().trim_end_matches(".yaml")))
        .collect();
    for id in tieline::connectors::Catalogue::builtin().ids() {
        for kind in ["valid", "invalid"] {
            assert!(named.contains(&format!("{kind} {id}")), "no {kind} fixture for {id}");
        }
    }
}

#[test]
fn z17_each_mistake_is_one_error_at_its_line() {
    let fixtures = root().join("fixtures/connectors/invalid");
    let folder = workspace(&fixtures);
    let report = folder.json();
    let told = told(&report);
    let mut wrong = String::new();
    for file in files(&fixtures) {
        let text = fs::read_to_string(fixtures.join(&file)).unwrap();
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains("# expect: "));
        let expected: Vec<u64> = lines.map(|(i, _)| i as u64 + 1).collect();
        let path = format!("connections/{file}");
        let lines: Vec<u64> = told.iter().filter(|t| t.file == path).map(|t| t.line).collect();
        if lines != expected {
            let _ = writeln!(wrong, "{file}: expected {expected:?}, told {lines:?}");
        }
    }
    let mut messages = String::new();
    for told in report["diagnostics"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let (file, line) = (text(&told["file"]), &told["range"]["start"]["line"]);
        let _ = writeln!(
            messages,
            "{}:{line}\n  {}: {}\n  help: {}\n",
            file.trim_start_matches("connections/"),
            text(&told["code"]),
            text(&told["message"]),
            text(&told["help"])
        );
    }
    insta::assert_snapshot!(messages);
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn z12_the_ziggy_example_has_no_problems() {
    let folder = Folder::empty().copy(&root().join("examples/ziggy"));
    let run = folder.validate();
    assert_eq!((run.code, run.stdout.as_str()), (0, "11 connections, 2 environments: no problems\n"));
}

/// A name that says secret is an error unless the workspace gives it another level; slips in the schema itself have none.
#[test]
fn f05_a_field_that_says_secret_is_marked_or_called_clear() {
    let schema = |password: &str, more: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"config": {{"type": "object"}}, "auth": {{"type": "object",
              "properties": {{"mode": {{"const": "password"}}, "password": {{"type": "string"{password}}}}}}}}}{more}}}"#
        )
    };
    let codes = |schema: &str, rules: &str| {
        let folder = Folder::base().with("connectors/lab.json", schema);
        let settings = fs::read_to_string(folder.path().join("tieline.yaml")).unwrap();
        folder.put("tieline.yaml", format!("{settings}{rules}"));
        (folder.validate().code, folder.codes())
    };
    let unmarked = vec!["unmarked-secret-field".to_owned()];
    assert_eq!(codes(&schema("", ""), ""), (1, unmarked.clone()));
    assert_eq!(codes(&schema("", ""), "rules: {unmarked-secret-field: warning}\n"), (0, unmarked));
    for clear in [r#", "writeOnly": true"#, r#", "writeOnly": false"#, r#", "const": "none""#] {
        assert_eq!(codes(&schema(clear, ""), ""), (0, Vec::new()), "{clear}");
    }
    // Marked by another part of the schema.
    let elsewhere = r#", "allOf": [{"properties": {"auth": {"properties": {"password": {"writeOnly": true}}}}}]"#;
    assert_eq!(codes(&schema("", elsewhere), ""), (0, Vec::new()));
    // What is shared with the built-in schemas is put in by name.
    let shared = r#", "$defs": {"own": {"$ref": "../shared.json#/$defs/scopes"}}"#;
    assert_eq!(codes(&schema(r#", "writeOnly": true"#, shared), ""), (0, Vec::new()));
    // A note of one's own says nothing, and is none of ours misspelt.
    for (more, code) in
        [(r#", "x-team-note": 1, "order": 2"#, 0), (r#", "x-aliass": ["a"]"#, 1), (r#", "requird": []"#, 1)]
    {
        assert_eq!(codes(&schema(r#", "writeOnly": true"#, more), "").0, code, "{more}");
    }
}
