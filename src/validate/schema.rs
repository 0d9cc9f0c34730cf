//! A schema error -> the node -> its span -> a diagnostic in our words. Only the chosen mode and variant speak, and a
//! field that is misspelt is told once: not as unknown here and missing there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value as Plain;

use super::lookup::{Lookup, shown};
use super::words::{first_lower, found, type_words};
use super::{Against, suggested};
use crate::diagnostic::{Diagnostic, code, listed, nearest, sounds_secret};
use crate::model::connection::Connection;
use crate::span::Span;
use crate::value::path::dotted;
use crate::value::{Entry, Node, Value, push_segment};
use crate::yaml::conceal;

/// Checks the schema; pointers of fields that it does not know go into `unknown`. Gives those of values that don't have
/// their type.
pub(super) fn check(
    connection: &mut Connection,
    against: &Against<'_>,
    unknown: &mut Vec<String>,
    told: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let integers = {
        let Ok(errors) = against.connector.errors(&connection.instance) else { return Vec::new() };
        if errors.is_empty() {
            return Vec::new();
        }
        spelled_integers(&errors, &connection.instance)
    };
    for (pointer, integer) in integers {
        if let Some(node) = pointer_mut(Arc::make_mut(&mut connection.instance), &pointer) {
            node.value = Value::Int(integer);
            let message = format!("`{}` is an integer, written as a string", dotted(&pointer));
            told.push(Diagnostic::warning(code::STRING_FOR_INTEGER, node.span, message).help("remove the quotes"));
        }
    }
    let Ok(errors) = against.connector.errors(&connection.instance) else { return Vec::new() };
    let flat = errors.iter().flat_map(spoken).collect::<Vec<_>>();
    let mut translation = Translation {
        schema: Lookup { root: against.connector.schema() },
        against,
        connection,
        missing: BTreeMap::new(),
        told,
        unknown,
    };
    for error in &flat {
        translation.collect_missing(error);
    }
    for error in &flat {
        translation.tell(error);
    }
    translation.misplaced();
    translation.tell_missing();
    let mistyped = flat.iter().filter(|error| matches!(error.kind(), ValidationErrorKind::Type { .. }));
    mistyped.map(|error| error.instance_path().as_str().to_owned()).collect()
}

/// Strings where an integer is wanted, that spell one.
fn spelled_integers(errors: &[ValidationError<'_>], instance: &Node) -> Vec<(String, i64)> {
    let wants_integer = |error: &&ValidationError<'_>| match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => *kind == JsonType::Integer,
        _ => false,
    };
    let spelled = |error: &ValidationError<'_>| {
        let pointer = error.instance_path().as_str().to_owned();
        let integer = instance.pointer(&pointer)?.as_str()?.parse().ok()?;
        Some((pointer, integer))
    };
    errors.iter().flat_map(spoken).filter(wants_integer).filter_map(spelled).collect()
}

fn pointer_mut<'a>(node: &'a mut Node, pointer: &str) -> Option<&'a mut Node> {
    crate::value::segments(pointer).try_fold(node, |node, segment| match &mut node.value {
        Value::Map(map) => map.entry_mut(&segment).map(|e| &mut e.value),
        Value::List(items) => items.get_mut(segment.parse::<usize>().ok()?),
        _ => None,
    })
}

/// An error, or for a union the errors of the branch that was meant: the one whose constants all match.
fn spoken<'a>(error: &'a ValidationError<'a>) -> Vec<&'a ValidationError<'a>> {
    let branches = match error.kind() {
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => context,
        _ => return vec![error],
    };
    let is_choice = |e: &ValidationError<'_>| {
        matches!(e.kind(), ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. })
    };
    let meant = branches.iter().filter(|errors| !errors.iter().any(is_choice));
    match meant.min_by_key(|errors| errors.len()) {
        Some(errors) if !errors.is_empty() => errors.iter().flat_map(|e| spoken(e)).collect(),
        _ => vec![error],
    }
}

/// Whether the schema has a field at `pointer`, in the chosen variant and mode, that is not secret.
pub(super) fn is_known(connection: &Connection, against: &Against<'_>, pointer: &str) -> bool {
    let (variant, mode) = (connection.choice("config", "variant"), connection.choice("auth", "mode"));
    let places = against.connector.places_of(connection);
    let mut at = Some(&*places);
    for segment in crate::value::segments(pointer) {
        at = at.filter(|places| !places.secret).and_then(|places| places.below(&segment));
        if at.is_some_and(|places| places.secret) {
            return false;
        }
    }
    !against.connector.field(pointer, variant, mode).schemas.is_empty()
}

