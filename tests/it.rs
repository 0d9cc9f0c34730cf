//! The one integration binary: a module for each command or promise.
mod house;
mod language;
mod sops;
mod support;
mod validate;
