//! What users see when something is wrong.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod abuse;
mod at_once;
mod connectors;
mod invalid;
mod ownership;
mod schemas;
mod words;
