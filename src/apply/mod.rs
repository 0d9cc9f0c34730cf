//! Desired records + their secrets -> a bundle in the target, in force.
//!
//! Build, seal, look at the own work, store all objects, then the manifest, then one swap of the head, and read it back.
//! Until the swap nothing that was written shows, and what a crash or a lost race leaves behind are objects that nobody
//! refers to; a next run starts from the head that is in force and converges. Secrets are all opened before anything is
//! written, so that a missing one costs nothing.

mod error;
mod force;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;
use uuid::Uuid;

use crate::bundle::check::check as check_object;
use crate::bundle::object::{Reveal, carries_over, is_volatile, seal};
use crate::bundle::signature::{AllowedSigners, Sign};
use crate::bundle::{Commit, Deployed, Digest, FORMAT, Head, Manifest, SERIALS, Scope, Sealed, is_record_of, spelled};
use crate::model::record::{Desired, Record};
use crate::plan::guards::{keep, refusals};
use crate::targets::{Target, TargetError};
pub use error::ApplyError;
use force::put_in_force;

/// What is told of an apply and never compared.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When.
    pub time: Timestamp,
    /// The version of tieline.
    pub tool: String,
    /// The commit that `desired` was compiled from.
    pub commit: Option<Commit>,
}

/// How an apply is done.
#[derive(Clone, Copy, Default)]
pub struct Options<'o> {
    /// The number of deletions that was looked at and is wanted.
    pub allow_delete: Option<usize>,
    /// Seal every connection anew, whether it changed or not.
    pub reseal: bool,
    /// Build on the base whoever signed it: the operator says so, or applied it or checked its signature before.
    pub trust_base: bool,
    /// Sign the manifest. Then nothing is carried over from one that none of `signers` signed.
    pub signer: Option<&'o dyn Sign>,
    /// Whose signature counts.
    pub signers: Option<&'o AllowedSigners>,
    /// Called after each object that was stored, with how many there are and how many there will be.
    pub progress: Option<&'o (dyn Fn(usize, usize) + Sync)>,
}

/// What an apply did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What is in force now.
    pub head: Head,
    /// Its lineage.
    pub lineage: String,
    /// When it was made, as its manifest says.
    pub time: String,
    /// Whether that is new; otherwise there was nothing to do.
    pub changed: bool,
    /// How many objects were sealed.
    pub sealed: usize,
    /// How many were carried over from the base.
    pub carried: usize,
    /// The readable view: whether it had to be written, or why it could not be. The environment is in force either way.
    pub view: Result<bool, TargetError>,
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
    options: &Options<'_>,
) -> Result<Applied, ApplyError> {
    check(target, desired, base, options)?;
    let digest = desired.digest();
    let why_anew = why_anew(target, base, stamp.time, options)?;
    if let Some(base) = base
        && is_same(base, desired, &digest)
        && why_anew.is_none()
        && !desired.records.values().any(is_volatile)
    {
        let (head, view) = (base.head(), target.refresh_view(base));
        let Manifest { lineage, time, .. } = &base.manifest;
        let (lineage, time) = (lineage.clone(), time.clone());
        return Ok(Applied { head, lineage, time, changed: false, sealed: 0, carried: desired.records.len(), view });
    }
    let time = following(stamp.time, base);
    let from = base.filter(|_| why_anew.is_none());
    let objects = objects(target, desired, from, reveal, &time)?;
    let scope = Scope::of(desired);
    let manifest = manifest(desired, digest, base, &objects, stamp);
    let anew: Vec<(&Digest, &[u8])> =
        objects.values().filter_map(|(digest, bytes)| Some((digest, bytes.as_deref()?))).collect();
    own_work(&scope, &manifest, &objects)?;
    let (sealed, carried) = (anew.len(), objects.len() - anew.len());
    let (lineage, time) = (manifest.lineage.clone(), manifest.time.clone());
    let (head, view) = put_in_force(target, base, manifest, &anew, options)?;
    Ok(Applied { head, lineage, time, changed: true, sealed, carried, view })
}

