//! A merged document -> a credential: one login that several connections share.

use std::sync::Arc;

use jiff::civil::Date;

use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::span::{Span, Spanned};
use crate::template;
use crate::value::{Entry, Map, Node, Value};

use super::connection::top;

const KEYS: &[&str] =
    &["title", "description", "owner", "labels", "connectors", "auth", "rotate_every", "rotated", "runbook"];

/// Those that hold nothing of the login.
pub const LITERALS: &[&str] =
    &["title", "description", "owner", "labels", "connectors", "rotate_every", "rotated", "runbook"];

/// One login.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its id.
    pub id: Arc<str>,
    /// The connectors that may link it; empty for any.
    pub connectors: Vec<Spanned<Box<str>>>,
    /// The `auth` entry, with its expressions evaluated. `None` where it is missing, which was told.
    pub auth: Option<Entry>,
    /// When it was rotated last, and when that is to happen again.
    pub rotation: Option<Rotation>,
    /// What to do then: a URL, or words.
    pub runbook: Option<Box<str>>,
}

/// `rotated` and `rotate_every`.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Where `rotated` stands.
    pub span: Span,
    /// The day of the last rotation.
    pub rotated: Date,
    /// The day by which it is to happen again, on which it is not overdue yet; `None` where it is never.
    pub due: Option<Date>,
}

fn rotation(fields: &mut Fields<'_>) -> Option<Rotation> {
    let every = fields.string("rotate_every").filter(|s| !s.value.contains(template::OPEN));
    let rotated = fields.string("rotated").filter(|s| !s.value.contains(template::OPEN));
    let period = every.as_ref().and_then(|every| {
        // Whole days at least: `90d`, `12 weeks`, `6mo`, `P90D`.
        let period: Option<jiff::Span> = every.value.parse().ok();
        let period = period.filter(|p| p.is_positive() && of_days(*p));
        if period.is_none() {
            let told = Diagnostic::error(code::INVALID_VALUE, every.span, "`rotate_every` is no span of days")
                .help("`90d`, `12w`, `6mo`, `1y`, or as ISO 8601 has it: `P90D`");
            fields.diagnostics().push(told);
        }
        period
    });
    let rotated = rotated?;
    let Ok(date) = rotated.value.parse::<Date>() else {
        let told = Diagnostic::error(code::INVALID_VALUE, rotated.span, "`rotated` is no date")
            .help("the day of the last rotation, in quotes: '2026-01-31'");
        fields.diagnostics().push(told);
        return None;
    };
    let due = period.and_then(|period| date.checked_add(period).ok());
    Some(Rotation { span: rotated.span, rotated: date, due })
}

/// Whether a span of time has no unit below a day.
fn of_days(span: jiff::Span) -> bool {
    span.get_hours() == 0 && span.get_minutes() == 0 && span.get_seconds() == 0 && span.get_milliseconds() == 0
}

impl Credential {
    /// Reads a merged document.
    pub fn read(id: &Arc<str>, document: Node, told: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut fields = Fields::new(&document, "a credential", KEYS, told)?;
        for key in ["title", "description", "owner"] {
            fields.string(key);
        }
        let runbook = fields.string("runbook").map(|s| s.value.into());
        let rotation = rotation(&mut fields);
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
        Some(Self { id: id.clone(), connectors, auth, rotation, runbook })
    }
}
