//! `tieline secret get`

use super::place::{One, Place, refused};
use crate::commands::{Cli, Exit, Failure, Session};
use crate::providers::Opened;
use crate::ui::Ui;

/// Print the value of a secret.
///
/// No line break is put behind it, unless a person reads it. In a CI job, take it into a variable and do not print it: what a job prints is kept and shown. On GitHub it is masked
/// line by line, as far as that goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    one: One,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let place = Place::of(&session, &args.one.choice)?;
    let there =
        place.layer.filter(|layer| layer.secrets.as_ref().is_some_and(|s| s.names.contains_key(&*args.one.name)));
    let Some(layer) = there else { return Err(place.missing(&args.one.name)) };
    let found = args.one.keys.find(&session.world, ui)?;
    let opened = Opened::open(&session.workspace, &[layer], &found.identities)
        .map_err(|failed| failed.first().map_or_else(|| Failure::new("not opened"), |error| refused(error, &found)))?;
    let value = opened.value(&layer.path, &args.one.name).ok_or_else(|| place.missing(&args.one.name))?;
    ui.mask(&value);
    ui.bytes(value.expose().as_bytes());
    if ui.is_shown() {
        ui.bytes(b"\n");
    }
    Ok(Exit::Done)
}
