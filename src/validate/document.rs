//! One document by itself: the values that stand in clear where a secret belongs. Whether another layer overrides them, and
//! whether anything is compiled of the document, does not matter: what stands in Git is what leaks.
//!
//! Takes the unevaluated tree of a file and what decides there (a [`Ground`]), gives what it has [`InClear`].

use std::sync::Arc;

use super::placement::plaintext;
use super::{mask_literals, suggested};
use crate::connectors::Connector;
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code, sounds_about_secret, sounds_secret};
use crate::source::Sources;
use crate::span::Span;
use crate::template;
use crate::value::path::dotted;
use crate::value::{Map, Node, Value, push_segment};

/// What decides in a document: the secret places of a connector, or of several.
#[derive(Clone)]
pub struct Ground {
    /// In the variants and modes in force.
    chosen: Arc<Places>,
    /// In any variant and mode: for fields that those in force don't have.
    any: Arc<Places>,
    /// It decides about `auth`, and nothing else.
    login: bool,
}

impl Ground {
    /// A connector in this variant and mode; an empty string is any.
    pub fn new(connector: &Connector, variant: &str, mode: &str) -> Self {
        Self { chosen: connector.places(variant, mode), any: connector.places("", ""), login: false }
    }

    /// The same for its logins alone, where nobody knows which connector is meant.
    #[must_use]
    pub fn of_login(self) -> Self {
        Self { login: true, ..self }
    }

    /// The same where these fields, as JSON Pointers, are secret too.
    pub fn sealing(ground: Option<Self>, pointers: &[String]) -> Option<Self> {
        if pointers.is_empty() {
            return ground;
        }
        let nothing = || Self { chosen: Arc::default(), any: Arc::default(), login: false };
        let sealing = |places: &Places| Arc::new(places.sealing(pointers.iter().map(String::as_str)));
        let ground = ground.unwrap_or_else(nothing);
        Some(Self { chosen: sealing(&ground.chosen), any: sealing(&ground.any), ..ground })
    }

    /// All of these: secret by any is secret. `None` where there is none.
    pub fn union(grounds: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut grounds: Vec<Self> = grounds.into_iter().collect();
        // By pairs: one after the other, what there is would be copied for each.
        while grounds.len() > 1 {
            grounds = grounds.chunks(2).map(|pair| pair[0].with(pair.get(1))).collect();
        }
        grounds.pop()
    }

    fn with(&self, other: Option<&Self>) -> Self {
        let both = |a: &Arc<Places>, b: &Arc<Places>| if a == b { Arc::clone(a) } else { Arc::new(a.union(b)) };
        other.map_or_else(
            || self.clone(),
            |other| Self {
                chosen: both(&self.chosen, &other.chosen),
                any: both(&self.any, &other.any),
                login: self.login && other.login,
            },
        )
    }

    /// The places of a block, if it decides there.
    fn block(&self, block: &str) -> Option<Pair<'_>> {
        let decides = block == "auth" || (block == "config" && !self.login);
        Pair { chosen: Some(&self.chosen), any: Some(&self.any), free: false, takes: false }
            .below(block)
            .filter(|_| decides)
    }

    /// Whether what stands at a pointer is the same for all customers.
    pub fn is_global(&self, pointer: &str) -> bool {
        self.chosen.is_global(pointer)
    }
}

/// Why a value is taken for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A schema marks its field.
    Marked,
    /// No schema knows the field, or only as one of any name, and its name says so.
    Named,
}

/// A value in clear that should be a secret.
#[derive(Clone, Debug)]
pub struct InClear<'n> {
    /// The value; behind an alias, that of its anchor.
    pub node: &'n Node,
    /// The key that it stands behind; for an item of a list, the item.
    pub key: Span,
    /// The JSON Pointer of the field.
    pub pointer: String,
    /// Why.
    pub reason: Reason,
    /// It stands within something unknown that was told already: told again, one mistake would be two.
    pub quiet: bool,
    /// It stands in a `$remove`: what it removes is a secret.
    pub removed: bool,
    /// No secret can stand in its place.
    pub stuck: bool,
}

/// Finds what stands in clear in a document, in the order of its text; a value that aliases repeat once for each. `literals`
/// are keys at the top that hold no settings. What stands behind a key that `told` knows is quiet. Without a ground, names
/// decide.
pub fn in_clear<'n>(
    root: &'n Node,
    literals: &[&str],
    ground: Option<&Ground>,
    told: &dyn Fn(Span) -> bool,
) -> Vec<InClear<'n>> {
    let mut walk = Walk::new(told);
    match &root.value {
        Value::Map(map) => {
            for entry in map.iter().filter(|entry| !literals.contains(&&*entry.key) || &*entry.key == LABELS) {
                let here = ground.and_then(|ground| ground.block(&entry.key));
                walk.plain = &*entry.key == LABELS;
                walk.entry(&entry.key, entry.key_span, &entry.value, here, false);
            }
        }
        _ => walk.visit(root, Key { text: "", span: root.span }, None, false),
    }
    walk.found()
}

