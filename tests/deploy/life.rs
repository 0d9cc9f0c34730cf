//! Promise: what is in force, what was, and what is pending can be looked at by anyone; an older bundle is noticed; and odd
//! machines change nothing in what is applied.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{Bench, Canaries, scope};
use crate::secrets::commit;
use crate::shell::{Shell, copy, feed, tree};
use tieline::apply::{Options, Stamp, apply};
use tieline::targets::gc::garbage;

fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

fn retries(shell: &Shell, n: u8) {
    let text = shell.read("connections/hubspot.yaml");
    let at = text.find("retries: ").unwrap() + "retries: ".len();
    shell.put("connections/hubspot.yaml", &format!("{}{n}{}", &text[..at], &text[at + 1..]));
}

fn json(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.ok(&[arguments, &["--format", "json"]].concat()).stdout).unwrap()
}

#[test]
fn n08_history_rollback_and_status_tell_what_was_is_and_would_be() {
    let shell = quickstart();
    commit(&shell, "one");
    shell.ok(&["apply", "prod", "--yes"]);
    retries(&shell, 4);
    shell.put(
        "connections/status.yaml",
        "connector: http\nconfig: {base_url: https://s.example.com}\nauth: {mode: none}\n",
    );
    shell.ok(&["apply", "prod", "--yes"]);
    let history = json(&shell, &["history", "prod"]);
    assert_eq!((history[0]["created"].as_u64(), history[0]["updated"].as_u64()), (Some(1), Some(1)));
    assert!(history[0]["commit"].as_str().unwrap().ends_with(" (dirty)"), "{history}");
    assert!(!history[1]["commit"].as_str().unwrap().contains("dirty"), "{history}");
    let back = shell.ok(&["rollback", "prod", "--yes"]);
    assert!(back.stdout.contains("- delete status") && back.stdout.contains("retries: 4 -> 5"), "{back:?}");
    assert!(back.stderr.contains("applied serial 3") && back.stderr.contains("revert the commit too"), "{back:?}");
    let text = shell.ok(&["history", "prod"]).stdout;
    assert!(text.starts_with("SERIAL  TIME ") && text.lines().count() == 4, "{text}");
    let view = shell.folder.join("dist/environments/prod/current/connections");
    assert!(!view.join("status.yaml").exists() && view.join("hubspot.yaml").exists());
    let status = shell.ok(&["status"]).stdout;
    assert!(status.contains("1 to create, 1 to update, 0 to delete"), "{status}");
    let rows = json(&shell, &["status"]);
    let prod = rows.as_array().unwrap().iter().find(|row| row["environment"] == "prod").unwrap();
    assert_eq!(
        (prod["serial"].as_u64(), prod["connections"].as_u64(), prod["drift"].as_u64()),
        (Some(3), Some(2), Some(0))
    );
    for serial in ["0", "9"] {
        let absent = shell.run(&["rollback", "prod", serial, "--yes"]);
        assert!(absent.code == 64 && absent.stderr.contains("`tieline history prod` shows them"), "{absent:?}");
    }
    // Drift: somebody wrote into the target.
    let object = fs::read_dir(shell.folder.join("dist/objects")).unwrap().map(|e| e.unwrap().path());
    object.for_each(|path| fs::write(path, "changed").unwrap());
    let drift = shell.run(&["status"]);
    assert_eq!(drift.code, 5, "{drift:?}");
    assert!(drift.stderr.contains("was changed: its digest is not its name"), "{drift:?}");
    let refused = shell.run(&["rollback", "prod", "2", "--yes"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    // What is lost is sealed again where something changes, or where somebody says so.
    for command in [&["apply", "prod", "--yes"][..], &["apply", "prod", "--yes", "--reseal"]] {
        fs::remove_dir_all(shell.folder.join("dist/objects")).unwrap();
        let lost = shell.run(&["verify", "prod"]);
        assert!(lost.code == 5 && lost.stdout.contains("is missing"), "{lost:?}");
        retries(&shell, 3);
        let applied = shell.ok(command);
        assert!(applied.stderr.contains("3 objects sealed, 0 carried over"), "{applied:?}");
        shell.ok(&["verify", "prod"]);
    }
}

#[test]
fn n08_a_rollback_asks_no_store_and_knows_when_there_is_nothing_to_do() {
    let shell = quickstart().with("TIELINE_SECRET_API", "pat-na1-from-outside");
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}secrets: {{API: 'env:TIELINE_SECRET_API'}}\n"));
    shell.put("environments/prod/connections/hubspot.yaml", "auth: {access_token: '${{ secrets.API }}'}\n");
    assert!(shell.ok(&["apply", "prod", "--yes"]).stdout.contains("resolved at apply"));
    let nothing = shell.ok(&["rollback", "prod", "1", "--yes"]);
    assert!(nothing.stderr.contains("nothing to do: serial 1 is what is in force"), "{nothing:?}");
    retries(&shell, 4);
    shell.ok(&["apply", "prod", "--yes"]);
    // Without the variable, and without a key.
    let back = shell.again().ok(&["rollback", "prod", "--yes"]);
    assert!(back.stderr.contains("0 objects sealed, 2 carried over"), "{back:?}");
    assert!(!back.stdout.contains("resolved at apply"), "{back:?}");
}

#[test]
fn a82_an_older_bundle_that_was_put_back_is_noticed() {
    let shell = quickstart();
    shell.ok(&["apply", "prod", "--yes"]);
    let backup = shell.everything().join("backup");
    copy(&shell.folder.join("dist"), &backup);
    retries(&shell, 4);
    shell.ok(&["apply", "prod", "--yes"]);
    fs::remove_dir_all(shell.folder.join("dist")).unwrap();
    copy(&backup, &shell.folder.join("dist"));
    for command in [
        vec!["gc", "prod", "--yes"],
        vec!["plan", "prod"],
        vec!["apply", "prod", "--yes"],
        vec!["verify", "prod"],
        vec!["history", "prod"],
    ] {
        let ended = shell.run(&command);
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.stderr.contains("serial 2 was seen here before"), "{ended:?}");
        assert!(ended.stderr.contains("`--accept-serial 1` accepts it"), "{ended:?}");
    }
    // A machine without a memory is told.
    let fresh = shell.again();
    let told = fresh.run(&["plan", "prod", "--min-serial", "2"]);
    assert!(told.code == 5 && told.stderr.contains("`--min-serial 2` was given"), "{told:?}");
    fresh.ok(&["plan", "prod"]);
    // A backup that was restored on purpose.
    shell.ok(&["apply", "prod", "--yes", "--accept-serial", "1"]);
    shell.ok(&["plan", "prod"]);
    // The memory holds no secret, and is for its owner alone.
    let folder = shell.home().join(".local/state/tieline/serials");
    let (name, text) = tree(&folder).pop().unwrap();
    assert!(name.ends_with("prod.json") && String::from_utf8(text).unwrap().contains("\"targets\""), "{name}");
    assert_eq!(fs::metadata(folder.join(&name)).unwrap().permissions().mode() & 0o777, 0o600);
    // A damaged memory is none.
    fs::write(folder.join(&name), "{{{").unwrap();
    shell.ok(&["plan", "prod"]);
}

