//! Built-in rules: what a workspace may do and mostly should not. One file a rule; its leading comment is the page that
//! `tieline rule show` prints.
//!
//! A rule has a stable code and a level, which `rules:` in `tieline.yaml` changes; one place is excused by the comment
//! `# tieline: allow CODE reason`, on its line or alone on the line above. Faults that stop a compile have neither.

pub mod facts;
pub mod levels;
pub mod shapes;

mod credential_in_url;
mod deprecated_field;
mod duplicate_endpoint;
mod exposes_organization;
mod extract_on_primary;
mod generic_http;
mod hidden_character;
mod literal_credential;
mod mixed_residency;
mod naming;
mod overdue_rotation;
mod secret_named_value;
mod secret_shaped_value;
mod shared_consumer_key;
mod single_recipient;
pub mod unmarked_secret;
mod unused_credential;
mod unused_excuse;
mod unused_secret;

use std::sync::Arc;

use jiff::civil::Date;

use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::model::connection::Connection;
use crate::model::consumer::Consumer;
use crate::model::credential::Credential;
use crate::source::Sources;
use crate::span::Span;
use crate::template;
use crate::value::{Map, Node};
use crate::workspace::discover::Family;
use crate::workspace::layers::At;
use crate::workspace::policy::Level;
use crate::workspace::{Layer, Workspace};
use facts::Facts;
use levels::Levels;

/// A rule.
pub struct Rule {
    /// Its stable code.
    pub code: &'static str,
    /// Its level where the workspace says nothing.
    pub level: Level,
    /// The most that it can weigh.
    pub most: Level,
    /// The text of its file: what stands in its leading comment is its page.
    source: &'static str,
    check: Check,
}

/// What a rule looks at.
enum Check {
    /// One connection, compiled.
    Connection(fn(&Subject<'_>, &mut Findings<'_>)),
    /// The clear texts of one connection, compiled; and those of each document by itself, which may be overridden.
    Texts(fn(&Text<'_>, &mut Findings<'_>)),
    /// One credential, evaluated.
    Credential(fn(&Credential, Date, &mut Findings<'_>)),
    /// The document of one consumer, merged, and each of its files by itself.
    Settings(fn(&str, &Node, &mut Findings<'_>)),
    /// The connections of one environment against each other.
    Environment(fn(&[&Facts], &mut Findings<'_>)),
    /// Everything at once.
    Workspace(fn(&Everything<'_>, &mut Findings<'_>)),
    /// Nothing of its own: it is found while others are.
    Beside,
}

/// A connection as rules see it.
pub struct Subject<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// Its connector, where it has one that can be used.
    pub connector: Option<&'a Connector>,
    /// All connectors.
    pub catalogue: &'a Catalogue,
}

/// A text in clear.
pub struct Text<'n> {
    /// Where it stands.
    pub span: Span,
    /// The text.
    pub text: &'n str,
    /// Its JSON Pointer in its document; empty in what people read.
    pub pointer: &'n str,
}

/// The whole workspace as rules see it.
pub struct Everything<'a> {
    /// As read.
    pub workspace: &'a Workspace,
    /// The consumers of every environment.
    pub running: Vec<Running<'a>>,
}

/// The consumers that run in an environment.
pub struct Running<'a> {
    /// Where.
    pub at: &'a At,
    /// The layers there.
    pub stack: &'a [&'a Layer],
    /// Who.
    pub consumers: &'a [Consumer],
}

/// Where a rule puts what it finds.
pub struct Findings<'a> {
    rule: &'static Rule,
    level: Level,
    levels: &'a Levels,
    /// For quoting, and for masking what must not be shown.
    pub sources: &'a Sources,
    told: &'a mut Vec<Diagnostic>,
}

impl Findings<'_> {
    /// Tells that something is so at `span`.
    pub fn tell(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let severity = if self.level == Level::Error { Severity::Error } else { Severity::Warning };
        self.told.push(Diagnostic { severity, ..Diagnostic::error(self.rule.code, span, message).help(help) });
    }

    /// What was told last.
    pub fn last(&mut self) -> Option<&mut Diagnostic> {
        self.told.last_mut()
    }

    /// What the workspace says of this rule's pattern.
    pub fn pattern(&self) -> Option<&regex::Regex> {
        self.levels.pattern(self.rule.code)
    }
}

macro_rules! rule {
    ($module:ident, $code:literal, $level:ident, $most:ident, $check:expr) => {
        Rule {
            code: $code,
            level: Level::$level,
            most: Level::$most,
            source: include_str!(concat!(stringify!($module), ".rs")),
            check: $check,
        }
    };
}

