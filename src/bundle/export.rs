//! A bundle cut down to one customer: what may be handed to that customer's runtime.

use std::sync::Arc;

use serde_json::Value;

use super::{Integrity, Manifest};
use crate::model::record::texts;

/// The manifest with the connections of one customer and those that all share, and nothing that names another customer.
/// Its desired digest is its own, and a signature of the whole is none of it.
///
/// # Errors
/// Nothing is deployed for this customer.
pub fn for_customer(manifest: &Manifest, customer: &str) -> Result<Manifest, Integrity> {
    let mut cut = manifest.clone();
    if !cut.connections.values().any(|sealed| sealed.record.customer() == Some(customer)) {
        return Err(Integrity(format!("nothing is deployed for the customer `{customer}`")));
    }
    cut.connections.retain(|_, sealed| sealed.record.customer().is_none_or(|of| of == customer));
    cut.customer = Some(customer.to_owned());
    // The history is that of all customers.
    cut.previous = None;
    let keys: Vec<Arc<str>> =
        cut.connections.values().flat_map(|sealed| texts(&sealed.record, "recipients")).map(Arc::from).collect();
    let used: Vec<String> = cut
        .connections
        .values()
        .filter_map(|sealed| sealed.record.get("connector")?.as_str().map(str::to_owned))
        .collect();
    if let Some(trust) = cut.trust.as_object_mut() {
        // Excuses name files, and runtimes may be those of other customers.
        trust.insert("excuses".to_owned(), Value::Array(Vec::new()));
        for list in ["recipients", "runtimes"] {
            if let Some(named) = trust.get_mut(list).and_then(Value::as_object_mut) {
                named.retain(|_, key| {
                    key.as_str().is_some_and(|key| keys.iter().any(|known| known.trim() == key.trim()))
                });
            }
        }
        if let Some(connectors) = trust.get_mut("connectors").and_then(Value::as_object_mut) {
            connectors.retain(|id, _| used.contains(id));
        }
    }
    cut.desired = cut.desired_digest()?;
    Ok(cut)
}