#[test]
fn a83_a_clock_that_jumps_changes_no_order_and_deletes_nothing() {
    let bench = Bench::new();
    for (n, time) in ["2026-11-21T08:00:00Z", "2016-01-01T00:00:00Z", "2036-01-01T00:00:00Z", "2026-11-21T08:00:01Z"]
        .iter()
        .enumerate()
    {
        let mut desired = bench.desired(&["a"]);
        desired.records.get_mut("a").unwrap()["config"]["host"] = format!("db{n}.example").into();
        let stamp = Stamp { time: time.parse().unwrap(), tool: "0.1.0".into(), commit: None };
        let base = bench.deployed();
        let applied = apply(&bench.target(), &desired, base.as_ref(), &Canaries, &stamp, &Options::default()).unwrap();
        assert_eq!(applied.head.serial, n as u64 + 1);
    }
    // A clock that stands before everything was written finds nothing old; one far behind, nothing that is in use.
    let target = bench.target();
    assert_eq!(garbage(&target, Some(1), 0).unwrap(), []);
    assert_eq!(garbage(&target, None, i64::MAX / 2).unwrap(), []);
    let report = tieline::verify::verify(&target, &scope(), Some(&bench.identities())).unwrap();
    assert_eq!(report.problems, []);
    // An age below zero is none.
    let shell = quickstart();
    shell.ok(&["apply", "prod", "--yes"]);
    assert!(shell.ok(&["status"]).stdout.contains(" s "));
}

