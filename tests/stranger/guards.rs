//! Guards, protection and targets that the branch which needs them gone takes away.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tieline::bundle::{Digest, Head, Manifest};

use crate::peers::Server;
use crate::secrets::commit;
use crate::shell::{Ended, Shell, copy, tree};

const SETTINGS: &str = "environments/prod/environment.yaml";

fn path(n: usize) -> String {
    format!("connections/c{n}.yaml")
}

/// A workspace in Git with eight connections, six of them without a secret, applied with these settings.
pub(super) fn applied(settings: &str) -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    for n in 0..6 {
        let text = format!("connector: http\nconfig: {{base_url: 'https://c{n}.example.com'}}\nauth: {{mode: none}}\n");
        shell.put(&path(n), &text);
    }
    shell.put(".gitignore", "dist\nout\n*.txt\n");
    let kept = shell.read(SETTINGS);
    shell.put(SETTINGS, &format!("{kept}{settings}"));
    commit(&shell, "main");
    let initial: &[&str] = if settings.contains("protected: true") { &["--initial"] } else { &[] };
    shell.ok(&[&["apply", "prod", "--yes"], initial].concat());
    shell
}

/// Another settings file, by its lines: without those that begin with a word, and with others.
pub(super) fn set(shell: &Shell, without: &[&str], with: &str) {
    let text = shell.read(SETTINGS);
    let kept = text.lines().filter(|line| !without.iter().any(|word| line.starts_with(word)));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    shell.put(SETTINGS, &format!("{kept}{with}"));
}

fn delete(shell: &Shell, numbers: std::ops::Range<usize>) {
    numbers.for_each(|n| fs::remove_file(shell.folder.join(path(n))).unwrap());
}

/// A machine without a memory.
pub(super) fn ci(shell: &Shell) -> Shell {
    shell.again().with("SOPS_AGE_KEY_FILE", shell.folder.join("demo-identity.txt").to_str().unwrap())
}

/// A machine with the memory that this one has now.
pub(super) fn operator(shell: &Shell) -> Shell {
    let other = ci(shell);
    let (state, mine) = (other.everything().join("state"), shell.home().join(".local/state"));
    copy(&mine, &state);
    other.with("XDG_STATE_HOME", state.to_str().unwrap())
}

fn refused(shell: &Shell, more: &[&str], words: &str) -> Ended {
    let before = (tree(&shell.folder.join("dist")), shell.folder.join("out").exists());
    let ended = shell.run(&[&["apply", "prod", "--yes"], more].concat());
    assert_eq!(ended.code, 4, "{more:?}: {ended:?}");
    assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    assert!(before == (tree(&shell.folder.join("dist")), shell.folder.join("out").exists()));
    ended
}

