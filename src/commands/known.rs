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
use crate::targets::{deployed, previous};
use crate::ui::Ui;

impl Place {
    /// What is deployed: no older than what was seen before, and of the same history. It is remembered.
    ///
    /// # Errors
    /// It can't be read, is damaged, is older, or of another lineage.
    pub(super) fn deployed(&self, ui: &Ui) -> Result<Option<Deployed>, Failure> {
        Ok(self.look(true, ui)?.0)
    }

    /// What is deployed, and what was at the targets that the environment had before, where that is in question.
    /// `by_word`: that the operator names its lineage makes this the environment's target, and not the next apply alone.
    ///
    /// # Errors
    /// As [`Place::deployed`].
    pub(super) fn look(&self, by_word: bool, ui: &Ui) -> Result<(Option<Deployed>, Vec<Former>), Failure> {
        // The memory first: what it has seen by then can't be newer than a head that is read later.
        let seen = self.seen();
        let read = || deployed(&*self.target, &self.scope).map_err(|error| failed(&error));
        let Some(found) = read()? else { return Ok((None, Vec::new())) };
        let failure = match self.judge(&found, &seen, by_word, ui) {
            Ok(formers) => return Ok((Some(found), formers)),
            Err(failure) => failure,
        };
        // Somebody may have applied between the two.
        let again = self.seen();
        match read()? {
            Some(now) if now.digest != found.digest || again != seen => {
                let formers = self.judge(&now, &again, by_word, ui)?;
                Ok((Some(now), formers))
            }
            _ => Err(failure),
        }
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
        // The first apply of somebody else may have come between: that is a race, which the swap of the head settles.
        if matches!(self.target.read_head(), Ok(Some(_))) {
            return None;
        }
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
        self.seen().remember(self.spot(), &applied.lineage, &applied.head, desired.records.len(), &desired.trust);
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

    /// Gives what was at the targets before, unless the memory knows this one as the environment's.
    fn judge(&self, found: &Deployed, seen: &Seen, by_word: bool, ui: &Ui) -> Result<Vec<Former>, Failure> {
        let manifest = &found.manifest;
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
        let formers = if seen.is_settled(self.spot()) { Vec::new() } else { self.formers() };
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
            Lineage::Known => {}
            _ => self.continues(found, &formers, &accept)?,
        }
        if standing.lineage == Lineage::First && !is_pinned {
            self.first_seen(manifest, ui);
        }
        if let (Some(highest), None) = (standing.older_than, self.pins.min_serial) {
            return refuse(
                &format!("and serial {highest} was seen here before: an older bundle was put in its place"),
                &format!("if a backup was restored on purpose, `--min-serial {serial}` accepts it"),
            );
        }
        // A move is one until it is applied, so that every plan shows it, and none that is turned down leaves a mark.
        let is_settled = formers.is_empty() || (by_word && is_pinned);
        if !is_settled && standing.lineage != Lineage::Known {
            return Ok(formers);
        }
        let spot = Spot { own: self.own.as_ref().filter(|_| is_settled), ..self.spot() };
        let mut now = self.seen();
        // Another command may have seen a newer one meanwhile.
        if self.pins.min_serial.is_some() || now.standing(spot, manifest).older_than.is_none() {
            now.remember(spot, lineage, &found.head(), manifest.connections.len(), &manifest.trust);
        }
        Ok(formers)
    }

    /// Where an environment moves to a target that holds something already: refuses what does not go on with what was
    /// deployed before, unless the operator names its lineage, and that is another.
    fn continues(&self, found: &Deployed, formers: &[Former], accept: &str) -> Result<(), Failure> {
        let Manifest { lineage, serial, .. } = &found.manifest;
        let older = |at: &Deployed| previous(&*self.target, at).ok().flatten();
        let is_pinned = self.pins.lineages.contains(lineage);
        let held = |former: &&Former| former.is_continued(found, older) || (is_pinned && !former.is_of(lineage));
        let (held, strange): (Vec<&Former>, Vec<&Former>) = formers.iter().partition(held);
        let Some(former) = strange.iter().find(|former| former.is_deployed() || held.is_empty()) else {
            return Ok(());
        };
        let here = self.target.describe();
        let moved = format!(
            "the workspace sent `{}` to {} and sends it to {here} now, where serial {serial}",
            self.at,
            former.describe()
        );
        let (told, help) = match former.is_of(lineage) {
            true => (
                format!(
                    "{moved} of lineage {lineage} is deployed, which is not what was deployed there, nor follows it"
                ),
                "find out who wrote the target; copy there what is deployed, or deploy to an empty one",
            ),
            false => (format!("{moved} of another lineage, {lineage}, is deployed"), accept),
        };
        Err(Failure::new(told).exit(Exit::Integrity).help(help))
    }

    /// What nobody here has seen before is trusted, which is said where it matters.
    fn first_seen(&self, manifest: &Manifest, ui: &Ui) {
        let (serial, lineage, here) = (manifest.serial, &manifest.lineage, self.target.describe());
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
    }

    /// Whether it matters that a lineage is new here: not in a folder of the workspace that nothing protects.
    pub(super) fn is_told(&self, is_protected: bool) -> bool {
        !self.is_inside || self.is_wary || is_protected || self.is_protected()
    }
}
