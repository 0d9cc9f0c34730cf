//! Who would newly decrypt what was sealed before: said by name and public key, and agreed to, before anything is written.
//!
//! Recipients are named in settings, which a branch may change, and a file's own list of them is a claim that anybody
//! could write. So what counts as known is what this machine wrote or accepted last.

use std::collections::{BTreeMap, BTreeSet};

use super::Failure;
use crate::diagnostic::listed;
use crate::reporters::text::visible;
use crate::secrets::recipients::Named;
use crate::ui::Ui;

/// Whether others may gain access unasked.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Unasked {
    /// Don't ask where recipients gain access to a file that is not sealed to them yet
    #[arg(long)]
    pub(super) yes: bool,
}

/// A recipient who can't decrypt a file yet, as far as this machine knows, and would.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gain {
    /// The file, as people know it.
    pub(super) file: String,
    /// The file says that they can decrypt it, but was not written or accepted here.
    pub(super) claimed: bool,
    /// Their name.
    pub(super) name: String,
    /// Their public key.
    pub(super) key: String,
}

impl Gain {
    /// That of a recipient.
    pub(super) fn of(file: &str, named: Named, claimed: bool) -> Self {
        Self { file: file.to_owned(), claimed, name: named.name, key: named.recipient.as_str().to_owned() }
    }
}

/// Gains of access that were agreed to.
#[derive(Debug, Default)]
pub(super) struct Consent(BTreeSet<Gain>);

impl Consent {
    /// To these, which somebody agreed to.
    pub(super) fn to(gains: Vec<Gain>) -> Self {
        Self(gains.into_iter().collect())
    }

    /// Whether all of these were agreed to.
    pub(super) fn covers(&self, gains: &[Gain]) -> bool {
        gains.iter().all(|gain| self.0.contains(gain))
    }
}

/// A name and its key, as people see them.
pub(super) fn with_key(name: &str, key: &str) -> String {
    if name == key { key.to_owned() } else { format!("{name} ({key})") }
}

/// Says who would gain access, and asks; `yes` says it only.
///
/// # Errors
/// Nobody agreed.
pub(super) fn consent(gains: Vec<Gain>, yes: bool, ui: &Ui) -> Result<Consent, Failure> {
    say(&gains, ui);
    if !gains.is_empty() {
        // Whom the file lists already may be accepted once; `--yes` in a script would take in who is listed tomorrow.
        let help = match gains.iter().all(|gain| gain.claimed) {
            true => "`tieline recipients accept` accepts a file as it is; `--yes` seals to them without asking",
            false => "`--yes` seals to them without asking",
        };
        agreed("Seal to them?", help, yes, ui)?;
    }
    Ok(Consent::to(gains))
}

/// Asks, unless `yes` was given.
///
/// # Errors
/// There is nobody to ask, or they said no.
pub(super) fn agreed(question: &str, help: &str, yes: bool, ui: &Ui) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !ui.is_interactive() {
        return Err(Failure::usage("there is nobody to ask: nothing was changed").help(help));
    }
    if ui.confirm(question) { Ok(()) } else { Err(Failure::new("nothing was changed")) }
}

/// Says who would gain access, a line for each file.
pub(super) fn say(gains: &[Gain], ui: &Ui) {
    let mut files: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
    for gain in gains {
        files.entry((&gain.file, gain.claimed)).or_default().push(with_key(&gain.name, &gain.key));
    }
    for ((file, claimed), names) in files {
        let (names, file) = (listed(names.iter().map(String::as_str), usize::MAX), visible(file));
        let names = visible(&names);
        ui.say(&match claimed {
            false => format!("{names} would gain access to {file}"),
            true => {
                format!("{names} may gain access to {file}: its list of recipients was not written or accepted here")
            }
        });
    }
}
