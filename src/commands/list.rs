//! wip
use super::{Cli, Exit, Failure};
use crate::ui::Ui;
/// wip
#[derive(Debug, clap::Args)]
pub struct Args {}
pub(super) fn run(_args: &Args, _cli: &Cli, _ui: &Ui) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
