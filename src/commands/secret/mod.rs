//! `tieline secret`

mod adopt;
mod edit;
mod extract;
mod get;
mod list;
mod place;
mod rotate;
mod set;
mod unset;
mod users;
mod value;

use super::{Cli, Exit, Failure};
use crate::ui::Ui;

/// Set, show, change and list secrets.
///
/// They stand in sops files that are sealed to the recipients of their layer.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Set(set::Args),
    Get(get::Args),
    Edit(edit::Args),
    Unset(unset::Args),
    List(list::Args),
    Rotate(rotate::Args),
    Extract(extract::Args),
    Adopt(adopt::Args),
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.action {
        Action::Set(args) => set::run(args, cli, ui),
        Action::Get(args) => get::run(args, cli, ui),
        Action::Edit(args) => edit::run(args, cli, ui),
        Action::Unset(args) => unset::run(args, cli, ui),
        Action::List(args) => list::run(args, cli, ui),
        Action::Rotate(args) => rotate::run(args, cli, ui),
        Action::Extract(args) => extract::run(args, cli, ui),
        Action::Adopt(args) => adopt::run(args, cli, ui),
    }
}
