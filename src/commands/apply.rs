//! `tieline apply`

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::deploy::{
    Elsewhere, Place, Planned, confirm, not_applied, plan, saved, stamp, tell, typed, typed_apply, typed_apply_with,
};
use super::session::{Chosen, Keys};
use super::signing::{Signing, warn_unsigned};
use super::{Cli, Exit, Failure, Session};
use crate::apply::{Options, apply, why_anew};
use crate::plan::guards::{Refusal, refusals};
use crate::plan::relocation::Former;
use crate::plan::saved::{MAX_SAVED, Saved};
use crate::providers::Opened;
use crate::providers::gate::Gate;
use crate::reporters::plan_human::{Against, plan_human};
use crate::ui::Ui;
use crate::unseal::{Outside, Stores};
use crate::world::World;

/// Seal an environment and put it in force: all of it, or nothing.
///
/// Shows the plan and asks first. With `--plan`, what `plan --out` saved is applied as it was reviewed, or not at all: what
/// is desired and what is in force must be the same as then. Secrets are opened with your age identity, found where sops
/// finds it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment; with `--plan`, that of the plan is asked about where you name none
    #[arg(value_name = "ENV", required_unless_present = "plan")]
    environment: Option<String>,
    /// Apply the plan in this file, which `tieline plan ENV --out FILE` saved
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// With the values and secrets of this profile
    #[arg(long, value_name = "NAME", requires = "environment")]
    profile: Option<String>,
    /// Only connections that are exposed under this name (`expose: [NAME]`): a bundle and a head of their own
    #[arg(long, value_name = "NAME", requires = "environment")]
    expose: Option<String>,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Begin a history: nothing is deployed at the target, and that is meant. Asked for where the environment is protected or
    /// was deployed elsewhere before, and in an object store where nobody is there to ask
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

