//! The instances of customers: every connection that is not global, once for each customer that lists it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::connection::{self, Outcome, State};
use super::context::Context;
use super::names::Names;
use super::states::States;
use super::{references, shared};
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::model::connection::{Connection, Scope};
use crate::overlay::{Idle, Notes};
use crate::parallel::{self, First};
use crate::rules::facts::Facts;
use crate::rules::levels::Levels;
use crate::span::{FileId, Span, Spanned};
use crate::value::Node;
use crate::workspace::discover::Family;
use crate::workspace::layers::At;
use crate::workspace::{Document, Layer, Workspace};

/// What one customer has in an environment.
pub struct Instances {
    /// The customer.
    pub customer: Arc<str>,
    /// Its connections, as far as they could be read.
    pub connections: Vec<Connection>,
    /// The same for comparing, without those that are switched off.
    pub facts: Vec<Facts>,
    /// Problems, with the names of the environment and customer.
    pub diagnostics: Vec<Diagnostic>,
    /// Patches without effect here.
    pub idle: Vec<Idle>,
}

/// What is kept of instances: there may be a hundred thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The connections themselves.
    Connections,
    /// What was found, and what rules compare.
    Findings,
}

/// Compiles the instances of every customer of an environment.
///
/// # Errors
/// The budget of the run is used up; the error names the customer that used most of it.
pub fn compile(
    workspace: &Workspace,
    ground: (&Catalogue, &Levels),
    at: &At,
    states: &States,
    keep: Keep,
) -> Result<Vec<Instances>, Box<Diagnostic>> {
    let customers: Vec<(&Arc<str>, &Layer)> = workspace.customers_in(&at.environment).collect();
    let like = First::new(states.keys().map(|id| &**id));
    let one = |_, (name, layer): &(&Arc<str>, &Layer)| {
        let mut instances = instances(workspace, ground, at, states, (name, layer));
        match keep {
            Keep::Findings => instances.connections = Vec::new(),
            Keep::Connections => {
                for connection in &mut instances.connections {
                    like.get(&connection.id, connection).into_iter().for_each(|first| connection.share(first));
                }
            }
        }
        instances
    };
    parallel::within(&customers, one).map_err(|over| {
        let (name, layer) = customers[over.most.0];
        let file = layer.settings_file.unwrap_or(FileId(0));
        Box::new(over.told(Span::file(file), format_args!("the customer `{name}`")))
    })
}

fn instances(
    workspace: &Workspace,
    ground: (&Catalogue, &Levels),
    at: &At,
    states: &States,
    (customer, layer): (&Arc<str>, &Layer),
) -> Instances {
    let mut notes = Notes::default();
    let names = Names::new(workspace, at, Some(customer), &mut notes);
    let listed: Vec<_> = listed(workspace, at, layer).collect();
    let links: BTreeSet<Arc<str>> = listed
        .iter()
        .flat_map(|(listed, _)| documents(workspace, at, Some(customer), &listed.value))
        .filter_map(|document| Some(Arc::from(link(document)?)))
        .collect();
    let context = Context::new(workspace, ground, at, &names, Some(&links), &mut notes);
    let mut connections = Vec::with_capacity(listed.len());
    let mut all_facts = Vec::with_capacity(listed.len());
    for (listed, kind) in &listed {
        match kind {
            Kind::Instance => {
                let id = Arc::from(&*listed.value);
                let Outcome { connection, notes: found, facts, state } = connection::compile(&context, &id);
                notes.diagnostics.extend(found.diagnostics);
                notes.idle.extend(found.idle);
                if let State::Known { references, .. } = &state {
                    let told = &mut notes.diagnostics;
                    references.iter().for_each(|reference| references::one(&context, states, &id, reference, told));
                }
                connections.extend(connection);
                all_facts.extend(facts);
            }
            Kind::Global(place) => notes.diagnostics.push(global_listed(customer, listed, *place)),
            Kind::Absent => {}
        }
    }
    compare(&context, ground, &links, &connections, &mut notes.diagnostics);
    unlisted(&context, layer, &mut notes.diagnostics);
    global_logins(&context, layer, &mut notes.diagnostics);
    let diagnostics = context.told(notes.diagnostics);
    Instances { customer: customer.clone(), connections, facts: all_facts, diagnostics, idle: notes.idle }
}

