//! Results -> text. Pure functions: nothing is printed here. One file a format.

pub mod plan_human;
pub mod plan_json;
pub mod text;
