//! What is deployed, held against what is known of it: by the operator's word (`--min-serial`, `--lineage`), by the memory of
//! this machine, and by Git where the workspace sends an environment to a new target.

use super::deploy::{Place, failed};
use super::formers::Earlier;
use super::{Exit, Failure};
use crate::apply::Applied;
use crate::bundle::{Deployed, Head, Manifest, Scope};
use crate::model::record::Desired;
use crate::plan::guards::is_protected_block;
use crate::plan::relocation::Former;
use crate::serials::{Glimpse, Held, Seen, Spot, Standing};
use crate::targets::deployed;
use crate::ui::Ui;

/// What an environment had at other targets.
#[derive(Default)]
pub(super) struct Before {
    /// Those that are known.
    pub(super) formers: Vec<Former>,
    /// Whether there may be others of which nothing is known.
    pub(super) is_unknown: bool,
}

impl Before {
    /// Whether nothing is in question.
    pub(super) fn is_empty(&self) -> bool {
        self.formers.is_empty() && !self.is_unknown
    }
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
    pub(super) fn look(&self, by_word: bool, ui: &Ui) -> Result<(Option<Deployed>, Before), Failure> {
        // The memory first: what it has seen by then can't be newer than a head that is read later.
        let seen = self.seen();
        let read = || deployed(&*self.target, &self.scope).map_err(|error| failed(&error));
        let Some(found) = read()? else { return Ok((None, Before::default())) };
        let failure = match self.judge(&found, &seen, by_word, ui) {
            Ok(before) => return Ok((Some(found), before)),
            Err(failure) => failure,
        };
        // Somebody may have applied between the two.
        let again = self.seen();
        match read()? {
            Some(now) if now.digest != found.digest || again != seen => {
                let before = self.judge(&now, &again, by_word, ui)?;
                Ok((Some(now), before))
            }
            _ => Err(failure),
        }
    }

    /// What is deployed, where a command needs it.
    ///
    /// # Errors
    /// As [`Place::deployed`]; nothing is.
    pub(super) fn in_force(&self, ui: &Ui) -> Result<Deployed, Failure> {
        let found = self.seen_in_force(ui)?;
        let Some(why) = found.1 else { return Ok(found.0) };
        let help = self.settling(&found.0);
        Err(Failure::new(why).exit(Exit::Guard).help(help))
    }

    /// The same for who only looks: where the target moved and no apply settled that, it is said.
    ///
    /// # Errors
    /// As [`Place::deployed`]; nothing is.
    pub(super) fn in_force_to_look(&self, ui: &Ui) -> Result<Deployed, Failure> {
        let (found, moved) = self.seen_in_force(ui)?;
        if let Some(why) = moved {
            ui.say(&format!("warning: {why}: {}", self.settling(&found)));
        }
        Ok(found)
    }

    /// What to do where the target moved.
    fn settling(&self, found: &Deployed) -> String {
        let (plan, serial) = (self.command("plan"), found.manifest.serial);
        format!("`{plan}` shows what it means; once you have looked, `--accept-serial {serial}` settles it")
    }

