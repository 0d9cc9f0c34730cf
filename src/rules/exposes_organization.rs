//! A connection that is exposed outside of the organization has credentials of the organization's.
//!
//! `expose: [embedded]` makes a connection visible where customers build their own flows. What they can use there must be
//! theirs: a connection with `scope: customer` and `supplied_by: customer`, or one that needs no secret. The secret of an app that
//! is the same for all customers is the organization's too.
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
    let message = format!("`{}` is exposed, and its secret `{secret}` belongs to the organization", connection.id);
    // What the customer supplies is an empty slot: what is left is the same for all, such as the secret of an app.
    let help = match connection.supplied_by_customer {
        true => {
            "choose a login without it, such as a public client (`pkce`) or a key of the customer's own; or remove `expose`"
        }
        false => {
            "expose only what the customer supplies (`scope: customer`, `supplied_by: customer`), or remove `expose`"
        }
    };
    findings.tell(expose.span, message, help);
}
