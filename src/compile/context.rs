//! One environment, ready to compile its connections: the stack of layers, the names, the logins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::customers;
use super::names::Names;
use crate::connectors::Catalogue;
use crate::diagnostic::Diagnostic;
use crate::model::credential::Credential;
use crate::overlay::Notes;
use crate::overlay::document::stack;
use crate::parallel;
use crate::rules::Judge;
use crate::rules::levels::Levels;
use crate::span::{FileId, Span};
use crate::template::{self, Scope};
use crate::value::{Map, Node, Value};
use crate::workspace::discover::Family;
use crate::workspace::layers::At;
use crate::workspace::{Document, Layer, Workspace};
use crate::world::allow::Allowed;

/// What compiling needs to know of one environment.
pub struct Context<'w> {
    /// The workspace.
    pub workspace: &'w Workspace,
    /// The connectors.
    pub catalogue: &'w Catalogue,
    /// The environment and profile.
    pub at: At,
    /// The customer whose instances are compiled; `None` for what all share.
    pub customer: Option<Arc<str>>,
    /// The layers, lowest first.
    pub stack: Vec<&'w Layer>,
    /// The connections that the profile is narrowed to.
    only: Option<Allowed>,
    /// The rules, at the workspace's levels.
    pub levels: &'w Levels,
    /// What expressions can name.
    pub names: &'w Names<'w>,
    /// The same, ready for evaluation.
    pub scope: Scope<'w>,
    /// The logins by id; `None` for one whose file can't be used, which was told.
    pub credentials: BTreeMap<Arc<str>, Option<Login>>,
}

/// The documents that a connection is made of in one environment.
pub struct Inputs<'w> {
    /// Its own, lowest first.
    documents: Vec<&'w Document>,
    /// Those of every credential that one of them links.
    credentials: Vec<&'w Document>,
}

/// A credential, evaluated.
pub struct Login {
    /// The credential.
    pub credential: Credential,
    /// An expression in it failed, which was told.
    pub incomplete: bool,
}

impl<'w> Context<'w> {
    /// Prepares an environment; its variables are in `names` already. For a customer, `links` are the credentials that its
    /// instances link: no others are looked at.
    pub fn new(
        workspace: &'w Workspace,
        (catalogue, levels): (&'w Catalogue, &'w Levels),
        at: &At,
        names: &'w Names<'w>,
        links: Option<&BTreeSet<Arc<str>>>,
        notes: &mut Notes,
    ) -> Self {
        let customer = names.customer();
        let stack = names.stack.clone();
        let scope = Scope::environment(&at.environment, customer, &names.vars, names);
        let only = stack.iter().rev().find_map(|layer| layer.settings.only.as_ref());
        let only = only.map(|ids| Allowed::of(&ids.iter().map(|id| id.value.to_string()).collect::<Vec<_>>()));
        let mut context = Self {
            workspace,
            catalogue,
            levels,
            at: at.clone(),
            customer: customer.map(Arc::from),
            stack,
            only,
            names,
            scope,
            credentials: BTreeMap::new(),
        };
        let left = if links.is_none() { customers::logins(workspace, at) } else { BTreeSet::new() };
        let narrowed = context.only.is_some().then(|| context.links());
        let is_in = |id: &Arc<str>| narrowed.as_ref().is_none_or(|links| links.contains(&**id));
        let wanted =
            |id: &Arc<str>| links.map_or_else(|| !left.contains(&**id), |links| links.contains(id)) && is_in(id);
        let ids: Vec<Arc<str>> = context.ids(Family::Credentials).into_iter().filter(wanted).collect();
        let logins = parallel::within(&ids, |_, id| {
            let mut notes = Notes::default();
            (context.login(id, &mut notes), notes)
        });
        let logins = logins.unwrap_or_else(|over| {
            let documents = context.documents(Family::Credentials, &ids[over.most.0]);
            let span = documents.first().map_or(Span::file(FileId(0)), |document| Span::file(document.file));
            notes.diagnostics.push(over.told(span, "this credential"));
            Vec::new()
        });
        for (id, (login, found)) in ids.into_iter().zip(logins) {
            notes.diagnostics.extend(found.diagnostics);
            notes.idle.extend(found.idle);
            context.credentials.insert(id, login);
        }
        context
    }

    /// Whether the profile leaves a connection out.
    pub fn leaves_out(&self, id: &str) -> bool {
        self.only.as_ref().is_some_and(|only| !only.has(id))
    }