pub(super) struct Translation<'a, 'b> {
    pub(super) schema: Lookup<'a>,
    pub(super) against: &'a Against<'b>,
    pub(super) connection: &'a Connection,
    /// Fields that are missing: pointer of the map and name -> the schema path of the `required`.
    pub(super) missing: BTreeMap<(String, String), String>,
    pub(super) told: &'a mut Vec<Diagnostic>,
    pub(super) unknown: &'a mut Vec<String>,
}

impl Translation<'_, '_> {
    fn collect_missing(&mut self, error: &ValidationError<'_>) {
        if let ValidationErrorKind::Required { property: Plain::String(name) } = error.kind() {
            let at = error.instance_path().as_str().to_owned();
            self.missing.entry((at, name.clone())).or_insert_with(|| error.schema_path().as_str().to_owned());
        }
    }

    fn tell(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let Some(node) = self.connection.instance.pointer(pointer) else { return };
        match &node.value {
            // Its placement is told, or it failed and that was told.
            Value::Secret(_) => return,
            Value::Null if self.against.incomplete && node.span.start != node.span.end => return,
            _ => {}
        }
        match error.kind() {
            ValidationErrorKind::Required { .. } => {}
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let Some(map) = node.as_map() else { return };
                let entries: HashMap<&str, &Entry> = map.iter().map(|entry| (&*entry.key, entry)).collect();
                for name in unexpected {
                    self.tell_unknown(&entries, pointer, name, error.schema_path().as_str());
                }
            }
            _ => {
                let (message, help) = self.words(error, node, pointer);
                let mut told = Diagnostic::error(code::SCHEMA, node.span, message);
                told.help = help;
                if let Some(below) = self.overridden(node.span, pointer) {
                    told = told.also(below, "the value that it overrides");
                }
                self.told.push(told);
            }
        }
    }

    /// The value that a lower layer has where `written` stands in a higher one.
    fn overridden(&self, written: Span, pointer: &str) -> Option<Span> {
        let at = self.against.layers.iter().position(|root| root.span.file == written.file)?;
        let below = self.against.layers[..at].iter().rev();
        // A value that came from elsewhere, through an expression, stands at another place in its document.
        self.against.layers[at].pointer(pointer).filter(|node| node.span == written)?;
        below.filter_map(|root| root.pointer(pointer)).map(|node| node.span).next()
    }

    fn tell_missing(&mut self) {
        for ((pointer, name), schema_path) in std::mem::take(&mut self.missing) {
            let mut whole = pointer.clone();
            push_segment(&mut whole, &name);
            if whole == "/auth" {
                // The connection says neither `credential` nor `auth`.
                let modes = self.modes();
                let message = "the connection has neither `auth` nor `credential`";
                let help = format!("choose a mode: `auth: {{mode: …}}` with {modes}; or link a `credential`");
                let told = Diagnostic::error(code::MISSING_KEY, self.connection.connector.span, message).help(help);
                self.told.push(told);
                continue;
            }
            let parent = self.schema.parent(&schema_path);
            let field = parent.and_then(|s| s.get("properties")).and_then(|p| p.get(&name));
            let secret = self.is_secret(&pointer, &name);
            if secret && self.against.slots {
                continue;
            }
            let description = field.and_then(|f| self.schema.described(f));
            let mut help = if secret {
                format!("add `{name}: ${{{{ secrets.{} }}}}`", suggested(&whole))
            } else {
                let options = field.map(|f| self.schema.options(f)).unwrap_or_default();
                match field.and_then(|f| self.schema.example(f)) {
                    _ if !options.is_empty() => {
                        format!("add `{name}: …`, one of {}", listed(options.iter().map(String::as_str), 12))
                    }
                    Some(example) => format!("add it, for example `{name}: {example}`"),
                    None => format!("add `{name}: …`"),
                }
            };
            if let Some(description) = description {
                help = format!("{help} ({})", first_lower(&description));
            }
            let message = format!("{} needs `{}`", self.whose(&pointer), dotted(&whole));
            let told = Diagnostic::error(code::MISSING_KEY, self.key_span(&pointer), message);
            self.told.push(told.label(format!("`{name}` is to stand here")).help(help));
        }
    }

    /// Whether the field `name` of the map at `pointer` is secret in the chosen variant and mode.
    pub(super) fn is_secret(&self, pointer: &str, name: &str) -> bool {
        let places = self.against.connector.places_of(self.connection);
        let mut segments = crate::value::segments(pointer).chain([name.to_owned()]);
        segments.try_fold(&*places, |p, segment| p.below(&segment)).is_some_and(|p| p.secret)
    }

    /// Whether a value must not be quoted: it stands in a login, or behind a name that sounds secret.
    fn conceals(&self, node: &Node, pointer: &str) -> bool {
        let named = || crate::value::segments(pointer).any(|name| sounds_secret(&name));
        pointer != "/auth/mode"
            && (pointer.starts_with("/auth") || named() || conceal::conceals(self.against.sources, node.span))
    }

    /// A value, for a message. That something is wrong with it other than its type means that the schema knows it.
    fn found(&self, node: &Node, pointer: &str) -> String {
        let known = || is_known(self.connection, self.against, pointer);
        if self.conceals(node, pointer) && !known() { node.kind().to_owned() } else { found(node) }
    }

    /// Message and help of an error about one value.
    fn words(&self, error: &ValidationError<'_>, node: &Node, pointer: &str) -> (String, Option<String>) {
        let field = dotted(pointer);
        let schema = self.schema.parent(error.schema_path().as_str());
        match error.kind() {
            ValidationErrorKind::Type { .. } if node.value == Value::Null => {
                let example = schema.and_then(|s| self.schema.example(s));
                let help = example.map_or_else(
                    || "write a value, or delete the line".to_owned(),
                    |example| format!("write a value, for example `{example}`; or delete the line"),
                );
                (format!("`{field}` has no value"), Some(help))
            }
            ValidationErrorKind::Type { kind } => {
                let wanted = type_words(kind);
                let written = self.against.sources.slice(node.span);
                let wants_text =
                    wanted == "a string" && matches!(node.value, Value::Int(_) | Value::Float(_) | Value::Bool(_));
                let help = wants_text.then(|| match self.conceals(node, pointer) {
                    true => "quote it".to_owned(),
                    false => format!("quote it: '{written}'"),
                });
                let help = help.or_else(|| schema.and_then(|s| self.schema.described(s)).map(|d| first_lower(&d)));
                (format!("`{field}` is {wanted}, this is {}", node.kind()), help)
            }
            ValidationErrorKind::Enum { options } => {
                let options: Vec<String> = options.as_array().into_iter().flatten().map(shown).collect();
                let written = node.as_str().unwrap_or("");
                let names = || options.iter().map(String::as_str);
                let help = match nearest(written, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of {}", listed(names(), 12)),
                };
                let choice = matches!(pointer, "/auth/mode" | "/config/variant");
                let note = schema.and_then(|s| s.get("description")).and_then(Plain::as_str);
                let note = note.filter(|_| options.len() < 3 && !(choice && help.starts_with("did")));
                let help = note.map_or(help.clone(), |note| format!("{help} ({})", first_lower(note)));
                let connector = self.against.connector.id();
                match pointer {
                    // A value that is far from any mode may be a login that was typed there.
                    "/auth/mode" if !help.starts_with("did") && !self.modes().contains(&format!("`{written}`")) => {
                        self.against.sources.mask(node.span);
                        (format!("`{field}` is not a mode of `{connector}`"), Some(help))
                    }
                    "/auth/mode" | "/config/variant" if !written.is_empty() && written.len() < 24 => {
                        let what = if pointer == "/auth/mode" { "mode" } else { "variant" };
                        let all = listed(names(), 12);
                        let help = if help.starts_with("did") { format!("{help} {what}s: {all}") } else { help };
                        (format!("`{field}: {written}` is not a {what} of `{connector}`"), Some(help))
                    }
                    _ => (format!("`{field}` can't be {}", self.found(node, pointer)), Some(help)),
                }
            }
            ValidationErrorKind::Constant { expected_value } => {
                (format!("`{field}` must be `{}`, found {}", shown(expected_value), self.found(node, pointer)), None)
            }
            ValidationErrorKind::Pattern { .. } | ValidationErrorKind::Format { .. } => {
                let description = schema.and_then(|s| self.schema.described(s)).map(|d| first_lower(&d));
                let example = schema.and_then(|s| self.schema.example(s)).map(|e| format!("for example `{e}`"));
                let shell = node.as_str().is_some_and(|text| text.contains("${") && !text.contains("${{"));
                let shell = shell.then(|| "an expression is written ${{ vars.NAME }}".to_owned());
                let help: Vec<String> = shell.into_iter().chain(description).chain(example).collect();
                (format!("`{field}` does not have the form it needs"), (!help.is_empty()).then(|| help.join("; ")))
            }
            ValidationErrorKind::Minimum { limit } => {
                (format!("`{field}` must be at least {limit}, found {}", self.found(node, pointer)), None)
            }
            ValidationErrorKind::Maximum { limit } => {
                let help = schema.and_then(|s| self.schema.described(s)).map(|d| first_lower(&d));
                (format!("`{field}` must be at most {limit}, found {}", self.found(node, pointer)), help)
            }
            ValidationErrorKind::ExclusiveMinimum { limit } => {
                (format!("`{field}` must be more than {limit}, found {}", self.found(node, pointer)), None)
            }
            ValidationErrorKind::ExclusiveMaximum { limit } => {
                (format!("`{field}` must be less than {limit}, found {}", self.found(node, pointer)), None)
            }
            ValidationErrorKind::MinLength { limit: 1 } => (format!("`{field}` is empty"), None),
            ValidationErrorKind::MinLength { limit } => {
                (format!("`{field}` must have at least {limit} characters"), None)
            }
            ValidationErrorKind::MaxLength { limit } => {
                (format!("`{field}` must have at most {limit} characters"), None)
            }
            ValidationErrorKind::MinItems { limit } => (format!("`{field}` must have at least {limit} items"), None),
            ValidationErrorKind::MaxItems { limit } => (format!("`{field}` must have at most {limit} items"), None),
            ValidationErrorKind::UniqueItems => (format!("`{field}` has an item twice"), None),
            ValidationErrorKind::MultipleOf { multiple_of } => {
                (format!("`{field}` must be a multiple of {multiple_of}, found {}", self.found(node, pointer)), None)
            }
            ValidationErrorKind::MinProperties { limit } => {
                (format!("`{field}` must have at least {limit} keys"), None)
            }
            ValidationErrorKind::MaxProperties { limit } => (format!("`{field}` must have at most {limit} keys"), None),
            ValidationErrorKind::Contains => (format!("`{field}` lacks an item that it needs"), None),
            ValidationErrorKind::FalseSchema => (format!("`{field}` has no place here"), Some("remove it".to_owned())),
            ValidationErrorKind::Not { .. } => (format!("`{field}` can't be this value"), None),
            ValidationErrorKind::OneOfMultipleValid { .. } => {
                (format!("`{field}` can be read in more than one way: only one of them may fit"), None)
            }
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
                (format!("`{field}` has none of the forms that it can have"), None)
            }
            ValidationErrorKind::PropertyNames { .. } => {
                (format!("a key of `{field}` does not have the form it needs"), None)
            }
            // The value itself is never printed, whatever the schema says about it.
            _ => (format!("`{field}`: {}", error.masked_with("the value")), None),
        }
    }

    /// Who asks for a field: "`postgresql`", "mode `password` of `postgresql`".
    fn whose(&self, pointer: &str) -> String {
        let connector = self.against.connector.id();
        match self.chosen(pointer).trim().trim_matches(['(', ')']) {
            "" => format!("`{connector}`"),
            choice => format!("{choice} of `{connector}`"),
        }
    }

    /// ` (mode `password`)`, where the choice explains why.
    pub(super) fn chosen(&self, pointer: &str) -> String {
        let (block, switch) = match crate::value::segments(pointer).next().as_deref() {
            Some("auth") => ("auth", "mode"),
            Some("config") => ("config", "variant"),
            _ => return String::new(),
        };
        match self.connection.choice(block, switch) {
            "" => String::new(),
            // A schema may call even that a secret.
            _ if self.is_secret(&format!("/{block}"), switch) => String::new(),
            choice => format!(" ({switch} `{choice}`)"),
        }
    }

    fn modes(&self) -> String {
        let modes = self.schema.root.pointer("/properties/auth/properties/mode/enum");
        let modes: Vec<String> = modes.and_then(Plain::as_array).into_iter().flatten().map(shown).collect();
        listed(modes.iter().map(String::as_str), 12)
    }

    /// The key of the map at `pointer`, or for `config` that is not written the connector's line.
    fn key_span(&self, pointer: &str) -> Span {
        let instance = &self.connection.instance;
        let Some((parent, _)) = pointer.rsplit_once('/') else { return self.connection.connector.span };
        let last = crate::value::segments(pointer).last().unwrap_or_default();
        let entry = instance.pointer(parent).and_then(Node::as_map).and_then(|m| m.entry(&last));
        match (entry, instance.pointer(pointer)) {
            (Some(entry), _) => entry.key_span,
            (None, Some(node)) => Span { end: node.span.start, ..node.span },
            _ => self.connection.connector.span,
        }
    }
}
