//! What is deployed, held against what is known of it: by the operator's word (`--min-serial`, `--lineage`), by the memory of
//! this machine, and by Git where the workspace sends an environment to a new target.

use super::deploy::{Place, failed};
use super::{Exit, Failure};
use crate::apply::Applied;
use crate::bundle::{Deployed, Manifest};
use crate::model::record::Desired;
use crate::plan::guards::is_protected_block;
use crate::plan::relocation::Former;
use crate::serials::{Lineage, Seen, Spot};
use crate::targets::deployed;
use crate::ui::Ui;

impl Place {
    /// What is deployed: no older than what was seen before, and of the same history. It is remembered.
    ///
    /// # Errors
    /// It can't be read, is damaged, is older, or of another lineage.
    pub(super) fn deployed(&self, ui: &Ui) -> Result<Option<Deployed>, Failure> {
        let found = deployed(&*self.target, &self.scope).map_err(|error| failed(&error))?;
        if let Some(found) = &found {
            self.judge(&found.manifest, ui)?;
        }
        Ok(found)
    }

    /// What is deployed, where a command needs it.
    ///
    /// # Errors
    /// As [`Place::deployed`]; nothing is.
    pub(super) fn in_force(&self, ui: &Ui) -> Result<Deployed, Failure> {
        if let Some(found) = self.deployed(ui)? {
            return Ok(found);
        }
        self.pinned()?;
        if let Some(lost) = self.lost() {
            return Err(Failure::new(lost).exit(Exit::Integrity).help(self.start_again()));
        }
        let former = self.formers().into_iter().find(Former::is_deployed);
        let former =
            former.map_or_else(String::new, |former| format!("; `{}` was deployed at {}", self.at, former.describe()));
        Err(Failure::new(format!("nothing deployed at {} yet{former}", self.target.describe())))
    }

    /// Where nothing is deployed: refuses if the operator says that something is.
    ///
    /// # Errors
    /// `--min-serial` or `--lineage` was given.
    pub(super) fn pinned(&self) -> Result<(), Failure> {
        let given = match (&self.pins.min_serial, self.pins.lineages.first()) {
            (_, Some(lineage)) => format!("--lineage {lineage}"),
            (Some(least), None) => format!("--min-serial {least}"),
            (None, None) => return Ok(()),
        };
        let told =
            format!("nothing is deployed at {}, and `{given}` was given: its head is gone", self.target.describe());
        Err(Failure::new(told).exit(Exit::Integrity).help("find out who deleted it, or whether it is the right target"))
    }

    /// Where nothing is deployed: what was seen there before.
    pub(super) fn lost(&self) -> Option<String> {
        let seen = self.seen();
        let (lineage, serial) = seen.at(&self.address)?;
        let here = self.target.describe();
        Some(format!(
            "nothing is deployed at {here}, where serial {serial} of lineage {lineage} was seen before: its head is gone"
        ))
    }

    /// What to do about a head that is gone.
    pub(super) fn start_again(&self) -> String {
        let apply = super::deploy::typed(&["tieline", "apply", &self.at.environment]);
        format!("find out who deleted it; if that was meant, `{apply} --initial` begins a new history")
    }

    /// Remembers what an apply or a rollback put in force.
    pub(super) fn remember(&self, applied: &Applied, desired: &Desired) {
        let (serial, count) = (applied.head.serial, desired.records.len());
        self.seen().remember(self.spot(), &applied.lineage, serial, count, &desired.trust);
    }

    /// The memory of this environment.
    fn seen(&self) -> Seen {
        Seen::read(&self.session.world, &self.scope)
    }

    fn spot(&self) -> Spot<'_> {
        Spot { address: &self.address, own: self.own.as_ref() }
    }

    /// What the workspace had at other targets, by memory and by Git; nothing where the operator named the target.
    pub(super) fn formers(&self) -> Vec<Former> {
        self.own.as_ref().map_or_else(Vec::new, |own| super::formers::find(self, own, self.seen().own()))
    }

    fn judge(&self, manifest: &Manifest, ui: &Ui) -> Result<(), Failure> {
        let (serial, lineage, here) = (manifest.serial, &manifest.lineage, self.target.describe());
        let refuse = |told: &str, help: &str| {
            let told = format!("serial {serial} is deployed at {here}, {told}");
            Err(Failure::new(told).exit(Exit::Integrity).help(help))
        };
        let is_pinned = self.pins.lineages.contains(lineage);
        if let Some(other) = self.pins.lineages.first().filter(|_| !is_pinned) {
            return refuse(
                &format!(
                    "of lineage {lineage}, and `--lineage {other}` was given: another history was put in its place"
                ),
                "find out who wrote the target, or whether it is the right one",
            );
        }
        if let Some(least) = self.pins.min_serial.filter(|least| serial < *least) {
            return refuse(
                &format!("and `--min-serial {least}` was given: an older bundle was put in its place"),
                "find out who wrote the target; a restored backup is accepted with its own number",
            );
        }
        let mut seen = self.seen();
        let standing = seen.standing(self.spot(), manifest);
        let accept = format!(
            "find out who wrote the target; if that history was begun on purpose, `--lineage {lineage}` accepts it"
        );
        match standing.lineage {
            Lineage::Other { seen, address } if !is_pinned => {
                let whose = match address.filter(|address| *address != self.address) {
                    Some(address) => format!("and `{}` was deployed at {address} before, in lineage {seen}", self.at),
                    None => format!("where lineage {seen} was seen before"),
                };
                return refuse(
                    &format!("of lineage {lineage}, {whose}: another history was put in its place"),
                    &accept,
                );
            }
            Lineage::First if !is_pinned => self.first_seen(manifest, &accept, ui)?,
            _ => {}
        }
        if let (Some(highest), None) = (standing.older_than, self.pins.min_serial) {
            return refuse(
                &format!("and serial {highest} was seen here before: an older bundle was put in its place"),
                &format!("if a backup was restored on purpose, `--min-serial {serial}` accepts it"),
            );
        }
        seen.remember(self.spot(), lineage, serial, manifest.connections.len(), &manifest.trust);
        Ok(())
    }

    /// What nobody here has seen before is trusted, which is said where it matters; unless Git knows better.
    fn first_seen(&self, manifest: &Manifest, accept: &str, ui: &Ui) -> Result<(), Failure> {
        let (serial, lineage, here) = (manifest.serial, &manifest.lineage, self.target.describe());
        let formers = self.formers();
        let moved = |former: &&Former| former.deployed.as_ref().is_none_or(|old| old.manifest.lineage != *lineage);
        if let Some(former) = formers.iter().find(moved) {
            let told = format!(
                "the workspace sent `{}` to {} and sends it to {here} now, where serial {serial} of another lineage, \
                 {lineage}, is deployed",
                self.at,
                former.describe()
            );
            return Err(Failure::new(told).exit(Exit::Integrity).help(accept));
        }
        if self.is_told(is_protected_block(&manifest.trust)) {
            let git = match self.own.is_none() || super::formers::is_history_there(self) {
                true => "",
                false => ", and this clone has no earlier commit that says where it was",
            };
            ui.say(&format!(
                "warning: no earlier deployment of `{}` at {here} was seen on this machine{git}: trusting lineage {lineage} \
                 (serial {serial}); `--lineage {lineage}` pins it",
                self.at
            ));
        }
        Ok(())
    }

    /// Whether it matters that a lineage is new here: not in a folder of the workspace that nothing protects.
    pub(super) fn is_told(&self, is_protected: bool) -> bool {
        !self.is_inside || self.is_wary || is_protected || self.is_protected()
    }
}
