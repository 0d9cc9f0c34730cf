//! A merged document -> a connection: its fixed keys read and checked, `config` and `auth` kept as trees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::span::{Span, Spanned};
use crate::template;
use crate::value::{Entry, Map, Node, Value};

use super::sealed::{self, Sealed};

/// Keys of a connection.
const KEYS: &[&str] = &[
    "connector",
    "title",
    "description",
    "owner",
    "labels",
    "config",
    "credential",
    "auth",
    "sealed",
    "key",
    "scope",
    "supplied_by",
    "expose",
    "protect",
    "enabled",
];

/// Those that hold no settings of its connector.
pub const LITERALS: &[&str] = &[
    "connector",
    "title",
    "description",
    "owner",
    "labels",
    "credential",
    "sealed",
    "key",
    "scope",
    "supplied_by",
    "expose",
    "protect",
    "enabled",
];

/// Keys whose values may hold expressions.
const EVALUATED: &[&str] = &["config", "auth", "title", "description", "labels"];

/// Whom a connection serves, and whose credentials it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// One connection, shared by all customers.
    #[default]
    Global,
    /// One for each customer, with credentials that the organization supplies.
    Organization,
    /// One for each customer, with credentials of the customer's.
    Customer,
}

impl Scope {
    /// The scope of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "global" => Some(Self::Global),
            "organization" => Some(Self::Organization),
            "customer" => Some(Self::Customer),
            _ => None,
        }
    }
}

/// What a connection is in one environment. There may be a hundred thousand; the instances of one share what is equal in
/// them.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id.
    pub id: Arc<str>,
    /// The connector's id.
    pub connector: Spanned<Arc<str>>,
    /// For people; may hold an expression until it is evaluated.
    pub title: Option<Arc<Node>>,
    /// For people.
    pub description: Option<Arc<Node>>,
    /// Whom to ask.
    pub owner: Option<Box<str>>,
    /// Free marks.
    pub labels: Option<Arc<Node>>,
    /// The credential that is linked.
    pub credential: Option<Spanned<Arc<str>>>,
    /// Fields that are secret here although the schema leaves them in clear, and those of its login.
    pub sealed: Vec<Sealed>,
    /// The stable key; the id unless set.
    pub key: Arc<str>,
    /// Whom it serves.
    pub scope: Scope,
    /// The customer whose instance this is.
    pub customer: Option<Arc<str>>,
    /// The customer types in the secrets: they are empty slots here.
    pub supplied_by_customer: bool,
    /// Who else may see it.
    pub expose: Vec<Box<str>>,
    /// Deleting, disabling and changing its connector are forbidden.
    pub protect: bool,
    /// Whether it is there at all.
    pub enabled: bool,
    /// The line that others are shown of it: where it is switched off, else its `key`, else its `connector`.
    pub place: Span,
    /// `{config, auth}`, what the connector's schema describes.
    pub instance: Arc<Node>,
    /// The literal keys as written: where each was set.
    pub literals: Arc<Map>,
}

