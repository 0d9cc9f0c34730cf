//! A connector's schema and a connection that is held against it, both made of the same few words, so that they meet.

use arbitrary::{Result, Unstructured};
use jsonschema::Draft;
use serde_json::{Map, Value, json};
use tieline::connectors::Catalogue;
use tieline::diagnostic::{Severity, has_errors};
use tieline::reporters::{concise, yaml};
use tieline::workspace::Workspace;

use super::super::oracles::CANARY;
use super::super::world::Memory;
use super::workspace;

const NAMES: &[&str] = &["a", "b", "c", "mode", "password", "host", "variant"];
const TYPES: &[&str] = &["object", "string", "integer", "number", "boolean", "array", "null"];
const PATTERNS: &[&str] = &["^a", "b$", ".*", "^(a+)+$", "^[a-z]{1,9}$", "^(?!x)", "(", "\\d"];
const REFERENCES: &[&str] =
    &["#/$defs/a", "#/$defs/b", "#/$defs/c", "#", "#/properties/config", "../shared.json#/$defs/tls"];
const STRINGS: &[&str] = &["a", "b", "", "aaaaaaaaaaaaaaaaaaaa!", "5", "default", "${{ vars.a }}", "two\nlines", "é"];

pub(crate) fn run(data: &[u8]) {
    // Not enough bytes make no case.
    let _ = case(&mut Unstructured::new(data));
}

fn case(u: &mut Unstructured<'_>) -> Result<()> {
    let mut definitions = Map::new();
    for name in ["a", "b", "c"] {
        if u.ratio(1, 2)? {
            definitions.insert(name.to_owned(), schema(u, 2)?);
        }
    }
    let mut root = object(schema(u, 1)?);
    root.insert("type".into(), "object".into());
    root.insert("properties".into(), json!({"config": schema(u, 4)?, "auth": schema(u, 3)?}));
    root.insert("$defs".into(), definitions.into());
    let root = Value::Object(root);
    let mut config = object(instance(u, 3)?);
    let mut auth = object(instance(u, 2)?);
    auth.insert("mode".into(), (*u.choose(&["default", "a", "b"])?).into());
    let marked = marked(&root);
    let sealed = if !marked.is_empty() && u.ratio(1, 2)? { Some(u.choose(&marked)?.clone()) } else { None };
    if let Some(path) = &sealed {
        let side = if path[0] == "config" { &mut config } else { &mut auth };
        put(side, &path[1..], CANARY);
    }
    let patch = if u.ratio(1, 3)? { Some(object(instance(u, 2)?)) } else { None };
    let written = json!({"connector": "acme-x", "config": config, "auth": auth});
    let memory = files(&root, &written, patch);
    let (told, compiled) = workspace::whole(&memory);
    if sealed.is_some() && is_usable(&memory) {
        let Ok((workspace, _)) = Workspace::read(&memory) else { return Ok(()) };
        let shown = concise::render(&told, &workspace.sources, "");
        assert!(has_errors(&told), "a secret in clear is accepted: {root} {written}");
        assert!(!shown.contains(CANARY), "the secret is shown: {shown}");
    }
    let quiet = told.iter().all(|diagnostic| diagnostic.severity == Severity::Info);
    if let (true, [one, ..]) = (quiet, &*compiled) {
        let record = &one.desired.records["one"];
        let instance = json!({"config": record["config"], "auth": record["auth"]});
        let plain = jsonschema::options().with_draft(Draft::Draft202012).build(&root);
        // The shared definitions are ours alone, and where a secret may stand anything may, until it is opened.
        let marks = ["writeOnly", "x-secret", "airbyte_secret", "\"password\""];
        let written = root.to_string();
        if let Some(plain) = plain.ok().filter(|_| !marks.iter().any(|mark| written.contains(mark))) {
            assert!(plain.is_valid(&instance), "{instance} does not fit {root}");
        }
    }
    Ok(())
}

fn files(schema: &Value, connection: &Value, patch: Option<Map<String, Value>>) -> Memory {
    let mut memory = Memory::default();
    let mut put = |path: &str, text: String| drop(memory.files.insert(path.to_owned(), text.into_bytes()));
    put("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nvars: {a: x, b: 2}\n".into());
    put("connectors/acme-x.json", schema.to_string());
    put("connections/one.yaml", yaml::render(connection).expect("it can be printed"));
    put("environments/dev/environment.yaml", "description: dev\n".into());
    if let Some(patch) = patch {
        put(
            "environments/dev/connections/one.yaml",
            yaml::render(&json!({"config": patch})).expect("it can be printed"),
        );
    }
    memory
}

