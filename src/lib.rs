//! tieline
pub mod diagnostic;
pub mod secret;
pub mod source;
pub mod span;
pub mod value;
pub mod world;
pub mod yaml;
