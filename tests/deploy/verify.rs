//! Promise: whatever was changed in a target behind our back is found.
use tieline::targets::TargetError;
use tieline::verify::verify;

use super::*;

fn problems(bench: &Bench, identities: bool) -> Vec<String> {
    let identities = bench.identities_if(identities);
    let report = verify(&bench.target(), &scope(), identities.as_ref()).unwrap();
    report.problems.into_iter().map(|problem| problem.message).collect()
}

impl Bench {
    fn identities_if(&self, wanted: bool) -> Option<Identities> {
        wanted.then(|| self.identities())
    }

    /// Replaces the object of `a` by other bytes and makes manifest and head fit, as one who may write the target can.
    fn forge(&self, text: &str) {
        let digest = Digest::of(text.as_bytes());
        self.target().put_objects(&[(&digest, text.as_bytes())], &|| ()).unwrap();
        self.put(&|manifest| manifest.connections.get_mut("a").unwrap().object = digest.clone());
    }

    /// Puts another manifest in force after the one that is, likewise.
    fn put(&self, change: &dyn Fn(&mut tieline::bundle::Manifest)) {
        let mut deployed = self.deployed().unwrap();
        let old = deployed.head();
        change(&mut deployed.manifest);
        deployed.manifest.serial += 1;
        deployed.manifest.previous = Some(old.manifest.clone());
        let bytes = deployed.manifest.bytes().unwrap();
        deployed.digest = Digest::of(&bytes);
        self.target().put_manifest(&deployed.digest, &bytes, None).unwrap();
        assert_eq!(self.target().swap_head(Some(&old), &deployed.head()), Ok(tieline::targets::Swap::Done));
    }
}

#[test]
fn a_whole_bundle_verifies_with_and_without_a_key() {
    let bench = Bench::new();
    let nothing = verify(&bench.target(), &scope(), None).unwrap();
    assert_eq!((nothing.head, nothing.objects), (None, 0));
    let mut desired = bench.desired(&["a", "b@globex"]);
    // No secret at all: the block is there for the MAC alone.
    let clear =
        json!({"mode": "none", "": "empty key", "n": null, "f": 1e300, "s": ["1:30", "", "ENC[x]", "öäü\u{85}\u{1b}"]});
    desired.records.get_mut("a").unwrap()["auth"] = clear;
    bench.apply(&desired).unwrap();
    for (key, opened) in [(false, 0), (true, 2)] {
        let report = verify(&bench.target(), &scope(), bench.identities_if(key).as_ref()).unwrap();
        assert_eq!((report.objects, report.opened, report.problems), (2, opened, vec![]));
    }
    let stranger = Bench::new().identities();
    assert_eq!(verify(&bench.target(), &scope(), Some(&stranger)).unwrap().opened, 0);
}

#[test]
fn a_damaged_object_head_or_manifest_is_told() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a", "b"])).unwrap();
    let (a, b) = (object(&bench, "a"), object(&bench, "b"));
    fs::write(&a, fs::read_to_string(&a).unwrap().replace("db.example", "db.evil")).unwrap();
    fs::remove_file(b).unwrap();
    let found = problems(&bench, false);
    assert_eq!(found.len(), 2);
    assert!(
        found[0].contains("was changed: its digest is not its name") && found[1].contains("is missing"),
        "{found:?}"
    );
    let head = bench.root().join("environments/prod/head.json");
    let good = fs::read_to_string(&head).unwrap();
    let hex = bench.deployed().unwrap().digest.hex().to_owned();
    let elsewhere = bench.folder.path().join("x.json");
    fs::write(&elsewhere, fs::read(bench.root().join(format!("manifests/{hex}.json"))).unwrap()).unwrap();
    for bad in [
        String::new(),
        good.replace("\"serial\": 1", "\"serial\": 2"),
        good.replace(&hex, &"0".repeat(64)),
        good.replace(&format!("sha256:{hex}"), "../../x"),
        good.replace(&hex, "../../x"),
        good.replace("\"serial\"", "\"more\": 1, \"serial\""),
    ] {
        fs::write(&head, &bad).unwrap();
        let error = deployed(&bench.target(), &scope()).unwrap_err();
        assert!(matches!(error, TargetError::Integrity(_)), "{bad}: {error}");
    }
    fs::write(&head, good).unwrap();
    let manifest = bench.root().join(format!("manifests/{hex}.json"));
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace("db.example", "db.evil")).unwrap();
    assert!(matches!(deployed(&bench.target(), &scope()), Err(TargetError::Integrity(_))));
}

