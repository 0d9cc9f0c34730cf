//! `tieline.yaml`, `environment.yaml`, `customer.yaml` and `profile.yaml` -> the settings of a layer.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::deployment::{self, Guards, Target};
use super::names;
use super::policy::{self, Policy, RuleSetting};
use super::stores::Address;
use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::sops::{ErrorKind, Recipient};
use crate::source::Sources;
use crate::span::{Span, Spanned};
use crate::value::{Map, Node, Value};

/// What a layer says besides its connections. The workspace file and the environments share most of it.
#[derive(Debug, Default)]
pub struct Settings {
    /// The workspace's id; the root's alone.
    pub id: Option<Uuid>,
    /// The workspace's name; the root's alone.
    pub name: Option<Box<str>>,
    /// For people.
    pub description: Option<Spanned<Box<str>>>,
    /// The environment below this one.
    pub extends: Option<Spanned<Arc<str>>>,
    /// It is only a base of other environments; said of itself alone.
    pub is_abstract: bool,
    /// Plain values for expressions.
    pub vars: Map,
    /// Names bound to secret stores; `None` unbinds.
    pub secrets: BTreeMap<Box<str>, Binding>,
    /// Name -> public key.
    pub keys: BTreeMap<Box<str>, Spanned<Box<str>>>,
    /// Name -> account on the Git host, `None` for whoever has none (a machine); the root's alone.
    pub handles: BTreeMap<Box<str>, Option<Box<str>>>,
    /// Whom this layer's secrets and bundles are sealed to, by name.
    pub recipients: Option<Vec<Spanned<Box<str>>>>,
    /// Where bundles go.
    pub target: Option<Spanned<Target>>,
    /// The repository of an OCI registry that bundles are published to.
    pub publish: Option<Spanned<Box<str>>>,
    /// How much one apply may delete.
    pub guards: Guards,
    /// Whether deletions and first applies need a word more; `None` where it says nothing: [`super::Workspace::is_protected`].
    pub protected: Option<bool>,
    /// Levels of built-in rules; the root's alone.
    pub rules: Vec<RuleSetting>,
    /// Rules of the workspace's own; the root's alone.
    pub policy: Vec<Policy>,
    /// The environments that a customer is in; `None` for all.
    pub environments: Option<Vec<Spanned<Box<str>>>>,
    /// The connections that a customer has an instance of.
    pub connections: Vec<Spanned<Box<str>>>,
    /// The profile uses the secrets of its environment too.
    pub inherit_secrets: bool,
    /// The connections that a profile is narrowed to: ids, in which `*` is any text; `None` for all.
    pub only: Option<Vec<Spanned<Box<str>>>>,
}

/// A name bound to a secret store, or unbound.
#[derive(Debug)]
pub struct Binding {
    /// Where the name stands.
    pub span: Span,
    /// The URI; `None` takes the name away.
    pub uri: Option<Box<str>>,
    /// The URI itself is delivered, for a runtime that reads the store.
    pub by_reference: bool,
}

const WORKSPACE: &[&str] = &["tieline", "id", "name", "keys", "handles", "recipients", "vars", "policy", "rules"];
const ENVIRONMENT: &[&str] = &[
    "description",
    "extends",
    "abstract",
    "vars",
    "secrets",
    "keys",
    "recipients",
    "target",
    "publish",
    "protected",
    "guards",
];

const CUSTOMER: &[&str] = &["description", "environments", "connections", "vars", "secrets", "keys", "recipients"];
const PROFILE: &[&str] = &["description", "vars", "secrets", "keys", "recipients", "inherit_secrets", "connections"];
/// Of what differs for a customer in an environment.
const SUBLAYER: &[&str] = &["description", "vars", "secrets", "keys", "recipients"];