#[test]
fn a84_without_a_home_a_terminal_or_an_open_stdout_an_apply_does_the_same() {
    let shell = quickstart();
    let sh = |line: &str| {
        let mut command = shell.command("sh");
        command.args(["-c", line]).env("TIELINE", env!("CARGO_BIN_EXE_tieline"));
        feed(&mut command, "")
    };
    let ended = sh("umask 000; unset HOME XDG_CONFIG_HOME; exec \"$TIELINE\" apply prod --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    for entry in walkdir::WalkDir::new(shell.folder.join("dist")) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{:?} is for its owner alone", entry.path());
    }
    for (n, line) in [
        "exec \"$TIELINE\" apply prod --yes >&-",
        "exec \"$TIELINE\" apply prod --yes >&- 2>&-",
        "exec \"$TIELINE\" apply prod --yes <&- >/dev/full 2>/dev/full",
        "\"$TIELINE\" apply prod --yes | true",
        "HOME=/proc XDG_STATE_HOME=/proc/x exec \"$TIELINE\" apply prod --yes",
        "HOME=relative XDG_STATE_HOME=relative exec \"$TIELINE\" apply prod --yes",
    ]
    .iter()
    .enumerate()
    {
        retries(&shell, u8::try_from(n % 5).unwrap());
        let ended = sh(line);
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        let status = json(&shell.again(), &["status"]);
        let prod = status.as_array().unwrap().iter().find(|row| row["environment"] == "prod").unwrap();
        assert_eq!((prod["serial"].as_u64(), prod["pending"].as_str()), (Some(n as u64 + 2), Some("none")), "{line}");
    }
}

#[test]
fn a84_a_target_that_can_not_be_written_is_told_and_what_is_in_force_with_it() {
    let shell = quickstart();
    let file = shell.everything().join("file");
    fs::write(&file, "x").unwrap();
    for target in [file.join("dist"), "/proc/tieline".into()] {
        let ended = shell.run(&["apply", "prod", "--yes", "--target", target.to_str().unwrap()]);
        assert_ne!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains("cannot") || ended.stderr.contains("is not a folder"), "{ended:?}");
    }
    // Nothing to do needs no right to write.
    shell.ok(&["apply", "prod", "--yes"]);
    let before = tree(&shell.folder.join("dist"));
    shell.ok(&["plan", "prod"]);
    shell.ok(&["verify", "prod"]);
    shell.ok(&["status"]);
    assert!(tree(&shell.folder.join("dist")) == before);
}

#[test]
fn a90_a_workspace_is_looked_for_no_further_than_the_repository() {
    let shell = quickstart();
    let inner = shell.folder.join("vendor/project");
    fs::create_dir_all(inner.join(".git")).unwrap();
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    let ended = feed(command.current_dir(&inner).args(["plan", "prod"]), "");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("no tieline.yaml in"), "{ended:?}");
    // No variable moves it elsewhere.
    for name in ["TIELINE_CONFIG", "TIELINE_DIR", "TIELINE_WORKSPACE", "GIT_DIR", "GIT_WORK_TREE"] {
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        let ended = feed(command.current_dir(&inner).env(name, &shell.folder).args(["plan", "prod"]), "");
        assert_eq!(ended.code, 1, "{name}: {ended:?}");
    }
}

#[test]
fn a92_a_name_that_looks_like_an_option_is_a_name() {
    let shell = quickstart();
    for name in ["--help", "-rf", "--version", "-C"] {
        let ended = shell.run(&["validate", "--", name]);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains(&format!("there is no file or folder `{name}`")), "{ended:?}");
        shell.put(&format!("connections/{name}.yaml"), "connector: http\n");
        let told = shell.run(&["validate", "--", &format!("connections/{name}.yaml")]);
        assert!(told.code == 1 && told.stdout.contains("error[invalid-id]"), "{told:?}");
        fs::remove_file(shell.folder.join(format!("connections/{name}.yaml"))).unwrap();
    }
    let hooks = fs::read_to_string(crate::support::root().join(".pre-commit-hooks.yaml")).unwrap();
    for line in hooks.lines().filter(|line| line.trim_start().starts_with("entry:")) {
        assert!(line.trim_end().ends_with(" --") || !hooks.contains("pass_filenames: true"), "{line}");
    }
}

