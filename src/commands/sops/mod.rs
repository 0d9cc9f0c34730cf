//! `tieline sops`: the format alone, on any YAML or JSON file.

mod decrypt;
mod encrypt;
mod file;
mod rotate;
mod set;
mod updatekeys;

use super::{Cli, Exit, Failure};
use crate::ui::Ui;

/// Read and write sops files that are sealed with age: any YAML or JSON file, no workspace needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Open a file and print it in clear
    Decrypt(decrypt::Args),
    /// Seal a file that is in clear
    Encrypt(encrypt::Args),
    /// Give one value another one; it comes from stdin, as JSON
    Set(set::Args),
    /// Seal a file's data key to other recipients
    Updatekeys(updatekeys::Args),
    /// Seal a file anew under a new data key
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
