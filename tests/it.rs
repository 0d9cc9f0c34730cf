//! The one integration binary: a module for each command or promise.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests make workspaces and run programs")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says why it was passed over")]

mod bounds;
mod canary;
mod deploy;
mod edit;
mod examples;
mod house;
mod init;
mod language;
mod outputs;
mod peers;
mod pre_commit;
mod profiles;
mod readme;
mod replay;
mod rules;
mod secret;
mod secrets;
mod shell;

mod sops;
mod sops_command;
mod stranger;
#[allow(dead_code, reason = "a toolbox")]
mod support;
mod tenancy;
mod validate;
mod views;
