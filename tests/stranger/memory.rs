//! What was seen of a target is remembered: what is put in its place by whoever writes it is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tieline::bundle::{Digest, Manifest};

use super::guards::{applied, ci, forge, in_force, operator, set};
use crate::peers::there;
use crate::secrets::commit;
use crate::shell::{Shell, copy, feed, tree};

fn title(shell: &Shell, title: &str) {
    let text = shell.read("connections/c0.yaml");
    let kept: String =
        text.lines().filter(|line| !line.starts_with("title:")).map(|line| format!("{line}\n")).collect();
    shell.put("connections/c0.yaml", &format!("title: {title}\n{kept}"));
}

/// A workspace that was applied so often.
fn with_serial(serial: u64) -> Shell {
    let shell = applied("");
    for n in 2..=serial {
        title(&shell, &format!("Number {n}"));
        shell.ok(&["apply", "prod", "--yes"]);
    }
    shell
}

fn refused(shell: &Shell, words: &str) {
    let dist = shell.folder.join("dist");
    let before = tree(&dist);
    for command in [
        &["plan", "prod"][..],
        &["apply", "prod", "--yes"],
        &["apply", "prod", "--yes", "--min-serial", "1"],
        &["apply", "prod", "--yes", "--reseal", "--accept-serial", "4711"],
        &["verify", "prod"],
        &["status"],
        &["history", "prod"],
        &["rollback", "prod", "--yes"],
        &["gc", "prod", "--yes"],
        &["bundle", "export", "prod", "x.tgz"],
    ] {
        let ended = shell.run(command);
        assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{command:?}: {words}: {ended:?}");
    }
    assert!(before == tree(&dist));
}

/// A manifest in which nothing is protected and nothing to be told any more: it says what the branch says.
fn made_up(manifest: &Manifest) -> Manifest {
    let mut forged = manifest.clone();
    forged.trust["protected"] = false.into();
    forged.connections.remove("c1");
    forged
}

#[test]
fn e07_another_manifest_with_the_serial_that_was_seen_is_refused() {
    let shell = with_serial(2);
    let dist = shell.folder.join("dist");
    forge(&dist, &made_up(&in_force(&dist)));
    refused(&shell, "and another serial 2 was seen here before: it was put in its place");
    // A machine that saw only the one before sees that it goes on from there, and no more.
    let told = shell.run(&["plan", "prod"]);
    assert!(told.stderr.contains("`--accept-serial 2` accepts it"), "{told:?}");
    shell.ok(&["plan", "prod", "--accept-serial", "2"]);
    shell.ok(&["plan", "prod"]);
}

#[test]
fn e07_a_higher_serial_follows_what_was_seen_or_is_refused() {
    let shell = with_serial(2);
    let dist = shell.folder.join("dist");
    let seen = in_force(&dist);
    let before = in_force_digest(&dist);
    let colleague = ci(&shell);
    // Two applies by somebody else, one of them a rollback.
    title(&shell, "Somebody else's");
    colleague.ok(&["apply", "prod", "--yes"]);
    colleague.ok(&["rollback", "prod", "2", "--yes"]);
    shell.ok(&["plan", "prod"]);
    let now = in_force(&dist);
    assert_eq!(now.serial, 4);
    // It follows another one than was seen last.
    let other = Digest::of(&in_force(&dist).bytes().unwrap());
    forge(&dist, &Manifest { serial: 5, previous: Some(before.clone()), ..made_up(&now) });
    refused(&shell, "which does not follow the serial 4 that was seen here before");
    forge(&dist, &Manifest { serial: 6, previous: Some(before), ..made_up(&now) });
    refused(&shell, "which does not follow the serial 4 that was seen here before");
    // One that nobody has: a history with a hole.
    let nobody = Some(Digest::of(b"nobody"));
    forge(&dist, &Manifest { serial: 6, previous: nobody, ..made_up(&now) });
    refused(&shell, "the manifests between them are gone");
    // Made before what it follows.
    let (serial, previous, time) = (5, Some(other), "2001-01-01T00:00:00Z".to_owned());
    forge(&dist, &Manifest { serial, previous, time, ..made_up(&seen) });
    refused(&shell, "and says that it was made at 2001-01-01T00:00:00Z, before serial 4 of ");
}

fn in_force_digest(target: &Path) -> Digest {
    Digest::of(&in_force(target).bytes().unwrap())
}

#[test]
fn e07_a_history_that_gc_cut_is_accepted_by_its_number() {
    let shell = with_serial(1);
    let colleague = ci(&shell);
    for n in 2..=4 {
        title(&shell, &format!("Number {n}"));
        colleague.ok(&["apply", "prod", "--yes"]);
    }
    let manifests = shell.folder.join("dist/manifests");
    let kept = format!("{}.json", in_force_digest(&shell.folder.join("dist")).hex());
    for file in fs::read_dir(&manifests).unwrap().map(|file| file.unwrap()) {
        if file.file_name().to_str().unwrap() != kept {
            fs::remove_file(file.path()).unwrap();
        }
    }
    refused(&shell, "and serial 1 was seen here before: the manifests between them are gone");
    let help = shell.run(&["plan", "prod"]).stderr;
    assert!(
        help.contains("`tieline gc --keep` deletes them; if it did, `--accept-serial 4` accepts this one"),
        "{help}"
    );
    shell.ok(&["plan", "prod", "--accept-serial", "4"]);
    shell.ok(&["apply", "prod", "--yes"]);
}

