//! `tieline verify`

use super::deploy::{Place, Where, failed};
use super::{Cli, Exit, Failure};
use crate::reporters::human::plural;
use crate::reporters::text::visible;
use crate::targets::Target;
use crate::ui::Ui;
use crate::verify::verify;

/// Check what is deployed: every object's digest, header, recipients and clear values, and its MAC where a key is at hand.
///
/// Exit code 5 if something is not what it should be.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    keys: super::session::Keys,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let found = args.keys.find(&place.session.world, ui)?;
    let keys = (!found.identities.is_empty()).then_some(&found.identities);
    let report = verify(&place.target, &place.scope, keys).map_err(|error| failed(&error))?;
    let Some(head) = &report.head else {
        return Err(Failure::new(format!("nothing deployed at {} yet", place.target.describe())));
    };
    for problem in &report.problems {
        let who = problem.instance.as_deref().unwrap_or("manifest");
        ui.data(&format!("{}: {}\n", visible(who), visible(&problem.message)));
    }
    let (objects, opened, problems) = (report.objects, report.opened, report.problems.len());
    let verdict = if problems == 0 {
        "all as they should be".to_owned()
    } else {
        format!("{problems} problem{}", plural(problems))
    };
    ui.data(&format!(
        "{} serial {}: {objects} object{}, {opened} opened and their MACs checked: {verdict}\n",
        place.at,
        head.serial,
        plural(objects)
    ));
    Ok(if problems == 0 { Exit::Done } else { Exit::Integrity })
}
