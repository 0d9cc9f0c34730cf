//! A merged document -> a credential: one login that several connections share.

use std::sync::Arc;

use jiff::Span as Period;
use jiff::civil::Date;

use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::span::{Span, Spanned};
use crate::template;
use crate::value::{Entry, Map, Node, Value};

use super::connection::top;
use super::sealed::{self, Sealed};

const KEYS: &[&str] =
    &["title", "description", "owner", "labels", "connectors", "auth", "sealed", "rotate_every", "rotated", "runbook"];

/// Those that hold nothing of the login.
pub const LITERALS: &[&str] =
    &["title", "description", "owner", "labels", "connectors", "sealed", "rotate_every", "rotated", "runbook"];

/// One login.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its id.
    pub id: Arc<str>,
    /// The connectors that may link it; empty for any.
    pub connectors: Vec<Spanned<Box<str>>>,
    /// The `auth` entry, with its expressions evaluated. `None` where it is missing, which was told.
    pub auth: Option<Entry>,
    /// Its fields that are secret although the schema leaves them in clear.
    pub sealed: Vec<Sealed>,
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
        let period = period(every.value);
        if period.is_none() {
            let told = Diagnostic::error(code::INVALID_VALUE, every.span, "`rotate_every` is no span of days")
                .help("`90d`, `12w`, `6mo`, `1y`, or as ISO 8601 has it: `P90D`; at most 100 years");
            fields.diagnostics().push(told);
        }
        period
    });
    let rotated = rotated?;
    let Some(date) = day(rotated.value) else {
        let told = Diagnostic::error(code::INVALID_VALUE, rotated.span, "`rotated` is no date")
            .help("the day of the last rotation, in quotes: '2026-01-31'");
        fields.diagnostics().push(told);
        return None;
    };
    let due = period.and_then(|period| date.checked_add(period).ok());
    if let (Some(every), Some(_), None) = (&every, period, due) {
        let told = Diagnostic::error(code::INVALID_VALUE, every.span, "`rotate_every` leads beyond the year 9999")
            .also(rotated.span, "counted from here")
            .help("write the day of the last rotation, or a shorter span");
        fields.diagnostics().push(told);
    }
    Some(Rotation { span: rotated.span, rotated: date, due })
}

/// A day in its one spelling, `YYYY-MM-DD`: no time, no offset, no other calendar.
fn day(text: &str) -> Option<Date> {
    text.parse::<Date>().ok().filter(|date| date.to_string() == text && text.len() == "2026-01-31".len())
}

/// Days, weeks, months and years, at most a hundred of these: a longer span is never due.
fn period(text: &str) -> Option<Period> {
    let period: Period = text.parse().ok().filter(|period: &Period| period.is_positive())?;
    let days = Period::new()
        .try_years(period.get_years())
        .and_then(|days| days.try_months(period.get_months()))
        .and_then(|days| days.try_weeks(period.get_weeks()))
        .and_then(|days| days.try_days(period.get_days()))
        .ok()?;
    let start = Date::constant(2000, 1, 1);
    let end = start.checked_add(days).ok().filter(|end| *end <= Date::constant(2100, 1, 1))?;
    // What is left has units below a day.
    (days.fieldwise() == period.fieldwise() && end > start).then_some(days)
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
        let sealed = sealed::read(&mut fields, &["auth"]);
        let literals = ["owner", "connectors", "sealed", "rotate_every", "rotated", "runbook"];
        for entry in document.as_map().into_iter().flat_map(Map::iter).filter(|e| literals.contains(&&*e.key)) {
            template::forbid(&entry.value, format_args!("`{}`", entry.key), told);
        }
        let auth = match document.value {
            Value::Map(mut map) => map.remove("auth").filter(|e| e.value.as_map().is_some()),
            _ => None,
        };
        Some(Self { id: id.clone(), connectors, auth, sealed, rotation, runbook })
    }
}
