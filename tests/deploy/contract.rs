//! Promise: every kind of target keeps the same contract.
//!
//! Each test runs on a folder, on a store in memory, and on S3 as moto has it where Python is there.

use std::sync::{Barrier, OnceLock};

use object_store::ObjectStoreExt;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use tieline::apply::{apply, roll_back};
use tieline::targets::gc::garbage;
use tieline::targets::object_store::ObjectStore;
use tieline::targets::{TargetError, manifest};
use tieline::verify::verify;

use super::crash::{Dies, Lie};
use super::*;
use crate::peers::Server;

/// The S3 server of this run, shared by its tests.
pub(super) fn s3() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start("s3.py", &[])).as_ref().map(|server| &*server.address)
}

/// A kind of target, empty.
struct Ground {
    what: &'static str,
    bench: Bench,
    /// Opens the target anew, as another process would.
    open: Box<dyn Fn() -> Box<dyn Target> + Sync>,
    /// Puts a file beside what tieline wrote.
    foreign: Box<dyn Fn(&str)>,
    /// Whether a file is there.
    there: Box<dyn Fn(&str) -> bool>,
}

impl Ground {
    fn folder() -> Self {
        let bench = Bench::new();
        let (root, other, third) = (bench.root(), bench.root(), bench.root());
        Self {
            what: "folder",
            bench,
            open: Box::new(move || Box::new(Directory::new(&root, &scope()))),
            foreign: Box::new(move |path| {
                let path = other.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "not ours").unwrap();
            }),
            there: Box::new(move |path| third.join(path).exists()),
        }
    }

    fn store(
        what: &'static str,
        url: String,
        store: impl Fn() -> Box<dyn object_store::ObjectStore> + Sync + Clone + 'static,
    ) -> Self {
        let prefix = url.split_once("://").unwrap().1.split_once('/').unwrap().1.to_owned();
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let key = move |path: &str| Key::from(format!("{prefix}/{path}"));
        let (one, two, other) = (store.clone(), store.clone(), key.clone());
        Self {
            what,
            bench: Bench::new(),
            open: Box::new(move || Box::new(ObjectStore::on(one(), &url, &scope(), None).unwrap())),
            foreign: Box::new(move |path| _ = runtime().block_on(two().put(&key(path), "not ours".into())).unwrap()),
            there: Box::new(move |path| runtime().block_on(store().head(&other(path))).is_ok()),
        }
    }

    fn all() -> Vec<Self> {
        let shared = std::sync::Arc::new(InMemory::new());
        let mut all = vec![
            Self::folder(),
            Self::store("memory", "s3://memory/some/prefix".into(), move || Box::new(std::sync::Arc::clone(&shared))),
        ];
        if let Some(address) = s3() {
            let prefix = uuid::Uuid::new_v4();
            all.push(Self::store("S3", format!("s3://deployments/{prefix}"), move || {
                let builder = AmazonS3Builder::new().with_endpoint(address).with_allow_http(true);
                let builder = builder.with_region("us-east-1").with_access_key_id("t").with_secret_access_key("t");
                let builder = builder.with_bucket_name("deployments").with_conditional_put(S3ConditionalPut::ETagMatch);
                tieline::world::tls();
                Box::new(builder.build().unwrap())
            }));
        }
        all
    }

    fn deployed(&self) -> Option<Deployed> {
        deployed(&*(self.open)(), &scope()).unwrap()
    }

    fn apply(&self, desired: &Desired) -> Result<Applied, ApplyError> {
        let base = self.deployed();
        apply(&*(self.open)(), desired, base.as_ref(), &Canaries, &stamp(), &Options::default())
    }
}

#[test]
fn a_target_is_empty_then_created_then_updated_and_a_second_apply_changes_nothing() {
    for ground in Ground::all() {
        let (bench, what) = (&ground.bench, ground.what);
        assert_eq!(ground.deployed().map(|d| d.digest), None, "{what}");
        let desired = bench.desired(&["a", "b/c"]);
        let first = ground.apply(&desired).unwrap();
        assert_eq!((first.changed, first.sealed, first.head.serial), (true, 2, 1), "{what}");
        let again = ground.apply(&desired).unwrap();
        assert_eq!((again.changed, again.head.clone()), (false, first.head), "{what}");
        let mut more = bench.desired(&["a", "b/c", "d"]);
        more.records.get_mut("a").unwrap()["config"]["host"] = "db2.example".into();
        let second = ground.apply(&more).unwrap();
        assert_eq!((second.sealed, second.carried, second.head.serial), (2, 1, 2), "{what}");
        let report = verify(&*(ground.open)(), &scope(), Some(&bench.identities())).unwrap();
        assert_eq!((report.opened, report.problems), (3, vec![]), "{what}");
    }
}

