//! One connection in one environment: merge, read, evaluate, log in, validate.

use std::sync::Arc;

use super::context::Context;
use super::ownership;
use crate::connectors::reference::Reference;
use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::model::connection::{Connection, Scope};
use crate::overlay::document::stack_keyed;
use crate::overlay::{Idle, Notes};
use crate::rules::Subject;
use crate::rules::facts::Facts;
use crate::span::Span;
use crate::template;
use crate::validate::{self, Against};
use crate::value::{Node, Value};
use crate::workspace::Document;
use crate::workspace::discover::Family;

/// What became of a connection.
#[derive(Default)]
pub struct Outcome {
    /// The connection, as far as it could be read; with errors beside it, it is for showing only.
    pub connection: Option<Connection>,
    /// Problems and idle patches.
    pub notes: Notes,
    /// Whether other files may refer to it.
    pub state: State,
    /// What rules compare; `None` where it is switched off.
    pub facts: Option<Facts>,
}

/// Whether a connection is there, for what refers to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No layer of this environment has it.
    #[default]
    Absent,
    /// Its files can't be read, which was told: nothing that refers to it is to blame.
    Broken,
    /// It is there.
    Known {
        /// The connector that it names.
        connector: Arc<str>,
        /// Its stable key.
        key: Arc<str>,
        /// Where others are shown it: its `enabled: false`, else its `key`, else its `connector`.
        span: Span,
        /// False if it is switched off here.
        enabled: bool,
        /// The connections that its fields name.
        references: Arc<[Reference]>,
    },
}

/// Compiles the connection `id`.
pub fn compile(context: &Context<'_>, id: &Arc<str>) -> Outcome {
    let documents = context.documents(Family::Connections, id);
    let mut outcome = Outcome::default();
    let notes = &mut outcome.notes;
    let Some(merged) = merge(context, id, &documents, notes, &mut outcome.state) else { return outcome };
    let Some(mut connection) = Connection::read(id, merged, &mut notes.diagnostics) else {
        outcome.state = State::Broken;
        return outcome;
    };
    outcome.state = State::Known {
        connector: connection.connector.value.clone(),
        key: connection.key.clone(),
        span: connection.place,
        enabled: connection.enabled,
        references: Arc::default(),
    };
    connection.customer.clone_from(&context.customer);
    if context.leaves_out(id) {
        return outcome;
    }
    if context.customer.is_none() && connection.scope != Scope::Global {
        // Each customer's instance is compiled with what the customer says.
        return outcome;
    }
    let mut incomplete = evaluate(context, &mut connection, &mut notes.diagnostics);
    incomplete |= log_in(context, &mut connection, &mut notes.diagnostics);
    validate(context, &mut connection, incomplete, &mut notes.diagnostics);
    by_reference(context, &connection.instance, &mut notes.diagnostics);
    let loaded = context.catalogue.get(&connection.connector.value).and_then(Result::ok);
    if let (Some(connector), State::Known { references, .. }) = (loaded.filter(|c| c.refers()), &mut outcome.state) {
        let places = connector.places(connection.choice("config", "variant"), connection.choice("auth", "mode"));
        *references = places.references(&connection.instance).into();
    }
    let subject = Subject { connection: &connection, connector: loaded, catalogue: context.catalogue };
    context.judge().connection(&subject, &mut notes.diagnostics);
    outcome.facts = connection.enabled.then(|| Facts::new(&connection, loaded));
    outcome.connection = Some(connection);
    outcome
}

/// A secret whose address is delivered stands alone: nothing can be made of a value that nobody reads.
fn by_reference(context: &Context<'_>, node: &Node, told: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::Map(map) => map.iter().for_each(|entry| by_reference(context, &entry.value, told)),
        Value::List(items) => items.iter().for_each(|item| by_reference(context, item, told)),
        Value::Secret(secret) if !secret.is_plain() => {
            let names = secret.names.iter().filter(|name| context.names.by_reference(name));
            told.extend(names.map(|name| {
                let message = format!("`{name}` is delivered by reference, so nothing can be made of its value");
                Diagnostic::error(code::SECRET_USE, node.span, message).help(format!(
                    "write `${{{{ secrets.{name} }}}}` and nothing else, or bind it with `delivery: resolve`"
                ))
            }));
        }
        _ => {}
    }
}

