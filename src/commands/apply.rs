//! `tieline apply`

use std::path::Path;

use super::deploy::{Elsewhere, Place, Planned, Where, confirm, failed, not_applied, plan, saved, stamp, tell};
use super::session::{Chosen, Keys};
use super::signing::Signing;
use super::{Cli, Exit, Failure};
use crate::apply::{Options, apply, why_anew};
use crate::plan::guards::refusals;
use crate::plan::saved::{MAX_SAVED, Saved};
use crate::providers::Opened;
use crate::providers::gate::Gate;
use crate::reporters::plan_human::{Against, plan_human};
use crate::serials::Standing;
use crate::ui::Ui;
use crate::unseal::{Outside, Stores};
use crate::world::disk;

/// Seal an environment and put it in force: all of it, or nothing.
///
/// Shows the plan and asks first. A file that `plan --out` saved is applied as it was reviewed, or not at all: what is
/// desired and what is in force must be the same as then. Secrets are opened with your age identity, found where sops finds
/// it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment, or a saved plan
    #[arg(value_name = "ENV|FILE")]
    what: String,
    /// With the values and secrets of this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only connections that are exposed under this name (`expose: [NAME]`): a bundle and a head of their own
    #[arg(long, value_name = "NAME")]
    expose: Option<String>,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Allow the first apply to a protected environment, or one over another history than was seen here
    #[arg(long)]
    initial: bool,
    /// Allow more deletions than the guards do: the exact number
    #[arg(long, value_name = "N")]
    allow_delete: Option<usize>,
    /// Seal every connection anew, changed or not
    #[arg(long)]
    reseal: bool,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    keys: Keys,
    /// Let addresses of secret stores be asked for that match, besides those of TIELINE_SECRETS_ALLOW
    #[arg(long, value_name = "GLOB")]
    secrets_allow: Vec<String>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let (place, reviewed) = open(args, cli)?;
    let planned = plan(&place, ui)?;
    ui.data(&plan_human(&planned.plan, Against::Target(&place.target.describe()), ui.look()));
    if let Some(reviewed) = &reviewed {
        as_reviewed(reviewed, &saved(&place, &planned.plan))?;
    }
    let signers = args.signing.find(&place, ui)?;
    if signers.signer.is_none() {
        warn_unsigned(&place, &planned, ui)?;
    }
    let options = Options {
        allow_delete: args.allow_delete,
        reseal: args.reseal,
        signer: signers.signer.as_deref(),
        signers: signers.allowed.as_ref(),
        progress: None,
    };
    let again = format!("tieline apply {}", args.what);
    let anew =
        why_anew(&*place.target, planned.base.as_ref(), &options).map_err(|error| not_applied(&error, &again))?;
    let idle = planned.plan.is_empty() && anew.is_none();
    if !idle {
        guard(args, &place, &planned)?;
        if let Some(why) = &anew {
            ui.say(&format!("every connection is sealed anew: {why}"));
        }
        confirm(&format!("Apply this to {}?", place.at), args.yes || reviewed.is_some(), ui)?;
    }
    // Where nothing changes, no key is needed.
    let stores = Stores::new(&place.session.workspace, &planned.compiled);
    let opened = if idle { Opened::default() } else { open_secrets(args, &place, &planned, &stores, ui)? };
    let reveal = stores.unsealer(&planned.compiled, &place.session.catalogue, &opened);
    let progress = |done, all| ui.progress("stored", done, all);
    let options = Options { progress: Some(&progress), ..options };
    let stamp = stamp(&place.session);
    let applied = apply(&*place.target, &planned.desired, planned.base.as_ref(), &reveal, &stamp, &options)
        .map_err(|error| not_applied(&error, &again))?;
    let lineage = planned.base.as_ref().map(|base| base.manifest.lineage.clone());
    let lineage = lineage.or_else(|| place.deployed().ok().flatten().map(|now| now.manifest.lineage));
    if let Some(lineage) = lineage {
        place.seen().remember(&lineage, applied.head.serial);
    }
    tell(&applied, &place, ui);
    Ok(Exit::Done)
}

