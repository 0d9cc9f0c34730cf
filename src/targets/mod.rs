//! Where bundles go: the contract of a target, and how the deployed state is read through it.
//!
//! A target keeps bytes by their digest and one head per environment. It judges no content beyond that: [`deployed`]
//! does, on everything that comes out of one. One file per kind of target.

pub mod directory;
pub mod gc;
pub mod object_store;

use std::fmt;

use jiff::Timestamp;

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

    /// The signature that stands beside a manifest, if there is one.
    ///
    /// # Errors
    /// The target can't be read.
    fn read_signature(&self, digest: &Digest) -> Result<Option<Vec<u8>>, TargetError>;

    /// The bytes of an object, which have that digest.
    ///
    /// # Errors
    /// It can't be read, or is missing, or is another.
    fn read_object(&self, digest: &Digest) -> Result<Vec<u8>, TargetError>;

    /// Whether an object is known to be lost. Where asking costs a request each, nothing is: `verify` asks.
    ///
    /// # Errors
    /// The target can't be read.
    fn is_lost(&self, digest: &Digest) -> Result<bool, TargetError>;

    /// Stores objects, several at once, and calls `stored` after each.
    ///
    /// # Errors
    /// One can't be written, or other bytes stand under its name.
    fn put_objects(&self, objects: &[(&Digest, &[u8])], stored: &(dyn Fn() + Sync)) -> Result<(), TargetError>;

    /// Stores a manifest with its signature, and makes it and all that was put before durable.
    ///
    /// # Errors
    /// It can't be written, or other bytes stand under its name.
    fn put_manifest(&self, digest: &Digest, bytes: &[u8], signature: Option<&[u8]>) -> Result<(), TargetError>;

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

    /// What of the readable view is not what `deployed` says, if that still is in force and the target has such a view.
    fn view_faults(&self, _: &Deployed) -> Vec<ViewFault> {
        Vec::new()
    }

    /// Everything that the target holds, of all environments. Files that are not ours are not in it.
    ///
    /// # Errors
    /// The target can't be read, or a head in it is damaged: then nobody knows what is in use.
    fn inventory(&self) -> Result<Inventory, TargetError>;

    /// Deletes what an inventory told of. That it is gone already is no error.
    ///
    /// # Errors
    /// It can't be deleted.
    fn delete(&self, stored: &Stored) -> Result<(), TargetError>;
}

/// A file of a readable view that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewFault {
    /// Its path in the target.
    pub path: String,
    /// The instance that it should show; `None` where it should not be there.
    pub instance: Option<String>,
}

/// What a target holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The head of each environment, `ENV` or `ENV+PROFILE`.
    pub heads: Vec<(String, Head)>,
    /// Manifests and objects.
    pub stored: Vec<Stored>,
}

/// A manifest or object in a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether it is a manifest, with its signature; else an object.
    pub is_manifest: bool,
    /// Its name.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the target's clock, in seconds since 1970.
    pub written: i64,
}

impl Stored {
    /// Where it stands, a manifest with its signature.
    fn paths(&self) -> Vec<String> {
        match self.is_manifest {
            true => vec![manifest_path(&self.digest), signature_path(&self.digest)],
            false => vec![object_path(&self.digest)],
        }
    }
}

/// `objects/HEX`, under which an object stands in every kind of target.
fn object_path(digest: &Digest) -> String {
    format!("objects/{}", digest.hex())
}

/// `manifests/HEX.json`.
fn manifest_path(digest: &Digest) -> String {
    format!("manifests/{}.json", digest.hex())
}

/// `manifests/HEX.json.sig`.
fn signature_path(digest: &Digest) -> String {
    format!("manifests/{}.json.sig", digest.hex())
}

/// What stands at a path like these, if it is ours.
fn stored(path: &str, size: u64, written: i64) -> Option<Stored> {
    let (is_manifest, hex) = match path.strip_prefix("manifests/") {
        Some(name) => (true, name.strip_suffix(".json")?),
        None => (false, path.strip_prefix("objects/")?),
    };
    Some(Stored { is_manifest, digest: format!("sha256:{hex}").parse().ok()?, size, written })
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
    /// Something that is referred to is not there: damage, or what `gc` took.
    Missing(String),
}

