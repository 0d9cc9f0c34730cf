//! `tieline render`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::compile::desired::desired;
use crate::model::record::Record;
use crate::reporters::json::{FORMAT_VERSION, pretty};
use crate::reporters::yaml;
use crate::ui::Ui;
use crate::workspace::layers::At;

/// Print what an environment compiles to: the records that are planned and deployed.
///
/// Secrets are references; no key is needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// One connection, by id or key; the instance of a customer is `ID@CUSTOMER`
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let at = session.chosen(&args.chosen)?;
    let compiled = session.compile(&at, ui)?;
    let mut records = desired(&session.workspace, &session.catalogue, &compiled).records;
    if let Some(name) = &args.id {
        let id = session.connection(&compiled, name)?;
        records.retain(|record, _| **record == **id);
        if records.is_empty() {
            return Err(Failure::new(format!("the connection `{id}` is switched off in `{at}`")));
        }
    }
    drop(compiled);
    match args.format {
        Format::Json => json(&at, &records, ui),
        Format::Yaml => yaml(&records, ui).map_err(|error| Failure::new(format!("can't write YAML: {error}")))?,
    }
    Ok(Exit::Done)
}

/// A record at a time: the text of all of them is longer than they are.
fn json(at: &At, records: &BTreeMap<String, Record>, ui: &Ui) {
    let frame = json!({
        "format_version": FORMAT_VERSION,
        "environment": &*at.environment,
        "profile": at.profile.as_deref(),
        "connections": {},
    });
    let frame = pretty(&frame);
    let (before, after) = frame.split_once("{}").unwrap_or((&frame, ""));
    let last = records.len().saturating_sub(1);
    ui.machine(before);
    for (index, (id, record)) in records.iter().enumerate() {
        let open = if index == 0 { "{\n" } else { "" };
        let close = if index == last { "\n  }" } else { ",\n" };
        // No string of JSON holds a line break.
        let text = pretty(&Value::from(record)).trim_end().replace('\n', "\n    ");
        ui.machine(&format!("{open}    {}: {text}{close}", Value::from(&**id)));
    }
    ui.machine(&format!("{}{after}", if records.is_empty() { "{}" } else { "" }));
}

/// The same: maps of one key that stand below each other are one map.
fn yaml(records: &BTreeMap<String, Record>, ui: &Ui) -> Result<(), String> {
    let alone = |id: &str, record: &Record| json!({ id: Value::from(record) });
    if records.is_empty() || records.iter().any(|(id, record)| yaml::is_json(&alone(id, record))) {
        let all = records.iter().map(|(id, record)| (id.clone(), Value::from(record))).collect();
        ui.machine(&yaml::render(&Value::Object(all))?);
        return Ok(());
    }
    for (id, record) in records {
        ui.machine(&yaml::render(&alone(id, record))?);
    }
    Ok(())
}
