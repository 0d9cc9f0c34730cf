//! The typed result of compiling: what a connection is once its layers are merged and its expressions evaluated.

pub mod sealed;
pub mod connection;
pub mod consumer;
pub mod credential;
pub mod record;
