//! A bundle of another history, signed and older.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tieline::bundle::{Digest, Head, Manifest};

use crate::peers::there;
use crate::shell::{Shell, copy, feed, tree};

fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

fn retries(shell: &Shell, n: usize) {
    let text = shell.read("connections/hubspot.yaml");
    let at = text.find("retries: ").unwrap() + "retries: ".len();
    shell.put("connections/hubspot.yaml", &format!("{}{n}{}", &text[..at], &text[at + 1..]));
}

/// The manifest that is in force in a target, and its path.
fn in_force(target: &Path) -> (Manifest, PathBuf) {
    let head: Value = serde_json::from_slice(&fs::read(target.join("environments/prod/head.json")).unwrap()).unwrap();
    let hex = head["manifest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let path = target.join(format!("manifests/{hex}.json"));
    (Manifest::parse(&fs::read(&path).unwrap()).unwrap(), path)
}

fn lineage(target: &Path) -> String {
    in_force(target).0.lineage
}

fn put_in_the_place(of: &Path, other: &Path) {
    fs::remove_dir_all(of).unwrap();
    copy(other, of);
}

/// Serial 4 in `dist` and serial 1 of another run in `other`, both signed. Gives the list of signers.
fn two_histories(shell: &Shell) -> Option<(PathBuf, PathBuf, String)> {
    if !there("ssh-keygen", Command::new("sh").args(["-c", "command -v ssh-keygen"])) {
        return None;
    }
    let (key, other) = (shell.everything().join("key"), shell.everything().join("other"));
    let mut command = shell.command("ssh-keygen");
    assert_eq!(feed(command.args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(&key), "").code, 0);
    let allowed = shell.everything().join("allowed");
    fs::write(&allowed, format!("ops@acme.example {}", fs::read_to_string(key.with_extension("pub")).unwrap()))
        .unwrap();
    let sign = ["--yes", "--sign", key.to_str().unwrap()];
    shell.ok(&[&["apply", "prod", "--target", other.to_str().unwrap()][..], &sign].concat());
    for n in 1..=4 {
        retries(shell, n);
        shell.ok(&[&["apply", "prod"][..], &sign].concat());
    }
    Some((shell.folder.join("dist"), other, allowed.to_str().unwrap().to_owned()))
}

#[test]
fn a103_a_signed_bundle_of_another_targets_run_is_reported_and_refused() {
    let shell = quickstart();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put(
        "environments/prod/environment.yaml",
        &format!("{settings}publish: {{oci: registry.example.com/team/connections}}\n"),
    );
    let Some((dist, other, allowed)) = two_histories(&shell) else { return };
    let (mine, theirs) = (lineage(&dist), lineage(&other));
    shell.ok(&["verify", "prod", "--allowed-signers", &allowed]);
    put_in_the_place(&dist, &other);
    let before = tree(&dist);
    let file = shell.everything().join("b.tgz");
    for command in [
        &["verify", "prod", "--allowed-signers", &allowed][..],
        &["verify", "prod", "--as", "nightly-sync"],
        &["status"],
        &["plan", "prod"],
        &["apply", "prod", "--yes"],
        &["apply", "prod", "--yes", "--initial"],
        &["apply", "prod", "--yes", "--min-serial", "1"],
        &["publish", "prod", "--registry", "registry.example.com"],
        &["history", "prod"],
        &["rollback", "prod", "1", "--yes"],
        &["bundle", "export", "prod", file.to_str().unwrap()],
        &["gc", "prod", "--yes"],
    ] {
        let ended = shell.run(command);
        assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
        let words = format!("of lineage {theirs}, where lineage {mine} was seen before: another history");
        assert!(ended.stderr.contains(&words), "{command:?}: {ended:?}");
        assert!(
            command[0] == "status" || ended.stderr.contains(&format!("`--lineage {theirs}` accepts it")),
            "{ended:?}"
        );
    }
    assert!(before == tree(&dist) && !file.exists());
    // The right one is pinned, and is not there; the other is accepted by name, and the memory follows.
    assert_eq!(shell.run(&["verify", "prod", "--lineage", &mine]).code, 5);
    shell.ok(&["verify", "prod", "--allowed-signers", &allowed, "--lineage", &theirs]);
    shell.ok(&["verify", "prod", "--allowed-signers", &allowed]);
    shell.ok(&["apply", "prod", "--yes"]);
}

#[test]
fn a103_a_lineage_is_pinned_where_nothing_is_remembered_and_named_where_it_matters() {
    let shell = quickstart();
    let Some((dist, other, allowed)) = two_histories(&shell) else { return };
    let (mine, theirs) = (lineage(&dist), lineage(&other));
    let file = shell.everything().join("b.tgz");
    shell.ok(&["bundle", "export", "prod", file.to_str().unwrap()]);
    put_in_the_place(&dist, &other);
    for command in [
        &["plan", "prod"][..],
        &["apply", "prod", "--yes"],
        &["verify", "prod", "--allowed-signers", &allowed],
        &["status"],
        &["history", "prod"],
        &["rollback", "prod", "1", "--yes"],
        &["bundle", "export", "prod", "x.tgz"],
        &["gc", "prod", "--yes"],
    ] {
        let fresh = shell.again();
        let ended = fresh.run(&[command, &["--lineage", &mine]].concat());
        assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains(&format!("of lineage {theirs}, and `--lineage {mine}` was given")), "{ended:?}");
    }
    // A signature does not say which history it is of.
    let fresh = shell.again();
    let told = fresh.ok(&["verify", "prod", "--allowed-signers", &allowed]);
    let warning = format!("trusting lineage {theirs} (serial 1); `--lineage {theirs}` pins it");
    assert!(told.stderr.contains(&warning), "{told:?}");
    assert!(!fresh.ok(&["verify", "prod", "--allowed-signers", &allowed]).stderr.contains("warning"));
    // A newcomer in a folder of the workspace is told nothing of that.
    assert_eq!(shell.again().ok(&["plan", "prod"]).stderr, "");
    let outside = shell.again().ok(&["plan", "prod", "--target", other.to_str().unwrap()]);
    assert!(outside.stderr.contains(&format!("trusting lineage {theirs}")), "{outside:?}");
    // A bundle as one file has a lineage as well.
    let inspect = |lineage: &str| shell.run(&["bundle", "inspect", file.to_str().unwrap(), "--lineage", lineage]);
    let refused = inspect(&theirs);
    assert!(refused.code == 5 && refused.stderr.contains(&format!("of lineage {mine}")), "{refused:?}");
    assert_eq!(inspect(&mine).code, 0);
    assert_eq!(inspect("prod").code, 64);
}

