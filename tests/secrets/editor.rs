//! `secret edit`: the text is in memory, its owner's alone, and gone when the command is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{PROD, changed, get, quickstart, set};
use crate::shell::{Ended, Shell};

/// A shell whose editor is a script, and which has a place in memory of its own.
fn with_editor(script: &str) -> (Shell, tempfile::TempDir) {
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let shell = quickstart();
    let editor = shell.everything().join("editor");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    let line = format!("sh '{}'", editor.display());
    (shell.with("EDITOR", &line).with("XDG_RUNTIME_DIR", memory.path().to_str().unwrap()), memory)
}

fn empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

fn run(shell: &Shell) -> Ended {
    shell.run(&["secret", "edit", "-e", "prod"])
}

#[test]
fn z14_what_was_edited_is_sealed_and_nothing_else_changes() {
    let script = "stat -c '%a' \"$1\" > seen; cat \"$1\" >> seen; sed -i 's/replace-me/kelp/; s/^HUBSPOT.*/HUBSPOT_TOKEN: \"a: b\"/' \"$1\"; echo 'NEW: |
  two
  lines' >> \"$1\"";
    let (shell, memory) = with_editor(script);
    shell.ok(&["recipients", "accept", "--yes"]);
    let before = shell.read(PROD);
    let ended = run(&shell);
    assert_eq!(ended.code, 0, "{ended:#?}");
    let seen = shell.read("seen");
    assert_eq!(seen, "600\nHUBSPOT_TOKEN: replace-me\nWAREHOUSE_PASSWORD: replace-me\n", "the scope is not shown");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "a: b");
    assert_eq!(get(&shell, "NEW", "prod"), "two\nlines\n");
    assert_eq!(
        changed(&before, &shell.read(PROD)),
        ["HUBSPOT_TOKEN", "WAREHOUSE_PASSWORD", "NEW", "lastmodified", "mac"]
    );
    assert!(ended.stderr.contains("NEW added to") && !ended.stderr.contains("kelp"), "{ended:#?}");
    assert!(empty(memory.path()));
}

#[test]
fn an_editor_that_changes_nothing_or_fails_changes_nothing() {
    for (script, code) in [("true", 0), ("touch \"$1\"", 0), ("echo 'X: y' >> \"$1\"; exit 3", 1)] {
        let (shell, memory) = with_editor(script);
        let before = shell.read(PROD);
        let ended = run(&shell);
        assert_eq!((ended.code, shell.read(PROD) == before), (code, true), "{ended:#?}");
        assert!(empty(memory.path()));
    }
}

/// Comments stand in clear beside the values: that they are not changed here is said.
#[test]
fn a_comment_that_was_edited_is_not_dropped_in_silence() {
    let (shell, _memory) = with_editor("sed -i '1s/.*/# by hand\\n&/; s/replace-me/kelp/' \"$1\"");
    let ended = run(&shell);
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stderr.contains("comments are not changed here"), "{ended:#?}");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "kelp");
}

#[test]
fn a_text_with_mistakes_is_refused_by_line_and_never_quoted() {
    for (text, told) in [
        ("A: hunter2\nA: hunter3", "line 2: the key stands twice in its map"),
        ("A: [hunter2]", "line 1: `A` is no string: quote its value"),
        ("B: 5432", "line 1: `B` is no string: quote its value"),
        ("A: hunter2\nB:", "line 2: `B` is empty"),
        ("1A: hunter2", "line 1: `1A` can't be the name of a secret"),
        ("tieline_scope: hunter2", "can't be the name of a secret"),
        ("A: 'hunter2", "not YAML"),
    ] {
        let (shell, memory) = with_editor(&format!("cat > \"$1\" <<'END'\n{text}\nEND"));
        let before = shell.read(PROD);
        let ended = run(&shell);
        assert_eq!((ended.code, shell.read(PROD) == before), (1, true), "{ended:#?}");
        assert!(ended.stderr.contains(told), "{told}\n{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter"), "{ended:#?}");
        assert!(empty(memory.path()));
    }
}

/// With somebody at the terminal, a mistake is told, the text is kept, and the editor opens again.
#[test]
fn a_person_goes_on_editing_where_she_was() {
    let script =
        "if [ -e once ]; then sed -i 's/^OOPS: .*/GOOD: text/' \"$1\"; else touch once; echo 'OOPS: [x]' >> \"$1\"; fi";
    let (shell, memory) = with_editor(script);
    let mut command = shell.command("python3");
    let driver = "import os, pty, sys\npid, fd = pty.fork()\nif pid == 0:\n    os.execv(sys.argv[1], sys.argv[1:])\n\
                  out = b''\nsent = False\nwhile True:\n    try:\n        data = os.read(fd, 4096)\n    except OSError:\n        break\n    \
                  if not data:\n        break\n    out += data\n    if b'Press Enter' in out and not sent:\n        os.write(fd, b'\\n')\n        sent = True\n\
                  sys.stdout.write(out.decode())\nsys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    command.args(["-c", driver, env!("CARGO_BIN_EXE_tieline"), "secret", "edit", "-e", "prod"]);
    let ended = crate::shell::feed(&mut command, "");
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stdout.contains("`OOPS` is no string"), "{ended:#?}");
    assert_eq!(get(&shell, "GOOD", "prod"), "text");
    assert!(empty(memory.path()));
}

/// A39, A41: killed in the middle, nothing is left: not the text, not what the editor wrote beside it, no core.
#[test]
fn a39_a41_killed_at_the_editor_leaves_no_text_and_no_core() {
    for signal in ["-KILL", "-TERM", "-ABRT", "-HUP", "-INT"] {
        let (shell, memory) =
            with_editor("touch \"$(dirname \"$1\")/.secrets.yaml.swp\"; echo $PPID > started; exec sleep 30");
        set(&shell, "HUBSPOT_TOKEN", "prod", "kelp-forest-7");
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        command.args(["secret", "edit", "-e", "prod"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        while !shell.folder.join("started").exists() {
            assert!(start.elapsed() < Duration::from_secs(20), "the editor starts");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!empty(memory.path()), "the text is there while it is edited");
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id()));
        if let Ok(limits) = limits {
            let core: Vec<&str> =
                limits.lines().find(|l| l.starts_with("Max core file size")).unwrap().split_whitespace().collect();
            assert_eq!(&core[4..6], ["0", "0"]);
        }
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        child.wait().unwrap();
        let start = Instant::now();
        while !empty(memory.path()) {
            assert!(start.elapsed() < Duration::from_secs(10), "{signal}: the text is gone");
            std::thread::sleep(Duration::from_millis(5));
        }
        let cores: Vec<PathBuf> = fs::read_dir(&shell.folder).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(!cores.iter().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with("core")), "{cores:?}");
    }
}
