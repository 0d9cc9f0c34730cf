//! `tieline bundle inspect`

use serde_json::json;

use super::source::Source;
use crate::commands::format::Report;
use crate::commands::session::Keys;
use crate::commands::signing::verdict;
use crate::commands::{Exit, Failure};
use crate::model::record::{secrets, texts};
use crate::reporters::json::{FORMAT_VERSION, pretty};
use crate::reporters::table;
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::verify;
use crate::world::System;

/// Show what is in a bundle, and check it: digests, headers, recipients, clear values, and MACs where a key is at hand.
///
/// Needs no workspace. Exit code 5 if something is not what it should be.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Report,
    #[command(flatten)]
    keys: Keys,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let (parts, deployed) = args.source.read(ui)?;
    let found = args.keys.find(&System::new("."), ui)?;
    let keys = (!found.identities.is_empty()).then_some(&found.identities);
    let report = verify::parts(&parts, keys).map_err(|error| Failure::new(error.to_string()).exit(Exit::Integrity))?;
    let manifest = &deployed.manifest;
    let rows = manifest.connections.iter().map(|(id, sealed)| {
        let recipients: Vec<&str> = texts(&sealed.record, "recipients").collect();
        (id, sealed.record.text("connector"), secrets(&sealed.record).len(), recipients)
    });
    match args.format {
        Report::Json => ui.machine(&pretty(&json!({
            "format_version": FORMAT_VERSION,
            "digest": deployed.digest,
            "workspace": manifest.workspace,
            "environment": manifest.environment,
            "profile": manifest.profile,
            "customer": manifest.customer,
            "lineage": manifest.lineage,
            "serial": manifest.serial,
            "time": manifest.time,
            "commit": manifest.commit,
            "tool": manifest.tool,
            "signed": parts.signature.is_some(),
            "opened": report.opened,
            "connections": rows.map(|(id, connector, secrets, recipients)| json!({
                "id": id, "connector": connector, "secrets": secrets, "recipients": recipients,
            })).collect::<Vec<_>>(),
            "problems": report.problems.iter().map(|problem| json!({
                "id": problem.instance, "message": problem.message,
            })).collect::<Vec<_>>(),
        }))),
        Report::Human => {
            let commit = manifest.commit.as_ref().map_or_else(|| "no commit".to_owned(), |commit| commit.id.clone());
            let customer = manifest.customer.as_ref().map_or_else(String::new, |name| format!(", for {name}"));
            ui.data(&format!(
                "{} serial {}{}, applied {} from {}, {}\n\n",
                visible(&manifest.scope().name()),
                manifest.serial,
                visible(&customer),
                visible(&manifest.time),
                visible(&commit),
                if parts.signature.is_some() { "signed" } else { "not signed" }
            ));
            let cells = rows.map(|(id, connector, secrets, recipients)| {
                vec![id.clone(), connector.to_owned(), secrets.to_string(), recipients.len().to_string()]
            });
            ui.data(&table::render(&["id", "connector", "secrets", "recipients"], &cells.collect::<Vec<_>>()));
            ui.data("\n");
            let told = verdict(&report, ui);
            ui.data(&told);
        }
    }
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Integrity })
}