#[test]
fn e07_what_is_still_to_come_is_refused_and_a_clock_that_is_ahead_is_not() {
    let shell = with_serial(1);
    let dist = shell.folder.join("dist");
    let seen = in_force(&dist);
    let at = |minutes: i64| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let ahead = at(30);
    forge(&dist, &Manifest { time: ahead.clone(), ..seen.clone() });
    let fresh = ci(&shell);
    title(&shell, "Another");
    fresh.ok(&["apply", "prod", "--yes"]);
    // Time does not go back from one serial to the next.
    assert_eq!(in_force(&dist).time, ahead);
    fresh.ok(&["history", "prod"]);
    forge(&dist, &Manifest { time: at(90), ..seen });
    let fresh = ci(&shell);
    let ended = fresh.run(&["apply", "prod", "--yes"]);
    assert!(ended.code == 5 && ended.stderr.contains("which is still to come"), "{ended:?}");
    // A clock that was wrong once locks nobody out, and its time is not kept.
    assert!(ended.stderr.contains("if that one was wrong, `--accept-serial 1` accepts it"), "{ended:?}");
    title(&shell, "Later");
    fresh.ok(&["apply", "prod", "--yes", "--accept-serial", "1"]);
    assert!(in_force(&dist).time < at(1));
    for command in [&["history", "prod"][..], &["verify", "prod"], &["plan", "prod"], &["rollback", "prod", "--yes"]] {
        fresh.ok(command);
    }
}

#[test]
fn e07_a_copy_of_a_checkout_is_no_other_history() {
    let shell = with_serial(2);
    let (copied, other) = (shell.everything().join("copied"), shell.everything().join("other"));
    copy(&shell.folder, &copied);
    copy(&shell.folder, &other);
    copy(&shell.folder.join("dist"), &copied.join("dist"));
    assert!(!other.join("dist").exists());
    // Each clone has a `dist` of its own.
    shell.ok(&["-C", other.to_str().unwrap(), "apply", "prod", "--yes"]);
    for command in [&["status"][..], &["plan", "prod"], &["verify", "prod"], &["apply", "prod", "--yes"]] {
        for folder in [&copied, &other, &shell.folder] {
            shell.ok(&[&["-C", folder.to_str().unwrap()], command].concat());
        }
    }
}

#[test]
fn e07_a_look_at_a_branch_says_nothing_of_the_target() {
    let shell = with_serial(1);
    set(&shell, &[], "target: {path: deploy}\n");
    let (dist, deploy) = (shell.folder.join("dist"), shell.folder.join("deploy"));
    copy(&dist, &deploy);
    let seen = in_force(&dist);
    let previous = Some(in_force_digest(&dist));
    forge(&deploy, &Manifest { serial: 4711, previous, ..made_up(&seen) });
    for command in [&["plan", "prod"][..], &["status"], &["verify", "prod"], &["history", "prod"]] {
        shell.run(command);
    }
    shell.run(&["plan", "prod", "--target", deploy.to_str().unwrap()]);
    set(&shell, &["target:"], "");
    for command in [&["plan", "prod"][..], &["status"], &["verify", "prod"], &["apply", "prod", "--yes"]] {
        shell.ok(command);
    }
}

#[test]
fn e13_two_commits_hide_no_target_that_an_environment_had() {
    let shell = applied("protected: true\n");
    set(&shell, &["protected"], "target: {path: out}\n");
    (0..6).for_each(|n| fs::remove_file(shell.folder.join(format!("connections/c{n}.yaml"))).unwrap());
    commit(&shell, "a pull request");
    for n in 0..3 {
        shell.put("NOTES.md", &format!("{n}\n"));
        commit(&shell, "another commit of it");
    }
    // By way of a third target, too.
    for path in ["another", "elsewhere"] {
        set(&shell, &["target"], &format!("target: {{path: {path}}}\n"));
        commit(&shell, "and another");
        shell.put("NOTES.md", path);
        commit(&shell, "merged by a fast-forward");
        for shell in [ci(&shell), operator(&shell)] {
            let plan = shell.ok(&["plan", "prod"]).stdout;
            assert!(plan.contains("(serial 1, 8 connections); this plan deploys to"), "{plan}");
            assert!(plan.contains("6 connections of what is deployed there are not in this plan"), "{plan}");
            assert!(plan.contains("it lifts `protected` and moves the target"), "{plan}");
            for more in [&[][..], &["--initial"]] {
                let ended = shell.run(&[&["apply", "prod", "--yes"], more].concat());
                assert!(ended.code == 4 && ended.stderr.contains("it lifts `protected`"), "{ended:?}");
            }
            let status = shell.ok(&["status"]);
            assert!(status.stderr.contains("prod: was deployed at"), "{status:?}");
        }
    }
}

