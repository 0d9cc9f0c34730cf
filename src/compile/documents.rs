//! Every document by itself: a secret in clear leaks from Git, whether what the document says is overridden, linked,
//! instantiated, enabled or not.
//!
//! For each connection and credential file of each layer: which connectors, variants and modes are in force where it
//! stands, without merging or evaluating anything, and what [`in_clear`] finds by them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::choices::{Below, Choice};
use super::sealed_fields::{Item, SealedFields};
use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::model::{connection, credential, sealed};
use crate::parallel;
use crate::rules::levels::Levels;
use crate::rules::{Judge, Rule, Text};
use crate::span::{FileId, Span};
use crate::validate::document::{Ground, InClear, Reason, in_clear, in_plain};
use crate::value::Node;
use crate::workspace::discover::Family;
use crate::workspace::layers::At;
use crate::workspace::{Layer, Workspace};

/// One document with what is chosen where it stands.
pub struct Standing<'w> {
    /// The layer that it belongs to.
    pub layer: &'w Layer,
    /// Connections or credentials.
    pub family: Family,
    /// Its id.
    pub id: &'w Arc<str>,
    /// Its tree.
    pub root: &'w Node,
    /// What is chosen, in each of the stacks that it can be part of.
    choices: Vec<Choice<'w>>,
    /// It takes part in no stack: every variant and mode counts.
    idle: bool,
}

/// All documents of a workspace, ready to be judged.
pub struct Documents<'w> {
    catalogue: &'w Catalogue,
    /// The documents, layer by layer.
    pub all: Vec<Standing<'w>>,
    /// Credential -> connector and variant of each connection that links it.
    links: HashMap<&'w str, BTreeSet<(&'w str, &'w str)>>,
    /// Connection -> the connectors that its files name, for those of which a file stands where none is named.
    named: HashMap<&'w str, BTreeSet<&'w str>>,
    /// The fields that are sealed, where some are.
    sealed: SealedFields<'w>,
    /// Mode -> what decides where no connector is known, once somebody asks; under no mode, all logins.
    logins: Mutex<BTreeMap<String, Option<Ground>>>,
}

impl<'w> Documents<'w> {
    /// Collects them.
    pub fn new(workspace: &'w Workspace, catalogue: &'w Catalogue) -> Self {
        let with_items = |layer: &&Layer| !layer.connections.is_empty() || !layer.credentials.is_empty();
        let layers: Vec<&Layer> = workspace.layers().filter(with_items).collect();
        let everywhere = workspace.everywhere();
        let below = parallel::map(&layers, |_, layer| Below::of(workspace, &everywhere, layer));
        let families = [Family::Connections, Family::Credentials];
        let items = layers.iter().zip(&below).flat_map(|(layer, below)| {
            let of = move |family| layer.family(family).iter().map(move |(id, document)| (family, id, document));
            families.into_iter().flat_map(of).map(move |item| (*layer, below, item))
        });
        let items: Vec<_> = items.collect();
        let all = parallel::map(&items, |_, (layer, below, (family, id, document))| {
            Some(Standing::new(layer, below, (*family, id), document.root.as_ref()?))
        });
        let all: Vec<Standing<'_>> = all.into_iter().flatten().collect();
        let (links, named) = (links(&all), connectors(&all));
        let sealed = SealedFields::new(all.iter().map(Standing::item), layers.into_iter().zip(below), || linking(&all));
        Self { catalogue, all, links, named, sealed, logins: Mutex::default() }
    }

    /// None: for what stands alone, in a commit for example.
    pub fn none(catalogue: &'w Catalogue) -> Self {
        let (links, named) = (HashMap::new(), HashMap::new());
        Self { catalogue, all: Vec::new(), links, named, sealed: SealedFields::default(), logins: Mutex::default() }
    }

    /// What decides in a document.
    pub fn ground(&self, standing: &Standing<'w>) -> Option<Ground> {
        let ground = self.decide(standing.family, standing.id, &standing.choices, standing.idle);
        Ground::sealing(ground, &self.sealed.of(standing.item()))
    }

    /// The same for a document of which nobody knows what lay below it: every connector counts for one that names none.
    pub fn ground_alone(&self, family: Family, root: &Node) -> Option<Ground> {
        let choice = Choice::of(std::iter::empty(), root);
        if family == Family::Connections && choice.connector.is_none() {
            return Ground::union(self.connectors().map(|connector| Ground::new(connector, "", "")));
        }
        Ground::sealing(self.decide(family, "", &[choice], false), &sealed::named(root))
    }