#[test]
fn a82_what_belongs_elsewhere_is_refused() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let other = Scope { workspace: "11111111-dce2-4a90-ae69-ae44cb0c8e84".into(), ..scope() };
    assert!(matches!(deployed(&bench.target(), &other), Err(TargetError::Integrity(_))));
    let mut desired = bench.desired(&["a"]);
    desired.workspace = other.workspace.parse().unwrap();
    assert_eq!(code(bench.apply(&desired)), 5);
}

#[test]
fn a70_an_object_that_was_forged_with_its_manifest_is_found() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a", "b"])).unwrap();
    let good = fs::read_to_string(object(&bench, "a")).unwrap();
    let other = fs::read_to_string(object(&bench, "b")).unwrap();
    let stranger = Bench::new();
    stranger.apply(&stranger.desired(&["a"])).unwrap();
    let theirs = fs::read_to_string(object(&stranger, "a")).unwrap();
    let enc = |text: &str| {
        let start = text.find("password: ENC[").unwrap();
        text[start..].lines().next().unwrap().to_owned()
    };
    let entry = |text: &str| {
        let start = text.find("        - recipient: ").unwrap();
        let end = text.find("-----END AGE ENCRYPTED FILE-----\n").unwrap() + "-----END AGE ENCRYPTED FILE-----\n".len();
        text[start..end].to_owned()
    };
    for (bad, told, key) in [
        (good.replace("host: db.example", "host: db.evil"), "`/config/host` is not what the manifest says", false),
        (good.replace("port: 5432", "port: \"5432\""), "`/config/port` is not what", false),
        (good.replace("    id: a\n", "    id: b\n"), "`/tieline/id` is not what", false),
        (good.replace("    mode: password\n", "    mode: password\n    more: 1\n"), "`/auth` has other keys", false),
        (good.replace(&enc(&good), "password: clear"), "`/auth/password` is not encrypted", false),
        (good.replace("^(password)$", "^(password|x)$"), "another rule", false),
        (good.replace(&bench.recipient, &stranger.recipient), "other recipients", false),
        (theirs, "other recipients", false),
        (good.replacen(&entry(&good), &entry(&good).repeat(2), 1), "other recipients", false),
        (
            good.replace("\n    mac: ", "\n    pgp:\n        - fp: '0123'\n          enc: x\n    mac: "),
            "a kind of key",
            false,
        ),
        (good.replace("\n    mac: ", "\n    mac_only_encrypted: true\n    mac: "), "another rule", false),
        (other, "`/tieline/id` is not what", false),
        (good.replace(&enc(&good), &enc(&fs::read_to_string(object(&bench, "b")).unwrap())), "does not decrypt", true),
        ("sops: 1\n".into(), "the object: ", false),
        (String::new(), "the object: ", false),
        ("a: &a [*a]".into(), "the object: ", false),
    ] {
        assert_ne!(bad, good, "{told}");
        let bench_copy = Bench { folder: tempfile::tempdir().unwrap(), ..Bench::new() };
        let bench_copy = Bench { identity: bench.identity.clone(), recipient: bench.recipient.clone(), ..bench_copy };
        bench_copy.apply(&bench_copy.desired(&["a"])).unwrap();
        bench_copy.forge(&bad);
        let found = problems(&bench_copy, key);
        assert!(found.iter().any(|problem| problem.contains(told)), "{told}: {found:?}");
        assert!(!found.concat().contains("db.") && !found.concat().contains(CANARY), "{found:?}");
    }
}

