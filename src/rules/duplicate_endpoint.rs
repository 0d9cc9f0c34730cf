//! Two connections are the same: one endpoint, the same settings, the same login.
//!
//! What is changed in one is forgotten in the other. Separate connections are right where the authentication, the region or the
//! residency differs; these differ in nothing but their names.
//!
//! ```yaml
//! # connections/crm.yaml and connections/sales/crm.yaml
//! connector: upsales
//! credential: upsales
//! ```
//!
//! Instead, keep one and let consumers use it: `tieline swap OLD NEW`, then `tieline delete OLD`.

use std::collections::HashMap;

use super::Findings;
use super::facts::Facts;

pub(super) fn check(facts: &[&Facts], findings: &mut Findings<'_>) {
    let mut seen: HashMap<_, &Facts> = HashMap::with_capacity(facts.len());
    for one in facts.iter().filter(|f| f.endpoint.is_some()) {
        let residency = one.residency.as_ref().map(|(name, _)| &**name);
        let same = (&*one.connector, one.settings, one.login, residency, one.customer.as_deref());
        match seen.get(&same) {
            Some(first) => {
                let message = format!("`{}` is the same connection as `{}`", one.id, first.id);
                let help = format!("keep one of them: `tieline delete {} --replace-with {}`", one.id, first.id);
                findings.tell(one.span, message, help);
                let other = first.span;
                if let Some(label) = findings.last() {
                    *label = label.clone().also(other, "the other one");
                }
            }
            None => {
                seen.insert(same, one);
            }
        }
    }
}
