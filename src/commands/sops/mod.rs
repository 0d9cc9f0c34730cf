//! `tieline sops`: the format alone, on any YAML or JSON file.

mod decrypt;
mod encrypt;
mod file;
mod rotate;
mod set;
mod updatekeys;

use super::{Cli, Exit, Failure};
use crate::ui::Ui;

/// Read and write any sops file that is sealed with age.
///
/// YAML or JSON; no workspace is needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Decrypt(decrypt::Args),
    Encrypt(encrypt::Args),
    Set(set::Args),
    Updatekeys(updatekeys::Args),
    Rotate(rotate::Args),
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.action {
        Action::Decrypt(args) => decrypt::run(args, cli, ui),
        Action::Encrypt(args) => encrypt::run(args, cli, ui),
        Action::Set(args) => set::run(args, cli, ui),
        Action::Updatekeys(args) => updatekeys::run(args, cli, ui),
        Action::Rotate(args) => rotate::run(args, cli, ui),
    }
}
