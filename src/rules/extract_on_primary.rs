//! A heavy extract reads from a primary database.
//!
//! A connection with `labels: {purpose: extract}` is used for bulk reads; those belong on a read replica or under a user with
//! limits of its own, which `labels: {role: replica}` or `{role: scoped}` says. Only databases and warehouses are looked at.
//!
//! ```yaml
//! labels: {purpose: extract}
//! config: {host: db.example.com, …}
//! ```
//!
//! Instead:
//!
//! ```yaml
//! labels: {purpose: extract, role: replica}
//! config: {host: replica.db.example.com, …}
//! ```

use serde_json::Value as Json;

use super::{Findings, Subject};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let labels = subject.connection.label_texts();
    if labels.get("purpose") != Some(&"extract") || matches!(labels.get("role"), Some(&"replica" | &"scoped")) {
        return;
    }
    let category = subject.connector.and_then(|c| c.about("category")).and_then(Json::as_str);
    if !matches!(category, Some("database" | "warehouse")) {
        return;
    }
    let purpose = subject.connection.labels.as_ref().and_then(|labels| labels.get("purpose"));
    let span = purpose.map_or(subject.connection.connector.span, |node| node.span);
    findings.tell(
        span,
        "bulk reads from a database that is not said to be a replica",
        "point it to a read replica or a user with limits, and say so: `labels: {role: replica}` or `{role: scoped}`",
    );
}
