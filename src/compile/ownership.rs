//! Whose values stand in the instance of a customer: what is global comes from the organization, what is secret from the
//! customer's own layers.

use super::context::Context;
use crate::connectors::Connector;
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code, listed};
use crate::model::connection::Connection;
use crate::span::Span;
use crate::value::path::dotted;
use crate::value::{Map, Node, SecretRef, Value, push_segment};
use crate::workspace::discover::Family;

/// Checks an instance; `customer` is whose it is.
pub fn check(
    context: &Context<'_>,
    customer: &str,
    connection: &Connection,
    connector: &Connector,
    told: &mut Vec<Diagnostic>,
) {
    let places = connector.places_of(connection);
    let ownership = Ownership { context, customer, connection, places: &places };
    ownership.overrides(told);
    ownership.secrets(&connection.instance, &mut String::new(), told);
    told.extend(ownership.consent(connector));
}

struct Ownership<'a, 'w> {
    context: &'a Context<'w>,
    customer: &'a str,
    connection: &'a Connection,
    places: &'a Places,
}

impl Ownership<'_, '_> {
    /// Global fields that a layer of the customer's sets.
    fn overrides(&self, told: &mut Vec<Diagnostic>) {
        let login = self.connection.credential.as_ref().map(|link| (Family::Credentials, &*link.value));
        for (family, id) in [(Family::Connections, &*self.connection.id)].into_iter().chain(login) {
            let mut below: Vec<&Node> = Vec::new();
            for layer in &self.context.stack {
                let Some(root) = layer.family(family).get(id).and_then(|d| d.root.as_ref()) else { continue };
                if layer.is_customers() && !below.is_empty() {
                    for block in ["config", "auth"] {
                        if let Some(node) = root.get(block) {
                            self.overridden(node, &mut format!("/{block}"), &below, told);
                        }
                    }
                }
                below.push(root);
            }
        }
    }

    fn overridden(&self, node: &Node, pointer: &mut String, below: &[&Node], told: &mut Vec<Diagnostic>) {
        if self.places.is_global(pointer) {
            let field = dotted(pointer);
            let message = format!("`{field}` is the same for all customers: `{}` can't set it", self.customer);
            let mut fault = Diagnostic::error(code::CUSTOMER_SCOPE, node.span, message)
                .help("remove it here; what differs for customers goes into a field that the connector doesn't share");
            if let Some(base) = below.iter().rev().find_map(|root| root.pointer(pointer)) {
                fault = fault.also(base.span, "the value for all");
            }
            told.push(fault);
            return;
        }
        for entry in node.as_map().into_iter().flat_map(Map::iter) {
            let length = pointer.len();
            // What a directive puts in its place stands where the directive does.
            if !entry.key.starts_with('$') {
                push_segment(pointer, &entry.key);
            }
            self.overridden(&entry.value, pointer, below, told);
            pointer.truncate(length);
        }
    }

    fn secrets(&self, node: &Node, pointer: &mut String, told: &mut Vec<Diagnostic>) {
        let mut below = |segment: &str, node: &Node| {
            let length = pointer.len();
            push_segment(pointer, segment);
            self.secrets(node, pointer, told);
            pointer.truncate(length);
        };
        match &node.value {
            Value::Map(map) => map.iter().for_each(|e| below(&e.key, &e.value)),
            Value::List(items) => items.iter().enumerate().for_each(|(i, item)| below(&i.to_string(), item)),
            Value::Secret(secret) => told.extend(self.secret(secret, node.span, pointer)),
            _ => {}
        }
    }

    /// A secret of the organization's that would serve a customer as its own, or the other way round.
    fn secret(&self, secret: &SecretRef, at: Span, pointer: &str) -> Option<Diagnostic> {
        let (customer, field) = (self.customer, dotted(pointer));
        let global = self.places.is_global(pointer);
        if self.connection.supplied_by_customer && !global {
            let message = format!("the customer supplies `{field}`: no secret can stand here");
            return Some(
                Diagnostic::error(code::CUSTOMER_SCOPE, at, message)
                    .help("remove the line: the bundle has an empty slot for it; or write `supplied_by: organization`"),
            );
        }
        let sources = secret.names.iter().filter_map(|name| Some((name, self.context.names.source(name)?.layer)));
        let (name, layer) = sources.into_iter().find(|(_, layer)| layer.is_customers() == global)?;
        let has = if layer.path.is_empty() { "the root" } else { &layer.path };
        Some(if global {
            let message = format!("`{field}` is the same for all customers: the secret `{name}` is `{customer}`'s own");
            Diagnostic::error(code::CUSTOMER_SCOPE, at, message)
                .help(format!("`{has}` has it: name a secret of the organization's"))
        } else {
            let message = format!("`{customer}` has no secret `{name}` of its own");
            Diagnostic::error(code::UNKNOWN_SECRET, at, message).help(format!(
                "`{has}` has one, and a customer never uses another's: `tieline secret set {name} --customer {customer}`"
            ))
        })
    }

    /// Credentials that only a person of the customer's can give, where the organization is to supply them.
    fn consent(&self, connector: &Connector) -> Option<Diagnostic> {
        let auth = self.connection.instance.get("auth")?;
        let grant = auth.get("grant").filter(|g| matches!(g.as_str(), Some("authorization_code" | "pkce")));
        let modes = connector.about("consent").and_then(serde_json::Value::as_array);
        let mode = auth.get("mode").filter(|mode| {
            let modes = modes.into_iter().flatten().filter_map(serde_json::Value::as_str);
            mode.as_str().is_some_and(|mode| modes.into_iter().any(|m| m == mode))
        });
        let node = grant.or(mode).filter(|_| !self.connection.supplied_by_customer)?;
        let asks = listed(node.as_str(), 1);
        let message = format!("{asks} asks a person of the customer's for consent: the organization can't supply it");
        Some(
            Diagnostic::error(code::NEEDS_CONSENT, node.span, message)
                .help("write `scope: customer` and `supplied_by: customer`; or choose a login without a person"),
        )
    }
}
