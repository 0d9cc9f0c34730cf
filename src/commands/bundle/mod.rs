//! `tieline bundle`

mod export;
mod inspect;
mod open;
mod source;

use super::{Cli, Exit, Failure};
use crate::ui::Ui;

/// Bundles as files: made from what is deployed, looked into, opened.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Bundle,
}

#[derive(Debug, clap::Subcommand)]
enum Bundle {
    Export(export::Args),
    Inspect(inspect::Args),
    Open(open::Args),
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.command {
        Bundle::Export(args) => export::run(args, cli, ui),
        Bundle::Inspect(args) => inspect::run(args, ui),
        Bundle::Open(args) => open::run(args, ui),
    }
}
