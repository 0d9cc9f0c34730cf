//! Desired records + their secrets -> a bundle in the target, in force.
//!
//! All objects first, then the manifest, then one swap of the head. Until the swap nothing that was written shows, and
//! what a crash or a lost race leaves behind are objects that nobody refers to; a next run starts from the head that is
//! in force and converges. Secrets are all opened before anything is written, so that a missing one costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rayon::prelude::*;
use uuid::Uuid;

use crate::bundle::object::{Failure, Reveal, carries_over, is_volatile, seal};
use crate::bundle::{Commit, Deployed, Digest, FORMAT, Head, Integrity, Manifest, Scope, Sealed, is_record_of};
use crate::model::record::Desired;
use crate::plan::guards::{Refusal, refusals};
use crate::targets::{Swap, Target, TargetError};

/// What is told of an apply and never compared.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When.
    pub time: jiff::Timestamp,
    /// The version of tieline.
    pub tool: String,
    /// The commit that `desired` was compiled from.
    pub commit: Option<Commit>,
}

/// What an apply did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What is in force now.
    pub head: Head,
    /// Whether that is new; otherwise there was nothing to do.
    pub changed: bool,
    /// How many objects were sealed.
    pub sealed: usize,
    /// How many were carried over from the base.
    pub carried: usize,
    /// The readable view: whether it had to be written, or why it could not be. The environment is in force either way.
    pub view: Result<bool, TargetError>,
}

/// Why nothing was applied. Holds no value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// These connections could not be sealed.
    Secrets(Vec<Failure>),
    /// It could not be done.
    Failed(String),
    /// The environment is not where the plan starts from.
    Stale {
        /// What the plan starts from.
        expected: Option<Head>,
        /// What is in force.
        found: Option<Head>,
    },
    /// A guard forbids it.
    Refused(Vec<Refusal>),
    /// What stands in the target is damaged, forged or not ours.
    Integrity(String),
}

impl ApplyError {
    /// The exit code of its class.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Secrets(_) | Self::Failed(_) => 1,
            Self::Stale { .. } => 3,
            Self::Refused(_) => 4,
            Self::Integrity(_) => 5,
        }
    }
}

impl From<TargetError> for ApplyError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Failed(why) => Self::Failed(why),
            TargetError::Integrity(why) => Self::Integrity(why),
        }
    }
}

impl From<Integrity> for ApplyError {
    fn from(error: Integrity) -> Self {
        Self::Integrity(error.0)
    }
}

impl std::error::Error for ApplyError {}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |head: &Option<Head>| match head {
            Some(head) => format!("serial {} ({})", head.serial, &head.manifest.hex()[..12]),
            None => "nothing deployed".to_owned(),
        };
        match self {
            Self::Failed(why) | Self::Integrity(why) => f.write_str(why),
            Self::Stale { expected, found } => {
                let (expected, found) = (told(expected), told(found));
                write!(f, "the environment moved from {expected} to {found} since this plan; nothing was changed")
            }
            Self::Refused(refusals) => {
                f.write_str("refused by `protect`; nothing was changed")?;
                refusals.iter().try_for_each(|refusal| write!(f, "\n  `{}`: {}", refusal.instance, refusal.reason))
            }
            Self::Secrets(failures) => {
                let count = failures.iter().map(|failure| &failure.instance).collect::<BTreeSet<_>>().len();
                write!(f, "connections that can't be sealed: {count}; nothing was changed")?;
                failures.iter().try_for_each(|failure| {
                    let Failure { instance, pointer, reason } = failure;
                    let space = if pointer.is_empty() { "" } else { " " };
                    write!(f, "\n  `{instance}`{space}{pointer}: {reason}")
                })
            }
        }
    }
}

