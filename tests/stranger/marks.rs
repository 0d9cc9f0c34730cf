//! Marks of secret fields that a schema hides.
//!
//! A field is secret if anything that can speak of it says so. What tieline can't follow makes the schema unusable: then
//! nothing compiles, and nothing of it is clear.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::secrets::commit;
use crate::shell::Shell;
use crate::support::{Folder, Told, told};

/// A value in clear, where a secret should stand.
const CANARY: &str = "canary-hunter2";

/// A workspace with a connector for each of these schemas, and a connection of each with a clear `auth.token`.
fn workspace(schemas: &[Value]) -> Folder {
    let folder = Folder::bare().with("environments/dev/environment.yaml", "description: one\n");
    for (at, schema) in schemas.iter().enumerate() {
        folder.put(&format!("connectors/c{at}.json"), serde_json::to_string_pretty(schema).unwrap());
        let auth = format!("auth: {{mode: a, token: {CANARY}}}\n");
        folder.put(&format!("connections/c{at}.yaml"), format!("connector: c{at}\nconfig: {{}}\n{auth}"));
    }
    folder
}

/// What became of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// `auth.token` is secret.
    Secret,
    /// It can't be used.
    Refused,
    /// `auth.token` is clear.
    Clear,
}

/// Of each schema, in their order. No output shows a value unless it is clear.
fn fates(schemas: &[Value]) -> Vec<Fate> {
    let folder = workspace(schemas);
    let all: BTreeSet<(String, String)> =
        told(&folder.json()).into_iter().map(|Told { file, code, .. }| (file, code)).collect();
    let has = |file: String, code: &str| all.contains(&(file, code.to_owned()));
    let fates: Vec<Fate> = (0..schemas.len())
        .map(|at| match at {
            at if has(format!("connectors/c{at}.json"), "invalid-connector-schema") => Fate::Refused,
            at if has(format!("connections/c{at}.yaml"), "plaintext-secret") => Fate::Secret,
            _ => Fate::Clear,
        })
        .collect();
    if !fates.contains(&Fate::Clear) {
        let run = folder.validate();
        assert!(!run.stdout.contains(CANARY) && !run.stderr.contains(CANARY), "{}", run.stdout);
    }
    fates
}

/// A schema whose `auth` is this one, with definitions.
fn with_auth(auth: Value, definitions: Value) -> Value {
    json!({"type": "object", "properties": {"config": {}, "auth": auth}, "$defs": definitions})
}

