//! Secrets files: opened, sealed and sealed to others, beside the bare age operations that this takes.
//!
//! Bare is what `age` alone needs to wrap or unwrap 32 bytes, as often as the files have recipients, on the same threads.

use std::hint::black_box;

use rayon::prelude::*;
use tieline::secret::Secret;
use tieline::sops::{Encrypted, Identities, Map, Recipient, Rule, Settings, encrypt, keygen};

use crate::watch::{Time, Watch};

/// What a row of the table says.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ours: Vec<Time>,
    pub(crate) bare: Vec<Time>,
}

/// Secrets in each file.
const SECRETS: usize = 4;
/// Recipients that a file is sealed to.
const RECIPIENTS: usize = 3;

const TIME: &str = "2026-11-21T08:00:00Z";

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("randomness");
}

fn sealed(to: &[Recipient]) -> String {
    let mut data = Map::new();
    for n in 0..SECRETS {
        data.push(format!("NAME_{n}"), Secret::new(format!("a secret of usual length, {n}")));
    }
    let settings = Settings {
        rule: &Rule::EncryptedRegex(".*".into()),
        mac_only_encrypted: false,
        recipients: to,
        lastmodified: TIME,
    };
    encrypt(&data, &settings, &mut random).expect("sealed")
}

fn timed(run: impl FnOnce()) -> Time {
    let start = Watch::start();
    run();
    start.elapsed()
}

/// Measures `files` files, `rounds` times.
pub(crate) fn measure(files: usize, rounds: usize) -> Vec<Row> {
    let (secret, own) = keygen();
    let identities = Identities::parse(secret.expose()).expect("an identity");
    let all: Vec<Recipient> = std::iter::once(own.clone()).chain((1..RECIPIENTS).map(|_| keygen().1)).collect();
    let texts: Vec<String> = (0..files).into_par_iter().map(|_| sealed(std::slice::from_ref(&own))).collect();
    let bare_identity: age::x25519::Identity = secret.expose().parse().expect("an identity");
    let bare_recipient = bare_identity.to_public();
    let wrapped = age::encrypt(&bare_recipient, &[7; 32]).expect("wrapped");
    let wrap = || black_box(age::encrypt(&bare_recipient, &[7; 32]).expect("wrapped"));
    let unwrap = || black_box(age::decrypt(&bare_identity, &wrapped).expect("unwrapped"));
    let each = |run: &(dyn Fn() + Sync)| (0..files).into_par_iter().for_each(|_| run());
    let mut rows = [
        ("open, 1 recipient", Vec::new(), Vec::new()),
        ("seal to 3", Vec::new(), Vec::new()),
        ("seal what is sealed to 3", Vec::new(), Vec::new()),
    ];
    for _ in 0..rounds {
        let open = |text: &String| {
            let file = Encrypted::parse(text).expect("a sops file");
            black_box(file.open(&identities).expect("opened"));
        };
        rows[0].1.push(timed(|| texts.par_iter().for_each(open)));
        rows[0].2.push(timed(|| each(&|| drop(unwrap()))));
        rows[1].1.push(timed(|| each(&|| drop(black_box(sealed(&all))))));
        rows[1].2.push(timed(|| each(&|| (0..RECIPIENTS).for_each(|_| drop(wrap())))));
        let rewrap = |text: &String| {
            let file = Encrypted::parse(text).expect("a sops file");
            black_box(file.rewrap(&identities, &all).expect("sealed"));
        };
        rows[2].1.push(timed(|| texts.par_iter().for_each(rewrap)));
        rows[2].2.push(timed(|| {
            each(&|| {
                drop(unwrap());
                (0..RECIPIENTS).for_each(|_| drop(wrap()));
            });
        }));
    }
    rows.into_iter().map(|(name, ours, bare)| Row { name, ours, bare }).collect()
}