#[test]
fn a109_one_pull_request_can_not_lift_protection_move_the_target_and_delete() {
    let shell = applied("protected: true\n");
    set(&shell, &["protected"], "target: {path: out}\n");
    delete(&shell, 0..6);
    // In the work tree; and committed, for a machine with a memory, for one that has only Git, for one that has no Git.
    for stage in 0..3 {
        match stage {
            0 => {}
            1 => commit(&shell, "a pull request, merged"),
            _ => fs::rename(shell.folder.join(".git"), shell.everything().join("git")).unwrap(),
        }
        for shell in [operator(&shell), ci(&shell)].into_iter().take(if stage < 2 { 2 } else { 1 }) {
            for more in [&[][..], &["--initial"], &["--initial", "--allow-delete", "6"], &["--allow-delete", "6"]] {
                refused(
                    &shell,
                    more,
                    "it lifts `protected` and moves the target; lift `protected` in an apply of its own",
                );
            }
            refused(&shell, &["--initial"], "6 of 8 deployed connections would be deleted");
            let plan = shell.ok(&["plan", "prod"]).stdout;
            let dist = shell.folder.join("dist").display().to_string();
            assert!(
                plan.contains(&format!("it was deployed at {dist} (serial 1, 8 connections); this plan")),
                "{plan}"
            );
            assert!(
                plan.contains("6 connections of what is deployed there are not in this plan: c0, c1, c2"),
                "{plan}"
            );
            assert!(
                plan.contains("protected: true -> false") && plan.contains("target.path: \"dist\" -> \"out\""),
                "{plan}"
            );
            let markdown = shell.ok(&["plan", "prod", "--format", "markdown"]).stdout;
            assert!(markdown.contains("Target moved") && markdown.contains("(serial 1, 8 connections)"), "{markdown}");
            let json: Value = serde_json::from_str(&shell.ok(&["plan", "prod", "--format", "json"]).stdout).unwrap();
            assert_eq!(json["moved_from"][0]["serial"], 1, "{json}");
            assert_eq!(json["moved_from"][0]["missing"].as_array().unwrap().len(), 6, "{json}");
            let changed =
                |path: &str| json["trust_changes"].as_array().unwrap().iter().any(|leaf| leaf["path"] == path);
            assert!(changed("/protected") && changed("/target/path"), "{json}");
        }
    }
    // What only looks says where it was.
    for command in [&["verify", "prod"][..], &["history", "prod"], &["rollback", "prod"], &["gc", "prod"]] {
        let ended = shell.run(command);
        assert!(ended.code == 1 && ended.stderr.contains("`prod` was deployed at"), "{ended:?}");
    }
    assert!(shell.ok(&["status"]).stderr.contains("prod: was deployed at"));
}

#[test]
fn a109_what_guards_is_lifted_by_an_apply_of_its_own() {
    for (guards, lifted, word) in [
        ("protected: true\n", "", "protected"),
        ("guards: {max_delete_count: 0}\n", "", "guards"),
        ("guards: {max_delete_count: 0}\n", "guards: {max_delete_count: 5}\n", "guards"),
        ("guards: {max_delete_count: 0, max_delete_percent: 1}\n", "guards: {max_delete_count: 0}\n", "guards"),
        ("guards: {max_delete_percent: 1}\n", "guards: {max_delete_percent: 99}\n", "guards"),
        // A protected environment without limits allows none.
        ("protected: true\n", "protected: true\nguards: {max_delete_count: 5}\n", "guards"),
    ] {
        let shell = applied(guards);
        delete(&shell, 0..1);
        set(&shell, &["protected", "guards"], lifted);
        let words = format!("it lifts `{word}`, and 1 of 8 deployed connections would be deleted");
        refused(&shell, &["--allow-delete", "1"], &words);
        refused(&shell, &[], &words);
        assert!(shell.ok(&["plan", "prod"]).stdout.contains(&words));
        let against = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
        assert!(against.contains(&words) && against.contains("trust changes"), "{against}");
        // First the one, then the other.
        shell.put(&path(0), "connector: http\nconfig: {base_url: 'https://c0.example.com'}\nauth: {mode: none}\n");
        shell.ok(&["apply", "prod", "--yes"]);
        delete(&shell, 0..1);
        shell.ok(&["apply", "prod", "--yes", "--allow-delete", "1"]);
    }
}

#[test]
fn a109_a_rollback_lifts_nothing() {
    let shell = applied("");
    let http = |protect: &str| {
        format!("{protect}{}", "connector: http\nconfig: {base_url: 'https://c9.example.com'}\nauth: {mode: none}\n")
    };
    shell.put(&path(9), &http(""));
    shell.ok(&["apply", "prod", "--yes"]);
    set(&shell, &[], "protected: true\nguards: {max_delete_percent: 5}\n");
    shell.put(&path(9), &http("protect: true\n"));
    shell.ok(&["apply", "prod", "--yes"]);
    // Back to before it was protected: it stays so.
    let back = shell.ok(&["rollback", "prod", "--yes"]);
    assert!(back.stderr.contains("kept as it is in force") && back.stderr.contains("`protect` of `c9`"), "{back:?}");
    assert!(back.stderr.contains("nothing to do"), "all that was changed is kept: {back:?}");
    let text = shell.read("connections/warehouse.yaml");
    shell.put("connections/warehouse.yaml", &text.replace("port: 5432", "port: 5433"));
    shell.ok(&["apply", "prod", "--yes"]);
    let back = shell.ok(&["rollback", "prod", "2", "--yes"]);
    assert!(back.stderr.contains("applied serial 5"), "{back:?}");
    shell.ok(&["verify", "prod"]);
    set(&shell, &["protected", "guards"], "");
    shell.put(&path(9), &http(""));
    delete(&shell, 0..1);
    refused(&shell, &["--allow-delete", "1"], "it lifts `protected` and `guards`, and 1 of 9");
    shell.put(&path(0), &http("").replace("c9", "c0"));
    delete(&shell, 9..10);
    refused(&shell, &["--allow-delete", "1"], "`c9`: it is protected and would be deleted");
    // A rollback deletes as little as an apply.
    let refused = shell.run(&["rollback", "prod", "1", "--yes"]);
    assert_eq!(refused.code, 4, "{refused:?}");
}

