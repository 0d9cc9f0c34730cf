//! The definitions that schemas share: put into each that refers to them.

use serde_json::{Map, Value};

use super::builtin::SHARED;

/// How a schema refers to the shared definitions.
pub(super) const OUTSIDE: &str = "../shared.json#/$defs/";

/// Puts the shared definitions into a schema, so that it stands alone.
pub(super) fn bundle(mut schema: Value) -> Value {
    rewrite(&mut schema, OUTSIDE);
    let mut shared: Value = serde_json::from_str(SHARED).unwrap_or_default();
    let mut definitions = shared.get_mut("$defs").map(Value::take).unwrap_or_default();
    rewrite(&mut definitions, "#/$defs/");
    if let Some(map) = schema.as_object_mut() {
        let local = map.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
        if let Some(local) = local.as_object_mut() {
            local.insert("shared".into(), definitions);
        }
    }
    schema
}

fn rewrite(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix(prefix) {
                            *target = format!("#/$defs/shared/{name}");
                        }
                    }
                    value => rewrite(value, prefix),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, prefix)),
        _ => {}
    }
}
