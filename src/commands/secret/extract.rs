//! `tieline secret extract`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::place::Place;
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure, Session};
use crate::compile;
use crate::diagnostic::listed;
use crate::secret::Secret;
use crate::secrets::change::change;
use crate::secrets::extract::{InClear, find, left, rewrite};
use crate::span::Span;
use crate::ui::Ui;
use crate::workspace::layers::At;
use crate::workspace::{Layer, Workspace};

/// Move secrets that stand in clear in YAML files into sops files.
///
/// `${{ secrets.NAME }}` is written in their place. A value of an environment's or customer's layer goes into that layer's file; one of the root, which every environment
/// has, into the file of each of them. What looks like a secret and stands where none can is told, and stays.
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
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let wanted = args.paths.iter().map(|path| session.inside(path)).collect::<Result<Vec<_>, _>>()?;
    let below = |path: &str, folder: &String| {
        folder.is_empty() || path.strip_prefix(&**folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let told = compile::check(workspace, &session.catalogue, session.told.clone());
    let mut found = find(workspace, &told);
    found.retain(|secret| wanted.is_empty() || wanted.iter().any(|w| below(workspace.sources.path(secret.span), w)));
    let left = left(workspace, &told);
    for told in &left {
        let Some(span) = told.span() else { continue };
        let help = told.help.as_deref().unwrap_or("move it by hand");
        ui.say(&format!("{} stays: {} ({help})", place(workspace, span), told.message));
    }
    if found.is_empty() {
        ui.say(if left.is_empty() { "no secret field holds a value in clear" } else { "nothing else to move" });
        return Ok(if left.is_empty() { Exit::Done } else { Exit::Failed });
    }
    let targets = targets(&session, &found, &args.environment)?;
    for secret in &found {
        let files = targets[&secret.layer].iter().map(|place| place.file.as_str());
        ui.say(&format!("{} -> {} in {}", place(workspace, secret.span), secret.name, listed(files, 8)));
    }
    if args.dry_run {
        ui.say("a dry run: nothing was written");
        return Ok(Exit::Done);
    }
    let keys = args.keys.find(&session.world, ui)?;
    // The sealed files first: cut off in between, nothing is lost, and the same command goes on.
    for (layer, places) in &targets {
        for place in places {
            let of_layer = found.iter().filter(|secret| secret.layer == *layer);
            let actions: Vec<_> = of_layer
                .map(|secret| (secret.name.clone(), Some(Secret::new(secret.value.expose().clone()))))
                .collect();
            place.keep(&keys, ui, |sealing| change(sealing, actions, &keys.identities))?;
        }
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

/// Layer of a file -> the layers whose secrets files its values go into.
fn targets<'s>(
    session: &'s Session,
    found: &[InClear],
    only: &[String],
) -> Result<BTreeMap<String, Vec<Place<'s>>>, Failure> {
    let workspace = &session.workspace;
    let only = only.iter().map(|name| session.environment(name)).collect::<Result<Vec<_>, _>>()?;
    let stacks: Vec<(&Layer, Vec<&Layer>)> = workspace.layers_with_stacks();
    let mut targets = BTreeMap::new();
    for secret in found {
        if targets.contains_key(&secret.layer) {
            continue;
        }
        let places: Vec<Place<'s>> = if secret.layer.is_empty() {
            let environments = workspace.environments.iter().filter(|(name, _)| only.is_empty() || only.contains(name));
            environments.map(|(name, layer)| Place::at(session, layer, workspace.stack(&At::plain(name)))).collect()
        } else {
            let own = stacks.iter().find(|(layer, _)| *layer.path == *secret.layer);
            own.map(|(layer, stack)| Place::at(session, layer, stack.clone())).into_iter().collect()
        };
        if places.is_empty() {
            return Err(Failure::new("there is no environment whose secrets file could hold the values")
                .help("make one: environments/NAME/environment.yaml"));
        }
        for place in &places {
            place.recipients()?;
        }
        targets.insert(secret.layer.clone(), places);
    }
    Ok(targets)
}
