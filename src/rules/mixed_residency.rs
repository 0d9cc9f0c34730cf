//! One endpoint, or one login, serves connections that are labelled with different residencies.
//!
//! `labels: {residency: eu}` says where data may be. Where two connections lead to the same host, or log in with the same
//! credential, and are labelled differently, one of the labels is wrong.
//!
//! ```yaml
//! # connections/eu.yaml: labels: {residency: eu}
//! # connections/us.yaml: labels: {residency: us}, and the same host
//! ```
//!
//! Instead, give each its own endpoint and credential, or correct the label.

use std::collections::HashMap;

use super::Findings;
use super::facts::Facts;

pub(super) fn check(facts: &[&Facts], findings: &mut Findings<'_>) {
    let labelled = || facts.iter().filter_map(|one| Some((*one, one.residency.as_ref()?)));
    let mut seen: HashMap<(&str, &str), (&Facts, &str)> = HashMap::new();
    for (one, (residency, span)) in labelled() {
        let endpoint = one.endpoint.as_deref().map(|e| (e, "leads to the same endpoint"));
        let login = one.credential.as_deref().map(|c| (c, "logs in with the same credential"));
        for (shared, how) in endpoint.into_iter().chain(login) {
            let (first, other) = *seen.entry((how, shared)).or_insert((one, residency));
            if *other != **residency {
                let message =
                    format!("`{}` is labelled `{residency}`, and {how} as `{}`, which is `{other}`", one.id, first.id);
                findings.tell(
                    *span,
                    message,
                    "give each residency its own endpoint and credential, or correct the label",
                );
                let place = first.residency.as_ref().map(|(_, span)| *span);
                if let (Some(place), Some(told)) = (place, findings.last()) {
                    *told = told.clone().also(place, "the other label");
                }
                break;
            }
        }
    }
}
