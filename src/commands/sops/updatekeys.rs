//! `tieline sops updatekeys`

use super::file::{Input, To, identities, recipients};
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure};
use crate::diagnostic::word;
use crate::ui::Ui;

/// Seal a file's data key to other recipients, in place.
///
/// Values stay as they are, byte for byte. Who is removed may have kept the data key: `rotate` makes a new one, and the values themselves are to be changed too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    keys: Keys,
    /// Taken for sops' sake: nothing is asked
    #[arg(short, long, hide = true)]
    yes: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let file = args.input.read(cli)?;
    let wanted = recipients(&args.to.creation(&file)?)?;
    let encrypted = file.encrypted()?;
    let now: Vec<&str> = encrypted.metadata().recipients.iter().map(|entry| entry.recipient.trim()).collect();
    if now.iter().copied().eq(wanted.iter().map(|recipient| recipient.as_str())) {
        ui.say(&format!("{} is sealed to them already", file.shown));
        return Ok(Exit::Done);
    }
    let gone: Vec<&str> = now.iter().copied().filter(|one| !wanted.iter().any(|new| new.as_str() == *one)).collect();
    let found = identities(&args.keys, ui)?;
    let text = encrypted.rewrap(&found.identities, &wanted).map_err(|error| file.failure(&error, Some(&found)))?;
    file.replace(&text)?;
    ui.say(&format!("{} is sealed to {} recipients", file.shown, wanted.len()));
    if !gone.is_empty() {
        ui.say(&format!(
            "  who was removed may still hold the data key: `tieline sops rotate -i {}`",
            word(&file.shown)
        ));
    }
    Ok(Exit::Done)
}