/// Gives the workspace another id, and the manifest the same.
fn take_another_id(shell: &Shell, manifest: &mut Manifest) {
    let id = "11111111-dce2-4a90-ae69-ae44cb0c8e84";
    let text = shell.read("tieline.yaml");
    let at = text.find("id: ").unwrap() + 4;
    shell.put("tieline.yaml", &format!("{}{id}{}", &text[..at], &text[at + 36..]));
    id.clone_into(&mut manifest.workspace);
}

/// What somebody would have deployed in a folder of the workspace, with the lineage that everybody can read.
fn made_up_target(shell: &Shell, path: &str, manifest: &Manifest) {
    let out = shell.folder.join(path);
    copy(&shell.folder.join("dist"), &out);
    forge(&out, &made_up(manifest));
}

/// A forged head at the new target hides the old one no more than an empty one does, however many commits lie between.
#[test]
fn e13_nor_does_a_made_up_head_at_the_new_target() {
    for other_id in [false, true] {
        let shell = applied("protected: true\n");
        let seen = in_force(&shell.folder.join("dist"));
        let mut forged = seen.clone();
        if other_id {
            take_another_id(&shell, &mut forged);
        }
        set(&shell, &["protected"], "target: {path: between}\n");
        made_up_target(&shell, "between", &forged);
        commit(&shell, "a pull request");
        set(&shell, &["target"], "target: {path: deploy}\n");
        let between = in_force(&shell.folder.join("between"));
        let previous = Some(Digest::of(&between.bytes().unwrap()));
        made_up_target(&shell, "deploy", &Manifest { serial: between.serial + 1, previous, ..between });
        commit(&shell, "another commit of it");
        shell.put("NOTES.md", "1\n");
        commit(&shell, "and another");
        let lineage = ["--lineage", &seen.lineage];
        for shell in [ci(&shell), operator(&shell)] {
            for command in [
                &["plan", "prod"][..],
                &["plan", "prod", "--min-serial", "1"],
                &["apply", "prod", "--yes"],
                &["verify", "prod"],
                &["status"],
            ] {
                for more in [&[][..], &lineage] {
                    if command == ["status"] && other_id {
                        continue;
                    }
                    let ended = shell.run(&[command, more].concat());
                    assert_eq!(ended.code, 5, "{command:?} {more:?} {other_id}: {ended:?}");
                    assert!(ended.stderr.contains("and sends it to"), "{ended:?}");
                }
            }
        }
    }
}

#[test]
fn e13_a_move_of_long_ago_is_held_to_be_right_where_its_lineage_is_pinned_or_the_old_one_is_gone() {
    let shell = applied("protected: true\n");
    set(&shell, &[], "target: {path: out}\n");
    commit(&shell, "moved");
    let moved = shell.ok(&["apply", "prod", "--yes", "--initial"]);
    assert!(moved.stderr.contains("a history begins"), "{moved:?}");
    for n in 0..2 {
        shell.put("NOTES.md", &format!("{n}\n"));
        commit(&shell, "later");
    }
    let lineage = in_force(&shell.folder.join("out")).lineage;
    let told = ci(&shell).run(&["plan", "prod"]);
    assert!(told.code == 5 && told.stderr.contains(&format!("`--lineage {lineage}` accepts it")), "{told:?}");
    for fresh in [shell.ok(&["plan", "prod"]), ci(&shell).ok(&["plan", "prod", "--lineage", &lineage])] {
        assert!(!fresh.stdout.contains("this plan deploys to"), "{fresh:?}");
    }
    let accepted = ci(&shell);
    accepted.ok(&["verify", "prod", "--lineage", &lineage]);
    accepted.ok(&["plan", "prod"]);
    fs::remove_dir_all(shell.folder.join("dist")).unwrap();
    let fresh = ci(&shell).ok(&["plan", "prod"]);
    assert!(fresh.stderr.contains("pins it") && !fresh.stdout.contains("this plan deploys to"), "{fresh:?}");
}

/// The default target of a new workspace, where nothing was ever deployed, is no other history.
#[test]
fn e13_a_target_that_was_never_used_is_not_held_against_the_next() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.put(".gitignore", "dist\nout\n*.txt\n");
    commit(&shell, "begun");
    set(&shell, &[], "target: {path: out}\n");
    commit(&shell, "a target of our own");
    shell.ok(&["apply", "prod", "--yes"]);
    for command in [&["plan", "prod"][..], &["verify", "prod"], &["status"], &["history", "prod"]] {
        ci(&shell).ok(command);
    }
}

/// Whoever writes a target chooses what its manifest says: none of it fills the memory, which would be lost.
#[test]
fn e07_no_manifest_makes_the_memory_too_large_to_be_read() {
    let shell = with_serial(2);
    let dist = shell.folder.join("dist");
    let old = in_force(&dist);
    let mut large = old.clone();
    large.trust["guards"] = serde_json::json!({"x": "a".repeat(1_200_000), "max_delete_count": 3});
    large.trust["protected"] = "a".repeat(1_200_000).into();
    forge(&dist, &Manifest { serial: 3, previous: Some(in_force_digest(&dist)), ..large });
    shell.run(&["status"]);
    forge(&dist, &old);
    let ended = shell.run(&["plan", "prod"]);
    assert!(ended.code == 5 && ended.stderr.contains("serial 3 was seen here before"), "{ended:?}");
}

