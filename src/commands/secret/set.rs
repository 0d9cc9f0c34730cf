//! `tieline secret set`

use super::place::{One, Place};
use super::users::Users;
use super::value::{From, check_name};
use crate::commands::access::Unasked;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::secrets::change::{Outcome, change};
use crate::ui::Ui;

/// Set a secret: the value comes from the keyboard, unseen, from stdin or a file, or is made up.
///
/// Says which connections and consumers will see the change.
///
/// The value's line changes, and nothing else of the file but its seal. An identity that opens the file is needed also
/// to add a value: the seal covers all of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    access: Unasked,
    #[command(flatten)]
    from: From,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    check_name(&args.one.name)?;
    let session = Session::open(cli)?;
    let place = Place::named(&session, &args.one.choice)?;
    place.recipients()?;
    let found = args.one.keys.find(&session.world, ui)?;
    let consent = place.consent(&found, args.access.yes, ui)?;
    let value = args.from.read(&format!("value of {} in {}: ", args.one.name, place.path), &session, ui)?;
    let outcome = place.keep(&found, &consent, ui, |sealing| {
        let (text, outcomes) = change(sealing, vec![(args.one.name.clone(), Some(value))], &found.identities)?;
        Ok((text, outcomes[0]))
    })?;
    let (name, file) = (&args.one.name, &place.file);
    match outcome {
        Outcome::Replaced => ui.say(&format!("{name} replaced in {file}")),
        Outcome::Added => ui.say(&format!("{name} added to {file}")),
        Outcome::Unchanged | Outcome::Removed => {
            ui.say(&format!("{name} is that already in {file}"));
            return Ok(Exit::Done);
        }
    }
    // What stands there now, not what stood there before.
    let session = Session::open(cli)?;
    Users::of(&session, &place.path, name).tell(ui);
    session.keep_sopsrc(ui)?;
    Ok(Exit::Done)
}
