//! Laws of merging, on arbitrary trees.

use proptest::prelude::*;
use tieline::connectors::json::plain;
use tieline::overlay::{Notes, merge_map};
use tieline::source::Sources;
use tieline::value::{Map, Node, Value};
use tieline::yaml;

/// A tree without directives and `null`, as JSON, which is YAML.
fn tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Into::into),
        (0i64..100).prop_map(Into::into),
        "[a-z]{1,4}".prop_map(|s| format!("s{s}").into())
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

fn map() -> impl Strategy<Value = serde_json::Value> {
    prop::collection::btree_map("[a-d]", tree(), 0..4).prop_map(|m| serde_json::Value::Object(m.into_iter().collect()))
}

fn read(sources: &mut Sources, value: &serde_json::Value) -> Map {
    let text = value.to_string();
    let file = sources.add("x.yaml", text.clone(), false);
    let (node, told) = yaml::parse(file, &text);
    assert!(told.is_empty(), "{text}: {told:?}");
    match node.unwrap().value {
        Value::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

fn over(base: &Map, patch: &Map) -> (Map, bool) {
    let (mut merged, mut notes) = (base.clone(), Notes::default());
    merge_map(&mut merged, patch, &mut notes);
    (merged, notes.diagnostics.is_empty())
}

fn node(map: &Map, sources: &mut Sources) -> Node {
    let file = sources.add("y.yaml", String::new(), false);
    Node::new(tieline::span::Span::file(file), Value::Map(map.clone()))
}

fn same(a: &Map, b: &Map, sources: &mut Sources) -> bool {
    node(a, sources).same(&node(b, sources))
}

fn origins(node: &Node, sources: &Sources) {
    let text = sources.get(node.span.file).text();
    assert!(text.get(node.span.range()).is_some(), "{:?} is outside of its file", node.span);
    match &node.value {
        Value::Map(map) => {
            for entry in map.iter() {
                let key = sources.slice(entry.key_span);
                assert_eq!(key.trim_matches('"'), &*entry.key);
                origins(&entry.value, sources);
            }
        }
        Value::List(items) => items.iter().for_each(|item| origins(item, sources)),
        _ => {}
    }
}

/// RFC 7396, as it is written there.
fn rfc7396(target: &mut serde_json::Value, patch: &serde_json::Value) {
    let serde_json::Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = serde_json::json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            rfc7396(&mut target[key], value);
        }
    }
}

/// A patch of `base` without a fault: each byte says of a key whether it stays, goes, or gets another value.
fn patch(base: &serde_json::Value, choices: &mut impl Iterator<Item = u8>) -> serde_json::Value {
    let mut patch = serde_json::Map::new();
    for (key, value) in base.as_object().unwrap() {
        match choices.next().unwrap_or(0) % 4 {
            0 => {}
            1 => _ = patch.insert(key.clone(), serde_json::Value::Null),
            _ if value.is_object() => _ = patch.insert(key.clone(), self::patch(value, choices)),
            2 => _ = patch.insert(key.clone(), "other".into()),
            _ => _ = patch.insert(key.clone(), serde_json::json!([1, {"a": "in a list"}])),
        }
    }
    if choices.next().unwrap_or(0) % 2 == 1 {
        patch.insert("new".into(), serde_json::json!({"a": 1}));
    }
    patch.into()
}

/// The scalars of a tree, each read again from where it says that it was written.
fn scalars_stand_where_they_say(node: &Node, sources: &Sources) {
    match &node.value {
        Value::Map(map) => map.iter().for_each(|e| scalars_stand_where_they_say(&e.value, sources)),
        Value::List(items) => items.iter().for_each(|item| scalars_stand_where_they_say(item, sources)),
        value => {
            let text = sources.slice(node.span).to_owned();
            let (read, told) = yaml::parse(node.span.file, &text);
            assert!(told.is_empty(), "{text}: {told:?}");
            assert_eq!(&read.unwrap().value, value, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_empty_overlay_changes_nothing(base in map()) {
        let mut sources = Sources::default();
        let (base, empty) = (read(&mut sources, &base), Map::default());
        prop_assert_eq!(&over(&base, &empty).0, &base);
        prop_assert_eq!(over(&empty, &base).0, base);
    }

    #[test]
    fn layering_is_associative_without_directives(a in map(), b in map(), c in map()) {
        let mut sources = Sources::default();
        let (a, b, c) = (read(&mut sources, &a), read(&mut sources, &b), read(&mut sources, &c));
        let (ab, first) = over(&a, &b);
        let (bc, second) = over(&b, &c);
        let (left, third) = over(&ab, &c);
        let (right, fourth) = over(&a, &bc);
        // Only where no kind is patched by another, which is an error.
        prop_assume!(first && second && third && fourth);
        prop_assert!(same(&left, &right, &mut sources));
    }

    #[test]
    fn every_node_keeps_a_place_in_its_file(a in map(), b in map()) {
        let mut sources = Sources::default();
        let (a, b) = (read(&mut sources, &a), read(&mut sources, &b));
        let (merged, _) = over(&a, &b);
        for entry in merged.iter() {
            origins(&entry.value, &sources);
        }
    }

    #[test]
    fn layering_the_same_twice_changes_nothing_more(a in map(), b in map()) {
        let mut sources = Sources::default();
        let (a, b) = (read(&mut sources, &a), read(&mut sources, &b));
        let (once, fine) = over(&a, &b);
        prop_assume!(fine);
        let (twice, _) = over(&once, &b);
        prop_assert!(same(&once, &twice, &mut sources));
    }

    #[test]
    fn without_directives_it_is_rfc_7396(base in map(), choices in prop::collection::vec(any::<u8>(), 0..40)) {
        let patch = patch(&base, &mut choices.into_iter());
        let mut sources = Sources::default();
        let (below, above) = (read(&mut sources, &base), read(&mut sources, &patch));
        let (merged, fine) = over(&below, &above);
        prop_assert!(fine, "{base} {patch}");
        let mut expected = base;
        rfc7396(&mut expected, &patch);
        prop_assert_eq!(plain(&node(&merged, &mut sources)), expected);
    }

    #[test]
    fn every_scalar_stands_where_it_says_as_it_was_written(a in map(), b in map(), plainly in any::<bool>()) {
        let mut sources = Sources::default();
        let text = |tree: &serde_json::Value| {
            let text = tree.to_string();
            // Without the quotes as well, which JSON has and YAML does not need.
            if plainly { text.replace("\":", ": ").replace('"', "") } else { text }
        };
        let mut read = |tree| {
            let text = text(tree);
            let file = sources.add("x.yaml", text.clone(), false);
            yaml::parse(file, &text).0.unwrap().as_map().unwrap().clone()
        };
        let (a, b) = (read(&a), read(&b));
        let (merged, _) = over(&a, &b);
        scalars_stand_where_they_say(&node(&merged, &mut sources), &sources);
    }
}
