//! Text -> tree.
pub mod events;
