//! The hooks of `.pre-commit-hooks.yaml`, run by the real pre-commit: `try-repo` on a good and a bad commit.

use std::path::PathBuf;

use crate::shell::{Shell, feed};
use crate::support::{passed_over, root};

/// pre-commit, where there is one.
fn pre_commit() -> Option<PathBuf> {
    let named = std::env::var_os("TIELINE_PEER_PRE_COMMIT").map(PathBuf::from);
    if named.is_none() {
        passed_over("TIELINE_PEER_PRE_COMMIT names no pre-commit");
    }
    named
}

#[test]
fn x17_the_pre_commit_hook_passes_a_good_commit_and_stops_a_bad_one() {
    let Some(program) = pre_commit() else { return };
    let shell = Shell::example("quickstart");
    // Built as quickly as can be, once for both runs: what is shown is the hook, not the speed.
    let target = root().join("target/pre-commit");
    let run = || {
        let mut command = shell.command(&program);
        command.args(["try-repo", root().to_str().unwrap(), "tieline-validate", "--all-files", "--verbose"]);
        command.env("CARGO_TARGET_DIR", &target).env("PRE_COMMIT_HOME", shell.everything().join("pre-commit"));
        for name in ["CARGO_HOME", "RUSTUP_HOME", "CARGO_NET_OFFLINE", "SSL_CERT_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        if std::env::var_os("CARGO_HOME").is_none() {
            let home = PathBuf::from(std::env::var_os("HOME").unwrap());
            command.env("CARGO_HOME", home.join(".cargo")).env("RUSTUP_HOME", home.join(".rustup"));
        }
        let quick = [("OPT_LEVEL", "0"), ("LTO", "off"), ("CODEGEN_UNITS", "16"), ("DEBUG", "0")];
        command.envs(quick.map(|(name, value)| (format!("CARGO_PROFILE_RELEASE_{name}"), value)));
        feed(&mut command, "")
    };
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let ended = feed(shell.command("git").args(name).args(arguments), "");
        assert_eq!(ended.code, 0, "git {arguments:?}: {ended:#?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "connections"]);
    let good = run();
    assert_eq!(good.code, 0, "{good:#?}");
    assert!(good.stdout.contains("no problems"), "{good:#?}");
    let broken = shell.read("connections/warehouse.yaml").replace("port: 5432", "prot: 5432");
    shell.put("connections/warehouse.yaml", &broken);
    git(&["add", "--all"]);
    let bad = run();
    assert_eq!(bad.code, 1, "{bad:#?}");
    assert!(
        bad.stdout.contains("unknown field `config.prot`") && bad.stdout.contains("did you mean `port`?"),
        "{bad:#?}"
    );
}
