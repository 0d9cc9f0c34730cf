//! `tieline verify`

use std::path::PathBuf;

use super::deploy::{Place, Where, failed, typed};
use super::session::absent;
use super::signing::{signed, verdict};
use super::{Cli, Exit, Failure};
use crate::bundle::{Deployed, Manifest};
use crate::model::record::texts;
use crate::reporters::human::plural;
use crate::reporters::text::visible;
use crate::sops::Encrypted;
use crate::targets::{TargetError, is_backdated, previous};
use crate::ui::Ui;
use crate::verify;
use crate::workspace::Workspace;
use crate::world::World;

/// Check what is deployed: every object's digest, header, recipients and clear values, its MAC where a key is at hand, the
/// readable view, and the manifest's signature where `--allowed-signers` says whose counts.
///
/// Exit code 5 if something is not what it should be.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    /// Show what this consumer's key opens, and what it should open and does not; or that of a named key
    #[arg(long = "as", value_name = "CONSUMER")]
    reader: Option<String>,
    /// Ask for a signature by one of these, in the format that Git uses
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    #[command(flatten)]
    keys: super::session::Keys,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let mut place = Place::open(&args.at, cli)?;
    // A signature says who sealed a bundle, and not which history it is of.
    place.is_wary = args.allowed_signers.is_some();
    if let Some(reader) = &args.reader {
        return opens(reader, &place, ui);
    }
    let found = args.keys.find(&place.session.world, ui)?;
    let keys = (!found.identities.is_empty()).then_some(&found.identities);
    // Reading it first holds its serial and lineage against those that were seen.
    let deployed = place.in_force_to_look(ui)?;
    let mut report = verify::read(&*place.target, &deployed, keys).map_err(|error| failed(&error.into()))?;
    let is_whole = report.problems.is_empty();
    report.problems.extend(verify::view(&*place.target, &deployed));
    if let Some(path) = &args.allowed_signers {
        let signature = place.target.read_signature(&deployed.digest).map_err(|error| failed(&error))?;
        let bytes = place.target.read_manifest(&deployed.digest).map_err(|error| failed(&error))?;
        let allowed = place.allowed_signers(path)?;
        let counts = signed(&allowed, signature.as_deref(), &bytes, &deployed, place.session.world.now(), ui)?;
        not_backdated(&place, &deployed, counts)?;
    }
    let told = verdict(&report, ui);
    ui.data(&format!("{} serial {}: {told}", place.at, deployed.manifest.serial));
    if !is_whole {
        ui.say(&format!("`tieline apply {} --reseal` seals everything anew", place.at.typed()));
    } else if !report.problems.is_empty() {
        ui.say(&format!("`tieline apply {}` writes the readable view again", place.at.typed()));
    }
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Integrity })
}

/// A signature is as good as the time that its manifest says, if the key counts no more: that can't be before the manifest
/// that it follows, which has to be there to tell.
fn not_backdated(place: &Place, deployed: &Deployed, counts: bool) -> Result<(), Failure> {
    let (now, serial) = (&deployed.manifest, deployed.manifest.serial);
    let refuse = |why: String| {
        Err(Failure::new(format!("serial {serial} {why}")).exit(Exit::Integrity).help(format!(
            "find out who wrote the target; `{}` signs it anew",
            typed(&["tieline", "apply", &place.at.environment, "--reseal", "--sign", "KEY"])
        )))
    };
    match previous(&*place.target, deployed) {
        Ok(Some(before)) if is_backdated(&now.time, &before.manifest.time, place.session.world.now()) => {
            let Manifest { serial, time, .. } = &before.manifest;
            refuse(format!("says that it was made at {}, before serial {serial} of {time}", now.time))
        }
        Err(TargetError::Missing(_)) if !counts => refuse(format!(
            "is signed by a key that counts no more, and nothing but its word shows that it was made at {}",
            now.time
        )),
        Err(TargetError::Failed(why)) => Err(failed(&TargetError::Failed(why))),
        Err(TargetError::Integrity(why)) => Err(failed(&TargetError::Integrity(why))),
        _ => Ok(()),
    }
}

/// What a consumer's key opens: by what each object says that it is sealed to, which needs no key.
fn opens(reader: &str, place: &Place, ui: &Ui) -> Result<Exit, Failure> {
    let Deployed { manifest, .. } = place.in_force_to_look(ui)?;
    let keys = keys(reader, place, ui)?;
    let (mut opened, mut lacking) = (0, 0);
    for (id, sealed) in &manifest.connections {
        let bytes = place.target.read_object(&sealed.object).map_err(|error| failed(&error))?;
        let text = String::from_utf8_lossy(&bytes);
        let object =
            Encrypted::parse(&text).map_err(|error| Failure::new(format!("{id}: {error}")).exit(Exit::Integrity))?;
        let opens =
            object.metadata().recipients.iter().any(|entry| keys.iter().any(|key| *key == entry.recipient.trim()));
        let uses = texts(&sealed.record, "consumers").any(|consumer| consumer == reader);
        opened += usize::from(opens);
        match (opens, uses) {
            (true, _) => ui.data(&format!("opens {}\n", visible(id))),
            (false, true) => {
                lacking += 1;
                ui.data(&format!("uses {}, and can't open it\n", visible(id)));
            }
            (false, false) => {}
        }
    }
    let of = manifest.connections.len();
    ui.data(&format!("{} opens {opened} of {of} object{} of {}\n", visible(reader), plural(of), place.at));
    Ok(if lacking == 0 { Exit::Done } else { Exit::Failed })
}

/// The public keys of a consumer, or the one that a name stands for.
fn keys(reader: &str, place: &Place, ui: &Ui) -> Result<Vec<String>, Failure> {
    let workspace = &place.session.workspace;
    let stack = workspace.stack(&place.at);
    let compiled = place.session.compile(&place.at, ui)?;
    let key = |name: &str| Workspace::public_key(&stack, name).map(|key| key.trim().to_owned());
    if let Some(consumer) = compiled.consumers.iter().find(|consumer| *consumer.id == *reader) {
        let keys: Vec<String> = consumer.recipients.iter().filter_map(|name| key(&name.value)).collect();
        if keys.is_empty() {
            return Err(Failure::new(format!("the consumer `{reader}` has no key of its own"))
                .help("`recipients: [NAME]` in its file names the key of the runtime that runs it"));
        }
        return Ok(keys);
    }
    let known = compiled.consumers.iter().map(|consumer| &*consumer.id);
    key(reader).map(|key| vec![key]).ok_or_else(|| absent("consumer or key", reader, known))
}
