//! `tieline recipients add` and `remove`

use std::collections::BTreeSet;

use crate::commands::acceptance::{Acceptance, Judged, tell_access};
use crate::commands::access::{self, Gain, agreed};
use crate::commands::session::{Keys, Session, absent, recipient};
use crate::commands::{Cli, Exit, Failure};
use crate::compile;
use crate::diagnostic::listed;
use crate::edit::check::{Overlaid, check};
use crate::edit::{Changes, Edited, scalar};
use crate::providers::identities::Found;
use crate::secrets::Unopened;
use crate::secrets::accepted::Location;
use crate::secrets::recipients::{Manner, Rewrap, drifted, openable, rewrap};
use crate::sops::Format;
use crate::ui::Ui;
use crate::workspace::{Layer, Workspace, names};
use crate::yaml;

/// Let somebody open secrets.
///
/// Names them in the lists of recipients. Every environment whose list it concerns is sealed in this one call; a value is not touched. What was sealed before,
/// in Git's history and in bundles, stays sealed as it is; the next `tieline apply` seals the bundles.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The person's or machine's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Their public key, if the workspace does not know it yet: `age1…` or the line of an id_ed25519.pub
    #[arg(value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    manner: HowTo,
}

/// Let somebody open secrets no more.
///
/// Takes them off the lists of recipients, and seals the files without them. They may still hold the old data keys, and every value that they could open is in Git's history for them:
/// `--rotate-data-key` makes new keys; only new values at their source take the old ones away.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
    /// Seal every value anew under new data keys
    #[arg(long)]
    rotate_data_key: bool,
    #[command(flatten)]
    manner: HowTo,
}

#[derive(Debug, clap::Args)]
struct HowTo {
    /// This environment alone; may be given more than once. Else every layer that names recipients
    #[arg(short, long, value_name = "ENV")]
    environment: Vec<String>,
    /// Show what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask where others than NAME gain or lose access, because the lists were changed without sealing the files
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    keys: Keys,
}

pub(super) fn add(args: &Add, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let mut changes = Changes::new(workspace);
    let key = name_key(&session, args, &mut changes)?;
    if args.key.is_none() {
        ui.say(&format!("`{}` has the public key {key}", args.name));
    }
    let mut new = false;
    for (layer, stack) in concerned(&session, &args.manner.environment)? {
        let mut names = listed_in(&stack);
        if !names.contains(&args.name) {
            names.push(args.name.clone());
            write(workspace, layer, &names, &mut changes);
            new = true;
        }
    }
    if !new {
        ui.say(&format!("{} is a recipient of all of them already", args.name));
    }
    make(&session, changes, &args.manner, &Wanted { name: &args.name, key: Some(&key), rotate: false }, ui)?;
    if !args.manner.dry_run {
        Session::open(cli)?.keep_sopsrc(ui)?;
    }
    Ok(Exit::Done)
}

pub(super) fn remove(args: &Remove, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let mut changes = Changes::new(workspace);
    let mut known = false;
    for (layer, stack) in concerned(&session, &args.manner.environment)? {
        let mut names = listed_in(&stack);
        if !names.contains(&args.name) {
            continue;
        }
        names.retain(|name| *name != args.name);
        if names.is_empty() {
            let place = if layer.path.is_empty() { "the root".to_owned() } else { format!("`{}`", layer.path) };
            return Err(Failure::new(format!("{} is the only recipient of {place}: nobody could open it", args.name))
                .exit(Exit::Guard)
                .help("`tieline recipients add NAME KEY` first"));
        }
        write(workspace, layer, &names, &mut changes);
        known = true;
    }
    if !known {
        let known: BTreeSet<&str> =
            workspace.layers().flat_map(|l| l.settings.recipients.iter().flatten()).map(|name| &*name.value).collect();
        return Err(absent("recipient", &args.name, known.into_iter()));
    }
    let wanted = Wanted { name: &args.name, key: None, rotate: args.rotate_data_key };
    let files = make(&session, changes, &args.manner, &wanted, ui)?;
    if !args.manner.dry_run {
        warn(args, workspace, &files, ui);
        Session::open(cli)?.keep_sopsrc(ui)?;
    }
    Ok(Exit::Done)
}

/// What a removal does not undo.
fn warn(args: &Remove, workspace: &Workspace, files: &[String], ui: &Ui) {
    let name = &args.name;
    if !args.rotate_data_key {
        ui.say(&format!(
            "{name} may still hold the old data keys, which the values are still sealed with: the next change of a file makes a new one, `--rotate-data-key` makes them now"
        ));
    }
    let sealed = workspace.layers().filter(|layer| files.contains(&layer.file("secrets.sops.yaml")));
    let secrets = sealed.filter_map(|layer| layer.secrets.as_ref()).flat_map(|file| file.names.keys());
    let names: BTreeSet<&str> = secrets.map(|name| &**name).collect();
    if !names.is_empty() {
        ui.say(&format!("{name} may have seen, and Git keeps: {}", listed(names.iter().copied(), 24)));
        ui.say("  change them at their source: `tieline secret rotate NAME -e ENV`");
    }
}

