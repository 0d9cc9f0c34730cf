//! One field of an instance -> what the schema says of it, in the branches that a variant and mode choose.

use serde_json::Value;

use super::sensitive::{Walk, list, objects, reference};

/// What a schema says of a field.
#[derive(Clone, Debug, Default)]
pub struct Field<'s> {
    /// Every subschema that describes it, the outermost first.
    pub schemas: Vec<&'s Value>,
    /// Whether it must be there.
    pub required: bool,
}

impl<'s> Field<'s> {
    /// The first word that the schemas have for `key`; a reference is followed once.
    pub fn word(&self, key: &str) -> Option<&'s Value> {
        self.schemas.iter().find_map(|schema| schema.get(key))
    }
}

/// Finds the field at `pointer`.
pub(super) fn find<'s>(walk: &Walk<'s, '_>, pointer: &str) -> Field<'s> {
    let segments: Vec<String> = crate::value::segments(pointer).collect();
    let mut field = Field::default();
    visit(walk, walk.root, &mut String::new(), &segments, &mut field);
    field
}

fn visit<'s>(walk: &Walk<'s, '_>, schema: &'s Value, pointer: &mut String, rest: &[String], found: &mut Field<'s>) {
    let Some(map) = schema.as_object().filter(|_| walk.step()) else { return };
    let target = reference(walk.root, map).map(|(_, target)| target);
    match rest {
        [] => found.schemas.push(schema),
        [next, below @ ..] => {
            if let Some((_, inner)) = objects(map, "properties").find(|(key, _)| *key == next) {
                let length = pointer.len();
                crate::value::push_segment(pointer, next);
                visit(walk, inner, pointer, below, found);
                pointer.truncate(length);
            }
            let required = list(map, "required").iter().any(|name| name.as_str() == Some(next));
            found.required |= required && below.is_empty();
            let decided = map.get("if").and_then(|condition| walk.decides(condition, pointer));
            let branches = [("then", decided != Some(false)), ("else", decided != Some(true))];
            let branches = branches.into_iter().filter(|(_, counts)| *counts).filter_map(|(key, _)| map.get(key));
            let unions = list(map, "oneOf").iter().filter(|branch| walk.decides(branch, pointer) != Some(false));
            let all = list(map, "allOf").iter().chain(list(map, "anyOf")).chain(unions);
            for branch in all.chain(branches).collect::<Vec<_>>() {
                visit(walk, branch, pointer, rest, found);
            }
        }
    }
    if let Some(target) = target {
        visit(walk, target, pointer, rest, found);
    }
}
