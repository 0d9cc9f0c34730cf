//! `http` is used for a system that has a connector of its own.
//!
//! A connector of its own knows the system's fields, bounds, login modes and secrets; `http` knows none of them.
//!
//! ```yaml
//! connector: http
//! config: {base_url: https://api.hubapi.com/crm/v3}
//! ```
//!
//! Instead:
//!
//! ```yaml
//! connector: hubspot
//! ```

use serde_json::Value as Json;

use super::{Findings, Subject};
use crate::connectors::Catalogue;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let connection = subject.connection;
    if &*connection.connector.value != "http" {
        return;
    }
    let Some(node) = connection.instance.get("config").and_then(|c| c.get("base_url")) else { return };
    let Some(host) = node.as_str().and_then(host) else { return };
    if let Some(known) = vendor(subject.catalogue, &host) {
        let message = format!("`{host}` has a connector of its own: `{known}`");
        findings.tell(node.span, message, format!("`tieline connector show {known}` tells its fields"));
    }
}

/// The connector whose own endpoint is at this host.
fn vendor<'c>(catalogue: &'c Catalogue, host: &str) -> Option<&'c str> {
    catalogue.ids().filter(|id| *id != "http").find(|id| {
        let Some(Ok(connector)) = catalogue.get(id) else { return false };
        let pointer = connector.about("endpoint").and_then(|e| e.get("url")).and_then(Json::as_str);
        let field = pointer.map(|pointer| connector.field(pointer, "", ""));
        let default = field.as_ref().and_then(|field| field.word("default")).and_then(Json::as_str);
        let hosts = connector.about("hosts").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        default.and_then(self::host).into_iter().chain(hosts.map(str::to_owned)).any(|known| {
            // `*.my.salesforce.com`: any host below.
            match known.strip_prefix('*') {
                Some(suffix) => host.ends_with(suffix),
                None => host == known,
            }
        })
    })
}

fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    (!host.is_empty()).then(|| host.to_lowercase())
}
