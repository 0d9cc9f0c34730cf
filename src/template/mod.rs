//! `${{ … }}` in scalars: found after parsing, evaluated after merging.
//!
//! Takes a merged tree and the names of one environment, and puts values in place of expressions. A scalar that mentions
//! a secret is checked and kept unevaluated, as a [`SecretRef`]: nothing before `apply` opens it, whatever filters it
//! passes. There are no statements and no functions; no file, process, network, clock or randomness can be reached.

mod condition;
mod engine;
mod names;
mod place;
mod policy_words;
mod scope;
mod secret_use;
mod split;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;

use minijinja::Value as Jinja;

use crate::budget::{self, Cost};
use crate::diagnostic::{Diagnostic, MAX_IN_A_FILE, code};
use crate::secret::Secret;
use crate::source::Sources;
use crate::span::Span;
use crate::value::{Node, SecretRef, Value};
use crate::yaml::{MAX_BYTES, MAX_DEPTH, conceal};
pub use condition::{Condition, ConditionInput, MessagePart, Undecided, message};
use names::Fault;
use place::Place;
pub use policy_words::PolicyName;
pub use scope::{Scope, SecretNames};
use split::{Part, parts};

/// Starts an expression.
pub const OPEN: &str = "${{";

/// Evaluates every expression below `node`, which stands in `around` maps and lists.
pub fn evaluate(node: &mut Node, around: usize, scope: &Scope<'_>, sources: &Sources, told: &mut Vec<Diagnostic>) {
    below(node, around, scope, sources, &mut 0, told);
}

/// `taken` is what expressions gave so far: a large variable in each of many places would multiply.
fn below(
    node: &mut Node,
    around: usize,
    scope: &Scope<'_>,
    sources: &Sources,
    taken: &mut usize,
    told: &mut Vec<Diagnostic>,
) {
    match &mut node.value {
        Value::String(text) if text.contains(OPEN) && *taken > MAX_BYTES => node.value = Value::Null,
        Value::String(text) if text.contains(OPEN) => {
            let (text, span) = (std::mem::take(text), node.span);
            *node = scalar(text, span, scope, sources, told);
            *taken += scope::weight(node);
            if !budget::spend(Cost::Values, node.size() as u64 - 1) {
                node.value = Value::Null;
                return;
            }
            if around + node.height() > MAX_DEPTH {
                let message = format!("with what this expression gives, values are nested more than {MAX_DEPTH} deep");
                told.push(Diagnostic::error(code::YAML_TOO_DEEP, span, message).help("flatten the value"));
                node.value = Value::Null;
            }
            if *taken > MAX_BYTES {
                told.push(
                    Diagnostic::error(
                        code::INVALID_EXPRESSION,
                        node.span,
                        "the expressions of this file give more than 4 MiB",
                    )
                    .help("name large values in fewer places"),
                );
            }
        }
        Value::List(items) => {
            items.iter_mut().for_each(|item| below(item, around + 1, scope, sources, taken, told));
        }
        Value::Map(map) => {
            for entry in map.iter_mut() {
                if entry.key.contains(OPEN) {
                    told.push(forbidden(entry.key_span, "a key"));
                }
                below(&mut entry.value, around + 1, scope, sources, taken, told);
            }
        }
        _ => {}
    }
}

/// Tells every expression below `node`, which `place` names: only literals may stand there.
pub fn forbid(node: &Node, place: impl Display + Copy, told: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::String(text) if text.contains(OPEN) => told.push(forbidden(node.span, place)),
        Value::List(items) => items.iter().for_each(|item| forbid(item, place, told)),
        Value::Map(map) => {
            for entry in map.iter() {
                if entry.key.contains(OPEN) {
                    told.push(forbidden(entry.key_span, "a key"));
                }
                forbid(&entry.value, place, told);
            }
        }
        _ => {}
    }
}

fn forbidden(span: Span, place: impl Display) -> Diagnostic {
    Diagnostic::error(code::EXPRESSION_NOT_ALLOWED, span, format!("an expression can't stand in {place}")).help(
        "expressions stand in the values of `config`, `auth`, `title`, `description`, `labels` and `settings`; what \
         ties files together is literal",
    )
}

