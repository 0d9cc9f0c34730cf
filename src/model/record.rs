//! The record: what "desired" means.
//!
//! One canonical JSON object per connection (maps sorted by code point, as `serde_json` keeps them here). `render`, plan,
//! manifest and the test for "nothing to do" all use this one form. Secrets stand in it as references, never as values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::digest::sha256;

/// The one key of the map that stands in a record for a secret value:
/// `{"$secret": {"names": […], "sources": [{"name", "from", "version"}], "delivery": "resolve"}}`, and `template`, a
/// digest of the scalar around the secret where there is more to it than `${{ secrets.NAME }}`.
pub const SECRET: &str = "$secret";

/// Everything that one environment (and profile) is to have.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The workspace's id.
    pub workspace: Uuid,
    /// The environment.
    pub environment: Arc<str>,
    /// The profile, where one was asked for.
    pub profile: Option<Arc<str>>,
    /// Records by instance: a connection's id, or `id@customer`.
    ///
    /// Keys of a record: `id`, `customer`, `profile`, `reference`, `key`, `connector`, `config`, `auth`, `title`, `owner`,
    /// `labels`, `recipients`, `consumers`, `expose`, `protect`. All are always there; what is not set is `null` or empty.
    pub records: BTreeMap<String, Value>,
    /// Who and what is trusted: target, recipients, rule levels, and for each connector used its schema's digest and
    /// secret paths.
    pub trust: Value,
}

impl Desired {
    /// The desired digest, `sha256:` and hex: equal on any machine for the same input and tool version.
    pub fn digest(&self) -> String {
        let records: Vec<&Value> = self.records.values().collect();
        let whole = json!({
            "workspace": self.workspace.to_string(),
            "environment": &*self.environment,
            "profile": self.profile.as_deref(),
            "records": records,
            "trust": self.trust,
        });
        sha256(whole.to_string().as_bytes())
    }
}

/// Whether a JSON value stands for a secret; then it holds no value of it.
pub fn is_secret(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(SECRET))
}
