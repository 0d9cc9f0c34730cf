//! An id does not have the form that the workspace asks for.
//!
//! Off until `tieline.yaml` gives it a level and a pattern, which every connection's id must match:
//!
//! ```yaml
//! rules:
//!   naming: {level: warning, pattern: '^(eu|us)-[a-z0-9]+-[a-z0-9-]+$'}
//! ```
//!
//! Instead of `connections/db1.yaml`, `connections/eu-postgres-finance.yaml`: `tieline mv db1 eu-postgres-finance` keeps the
//! reference.

use super::{Findings, Subject};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let Some(pattern) = findings.pattern() else { return };
    let id = &subject.connection.id;
    if !pattern.is_match(id) {
        let message = format!("the id `{id}` does not have the form `{pattern}`");
        findings.tell(
            subject.connection.connector.span,
            message,
            format!("`tieline mv {id} NEW` renames it and keeps its reference"),
        );
    }
}
