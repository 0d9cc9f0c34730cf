//! Promise: what was applied before is carried over only where somebody vouches for it, if that was asked for.
use std::sync::Mutex;

use ssh_key::private::{Ed25519Keypair, PrivateKey};
use ssh_key::{HashAlg, LineEnding, PublicKey};
use tieline::apply::{self, why_anew};
use tieline::bundle::signature::{AllowedSigners, NAMESPACE, Sign};

use super::*;

struct Key(PrivateKey);

impl Key {
    fn new(seed: u8) -> Self {
        Self(PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32])))
    }

    fn allowed(&self) -> AllowedSigners {
        AllowedSigners::only(self.0.public_key())
    }
}

impl Sign for Key {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<String, String> {
        let signature = self.0.sign(NAMESPACE, HashAlg::Sha512, message).map_err(|error| error.to_string())?;
        signature.to_pem(LineEnding::LF).map_err(|error| error.to_string())
    }
}

/// What is applied by whom, and why nothing of it may be carried over.
#[test]
fn e2_11_what_nobody_vouches_for_is_sealed_anew_or_refused() {
    let (mine, other) = (Key::new(1), Key::new(2));
    let (my, others) = (mine.allowed(), other.allowed());
    let now = stamp().time;
    for (signed_by, signer, signers, trust_base, expected) in [
        // Nobody asks.
        (None, None, None, false, Ok(None)),
        (Some(&mine), None, None, false, Ok(None)),
        // Who signs alone seals anew what is not theirs.
        (None, Some(&mine), None, false, Ok(Some("nobody vouches for the objects of serial 1: it is not signed"))),
        (Some(&other), Some(&mine), None, false, Ok(Some("nobody vouches for the objects of serial 1: "))),
        (Some(&mine), Some(&mine), None, false, Ok(None)),
        // Who says whose signature counts builds on nothing else, unless the operator says so.
        (None, None, Some(&my), false, Err(())),
        (Some(&other), None, Some(&my), false, Err(())),
        (Some(&mine), None, Some(&my), false, Ok(None)),
        (None, None, Some(&my), true, Ok(None)),
        (Some(&other), Some(&mine), Some(&others), false, Ok(None)),
        (Some(&mine), Some(&mine), Some(&others), false, Err(())),
        (None, Some(&mine), Some(&my), true, Ok(Some("nobody vouches for the objects of serial 1: it is not signed"))),
    ] {
        let bench = Bench::new();
        let options = Options { signer: signed_by.map(|key| key as &dyn Sign), ..Options::default() };
        let first = bench.desired(&["a", "b"]);
        apply::apply(&bench.target(), &first, None, &Canaries, &stamp(), &options).unwrap();
        let (target, base) = (bench.target(), bench.deployed());
        let options = Options { signer: signer.map(|key| key as &dyn Sign), signers, trust_base, ..Options::default() };
        let why = why_anew(&target, base.as_ref(), now, &options);
        match expected {
            Ok(None) => assert_eq!(why.unwrap(), None),
            Ok(Some(words)) => {
                assert!(why.as_ref().unwrap().as_ref().is_some_and(|why| why.starts_with(words)), "{why:?}")
            }
            Err(()) => assert!(matches!(why, Err(ApplyError::Unsigned { serial: 1, .. })), "{why:?}"),
        }
        let reseal = Options { reseal: true, ..options };
        let asked = why_anew(&target, base.as_ref(), now, &reseal);
        match expected {
            Ok(_) => assert_eq!(asked.unwrap().as_deref(), Some("that was asked for")),
            Err(()) => assert!(asked.is_err()),
        }
        assert_eq!(why_anew(&target, None, now, &reseal).unwrap(), None);
        // And so it is applied.
        let options = Options { signer: signer.map(|key| key as &dyn Sign), signers, trust_base, ..Options::default() };
        let more = bench.desired(&["a", "b", "c"]);
        let applied = apply::apply(&target, &more, base.as_ref(), &Canaries, &stamp(), &options);
        match expected {
            Ok(None) => assert_eq!(applied.map(|done| (done.sealed, done.carried)).unwrap(), (1, 2)),
            Ok(Some(_)) => assert_eq!(applied.map(|done| (done.sealed, done.carried)).unwrap(), (3, 0)),
            Err(()) => assert!(matches!(applied, Err(ApplyError::Unsigned { .. })), "{applied:?}"),
        }
    }
}

