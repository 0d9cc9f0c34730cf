//! Expressions: a scalar in the first line, the variables below it as YAML. And the same text as a policy.

use tieline::connectors::json::plain;
use tieline::secret::Secret;
use tieline::source::Sources;
use tieline::span::Span;
use tieline::template::{self, Scope, SecretNames};
use tieline::value::{Map, Node, Value};
use tieline::{edit, yaml};

use super::super::oracles::{self, CANARY};

/// The most that one scalar may become: a hundred expressions of 64 KiB each are more than any workspace has.
const MOST: usize = 8 << 20;

struct Known;

impl SecretNames for Known {
    fn has(&self, name: &str) -> bool {
        matches!(name, "TOKEN" | "PASSWORD")
    }

    fn complete(&self) -> bool {
        true
    }

    fn help(&self, _: &str) -> String {
        "set it".to_owned()
    }
}

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (scalar, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut sources = Sources::default();
    let file = sources.add("tieline.yaml", rest.to_owned(), false);
    let vars = match yaml::parse(file, rest) {
        (Some(Node { value: Value::Map(map), .. }), told) if told.is_empty() => map,
        _ => Map::default(),
    };
    let environment = Scope::environment("prod", Some("globex"), &vars, &Known);
    expression(scalar, &environment.connection("finance/warehouse", "postgresql"), &mut sources);
    expression(scalar, &environment, &mut sources);
    policy(scalar, &plain(&Node::new(Span::file(file), Value::Map(vars.clone()))), &mut sources);
}

fn expression(scalar: &str, scope: &Scope<'_>, sources: &mut Sources) {
    // As a person types it, or else in quotes.
    for written in [scalar.to_owned(), edit::scalar(scalar)] {
        let text = format!("a: {written}\n");
        let file = sources.add("connections/a.yaml", text.clone(), false);
        let (Some(mut root), told) = yaml::parse(file, &text) else { continue };
        if !told.is_empty() {
            continue;
        }
        let before = root.get("a").and_then(Node::as_str).unwrap_or("").to_owned();
        let mut told = Vec::new();
        template::evaluate(&mut root, 0, scope, sources, &mut told);
        oracles::report(&told, sources, 1);
        let value = root.get("a").map(|node| &node.value);
        if told.is_empty() {
            match value {
                Some(Value::Secret(reference)) => {
                    assert!(template::names_secret(&before), "{before:?} became a secret");
                    let revealed = template::reveal(reference, scope, &|_| Some(Secret::new(CANARY.to_owned())));
                    let words = revealed.err().unwrap_or_default();
                    assert!(!words.contains(CANARY), "{words}");
                }
                Some(Value::String(value)) => assert!(value.len() < MOST, "{before:?} gives {} bytes", value.len()),
                _ => {}
            }
            let kept = matches!(value, Some(Value::Secret(_))) || !template::names_secret(&before);
            assert!(kept, "{before:?} names a secret and became {value:?}");
            let same = before.contains(template::OPEN) || root.get("a").and_then(Node::as_str).unwrap_or("") == before;
            assert!(same, "{before:?} became {value:?} without an expression");
        }
    }
}

fn policy(condition: &str, values: &serde_json::Value, sources: &mut Sources) {
    let file = sources.add("policy.yaml", condition.to_owned(), false);
    let names = template::ConditionInput::new(&serde_json::json!({"connection": values, "env": {"name": "prod"}}));
    let at = Span::new(file, 0..condition.len());
    match template::Condition::new(condition, at) {
        Err(told) => oracles::report(&[*told], sources, 1),
        Ok(condition) => {
            for (word, range) in condition.names().into_iter().flat_map(|name| name.segments) {
                assert_eq!(sources.slice(condition.span(range)), word);
            }
            assert_eq!(condition.holds(&names).ok(), condition.holds(&names).ok(), "not the same twice");
        }
    }
    if let Err(told) = template::message(condition, at) {
        oracles::report(&[*told], sources, 1);
    }
}
