//! tieline
// ground
pub mod diagnostic;
pub mod digest;
pub mod secret;
pub mod source;
pub mod span;
pub mod value;
pub mod world;
pub mod fields;
pub mod yaml;
pub mod sops;
// pipeline
pub mod workspace;
pub mod overlay;
pub mod template;
pub mod model;
pub mod connectors;