/// Likewise in a map that no schema knows and in which no secret can stand: the variables of a layer, the settings of a
/// consumer. `name` is how it is called in its file. Names decide, and below `auth` all that is not about the secret.
pub fn in_plain<'n>(map: &'n Map, name: &str) -> Vec<InClear<'n>> {
    let mut walk = Walk::new(&|_| false);
    walk.plain = true;
    push_segment(&mut walk.pointer, name);
    for entry in map.iter() {
        walk.entry(&entry.key, entry.key_span, &entry.value, None, false);
    }
    walk.found()
}

/// The one key without settings whose own keys are anybody's.
const LABELS: &str = "labels";

impl InClear<'_> {
    /// Forbids showing the value.
    pub fn mask(&self, sources: &Sources) {
        if self.is_expression() {
            mask_literals(self.node.span, sources);
        } else {
            sources.mask(self.node.span);
        }
    }

    /// Whether it is an expression that names no secret, rather than a value.
    pub fn is_expression(&self) -> bool {
        self.node.as_str().is_some_and(template::is_expression)
    }

    /// What is told of it.
    pub fn told(&self) -> Diagnostic {
        let (field, name) = (dotted(&self.pointer), suggested(&self.pointer));
        if self.reason == Reason::Named {
            let message = format!("the name of `{field}` says secret, and its value stands here in clear");
            let instead = if self.stuck { "in a field of `auth`, for no secret can stand here" } else { "here" };
            return Diagnostic::error("secret-named-value", self.node.span, message).help(format!(
                "if it was ever committed, rotate it. Then `tieline secret set {name} -e ENV` and write \
                 ${{{{ secrets.{name} }}}} {instead}; if it is not a secret, say why on its line: `# tieline: allow \
                 secret-named-value REASON`"
            ));
        }
        if self.is_expression() {
            let text = self.node.as_str().unwrap_or_default();
            let message = match template::names_secret(text) {
                false => format!("`{field}` is a secret, and this expression names none"),
                true => format!("`{field}` is a secret, and this can give a value that stands here in clear"),
            };
            return Diagnostic::error(code::PLAINTEXT_SECRET, self.node.span, message).help(format!(
                "`tieline secret set {name} -e ENV`, and write ${{{{ secrets.{name} }}}} here; no variable can hold a secret"
            ));
        }
        plaintext(self.node.span, &self.pointer, self.key)
    }
}

/// The places of a ground at a node, as far as its schemas know them.
#[derive(Clone, Copy)]
struct Pair<'p> {
    chosen: Option<&'p Places>,
    any: Option<&'p Places>,
    /// They know it as one of any name: a header, a driver's parameter.
    free: bool,
    /// As one that may be a secret.
    takes: bool,
}

impl<'p> Pair<'p> {
    fn secret(self) -> bool {
        self.chosen.or(self.any).is_some_and(|places| places.secret)
    }

    fn below(self, key: &str) -> Option<Self> {
        // All below a secret place is secret.
        let step = |places: &'p Places| if places.secret { Some(places) } else { places.below(key) };
        let below = |places: Option<&'p Places>| places.and_then(step);
        let (chosen, any) = (below(self.chosen), below(self.any));
        let free = ![self.chosen, self.any].into_iter().flatten().any(|places| places.names(key));
        let takes = free && chosen.or(any).is_some_and(Places::takes_secret);
        (chosen.is_some() || any.is_some()).then_some(Self { chosen, any, free, takes })
    }

    /// The items of a list, which has the name.
    fn items(self) -> Option<Self> {
        self.below("*").map(|items| Self { free: self.free, takes: false, ..items })
    }

    /// Whether the name decides: no mark does, and nobody chose the name.
    fn is_open(self) -> bool {
        self.free && !self.chosen.or(self.any).is_some_and(|places| places.clear)
    }
}

/// The key that a value stands behind.
#[derive(Clone, Copy)]
struct Key<'n> {
    text: &'n str,
    span: Span,
}

struct Walk<'w, 'n> {
    told: &'w dyn Fn(Span) -> bool,
    pointer: String,
    quiet: bool,
    removed: bool,
    /// No schema knows anything of it, and no secret can stand in it.
    plain: bool,
    /// Where the pointer is at the first name above that says secret or login: what stands below may be a value itself.
    within: Option<usize>,
    found: Vec<InClear<'n>>,
}

