//! tieline
pub mod secret;
pub mod span;
pub mod yaml;

pub mod sops;