/// Says that an apply would put something unsigned in the place of what is signed.
fn warn_unsigned(place: &Place, planned: &Planned, ui: &Ui) -> Result<(), Failure> {
    let Some(base) = planned.base.as_ref().filter(|_| !planned.plan.is_empty()) else { return Ok(()) };
    if place.target.read_signature(&base.digest).map_err(|error| failed(&error))?.is_some() {
        let serial = base.manifest.serial;
        ui.say(&format!("warning: serial {serial} is signed, and the next one would not be: `--sign KEY`"));
    }
    Ok(())
}

/// The environment of that name; else the saved plan in that file.
fn open(args: &Args, cli: &Cli) -> Result<(Place, Option<Saved>), Failure> {
    let at = |chosen| Where { chosen, elsewhere: args.elsewhere.clone() };
    let (profile, expose) = (args.profile.clone(), args.expose.clone());
    let typed = Place::open(&at(Chosen { environment: args.what.clone(), profile, expose }), cli);
    let path = Path::new(&args.what);
    let failure = match typed {
        Ok(place) => return Ok((place, None)),
        Err(failure) if failure.exit != Exit::Usage => return Err(failure),
        Err(failure) if !disk::exists(path) => {
            return Err(Failure { message: format!("{}, and no saved plan of that name", failure.message), ..failure });
        }
        Err(failure) => failure,
    };
    if args.profile.is_some() || args.expose.is_some() {
        return Err(failure);
    }
    let shown = path.display();
    let text = disk::read_private(path, MAX_SAVED)
        .map_err(|_| Failure::new(format!("the plan `{shown}` can't be read: it is no file, or none of text")))?;
    let saved = Saved::parse(text.expose().as_bytes())
        .map_err(|why| Failure::new(format!("the plan `{shown}` can't be used: {why}")))?;
    let chosen =
        Chosen { environment: saved.environment.clone(), profile: saved.profile.clone(), expose: saved.expose.clone() };
    Ok((Place::open(&at(chosen), cli)?, Some(saved)))
}

/// What was reviewed is what would be applied now.
fn as_reviewed(reviewed: &Saved, now: &Saved) -> Result<(), Failure> {
    let differences = reviewed.differences(now);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("this is not what was planned; nothing was changed\n  {}", differences.join("\n  ")))
        .exit(Exit::Stale)
        .help("plan again, and look at what changed meanwhile"))
}

fn guard(args: &Args, place: &Place, planned: &Planned) -> Result<(), Failure> {
    let refused = refusals(&planned.desired, planned.base.as_ref(), args.allow_delete);
    if !refused.is_empty() {
        return Err(not_applied(&crate::apply::ApplyError::Refused(refused), ""));
    }
    let at = &place.at;
    if !place.is_protected() || args.initial {
        return Ok(());
    }
    let told = match &planned.base {
        None => format!("`{at}` is protected, and nothing is deployed at {} yet", place.target.describe()),
        Some(base) if place.seen().standing(&base.manifest) == Standing::OtherLineage => format!(
            "`{at}` is protected, and what is deployed at {} has another history (lineage {}) than was seen here",
            place.target.describe(),
            base.manifest.lineage
        ),
        Some(_) => return Ok(()),
    };
    Err(Failure::new(told).exit(Exit::Guard).help("if that is the right target, say so once: `--initial`"))
}

/// Opens what is to be sealed.
fn open_secrets(
    args: &Args,
    place: &Place,
    planned: &Planned,
    stores: &Stores<'_>,
    ui: &Ui,
) -> Result<Opened, Failure> {
    let found = args.keys.find(&place.session.world, ui)?;
    let gate = Gate::new(&place.session.world, &args.secrets_allow);
    let outside = Outside { gate: &gate, world: &place.session.world };
    stores.open(&planned.compiled, &found.identities, &outside).map_err(|failed| {
        let exit = if failed.iter().any(|f| f.integrity) { Exit::Integrity } else { Exit::Failed };
        let lines: Vec<String> = failed.iter().map(|f| format!("{}: {} ({})", f.path, f.reason, f.help)).collect();
        let failure = Failure::new(format!("secrets can't be opened; nothing was changed\n  {}", lines.join("\n  ")));
        let locked = failed.iter().any(|f| f.path.ends_with("secrets.sops.yaml"));
        match exit {
            // No other identity would help.
            Exit::Integrity => failure.exit(exit),
            _ if !locked => failure,
            _ => failure.help(found.help()),
        }
    })
}
