//! `tieline rollback`

use super::deploy::{Place, Where, confirm, failed, not_applied, stamp, tell};
use super::signing::{Signing, warn_unsigned};
use super::{Cli, Exit, Failure};
use crate::apply::{ApplyError, Options, desired_of, roll_back};
use crate::bundle::Deployed;
use crate::diagnostic::word;
use crate::plan::Plan;
use crate::plan::guards::{keep, refusals};
use crate::reporters::plan_human::{Against, plan_human};
use crate::targets::{TargetError, previous};
use crate::ui::Ui;

/// Put what was in force before in force again, under a new serial, with the objects that it had then.
///
/// Shows what that changes and asks first. Needs no key: nothing is sealed, and recipients are those of then. The workspace
/// is not changed: the next apply brings its state back, so revert the commit as well.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    /// The serial to go back to; the one before, if none is given
    #[arg(value_name = "SERIAL")]
    serial: Option<u64>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Allow more deletions than the guards do: the exact number
    #[arg(long, value_name = "N")]
    allow_delete: Option<usize>,
    #[command(flatten)]
    signing: Signing,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let base = place.in_force(ui)?;
    let old = find(args.serial, &base, &place)?;
    let mut desired = desired_of(&old).map_err(|error| not_applied(&error, ""))?;
    let kept = keep(&mut desired, &base);
    let mut plan = Plan::new(&desired, Some(&base), &|_, _| None);
    // The objects are those of then: no store is asked.
    plan.volatile.clear();
    if !kept.is_empty() {
        ui.say(&format!("kept as it is in force, since a rollback lifts no protection: {}", kept.join(", ")));
    }
    if plan.is_empty() {
        ui.say(&format!("nothing to do: serial {} is what is in force", old.manifest.serial));
        return Ok(Exit::Done);
    }
    ui.data(&format!("back to serial {} of {}\n\n", old.manifest.serial, old.manifest.time));
    ui.data(&plan_human(&plan, Against::Target(&place.target.describe()), ui.look()));
    let refused = refusals(&desired, Some(&base), args.allow_delete);
    if !refused.is_empty() {
        return Err(not_applied(&ApplyError::Refused(refused), ""));
    }
    let signers = args.signing.find(&place, ui)?;
    if signers.signer.is_none() {
        warn_unsigned(&place, &base, ui)?;
    }
    confirm(&format!("Put serial {} in force again in {}?", old.manifest.serial, place.at), args.yes, ui)?;
    let stamp = stamp(&place.session);
    let options = Options {
        allow_delete: args.allow_delete,
        signer: signers.signer.as_deref(),
        signers: signers.allowed.as_ref(),
        trust_base: signers.trust_base || place.is_vouched(&base),
        ..Options::default()
    };
    let mut again =
        vec!["tieline".to_owned(), "rollback".to_owned(), place.at.typed(), old.manifest.serial.to_string()];
    for (name, value) in args.signing.given() {
        again.extend(value.into_iter().flat_map(|value| [name.to_owned(), word(&value).into_owned()]));
    }
    let again = again.join(" ");
    let applied =
        roll_back(&*place.target, &old, &base, &stamp, &options).map_err(|error| not_applied(&error, &again))?;
    place.remember(&applied, &desired);
    tell(&applied, &place, ui);
    ui.say("the workspace still says what it said: revert the commit too, or the next apply undoes this");
    Ok(Exit::Done)
}

/// The manifest of a serial, found by walking back from what is in force.
fn find(serial: Option<u64>, base: &Deployed, place: &Place) -> Result<Deployed, Failure> {
    let wanted = serial.unwrap_or(base.manifest.serial.saturating_sub(1));
    let absent = |why: &str| {
        Failure::usage(format!("there is no serial {wanted} to go back to: {why}"))
            .help(format!("`tieline history {}` shows them", place.at.typed()))
    };
    if wanted == 0 || wanted > base.manifest.serial {
        return Err(absent(&format!("serial {} is in force", base.manifest.serial)));
    }
    let mut at = base.clone();
    while at.manifest.serial > wanted {
        let older = previous(&*place.target, &at).map_err(|error| match error {
            TargetError::Missing(_) => {
                absent(&format!("what was before serial {} is not kept any more", at.manifest.serial))
            }
            error => failed(&error),
        })?;
        at = older.ok_or_else(|| absent("the history is not that long"))?;
    }
    if at.manifest.serial == wanted { Ok(at) } else { Err(absent("it is not in the history")) }
}