/// Puts `desired` in force, if `base` still is: what [`crate::targets::deployed`] gave and the plan was made of.
///
/// Where nothing is to be done, no byte of the target changes, but for a readable view that was not as it should be.
///
/// # Errors
/// [`ApplyError`]; the environment is as it was then.
pub fn apply(
    target: &dyn Target,
    desired: &Desired,
    base: Option<&Deployed>,
    reveal: &dyn Reveal,
    stamp: &Stamp,
) -> Result<Applied, ApplyError> {
    check(target, desired, base)?;
    let digest = desired.digest();
    if let Some(base) = base
        && base.manifest.desired == digest
        && !desired.records.values().any(is_volatile)
    {
        let (head, view) = (base.head(), target.refresh_view(base));
        return Ok(Applied { head, changed: false, sealed: 0, carried: desired.records.len(), view });
    }
    let time = stamp.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let objects = objects(target, desired, base, reveal, &time)?;
    let sealed = objects.values().filter(|(_, bytes)| bytes.is_some()).count();
    objects.par_iter().try_for_each(|(_, (digest, bytes))| match bytes {
        Some(bytes) => target.put_object(digest, bytes),
        None => Ok(()),
    })?;
    let connections = desired.records.iter().filter_map(|(id, record)| {
        let (object, _) = objects.get(&**id)?;
        Some((id.clone(), Sealed { record: record.clone(), object: object.clone() }))
    });
    let scope = Scope::of(desired);
    let manifest = Manifest {
        format: FORMAT,
        workspace: scope.workspace,
        environment: scope.environment,
        profile: scope.profile,
        lineage: base.map_or_else(|| Uuid::new_v4().to_string(), |base| base.manifest.lineage.clone()),
        serial: base.map_or(0, |base| base.manifest.serial).saturating_add(1),
        previous: base.map(|base| base.digest.clone()),
        desired: digest,
        commit: stamp.commit.clone(),
        time,
        tool: stamp.tool.clone(),
        trust: desired.trust.clone(),
        connections: connections.collect(),
    };
    let bytes = manifest.bytes()?;
    let deployed = Deployed { digest: Digest::of(&bytes), manifest };
    target.put_manifest(&deployed.digest, &bytes)?;
    let (expected, head) = (base.map(Deployed::head), deployed.head());
    if let Swap::Lost { found } = target.swap_head(expected.as_ref(), &head)? {
        return Err(ApplyError::Stale { expected, found });
    }
    let (carried, view) = (objects.len() - sealed, target.refresh_view(&deployed));
    Ok(Applied { head, changed: true, sealed, carried, view })
}

/// What must hold before anything is opened or written.
fn check(target: &dyn Target, desired: &Desired, base: Option<&Deployed>) -> Result<(), ApplyError> {
    let (expected, found) = (base.map(Deployed::head), target.read_head()?);
    if expected != found {
        return Err(ApplyError::Stale { expected, found });
    }
    if base.is_some_and(|base| base.manifest.scope() != Scope::of(desired)) {
        return Err(ApplyError::Integrity("what is deployed belongs to another workspace or environment".to_owned()));
    }
    if let Some(id) = desired.records.iter().find(|(id, record)| !is_record_of(id, record)) {
        return Err(ApplyError::Failed(format!("`{}` is no id of a connection, or not that of its record", id.0)));
    }
    let refusals = refusals(desired, base);
    if refusals.is_empty() { Ok(()) } else { Err(ApplyError::Refused(refusals)) }
}

/// The digest of each instance's object, and its bytes if it is not in the target already.
type Objects<'d> = BTreeMap<&'d str, (Digest, Option<Vec<u8>>)>;

fn objects<'d>(
    target: &dyn Target,
    desired: &'d Desired,
    base: Option<&Deployed>,
    reveal: &dyn Reveal,
    time: &str,
) -> Result<Objects<'d>, ApplyError> {
    let scope = Scope::of(desired);
    let one = |(id, record): (&'d String, &'d serde_json::Value)| {
        if let Some(sealed) = base.and_then(|base| base.manifest.connections.get(id))
            && carries_over(&sealed.record, record)
            // A lost object is made anew rather than carried on.
            && target.has_object(&sealed.object)?
        {
            return Ok((&**id, (sealed.object.clone(), None)));
        }
        let bytes = seal(&scope, id, record, time, reveal).map_err(ApplyError::Secrets)?;
        Ok((&**id, (Digest::of(&bytes), Some(bytes))))
    };
    let results: Vec<Result<_, ApplyError>> = desired.records.par_iter().map(one).collect();
    let (mut objects, mut failures) = (Objects::new(), Vec::new());
    for result in results {
        match result {
            Ok((id, object)) => {
                objects.insert(id, object);
            }
            Err(ApplyError::Secrets(failed)) => failures.extend(failed),
            Err(other) => return Err(other),
        }
    }
    if failures.is_empty() { Ok(objects) } else { Err(ApplyError::Secrets(failures)) }
}
