//! Promise: a target takes and gives nothing that is larger than what tieline writes, and says what stands in the way.
use std::fs::File;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use tieline::bundle::manifest::{MAX_HEAD, MAX_MANIFEST};
use tieline::bundle::object::{MAX_OBJECT, seal};
use tieline::bundle::signature::MAX_SIGNATURE;
use tieline::targets::object_store::ObjectStore;
use tieline::targets::{Descent, TargetError, descent};

use super::*;

fn told<T>(result: Result<T, TargetError>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "fine".to_owned())
}

#[test]
fn e2_11_a_folder_gives_files_up_to_their_limits() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let (target, digest) = (bench.target(), Digest::of(b"x"));
    let file = |path: &str, length: usize| {
        let path = bench.root().join(path);
        File::create(&path).unwrap().set_len(length as u64).unwrap();
    };
    let (manifest, object) = (format!("manifests/{}.json", digest.hex()), format!("objects/{}", digest.hex()));
    let large = "is larger than any that tieline writes";
    assert!(matches!(target.read_object(&digest), Err(TargetError::Missing(_))));
    assert!(matches!(target.read_manifest(&digest), Err(TargetError::Missing(_))));
    file(&object, MAX_OBJECT);
    assert!(told(target.read_object(&digest)).contains("its digest is not its name"));
    file(&object, MAX_OBJECT + 1);
    assert!(told(target.read_object(&digest)).contains(large));
    file(&manifest, 1);
    assert!(told(target.read_manifest(&digest)).contains("its digest is not its name"));
    file(&manifest, MAX_MANIFEST + 1);
    assert!(told(target.read_manifest(&digest)).contains(large));
    file("environments/prod/head.json", MAX_HEAD);
    assert!(!told(target.read_head()).contains(large) && target.read_head().is_err());
    file("environments/prod/head.json", MAX_HEAD + 1);
    assert!(told(target.read_head()).contains(large) && told(target.inventory()).contains(large));
}

#[test]
fn e2_11_a_folder_takes_files_up_to_their_limits() {
    let bench = Bench::new();
    let target = bench.target();
    let put = |length: usize| {
        let bytes = vec![0; length];
        told(target.put_objects(&[(&Digest::of(&bytes), &bytes[..])], &|| {}))
    };
    // Nothing to store makes nothing.
    assert_eq!(told(target.put_objects(&[], &|| {})), "fine");
    assert!(!bench.root().join("objects").exists());
    assert_eq!((put(0), put(MAX_OBJECT)), ("fine".to_owned(), "fine".to_owned()));
    assert!(put(MAX_OBJECT + 1).contains("16777217 bytes, 16777216 are the most"));
    assert_eq!(bench.objects(), 2);
    let signed = |length: usize| told(target.put_manifest(&Digest::of(b"{}"), b"{}", Some(&vec![b'-'; length])));
    assert!(signed(MAX_SIGNATURE + 1).contains("65537 bytes, 65536 are the most"));
    assert_eq!(signed(MAX_SIGNATURE), "fine");
    // What is stored already counts once, and another under its name is damage.
    let stored = std::sync::atomic::AtomicUsize::new(0);
    let digest = Digest::of(b"one");
    let put = |bytes: &[u8]| {
        told(target.put_objects(&[(&digest, bytes)], &|| {
            stored.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }))
    };
    assert_eq!((put(b"one"), put(b"one")), ("fine".to_owned(), "fine".to_owned()));
    assert!(put(b"two").contains("its digest is not its name"));
    assert_eq!(stored.into_inner(), 2);
}

#[test]
fn e2_11_an_object_is_lost_where_no_file_is_in_its_place() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let (target, path) = (bench.target(), object(&bench, "a"));
    let digest = bench.deployed().unwrap().manifest.connections["a"].object.clone();
    assert!(!target.is_lost(&digest).unwrap() && target.is_lost(&Digest::of(b"other")).unwrap());
    fs::remove_file(&path).unwrap();
    assert!(target.is_lost(&digest).unwrap());
    fs::create_dir(&path).unwrap();
    assert!(target.is_lost(&digest).unwrap());
    fs::remove_dir(&path).unwrap();
    fs::remove_dir(path.parent().unwrap()).unwrap();
    assert!(target.is_lost(&digest).unwrap());
    fs::write(path.parent().unwrap(), "").unwrap();
    assert!(target.is_lost(&digest).is_err());
}

/// A manifest follows an older one by its serial and by its digest, step by step.
#[test]
fn e2_11_a_manifest_follows_each_one_before_it_and_no_other() {
    let bench = Bench::new();
    let mut all = Vec::new();
    for ids in [&["a"][..], &["a", "b"], &["a", "b", "c"], &["a", "b"]] {
        bench.apply(&bench.desired(ids)).unwrap();
        all.push(bench.deployed().unwrap());
    }
    let target = bench.target();
    let descent = |now: usize, digest: &Digest, serial: u64| descent(&target, &all[now], digest, serial).unwrap();
    for (now, _) in all.iter().enumerate() {
        for (then, old) in all.iter().enumerate() {
            let expected = if then <= now { Descent::Follows } else { Descent::Strays };
            assert_eq!(descent(now, &old.digest, old.manifest.serial), expected, "{now} {then}");
        }
    }
    // By the serial alone, or the digest alone, it doesn't.
    for serial in [0, 1, 2, 3, 4, 5] {
        assert_eq!(descent(3, &Digest::of(b"other"), serial), Descent::Strays, "{serial}");
        let expected = if serial == 2 { Descent::Follows } else { Descent::Strays };
        assert_eq!(descent(3, &all[1].digest, serial), expected, "{serial}");
    }
    fs::remove_file(bench.root().join(format!("manifests/{}.json", all[1].digest.hex()))).unwrap();
    assert_eq!(descent(3, &all[0].digest, 1), Descent::Unknown);
    assert_eq!(descent(3, &all[2].digest, 3), Descent::Follows);
}