#[test]
fn a82_two_targets_of_an_environment_have_a_history_each() {
    let shell = quickstart();
    let other = shell.everything().join("other");
    let to = ["--target", other.to_str().unwrap()];
    for n in 1..=3 {
        retries(&shell, n);
        shell.ok(&["apply", "prod", "--yes"]);
        shell.ok(&[&["apply", "prod", "--yes"][..], &to].concat());
        shell.ok(&["verify", "prod"]);
        shell.ok(&[&["verify", "prod"][..], &to].concat());
    }
    let dist = shell.folder.join("dist");
    assert_ne!(lineage(&dist), lineage(&other));
    let history: Value = serde_json::from_str(&shell.ok(&["history", "prod", "--format", "json"]).stdout).unwrap();
    assert!(history.as_array().unwrap().iter().all(|row| row["lineage"] == lineage(&dist)), "{history}");
    // As new, and of a history that was seen; but not there.
    put_in_the_place(&other, &dist);
    assert_eq!(shell.run(&[&["verify", "prod"][..], &to].concat()).code, 5);
    shell.ok(&["verify", "prod"]);
    // A target that was deleted and applied to by somebody else has a new history, which is accepted once.
    let colleague = shell.again().with("SOPS_AGE_KEY_FILE", shell.folder.join("demo-identity.txt").to_str().unwrap());
    fs::remove_dir_all(&dist).unwrap();
    colleague.ok(&["apply", "prod", "--yes"]);
    let new = lineage(&dist);
    assert_eq!(shell.run(&["plan", "prod"]).code, 5);
    shell.ok(&["plan", "prod", "--lineage", &new]);
    shell.ok(&["plan", "prod"]);
}

