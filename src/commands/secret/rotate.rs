//! `tieline secret rotate`

use super::place::{One, Place};
use super::users::Users;
use super::value::{From, check_name};
use crate::commands::access::Unasked;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::edit::{Changes, Edited};
use crate::secrets::change::{Outcome, change};
use crate::ui::Ui;
use crate::workspace::Workspace;
use crate::workspace::discover::Family;
use crate::world::World;

/// Give a secret a new value, date its login, and list what is linked.
///
/// Change the value at its source first: this tells tieline of it. With `--generate`, print it with `secret get` for the
/// system that is to learn it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    access: Unasked,
    #[command(flatten)]
    from: From,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    check_name(&args.one.name)?;
    let session = Session::open(cli)?;
    let place = Place::of(&session, &args.one.choice)?;
    if !place.layer.is_some_and(|layer| layer.secrets.as_ref().is_some_and(|s| s.names.contains_key(&*args.one.name))) {
        return Err(place.missing(&args.one.name));
    }
    let users = Users::of(&session, &place.path, &args.one.name);
    for line in runbooks(&session.workspace, &users) {
        ui.say(&line);
    }
    let found = args.one.keys.find(&session.world, ui)?;
    let consent = place.consent(&found, args.access.yes, ui)?;
    let value = args.from.read(&format!("new value of {} in {}: ", args.one.name, place.path), &session, ui)?;
    let outcome = place.keep(&found, &consent, ui, |sealing| {
        let (text, outcomes) = change(sealing, vec![(args.one.name.clone(), Some(value))], &found.identities)?;
        Ok((text, outcomes[0]))
    })?;
    if outcome == Outcome::Unchanged {
        return Err(Failure::new(format!("{} is that already: nothing was rotated", args.one.name))
            .help("change the value at its source first, then give the new one here"));
    }
    ui.say(&format!("{} rotated in {}", args.one.name, place.file));
    let today = session.world.now().strftime("%Y-%m-%d").to_string();
    let edited = dated(&session.workspace, &place.path, &users, &today);
    let files = session.world.files();
    files
        .change(&edited.files, &edited.before)
        .map_err(|error| Failure::new(format!("the value is set; the date can't be written: {error}")))?;
    for path in edited.files.keys() {
        ui.say(&format!("  rotated: '{today}' in {path}"));
    }
    users.tell(ui);
    Session::open(cli)?.keep_sopsrc(ui)?;
    Ok(Exit::Done)
}

/// What the logins say is to be done.
fn runbooks(workspace: &Workspace, users: &Users) -> Vec<String> {
    let documents = workspace.layers().flat_map(|layer| layer.family(Family::Credentials));
    let own = documents.filter(|(id, _)| users.credentials.contains(&***id));
    let line = |(id, document): (&std::sync::Arc<str>, &crate::workspace::Document)| {
        let words = document.root.as_ref()?.get("runbook")?.as_str()?;
        Some(format!("runbook of {id}: {words}"))
    };
    own.filter_map(line).collect()
}

/// Writes `rotated` beside each login: in the layer whose secret it was, since other environments have values of their own.
fn dated(workspace: &Workspace, layer: &str, users: &Users, today: &str) -> Edited {
    let mut changes = Changes::new(workspace);
    let line = format!("rotated: '{today}'");
    for id in &users.credentials {
        let folder = if layer.is_empty() { String::new() } else { format!("{layer}/") };
        let own = workspace.layers().find(|l| *l.path == *layer).and_then(|l| l.family(Family::Credentials).get(&**id));
        // Only logins that are to be rotated say when that was.
        let kept = workspace.layers().filter_map(|l| l.family(Family::Credentials).get(&**id)?.root.as_ref());
        let mut kept = kept.filter(|root| root.get("rotate_every").or(root.get("rotated")).is_some());
        if kept.next().is_none() {
            continue;
        }
        let root = own.and_then(|document| document.root.as_ref());
        match (root.and_then(|root| root.get("rotated")), root.and_then(|root| root.get("rotate_every"))) {
            (Some(date), _) => changes.replace(date.span, format!("'{today}'")),
            (None, Some(every)) => changes.line_below(every.span, 0, &line),
            (None, None) => match root.and_then(|root| root.as_map()?.iter().next().map(|entry| entry.key_span)) {
                Some(first) => changes.replace(crate::span::Span { end: first.start, ..first }, format!("{line}\n")),
                None => changes.create(format!("{folder}credentials/{id}.yaml"), format!("{line}\n")),
            },
        }
    }
    changes.finish()
}