#[test]
fn a82_a_manifest_that_says_one_digest_and_holds_another_is_not_taken_for_what_is_desired() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b"]);
    bench.apply(&desired).unwrap();
    let put = |change: &dyn Fn(&mut tieline::bundle::Manifest)| bench.put(change);
    // The desired digest is kept, a record is not.
    put(&|manifest| manifest.connections.get_mut("a").unwrap().record["config"]["host"] = "evil.example".into());
    let plan = tieline::plan::Plan::new(&desired, bench.deployed().as_ref(), &|_, _| None);
    assert!(!plan.is_empty() && plan.changes.len() == 1);
    assert_eq!(problems(&bench, false)[0], "the manifest's desired digest is not that of its records");
    assert!(bench.apply(&desired).unwrap().changed);
    assert_eq!(problems(&bench, true), [""; 0]);
    // Nor is it gone back to.
    let now = bench.deployed().unwrap();
    let previous = now.manifest.previous.clone().unwrap();
    let lying = tieline::targets::manifest(&bench.target(), &scope(), &previous).unwrap();
    refused_as_lying(&bench, &lying, &now);
    // An export for one customer is no state of an environment.
    put(&|manifest| manifest.customer = Some("globex".into()));
    let error = deployed(&bench.target(), &scope()).unwrap_err();
    assert!(matches!(&error, TargetError::Integrity(why) if why.contains("an export for one customer")), "{error}");
}

/// Going back to a manifest is refused since its digest is not that of what it has, and for no other reason.
fn refused_as_lying(bench: &Bench, lying: &Deployed, now: &Deployed) {
    let back = tieline::apply::roll_back(&bench.target(), lying, now, &stamp(), &Options::default());
    let error = back.unwrap_err();
    let words = format!("serial {} says one desired digest and holds another", lying.manifest.serial);
    assert!(error.exit_code() == 5 && error.to_string().contains(&words), "{error}");
}

/// Every object fits its record: only the digest says that the trust block is another.
#[test]
fn e2_11_a_rollback_brings_no_forged_trust_block_back() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b"]);
    bench.apply(&desired).unwrap();
    for forged in [json!({"recipients": {"eve": "age1eve"}}), json!({"guards": {"max_delete_percent": 100}})] {
        bench.put(&|manifest| {
            for (key, value) in forged.as_object().unwrap() {
                manifest.trust[key] = value.clone();
            }
        });
        let lying = bench.deployed().unwrap();
        assert!(bench.apply(&desired).unwrap().changed, "what is desired is not what the forged one has");
        refused_as_lying(&bench, &lying, &bench.deployed().unwrap());
    }
}

/// Who writes the target can put an object of theirs into the history, with a manifest that fits: going back finds it.
#[test]
fn e2_11_a_rollback_puts_no_forged_object_in_force() {
    let (bench, stranger) = (Bench::new(), Bench::new());
    let mut desired = bench.desired(&["a", "b"]);
    bench.apply(&desired).unwrap();
    stranger.apply(&stranger.desired(&["a"])).unwrap();
    bench.forge(&fs::read_to_string(object(&stranger, "a")).unwrap());
    let forged = bench.deployed().unwrap();
    desired.records.get_mut("a").unwrap()["config"]["host"] = "db2.example".into();
    bench.apply(&desired).unwrap();
    let now = bench.deployed().unwrap();
    let back = tieline::apply::roll_back(&bench.target(), &forged, &now, &stamp(), &Options::default());
    let error = back.unwrap_err();
    let words = "`a` of serial 2: the object is sealed to other recipients than the manifest says";
    assert!(error.exit_code() == 5 && error.to_string().contains(words), "{error}");
    assert_eq!(bench.deployed().unwrap().digest, now.digest);
}

