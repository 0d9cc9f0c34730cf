//! `tieline gc`

use std::rc::Rc;

use super::deploy::{Elsewhere, Place, confirm, failed};
use super::{Cli, Exit, Failure, Session};
use crate::reporters::human::plural;
use crate::targets::gc::{MIN_AGE_DAYS, garbage};
use crate::ui::Ui;
use crate::world::World;

/// Delete what a target holds and nothing needs: objects and manifests that no environment's history reaches.
///
/// Crashed and lost applies leave such objects behind. What was written in the last seven days stays, for an apply that is
/// under way may be about to refer to it. Every environment of the target is looked at, those of other workspaces too; if
/// one can't be read, nothing is deleted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment whose target it is
    #[arg(value_name = "ENV")]
    environment: String,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// Keep only the newest N serials of each environment, at least one; older ones can't be rolled back to
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep: Option<u64>,
    /// Only show what would go
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    args.elsewhere.limit();
    let session = Rc::new(Session::open(cli)?);
    let at = crate::workspace::layers::At::plain(&session.environment(&args.environment)?);
    let place = Place::of(session, at, &args.elsewhere)?;
    // What is newer than a head that somebody put back would look like rubbish, and so does everything that a head which
    // is gone pointed to, of this environment and of every other in the same target.
    place.in_force(ui)?;
    for at in place.session.workspace.everywhere() {
        // Another target may be one that this operator can't reach, or does not allow.
        let elsewhere = Elsewhere { target: args.elsewhere.target.clone(), ..Elsewhere::default() };
        if at != place.at && Place::address_of(&place.session, &at, &elsewhere)? == place.address {
            let other = Place::of(Rc::clone(&place.session), at, &elsewhere)?;
            let found = other.deployed(ui)?;
            if let Some(lost) = other.lost().filter(|_| found.is_none()) {
                return Err(Failure::new(lost).exit(Exit::Integrity).help(other.start_again()));
            }
        }
    }
    // Exposures and profiles have heads of their own, which the workspace may not name any more.
    for (name, head) in place.target.inventory().map_err(|error| failed(&error))?.heads {
        place.not_older(&name, &head)?;
    }
    let now = place.session.world.now().as_second();
    let found = garbage(&*place.target, args.keep, now).map_err(|error| failed(&error))?;
    let bytes: u64 = found.iter().map(|stored| stored.size).sum();
    for stored in &found {
        let kind = if stored.is_manifest { "manifest" } else { "object" };
        ui.data(&format!("{kind} {}\n", stored.digest.as_str()));
    }
    let told = format!("{} file{} of {bytes} bytes", found.len(), plural(found.len()));
    let place_ = place.target.describe();
    if found.is_empty() {
        ui.say(&format!("nothing to delete at {place_} that is older than {MIN_AGE_DAYS} days"));
        return Ok(Exit::Done);
    }
    if args.dry_run {
        ui.say(&format!("{told} would be deleted at {place_}"));
        return Ok(Exit::Done);
    }
    confirm(&format!("Delete {told} at {place_}?"), args.yes, ui)?;
    for stored in &found {
        place.target.delete(stored).map_err(|error| failed(&error))?;
    }
    ui.say(&format!("{told} deleted at {place_}"));
    Ok(Exit::Done)
}
