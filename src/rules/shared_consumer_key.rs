//! One key serves a protected environment and one that is not.
//!
//! A consumer's key opens the connections that it uses. Whoever gets hold of it in development has production too.
//!
//! ```yaml
//! # in both environments, of which `prod` is protected
//! recipients: [nightly-sync]
//! ```
//!
//! Instead, name a key for each environment in its `keys`, under the same name: the nearest layer wins.

use std::collections::BTreeMap;

use super::{Everything, Findings};
use crate::workspace::Workspace;

pub(super) fn check(everything: &Everything<'_>, findings: &mut Findings<'_>) {
    let mut keys: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for running in &everything.running {
        let environment = &*running.at.environment;
        for recipient in running.consumers.iter().flat_map(|c| &c.recipients) {
            let Some(key) = Workspace::public_key(running.stack, &recipient.value) else { continue };
            let seen = keys.entry(key).or_default();
            if everything.workspace.is_protected(environment) {
                seen.0.get_or_insert(environment)
            } else {
                seen.1.get_or_insert(environment)
            };
            places.entry(key).or_insert(recipient);
        }
    }
    for (key, seen) in keys {
        if let ((Some(protected), Some(open)), Some(recipient)) = (seen, places.get(key)) {
            let message =
                format!("the key of `{}` opens `{protected}`, which is protected, and `{open}`", recipient.value);
            let help = format!(
                "make another key for `{protected}`, and name it there: `keys: {{{}: age1…}}`",
                recipient.value
            );
            findings.tell(recipient.span, message, help);
        }
    }
}
