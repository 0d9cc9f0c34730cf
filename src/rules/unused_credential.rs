//! No connection links a credential.
//!
//! A login that nothing uses is still a key that opens something. Remove it, and revoke it where it was made.
//!
//! ```yaml
//! # credentials/old-db.yaml, which no `credential:` names
//! auth: {mode: password, username: sync, password: "${{ secrets.OLD_PASSWORD }}"}
//! ```
//!
//! Instead, delete the file, or link it: `credential: old-db`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Everything, Findings};
use crate::span::Span;
use crate::value::Node;

pub(super) fn check(everything: &Everything<'_>, findings: &mut Findings<'_>) {
    let mut there: BTreeMap<&str, Span> = BTreeMap::new();
    for layer in everything.workspace.layers() {
        for (id, document) in &layer.credentials {
            let Some(root) = &document.root else { continue };
            there.entry(id).or_insert_with(|| crate::model::connection::top(root));
        }
    }
    if there.is_empty() {
        return;
    }
    let documents = everything.workspace.layers().flat_map(|layer| layer.connections.values());
    let linked: BTreeSet<&str> =
        documents.filter_map(|d| d.root.as_ref()?.get("credential").and_then(Node::as_str)).collect();
    for (id, span) in there.into_iter().filter(|(id, _)| !linked.contains(id)) {
        let message = format!("no connection links the credential `{id}`");
        findings.tell(span, message, "delete the file, and revoke the login where it was made; or link it");
    }
}
