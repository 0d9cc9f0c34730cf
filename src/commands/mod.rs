//! What people type: one file a command, its arguments and what it does.

mod acceptance;
mod access;
mod add;
mod against;
mod apply;
mod audit;
mod bundle;
mod change;
mod codeowners;
mod connector;
mod delete;
mod deploy;
mod destination;
mod diff;
mod explain;
mod fmt;
mod format;
mod formers;
mod gc;
mod graph;
mod history;
mod init;
mod keygen;
mod judged;
mod known;
mod list;
mod merge_driver;
mod mv;
mod plan;
mod publish;
mod recipients;
mod related;
mod render;
mod rollback;
mod rule;
mod secret;
mod session;
mod show;
mod signing;
mod sops;
mod sops_rules;
mod status;
mod swap;
mod validate;
mod verify;

use clap::{Parser, Subcommand};

use crate::budget;
use crate::ui::{Color, Ui};
pub use session::{Failure, Session};

/// A compiler for connections: YAML in Git, layers per environment, secrets as a type, sealed bundles.
#[derive(Debug, Parser)]
#[command(name = "tieline", bin_name = "tieline", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Run as if started in DIR
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub directory: Option<std::path::PathBuf>,
    /// When to use colour
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Every command; one line here and one file beside this.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "what each says of itself, above its arguments, is the help")]
pub enum Command {
    Init(init::Args),
    Add(add::Args),
    Validate(validate::Args),
    Render(render::Args),
    Explain(explain::Args),
    List(list::Args),
    Show(show::Args),
    Fmt(fmt::Args),
    Mv(mv::Args),
    Swap(swap::Args),
    Delete(delete::Args),
    Rule(rule::Args),
    Diff(diff::Args),
    Graph(graph::Args),
    Connector(connector::Args),
    Secret(secret::Args),
    Recipients(recipients::Args),
    Audit(audit::Args),
    Codeowners(codeowners::Args),
    Sops(sops::Args),
    MergeDriver(merge_driver::Args),
    Keygen(keygen::Args),
    Plan(plan::Args),
    Apply(Box<apply::Args>),
    Status(status::Args),
    History(history::Args),
    Rollback(rollback::Args),
    Verify(verify::Args),
    Gc(gc::Args),
    Bundle(bundle::Args),
    Publish(publish::Args),
}

/// How a run ended; the number is the process' exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing wrong.
    Done = 0,
    /// The input is invalid, or the operation failed.
    Failed = 1,
    /// There are changes: only with `plan --detailed-exitcode`.
    Changes = 2,
    /// The plan is stale, or another apply was faster.
    Stale = 3,
    /// A guard refused.
    Guard = 4,
    /// Something is not what its digest, MAC or signature says.
    Integrity = 5,
    /// Wrong usage of the command line.
    Usage = 64,
}

/// Runs a command.
pub fn run(cli: &Cli, ui: &Ui) -> Exit {
    budget::begin();
    let result = match &cli.command {
        Command::Init(args) => init::run(args, cli, ui),
        Command::Add(args) => add::run(args, cli, ui),
        Command::Fmt(args) => fmt::run(args, cli, ui),
        Command::Mv(args) => mv::run(args, cli, ui),
        Command::Swap(args) => swap::run(args, cli, ui),
        Command::Delete(args) => delete::run(args, cli, ui),
        Command::Validate(args) => validate::run(args, cli, ui),
        Command::Render(args) => render::run(args, cli, ui),
        Command::Explain(args) => explain::run(args, cli, ui),
        Command::List(args) => list::run(args, cli, ui),
        Command::Show(args) => show::run(args, cli, ui),
        Command::Rule(args) => rule::run(args, cli, ui),
        Command::Diff(args) => diff::run(args, cli, ui),
        Command::Graph(args) => graph::run(args, cli, ui),
        Command::Connector(args) => connector::run(args, cli, ui),
        Command::Secret(args) => secret::run(args, cli, ui),
        Command::Recipients(args) => recipients::run(args, cli, ui),
        Command::Audit(args) => audit::run(args, cli, ui),
        Command::Codeowners(args) => codeowners::run(args, cli, ui),
        Command::Sops(args) => sops::run(args, cli, ui),
        Command::MergeDriver(args) => merge_driver::run(args, cli, ui),
        Command::Keygen(args) => keygen::run(args, cli, ui),
        Command::Plan(args) => plan::run(args, cli, ui),
        Command::Apply(args) => apply::run(args, cli, ui),
        Command::Status(args) => status::run(args, cli, ui),
        Command::History(args) => history::run(args, cli, ui),
        Command::Rollback(args) => rollback::run(args, cli, ui),
        Command::Verify(args) => verify::run(args, cli, ui),
        Command::Gc(args) => gc::run(args, cli, ui),
        Command::Bundle(args) => bundle::run(args, cli, ui),
        Command::Publish(args) => publish::run(args, cli, ui),
    };
    let exit = result.unwrap_or_else(|failure| {
        ui.fail(&failure.message, failure.help.as_deref());
        failure.exit
    });
    match budget::over() {
        // Where nothing told it: what was done is not all that was asked for.
        Some(cost) if matches!(exit, Exit::Done | Exit::Changes) => {
            ui.fail(&budget::message(cost, budget::limit(cost)), None);
            Exit::Failed
        }
        _ => exit,
    }
}
