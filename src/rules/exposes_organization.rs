//! A connection that is exposed outside of the organization has credentials of the organization's.
//!
//! `expose: [embedded]` makes a connection visible where customers build their own flows. What they can use there must be
//! theirs: a connection with `scope: customer` and `supplied_by: customer`, or one that needs no secret.
//!
//! ```yaml
//! connector: postgresql
//! expose: [embedded]
//! auth: {mode: password, username: sync, password: "${{ secrets.WAREHOUSE_PASSWORD }}"}
//! ```
//!
//! Instead:
//!
//! ```yaml
//! connector: hubspot
//! expose: [embedded]
//! scope: customer
//! supplied_by: customer
//! auth: {mode: private_app}
//! ```

use super::{Findings, Subject};
use crate::template::secrets_in;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let connection = subject.connection;
    let Some(expose) = connection.literals.get("expose").filter(|_| !connection.expose.is_empty()) else { return };
    let Some(secret) = secrets_in(&connection.instance).into_iter().next() else { return };
    if connection.supplied_by_customer {
        return;
    }
    let message = format!("`{}` is exposed, and its secret `{secret}` belongs to the organization", connection.id);
    findings.tell(
        expose.span,
        message,
        "expose only what the customer supplies (`scope: customer`, `supplied_by: customer`), or remove `expose`",
    );
}
