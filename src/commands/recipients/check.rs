//! `tieline recipients check`

use serde_json::{Value, json};

use crate::commands::format::Report;
use crate::commands::session::Session;
use crate::commands::{Cli, Exit, Failure};
use crate::diagnostic::listed;
use crate::reporters::json::pretty;
use crate::reporters::text::visible;
use crate::secrets::recipients::drifted;
use crate::ui::Ui;

/// Look for files that are sealed to others than their layer says.
///
/// Exits with 1 if there is one. Needs no key. A file says who it is sealed to; that they can open it, only they can tell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Report,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let files = drifted(&session.workspace);
    match args.format {
        Report::Json => {
            let row = |file: &crate::secrets::recipients::Rewrap<'_>| json!({"file": file.path, "missing": file.drift.missing, "extra": file.drift.extra});
            ui.machine(&pretty(&Value::Array(files.iter().map(row).collect())));
        }
        Report::Human => {
            for file in &files {
                let mut parts = Vec::new();
                let names = |names: &[String]| listed(names.iter().map(String::as_str), 8);
                if !file.drift.missing.is_empty() {
                    parts.push(format!("not sealed to {}", names(&file.drift.missing)));
                }
                if !file.drift.extra.is_empty() {
                    parts.push(format!("sealed to {} too", names(&file.drift.extra)));
                }
                ui.data(&format!("{}: {}\n", visible(file.path), visible(&parts.join("; "))));
            }
            let sealed = session.workspace.layers().filter(|layer| layer.secrets.is_some()).count();
            ui.say(&format!("{sealed} secrets files, {} differ from their layer's recipients", files.len()));
            if !files.is_empty() {
                ui.say("  help: `tieline recipients add` and `remove` seal all of them to whom the layers name");
            }
        }
    }
    Ok(if files.is_empty() { Exit::Done } else { Exit::Failed })
}
