//! `tieline init`

use std::collections::BTreeSet;
use std::fs;

use tieline::sops::keygen;

use crate::shell::{Ended, Shell};
use crate::support::{files, root};

/// What `init` says the secrets are sealed to.
fn recipient(ended: &Ended) -> String {
    let line = ended.stderr.lines().find_map(|l| l.strip_prefix("secrets are sealed to ")).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

#[test]
fn init_gives_the_quickstart_example_but_for_what_is_its_own() {
    let shell = Shell::new();
    let ended = shell.ok(&["init", "acme"]);
    assert_eq!(ended.stdout, "");
    let example = root().join("examples/quickstart");
    let made = shell.folder.join("acme");
    let expected: BTreeSet<String> =
        files(&example).into_iter().filter(|path| path != "demo-identity.txt" && !path.starts_with("dist/")).collect();
    assert_eq!(files(&made).into_iter().collect::<BTreeSet<_>>(), expected);
    let own = |line: &str| ["id: ", "name: ", "  me: "].iter().any(|key| line.starts_with(key));
    for path in expected.iter().filter(|path| !path.ends_with("secrets.sops.yaml")) {
        let (ours, theirs) = (fs::read_to_string(made.join(path)), fs::read_to_string(example.join(path)));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!(ours.lines().count(), theirs.lines().count(), "{path}");
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            if path == ".sops.yaml" && theirs.contains("- age1") {
                assert_ne!(ours, theirs, "{path}");
            } else if path == "tieline.yaml" && own(theirs) {
                assert_ne!(ours, theirs, "{path}");
                assert_eq!(ours.split(':').next(), theirs.split(':').next(), "{path}");
            } else {
                assert_eq!(ours, theirs, "{path}");
            }
        }
    }
    let settings = fs::read_to_string(made.join("tieline.yaml")).unwrap();
    assert!(settings.contains("name: 'acme'\n") && settings.contains(&recipient(&ended)), "{settings}");
}

#[test]
fn a_new_workspace_validates_and_applies_with_the_new_identity() {
    let mut shell = Shell::new();
    shell.ok(&["init", "acme"]);
    shell.folder.push("acme");
    assert_eq!(shell.ok(&["validate"]).stdout, "2 connections, 2 environments: no problems\n");
    for environment in ["dev", "prod"] {
        shell.ok(&["apply", environment, "--yes"]);
        let told = shell.ok(&["verify", environment]).stdout;
        assert!(told.contains("2 objects, 2 opened and their MACs checked: all as they should be"), "{told}");
    }
}

#[test]
fn two_new_workspaces_have_different_ids() {
    let shell = Shell::new();
    shell.ok(&["init", "a"]);
    shell.ok(&["init", "b"]);
    let id = |name: &str| shell.read(&format!("{name}/tieline.yaml")).lines().nth(1).unwrap().to_owned();
    assert!(id("a").starts_with("id: "));
    assert_ne!(id("a"), id("b"));
}

#[test]
fn the_new_identity_lies_outside_of_the_workspace_and_is_the_owners_alone() {
    let shell = Shell::new();
    let ended = shell.ok(&["init"]);
    let keys = shell.keys();
    let text = fs::read_to_string(&keys).unwrap();
    assert!(text.contains(&format!("# public key: {}\n", recipient(&ended))), "the file names its public key");
    let identity = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    assert!(!keys.starts_with(&shell.folder));
    for path in files(&shell.folder) {
        assert!(!shell.read(&path).contains("AGE-SECRET-KEY"), "{path}");
    }
    assert!(!ended.stderr.contains(identity) && ended.stderr.contains(keys.to_str().unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn init_reuses_an_identity_that_is_there() {
    let (identity, public) = keygen();
    let text = format!("# mine\n{}\n", identity.expose());
    let by_variable = Shell::new().with("SOPS_AGE_KEY", identity.expose());
    let by_name = Shell::new();
    let file = by_name.home().join("mine.txt");
    fs::write(&file, &text).unwrap();
    let by_name = by_name.with("SOPS_AGE_KEY_FILE", file.to_str().unwrap());
    let by_place = Shell::new();
    fs::create_dir_all(by_place.keys().parent().unwrap()).unwrap();
    fs::write(by_place.keys(), &text).unwrap();
    for (shell, kept) in [(by_variable, None), (by_name, None), (by_place, Some(text))] {
        let ended = shell.ok(&["init"]);
        assert_eq!(recipient(&ended), public.as_str(), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(shell.keys()).ok(), kept, "no identity is made or changed");
        shell.ok(&["apply", "prod", "--yes"]);
    }
}

#[test]
fn init_overwrites_nothing_and_writes_nothing_if_something_is_there() {
    for taken in ["tieline.yaml", "connections/hubspot.yaml", "environments/prod/secrets.sops.yaml"] {
        let shell = Shell::new();
        let path = shell.folder.join(taken);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine\n").unwrap();
        let ended = shell.run(&["init"]);
        assert_eq!(ended.code, 1, "{ended:#?}");
        assert!(ended.stderr.contains(taken) && ended.stderr.contains("nothing was written"), "{}", ended.stderr);
        assert_eq!((files(&shell.folder), shell.read(taken)), (vec![taken.to_owned()], "mine\n".to_owned()));
        assert!(!shell.keys().exists(), "no identity is made either");
    }
}

#[test]
fn init_keeps_what_a_repository_has_already() {
    let shell = Shell::new();
    shell.put(".gitignore", "target/\n");
    shell.put("README.md", "# Ours\n");
    let ended = shell.ok(&["init"]);
    assert_eq!((shell.read(".gitignore"), shell.read("README.md")), ("target/\n".into(), "# Ours\n".into()));
    assert!(ended.stderr.contains("add `dist/` to it"), "{}", ended.stderr);
    shell.ok(&["validate"]);
}

#[test]
fn init_says_where_an_identity_could_be_if_there_is_no_home() {
    let shell = Shell::new();
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    let ended = crate::shell::feed(command.arg("init").env_remove("HOME").env_remove("XDG_CONFIG_HOME"), "");
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains("SOPS_AGE_KEY_FILE"), "{}", ended.stderr);
    assert!(files(&shell.folder).is_empty());
}
