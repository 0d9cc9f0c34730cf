//! Nothing names a secret.
//!
//! A value that nothing uses is still worth stealing, and is forgotten when others are rotated.
//!
//! ```yaml
//! # environments/prod/secrets.sops.yaml, which has OLD_TOKEN; no file says ${{ secrets.OLD_TOKEN }}
//! ```
//!
//! Instead, remove it (`sops unset`, or `secrets: {OLD_TOKEN: null}` for a binding), and revoke it where it was made.

use std::collections::BTreeSet;

use super::{Everything, Findings};
use crate::template::names_in;
use crate::workspace::Workspace;
use crate::workspace::discover::Family;
use crate::workspace::secrets::SCOPE;

pub(super) fn check(everything: &Everything<'_>, findings: &mut Findings<'_>) {
    let workspace = everything.workspace;
    let bound = workspace.layers().any(|layer| layer.secrets.is_some() || !layer.settings.secrets.is_empty());
    if !bound {
        return;
    }
    let named = named(workspace);
    for layer in workspace.layers() {
        let sealed = layer.secrets.iter().flat_map(|s| s.names.iter().map(|(name, sealed)| (name, sealed.span)));
        let bound = layer.settings.secrets.iter().filter(|(_, b)| b.uri.is_some()).map(|(name, b)| (name, b.span));
        let all = sealed.chain(bound).filter(|(name, _)| &***name != SCOPE && !named.contains(&***name));
        for (name, span) in all {
            let message = format!("nothing uses the secret `{name}`");
            findings.tell(span, message, "remove it, and revoke it where it was made");
        }
    }
}

/// Every secret that an expression in any file names.
fn named(workspace: &Workspace) -> BTreeSet<&str> {
    let families = [Family::Connections, Family::Credentials, Family::Consumers];
    let documents = workspace.layers().flat_map(|layer| families.map(|family| layer.family(family).values()));
    let names = documents.flatten().flat_map(|document| {
        // A document without an expression is not walked.
        let has = workspace.sources.get(document.file).text().contains(crate::template::OPEN);
        document.names.get_or_init(|| document.root.as_ref().filter(|_| has).map(names_in).unwrap_or_default())
    });
    names.filter_map(|name| name.strip_prefix("secrets.")).collect()
}
