//! Compiled -> desired: the canonical record of every connection, and what is trusted around them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Compiled;
use super::names::{AllNames, Names, SourceKind};
use crate::connectors::{Catalogue, Connector};
use crate::digest::Digest;
use crate::model::connection::Connection;
use crate::model::consumer::Consumer;
use crate::model::record::{Desired, Record, SECRET};
use crate::parallel::{self, First};
use crate::rules::levels::{self, Levels};
use crate::source::{Line, Sources};
use crate::span::Span;
use crate::template::Scope;
use crate::value::{Node, SecretRef, Value};
use crate::workspace::deployment::Target;
use crate::workspace::layers::At;
use crate::workspace::policy::Policy;
use crate::workspace::{Layer, Workspace};

/// Where the directory target lies unless an environment says otherwise.
pub const DEFAULT_TARGET: &str = "dist";

/// What an environment is to have.
pub fn desired(workspace: &Workspace, catalogue: &Catalogue, compiled: &Compiled) -> Desired {
    let stack = workspace.stack(&compiled.at);
    let names = AllNames::new(workspace, compiled);
    let id = workspace.root.settings.id.unwrap_or_default();
    let recipients = recipients(&stack);
    let maker = Maker {
        workspace: id,
        at: &compiled.at,
        catalogue,
        scopes: names.scopes(&compiled.at),
        names: &names,
        stack: &stack,
        recipients: &recipients,
        users: users(compiled),
        like: First::new(compiled.connections.values().map(|c| match c.customer {
            Some(_) => &*c.id,
            None => &*c.connector.value,
        })),
    };
    let all: Vec<_> = compiled.connections.iter().collect();
    let records = parallel::map(&all, |_, (id, connection)| (id.to_string(), maker.record(connection)));
    let records = records.into_iter().collect();
    let protected = workspace.is_protected(&compiled.at.environment);
    Desired {
        workspace: id,
        environment: compiled.at.deployment().into(),
        profile: compiled.at.profile.clone(),
        records,
        trust: trust(workspace, &stack, protected, catalogue, compiled, &recipients),
    }
}

/// Name -> public key of those that everything in the environment is sealed to.
fn recipients<'w>(stack: &[&'w Layer]) -> BTreeMap<&'w str, &'w str> {
    let named = Workspace::recipients(stack).iter();
    named.filter_map(|name| Some((&*name.value, Workspace::public_key(stack, &name.value)?))).collect()
}

/// Where an environment's bundles go.
pub fn target(stack: &[&Layer]) -> Target {
    let written = stack.iter().rev().find_map(|layer| layer.settings.target.as_ref());
    written.map_or_else(|| Target::Directory(DEFAULT_TARGET.into()), |target| target.value.clone())
}

/// What of the trust block keeps an environment from being lost or sent elsewhere: `target`, `protected`, `guards`. For this
/// much, nothing is compiled.
pub fn protection(workspace: &Workspace, at: &At) -> Json {
    let stack = workspace.stack(at);
    json!({
        "target": target(&stack).json(),
        "protected": workspace.is_protected(&at.environment),
        "guards": guards(&stack),
    })
}

/// The repository that an environment's bundles are published to.
pub fn publish<'w>(stack: &[&'w Layer]) -> Option<&'w str> {
    stack.iter().rev().find_map(|layer| layer.settings.publish.as_ref()).map(|written| &*written.value)
}

/// How much one apply may delete; each limit from the highest layer that sets it.
fn guards(stack: &[&Layer]) -> Json {
    let limits = || stack.iter().rev().map(|layer| &layer.settings.guards);
    json!({
        "max_delete_percent": limits().find_map(|guards| guards.max_delete_percent),
        "max_delete_count": limits().find_map(|guards| guards.max_delete_count),
    })
}

/// A digest of all that a policy says.
fn of_policy(policy: &Policy) -> Digest {
    let when = policy.when.as_ref().map(|when| &*when.value);
    let environments: Option<Vec<&str>> =
        policy.environments.as_ref().map(|list| list.iter().map(|e| &*e.value).collect());
    let said = json!([when, &*policy.require.value, policy.level.word(), environments]);
    Digest::of(said.to_string().as_bytes())
}

