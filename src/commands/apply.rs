//! `tieline apply`

use super::deploy::{Place, Planned, Where, plan};
use super::{Cli, Exit, Failure};
use crate::apply::{Applied, ApplyError, Stamp, apply};
use crate::bundle::Commit;
use crate::providers::Opened;
use crate::providers::gate::Gate;
use crate::reporters::human::plural;
use crate::reporters::plan_human::plan_human;
use crate::targets::Target;
use crate::ui::Ui;
use crate::unseal::{Outside, Stores};
use crate::world::{World, git};

/// Seal an environment and put it in force: all of it, or nothing.
///
/// Shows the plan and asks first. Secrets are opened with your age identity, found where sops finds it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Allow the first apply to a protected environment
    #[arg(long)]
    initial: bool,
    #[command(flatten)]
    keys: super::session::Keys,
    /// Let addresses of secret stores be asked for that match, besides those of TIELINE_SECRETS_ALLOW
    #[arg(long, value_name = "GLOB")]
    secrets_allow: Vec<String>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let planned = plan(&place, ui)?;
    let shown = plan_human(&planned.plan, &place.target.describe(), ui.look().color);
    ui.data(&shown);
    if !planned.plan.is_empty() {
        guard(args, &place, &planned)?;
        if !args.yes {
            ask(&place, ui)?;
        }
    }
    let applied = put(args, &place, &planned, ui)?;
    tell(&applied, &place, ui);
    Ok(Exit::Done)
}

fn guard(args: &Args, place: &Place, planned: &Planned) -> Result<(), Failure> {
    let environment = &place.at;
    let protected = place.session.workspace.environments[&environment.environment].settings.protected;
    if protected && planned.base.is_none() && !args.initial {
        return Err(Failure::new(format!(
            "`{environment}` is protected, and nothing is deployed at {} yet",
            place.target.describe()
        ))
        .exit(Exit::Guard)
        .help("if that is the right target, say so once: `--initial`"));
    }
    Ok(())
}

fn ask(place: &Place, ui: &Ui) -> Result<(), Failure> {
    if !ui.is_interactive() {
        return Err(Failure::usage("there is nobody to ask").help("`--yes` applies without asking"));
    }
    if ui.confirm(&format!("Apply this to {}?", place.at)) { Ok(()) } else { Err(Failure::new("nothing was applied")) }
}

/// Opens what is to be sealed, and applies.
fn put(args: &Args, place: &Place, planned: &Planned, ui: &Ui) -> Result<Applied, Failure> {
    let session = &place.session;
    let stores = Stores::new(&session.workspace, &planned.compiled);
    // Where nothing changes, no key is needed.
    let opened = if planned.plan.is_empty() { Opened::default() } else { open(args, place, planned, &stores, ui)? };
    let stamp = Stamp {
        time: session.world.now(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        commit: git::commit(session.world.root()).map(|(id, dirty)| Commit { id, dirty }),
    };
    let reveal = stores.unsealer(&planned.compiled, &session.catalogue, &opened);
    apply(&place.target, &planned.desired, planned.base.as_ref(), &reveal, &stamp).map_err(|error| failure(&error))
}

fn open(args: &Args, place: &Place, planned: &Planned, stores: &Stores<'_>, ui: &Ui) -> Result<Opened, Failure> {
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

fn failure(error: &ApplyError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        ApplyError::Secrets(_) | ApplyError::Failed(_) => failure,
        ApplyError::Stale { .. } => failure.exit(Exit::Stale).help("plan again, and look at what changed meanwhile"),
        ApplyError::Refused(_) => failure.exit(Exit::Guard).help("lift `protect: true` in an apply of its own first"),
        ApplyError::Integrity(_) => failure.exit(Exit::Integrity),
    }
}

fn tell(applied: &Applied, place: &Place, ui: &Ui) {
    let Applied { head, changed, sealed, carried, view } = applied;
    if *changed {
        ui.say(&format!(
            "applied serial {} to {}: {sealed} object{} sealed, {carried} carried over",
            head.serial,
            place.target.describe(),
            plural(*sealed)
        ));
    } else {
        ui.say("nothing to do");
    }
    match view {
        Ok(true) if !changed => ui.say("the readable view was not as it should be: written anew"),
        Ok(_) => {}
        Err(error) => ui.say(&format!(
            "warning: the environment is in force, but its readable view could not be written: {error}; `tieline apply` \
             writes it again"
        )),
    }
}
