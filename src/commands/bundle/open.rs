//! `tieline bundle open`

use serde_json::Value;

use super::source::Source;
use crate::commands::format::Report;
use crate::commands::session::{Keys, absent};
use crate::commands::{Exit, Failure};
use crate::reporters::text::{visible, visible_json};
use crate::secret::Secret;
use crate::sops::{Encrypted, ErrorKind, Format};
use crate::ui::Ui;
use crate::verify;
use crate::world::System;

/// Open a bundle with an identity and print its connections in clear, as a runtime would read them.
///
/// The whole bundle is checked first; nothing is printed of one that is not as it should be. Connections that the identity
/// does not open are left out, and said.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// One connection alone
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// YAML documents, or one JSON object by id
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Report,
    #[command(flatten)]
    keys: Keys,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let (parts, deployed) = args.source.read(ui)?;
    let found = args.keys.find(&System::new("."), ui)?;
    let broken = |why: String| Failure::new(why).exit(Exit::Integrity).help("`tieline bundle inspect` tells all of it");
    let report = verify::parts(&parts, Some(&found.identities)).map_err(|error| broken(error.to_string()))?;
    if let Some(problem) = report.problems.first() {
        let who = problem.instance.as_deref().unwrap_or("manifest");
        return Err(broken(format!("this bundle is not as it should be: {who}: {}", problem.message)));
    }
    let known = || deployed.manifest.connections.keys().map(String::as_str);
    if let Some(id) = args.id.as_deref().filter(|id| !parts.objects.contains_key(*id)) {
        return Err(absent("connection", id, known()));
    }
    let format = match args.format {
        Report::Human => Format::Yaml,
        Report::Json => Format::Json,
    };
    let mut opened: Vec<(&String, Secret<String>)> = Vec::new();
    let mut closed = Vec::new();
    for (id, bytes) in parts.objects.iter().filter(|(id, _)| args.id.as_ref().is_none_or(|one| one == *id)) {
        let failed = |error: &dyn std::fmt::Display| broken(format!("{id}: {error}"));
        let text = std::str::from_utf8(bytes).map_err(|error| failed(&error))?;
        let sealed = Encrypted::parse(text).map_err(|error| failed(&error))?;
        match sealed.clear(&found.identities) {
            Ok(clear) => {
                ui.mask_all(&sealed, &clear);
                opened.push((id, clear.text(format).map_err(|error| failed(&error))?));
            }
            Err(error) if matches!(error.kind, ErrorKind::NoIdentity { .. }) => closed.push(id.as_str()),
            Err(error) => return Err(failed(&error)),
        }
    }
    if opened.is_empty() && !closed.is_empty() {
        return Err(Failure::new("no identity opens any of it").help(found.help()));
    }
    print(&opened, args.format, ui);
    if !closed.is_empty() {
        ui.say(&format!("not opened: {}", closed.join(", ")));
    }
    Ok(Exit::Done)
}

fn print(opened: &[(&String, Secret<String>)], format: Report, ui: &Ui) {
    for (at, (id, text)) in opened.iter().enumerate() {
        match format {
            Report::Human => {
                ui.machine(&format!("{}# {}\n", if at == 0 { "" } else { "---\n" }, visible(id)));
                ui.bytes(text.expose().as_bytes());
            }
            Report::Json => {
                let id = Value::from(id.as_str()).to_string();
                ui.machine(&format!("{}{}: ", if at == 0 { "{" } else { ", " }, visible_json(&id)));
                ui.bytes(text.expose().trim_end().as_bytes());
            }
        }
    }
    if matches!(format, Report::Json) {
        ui.machine(if opened.is_empty() { "{}\n" } else { "}\n" });
    }
}
