//! `tieline keygen`

use std::path::PathBuf;

use super::session::typed;
use super::{Cli, Exit, Failure};
use crate::providers::identities::{create, default_file};
use crate::ui::Ui;
use crate::world::System;
use crate::world::beneath::Typed;

/// Make an age identity, where sops looks for it.
///
/// The file is the owner's alone, and one that exists is never overwritten. Give the recipient, `age1…`, to whoever is to
/// seal secrets to you; the identity stays with you.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another place
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let world = System::new(".");
    let named = args.output.as_ref().map(|file| match &cli.directory {
        Some(directory) => directory.join(file),
        None => file.clone(),
    });
    let place = named.as_deref().map(|file| typed(cli, file));
    let file = named.or_else(|| default_file(&world)).ok_or_else(|| {
        Failure::new("there is no place for an age identity: neither HOME nor XDG_CONFIG_HOME is set")
            .help("name a file: `--output FILE`")
    })?;
    // The default is the operator's own home, and not looked for in the repository.
    let place = place.unwrap_or_else(|| Typed::Outside(file.clone()));
    let recipient = create(&world, &place).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(format!("{} exists, and is left as it is", file.display()))
            .exit(Exit::Guard)
            .help("another one beside it: `--output FILE`, then SOPS_AGE_KEY_FILE=FILE"),
        _ => Failure::new(format!("can't write {}: {error}", file.display())),
    })?;
    ui.say(&format!("made an identity in {}: keep a copy of it safe, and show it to nobody", file.display()));
    ui.data(&format!("{recipient}\n"));
    Ok(Exit::Done)
}
