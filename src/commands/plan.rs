//! `tieline plan`

use super::deploy::{Place, Where, plan};
use super::format::Report;
use super::{Cli, Exit, Failure};
use crate::reporters::plan_human::plan_human;
use crate::reporters::plan_json::plan_json;
use crate::targets::Target;
use crate::ui::Ui;

/// Show what an apply would change: every connection and every changed value, with the line that causes it.
///
/// Needs no key: secrets are compared by what is seen of them without opening.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// The form of the plan
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Report,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let planned = plan(&place, ui)?;
    match args.format {
        Report::Json => ui.machine(&plan_json(&planned.plan)),
        Report::Human => ui.data(&plan_human(&planned.plan, &place.target.describe(), ui.look().color)),
    }
    Ok(if args.detailed_exitcode && !planned.plan.is_empty() { Exit::Changes } else { Exit::Done })
}