#[test]
fn a109_a_target_moves_by_a_word_and_with_what_was_there_named() {
    let shell = applied("protected: true\n");
    set(&shell, &[], "target: {path: out}\n");
    commit(&shell, "moved");
    for shell in [ci(&shell), operator(&shell)] {
        let words = "`prod` is protected, and nothing is deployed at";
        let ended = refused(&shell, &[], words);
        assert!(ended.stderr.contains("if that is the right target: `tieline apply prod --initial`"), "{ended:?}");
    }
    let moved = shell.ok(&["apply", "prod", "--yes", "--initial"]);
    assert!(moved.stdout.contains("(serial 1, 8 connections); this plan deploys to"), "{moved:?}");
    assert!(moved.stderr.contains("applied serial 1"), "{moved:?}");
    // From then on the new one is what is deployed.
    let again = shell.ok(&["apply", "prod", "--yes"]);
    assert!(again.stderr.contains("nothing to do") && !again.stdout.contains("was deployed"), "{again:?}");
    shell.ok(&["verify", "prod"]);
}

#[test]
fn a109_a_folder_that_nothing_protects_moves_within_the_workspace() {
    let shell = applied("");
    set(&shell, &[], "target: {path: out}\n");
    let told = shell.ok(&["apply", "prod", "--yes"]);
    assert!(told.stdout.contains("(serial 1, 8 connections); this plan deploys to"), "{told:?}");
    // But not without what was there, nor by leaving its protected connections behind.
    let shell = applied("");
    shell.put(&path(0), &format!("protect: true\n{}", shell.read(&path(0))));
    shell.ok(&["apply", "prod", "--yes"]);
    set(&shell, &[], "target: {path: out}\n");
    delete(&shell, 1..6);
    refused(&shell, &[], "5 of 8 deployed connections would be deleted");
    refused(&shell, &["--allow-delete", "4"], "5 of what was deployed at");
    delete(&shell, 0..1);
    refused(&shell, &["--allow-delete", "6"], "`c0`: it is protected and would be deleted");
}

#[test]
fn a109_a_secret_that_is_sent_elsewhere_shows_although_the_target_moves() {
    let shell = applied("");
    set(&shell, &[], "target: {path: out}\n");
    let text = shell.read("connections/warehouse.yaml");
    shell.put("connections/warehouse.yaml", &text.replace("port: 5432", "port: 5433"));
    commit(&shell, "moved");
    for shell in [ci(&shell), operator(&shell)] {
        let plan = shell.ok(&["plan", "prod"]).stdout;
        assert!(plan.contains("credential re-targeted") && plan.contains("config.port: 5432 -> 5433"), "{plan}");
    }
}

