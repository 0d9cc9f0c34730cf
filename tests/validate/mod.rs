//! What users see when something is wrong.
#![allow(clippy::unwrap_used)]

mod invalid;
