//! `tieline diff`

use std::sync::Arc;

use serde_json::{Value, json};

use super::format::Report;
use super::{Cli, Exit, Failure, Session};
use crate::compile::Compiled;
use crate::compile::desired::{desired, place};
use crate::plan::leaves::LeafAction;
use crate::plan::{Action, Change, Plan};
use crate::reporters::json::{FORMAT_VERSION, pretty};
use crate::reporters::plan_human::changes_human;
use crate::reporters::plan_json;
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::workspace::layers::At;

/// Show what differs between two environments, with the lines on both sides.
///
/// Secrets are compared by what is seen of them without opening; no key is needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The one environment
    #[arg(value_name = "ENV")]
    from: String,
    /// The other
    #[arg(value_name = "ENV")]
    to: String,
    /// One connection, by id or key
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Report,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let side =
        |name: &str| -> Result<Compiled, Failure> { session.compile(&At::plain(&session.environment(name)?), ui) };
    let (from, to) = (side(&args.from)?, side(&args.to)?);
    let of = |compiled: &Compiled| desired(&session.workspace, &session.catalogue, compiled);
    let sources = &session.workspace.sources;
    let mut changes = Plan::between(&of(&from), &of(&to), &|id, pointer| place(&to, sources, id, pointer));
    for change in &mut changes {
        let id = change.from.as_ref().unwrap_or(&change.instance);
        for leaf in change.leaves.iter_mut().map(Arc::make_mut) {
            // What is on one side alone was written on that side.
            if leaf.action != LeafAction::Add {
                leaf.old_place = place(&from, sources, id, &leaf.path);
            }
            if leaf.action == LeafAction::Remove {
                leaf.place = None;
            }
        }
    }
    if let Some(name) = &args.id {
        let id = session.connection(&from, name).or_else(|_| session.connection(&to, name))?;
        changes.retain(|change| *change.instance == **id || change.id == **id);
    }
    match args.format {
        Report::Json => ui.machine(&pretty(&json!({
            "format_version": FORMAT_VERSION,
            "from": &*from.at.environment,
            "to": &*to.at.environment,
            "changes": changes.iter().map(one).collect::<Vec<Value>>(),
        }))),
        Report::Human => human(&changes, &from, &to, ui),
    }
    Ok(Exit::Done)
}

/// A change as plans tell it, with the places of both sides.
fn one(change: &Change) -> Value {
    let mut value = plan_json::change(change);
    let leaves = value["leaves"].as_array_mut().into_iter().flatten();
    for (json, leaf) in leaves.zip(&change.leaves) {
        json["old_file"] = leaf.old_place.as_ref().map(|line| &*line.file).into();
        json["old_line"] = leaf.old_place.as_ref().map(|line| line.number).into();
    }
    value["action"] = match change.action {
        Action::Create => "only-in-second",
        Action::Delete => "only-in-first",
        _ => "differs",
    }
    .into();
    value
}

fn human(changes: &[Change], from: &Compiled, to: &Compiled, ui: &Ui) {
    let (first, second) = (&from.at, &to.at);
    if changes.is_empty() {
        return ui.data(&format!("{first} and {second} are the same\n"));
    }
    let (alone, both): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|c| matches!(c.action, Action::Create | Action::Delete));
    for change in alone {
        let side = if change.action == Action::Create { second } else { first };
        ui.data(&format!("only in {side}: {}  {}\n", visible(&change.instance), visible(&change.connector)));
    }
    let both: Vec<Change> = both.into_iter().cloned().collect();
    ui.data(&changes_human(&both, ui.look()));
}