/// Reads `tieline.yaml`.
pub fn workspace(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Settings {
    let mut settings = Settings::default();
    let Some(mut fields) = Fields::new(node, "the workspace file", WORKSPACE, diagnostics) else { return settings };
    let top = Span { end: node.span.start, ..node.span };
    if let Some(version) = fields.require("tieline", top, "write `tieline: 1` at the top")
        && version.value.value != Value::Int(1)
    {
        let message = "this version of tieline reads format 1 only";
        let told = Diagnostic::error(code::INVALID_VALUE, version.value.span, message).help("write `tieline: 1`");
        fields.diagnostics().push(told);
    }
    fields.require(
        "id",
        top,
        "a UUID of its own ties bundles and references to this workspace; `uuidgen` prints a fresh one",
    );
    if let Some(id) = fields.string("id") {
        settings.id = Uuid::parse_str(id.value).ok();
        if settings.id.is_none() {
            let told = Diagnostic::error(code::INVALID_VALUE, id.span, "`id` is no UUID")
                .help("`uuidgen` prints a fresh one; keep it for the life of the workspace");
            fields.diagnostics().push(told);
        }
    }
    settings.name = fields.string("name").map(|s| s.value.into());
    settings.handles = handles(&mut fields);
    settings.rules = policy::rules(&mut fields);
    settings.policy = policy::policies(&mut fields);
    shared(&mut fields, &mut settings);
    settings
}

/// Reads `environment.yaml`.
pub fn environment(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Settings {
    let mut settings = Settings::default();
    let Some(mut fields) = Fields::new(node, "an environment", ENVIRONMENT, diagnostics) else { return settings };
    settings.description = fields.string("description").map(|s| Spanned { value: s.value.into(), span: s.span });
    settings.extends = fields.string("extends").map(|s| Spanned { value: s.value.into(), span: s.span });
    settings.is_abstract = fields.boolean("abstract").unwrap_or(false);
    settings.protected = fields.boolean("protected");
    settings.secrets = bindings(&mut fields);
    settings.target = deployment::target(&mut fields);
    settings.publish = deployment::publish(&mut fields);
    settings.guards = deployment::guards(&mut fields);
    shared(&mut fields, &mut settings);
    settings
}

/// Reads `customer.yaml`.
pub fn customer(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Settings {
    let mut settings = Settings::default();
    let Some(mut fields) = Fields::new(node, "a customer", CUSTOMER, diagnostics) else { return settings };
    settings.description = fields.string("description").map(|s| Spanned { value: s.value.into(), span: s.span });
    settings.environments = fields.texts("environments");
    settings.connections = fields.texts("connections").unwrap_or_default();
    settings.secrets = bindings(&mut fields);
    shared(&mut fields, &mut settings);
    settings
}

/// Reads `profile.yaml`.
pub fn profile(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Settings {
    let mut settings = Settings::default();
    let Some(mut fields) = Fields::new(node, "a profile", PROFILE, diagnostics) else { return settings };
    settings.description = fields.string("description").map(|s| Spanned { value: s.value.into(), span: s.span });
    settings.secrets = bindings(&mut fields);
    settings.inherit_secrets = fields.boolean("inherit_secrets").unwrap_or(false);
    settings.only = fields.texts("connections");
    shared(&mut fields, &mut settings);
    settings
}

/// Reads the `environment.yaml` of a customer.
pub fn sublayer(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Settings {
    let mut settings = Settings::default();
    let Some(mut fields) = Fields::new(node, "a layer of this kind", SUBLAYER, diagnostics) else { return settings };
    settings.description = fields.string("description").map(|s| Spanned { value: s.value.into(), span: s.span });
    settings.secrets = bindings(&mut fields);
    shared(&mut fields, &mut settings);
    settings
}

/// Keys of the language that this version does not act on: silence would let people trust them.
fn shared(fields: &mut Fields<'_>, settings: &mut Settings) {
    if let Some(vars) = fields.map("vars") {
        for entry in vars.iter() {
            check_name(&entry.key, entry.key_span, "a variable", fields.diagnostics());
        }
        settings.vars = vars.clone();
    }
    if let Some(keys) = fields.map("keys") {
        for entry in keys.iter() {
            names::check(&entry.key, entry.key_span, "a key", fields.diagnostics());
            let Value::String(key) = &entry.value.value else {
                fields.wrong(&entry.value, &entry.key, "an age or SSH public key");
                continue;
            };
            check_public_key(key, entry.value.span, fields.diagnostics());
            let key = Spanned { value: key.trim().into(), span: entry.value.span };
            settings.keys.insert(entry.key.clone(), key);
        }
    }
    settings.recipients = fields.texts("recipients");
    for recipient in settings.recipients.iter().flatten() {
        names::check(&recipient.value, recipient.span, "a recipient", fields.diagnostics());
    }
    if let (Some([]), Some(entry)) = (settings.recipients.as_deref(), fields.entry("recipients")) {
        let told = Diagnostic::error(code::INVALID_VALUE, entry.value.span, "`recipients` is empty")
            .help("name at least one of `keys`: what is sealed to nobody can't be opened");
        fields.diagnostics().push(told);
    }
}

/// Reads `handles`. A name without an account is told by `null`.
fn handles(fields: &mut Fields<'_>) -> BTreeMap<Box<str>, Option<Box<str>>> {
    let mut handles = BTreeMap::new();
    for entry in fields.map("handles").into_iter().flat_map(Map::iter) {
        names::check(&entry.key, entry.key_span, "an owner or recipient", fields.diagnostics());
        match &entry.value.value {
            Value::Null => drop(handles.insert(entry.key.clone(), None)),
            Value::String(account) if names::is_account(account) => {
                handles.insert(entry.key.clone(), Some(account.clone()));
            }
            Value::String(_) => {
                let told =
                    Diagnostic::error(code::INVALID_VALUE, entry.value.span, "this is not an account on a Git host")
                        .help("write \"@user\", \"@organization/team\" or a mail address; `null` for a machine");
                fields.diagnostics().push(told);
            }
            _ => fields.wrong(
                &entry.value,
                &entry.key,
                "an account: \"@user\", \"@organization/team\" or a mail address",
            ),
        }
    }
    handles
}

/// Names that expressions use: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn check_name(name: &str, span: Span, what: &str, diagnostics: &mut Vec<Diagnostic>) {
    if !is_name(name) {
        diagnostics.push(
            Diagnostic::error(code::INVALID_VALUE, span, format!("`{name}` can't be the name of {what}"))
                .help("letters, digits and `_`, not starting with a digit"),
        );
    }
}

fn check_public_key(key: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) {
    let key = key.trim();
    if key.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        diagnostics.push(
            Diagnostic::error(code::INVALID_PUBLIC_KEY, span, "this is a private key")
                .help("it is compromised once committed: make a new one, and write the public key (age1…) here"),
        );
        return;
    }
    if let Err(error) = key.parse::<Recipient>() {
        let message = match error.kind {
            ErrorKind::BadRecipient => "this is no age public key and no SSH public key".to_owned(),
            kind => kind.to_string(),
        };
        diagnostics.push(Diagnostic::error(code::INVALID_PUBLIC_KEY, span, message).help(
            "`age1…`, which `tieline keygen` and `age-keygen -y KEYFILE` print, or the line of an id_ed25519.pub",
        ));
    }
}

fn bindings(fields: &mut Fields<'_>) -> BTreeMap<Box<str>, Binding> {
    let mut bindings = BTreeMap::new();
    let Some(map) = fields.map("secrets") else { return bindings };
    for entry in map.iter() {
        check_name(&entry.key, entry.key_span, "a secret", fields.diagnostics());
        let from = entry.value.as_str().or_else(|| entry.value.get("from").and_then(Node::as_str));
        let fault = match (&entry.value.value, from.map(Address::parse)) {
            (Value::Null, _) | (_, Some(Ok(_))) => None,
            (_, Some(Err(form))) => Some(form),
            (_, None) => Some("write a URI such as vault://mount/path#field".to_owned()),
        };
        if let Some(form) = fault {
            let message = format!("`{}` is not bound to a secret store", entry.key);
            let told = Diagnostic::error(code::INVALID_VALUE, entry.value.span, message)
                .help(format!("{form}; values go into secrets.sops.yaml"));
            fields.diagnostics().push(told);
        }
        let by_reference = entry.value.as_map().is_some() && delivery(&entry.value, fields.diagnostics());
        let uri = match entry.value.value {
            Value::Null => None,
            // The name is known all the same: what uses it is not to blame.
            _ => Some(from.unwrap_or("").into()),
        };
        bindings.insert(entry.key.clone(), Binding { span: entry.key_span, uri, by_reference });
    }
    bindings
}

/// Checks the long form of a binding; whether the address itself is to be delivered.
fn delivery(node: &Node, told: &mut Vec<Diagnostic>) -> bool {
    let Some(mut fields) = Fields::new(node, "a binding", &["from", "delivery"], told) else { return false };
    let Some(delivery) = fields.string("delivery") else { return false };
    if !matches!(delivery.value, "resolve" | "reference") {
        let message = "there is no such delivery";
        let told = Diagnostic::error(code::INVALID_VALUE, delivery.span, message).help("`resolve` or `reference`");
        fields.diagnostics().push(told);
    }
    delivery.value == "reference"
}

fn mask_all(node: &Node, sources: &Sources) {
    match &node.value {
        Value::Null => {}
        Value::Map(map) => map.iter().for_each(|entry| mask_all(&entry.value, sources)),
        Value::List(items) => items.iter().for_each(|item| mask_all(item, sources)),
        _ => sources.mask(node.span),
    }
}

/// Forbids showing what should never have been written here: a private key under `keys`, a value under `secrets`.
pub fn mask(node: &Node, sources: &Sources) {
    let entries = |key: &str| node.get(key).and_then(Node::as_map).into_iter().flat_map(Map::iter);
    for entry in entries("keys") {
        if entry.value.as_str().is_some_and(|k| k.to_ascii_uppercase().contains("SECRET-KEY-")) {
            sources.mask(entry.value.span);
        }
    }
    for entry in entries("secrets") {
        let from = entry.value.as_str().or_else(|| entry.value.get("from").and_then(Node::as_str));
        // With the form of an address it is one, if not a right one; else somebody may have written the value.
        let address =
            from.is_some_and(|uri| uri.contains("://") || uri.starts_with("env:") || uri.starts_with("file:"));
        if entry.value.value != Value::Null && !address {
            sources.mask(entry.value.span);
        }
        // Beside an address, somebody may have written the value as well.
        let known = |key: &str| matches!(key, "from" | "delivery");
        for unknown in entry.value.as_map().into_iter().flat_map(Map::iter).filter(|entry| !known(&entry.key)) {
            mask_all(&unknown.value, sources);
        }
    }
}