impl Connection {
    /// Reads a merged document. `None` where it names no connector, which is told.
    pub fn read(id: &Arc<str>, document: Node, told: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut fields = Fields::new(&document, "a connection", KEYS, told)?;
        let top = top(&document);
        let connector = fields
            .require("connector", top, "name the kind of system: `connector: postgresql`")
            .and_then(|_| fields.string("connector"))?;
        let connector: Spanned<Arc<str>> = Spanned { value: connector.value.into(), span: connector.span };
        let owner = fields.string("owner").map(|s| s.value.into());
        let key_span = fields.entry("key").map(|e| e.value.span);
        let key = key(id, &mut fields);
        let credential = fields.string("credential").map(|s| Spanned { value: s.value.into(), span: s.span });
        let sealed = sealed::read(&mut fields, &["config", "auth"]);
        let protect = fields.boolean("protect").unwrap_or(false);
        let enabled = fields.boolean("enabled").unwrap_or(true);
        let expose = fields.texts("expose").unwrap_or_default().into_iter().map(|s| s.value).collect();
        let (scope, slots) = scope(&mut fields);
        if let (Some(credential), Some(auth)) = (fields.entry("credential"), fields.entry("auth")) {
            let message = "`credential` and `auth` exclude each other";
            let both = Diagnostic::error(code::INVALID_VALUE, auth.key_span, message)
                .also(credential.key_span, "linked here")
                .help("keep the linked credential, or the inline login");
            fields.diagnostics().push(both);
        }
        let blocks = ["config", "auth"].into_iter().all(|key| fields.entry(key).is_none() || fields.map(key).is_some());
        let switch = fields.entry("enabled").filter(|_| !enabled).map(|e| e.value.span);
        let literals = |e: &&Entry| KEYS.contains(&&*e.key) && !EVALUATED.contains(&&*e.key);
        for entry in document.as_map().into_iter().flat_map(Map::iter).filter(literals) {
            template::forbid(&entry.value, format_args!("`{}`", entry.key), told);
        }
        if !blocks || connector.value.contains(template::OPEN) {
            // Told; nothing that follows from it is.
            return None;
        }
        let mut map = match document.value {
            Value::Map(map) => map,
            _ => return None,
        };
        let mut take = |key: &str| map.remove(key).filter(|e| e.value.value != Value::Null);
        let (title, description, labels) = (take("title"), take("description"), take("labels"));
        let block = |entry: Option<Entry>, key: &str| {
            let absent = || Entry { key: key.into(), key_span: connector.span, value: empty(connector.span) };
            entry.filter(|e| e.value.as_map().is_some()).unwrap_or_else(absent)
        };
        let config = block(take("config"), "config");
        let auth = take("auth").filter(|e| e.value.as_map().is_some());
        let instance = Map::new(std::iter::once(config).chain(auth).collect());
        Some(Self {
            id: id.clone(),
            title: title.map(|e| Arc::new(e.value)),
            description: description.map(|e| Arc::new(e.value)),
            owner,
            labels: labels.map(|e| Arc::new(e.value)),
            credential,
            sealed,
            key,
            scope,
            customer: None,
            supplied_by_customer: slots,
            expose,
            protect,
            enabled,
            place: switch.or(key_span).unwrap_or(connector.span),
            instance: Arc::new(Node::new(connector.span, Value::Map(instance))),
            literals: Arc::new(map),
            connector,
        })
    }

    /// Shares each tree that equals that of another instance, so that memory holds it once.
    pub fn share(&mut self, other: &Self) {
        if self.instance == other.instance {
            self.instance.clone_from(&other.instance);
        }
        if self.literals == other.literals {
            self.literals.clone_from(&other.literals);
        }
        let texts = [&mut self.title, &mut self.description, &mut self.labels];
        for (own, other) in texts.into_iter().zip([&other.title, &other.description, &other.labels]) {
            if own == other {
                own.clone_from(other);
            }
        }
    }

    /// What stands at the top of its files and is no key there, which was told.
    pub fn strays(&self) -> impl Iterator<Item = &Entry> {
        self.literals.iter().filter(|entry| !KEYS.contains(&&*entry.key))
    }

    /// The JSON Pointers of `sealed`, those of its login among them, sorted.
    pub fn sealed_fields(&self) -> BTreeSet<&str> {
        self.sealed.iter().map(|sealed| &*sealed.pointer).collect()
    }

    /// What its record is filed under: its id, or `id@customer`.
    pub fn instance_id(&self) -> String {
        instance_id(&self.id, self.customer.as_deref())
    }

    /// What its reference is made of: its key, or `key@customer`.
    pub fn instance_key(&self) -> String {
        instance_id(&self.key, self.customer.as_deref())
    }

    /// A literal discriminator of the instance: `auth.mode`, `config.variant`.
    pub fn choice(&self, block: &str, switch: &str) -> &str {
        self.instance.get(block).and_then(|b| b.get(switch)).and_then(Node::as_str).unwrap_or("")
    }

