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

/// What it showed before is not what is in force either.
#[test]
fn e07_an_older_view_that_is_put_back_is_found() {
    let shell = applied();
    let old = shell.read(VIEW);
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &settings.replace("warehouse.example.com", "new.example.com"));
    shell.ok(&["apply", "prod", "--yes"]);
    assert!(shell.read(VIEW).contains("new.example.com"));
    shell.put(VIEW, &old);
    found(&shell, "warehouse: `environments/prod/current/connections/warehouse.yaml`, the readable view of it");
}

/// The head is swapped before the view is written: who looks between the two is told of nothing.
#[test]
fn e07_a_view_that_an_apply_is_about_to_write_is_no_problem() {
    let shell = applied();
    for n in 0..40 {
        let text = format!("connector: http\nconfig: {{base_url: 'https://c{n}.example.com'}}\nauth: {{mode: none}}\n");
        shell.put(&format!("connections/c{n}.yaml"), &text);
    }
    shell.ok(&["apply", "prod", "--yes"]);
    std::thread::scope(|scope| {
        let applies = scope.spawn(|| (0..4).for_each(|_| _ = shell.ok(&["apply", "prod", "--yes", "--reseal"])));
        while !applies.is_finished() {
            let verify = shell.run(&["verify", "prod"]);
            assert!(verify.code == 0, "{verify:?}");
        }
    });
}