fn trust(
    workspace: &Workspace,
    stack: &[&Layer],
    protected: bool,
    catalogue: &Catalogue,
    compiled: &Compiled,
    recipients: &BTreeMap<&str, &str>,
) -> Json {
    let used: BTreeSet<&str> = compiled.connections.values().map(|c| &*c.connector.value).collect();
    let loaded = used.into_iter().filter_map(|id| Some((id, catalogue.get(id)?.ok()?)));
    let trusted = |c: &Connector| {
        json!({
            "schema": c.digest(),
            "secrets": c.secret_pointers(),
            "harmless": c.harmless(),
            "references": c.connection_pointers(),
        })
    };
    let connectors: Map<String, Json> = loaded.map(|(id, c)| (id.to_owned(), trusted(c))).collect();
    // Whom consumers bring in, by name: plans speak of people and machines, not of keys.
    let consumers = compiled.consumers.iter().flat_map(|c| &c.recipients);
    let runtimes: BTreeMap<&str, &str> =
        consumers.filter_map(|name| Some((&*name.value, Workspace::public_key(stack, &name.value)?))).collect();
    let levels = Levels::new(workspace, &mut Vec::new());
    let excuses: BTreeSet<String> = levels::excuses(&workspace.sources)
        .into_iter()
        .map(|excuse| format!("{}: {} ({})", workspace.sources.path(excuse.span), excuse.code, excuse.reason))
        .collect();
    let policy: BTreeMap<&str, Digest> =
        workspace.root.settings.policy.iter().map(|policy| (&*policy.name.value, of_policy(policy))).collect();
    let mut trust = json!({
        "target": target(stack).json(),
        "publish": publish(stack),
        "recipients": recipients,
        "runtimes": runtimes,
        "protected": protected,
        "guards": guards(stack),
        "connectors": connectors,
        "rules": levels.changed(),
        "policy": policy,
        "excuses": excuses,
    });
    let customers = workspace.customers_in(&compiled.at.environment).map(|(name, _)| &**name);
    let of: Vec<&str> = customers.filter(|name| workspace.inherits_secrets(&compiled.at, Some(name))).collect();
    if workspace.inherits_secrets(&compiled.at, None) {
        trust["inherit_secrets"] = true.into();
    } else if !of.is_empty() {
        trust["inherit_secrets"] = json!(of);
    }
    trust
}

struct Maker<'a, 'w> {
    workspace: Uuid,
    at: &'a At,
    catalogue: &'a Catalogue,
    scopes: BTreeMap<&'a Option<Arc<str>>, Scope<'a>>,
    names: &'a AllNames<'w>,
    stack: &'a [&'w Layer],
    recipients: &'a BTreeMap<&'w str, &'w str>,
    users: BTreeMap<&'a str, Vec<&'a Consumer>>,
    /// What records share their values with: the first instance of their connection, else the first of their connector.
    like: First<'a, Record>,
}

/// Consumers by the id or key that they use.
fn users(compiled: &Compiled) -> BTreeMap<&str, Vec<&Consumer>> {
    let mut users: BTreeMap<&str, Vec<&Consumer>> = BTreeMap::new();
    for consumer in &compiled.consumers {
        for used in &consumer.uses {
            users.entry(&used.connection.value).or_default().push(consumer);
        }
    }
    users
}

impl Maker<'_, '_> {
    /// The secrets that the customer is to supply: where each goes, and the piece of schema that a form needs.
    fn slots(&self, connection: &Connection) -> Vec<Json> {
        let loaded = self.catalogue.get(&connection.connector.value).and_then(Result::ok);
        let Some(connector) = loaded.filter(|_| connection.supplied_by_customer) else { return Vec::new() };
        let (variant, mode) = (connection.choice("config", "variant"), connection.choice("auth", "mode"));
        let places = connector.places_of(connection);
        let empty = |pointer: &String| {
            let missing = connection.instance.pointer(pointer).is_none();
            missing && !places.is_global(pointer) && !pointer.contains('*')
        };
        let slot = |pointer: String| {
            let field = connector.field(&pointer, variant, mode);
            let words = ["title", "description", "type", "format", "pattern", "minLength", "maxLength"];
            let words = words.into_iter().filter_map(|word| Some((word.to_owned(), field.word(word)?.clone())));
            json!({"path": pointer, "required": field.required, "schema": words.collect::<Map<_, _>>()})
        };
        places.secret_pointers().into_iter().filter(empty).map(slot).collect()
    }