/// Whether the schema is one that connections are held against.
fn is_usable(memory: &Memory) -> bool {
    let Ok((workspace, _)) = Workspace::read(memory) else { return false };
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    matches!(catalogue.get("acme-x"), Some(Ok(_)))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn put(map: &mut Map<String, Value>, path: &[String], text: &str) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        map.insert(first.clone(), text.into());
        return;
    }
    let below = map.entry(first.clone()).or_insert_with(|| json!({}));
    if !below.is_object() {
        *below = json!({});
    }
    put(below.as_object_mut().expect("an object"), rest, text);
}

/// Fields that are secret whatever the instance is: those that `properties` alone lead to.
fn marked(root: &Value) -> Vec<Vec<String>> {
    fn walk(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        if schema["writeOnly"] == true && path.len() > 1 {
            found.push(path.clone());
            return;
        }
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            path.push(name.clone());
            walk(below, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    walk(root, &mut Vec::new(), &mut found);
    found
}

fn text(u: &mut Unstructured<'_>, of: &[&str]) -> Result<Value> {
    Ok((*u.choose(of)?).into())
}

fn instance(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 5 } else { 9 })? {
        0 => Value::Null,
        1 => u.arbitrary::<bool>()?.into(),
        2 => u.int_in_range(-3..=70_000)?.into(),
        3 => (f64::from(u.int_in_range(-30..=30)?) / 4.0).into(),
        4 | 5 => text(u, STRINGS)?,
        6 => (0..u.int_in_range(0..=3)?).map(|_| instance(u, depth - 1)).collect::<Result<Vec<_>>>()?.into(),
        _ => {
            let mut map = Map::new();
            for _ in 0..u.int_in_range(0..=4)? {
                map.insert((*u.choose(NAMES)?).to_owned(), instance(u, depth - 1)?);
            }
            map.into()
        }
    })
}

fn schema(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    if depth == 0 {
        return Ok(if u.ratio(1, 3)? { u.arbitrary::<bool>()?.into() } else { json!({"type": text(u, TYPES)?}) });
    }
    let mut map = Map::new();
    if u.ratio(2, 3)? {
        map.insert("type".into(), text(u, TYPES)?);
    }
    for _ in 0..u.int_in_range(0..=4)? {
        let (keyword, value) = keyword(u, depth - 1)?;
        map.insert(keyword.into(), value);
    }
    Ok(map.into())
}

fn schemas(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    (0..u.int_in_range(1..=3)?).map(|_| schema(u, depth)).collect::<Result<Vec<_>>>().map(Into::into)
}

fn members(u: &mut Unstructured<'_>, depth: usize, names: &[&str]) -> Result<Value> {
    let mut map = Map::new();
    for _ in 0..u.int_in_range(1..=4)? {
        map.insert((*u.choose(names)?).to_owned(), schema(u, depth)?);
    }
    Ok(map.into())
}

fn names(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut names: Vec<&str> = (0..u.int_in_range(1..=2)?).map(|_| u.choose(NAMES).copied()).collect::<Result<_>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names.into())
}

fn keyword(u: &mut Unstructured<'_>, depth: usize) -> Result<(&'static str, Value)> {
    Ok(match u.int_in_range(0..=39)? {
        0..=7 => ("properties", members(u, depth, NAMES)?),
        8 | 9 => ("required", names(u)?),
        10 => ("additionalProperties", schema(u, depth.min(1))?),
        11 => ("patternProperties", members(u, depth, PATTERNS)?),
        12 => ("items", schema(u, depth)?),
        13 => ("prefixItems", schemas(u, depth)?),
        14 => ("enum", json!([text(u, STRINGS)?, instance(u, 1)?])),
        15 => ("const", instance(u, 1)?),
        16 | 17 => ("default", instance(u, 1)?),
        18 => ("pattern", text(u, PATTERNS)?),
        19 => ("minLength", u.int_in_range(0..=5)?.into()),
        20 => ("maximum", u.int_in_range(-2..=9)?.into()),
        21 => ("oneOf", schemas(u, depth)?),
        22 => ("anyOf", schemas(u, depth)?),
        23 => ("allOf", schemas(u, depth)?),
        24 => ("not", schema(u, depth)?),
        25 => ("if", schema(u, depth)?),
        26 => ("then", schema(u, depth)?),
        27 => ("else", schema(u, depth)?),
        28 | 29 => ("$ref", text(u, REFERENCES)?),
        30 | 31 => ("writeOnly", u.ratio(3, 4)?.into()),
        32 => ("format", text(u, &["password", "uri", "date", "hostname", "uuid"])?),
        33 => ("dependentSchemas", members(u, depth, NAMES)?),
        34 => ("propertyNames", schema(u, depth.min(1))?),
        35 => ("contains", schema(u, depth)?),
        36 => ("unevaluatedProperties", schema(u, depth.min(1))?),
        37 => ("x-merge-key", text(u, NAMES)?),
        38 => ("x-alias", json!([text(u, NAMES)?])),
        _ => (*u.choose(&["x-secret", "airbyte_secret", "uniqueItems", "deprecated"])?, true.into()),
    })
}