/// A serial that no other can follow would be the last.
#[test]
fn e07_serials_rise_by_one() {
    let shell = with_serial(1);
    let dist = shell.folder.join("dist");
    let last = (1 << 53) - 1;
    let previous = Some(in_force_digest(&dist));
    forge(&dist, &Manifest { serial: last, previous, ..made_up(&in_force(&dist)) });
    refused(&shell, "which does not follow the serial 1 that was seen here before");
    // Nor on a machine without a memory does anything follow it.
    title(&shell, "Another");
    let before = tree(&dist);
    let ended = ci(&shell).run(&["apply", "prod", "--yes"]);
    assert!(ended.code == 5 && ended.stderr.contains("no serial can follow 9007199254740991"), "{ended:?}");
    assert!(before == tree(&dist));
    let history = ci(&shell).run(&["history", "prod"]);
    assert!(history.code == 5 && history.stderr.contains("does not follow what it says it follows"), "{history:?}");
}

/// What another environment's target is, and whether this operator may use it, is no matter of `gc`.
#[test]
fn e16_gc_opens_no_target_but_its_own() {
    let shell = with_serial(2);
    shell.put("environments/dev/environment.yaml", "target: {url: 's3://bucket-of-dev'}\n");
    let shell = shell.with("TIELINE_TARGETS_ALLOW", "dist");
    shell.ok(&["gc", "prod", "--yes"]);
}

/// Two keys, and lists of signers: of the first alone, of both, and of both where the second has expired.
struct Keys {
    ana: PathBuf,
    ben: PathBuf,
    allowed: PathBuf,
}

impl Keys {
    fn new(shell: &Shell) -> Option<Self> {
        if !there("ssh-keygen", Command::new("sh").args(["-c", "command -v ssh-keygen"])) {
            return None;
        }
        let key = |name: &str| {
            let path = shell.everything().join(name);
            let mut command = shell.command("ssh-keygen");
            assert_eq!(feed(command.args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(&path), "").code, 0);
            path
        };
        let keys = Self { ana: key("ana"), ben: key("ben"), allowed: shell.everything().join("allowed") };
        keys.allow("");
        Some(keys)
    }

    /// Allows both; the second with these options.
    fn allow(&self, options: &str) {
        let public = |path: &Path| fs::read_to_string(path.with_extension("pub")).unwrap();
        let (ana, ben) = (public(&self.ana), public(&self.ben));
        fs::write(&self.allowed, format!("ana {ana}ben {options} {ben}")).unwrap();
    }

    /// The options of who applies with a key.
    fn of<'k>(&'k self, key: &'k Path) -> [&'k str; 5] {
        let (key, allowed) = (key.to_str().unwrap(), self.allowed.to_str().unwrap());
        ["--yes", "--sign", key, "--allowed-signers", allowed]
    }
}

#[test]
fn e07_where_signatures_count_nothing_is_built_on_a_base_without_one() {
    let shell = with_serial(2);
    let Some(keys) = Keys::new(&shell) else { return };
    let by_ana = keys.of(&keys.ana);
    title(&shell, "Signed");
    let before = tree(&shell.folder.join("dist"));
    let fresh = ci(&shell);
    for command in [&["apply", "prod"][..], &["apply", "prod", "--reseal"], &["rollback", "prod", "1"]] {
        let ended = fresh.run(&[command, &by_ana].concat());
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.stderr.contains("serial 2, which is in force, has no signature that counts now"), "{ended:?}");
        assert!(ended.stderr.contains(" --trust-base` builds on it"), "{ended:?}");
    }
    assert!(before == tree(&shell.folder.join("dist")));
    // As it is printed.
    let told = fresh.run(&[&["apply", "prod"], &by_ana[..]].concat()).stderr;
    let (_, command) = told.split_once("the usual cause; `tieline ").unwrap();
    let (command, _) = command.split_once('`').unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    assert!(words.contains(&"--sign") && words.contains(&"--allowed-signers"), "{command}");
    fresh.ok(&[&words[..], &["--yes"]].concat());
    title(&shell, "Signed again");
    let carried = fresh.ok(&[&["apply", "prod"], &by_ana[..]].concat());
    assert!(carried.stderr.contains("0 objects sealed, 8 carried over"), "{carried:?}");
    // Who applied the base needs no signature of it: who begins to sign, and whose key ended since.
    title(&shell, "By a colleague");
    fresh.ok(&["apply", "prod", "--yes"]);
    title(&shell, "And signed");
    let signed = fresh.ok(&[&["apply", "prod"], &by_ana[..]].concat());
    assert!(signed.stderr.contains("sealed anew: nobody vouches"), "{signed:?}");
    // Whoever writes the target takes the signature off, on a machine without a memory.
    let dist = shell.folder.join("dist");
    forge(&dist, &made_up(&in_force(&dist)));
    let ended = ci(&shell).run(&[&["apply", "prod"], &by_ana[..]].concat());
    assert!(ended.code == 5 && ended.stderr.contains("it is not signed"), "{ended:?}");
}

