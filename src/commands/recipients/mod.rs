//! `tieline recipients`

mod change;
mod check;
mod list;

use super::{Cli, Exit, Failure};
use crate::ui::Ui;

/// Who can open the secrets of which environment: named keys, and the files that are sealed to them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the recipients of every layer, by name
    List(list::Args),
    /// Let somebody open secrets: seals all files of the layers to them too
    Add(change::Add),
    /// Let somebody open secrets no more: seals all files of the layers without them
    Remove(change::Remove),
    /// Look for files that are sealed to others than their layer says; needs no key
    Check(check::Args),
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.action {
        Action::List(args) => list::run(args, cli, ui),
        Action::Add(args) => change::add(args, cli, ui),
        Action::Remove(args) => change::remove(args, cli, ui),
        Action::Check(args) => check::run(args, cli, ui),
    }
}