/// The manifest that follows `base`.
fn manifest(
    desired: &Desired,
    digest: Digest,
    base: Option<&Deployed>,
    objects: &Objects<'_>,
    stamp: &Stamp,
) -> Manifest {
    let connections = desired.records.iter().filter_map(|(id, record)| {
        let (object, _) = objects.get(&**id)?;
        Some((id.clone(), Sealed { record: record.clone(), object: object.clone() }))
    });
    let scope = Scope::of(desired);
    Manifest {
        format: FORMAT,
        workspace: scope.workspace,
        environment: scope.environment,
        profile: scope.profile,
        lineage: base.map_or_else(|| Uuid::new_v4().to_string(), |base| base.manifest.lineage.clone()),
        serial: next_serial(base),
        previous: base.map(|base| base.digest.clone()),
        desired: digest,
        rollback_of: None,
        customer: None,
        commit: stamp.commit.clone(),
        time: following(stamp.time, base),
        tool: stamp.tool.clone(),
        trust: desired.trust.clone(),
        connections: connections.collect(),
    }
}

/// Puts the connections of `old` in force again, with the objects that they had then, as a new serial. What guards `base`
/// guards it too ([`keep`]).
///
/// # Errors
/// [`ApplyError`]; the environment is as it was then.
pub fn roll_back(
    target: &dyn Target,
    old: &Deployed,
    base: &Deployed,
    stamp: &Stamp,
    options: &Options<'_>,
) -> Result<Applied, ApplyError> {
    let mut desired = desired_of(old)?;
    let digest = desired.digest();
    keep(&mut desired, base);
    check(target, &desired, Some(base), options)?;
    if digest != old.manifest.desired {
        let why = format!("serial {} says one desired digest and holds another", old.manifest.serial);
        return Err(ApplyError::Integrity(why));
    }
    if options.signers.is_some() {
        vouched(target, base, stamp.time, options)?;
    }
    if let (Some(signer), Err(why)) = (options.signer, signed(target, old, stamp.time, options)?) {
        let key = signer.public_key().fingerprint(ssh_key::HashAlg::Sha256);
        return Err(ApplyError::Integrity(format!(
            "serial {} can't be signed with {key}, since nobody knows who sealed its objects: {why}; apply the commit that \
             it came from instead",
            old.manifest.serial
        )));
    }
    let scope = old.manifest.scope();
    old.manifest.connections.par_iter().try_for_each(|(id, sealed)| {
        let bytes = target.read_object(&sealed.object)?;
        check_object(&scope, sealed, &bytes, None).map(drop).map_err(|problems| {
            ApplyError::Integrity(format!("`{id}` of serial {}: {}", old.manifest.serial, problems.join("; ")))
        })
    })?;
    let connections = desired.records.iter().filter_map(|(id, record)| {
        let object = old.manifest.connections.get(id)?.object.clone();
        Some((id.clone(), Sealed { record: record.clone(), object }))
    });
    let manifest = Manifest {
        lineage: base.manifest.lineage.clone(),
        serial: next_serial(Some(base)),
        previous: Some(base.digest.clone()),
        rollback_of: Some(old.manifest.serial),
        desired: desired.digest(),
        trust: desired.trust.clone(),
        connections: connections.collect(),
        commit: old.manifest.commit.clone(),
        time: following(stamp.time, Some(base)),
        tool: stamp.tool.clone(),
        ..old.manifest.clone()
    };
    let (carried, lineage, time) = (manifest.connections.len(), manifest.lineage.clone(), manifest.time.clone());
    let (head, view) = put_in_force(target, Some(base), manifest, &[], options)?;
    Ok(Applied { head, lineage, time, changed: true, sealed: 0, carried, view })
}

/// What a manifest has, as something to be had.
///
/// # Errors
/// Its workspace is no UUID.
pub fn desired_of(deployed: &Deployed) -> Result<Desired, ApplyError> {
    let manifest = &deployed.manifest;
    let workspace = manifest.workspace.parse();
    let workspace = workspace.map_err(|_| ApplyError::Integrity("the manifest's workspace is no UUID".to_owned()))?;
    Ok(Desired {
        workspace,
        environment: manifest.environment.as_str().into(),
        profile: manifest.profile.as_deref().map(Into::into),
        records: manifest.connections.iter().map(|(id, sealed)| (id.clone(), sealed.record.clone())).collect(),
        trust: manifest.trust.clone(),
    })
}

/// Whether a manifest has what is desired: says so, and does.
fn is_same(base: &Deployed, desired: &Desired, digest: &Digest) -> bool {
    let manifest = &base.manifest;
    manifest.desired == *digest
        && manifest.trust == desired.trust
        && manifest.connections.len() == desired.records.len()
        && manifest.connections.iter().all(|(id, sealed)| desired.records.get(id) == Some(&sealed.record))
}