/// Holds the instances against what they are without the customer's layers.
fn compare(
    context: &Context<'_>,
    ground: (&Catalogue, &Levels),
    links: &BTreeSet<Arc<str>>,
    connections: &[Connection],
    told: &mut Vec<Diagnostic>,
) {
    let connector = |connection: &Connection| ground.0.get(&connection.connector.value).and_then(Result::ok);
    let concerned = connections.iter().filter_map(|connection| Some((connection, connector(connection)?)));
    let concerned: Vec<_> = concerned.filter(|(one, connector)| shared::concerns(context, one, connector)).collect();
    let Some(customer) = context.customer.as_deref().filter(|_| !concerned.is_empty()) else { return };
    let names = Names::shared(context.workspace, &context.at, customer);
    let base = Context::new(context.workspace, ground, &context.at, &names, Some(links), &mut Notes::default());
    for (own, connector) in concerned {
        let without = connection::compile(&base, &own.id).connection;
        shared::check(context, (own, without.as_ref()), connector, told);
    }
}

/// Credentials of which a customer changes one that no instance of its own links.
fn global_logins(context: &Context<'_>, customer: &Layer, told: &mut Vec<Diagnostic>) {
    // In any environment, and before any layer displaces a link.
    let listed = || customer.settings.connections.iter().map(|listed| &*listed.value);
    let documents = context.workspace.layers().flat_map(|layer| listed().filter_map(|id| layer.connections.get(id)));
    let links: BTreeSet<&str> = documents.filter_map(link).collect();
    let (own, others): (Vec<&Layer>, Vec<&Layer>) =
        context.stack.iter().copied().partition(|layer| layer.is_customers());
    for (id, document) in own.iter().flat_map(|layer| &layer.credentials).filter(|(id, _)| !links.contains(&***id)) {
        let below = others.iter().rev().find_map(|layer| layer.credentials.get(id));
        let (Some(below), Some(node)) = (below, &document.root) else { continue };
        let message =
            format!("the credential `{id}` is linked by no connection of this customer: a customer can't change it");
        let mut fault = Diagnostic::error(code::CUSTOMER_SCOPE, Span { end: node.span.start, ..node.span }, message)
            .help("remove this file; or link the credential from a connection that the customer lists");
        if let Some(below) = &below.root {
            fault = fault.also(Span { end: below.span.start, ..below.span }, "one for all customers");
        }
        told.push(fault);
    }
}

/// What a connection is that a customer lists.
enum Kind {
    /// It has an instance.
    Instance,
    /// It is one for all; where that is said.
    Global(Span),
    /// This environment does not have it.
    Absent,
}

/// What a customer lists, and what each is in an environment.
fn listed<'w>(
    workspace: &'w Workspace,
    at: &At,
    layer: &'w Layer,
) -> impl Iterator<Item = (&'w Spanned<Box<str>>, Kind)> {
    let mut seen = BTreeSet::new();
    let once = layer.settings.connections.iter().filter(move |c| seen.insert(&*c.value));
    once.map(|connection| {
        let documents = documents(workspace, at, Some(layer.name()), &connection.value);
        let kind = match documents.first() {
            None => Kind::Absent,
            Some(lowest) if scope(lowest) == Scope::Global => Kind::Global(place(lowest)),
            Some(_) => Kind::Instance,
        };
        (connection, kind)
    })
}

fn documents<'w>(workspace: &'w Workspace, at: &At, customer: Option<&str>, id: &str) -> Vec<&'w Document> {
    let stack = workspace.stack_of(at, customer).into_iter();
    stack.filter_map(|layer| layer.family(Family::Connections).get(id)).collect()
}

/// The scope that a connection's lowest layer gives it, as written there.
pub fn scope(lowest: &Document) -> Scope {
    let written = lowest.root.as_ref().and_then(|root| root.get("scope")?.as_str());
    written.and_then(Scope::of).unwrap_or_default()
}

fn place(document: &Document) -> Span {
    let root = document.root.as_ref();
    let said = root.and_then(|root| root.get("scope").or_else(|| root.get("connector")));
    said.map_or(Span::file(document.file), |node| node.span)
}

fn link(document: &Document) -> Option<&str> {
    document.root.as_ref()?.get("credential").and_then(Node::as_str)
}