    /// The labels as text.
    pub fn label_texts(&self) -> BTreeMap<&str, &str> {
        let entries = self.labels.as_ref().and_then(|node| node.as_map()).into_iter().flat_map(Map::iter);
        entries.filter_map(|e| Some((&*e.key, e.value.as_str()?))).collect()
    }

    /// Checks that what people read is text, once expressions are evaluated.
    pub fn check_texts(&self, told: &mut Vec<Diagnostic>) {
        // What failed to evaluate is null, and was told.
        let wrong = |node: &&Node| !matches!(node.value, Value::String(_) | Value::Null);
        let labels = self.labels.as_ref().and_then(|node| node.as_map()).into_iter().flat_map(Map::iter);
        let labels = labels.filter(|e| wrong(&&e.value)).map(|e| (format!("the label `{}`", e.key), &e.value));
        let texts = [("`title`", &self.title), ("`description`", &self.description)];
        let texts =
            texts.into_iter().filter_map(|(name, node)| Some((name.to_owned(), node.as_deref().filter(wrong)?)));
        if let Some(node) = self.labels.as_ref().filter(|n| n.as_map().is_none()) {
            told.push(Diagnostic::error(
                code::WRONG_TYPE,
                node.span,
                format!("`labels` is a map of text, this is {}", node.kind()),
            ));
        }
        for (name, node) in texts.chain(labels) {
            match &node.value {
                Value::Secret(_) => told.push(
                    Diagnostic::error(code::SECRET_IN_CLEAR, node.span, format!("a secret in {name}, which is shown"))
                        .help("secrets stand in secret fields of `config` and `auth` only"),
                ),
                _ => told.push(
                    Diagnostic::error(code::WRONG_TYPE, node.span, format!("{name} is text, this is {}", node.kind()))
                        .help("quote it"),
                ),
            }
        }
    }
}

/// `id`, or `id@customer` for the instance of a customer.
pub fn instance_id(id: &str, customer: Option<&str>) -> String {
    customer.map_or_else(|| id.to_owned(), |customer| format!("{id}@{customer}"))
}

fn empty(span: Span) -> Node {
    Node::new(span, Value::Map(Map::default()))
}

/// Where a missing key of a document is told: at its first key.
pub fn top(document: &Node) -> Span {
    document.as_map().and_then(|m| m.iter().next()).map_or(document.span, |e| e.key_span)
}

fn key(id: &Arc<str>, fields: &mut Fields<'_>) -> Arc<str> {
    let Some(key) = fields.string("key") else { return id.clone() };
    if !crate::workspace::discover::is_id(key.value) && !key.value.contains(template::OPEN) {
        let told = Diagnostic::error(code::INVALID_ID, key.span, "a key has the form of an id")
            .help("segments of lower-case letters, digits, `.`, `_` and `-`, joined by `/`");
        fields.diagnostics().push(told);
    }
    key.value.into()
}

/// `scope` and `supplied_by`; what is wrong with them is told.
fn scope(fields: &mut Fields<'_>) -> (Scope, bool) {
    let scope = fields.string("scope");
    let found = scope.as_ref().map_or(Some(Scope::Global), |scope| Scope::of(scope.value));
    if let (Some(scope), None) = (&scope, found) {
        let told = Diagnostic::error(code::INVALID_VALUE, scope.span, "there is no such scope")
            .help("`global` (one for all), `organization` or `customer` (one for each customer)");
        fields.diagnostics().push(told);
    }
    let supplied = fields.string("supplied_by");
    if let Some(supplied) = &supplied {
        let (message, help) = match (supplied.value, found) {
            ("organization" | "customer", Some(Scope::Customer) | None) => {
                return (found.unwrap_or_default(), supplied.value == "customer");
            }
            ("organization" | "customer", _) => (
                "`supplied_by` belongs to `scope: customer`",
                "with any other scope the organization supplies the credentials",
            ),
            _ => ("there is no such supplier", "`organization` or `customer`"),
        };
        let told = Diagnostic::error(code::INVALID_VALUE, supplied.span, message).help(help);
        fields.diagnostics().push(told);
    }
    (found.unwrap_or_default(), false)
}