#[test]
fn a82_a_head_that_is_gone_is_no_first_apply() {
    let shell = quickstart();
    shell.ok(&["apply", "dev", "--yes"]);
    for n in 1..=3 {
        retries(&shell, n);
        shell.ok(&["apply", "prod", "--yes"]);
    }
    let dist = shell.folder.join("dist");
    let old = lineage(&dist);
    fs::remove_file(dist.join("environments/prod/head.json")).unwrap();
    let words = format!("where serial 3 of lineage {old} was seen before: its head is gone");
    for command in [
        &["apply", "prod", "--yes"][..],
        &["verify", "prod"],
        &["status"],
        &["history", "prod"],
        &["rollback", "prod", "--yes"],
        &["bundle", "export", "prod", "x.tgz"],
        // What the head pointed to would be rubbish, for the other environments of the target as well.
        &["gc", "prod", "--yes"],
        &["gc", "dev", "--yes"],
    ] {
        let ended = shell.run(command);
        assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains(&words), "{command:?}: {ended:?}");
    }
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(plan.contains("refused\n") && plan.contains(&words), "{plan}");
    // A machine without a memory knows by the operator's word.
    for pin in [["--min-serial", "3"], ["--lineage", &old]] {
        for command in
            [&["apply", "prod", "--yes"][..], &["plan", "prod"], &["verify", "prod"], &["gc", "prod", "--yes"]]
        {
            let ended = shell.again().run(&[command, &pin].concat());
            assert_eq!(ended.code, 5, "{command:?} {pin:?}: {ended:?}");
            assert!(ended.stderr.contains(&format!("`{} {}` was given", pin[0], pin[1])), "{ended:?}");
        }
    }
    assert!(!dist.join("environments/prod/head.json").exists());
    let begun = shell.ok(&["apply", "prod", "--yes", "--initial"]);
    assert!(begun.stderr.contains("applied serial 1"), "{begun:?}");
    assert_ne!(lineage(&dist), old);
    shell.ok(&["verify", "prod"]);
}

#[test]
fn a82_a_manifest_of_another_history_is_not_one_of_this() {
    let shell = quickstart();
    let other = shell.everything().join("other");
    shell.ok(&["apply", "prod", "--yes", "--target", other.to_str().unwrap()]);
    for n in 1..=3 {
        retries(&shell, n);
        shell.ok(&["apply", "prod", "--yes"]);
    }
    // Whoever writes the target puts the other run's manifest before the one in force.
    let dist = shell.folder.join("dist");
    let ((mut manifest, _), (theirs, path)) = (in_force(&dist), in_force(&other));
    copy(&other.join("objects"), &dist.join("objects"));
    fs::copy(&path, dist.join("manifests").join(path.file_name().unwrap())).unwrap();
    manifest.previous = Some(Digest::of(&theirs.bytes().unwrap()));
    let bytes = manifest.bytes().unwrap();
    let head = Head { manifest: Digest::of(&bytes), serial: manifest.serial };
    fs::write(dist.join(format!("manifests/{}.json", head.manifest.hex())), &bytes).unwrap();
    fs::write(dist.join("environments/prod/head.json"), head.bytes().unwrap()).unwrap();
    for command in [&["rollback", "prod", "1", "--yes"][..], &["history", "prod"]] {
        // On a machine that has not seen the right one.
        let ended = shell.again().run(command);
        assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains("the history is damaged: serial 3 does not follow"), "{ended:?}");
    }
}

#[test]
fn e07_of_two_applies_with_one_memory_the_loser_is_told_of_a_race() {
    let shell = quickstart();
    let second = shell.everything().join("second");
    copy(&shell.folder, &second);
    let dist = shell.everything().join("dist");
    // From the first apply on; both at a target outside, since each clone is another folder.
    for round in 1..=6 {
        retries(&shell, round);
        let text = shell.read("connections/hubspot.yaml").replace("title: ", "title: Second ");
        fs::write(second.join("connections/hubspot.yaml"), text).unwrap();
        let apply = |folder: &Path| {
            let initial: &[&str] = if round == 1 { &["--initial"] } else { &[] };
            let at = ["-C", folder.to_str().unwrap(), "apply", "prod", "--yes", "--target", dist.to_str().unwrap()];
            shell.run(&[&at[..], initial].concat())
        };
        let ended = std::thread::scope(|scope| {
            let one = scope.spawn(|| apply(&shell.folder));
            let two = scope.spawn(|| apply(&second));
            [one.join().unwrap(), two.join().unwrap()]
        });
        let mut codes = ended.each_ref().map(|ended| ended.code);
        codes.sort_unstable();
        // Of two first ones, the later may find that there is something already, which `--initial` denies.
        let allowed: &[[i32; 2]] = if round == 1 { &[[0, 3], [0, 4]] } else { &[[0, 3], [0, 0]] };
        assert!(allowed.contains(&codes), "{round}: {ended:?}");
    }
    shell.ok(&["verify", "prod", "--target", dist.to_str().unwrap()]);
}