/// The lists that merge by a key in a connection whose lowest document this is.
pub fn merge_keys<'c>(catalogue: &'c Catalogue, lowest: Option<&Node>) -> &'c [(String, Box<str>)] {
    let connector = lowest.and_then(|root| root.get("connector")?.as_str());
    let loaded = connector.and_then(|name| catalogue.get(name)?.ok());
    loaded.map(Connector::merge_keys).unwrap_or_default()
}

/// The layers' documents as one. `None` where there is nothing to go on with.
pub fn merge(
    context: &Context<'_>,
    id: &Arc<str>,
    documents: &[&Document],
    notes: &mut Notes,
    state: &mut State,
) -> Option<Node> {
    let mut merged = None;
    let mut span = None;
    let keys = merge_keys(context.catalogue, documents.first().and_then(|lowest| lowest.root.as_ref()));
    for document in documents {
        let Some(node) = &document.root else {
            *state = State::Broken;
            return None;
        };
        let Value::Map(map) = &node.value else {
            notes.diagnostics.push(
                Diagnostic::error(
                    code::WRONG_TYPE,
                    node.span,
                    format!("a connection is a map, this is {}", node.kind()),
                )
                .help("its first key is `connector: …`"),
            );
            *state = State::Broken;
            return None;
        };
        span.get_or_insert(node.span);
        merged = Some(stack_keyed(merged, map, keys, notes));
    }
    // What was merged in spite of these is not what anybody meant.
    if notes.diagnostics.iter().any(|d| matches!(d.code, code::NEEDS_REPLACE | code::INVALID_DIRECTIVE)) {
        *state = State::Broken;
        return None;
    }
    let (merged, span) = (merged?, span?);
    let lowest = documents.first()?;
    let in_root = context.workspace.root.connections.contains_key(id);
    if merged.get("connector").is_none() && !in_root {
        if !context.workspace.is_complete(&context.at.environment) {
            *state = State::Broken;
            return None;
        }
        let known = context.workspace.root.connections.keys().map(|k| &**k);
        let near = nearest(id, known.clone());
        notes.idle.push(Idle {
            span: Span { end: span.start, ..span },
            code: code::OVERLAYS_NOTHING,
            what: format!("no lower layer has a connection `{id}`, and this file names no connector"),
            help: match near {
                Some(near) => format!("did you mean `{near}`? the file's path is the connection's id"),
                None if known.clone().next().is_none() => "create it below, or add `connector: …` here".into(),
                None => {
                    format!("create connections/{id}.yaml, or add `connector: …` here; below are {}", listed(known, 6))
                }
            },
        });
        debug_assert!(lowest.root.is_some());
        return None;
    }
    Some(Node::new(span, Value::Map(merged)))
}

/// Values that one object can hold, less its header.
const MAX_SEALED: usize = crate::sops::MAX_VALUES - 500;

/// Puts values in place of expressions; true if one failed.
fn evaluate(context: &Context<'_>, connection: &mut Connection, told: &mut Vec<Diagnostic>) -> bool {
    let before = told.len();
    let scope = context.scope.connection(&connection.id, &connection.connector.value);
    let sources = &context.workspace.sources;
    template::evaluate(Arc::make_mut(&mut connection.instance), 0, &scope, sources, told);
    if told.len() == before && connection.instance.count() > MAX_SEALED {
        let message = format!("more than {MAX_SEALED} values in one connection, with what expressions give");
        told.push(
            Diagnostic::error(code::YAML_TOO_MANY_NODES, connection.connector.span, message)
                .help("a connection is sealed as one document: split it"),
        );
    }
    let texts = [&mut connection.title, &mut connection.description, &mut connection.labels];
    for text in texts.into_iter().flatten() {
        template::evaluate(Arc::make_mut(text), 1, &scope, sources, told);
    }
    connection.check_texts(told);
    told.len() > before
}

