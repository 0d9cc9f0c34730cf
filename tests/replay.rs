//! What fuzzing found, and a small corpus of what it is to begin with: run again through the same functions, without a
//! fuzzer.
#![allow(clippy::expect_used, clippy::panic, reason = "a target may panic: that is how it tells")]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::peers::there;
use crate::support::{files, root};

#[path = "fuzz/src/oracles.rs"]
mod oracles;
#[path = "fuzz/src/plans.rs"]
mod plans;
#[path = "fuzz/src/targets/mod.rs"]
mod targets;
#[path = "fuzz/src/world.rs"]
mod world;

/// No input takes longer, in a debug build on a machine with other work.
const LONGEST: Duration = Duration::from_secs(10);

/// Runs a target's files below a folder; gives how many there are.
fn replay(folder: &str) -> usize {
    let folder = root().join("tests/fuzz").join(folder);
    let (mut ran, mut failed) = (0, Vec::new());
    for path in files(&folder) {
        let (target, _) = path.split_once('/').expect("a folder for each target");
        let found = targets::ALL.iter().find(|(name, _)| *name == target);
        let (_, run) = found.unwrap_or_else(|| panic!("{path}: there is no such target"));
        let input = fs::read(folder.join(&path)).expect("a file");
        let start = Instant::now();
        let holds = std::panic::catch_unwind(|| run(&input)).is_ok();
        if !holds || start.elapsed() > LONGEST {
            failed.push(format!("{path} after {:?}", start.elapsed()));
        }
        ran += 1;
    }
    assert!(failed.is_empty(), "these fail, and `tests/fuzz/run TARGET FILE` runs one alone: {failed:#?}");
    ran
}

#[test]
fn e2_every_crash_that_was_found_is_fixed() {
    replay("crashes");
}

#[test]
fn e2_the_corpus_of_every_target_holds() {
    // The verdicts on signatures are compared with those of OpenSSH.
    there("ssh-keygen", Command::new("sh").args(["-c", "command -v ssh-keygen"]));
    assert!(replay("corpus") > targets::ALL.len());
    for (target, _) in targets::ALL {
        let folder = root().join("tests/fuzz/corpus").join(target);
        assert!(folder.is_dir(), "{target} has no corpus");
    }
}

#[test]
fn a_file_of_a_target_names_every_target() {
    let known = fs::read_to_string(root().join("tests/fuzz/run")).expect("the command");
    for (target, _) in targets::ALL {
        assert!(known.contains(target), "tests/fuzz/run does not know `{target}`");
    }
}
