//! A merged document -> a consumer: a flow, pipeline, block or extension, and the connections it uses.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::span::{Span, Spanned};
use crate::template;
use crate::value::{Map, Node, Value};

use super::connection::top;

const KEYS: &[&str] = &["kind", "title", "description", "owner", "environments", "uses", "recipients", "settings"];

/// What uses connections.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its id.
    pub id: Arc<str>,
    /// `flow`, `block`, `pipeline` …: a free word.
    pub kind: Box<str>,
    /// Whom to ask.
    pub owner: Option<Box<str>>,
    /// The environments it runs in; `None` for all.
    pub environments: Option<Vec<Spanned<Box<str>>>>,
    /// The connections it uses.
    pub uses: Vec<Use>,
    /// Keys of the runtimes that run it, by name.
    pub recipients: Vec<Spanned<Box<str>>>,
}

/// A slot of a consumer.
#[derive(Clone, Debug)]
pub struct Use {
    /// The slot's name; the connection's id unless set.
    pub slot: Box<str>,
    /// The connection: its id or key.
    pub connection: Spanned<Box<str>>,
    /// Connectors, categories or capabilities, any of which will do; empty for anything.
    pub accepts: Vec<Spanned<Box<str>>>,
}

impl Consumer {
    /// Reads a merged document.
    pub fn read(id: &Arc<str>, document: &Node, told: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut fields = Fields::new(document, "a consumer", KEYS, told)?;
        fields.require("kind", top(document), "a free word: `kind: pipeline`, flow, block, extension …");
        let kind = fields.string("kind").map_or_else(Box::default, |s| s.value.into());
        let owner = fields.string("owner").map(|s| s.value.into());
        for key in ["title", "description"] {
            fields.string(key);
        }
        let environments = fields.texts("environments");
        let recipients = fields.texts("recipients").unwrap_or_default();
        let uses = uses(&mut fields);
        let literals = ["kind", "owner", "environments", "uses", "recipients"];
        for entry in document.as_map().into_iter().flat_map(Map::iter).filter(|e| literals.contains(&&*e.key)) {
            template::forbid(&entry.value, format_args!("`{}`", entry.key), told);
        }
        slots_once(&uses, told);
        Some(Self { id: id.clone(), kind, owner, environments, uses, recipients })
    }

    /// Whether it runs in this environment.
    pub fn runs_in(&self, environment: &str) -> bool {
        self.environments.as_ref().is_none_or(|list| list.iter().any(|e| &*e.value == environment))
    }
}

fn uses(fields: &mut Fields<'_>) -> Vec<Use> {
    let Some(entry) = fields.entry("uses") else { return Vec::new() };
    let Value::List(items) = &entry.value.value else {
        fields.wrong(&entry.value, "uses", "a list of connections");
        return Vec::new();
    };
    let mut uses = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Value::String(id) => {
                let connection = Spanned { value: id.clone(), span: item.span };
                uses.push(Use { slot: id.clone(), connection, accepts: Vec::new() });
            }
            Value::Map(_) => uses.extend(slot(item, fields.diagnostics())),
            _ => fields.wrong(item, "uses", "a list of ids, or of {slot, connection, accepts}"),
        }
    }
    uses
}

fn slot(item: &Node, told: &mut Vec<Diagnostic>) -> Option<Use> {
    let mut fields = Fields::new(item, "a slot", &["slot", "connection", "accepts"], told)?;
    fields.require("connection", item.span, "name the connection: `connection: finance/warehouse`");
    let connection = fields.string("connection")?;
    let connection: Spanned<Box<str>> = Spanned { value: connection.value.into(), span: connection.span };
    let slot = fields.string("slot").map_or_else(|| connection.value.clone(), |s| s.value.into());
    let accepts = fields.texts("accepts").unwrap_or_default();
    Some(Use { slot, connection, accepts })
}

fn slots_once(uses: &[Use], told: &mut Vec<Diagnostic>) {
    for (i, this) in uses.iter().enumerate() {
        if let Some(first) = uses[..i].iter().find(|u| u.slot == this.slot) {
            let first: Span = first.connection.span;
            let message = format!("the slot `{}` is filled twice", this.slot);
            told.push(
                Diagnostic::error(code::DUPLICATE_KEY, this.connection.span, message)
                    .also(first, "first here")
                    .help("give the slots names: `{slot: NAME, connection: ID}`"),
            );
        }
    }
}
