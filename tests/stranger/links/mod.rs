//! Links that lead out of the workspace or the target, on reading and on writing: a97, a12, a13, a14, a16, a18, a20.
//!
//! A stranger commits a link. Whoever runs a command then, as the operator who typed it, reads and writes behind no link that
//! the repository or the target holds. What the links lead to here is a folder with canaries, compared byte for byte.

mod races;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::shell::{Ended, Shell, feed};

/// A workspace in a repository, deployed to `prod`; whoever works there has the identity.
fn repository() -> Shell {
    static MADE: OnceLock<Shell> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let shell = Shell::example("quickstart").with_demo_identity();
        assert_eq!(feed(shell.command("git").args(["init", "-q"]), "").code, 0);
        let prod = "environments/prod/environment.yaml";
        shell.put(prod, &format!("{}target: {{path: out/dist}}\n", shell.read(prod)));
        let accounts = "handles: {me: '@ana', team-crm: '@acme/crm', team-data: '@acme/data'}\n";
        shell.put("tieline.yaml", &format!("{}{accounts}", shell.read("tieline.yaml")));
        shell.put("connections/untidy.yaml", UNTIDY);
        shell.ok(&["apply", "prod", "--yes"]);
        shell
    });
    let mut shell = Shell::new();
    shell.folder = shell.folder.join("quickstart");
    let copied = Command::new("cp").arg("-a").arg(&made.folder).arg(&shell.folder).status();
    assert!(copied.unwrap().success());
    shell.with_demo_identity()
}

/// A connection that `fmt` would change, in what is no part of the rest.
const UNTIDY: &str =
    "config:\n    base_url: https://untidy.example.com\nauth: {mode: none}\nconnector: http\nenabled: false\n";

/// Where the links lead: outside of the repository.
fn outside(shell: &Shell) -> PathBuf {
    shell.everything().join("outside")
}

/// Everything below a folder: path, what it is, its bytes.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let bytes = |path: &Path| match fs::symlink_metadata(path).unwrap() {
        found if found.is_file() => fs::read(path).unwrap(),
        found if found.is_symlink() => fs::read_link(path).unwrap().into_os_string().into_encoded_bytes(),
        _ => Vec::new(),
    };
    entries.map(|entry| (entry.path().to_owned(), bytes(entry.path()))).collect()
}

/// Puts a link where `path` is, or would be, and what it leads to outside, as it was: so nothing but the link is odd.
fn divert(shell: &Shell, path: &str, is_file: bool) {
    let (from, to) = (shell.folder.join(path), outside(shell).join("behind"));
    fs::create_dir_all(outside(shell)).unwrap();
    fs::write(outside(shell).join("canary"), "canary").unwrap();
    if from.symlink_metadata().is_ok() {
        fs::rename(&from, &to).unwrap();
    } else if is_file {
        fs::write(&to, "canary").unwrap();
    } else {
        fs::create_dir(&to).unwrap();
    }
    fs::create_dir_all(from.parent().unwrap()).unwrap();
    symlink(to, from).unwrap();
}

/// How a command ends where the last segment of its path is a link. Above it, every command refuses and names the link.
#[derive(Clone, Copy, Debug, PartialEq)]
enum File {
    /// As above it.
    Refused,
    /// It is refused as something that is not there: a link is no part of a workspace.
    Unknown,
    /// A file takes the link's place.
    Replaced,
}

/// A command that writes.
struct Writer {
    arguments: &'static [&'static str],
    input: &'static str,
    /// What it writes, from the workspace.
    path: &'static str,
    /// So many folders of it are left alone: without them there would be nothing to write.
    but: usize,
    file: File,
}

const fn writer(arguments: &'static [&'static str], path: &'static str, file: File) -> Writer {
    Writer { arguments, input: "value-of-a-secret", path, but: 0, file }
}

