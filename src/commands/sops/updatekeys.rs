//! `tieline sops updatekeys`

use std::path::Path;

use super::file::{Input, To, identities, now, random, recipients};
use crate::commands::acceptance::tell_access;
use crate::commands::access::{self, Gain, agreed, with_key};
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::diagnostic::word;
use crate::secrets::recipients::{Named, name_of};
use crate::sops::Recipient;
use crate::ui::Ui;

/// Seal a file's data key to other recipients, in place.
///
/// Says who gains and who loses access, and asks. Values stay as they are, byte for byte, unless somebody else made the data key. Who is removed may have kept it: `rotate` makes a new one, and the values themselves are to be changed too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    keys: Keys,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let file = args.input.read(cli)?;
    let wanted = recipients(&args.to.creation(&file)?)?;
    let encrypted = file.encrypted()?;
    file.only_age(&encrypted)?;
    let now_sealed: Vec<&str> = encrypted.metadata().recipients.iter().map(|entry| entry.recipient.trim()).collect();
    let wanted_texts: Vec<&str> = wanted.iter().map(Recipient::as_str).collect();
    if now_sealed == wanted_texts {
        ui.say(&format!("{} is sealed to them already", file.shown));
        return Ok(Exit::Done);
    }
    let folder = file.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let session = Session::at(folder).ok();
    let name = |key: &str| session.as_ref().and_then(|session| name_of(&session.workspace, key));
    let named = |key: &str| with_key(&name(key).unwrap_or_else(|| key.to_owned()), key);
    let only = |these: &[&str], those: &[&str]| -> Vec<String> {
        these.iter().filter(|one| !those.contains(one)).map(|one| named(one)).collect()
    };
    let (gains, loses) = (only(&wanted_texts, &now_sealed), only(&now_sealed, &wanted_texts));
    tell_access(&file.shown, &gains, &loses, ui);
    let found = identities(&args.keys, ui)?;
    let mut judged = file.judge(Some(&found))?;
    let to =
        |to: &Recipient| Named { name: name(to.as_str()).unwrap_or_else(|| to.to_string()), recipient: to.clone() };
    let to: Vec<Named> = wanted.iter().map(to).collect();
    let mut claimed = judged.gains(file.text.expose(), file.format, &to, &found.identities);
    claimed.retain(|gain: &Gain| gain.claimed);
    access::say(&claimed, ui);
    if !gains.is_empty() || !loses.is_empty() || !claimed.is_empty() {
        agreed("Seal it to them?", "`--yes` seals it to them without asking", args.yes, ui)?;
    }
    let renew = judged.renew();
    let text = if renew {
        // The data key that a stranger may know is not handed on.
        let clear = encrypted.clear(&found.identities).map_err(|error| file.failure(&error, Some(&found)))?;
        encrypted.with_new_key(&clear, &encrypted.settings(&wanted, &now()), &mut random)
    } else {
        encrypted.rewrap(&found.identities, &wanted)
    };
    let text = text.map_err(|error| file.failure(&error, Some(&found)))?;
    file.keep(&text, &mut judged, ui)?;
    ui.say(&format!("{} is sealed to {} recipients", file.shown, wanted.len()));
    if !renew && !loses.is_empty() {
        let shown = word(&file.shown);
        ui.say(&format!("  who was removed may still hold the data key: `tieline sops rotate -i {shown}`"));
        judged.retire(&text, file.format, ui);
    }
    Ok(Exit::Done)
}