#[test]
fn a79_of_two_applies_one_wins_and_the_other_changed_nothing() {
    for ground in Ground::all() {
        let bench = &ground.bench;
        ground.apply(&bench.desired(&["a"])).unwrap();
        let base = ground.deployed();
        let barrier = Barrier::new(2);
        let one = |ids: &[&str]| {
            let desired = bench.desired(ids);
            barrier.wait();
            apply(&*(ground.open)(), &desired, base.as_ref(), &Canaries, &stamp(), &Options::default())
        };
        let (x, y) = std::thread::scope(|scope| {
            let x = scope.spawn(|| one(&["a", "x"]));
            let y = scope.spawn(|| one(&["a", "y"]));
            (x.join().unwrap(), y.join().unwrap())
        });
        let (won, lost) = if x.is_ok() { (x, y) } else { (y, x) };
        let (won, lost) = (won.unwrap(), lost.unwrap_err());
        assert_eq!((won.head.serial, lost.exit_code()), (2, 3), "{}: {lost}", ground.what);
        assert!(lost.to_string().contains("moved from serial 1"), "{lost}");
        assert_eq!(ground.deployed().unwrap().head(), won.head);
    }
}

#[test]
fn a80_a_plan_is_stale_once_something_else_was_applied() {
    for ground in Ground::all() {
        let bench = &ground.bench;
        ground.apply(&bench.desired(&["a"])).unwrap();
        let (base, target) = (ground.deployed(), (ground.open)());
        ground.apply(&bench.desired(&["a", "b"])).unwrap();
        let options = Options::default();
        let late = apply(&*target, &bench.desired(&["a", "c"]), base.as_ref(), &Canaries, &stamp(), &options);
        assert_eq!(late.unwrap_err().exit_code(), 3, "{}", ground.what);
        // Nothing holds the target: the next one goes through.
        assert_eq!(ground.apply(&bench.desired(&["a", "c"])).unwrap().head.serial, 3);
    }
}

#[test]
fn a88_interrupted_at_every_write_old_or_new_is_in_force_and_the_next_apply_converges() {
    for steps in 0..=6 {
        for ground in Ground::all() {
            let (bench, what) = (&ground.bench, ground.what);
            ground.apply(&bench.desired(&["a"])).unwrap();
            let old = ground.deployed().unwrap();
            let desired = bench.desired(&["a", "b", "c", "d"]);
            let dying = Dies { inner: (ground.open)(), left: steps.into(), lie: Lie::None };
            let result = apply(&dying, &desired, Some(&old), &Canaries, &stamp(), &Options::default());
            let found = ground.deployed().unwrap();
            if steps < 5 {
                let error = result.unwrap_err().to_string();
                assert_eq!(found.digest, old.digest, "{what}, {steps} writes");
                assert!(error.contains("serial 1 is in force, as before"), "{what}, {steps} writes: {error}");
                assert!(steps > 2 || error.contains(&format!("{steps} of 3 objects are stored")), "{error}");
            } else {
                assert_eq!(result.unwrap().head, found.head(), "{what}, {steps} writes");
            }
            let again = ground.apply(&desired).unwrap();
            assert_eq!((again.head.serial, again.changed), (2, steps < 5), "{what}, {steps} writes");
            let report = verify(&*(ground.open)(), &scope(), Some(&bench.identities())).unwrap();
            assert_eq!((report.opened, report.problems), (4, vec![]), "{what}, {steps} writes");
        }
    }
}

#[test]
fn what_was_put_in_force_is_read_back() {
    for ground in Ground::all() {
        let (bench, what) = (&ground.bench, ground.what);
        ground.apply(&bench.desired(&["a"])).unwrap();
        let base = ground.deployed().unwrap();
        let desired = bench.desired(&["a", "b"]);
        for lie in [Lie::Garbles, Lie::Answers(base.manifest.bytes().unwrap()), Lie::Forgets] {
            let before = ground.deployed().unwrap();
            let target = Dies { inner: (ground.open)(), left: 100.into(), lie: lie.clone() };
            let desired = if lie == Lie::Forgets { bench.desired(&["a", "c"]) } else { desired.clone() };
            let options = Options { reseal: true, ..Options::default() };
            let error = apply(&target, &desired, Some(&before), &Canaries, &stamp(), &options).unwrap_err();
            assert_eq!(error.exit_code(), 5, "{what} {lie:?}");
            let serial = before.manifest.serial + 1;
            assert!(
                error.to_string().contains(&format!("serial {serial} was put in force")),
                "{what} {lie:?}: {error}"
            );
            // Who reads it finds out as well.
            if let Lie::Answers(_) = lie {
                let digest = ground.deployed().unwrap().digest;
                let found = manifest(&target, &scope(), &digest).unwrap_err();
                assert_eq!(found, TargetError::Integrity("a manifest has another digest than its name".to_owned()));
            }
        }
    }
}

