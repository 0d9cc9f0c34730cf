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
pub mod sops;
pub mod model;
pub mod overlay;
pub mod template;
pub mod bundle;
pub mod plan;
pub mod targets;
pub mod apply;
pub mod verify;
// outside
pub mod reporters;