    fn seen_in_force(&self, ui: &Ui) -> Result<(Deployed, Option<String>), Failure> {
        if let (Some(found), before) = self.look(true, ui)? {
            let former = before.formers.iter().find(|former| former.is_deployed());
            let told = former.map(|former| {
                let was = former.describe();
                format!("`{}` moved here from {was}, and no apply on this machine settled that", self.at)
            });
            return Ok((found, told.or_else(|| before.is_unknown.then(|| self.unknown()))));
        }
        self.pinned()?;
        if let Some(lost) = self.lost() {
            return Err(Failure::new(lost).exit(Exit::Integrity).help(self.start_again()));
        }
        let former = self.all_formers()?.into_iter().find(Former::is_deployed);
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

    /// Refuses a head of this target, of any environment of the workspace, that is older than what was seen of it.
    ///
    /// # Errors
    /// It is.
    pub(super) fn not_older(&self, name: &str, head: &Head) -> Result<(), Failure> {
        let scope = Scope { environment: name.to_owned(), profile: None, ..self.scope.clone() };
        let seen = Seen::read(&self.session.world, &scope);
        let Some(Glimpse { serial, manifest, .. }) = seen.at(&self.address) else { return Ok(()) };
        if head.serial > *serial || head.manifest == *manifest {
            return Ok(());
        }
        let (now, here) = (head.serial, self.target.describe());
        let told = format!("serial {now} of `{name}` is deployed at {here}, and serial {serial} was seen here before");
        let help = "what is newer would look like rubbish: find out who wrote the target";
        Err(Failure::new(told).exit(Exit::Integrity).help(help))
    }

    /// What to do about a head that is gone.
    pub(super) fn start_again(&self) -> String {
        let apply = self.command("apply");
        format!("find out who deleted it; if that was meant, `{apply} --initial` begins a new history")
    }

    /// Remembers what an apply or a rollback put in force.
    pub(super) fn remember(&self, applied: &Applied, desired: &Desired) {
        let (head, time) = (&applied.head, applied.time.clone());
        let glimpse = Glimpse {
            lineage: applied.lineage.clone(),
            serial: head.serial,
            manifest: head.manifest.clone(),
            time,
            vouched: applied.changed,
        };
        let held = Held { glimpse, connections: desired.records.len(), trust: &desired.trust };
        self.seen().remember(self.spot(), &held, false);
    }

    /// Whether what is deployed was applied on this machine.
    pub(super) fn is_vouched(&self, deployed: &Deployed) -> bool {
        let vouched = |seen: &Glimpse| seen.vouched && seen.manifest == deployed.digest;
        self.seen().at(&self.address).is_some_and(vouched)
    }

    /// The memory of this environment.
    fn seen(&self) -> Seen {
        Seen::read(&self.session.world, &self.scope)
    }

    fn spot(&self) -> Spot<'_> {
        Spot { address: &self.address, own: self.own.as_ref() }
    }

    /// What the workspace had at other targets, by memory and by Git; nothing where the operator named the target.
    fn formers(&self, seen: &Seen) -> Result<Vec<Former>, Failure> {
        self.own.as_ref().map_or_else(|| Ok(Vec::new()), |own| super::formers::find(self, own, seen))
    }

    /// The same, and where memory knows of none, by all of the history that the clone has.
    ///
    /// # Errors
    /// What stands at one of them is not what was seen there.
    pub(super) fn all_formers(&self) -> Result<Vec<Former>, Failure> {
        let (mut formers, Earlier { is_cut, is_shallow, .. }) = self.formers_and_more()?;
        // A job of CI deploys to a folder of its own checkout, of which it has the last commit alone.
        let is_unknown = is_cut || (is_shallow && !self.is_inside);
        if is_unknown && !formers.iter().any(Former::is_deployed) {
            formers.push(super::formers::unknown());
        }
        Ok(formers)
    }

    /// Those alone of which something is known.
    ///
    /// # Errors
    /// As [`Place::all_formers`].
    pub(super) fn formers_there(&self) -> Result<Vec<Former>, Failure> {
        Ok(self.formers_and_more()?.0)
    }

    fn formers_and_more(&self) -> Result<(Vec<Former>, Earlier), Failure> {
        let seen = self.seen();
        let mut formers = self.formers(&seen)?;
        let mut earlier = self.earlier(&seen)?;
        formers.append(&mut earlier.formers);
        Ok((formers, earlier))
    }

    fn earlier(&self, seen: &Seen) -> Result<Earlier, Failure> {
        match self.own.as_ref().filter(|_| seen.own().is_none()) {
            Some(own) => super::formers::earlier(self, own, seen),
            None => Ok(Earlier::default()),
        }
    }