/// A chain in which a serial is left out, of one lineage.
#[test]
fn e2_11_a_history_in_which_a_serial_is_missing_is_damaged() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    bench.apply(&bench.desired(&["a", "b"])).unwrap();
    bench.put(&|manifest| manifest.serial += 1);
    let now = bench.deployed().unwrap();
    assert_eq!(now.manifest.serial, 4);
    let found = tieline::targets::previous(&bench.target(), &now);
    assert!(
        matches!(&found, Err(TargetError::Integrity(why)) if why.contains("serial 4 does not follow")),
        "{found:?}"
    );
    // Nor does one of another history precede it.
    bench.put(&|manifest| manifest.lineage = "00000000-0000-4000-8000-000000000000".into());
    let now = bench.deployed().unwrap();
    let found = tieline::targets::previous(&bench.target(), &now);
    assert!(
        matches!(&found, Err(TargetError::Integrity(why)) if why.contains("serial 5 does not follow")),
        "{found:?}"
    );
    // After the last serial there is none.
    let last = tieline::bundle::SERIALS.end - 1;
    bench.put(&|manifest| manifest.serial = last - 1);
    let error = bench.apply(&bench.desired(&["a"])).unwrap_err();
    assert!(error.exit_code() == 5 && error.to_string().contains(&format!("no serial can follow {last}")), "{error}");
}

/// A manifest with the right records, and another digest of them.
#[test]
fn e2_11_a_manifest_that_says_another_digest_is_put_right() {
    let bench = Bench::new();
    let desired = bench.desired(&["a"]);
    bench.apply(&desired).unwrap();
    bench.put(&|manifest| manifest.desired = Digest::of(b"other"));
    let plan = tieline::plan::Plan::new(&desired, bench.deployed().as_ref(), &|_, _| None);
    assert!(plan.changes.is_empty() && plan.trust.is_empty() && !plan.is_empty());
    let applied = bench.apply(&desired).unwrap();
    assert_eq!((applied.changed, applied.sealed), (true, 0));
    assert_eq!(problems(&bench, true), [""; 0]);
}

/// Only the first manifest of a history follows none.
#[test]
fn e2_11_a_manifest_says_what_it_follows() {
    use tieline::bundle::Manifest;
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a"])).unwrap();
    let first = bench.deployed().unwrap();
    for (serial, previous, whole) in [
        (1, None, true),
        (2, Some(first.digest.clone()), true),
        (2, None, false),
        (1, Some(first.digest.clone()), false),
    ] {
        let manifest = Manifest { serial, previous, ..first.manifest.clone() };
        let read = Manifest::parse(&manifest.bytes().unwrap());
        assert_eq!(read.is_ok(), whole, "{serial} {:?}: {read:?}", manifest.previous);
    }
    let lineage = first.manifest.lineage.replace(|c: char| c.is_ascii_digit(), "a").to_uppercase();
    let manifest = Manifest { lineage, ..first.manifest.clone() };
    assert!(Manifest::parse(&manifest.bytes().unwrap()).is_err(), "a lineage in capitals");
    // A head has the serials that a manifest may have.
    for (serial, whole) in
        [(0, false), (1, true), (tieline::bundle::SERIALS.end - 1, true), (tieline::bundle::SERIALS.end, false)]
    {
        let head = tieline::bundle::Head { serial, manifest: first.digest.clone() };
        assert_eq!(tieline::bundle::Head::parse(&head.bytes().unwrap()).is_ok(), whole, "{serial}");
    }
    // An id has segments of up to 63 letters.
    for (id, whole) in [("a".repeat(63), true), ("a".repeat(64), false), (format!("a/{}", "b".repeat(64)), false)] {
        assert_eq!(tieline::bundle::is_instance(&id), whole, "{id}");
    }
    // And when, in one spelling alone.
    for (time, whole) in [
        ("2026-11-21T08:00:00Z", true),
        ("2026-11-21T08:00:00.000Z", false),
        ("2026-11-21T08:00:00+00:00", false),
        ("2026-11-21 08:00:00Z", false),
        ("2026-11-21t08:00:00z", false),
        ("yesterday", false),
    ] {
        let manifest = Manifest { time: time.into(), ..first.manifest.clone() };
        assert_eq!(Manifest::parse(&manifest.bytes().unwrap()).is_ok(), whole, "{time}");
    }
}

