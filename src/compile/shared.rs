//! What a customer's instance has in common with all others: its global fields; and beside a secret of the organization's
//! every setting that could send it elsewhere. Each has the value that it has without the customer's layers, whichever way
//! they could change it: an overlay, a variable, a credential, a secret.

use super::context::Context;
use crate::connectors::Connector;
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code, listed};
use crate::model::connection::Connection;
use crate::model::record::covers;
use crate::span::Span;
use crate::value::path::dotted;
use crate::value::{Entry, Map, Node, Value, push_segment};
use crate::workspace::discover::Family;

/// Whether the customer's layers can have any part in an instance that has something in common with others.
pub(super) fn concerns(context: &Context<'_>, connection: &Connection, connector: &Connector) -> bool {
    let link = connection.credential.as_ref().map(|link| &*link.value);
    let takes_part = context.stack.iter().filter(|layer| layer.is_customers()).any(|layer| {
        layer.settings.vars.iter().next().is_some()
            || layer.connections.contains_key(&connection.id)
            || link.is_some_and(|link| layer.credentials.contains_key(link))
    });
    takes_part && (connector.places_of(connection).has_global() || !outside(context, &connection.instance).is_empty())
}

/// Holds an instance against what it is without the customer's layers; `None` where they alone have it.
pub(super) fn check(
    context: &Context<'_>,
    (own, base): (&Connection, Option<&Connection>),
    connector: &Connector,
    told: &mut Vec<Diagnostic>,
) {
    let customer = context.customer.as_deref().unwrap_or_default();
    let secrets = outside(context, &own.instance);
    let Some(base) = base else {
        told.extend(secrets.into_iter().map(|(name, span)| {
            let message =
                format!("the secret `{name}` is the organization's: no connection of `{customer}` alone can use it");
            Diagnostic::error(code::CUSTOMER_SCOPE, span, message)
                .help("put the connection into a layer that all customers share, and list it in customer.yaml")
        }));
        return;
    };
    let places = connector.places_of(own);
    let names: Vec<&str> = secrets.iter().map(|(name, _)| &**name).collect();
    let mut compared =
        Compared { context, own, customer, connector, places: &places, secrets: names, told, differing: 0 };
    compared.maps(own.instance.as_map(), base.instance.as_map(), &mut String::new());
}

