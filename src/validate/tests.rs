//! What is found in clear in one document, what is told of it, and what is hidden.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jsonschema::JsonType;
use jsonschema::error::TypeKind;

use super::document::{self, Ground, InClear};
use super::*;
use crate::connectors::Catalogue;
use crate::value::SecretRef;

const LAB: &str = r#"{"type": "object", "properties": {
  "config": {"type": "object", "properties": {
    "host": {"type": "string"},
    "tenant": {"type": "string", "x-scope": "global"},
    "license_key": {"type": "string", "writeOnly": false},
    "bundle": {"type": "object", "writeOnly": true},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
    "shown": {"type": "object", "additionalProperties": {"type": "string", "writeOnly": false}},
    "list": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}}
  }},
  "auth": {"type": "object", "properties": {
    "mode": {"enum": ["password"]}, "username": {"type": "string"}, "password": {"type": "string", "writeOnly": true}
  }}
}}"#;

fn lab() -> Ground {
    let mut sources = Sources::default();
    let file = sources.add("connectors/lab.json", LAB.to_owned(), false);
    let (catalogue, _) = Catalogue::new(&BTreeMap::from([("lab".into(), file)]), &sources);
    let connector = catalogue.get("lab").unwrap().unwrap_or_else(|faults| panic!("{} faults", faults.len()));
    Ground::new(connector, "", "")
}

fn parsed(text: &str) -> (Sources, Node) {
    let mut sources = Sources::default();
    let file = sources.add("connections/c.yaml", text.to_owned(), false);
    let root = crate::yaml::parse(file, text).0.unwrap();
    (sources, root)
}

