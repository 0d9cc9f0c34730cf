//! What is deployed: a manifest that says everything in clear, and one sealed object per connection.
//!
//! Takes the desired records, gives bytes; and takes bytes that nobody has vouched for and checks them. Knows no disk
//! and no network: where the bytes stand is a matter of [`crate::targets`].

pub mod allowed_signers;
pub mod archive;
pub mod check;
pub mod export;
pub mod manifest;
pub mod object;
pub mod signature;
mod spelling;

use std::fmt;

use serde_json::Value;

pub use manifest::{Commit, Deployed, Head, Manifest, SERIALS, Sealed, spelled};

pub use crate::digest::Digest;
use crate::model::record::{Desired, Record};

/// The version of the format of manifests and objects. 0 promises no compatibility yet.
pub const FORMAT: u64 = 0;

/// What one head is about. Two bundles are compared, and an object carried over, only where it is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The workspace's id.
    pub workspace: String,
    /// The environment.
    pub environment: String,
    /// The profile, if any.
    pub profile: Option<String>,
}

impl Scope {
    /// What `desired` is about.
    pub fn of(desired: &Desired) -> Self {
        Self {
            workspace: desired.workspace.to_string(),
            environment: desired.environment.to_string(),
            profile: desired.profile.as_deref().map(str::to_owned),
        }
    }

    /// `ENV` or `ENV+PROFILE`, the name of its head.
    pub fn name(&self) -> String {
        match &self.profile {
            Some(profile) => format!("{}+{profile}", self.environment),
            None => self.environment.clone(),
        }
    }
}

/// The bytes are not what they must be: damaged, forged, or of a version that this tool cannot judge. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrity(pub String);

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Integrity {}

/// Whether `id` is the id of an instance, `segment/segment` or `segment/segment@customer`: then it is safe as a path.
pub fn is_instance(id: &str) -> bool {
    let segment = |text: &str| {
        let bytes = text.as_bytes();
        let first = bytes.first().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        first && bytes.len() <= 63 && bytes.iter().all(rest)
    };
    let (connection, customer) = id.split_once('@').map_or((id, None), |(id, customer)| (id, Some(customer)));
    // A folder `a.yaml` can't stand beside a file of that name.
    connection.split('/').all(segment) && !connection.contains(".yaml/") && customer.is_none_or(segment)
}

/// Whether a record is that of the instance `id`, which is safe as a path.
pub fn is_record_of(id: &str, record: &Record) -> bool {
    let connection = record.get("id").and_then(Value::as_str);
    let named = match record.get("customer") {
        None | Some(Value::Null) => connection == Some(id),
        Some(customer) => connection.zip(customer.as_str()) == id.split_once('@'),
    };
    named && is_instance(id)
}

#[cfg(test)]
mod tests {
    use super::is_instance;

    #[test]
    fn a75_an_instance_id_never_leads_out_of_its_folder() {
        for good in ["a", "a/b", "finance/warehouse@globex", "9.x_y-z"] {
            assert!(is_instance(good), "{good}");
        }
        for bad in [
            "", "/a", "a/", "a.yaml/b", "../a", "a/../b", "a//b", ".", "A", "a\\b", "a@", "@b", "a@b@c", "a@b/c",
            "a\0", "a b",
        ] {
            assert!(!is_instance(bad), "{bad}");
        }
    }
}
