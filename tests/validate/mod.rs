//! What users see when something is wrong.
#![allow(clippy::unwrap_used)]

mod abuse;
mod at_once;
mod connectors;
mod invalid;
