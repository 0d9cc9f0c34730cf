//! The program as people start it: time from start to end, and the most memory it ever had.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program, in release mode as `cargo bench` builds it.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tieline"));
    command.env("RAYON_NUM_THREADS", "2").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// One run. The exit code must be 0.
fn run(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.status().expect("the program starts");
    let time = start.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    time
}

/// `--version`.
pub(crate) fn version() -> Duration {
    run(program().arg("--version"))
}

/// `validate` of a workspace.
pub(crate) fn validate(folder: &Path) -> Duration {
    run(program().arg("-C").arg(folder).arg("validate"))
}

/// A program that does nothing: what starting a process costs here.
pub(crate) fn nothing() -> Duration {
    run(&mut Command::new("/bin/true"))
}

/// The peak of resident memory in KiB, as Linux counts it (`VmHWM`). The high-water mark is asked for until the process
/// is gone, so what the last millisecond adds may be missing. `None` elsewhere.
pub(crate) fn peak(folder: &Path) -> Option<u64> {
    let mut child = program().arg("-C").arg(folder).arg("validate").spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait().expect("the program runs").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let read = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(read);
        std::thread::sleep(Duration::from_micros(500));
    }
    peak
}