impl<'w, 'n> Walk<'w, 'n> {
    fn new(told: &'w dyn Fn(Span) -> bool) -> Self {
        let pointer = String::new();
        Self { told, pointer, quiet: false, removed: false, plain: false, within: None, found: Vec::new() }
    }

    /// In the order of the text.
    fn found(mut self) -> Vec<InClear<'n>> {
        self.found.sort_by_key(|f| (f.node.span, f.reason, f.key));
        self.found
    }

    fn entry(&mut self, key: &'n str, span: Span, node: &'n Node, here: Option<Pair<'_>>, literal: bool) {
        let (length, quiet) = (self.pointer.len(), self.quiet);
        push_segment(&mut self.pointer, key);
        self.quiet |= (self.told)(span);
        self.visit(node, Key { text: key, span }, here, literal);
        self.quiet = quiet;
        self.pointer.truncate(length);
    }

    /// Visits a value; below a `$replace`, keys are `literal`.
    fn visit(&mut self, node: &'n Node, key: Key<'n>, here: Option<Pair<'_>>, literal: bool) {
        if here.is_some_and(|pair| pair.secret()) {
            self.all(node, key.span, Reason::Marked, false);
            return;
        }
        let is_open = here.is_none_or(Pair::is_open);
        let stuck = self.plain || here.is_some_and(|pair| !pair.takes);
        let within = self.within;
        if self.within.is_none() && is_open && (says_secret(key.text) || (self.plain && key.text == "auth")) {
            self.within = Some(self.pointer.len());
        }
        match &node.value {
            Value::Map(map) => {
                for entry in map.iter() {
                    // What a directive holds stands in the place of the directive.
                    if !literal && is_directive(&entry.key) {
                        let removed = std::mem::replace(&mut self.removed, &*entry.key == "$remove");
                        self.visit(&entry.value, key, here, &*entry.key == "$replace");
                        self.removed = removed;
                    } else {
                        let below = here.and_then(|pair| pair.below(&entry.key));
                        self.entry(&entry.key, entry.key_span, &entry.value, below, literal);
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let below = here.and_then(Pair::items);
                    let length = self.pointer.len();
                    push_segment(&mut self.pointer, &index.to_string());
                    self.visit(item, Key { span: item.span, ..key }, below, literal);
                    self.pointer.truncate(length);
                }
            }
            // A switch is not a secret, and an empty text is none yet.
            Value::Bool(_) => {}
            Value::String(text) if text.is_empty() => {}
            _ if self.is_login(key, here) => self.all(node, key.span, Reason::Named, false),
            _ if is_open && (says_secret(key.text) || (within.is_some() && is_part(key.text, node))) => {
                self.all(node, key.span, Reason::Named, stuck);
            }
            _ => {}
        }
        self.within = within;
    }

    /// Whether a value stands where the fields of a login should.
    fn is_login(&self, key: Key<'_>, here: Option<Pair<'_>>) -> bool {
        let item = || key.text == "auth" && here.is_none() && self.pointer.starts_with("/auth/");
        self.pointer == "/auth" || item()
    }

    /// Everything in a secret place must come from a secret.
    fn all(&mut self, node: &'n Node, key: Span, reason: Reason, stuck: bool) {
        match &node.value {
            Value::Null | Value::Secret(_) => {}
            Value::Map(map) => {
                for entry in map.iter() {
                    let removed = self.removed;
                    self.removed |= &*entry.key == "$remove";
                    self.all(&entry.value, entry.key_span, reason, stuck);
                    self.removed = removed;
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.all(item, item.span, reason, stuck)),
            Value::String(text) if template::gives_secret(text) => {}
            _ => {
                let named = self.within.filter(|_| reason == Reason::Named).unwrap_or(self.pointer.len());
                let pointer = self.pointer[..named].to_owned();
                self.found.push(InClear {
                    node,
                    key,
                    pointer,
                    reason,
                    quiet: self.quiet,
                    removed: self.removed,
                    stuck,
                });
            }
        }
    }
}

/// Whether a value below a name that says secret or login is a part of it. What stands at `auth` itself says how to log in.
fn is_part(key: &str, node: &Node) -> bool {
    key != "auth" && !sounds_about_secret(key) && !node.as_str().is_some_and(template::is_expression)
}

fn is_directive(key: &str) -> bool {
    key.starts_with('$') && !key.starts_with(template::OPEN)
}

/// In a document, unlike in a message, `credential` below a block is not the language's own.
fn says_secret(key: &str) -> bool {
    sounds_secret(key) || matches!(key, "credential" | "secrets")
}