/// What the target's writer added is not signed anew for them, nor sent to a registry.
#[test]
fn e07_nothing_is_signed_or_published_that_nobody_vouches_for() {
    let shell = with_serial(1);
    let Some(keys) = Keys::new(&shell) else { return };
    let by_ana = keys.of(&keys.ana);
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}publish: {{oci: '127.0.0.1:1/team/app'}}\n"));
    let signing = &by_ana[1..];
    let (key, allowed) = (signing[1], signing[3]);
    let file = shell.everything().join("b.tgz");
    let export = |shell: &Shell, signing: &[&str]| {
        shell.run(&[&["bundle", "export", "prod", file.to_str().unwrap()], signing].concat())
    };
    // Who applied it may sign it.
    assert_eq!(export(&shell, signing).code, 0);
    fs::remove_file(&file).unwrap();
    let fresh = ci(&shell);
    for signing in [signing, &signing[..2]] {
        let ended = export(&fresh, signing);
        assert!(ended.code == 5 && !file.exists(), "{ended:?}");
        assert!(ended.stderr.contains("has no signature that counts now: it is not signed"), "{ended:?}");
    }
    assert_eq!(export(&fresh, &[signing, &["--trust-base"]].concat()).code, 0);
    let publish = ["publish", "prod", "--registry", "127.0.0.1:1", "--allowed-signers", allowed];
    let ended = fresh.run(&publish);
    assert!(ended.code == 5 && ended.stderr.contains("has no signature that counts now"), "{ended:?}");
    shell.ok(&["apply", "prod", "--yes", "--reseal", "--sign", key]);
    // Now it is the registry that is not there.
    assert_eq!(fresh.run(&publish).code, 1);
    assert_eq!(export(&ci(&shell), signing).code, 0);
    // A rollback that would leave something unsigned says so.
    let back = shell.ok(&["rollback", "prod", "1", "--yes"]);
    assert!(back.stdout.is_empty() || back.stderr.contains("is signed, and the next one would not be"), "{back:?}");
}

#[test]
fn e08_a_key_that_expired_vouches_for_nothing_new_whatever_time_it_says() {
    let shell = with_serial(1);
    let Some(keys) = Keys::new(&shell) else { return };
    let (by_ana, by_ben) = (keys.of(&keys.ana), keys.of(&keys.ben));
    shell.ok(&[&["apply", "prod"], &by_ana[..]].concat());
    title(&shell, "Ben's");
    shell.ok(&[&["apply", "prod"], &by_ben[..]].concat());
    let allowed = keys.allowed.to_str().unwrap();
    let verify = ["verify", "prod", "--allowed-signers", allowed];
    assert!(shell.ok(&verify).stderr.is_empty());
    keys.allow("valid-before=\"20200101\"");
    let gone = shell.run(&verify);
    assert!(gone.code == 5 && gone.stderr.contains("was not valid any more"), "{gone:?}");
    // He says that he made it in time.
    let dist = shell.folder.join("dist");
    let mut backdated = in_force(&dist);
    backdated.time = "2019-12-01T00:00:00Z".to_owned();
    forge(&dist, &backdated);
    let manifest = dist.join(format!("manifests/{}.json", in_force_digest(&dist).hex()));
    let mut sign = shell.command("ssh-keygen");
    sign.args(["-q", "-Y", "sign", "-n", "tieline-bundle", "-f"]).arg(&keys.ben).arg(&manifest);
    assert_eq!(feed(&mut sign, "").code, 0);
    let fresh = ci(&shell);
    let told = fresh.run(&verify);
    assert!(
        told.code == 5 && told.stderr.contains("says that it was made at 2019-12-01T00:00:00Z, before"),
        "{told:?}"
    );
    let ended = fresh.run(&[&["apply", "prod"], &by_ana[..]].concat());
    assert!(ended.code == 5 && ended.stderr.contains("has no signature that counts now"), "{ended:?}");
    // Nor where the one before is gone.
    for file in fs::read_dir(dist.join("manifests")).unwrap().map(|file| file.unwrap().path()) {
        if !file.to_str().unwrap().contains(in_force_digest(&dist).hex()) {
            fs::remove_file(file).unwrap();
        }
    }
    let told = ci(&shell).run(&verify);
    assert!(told.code == 5 && told.stderr.contains("nothing but its word shows that it was made at"), "{told:?}");
    let ended = fresh.run(&[&["apply", "prod"], &by_ana[..]].concat());
    assert!(ended.code == 5 && ended.stderr.contains("has no signature that counts now"), "{ended:?}");
}

/// What stands at the old target is held against the memory too, before anything is measured by it.
#[test]
fn e13_what_was_put_in_the_place_at_the_old_target_is_seen_when_the_target_moves() {
    let shell = applied("protected: true\n");
    let dist = shell.folder.join("dist");
    forge(&dist, &made_up(&in_force(&dist)));
    set(&shell, &["protected"], "target: {path: out}\n");
    commit(&shell, "a pull request");
    let shell = operator(&shell);
    for command in [&["plan", "prod"][..], &["apply", "prod", "--yes"], &["apply", "prod", "--yes", "--initial"]] {
        let ended = shell.run(command);
        assert_eq!(ended.code, 5, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains("another serial 1 was seen here before"), "{ended:?}");
        assert!(ended.stderr.contains("`tieline verify prod --target "), "{ended:?}");
    }
    assert!(shell.run(&["status"]).code == 5);
}