/// Runs a command with a link at each depth of its path, and nothing happens behind any.
fn never_through(writers: &[Writer]) {
    for Writer { arguments, input, path, but, file } in writers {
        let depths: Vec<usize> = path.match_indices('/').map(|(at, _)| at).chain([path.len()]).collect();
        for depth in depths.into_iter().skip(*but) {
            let (link, is_file) = (&path[..depth], depth == path.len());
            let shell = repository();
            divert(&shell, link, is_file);
            let before = everything(&outside(&shell));
            let ended = shell.run_with(arguments, input);
            let told = format!("{arguments:?} with a link at {link}: {ended:#?}");
            assert!(everything(&outside(&shell)) == before, "written behind it: {told}");
            let there = fs::symlink_metadata(shell.folder.join(link)).unwrap();
            match file {
                File::Replaced if is_file => assert!(ended.code == 0 && there.is_file(), "{told}"),
                File::Unknown if is_file => assert!(ended.code != 0 && there.is_symlink(), "{told}"),
                _ => {
                    assert!(ended.code != 0 && there.is_symlink(), "{told}");
                    // What a link hides is not there to be changed.
                    let unknown = ended.stderr.starts_with("error: there is no connection");
                    assert!(unknown || ended.stderr.contains(&format!("`{link}` is a symbolic link")), "{told}");
                }
            }
        }
    }
}

#[test]
fn a97_what_is_added_or_moved_goes_through_no_link() {
    never_through(&[
        writer(&["add", "http", "finance/new"], "connections/finance/new.yaml", File::Refused),
        writer(&["add", "http", "new"], "connections/new.yaml", File::Refused),
        writer(&["mv", "hubspot", "finance/hubspot"], "connections/finance/hubspot.yaml", File::Refused),
        Writer {
            but: 3,
            ..writer(
                &["mv", "warehouse", "finance/warehouse"],
                "environments/prod/connections/finance/warehouse.yaml",
                File::Refused,
            )
        },
    ]);
}

#[test]
fn e03_a97_secrets_and_recipients_are_written_through_no_link() {
    const FILE: &str = "environments/prod/secrets.sops.yaml";
    never_through(&[
        writer(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], FILE, File::Refused),
        writer(&["secret", "unset", "HUBSPOT_TOKEN", "-e", "prod"], FILE, File::Unknown),
        writer(&["secret", "rotate", "HUBSPOT_TOKEN", "-e", "prod"], FILE, File::Unknown),
        writer(&["secret", "adopt", "-e", "prod", "--yes"], FILE, File::Refused),
        writer(&["sops", "rotate", "--in-place", FILE], FILE, File::Refused),
    ]);
}

#[test]
fn a97_a20_an_apply_writes_through_no_link_in_the_path_of_its_target() {
    let apply: &[&str] = &["apply", "prod", "--yes", "--reseal"];
    never_through(&[
        writer(apply, "out/dist/environments/prod/head.json", File::Refused),
        // The file's name is random; the link of the last row stands where a folder belongs.
        writer(apply, "out/dist/objects", File::Refused),
        writer(apply, "out/dist/manifests", File::Refused),
        writer(apply, "out/dist/environments/prod/.lock", File::Refused),
        writer(&["gc", "prod", "--yes"], "out/dist/objects", File::Refused),
        writer(&["rollback", "prod", "1", "--yes"], "out/dist/environments/prod/head.json", File::Refused),
    ]);
}

#[test]
fn a97_what_the_operator_names_in_the_repository_is_written_through_no_link() {
    never_through(&[
        writer(&["plan", "prod", "--out", "reports/prod.plan"], "reports/prod.plan", File::Replaced),
        writer(&["bundle", "export", "prod", "reports/a/b.tgz"], "reports/a/b.tgz", File::Replaced),
        writer(&["codeowners", "--write", ".github/CODEOWNERS"], ".github/CODEOWNERS", File::Refused),
        writer(&["keygen", "--output", "keys/age.txt"], "keys/age.txt", File::Unknown),
        writer(&["apply", "prod", "--yes", "--initial", "--target", "other/dist"], "other/dist", File::Refused),
    ]);
}

#[test]
fn a97_files_that_a_link_hides_are_not_formatted_and_the_rules_for_sops_not_written() {
    for link in ["connections/untidy.yaml", "connections", ".sops.yaml"] {
        let shell = repository();
        divert(&shell, link, true);
        let before = everything(&outside(&shell));
        shell.run(&["fmt"]);
        let (_, key) = tieline::sops::keygen();
        shell.run(&["recipients", "add", "bo", key.as_str()]);
        assert!(everything(&outside(&shell)) == before, "{link}");
        assert!(fs::symlink_metadata(shell.folder.join(link)).unwrap().is_symlink(), "{link}");
    }
    // Of a revision of the settings, the folder of an environment is one.
    let shell = repository();
    divert(&shell, "environments/prod", false);
    let before = everything(&outside(&shell));
    let (_, key) = tieline::sops::keygen();
    let ended = shell.run(&["recipients", "add", "bo", key.as_str(), "-e", "prod"]);
    assert!(ended.code != 0 && ended.stderr.contains("`environments/prod` is a symbolic link"), "{ended:?}");
    assert!(everything(&outside(&shell)) == before);
}

