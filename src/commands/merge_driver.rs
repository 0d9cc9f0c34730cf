//! `tieline merge-driver`

use std::path::{Path, PathBuf};

use super::acceptance::{Acceptance, location, tell_access};
use super::session::Keys;
use super::{Cli, Exit, Failure, Session};
use crate::diagnostic::{listed, word};
use crate::secret::Secret;
use crate::secrets::merge::{Conflict, How, Sides, merge};
use crate::secrets::recipients::name_of;
use crate::sops::Format;
use crate::ui::Ui;
use crate::world::disk::{self, Access};
use crate::world::{System, World, git};

/// Merge secrets files by their values, for Git.
///
/// Git calls it; `--install` tells Git so, in this clone. With the line `*.sops.yaml merge=tieline` in .gitattributes, which `tieline init` writes, two people may change secrets
/// on two branches. Values that both changed differently stand in the file twice, both sealed, until you choose; the
/// exit code is 1 then, which Git takes for a conflict.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The common ancestor (%O)
    #[arg(value_name = "BASE", required_unless_present = "install")]
    base: Option<PathBuf>,
    /// Ours (%A), which the result is written to
    #[arg(value_name = "OURS", required_unless_present = "install")]
    ours: Option<PathBuf>,
    /// Theirs (%B)
    #[arg(value_name = "THEIRS", required_unless_present = "install")]
    theirs: Option<PathBuf>,
    /// The file's name in the repository (%P), for messages
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// Tell Git of this clone to use it
    #[arg(long, conflicts_with = "base")]
    install: bool,
    #[command(flatten)]
    keys: Keys,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let (Some(base), Some(ours), Some(theirs)) = (&args.base, &args.ours, &args.theirs) else {
        return install(cli, ui);
    };
    let read = |path: &Path| -> Result<Secret<String>, Failure> {
        disk::read_private(path, 4 << 20).map_err(|_| Failure::new(format!("{} can't be read", path.display())))
    };
    let (base, mine, other) = (read(base)?, read(ours)?, read(theirs)?);
    let world = System::new(".");
    let path = args.path.clone().unwrap_or_else(|| ours.display().to_string());
    let file = disk::absolute(&cli.directory.clone().unwrap_or_default().join(&path));
    // Names of recipients, if this is a workspace that can be read amid the merge.
    let session = file.parent().and_then(|folder| Session::at(folder).ok());
    let names = |key: &str| session.as_ref().and_then(|session| name_of(&session.workspace, key));
    let found = args.keys.find(&world, ui)?;
    let time = world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let sides = Sides { base: base.expose(), ours: mine.expose(), theirs: other.expose() };
    let mut judged =
        Acceptance::new(&world, &file)?.judge(location(&file), &file, (mine.expose(), Format::Yaml), &path);
    let how = How { path: &path, identities: &found.identities, keep: !judged.renew(), time: &time, name_of: &names };
    let merged = merge(&sides, &how).map_err(|error| {
        let failure = Failure::new(format!("{}: not merged: {}", error.path, error.reason));
        let theirs = format!("MERGE_HEAD:{path}");
        let help = format!("{}; your side stands there as it was, `git show {}` is theirs", error.help, word(&theirs));
        if error.integrity { failure.exit(Exit::Integrity).help(help) } else { failure.help(help) }
    })?;
    disk::replace(ours, merged.text.as_bytes(), Access::Shared)
        .map_err(|error| Failure::new(format!("can't write {}: {error}", ours.display())))?;
    judged.written(Some(mine.expose()), &merged.text, Format::Yaml, ui);
    let named = |keys: &[String]| keys.iter().map(|key| names(key).unwrap_or_else(|| key.clone())).collect::<Vec<_>>();
    tell_access(&path, &[], &named(&merged.leavers), ui);
    let shown = |names: &[String]| listed(names.iter().map(String::as_str), 24);
    if !merged.newcomers.is_empty() {
        let newcomers = shown(&named(&merged.newcomers));
        ui.say(&format!("{path}: theirs says that it is sealed to {newcomers} too; the merged file is not"));
        ui.say("  if the settings name them, `tieline recipients check` tells, and `tieline recipients add NAME` seals to them");
    }
    if !merged.taken.is_empty() {
        ui.say(&format!("{path}: {} from theirs", shown(&merged.taken)));
    }
    if merged.conflicts.is_empty() {
        return Ok(Exit::Done);
    }
    let conflicts: Vec<String> = merged.conflicts.iter().map(|(name, _)| name.clone()).collect();
    ui.say(&format!("{path}: both sides changed {}", shown(&conflicts)));
    for (name, conflict) in &merged.conflicts {
        ui.say(&match conflict {
            Conflict::BothChanged => {
                format!("  {name} is ours, {name}__theirs is theirs, both sealed: `tieline secret get` shows them")
            }
            Conflict::OursRemoved => {
                format!("  ours removed {name}, theirs changed it: {name}__theirs has their value")
            }
            Conflict::TheirsRemoved => format!("  theirs removed {name}, ours changed it: it stands there, and marked"),
        });
    }
    ui.say("  set the right one, `tieline secret unset NAME__theirs`, then `git add` the file");
    Ok(Exit::Failed)
}

fn install(cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let folder = cli.directory.clone().unwrap_or_else(|| PathBuf::from("."));
    let settings = [
        ("merge.tieline.name", "secrets files, by their values"),
        ("merge.tieline.driver", "tieline merge-driver %O %A %B %P"),
    ];
    git::configure(&folder, &settings)
        .map_err(|why| Failure::new(why).help("run it in a clone, or `git config` the two keys yourself"))?;
    ui.say("Git merges files with `merge=tieline` in .gitattributes by their values now, in this clone");
    Ok(Exit::Done)
}
