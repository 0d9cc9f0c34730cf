//! A field of an own connector has a name that says secret, and its schema doesn't mark it.
//!
//! What a schema leaves in clear is shown in plans and records. A password without a mark is not sealed.
//!
//! ```json
//! {"properties": {"auth": {"type": "object", "properties": {"password": {"type": "string"}}}}}
//! ```
//!
//! Instead, mark it; where the name misleads, say that the field is clear with `"writeOnly": false`:
//!
//! ```json
//! {"properties": {"auth": {"type": "object", "properties": {"password": {"type": "string", "writeOnly": true}}}}}
//! ```

use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// The diagnostic for the field `name` of the connector `id`; `span` is its key in the schema.
pub fn unmarked(id: &str, name: &str, span: Span) -> Diagnostic {
    let message = format!("the name of `{name}` says secret, and the schema of `{id}` leaves it in clear");
    Diagnostic::error("unmarked-secret-field", span, message)
        .help("write `\"writeOnly\": true` beside its type; if it is not a secret, `\"writeOnly\": false`")
}
