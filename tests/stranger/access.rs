//! Access that is handed out without a word, and files of ours that others on the machine can write to.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::secrets::{PROD, edit, identity, quickstart, set};
use crate::shell::{Ended, Shell, feed};

/// Runs tieline under an umask that forbids nothing.
fn open_handed(shell: &Shell, arguments: &[&str], input: &str) -> Ended {
    let mut command = shell.command("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tieline")]).args(arguments);
    let ended = feed(&mut command, input);
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended
}

/// What somebody else may do with anything below a folder.
fn open_to_others(folder: &Path) -> Vec<String> {
    let all = walkdir::WalkDir::new(folder).min_depth(1).into_iter().map(Result::unwrap);
    let mode = |entry: &walkdir::DirEntry| entry.metadata().unwrap().permissions().mode() & 0o777;
    all.filter(|entry| mode(entry) & 0o077 != 0)
        .map(|entry| format!("{:o} {}", mode(&entry), entry.path().display()))
        .collect()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn e17_what_is_made_in_a_home_is_the_owners_whatever_the_umask() {
    let shell = Shell::new();
    open_handed(&shell, &["init", "acme"], "");
    open_handed(&shell, &["-C", "acme", "secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "kelp");
    open_handed(&shell, &["-C", "acme", "apply", "dev", "--yes"], "");
    open_handed(&shell, &["keygen", "--output", "../home/.other/deep/key.txt"], "");
    let state = shell.home().join(".local/state/tieline");
    assert!(state.join("serials").is_dir() && state.join("accepted").is_dir());
    assert_eq!(open_to_others(&shell.home()), [""; 0]);
    assert_eq!(open_to_others(&shell.folder.join("acme/dist")), [""; 0]);
    let own = Shell::new();
    open_handed(&own, &["keygen"], "");
    assert_eq!(open_to_others(&own.home()), [""; 0]);
}

/// Those that an earlier release left open are closed before they are believed.
#[test]
fn e17_folders_and_files_that_are_open_to_others_are_closed() {
    let shell = Shell::new();
    shell.ok(&["init", "acme"]);
    shell.ok(&["-C", "acme", "apply", "dev", "--yes"]);
    let state = shell.home().join(".local/state/tieline");
    for entry in walkdir::WalkDir::new(&state) {
        let entry = entry.unwrap();
        chmod(entry.path(), if entry.file_type().is_dir() { 0o777 } else { 0o666 });
    }
    shell.ok(&["-C", "acme", "status"]);
    shell.ok(&["-C", "acme", "apply", "dev", "--yes"]);
    assert_eq!(open_to_others(&state.join("serials")), [""; 0]);
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    let ended = shell.run_with(&["-C", "acme", "secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "kelp");
    assert!(ended.code == 0 && !ended.stderr.contains("data key"), "it is remembered all the same: {ended:#?}");
    // A new identity goes into a file that holds others, or none.
    let shell = Shell::new();
    let keys = shell.keys();
    fs::create_dir_all(keys.parent().unwrap()).unwrap();
    chmod(keys.parent().unwrap(), 0o777);
    fs::write(&keys, "# none yet\n").unwrap();
    chmod(&keys, 0o644);
    shell.ok(&["init", "acme"]);
    assert!(fs::read_to_string(&keys).unwrap().contains("AGE-SECRET-KEY-"));
    assert_eq!(open_to_others(keys.parent().unwrap().parent().unwrap()), [""; 0]);
}

/// What was sealed is readable for all; what it holds is not.
#[test]
fn e17_a_file_that_is_decrypted_in_place_is_the_owners() {
    let shell = quickstart();
    let file = shell.folder.join(PROD);
    chmod(&file, 0o666);
    shell.ok(&["sops", "decrypt", "-i", PROD]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn e17_updatekeys_names_who_gains_and_who_loses_access_and_asks() {
    let shell = quickstart();
    let (ben, eve) = (identity(&shell, "../ben.txt"), identity(&shell, "../eve.txt"));
    shell.ok(&["recipients", "add", "ben", &ben]);
    let before = shell.read(PROD);
    let me = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";
    let to = format!("{me},{eve}");
    let asked = shell.run(&["sops", "updatekeys", PROD, "--age", &to]);
    assert_eq!((asked.code, shell.read(PROD)), (64, before));
    assert!(asked.stderr.contains("`--yes`"), "{asked:#?}");
    for ended in [asked, shell.ok(&["sops", "updatekeys", PROD, "-y", "--age", &to])] {
        assert!(ended.stderr.contains(&format!("`{eve}` can decrypt {PROD}\n")), "{ended:#?}");
        assert!(ended.stderr.contains(&format!("`ben ({ben})` can no longer decrypt {PROD}\n")), "{ended:#?}");
    }
}

/// A list that a branch changed, and the files as they were: the next command that seals them says whom else it lets in.
#[test]
fn e17_nobody_gains_access_without_being_named() {
    let shell = quickstart();
    let (ben, eve) = (identity(&shell, "../ben.txt"), identity(&shell, "../eve.txt"));
    edit(&shell, "tieline.yaml", "recipients: [me]", "recipients: [me, eve]");
    edit(&shell, "tieline.yaml", "keys:\n", &format!("keys:\n  eve: {eve}\n"));
    let before = (shell.read("tieline.yaml"), shell.read(PROD));
    let add = ["recipients", "add", "ben", &ben];
    let asked = shell.run(&add);
    assert_eq!((asked.code, (shell.read("tieline.yaml"), shell.read(PROD))), (64, before));
    assert!(asked.stderr.contains("`eve` would gain access too"), "{asked:#?}");
    let ended = set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
    assert!(ended.stderr.contains(&format!("`eve` can decrypt {PROD}\n")), "{ended:#?}");
    let meant = shell.ok(&[&add[..], &["--yes"]].concat());
    assert!(meant.stderr.contains(&format!("`ben` can decrypt {PROD}\n")), "{meant:#?}");
    edit(&shell, "tieline.yaml", ", eve", "");
    let asked = shell.run(&["recipients", "remove", "ben"]);
    assert!(asked.code == 64 && asked.stderr.contains("`eve` would lose access too"), "{asked:#?}");
}

/// Recipients and rules that the repository chooses: they are said.
#[test]
fn e17_what_a_repository_chooses_for_a_file_is_said() {
    let shell = quickstart();
    let eve = identity(&shell, "../eve.txt");
    shell.put(".sops.yaml", &format!("creation_rules:\n  - age: {eve}\n"));
    shell.put("a.yaml", "a: kelp\nlist: [{password: x}]\n");
    let ended = shell.ok(&["sops", "encrypt", "a.yaml"]);
    assert_eq!(ended.stderr, format!("a.yaml is sealed to `{eve}`\n"));
    let me = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", me, "--unencrypted-regex", "^(NEW|password)$"]);
    let put = |path: &str| shell.run_with(&["sops", "set", "a.yaml", path], "\"sand\"").stderr;
    assert_eq!(put("[\"a\"]"), "");
    assert_eq!(put("[\"NEW\"]"), "a.yaml: the file's rule leaves [\"NEW\"] in clear\n");
    assert!(put("[\"list\"][0][\"password\"]").ends_with("in clear\n"));
    // The first secret of a layer makes its file.
    fs::remove_file(shell.folder.join(PROD)).unwrap();
    let ended = set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
    assert!(ended.stderr.contains(&format!("`me` can decrypt {PROD}\n")), "{ended:#?}");
}