#[test]
fn a97_a_workspace_is_made_through_no_link_of_the_repository() {
    for (link, folder) in [("environments", "."), ("connections", "."), ("team", "team"), ("team", "team/data")] {
        let shell = Shell::new();
        assert_eq!(feed(shell.command("git").args(["init", "-q"]), "").code, 0);
        divert(&shell, link, false);
        let before = everything(&outside(&shell));
        let ended = shell.run(&["init", folder]);
        assert!(everything(&outside(&shell)) == before, "{link}: {ended:?}");
        assert!(ended.code != 0 && ended.stderr.contains(&format!("`{link}` is a symbolic link")), "{link}: {ended:?}");
    }
}

#[test]
fn a12_a13_what_stands_behind_a_link_is_taken_in_by_no_command() {
    // The operator's own file, which a committed link would have sealed, copied or printed.
    let commands: &[(&[&str], &str)] = &[
        (&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--from-file", "files/token"], "files/token"),
        (&["secret", "adopt", "files/token.yaml", "-e", "prod", "--yes"], "files/token.yaml"),
        (&["sops", "encrypt", "files/token.yaml"], "files/token.yaml"),
        (&["sops", "encrypt", "tieline.yaml"], ".sops.yaml"),
        (&["codeowners", "--write", "files/CODEOWNERS"], "files/CODEOWNERS"),
    ];
    for (arguments, path) in commands {
        for link in ["files", path] {
            if link == "files" && !path.starts_with("files/") {
                continue;
            }
            let shell = repository();
            let private = "token: kanarienvogel\n";
            match link == *path {
                true => {
                    divert(&shell, link, true);
                    fs::write(outside(&shell).join("behind"), private).unwrap();
                }
                false => {
                    divert(&shell, link, false);
                    fs::write(outside(&shell).join("behind").join(path.strip_prefix("files/").unwrap()), private)
                        .unwrap();
                }
            }
            let before = everything(&shell.folder);
            let ended = shell.run(arguments);
            assert!(ended.code != 0 && ended.stderr.contains(&format!("`{link}` is a symbolic link")), "{ended:?}");
            assert!(!ended.stdout.contains("kanarien") && !ended.stderr.contains("kanarien"), "{ended:?}");
            assert!(everything(&shell.folder) == before, "{arguments:?}");
        }
    }
}

#[test]
fn a12_a13_a_target_behind_a_link_is_read_by_no_command() {
    for link in
        ["out", "out/dist", "out/dist/environments", "out/dist/environments/prod/head.json", "out/dist/manifests"]
    {
        let shell = repository();
        divert(&shell, link, false);
        for arguments in [
            &["plan", "prod"][..],
            &["status"],
            &["verify", "prod"],
            &["history", "prod"],
            &["bundle", "export", "prod", "b.tgz"],
        ] {
            let ended = shell.run(arguments);
            let named = format!("{}{}", ended.stdout, ended.stderr);
            assert!(named.contains("is a symbolic link") && named.contains(link), "{arguments:?} {link}: {ended:?}");
            assert!(ended.code != 0, "{arguments:?} {link}: {ended:?}");
        }
    }
}

#[test]
fn a97_links_above_the_repository_and_outside_of_it_are_the_operators() {
    let shell = repository();
    let (alias, elsewhere) = (shell.everything().join("alias"), shell.everything().join("elsewhere"));
    symlink(&shell.folder, &alias).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, shell.everything().join("way")).unwrap();
    let at = |arguments: &[&str]| {
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        command.current_dir(shell.everything()).args(["-C", "alias"]).args(arguments);
        feed(&mut command, "x")
    };
    for arguments in [
        &["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"][..],
        &["plan", "prod", "--out", "way/prod.plan"],
        &["plan", "prod", "--out", "alias/prod.plan"],
        &["apply", "prod", "--yes"],
        &["apply", "prod", "--yes", "--target", "way/dist"],
        &["add", "http", "new"],
    ] {
        let Ended { code, stderr, .. } = at(arguments);
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
    }
    assert!(elsewhere.join("prod.plan").is_file() && shell.folder.join("prod.plan").is_file());
    assert!(elsewhere.join("dist/environments/prod/head.json").is_file());
}