/// Puts the login of the linked credential into the instance; true if it is incomplete.
fn log_in(context: &Context<'_>, connection: &mut Connection, told: &mut Vec<Diagnostic>) -> bool {
    let Some(link) = &connection.credential else { return false };
    if link.value.contains(template::OPEN) {
        // Told: only a literal may stand there.
        put_nothing(connection);
        return true;
    }
    let Some(login) = context.credentials.get(&link.value) else {
        let known = || context.credentials.keys().map(|k| &**k);
        let help = match nearest(&link.value, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known().next().is_none() => format!("create credentials/{}.yaml", link.value),
            None => format!("create credentials/{}.yaml; there are {}", link.value, listed(known(), 6)),
        };
        let message = format!("there is no credential `{}`", link.value);
        told.push(Diagnostic::error(code::UNKNOWN_CREDENTIAL, link.span, message).help(help));
        put_nothing(connection);
        return true;
    };
    let Some(login) = login else {
        put_nothing(connection);
        return true;
    };
    let accepted = &login.credential.connectors;
    // A connector that does not exist is told as such.
    let unknown = !context.catalogue.contains(&connection.connector.value);
    let names = |c: &str| c == &*connection.connector.value || c.contains(template::OPEN);
    let fits = unknown || accepted.iter().any(|c| names(&c.value));
    if let (Some(first), false) = (accepted.first(), fits) {
        let names = listed(accepted.iter().map(|c| &*c.value), 6);
        let message = format!("the credential `{}` is not for `{}`", link.value, connection.connector.value);
        told.push(
            Diagnostic::error(code::CREDENTIAL_CONNECTOR, link.span, message)
                .also(first.span, format!("it is for {names}"))
                .help("link another credential, or add the connector to its `connectors`"),
        );
    }
    match &login.credential.auth {
        Some(auth) => {
            put(connection, auth.clone());
            connection.sealed.extend(login.credential.sealed.iter().cloned());
        }
        None => put_nothing(connection),
    }
    login.incomplete || login.credential.auth.is_none()
}

fn put(connection: &mut Connection, auth: crate::value::Entry) {
    if let Value::Map(instance) = &mut Arc::make_mut(&mut connection.instance).value {
        instance.remove("auth");
        instance.push(auth);
    }
}

/// A login that is not known, for which the connection is not to blame twice.
fn put_nothing(connection: &mut Connection) {
    let span = connection.connector.span;
    put(connection, crate::value::Entry { key: "auth".into(), key_span: span, value: Node::new(span, Value::Null) });
}

/// The documents that a connection is made of, lowest first, and those of its login.
fn layers<'c>(context: &Context<'c>, connection: &Connection) -> Vec<&'c Node> {
    let own = context.documents(Family::Connections, &connection.id);
    let login = connection.credential.as_ref().map(|link| context.documents(Family::Credentials, &link.value));
    own.into_iter().chain(login.into_iter().flatten()).filter_map(|document| document.root.as_ref()).collect()
}

fn validate(context: &Context<'_>, connection: &mut Connection, incomplete: bool, told: &mut Vec<Diagnostic>) {
    let name = &connection.connector;
    match context.catalogue.get(&name.value) {
        None => {
            let help = match nearest(&name.value, context.catalogue.ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => match context.catalogue.by_alias(&name.value) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "connectors: {}; your own go into connectors/{}.json",
                        listed(context.catalogue.ids(), 12),
                        name.value
                    ),
                },
            };
            let message = format!("there is no connector `{}`", name.value);
            told.push(Diagnostic::error(code::UNKNOWN_CONNECTOR, name.span, message).help(help));
        }
        // Told at the schema.
        Some(Err(_)) => {}
        Some(Ok(connector)) => {
            let slots = connection.supplied_by_customer && context.customer.is_some();
            let against = Against {
                layers: layers(context, connection),
                connector,
                sources: &context.workspace.sources,
                incomplete,
                slots,
            };
            validate::check(connection, &against, told);
            if let Some(customer) = &context.customer {
                ownership::check(context, customer, connection, connector, told);
            }
        }
    }
}
