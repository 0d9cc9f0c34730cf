//! The targets, one file each: bytes in, a panic where something doesn't hold.

mod archive;
mod codeowners;
mod dates;
mod manifest;
mod saved_plan;
mod schema;
mod signature;
mod sops_config;
mod sops_merge;
mod sops_read;
mod sops_round_trip;
mod template;
mod workspace;
mod yaml;

#[allow(unused_imports, reason = "for first inputs")]
pub(crate) use sops_read::VECTORS;

/// What a target does with an input.
pub(crate) type Run = fn(&[u8]);

/// Each target with its name.
pub(crate) const ALL: &[(&str, Run)] = &[
    ("yaml", yaml::run),
    ("template", template::run),
    ("sops_read", sops_read::run),
    ("sops_round_trip", sops_round_trip::run),
    ("sops_merge", sops_merge::run),
    ("schema", schema::run),
    ("workspace", workspace::run),
    ("manifest", manifest::run),
    ("archive", archive::run),
    ("signature", signature::run),
    ("saved_plan", saved_plan::run),
    ("sops_config", sops_config::run),
    ("codeowners", codeowners::run),
    ("dates", dates::run),
];
