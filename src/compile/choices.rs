//! Which connector, variant, mode and credential are in force where a document stands: read from the documents below it,
//! without merging them.

use crate::template::OPEN;
use crate::value::Node;
use crate::workspace::layers::At;
use crate::workspace::{Document, Layer, Workspace};

/// What is chosen at a layer; empty where nothing is, or where an expression decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice<'w> {
    /// The connector.
    pub connector: Option<&'w str>,
    /// `config.variant`.
    pub variant: &'w str,
    /// `auth.mode`.
    pub mode: &'w str,
    /// The linked credential.
    pub credential: Option<&'w str>,
    /// The connectors that a credential is for.
    pub accepted: Vec<&'w str>,
}

impl<'w> Choice<'w> {
    /// What is chosen once `top` lies over `below`, which stand lowest first.
    pub fn of(below: impl Iterator<Item = &'w Document>, top: &'w Node) -> Self {
        let mut choice = Self::default();
        for root in below.filter_map(|document| document.root.as_ref()).chain([top]) {
            choice.put(root);
        }
        choice
    }

    /// Lays one more document over it, as [`crate::overlay`] does.
    fn put(&mut self, root: &'w Node) {
        let written = |key: &str| root.get(key).map(|node| replaced(node).unwrap_or(node));
        if let Some(connector) = written("connector") {
            self.connector = connector.as_str();
        }
        let credential = written("credential").map(Node::as_str);
        match (credential, root.get("auth")) {
            (Some(Some(link)), None) => (self.credential, self.mode) = (Some(link), ""),
            (Some(link), _) => self.credential = link,
            (None, Some(_)) => self.credential = None,
            (None, None) => {}
        }
        switch(&mut self.mode, root.get("auth"), "mode");
        switch(&mut self.variant, root.get("config"), "variant");
        if let Some(list) = written("connectors").and_then(Node::as_list) {
            self.accepted = list.iter().filter_map(Node::as_str).collect();
        }
    }
}

/// What `{$replace: …}` puts in its place.
fn replaced(node: &Node) -> Option<&Node> {
    node.get("$replace")
}

/// The choice that a block makes for `key`.
fn switch<'w>(choice: &mut &'w str, block: Option<&'w Node>, key: &str) {
    let Some(block) = block else { return };
    let whole = replaced(block);
    if whole.is_some() || block.as_map().is_none() {
        *choice = "";
    }
    if let Some(node) = whole.unwrap_or(block).get(key) {
        *choice = replaced(node).unwrap_or(node).as_str().filter(|text| !text.contains(OPEN)).unwrap_or("");
    }
}

/// What a layer stands on.
pub struct Below<'w> {
    /// Each stack that it can be part of, without it, lowest layer first.
    pub stacks: Vec<Vec<&'w Layer>>,
    /// The customer that it belongs to.
    pub customer: Option<&'w Layer>,
    /// Nothing is ever compiled with it; then the stack is what it would stand on in any environment.
    pub orphaned: bool,
}

impl<'w> Below<'w> {
    /// What `layer` stands on; `everywhere` is all that can be compiled.
    pub fn of(workspace: &'w Workspace, everywhere: &[At], layer: &'w Layer) -> Self {
        let segments: Vec<&str> = layer.path.split('/').collect();
        let until = |at: &At, customer: Option<&str>| {
            let mut stack = workspace.stack_of(at, customer);
            let place = stack.iter().position(|l| std::ptr::eq(*l, layer))?;
            stack.truncate(place);
            Some(stack)
        };
        match segments.as_slice() {
            ["environments", name] => Self::new(until(&At::plain(&(*name).into()), None), None, &workspace.root),
            ["environments", ..] => {
                Self::new(everywhere.iter().filter_map(|at| until(at, None)), None, &workspace.root)
            }
            ["customers", name, ..] => {
                let customer = workspace.customers.get(*name);
                let there = everywhere.iter().filter(|at| customer.is_some_and(|c| c.is_in(&at.environment)));
                Self::new(there.filter_map(|at| until(at, Some(name))), customer, &workspace.root)
            }
            _ => Self { stacks: vec![Vec::new()], customer: None, orphaned: false },
        }
    }

    fn new(stacks: impl IntoIterator<Item = Vec<&'w Layer>>, customer: Option<&'w Layer>, root: &'w Layer) -> Self {
        let mut stacks: Vec<Vec<&Layer>> = stacks.into_iter().collect();
        // The same stack is that of several profiles.
        stacks.sort_by_cached_key(|stack| paths(stack));
        stacks.dedup_by_key(|stack| paths(stack));
        let orphaned = stacks.is_empty();
        if orphaned {
            stacks.push(std::iter::once(root).chain(customer).collect());
        }
        Self { stacks, customer, orphaned }
    }
}

fn paths<'w>(stack: &[&'w Layer]) -> Vec<&'w str> {
    stack.iter().map(|layer| &*layer.path).collect()
}