/// The layers that name recipients themselves; or the environments that were asked for, which then do.
fn concerned<'s>(session: &'s Session, only: &[String]) -> Result<Vec<(&'s Layer, Vec<&'s Layer>)>, Failure> {
    let only = only.iter().map(|name| session.environment(name)).collect::<Result<Vec<_>, _>>()?;
    let paths: Vec<String> = only.iter().map(|name| format!("environments/{name}")).collect();
    let mut layers = session.workspace.layers_with_stacks();
    layers.retain(|(layer, _)| match paths.is_empty() {
        true => layer.settings.recipients.is_some(),
        false => paths.iter().any(|path| **path == *layer.path),
    });
    if layers.is_empty() {
        // Nobody is named yet: the root is where all inherit from.
        layers = session.workspace.layers_with_stacks();
        layers.retain(|(layer, _)| layer.path.is_empty());
    }
    Ok(layers)
}

fn listed_in(stack: &[&Layer]) -> Vec<String> {
    Workspace::recipients(stack).iter().map(|name| name.value.to_string()).collect()
}

/// Writes a layer's list; an environment that inherited one gets its own.
fn write(workspace: &Workspace, layer: &Layer, names: &[String], changes: &mut Changes<'_>) {
    match layer.settings_file {
        Some(file) => {
            let (root, _) = yaml::parse(file, workspace.sources.get(file).text());
            changes.write_list(file, root.as_ref(), "recipients", names);
        }
        None => changes.create(layer.file("environment.yaml"), {
            let names: Vec<String> = names.iter().map(|name| scalar(name)).collect();
            format!("recipients: [{}]\n", names.join(", "))
        }),
    }
}

/// Sees to it that the workspace knows the name's key; gives it.
fn name_key(session: &Session, args: &Add, changes: &mut Changes<'_>) -> Result<String, Failure> {
    let workspace = &session.workspace;
    let known = workspace.layers().find_map(|layer| layer.settings.keys.get(&*args.name));
    let Some(key) = &args.key else {
        return match known {
            Some(known) => Ok(known.value.trim().to_owned()),
            None => Err(Failure::usage(format!("the workspace has no key for `{}`", args.name))
                .help(format!("`tieline recipients add {} age1…`: `tieline keygen` prints theirs", args.name))),
        };
    };
    let recipient = recipient(key)?;
    if let Some(fault) = names::fault(&args.name) {
        return Err(Failure::usage(format!("the name of a recipient can't {fault}"))
            .help("letters, digits, `.`, `_`, `/`, `-` and spaces, beginning with a letter or digit"));
    }
    match known {
        Some(known) if known.value.trim() == recipient.as_str() => Ok(recipient.as_str().to_owned()),
        Some(_) => Err(Failure::usage(format!("`{}` has another key already", args.name))
            .exit(Exit::Guard)
            .help("two keys of one person are two names: ana, ana-laptop")),
        None => {
            let Some(file) = workspace.root.settings_file else { return Err(Failure::new("there is no tieline.yaml")) };
            let (root, _) = yaml::parse(file, workspace.sources.get(file).text());
            changes.add_to_map(file, root.as_ref(), "keys", &args.name, recipient.as_str());
            Ok(recipient.as_str().to_owned())
        }
    }
}

/// What was asked for.
struct Wanted<'w> {
    /// Who gains or loses access.
    name: &'w str,
    /// The public key of who gains it.
    key: Option<&'w str>,
    /// New data keys for all files.
    rotate: bool,
}

