//! tieline
// ground
pub mod diagnostic;
pub mod secret;
pub mod source;
pub mod span;
pub mod value;
pub mod world;
pub mod fields;
pub mod yaml;
// pipeline
pub mod overlay;
pub mod template;
