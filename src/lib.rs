//! tieline compiles connections: YAML files in Git, layered per environment, checked against connector schemas, sealed
//! into bundles that a target holds.
//!
//! The modules stand in the order of the pipeline; a file imports only what stands above it here.
//!
//! 1. [`world`] is the only door to the outside; [`source`] keeps the texts that came through it.
//! 2. [`yaml`] makes trees of [`value`]s that know where they were written; [`sops`] reads sealed documents.
//! 3. [`workspace`] files every document under its layer.
//! 4. [`overlay`] merges the layers of an environment, [`template`] puts values in place of `${{ … }}`.
//! 5. [`model`] gives the result its types and its canonical record, [`connectors`] knows what each system asks for,
//!    [`validate`] holds one against the other, [`rules`] say what is allowed and mostly should not be.
//! 6. [`compile`] is all of that, for one environment or for all; [`edit`] changes files, and has the result compiled
//!    before a byte is written.
//! 7. [`secrets`] keeps sealed files, [`providers`] open them, [`bundle`] seals the result, [`plan`] compares it with what
//!    is deployed, [`targets`] hold it, [`serials`] remember the newest that was seen, [`apply`] puts it in force,
//!    [`verify`] looks whether it is whole, [`publish`] sends it to a registry.
//! 8. [`reporters`] turn what was found into text, [`ui`] prints it, [`commands`] are what people type.
//!
//! Secrets stay references ([`value::SecretRef`]) all the way; only what seals a bundle opens them, as [`secret::Secret`].

// Ground.
pub mod span;
pub mod source;
pub mod diagnostic;
pub mod digest;
pub mod budget;
pub mod parallel;
pub mod secret;
pub mod value;
pub mod world;
pub mod yaml;
pub mod sops;
pub mod fields;
pub mod codes;

// The pipeline.
pub mod workspace;
pub mod overlay;
pub mod template;
pub mod model;
pub mod connectors;
pub mod validate;
pub mod rules;
pub mod compile;
pub mod edit;
pub mod secrets;

// Sealing and deploying.
pub mod bundle;
pub mod providers;
pub mod unseal;
pub mod plan;
pub mod targets;
pub mod serials;
pub mod apply;
pub mod verify;
pub mod publish;

// The outside.
pub mod reporters;
pub mod ui;
pub mod commands;
