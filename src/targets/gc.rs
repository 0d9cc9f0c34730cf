//! What a target holds and nothing needs.

use std::collections::BTreeSet;

use super::{Stored, Target, TargetError};
use crate::bundle::{Digest, Manifest};

/// What is younger stays: an apply that is under way may be about to refer to it.
pub const MIN_AGE_DAYS: i64 = 7;

/// Objects and manifests that no retained manifest of any environment reaches, and that are older than seven days, manifests
/// last. The newest `keep` serials of each environment are retained; all, where none is given. `now` is in seconds since
/// 1970.
///
/// # Errors
/// A head or a manifest can't be read, or is damaged: then nobody knows what is in use.
pub fn garbage(target: &dyn Target, keep: Option<u64>, now: i64) -> Result<Vec<Stored>, TargetError> {
    let inventory = target.inventory()?;
    let there: BTreeSet<&Digest> =
        inventory.stored.iter().filter(|stored| stored.is_manifest).map(|stored| &stored.digest).collect();
    let (mut manifests, mut objects) = (BTreeSet::new(), BTreeSet::new());
    for (_, head) in &inventory.heads {
        let mut next = Some(head.manifest.clone());
        let mut left = keep.unwrap_or(u64::MAX);
        while let Some(digest) = next.take().filter(|_| left > 0) {
            // An earlier run may have shortened the history; what is in force must be there.
            if digest != head.manifest && !there.contains(&digest) {
                break;
            }
            left -= 1;
            let bytes = target.read_manifest(&digest)?;
            let manifest = Manifest::parse(&bytes)?;
            objects.extend(manifest.connections.into_values().map(|sealed| sealed.object));
            // A circle ends where it began.
            if manifests.insert(digest) {
                next = manifest.previous;
            }
        }
    }
    let oldest = now - MIN_AGE_DAYS * 24 * 3600;
    let is_garbage = |stored: &Stored| {
        let used = if stored.is_manifest { &manifests } else { &objects };
        stored.written < oldest && !used.contains(&stored.digest)
    };
    let mut found: Vec<Stored> = inventory.stored.iter().filter(|stored| is_garbage(stored)).cloned().collect();
    found.sort_by(|a, b| (a.is_manifest, &a.digest).cmp(&(b.is_manifest, &b.digest)));
    Ok(found)
}
