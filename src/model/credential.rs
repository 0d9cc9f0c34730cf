//! A merged document -> a credential: one login that several connections share.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::fields::Fields;
use crate::span::Spanned;
use crate::template;
use crate::value::{Entry, Map, Node, Value};

use super::connection::top;

const KEYS: &[&str] =
    &["title", "description", "owner", "labels", "connectors", "auth", "rotate_every", "rotated", "runbook"];

/// One login.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its id.
    pub id: Arc<str>,
    /// The connectors that may link it; empty for any.
    pub connectors: Vec<Spanned<Box<str>>>,
    /// The `auth` entry, with its expressions evaluated. `None` where it is missing, which was told.
    pub auth: Option<Entry>,
}

impl Credential {
    /// Reads a merged document.
    pub fn read(id: &Arc<str>, document: Node, told: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut fields = Fields::new(&document, "a credential", KEYS, told)?;
        for key in ["title", "description", "owner", "rotate_every", "rotated", "runbook"] {
            fields.string(key);
        }
        fields.map("labels");
        fields.require("auth", top(&document), "the login that connections share: `auth: {mode: password, …}`");
        fields.map("auth");
        let connectors = fields.texts("connectors").unwrap_or_default();
        let literals = ["owner", "connectors", "rotate_every", "rotated", "runbook"];
        for entry in document.as_map().into_iter().flat_map(Map::iter).filter(|e| literals.contains(&&*e.key)) {
            template::forbid(&entry.value, format_args!("`{}`", entry.key), told);
        }
        let auth = match document.value {
            Value::Map(mut map) => map.remove("auth").filter(|e| e.value.as_map().is_some()),
            _ => None,
        };
        Some(Self { id: id.clone(), connectors, auth })
    }
}
