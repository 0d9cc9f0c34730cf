//! `tieline secret get`

use super::list::address;
use super::place::{One, Place, refused};
use super::value::check_name;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::providers::Opened;
use crate::ui::Ui;

/// Print the value of a secret.
///
/// Of an environment, the one that its connections see: its own, or that of a layer below. No line break is put behind it, unless a person reads it. In a CI job, take it into a variable and do not print it: what a job prints is kept and shown. On GitHub it is masked
/// line by line, as far as that goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    one: One,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    if args.one.name.contains('=') {
        check_name(&args.one.name)?;
    }
    let session = Session::open(cli)?;
    let place = Place::of(&session, &args.one.choice)?;
    let layer = match place.source(&args.one.name) {
        Some((layer, None)) => layer,
        Some((_, Some(uri))) if !uri.is_empty() => {
            return Err(Failure::usage(format!(
                "`{}` is not sealed here: it is bound to {}",
                args.one.name,
                address(uri)
            ))
            .help("ask the store itself; only `tieline apply` does so, to seal it"));
        }
        _ => return Err(place.missing(&args.one.name)),
    };
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