#[test]
fn a109_a_target_that_was_prepared_is_not_taken_for_the_old_one() {
    let shell = applied("protected: true\n");
    // Somebody's own run of the same workspace, unprotected and without connections to delete.
    let attacker = Shell::example("quickstart").with_demo_identity();
    attacker.ok(&["apply", "prod", "--yes"]);
    copy(&attacker.folder.join("dist").join(""), &shell.folder.join("out"));
    set(&shell, &["protected"], "target: {path: out}\n");
    delete(&shell, 0..6);
    commit(&shell, "a pull request, merged");
    for shell in [ci(&shell), operator(&shell)] {
        for command in [&["plan", "prod"][..], &["apply", "prod", "--yes"], &["verify", "prod"], &["status"]] {
            let ended = shell.run(command);
            assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
            assert!(ended.stderr.contains("lineage"), "{ended:?}");
        }
    }
}

/// The manifest that is in force in a target.
pub(super) fn in_force(target: &Path) -> Manifest {
    let head: Value = serde_json::from_slice(&fs::read(target.join("environments/prod/head.json")).unwrap()).unwrap();
    let hex = head["manifest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    Manifest::parse(&fs::read(target.join(format!("manifests/{hex}.json"))).unwrap()).unwrap()
}

/// Puts a manifest in force that nobody applied: whoever writes a folder can.
pub(super) fn forge(target: &Path, manifest: &Manifest) {
    let bytes = manifest.bytes().unwrap();
    let head = Head { manifest: Digest::of(&bytes), serial: manifest.serial };
    fs::write(target.join(format!("manifests/{}.json", head.manifest.hex())), &bytes).unwrap();
    fs::write(target.join("environments/prod/head.json"), head.bytes().unwrap()).unwrap();
}

/// A protected environment, a branch that sends it to `out` without its protection and connections, and what the branch
/// would have deployed there already.
fn moved_to_a_made_up_target() -> (Shell, Manifest, Manifest) {
    let shell = applied("protected: true\n");
    let old = in_force(&shell.folder.join("dist"));
    set(&shell, &["protected"], "target: {path: out}\n");
    delete(&shell, 0..6);
    commit(&shell, "a pull request, merged");
    let attacker = Shell::example("quickstart").with_demo_identity();
    set(&attacker, &[], "target: {path: out}\n");
    attacker.ok(&["apply", "prod", "--yes"]);
    let theirs = in_force(&attacker.folder.join("out"));
    copy(&attacker.folder.join("out"), &shell.folder.join("out"));
    (shell, old, theirs)
}

#[test]
fn a109_a_forged_head_of_the_same_lineage_is_not_the_old_target() {
    let (shell, old, theirs) = moved_to_a_made_up_target();
    let out = shell.folder.join("out");
    // Lineage and serial are what `history` and every plan say.
    for serial in [old.serial, old.serial + 7] {
        let previous = (serial > 1).then(|| Digest::of(b"whatever"));
        forge(&out, &Manifest { lineage: old.lineage.clone(), serial, previous, ..theirs.clone() });
        let before = tree(&out);
        for shell in [ci(&shell), operator(&shell)] {
            for command in [
                &["plan", "prod"][..],
                &["apply", "prod", "--yes"],
                &["apply", "prod", "--yes", "--initial"],
                &["apply", "prod", "--yes", "--lineage", &old.lineage],
                &["verify", "prod", "--lineage", &old.lineage],
                &["verify", "prod"],
                &["rollback", "prod", "--yes"],
                &["status"],
            ] {
                let ended = shell.run(command);
                assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
                assert!(ended.stderr.contains("which is not what was deployed there, nor follows it"), "{ended:?}");
            }
        }
        assert!(before == tree(&out));
    }
}

#[test]
fn a109_a_head_that_says_what_it_follows_is_held_against_the_old_target() {
    let (shell, old, theirs) = moved_to_a_made_up_target();
    let out = shell.folder.join("out");
    // The digest of what is deployed is no secret either.
    let previous = Some(Digest::of(&old.bytes().unwrap()));
    forge(&out, &Manifest { lineage: old.lineage.clone(), serial: old.serial + 1, previous, ..theirs });
    for shell in [ci(&shell), operator(&shell)] {
        for _ in 0..2 {
            let plan = shell.ok(&["plan", "prod"]).stdout;
            assert!(plan.contains("(serial 1, 8 connections); this plan deploys to"), "{plan}");
            assert!(plan.contains("6 connections of what is deployed there are not in this plan"), "{plan}");
            assert!(plan.contains("protected: true -> false"), "{plan}");
            assert!(plan.contains("it lifts `protected` and moves the target"), "{plan}");
        }
        for more in [&[][..], &["--allow-delete", "6"], &["--lineage", &old.lineage]] {
            let before = tree(&out);
            let ended = shell.run(&[&["apply", "prod", "--yes"], more].concat());
            assert_eq!(ended.code, 4, "{more:?}: {ended:?}");
            assert!(ended.stderr.contains("it lifts `protected` and moves the target"), "{ended:?}");
            assert!(before == tree(&out));
        }
    }
}

#[test]
fn a109_a_target_that_was_copied_goes_on() {
    for with_memory in [false, true] {
        let shell = applied("protected: true\n");
        copy(&shell.folder.join("dist"), &shell.folder.join("out"));
        set(&shell, &[], "target: {path: out}\n");
        commit(&shell, "moved");
        let shell = if with_memory { operator(&shell) } else { ci(&shell) };
        // As often as it is planned, until it is applied.
        for _ in 0..2 {
            let plan = shell.ok(&["plan", "prod"]).stdout;
            assert!(plan.contains("(serial 1, 8 connections); this plan deploys to"), "{plan}");
        }
        let moved = shell.ok(&["apply", "prod", "--yes"]);
        assert!(moved.stdout.contains("this plan deploys to"), "{moved:?}");
        assert!(moved.stderr.contains("applied serial 2"), "{moved:?}");
        let again = shell.ok(&["apply", "prod", "--yes"]);
        assert!(again.stderr.contains("nothing to do") && !again.stdout.contains("this plan deploys to"), "{again:?}");
        shell.ok(&["verify", "prod"]);
        // Another machine that saw the old one alone goes on as well.
        let told = ci(&shell).ok(&["verify", "prod"]).stderr;
        assert!(told.contains("no apply on this machine settled that"), "{told}");
        // What leads out of here wants a word.
        let export = ["bundle", "export", "prod", "../b.tgz"];
        let ended = ci(&shell).run(&export);
        assert!(ended.code == 4 && ended.stderr.contains("`--accept-serial 2` settles it"), "{ended:?}");
        ci(&shell).ok(&[&export[..], &["--accept-serial", "2"]].concat());
    }
}

#[test]
fn a109_another_id_and_another_target_are_no_clean_slate() {
    let shell = applied("protected: true\n");
    let text = shell.read("tieline.yaml");
    let at = text.find("id: ").unwrap() + 4;
    shell.put("tieline.yaml", &format!("{}11111111-dce2-4a90-ae69-ae44cb0c8e84{}", &text[..at], &text[at + 36..]));
    // The files are tied to the workspace: an attacker would seal their own.
    set(&shell, &["protected"], "target: {path: out}\n");
    commit(&shell, "a pull request, merged");
    for shell in [ci(&shell), operator(&shell)] {
        let plan = shell.ok(&["plan", "prod"]).stdout;
        assert!(plan.contains("it lifts `protected` and moves the target"), "{plan}");
        refused(&shell, &["--initial"], "it lifts `protected` and moves the target");
    }
}

#[test]
fn a109_what_is_exposed_is_guarded_as_its_environment_is() {
    let shell = applied("protected: true\n");
    shell.put(&path(0), &format!("expose: [partner]\n{}", shell.read(&path(0))));
    commit(&shell, "more heads");
    let first = shell.run(&["apply", "prod", "--expose", "partner", "--yes"]);
    assert!(first.code == 4 && first.stderr.contains("`prod@partner` is protected"), "{first:?}");
    shell.ok(&["apply", "prod", "--expose", "partner", "--yes", "--initial"]);
    set(&shell, &["protected"], "target: {path: out}\n");
    let moved = shell.run(&["apply", "prod", "--expose", "partner", "--yes", "--initial"]);
    assert!(moved.code == 4 && moved.stderr.contains("it lifts `protected` and moves the target"), "{moved:?}");
}

#[test]
fn a109_without_a_memory_or_a_history_the_first_apply_to_a_bucket_needs_a_word() {
    let Some(server) = Server::start("s3.py", &[]) else { return };
    let remote = |shell: Shell| {
        let shell = shell.with("AWS_ENDPOINT_URL", &server.address).with("AWS_ALLOW_HTTP", "true");
        let shell = shell.with("AWS_ACCESS_KEY_ID", "testing").with("AWS_SECRET_ACCESS_KEY", "testing");
        shell.with("AWS_DEFAULT_REGION", "us-east-1")
    };
    let shell = remote(Shell::example("quickstart").with_demo_identity());
    set(&shell, &[], "target: {kind: object-store, url: 's3://deployments/prod'}\n");
    for _ in 0..2 {
        let first = shell.run(&["apply", "prod", "--yes"]);
        assert!(
            first.code == 4 && first.stderr.contains("there is nobody to ask whether that is the right"),
            "{first:?}"
        );
    }
    let begun = shell.ok(&["apply", "prod", "--yes", "--initial"]);
    assert!(begun.stderr.contains("a history begins: lineage "), "{begun:?}");
    // Each machine that sees it first is told what it trusts, and may pin it.
    let plan = remote(ci(&shell)).ok(&["plan", "prod"]);
    assert!(
        plan.stderr.contains("warning: no earlier deployment of `prod` at s3://deployments/prod was seen"),
        "{plan:?}"
    );
    let lineage = plan.stderr.split("--lineage ").nth(1).unwrap().split('`').next().unwrap().to_owned();
    assert_eq!(remote(ci(&shell)).ok(&["plan", "prod", "--lineage", &lineage]).stderr, "");
    // It moves on, unprotected as it is: what was there is named, and the word is asked for again.
    commit(&shell, "main");
    set(&shell, &["target"], "target: {kind: object-store, url: 's3://deployments/evil'}\n");
    commit(&shell, "a pull request, merged");
    for shell in [remote(ci(&shell)), remote(operator(&shell))] {
        let moved = shell.run(&["apply", "prod", "--yes"]);
        assert_eq!(moved.code, 4, "{moved:?}");
        let words =
            "`prod` was deployed at s3://deployments/prod (serial 1, 2 connections), and nothing is deployed at";
        assert!(moved.stderr.contains(words), "{moved:?}");
    }
    // The old one out of reach: still named, and asked about.
    set(&shell, &["target"], "target: {path: out}\n");
    commit(&shell, "another, merged");
    let ended = ci(&shell).with("AWS_ENDPOINT_URL", "http://127.0.0.1:1").with("AWS_ALLOW_HTTP", "true");
    let ended = ended.run(&["apply", "prod", "--yes"]);
    assert!(ended.code == 4 && ended.stderr.contains("can't be read"), "{ended:?}");
}

// --- What a connection, and what an environment extends, protects ---------------------------------------------------

/// The trust changes of a plan of this kind: instance, path, old and new.
fn trusted(shell: &Shell, arguments: &[&str], kind: &str) -> Vec<String> {
    let plan = shell.ok(&[&["plan", "prod", "--format", "json"], arguments].concat()).stdout;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let changes = plan["trust_changes"].as_array().unwrap().iter().filter(|change| change["kind"] == kind);
    changes.map(|c| format!("{} {} {} {}", c["instance"], c["path"], c["old"], c["new"]).replace('"', "")).collect()
}

#[test]
fn a109_lifting_the_protection_of_a_connection_is_a_trust_change() {
    let shell = applied("");
    let warehouse = shell.read("connections/warehouse.yaml");
    shell.put("connections/warehouse.yaml", &format!("{warehouse}protect: true\n"));
    assert!(trusted(&shell, &[], "protect").is_empty());
    shell.ok(&["apply", "prod", "--yes"]);
    commit(&shell, "protected");
    let lifted = |instance: &str| {
        for against in [&[][..], &["--against", "HEAD"]] {
            assert_eq!(trusted(&shell, against, "protect"), [format!("{instance} /protect true false")]);
            let plan = shell.ok(&[&["plan", "prod"], against].concat()).stdout;
            let trust = plan.split_once("trust changes\n").unwrap().1;
            assert!(trust.starts_with(&format!("  {instance}: protect: true -> false")), "{plan}");
            let markdown = shell.ok(&[&["plan", "prod", "--format", "markdown"], against].concat()).stdout;
            let (open, _) = markdown.split_once("<details>").unwrap();
            assert!(open.contains(&format!("- `{instance}`: `protect`: `true` to `false`")), "{markdown}");
        }
    };
    shell.put("connections/warehouse.yaml", &warehouse);
    lifted("warehouse");
    shell.put("connections/warehouse.yaml", &format!("{warehouse}protect: false\n"));
    lifted("warehouse");
    // In a move, by whatever else changes.
    shell.ok(&["mv", "warehouse", "finance/warehouse"]);
    lifted("finance/warehouse");
}

#[test]
fn a109_protection_is_inherited_from_what_an_environment_extends() {
    let shell = applied("");
    fs::create_dir_all(shell.folder.join("environments/base")).unwrap();
    shell.put("environments/base/environment.yaml", "protected: true\nguards: {max_delete_count: 1}\n");
    set(&shell, &[], "extends: base\n");
    let plan = trusted(&shell, &[], "trust");
    assert!(plan.contains(&"null /protected false true".to_owned()), "{plan:?}");
    shell.ok(&["apply", "prod", "--yes"]);
    commit(&shell, "inherited");
    // It asks for what a protected one asks for.
    let ended = shell.run(&["apply", "prod", "--yes", "--target", "out"]);
    assert!(ended.code == 4 && ended.stderr.contains("`prod` is protected"), "{ended:?}");
    // The nearest layer that says it, outright or by no longer extending: either is a trust change.
    set(&shell, &[], "protected: false\n");
    assert!(trusted(&shell, &[], "trust").contains(&"null /protected true false".to_owned()));
    set(&shell, &["protected", "extends"], "");
    assert!(trusted(&shell, &[], "trust").contains(&"null /protected true false".to_owned()));
    set(&shell, &[], "extends: base\nprotected: true\n");
    shell.put("environments/base/environment.yaml", "protected: false\n");
    assert!(!trusted(&shell, &[], "trust").iter().any(|line| line.contains("/protected")));
    // Moving the target with it is refused, as where the environment says it itself.
    set(&shell, &["protected"], "target: {path: out}\n");
    refused(&shell, &["--initial"], "it lifts `protected` and moves the target");
}

/// Everything that asks whether an environment is protected gives one answer.
#[test]
fn a109_rules_and_secrets_files_know_inherited_protection() {
    let shell = applied("");
    fs::create_dir_all(shell.folder.join("environments/base")).unwrap();
    let secrets = "secrets: {HUBSPOT_TOKEN: 'env:TIELINE_SECRET_A', WAREHOUSE_PASSWORD: 'env:TIELINE_SECRET_B'}\n";
    shell.put("environments/base/environment.yaml", &format!("protected: true\nvars: {{db_host: a}}\n{secrets}"));
    set(&shell, &[], "extends: base\n");
    let codes = |shell: &Shell| -> Vec<String> {
        let report: Value = serde_json::from_str(&shell.run(&["validate", "--format", "json"]).stdout).unwrap();
        let all = report["diagnostics"].as_array().unwrap().iter();
        all.map(|told| format!("{} {}", told["message"].as_str().unwrap(), told["code"].as_str().unwrap())).collect()
    };
    let told = codes(&shell);
    assert!(
        told.iter().any(|line| line.starts_with("`prod` is protected") && line.ends_with("single-recipient")),
        "{told:?}"
    );
    set(&shell, &[], "protected: false\n");
    assert!(
        !codes(&shell).iter().any(|line| line.starts_with("`prod` is protected") && line.ends_with("single-recipient"))
    );
}
