//! The workspace's own rules: expressions over the record of every connection.
//!
//! `connection` is the record as `render` prints it, `env.name` the environment. A secret stands in it as one and the same
//! opaque text, so that no expression learns anything of it. A path that a record does not have is undefined, which is
//! neither true nor an error.

use serde_json::{Value as Json, json};

use super::Compiled;
use super::desired::{desired, span_at};
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::model::record::is_secret;
use crate::span::Spanned;
use crate::template::{Condition, ConditionInput};
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
    for policy in workspace.root.settings.policy.iter().filter(here) {
        match Rule::new(policy) {
            Ok(rule) => rules.push(rule),
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
        // An expression that is at fault is at fault whatever it is about: told once.
        rules.retain(|rule| match rule.holds(&names) {
            Ok(holds) => {
                told.extend(if holds { None } else { broken(rule.policy, compiled, &id) });
                true
            }
            Err(fault) => {
                told.push(*fault);
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
}

impl<'p> Rule<'p> {
    fn new(policy: &'p Policy) -> Result<Self, Box<Diagnostic>> {
        let read = |text: &'p Spanned<Box<str>>| Condition::new(&text.value, text.span);
        Ok(Self { policy, when: policy.when.as_ref().map(read).transpose()?, require: read(&policy.require)? })
    }

    /// Whether a connection is as the policy wants it, or of no concern to it.
    fn holds(&self, names: &ConditionInput) -> Result<bool, Box<Diagnostic>> {
        match &self.when {
            Some(when) if !when.holds(names)? => Ok(true),
            _ => self.require.holds(names),
        }
    }
}

fn broken(policy: &Policy, compiled: &Compiled, id: &str) -> Option<Diagnostic> {
    let connection = compiled.connections.get(id)?;
    let what = policy.message.as_deref().unwrap_or(&policy.require.value);
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
    let unknown = named.filter(|e| !workspace.environments.contains_key(&*e.value));
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
