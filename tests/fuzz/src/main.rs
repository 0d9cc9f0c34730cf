//! One program for all targets: `FUZZ_TARGET` names the one that runs. With `FUZZ_SEEDS`, it writes first inputs for all
//! of them into that folder and ends.
#![no_main]

mod oracles;
mod plans;
mod seeds;
mod targets;
mod world;

use std::sync::LazyLock;

static TARGET: LazyLock<targets::Run> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names the target");
    let found = targets::ALL.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no target `{name}`")).1
});

libfuzzer_sys::fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            seeds::write(folder.as_ref());
            std::process::exit(0);
        }
    },
    |data: &[u8]| (*TARGET)(data)
);
