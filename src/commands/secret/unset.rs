//! `tieline secret unset`

use super::place::{One, Place};
use super::users::Users;
use super::value::check_name;
use crate::commands::access::Unasked;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::diagnostic::listed;
use crate::secrets::change::{Outcome, change};
use crate::ui::Ui;

/// Remove a secret; one in use only with `--force`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    access: Unasked,
    /// Remove it though connections use it; a lower layer may have another value
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    check_name(&args.one.name)?;
    let session = Session::open(cli)?;
    let place = Place::of(&session, &args.one.choice)?;
    let users = Users::of(&session, &place.path, &args.one.name);
    if !users.connections.is_empty() && !args.force {
        let names = listed(users.connections.iter().map(String::as_str), 8);
        return Err(Failure::new(format!("{} is in use: {names}", args.one.name))
            .exit(Exit::Guard)
            .help("take `${{ secrets.NAME }}` out of them first, or insist with `--force`"));
    }
    let found = args.one.keys.find(&session.world, ui)?;
    let consent = place.consent(&found, args.access.yes, ui)?;
    let outcome = place.keep(&found, &consent, ui, |sealing| {
        let (text, outcomes) = change(sealing, vec![(args.one.name.clone(), None)], &found.identities)?;
        Ok((text, outcomes[0]))
    })?;
    if outcome != Outcome::Removed {
        return Err(place.missing(&args.one.name));
    }
    ui.say(&format!("{} removed from {}", args.one.name, place.file));
    ui.say("  it is in Git's history still, for whoever had a key: change it at its source too");
    Ok(Exit::Done)
}
