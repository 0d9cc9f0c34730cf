//! `tieline codeowners`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Cli, Exit, Failure, Session};
use crate::secrets::owners::{Handles, into_file, rules};
use crate::ui::Ui;
use crate::world::disk::{self, Access};

/// Write CODEOWNERS rules for who may change what.
///
/// With them the Git host asks the right people before a secret or its recipients change.
///
/// Secrets files and settings belong to the recipients of their layer, connections to their `owner`. Names are taken as
/// the host's, with an `@` before them; `--as NAME=@handle` says another, `--as NAME=` leaves one out (a machine's).
/// GitHub, GitLab, Gitea and Bitbucket read such a file; protect the branch, or they only suggest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The organization whose teams `owner` names: `team-data` becomes @ORG/team-data
    #[arg(long, value_name = "ORG")]
    organization: Option<String>,
    /// The host's name of a recipient or owner
    #[arg(long = "as", value_name = "NAME=HANDLE")]
    names: Vec<String>,
    /// Put the rules into this file, and leave what else stands there; else they are printed
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let mut names = BTreeMap::new();
    for pair in &args.names {
        let Some((name, handle)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("`{pair}` is no NAME=HANDLE")));
        };
        names.insert(name.to_owned(), handle.to_owned());
    }
    let handles = Handles { names, organization: args.organization.clone() };
    let prefix = disk::below_repository(session.world.root());
    let rules = rules(&session.workspace, &handles, &prefix);
    let Some(file) = &args.write else {
        ui.data(&rules);
        return Ok(Exit::Done);
    };
    let path = cli.directory.as_deref().map_or_else(|| file.clone(), |folder| folder.join(file));
    let old = match disk::exists(&path) {
        true => disk::read_private(&path, 4 << 20)
            .map_err(|_| Failure::new(format!("{} can't be read", file.display())))?
            .expose()
            .clone(),
        false => String::new(),
    };
    let new = into_file(&old, &rules);
    let write = if old.is_empty() && !disk::exists(&path) { disk::create } else { disk::replace };
    write(&path, new.as_bytes(), Access::Shared)
        .map_err(|error| Failure::new(format!("can't write {}: {error}", file.display())))?;
    ui.say(&format!("{}: {} rules", file.display(), rules.lines().count() - 2));
    Ok(Exit::Done)
}
