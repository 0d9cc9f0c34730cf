//! `tieline validate`

use super::format::Problems;
use super::{Cli, Exit, Failure, Session};
use crate::compile;
use crate::diagnostic::{Diagnostic, has_errors};
use crate::reporters::human::{self, plural, tally};
use crate::reporters::json::{self, Totals};
use crate::reporters::{concise, github};
use crate::secrets::sopsrc;
use crate::ui::Ui;
use crate::world::disk;

/// Check the workspace: every problem of every environment.
///
/// Needs no key and no network. Exit code 1 if there is an error.
///
/// What a run may take is bounded: 1,000,000 values, 20,000,000 expression steps, 20,000,000 schema checks, and
/// more for each byte that it reads. `tieline rule show over-budget` says what is counted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Report only what is in these files and folders; everything is checked all the same
    #[arg(value_name = "PATH")]
    paths: Vec<std::path::PathBuf>,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Problems,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let paths = args.paths.iter().map(|path| session.inside(path)).collect::<Result<Vec<_>, _>>()?;
    let folder = disk::below_repository(session.world.root());
    let Session { mut workspace, catalogue, told, world, .. } = session;
    let mut told = compile::check(&workspace, &catalogue, told);
    sopsrc::check(&mut workspace, &world, &mut told);
    told.retain(|d| reported(d, &workspace.sources, &paths));
    let totals = Totals {
        files: workspace.sources.len(),
        connections: workspace.connection_count(),
        environments: workspace.concrete().count(),
    };
    match args.format {
        Problems::Concise => {
            ui.data(&concise::render(&told, &workspace.sources, ""));
            ui.say(&summary(&told, totals));
        }
        Problems::Github => ui.machine(&github::render(&told, &workspace.sources, &folder)),
        Problems::Json => ui.machine(&json::render(&told, &workspace.sources, totals)),
        Problems::Human => {
            ui.data(&human::render(&told, &workspace.sources, totals.environments, ui.look()));
            ui.data(&format!("{}\n", summary(&told, totals)));
        }
    }
    // The process ends here: taking thousands of trees apart first would be a tenth of its time.
    std::mem::forget(workspace);
    Ok(if has_errors(&told) { Exit::Failed } else { Exit::Done })
}

fn summary(told: &[Diagnostic], totals: Totals) -> String {
    let Totals { connections, environments, .. } = totals;
    let tally = tally(told);
    let found = if tally.is_empty() { "no problems" } else { &tally };
    format!(
        "{connections} connection{}, {environments} environment{}: {found}",
        plural(connections),
        plural(environments)
    )
}

/// Whether a problem is in one of the paths, which are relative to the workspace. A problem without a place is always
/// reported.
fn reported(diagnostic: &Diagnostic, sources: &crate::source::Sources, paths: &[String]) -> bool {
    let within = |path: &str| {
        paths.iter().any(|wanted| {
            let below = path.strip_prefix(wanted.as_str());
            wanted.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    paths.is_empty() || diagnostic.labels.is_empty() || diagnostic.labels.iter().any(|l| within(sources.path(l.span)))
}
