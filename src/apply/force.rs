//! A manifest and its new objects -> in force: everything is stored first, then the head is swapped and read back.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ApplyError, Options};
use crate::bundle::{Deployed, Digest, Head, Manifest};
use crate::targets::{Swap, Target, TargetError};

/// Stores and swaps. Every error says what is in force.
pub(super) fn put_in_force(
    target: &dyn Target,
    base: Option<&Deployed>,
    manifest: Manifest,
    objects: &[(&Digest, &[u8])],
    options: &Options<'_>,
) -> Result<(Head, Result<bool, TargetError>), ApplyError> {
    let bytes = manifest.bytes()?;
    let deployed = Deployed { digest: Digest::of(&bytes), manifest };
    let signature = options.signer.map(|signer| signer.sign(&bytes)).transpose().map_err(ApplyError::Failed)?;
    let (expected, head) = (base.map(Deployed::head), deployed.head());
    let in_force = match &expected {
        Some(head) => format!("serial {} is in force, as before", head.serial),
        None => "nothing is in force, as before".to_owned(),
    };
    let count = AtomicUsize::new(0);
    let stored = || {
        let now = count.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(progress) = options.progress {
            progress(now, objects.len());
        }
    };
    let interrupted = |error: TargetError| {
        let done = count.load(Ordering::Relaxed);
        let all = objects.len();
        error.saying(&format!("{done} of {all} objects are stored, which nothing refers to yet; {in_force}"))
    };
    target.put_objects(objects, &stored).map_err(interrupted)?;
    target.put_manifest(&deployed.digest, &bytes, signature.as_deref().map(str::as_bytes)).map_err(interrupted)?;
    match target.swap_head(expected.as_ref(), &head) {
        Ok(Swap::Done) => {}
        Ok(Swap::Lost { found }) => return Err(ApplyError::Stale { expected, found }),
        Err(error) => {
            // Whether the swap was done before it failed is for the target to say.
            let now = match target.read_head() {
                Ok(now) if now.as_ref() == Some(&head) => format!("the new serial {} is in force", head.serial),
                Ok(now) if now == expected => in_force,
                Ok(_) => "another apply came in between".to_owned(),
                Err(_) => "which serial is in force can't be read either".to_owned(),
            };
            return Err(error.saying(&format!("everything is stored; {now}")).into());
        }
    }
    read_back(target, &head, &bytes)?;
    let view = target.refresh_view(&deployed);
    Ok((head, view))
}

/// A reader must see what was written.
fn read_back(target: &dyn Target, head: &Head, bytes: &[u8]) -> Result<(), ApplyError> {
    let serial = head.serial;
    let failed = |error: TargetError| {
        error.saying(&format!(
            "serial {serial} was put in force, and could not be read back: `tieline verify` looks again"
        ))
    };
    // A later one is as good: its apply started from ours.
    if target.read_head().map_err(failed)?.is_none_or(|found| found.serial < serial)
        || target.read_manifest(&head.manifest).map_err(failed)? != bytes
    {
        return Err(ApplyError::Integrity(format!(
            "serial {serial} was put in force, and the target gives something else back: do not trust it before \
             `tieline verify` does"
        )));
    }
    Ok(())
}
