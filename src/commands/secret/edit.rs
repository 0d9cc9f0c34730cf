//! `tieline secret edit`

use super::place::{Choice, Place, refused};
use crate::commands::access::{Consent, Unasked};
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::providers::identities::Found;
use crate::secret::Secret;
use crate::secrets::change::{Action, Outcome, Sealing, change, to_edit};
use crate::secrets::recipients::name_of;
use crate::secrets::scope;
use crate::ui::Ui;
use crate::workspace::secrets::{Plain, plain};
use crate::world::World;
use crate::world::scratch::Scratch;

/// What an editor may leave.
const MAX_BYTES: usize = 4 << 20;

/// Change the secrets of an environment in your editor.
///
/// They stand there as `NAME: value`, a line each. The text lies in memory (XDG_RUNTIME_DIR or /dev/shm), readable by you alone, and goes away however the command ends.
/// What is wrong with it is told, and you go on where you were. Only values that changed are sealed anew.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    access: Unasked,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let place = Place::named(&session, &args.choice)?;
    let found = args.keys.find(&session.world, ui)?;
    let consent = place.consent(&found, args.access.yes, ui)?;
    let before = opened(&session, &place, &found)?;
    let editor = editor(&session.world, ui)?;
    let scratch = Scratch::new(&session.world, "secrets.yaml", &before).map_err(|error| {
        Failure::new(format!("no place for the text: {error}"))
            .help("`tieline secret set NAME` and `secret get NAME` need none")
    })?;
    let old = plain(before.expose()).map_err(|faults| Failure::new(faults.join("\n  ")))?;
    let new = loop {
        scratch.open_in(&editor).map_err(|error| Failure::new(format!("{error}: nothing was changed")))?;
        let text =
            scratch.read(MAX_BYTES).map_err(|_| Failure::new("the edited text is gone, or larger than 4 MiB"))?;
        if text.expose() == before.expose() {
            ui.say(&format!("{} is as it was", place.file));
            return Ok(Exit::Done);
        }
        match plain(text.expose()) {
            Ok(new) => {
                if comments(text.expose()) != comments(before.expose()) {
                    ui.say("comments are not changed here: they stand in clear, in the file itself");
                }
                break new;
            }
            Err(faults) => {
                for fault in &faults {
                    ui.say(&format!("error: {fault}"));
                }
                if !ui.go_on("Press Enter to go on editing, or type `drop` to give the changes up: ", "drop") {
                    return Err(Failure::new("nothing was changed"));
                }
            }
        }
    };
    write(&place, (&found, &consent), &old, new, ui)?;
    Session::open(cli)?.keep_sopsrc(ui)?;
    Ok(Exit::Done)
}

fn comments(text: &str) -> Vec<&str> {
    // Within a value of several lines a `#` is indented.
    text.lines().filter(|line| line.starts_with('#')).collect()
}

/// The file's values as a text.
fn opened(session: &Session, place: &Place<'_>, found: &Found) -> Result<Secret<String>, Failure> {
    place.recipients()?;
    let id = session.workspace.root.settings.id.unwrap_or_default();
    let text = place.read()?;
    let sealing = Sealing {
        text: text.as_deref(),
        path: &place.file,
        scope: &scope(id, &place.path),
        recipients: &[],
        renew: false,
        time: "",
        name_of: &|key| name_of(&session.workspace, key),
    };
    to_edit(&sealing, &found.identities).map_err(|error| refused(&error, found))
}

/// What is to be done to get from one to the other, applied to the file as it stands by now.
fn write(
    place: &Place<'_>,
    (found, consent): (&Found, &Consent),
    old: &Plain,
    new: Plain,
    ui: &Ui,
) -> Result<(), Failure> {
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), None));
    let mut actions: Vec<Action> = gone.collect();
    for (name, value) in new {
        let same = old.get(&name).is_some_and(|old| old.expose() == value.expose());
        if !same {
            actions.push((name, Some(value)));
        }
    }
    let names: Vec<String> = actions.iter().map(|(name, _)| name.clone()).collect();
    let outcomes = place.keep(found, consent, ui, |sealing| change(sealing, actions, &found.identities))?;
    for (name, outcome) in names.iter().zip(outcomes) {
        let word = match outcome {
            Outcome::Added => "added to",
            Outcome::Replaced => "replaced in",
            Outcome::Removed => "removed from",
            Outcome::Unchanged => continue,
        };
        ui.say(&format!("{name} {word} {}", place.file));
    }
    if names.is_empty() {
        ui.say(&format!("{} is as it was", place.file));
    }
    Ok(())
}

/// The person's editor, where sops looks for it.
fn editor(world: &dyn World, ui: &Ui) -> Result<Vec<String>, Failure> {
    let named = ["SOPS_EDITOR", "VISUAL", "EDITOR"].into_iter().find_map(|name| world.variable(name));
    if named.is_none() && !ui.is_interactive() {
        return Err(Failure::usage("there is no terminal to edit at, and EDITOR names no program")
            .help("`tieline secret set NAME` takes a value from stdin"));
    }
    let line = named.unwrap_or_else(|| "vi".to_owned());
    shlex::split(&line)
        .filter(|words| !words.is_empty())
        .ok_or_else(|| Failure::usage(format!("`{line}` is no command line")).help("set EDITOR to a program"))
}
