//! Programs that we start, and what they inherit.
//!
//! Each kind of child writes down the environment that it was started with, as the system has it (`/proc/PID/environ`), and
//! its arguments.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peers::{permitted, there};
use crate::secrets::{PROD, commit, edit, quickstart, set};
use crate::shell::{Shell, feed};
use crate::support::root;

/// What no child may see: as a name or as a value.
const WITHHELD: &[(&str, &str)] = &[
    ("TIELINE_SECRET_KELP", "kelp-forest-7"),
    ("TIELINE_REGISTRY_PASSWORD", "registry-canary-7"),
    ("DEPLOY_TOKEN", "deploy-canary-7"),
];

/// The demo key, as it is in SOPS_AGE_KEY.
fn key(shell: &Shell) -> String {
    shell.read("demo-identity.txt").lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap().to_owned()
}

/// A shell in whose environment secrets are, as a CI system puts them there, and whose children write to `seen`.
fn loaded() -> Shell {
    let shell = quickstart();
    let key = key(&shell);
    let shell = WITHHELD.iter().fold(shell, |shell, (name, value)| shell.with(name, value));
    shell
        .with("SOPS_AGE_KEY", &key)
        .with("TIELINE_SECRETS_ALLOW", "env:TIELINE_SECRET_* env:DEPLOY_* op://*")
        .with("OPERATORS_OWN", "kept")
}