impl Args {
    /// The options that an apply which is tried again needs too.
    fn given(&self) -> Vec<(&str, Option<String>)> {
        let mut given = self.signing.given();
        given.extend(self.reseal.then(|| ("--reseal", Some(String::new()))));
        given.extend(self.allow_delete.map(|number| ("--allow-delete", Some(number.to_string()))));
        given.extend(self.secrets_allow.iter().map(|glob| ("--secrets-allow", Some(glob.clone()))));
        given
    }
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let (place, reviewed) = open(args, cli)?;
    let planned = plan(&place, ui)?;
    ui.data(&plan_human(&planned.plan, Against::Target(&place.target.describe()), ui.look()));
    if let Some(reviewed) = &reviewed {
        as_reviewed(reviewed, &saved(&place, &planned.plan))?;
    }
    let signers = args.signing.find(&place, ui)?;
    if let Some(base) = planned.base.as_ref().filter(|_| signers.signer.is_none() && !planned.plan.is_empty()) {
        warn_unsigned(&place, base, ui)?;
    }
    let options = Options {
        // What is gone from another target was counted there.
        allow_delete: args.allow_delete.filter(|_| planned.base.is_some()),
        reseal: args.reseal,
        trust_base: signers.trust_base || planned.base.as_ref().is_some_and(|base| place.is_vouched(base)),
        signer: signers.signer.as_deref(),
        signers: signers.allowed.as_ref(),
        progress: None,
    };
    let again = typed_apply_with(&place.chosen(), args.plan.as_deref(), &args.elsewhere, &args.given(), cli);
    let anew = why_anew(&*place.target, planned.base.as_ref(), place.session.world.now(), &options)
        .map_err(|error| not_applied(&error, &again))?;
    let idle = planned.plan.is_empty() && anew.is_none();
    if let Some(base) = planned.base.as_ref().filter(|_| args.initial) {
        let (here, serial) = (place.target.describe(), base.manifest.serial);
        return Err(Failure::new(format!(
            "`--initial` says that nothing is deployed at {here}, and serial {serial} is"
        ))
        .exit(Exit::Guard)
        .help(format!("apply without it: `{again}`")));
    }
    if !idle {
        guard(args, &place, &planned, signers.allowed.is_some(), &again, ui)?;
        if let Some(why) = &anew {
            ui.say(&format!("every connection is sealed anew: {why}"));
        }
        ask(args, &place, reviewed.is_some(), &again, ui)?;
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
    place.remember(&applied, &planned.desired);
    tell(&applied, &place, ui);
    if planned.base.is_none() && place.is_told(false) {
        let lineage = &applied.lineage;
        ui.say(&format!(
            "a history begins: lineage {lineage}; `--lineage {lineage}` pins it where nothing is remembered"
        ));
    }
    Ok(Exit::Done)
}

/// Asks whether to go on. A plan that was reviewed needs no second look, where its environment was named.
fn ask(args: &Args, place: &Place, is_reviewed: bool, again: &str, ui: &Ui) -> Result<(), Failure> {
    if is_reviewed && args.environment.is_none() && !ui.is_interactive() {
        return Err(Failure::usage(format!(
            "there is nobody to ask whether `{}` is the environment that you mean",
            place.at
        ))
        .help(format!("name it: `{again}`")));
    }
    let yes = args.yes || (is_reviewed && args.environment.is_some());
    confirm(&format!("Apply this to {}?", place.at), yes, ui)
}

/// The environment, and the saved plan where one is named: a file is a plan only if `--plan` says so.
fn open(args: &Args, cli: &Cli) -> Result<(Place, Option<Saved>), Failure> {
    args.elsewhere.limit();
    let session = Rc::new(Session::open(cli)?);
    let reviewed = args.plan.as_deref().map(|path| read(path, &session)).transpose()?;
    let named = args.environment.clone().map(|environment| Chosen {
        environment,
        profile: args.profile.clone(),
        expose: args.expose.clone(),
    });
    let planned = reviewed.as_ref().map(|saved| Chosen {
        environment: saved.environment.clone(),
        profile: saved.profile.clone(),
        expose: saved.expose.clone(),
    });
    if let (Some(path), Some(planned)) = (&args.plan, &planned) {
        let again = typed_apply(planned, Some(path), &args.elsewhere, cli);
        same_environment(path, planned, named.as_ref(), args.yes, &again)?;
    }
    let Some(chosen) = named.or(planned) else { return Err(Failure::usage("no environment was named")) };
    let at = session.chosen(&chosen).map_err(|failure| unknown(failure, &chosen.environment, &session))?;
    Ok((Place::of(session, at, &args.elsewhere)?, reviewed))
}

/// Reads a saved plan.
fn read(path: &Path, session: &Session) -> Result<Saved, Failure> {
    let shown = path.display();
    let file = session.typed(path);
    let text = file.read(MAX_SAVED).map_err(|_| match file.obstacle() {
        Some(found) => Failure::new(format!("the plan `{shown}` can't be read: {found}")),
        None => Failure::new(format!("the plan `{shown}` can't be read: there is no text file")),
    })?;
    Saved::parse(text.expose().as_bytes())
        .map_err(|why| Failure::new(format!("the plan `{shown}` can't be used: {why}")))
}

/// Refuses a plan of another environment than the one that was named, and one of whatever environment without a question.
fn same_environment(
    path: &Path,
    planned: &Chosen,
    named: Option<&Chosen>,
    yes: bool,
    again: &str,
) -> Result<(), Failure> {
    let message = match named {
        Some(named) if named == planned => return Ok(()),
        Some(named) => format!("the plan `{}` is of `{}`, not of `{}`", path.display(), planned.at(), named.at()),
        None if yes => format!("`--yes` needs the environment; the plan `{}` is of `{}`", path.display(), planned.at()),
        None => return Ok(()),
    };
    Err(Failure::usage(message).help(format!("if that is what you mean: `{again}`")))
}

/// An environment that there is not; a name that looks like one of a file may be that of a plan.
fn unknown(failure: Failure, name: &str, session: &Session) -> Failure {
    if session.workspace.environments.contains_key(name) || !name.contains(['.', '/']) {
        return failure;
    }
    let plan = typed(&["tieline", "apply", "--plan", name]);
    let near = failure.help.as_ref().map_or_else(String::new, |help| format!("{help}; "));
    failure.help(format!("{near}a saved plan is applied by `{plan}`"))
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

fn guard(
    args: &Args,
    place: &Place,
    planned: &Planned,
    has_signers: bool,
    again: &str,
    ui: &Ui,
) -> Result<(), Failure> {
    let deployed: Vec<&Former> = planned.formers.iter().filter(|former| former.is_deployed()).collect();
    let mut refused = Vec::new();
    if deployed.is_empty() || planned.base.is_some() {
        refused.extend(refusals(&planned.desired, planned.base.as_ref(), args.allow_delete));
    }
    let mut known: HashSet<Refusal> = refused.iter().cloned().collect();
    let formers = deployed.iter().flat_map(|former| former.refusals(&planned.desired, args.allow_delete));
    refused.extend(formers.filter(|refusal| known.insert(refusal.clone())));
    if !refused.is_empty() {
        return Err(not_applied(&crate::apply::ApplyError::Refused(refused), ""));
    }
    if let Some(base) = &planned.base {
        // A signature that counts says more than any history does.
        if !planned.is_unknown || has_signers {
            return Ok(());
        }
        let serial = base.manifest.serial;
        return Err(Failure::new(place.unknown()).exit(Exit::Guard).help(format!(
            "fetch the whole history (`git fetch --unshallow`, `fetch-depth: 0`); or, if that is the right target: `{again} \
             --accept-serial {serial}`"
        )));
    }
    if args.initial {
        return Ok(());
    }
    if let Some(lost) = place.lost() {
        return Err(Failure::new(lost).exit(Exit::Integrity).help(place.start_again()));
    }
    let (at, here) = (&place.at, place.target.describe());
    let left = deployed.iter().find(|former| {
        let is_another = former.is_of_another(&place.scope.workspace);
        is_another || !place.is_inside || former.protection["target"]["kind"] != "directory"
    });
    let why = if place.is_protected() || planned.formers.iter().any(Former::is_protected) {
        format!("`{at}` is protected, and nothing is deployed at {here} yet")
    } else if let Some(former) = left {
        format!("`{at}` was deployed at {}, and nothing is deployed at {here} yet", former.describe())
    } else if place.own.is_some() && !place.is_inside && !ui.is_interactive() {
        format!("nothing is deployed at {here} yet, and there is nobody to ask whether that is the right target")
    } else {
        return Ok(());
    };
    Err(Failure::new(why).exit(Exit::Guard).help(format!("if that is the right target: `{again} --initial`")))
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
