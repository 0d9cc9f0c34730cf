//! Who names what: every place in the files of a workspace where one file names another by its id.

use crate::span::{FileId, Span};
use crate::value::{Map, Node, Value};
use crate::workspace::Workspace;
use crate::workspace::discover::Family;

/// A place that names a connection or credential.
#[derive(Clone, Debug)]
pub struct Reference<'w> {
    /// The file that it stands in is of this family; `None` for the settings of a customer.
    pub family: Option<Family>,
    /// The id of the consumer or connection, or the name of the customer, whose file it is.
    pub from: &'w str,
    /// What it names: an id or a key.
    pub name: &'w str,
    /// The scalar.
    pub span: Span,
}

/// Every place that names a connection: slots of consumers, and lists of customers.
pub fn to_connections(workspace: &Workspace) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for layer in workspace.layers() {
        for (id, document) in &layer.consumers {
            let uses = document.root.as_ref().and_then(|root| root.get("uses"));
            let mut scalars = Vec::new();
            uses.into_iter().for_each(|uses| slots(uses, &mut scalars));
            found.extend(scalars.into_iter().map(|(name, span)| Reference {
                family: Some(Family::Consumers),
                from: id,
                name,
                span,
            }));
        }
        found.extend(layer.settings.connections.iter().map(|connection| Reference {
            family: None,
            from: layer.name(),
            name: &connection.value,
            span: connection.span,
        }));
    }
    found
}

/// The connections that `uses` names, whether it is a list or a directive with one.
fn slots<'n>(node: &'n Node, found: &mut Vec<(&'n str, Span)>) {
    let Value::List(items) = &node.value else {
        let below = node.as_map().into_iter().flat_map(Map::iter).filter(|e| e.key.starts_with('$'));
        below.for_each(|entry| slots(&entry.value, found));
        return;
    };
    for item in items {
        let named = item.as_str().map(|name| (name, item.span)).or_else(|| {
            let connection = item.get("connection")?;
            Some((connection.as_str()?, connection.span))
        });
        found.extend(named);
    }
}

/// Every place that links a credential.
pub fn to_credentials(workspace: &Workspace) -> Vec<Reference<'_>> {
    let documents = workspace.layers().flat_map(|layer| &layer.connections);
    documents
        .filter_map(|(id, document)| {
            let link = document.root.as_ref()?.get("credential")?;
            Some(Reference { family: Some(Family::Connections), from: id, name: link.as_str()?, span: link.span })
        })
        .collect()
}

/// The files of one id in every layer, the root's first.
pub fn files(workspace: &Workspace, family: Family, id: &str) -> Vec<FileId> {
    workspace.layers().filter_map(|layer| layer.family(family).get(id)).map(|document| document.file).collect()
}

/// The id behind a name, which may be an id or a stable key.
pub fn connection_id<'w>(workspace: &'w Workspace, name: &str) -> Option<&'w str> {
    let all = || workspace.layers().flat_map(|layer| &layer.connections);
    let by_id = all().find(|(id, _)| ***id == *name);
    let by_key = || all().find(|(_, document)| key(document) == Some(name));
    by_id.or_else(by_key).map(|(id, _)| &**id)
}

/// The stable key of an id, where a layer writes one.
pub fn key_of<'w>(workspace: &'w Workspace, id: &str) -> Option<&'w str> {
    workspace.layers().filter_map(|layer| layer.connections.get(id)).find_map(key)
}

fn key(document: &crate::workspace::Document) -> Option<&str> {
    document.root.as_ref()?.get("key")?.as_str()
}
