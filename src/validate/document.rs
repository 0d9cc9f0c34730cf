//! One document by itself: the values that stand in clear where a secret belongs. Whether another layer overrides them, and
//! whether anything is compiled of the document, does not matter: what stands in Git is what leaks.
//!
//! Takes the unevaluated tree of a file and what decides there (a [`Ground`]), gives what it has [`InClear`].

use std::sync::Arc;

use super::placement::plaintext;
use super::{dotted, mask_literals, suggested};
use crate::connectors::Connector;
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code, sounds_secret};
use crate::source::Sources;
use crate::span::Span;
use crate::template;
use crate::value::{Node, Value, push_segment};

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
        Pair { chosen: Some(&self.chosen), any: Some(&self.any) }.below(block).filter(|_| decides)
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
    /// No schema knows the field, and its name says so.
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
    let mut walk = Walk { told, pointer: String::new(), quiet: false, removed: false, found: Vec::new() };
    match &root.value {
        Value::Map(map) => {
            for entry in map.iter().filter(|entry| !literals.contains(&&*entry.key)) {
                let here = ground.and_then(|ground| ground.block(&entry.key));
                walk.entry(&entry.key, entry.key_span, &entry.value, here, false);
            }
        }
        _ => walk.visit(root, Key { text: "", span: root.span }, None, false),
    }
    let mut found = walk.found;
    found.sort_by_key(|f| (f.node.span, f.reason, f.key));
    found
}

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
            return Diagnostic::error("secret-named-value", self.node.span, message).help(format!(
                "if it was ever committed, rotate it. Then `tieline secret set {name} -e ENV` and write \
                 ${{{{ secrets.{name} }}}} here; if it is not a secret, say why on its line: `# tieline: allow \
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
        (chosen.is_some() || any.is_some()).then_some(Self { chosen, any })
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
    found: Vec<InClear<'n>>,
}

impl<'n> Walk<'_, 'n> {
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
            self.all(node, key.span, Reason::Marked);
            return;
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
                    let below = here.and_then(|pair| pair.below("*"));
                    let length = self.pointer.len();
                    push_segment(&mut self.pointer, &index.to_string());
                    self.visit(item, Key { span: item.span, ..key }, below, literal);
                    self.pointer.truncate(length);
                }
            }
            // A switch is not a secret, and an empty text is none yet.
            Value::Bool(_) => {}
            Value::String(text) if text.is_empty() => {}
            _ if self.is_login(key, here) => self.all(node, key.span, Reason::Named),
            _ if here.is_none() && says_secret(key.text) => self.all(node, key.span, Reason::Named),
            _ => {}
        }
    }

    /// Whether a value stands where the fields of a login should.
    fn is_login(&self, key: Key<'_>, here: Option<Pair<'_>>) -> bool {
        let item = || key.text == "auth" && here.is_none() && self.pointer.starts_with("/auth/");
        self.pointer == "/auth" || item()
    }

    /// Everything in a secret place must come from a secret.
    fn all(&mut self, node: &'n Node, key: Span, reason: Reason) {
        match &node.value {
            Value::Null | Value::Secret(_) => {}
            Value::Map(map) => {
                for entry in map.iter() {
                    let removed = self.removed;
                    self.removed |= &*entry.key == "$remove";
                    self.all(&entry.value, entry.key_span, reason);
                    self.removed = removed;
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.all(item, item.span, reason)),
            Value::String(text) if template::gives_secret(text) => {}
            _ => {
                let pointer = self.pointer.clone();
                self.found.push(InClear { node, key, pointer, reason, quiet: self.quiet, removed: self.removed });
            }
        }
    }
}

fn is_directive(key: &str) -> bool {
    key.starts_with('$') && !key.starts_with(template::OPEN)
}

/// In a document, unlike in a message, `credential` below a block is not the language's own.
fn says_secret(key: &str) -> bool {
    sounds_secret(key) || matches!(key, "credential" | "secrets")
}
