//! `tieline codeowners`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Cli, Exit, Failure, Session};
use crate::diagnostic::has_errors;
use crate::secrets::owners::{Handles, into_file, line_to_write, rules};
use crate::ui::Ui;
use crate::workspace::names::is_account;
use crate::world::beneath::Access;
use crate::world::{ReadError, disk};

/// Write CODEOWNERS rules for who may change what.
///
/// With them the Git host asks the right people before a secret or its recipients change.
///
/// What alters a protected environment belongs to the recipients of that environment; else secrets files and settings belong
/// to the recipients of their layer, as does what is added to its folder. Connections belong to their `owner`, except in the
/// layers of a protected environment. What account a name
/// has on the host is said below `handles` in tieline.yaml (`team-finance: "@acme/finance"`, `ci: null` for a machine) or
/// by `--as`. While a name has none, the rules are printed with the line to write, the exit code is 1, and `--write`
/// writes nothing. GitHub, GitLab and Bitbucket read such a file; protect the branch, or they only suggest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The account of an owner or recipient; without one (`ci=`) it is left out
    #[arg(long = "as", value_name = "NAME=@ACCOUNT")]
    names: Vec<String>,
    /// Put the rules into this file, and keep what else stands there; else they are printed
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let given = given(&args.names)?;
    let session = Session::open(cli)?;
    if has_errors(&session.told) {
        ui.problems(&session.told, &session.workspace.sources, session.workspace.concrete().count());
        return Err(Failure::new("no rules are made of a workspace with errors").help("fix them, and run it again"));
    }
    let handles = Handles { given, workspace: &session.workspace };
    let prefix = disk::below_repository(session.world.root());
    let rules = rules(&handles, &prefix)
        .map_err(|why| Failure::new(why).help("rename the folder: Git hosts read it in different ways"))?;
    if args.write.is_none() {
        ui.data(&rules.text);
    }
    if !rules.unmapped.is_empty() {
        let lines: Vec<String> = rules.unmapped.iter().map(|name| line_to_write(name)).collect();
        let names = if lines.len() == 1 { "1 name has".to_owned() } else { format!("{} names have", lines.len()) };
        return Err(Failure::new(format!("{names} no account on the Git host")).help(lines.join("\n        ")));
    }
    let Some(file) = &args.write else { return Ok(Exit::Done) };
    let path = cli.directory.as_deref().map_or_else(|| file.clone(), |folder| folder.join(file));
    let path = session.typed(&path);
    let old = match path.read(4 << 20) {
        Ok(text) => Some(text.expose().clone()),
        Err(ReadError::Missing) => None,
        Err(_) => {
            // What stood behind a link would be copied into the repository.
            let why = path.obstacle().map(|found| format!(": {found}")).unwrap_or_default();
            return Err(Failure::new(format!("{} can't be read{why}", file.display())));
        }
    };
    let new = into_file(old.as_deref().unwrap_or_default(), &rules.text).map_err(|line| {
        Failure::new(format!(
            "{}:{line}: a marker of tieline's rules without its other one: nothing was written",
            file.display()
        ))
        .help("put `# tieline: end` below the rules that tieline wrote, or delete them with their markers")
    })?;
    let written = match old {
        None => path.create(new.as_bytes(), Access::Shared),
        Some(_) => path.replace(new.as_bytes(), Access::Shared),
    };
    written.map_err(|error| Failure::new(format!("can't write {}: {error}", file.display())))?;
    ui.say(&format!("{}: {} rules", file.display(), rules.count));
    Ok(Exit::Done)
}

/// The accounts that the command line gives.
fn given(names: &[String]) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let one = |pair: &String| match pair.split_once('=') {
        Some((name, "")) => Ok((name.to_owned(), None)),
        Some((name, account)) if is_account(account) => Ok((name.to_owned(), Some(account.to_owned()))),
        _ => Err(Failure::usage(format!("`{pair}` is not NAME=@ACCOUNT"))
            .help("an account is `@user`, `@organization/team` or a mail address")),
    };
    names.iter().map(one).collect()
}