/// Nor does a merge whose first parent is another history.
#[test]
fn e13_a_merge_of_another_history_hides_no_target() {
    let shell = applied("protected: true\n");
    let git = |arguments: &[&str]| {
        let ended = feed(shell.command("git").current_dir(&shell.folder).args(arguments), "");
        assert_eq!(ended.code, 0, "{ended:?}");
    };
    set(&shell, &["protected"], "target: {path: out}\n");
    git(&["checkout", "-q", "--orphan", "other"]);
    commit(&shell, "a root of its own");
    let name = ["-c", "user.name=A", "-c", "user.email=a@b.example"];
    git(&[&name[..], &["merge", "-q", "--allow-unrelated-histories", "-s", "ours", "-m", "merged", "main"]].concat());
    for n in 0..3 {
        shell.put("NOTES.md", &format!("{n}\n"));
        commit(&shell, "more");
    }
    let plan = ci(&shell).ok(&["plan", "prod"]).stdout;
    assert!(plan.contains("it lifts `protected` and moves the target"), "{plan}");
}

/// A memory that a commit brings is the word of whoever made it.
#[test]
fn e07_a_memory_that_is_committed_is_none() {
    let shell = with_serial(1);
    let dist = shell.folder.join("dist");
    let state = shell.folder.join(".cache");
    let shell = shell.with("XDG_STATE_HOME", state.to_str().unwrap());
    shell.ok(&["plan", "prod"]);
    // Here it is not committed, as where a CI system keeps it from one run to the next.
    let right = in_force(&dist);
    forge(&dist, &made_up(&right));
    assert_eq!(shell.run(&["plan", "prod"]).code, 5);
    shell.ok(&["plan", "prod", "--accept-serial", "1"]);
    shell.put(".gitignore", "dist\n*.txt\n");
    commit(&shell, "with a cache");
    forge(&dist, &right);
    shell.ok(&["plan", "prod"]);
}

/// An empty list allows nothing: a variable of CI that was renamed is one.
#[test]
fn a110_an_empty_list_of_targets_allows_none_and_a_path_has_one_spelling() {
    let shell = with_serial(1);
    for allowed in ["", " ", "other"] {
        let ended = ci(&shell).with("TIELINE_TARGETS_ALLOW", allowed).run(&["plan", "prod"]);
        assert!(ended.code == 4 && ended.stderr.contains("does not allow the target `dist`"), "{ended:?}");
    }
    let shell = ci(&shell).with("TIELINE_TARGETS_ALLOW", "dist dist/*");
    shell.ok(&["plan", "prod"]);
    shell.ok(&["plan", "prod", "--target", "./dist/"]);
    shell.ok(&["plan", "prod", "--target", shell.folder.join("x/../dist").to_str().unwrap()]);
    let ended = shell.run(&["plan", "prod", "--target", "dist/../../elsewhere"]);
    assert!(ended.code == 4 && ended.stderr.contains("does not allow the target"), "{ended:?}");
}

/// The bundle of an exposure has a history of its own in the same target.
#[test]
fn e16_gc_takes_nothing_where_an_older_head_of_an_exposure_was_put_back() {
    let shell = with_serial(1);
    shell.put("connections/c0.yaml", &format!("expose: [public]\n{}", shell.read("connections/c0.yaml")));
    let apply = ["apply", "prod", "--expose", "public", "--yes"];
    shell.ok(&apply);
    let head = "dist/environments/prod@public/head.json";
    let old = shell.read(head);
    title(&shell, "Another");
    shell.ok(&apply);
    shell.put(head, &old);
    let ended = shell.run(&["gc", "prod", "--yes"]);
    assert!(ended.code == 5 && ended.stderr.contains("serial 1 of `prod@public` is deployed"), "{ended:?}");
}

/// That the new head says it follows what is deployed at the old target is the word of whoever made it.
#[test]
fn e13_a_head_that_says_what_it_follows_hides_nothing_behind_two_commits() {
    for other_id in [false, true] {
        let shell = applied("protected: true\n");
        let dist = shell.folder.join("dist");
        let seen = in_force(&dist);
        let mut forged = Manifest { serial: 2, previous: Some(in_force_digest(&dist)), ..made_up(&seen) };
        if other_id {
            take_another_id(&shell, &mut forged);
        }
        // In a bucket, or in a folder that Git does not bring.
        shell.put(".gitignore", "dist\nout\ndeploy\n*.txt\n");
        set(&shell, &["protected"], "target: {path: deploy}\n");
        copy(&dist, &shell.folder.join("deploy"));
        forge(&shell.folder.join("deploy"), &forged);
        commit(&shell, "a pull request");
        commit_all(&shell, "another commit");
        commit_all(&shell, "and another");
        for shell in [ci(&shell), operator(&shell)] {
            for more in [&[][..], &["--lineage", &seen.lineage, "--min-serial", "1"]] {
                let plan = shell.ok(&[&["plan", "prod"], more].concat()).stdout;
                assert!(plan.contains("it lifts `protected` and moves the target"), "{more:?} {other_id}: {plan}");
                let ended = shell.run(&[&["apply", "prod", "--yes"], more].concat());
                assert_eq!(ended.code, 4, "{ended:?}");
                let export = shell.run(&[&["bundle", "export", "prod", "../b.tgz"], more].concat());
                assert_eq!(export.code, 4, "{export:?}");
            }
        }
    }
}

