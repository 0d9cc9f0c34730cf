//! tieline
// ground
pub mod diagnostic;
pub mod fields;
pub mod secret;
pub mod source;
pub mod span;
pub mod value;
pub mod world;
pub mod yaml;
// pipeline
pub mod apply;
pub mod bundle;
pub mod model;
pub mod overlay;
pub mod plan;
pub mod sops;
pub mod targets;
pub mod template;
pub mod verify;
// outside
pub mod reporters;
