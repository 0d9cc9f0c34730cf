//! `tieline sops rotate`

use super::file::{Input, identities, now, random};
use crate::commands::access::Unasked;
use crate::commands::session::{Keys, recipient};
use crate::commands::{Cli, Exit, Failure};
use crate::diagnostic::listed;
use crate::sops::Recipient;
use crate::ui::Ui;

/// Seal every value of a file anew under a new data key.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    keys: Keys,
    /// Seal it to this recipient too
    #[arg(long, value_name = "RECIPIENT")]
    add_age: Vec<String>,
    /// Seal it to this one no more
    #[arg(long, value_name = "RECIPIENT")]
    rm_age: Vec<String>,
    /// Write it in the file's place
    #[arg(short, long)]
    in_place: bool,
    #[command(flatten)]
    access: Unasked,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let file = args.input.read(cli)?;
    let encrypted = file.encrypted()?;
    let mut recipients: Vec<Recipient> = file.recipients(&encrypted)?;
    recipients.retain(|recipient| !args.rm_age.iter().any(|gone| gone.trim() == recipient.as_str()));
    // Whom `--add-age` names is meant.
    let listed_there = recipients.clone();
    for added in &args.add_age {
        recipients.push(recipient(added)?);
    }
    let found = identities(&args.keys, ui)?;
    let mut judged = file.judge(Some(&found))?;
    file.consent(&judged, &listed_there, &found, &args.access, ui)?;
    let text = encrypted
        .rotate(&found.identities, &recipients, &now(), &mut random)
        .map_err(|error| file.failure(&error, Some(&found)))?;
    // The block's list is a claim that anybody could write: whom it is sealed to now is said.
    let shown: Vec<&str> = recipients.iter().map(Recipient::as_str).collect();
    ui.say(&format!("{} is sealed to {}", file.shown, listed(shown, usize::MAX)));
    if args.in_place {
        file.keep(&text, &mut judged, ui)?;
    } else {
        ui.bytes(text.as_bytes());
    }
    Ok(Exit::Done)
}
