//! `tieline recipients list`

use serde_json::{Value, json};

use crate::commands::format::Listing;
use crate::commands::session::Session;
use crate::commands::{Cli, Exit, Failure};
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::secrets::{recipients, short};
use crate::ui::Ui;

/// List who each layer is sealed to, by name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of this environment and what is above it alone
    #[arg(short, long, value_name = "ENV")]
    environment: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

const COLUMNS: &[&str] = &["layer", "name", "key", "named in"];

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let only = args.environment.as_ref().map(|name| session.environment(name)).transpose()?;
    let mut rows = Vec::new();
    for (layer, stack) in session.workspace.layers_with_stacks() {
        if only.as_ref().is_some_and(|only| !stack.iter().any(|l| *l.path == *format!("environments/{only}"))) {
            continue;
        }
        // A layer that can hold no secrets of its own has nobody to seal them to.
        let Ok(named) = recipients::of(&stack) else { continue };
        let from = stack.iter().rev().find(|layer| layer.settings.recipients.is_some());
        let from = from.and_then(|layer| layer.settings_file).map(|file| session.workspace.sources.get(file).path());
        for recipient in named {
            rows.push(json!({
                "layer": &*layer.path,
                "name": recipient.name,
                "key": recipient.recipient.as_str(),
                "named_in": from,
            }));
        }
    }
    match args.format {
        Listing::Json => ui.machine(&pretty(&Value::Array(rows))),
        Listing::Table => {
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            let cells = |row: &Value| {
                let layer = text(&row["layer"]);
                let layer = if layer.is_empty() { "(root)".to_owned() } else { layer };
                vec![layer, text(&row["name"]), short(&text(&row["key"])), text(&row["named_in"])]
            };
            ui.data(&table::render(COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>()));
        }
    }
    Ok(Exit::Done)
}
