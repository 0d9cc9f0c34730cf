//! `tieline swap`

use super::change::{Manner, connection, make, users};
use super::{Cli, Exit, Failure, Session};
use crate::diagnostic::nearest;
use crate::edit::Changes;
use crate::edit::references::Reference;
use crate::ui::Ui;
use crate::workspace::discover::Family;

/// Let consumers use another connection in place of one.
///
/// Edits the consumers' files in place and shows the diff. Refused where a slot does not accept the new connection.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection that is used now, by id or key
    #[arg(value_name = "OLD")]
    old: String,
    /// The connection that is to be used, by id or key
    #[arg(value_name = "NEW")]
    new: String,
    /// Only in this consumer
    #[arg(long, value_name = "ID")]
    consumer: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let (old, new) = (connection(workspace, &args.old)?, connection(workspace, &args.new)?);
    if let Some(consumer) = &args.consumer {
        let known = || workspace.layers().flat_map(|layer| layer.consumers.keys()).map(|id| &**id);
        if !known().any(|id| id == consumer) {
            let failure = Failure::usage(format!("there is no consumer `{consumer}`"));
            return Err(match nearest(consumer, known()) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure,
            });
        }
    }
    let mut changes = Changes::new(workspace);
    let of_consumers = |r: &Reference<'_>| r.family == Some(Family::Consumers);
    let wanted = |r: &Reference<'_>| args.consumer.as_ref().is_none_or(|id| id == r.from);
    for reference in users(workspace, old).into_iter().filter(|r| of_consumers(r) && wanted(r)) {
        changes.rename(reference.span, new);
    }
    make(&session, &changes.finish(), &args.manner, |_| false, ui)
}