#[test]
fn e09_a_mark_is_found_or_the_schema_refused_whatever_hides_it() {
    let marked = json!({"properties": {"token": {"type": "string", "writeOnly": true}}});
    let named = json!({"properties": {"mode": {}, "token": {"type": "string"}}});
    let beside = |key: &str, value: Value| {
        let mut auth = named.clone();
        auth[key] = value;
        with_auth(auth, json!({"hidden": marked}))
    };
    let reference = |key: &str, target: &str| beside(key, json!(target));
    let anchored = |keyword: &str, defined: &str| {
        let mut hidden = marked.clone();
        hidden[defined] = json!("here");
        let mut auth = named.clone();
        auth[keyword] = json!("#here");
        with_auth(auth, json!({"hidden": hidden}))
    };
    let based = || {
        let mut schema = reference("$ref", "https://example.com/own.json#/$defs/hidden");
        schema["$id"] = json!("https://example.com/own.json");
        schema
    };
    let inner = || {
        let mut hidden = marked.clone();
        hidden["$id"] = json!("https://example.com/hidden.json");
        let mut auth = named.clone();
        auth["$ref"] = json!("https://example.com/hidden.json");
        with_auth(auth, json!({"hidden": hidden}))
    };
    let of_draft = |draft: &str, key: &str, value: Value| {
        let mut schema = beside(key, value);
        schema["$schema"] = json!(draft);
        schema
    };
    let cases = [
        ("anchor", anchored("$ref", "$anchor"), Fate::Refused),
        ("dynamic anchor", anchored("$dynamicRef", "$dynamicAnchor"), Fate::Refused),
        ("encoded", reference("$ref", "#/%24defs/hidden"), Fate::Refused),
        ("absolute", based(), Fate::Refused),
        ("an id of its own", inner(), Fate::Refused),
        (
            "recursive",
            of_draft("https://json-schema.org/draft/2019-09/schema", "$recursiveRef", json!("#")),
            Fate::Refused,
        ),
        (
            "a draft that nobody reads",
            of_draft("http://json-schema.org/draft-04/schema#", "x", json!(1)),
            Fate::Refused,
        ),
        ("plain", reference("$ref", "#/$defs/hidden"), Fate::Secret),
        ("not", beside("not", marked.clone()), Fate::Refused),
        ("not, asking nothing", beside("not", json!({"properties": {"token": {"writeOnly": true}}})), Fate::Secret),
        ("if", beside("if", json!({"properties": {"token": {"writeOnly": true}}})), Fate::Secret),
        (
            "dependencies",
            of_draft("http://json-schema.org/draft-07/schema#", "dependencies", json!({"mode": marked.clone()})),
            Fate::Secret,
        ),
        ("dependentSchemas", beside("dependentSchemas", json!({"mode": marked.clone()})), Fate::Secret),
        ("a pattern", beside("patternProperties", json!({"^tok": {"writeOnly": true}})), Fate::Secret),
        (
            "a pattern with look-ahead",
            beside("patternProperties", json!({"^(?=t)": {"writeOnly": true}})),
            Fate::Secret,
        ),
        ("all others", beside("allOf", json!([{"additionalProperties": {"writeOnly": true}}])), Fate::Secret),
        ("what is left", beside("allOf", json!([{"unevaluatedProperties": {"writeOnly": true}}])), Fate::Secret),
        (
            "a mode that is only part of the condition",
            beside(
                "allOf",
                json!([{
                    "if": {"properties": {"mode": {"const": "a"}}, "required": ["zzz"]},
                    "else": marked,
                }]),
            ),
            Fate::Secret,
        ),
        (
            "a text for true",
            with_auth(json!({"properties": {"token": {"writeOnly": "true"}}}), json!({})),
            Fate::Refused,
        ),
        ("a number for true", with_auth(json!({"properties": {"token": {"x-secret": 1}}}), json!({})), Fate::Refused),
        (
            "a foreign mark",
            with_auth(json!({"properties": {"token": {"airbyte_secret": "yes"}}}), json!({})),
            Fate::Refused,
        ),
        // And what is clear stays so.
        ("another pattern", beside("patternProperties", json!({"^x": {"writeOnly": true}})), Fate::Clear),
        ("others than named", beside("additionalProperties", json!({"writeOnly": true})), Fate::Clear),
    ];
    let schemas: Vec<Value> = cases.iter().map(|(_, schema, _)| schema.clone()).collect();
    let wrong: Vec<String> = cases
        .iter()
        .zip(fates(&schemas))
        .filter(|((_, _, expected), fate)| expected != fate)
        .map(|((name, _, expected), fate)| format!("{name}: {fate:?}, not {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines of a schema at fault, and what is underlined in each. What is told of its connection is another's matter.
fn of_schema(folder: &Folder) -> Vec<(u64, String)> {
    let told = told(&folder.json()).into_iter().zip(folder.underlined());
    let told = told.filter(|(told, _)| told.file == "connectors/c0.json" && told.code == "invalid-connector-schema");
    told.map(|(told, text)| (told.line, text)).collect()
}

#[test]
fn e09_a_key_that_stands_twice_is_refused_where_it_stands_again() {
    let text = "{\"properties\": {\"auth\": {\"properties\": {\n  \"token\": {\"writeOnly\": true,\n    \"write\\u004fnly\": false}\n}}}}\n";
    let folder = workspace(&[json!({})]).with("connectors/c0.json", text);
    assert_eq!(of_schema(&folder), [(3, "\"write\\u004fnly\"".to_owned())]);
    assert!(!folder.validate().stdout.contains(CANARY));
}

#[test]
fn e09_each_fault_of_a_schema_is_told_at_its_line() {
    let text = r##"{
  "$schema": "http://json-schema.org/draft-03/schema",
  "properties": {
    "config": {
      "$ref": "#/$defs/a%62",
      "properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}, "writeOnly": {"type": "string"}}
    },
    "auth": {
      "$dynamicRef": "#x",
      "properties": {
        "a": {"writeOnly": "true"},
        "b": {"$id": "https://example.com/b"},
        "c": {"$ref": "#/$defs/none"},
        "d": {"$ref": "#/properties"},
        "e": {"$ref": "#/properties/auth/examples/0"}
      },
      "examples": [{"$ref": "#nothing", "writeOnly": "data"}]
    }
  }
}
"##;
    let folder = workspace(&[json!({})]).with("connectors/c0.json", text);
    let expected = [
        (2, "$schema"),
        (5, "$ref"),
        (9, "$dynamicRef"),
        (11, "writeOnly"),
        (12, "$id"),
        (13, "$ref"),
        (14, "$ref"),
        (15, "$ref"),
    ];
    assert_eq!(of_schema(&folder), expected.map(|(line, key)| (line, format!("\"{key}\""))));
}

#[test]
fn e09_no_condition_reads_a_secret_by_any_route() {
    let token = json!({"type": "string", "writeOnly": true});
    let read = json!({"properties": {"token": {"pattern": "^live"}}});
    let through = [
        read.clone(),
        json!({"allOf": [read]}),
        json!({"$ref": "#/$defs/read"}),
        json!({"not": read}),
        json!({"patternProperties": {"^t": {"pattern": "^live"}}}),
        json!({"additionalProperties": {"minLength": 9}}),
        json!({"dependentSchemas": {"mode": read}}),
        json!({"if": read, "then": {"required": ["x"]}}),
        json!({"const": {"mode": "a", "token": "guess"}}),
        json!({"enum": [{"mode": "a", "token": "guess"}]}),
    ];
    let auth = |keyword: &str, condition: &Value| {
        let mut auth = json!({"patternProperties": {"^tok": token}, "then": {"required": ["sandbox"]}});
        auth[keyword] = condition.clone();
        with_auth(auth, json!({"read": read}))
    };
    let schemas: Vec<Value> =
        through.iter().flat_map(|condition| [auth("if", condition), auth("not", condition)]).collect();
    assert_eq!(fates(&schemas), vec![Fate::Refused; schemas.len()]);
    // Whether it is there may be asked.
    assert_eq!(fates(&[auth("if", &json!({"required": ["token"]}))]), [Fate::Secret]);
}

#[test]
fn e09_what_a_pattern_makes_secret_is_not_checked_before_it_is_open() {
    // The rule of the named field would refuse a sealed value, which nobody sees before an apply.
    let auth = json!({
        "properties": {"mode": {}, "token": {"type": "string", "minLength": 20, "pattern": "^x"}},
        "patternProperties": {"^tok": {"writeOnly": true}},
    });
    let folder = workspace(&[with_auth(auth, json!({}))]);
    folder.put("environments/dev/environment.yaml", "secrets: {TOKEN: 'env:TIELINE_SECRET_TOKEN'}\n");
    folder.put("connections/c0.yaml", "connector: c0\nconfig: {}\nauth: {mode: a, token: '${{ secrets.TOKEN }}'}\n");
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn e09_a_schema_that_is_too_large_to_follow_is_refused() {
    let names: String = (0..60).fold(String::new(), |mut text, at| {
        let _ = write!(text, "\"p{at}\": {{\"$ref\": \"#/properties/auth\"}},");
        text
    });
    let text =
        format!(r##"{{"properties": {{"auth": {{"properties": {{{names} "token": {{"writeOnly": true}}}}}}}}}}"##);
    let wide: Value = serde_json::from_str(&text).unwrap();
    let deep: Map<String, Value> = (0..300)
        .map(|at| (format!("d{at}"), json!({"properties": {"a": {"$ref": format!("#/$defs/d{}", at + 1)}}})))
        .chain([("d300".to_owned(), json!({"writeOnly": true}))])
        .collect();
    let deep = with_auth(json!({"$ref": "#/$defs/d0"}), Value::Object(deep));
    assert_eq!(fates(&[wide, deep]), [Fate::Refused; 2]);
    // One that contains itself is fine, and what is secret in it is so however deep.
    let node = json!({"properties": {"token": {"writeOnly": true}, "next": {"$ref": "#/$defs/node"}}});
    let folder = workspace(&[with_auth(json!({"$ref": "#/$defs/node"}), json!({"node": node}))]);
    let deep = "{next: ".repeat(9) + &format!("{{token: {CANARY}}}") + &"}".repeat(9);
    folder.put("connections/c0.yaml", format!("connector: c0\nconfig: {{}}\nauth: {deep}\n"));
    assert_eq!(folder.codes(), ["plaintext-secret"]);
    assert!(!folder.validate().stdout.contains(CANARY));
}

/// A keyword, or a reference, that leads from a place to the same.
#[derive(Clone, Copy, Debug)]
enum Same {
    All,
    Any,
    One,
    Not,
    If,
    Then,
    Else,
    Dependent,
    Dependency,
    Plain,
    Encoded,
    Anchor,
    Dynamic,
    Recursive,
    Embedded,
}

/// A keyword that leads from a map to what stands under one of its keys.
#[derive(Clone, Copy, Debug)]
enum Key {
    Named,
    Pattern,
    LookAround,
    Additional,
    Unevaluated,
}

fn same() -> impl Strategy<Value = Same> {
    use Same::{
        All, Anchor, Any, Dependency, Dependent, Dynamic, Else, Embedded, Encoded, If, Not, One, Plain, Recursive, Then,
    };
    // The odd references are rare: one of them refuses the whole schema.
    prop_oneof![
        20 => prop::sample::select(vec![All, Any, One, Not, If, Then, Else, Dependent, Dependency, Plain]),
        1 => prop::sample::select(vec![Encoded, Anchor, Dynamic, Recursive, Embedded]),
    ]
}

fn keys() -> impl Strategy<Value = Key> {
    prop::sample::select(vec![Key::Named, Key::Pattern, Key::LookAround, Key::Additional, Key::Unevaluated])
}

/// Puts `schema` behind a keyword; definitions that it needs go into `definitions`.
fn behind(how: Same, schema: Value, definitions: &mut Map<String, Value>) -> Value {
    let name = format!("d{}", definitions.len());
    let mut define = |extra: Option<(&str, Value)>| {
        let mut schema = schema.clone();
        if let (Some(map), Some((key, value))) = (schema.as_object_mut(), extra) {
            map.insert(key.to_owned(), value);
        }
        definitions.insert(name.clone(), schema);
    };
    match how {
        Same::All => json!({"allOf": [{}, schema]}),
        Same::Any => json!({"anyOf": [{"minProperties": 0}, schema]}),
        Same::One => json!({"oneOf": [schema, {"required": ["never"]}]}),
        Same::Not => json!({"not": schema}),
        Same::If => json!({"if": schema}),
        Same::Then => json!({"if": {"required": ["mode"]}, "then": schema}),
        Same::Else => json!({"if": {"properties": {"mode": {"const": "a"}}, "required": ["zzz"]}, "else": schema}),
        Same::Dependent => json!({"dependentSchemas": {"mode": schema}}),
        Same::Dependency => json!({"dependencies": {"mode": schema}}),
        Same::Plain => {
            define(None);
            json!({"$ref": format!("#/$defs/{name}")})
        }
        Same::Encoded => {
            define(None);
            json!({"$ref": format!("#/%24defs/{name}")})
        }
        Same::Anchor => {
            define(Some(("$anchor", json!(name))));
            json!({"$ref": format!("#{name}")})
        }
        Same::Dynamic => {
            define(Some(("$dynamicAnchor", json!(name))));
            json!({"$dynamicRef": format!("#{name}")})
        }
        Same::Recursive => json!({"$recursiveRef": "#", "allOf": [schema]}),
        Same::Embedded => {
            define(Some(("$id", json!(format!("https://example.com/{name}")))));
            json!({"$ref": format!("https://example.com/{name}")})
        }
    }
}

fn under(how: Key, key: &str, schema: Value) -> Value {
    match how {
        Key::Named => json!({"properties": {key: schema}}),
        Key::Pattern => json!({"patternProperties": {format!("^{}", &key[..2]): schema}}),
        Key::LookAround => json!({"patternProperties": {format!("^(?!x){key}$"): schema}}),
        Key::Additional => json!({"additionalProperties": schema}),
        Key::Unevaluated => json!({"unevaluatedProperties": schema}),
    }
}

/// A mark of `auth.token` behind a chain of keywords; a schema beside it calls the field clear.
fn hidden() -> impl Strategy<Value = Value> {
    let chain = || prop::collection::vec(same(), 0..4);
    let mark = prop::sample::select(vec![
        json!({"writeOnly": true}),
        json!({"format": "password"}),
        json!({"airbyte_secret": true}),
        json!({"x-secret": true}),
    ]);
    let routes = (chain(), keys(), chain(), keys(), chain());
    (mark, routes, any::<bool>()).prop_map(|(mark, (value, token, login, auth, top), decoy)| {
        let mut definitions = Map::new();
        let mut wrap = |chain: &[Same], schema: Value| {
            chain.iter().fold(schema, |schema, how| behind(*how, schema, &mut definitions))
        };
        let marked = wrap(&value, mark);
        let marked = wrap(&login, under(token, "token", marked));
        let marked = wrap(&top, under(auth, "auth", marked));
        let clear =
            json!({"properties": {"config": {}, "auth": {"properties": {"mode": {}, "token": {"type": "string"}}}}});
        let mut parts = vec![marked];
        if decoy {
            parts.insert(0, clear);
        }
        json!({"type": "object", "allOf": parts, "$defs": definitions})
    })
}

#[test]
fn e09_no_mark_is_lost_behind_any_chain_of_keywords() {
    let mut runner = TestRunner::deterministic();
    let schemas: Vec<Value> = (0..400).map(|_| hidden().new_tree(&mut runner).unwrap().current()).collect();
    let fates = fates(&schemas);
    let lost: Vec<&Value> =
        schemas.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Clear).map(|(s, _)| s).collect();
    assert!(lost.is_empty(), "{} of {}: {:#}", lost.len(), schemas.len(), lost[0]);
    let secret = fates.iter().filter(|fate| **fate == Fate::Secret).count();
    assert!(secret > 100, "only {secret} of {} were read at all", schemas.len());
}

#[test]
fn e09_history_knows_what_stands_below_a_secret_place() {
    let shell = Shell::new();
    shell.put("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n");
    for folder in ["connections", "connectors", "environments/dev"] {
        fs::create_dir_all(shell.folder.join(folder)).unwrap();
    }
    shell.put("environments/dev/environment.yaml", "description: dev\n");
    shell.put("connectors/own.json", r#"{"properties": {"config": {}, "auth": {"writeOnly": true}}}"#);
    shell.put("connections/own.yaml", &format!("connector: own\nconfig: {{}}\nauth: {{a: {{b: {CANARY}}}}}\n"));
    commit(&shell, "one");
    let ended = shell.run(&["audit", "--history"]);
    assert!(ended.stdout.contains("connections/own.yaml:3  in clear") && !ended.stdout.contains(CANARY), "{ended:#?}");
}

/// A schema is a document like others: no secret stands in it in clear, by whatever route, and no report shows it.
#[test]
fn e10_no_schema_writes_the_value_of_a_secret() {
    let marked = json!({"type": "string", "writeOnly": true});
    let token = |more: Value| {
        let mut token = marked.clone();
        token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"properties": {"mode": {}, "token": token}})
    };
    let beside = |keyword: &str, value: Value| {
        let mut auth = token(json!({}));
        auth[keyword] = value;
        auth
    };
    let by_mode = json!({
        "properties": {"mode": {"enum": ["a", "b"]}, "token": {"default": CANARY}},
        "if": {"properties": {"mode": {"const": "a"}}},
        "then": {"properties": {"token": marked}},
    });
    let one_clear = json!({
        "properties": {"mode": {"enum": ["a", "b"]}},
        "oneOf": [
            {"properties": {"mode": {"const": "b"}, "token": marked}},
            {"properties": {"mode": {"const": "a"}, "token": {"default": "clear"}}},
        ],
    });
    let refused = [
        token(json!({"default": CANARY})),
        token(json!({"const": CANARY})),
        token(json!({"enum": [null, CANARY]})),
        token(json!({"default": 4711})),
        token(json!({"type": "object", "default": {"a": [CANARY]}})),
        token(json!({"properties": {"a": {"default": CANARY}}})),
        token(json!({"allOf": [{"default": CANARY}]})),
        token(json!({"$ref": "#/$defs/value"})),
        beside("default", json!({"mode": "a", "token": CANARY})),
        beside("enum", json!([{"mode": "a", "token": CANARY}])),
        beside("patternProperties", json!({"^t": {"default": CANARY}})),
        by_mode,
    ];
    let schemas: Vec<Value> =
        refused.into_iter().map(|auth| with_auth(auth, json!({"value": {"default": CANARY}}))).collect();
    assert_eq!(fates(&schemas), vec![Fate::Refused; schemas.len()]);
    let taken = [
        token(json!({"default": ""})),
        token(json!({"default": null, "enum": [null, true], "examples": [CANARY]})),
        beside("default", json!({"mode": "a"})),
    ];
    let taken: Vec<Value> = taken.into_iter().map(|auth| with_auth(auth, json!({}))).collect();
    assert_eq!(fates(&taken), vec![Fate::Secret; taken.len()]);
    assert_eq!(fates(&[with_auth(one_clear, json!({}))]), [Fate::Clear], "a default of another mode");
    // An example is shown to nobody.
    let folder = workspace(&taken[1..2]);
    for command in [&["connector", "show", "c0"][..], &["add", "c0", "new", "--dry-run"]] {
        let run = folder.run(command);
        assert!(!run.stdout.contains(CANARY) && !run.stderr.contains(CANARY), "{}{}", run.stdout, run.stderr);
    }
}
