//! `tieline mv`

use super::change::{Manner, connection, make, users};
use super::{Cli, Exit, Failure, Session};
use crate::edit::references::{files, key_of, to_credentials};
use crate::edit::{Changes, scalar};
use crate::ui::Ui;
use crate::value::Value;
use crate::workspace::Workspace;
use crate::workspace::discover::{Family, is_id};

/// Rename a connection in every layer, and keep its reference.
///
/// Writes its old id as `key` into the lowest layer, so that references, bundles and plans know it as the same; consumers
/// and customers that name it by id follow. `credential/OLD credential/NEW` renames a credential.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection's id, or `credential/ID`
    #[arg(value_name = "OLD")]
    old: String,
    /// Its id from now on
    #[arg(value_name = "NEW")]
    new: String,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let credential = (args.old.strip_prefix("credential/"), args.new.strip_prefix("credential/"));
    let (family, old, new) = match credential {
        (Some(old), Some(new)) => (Family::Credentials, old, new),
        (None, None) => (Family::Connections, connection(workspace, &args.old)?, &*args.new),
        _ => return Err(Failure::usage("a connection can't become a credential")),
    };
    if !is_id(new) {
        return Err(Failure::usage(format!("`{new}` is no id"))
            .help("segments of lower-case letters, digits, `.`, `_` and `-`, joined by `/`"));
    }
    let documents = files(workspace, family, old);
    if documents.is_empty() {
        return Err(Failure::usage(format!("there is no {} `{old}`", family.one())));
    }
    if !files(workspace, family, new).is_empty() {
        return Err(Failure::usage(format!("there is a {} `{new}` already", family.one()))
            .help("choose another id; `tieline swap` lets consumers use another connection"));
    }
    let mut changes = Changes::new(workspace);
    for file in &documents {
        let path = workspace.sources.get(*file).path();
        let to = path.strip_suffix(&format!("{old}.yaml")).map(|folder| format!("{folder}{new}.yaml"));
        changes.move_file(*file, to.unwrap_or_else(|| path.to_owned()));
    }
    match family {
        Family::Connections => {
            if key_of(workspace, old).is_none() {
                keep_key(workspace, old, &mut changes)?;
            }
            users(workspace, old).iter().filter(|r| r.name == old).for_each(|r| changes.rename(r.span, new));
        }
        _ => to_credentials(workspace).iter().filter(|r| r.name == old).for_each(|r| changes.rename(r.span, new)),
    }
    make(&session, &changes.finish(), &args.manner, |_| false, ui)
}

/// Writes the id as the key of the lowest layer's file.
fn keep_key(workspace: &Workspace, id: &str, changes: &mut Changes<'_>) -> Result<(), Failure> {
    let lowest = workspace.layers().filter_map(|layer| layer.connections.get(id)).find_map(|d| d.root.as_ref());
    let entry = lowest.and_then(|root| match &root.value {
        Value::Map(map) => map.entry("connector"),
        _ => None,
    });
    let text = |entry: &crate::value::Entry| workspace.sources.get(entry.key_span.file).text();
    let own_line = entry.filter(|e| {
        let before = &text(e)[..e.key_span.start as usize];
        before.is_empty() || before.ends_with('\n')
    });
    let Some(entry) = own_line else {
        return Err(Failure::new(format!("can't write the line `key: {id}` into the lowest file of `{id}`"))
            .help("write it there by hand, then move it: without it the reference changes"));
    };
    changes.line_below(entry.value.span, 0, &format!("key: {}", scalar(id)));
    Ok(())
}
