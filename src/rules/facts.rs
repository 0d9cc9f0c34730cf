//! What rules that compare connections need to know of each: little, so that ten thousand cost nothing.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Id;
use crate::connectors::Connector;
use crate::model::connection::Connection;
use crate::span::Span;
use crate::value::{Node, Value};

/// A connection, for comparing.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its id, with the customer of an instance.
    pub id: Id,
    /// The customer of an instance: its secrets are its own, whatever their names.
    pub customer: Option<Id>,
    /// Where it is told about.
    pub span: Span,
    /// Its connector.
    pub connector: Id,
    /// The host and port, or URL, that it leads to.
    pub endpoint: Option<String>,
    /// A digest of all its settings.
    pub settings: u64,
    /// A digest of its login: the credential, or what stands under `auth`.
    pub login: u64,
    /// The credential that it links.
    pub credential: Option<Id>,
    /// `labels.residency`.
    pub residency: Option<(Box<str>, Span)>,
}

impl Facts {
    /// The facts of a connection.
    pub fn new(connection: &Connection, connector: Option<&Connector>) -> Self {
        let login = match &connection.credential {
            Some(link) => hashed(|state| link.value.hash(state)),
            None => hashed(|state| hash(connection.instance.get("auth"), state)),
        };
        let residency = connection.labels.as_ref().and_then(|labels| labels.get("residency"));
        Self {
            id: connection.instance_id().into(),
            customer: connection.customer.clone(),
            span: connection.connector.span,
            connector: connection.connector.value.clone(),
            endpoint: connector.and_then(|connector| endpoint(connection, connector)),
            settings: hashed(|state| hash(connection.instance.get("config"), state)),
            login,
            credential: connection.credential.as_ref().map(|link| link.value.clone()),
            residency: residency.and_then(|node| Some((node.as_str()?.into(), node.span))),
        }
    }
}

/// Host and port or URL, as the connector's schema says where they stand.
fn endpoint(connection: &Connection, connector: &Connector) -> Option<String> {
    let places = connector.about("endpoint")?;
    let text = |key: &str| {
        let node = connection.instance.pointer(places.get(key)?.as_str()?)?;
        match &node.value {
            Value::String(text) => Some(text.to_lowercase()),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        }
    };
    if let Some(url) = text("url") {
        return Some(url);
    }
    let default = || places.get("default_port").map(ToString::to_string);
    let port = text("port").or_else(default).unwrap_or_default();
    text("host").map(|host| format!("{host}:{port}"))
}

fn hashed(write: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut state = DefaultHasher::new();
    write(&mut state);
    state.finish()
}

fn hash(node: Option<&Node>, state: &mut DefaultHasher) {
    let Some(node) = node else { return 0u8.hash(state) };
    match &node.value {
        Value::Null => 1u8.hash(state),
        Value::Bool(b) => (2u8, b).hash(state),
        Value::Int(i) => (3u8, i).hash(state),
        Value::Float(f) => (4u8, f.to_bits()).hash(state),
        Value::String(s) => (5u8, s).hash(state),
        Value::Secret(secret) => (6u8, &secret.template).hash(state),
        Value::List(items) => {
            (7u8, items.len()).hash(state);
            items.iter().for_each(|item| hash(Some(item), state));
        }
        Value::Map(map) => {
            // In whatever order the keys were written.
            let entry = |key: &str, value: &Node| {
                hashed(|state| {
                    key.hash(state);
                    hash(Some(value), state);
                })
            };
            let sum = map.iter().fold(0u64, |sum, e| sum.wrapping_add(entry(&e.key, &e.value)));
            (8u8, sum).hash(state);
        }
    }
}