/// All rules, by code.
pub static RULES: &[Rule] = &[
    rule!(credential_in_url, "credential-in-url", Error, Error, Check::Texts(credential_in_url::check)),
    rule!(deprecated_field, "deprecated-field", Warning, Error, Check::Connection(deprecated_field::check)),
    rule!(duplicate_endpoint, "duplicate-endpoint", Warning, Error, Check::Environment(duplicate_endpoint::check)),
    rule!(exposes_organization, "exposes-organization", Error, Error, Check::Connection(exposes_organization::check)),
    rule!(extract_on_primary, "extract-on-primary", Warning, Error, Check::Connection(extract_on_primary::check)),
    rule!(generic_http, "generic-http-for-known-vendor", Warning, Error, Check::Connection(generic_http::check)),
    rule!(hidden_character, "hidden-character", Warning, Error, Check::Workspace(hidden_character::check)),
    rule!(
        literal_credential,
        "literal-credential-in-consumer",
        Error,
        Error,
        Check::Settings(literal_credential::check)
    ),
    rule!(mixed_residency, "mixed-residency", Warning, Error, Check::Environment(mixed_residency::check)),
    rule!(naming, "naming", Off, Error, Check::Connection(naming::check)),
    rule!(overdue_rotation, "overdue-rotation", Warning, Warning, Check::Credential(overdue_rotation::check)),
    rule!(secret_named_value, "secret-named-value", Error, Error, Check::Beside),
    rule!(secret_shaped_value, "secret-shaped-value", Warning, Error, Check::Texts(secret_shaped_value::check)),
    rule!(shared_consumer_key, "shared-consumer-key", Warning, Error, Check::Workspace(shared_consumer_key::check)),
    rule!(single_recipient, "single-recipient", Warning, Error, Check::Workspace(single_recipient::check)),
    rule!(unmarked_secret, "unmarked-secret-field", Error, Error, Check::Beside),
    rule!(unused_credential, "unused-credential", Warning, Error, Check::Workspace(unused_credential::check)),
    rule!(unused_excuse, "unused-excuse", Warning, Error, Check::Beside),
    rule!(unused_secret, "unused-secret", Warning, Error, Check::Workspace(unused_secret::check)),
];

impl Rule {
    /// The rule of this code.
    pub fn of(code: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.code == code)
    }

    /// Its page, in Markdown: the leading comment of its file.
    pub fn page(&self) -> String {
        let lines = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let text = |line: &str| format!("{}\n", line.strip_prefix(' ').unwrap_or(line));
        lines.map(text).collect()
    }

    /// What it is about, in a line: the first of its page.
    pub fn summary(&self) -> String {
        self.page().lines().next().unwrap_or("").trim_end_matches('.').to_owned()
    }
}

/// The rules of a workspace at the levels that it gives them.
pub struct Judge<'a> {
    levels: &'a Levels,
    sources: &'a Sources,
}

impl<'a> Judge<'a> {
    /// Judges by these levels.
    pub fn new(levels: &'a Levels, sources: &'a Sources) -> Self {
        Self { levels, sources }
    }

    /// Tells, at the level of its rule, what was found beside others.
    pub fn beside(&self, found: Diagnostic, told: &mut Vec<Diagnostic>) {
        let rule = self.levels.in_force().find(|(rule, _)| rule.code == found.code);
        let severity = rule.map(|(_, level)| if level == Level::Error { Severity::Error } else { Severity::Warning });
        told.extend(severity.map(|severity| Diagnostic { severity, ..found }));
    }