#[test]
fn e2_11_a_number_that_a_sealed_file_does_not_hold_is_refused() {
    let bench = Bench::new();
    let with = |number: Value| {
        let mut record = bench.database("a");
        record["config"]["port"] = number;
        let sealed = seal(&scope(), "a", &record, "2026-11-21T08:00:00Z", &Canaries);
        sealed.map(drop).map_err(|failures| format!("{} {}", failures[0].pointer, failures[0].reason))
    };
    for fine in [json!(i64::MAX), json!(i64::MIN), json!(0.5), json!(1e300), json!(0)] {
        assert_eq!(with(fine.clone()), Ok(()), "{fine}");
    }
    for large in [json!(i64::MAX as u64 + 1), json!(u64::MAX)] {
        let why = Err("/config/port the integer does not fit 64 bits with a sign".to_owned());
        assert_eq!(with(large.clone()), why, "{large}");
    }
}

#[test]
fn e2_11_a_store_gives_objects_up_to_their_limits() {
    let shared = std::sync::Arc::new(InMemory::new());
    let target = ObjectStore::on(Box::new(std::sync::Arc::clone(&shared)), "s3://memory/p", &scope(), Some(0)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let put = |path: &str, length: usize| {
        runtime.block_on(shared.put(&Key::from(format!("p/{path}")), vec![b'-'; length].into())).unwrap();
    };
    let digest = Digest::of(b"x");
    let (manifest, object) = (format!("manifests/{}.json", digest.hex()), format!("objects/{}", digest.hex()));
    let large = "is larger than any that tieline writes";
    assert!(matches!(target.read_object(&digest), Err(TargetError::Missing(_))));
    assert!(matches!(target.read_manifest(&digest), Err(TargetError::Missing(_))));
    assert_eq!((target.read_head().unwrap(), target.read_signature(&digest).unwrap()), (None, None));
    put(&object, MAX_OBJECT);
    assert!(told(target.read_object(&digest)).contains("its digest is not its name"));
    put(&object, MAX_OBJECT + 1);
    assert!(told(target.read_object(&digest)).contains(large));
    put(&manifest, 1);
    assert!(told(target.read_manifest(&digest)).contains("its digest is not its name"));
    put(&format!("{manifest}.sig"), MAX_SIGNATURE);
    assert_eq!(target.read_signature(&digest).unwrap().map(|bytes| bytes.len()), Some(MAX_SIGNATURE));
    put(&format!("{manifest}.sig"), MAX_SIGNATURE + 1);
    assert!(told(target.read_signature(&digest)).contains(large));
    put("environments/prod/head.json", MAX_HEAD);
    assert!(!told(target.read_head()).contains(large) && target.read_head().is_err());
    put("environments/prod/head.json", MAX_HEAD + 1);
    assert!(told(target.read_head()).contains(large) && told(target.inventory()).contains(large));
    // What is there is there; a view, a store has none.
    let stored = told(target.put_objects(&[(&digest, b"x")], &|| {}));
    assert!(stored.contains(large) || stored.contains("its digest is not its name"), "{stored}");
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    assert!(!target.refresh_view(&bench.deployed().unwrap()).unwrap());
    assert_eq!(target.describe(), "s3://memory/p");
}

/// What can be said of several environments of a store: their heads by name, and nothing of what is no file of ours.
#[test]
fn e2_11_a_store_lists_what_is_ours() {
    let shared = std::sync::Arc::new(InMemory::new());
    let open = |environment: &str| {
        let scope = Scope { environment: environment.into(), ..scope() };
        ObjectStore::on(Box::new(std::sync::Arc::clone(&shared)), "s3://memory", &scope, None).unwrap()
    };
    assert!(open("prod").inventory().unwrap().heads.is_empty());
    let bench = Bench::new();
    for environment in ["prod", "dev"] {
        let mut desired = bench.desired(&["a", "b"]);
        desired.environment = environment.into();
        let options = Options::default();
        tieline::apply::apply(&open(environment), &desired, None, &Canaries, &stamp(), &options).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for path in ["objects/x", "manifests/y.json", "other/z", "environments/empty/current/x.yaml"] {
        runtime.block_on(shared.put(&Key::from(path), "not ours".into())).unwrap();
    }
    let inventory = open("prod").inventory().unwrap();
    let names: Vec<&str> = inventory.heads.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["dev", "prod"]);
    let manifests = inventory.stored.iter().filter(|stored| stored.is_manifest).count();
    assert_eq!((manifests, inventory.stored.len()), (2, 6));
}
