//! tieline
// ground
pub mod diagnostic;
pub mod digest;
pub mod fields;
pub mod secret;
pub mod sops;
pub mod source;
pub mod span;
pub mod value;
pub mod world;
pub mod yaml;
// pipeline
pub mod compile;
pub mod connectors;
pub mod model;
pub mod overlay;
pub mod reporters;
pub mod template;
pub mod validate;
pub mod workspace;
