//! A consumer's settings have a credential in them.
//!
//! What a flow or extension logs in with is a connection, which can be rotated, differs by environment and is sealed.
//! `settings` are none of that.
//!
//! ```yaml
//! kind: extension
//! settings: {api_key: sk-live-0123456789}
//! ```
//!
//! Instead, make a connection and use it:
//!
//! ```yaml
//! kind: extension
//! uses: [{slot: api, connection: billing-api}]
//! ```

use super::shapes::shape;
use super::{Findings, clear_texts};
use crate::diagnostic::sounds_secret;
use crate::value::{Node, segments};

pub(super) fn check(id: &str, document: &Node, findings: &mut Findings<'_>) {
    let Some(settings) = document.get("settings") else { return };
    clear_texts(settings, &mut String::new(), &mut |node, text, pointer| {
        let key = segments(pointer).last().unwrap_or_default();
        let what = match shape(text) {
            _ if text.contains("secrets.") && text.contains("${{") => "a secret".to_owned(),
            Some(shape) => shape.to_owned(),
            None if sounds_secret(&key) && !text.is_empty() => "a credential".to_owned(),
            None => return,
        };
        findings.sources.mask(node.span);
        findings.tell(
            node.span,
            format!("{what} in the settings of `{id}`, not in a connection"),
            format!("`tieline add CONNECTOR ID --for {id}` makes a connection for it"),
        );
    });
}
