//! The one integration binary: a module for each command or promise.
mod deploy;
mod sops;
