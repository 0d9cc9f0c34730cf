//! Promise: killed at any step, the target is old or new; the next apply starts from what is in force.
use tieline::bundle::{Head, Manifest};
use tieline::targets::{Inventory, Stored, Swap, TargetError};

use super::*;

/// A target that dies at the n-th write.
pub(super) struct Dies {
    pub(super) inner: Box<dyn Target>,
    pub(super) left: std::sync::atomic::AtomicUsize,
    /// Whether it does what it says.
    pub(super) lie: Lie,
}

/// How a target lies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lie {
    /// It does not.
    None,
    /// It gives back manifests from back to front.
    Garbles,
    /// It gives back this in the place of any manifest.
    Answers(Vec<u8>),
    /// It says that a head was swapped, and forgets it.
    Forgets,
    /// It swaps a head, and says that it did not get through.
    Fails,
    /// The same, and what it has is a head that somebody else swapped.
    Overtakes,
}

impl Dies {
    fn step<T>(&self, run: impl FnOnce() -> Result<T, TargetError>) -> Result<T, TargetError> {
        use std::sync::atomic::Ordering::SeqCst;
        match self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => run(),
            Err(_) => Err(TargetError::Failed("the power went".into())),
        }
    }
}

impl Target for Dies {
    fn describe(&self) -> String {
        self.inner.describe()
    }
    fn read_head(&self) -> Result<Option<Head>, TargetError> {
        self.inner.read_head()
    }
    fn read_manifest(&self, digest: &Digest) -> Result<Vec<u8>, TargetError> {
        let read = self.inner.read_manifest(digest)?;
        Ok(match &self.lie {
            Lie::Garbles => read.into_iter().rev().collect(),
            Lie::Answers(other) => other.clone(),
            _ => read,
        })
    }
    fn is_lost(&self, digest: &Digest) -> Result<bool, TargetError> {
        self.inner.is_lost(digest)
    }
    fn read_signature(&self, digest: &Digest) -> Result<Option<Vec<u8>>, TargetError> {
        self.inner.read_signature(digest)
    }
    fn inventory(&self) -> Result<Inventory, TargetError> {
        self.inner.inventory()
    }
    fn delete(&self, stored: &Stored) -> Result<(), TargetError> {
        self.inner.delete(stored)
    }
    fn read_object(&self, digest: &Digest) -> Result<Vec<u8>, TargetError> {
        self.inner.read_object(digest)
    }
    fn put_objects(&self, objects: &[(&Digest, &[u8])], stored: &(dyn Fn() + Sync)) -> Result<(), TargetError> {
        objects.iter().try_for_each(|one| self.step(|| self.inner.put_objects(&[*one], stored)))
    }
    fn put_manifest(&self, digest: &Digest, bytes: &[u8], signature: Option<&[u8]>) -> Result<(), TargetError> {
        self.step(|| self.inner.put_manifest(digest, bytes, signature))
    }
    fn swap_head(&self, expected: Option<&Head>, new: &Head) -> Result<Swap, TargetError> {
        match self.lie {
            Lie::Forgets => Ok(Swap::Done),
            Lie::Fails | Lie::Overtakes => {
                let others = Head { manifest: Digest::of(b"of somebody else"), ..new.clone() };
                let _ = self.inner.swap_head(expected, if self.lie == Lie::Fails { new } else { &others })?;
                Err(TargetError::Failed("no answer".into()))
            }
            _ => self.step(|| self.inner.swap_head(expected, new)),
        }
    }
    fn refresh_view(&self, deployed: &Deployed) -> Result<bool, TargetError> {
        self.step(|| self.inner.refresh_view(deployed))
    }
}

#[test]
fn a78_a_crash_at_any_step_leaves_old_or_new_and_a_rerun_converges() {
    // Objects a2, b and c, the manifest, the head, the view.
    for steps in 0..=6 {
        let bench = Bench::new();
        bench.apply(&bench.desired(&["a"])).unwrap();
        let old = bench.deployed().unwrap();
        let mut desired = bench.desired(&["a", "b", "c"]);
        desired.records.get_mut("a").unwrap()["config"]["host"] = "db2.example".into();
        let target = Dies { inner: Box::new(bench.target()), left: steps.into(), lie: Lie::None };
        let result = tieline::apply::apply(&target, &desired, Some(&old), &Canaries, &stamp(), &Options::default());
        let found = bench.deployed().unwrap();
        if steps < 5 {
            assert_eq!(code(result), 1);
            assert_eq!(found.digest, old.digest);
            assert!(!bench.view("b").exists());
        } else {
            let applied = result.unwrap();
            assert_eq!((applied.view.is_ok(), &applied.head), (steps == 6, &found.head()));
        }
        let again = bench.apply(&desired).unwrap();
        assert_eq!((again.head.serial, again.changed), (2, steps < 5));
        assert_eq!(bench.apply(&desired).unwrap().view, Ok(false));
        assert!(bench.view("b").exists());
        let report = tieline::verify::verify(&bench.target(), &scope(), Some(&bench.identities())).unwrap();
        assert_eq!((report.opened, report.problems), (3, vec![]));
    }
}

#[test]
fn a_new_manifest_without_a_head_is_not_in_force() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let old = bench.deployed().unwrap();
    let manifest = Manifest { serial: 2, previous: Some(old.digest.clone()), ..old.manifest.clone() };
    let bytes = manifest.bytes().unwrap();
    let head = Head { manifest: Digest::of(&bytes), serial: 2 };
    bench.target().put_manifest(&head.manifest, &bytes, None).unwrap();
    assert_eq!(bench.deployed().unwrap().digest, old.digest);
    assert_eq!(bench.target().swap_head(Some(&old.head()), &head), Ok(Swap::Done));
    assert_eq!(bench.deployed().unwrap().digest, head.manifest);
    assert_eq!(bench.target().swap_head(Some(&old.head()), &head), Ok(Swap::Lost { found: Some(head) }));
}
