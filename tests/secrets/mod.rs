//! Secrets, kept: as people set, move, merge and look after them.
mod audit;
mod blocks;
mod change;
mod editor;
mod extract;
mod hygiene;
mod merging;
mod recipients;
mod sealed;
mod sides;
mod stores;
mod values;

use std::fs;

use crate::shell::{Ended, Shell, feed};

pub(crate) const PROD: &str = "environments/prod/secrets.sops.yaml";
pub(crate) const DEV: &str = "environments/dev/secrets.sops.yaml";

/// The quickstart example with its identity at hand.
pub(crate) fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

pub(crate) fn set(shell: &Shell, name: &str, environment: &str, value: &str) -> Ended {
    let ended = shell.run_with(&["secret", "set", name, "-e", environment], value);
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended
}

/// The same where others may gain access by it.
pub(crate) fn set_with_yes(shell: &Shell, name: &str, environment: &str, value: &str) -> Ended {
    let ended = shell.run_with(&["secret", "set", name, "-e", environment, "--yes"], value);
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended
}

pub(crate) fn get(shell: &Shell, name: &str, environment: &str) -> String {
    shell.ok(&["secret", "get", name, "-e", environment]).stdout
}

/// Runs Git in the shell's folder.
pub(crate) fn git(shell: &Shell, arguments: &[&str]) -> Ended {
    let mut command = shell.command("git");
    for (name, value) in [("NAME", "Ana"), ("EMAIL", "ana@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    feed(command.args(arguments), "")
}

pub(crate) fn commit(shell: &Shell, message: &str) {
    if !shell.folder.join(".git").exists() {
        assert_eq!(git(shell, &["init", "-q", "-b", "main"]).code, 0);
    }
    assert_eq!(git(shell, &["add", "-A"]).code, 0);
    let ended = git(shell, &["commit", "-qm", message]);
    assert_eq!(ended.code, 0, "{ended:#?}");
}

/// A new identity in a file of the shell's folder; its recipient.
pub(crate) fn identity(shell: &Shell, file: &str) -> String {
    shell.ok(&["keygen", "--output", file]).stdout.trim().to_owned()
}

/// The shell of somebody else in the same folder, with the identity of a file there.
pub(crate) fn as_other<'a>(shell: &'a Shell, file: &str) -> impl Fn(&[&str]) -> Ended + use<'a> {
    let file = shell.folder.join(file);
    move |arguments| {
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        feed(command.env("SOPS_AGE_KEY_FILE", &file).args(arguments), "")
    }
}

/// The lines of `new` that `old` has not, up to their value.
pub(crate) fn changed(old: &str, new: &str) -> Vec<String> {
    let old: std::collections::HashSet<&str> = old.lines().collect();
    let fresh = new.lines().filter(|line| !old.contains(line));
    fresh.map(|line| line.split(':').next().unwrap().trim().to_owned()).collect()
}

/// Replaces text in a file, which must be there.
pub(crate) fn edit(shell: &Shell, path: &str, from: &str, to: &str) {
    let text = shell.read(path);
    assert!(text.contains(from), "{path} has no {from}\n{text}");
    fs::write(shell.folder.join(path), text.replace(from, to)).unwrap();
}
