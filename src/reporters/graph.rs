//! What hangs together, as text that tools draw: Mermaid, DOT (Graphviz) and JSON. Every name is escaped for its sink, and
//! the order is that of the names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::json::{FORMAT_VERSION, pretty};
use super::text::visible;

/// Connections, and what they hang on.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Kind and name of each node: `connection`, `credential`, `consumer`, `customer`; with its label.
    pub nodes: BTreeMap<(&'static str, String), String>,
    /// From, to, and what the one is to the other.
    pub edges: BTreeSet<(Node, Node, String)>,
}

/// A node: its kind and name.
pub type Node = (&'static str, String);

impl Graph {
    /// For Mermaid.
    pub fn mermaid(&self) -> String {
        let ids = self.ids();
        let mut text = String::from("flowchart LR\n");
        for (node, label) in &self.nodes {
            let (open, close) = match node.0 {
                "consumer" => ("([", "])"),
                "credential" => ("[/", "/]"),
                "customer" => ("{{", "}}"),
                _ => ("[", "]"),
            };
            text += &format!("  {}{open}\"{}\"{close}\n", ids[node], entities(label));
        }
        for (from, to, word) in &self.edges {
            let word = if word.is_empty() { String::new() } else { format!("|\"{}\"|", entities(word)) };
            text += &format!("  {} -->{word} {}\n", ids[from], ids[to]);
        }
        text
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph tieline {\n  rankdir=LR;\n");
        let name = |(kind, name): &Node| quoted(&format!("{kind}/{name}"));
        for (node, label) in &self.nodes {
            let shape = match node.0 {
                "consumer" => "oval",
                "credential" => "note",
                "customer" => "hexagon",
                _ => "box",
            };
            text += &format!("  {} [label={}, shape={shape}];\n", name(node), quoted(label));
        }
        for (from, to, word) in &self.edges {
            text += &format!("  {} -> {} [label={}];\n", name(from), name(to), quoted(word));
        }
        text + "}\n"
    }

    /// For scripts: the shape of `schemas/output/graph.json`.
    pub fn json(&self) -> String {
        let node = |((kind, name), label): (&Node, &String)| json!({"kind": kind, "id": name, "label": label});
        let end = |(kind, name): &Node| json!({"kind": kind, "id": name});
        let edge = |(from, to, word): &(Node, Node, String)| json!({"from": end(from), "to": end(to), "label": word});
        pretty(&json!({
            "format_version": FORMAT_VERSION,
            "nodes": self.nodes.iter().map(node).collect::<Vec<Value>>(),
            "edges": self.edges.iter().map(edge).collect::<Vec<Value>>(),
        }))
    }

    /// Names that Mermaid takes for nodes: letters and a number.
    fn ids(&self) -> BTreeMap<&Node, String> {
        self.nodes.keys().enumerate().map(|(i, node)| (node, format!("n{i}"))).collect()
    }
}

/// Text within quotes of Mermaid, which reads entities.
fn entities(text: &str) -> String {
    let mut safe = String::new();
    for c in visible(text).chars() {
        match c {
            '#' | '"' | '<' | '>' | '&' | '`' | '|' | '\\' => safe += &format!("#{};", u32::from(c)),
            c => safe.push(c),
        }
    }
    safe
}

/// A string of DOT.
fn quoted(text: &str) -> String {
    format!("\"{}\"", visible(text).replace('\\', "\\\\").replace('"', "\\\""))
}