/// The answer to a swap may be lost: whether it was done is for the target to say.
#[test]
fn e2_11_who_hears_nothing_of_a_swap_is_told_what_is_in_force() {
    for ground in Ground::all() {
        let (bench, what) = (&ground.bench, ground.what);
        ground.apply(&bench.desired(&["a"])).unwrap();
        let base = ground.deployed();
        let target = Dies { inner: (ground.open)(), left: 100.into(), lie: Lie::Fails };
        let desired = bench.desired(&["a", "b"]);
        let error = apply(&target, &desired, base.as_ref(), &Canaries, &stamp(), &Options::default()).unwrap_err();
        assert!(error.to_string().contains("everything is stored; the new serial 2 is in force"), "{what}: {error}");
        assert_eq!(ground.deployed().unwrap().manifest.serial, 2, "{what}");
        let base = ground.deployed();
        let target = Dies { inner: (ground.open)(), left: 100.into(), lie: Lie::Overtakes };
        let desired = bench.desired(&["a", "c"]);
        let error = apply(&target, &desired, base.as_ref(), &Canaries, &stamp(), &Options::default()).unwrap_err();
        assert!(error.to_string().contains("another apply came in between"), "{what}: {error}");
    }
}

#[test]
fn n08_history_is_a_chain_and_a_rollback_brings_back_the_old_objects_under_a_new_serial() {
    for ground in Ground::all() {
        let (bench, what) = (&ground.bench, ground.what);
        let old = bench.desired(&["a", "b"]);
        ground.apply(&old).unwrap();
        let first = ground.deployed().unwrap();
        ground.apply(&bench.desired(&["a", "c"])).unwrap();
        let base = ground.deployed().unwrap();
        let target = (ground.open)();
        let back = roll_back(&*target, &first, &base, &stamp(), &Options::default()).unwrap();
        assert_eq!((back.head.serial, back.sealed, back.carried), (3, 0, 2), "{what}");
        let now = ground.deployed().unwrap();
        assert_eq!((now.manifest.rollback_of, &now.manifest.desired), (Some(1), &old.digest()), "{what}");
        assert_eq!(now.manifest.connections, first.manifest.connections);
        assert_eq!(now.manifest.lineage, first.manifest.lineage);
        // The chain leads from the newest to the first.
        let mut chain = vec![now.manifest.serial];
        let mut at = now.clone();
        while let Some(previous) = at.manifest.previous.clone() {
            at = manifest(&*target, &scope(), &previous).unwrap();
            chain.push(at.manifest.serial);
        }
        assert_eq!(chain, [3, 2, 1], "{what}");
        // And the workspace of then has nothing to do.
        assert!(!ground.apply(&old).unwrap().changed, "{what}");
        let report = verify(&*target, &scope(), Some(&bench.identities())).unwrap();
        assert_eq!((report.opened, report.problems), (2, vec![]), "{what}");
    }
}

#[test]
fn gc_takes_what_nothing_needs_and_is_old_and_leaves_what_is_not_ours() {
    for ground in Ground::all() {
        let (bench, what) = (&ground.bench, ground.what);
        ground.apply(&bench.desired(&["a"])).unwrap();
        ground.apply(&bench.desired(&["a", "b"])).unwrap();
        // Left behind by an apply that died.
        let target = (ground.open)();
        let orphan = b"an object that nothing refers to";
        target.put_objects(&[(&Digest::of(orphan), orphan)], &|| ()).unwrap();
        let foreign = ["objects/README", "manifests/notes.json", "other/file", "objects/ABCDEF", "environments/README"];
        foreign.iter().for_each(|path| (ground.foreign)(path));
        let now = jiff::Timestamp::now().as_second();
        let week = 7 * 24 * 3600;
        assert_eq!(garbage(&*target, None, now).unwrap(), [], "{what}: all of it is young");
        let old = garbage(&*target, None, now + week + 60).unwrap();
        assert_eq!(old.iter().map(|s| &s.digest).collect::<Vec<_>>(), [&Digest::of(orphan)], "{what}");
        // A shorter memory costs the first serial, whose object the second needs.
        let short = garbage(&*target, Some(1), now + week + 60).unwrap();
        assert_eq!(short.iter().map(|s| s.is_manifest).collect::<Vec<_>>(), [false, true], "{what}");
        for stored in &short {
            target.delete(stored).unwrap();
            target.delete(stored).unwrap();
        }
        assert_eq!(garbage(&*target, Some(1), now + week + 60).unwrap(), [], "{what}");
        assert!(foreign.iter().all(|path| (ground.there)(path)), "{what}");
        let report = verify(&*target, &scope(), Some(&bench.identities())).unwrap();
        assert_eq!((report.opened, report.problems), (2, vec![]), "{what}");
        // The history ends where it was cut, and that is no damage.
        assert_eq!(garbage(&*target, None, now + week + 60).unwrap(), [], "{what}");
    }
}

