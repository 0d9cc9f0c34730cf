//! `tieline status`

use std::rc::Rc;

use serde_json::{Value, json};

use super::deploy::{Elsewhere, Place, failed, short};
use super::format::Listing;
use super::{Cli, Exit, Failure, Session};
use crate::compile::compile;
use crate::compile::desired::desired;
use crate::diagnostic::has_errors;
use crate::plan::Plan;
use crate::reporters::json::pretty;
use crate::reporters::plan_human::summary;
use crate::reporters::table;
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::verify;
use crate::workspace::layers::At;
use crate::world::World;

/// Show every environment: what is in force, since when, whether the target still holds it whole, and what an apply would
/// change.
///
/// Needs no key. Exit code 5 if a target is damaged, 1 if one can't be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

const COLUMNS: &[&str] = &["environment", "serial", "commit", "age", "connections", "drift", "pending"];

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    args.elsewhere.limit();
    let session = Rc::new(Session::open(cli)?);
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for at in session.workspace.everywhere() {
        rows.push(row(&session, at, args, &mut problems, ui));
    }
    match args.format {
        Listing::Json => ui.machine(&pretty(&Value::Array(rows))),
        Listing::Table => {
            let cells = |row: &Value| COLUMNS.iter().map(|column| cell(&row[*column])).collect();
            ui.data(&table::render(COLUMNS, &rows.iter().map(cells).collect::<Vec<Vec<String>>>()));
        }
    }
    problems.iter().for_each(|(_, problem)| ui.say(&visible(problem)));
    // A bucket that is out of reach is no damage, and damage is no less for it.
    let damaged = problems.iter().any(|(exit, _)| *exit == Exit::Integrity);
    Ok(match problems.first() {
        None => Exit::Done,
        Some(_) if damaged => Exit::Integrity,
        Some(_) if problems.iter().any(|(exit, _)| *exit == Exit::Guard) => Exit::Guard,
        Some(_) => Exit::Failed,
    })
}

fn row(session: &Rc<Session>, at: At, args: &Args, problems: &mut Vec<(Exit, String)>, ui: &Ui) -> Value {
    let name = at.to_string();
    let mut row = json!({
        "environment": name, "serial": null, "commit": null, "time": null, "age": null, "connections": null,
        "drift": null, "pending": null,
    });
    let opened = Place::of(Rc::clone(session), at, &args.elsewhere);
    let (place, base) = match opened.and_then(|place| place.deployed(ui).map(|base| (place, base))) {
        Ok(opened) => opened,
        Err(failure) => {
            row["drift"] = if failure.exit == Exit::Integrity { "damaged" } else { "can't be read" }.into();
            problems.push((failure.exit, format!("{name}: {}", failure.message)));
            return row;
        }
    };
    if base.is_none() {
        if let Some(lost) = place.lost() {
            row["drift"] = "its head is gone".into();
            problems.push((Exit::Integrity, format!("{name}: {lost}")));
        }
        match place.all_formers() {
            Ok(formers) => formers.iter().filter(|former| former.is_deployed()).for_each(|former| {
                let here = place.target.describe();
                ui.say(&visible(&format!("{name}: was deployed at {}; it goes to {here} now", former.describe())));
            }),
            Err(failure) => problems.push((failure.exit, format!("{name}: {}", failure.message))),
        }
    }
    if let Some(base) = &base {
        let manifest = &base.manifest;
        row["serial"] = manifest.serial.into();
        row["commit"] = manifest.commit.as_ref().map(short).into();
        row["time"] = manifest.time.as_str().into();
        let age = manifest.time.parse::<jiff::Timestamp>().ok();
        row["age"] = age.map(|then| age_of(session.world.now().as_second() - then.as_second())).into();
        row["connections"] = manifest.connections.len().into();
        match verify::read(&*place.target, base, None) {
            Ok(mut report) => {
                report.problems.extend(verify::view(&*place.target, base));
                row["drift"] = report.problems.len().into();
                let told = |problem: &verify::Problem| {
                    let instance = problem.instance.as_deref().unwrap_or("manifest");
                    (Exit::Integrity, format!("{name}: {instance}: {}", problem.message))
                };
                problems.extend(report.problems.iter().map(told));
            }
            Err(error) => {
                let failure = failed(&error.into());
                problems.push((failure.exit, format!("{name}: {}", failure.message)));
            }
        }
    }
    let (compiled, told) = compile(&session.workspace, &session.catalogue, &place.at);
    row["pending"] = if has_errors(&told) || has_errors(&session.told) {
        "does not compile".into()
    } else {
        let desired = desired(&session.workspace, &session.catalogue, &compiled);
        let plan = Plan::new(&desired, base.as_ref(), &|_, _| None);
        if plan.is_empty() { "none".into() } else { summary(&plan).into() }
    };
    row
}

/// Seconds as people say them; a clock that went back gives no age below zero.
fn age_of(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
