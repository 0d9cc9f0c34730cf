//! The workspace's own rules: expressions over the record of every connection.
//!
//! `connection` is the record as `render` prints it, `env.name` the environment. A secret stands in it as one and the same
//! opaque text, so that no expression learns anything of it. A name that no record can have is an error (`policy_names.rs`);
//! one that a record does not have is equal to nothing, before and in nothing.

use std::cell::OnceCell;

use serde_json::{Value as Json, json};

use super::Compiled;
use super::desired::{desired, span_at};
use super::policy_names::Known;
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::model::record::is_secret;
use crate::span::Spanned;
use crate::template::{Condition, ConditionInput, MessagePart, Undecided, message};
use crate::workspace::Workspace;
use crate::workspace::policy::{Level, Policy};

/// What stands for every secret.
const OPAQUE: &str = "(secret)";

/// Holds every connection of an environment against every policy.
pub fn check(workspace: &Workspace, catalogue: &Catalogue, compiled: &Compiled) -> Vec<Diagnostic> {
    let environment = &*compiled.at.environment;
    let here = |policy: &&Policy| {
        let listed = policy.environments.as_ref().is_none_or(|list| list.iter().any(|e| &*e.value == environment));
        listed && policy.level != Level::Off
    };
    let mut told = unknown_environments(workspace);
    let mut rules = Vec::new();
    let known = OnceCell::new();
    for policy in workspace.root.settings.policy.iter().filter(here) {
        match Rule::new(policy) {
            Ok(rule) => {
                let known = known.get_or_init(|| Known::new(workspace, catalogue));
                let faults: Vec<Diagnostic> = rule.conditions().flat_map(|one| known.faults(one)).collect();
                if faults.is_empty() {
                    rules.push(rule);
                }
                told.extend(faults);
            }
            Err(fault) => told.push(*fault),
        }
    }
    if rules.is_empty() {
        return told;
    }
    let records = desired(workspace, catalogue, compiled).records;
    for (id, record) in records {
        let names =
            ConditionInput::new(&json!({"connection": opaque(Json::from(&record)), "env": {"name": environment}}));
        rules.retain(|rule| match rule.verdict(&names) {
            Ok(verdict) => {
                told.extend(verdict.and_then(|how| broken(rule, compiled, &id, &names, how)));
                true
            }
            // The budget of the run is used up whatever is asked next.
            Err(over) => {
                told.push(*over);
                false
            }
        });
    }
    told
}

/// A policy, ready to be asked.
struct Rule<'p> {
    policy: &'p Policy,
    when: Option<Condition<'p>>,
    require: Condition<'p>,
    message: Vec<MessagePart<'p>>,
}

impl<'p> Rule<'p> {
    fn new(policy: &'p Policy) -> Result<Self, Box<Diagnostic>> {
        let read = |text: &'p Spanned<Box<str>>| Condition::new(&text.value, text.span);
        let said = policy.message.as_ref().map(|text| message(&text.value, text.span));
        Ok(Self {
            policy,
            when: policy.when.as_ref().map(read).transpose()?,
            require: read(&policy.require)?,
            message: said.transpose()?.unwrap_or_default(),
        })
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition<'p>> {
        let shown = self.message.iter().filter_map(|part| match part {
            MessagePart::Value(condition) => Some(condition),
            MessagePart::Text(_) => None,
        });
        self.when.iter().chain([&self.require]).chain(shown)
    }

    /// What is said of a connection that breaks it: the message, else what it requires.
    fn words(&self, names: &ConditionInput) -> String {
        let part = |part: &MessagePart<'_>| match part {
            MessagePart::Text(text) => (*text).to_owned(),
            // What can't be evaluated is left out: the rest says enough.
            MessagePart::Value(condition) => condition.text(names).unwrap_or_default(),
        };
        match self.message.is_empty() {
            true => self.policy.require.value.to_string(),
            false => self.message.iter().map(part).collect(),
        }
    }

    /// How a connection breaks the policy, if it does. One of which nobody can tell whether the policy is about it is
    /// meant, and one of which nobody can tell whether it is right is wrong.
    fn verdict(&self, names: &ConditionInput) -> Result<Option<Broken>, Box<Diagnostic>> {
        match self.when.as_ref().map(|when| when.holds(names)) {
            Some(Ok(false)) => return Ok(None),
            Some(Err(Undecided::Over(over))) => return Err(over),
            _ => {}
        }
        match self.require.holds(names) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(Broken::Not)),
            Err(Undecided::Failed(why)) => Ok(Some(Broken::Unknown(why))),
            Err(Undecided::Over(over)) => Err(over),
        }
    }
}

/// How a policy is broken.
enum Broken {
    /// What it requires is false.
    Not,
    /// What it requires can't be evaluated: why not.
    Unknown(String),
}

fn broken(rule: &Rule<'_>, compiled: &Compiled, id: &str, names: &ConditionInput, how: Broken) -> Option<Diagnostic> {
    let policy = rule.policy;
    let connection = compiled.connections.get(id)?;
    let what = rule.words(names);
    let what = match how {
        Broken::Not => what,
        Broken::Unknown(why) => format!("{what} (it can't be evaluated: {why})"),
    };
    let told = Diagnostic::error(
        code::POLICY,
        named(&policy.require.value)
            .and_then(|pointer| span_at(connection, &pointer))
            .unwrap_or(connection.connector.span),
        format!("`{id}` breaks the policy `{}`: {what}", policy.name.value),
    );
    let severity = if policy.level == Level::Error { Severity::Error } else { Severity::Warning };
    Some(Diagnostic { severity, ..told }.also(policy.name.span, "the policy"))
}

/// The JSON Pointer of the first value of the record that an expression names.
fn named(expression: &str) -> Option<String> {
    let rest = expression.split_once("connection.")?.1;
    let path: &str = rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next()?;
    Some(path.split('.').map(|segment| format!("/{segment}")).collect())
}

fn unknown_environments(workspace: &Workspace) -> Vec<Diagnostic> {
    let named = workspace.root.settings.policy.iter().flat_map(|p| p.environments.iter().flatten());
    let unknown = named.filter(|e| !workspace.has_environment(&e.value));
    unknown.map(|e| workspace.unknown_environment(&e.value, e.span)).collect()
}

/// A record whose secrets are all the same.
fn opaque(record: Json) -> Json {
    match record {
        secret if is_secret(&secret) => OPAQUE.into(),
        Json::Object(map) => Json::Object(map.into_iter().map(|(key, value)| (key, opaque(value))).collect()),
        Json::Array(items) => items.into_iter().map(opaque).collect(),
        other => other,
    }
}
