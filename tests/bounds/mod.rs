//! What a run may cost. Work grows with what is read, memory stays bounded, and an input that would take more ends with an
//! error, as a process of its own under limits that the kernel holds.

mod bombs;
mod growth;

use std::fs;
use std::process::Command;
use std::time::Duration;

use tieline::budget::LIMITS;

use crate::support::Folder;

/// Memory that a run may write to, in KiB: 512 MiB.
const MEMORY: u32 = 512 << 10;

/// What a run cost.
pub(crate) struct Cost {
    /// Processor time of the process itself, all threads.
    pub(crate) user: Duration,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cost {
    /// Bytes that it printed.
    pub(crate) fn printed(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }
}

/// Runs the binary with at most 512 MiB of memory of its own and so many seconds of processor time.
pub(crate) fn run(folder: &Folder, seconds: u32, arguments: &[&str]) -> Cost {
    run_within(MEMORY, folder, seconds, arguments)
}

/// The same with at most so many KiB.
pub(crate) fn run_within(memory: u32, folder: &Folder, seconds: u32, arguments: &[&str]) -> Cost {
    let kept = tempfile::tempdir().unwrap();
    let [out, err] = ["out", "err"].map(|name| kept.path().join(name));
    let script = r#"ulimit -d "$1" && ulimit -t "$2" && out=$3 err=$4 && shift 4 && TIMEFORMAT=%U && time "$@" >"$out" 2>"$err""#;
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", &memory.to_string(), &seconds.to_string()]);
    command.arg(&out).arg(&err).arg(env!("CARGO_BIN_EXE_tieline")).args(arguments).current_dir(folder.path());
    command.env_clear().env("LANG", "C.UTF-8").env("NO_COLOR", "1").env("PATH", "/usr/bin:/bin");
    let result = command.output().unwrap();
    let told = String::from_utf8_lossy(&result.stderr);
    let user = told.lines().rev().find_map(|line| line.trim().parse().ok());
    let read = |path| String::from_utf8(fs::read(path).unwrap()).expect("output is UTF-8");
    let cost = Cost {
        user: Duration::from_secs_f64(user.unwrap_or(f64::from(seconds))),
        code: result.status.code().unwrap_or(-1),
        stdout: read(out),
        stderr: read(err),
    };
    assert!(
        (0..=64).contains(&cost.code),
        "{arguments:?} ended with {} after {:?}: {told}{}",
        cost.code,
        cost.user,
        cost.stderr.chars().take(500).collect::<String>()
    );
    cost
}

#[test]
fn e2_01_the_help_and_the_page_of_the_error_say_the_numbers_of_the_budget() {
    let folder = Folder::bare();
    let said = |arguments: &[&str]| folder.run(arguments).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let texts = [said(&["validate", "--help"]), said(&["plan", "--help"]), said(&["rule", "show", "over-budget"])];
    for (cost, limit, units, per) in LIMITS {
        let limit = format!("{limit}").chars().rev().collect::<Vec<_>>();
        let limit = limit.chunks(3).map(|three| three.iter().collect::<String>()).collect::<Vec<_>>().join(",");
        let limit: String = limit.chars().rev().collect();
        assert!(texts[..2].iter().all(|text| text.contains(&format!("{limit} {}", cost.words()))), "{texts:#?}");
        let more =
            if per == 1 { format!("{units} more for each byte") } else { format!("one more for each {per} bytes") };
        assert!(texts[2].contains(&format!("At most {limit}, and {more}")), "{limit}, {more}: {}", texts[2]);
    }
}

/// `pieces` of a text, one for each number below `n`.
pub(crate) fn each(n: usize, piece: impl Fn(usize) -> String) -> String {
    (0..n).map(piece).collect()
}
