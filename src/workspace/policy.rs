//! `rules` and `policy` of `tieline.yaml`, as written: levels of built-in rules, and rules of the workspace's own.

use crate::diagnostic::{Diagnostic, code, nearest};
use crate::fields::Fields;
use crate::span::{Span, Spanned};
use crate::value::{Map, Node, Value};

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is not looked at.
    Off,
    /// Told; never stops anything.
    Warning,
    /// Nothing can be deployed.
    Error,
}

impl Level {
    const WORDS: [(&'static str, Self); 3] = [("error", Self::Error), ("warning", Self::Warning), ("off", Self::Off)];

    /// `error`, `warning` or `off`.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, level)| *level == self).map_or("", |(word, _)| word)
    }

    fn read(word: &Spanned<&str>, told: &mut Vec<Diagnostic>) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word.value).map(|(_, level)| *level);
        if found.is_none() {
            told.push(
                Diagnostic::error(code::INVALID_VALUE, word.span, "there is no such level")
                    .help("`error`, `warning` or `off`"),
            );
        }
        found
    }
}

/// What `rules` says of one rule.
#[derive(Clone, Debug)]
pub struct RuleSetting {
    /// The rule's code; whether there is such a rule is not known here.
    pub code: Spanned<Box<str>>,
    /// Its level, if one is given.
    pub level: Option<Level>,
    /// What else is said of it: `pattern`.
    pub pattern: Option<Spanned<Box<str>>>,
}

/// A rule of the workspace's own: an expression that must hold for each connection.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: Spanned<Box<str>>,
    /// Which connections it speaks of; all where absent.
    pub when: Option<Spanned<Box<str>>>,
    /// What must hold.
    pub require: Spanned<Box<str>>,
    /// What is told where it doesn't; may hold expressions.
    pub message: Option<Spanned<Box<str>>>,
    /// How much it weighs.
    pub level: Level,
    /// The environments that it speaks of; all where absent.
    pub environments: Option<Vec<Spanned<Box<str>>>>,
}

/// Reads `rules`.
pub(super) fn rules(fields: &mut Fields<'_>) -> Vec<RuleSetting> {
    let Some(map) = fields.map("rules") else { return Vec::new() };
    map.iter().filter_map(|entry| rule(&entry.key, entry.key_span, &entry.value, fields)).collect()
}

fn rule(key: &str, at: Span, value: &Node, fields: &mut Fields<'_>) -> Option<RuleSetting> {
    let code = Spanned { value: key.into(), span: at };
    match &value.value {
        // `off` without quotes is false to YAML 1.1, and people are told to write that.
        Value::Bool(false) => Some(RuleSetting { code, level: Some(Level::Off), pattern: None }),
        Value::String(word) => {
            let word = Spanned { value: &**word, span: value.span };
            let level = Level::read(&word, fields.diagnostics());
            Some(RuleSetting { code, level, pattern: None })
        }
        Value::Map(_) => {
            let mut inner = Fields::new(value, "a rule", &["level", "pattern"], fields.diagnostics())?;
            let pattern = inner.string("pattern").map(|p| Spanned { value: p.value.into(), span: p.span });
            let level = inner.string("level").and_then(|word| Level::read(&word, inner.diagnostics()));
            Some(RuleSetting { code, level, pattern })
        }
        _ => {
            fields.wrong(value, key, "a level (`error`, `warning`, `off`) or a map of `level` and options");
            None
        }
    }
}

/// Reads `policy`.
pub(super) fn policies(fields: &mut Fields<'_>) -> Vec<Policy> {
    let Some(entry) = fields.entry("policy") else { return Vec::new() };
    let Value::List(items) = &entry.value.value else {
        fields.wrong(
            &entry.value,
            "policy",
            "a list of rules: `[{name, when, require, message, level, environments}]`",
        );
        return Vec::new();
    };
    let mut policies: Vec<Policy> = Vec::new();
    for item in items {
        let Some(policy) = policy(item, fields.diagnostics()) else { continue };
        if let Some(first) = policies.iter().find(|p| p.name.value == policy.name.value) {
            let message = format!("two policies are named `{}`", policy.name.value);
            let told = Diagnostic::error(code::DUPLICATE_KEY, policy.name.span, message)
                .also(first.name.span, "first here")
                .help("the name stands in what is told: give one another");
            fields.diagnostics().push(told);
        }
        policies.push(policy);
    }
    policies
}

fn policy(node: &Node, told: &mut Vec<Diagnostic>) -> Option<Policy> {
    const KEYS: &[&str] = &["name", "when", "require", "message", "level", "environments"];
    let mut fields = Fields::new(node, "a policy", KEYS, told)?;
    let at = node.as_map().and_then(|m: &Map| m.iter().next()).map_or(node.span, |e| e.key_span);
    fields.require("name", at, "name it: `name: owner-is-set`");
    fields.require("require", at, "an expression that must hold: `require: connection.owner`");
    let own = |s: Spanned<&str>| Spanned { value: s.value.into(), span: s.span };
    let (name, require) = (fields.string("name").map(own), fields.string("require").map(own));
    let level = fields.string("level").and_then(|word| Level::read(&word, fields.diagnostics()));
    Some(Policy {
        name: name?,
        when: fields.string("when").map(own),
        require: require?,
        message: fields.string("message").map(own),
        level: level.unwrap_or(Level::Error),
        environments: fields.texts("environments"),
    })
}

/// A name that is none of `known`: the help.
pub fn near_or_listed(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", crate::diagnostic::listed(known.iter().copied(), 30)),
    }
}
