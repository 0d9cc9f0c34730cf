//! Fields that a schema does not know: what was meant, and where it belongs.

use std::collections::HashMap;

use serde_json::Value as Plain;

use super::mask_all;
use super::schema::Translation;
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::span::Span;
use crate::value::path::dotted;
use crate::value::{Entry, push_segment};

impl Translation<'_, '_> {
    /// Tells of one field; `entries` are those of the map at `pointer`.
    pub(super) fn tell_unknown(
        &mut self,
        entries: &HashMap<&str, &Entry>,
        pointer: &str,
        name: &str,
        schema_path: &str,
    ) {
        let Some(entry) = entries.get(name) else { return };
        let mut whole = pointer.to_owned();
        push_segment(&mut whole, name);
        self.unknown.push(whole.clone());
        let schema = self.schema;
        let siblings = schema.parent(schema_path).and_then(|s| s.get("properties")).and_then(Plain::as_object);
        let siblings = siblings.into_iter().flatten();
        let siblings: Vec<(&str, Vec<&str>)> = siblings.map(|(f, s)| (f.as_str(), schema.aliases(s))).collect();
        let free = |field: &&str| !entries.contains_key(field);
        let alias = siblings.iter().find(|(_, aliases)| aliases.iter().any(|a| a.eq_ignore_ascii_case(name)));
        let near = alias.map(|(field, _)| *field).filter(free);
        let near = near.or_else(|| nearest(name, siblings.iter().map(|(field, _)| *field).filter(free)));
        // What has no place in a login, or may have been meant for a secret field, may hold one all the same.
        let login = pointer.starts_with("/auth");
        if login || near.map_or(self.is_secret("/auth", name), |near| self.is_secret(pointer, near)) {
            mask_all(&entry.value, self.against.sources);
        }
        let help = match near {
            Some(near) => {
                // One cause: the field that is missing is the one that is misspelt.
                self.missing.remove(&(pointer.to_owned(), near.to_owned()));
                format!("did you mean `{near}`?")
            }
            None if siblings.is_empty() => "remove it".to_owned(),
            None => format!("fields here: {}", listed(siblings.iter().map(|(field, _)| *field), 12)),
        };
        // `auth: {password, hunter2}`: what has no value may be one.
        let bare = login && entry.value.span.start == entry.value.span.end && near.is_none();
        let name = if bare { format!("below `{}`", dotted(pointer)) } else { format!("`{}`", dotted(&whole)) };
        let message = format!("unknown field {name}{}", self.chosen(pointer));
        self.told.push(Diagnostic::error(code::UNKNOWN_KEY, entry.key_span, message).help(help));
    }

    /// Fields that stand at the top of the file and belong into a block: they are not missing there too.
    pub(super) fn misplaced(&mut self) {
        let choice = |block, switch| self.connection.choice(block, switch);
        let (variant, mode) = (choice("config", "variant"), choice("auth", "mode"));
        let unknown = self.told.iter().enumerate().filter(|(_, told)| told.code == code::UNKNOWN_KEY);
        let unknown: HashMap<Span, usize> = unknown.rev().filter_map(|(at, told)| Some((told.span()?, at))).collect();
        for entry in self.connection.strays() {
            for block in ["config", "auth"] {
                let pointer = format!("/{block}/{}", entry.key);
                let field = self.against.connector.field(&pointer, variant, mode);
                if field.schemas.is_empty() {
                    continue;
                }
                self.missing.remove(&(format!("/{block}"), entry.key.to_string()));
                if block == "auth" {
                    self.missing.remove(&(String::new(), "auth".to_owned()));
                }
                if block == "config" && !self.is_secret("/config", &entry.key) {
                    self.against.sources.clear(entry.value.span);
                }
                if let Some(told) = unknown.get(&entry.key_span).and_then(|at| self.told.get_mut(*at)) {
                    told.help = Some(format!("it belongs under `{block}`: indent it there"));
                }
                break;
            }
        }
    }
}
