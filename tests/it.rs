//! The one integration binary: a module for each command or promise.
mod sops;
mod support;
mod validate;