/// A time before that of what it follows says that a clock went back, but where that one was still to come.
#[test]
fn e2_11_a_manifest_is_backdated_only_before_a_time_that_has_been() {
    use tieline::targets::is_backdated;
    let now = "2026-11-21T10:00:00Z".parse().unwrap();
    for (time, then, backdated) in [
        ("2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z", true),
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z", false),
        ("2026-11-21T09:00:01Z", "2026-11-21T09:00:00Z", false),
        ("2026-11-21T09:59:59Z", "2026-11-21T10:00:00Z", true),
        ("2026-11-21T09:00:00Z", "2026-11-21T10:00:01Z", false),
        ("no time", "2026-11-21T09:00:00Z", true),
        ("2026-11-21T08:00:00Z", "no time", false),
    ] {
        assert_eq!(is_backdated(time, then, now), backdated, "{time} after {then}");
    }
}

/// What an apply has not come to yet may show the manifest before. Anything else in a view is wrong, beside that too.
#[test]
fn e2_11_a_view_is_late_only_where_all_of_it_is_as_it_was() {
    let bench = Bench::new();
    bench.apply(&bench.desired(&["a", "b", "gone"])).unwrap();
    let old = ["a", "b", "gone"].map(|id| fs::read(bench.view(id)).unwrap());
    let mut desired = bench.desired(&["a", "b"]);
    for id in ["a", "b"] {
        desired.records.get_mut(id).unwrap()["config"]["host"] = "db2.example".into();
    }
    bench.apply(&desired).unwrap();
    let now = ["a", "b"].map(|id| fs::read(bench.view(id)).unwrap());
    let faults = |files: &[(&str, &[u8])]| {
        files.iter().for_each(|(id, bytes)| fs::write(bench.view(id), bytes).unwrap());
        let start = std::time::Instant::now();
        let faults = bench.target().view_faults(&bench.deployed().unwrap());
        for id in ["gone", "stray"] {
            let _ = fs::remove_file(bench.view(id));
        }
        (faults.len(), start.elapsed() > std::time::Duration::from_millis(150))
    };
    assert_eq!(faults(&[("a", &now[0]), ("b", &now[1])]), (0, false));
    // An apply may be at it: that is waited for.
    assert_eq!(faults(&[("a", &old[0]), ("b", &old[1]), ("gone", &old[2])]), (3, true));
    assert_eq!(faults(&[("a", &old[0]), ("b", &now[1])]), (1, true));
    // No apply writes this.
    assert_eq!(faults(&[("a", &old[0]), ("b", b"forged")]), (2, false));
    assert_eq!(faults(&[("a", b"forged"), ("b", &old[1])]), (2, false));
    assert_eq!(faults(&[("a", &old[0]), ("b", &now[1]), ("stray", b"forged")]), (2, false));
    assert_eq!(faults(&[("a", &now[0]), ("gone", &old[2]), ("stray", b"forged")]), (2, false));
}

/// A file in the place of a folder of the view, or the other way round, is put right by the next apply.
#[test]
fn e2_11_a_file_in_the_place_of_a_folder_of_the_view_makes_way() {
    let bench = Bench::new();
    let desired = bench.desired(&["a", "b/c"]);
    bench.apply(&desired).unwrap();
    let folder = bench.view("b/c").parent().unwrap().to_owned();
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    assert!(!bench.target().view_faults(&bench.deployed().unwrap()).is_empty());
    bench.apply(&desired).unwrap();
    assert!(bench.view("b/c").is_file());
    assert!(bench.target().view_faults(&bench.deployed().unwrap()).is_empty());
    assert_eq!(problems(&bench, true), [""; 0]);
}
