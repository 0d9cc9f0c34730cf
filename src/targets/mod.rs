//! Where bundles go: the contract of a target, and how the deployed state is read through it.
//!
//! A target keeps bytes by their digest and one head per environment. It judges no content beyond that: [`deployed`]
//! does, on everything that comes out of one. One file per kind of target.

pub mod directory;

use std::fmt;

use crate::bundle::{Deployed, Digest, Head, Integrity, Manifest, Scope};

/// A place that holds the bundles of one environment (and profile).
///
/// Objects and manifests are named by the digest of their bytes and never change; putting one twice is no error. The
/// head is the only thing that moves, by compare and swap. What was put is durable once [`Target::put_manifest`] is
/// back, so a head never points at what a power cut could take.
pub trait Target: Sync {
    /// What it is, for messages: the folder, the bucket.
    fn describe(&self) -> String;

    /// What is in force; `None` where nothing was deployed yet.
    ///
    /// # Errors
    /// The target can't be read, or what stands there is no head.
    fn read_head(&self) -> Result<Option<Head>, TargetError>;

    /// The bytes of a manifest, which have that digest.
    ///
    /// # Errors
    /// It can't be read, or is missing, or is another.
    fn read_manifest(&self, digest: &Digest) -> Result<Vec<u8>, TargetError>;

    /// Whether an object is there.
    ///
    /// # Errors
    /// The target can't be read.
    fn has_object(&self, digest: &Digest) -> Result<bool, TargetError>;

    /// The bytes of an object, which have that digest.
    ///
    /// # Errors
    /// It can't be read, or is missing, or is another.
    fn read_object(&self, digest: &Digest) -> Result<Vec<u8>, TargetError>;

    /// Stores an object.
    ///
    /// # Errors
    /// It can't be written, or other bytes stand under its name.
    fn put_object(&self, digest: &Digest, bytes: &[u8]) -> Result<(), TargetError>;

    /// Stores a manifest, and makes it and all that was put before durable.
    ///
    /// # Errors
    /// It can't be written, or other bytes stand under its name.
    fn put_manifest(&self, digest: &Digest, bytes: &[u8]) -> Result<(), TargetError>;

    /// Puts `new` in force if `expected` still is.
    ///
    /// # Errors
    /// The head can't be read or written; a lost race is none.
    fn swap_head(&self, expected: Option<&Head>, new: &Head) -> Result<Swap, TargetError>;

    /// Makes the readable view show `deployed`, if it still is in force and the target has such a view. Gives whether
    /// anything had to be done.
    ///
    /// # Errors
    /// An object is missing or damaged, or the view can't be written.
    fn refresh_view(&self, deployed: &Deployed) -> Result<bool, TargetError>;
}

/// How a swap of the head ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The new head is in force.
    Done,
    /// Somebody else was faster; nothing was changed.
    Lost {
        /// What is in force.
        found: Option<Head>,
    },
}

/// Why a target did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It could not.
    Failed(String),
    /// What stands there is damaged, forged or not ours.
    Integrity(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) | Self::Integrity(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TargetError {}

impl From<Integrity> for TargetError {
    fn from(error: Integrity) -> Self {
        Self::Integrity(error.0)
    }
}

/// Reads what is deployed, and sees to it that it is about `scope`.
///
/// # Errors
/// The target can't be read, head or manifest are damaged, or they belong to another workspace or environment.
pub fn deployed(target: &dyn Target, scope: &Scope) -> Result<Option<Deployed>, TargetError> {
    let Some(head) = target.read_head()? else { return Ok(None) };
    let bytes = target.read_manifest(&head.manifest)?;
    if Digest::of(&bytes) != head.manifest {
        return Err(TargetError::Integrity("the manifest in force has another digest than its name".to_owned()));
    }
    let manifest = Manifest::parse(&bytes)?;
    if manifest.serial != head.serial {
        let why = format!("the head says serial {}, its manifest {}", head.serial, manifest.serial);
        return Err(TargetError::Integrity(why));
    }
    if manifest.scope() != *scope {
        let why = format!(
            "what is deployed at {} is `{}` of workspace {}, not `{}` of {}",
            target.describe(),
            manifest.scope().name(),
            manifest.workspace,
            scope.name(),
            scope.workspace
        );
        return Err(TargetError::Integrity(why));
    }
    Ok(Some(Deployed { digest: head.manifest, manifest }))
}