/// A head that a commit brings is the word of whoever made the commit, wherever the environment was before.
#[test]
fn e13_a_head_that_is_committed_is_not_what_is_deployed() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    shell.put(".gitignore", "*.txt\n");
    commit(&shell, "with what is deployed");
    shell.ok(&["plan", "prod"]);
    let fresh = ci(&shell);
    for command in [&["plan", "prod"][..], &["apply", "prod", "--yes"], &["verify", "prod"], &["status"]] {
        let ended = fresh.run(command);
        assert!(ended.code == 5 && ended.stderr.contains("a commit brought it"), "{command:?}: {ended:?}");
    }
    fresh.ok(&["verify", "prod", "--accept-serial", "1"]);
    fresh.ok(&["apply", "prod", "--yes"]);
}

/// The lineage that CI pins is no word about a move, and nothing leads out of a target before an apply settled one.
#[test]
fn e13_a_move_is_settled_by_an_apply_or_by_the_serial_that_somebody_looked_at() {
    let shell = applied("protected: true\n");
    shell.put(".gitignore", "dist\ndeploy\n*.txt\n");
    let dist = shell.folder.join("dist");
    let seen = in_force(&dist);
    let settings = "target: {path: deploy}\npublish: {oci: '127.0.0.1:1/team/app'}\n";
    set(&shell, &["protected"], settings);
    copy(&dist, &shell.folder.join("deploy"));
    let previous = Some(in_force_digest(&dist));
    forge(&shell.folder.join("deploy"), &Manifest { serial: 2, previous, ..made_up(&seen) });
    commit(&shell, "a pull request");
    let pins = ["--lineage", &seen.lineage, "--min-serial", "1"];
    for shell in [ci(&shell), operator(&shell)] {
        shell.run(&[&["status"], &pins[..]].concat());
        shell.run(&[&["verify", "prod"], &pins[..]].concat());
        for command in [
            &["publish", "prod", "--registry", "127.0.0.1:1"][..],
            &["bundle", "export", "prod", "../b.tgz"],
            &["rollback", "prod", "--yes"],
            &["gc", "prod", "--yes"],
        ] {
            let ended = shell.run(&[command, &pins].concat());
            assert_eq!(ended.code, 4, "{command:?}: {ended:?}");
            assert!(ended.stderr.contains("no apply on this machine settled that"), "{ended:?}");
        }
        let plan = shell.ok(&[&["plan", "prod"], &pins[..]].concat());
        assert!(plan.stdout.contains("it lifts `protected` and moves the target"), "{plan:?}");
        assert!(plan.stderr.contains("`tieline verify prod --accept-serial 2` remembers it"), "{plan:?}");
        shell.run(&["verify", "prod", "--accept-serial", "2"]);
        let settled = shell.ok(&["plan", "prod"]);
        assert!(!settled.stdout.contains("moves the target"), "{settled:?}");
    }
}

/// The history of the settings is read once for a command, in a budget; what goes beyond it asks for a word.
#[test]
fn e13_a_history_beyond_the_budget_asks_for_a_word() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.put(".gitignore", "dist\nout\n*.txt\n");
    let large = format!("title: {}\n", "x".repeat(900_000));
    fs::create_dir(shell.folder.join("environments/large")).unwrap();
    for n in 0..45 {
        shell.put("environments/large/environment.yaml", &format!("# {n}\n{large}"));
        commit(&shell, "a large file");
    }
    fs::remove_file(shell.folder.join("environments/large/environment.yaml")).unwrap();
    set(&shell, &[], "target: {path: out}\n");
    commit(&shell, "small again");
    let ended = shell.run(&["apply", "prod", "--yes"]);
    assert!(ended.code == 4 && ended.stderr.contains("a target of long ago"), "{ended:?}");
    shell.ok(&["apply", "prod", "--yes", "--initial"]);
    shell.ok(&["apply", "prod", "--yes"]);
}

/// Who has no list of their own has none: a branch could add itself to one that it holds.
#[test]
fn e08_a_list_of_signers_in_the_repository_is_refused() {
    let shell = with_serial(2);
    commit(&shell, "applied");
    let Some(keys) = Keys::new(&shell) else { return };
    fs::copy(&keys.allowed, shell.folder.join("allowed_signers")).unwrap();
    let sign = ["--sign", keys.ana.to_str().unwrap(), "--allowed-signers", "allowed_signers"];
    for command in
        [&["apply", "prod", "--yes"][..], &["rollback", "prod", "--yes"], &["bundle", "export", "prod", "../b.tgz"]]
    {
        let ended = shell.run(&[command, &sign].concat());
        assert!(ended.code == 64 && ended.stderr.contains("lies in the repository"), "{command:?}: {ended:?}");
    }
    let ended = shell.run(&["verify", "prod", "--allowed-signers", "allowed_signers"]);
    assert!(ended.code == 64 && ended.stderr.contains("name a file outside"), "{ended:?}");
}

