//! `tieline fmt`

use std::path::PathBuf;

use super::{Cli, Exit, Failure, Session};
use crate::edit::format;
use crate::reporters::human::plural;
use crate::reporters::text::visible;
use crate::span::FileId;
use crate::ui::Ui;
use crate::workspace::discover::classify;
use crate::world::beneath::Access;
use crate::world::{Found, Kind};

/// Put the files of the workspace into their canonical form.
///
/// Top-level keys in the order of the documentation, two spaces a level; comments stay, values stay as they are written. A
/// file that can't be parsed, or is laid out in another way, is left as it is. Secrets files are never touched.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these files and folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Name the files that would change, write nothing, and exit with 1 if there is one
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let sources = &session.workspace.sources;
    let wanted = args.paths.iter().map(|path| session.inside(path)).collect::<Result<Vec<_>, _>>()?;
    let below = |path: &str, folder: &String| {
        folder.is_empty() || path.strip_prefix(&**folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut changed = 0;
    for index in 0..sources.len() {
        let file = FileId(u32::try_from(index).unwrap_or(u32::MAX));
        let path = sources.get(file).path();
        if !wanted.is_empty() && !wanted.iter().any(|folder| below(path, folder)) {
            continue;
        }
        let found = Found { path: path.to_owned(), utf8: true, kind: Kind::File };
        let Ok((_, role)) = classify(&found) else { continue };
        let Some(text) = format::of(sources, file, &role).filter(|text| text != sources.get(file).text()) else {
            continue;
        };
        changed += 1;
        ui.data(&format!("{}\n", visible(path)));
        if !args.check {
            let files = session.world.files();
            files
                .replace(path, text.as_bytes(), Access::Shared)
                .map_err(|error| Failure::new(format!("can't write {path}: {error}")))?;
        }
    }
    let done = if args.check { "would be formatted" } else { "formatted" };
    ui.say(&format!("{changed} file{} {done}", plural(changed)));
    Ok(if args.check && changed > 0 { Exit::Failed } else { Exit::Done })
}