    fn decide(&self, family: Family, id: &str, choices: &[Choice<'_>], idle: bool) -> Option<Ground> {
        let mut asked: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
        for choice in choices {
            match (family, choice.connector) {
                (Family::Credentials, _) => match self.links.get(id) {
                    // Who links it, else whom it is for.
                    Some(links) => asked.extend(links.iter().map(|(id, variant)| (*id, *variant, choice.mode))),
                    None => asked.extend(choice.accepted.iter().map(|id| (*id, "", choice.mode))),
                },
                (_, Some(connector)) => {
                    asked.insert((connector, choice.variant, choice.mode));
                }
                (_, None) => {
                    let named = self.named.get(id).into_iter().flatten();
                    asked.extend(named.map(|connector| (*connector, "", "")));
                }
            }
        }
        let ground = |(id, variant, mode): (&str, &str, &str)| {
            let connector = self.catalogue.get(id)?.ok()?;
            Some(if idle { Ground::new(connector, "", "") } else { Ground::new(connector, variant, mode) })
        };
        Ground::union(asked.into_iter().filter_map(ground)).or_else(|| self.any_login(choices))
    }

    /// Every connector that can be used.
    fn connectors(&self) -> impl Iterator<Item = &'w Connector> {
        let catalogue = self.catalogue;
        catalogue.ids().filter_map(|id| catalogue.get(id)?.ok())
    }

    /// Without a known connector: the logins of every connector that has such a mode, or all.
    fn any_login(&self, choices: &[Choice<'_>]) -> Option<Ground> {
        let modes: BTreeSet<&str> = choices.iter().map(|choice| choice.mode).filter(|mode| !mode.is_empty()).collect();
        let grounds: Vec<Ground> = modes.iter().filter_map(|mode| self.login(mode)).collect();
        Ground::union(grounds).or_else(|| self.login(""))
    }

    fn login(&self, mode: &str) -> Option<Ground> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = logins.get(mode) {
            return known.clone();
        }
        let has = |connector: &&Connector| mode.is_empty() || connector.choices("/auth/mode").iter().any(|m| m == mode);
        let grounds = self.connectors().filter(has).map(|connector| Ground::new(connector, "", mode).of_login());
        let ground = Ground::union(grounds);
        logins.insert(mode.to_owned(), ground.clone());
        ground
    }
}

impl<'w> Standing<'w> {
    fn new(layer: &'w Layer, below: &Below<'w>, (family, id): (Family, &'w Arc<str>), root: &'w Node) -> Self {
        let choice =
            |stack: &Vec<&'w Layer>| Choice::of(stack.iter().filter_map(|layer| layer.family(family).get(id)), root);
        let mut choices: Vec<Choice<'_>> = below.stacks.iter().map(choice).collect();
        choices.sort_unstable();
        choices.dedup();
        let lists = |customer: &Layer| customer.settings.connections.iter().any(|listed| *listed.value == **id);
        let unlisted = family == Family::Connections && below.customer.is_some_and(|customer| !lists(customer));
        Self { layer, family, id, root, choices, idle: below.orphaned || unlisted }
    }

    fn item(&self) -> Item<'w> {
        Item { layer: &self.layer.path, family: self.family, id: self.id, root: self.root }
    }

    /// What stands in it in clear; quiet where `told` knows a key above it.
    pub fn in_clear(&self, ground: Option<&Ground>, told: &dyn Fn(Span) -> bool) -> Vec<InClear<'w>> {
        in_clear(self.root, literals(self.family), ground, told)
    }
}

/// The keys of a document that hold no settings.
pub fn literals(family: Family) -> &'static [&'static str] {
    match family {
        Family::Credentials => credential::LITERALS,
        _ => connection::LITERALS,
    }
}

fn links<'w>(all: &[Standing<'w>]) -> HashMap<&'w str, BTreeSet<(&'w str, &'w str)>> {
    let mut links: HashMap<&str, BTreeSet<(&str, &str)>> = HashMap::new();
    let choices = all.iter().filter(|s| s.family == Family::Connections).flat_map(|s| &s.choices);
    for choice in choices {
        if let (Some(credential), Some(connector)) = (choice.credential, choice.connector) {
            links.entry(credential).or_default().insert((connector, choice.variant));
        }
    }
    links
}

/// Credential -> the connections that link it, in any stack.
fn linking<'w>(all: &[Standing<'w>]) -> HashMap<&'w str, BTreeSet<&'w str>> {
    let mut links: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for standing in all.iter().filter(|s| s.family == Family::Connections) {
        for credential in standing.choices.iter().filter_map(|choice| choice.credential) {
            links.entry(credential).or_default().insert(standing.id);
        }
    }
    links
}

fn connectors<'w>(all: &[Standing<'w>]) -> HashMap<&'w str, BTreeSet<&'w str>> {
    let connections = || all.iter().filter(|s| s.family == Family::Connections);
    let nameless = connections().filter(|s| s.choices.iter().any(|choice| choice.connector.is_none()));
    let mut connectors: HashMap<&str, BTreeSet<&str>> =
        nameless.map(|standing| (&**standing.id, BTreeSet::new())).collect();
    if !connectors.is_empty() {
        for standing in connections() {
            if let Some(named) = connectors.get_mut(&**standing.id) {
                named.extend(standing.choices.iter().filter_map(|choice| choice.connector));
            }
        }
    }
    connectors
}

