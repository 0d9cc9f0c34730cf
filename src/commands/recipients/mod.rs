//! `tieline recipients`

mod accept;
mod change;
mod check;
mod list;

use super::{Cli, Exit, Failure};
use crate::ui::Ui;

/// Say who can open secrets, and seal the files to them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(list::Args),
    Add(change::Add),
    Remove(change::Remove),
    Accept(accept::Args),
    Check(check::Args),
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.action {
        Action::List(args) => list::run(args, cli, ui),
        Action::Add(args) => change::add(args, cli, ui),
        Action::Remove(args) => change::remove(args, cli, ui),
        Action::Accept(args) => accept::run(args, cli, ui),
        Action::Check(args) => check::run(args, cli, ui),
    }
}