    fn each(&self, told: &mut Vec<Diagnostic>, mut run: impl FnMut(&Check, &mut Findings<'_>)) {
        for (rule, level) in self.levels.in_force() {
            run(&rule.check, &mut Findings { rule, level, levels: self.levels, sources: self.sources, told });
        }
    }

    /// Judges a text in clear: by its form, and by every rule for texts. `pointer` is empty where people read it.
    pub fn text(&self, text: &Text<'_>, told: &mut Vec<Diagnostic>) {
        if !self.is_token(text, told) {
            self.each(told, |check, findings| {
                if let Check::Texts(check) = check {
                    check(text, findings);
                }
            });
        }
    }

    /// Whether a text contains a token or key. If so, reports an error that no level changes and no comment excuses.
    fn is_token(&self, text: &Text<'_>, told: &mut Vec<Diagnostic>) -> bool {
        let is_public = |what: &&str| *what == shapes::AWS && text.pointer.ends_with("access_key_id");
        let Some(what) = shapes::token(text.text).filter(|what| !is_public(what)) else { return false };
        self.sources.mask(text.span);
        let message = format!("{what} stands here in clear");
        told.push(Diagnostic::error(code::PLAINTEXT_SECRET, text.span, message).help(
            "if it was ever committed, rotate it; then `tieline secret set NAME -e ENV`, and write ${{ secrets.NAME }} in a \
             secret field, or in one that `sealed` lists",
        ));
        true
    }

    /// Judges a connection.
    pub fn connection(&self, subject: &Subject<'_>, told: &mut Vec<Diagnostic>) {
        let connection = subject.connection;
        for node in [&connection.title, &connection.description].into_iter().flatten() {
            clear_texts(node, &mut String::new(), &mut |span, text, _| {
                self.text(&Text { span, text, pointer: "" }, told);
            });
        }
        let labels = connection.labels.iter().map(|labels| (&**labels, "/labels"));
        for (node, above) in labels.chain([(&*connection.instance, "")]) {
            clear_texts(node, &mut above.to_owned(), &mut |span, text, pointer| {
                self.text(&Text { span, text, pointer }, told);
            });
        }
        self.each(told, |check, findings| {
            if let Check::Connection(check) = check {
                check(subject, findings);
            }
        });
    }

    /// Judges variables, whether anything takes them or not.
    pub fn variables(&self, vars: &Map, told: &mut Vec<Diagnostic>) {
        for entry in vars.iter() {
            let mut pointer = "/vars".to_owned();
            crate::value::push_segment(&mut pointer, &entry.key);
            clear_texts(&entry.value, &mut pointer, &mut |span, text, pointer| {
                self.text(&Text { span, text, pointer }, told);
            });
        }
    }

    /// Judges a file by itself, whether anything is compiled of it or not; `id` is that of what it is a file of.
    pub fn document(&self, family: Family, id: &str, root: &Node, told: &mut Vec<Diagnostic>) {
        clear_texts(root, &mut String::new(), &mut |span, text, pointer| {
            let block = ["/config/", "/auth/", "/labels/", "/runbook"].iter().any(|block| pointer.starts_with(block));
            // `literal-credential-in-consumer` checks the rest of the settings.
            let settings = family == Family::Consumers && pointer.starts_with("/settings");
            let pointer = if block { pointer } else { "" };
            let parts = if template::names_secret(text) { template::literals(text) } else { vec![text] };
            for text in parts {
                let text = Text { span, text, pointer };
                if settings {
                    self.is_token(&text, told);
                } else {
                    self.text(&text, told);
                }
            }
        });
        self.each(told, |check, findings| {
            if let (Check::Settings(check), Family::Consumers) = (check, family) {
                check(id, root, findings);
            }
        });
    }

    /// Judges a credential; `today` is the day on which it is looked at.
    pub fn credential(&self, credential: &Credential, today: Date, told: &mut Vec<Diagnostic>) {
        self.each(told, |check, findings| {
            if let Check::Credential(check) = check {
                check(credential, today, findings);
            }
        });
    }

    /// Judges a consumer.
    pub fn consumer(&self, consumer: &Consumer, document: &Node, told: &mut Vec<Diagnostic>) {
        self.each(told, |check, findings| {
            if let Check::Settings(check) = check {
                check(&consumer.id, document, findings);
            }
        });
    }

    /// Judges the connections of an environment against each other.
    pub fn environment(&self, facts: &[&Facts], told: &mut Vec<Diagnostic>) {
        self.each(told, |check, findings| {
            if let Check::Environment(check) = check {
                check(facts, findings);
            }
        });
    }

    /// Judges everything at once.
    pub fn workspace(&self, everything: &Everything<'_>, told: &mut Vec<Diagnostic>) {
        self.each(told, |check, findings| {
            if let Check::Workspace(check) = check {
                check(everything, findings);
            }
        });
    }
}

/// The texts of a tree that are in clear, with where each stands and the JSON Pointer of it.
fn clear_texts<'n>(node: &'n Node, pointer: &mut String, see: &mut impl FnMut(Span, &'n str, &str)) {
    use crate::value::{Value, push_segment};
    let mut below = |segment: &str, node: &'n Node| {
        let length = pointer.len();
        push_segment(pointer, segment);
        clear_texts(node, pointer, see);
        pointer.truncate(length);
    };
    match &node.value {
        Value::String(text) => see(node.span, text, pointer),
        Value::Map(map) => map.iter().for_each(|entry| below(&entry.key, &entry.value)),
        Value::List(items) => items.iter().enumerate().for_each(|(i, item)| below(&i.to_string(), item)),
        _ => {}
    }
}

/// An id that facts and messages share.
type Id = Arc<str>;