impl TargetError {
    /// The same with a line that says how things stand.
    #[must_use]
    pub fn saying(self, how: &str) -> Self {
        match self {
            Self::Failed(why) => Self::Failed(format!("{why}\n{how}")),
            Self::Integrity(why) => Self::Integrity(format!("{why}\n{how}")),
            Self::Missing(why) => Self::Missing(format!("{why}\n{how}")),
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) | Self::Integrity(why) | Self::Missing(why) => f.write_str(why),
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
    let deployed = manifest(target, scope, &head.manifest).map_err(|error| match error {
        // No `gc` takes what is in force.
        TargetError::Missing(why) => TargetError::Integrity(why),
        error => error,
    })?;
    if deployed.manifest.serial != head.serial {
        let why = format!("the head says serial {}, its manifest {}", head.serial, deployed.manifest.serial);
        return Err(TargetError::Integrity(why));
    }
    Ok(Some(deployed))
}

/// Reads the manifest before one: of the same history, with the serial before. `None` where it is the first.
///
/// # Errors
/// As [`manifest`]; or it belongs to another history.
pub fn previous(target: &dyn Target, deployed: &Deployed) -> Result<Option<Deployed>, TargetError> {
    let Some(digest) = &deployed.manifest.previous else { return Ok(None) };
    let older = manifest(target, &deployed.manifest.scope(), digest)?;
    let (now, then) = (&deployed.manifest, &older.manifest);
    if !is_before(then, now) {
        let why = format!("the history is damaged: serial {} does not follow what it says it follows", now.serial);
        return Err(TargetError::Integrity(why));
    }
    Ok(Some(older))
}

/// Whether a manifest can be the one before another: of its lineage, with the serial before.
fn is_before(then: &Manifest, now: &Manifest) -> bool {
    then.lineage == now.lineage && then.serial.checked_add(1) == Some(now.serial)
}

/// Whether a manifest says a time before that of one which it follows. That one's may have been still to come: then it says
/// nothing, for its clock was wrong.
pub fn is_backdated(time: &str, then: &str, now: Timestamp) -> bool {
    let (time, then) = (time.parse::<Timestamp>().ok(), then.parse::<Timestamp>().ok());
    then.is_some_and(|then| then <= now && time.is_none_or(|time| time < then))
}

/// How many applies may lie between two manifests that are compared.
const MAX_STEPS: usize = 1000;

/// How a manifest stands to an older one of its lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    /// It is that one, or follows it.
    Follows,
    /// It does not.
    Strays,
    /// The manifests between them are gone.
    Unknown,
    /// There are more manifests between them than are looked at.
    Far,
}

/// Whether a manifest follows an older one, by what each says it follows.
///
/// # Errors
/// The target can't be read.
pub fn descent(target: &dyn Target, now: &Deployed, digest: &Digest, serial: u64) -> Result<Descent, TargetError> {
    let mut at = None;
    for _ in 0..MAX_STEPS {
        let now = at.as_ref().unwrap_or(now);
        if now.manifest.serial == serial && now.digest == *digest {
            return Ok(Descent::Follows);
        }
        // Serials rise by one.
        if now.manifest.serial <= serial.saturating_add(1) {
            let follows = now.manifest.serial > serial && now.manifest.previous.as_ref() == Some(digest);
            return Ok(if follows { Descent::Follows } else { Descent::Strays });
        }
        let Some(previous) = &now.manifest.previous else { return Ok(Descent::Strays) };
        at = match manifest(target, &now.manifest.scope(), previous) {
            Ok(before) if !is_before(&before.manifest, &now.manifest) => return Ok(Descent::Strays),
            Ok(before) => Some(before),
            Err(TargetError::Missing(_)) => return Ok(Descent::Unknown),
            Err(error) => return Err(error),
        };
    }
    Ok(Descent::Far)
}

/// Reads a manifest of `scope`, in force or not.
///
/// # Errors
/// It can't be read, is missing or damaged, or belongs to another workspace or environment.
pub fn manifest(target: &dyn Target, scope: &Scope, digest: &Digest) -> Result<Deployed, TargetError> {
    let bytes = target.read_manifest(digest)?;
    // Of ten thousand connections either takes its time.
    let (right, manifest) = rayon::join(|| Digest::of(&bytes) == *digest, || Manifest::parse(&bytes));
    if !right {
        return Err(TargetError::Integrity("a manifest has another digest than its name".to_owned()));
    }
    let manifest = manifest?;
    if manifest.customer.is_some() {
        let why = format!("what is deployed at {} is an export for one customer, put there by hand", target.describe());
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
    Ok(Deployed { digest: digest.clone(), manifest })
}