/// Checks the changed settings, seals every file that is to be, and writes all of it; gives the files that were sealed.
fn make(
    session: &Session,
    changes: Changes<'_>,
    manner: &HowTo,
    wanted: &Wanted<'_>,
    ui: &Ui,
) -> Result<Vec<String>, Failure> {
    let disk = session.world.files();
    let _lock = disk.lock().map_err(|error| Failure::new(format!("can't lock the workspace: {error}")))?;
    let mut edited: Edited = changes.finish();
    let before = compile::check(&session.workspace, &session.catalogue, session.told.clone());
    let overlaid = Overlaid { world: &session.world, files: &edited.files };
    let (workspace, _) =
        Workspace::read(&overlaid).map_err(|_| Failure::new("there would be no workspace any more"))?;
    let mut files = drifted(&workspace);
    let found = manner.keys.find(&session.world, ui)?;
    let mut judged = judge(session, &mut files, &found)?;
    let settings: Vec<String> = edited.files.keys().cloned().collect();
    let gains = files
        .iter()
        .zip(&judged)
        .flat_map(|(file, judged)| judged.gains(file.text, Format::Yaml, &file.to, &found.identities));
    let others: Vec<Gain> = gains.filter(|gain| gain.name != wanted.name || wanted.key != Some(&gain.key)).collect();
    // Who can't open the files can't give access to them: that comes before the question. And to seal to somebody may start
    // the program that their key names: that comes behind it.
    openable(&workspace, &files, &found.identities).map_err(|failed| unopened(&failed, &found))?;
    access::say(&others, ui);
    if !manner.dry_run {
        ask(&files, &others, wanted, manner.yes, ui)?;
    }
    let mut sealed = Vec::new();
    if !manner.dry_run || others.is_empty() {
        let how = Manner { identities: &found.identities, rotate: wanted.rotate, time: &session.timestamp() };
        sealed = rewrap(&workspace, &files, &how).map_err(|failed| unopened(&failed, &found))?;
        for (path, text) in &sealed {
            let old = files.iter().find(|file| file.path == path).map(|file| file.text.to_owned());
            edited.before.extend(old.map(|old| (path.clone(), old)));
            edited.files.insert(path.clone(), Some(text.clone()));
        }
        let checked =
            check(&session.world, &edited, &before).map_err(|_| Failure::new("there would be no workspace"))?;
        if !checked.fresh.is_empty() {
            ui.problems(&checked.fresh, &checked.sources, session.workspace.concrete().count());
            return Err(Failure::new("the workspace would not compile with this change: nothing was written"));
        }
    }
    for path in &settings {
        ui.say(&format!("{path} changed"));
    }
    for file in &files {
        let names = listed(file.to.iter().map(|named| named.name.as_str()), 12);
        ui.say(&format!("{} sealed to {names}", file.path));
        tell_access(file.path, &file.drift.missing, &file.drift.extra, ui);
    }
    if manner.dry_run {
        ui.say("a dry run: nothing was written");
        return Ok(Vec::new());
    }
    disk.change(&edited.files, &edited.before)
        .map_err(|error| Failure::new(format!("can't write: {error}")).help("`git status` shows what was changed"))?;
    for ((_, text), (file, judged)) in sealed.iter().zip(files.iter().zip(&mut judged)) {
        judged.written(Some(file.text), text, Format::Yaml, ui);
        if !wanted.rotate && !file.renew && !file.drift.extra.is_empty() {
            judged.retire(text, Format::Yaml, ui);
        }
    }
    Ok(sealed.into_iter().map(|(path, _)| path).collect())
}

/// Finds out which files may keep their data keys.
fn judge(session: &Session, files: &mut [Rewrap<'_>], found: &Found) -> Result<Vec<Judged>, Failure> {
    let root = session.world.root();
    let acceptance = Acceptance::new(&session.world, root)?.with(&found.identities);
    let workspace = session.workspace.root.settings.id.unwrap_or_default();
    let one = |file: &mut Rewrap<'_>| {
        let location = Location::Layer { workspace, layer: file.layer.clone() };
        let judged = acceptance.judge(location, &root.join(file.path), (file.text, Format::Yaml), file.path);
        file.renew = judged.renew();
        judged
    };
    Ok(files.iter_mut().map(one).collect())
}

/// Asks whether others than the one who was named are meant to gain or lose access.
fn ask(files: &[Rewrap<'_>], gains: &[Gain], wanted: &Wanted<'_>, yes: bool, ui: &Ui) -> Result<(), Failure> {
    let new: BTreeSet<&str> = gains.iter().filter(|gain| !gain.claimed).map(|gain| &*gain.name).collect();
    let loses = files.iter().flat_map(|file| &file.drift.extra).map(String::as_str);
    let loses: BTreeSet<&str> = loses.filter(|name| wanted.key.is_some() || *name != wanted.name).collect();
    if gains.is_empty() && loses.is_empty() {
        return Ok(());
    }
    // Settings that a branch changed, and the files as they were.
    for (names, told) in [
        (new, "would gain access too: the settings name them, and the files are not sealed to them yet"),
        (loses, "would lose access too: the files are sealed to them, and the settings name them no longer"),
    ] {
        if !names.is_empty() {
            ui.say(&format!("{} {told}", listed(names, usize::MAX)));
        }
    }
    agreed("Go on?", "`--yes` means them too; `tieline recipients check` lists the files", yes, ui)
}

/// Why files were not sealed.
fn unopened(failed: &[Unopened], found: &Found) -> Failure {
    let lines: Vec<String> = failed.iter().map(|f| format!("{}: {} ({})", f.path, f.reason, f.help)).collect();
    let failure = Failure::new(format!("files don't open; nothing was changed\n  {}", lines.join("\n  ")));
    // Of a file that was tampered with no other identity would help.
    if failed.iter().any(|f| f.integrity) { failure.exit(Exit::Integrity) } else { failure.help(found.help()) }
}