#[test]
fn gc_deletes_nothing_while_a_head_of_another_environment_can_not_be_read() {
    for ground in Ground::all() {
        ground.apply(&ground.bench.desired(&["a"])).unwrap();
        (ground.foreign)("environments/other/head.json");
        let error = garbage(&*(ground.open)(), None, i64::MAX / 2).unwrap_err();
        assert!(matches!(error, TargetError::Integrity(_)), "{}: {error}", ground.what);
    }
}

#[test]
fn what_stands_under_the_name_of_another_digest_is_damage() {
    for ground in Ground::all() {
        let what = ground.what;
        let target = (ground.open)();
        let bytes = b"an object";
        let digest = Digest::of(bytes);
        (ground.foreign)(&format!("objects/{}", digest.hex()));
        let error = target.put_objects(&[(&digest, bytes)], &|| ()).unwrap_err();
        assert!(matches!(error, TargetError::Integrity(_)), "{what}: {error}");
        assert!(matches!(target.read_object(&digest), Err(TargetError::Integrity(_))), "{what}");
        let absent = Digest::of(b"absent");
        assert!(matches!(target.read_object(&absent), Err(TargetError::Missing(_))), "{what}");
    }
}

/// A listing of a store has an end.
#[test]
fn e2_11_more_environments_than_a_target_may_have_are_not_listed() {
    let shared = std::sync::Arc::new(InMemory::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let put = |from: usize, to: usize| {
        for n in from..to {
            let key = Key::from(format!("some/prefix/environments/e{n}/note"));
            runtime.block_on(shared.put(&key, "x".into())).unwrap();
        }
    };
    let found = || {
        let store = Box::new(std::sync::Arc::clone(&shared));
        let target = ObjectStore::on(store, "s3://memory/some/prefix", &scope(), None).unwrap();
        garbage(&target, None, i64::MAX / 2)
    };
    put(0, 10_000);
    assert_eq!(found().unwrap(), []);
    put(10_000, 10_001);
    assert!(matches!(found(), Err(TargetError::Failed(_))), "{:?}", found());
}

/// A signature is stored beside its manifest, and nothing of another size or with other bytes is in its place.
#[test]
fn e2_11_a_manifest_is_stored_with_its_signature_and_read_up_to_its_limit() {
    for ground in Ground::all() {
        let (target, what) = ((ground.open)(), ground.what);
        let (bytes, digest) = (b"{}", Digest::of(b"{}"));
        assert_eq!(target.read_signature(&digest).unwrap(), None, "{what}");
        target.put_manifest(&digest, bytes, Some(b"signed")).unwrap();
        target.put_manifest(&digest, bytes, Some(b"signed")).unwrap();
        assert_eq!(target.read_signature(&digest).unwrap().as_deref(), Some(&b"signed"[..]), "{what}");
        assert_eq!(target.read_manifest(&digest).unwrap(), bytes, "{what}");
        let error = target.put_manifest(&digest, bytes, Some(b"forged")).unwrap_err();
        assert!(matches!(error, TargetError::Integrity(_)), "{what}: {error}");
        // Without one, none is there.
        let other = Digest::of(b"[]");
        target.put_manifest(&other, b"[]", None).unwrap();
        assert_eq!(target.read_signature(&other).unwrap(), None, "{what}");
        // As long as the longest is read, and not a byte more.
        for (length, read) in [(64 << 10, true), ((64 << 10) + 1, false)] {
            let digest = Digest::of(&vec![b'x'; length]);
            let long = vec![b'-'; length];
            let stored = target.put_manifest(&digest, b"x", Some(&long)).is_ok();
            assert_eq!(stored && target.read_signature(&digest).is_ok(), read, "{what} {length}");
        }
    }
}
