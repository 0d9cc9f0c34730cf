//! What is deployed, held against what is known of it: by the operator's word (`--min-serial`, `--lineage`), by the memory of
//! this machine, and by Git where the workspace sends an environment to a new target.

use jiff::{SignedDuration, Timestamp};

use super::deploy::{Place, failed};
use super::{Exit, Failure};
use crate::apply::Applied;
use crate::bundle::{Deployed, Manifest};
use crate::model::record::Desired;
use crate::plan::guards::is_protected_block;
use crate::plan::relocation::Former;
use crate::serials::{Glimpse, Held, Seen, Spot, Standing};
use crate::targets::{Descent, deployed, descent, is_earlier};
use crate::ui::Ui;
use crate::world::World;

/// The clock of who applied may be ahead of ours by this much.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// How to accept a history.
fn accept(lineage: &str) -> String {
    format!("find out who wrote the target; if that history was begun on purpose, `--lineage {lineage}` accepts it")
}

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
        let former = self.all_formers().into_iter().find(Former::is_deployed);
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
        let Glimpse { lineage, serial, .. } = seen.at(&self.address)?;
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
        let (head, time) = (&applied.head, applied.time.clone());
        let glimpse =
            Glimpse { lineage: applied.lineage.clone(), serial: head.serial, manifest: head.manifest.clone(), time };
        let held = Held { glimpse, connections: desired.records.len(), trust: &desired.trust };
        self.seen().remember(self.spot(), &held, false);
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

    /// The same, and where memory knows of none, by all of the history that the clone has.
    pub(super) fn all_formers(&self) -> Vec<Former> {
        let mut formers = self.formers();
        formers.extend(self.earlier(&self.seen()));
        formers
    }

    fn earlier(&self, seen: &Seen) -> Vec<Former> {
        let own = self.own.as_ref().filter(|_| seen.own().is_none());
        own.map_or_else(Vec::new, |own| super::formers::earlier(self, own))
    }

    /// Holds what is deployed against everything that is known, and remembers it. Gives what was at the targets before,
    /// unless the memory knows this one as the environment's.
    fn judge(&self, found: &Deployed, seen: &Seen, by_word: bool, ui: &Ui) -> Result<Vec<Former>, Failure> {
        self.as_the_operator_says(found)?;
        let held = Held::of(found);
        let standing = seen.standing(self.spot(), &held.glimpse);
        self.as_it_was_seen(found, &standing)?;
        let formers = if seen.is_settled(self.spot()) { Vec::new() } else { self.formers() };
        let is_new_here = matches!(standing, Standing::Moved | Standing::First | Standing::Other { .. });
        if is_new_here {
            self.continues(found, &formers)?;
            // What moved long ago and is held to be right here is no move any more.
            self.continues(found, &self.earlier(seen))?;
        }
        if standing == Standing::First && !self.is_pinned(found) {
            self.first_seen(&found.manifest, ui);
        }
        // A move is one until it is applied, so that every plan shows it, and none that is turned down leaves a mark.
        let is_settled = formers.is_empty() || (by_word && self.is_pinned(found));
        if is_settled || !is_new_here {
            let spot = Spot { own: self.own.as_ref().filter(|_| is_settled), ..self.spot() };
            self.seen().remember(spot, &held, self.is_meant(found));
        }
        Ok(formers)
    }

    /// Whether the operator accepts its lineage.
    fn is_pinned(&self, found: &Deployed) -> bool {
        self.pins.lineages.contains(&found.manifest.lineage)
    }

    /// Whether the operator names the very serial that is there.
    fn is_meant(&self, found: &Deployed) -> bool {
        self.pins.min_serial == Some(found.manifest.serial)
    }

    /// What is deployed is not what it should be.
    fn refused(&self, found: &Deployed, why: &str, help: &str) -> Failure {
        let (serial, here) = (found.manifest.serial, self.target.describe());
        Failure::new(format!("serial {serial} is deployed at {here}, {why}")).exit(Exit::Integrity).help(help)
    }

    /// Holds what is deployed against `--lineage` and `--min-serial`, and against the clock.
    fn as_the_operator_says(&self, found: &Deployed) -> Result<(), Failure> {
        let Manifest { serial, lineage, time, .. } = &found.manifest;
        if let Some(other) = self.pins.lineages.first().filter(|_| !self.is_pinned(found)) {
            let why = format!(
                "of lineage {lineage}, and `--lineage {other}` was given: another history was put in its place"
            );
            return Err(self.refused(found, &why, "find out who wrote the target, or whether it is the right one"));
        }
        if let Some(least) = self.pins.min_serial.filter(|least| serial < least) {
            let why = format!("and `--min-serial {least}` was given: an older bundle was put in its place");
            let help = "find out who wrote the target; a restored backup is accepted with its own number";
            return Err(self.refused(found, &why, help));
        }
        let now = self.session.world.now();
        if time.parse::<Timestamp>().is_ok_and(|time| time.duration_since(now) > MAX_AHEAD) {
            let why = format!("and says that it was made at {time}, which is still to come");
            return Err(self.refused(found, &why, "set the clock of this machine, or find out who wrote the target"));
        }
        Ok(())
    }

    /// Holds what is deployed against what was seen.
    fn as_it_was_seen(&self, found: &Deployed, standing: &Standing) -> Result<(), Failure> {
        let Manifest { serial, lineage, time, .. } = &found.manifest;
        let meant = format!(
            "find out who wrote the target; if a backup was restored on purpose, `--min-serial {serial}` accepts it"
        );
        let (why, help) = match standing {
            Standing::Other { seen, address } if !self.is_pinned(found) => {
                let whose = match address == &self.address {
                    true => format!("where lineage {seen} was seen before"),
                    false => format!("and `{}` was deployed at {address} before, in lineage {seen}", self.at),
                };
                let why = format!("of lineage {lineage}, {whose}: another history was put in its place");
                (why, accept(lineage))
            }
            _ if self.is_meant(found) => return Ok(()),
            Standing::Older(Glimpse { serial, .. }) => {
                (format!("and serial {serial} was seen here before: an older bundle was put in its place"), meant)
            }
            Standing::Replaced => {
                (format!("and another serial {serial} was seen here before: it was put in its place"), meant)
            }
            Standing::Newer(seen) if is_earlier(time, &seen.time) => {
                let Glimpse { serial, time: then, .. } = seen;
                (format!("and says that it was made at {time}, before serial {serial} of {then}"), meant)
            }
            Standing::Newer(Glimpse { serial: then, manifest, .. }) => {
                match descent(&*self.target, found, manifest, *then).map_err(|error| failed(&error))? {
                    Descent::Follows => return Ok(()),
                    Descent::Strays => {
                        (format!("which does not follow the serial {then} that was seen here before"), meant)
                    }
                    Descent::Unknown => (
                        format!("and serial {then} was seen here before: the manifests between them are gone"),
                        format!(
                            "`tieline gc --keep` deletes them; if it did, `--min-serial {serial}` accepts this one"
                        ),
                    ),
                }
            }
            Standing::Known | Standing::Moved | Standing::First | Standing::Other { .. } => return Ok(()),
        };
        Err(self.refused(found, &why, &help))
    }

    /// Where an environment moves to a target that holds something already: refuses what does not go on with what was
    /// deployed before, unless the operator names its lineage, and that is another.
    fn continues(&self, found: &Deployed, formers: &[Former]) -> Result<(), Failure> {
        let Manifest { lineage, serial, .. } = &found.manifest;
        let is_pinned = self.is_pinned(found);
        let held = |former: &&Former| self.goes_on(found, former) || (is_pinned && !former.is_of(lineage));
        let Some(former) = formers.iter().filter(|former| former.is_deployed()).find(|former| !held(former)) else {
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
                "find out who wrote the target; copy there what is deployed, or deploy to an empty one".to_owned(),
            ),
            false => (format!("{moved} of another lineage, {lineage}, is deployed"), accept(lineage)),
        };
        Err(Failure::new(told).exit(Exit::Integrity).help(help))
    }

    /// Whether what is deployed here goes on with what was deployed at a target before. That they are of one lineage proves
    /// nothing.
    fn goes_on(&self, found: &Deployed, former: &Former) -> bool {
        let (Some((lineage, Some(digest))), Some((serial, _))) = (&former.history, former.known) else { return false };
        found.manifest.lineage == *lineage
            && descent(&*self.target, found, digest, serial).is_ok_and(|descent| descent == Descent::Follows)
    }

    /// What nobody here has seen before is trusted, which is said where it matters.
    fn first_seen(&self, manifest: &Manifest, ui: &Ui) {
        let (serial, lineage, here) = (manifest.serial, &manifest.lineage, self.target.describe());
        if !self.is_told(is_protected_block(&manifest.trust)) {
            return;
        }
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

    /// Whether it matters that a lineage is new here: not in a folder of the workspace that nothing protects.
    pub(super) fn is_told(&self, is_protected: bool) -> bool {
        !self.is_inside || self.is_wary || is_protected || self.is_protected()
    }
}
