//! What a stranger can't do: whoever opens a pull request, holds an old key, or runs the target, store or registry.
//!
//! Each file is one kind of attack, as it was found, with its siblings. Names begin with the row (`e01_…`) or the abuse
//! case (`a95_…`) that they show.

mod accepted;
mod access;
mod data_key;
mod echo;
pub(crate) mod encoding;
mod git;
mod guards;
mod history;
mod lineage;
mod links;
mod marks;
mod memory;
mod merging;
mod names;
mod newcomers;
mod placement;
mod programs;
mod remote;
mod retarget;
mod saved_plan;
mod signers;
mod spellings;
mod view;