/// Pointer, reason and marks of what is found.
fn words(found: &[InClear<'_>]) -> String {
    let one = |one: &InClear<'_>| {
        let marks = [("quiet", one.quiet), ("removed", one.removed), ("stuck", one.stuck)];
        let marks: String = marks.iter().filter(|(_, is)| *is).map(|(mark, _)| format!(" {mark}")).collect();
        format!("{} {:?}{marks}", one.pointer, one.reason).to_lowercase()
    };
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn found(text: &str, literals: &[&str], ground: Option<&Ground>) -> String {
    let (sources, root) = parsed(text);
    words(&document::in_clear(&root, literals, ground, &|key| sources.slice(key) == "told"))
}

#[test]
fn e2_11_without_a_schema_names_say_what_is_secret() {
    for (text, expected) in [
        ("password: x", "/password named"),
        ("config: {password: x, host: y}", "/config/password named"),
        ("config: {password: ''}", ""),
        ("config: {password: true}", ""),
        ("config: {password: null}", ""),
        ("config: {password: 5}", "/config/password named"),
        ("config: {password: '${{ secrets.A }}'}", ""),
        ("config: {password: '${{ vars.x }}'}", "/config/password named"),
        ("config: {password: [a, {b: c}]}", "/config/password named, /config/password named"),
        ("config: {password: {username: u, value: v}}", "/config/password named"),
        ("config: {password: {auth: basic}, auth: x}", ""),
        ("config: {password: {x: '${{ vars.y }}'}}", ""),
        ("config: {a: {password: x}, b: y}", "/config/a/password named"),
        ("config: {credential: x, b: {secrets: {a: y}}}", "/config/credential named, /config/b/secrets named"),
        ("auth: x", "/auth named"),
        ("auth: [x]", "/auth/0 named"),
        ("auth: {auth: x, mode: y}", "/auth/auth named"),
        ("config: {auth: [x]}", ""),
        // What a directive holds stands in its place; below a `$replace`, keys are keys.
        ("config: {$merge: {password: x}}", "/config/password named"),
        ("config: {password: {$replace: {note: x}}}", "/config/password named"),
        ("config: {password: {$remove: [x]}, token: y}", "/config/password named removed, /config/token named"),
        ("config: {x: {$replace: {$remove: {password: y}}}}", "/config/x/$remove/password named"),
        ("config: {x: {$replace: {y: {$remove: {password: z}}}}}", "/config/x/y/$remove/password named"),
        ("config: {'${{ x }}': {password: y}}", "/config/${{ x }}/password named"),
        // What was told is not told again.
        ("config: {told: {password: x}, password: y}", "/config/told/password named quiet, /config/password named"),
        ("told: {a: {password: x}}", "/told/a/password named quiet"),
        // Keys that hold no settings.
        ("credential: x\nlabels: {password: y}", "/labels/password named stuck"),
        ("labels: {auth: {note: x}}\nconfig: {auth: {note: y}}", "/labels/auth named stuck"),
        ("- x", ""),
    ] {
        let literals = if text.contains("labels") { &["credential", "labels"][..] } else { &[] };
        assert_eq!(found(text, literals, None), expected, "{text}");
    }
    for (text, expected) in [
        ("{password: x, host: y}", "/vars/password named stuck"),
        ("{auth: {note: x, username: u}}", "/vars/auth named stuck"),
        ("{a: {auth: x}, auth: y}", ""),
        ("{a: [{token: x}]}", "/vars/a/0/token named stuck"),
    ] {
        let (_, root) = parsed(text);
        assert_eq!(words(&document::in_plain(root.as_map().unwrap(), "vars")), expected, "{text}");
    }
}

#[test]
fn e2_11_a_schema_says_what_is_secret_and_names_where_it_leaves_them_free() {
    let lab = lab();
    for (text, expected) in [
        ("config: {host: x, license_key: y}", ""),
        ("config: {bundle: {a: x, b: [y, '']}}", "/config/bundle marked, /config/bundle marked, /config/bundle marked"),
        ("config: {headers: {X-Api-Key: x, X-Note: y}}", "/config/headers/x-api-key named"),
        ("config: {sizes: {password: 5}}", "/config/sizes/password named stuck"),
        ("config: {shown: {password: x}}", ""),
        ("config: {nowhere_password: x}", "/config/nowhere_password named"),
        ("config: {list: [{token: x}, {note: y}]}", "/config/list/0/token named"),
        ("auth: {password: x, username: u, mode: password}", "/auth/password marked"),
        ("auth: {password: true}", "/auth/password marked"),
        ("auth: {password: null}", ""),
        ("auth: {password: '${{ secrets.A }}'}", ""),
        ("auth: {password: {$replace: x}}", "/auth/password marked"),
        ("auth: {password: {$remove: x, a: y}}", "/auth/password marked removed, /auth/password marked"),
        ("auth: x", "/auth named"),
        ("other: {bundle: x}", ""),
    ] {
        assert_eq!(found(text, &[], Some(&lab)), expected, "{text}");
    }
    let both = "config: {bundle: x}\nauth: {password: y}";
    let login = lab.clone().of_login();
    assert_eq!(found(both, &[], Some(&login)), "/auth/password marked");
    let all = "/config/bundle marked, /auth/password marked";
    for (grounds, expected) in [
        (vec![login.clone()], "/auth/password marked"),
        (vec![login.clone(), login.clone(), login.clone()], "/auth/password marked"),
        (vec![login.clone(), lab.clone()], all),
        (vec![lab.clone(), login.clone()], all),
        (vec![login.clone(), login.clone(), lab.clone()], all),
        (vec![lab.clone(), login.clone(), login], all),
    ] {
        assert_eq!(found(both, &[], Ground::union(grounds).as_ref()), expected);
    }
    assert!(Ground::union([]).is_none() && Ground::sealing(None, &[]).is_none());
    let host = ["/config/host".to_owned()];
    let sealing = Ground::sealing(None, &host);
    assert_eq!(found("config: {host: x, bundle: y}", &[], sealing.as_ref()), "/config/host marked");
    let union = Ground::union(sealing.into_iter().chain([lab.clone()]));
    assert_eq!(
        found("config: {host: x, bundle: y}", &[], union.as_ref()),
        "/config/host marked, /config/bundle marked"
    );
    assert_eq!(["/config/tenant", "/config/host", "/auth"].map(|pointer| lab.is_global(pointer)), [true, false, false]);
}

#[test]
fn e2_11_each_kind_of_plaintext_is_told_in_its_own_words() {
    let lab = lab();
    for (text, message, help) in [
        ("auth: {password: x}", "`auth.password` is a secret, and its value stands here in clear", "}} here"),
        (
            "auth: {password: '${{ vars.x }}'}",
            "`auth.password` is a secret, and this expression names none",
            "no variable",
        ),
        (
            "auth: {password: '${{ secrets.A if vars.x else 1 }}'}",
            "`auth.password` is a secret, and this can give a value that stands here in clear",
            "no variable can hold a secret",
        ),
        (
            "config: {headers: {token: x}}",
            "the name of `config.headers.token` says secret,",
            "${{ secrets.TOKEN }} here; if",
        ),
        ("config: {sizes: {token: 5}}", "the name of `config.sizes.token` says secret,", "}} in a field of `auth`"),
    ] {
        let (_, root) = parsed(text);
        let found = document::in_clear(&root, &[], Some(&lab), &|_| false);
        let told = found[0].told();
        assert!(told.message.starts_with(message) && told.help.unwrap().contains(help), "{text}: {}", told.message);
    }
}

/// The parts of a text that are masked.
fn masked(sources: &Sources, node: &Node) -> Vec<String> {
    let source = sources.get(node.span.file);
    let slice = |range: std::ops::Range<u32>| source.text()[range.start as usize..range.end as usize].to_owned();
    source.masked().into_iter().map(slice).collect()
}

#[test]
fn e2_11_beside_expressions_all_is_hidden_and_quotes_are_not() {
    for (text, hidden) in [
        ("ab", &["ab"][..]),
        ("'ab'", &["ab"]),
        ("\"ab\"", &["ab"]),
        ("a ${{ x }} b", &["a ", " b"]),
        ("${{ x }}", &[]),
        ("'${{ x }}y${{ z }}'", &["y"]),
        ("\"y${{ x }}\"", &["y"]),
        ("a${{ x", &["a"]),
        ("'a\"", &["'a\""]),
        ("'a", &["'a"]),
        ("'", &["'"]),
        ("''", &[]),
    ] {
        let mut sources = Sources::default();
        let file = sources.add("x.yaml", format!("k: {text}\n"), false);
        let node = Node::new(Span::new(file, 3..3 + text.len()), Value::Null);
        mask_literals(node.span, &sources);
        assert_eq!(masked(&sources, &node), hidden, "{text}");
    }
    let (sources, mut root) = parsed("a: [x, null, 5]\nb: 'y${{ secrets.A }}'\nc: z${{ vars.x }}\n");
    let Value::Map(map) = &mut root.value else { panic!("a map") };
    let reference = SecretRef { template: "y${{ secrets.A }}".into(), names: vec!["A".into()] };
    map.entry_mut("b").unwrap().value.value = Value::Secret(Box::new(reference));
    mask_all(&root, &sources);
    assert_eq!(masked(&sources, &root), ["x", "5", "y", "z${{ vars.x }}"]);
    let (sources, root) = parsed("auth: {password: 'y${{ vars.x }}', note: z}");
    for found in document::in_clear(&root, &[], None, &|_| false) {
        found.mask(&sources);
    }
    assert_eq!(masked(&sources, &root), ["y"]);
}

#[test]
fn e2_11_a_name_that_is_suggested_can_be_one() {
    for (pointer, name) in [
        ("/auth/password", "PASSWORD"),
        ("/auth/api-key.v2", "API_KEY_V2"),
        ("/config/headers/2fa", "SECRET_2FA"),
        ("/config/headers/x2", "X2"),
        ("/config/", "SECRET_"),
    ] {
        assert_eq!(suggested(pointer), name);
        assert!(crate::workspace::settings::is_name(name), "{name}");
    }
}

#[test]
fn e2_11_values_and_types_have_words() {
    let (long, longer) = ("x".repeat(40), "x".repeat(41));
    for (value, expected) in [
        (Value::Int(-5), "-5".to_owned()),
        (Value::Float(0.5), "0.5".into()),
        (Value::Bool(true), "true".into()),
        (Value::String(long.as_str().into()), format!("`{long}`")),
        (Value::String(longer.as_str().into()), "a string".into()),
        (Value::List(Vec::new()), "a list".into()),
        (Value::Null, "null".into()),
    ] {
        let at = Span::file(Sources::default().add("x.yaml", String::new(), false));
        assert_eq!(words::found(&Node::new(at, value)), expected);
    }
    for (text, lower) in [("The port", "the port"), ("URL of it", "URL of it"), ("X", "x"), ("", ""), ("É a", "é a")]
    {
        assert_eq!(words::first_lower(text), lower);
    }
    for (kind, word) in [
        (JsonType::Array, "a list"),
        (JsonType::Boolean, "`true` or `false`"),
        (JsonType::Integer, "an integer"),
        (JsonType::Null, "null"),
        (JsonType::Number, "a number"),
        (JsonType::Object, "a map"),
        (JsonType::String, "a string"),
    ] {
        assert_eq!(words::type_words(&TypeKind::Single(kind)), word);
    }
}

#[test]
fn e2_11_what_a_schema_says_of_a_field_is_found_through_its_reference() {
    let root = serde_json::json!({
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/port", "description": "Nearer"},
            "b": {"$ref": "other.json#/port"},
            "c": {"examples": [{"x": 1}], "enum": ["x", 1, null], "x-alias": ["d", 5, "e"]},
            "d": {"examples": ["y", "z"]},
        },
        "$defs": {"port": {"description": "The port", "examples": [5]}},
    });
    let lookup = lookup::Lookup { root: &root };
    let field = |name: &str| &root["properties"][name];
    assert_eq!(lookup.parent("/properties/a/description"), Some(field("a")));
    assert_eq!((lookup.parent("/type"), lookup.parent("type")), (Some(&root), Some(&root)));
    assert_eq!(lookup.described(field("a")).as_deref(), Some("Nearer"));
    let examples = ["a", "b", "c", "d"].map(|name| lookup.example(field(name)));
    assert_eq!(examples, [Some("5".into()), None, None, Some("y".into())]);
    assert_eq!(lookup.options(field("c")), ["x", "1", "null"]);
    assert_eq!((lookup.aliases(field("c")), lookup.aliases(field("a")).len()), (vec!["d", "e"], 0));
}
