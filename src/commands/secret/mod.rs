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

/// Set, show, change and list secrets: sops files that are sealed to the recipients of their layer.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Set a secret: the value comes from the keyboard, unseen, from stdin, a file, or is made up
    Set(set::Args),
    /// Print the value of a secret
    Get(get::Args),
    /// Change the secrets of an environment in your editor
    Edit(edit::Args),
    /// Remove a secret
    Unset(unset::Args),
    /// List secrets: names, environments, versions, ages, who uses and who can open them; never values
    List(list::Args),
    /// Give a secret a new value, write the date beside its login, and list what is linked
    Rotate(rotate::Args),
    /// Move secrets that stand in clear in YAML files into sops files
    Extract(extract::Args),
    /// Take in a sops file that was made, named or placed elsewhere
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