#[test]
fn a14_no_name_that_is_typed_leads_out_of_the_workspace() {
    let shell = repository();
    let before = everything(shell.everything());
    for name in ["../x", "a/../../x", "/x", "..", "~/x", "a/./x", "a//x", "..\\x", "C:/x", ".git/x"] {
        for arguments in [
            &["add", "http", name][..],
            &["mv", "hubspot", name],
            &["secret", "set", "X", "-e", name],
            &["secret", "set", "X", "-e", "prod", "--profile", name],
            &["secret", "set", "X", "--customer", name],
            &["apply", name, "--yes"],
        ] {
            let ended = shell.run_with(arguments, "x");
            assert!(ended.code != 0, "{arguments:?}: {ended:?}");
        }
        let prod = "environments/prod/environment.yaml";
        let settings = shell.read(prod);
        shell.put(prod, &format!("target: {{path: '{name}'}}\n"));
        let ended = shell.run(&["apply", "prod", "--yes"]);
        assert!(ended.code != 0 && ended.stderr.contains("must lie in the workspace"), "{name}: {ended:?}");
        shell.put(prod, &settings);
    }
    assert!(everything(shell.everything()) == before);
    // What stands behind a link is not what its `..` leads to either.
    divert(&shell, "reports", false);
    let before = everything(&outside(&shell));
    shell.ok(&["plan", "prod", "--out", "reports/../prod.plan"]);
    shell.ok(&["plan", "prod", "--out", "reports/../../prod.plan"]);
    shell.ok(&["apply", "prod", "--yes", "--target", "reports/../../dist"]);
    assert!(everything(&outside(&shell)) == before);
    let above = shell.folder.parent().unwrap();
    assert!(shell.folder.join("prod.plan").is_file() && above.join("prod.plan").is_file());
    assert!(above.join("dist/objects").is_dir() && !shell.everything().join("prod.plan").exists());
}

#[test]
fn a20_a_link_in_the_view_of_a_target_is_taken_away_and_not_followed() {
    for link in ["current", "current/connections", "current/connections/hubspot.yaml"] {
        let shell = repository();
        let path = format!("out/dist/environments/prod/{link}");
        divert(&shell, &path, link.ends_with("yaml"));
        let before = everything(&outside(&shell));
        shell.ok(&["apply", "prod", "--yes", "--reseal"]);
        assert!(everything(&outside(&shell)) == before, "{link}");
        assert!(!fs::symlink_metadata(shell.folder.join(&path)).unwrap().is_symlink(), "{link}");
        shell.ok(&["verify", "prod"]);
    }
}

#[test]
fn a18_a20_pipes_hard_links_and_names_that_are_taken_are_replaced_or_refused_and_never_written_to() {
    let shell = repository();
    let mkfifo = |path: &str| assert!(Command::new("mkfifo").arg(shell.folder.join(path)).status().unwrap().success());
    let canary = shell.everything().join("canary");
    // A pipe where a file is to be written takes no part of it, and nobody waits for its reader.
    mkfifo("prod.plan");
    shell.ok(&["plan", "prod", "--out", "prod.plan"]);
    assert!(fs::symlink_metadata(shell.folder.join("prod.plan")).unwrap().is_file());
    // The other name of a hard link keeps what it has.
    fs::write(&canary, UNTIDY).unwrap();
    fs::remove_file(shell.folder.join("connections/untidy.yaml")).unwrap();
    fs::hard_link(&canary, shell.folder.join("connections/untidy.yaml")).unwrap();
    shell.ok(&["fmt"]);
    assert_ne!(shell.read("connections/untidy.yaml"), UNTIDY);
    assert_eq!(fs::read_to_string(&canary).unwrap(), UNTIDY);
    // Pipes in a target are refused.
    for path in ["out/dist/environments/prod/.lock", "out/dist/environments/prod/head.json"] {
        let whole = shell.folder.join(path);
        let kept = fs::read(&whole).unwrap();
        fs::remove_file(&whole).unwrap();
        mkfifo(path);
        let start = Instant::now();
        let ended = shell.run(&["apply", "prod", "--yes", "--reseal"]);
        assert!(ended.code != 0 && start.elapsed() < Duration::from_secs(60), "{path}: {ended:?}");
        fs::remove_file(&whole).unwrap();
        fs::write(&whole, kept).unwrap();
    }
    shell.ok(&["apply", "prod", "--yes"]);
}