/// The secrets of an instance that no layer of the customer's has.
fn outside(context: &Context<'_>, instance: &Node) -> Vec<(Box<str>, Span)> {
    let mut found = Vec::new();
    let mut open = vec![instance];
    while let Some(node) = open.pop() {
        match &node.value {
            Value::Map(map) => open.extend(map.iter().map(|entry| &entry.value)),
            Value::List(items) => open.extend(items),
            Value::Secret(secret) => {
                let is_outside = |name: &str| context.names.source(name).is_some_and(|s| !s.layer.is_customers());
                found.extend(secret.names.iter().filter(|name| is_outside(name)).map(|name| (name.clone(), node.span)));
            }
            _ => {}
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    found
}

struct Compared<'a, 'w> {
    context: &'a Context<'w>,
    own: &'a Connection,
    customer: &'a str,
    connector: &'a Connector,
    places: &'a Places,
    /// Of the organization's.
    secrets: Vec<&'a str>,
    told: &'a mut Vec<Diagnostic>,
    /// Fields that differ, so far.
    differing: usize,
}

/// Differing fields of one instance that are looked at. Each is an error or is covered by one, so the rest changes nothing.
const MAX_DIFFERING: usize = 1_000;

impl Compared<'_, '_> {
    fn maps(&mut self, own: Option<&Map>, base: Option<&Map>, pointer: &mut String) {
        let entries = own.into_iter().flat_map(Map::iter);
        let gone =
            base.into_iter().flat_map(Map::iter).filter(|entry| own.is_none_or(|own| own.get(&entry.key).is_none()));
        let pairs = entries.map(|entry| (entry, Some(entry), base.and_then(|base| base.entry(&entry.key))));
        let pairs = pairs.chain(gone.map(|entry| (entry, None, Some(entry))));
        for (named, own, base) in pairs {
            let length = pointer.len();
            push_segment(pointer, &named.key);
            self.entry(own, base, pointer);
            pointer.truncate(length);
        }
    }

    fn entry(&mut self, own: Option<&Entry>, base: Option<&Entry>, pointer: &mut String) {
        let value =
            |entry: Option<&Entry>| entry.map(|entry| entry.value.clone()).filter(|node| node.value != Value::Null);
        let (own, base) = (value(own), value(base));
        let map = |side: &Option<Node>| side.as_ref().is_none_or(|node| node.as_map().is_some());
        if map(&own) && map(&base) {
            self.maps(own.as_ref().and_then(Node::as_map), base.as_ref().and_then(Node::as_map), pointer);
            return;
        }
        let secret = |side: &Option<Node>| side.as_ref().is_some_and(has_secret);
        let is_global = self.places.is_global(pointer);
        let harmless = self.connector.harmless().into_iter().any(|pattern| covers(pattern, pointer));
        // The customer's own secrets differ by their nature.
        let beside = !self.secrets.is_empty() && !harmless && !secret(&own) && !self.places.is_secret(pointer);
        if !(is_global || beside) || same(own.as_ref(), base.as_ref()) {
            return;
        }
        self.differing += 1;
        if self.differing > MAX_DIFFERING {
            return;
        }
        let at = own.as_ref().map_or_else(|| self.removed(pointer), |node| node.span);
        // An error at the field or at a map around it covers this one; one in the same file covers a removed field.
        let gone = own.is_none();
        let around = |span: Span| span.file == at.file && (gone || (span.start <= at.start && at.end <= span.end));
        if self.told.iter().any(|told| told.code == code::CUSTOMER_SCOPE && told.span().is_some_and(around)) {
            return;
        }
        let field = dotted(pointer);
        let message = if is_global {
            format!("`{field}` is the same for all customers: something of `{}` changes it", self.customer)
        } else {
            let secrets = listed(self.secrets.iter().copied(), 3);
            format!(
                "`{field}` says where the organization's {secrets} goes, or as whom: something of `{}` changes it",
                self.customer
            )
        };
        let mut told = Diagnostic::error(code::CUSTOMER_SCOPE, at, message)
            .help("a customer's overlays, variables and credentials have no part in it: remove what changes it");
        if let Some(base) = base.filter(|base| base.span != at) {
            told = told.also(base.span, "the value without them");
        }
        self.told.push(told);
    }

    /// Where the customer takes a field away.
    fn removed(&self, pointer: &str) -> Span {
        let link = self.own.credential.as_ref().map(|link| (Family::Credentials, &*link.value));
        let layers = self.context.stack.iter().filter(|layer| layer.is_customers());
        let roots = layers.flat_map(|layer| {
            let documents = [(Family::Connections, &*self.own.id)].into_iter().chain(link);
            documents.filter_map(|(family, id)| layer.family(family).get(id)?.root.as_ref())
        });
        let found =
            roots.filter_map(|root| root.pointer(pointer).or_else(|| root.pointer(pointer.rsplit_once('/')?.0)));
        found.fold(self.own.connector.span, |_, node| node.span)
    }
}

fn has_secret(node: &Node) -> bool {
    match &node.value {
        Value::Secret(_) => true,
        Value::Map(map) => map.iter().any(|entry| has_secret(&entry.value)),
        Value::List(items) => items.iter().any(has_secret),
        _ => false,
    }
}

/// Whether two values are equal, wherever they were written.
fn same(a: Option<&Node>, b: Option<&Node>) -> bool {
    match (a.map(|node| &node.value), b.map(|node| &node.value)) {
        (Some(Value::List(a)), Some(Value::List(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(Some(a), Some(b)))
        }
        (Some(Value::Map(a)), Some(Value::Map(b))) => {
            a.iter().count() == b.iter().count() && a.iter().all(|entry| same(Some(&entry.value), b.get(&entry.key)))
        }
        (a, b) => a == b,
    }
}
