//! The readable view of a target: what programs read that open no bundle.

use std::fs;

use crate::shell::{Ended, Shell};

const VIEW: &str = "dist/environments/prod/current/connections/warehouse.yaml";

fn applied() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["verify", "prod"]);
    shell
}

/// `verify` and `status` find it, `apply` makes it right again.
fn found(shell: &Shell, words: &str) -> Ended {
    let (verify, status) = (shell.run(&["verify", "prod"]), shell.run(&["status"]));
    assert!(verify.code == 5 && verify.stdout.contains(words), "{words}: {verify:?}");
    assert!(!verify.stdout.contains("all as they should be"), "{verify:?}");
    assert!(verify.stderr.contains("`tieline apply prod` writes the readable view again"), "{verify:?}");
    assert!(status.code == 5 && status.stderr.contains(words), "{words}: {status:?}");
    let applied = shell.ok(&["apply", "prod", "--yes"]);
    assert!(applied.stderr.contains("the readable view was not as it should be"), "{applied:?}");
    let verify = shell.ok(&["verify", "prod"]);
    assert!(verify.stdout.contains("all as they should be"), "{verify:?}");
    shell.ok(&["status"]);
    verify
}

#[test]
fn e07_a_readable_view_that_was_changed_is_found_and_written_again() {
    let shell = applied();
    let text = shell.read(VIEW);
    shell.put(VIEW, &text.replace("warehouse.example.com", "evil.example.com"));
    let changed = "warehouse: `environments/prod/current/connections/warehouse.yaml`, the readable view of it, is missing or was changed";
    found(&shell, changed);
    assert_eq!(shell.read(VIEW), text);
    fs::remove_file(shell.folder.join(VIEW)).unwrap();
    found(&shell, changed);
    // Another connection's object is one of the bundle's too.
    let other = shell.read(&VIEW.replace("warehouse", "hubspot"));
    shell.put(VIEW, &other);
    found(&shell, changed);
    shell.put(&VIEW.replace("warehouse", "evil"), &text);
    found(&shell, "manifest: `environments/prod/current/connections/evil.yaml` is in the readable view");
    #[cfg(unix)]
    {
        let outside = shell.everything().join("outside");
        fs::write(&outside, &text).unwrap();
        fs::remove_file(shell.folder.join(VIEW)).unwrap();
        std::os::unix::fs::symlink(&outside, shell.folder.join(VIEW)).unwrap();
        found(&shell, changed);
        assert_eq!(fs::read_to_string(outside).unwrap(), text);
    }
}