#[test]
fn a94_locale_time_zone_and_a_hostile_environment_change_nothing() {
    let shell = quickstart();
    let here = shell.ok(&["plan", "prod", "--format", "json"]).stdout;
    for (name, value) in [
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LANG", "C"),
        ("TZ", "Pacific/Kiritimati"),
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "full"),
        ("COLUMNS", "99999999999999999999"),
        ("NO_COLOR", "\u{1b}[2J"),
        ("GIT_DIR", "/nowhere"),
        ("GIT_CONFIG_COUNT", "1"),
        ("AWS_ENDPOINT_URL", "http://evil.example"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
    ] {
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        let ended = feed(command.env(name, value).args(["plan", "prod", "--format", "json"]), "");
        assert_eq!((ended.code, &ended.stdout, &*ended.stderr), (0, &here, ""), "{name}");
    }
}

#[test]
fn a57_a_workspace_says_no_endpoint_region_role_or_token() {
    for target in [
        "target: {kind: object-store, url: 's3://bucket/x', endpoint: 'http://evil.example'}",
        "target: {kind: object-store, url: 's3://bucket/x', region: eu-central-1}",
        "target: {kind: object-store, url: 's3://bucket/x', role_arn: x}",
        "target: {kind: object-store, url: 'https://evil.example/x'}",
        "target: {kind: object-store, url: 's3://evil.example:9000/x'}",
        "target: {kind: object-store, url: 's3://bucket/x?endpoint=http://evil.example'}",
        "target: {kind: object-store, path: dist}",
        "target: {kind: ftp, path: dist}",
        "publish: {oci: 'https://evil.example/x'}",
        "publish: {oci: 'evil.example/x:latest'}",
        "publish: {oci: 'evil.example/x', token_env: AWS_SECRET_ACCESS_KEY}",
        "secrets: {API: {from: 'vault://kv/x#y', namespace: other}}",
        "guards: {max_delete_percent: 101}",
        "guards: {max_delete_count: -1}",
    ] {
        let shell = quickstart();
        let settings = shell.read("environments/prod/environment.yaml");
        shell.put("environments/prod/environment.yaml", &format!("{settings}{target}\n"));
        let told = shell.run(&["validate"]);
        assert_eq!(told.code, 1, "{target}: {told:?}");
        assert!(told.stdout.contains("environments/prod/environment.yaml:4"), "{target}: {told:?}");
    }
}

#[test]
fn a64_one_name_stands_for_one_secret() {
    let shell = quickstart();
    let settings = shell.read("environments/prod/environment.yaml");
    // Bound to a store and sealed in the same layer: which is meant?
    shell.put(
        "environments/prod/environment.yaml",
        &format!("{settings}secrets: {{HUBSPOT_TOKEN: 'vault://kv/prod/hubspot#token'}}\n"),
    );
    let told = shell.run(&["validate"]);
    assert!(told.code == 1 && told.stdout.contains("HUBSPOT_TOKEN"), "{told:?}");
    // The same name in two environments: a plan tells each with its own source.
    let shell = quickstart();
    let from = |environment: &str| {
        let plan = shell.ok(&["render", environment, "hubspot", "--format", "json"]).stdout;
        let record: Value = serde_json::from_str(&plan).unwrap();
        record.pointer("/connections/hubspot/auth/access_token/$secret/sources/0/from").unwrap().clone()
    };
    assert_ne!(from("dev"), from("prod"));
}

#[test]
fn gc_shows_asks_and_takes_what_is_old() {
    let shell = quickstart();
    shell.ok(&["apply", "prod", "--yes"]);
    let orphan = shell.folder.join("dist/objects").join("ab".repeat(32));
    fs::write(&orphan, "left behind").unwrap();
    assert!(shell.ok(&["gc", "prod", "--yes"]).stderr.contains("nothing to delete"));
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
    fs::File::options().write(true).open(&orphan).unwrap().set_modified(old).unwrap();
    let shown = shell.ok(&["gc", "prod", "--dry-run"]);
    assert!(shown.stdout.contains(&format!("object sha256:{}", "ab".repeat(32))) && orphan.exists(), "{shown:?}");
    assert_eq!(shell.run(&["gc", "prod"]).code, 64, "nobody is there to ask");
    assert!(shell.ok(&["gc", "prod", "--yes"]).stderr.contains("1 file of 11 bytes deleted"));
    assert!(!orphan.exists());
    shell.ok(&["verify", "prod"]);
}
