//! a16: folders that are swapped for links and back while a command runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{everything, outside, repository};

/// Swaps a folder for a link to one outside and back, for as long as `run` takes.
fn swapping<T>(real: &Path, outside: &Path, pause: Duration, run: impl FnOnce() -> T) -> T {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (done, away) = (AtomicBool::new(false), real.with_extension("away"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(pause);
                fs::rename(real, &away).unwrap();
                while symlink(outside, real).is_err() {
                    // A folder was made in the moment in which none was there. More may be written
                    // into it while it is removed: then the next round removes it.
                    let _ = fs::remove_dir_all(real);
                }
                std::thread::sleep(pause);
                fs::remove_file(real).unwrap();
                while fs::rename(&away, real).is_err() {
                    let _ = fs::remove_dir_all(real);
                }
            }
        });
        let result = run();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn a16_a_folder_that_is_swapped_for_a_link_while_a_command_runs_leads_nowhere() {
    let shell = repository();
    let prod = shell.folder.join("environments/prod");
    let objects = shell.folder.join("out/dist/objects");
    fs::create_dir(outside(&shell)).unwrap();
    fs::write(outside(&shell).join("canary"), "canary").unwrap();
    for path in ["environment.yaml", "secrets.sops.yaml"] {
        fs::copy(prod.join(path), outside(&shell).join(path)).unwrap();
    }
    let before = everything(&outside(&shell));
    let commands: [(&Path, &[&str]); 2] = [
        (&prod, &["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--generate"]),
        (&objects, &["apply", "prod", "--yes", "--reseal"]),
    ];
    for (folder, arguments) in commands {
        let start = Instant::now();
        let (mut done, mut refused) = (0, 0);
        swapping(folder, &outside(&shell), Duration::from_millis(15), || {
            let (least, most) = (Duration::from_secs(3), Duration::from_secs(30));
            while start.elapsed() < least || (refused == 0 && start.elapsed() < most) {
                match shell.run(arguments).code {
                    0 => done += 1,
                    _ => refused += 1,
                }
            }
        });
        assert!(everything(&outside(&shell)) == before, "{arguments:?}: {done} done, {refused} refused");
        assert!(refused > 0, "nothing was swapped in time");
    }
}

#[test]
fn a16_every_way_to_write_holds_while_folders_are_swapped() {
    use tieline::world::beneath::{Access, Beneath};
    let temp = tempfile::tempdir().unwrap();
    let (root, outside) = (temp.path().join("root"), temp.path().join("outside"));
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir_all(outside.join("b")).unwrap();
    fs::write(outside.join("b/file"), "canary").unwrap();
    fs::write(outside.join("b/gone"), "canary").unwrap();
    let before = everything(&outside);
    let files = Beneath::new(&root);
    let changed = [("a/b/changed".to_owned(), Some("x".to_owned()))].into();
    let (mut done, mut failed) = (0, 0);
    let start = Instant::now();
    swapping(&root.join("a"), &outside, Duration::from_millis(1), || {
        for round in 0.. {
            if start.elapsed() > Duration::from_secs(2) {
                break;
            }
            let all = [
                files.replace("a/b/file", b"x", Access::Private).is_ok(),
                files.create(format!("a/b/c/new-{round}"), b"x", Access::Shared).is_ok(),
                files.create("a/b/gone", b"x", Access::Shared).is_ok(),
                files.remove_file("a/b/gone").is_ok(),
                files.remove_folder("a/b/c").is_ok(),
                files.make(format!("a/b/d/{round}"), Access::Private).is_ok(),
                files.change(&changed, &[("a/b/changed".to_owned(), "x".to_owned())].into()).is_ok(),
                files.change(&changed, &[].into()).is_ok(),
                files.folder("a/b").is_ok_and(|folder| folder.replace("held".as_ref(), b"x", Access::Shared).is_ok()),
            ];
            done += all.iter().filter(|ok| **ok).count();
            failed += all.iter().filter(|ok| !**ok).count();
            if let Ok(walk) = files.walk("a", true) {
                assert!(walk.files.iter().all(|(path, _)| !path.ends_with("canary")));
            }
            assert!(files.read("a/b/file", 100).map_or(true, |bytes| bytes == b"x"), "read behind the link");
        }
    });
    assert!(everything(&outside) == before, "{done} done, {failed} failed");
    assert!(done > 0 && failed > 0, "{done} done, {failed} failed");
}
