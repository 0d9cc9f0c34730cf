//! What commands that change files share: the diff is shown, what would not compile is refused, and only then is
//! anything written.

use super::{Exit, Failure, Session};
use crate::compile;
use crate::diagnostic::{Diagnostic, nearest};
use crate::edit::references::{Reference, connection_id, key_of, to_connections};
use crate::edit::{Edited, check};
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// How a change is made.
#[derive(Debug, clap::Args)]
pub(super) struct Manner {
    /// Show what would change, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Shows a change, checks it and makes it. `allowed` says which new errors are no reason to refuse it.
pub(super) fn make(
    session: &Session,
    edited: &Edited,
    manner: &Manner,
    allowed: impl Fn(&Diagnostic) -> bool,
    ui: &Ui,
) -> Result<Exit, Failure> {
    if edited.is_empty() {
        ui.say("nothing to change");
        return Ok(Exit::Done);
    }
    let before = compile::check(&session.workspace, &session.catalogue, session.told.clone());
    let checked = check::check(&session.world, edited, &before)
        .map_err(|_| Failure::new("there would be no workspace any more: nothing was written"))?;
    let diff = edited.diff(&session.workspace.sources, &checked.sources);
    ui.data(&diff.split('\n').map(visible).collect::<Vec<_>>().join("\n"));
    let fresh: Vec<Diagnostic> = checked.fresh.into_iter().filter(|d| !allowed(d)).collect();
    if !fresh.is_empty() {
        ui.problems(&fresh, &checked.sources, session.workspace.concrete().count());
        return Err(Failure::new("the workspace would not compile with this change: nothing was written"));
    }
    if manner.dry_run {
        ui.say("a dry run: nothing was written");
        return Ok(Exit::Done);
    }
    let files = session.world.files();
    files
        .change(&edited.files, &edited.before)
        .map_err(|error| Failure::new(format!("can't write: {error}")).help("`git status` shows what was changed"))?;
    Ok(Exit::Done)
}

/// The id of a connection that some layer has.
pub(super) fn connection<'w>(workspace: &'w Workspace, name: &str) -> Result<&'w str, Failure> {
    connection_id(workspace, name).ok_or_else(|| {
        let known = workspace.layers().flat_map(|layer| layer.connections.keys()).map(|id| &**id);
        let failure = Failure::usage(format!("there is no connection `{name}`"));
        match nearest(name, known) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("`tieline list` shows them"),
        }
    })
}

/// Everything that names a connection, by its id or key.
pub(super) fn users<'w>(workspace: &'w Workspace, id: &str) -> Vec<Reference<'w>> {
    let key = key_of(workspace, id);
    to_connections(workspace).into_iter().filter(|r| r.name == id || Some(r.name) == key).collect()
}
