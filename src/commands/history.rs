//! `tieline history`

use serde_json::{Value, json};

use super::deploy::{Place, Where, failed, short};
use super::format::Listing;
use super::{Cli, Exit, Failure};
use crate::apply::desired_of;
use crate::bundle::Deployed;
use crate::plan::{Action, Plan};
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::targets::{TargetError, previous};
use crate::ui::Ui;

/// Show what was in force: every apply of an environment, the newest first.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    /// No more than so many
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

const COLUMNS: &[&str] =
    &["serial", "time", "commit", "connections", "created", "updated", "deleted", "rollback_of", "signed", "tool"];

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let mut next = Some(place.in_force_to_look(ui)?);
    let mut rows = Vec::new();
    let mut cut = None;
    while let Some(now) = next.take().filter(|_| rows.len() < args.limit) {
        let older = match previous(&*place.target, &now) {
            Ok(older) => older,
            // What `gc` took is no damage.
            Err(TargetError::Missing(_)) => {
                cut = Some(now.manifest.serial);
                None
            }
            Err(error) => return Err(failed(&error)),
        };
        rows.push(row(&now, older.as_ref(), &place)?);
        next = older;
    }
    match args.format {
        Listing::Json => ui.machine(&pretty(&Value::Array(rows))),
        Listing::Table => {
            let cells = |row: &Value| COLUMNS.iter().map(|column| cell(&row[*column])).collect();
            ui.data(&table::render(COLUMNS, &rows.iter().map(cells).collect::<Vec<Vec<String>>>()));
        }
    }
    if let Some(serial) = cut {
        ui.say(&format!("what was before serial {serial} is not kept any more"));
    }
    Ok(Exit::Done)
}

fn row(now: &Deployed, older: Option<&Deployed>, place: &Place) -> Result<Value, Failure> {
    let desired = desired_of(now).map_err(|error| Failure::new(error.to_string()).exit(Exit::Integrity))?;
    let plan = Plan::new(&desired, older, &|_, _| None);
    let known = now.manifest.previous.is_none() || older.is_some();
    let count = |count: usize| known.then_some(count);
    let signed = place.target.read_signature(&now.digest).map_err(|error| failed(&error))?.is_some();
    Ok(json!({
        "serial": now.manifest.serial,
        "time": now.manifest.time,
        "commit": now.manifest.commit.as_ref().map(short),
        "connections": now.manifest.connections.len(),
        "created": count(plan.count(Action::Create)),
        "updated": count(plan.count(Action::Update) + plan.count(Action::Move)),
        "deleted": count(plan.count(Action::Delete)),
        "rollback_of": now.manifest.rollback_of,
        "signed": signed,
        "lineage": now.manifest.lineage,
        "tool": now.manifest.tool,
    }))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}