/// How far the clock of who applied may be ahead of ours.
pub const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// The time of a manifest that follows `base`: not before that one's, whose clock may be a little ahead of ours.
fn following(time: Timestamp, base: Option<&Deployed>) -> String {
    let before = base.and_then(|base| base.manifest.time.parse::<Timestamp>().ok());
    let before = before.filter(|before| before.duration_since(time) <= MAX_AHEAD);
    spelled(time.max(before.unwrap_or(time)))
}

fn next_serial(base: Option<&Deployed>) -> u64 {
    base.map_or(0, |base| base.manifest.serial).saturating_add(1)
}

/// Whether somebody who counts now signed a manifest of the target; or else why not. Its own time says nothing: who signs
/// chooses it, also after the key was withdrawn.
fn signed(
    target: &dyn Target,
    deployed: &Deployed,
    now: Timestamp,
    options: &Options<'_>,
) -> Result<Result<(), String>, ApplyError> {
    let own;
    let signers = match (options.signers, options.signer) {
        (Some(signers), _) => signers,
        (None, Some(signer)) => {
            own = AllowedSigners::only(signer.public_key());
            &own
        }
        (None, None) => return Ok(Ok(())),
    };
    let Some(signature) = target.read_signature(&deployed.digest)? else {
        return Ok(Err("it is not signed".to_owned()));
    };
    Ok(signers.verify(&signature, &deployed.manifest.bytes()?, now).map(drop))
}

/// Holds what is in force against the signatures that count now: guards, `protect` and everything that a plan tells are
/// measured against it.
///
/// # Errors
/// [`ApplyError::Unsigned`], or the target can't be read.
pub fn vouched(target: &dyn Target, base: &Deployed, now: Timestamp, options: &Options<'_>) -> Result<(), ApplyError> {
    if options.trust_base {
        return Ok(());
    }
    let serial = base.manifest.serial;
    signed(target, base, now, options)?.map_err(|why| ApplyError::Unsigned { serial, why })
}

/// Why nothing of the base may be carried over; `None` where it may, or there is none.
///
/// # Errors
/// The target can't be read, or the base has no valid signature, and one was asked for.
pub fn why_anew(
    target: &dyn Target,
    base: Option<&Deployed>,
    now: Timestamp,
    options: &Options<'_>,
) -> Result<Option<String>, ApplyError> {
    let Some(base) = base else { return Ok(None) };
    // One's own key alone says nothing of what others applied before.
    if options.signers.is_some() {
        vouched(target, base, now, options)?;
    }
    if options.reseal {
        return Ok(Some("that was asked for".to_owned()));
    }
    if options.signer.is_none() {
        return Ok(None);
    }
    // Who can write the target could have replaced an object: age is anonymous.
    let why = signed(target, base, now, options)?.err();
    Ok(why.map(|why| format!("nobody vouches for the objects of serial {}: {why}", base.manifest.serial)))
}

/// Holds every new object against the manifest, as a reader will.
fn own_work(scope: &Scope, manifest: &Manifest, objects: &Objects<'_>) -> Result<(), ApplyError> {
    manifest.connections.par_iter().try_for_each(|(id, sealed)| match objects.get(&**id) {
        Some((_, Some(bytes))) => check_object(scope, sealed, bytes, None).map(drop).map_err(|problems| {
            let problems = problems.join("; ");
            ApplyError::Failed(format!(
                "`{id}` was not sealed as it should be, which is a fault of tieline: {problems}"
            ))
        }),
        _ => Ok(()),
    })
}

/// What must hold before anything is opened or written.
fn check(
    target: &dyn Target,
    desired: &Desired,
    base: Option<&Deployed>,
    options: &Options<'_>,
) -> Result<(), ApplyError> {
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
    if let Some(base) = base.filter(|base| !SERIALS.contains(&next_serial(Some(base)))) {
        let why = format!("no serial can follow {}, which is in force", base.manifest.serial);
        return Err(ApplyError::Integrity(why));
    }
    let refusals = refusals(desired, base, options.allow_delete);
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
    let one = |(id, record): (&'d String, &'d Record)| {
        if let Some(sealed) = base.and_then(|base| base.manifest.connections.get(id))
            && carries_over(&sealed.record, record)
            // A lost object is made anew rather than carried on.
            && !target.is_lost(&sealed.object)?
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
