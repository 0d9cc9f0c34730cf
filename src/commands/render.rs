//! `tieline render`

use serde_json::{Map, Value, json};

use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::compile::desired::desired;
use crate::reporters::json::{FORMAT_VERSION, pretty};
use crate::reporters::yaml;
use crate::ui::Ui;

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
    let connections: Map<String, Value> = records.into_iter().collect();
    let document = json!({
        "format_version": FORMAT_VERSION,
        "environment": &*at.environment,
        "profile": at.profile.as_deref(),
        "connections": connections,
    });
    match args.format {
        Format::Json => ui.machine(&pretty(&document)),
        Format::Yaml => {
            let text = yaml::render(&document["connections"])
                .map_err(|error| Failure::new(format!("can't write YAML: {error}")))?;
            ui.machine(&text);
        }
    }
    Ok(Exit::Done)
}