/// The dotted names in all expressions below `node`, sorted, without repeats: what its values depend on.
pub fn names_in(node: &Node) -> Vec<String> {
    fn collect(node: &Node, found: &mut BTreeSet<String>) {
        match &node.value {
            Value::String(text) if text.contains(OPEN) => {
                for part in parts(text).unwrap_or_default() {
                    if let Part::Expression(expression, _) = part {
                        for path in names::read(expression).paths {
                            let segments: Vec<&str> = path.segments.iter().map(|s| s.0).collect();
                            found.insert(segments.join("."));
                        }
                    }
                }
            }
            Value::List(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Map(map) => map.iter().for_each(|e| collect(&e.value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    collect(node, &mut found);
    found.into_iter().collect()
}

/// Whether an expression of a scalar names a secret: then what comes of it is one.
pub fn names_secret(text: &str) -> bool {
    let expression = text.strip_prefix(OPEN).and_then(|text| text.strip_suffix("}}"));
    // As most are: `${{ secrets.NAME }}`.
    let name = expression.and_then(|expression| expression.trim().strip_prefix("secrets."));
    if name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        return true;
    }
    let names = |part: &Part<'_>| match part {
        Part::Expression(expression, _) => {
            names::read(expression).paths.iter().any(|path| path.segments[0].0 == "secrets")
        }
        _ => false,
    };
    text.contains(OPEN) && parts(text).is_ok_and(|parts| parts.iter().any(names))
}

/// Whether what comes of a scalar comes of a secret: it names one, and no expression in it could give another value.
pub fn gives_secret(text: &str) -> bool {
    if !names_secret(text) {
        return false;
    }
    let parts = parts(text).unwrap_or_default();
    let sound = |part: &Part<'_>| match part {
        Part::Expression(expression, _) => {
            names::read(expression).faults.iter().all(|fault| fault.code != code::SECRET_USE)
        }
        _ => true,
    };
    parts.iter().all(sound) && secret_use::joint(&parts, &|text| names::tokens(text)).is_none()
}

/// What stands in a scalar as it is: its texts, and those in quotes within its expressions.
pub fn literals(text: &str) -> Vec<&str> {
    let mut literals = Vec::new();
    for part in parts(text).unwrap_or_default() {
        match part {
            Part::Text(text) => literals.push(text),
            Part::Escape => {}
            Part::Expression(expression, _) => {
                let quoted = names::tokens(expression).into_iter().filter(|(token, _)| *token == names::Token::Text);
                let texts = quoted.filter_map(|(_, range)| expression.get(range));
                literals.extend(texts.map(|text| text.trim_matches(['\'', '"'])));
            }
        }
    }
    literals
}

/// Whether a scalar has an expression that could be evaluated.
pub fn is_expression(text: &str) -> bool {
    let expression = |part: &Part<'_>| matches!(part, Part::Expression(..));
    text.contains(OPEN) && parts(text).is_ok_and(|parts| parts.iter().any(expression))
}

/// The secrets below an evaluated node, sorted, without repeats.
pub fn secrets_in(node: &Node) -> BTreeSet<&str> {
    match &node.value {
        Value::Secret(reference) => reference.names.iter().map(|name| &**name).collect(),
        Value::List(items) => items.iter().flat_map(secrets_in).collect(),
        Value::Map(map) => map.iter().flat_map(|e| secrets_in(&e.value)).collect(),
        _ => BTreeSet::new(),
    }
}

/// The plaintext of a scalar that mentions secrets. `secret` gives each value; the caller checked the names.
///
/// # Errors
/// The engine's words, which quote no value.
pub fn reveal(
    reference: &SecretRef,
    scope: &Scope<'_>,
    secret: &dyn Fn(&str) -> Option<Secret<String>>,
) -> Result<Secret<String>, String> {
    let missing = |name: &str| format!("the secret `{name}` has no value");
    if let (true, [name]) = (reference.is_plain(), reference.names.as_slice()) {
        return secret(name).ok_or_else(|| missing(name));
    }
    let mut values = Vec::with_capacity(reference.names.len());
    for name in &reference.names {
        values.push((name.to_string(), secret(name).ok_or_else(|| missing(name))?));
    }
    if values.iter().any(|(_, value)| value.expose().len() > engine::MAX_OUTPUT) {
        return Err("a secret of more than 64 KiB can only stand alone: ${{ secrets.NAME }}".into());
    }
    let secrets = values.iter().map(|(name, value)| (name.as_str(), Jinja::from(value.expose().as_str())));
    let context = scope.context_with(engine::context(secrets));
    let mut text = String::new();
    for part in parts(&reference.template).map_err(|_| "the scalar is no template".to_owned())? {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Escape => text.push_str(OPEN),
            // The engine's own words could quote an operand.
            Part::Expression(expression, _) => match engine::evaluate(expression, &context) {
                Ok(value) => text.push_str(&printed(&value)),
                Err(_) => return Err("an expression over secrets has no value (details would quote it)".into()),
            },
        }
    }
    Ok(Secret::new(text))
}

fn printed(value: &Jinja) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => serde_json::to_string(value).unwrap_or_default(),
    }
}