/// A script in the shell's own folder that writes down what it was started with, and goes on as `text` says.
fn spy(shell: &Shell, name: &str, text: &str) -> PathBuf {
    let folder = shell.everything().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let seen = shell.everything().join("seen");
    // Opened by the shell itself: `$$` is the process that was started.
    let note = format!("{{ echo \"@{name} $*\"; tr '\\0' '\\n' </proc/$$/environ; }} >>'{}'", seen.display());
    fs::write(&path, format!("#!/bin/sh\n{note}\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The environments that children of this name were started with, each as its variables.
fn seen(shell: &Shell, name: &str) -> Vec<Vec<(String, String)>> {
    let text = fs::read_to_string(shell.everything().join("seen")).unwrap_or_default();
    let own = text.split('@').filter(|part| part.starts_with(&format!("{name} ")));
    let variables = |part: &str| {
        let pairs = part.lines().skip(1).filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    own.map(variables).collect()
}

/// That children of this name ran, and none saw a secret; an operator's program has the rest of the environment.
fn is_the_operators(shell: &Shell, name: &str) {
    let all = seen(shell, name);
    assert!(!all.is_empty(), "`{name}` ran");
    for variables in all {
        let key = key(shell);
        for (name, value) in WITHHELD.iter().copied().chain([("SOPS_AGE_KEY", key.as_str())]) {
            assert!(!variables.iter().any(|(n, v)| n == name || v.contains(value)), "{name} {variables:?}");
        }
        for kept in ["HOME", "PATH", "OPERATORS_OWN"] {
            assert!(variables.iter().any(|(n, _)| n == kept), "{kept} {variables:?}");
        }
    }
}

/// That children of this name ran with nothing but a path.
fn is_bare(shell: &Shell, name: &str) {
    let all = seen(shell, name);
    assert!(!all.is_empty(), "`{name}` ran");
    for variables in all {
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PATH"], "`{name}`");
    }
}

#[test]
fn e01_an_editor_inherits_no_secret() {
    let shell = loaded();
    let editor = spy(&shell, "fake-editor", "sed -i 's/replace-me/kelp/' \"$1\"");
    let shell = shell.with("EDITOR", editor.to_str().unwrap());
    shell.ok(&["secret", "edit", "-e", "prod"]);
    is_the_operators(&shell, "fake-editor");
}

#[test]
fn e01_a_command_that_gives_a_key_inherits_no_secret() {
    for variable in ["SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"] {
        let shell = loaded();
        let command = spy(&shell, "fake-key", &format!("cat '{}'", shell.folder.join("demo-identity.txt").display()));
        // SOPS_AGE_KEY is another one, which opens nothing: so the command is asked.
        let other = shell.again();
        other.ok(&["keygen", "--output", "../other.txt"]);
        let other = fs::read_to_string(shell.folder.join("../other.txt")).unwrap();
        let other = other.lines().find(|line| line.starts_with("AGE-")).unwrap().to_owned();
        let shell = shell.with("SOPS_AGE_KEY_FILE", "/dev/null").with("SOPS_AGE_KEY", &other);
        let shell = shell.with(variable, command.to_str().unwrap());
        shell.run(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]);
        is_the_operators(&shell, "fake-key");
        let told = seen(&shell, "fake-key");
        assert!(told[0].iter().all(|(_, value)| *value != other), "{variable}");
        if variable == "SOPS_AGE_KEY_CMD" {
            assert!(told[0].iter().any(|(name, _)| name == "SOPS_AGE_RECIPIENT"), "{told:?}");
        }
    }
}

/// The plugin of an identity is the operator's; that of a recipient is named by whoever writes the workspace.
#[test]
fn e01_plugins_inherit_no_secret_and_those_of_recipients_nothing() {
    let shell = loaded();
    let python = root().join("tests/peers/age_plugin_tide.py");
    let plugin = spy(&shell, "age-plugin-tide", &format!("exec python3 '{}' \"$@\"", python.display()));
    let shell = shell.with_path(plugin.parent().unwrap());
    let made = feed(Command::new("python3").arg(&python), "");
    let (recipient, identity) = made.stdout.trim().split_once('\n').unwrap();
    shell.ok(&["recipients", "add", "tide", recipient, "-e", "prod"]);
    set(&shell, "HUBSPOT_TOKEN", "prod", "sealed to a plugin");
    is_bare(&shell, "age-plugin-tide");
    fs::remove_file(shell.everything().join("seen")).unwrap();
    shell.put("tide.txt", &format!("{identity}\n"));
    // Only the plugin opens it.
    let key = key(&shell);
    let only = shell.with("SOPS_AGE_KEY_FILE", "/dev/null").with("SOPS_AGE_KEY", "");
    let got = only.ok(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod", "--identity", "tide.txt"]);
    assert_eq!(got.stdout, "sealed to a plugin");
    is_the_operators(&only.with("SOPS_AGE_KEY", &key), "age-plugin-tide");
}

/// What a plugin says out of turn is refused, and what it asks is answered as the person did.
#[test]
fn e2_11_a_plugin_is_told_no_where_it_says_what_nobody_asked_for() {
    let shell = loaded();
    let python = root().join("tests/peers/age_plugin_tide.py");
    let (answers, odd) = (shell.everything().join("answers"), shell.everything().join("odd.py"));
    let right = "            send([\"file-key\", head[1]], hide(body))\n            answer()\n";
    let said = [
        "[\"file-key\", \"1\"], bytes(16)",
        "[\"file-key\", \"0\", \"x\"], bytes(16)",
        "[\"file-key\", \"0\"], bytes(15)",
        "[\"labels\", \"0\"], bytes(16)",
        "[\"msg\"], b\"touch \" * 8",
        "[\"msg\"], b\"press \" * 20",
        "[\"nothing\"]",
        "[\"confirm\", \"eWVz\", \"bm8\"], b\"sure?\"",
        "[\"file-key\", \"0\"], hide(body)",
        "[\"file-key\", \"0\"], bytes(16)",
    ];
    let say = |one: &&str| {
        format!("            send({one})\n            told.write(sys.stdin.readline() + sys.stdin.readline())\n")
    };
    let lines: String = said.iter().map(say).collect();
    let text = fs::read_to_string(&python).unwrap();
    assert!(text.contains(right));
    let open = format!("            told = open({:?}, \"w\")\n", answers.display().to_string());
    fs::write(&odd, text.replace(right, &format!("{open}{lines}            told.close()\n"))).unwrap();
    let plugin = spy(&shell, "age-plugin-tide", &format!("exec python3 '{}' \"$@\"", odd.display()));
    let shell = shell.with_path(plugin.parent().unwrap());
    let made = feed(Command::new("python3").arg(&python), "");
    let (recipient, identity) = made.stdout.trim().split_once('\n').unwrap();
    shell.ok(&["recipients", "add", "tide", recipient, "-e", "prod"]);
    set(&shell, "HUBSPOT_TOKEN", "prod", "sealed to a plugin");
    shell.put("tide.txt", &format!("{identity}\n"));
    let only = shell.with("SOPS_AGE_KEY_FILE", "/dev/null").with("SOPS_AGE_KEY", "");
    let words = ["secret", "get", "HUBSPOT_TOKEN", "-e", "prod", "--identity", "tide.txt"];
    let told = |confirmed: &str| {
        let told = fs::read_to_string(&answers).unwrap();
        let told: Vec<&str> = told.lines().filter(|line| !line.is_empty()).collect();
        let fail = "-> fail";
        assert_eq!(told, [fail, fail, fail, fail, "-> ok", "-> ok", "-> unsupported", confirmed, "-> ok", fail]);
    };
    let got = only.ok(&words);
    assert_eq!(got.stdout, "sealed to a plugin");
    // What it says arrives whole, also where its last line is a full one.
    assert!(got.stderr.contains("touch ".repeat(8).trim_end()), "{got:#?}");
    assert!(got.stderr.contains("press ".repeat(20).trim_end()), "{got:#?}");
    told("-> fail");
    if !there("script", Command::new("script").arg("--version")) {
        return;
    }
    for (typed, confirmed) in [("no\n", "-> ok no"), ("yes\n", "-> ok yes")] {
        let mut command = only.command("script");
        command.args(["-qec", &format!("{} {}", env!("CARGO_BIN_EXE_tieline"), words.join(" ")), "/dev/null"]);
        let ended = feed(&mut command, typed);
        assert!(ended.stdout.contains("sealed to a plugin"), "{ended:#?}");
        told(confirmed);
    }
}

/// The recipient of a pull request: nothing is started for it before somebody agreed.
#[test]
fn e17_no_plugin_of_a_recipient_is_started_before_somebody_agreed() {
    let shell = loaded();
    let python = root().join("tests/peers/age_plugin_tide.py");
    let plugin = spy(&shell, "age-plugin-tide", &format!("exec python3 '{}' \"$@\"", python.display()));
    let shell = shell.with_path(plugin.parent().unwrap());
    let made = feed(Command::new("python3").arg(&python), "");
    let recipient = made.stdout.lines().next().unwrap().to_owned();
    let ben = shell.ok(&["keygen", "--output", "../ben.txt"]).stdout.trim().to_owned();
    shell.ok(&["recipients", "add", "ben", &ben]);
    let settings = shell.read("tieline.yaml").replace("[me, ben]", "[me, ben, tide]");
    shell.put("tieline.yaml", &settings.replace("keys:\n", &format!("keys:\n  tide: {recipient}\n")));
    let dan = shell.ok(&["keygen", "--output", "../dan.txt"]).stdout.trim().to_owned();
    fs::create_dir_all(shell.folder.join("environments/new")).unwrap();
    shell.put("environments/new/environment.yaml", "extends: dev\n");
    for (words, code) in [
        (&["recipients", "add", "dan", &dan][..], 64),
        (&["recipients", "add", "dan", &dan, "--dry-run"], 0),
        (&["recipients", "remove", "ben"], 64),
        (&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], 64),
        (&["secret", "set", "HUBSPOT_TOKEN", "-e", "new"], 64),
        (&["secret", "adopt", "-e", "prod"], 64),
    ] {
        let ended = shell.run_with(words, "kelp");
        assert_eq!(ended.code, code, "{words:?} {ended:#?}");
        assert!(ended.stderr.contains(&format!("tide ({recipient})")), "{words:?} {ended:#?}");
        assert!(seen(&shell, "age-plugin-tide").is_empty(), "{words:?}");
    }
    shell.ok(&["recipients", "add", "dan", &dan, "--yes"]);
    assert!(!seen(&shell, "age-plugin-tide").is_empty());
}

/// A plugin is looked for where the operator's path leads, and never beside the workspace's files.
#[test]
fn e01_a_plugin_that_the_repository_brings_is_not_found() {
    let shell = loaded();
    let python = root().join("tests/peers/age_plugin_tide.py");
    let plugin = spy(&shell, "age-plugin-tide", "exit 1");
    fs::copy(plugin, shell.folder.join("age-plugin-tide")).unwrap();
    let made = feed(Command::new("python3").arg(&python), "");
    let recipient = made.stdout.lines().next().unwrap().to_owned();
    let path = format!(".:{}:", std::env::var("PATH").unwrap());
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    let ended = feed(command.env("PATH", path).args(["recipients", "add", "tide", &recipient, "-e", "prod"]), "");
    assert!(ended.code != 0 && ended.stderr.contains("age-plugin-tide is not installed"), "{ended:#?}");
    assert!(seen(&shell, "age-plugin-tide").is_empty());
}

/// A plugin that fails, hangs up, or says what it likes is an error.
#[test]
fn e01_a_plugin_that_fails_is_an_error() {
    let shell = loaded();
    let python = root().join("tests/peers/age_plugin_tide.py");
    let made = feed(Command::new("python3").arg(&python), "");
    let (recipient, identity) = made.stdout.trim().split_once('\n').unwrap();
    shell.put("tide.txt", &format!("{identity}\n"));
    for text in [
        "exit 1",
        "head -c 20 >/dev/null; exit 0",
        "echo hello; cat >/dev/null",
        "printf '%s\\n' '-> error internal' 'bm8' '-> done' ''; cat >/dev/null",
        "printf '%s\\n' '-> done' ''; cat >/dev/null",
        "yes -- '-> msg' | head -c 200000; cat >/dev/null",
        "head -c 200000 /dev/zero; cat >/dev/null",
    ] {
        let plugin = spy(&shell, "age-plugin-tide", text);
        let path = format!("{}:{}", plugin.parent().unwrap().display(), std::env::var("PATH").unwrap());
        for arguments in [
            vec!["recipients", "add", "tide", recipient, "-e", "prod"],
            vec!["sops", "encrypt", "tieline.yaml", "--age", recipient],
        ] {
            let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
            let ended = feed(command.env("PATH", &path).args(&arguments), "");
            assert!(ended.code == 1 && ended.stderr.contains("could not wrap"), "{text} {ended:#?}");
        }
    }
}

#[test]
fn e01_op_and_az_inherit_no_secret() {
    let shell = loaded();
    let op = spy(&shell, "op", "printf %s value-of-a-store");
    edit(
        &shell,
        "environments/prod/environment.yaml",
        "description:",
        "secrets: {STORED: 'op://team/db/password'}\ndescription:",
    );
    edit(&shell, "connections/hubspot.yaml", "secrets.HUBSPOT_TOKEN", "secrets.STORED");
    let dev = "secrets: {STORED: 'env:TIELINE_SECRET_KELP'}\ndescription:";
    edit(&shell, "environments/dev/environment.yaml", "description:", dev);
    let shell = shell.with("TIELINE_SECRETS_OP", op.to_str().unwrap());
    shell.ok(&["apply", "prod", "--yes"]);
    is_the_operators(&shell, "op");
    let az = spy(&shell, "az", "exit 1");
    let target = "target: {kind: object-store, url: 'az://bucket/acme'}\ndescription:";
    edit(&shell, "environments/prod/environment.yaml", "description:", target);
    let shell = shell.with_path(az.parent().unwrap()).with("AZURE_STORAGE_ACCOUNT_NAME", "acme");
    for (name, value) in [("AZURE_USE_AZURE_CLI", "true"), ("AZURE_CREDENTIAL_TYPE", "azure_cli")] {
        let _ = fs::remove_file(shell.everything().join("seen"));
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        let ended = feed(command.env(name, value).args(["plan", "prod"]), "");
        assert!(ended.code == 1 && ended.stderr.contains("`az` failed"), "{name} {ended:#?}");
        is_the_operators(&shell, "az");
    }
    // Nobody asks for its login by another word.
    for (name, value) in [("AZURE_USE_AZURE_CLI", "false"), ("AZURE_CREDENTIAL_TYPE", "access_key")] {
        let _ = fs::remove_file(shell.everything().join("seen"));
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        command.env("AZURE_STORAGE_ACCOUNT_KEY", "a2V5").env("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1");
        feed(command.env("AZURE_ALLOW_HTTP", "true").env(name, value).args(["plan", "prod"]), "");
        assert!(seen(&shell, "az").is_empty(), "{name}");
    }
}

/// A38: every program that is started, by any command, is watched from outside: arguments and environment.
#[test]
fn a38_no_child_of_any_command_sees_a_secret() {
    if !there("strace", Command::new("strace").arg("-V"))
        || !permitted("strace", Command::new("strace").args(["-o", "/dev/null", "true"]))
    {
        return;
    }
    let shell = loaded();
    let python = root().join("tests/peers/age_plugin_tide.py");
    let plugin = spy(&shell, "age-plugin-tide", &format!("exec python3 '{}' \"$@\"", python.display()));
    let editor = spy(&shell, "fake-editor", "sed -i 's/replace-me/kelp/' \"$1\"");
    let shell = shell.with_path(plugin.parent().unwrap()).with("EDITOR", editor.to_str().unwrap());
    let made = feed(Command::new("python3").arg(&python), "");
    let recipient = made.stdout.lines().next().unwrap().to_owned();
    set(&shell, "HUBSPOT_TOKEN", "prod", "kelp-forest-7");
    commit(&shell, "one");
    let opened = fs::read_to_string(shell.folder.join(PROD)).unwrap();
    assert!(!opened.contains("kelp-forest-7"));
    let mut children = 0;
    // How many programs each command starts, at least and at most.
    for (arguments, input, started_by_it) in [
        (vec!["recipients", "add", "tide", &recipient, "-e", "prod"], "", 1..=999),
        (vec!["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], "kelp-forest-7", 0..=999),
        (vec!["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"], "", 0..=0),
        // The editor, and what watches over its file.
        (vec!["secret", "edit", "-e", "prod"], "", 2..=999),
        (vec!["secret", "list"], "", 0..=0),
        (vec!["audit"], "", 0..=0),
        (vec!["audit", "--history"], "", 0..=0),
        (vec!["plan", "prod", "--out", "../saved.plan"], "", 0..=0),
        (vec!["plan", "prod", "--against", "HEAD"], "", 0..=0),
        (vec!["merge-driver", "--install"], "", 0..=0),
        (vec!["apply", "prod", "--yes"], "", 1..=999),
        (vec!["verify", "prod"], "", 0..=0),
        (vec!["sops", "decrypt", PROD], "", 0..=0),
    ] {
        let log = shell.everything().join("execs");
        let mut command = shell.command("strace");
        command.args(["-f", "-qq", "-v", "-s", "100000", "-e", "trace=execve,execveat", "-e", "signal=none", "-o"]);
        command.arg(&log).arg(env!("CARGO_BIN_EXE_tieline")).args(&arguments);
        let ended = feed(&mut command, input);
        assert!(ended.code < 2, "{arguments:?} {ended:#?}");
        let text = fs::read_to_string(&log).unwrap();
        // The first one is ours, and has what it was given. Where two start at once, a line breaks off before its result.
        let execs = text.lines().filter(|line| line.contains("execve(\"") || line.contains("execveat("));
        let started: Vec<&str> = execs.filter(|line| !line.contains(" = -1 ")).skip(1).collect();
        assert!(started_by_it.contains(&programs(&started)), "{arguments:?}\n{text}");
        children += programs(&started);
        let key = key(&shell);
        for line in started {
            for hidden in WITHHELD.iter().flat_map(|(name, value)| [*name, *value]).chain(["SOPS_AGE_KEY=", &key]) {
                assert!(!line.contains(hidden), "{arguments:?}: {hidden}\n{line}");
            }
        }
    }
    assert!(children >= 5, "{children}");
}

/// How many of these programs were started by us, and not by a script in turn.
fn programs(started: &[&str]) -> usize {
    started
        .iter()
        .filter(|line| ["/bin/sh\"", "age-plugin-tide\"", "fake-editor\""].iter().any(|end| line.contains(end)))
        .count()
}

/// A39: nobody of the same user looks into the memory: what the system shows of the process belongs to root.
#[test]
fn a39_a_process_is_closed_to_others_of_the_same_user() {
    use std::os::unix::fs::MetadataExt;
    let shell = quickstart();
    // Root owns its own processes either way: somebody else runs it.
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let drop = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    if root && !permitted("setpriv", Command::new("setpriv").args(drop).arg("true")) {
        return;
    }
    let binary = shell.everything().join("tieline");
    fs::copy(env!("CARGO_BIN_EXE_tieline"), &binary).unwrap();
    for folder in [shell.everything(), shell.folder.parent().unwrap(), &shell.folder] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = match root {
        true => {
            let mut command = shell.command("setpriv");
            command.args(drop).arg(&binary);
            command
        }
        false => shell.command(&binary),
    };
    command
        .args(["secret", "set", "X", "-e", "prod"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let runs = || fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "tieline");
    let owner = |name: &str| fs::metadata(process.join(name)).map(|metadata| metadata.uid()).ok();
    let start = std::time::Instant::now();
    // It waits for the value meanwhile.
    while !(runs() && owner("environ") == Some(0) && owner("maps") == Some(0)) {
        let state = (runs(), owner("environ"), child.try_wait().unwrap());
        assert!(start.elapsed().as_secs() < 10, "PR_SET_DUMPABLE is set: {state:?}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Nothing else in the crate starts a program.
#[test]
fn e01_one_file_starts_programs() {
    let house = fs::read_to_string(root().join("clippy.toml")).unwrap();
    for path in ["std::process::Command", "age::plugin::IdentityPluginV1", "age::plugin::RecipientPluginV1"] {
        assert!(house.contains(&format!("path = \"{path}\"")), "clippy.toml bans {path}");
    }
    let source = root().join("src");
    for path in crate::support::files(&source).iter().filter(|path| path.ends_with(".rs") && *path != "world/child.rs")
    {
        let text = fs::read_to_string(source.join(Path::new(path))).unwrap();
        for way in
            ["Command::new", "process::Command", "CommandExt", "PluginV1", "gix::command", "execv", "posix_spawn"]
        {
            assert!(!text.contains(way), "src/{path} has `{way}`: programs are started by world/child.rs");
        }
        // A repository is found in one place, too: never in what a commit brings.
        let opens = ["gix::open_opts", "gix::discover", "open_opts("].iter().any(|way| text.contains(way));
        assert!(!opens || path == "world/git/mod.rs", "src/{path} opens a repository: world/git does");
    }
}