/// A clone of depth 1 doesn't say where an environment was: that is said, and a bucket wants a word.
#[test]
fn e13_a_shallow_clone_says_that_it_does_not_tell() {
    let shell = applied("");
    commit_all(&shell, "one more");
    let clone = shell.everything().join("clone");
    let mut git = shell.command("git");
    git.args(["clone", "-q", "--depth", "1"]).arg(format!("file://{}", shell.folder.display())).arg(&clone);
    assert_eq!(feed(&mut git, "").code, 0);
    copy(&shell.folder.join("dist"), &clone.join("dist"));
    let fresh = ci(&shell);
    let told = fresh.ok(&["-C", clone.to_str().unwrap(), "plan", "prod"]).stderr;
    assert!(told.contains("this clone lacks commits that say where `prod` was deployed before"), "{told}");
    let whole = ci(&shell).ok(&["plan", "prod"]).stderr;
    assert!(!whole.contains("this clone lacks"), "{whole}");
    // What is there may be anybody's: an apply wants a word, and nothing leads out of it.
    let at = ["-C", clone.to_str().unwrap()];
    shell.put("NOTES.md", "2");
    for command in [&["bundle", "export", "prod", "../b.tgz"][..], &["apply", "prod", "--yes", "--reseal"]] {
        let ended = ci(&shell).run(&[&at[..], command].concat());
        assert!(
            ended.code == 4 && ended.stderr.contains("this clone lacks commits that say"),
            "{command:?}: {ended:?}"
        );
        ci(&shell).ok(&[&at[..], command, &["--accept-serial", "1"]].concat());
    }
    // Neither a plan, nor the lineage that CI pins, nor a look at it as a folder settles anything.
    let other = ci(&shell);
    let (lineage, dist) = (in_force(&clone.join("dist")).lineage, clone.join("dist"));
    other.ok(&[&at[..], &["plan", "prod"]].concat());
    other.ok(&[&at[..], &["verify", "prod", "--lineage", &lineage]].concat());
    other.ok(&[&at[..], &["status", "--lineage", &lineage]].concat());
    other.ok(&[&at[..], &["verify", "prod", "--target", dist.to_str().unwrap()]].concat());
    assert_eq!(other.run(&[&at[..], &["apply", "prod", "--yes", "--reseal"]].concat()).code, 4);
    // A folder of the checkout is what a job deploys to.
    fs::remove_dir_all(clone.join("dist")).unwrap();
    ci(&shell).ok(&["-C", clone.to_str().unwrap(), "apply", "prod", "--yes"]);
}

fn commit_all(shell: &Shell, message: &str) {
    shell.put("NOTES.md", message);
    commit(shell, message);
}

/// A runner that deploys to a folder for each job forgets the oldest, and never stops to remember.
#[test]
fn e07_a_memory_of_many_targets_keeps_the_newest() {
    let shell = with_serial(1);
    let file = {
        let folder = shell.home().join(".local/state/tieline/serials");
        let (name, _) = tree(&folder).into_iter().find(|(name, _)| name.ends_with("prod.json")).unwrap();
        folder.join(name)
    };
    let mut memory: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let (_, one) = memory["targets"].as_object().unwrap().iter().next().map(|(a, b)| (a.clone(), b.clone())).unwrap();
    for n in 0..999 {
        let mut old = one.clone();
        old["time"] = "2020-01-01T00:00:00Z".into();
        memory["targets"][format!("/gone/{n}")] = old;
    }
    fs::write(&file, memory.to_string()).unwrap();
    let other = shell.everything().join("other");
    let to = ["--target", other.to_str().unwrap()];
    shell.ok(&[&["apply", "prod", "--yes"], &to[..]].concat());
    fs::remove_dir_all(&other).unwrap();
    let ended = shell.run(&[&["apply", "prod", "--yes"], &to[..]].concat());
    assert!(ended.code == 5 && ended.stderr.contains("its head is gone"), "{ended:?}");
    assert_eq!(shell.run(&["plan", "prod"]).code, 0);
}

/// The memory knows where a folder is: a worktree, or a job's own folder, hides nothing of what was deployed in another.
#[test]
fn e13_a_worktree_hides_no_target_of_another() {
    let shell = applied("protected: true\n");
    let tree = shell.everything().join("worktree");
    let git = |arguments: &[&str]| {
        let ended = feed(shell.command("git").current_dir(&shell.folder).args(arguments), "");
        assert_eq!(ended.code, 0, "{ended:?}");
    };
    git(&["worktree", "add", "-q", "-b", "pr", tree.to_str().unwrap()]);
    let path = tree.join("environments/prod/environment.yaml");
    let text = fs::read_to_string(&path).unwrap().replace("protected: true", "target: {path: live}");
    fs::write(&path, text).unwrap();
    fs::remove_file(tree.join("connections/c1.yaml")).unwrap();
    let plan = shell.ok(&["-C", tree.to_str().unwrap(), "plan", "prod"]).stdout;
    assert!(plan.contains("quickstart/dist (serial 1, 8 connections); this plan deploys to"), "{plan}");
    assert!(plan.contains("1 connection of what is deployed there is not in this plan"), "{plan}");
    assert!(plan.contains("it lifts `protected` and moves the target"), "{plan}");
}
