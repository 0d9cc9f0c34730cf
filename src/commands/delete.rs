//! `tieline delete`

use std::fmt::Write;

use super::change::{Manner, connection, make, users};
use super::{Cli, Exit, Failure, Session};
use crate::diagnostic::code;
use crate::edit::Changes;
use crate::edit::references::{files, to_credentials};
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::value::{Node, Value};
use crate::workspace::discover::Family;

/// Delete a connection in every layer.
///
/// Refused while something uses it; `--replace-with` lets all of them use another in the same change.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection, by id or key
    #[arg(value_name = "ID")]
    id: String,
    /// The connection that its consumers use from now on
    #[arg(long, value_name = "OTHER")]
    replace_with: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let id = connection(workspace, &args.id)?;
    let protected = |node: &Node| node.get("protect").is_some_and(|n| n.value == Value::Bool(true));
    let documents = || workspace.layers().filter_map(|layer| layer.connections.get(id));
    if let Some(node) = documents().filter_map(|d| d.root.as_ref()).find(|root| protected(root)) {
        let place = node.get("protect").map_or(node.span, |n| n.span);
        return Err(Failure::new(format!("`{id}` is protected: {} says so", workspace.sources.place(place)))
            .exit(Exit::Guard)
            .help("take `protect: true` out and apply that first"));
    }
    let users = users(workspace, id);
    let mut changes = Changes::new(workspace);
    let (consumers, customers): (Vec<_>, Vec<_>) = users.iter().partition(|r| r.family == Some(Family::Consumers));
    match &args.replace_with {
        Some(other) => {
            let other = connection(workspace, other)?;
            if other == id {
                return Err(Failure::usage("a connection can't take its own place"));
            }
            users.iter().for_each(|reference| changes.rename(reference.span, other));
        }
        None if !users.is_empty() => {
            let mut message = format!("`{id}` is used:");
            for user in consumers.into_iter().chain(customers) {
                let kind = if user.family.is_some() { "consumer" } else { "customer" };
                let place = workspace.sources.place(user.span);
                let _ = write!(message, "\n  {kind} `{}`, {}", visible(user.from), visible(&place));
            }
            return Err(Failure::new(message)
                .help(format!("let them use another in the same change: `tieline delete {id} --replace-with OTHER`")));
        }
        None => {}
    }
    files(workspace, Family::Connections, id).into_iter().for_each(|file| changes.remove(file));
    let ended = make(&session, &changes.finish(), &args.manner, |told| told.code == code::EMPTY_FILE, ui)?;
    let links = to_credentials(workspace);
    let linked = links.iter().filter(|r| r.from == id).map(|r| r.name);
    for credential in linked.filter(|name| !links.iter().any(|r| r.from != id && r.name == *name)) {
        ui.say(&format!("nothing links the credential `{}` any more", visible(credential)));
    }
    Ok(ended)
}