/// What stands in clear in the documents that `at` is made of, or in all. What `told` has already is not told again.
pub fn check(
    workspace: &Workspace,
    catalogue: &Catalogue,
    levels: &Levels,
    at: Option<&At>,
    told: &[Diagnostic],
) -> Vec<Diagnostic> {
    let documents = Documents::new(workspace, catalogue);
    let told = Told::new(told);
    let layers: Option<HashSet<&str>> = at.map(|at| {
        let customers =
            workspace.customers_in(&at.environment).flat_map(|(name, _)| workspace.customer_layers(at, name));
        workspace.stack(at).into_iter().chain(customers).map(|layer| &*layer.path).collect()
    });
    let wanted = |layer: &Layer| layers.as_ref().is_none_or(|layers| layers.contains(&*layer.path));
    let found = parallel::map(&documents.all, |_, standing| {
        if !wanted(standing.layer) {
            return Vec::new();
        }
        let ground = documents.ground(standing);
        let mut found = standing.in_clear(ground.as_ref(), &|key| told.unknown.contains(&key));
        found.dedup_by_key(|found| found.node.span);
        found
    });
    let judge = Judge::new(levels, &workspace.sources);
    let mut news = Vec::new();
    let layers = workspace.layers().filter(|layer| wanted(layer));
    let variables = layers.flat_map(|layer| in_plain(&layer.settings.vars, "vars"));
    for found in found.into_iter().flatten().chain(variables) {
        found.mask(&workspace.sources);
        if !found.quiet && !told.has(&found) {
            match found.told() {
                plain if plain.code == code::PLAINTEXT_SECRET => news.push(plain),
                named => judge.beside(named, &mut news),
            }
        }
    }
    news.extend(shapes(workspace, &judge, &wanted));
    news
}

/// What looks like a secret by its own form, in each file of these layers.
fn shapes(workspace: &Workspace, judge: &Judge<'_>, wanted: &impl Fn(&Layer) -> bool) -> Vec<Diagnostic> {
    let families = [Family::Connections, Family::Credentials, Family::Consumers];
    let layers = workspace.layers().filter(|layer| wanted(layer));
    let files = layers.flat_map(|layer| families.map(|family| layer.family(family).iter().map(move |d| (family, d))));
    let files: Vec<_> = files.flatten().collect();
    let told = parallel::map(&files, |_, (family, (id, document))| {
        let mut told = Vec::new();
        document.root.iter().for_each(|root| judge.document(*family, id, root, &mut told));
        told
    });
    let mut told: Vec<Diagnostic> = told.into_iter().flatten().collect();
    for settings in workspace.layers().filter(|layer| wanted(layer)).map(|layer| &layer.settings) {
        judge.variables(&settings.vars, &mut told);
        let description = settings.description.iter();
        description.for_each(|text| judge.text(&Text { span: text.span, text: &text.value, pointer: "" }, &mut told));
    }
    told
}

/// What was told of merged and evaluated connections: one cause, one diagnostic.
struct Told {
    /// Values, and the keys that they are used for.
    plain: HashSet<Span>,
    /// Keys that nobody knows.
    unknown: HashSet<Span>,
    /// Where an error was told.
    starts: BTreeSet<(FileId, u32)>,
}

impl Told {
    fn new(told: &[Diagnostic]) -> Self {
        let of = |code: &'static str| told.iter().filter(move |d| d.code == code);
        // What has a level, or an excuse, hides nothing.
        let hides = |d: &&Diagnostic| d.severity == Severity::Error && Rule::of(d.code).is_none();
        Self {
            plain: of(code::PLAINTEXT_SECRET).flat_map(|d| d.labels.iter().map(|label| label.span)).collect(),
            unknown: of(code::UNKNOWN_KEY).filter_map(Diagnostic::span).collect(),
            starts: told
                .iter()
                .filter(hides)
                .filter_map(Diagnostic::span)
                .map(|span| (span.file, span.start))
                .collect(),
        }
    }

    fn has(&self, found: &InClear<'_>) -> bool {
        let span = found.node.span;
        // What is wrong with an expression hides what it gives.
        let faulty = || self.starts.range((span.file, span.start)..(span.file, span.end)).next().is_some();
        let named = || found.reason == Reason::Named && self.starts.contains(&(span.file, span.start));
        self.plain.contains(&span)
            || named()
            || (self.plain.contains(&found.key) && found.is_expression())
            || (found.node.as_str().is_some_and(|text| text.contains(crate::template::OPEN)) && faulty())
    }
}