/// The credentials that only connections of customers link: they are evaluated in their instances, where the customer
/// and its secrets are known.
pub fn logins<'w>(workspace: &'w Workspace, at: &At) -> BTreeSet<&'w str> {
    let (mut customers, mut shared) = (BTreeSet::new(), BTreeSet::new());
    if workspace.customers.is_empty() {
        return customers;
    }
    let stack = workspace.stack(at);
    let ids: BTreeSet<&Arc<str>> = stack.iter().flat_map(|layer| layer.connections.keys()).collect();
    for id in ids {
        let mut documents = stack.iter().filter_map(|layer| layer.connections.get(id)).peekable();
        let global = documents.peek().is_none_or(|lowest| scope(lowest) == Scope::Global);
        let links = documents.filter_map(link);
        if global { shared.extend(links) } else { customers.extend(links) }
    }
    customers.retain(|id| !shared.contains(id));
    customers
}

fn global_listed(customer: &str, listed: &Spanned<Box<str>>, place: Span) -> Diagnostic {
    let message = format!("`{customer}` lists `{}`, which is global: one connection for all customers", listed.value);
    Diagnostic::error(code::CUSTOMER_SCOPE, listed.span, message)
        .also(place, "this connection")
        .help("remove it from the list; or give the connection `scope: customer` or `scope: organization`")
}

/// Connection files of a customer that no instance of its is made of.
fn unlisted(context: &Context<'_>, layer: &Layer, told: &mut Vec<Diagnostic>) {
    let lists = |id: &str| layer.settings.connections.iter().any(|c| &*c.value == id);
    let Some(customer) = context.customer.as_ref().filter(|_| !layer.unusable) else { return };
    for above in context.stack.iter().filter(|l| l.is_customers()) {
        for (id, document) in above.connections.iter().filter(|(id, _)| !lists(id)) {
            let Some(node) = &document.root else { continue };
            let lowest = context.documents(Family::Connections, id).into_iter().next();
            let shared = lowest.filter(|lowest| lowest.file != document.file && scope(lowest) == Scope::Global);
            let at = Span { end: node.span.start, ..node.span };
            told.push(match shared {
                Some(lowest) => Diagnostic::error(
                    code::CUSTOMER_SCOPE,
                    at,
                    format!("the connection `{id}` is global: a customer can't change it"),
                )
                .also(place(lowest), "one for all customers")
                .help(
                    "remove this file; or give the connection `scope: customer` or `scope: organization`, and list \
                     it in each customer.yaml",
                ),
                None => unlisted_one(customer, id, layer, at),
            });
        }
    }
}

fn unlisted_one(customer: &str, id: &str, layer: &Layer, at: Span) -> Diagnostic {
    let near = nearest(id, layer.settings.connections.iter().map(|c| &*c.value));
    let help = match near {
        Some(near) => format!("did you mean `{near}`? the file's path is the connection's id"),
        None => format!("add it to {}: `connections: [{id}]`", layer.file("customer.yaml")),
    };
    Diagnostic::error(code::OVERLAYS_NOTHING, at, format!("`{customer}` does not list the connection `{id}`"))
        .help(help)
}

/// Whether a file has a part in what a customer has in an environment.
pub fn takes_part(workspace: &Workspace, at: &At, (name, layer): (&Arc<str>, &Layer), file: FileId) -> bool {
    let stack = workspace.stack_of(at, Some(name));
    if stack.iter().any(|layer| layer.settings_file == Some(file)) {
        return true;
    }
    let instances = listed(workspace, at, layer).filter(|(_, kind)| matches!(kind, Kind::Instance));
    let mut files = instances.flat_map(|(listed, _)| documents(workspace, at, Some(name), &listed.value));
    files.any(|document| {
        let login = |id: &str| stack.iter().any(|l| l.credentials.get(id).is_some_and(|d| d.file == file));
        document.file == file || link(document).is_some_and(login)
    })
}

/// Connections for customers that none of them lists anywhere: nothing is ever compiled of them.
pub fn without(workspace: &Workspace) -> Vec<Diagnostic> {
    let lists = |id: &str| workspace.customers.values().any(|c| c.settings.connections.iter().any(|l| &*l.value == id));
    let layers = std::iter::once(&workspace.root).chain(workspace.environments.values());
    let lowest = layers.flat_map(|layer| &layer.connections).filter(|(_, document)| scope(document) != Scope::Global);
    let alone = lowest.filter(|(id, _)| !lists(id));
    alone
        .map(|(id, document)| {
            let message = format!("no customer has `{id}`: nothing is compiled of it");
            Diagnostic::warning(code::NO_CUSTOMER, place(document), message)
                .help(format!("list it in a customer's settings: customers/NAME/customer.yaml, `connections: [{id}]`"))
        })
        .collect()
}
