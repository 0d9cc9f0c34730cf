//! What was found, for people and for machines: one file a form. Pure functions to text; nothing here prints.

pub mod concise;
pub mod github;
pub mod graph;
pub mod human;
pub mod json;
pub mod plan_human;
pub mod plan_json;
pub mod plan_markdown;
pub mod shown;
mod snippet;
pub mod table;
pub mod text;
pub mod yaml;
