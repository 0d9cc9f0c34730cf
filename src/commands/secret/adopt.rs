//! `tieline secret adopt`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::place::{Choice, Place, refused};
use super::users::Users;
use crate::commands::access::{self, Consent, Gain};
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::diagnostic::listed;
use crate::providers::identities::Found;
use crate::secrets::recipients::name_of;
use crate::secrets::{adopt, place};
use crate::sops::Format;
use crate::ui::Ui;

/// Take in a sops file that was made, named or placed elsewhere.
///
/// Opens it, checks it, says what is in it by name, and ties it to its place. Without FILE, the environment's own secrets file: one that stock sops made, or that was moved or renamed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A sops file in YAML or JSON: one flat map of names to strings
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    keys: Keys,
    /// Take it without asking, also one that was sealed for another place
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let target = Place::named(&session, &args.choice)?;
    let found = args.keys.find(&session.world, ui)?;
    let (shown, text, format) = match &args.file {
        Some(file) => foreign_file(file, &session, cli)?,
        None => {
            let text = target.read()?.ok_or_else(|| {
                Failure::usage(format!("there is no {}", target.file))
                    .help("name the file to take in: `tieline secret adopt FILE -e ENV`")
            })?;
            (target.file.clone(), text, Format::Yaml)
        }
    };
    let name_of = |key: &str| name_of(&session.workspace, key);
    let foreign = adopt::open(&shown, &text, format, &found.identities, &name_of).map_err(|e| refused(&e, &found))?;
    let names = listed(foreign.values.iter().map(|(name, _)| name.as_str()), 40);
    ui.say(&format!("{shown} opens, and its MAC is right: {} secrets: {names}", foreign.values.len()));
    match &foreign.scope {
        Some(scope) => ui.say(&format!("  it was sealed for {}", place(scope))),
        None => ui.say("  it does not say what it was sealed for"),
    }
    let gains = target.gains(&found)?;
    access::say(&gains, ui);
    if args.file.is_some() {
        access::say(&to_foreign(&shown, &foreign, &target, &found)?, ui);
    }
    let question = format!("Take it in as the secrets of {}?", target.path);
    access::agreed(&question, "`--yes` takes it without asking", args.yes, ui)?;
    let consent = Consent::to(gains);
    let names: Vec<String> = foreign.values.iter().map(|(name, _)| name.clone()).collect();
    target.keep(&found, &consent, ui, |sealing| match (&args.file, sealing.text) {
        (None, Some(text)) => adopt::in_place(sealing, text, &found.identities).map(|text| (Some(text), ())),
        _ => adopt::into(sealing, foreign, &found.identities).map(|text| (text, ())),
    })?;
    ui.say(&format!("{} holds them, sealed to {} and tied to its place", target.file, recipients(&target)?));
    if args.file.is_some() {
        ui.say(&format!("  {shown} is as it was: remove it once `tieline validate` is content"));
    }
    let session = Session::open(cli)?;
    let users = Users::all(&session, &target.path);
    let unused: Vec<&String> = names.iter().filter(|name| !users.contains_key(*name)).collect();
    if !unused.is_empty() {
        ui.say(&format!("  no connection uses {}", listed(unused.iter().map(|name| name.as_str()), 40)));
    }
    session.keep_sopsrc(ui)?;
    Ok(Exit::Done)
}

/// Who would gain access to the values of a file from elsewhere.
fn to_foreign(shown: &str, foreign: &adopt::Foreign, target: &Place<'_>, found: &Found) -> Result<Vec<Gain>, Failure> {
    let known: BTreeSet<&str> =
        found.identities.recipients().chain(foreign.recipients.iter().map(String::as_str)).collect();
    let new = target.recipients()?.into_iter().filter(|to| !known.contains(to.recipient.as_str()));
    Ok(new.map(|new| Gain::of(shown, new, false)).collect())
}

/// A file from elsewhere: as it is shown, its text, and what it is written in.
fn foreign_file(file: &Path, session: &Session, cli: &Cli) -> Result<(String, String, Format), Failure> {
    let shown = file.display().to_string();
    let path = cli.directory.as_deref().unwrap_or(Path::new("")).join(file);
    let place = session.typed(&path);
    let text = place.read(4 << 20).map_err(|_| match place.obstacle() {
        Some(found) => Failure::new(format!("{shown}: {found}")),
        None => Failure::new(format!("{shown}: it can't be read as text of at most 4 MiB")),
    })?;
    let json = path.extension().is_some_and(|end| end == "json");
    Ok((shown, text.expose().clone(), if json { Format::Json } else { Format::Yaml }))
}

fn recipients(place: &Place<'_>) -> Result<String, Failure> {
    Ok(listed(place.recipients()?.iter().map(|named| named.name.as_str()), 12))
}
