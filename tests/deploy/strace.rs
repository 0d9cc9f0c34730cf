//! Promise: killed or failed at any system call that changes something, a reader sees the old bundle or the new one, whole,
//! and the next apply converges. The real program, under `strace -e inject=`.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tieline::bundle::Scope;
use tieline::targets::deployed;
use tieline::targets::directory::Directory;
use tieline::verify::verify;

use crate::peers::{permitted, there};
use crate::shell::{Shell, copy, feed};

/// What an apply changes the disk with. Which of a kind there is depends on the machine.
const CALLS: [&str; 5] = [
    "?write,?pwrite64,?ftruncate",
    "?fsync,?fdatasync",
    "?rename,?renameat,?renameat2,?linkat",
    "?unlink,?unlinkat",
    "?mkdir,?mkdirat",
];
/// Killed before the call; the disk fails; the disk is full.
const FAULTS: [&str; 3] = ["signal=KILL", "error=EIO", "error=ENOSPC"];
/// So many connections change. More would only hit the same line of the program more often.
const CHANGES: usize = 12;

fn workspace() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    for n in 0..CHANGES {
        shell.put(
            &format!("connections/c{n}.yaml"),
            &format!("connector: http\nconfig: {{base_url: 'https://c{n}.example.com'}}\nauth: {{mode: none}}\n"),
        );
    }
    shell.ok(&["apply", "prod", "--yes", "--jobs", "1"]);
    for n in 0..CHANGES {
        let path = format!("connections/c{n}.yaml");
        shell.put(&path, &shell.read(&path).replace(".example.com", ".example.org"));
    }
    shell
}

/// What is in force in a copy of the target, found whole.
fn serial(shell: &Shell, target: &std::path::Path) -> u64 {
    let id = shell
        .read("tieline.yaml")
        .lines()
        .find_map(|line| Some(line.strip_prefix("id: ")?.split_whitespace().next()?.to_owned()));
    let scope = Scope { workspace: id.unwrap(), environment: "prod".into(), profile: None };
    let target = Directory::new(target, &scope);
    let report = verify(&target, &scope, None).unwrap();
    assert_eq!(report.problems, [], "every object of what is in force is whole");
    deployed(&target, &scope).unwrap().unwrap().manifest.serial
}

#[test]
fn a78_a_fault_at_every_system_call_leaves_old_or_new_and_the_next_apply_converges() {
    if !there("strace", Command::new("strace").arg("-V"))
        || !permitted("strace", Command::new("strace").args(["-o", "/dev/null", "true"]))
    {
        return;
    }
    let shell = workspace();
    let points = AtomicUsize::new(0);
    let kinds: Vec<(&str, &str)> =
        CALLS.iter().flat_map(|call| FAULTS.iter().map(move |fault| (*call, *fault))).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (shell, kinds, next, points) = (&shell, &kinds, &next, &points);
            scope.spawn(move || {
                while let Some((call, fault)) = kinds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut n = 1;
                    while hit(shell, worker, call, fault, n) {
                        n += 1;
                    }
                    points.fetch_add(n - 1, Ordering::Relaxed);
                }
            });
        }
    });
    let points = points.into_inner();
    eprintln!("{points} points");
    assert!(points > 8 * CHANGES * FAULTS.len(), "{points} points are too few for so many writes");
}

/// Runs an apply with a fault at the n-th such call, and another after it. Gives whether there was an n-th.
fn hit(shell: &Shell, worker: usize, call: &str, fault: &str, n: usize) -> bool {
    let target = shell.everything().join(format!("target-{worker}"));
    let _ = std::fs::remove_dir_all(&target);
    copy(&shell.folder.join("dist"), &target);
    let log = shell.everything().join(format!("strace-{worker}"));
    let to = target.to_str().unwrap();
    let apply = ["apply", "prod", "--yes", "--jobs", "1", "--target", to];
    let mut command = shell.command("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    if fault.starts_with("error") {
        // The kernel stops the program at these calls alone, not at each. A signal would not be injected so.
        command.arg("--seccomp-bpf");
    }
    command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}:when={n}")]);
    command.arg(env!("CARGO_BIN_EXE_tieline")).args(apply).stdin(Stdio::null());
    // The memory of serials would rightly call the copy an older bundle.
    let memory = shell.everything().join(format!("state-{worker}"));
    let _ = std::fs::remove_dir_all(&memory);
    command.env("XDG_STATE_HOME", &memory);
    let ended = command.output().unwrap();
    let traced = std::fs::read_to_string(&log).unwrap();
    let injected = traced.contains("(INJECTED)") || ended.status.code().is_none();
    let told = format!("{call} {fault} {n}: {ended:?}");
    let found = serial(shell, &target);
    assert!(found == 1 || found == 2, "{told}");
    // Who was told that all went well has the new one.
    assert!(ended.status.code() != Some(0) || found == 2, "{told}");
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    let again = feed(command.args(apply).env("XDG_STATE_HOME", &memory), "");
    assert_eq!((again.code, serial(shell, &target)), (0, 2), "{told}, then {again:?}");
    injected
}
