//! The sops document format, seen from outside.
mod corners;
pub(crate) mod data;
mod edges;
mod editing;
mod peer_sops;
pub(crate) mod properties;
mod readings;
mod refusals;
mod texts;
pub(crate) mod vectors;

use tieline::sops::{Identities, Recipient, keygen};

/// A new identity and its recipient.
#[allow(clippy::unwrap_used)]
pub(crate) fn key() -> (Identities, Recipient, String) {
    let (identity, recipient) = keygen();
    (Identities::parse(identity.expose()).unwrap(), recipient, identity.expose().clone())
}

/// Randomness from the system, as the caller of the library would bring it.
#[allow(clippy::unwrap_used)]
pub(crate) fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).unwrap();
}

pub(crate) const TIME: &str = "2026-11-21T08:00:00Z";

/// Many files are opened at once: nothing here may be tied to a thread.
#[test]
fn files_and_data_may_cross_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<tieline::sops::Encrypted<'_>>();
    shared::<tieline::sops::Edit<'_>>();
    shared::<tieline::sops::Map>();
    shared::<Identities>();
    shared::<Recipient>();
    shared::<tieline::sops::SopsError>();
}
