//! `tieline bundle export`

use std::path::PathBuf;

use crate::bundle::Digest;
use crate::commands::deploy::{Place, Where};
use crate::commands::signing::{Signing, parts};
use crate::commands::{Cli, Exit, Failure};
use crate::reporters::human::plural;
use crate::ui::Ui;
use crate::world::beneath::Access;

/// Write what is in force into one file, tar and gzip: the manifest, its signature, a sops document per connection.
///
/// The same bundle gives the same bytes. Nothing is opened.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: Where,
    /// The file to write
    #[arg(value_name = "FILE.tgz")]
    file: PathBuf,
    /// Only the connections of this customer and those that all share; other customers are not in it
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let deployed = place.in_force(ui)?;
    let parts = parts(&place, &deployed, args.customer.as_deref(), &args.signing, ui)?;
    let count = parts.objects.len();
    let bytes = parts.archive().map_err(|error| Failure::new(format!("the bundle can't be packed: {error}")))?;
    let shown = args.file.display();
    let file = place.session.typed(&args.file);
    file.replace(&bytes, Access::Private).map_err(|error| Failure::new(format!("can't write `{shown}`: {error}")))?;
    ui.say(&format!(
        "{shown}: serial {} of {}, {count} connection{}, {}",
        deployed.manifest.serial,
        place.at,
        plural(count),
        Digest::of(&bytes).as_str()
    ));
    Ok(Exit::Done)
}