    fn record(&self, connection: &Connection) -> Record {
        let ground = self.scopes.get(&connection.customer).zip(self.names.of(connection));
        let scope = ground.map(|(scope, names)| (scope.connection(&connection.id, &connection.connector.value), names));
        let tree = |node: Option<&Node>| match (node, &scope) {
            (Some(node), Some((scope, names))) => json(node, scope, names),
            _ => Json::Null,
        };
        let by = |name: &str| self.users.get(name).into_iter().flatten().copied();
        let by_key = by(&connection.key).filter(|_| connection.key != connection.id);
        let consumers: Vec<&Consumer> = by(&connection.id).chain(by_key).collect();
        let keys: BTreeSet<&str> = self
            .recipients
            .values()
            .copied()
            .chain(
                consumers
                    .iter()
                    .flat_map(|c| &c.recipients)
                    .filter_map(|r| Workspace::public_key(self.stack, &r.value)),
            )
            .collect();
        let ids: BTreeSet<&str> = consumers.iter().map(|c| &*c.id).collect();
        let mut record = Record::new([
            ("id", json!(&*connection.id)),
            ("customer", json!(connection.customer.as_deref())),
            ("profile", json!(self.at.profile.as_deref())),
            ("reference", json!(reference(self.workspace, &connection.instance_key()))),
            ("key", json!(&*connection.key)),
            ("connector", json!(&*connection.connector.value)),
            ("config", tree(connection.instance.get("config"))),
            ("auth", tree(connection.instance.get("auth"))),
            ("title", tree(connection.title.as_deref())),
            ("owner", json!(connection.owner)),
            ("labels", json!(connection.label_texts())),
            ("recipients", json!(keys)),
            ("consumers", json!(ids)),
            ("slots", json!(self.slots(connection))),
            ("expose", json!(connection.expose)),
            ("protect", json!(connection.protect)),
            ("sealed", json!(connection.sealed_fields())),
        ]);
        let like = if connection.customer.is_some() { &connection.id } else { &connection.connector.value };
        self.like.get(like, &record).inspect(|like| record.share(like));
        record
    }
}

fn json(node: &Node, scope: &Scope<'_>, names: &Names<'_>) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Float(f) => (*f).into(),
        Value::String(s) => (&**s).into(),
        Value::List(items) => items.iter().map(|item| json(item, scope, names)).collect(),
        Value::Map(map) => {
            Json::Object(map.iter().map(|e| (e.key.to_string(), json(&e.value, scope, names))).collect())
        }
        Value::Secret(reference) => secret(reference, scope, names),
    }
}

/// A secret as anyone with the repository can see it.
fn secret(reference: &SecretRef, scope: &Scope<'_>, all: &Names<'_>) -> Json {
    let source = |name: &str| match all.source(name) {
        Some(source) => match source.kind {
            SourceKind::Sealed(version) => {
                json!({"name": name, "from": secrets_path(source.layer), "version": version})
            }
            SourceKind::Store { uri, .. } => json!({"name": name, "from": uri, "version": null}),
        },
        None => json!({"name": name, "from": null, "version": null}),
    };
    let sources: Vec<Json> = reference.names.iter().map(|name| source(name)).collect();
    let by_reference = reference.names.iter().any(|name| all.by_reference(name));
    let delivery = if by_reference { "reference" } else { "resolve" };
    let mut secret = json!({"names": reference.names, "sources": sources, "delivery": delivery});
    if !reference.is_plain() {
        // What stands around the secret makes the value too: a change of it must show.
        let around = json!({"template": reference.template, "inputs": scope.inputs(&reference.template)});
        secret["template"] = Digest::of(around.to_string().as_bytes()).as_str().into();
    }
    json!({ SECRET: secret })
}

/// The path of a layer's secrets file.
pub fn secrets_path(layer: &Layer) -> String {
    layer.file("secrets.sops.yaml")
}

/// The stable reference of a key: UUIDv5 in the namespace of the workspace's id (RFC 9562, section 5.5).
pub fn reference(workspace: Uuid, key: &str) -> String {
    Uuid::new_v5(&workspace, key.as_bytes()).to_string()
}

/// The line that brought in what stands at `pointer` of a record.
pub fn place(compiled: &Compiled, sources: &Sources, id: &str, pointer: &str) -> Option<Line> {
    let connection = compiled.connections.get(id)?;
    let span = span_at(connection, pointer).unwrap_or(connection.connector.span);
    Some(sources.line(span))
}

/// Where what stands at `pointer` of a connection's record was written.
pub(super) fn span_at(connection: &Connection, pointer: &str) -> Option<Span> {
    let mut segments = crate::value::segments(pointer);
    let first = segments.next()?;
    let rest = &pointer[1 + first.len()..];
    let node = match first.as_str() {
        "config" | "auth" => return deepest(&connection.instance, pointer).map(|n| n.span),
        "title" => connection.title.as_deref(),
        "labels" => connection.labels.as_deref(),
        key => connection.literals.get(key),
    };
    deepest(node?, rest).map(|n| n.span)
}

/// The node at a pointer, or the nearest above it.
fn deepest<'n>(node: &'n Node, pointer: &str) -> Option<&'n Node> {
    let mut pointer = pointer;
    loop {
        if let Some(found) = node.pointer(pointer) {
            return Some(found);
        }
        pointer = pointer.rsplit_once('/')?.0;
    }
}

impl Compiled {
    /// The consumers that use a connection, by id.
    pub fn consumers_of<'c>(&'c self, connection: &'c Connection) -> impl Iterator<Item = &'c Consumer> {
        let uses = |reference: &str| reference == &*connection.id || reference == &*connection.key;
        self.consumers.iter().filter(move |c| c.uses.iter().any(|u| uses(&u.connection.value)))
    }

    /// The ids, for messages.
    pub fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.connections.keys()
    }
}
