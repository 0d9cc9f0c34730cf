//! Promise: what any environment of a target needs is not garbage, and what is not known to be garbage stays.

use super::*;
use tieline::targets::TargetError;
use tieline::targets::gc::garbage;

/// Everything is old enough by then, in seconds since 1970.
const LATER: i64 = i64::MAX / 2;

fn dev() -> Scope {
    Scope { environment: "dev".into(), ..scope() }
}

fn apply_dev(bench: &Bench, ids: &[&str]) -> Deployed {
    let desired = Desired { environment: "dev".into(), ..bench.desired(ids) };
    let target = Directory::new(bench.root(), &dev());
    let base = deployed(&target, &dev()).unwrap();
    tieline::apply::apply(&target, &desired, base.as_ref(), &Canaries, &stamp(), &Options::default()).unwrap();
    deployed(&target, &dev()).unwrap().unwrap()
}

/// `dev` comes before `prod` by name and after it in time.
#[test]
fn e2_11_gc_leaves_what_each_environment_of_a_target_has() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let old = apply_dev(&bench, &["b"]);
    let targets = [bench.target(), Directory::new(bench.root(), &dev())];
    for target in &targets {
        for keep in [None, Some(1)] {
            assert_eq!(garbage(target, keep, LATER).unwrap(), [], "{keep:?}");
        }
    }
    let object = old.manifest.connections["b"].object.clone();
    apply_dev(&bench, &["c"]);
    for target in &targets {
        assert_eq!(garbage(target, None, LATER).unwrap(), []);
        let found = garbage(target, Some(1), LATER).unwrap();
        let found: Vec<(bool, Digest)> = found.into_iter().map(|one| (one.is_manifest, one.digest)).collect();
        assert_eq!(found, [(false, object.clone()), (true, old.digest.clone())]);
    }
    // Seven days old is young; a second older is not.
    let stored = targets[0].inventory().unwrap().stored;
    let written = stored.iter().find(|one| one.digest == object).unwrap().written;
    let week = written + 7 * 24 * 3600;
    let has = |now| garbage(&targets[0], Some(1), now).unwrap().iter().any(|one| one.digest == object);
    assert_eq!((has(week), has(week + 1)), (false, true));
}

/// What it refers to would all be taken for garbage.
#[test]
fn e2_11_gc_fails_where_a_manifest_in_force_is_missing() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let first = bench.deployed().unwrap().digest;
    bench.apply(&bench.desired(&["a", "b"])).unwrap();
    let path = |digest: &Digest| bench.root().join(format!("manifests/{}.json", digest.hex()));
    let in_force = apply_dev(&bench, &["b"]).digest;
    // A history that an earlier run has shortened is no damage.
    fs::remove_file(path(&first)).unwrap();
    assert!(garbage(&bench.target(), None, LATER).is_ok());
    fs::remove_file(path(&in_force)).unwrap();
    for keep in [None, Some(1)] {
        let found = garbage(&bench.target(), keep, LATER);
        assert!(matches!(&found, Err(TargetError::Missing(why)) if why.contains(in_force.hex())), "{found:?}");
    }
}