/// A rollback under a new signature needs one on what it brings back; without, it is as any apply.
#[test]
fn e2_11_a_rollback_is_signed_only_where_its_objects_are_vouched_for() {
    let (mine, other) = (Key::new(1), Key::new(2));
    let others = other.allowed();
    for (signed_by, signer, signers, fine) in [
        (None, None, None, true),
        (None, Some(&mine), None, false),
        (Some(&other), Some(&mine), None, false),
        (Some(&mine), Some(&mine), None, true),
        (Some(&other), Some(&mine), Some(&others), true),
        (Some(&mine), None, Some(&others), false),
    ] {
        let bench = Bench::new();
        let by = || Options { signer: signed_by.map(|key: &Key| key as &dyn Sign), ..Options::default() };
        let mut all = Vec::new();
        for ids in [&["a"][..], &["a", "b"]] {
            let base = bench.deployed();
            apply::apply(&bench.target(), &bench.desired(ids), base.as_ref(), &Canaries, &stamp(), &by()).unwrap();
            all.extend(bench.deployed());
        }
        let options = Options {
            signer: signer.map(|key: &Key| key as &dyn Sign),
            signers,
            allow_delete: Some(1),
            ..Options::default()
        };
        let done = apply::roll_back(&bench.target(), &all[0], &all[1], &stamp(), &options);
        assert_eq!(done.is_ok(), fine, "{done:?}");
        assert_eq!(bench.deployed().unwrap().manifest.serial, if fine { 3 } else { 2 });
    }
}

/// Each object that is stored is counted, from the first to the last.
#[test]
fn e2_11_progress_is_told_object_by_object() {
    let bench = Bench::new();
    let told = Mutex::new(Vec::new());
    let progress = |now: usize, all: usize| told.lock().unwrap().push((now, all));
    let options = Options { progress: Some(&progress), ..Options::default() };
    let base = bench.deployed();
    apply::apply(&bench.target(), &bench.desired(&["a", "b", "c"]), base.as_ref(), &Canaries, &stamp(), &options)
        .unwrap();
    let mut found = told.into_inner().unwrap();
    found.sort_unstable();
    assert_eq!(found, [(1, 3), (2, 3), (3, 3)]);
}

/// One's own key alone says nothing of what others applied since: a rollback to what one signed is fine over it.
#[test]
fn e2_11_a_rollback_asks_who_signed_what_is_in_force_only_where_signers_are_named() {
    let mine = Key::new(1);
    let my = mine.allowed();
    for (signers, fine) in [(None, true), (Some(&my), false)] {
        let bench = Bench::new();
        let signer: Option<&dyn Sign> = Some(&mine);
        let mut all = Vec::new();
        for (ids, by) in [(&["a"][..], signer), (&["a", "b"], None)] {
            let base = bench.deployed();
            let options = Options { signer: by, ..Options::default() };
            apply::apply(&bench.target(), &bench.desired(ids), base.as_ref(), &Canaries, &stamp(), &options).unwrap();
            all.extend(bench.deployed());
        }
        let options = Options { signer, signers, allow_delete: Some(1), ..Options::default() };
        let done = apply::roll_back(&bench.target(), &all[0], &all[1], &stamp(), &options);
        assert_eq!(done.is_ok(), fine, "{done:?}");
        assert!(fine || matches!(done, Err(ApplyError::Unsigned { serial: 2, .. })));
    }
}
