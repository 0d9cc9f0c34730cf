//! `tieline secret extract`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::place::{Choice, Place};
use crate::commands::access::{Unasked, consent};
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::compile;
use crate::diagnostic::listed;
use crate::secret::Secret;
use crate::secrets::change::change;
use crate::secrets::extract::{InClear, find, rewrite};
use crate::span::Span;
use crate::ui::Ui;
use crate::workspace::{Layer, Workspace};

/// Move secrets that stand in clear in YAML files into sops files.
///
/// `${{ secrets.NAME }}` is written in their place. A value of an environment's or customer's layer goes into that layer's
/// file; one of the root, which every environment has, into the file of each of them; where each customer has a connection
/// of its own, into the files of those that list it. What can't be moved is reported with what to do, and stays.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files and folders; else the whole workspace
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Values of the root go into this environment's file alone; may be given more than once
    #[arg(short, long, value_name = "ENV")]
    environment: Vec<String>,
    /// Say what would be moved where, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    access: Unasked,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    // What was typed is not repeated: beside a command of this name it may be a value.
    let inside = |(at, path): (usize, &PathBuf)| {
        let gone = |_| Failure::usage(format!("argument {} is not a file or folder of the workspace", at + 1));
        session.inside(path).map_err(gone)
    };
    let wanted = args.paths.iter().enumerate().map(inside).collect::<Result<Vec<_>, _>>()?;
    let below = |path: &str, folder: &String| {
        folder.is_empty() || path.strip_prefix(&**folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let only = args.environment.iter().map(|name| session.environment(name)).collect::<Result<Vec<_>, _>>()?;
    let told = compile::check(workspace, &session.catalogue, session.told.clone());
    let (mut found, left) = find(workspace, &session.catalogue, &told, &only);
    found.retain(|secret| wanted.is_empty() || wanted.iter().any(|w| below(workspace.sources.path(secret.span), w)));
    for left in &left {
        ui.say(&format!("{} stays: {} ({})", place(workspace, left.span), left.message, left.help));
    }
    if found.is_empty() {
        ui.say(if left.is_empty() { "no secret field holds a value in clear" } else { "nothing else to move" });
        return Ok(if left.is_empty() { Exit::Done } else { Exit::Failed });
    }
    let homes = places(&session, &found)?;
    for secret in &found {
        let files = secret.homes.iter().filter_map(|home| Some(homes.get(home)?.file.as_str()));
        ui.say(&format!("{} -> {} in {}", place(workspace, secret.span), secret.name, listed(files, 8)));
    }
    if args.dry_run {
        ui.say("a dry run: nothing was written");
        return Ok(Exit::Done);
    }
    let keys = args.keys.find(&session.world, ui)?;
    let gains = homes.values().map(|place| place.gains(&keys)).collect::<Result<Vec<_>, _>>()?;
    let consent = consent(gains.concat(), args.access.yes, ui)?;
    // The sealed files first: cut off in between, nothing is lost, and the same command goes on.
    for (home, place) in &homes {
        let own = found.iter().filter(|secret| secret.homes.contains(home));
        let actions: BTreeMap<_, _> = own.map(|secret| (secret.name.clone(), &secret.value)).collect();
        let actions = actions.into_iter().map(|(name, value)| (name, Some(Secret::new(value.expose().clone()))));
        place.keep(&keys, &consent, ui, |sealing| change(sealing, actions.collect(), &keys.identities))?;
    }
    let edited = rewrite(workspace, &found).finish();
    let files = session.world.files();
    files
        .change(&edited.files, &edited.before)
        .map_err(|error| Failure::new(format!("can't write: {error}")).help("run the same command again"))?;
    let count = found.len();
    ui.say(&format!("{count} value{} moved", if count == 1 { "" } else { "s" }));
    ui.say("  what was ever committed is in Git's history: rotate it with `tieline secret rotate NAME -e ENV`");
    Session::open(cli)?.keep_sopsrc(ui)?;
    Ok(Exit::Done)
}

/// `FILE:LINE` of a span.
fn place(workspace: &Workspace, span: Span) -> String {
    let source = workspace.sources.get(span.file);
    let before = source.text().get(..span.range().start).unwrap_or("");
    format!("{}:{}", source.path(), before.matches('\n').count() + 1)
}

/// Folder of a layer -> its secrets file, which may be its first.
fn places<'s>(session: &'s Session, found: &[InClear]) -> Result<BTreeMap<String, Place<'s>>, Failure> {
    let mut places = BTreeMap::new();
    let stacks: Vec<(&Layer, Vec<&Layer>)> = session.workspace.layers_with_stacks();
    for home in found.iter().flat_map(|secret| &secret.homes) {
        if places.contains_key(home) {
            continue;
        }
        let place = match stacks.iter().find(|(layer, _)| *layer.path == **home) {
            Some((layer, stack)) => Place::at(session, layer, stack.clone()),
            None => Place::of(session, &choice(home))?,
        };
        place.recipients()?;
        places.insert(home.clone(), place);
    }
    Ok(places)
}

/// A layer that is not there yet, of a customer.
fn choice(home: &str) -> Choice {
    let segments: Vec<&str> = home.split('/').collect();
    let behind = |kind: &str, from: usize| {
        let at = segments.iter().skip(from).position(|segment| *segment == kind)?;
        segments.get(from + at + 1).map(|name| (*name).to_owned())
    };
    Choice { customer: behind("customers", 0), environment: behind("environments", 2), profile: behind("profiles", 2) }
}