fn scalar(text: Box<str>, span: Span, scope: &Scope<'_>, sources: &Sources, told: &mut Vec<Diagnostic>) -> Node {
    let place = Place::new(&text, span, sources);
    let parts = match parts(&text) {
        Ok(parts) => parts,
        Err(at) => {
            told.push(
                Diagnostic::error(
                    code::INVALID_EXPRESSION,
                    place.span_of(at..at + OPEN.len()),
                    "`${{` is never closed",
                )
                .help("close it with `}}`, or write `$${{` for the literal text"),
            );
            return Node::new(span, Value::Null);
        }
    };
    let before = told.len();
    let mut secrets: Vec<Box<str>> = Vec::new();
    for part in &parts {
        if let Part::Expression(expression, range) = part {
            check(expression, range, &place, scope, &mut secrets, told);
        }
        if told.len() > before + MAX_IN_A_FILE {
            break;
        }
    }
    if !secrets.is_empty() {
        let joint = secret_use::joint(&parts, &|text| names::tokens(text)).filter(|_| told.len() == before);
        told.extend(
            joint
                .map(|joint| Diagnostic::error(joint.code, place.span_of(joint.range), joint.message).help(joint.help)),
        );
        // Secret even if something is wrong with it: one cause, one diagnostic.
        return Node::new(span, Value::Secret(Box::new(SecretRef { template: text, names: secrets })));
    }
    if told.len() > before {
        return Node::new(span, Value::Null);
    }
    if let [Part::Expression(expression, range)] = parts.as_slice() {
        return whole(expression, range, &place, scope, told);
    }
    let mut joined = String::new();
    let before = told.len();
    for part in &parts {
        match part {
            Part::Text(literal) => joined.push_str(literal),
            Part::Escape => joined.push_str(OPEN),
            Part::Expression(expression, range) => match scope.text(expression.trim()) {
                Some(text) => joined.push_str(text),
                None => match engine::evaluate(expression, scope.context()) {
                    Ok(value) => joined.push_str(&printed(&value)),
                    Err(failure) => told.push(place.failure(failure, range)),
                },
            },
        }
        if joined.len() > MAX_BYTES {
            let message = "the expressions of this scalar give more than 4 MiB";
            told.push(Diagnostic::error(code::INVALID_EXPRESSION, span, message).help("name large values fewer times"));
            break;
        }
    }
    let value = if told.len() > before { Value::Null } else { Value::String(joined.into()) };
    Node::new(span, value)
}

/// A scalar that is one expression keeps the expression's type. A bare `vars.…` keeps the place of the variable: that
/// is the line that brought the value in.
fn whole(
    expression: &str,
    range: &Range<usize>,
    place: &Place<'_>,
    scope: &Scope<'_>,
    told: &mut Vec<Diagnostic>,
) -> Node {
    if let Some(variable) = scope.variable(expression.trim()).filter(|variable| variable.value != Value::Null) {
        return variable.clone();
    }
    if let Some(text) = scope.text(expression.trim()) {
        return Node::new(place.span, Value::String(text.into()));
    }
    match engine::evaluate(expression, scope.context()) {
        Ok(value) => match engine::from_jinja(&value, place.span) {
            Some(node) => return node,
            None => {
                let failure = engine::Failure { message: "the value has no place in YAML".into(), range: None };
                told.push(place.failure(failure, range));
            }
        },
        Err(failure) => told.push(place.failure(failure, range)),
    }
    Node::new(place.span, Value::Null)
}

/// Checks syntax and names of one expression, and collects its secrets.
fn check(
    expression: &str,
    range: &Range<usize>,
    place: &Place<'_>,
    scope: &Scope<'_>,
    secrets: &mut Vec<Box<str>>,
    told: &mut Vec<Diagnostic>,
) {
    let names = names::read(expression);
    for (name, _) in names.secrets() {
        if !secrets.iter().any(|s| **s == *name) {
            secrets.push(name.into());
        }
    }
    let mut faults = scope.check(&names);
    faults.extend(names.faults);
    if faults.is_empty() && !names::is_path(expression) {
        let checked = if scope.weight(&names.paths) > engine::MAX_OUTPUT {
            Err(engine::Failure { message: "the values in this expression take more than 64 KiB".into(), range: None })
        } else {
            engine::check(expression)
        };
        if let Err(failure) = checked {
            told.push(place.failure(failure, range));
        }
    }
    for Fault { code, range: at, message, help } in faults {
        let span = place.span_of(range.start + at.start..range.start + at.end);
        // The words quote the expression, and what stands in a login may be the login.
        let told_of = match code != code::SECRET_USE && conceal::conceals(place.sources, span) {
            true => Diagnostic::error(code, span, "what stands in this expression has no meaning in it"),
            false => Diagnostic::error(code, span, message).help(help),
        };
        told.push(told_of);
    }
}

#[cfg(test)]
mod tests;
