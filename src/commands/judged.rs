//! What is deployed, held against what is known of it: refused where it is not what it should be.

use jiff::Timestamp;

use super::deploy::{Place, failed, typed};
use super::{Exit, Failure};
use crate::apply::MAX_AHEAD;
use crate::bundle::{Deployed, Manifest};
use crate::plan::relocation::Former;
use crate::serials::{Glimpse, Held, Seen, Spot, Standing};
use crate::targets::{Descent, Target, descent, is_backdated};
use crate::world::{World, git};

/// How to accept a history.
fn accept(lineage: &str) -> String {
    format!("find out who wrote the target; if that history was begun on purpose, `--lineage {lineage}` accepts it")
}

fn refused(found: &Deployed, here: &str, why: &str, help: &str) -> Failure {
    let serial = found.manifest.serial;
    Failure::new(format!("serial {serial} is deployed at {here}, {why}")).exit(Exit::Integrity).help(help)
}

impl Place {
    /// Refuses a head that a commit brought: it is the word of whoever made the commit that this was deployed.
    pub(super) fn not_committed(&self, found: &Deployed) -> Result<(), Failure> {
        let head =
            self.own_folder.as_ref().map(|folder| folder.join(format!("environments/{}/head.json", self.scope.name())));
        if self.is_meant(found) || !head.is_some_and(|head| git::is_committed(&head)) {
            return Ok(());
        }
        let serial = found.manifest.serial;
        let help = format!(
            "don't commit what is deployed; if this was applied and then committed, `--accept-serial {serial}` says so"
        );
        Err(self.refused(found, "and a commit brought it, which anybody could have made", &help))
    }

    /// Whether the operator accepts its lineage.
    pub(super) fn is_pinned(&self, found: &Deployed) -> bool {
        self.pins.lineages.contains(&found.manifest.lineage)
    }

    /// Whether the operator names the very serial that is there.
    pub(super) fn is_meant(&self, found: &Deployed) -> bool {
        self.pins.accept_serial == Some(found.manifest.serial)
    }

    /// What is deployed is not what it should be.
    fn refused(&self, found: &Deployed, why: &str, help: &str) -> Failure {
        refused(found, &self.target.describe(), why, help)
    }

    /// Holds what is deployed against `--lineage` and `--min-serial`, and against the clock.
    pub(super) fn as_the_operator_says(&self, found: &Deployed) -> Result<(), Failure> {
        let Manifest { serial, lineage, time, .. } = &found.manifest;
        if let Some(other) = self.pins.lineages.first().filter(|_| !self.is_pinned(found)) {
            let why = format!(
                "of lineage {lineage}, and `--lineage {other}` was given: another history was put in its place"
            );
            return Err(self.refused(found, &why, "find out who wrote the target, or whether it is the right one"));
        }
        if let Some(least) = self.pins.min_serial.filter(|least| serial < least) {
            let why = format!("and `--min-serial {least}` was given: an older bundle was put in its place");
            let help = "find out who wrote the target; for a backup that was restored on purpose, give its own number";
            return Err(self.refused(found, &why, help));
        }
        let now = self.session.world.now();
        let is_ahead = time.parse::<Timestamp>().is_ok_and(|time| time.duration_since(now) > MAX_AHEAD);
        if is_ahead && !self.is_meant(found) {
            let why = format!("and says that it was made at {time}, which is still to come");
            let help = format!(
                "look at the clock of this machine and of the one that applied; if that one was wrong, `--accept-serial {serial}` \
                 accepts it"
            );
            return Err(self.refused(found, &why, &help));
        }
        Ok(())
    }

    /// Holds what stands at another target against what was seen there; if nothing was, it is as it may be.
    ///
    /// # Errors
    /// It is older, of another history, or something else than was seen there.
    pub(super) fn as_it_was_seen_at(
        &self,
        target: &dyn Target,
        (address, named): (&str, &str),
        found: &Deployed,
        seen: &Seen,
    ) -> Result<(), Failure> {
        let standing = seen.standing(Spot { address, own: None }, &Held::of(found).glimpse);
        self.as_it_was_seen(target, found, &standing).map_err(|failure| {
            let verify = format!("{} {}", self.command("verify"), typed(&["--target", named]));
            failure.help(format!("find out who wrote that target; `{verify}` says how to accept what is there"))
        })
    }

    /// Holds what is deployed at a target against what was seen.
    pub(super) fn as_it_was_seen(
        &self,
        target: &dyn Target,
        found: &Deployed,
        standing: &Standing,
    ) -> Result<(), Failure> {
        let Manifest { serial, lineage, time, .. } = &found.manifest;
        let meant = format!(
            "find out who wrote the target; if a backup was restored on purpose, `--accept-serial {serial}` accepts it"
        );
        let here = target.describe();
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
            Standing::Newer(seen) if is_backdated(time, &seen.time, self.session.world.now()) => {
                let Glimpse { serial, time: then, .. } = seen;
                (format!("and says that it was made at {time}, before serial {serial} of {then}"), meant)
            }
            Standing::Newer(Glimpse { serial: then, manifest, .. }) => {
                match descent(target, found, manifest, *then).map_err(|error| failed(&error))? {
                    Descent::Follows => return Ok(()),
                    Descent::Strays => {
                        (format!("which does not follow the serial {then} that was seen here before"), meant)
                    }
                    Descent::Far => (
                        format!("and serial {then} was seen here before, which is too long ago to see that it follows"),
                        format!("look at `{}`; `--accept-serial {serial}` accepts this one", self.command("history")),
                    ),
                    Descent::Unknown => (
                        format!("and serial {then} was seen here before: the manifests between them are gone"),
                        format!(
                            "`tieline gc --keep` deletes them; if it did, `--accept-serial {serial}` accepts this one"
                        ),
                    ),
                }
            }
            Standing::Known | Standing::Moved | Standing::First | Standing::Other { .. } => return Ok(()),
        };
        Err(refused(found, &here, &why, &help))
    }

    /// Where an environment moves to a target that holds something already: refuses what does not go on with what was
    /// deployed before, unless the operator names its lineage, and that is another.
    pub(super) fn continues(&self, found: &Deployed, formers: &[Former]) -> Result<(), Failure> {
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
}