    /// The credentials that some document of a connection links which the profile has.
    fn links(&self) -> BTreeSet<&'w str> {
        let documents = self.stack.iter().flat_map(|layer| &layer.connections).filter(|(id, _)| !self.leaves_out(id));
        documents.filter_map(|(_, document)| document.root.as_ref()?.get("credential")?.as_str()).collect()
    }

    /// Who judges by the rules.
    pub fn judge(&self) -> Judge<'w> {
        Judge::new(self.levels, &self.workspace.sources)
    }

    /// Every id of a family in this stack.
    pub fn ids(&self, family: Family) -> BTreeSet<Arc<str>> {
        self.stack.iter().flat_map(|layer| layer.family(family).keys().cloned()).collect()
    }

    /// The documents of one id, lowest first.
    pub fn documents(&self, family: Family, id: &str) -> Vec<&'w Document> {
        self.stack.iter().filter_map(|layer| layer.family(family).get(id)).collect()
    }

    /// The merged document of a credential or consumer; `None` where a file can't be used, which was told.
    pub fn merged(&self, family: Family, id: &str, notes: &mut Notes) -> Option<Node> {
        let mut merged: Option<Map> = None;
        let mut span = None;
        for document in self.documents(family, id) {
            let node = document.root.as_ref()?;
            // Whoever reads it tells that it is no map.
            let Value::Map(map) = &node.value else { return Some(node.clone()) };
            span.get_or_insert(node.span);
            merged = Some(stack(family, merged, map, notes));
        }
        Some(Node::new(span?, Value::Map(merged?)))
    }

    fn login(&self, id: &Arc<str>, notes: &mut Notes) -> Option<Login> {
        let document = self.merged(Family::Credentials, id, notes)?;
        let mut credential = Credential::read(id, document, &mut notes.diagnostics)?;
        let before = notes.diagnostics.len();
        if let Some(auth) = &mut credential.auth {
            template::evaluate(&mut auth.value, 1, &self.scope, &self.workspace.sources, &mut notes.diagnostics);
        }
        let incomplete = notes.diagnostics.len() > before;
        self.judge().credential(&credential, self.workspace.today, &mut notes.diagnostics);
        Some(Login { credential, incomplete })
    }

    /// Adds the environment's name to what was found in it.
    pub fn told(&self, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        for diagnostic in &mut diagnostics {
            diagnostic.environments.push(self.at.to_string().into());
            diagnostic.customers.extend(self.customer.clone());
        }
        diagnostics
    }

    /// What the connection `id` is made of here.
    pub fn inputs(&self, id: &str) -> Inputs<'w> {
        let documents = self.documents(Family::Connections, id);
        let linked = documents.iter().filter_map(|d| d.root.as_ref()?.get("credential")?.as_str());
        let linked: BTreeSet<&str> = linked.collect();
        let credentials = linked.into_iter().flat_map(|id| self.documents(Family::Credentials, id)).collect();
        Inputs { documents, credentials }
    }

    /// Whether a connection is made of the same inputs in two environments, so that it is the same in both: the same
    /// documents, and the same values behind every name that they use.
    pub fn same_inputs(&self, ours: &Inputs<'_>, other: &Self, theirs: &Inputs<'_>) -> bool {
        let same = |a: &[&Document], b: &[&Document]| a.iter().map(|d| d.file).eq(b.iter().map(|d| d.file));
        same(&ours.documents, &theirs.documents)
            && same(&ours.credentials, &theirs.credentials)
            && ours.documents.iter().chain(&ours.credentials).all(|document| self.same_names(other, document))
    }

    /// What tells inputs apart without comparing them: those that are the same have the same. `None` where a name means
    /// something else in each environment.
    pub fn fingerprint(&self, inputs: &Inputs<'_>) -> Option<Vec<u32>> {
        let documents = || inputs.documents.iter().chain(&inputs.credentials);
        let mut print: Vec<u32> = documents().map(|document| document.file.0).collect();
        for name in documents().flat_map(|document| names(document)) {
            match name.split_once('.') {
                Some(("vars", name)) => {
                    let written = self.names.variable(name.split('.').next().unwrap_or(name)).map(|node| node.span);
                    print.extend(written.map_or([u32::MAX; 3], |span| [span.file.0, span.start, span.end]));
                }
                Some(("secrets", name)) => {
                    self.names.source(name)?;
                    print.push(u32::from(self.names.by_reference(name)));
                }
                Some(("connection", _)) => {}
                _ => return None,
            }
        }
        Some(print)
    }

    fn same_names(&self, other: &Self, document: &Document) -> bool {
        names(document).iter().all(|name| match name.split_once('.') {
            Some(("vars", name)) => {
                let name = name.split('.').next().unwrap_or(name);
                self.names.variable(name) == other.names.variable(name)
            }
            Some(("secrets", name)) => {
                let known = self.names.source(name).is_some() && other.names.source(name).is_some();
                known && self.names.by_reference(name) == other.names.by_reference(name)
            }
            Some(("connection", _)) => true,
            _ => false,
        })
    }
}

/// The names that the expressions of a document use.
fn names(document: &Document) -> &[String] {
    document.names.get_or_init(|| document.root.as_ref().map(template::names_in).unwrap_or_default())
}
