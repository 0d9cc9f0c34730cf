//! `tieline merge-driver`

use std::path::{Path, PathBuf};

use super::acceptance::{Acceptance, location, tell_access};
use super::session::Keys;
use super::{Cli, Exit, Failure, Session};
use crate::diagnostic::{listed, word};
use crate::reporters::text::visible;
use crate::secret::Secret;
use crate::secrets::NameOf;
use crate::secrets::accepted::Standing;
use crate::secrets::merge::{Conflict, How, Merged, Sides, Stands, merge, merge_in_clear};
use crate::secrets::recipients::name_of;
use crate::sops::{Encrypted, ErrorKind, Format};
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
    /// The common ancestor (%O); ours (%A), which the result is written to; theirs (%B); the file's name in the repository (%P)
    // What follows the first is no option: whoever may name a file would choose ours.
    #[arg(
        value_names = ["BASE", "OURS", "THEIRS", "PATH"],
        num_args = 3..=4,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "install"
    )]
    files: Vec<PathBuf>,
    /// Tell Git of this clone to use it
    #[arg(long, conflicts_with = "files")]
    install: bool,
    #[command(flatten)]
    keys: Keys,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let [base, ours, theirs, path @ ..] = &*args.files else {
        return install(cli, ui);
    };
    let read = |path: &Path| -> Result<Secret<String>, Failure> {
        disk::read_private(path, 4 << 20).map_err(|_| Failure::new(format!("{} can't be read", path.display())))
    };
    let (base, mine, other) = (read(base)?, read(ours)?, read(theirs)?);
    let world = System::new(".");
    let path = path.first().unwrap_or(ours).display().to_string();
    let sides = Sides { base: base.expose(), ours: mine.expose(), theirs: other.expose() };
    // `.sops.yaml` has a name like those of secrets files.
    if [sides.base, sides.ours, sides.theirs].iter().all(|text| has_no_block(text)) {
        return in_clear(&sides, ours, &path, ui);
    }
    let file = disk::absolute(&cli.directory.clone().unwrap_or_default().join(&path));
    // Names of recipients, if this is a workspace that can be read amid the merge.
    let session = file.parent().and_then(|folder| Session::at(folder).ok());
    let names = |key: &str| session.as_ref().and_then(|session| name_of(&session.workspace, key));
    let found = args.keys.find(&world, ui)?;
    let time = world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut judged = Acceptance::new(&world, &file)?.with(&found.identities).judge(
        location(&file),
        &file,
        (mine.expose(), Format::Yaml),
        &path,
    );
    let how = How {
        path: &path,
        identities: &found.identities,
        keep: !judged.renew(),
        ours_count: judged.standing != Standing::Foreign,
        theirs_count: judged.remembers(other.expose(), Format::Yaml),
        time: &time,
        name_of: &names,
    };
    let merged = merge(&sides, &how).map_err(|error| {
        let failure = Failure::new(format!("{}: not merged: {}", error.path, error.reason));
        let theirs = format!("MERGE_HEAD:{path}");
        let help = format!("{}; your side stands there as it was, `git show {}` is theirs", error.help, word(&theirs));
        if error.integrity { failure.exit(Exit::Integrity).help(help) } else { failure.help(help) }
    })?;
    disk::replace(ours, merged.text.as_bytes(), Access::Shared)
        .map_err(|error| Failure::new(format!("can't write {}: {error}", ours.display())))?;
    judged.merged(mine.expose(), &merged.text, Format::Yaml, ui);
    let named = |keys: &[String]| keys.iter().map(|key| names(key).unwrap_or_else(|| key.clone())).collect::<Vec<_>>();
    tell_access(&path, &named(&merged.newcomers), &named(&merged.leavers), ui);
    if !merged.taken.is_empty() {
        ui.say(&format!("{path}: {} from theirs", listed(merged.taken.iter().map(String::as_str), 24)));
    }
    tell_left_out(&path, &merged, &names, ui);
    tell_conflicts(&path, &merged, ui);
    // Who was left out is told where nobody may look: so Git doesn't commit, and somebody does.
    Ok(if merged.conflicts.is_empty() && merged.left_out.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Whether a text is not a file that sops encrypted, damaged or not.
fn has_no_block(text: &str) -> bool {
    Encrypted::parse(text).is_err_and(|error| matches!(error.kind, ErrorKind::NoBlock | ErrorKind::Empty))
}

/// Merges a file that is not encrypted by its lines.
fn in_clear(sides: &Sides<'_>, ours: &Path, path: &str, ui: &Ui) -> Result<Exit, Failure> {
    let (text, is_whole) = merge_in_clear(sides);
    disk::replace(ours, text.as_bytes(), Access::Shared)
        .map_err(|error| Failure::new(format!("can't write {}: {error}", ours.display())))?;
    if is_whole {
        return Ok(Exit::Done);
    }
    ui.say(&format!("{path}: it is not encrypted, and both sides changed it: conflict markers stand between them"));
    Ok(Exit::Failed)
}

/// Says who came on a side that doesn't count.
fn tell_left_out(path: &str, merged: &Merged, name_of: &NameOf<'_>, ui: &Ui) {
    for (key, stands) in &merged.left_out {
        let named = name_of(key).map_or_else(|| key.clone(), |name| format!("{name} ({key})"));
        let place = match stands {
            Stands::Ours => "only in ours, which was",
            Stands::Theirs => "only in theirs, which was",
            Stands::Both => "in both sides but not in their common ancestor, and neither was",
        };
        ui.say(&format!("{path}: `{}` stands {place} not written or accepted here: not sealed to it", visible(&named)));
    }
    if !merged.left_out.is_empty() {
        ui.say("  `git add` the file if that is right; if it is a colleague, merge tieline.yaml first, then");
        ui.say("  `tieline recipients add NAME` seals the merged file to them, and `git add` takes it");
    }
}

/// Says what both sides changed.
fn tell_conflicts(path: &str, merged: &Merged, ui: &Ui) {
    if merged.conflicts.is_empty() {
        return;
    }
    let conflicts: Vec<&str> = merged.conflicts.iter().map(|(name, _)| &**name).collect();
    ui.say(&format!("{path}: both sides changed {}", listed(conflicts.into_iter(), 24)));
    for ((name, conflict), beside) in merged.conflicts.iter().zip(&merged.beside) {
        ui.say(&match conflict {
            Conflict::BothChanged => {
                format!("  {name} is ours, {beside} is theirs, both sealed: `tieline secret get` shows them")
            }
            Conflict::OursRemoved => {
                format!("  ours removed {name}, theirs changed it: {beside} has their value")
            }
            Conflict::TheirsRemoved => format!("  theirs removed {name}, ours changed it: it stands there, and marked"),
        });
    }
    ui.say("  set the right one, `tieline secret unset NAME__theirs`, then `git add` the file");
}

fn install(cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let folder = cli.directory.clone().unwrap_or_else(|| PathBuf::from("."));
    let settings = [
        ("merge.tieline.name", "secrets files, by their values"),
        ("merge.tieline.driver", "tieline merge-driver -- %O %A %B %P"),
    ];
    git::configure(&folder, &settings)
        .map_err(|why| Failure::new(why).help("run it in a clone, or `git config` the two keys yourself"))?;
    ui.say("Git merges files with `merge=tieline` in .gitattributes by their values now, in this clone");
    Ok(Exit::Done)
}