    /// Nobody can tell whether this is where the environment was.
    pub(super) fn unknown(&self) -> String {
        format!(
            "nothing is remembered here, and this clone lacks commits that say where `{}` was deployed before: whether {} is its \
             target can't be seen",
            self.at,
            self.target.describe()
        )
    }

    /// Holds what is deployed against everything that is known, and remembers it. Gives what was at the targets before,
    /// unless the memory knows this one as the environment's.
    fn judge(&self, found: &Deployed, seen: &Seen, by_word: bool, ui: &Ui) -> Result<Before, Failure> {
        self.as_the_operator_says(found)?;
        let held = Held::of(found);
        let standing = seen.standing(self.spot(), &held.glimpse);
        self.as_it_was_seen(&*self.target, found, &standing)?;
        let formers = if seen.is_settled(self.spot()) { Vec::new() } else { self.formers(seen)? };
        let mut before = Before { formers, is_unknown: false };
        // What was seen where somebody named it is not the environment's for that.
        let is_new_here = matches!(standing, Standing::Moved | Standing::First | Standing::Other { .. })
            || (self.own.is_some() && seen.own().is_none());
        if is_new_here {
            self.add_earlier(&mut before, found, seen)?;
            self.continues(found, &before.formers)?;
            self.not_committed(found)?;
            if before.is_unknown {
                ui.say(&format!("warning: {}; fetch the whole history", self.unknown()));
            }
        }
        if standing == Standing::First && !self.is_pinned(found) {
            self.first_seen(&found.manifest, ui);
        }
        // A move is one until it is applied, so that every plan shows it, and none that is turned down leaves a mark.
        let is_settled = before.is_empty() || (by_word && self.is_settled_by_word(found, &before));
        if is_settled || !is_new_here {
            let spot = Spot { own: self.own.as_ref().filter(|_| is_settled), ..self.spot() };
            self.seen().remember(spot, &held, self.is_meant(found));
        }
        Ok(if is_settled { Before::default() } else { before })
    }

    /// What moved long ago is a move still where the old target has something: that the new one follows it is the word of
    /// whoever wrote that. Who pins another history has settled it.
    fn add_earlier(&self, before: &mut Before, found: &Deployed, seen: &Seen) -> Result<(), Failure> {
        let Earlier { formers, is_cut, is_shallow } = self.earlier(seen)?;
        let (digest, is_pinned) = (&found.digest, self.is_pinned(found));
        let is_here = |former: &Former| former.deployed.as_ref().is_some_and(|there| there.digest == *digest);
        let is_settled = |former: &Former| is_pinned && !former.is_of(&found.manifest.lineage);
        before.formers.extend(formers.into_iter().filter(|former| !is_here(former) && !is_settled(former)));
        before.is_unknown = (is_cut || is_shallow) && !self.is_meant(found);
        Ok(())
    }

    /// Whether the operator says that this is where the environment is now. That it goes on with the lineage which it had is no
    /// such word: everybody can write that.
    fn is_settled_by_word(&self, found: &Deployed, before: &Before) -> bool {
        let lineage = &found.manifest.lineage;
        let may_be_its_own = before.is_unknown || before.formers.iter().any(|former| former.is_of(lineage));
        self.is_meant(found) || (self.is_pinned(found) && !may_be_its_own)
    }

    /// What nobody here has seen before is trusted, which is said where it matters.
    fn first_seen(&self, manifest: &Manifest, ui: &Ui) {
        let (serial, lineage, here) = (manifest.serial, &manifest.lineage, self.target.describe());
        if !self.is_told(is_protected_block(&manifest.trust)) {
            return;
        }
        ui.say(&format!(
            "warning: no earlier deployment of `{}` at {here} was seen on this machine: trusting lineage {lineage} \
             (serial {serial}); `--lineage {lineage}` pins it",
            self.at
        ));
    }

    /// Whether it matters that a lineage is new here: not in a folder of the workspace that nothing protects.
    pub(super) fn is_told(&self, is_protected: bool) -> bool {
        !self.is_inside || self.is_wary || is_protected || self.is_protected()
    }
}
