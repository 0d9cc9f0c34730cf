//! What people type: one file a command, its arguments and what it does.

mod add;
mod apply;
mod audit;
mod change;
mod codeowners;
mod connector;
mod delete;
mod deploy;
mod diff;
mod explain;
mod fmt;
mod format;
mod graph;
mod init;
mod keygen;
mod list;
mod merge_driver;
mod mv;
mod plan;
mod recipients;
mod render;
mod rule;
mod secret;
mod session;
mod show;
mod sops;
mod swap;
mod validate;
mod verify;

use clap::{Parser, Subcommand};

use crate::ui::{Color, Ui};
pub use session::{Failure, Session};

/// A compiler for connections: YAML in Git, layers per environment, secrets as a type, sealed bundles.
#[derive(Debug, Parser)]
#[command(name = "tieline", version, max_term_width = 100, disable_help_subcommand = true)]
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
pub enum Command {
    /// Make a small workspace to start from
    Init(init::Args),
    /// Write the file of a new connection
    Add(add::Args),
    /// Check the workspace: every problem of every environment
    Validate(validate::Args),
    /// Print what an environment compiles to, secrets as references
    Render(render::Args),
    /// Show which file and line set a value, and what it overrode
    Explain(explain::Args),
    /// List the connections
    List(list::Args),
    /// Show one connection
    Show(show::Args),
    /// Put files into their canonical form
    Fmt(fmt::Args),
    /// Rename a connection and keep its reference
    Mv(mv::Args),
    /// Let consumers use another connection
    Swap(swap::Args),
    /// Delete a connection, or put another in its place
    Delete(delete::Args),
    /// List the built-in rules; read about any code
    Rule(rule::Args),
    /// Show what differs between two environments
    Diff(diff::Args),
    /// Draw what hangs together
    Graph(graph::Args),
    /// List the connectors, and show what one asks for
    Connector(connector::Args),
    /// Set, show, change and list secrets
    Secret(secret::Args),
    /// Say who can open secrets, and seal the files to them
    Recipients(recipients::Args),
    /// Tell who can open what, what nobody uses, what is overdue
    Audit(audit::Args),
    /// Write CODEOWNERS rules for who may change what
    Codeowners(codeowners::Args),
    /// Read and write any sops file that is sealed with age
    Sops(sops::Args),
    /// Merge secrets files by their values, for Git
    MergeDriver(merge_driver::Args),
    /// Make an age identity
    Keygen(keygen::Args),
    /// Show what an apply would change; needs no key
    Plan(plan::Args),
    /// Seal an environment and put it in force
    Apply(apply::Args),
    /// Check what is deployed
    Verify(verify::Args),
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
        Command::Verify(args) => verify::run(args, cli, ui),
    };
    result.unwrap_or_else(|failure| {
        ui.fail(&failure.message, failure.help.as_deref());
        failure.exit
    })
}
