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

use std::collections::BTreeMap;

use super::shapes::{is_random, login};
use super::{Findings, clear_texts};
use crate::span::Span;
use crate::template::OPEN;
use crate::validate::document::in_plain;
use crate::value::Node;

pub(super) fn check(id: &str, document: &Node, findings: &mut Findings<'_>) {
    let Some(settings) = document.get("settings") else { return };
    let mut found: BTreeMap<Span, &str> = BTreeMap::new();
    for named in settings.as_map().into_iter().flat_map(|map| in_plain(map, "settings")) {
        found.insert(named.node.span, "a credential");
    }
    clear_texts(settings, &mut String::new(), &mut |span, text, _| {
        let names_secret = text.contains("secrets.") && text.contains(OPEN);
        let random = || is_random(text).then_some("a random text, as keys are,");
        let what = if names_secret { Some("a secret") } else { login(text).or_else(random) };
        found.extend(what.map(|what| (span, what)));
    });
    for (span, what) in found {
        findings.sources.mask(span);
        findings.tell(
            span,
            format!("{what} in the settings of `{id}`, not in a connection"),
            format!("`tieline add CONNECTOR ID --for {id}` makes a connection for it"),
        );
    }
}
