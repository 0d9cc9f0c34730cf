//! Access that is handed out without a word, and files of ours that others on the machine can write to.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::data_key::{ME, STAGE, entry};
use crate::secrets::{PROD, as_other, edit, identity, quickstart, set};
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
    let ended = shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod", "--yes"], "kelp");
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
    assert!(ended.stderr.contains(&format!("`me ({me})` can decrypt {PROD}\n")), "{ended:#?}");
}

/// Every command that writes a secrets file, on a branch that names eve: what it does without and with `--yes`.
type Write<'w> = (&'w str, &'w dyn Fn(&Shell, &[&str]) -> Ended);

fn edited(shell: &Shell, more: &[&str]) -> Ended {
    shell.put("../editor", "#!/bin/sh\nsed -i 's/^HUBSPOT_TOKEN: .*/HUBSPOT_TOKEN: sand/' \"$1\"\n");
    let editor = format!("sh {}", shell.folder.join("../editor").display());
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    feed(command.env("EDITOR", editor).args(["secret", "edit", "-e", "prod"]).args(more), "")
}

fn extracted(shell: &Shell, more: &[&str]) -> Ended {
    fs::create_dir_all(shell.folder.join("environments/prod/credentials")).unwrap();
    shell.put("environments/prod/credentials/warehouse-db.yaml", "auth: {password: kelp-in-clear}\n");
    shell.run(&[&["secret", "extract"], more].concat())
}

fn with(words: &[&str], more: &[&str]) -> Vec<String> {
    words.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn run(shell: &Shell, words: &[&str], more: &[&str], input: &str) -> Ended {
    let words = with(words, more);
    shell.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), input)
}

const WRITES: &[Write<'_>] = &[
    ("set", &|s, more| run(s, &["secret", "set", "NEW", "-e", "prod"], more, "kelp")),
    ("the same value", &|s, more| run(s, &["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], more, "real")),
    ("unset", &|s, more| run(s, &["secret", "unset", "WAREHOUSE_PASSWORD", "-e", "prod", "--force"], more, "")),
    ("rotate", &|s, more| run(s, &["secret", "rotate", "WAREHOUSE_PASSWORD", "-e", "prod"], more, "kelp")),
    ("edit", &edited),
    ("extract", &extracted),
    ("adopt", &|s, more| run(s, &["secret", "adopt", "-e", "prod"], more, "")),
    ("recipients add", &|s, more| {
        let ben = s.run(&["keygen", "--output", "../ben.txt"]).stdout;
        let ben = if ben.is_empty() { fs::read_to_string(s.folder.join("../ben.pub")).unwrap() } else { ben };
        s.put("../ben.pub", &ben);
        run(s, &["recipients", "add", "ben", ben.trim(), "-e", "prod"], more, "")
    }),
    ("updatekeys", &|s, more| {
        let to = format!("{ME},{}", fs::read_to_string(s.folder.join("../eve.pub")).unwrap().trim());
        run(s, &["sops", "updatekeys", PROD, "--age", &to], more, "")
    }),
];

/// A workspace with a real value in prod, and eve's public key.
fn real() -> (Shell, String) {
    let shell = quickstart();
    let eve = identity(&shell, "../eve.txt");
    shell.put("../eve.pub", &eve);
    set(&shell, "HUBSPOT_TOKEN", "prod", "real");
    (shell, eve)
}

/// What eve reads of prod.
fn reads(shell: &Shell) -> Option<String> {
    let ended = as_other(shell, "../eve.txt")(&["sops", "decrypt", PROD]);
    (ended.code == 0).then_some(ended.stdout)
}

fn named(shell: &Shell, eve: &str) {
    edit(shell, "tieline.yaml", "recipients: [me]", "recipients: [me, eve]");
    edit(shell, "tieline.yaml", "keys:\n", &format!("keys:\n  eve: {eve}\n"));
}

/// A branch that only edits settings: nothing that was sealed before is sealed to whom it names until somebody agreed.
#[test]
fn e17_no_command_seals_old_values_to_a_recipient_of_the_settings_unasked() {
    for (name, write) in WRITES {
        let (shell, eve) = real();
        named(&shell, &eve);
        let before = (shell.read(PROD), shell.read("tieline.yaml"), shell.read("environments/prod/environment.yaml"));
        let asked = write(&shell, &[]);
        assert_eq!(asked.code, 64, "{name}: {asked:#?}");
        let after = (shell.read(PROD), shell.read("tieline.yaml"), shell.read("environments/prod/environment.yaml"));
        assert_eq!(after, before, "{name}");
        assert!(asked.stderr.contains(&eve) && asked.stderr.contains(PROD), "{name}: {asked:#?}");
        assert!(asked.stderr.contains("`--yes`"), "{name}: {asked:#?}");
        assert_eq!(reads(&shell), None, "{name}");
        let meant = write(&shell, &["--yes"]);
        assert_eq!(meant.code, 0, "{name}: {meant:#?}");
        assert!(meant.stderr.contains(&format!("eve ({eve})")), "{name}: {meant:#?}");
        assert!(reads(&shell).is_some(), "{name}");
    }
}

/// The same where the file's own list names her as well: what stands there is no proof that she could decrypt it.
#[test]
fn e17_a_list_that_a_branch_wrote_into_a_secrets_file_is_no_consent() {
    // `updatekeys` would change nothing: the list is as it is to be.
    for (name, write) in WRITES.iter().filter(|(name, _)| *name != "updatekeys") {
        let (shell, eve) = real();
        named(&shell, &eve);
        let text = shell.read(PROD);
        let forged = entry(&text, ME).replace(ME, &eve);
        shell.put(PROD, &text.replacen("    age:\n", &format!("    age:\n{forged}"), 1));
        let before = shell.read(PROD);
        let asked = write(&shell, &[]);
        assert_eq!((asked.code, shell.read(PROD)), (64, before), "{name}: {asked:#?}");
        assert!(asked.stderr.contains(&format!("eve ({eve})")), "{name}: {asked:#?}");
        assert_eq!(reads(&shell), None, "{name}");
    }
    // No settings are needed where the list decides by itself.
    for words in [&["sops", "set", PROD, "[\"HUBSPOT_TOKEN\"]"][..], &["sops", "rotate", "-i", PROD]] {
        let (shell, eve) = real();
        let text = shell.read(PROD);
        let forged = entry(&text, ME).replace(ME, &eve);
        shell.put(PROD, &text.replacen("    age:\n", &format!("    age:\n{forged}"), 1));
        let before = shell.read(PROD);
        let asked = run(&shell, words, &[], "\"sand\"");
        assert_eq!((asked.code, shell.read(PROD)), (64, before), "{words:?}: {asked:#?}");
        assert!(asked.stderr.contains(&eve), "{words:?}: {asked:#?}");
        assert_eq!(run(&shell, words, &["--yes"], "\"sand\"").code, 0, "{words:?}");
    }
}

/// Ana removed eve, and ben's machine has not heard of it but in the file.
#[test]
fn e17_who_was_removed_elsewhere_comes_back_only_with_consent() {
    let (shell, eve) = real();
    shell.ok(&["recipients", "add", "eve", &eve]);
    let ana = shell.again().with_demo_identity();
    ana.ok(&["recipients", "remove", "eve", "--rotate-data-key", "--yes"]);
    assert_eq!(reads(&shell), None);
    edit(&shell, "tieline.yaml", "recipients: [me]", "recipients: [me, eve]");
    let asked = shell.run_with(&["secret", "set", "NEW", "-e", "prod"], "kelp");
    assert_eq!((asked.code, reads(&shell)), (64, None), "{asked:#?}");
    assert!(asked.stderr.contains(&format!("`eve ({eve})` would gain access to {PROD}\n")), "{asked:#?}");
}

/// A name that everybody knows, with a key of eve's.
#[test]
fn e17_a_known_name_with_another_key_is_somebody_else() {
    let (shell, eve) = real();
    let settings = "environments/prod/environment.yaml";
    let own = shell.read(settings);
    shell.put(settings, &format!("{own}keys: {{me2: {ME}, me: {eve}}}\nrecipients: [me2, me]\n"));
    let asked = shell.run_with(&["secret", "set", "NEW", "-e", "prod"], "kelp");
    assert_eq!(asked.code, 64, "{asked:#?}");
    assert!(asked.stderr.contains(&format!("`me ({eve})` would gain access to {PROD}\n")), "{asked:#?}");
    assert_eq!(reads(&shell), None);
    // Ben is who the operator says he is, and not who the branch says.
    let ben = identity(&shell, "../ben.txt");
    shell.put(settings, &format!("{own}keys: {{ben: {eve}}}\n"));
    edit(&shell, "tieline.yaml", "keys:\n", &format!("keys:\n  ben: {ben}\n"));
    let asked = shell.run(&["recipients", "add", "ben", &ben]);
    assert_eq!((asked.code, reads(&shell)), (64, None), "{asked:#?}");
    assert!(asked.stderr.contains(&format!("`ben ({eve})` would gain access to {PROD}\n")), "{asked:#?}");
    shell.put(settings, &own);
    shell.ok(&["recipients", "add", "ben", &ben]);
}

/// Who works with others is asked where this machine does not know them, and not again.
#[test]
fn e17_colleagues_are_asked_about_once() {
    let ana = quickstart();
    let ben = ana.again();
    let recipient = ben.ok(&["keygen"]).stdout.trim().to_owned();
    let added = ana.ok(&["recipients", "add", "ben", &recipient]);
    assert!(!added.stderr.contains("gain"), "{added:#?}");
    let put = |shell: &Shell, value: &str, more: &[&str]| {
        run(shell, &["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], more, value)
    };
    let asked = put(&ben, "kelp", &[]);
    assert_eq!(asked.code, 64, "{asked:#?}");
    assert!(asked.stderr.contains(&format!("`me ({ME})` may gain access to {PROD}")), "{asked:#?}");
    assert_eq!(put(&ben, "kelp", &["--yes"]).code, 0);
    // Another data key by ben, for the same two.
    for who in [&ana, &ben, &ana] {
        let ended = put(who, "sand", &[]);
        assert!(ended.code == 0 && !ended.stderr.contains("gain"), "{ended:#?}");
        who.ok(&["sops", "rotate", "-i", PROD]);
    }
    // A layer's first secret has nothing old beside it.
    fs::create_dir_all(ana.folder.join("environments/stage")).unwrap();
    ana.put("environments/stage/environment.yaml", "extends: prod\n");
    let first = set(&ana, "HUBSPOT_TOKEN", "stage", "kelp");
    assert!(first.stderr.contains(&format!("`me ({ME})`, `ben ({recipient})` can decrypt {STAGE}\n")), "{first:#?}");
}

/// A layer without a secrets file: nothing old is in it, but what is set would be for a stranger.
#[test]
fn e17_no_layers_first_secret_is_sealed_to_a_stranger_unasked() {
    let new = "environments/new/secrets.sops.yaml";
    for (settings, name) in
        [("extends: prod\nkeys: {me: EVE}\n", "me"), ("extends: dev\nkeys: {eve: EVE}\nrecipients: [me, eve]\n", "eve")]
    {
        let (shell, eve) = real();
        fs::create_dir_all(shell.folder.join("environments/new")).unwrap();
        shell.put("environments/new/environment.yaml", &settings.replace("EVE", &eve));
        shell.put(
            "connections/x.yaml",
            "connector: http\nconfig: {base_url: 'https://h.example'}\nauth: {mode: bearer, token: kelp-in-clear}\n",
        );
        let told = format!("`{name} ({eve})` would gain access to {new}\n");
        let writes: [&[&str]; 2] = [&["secret", "set", "TOKEN", "-e", "new"], &["secret", "extract"]];
        for words in writes {
            let before = (shell.read("connections/x.yaml"), shell.read(PROD));
            let asked = run(&shell, words, &[], "kelp");
            assert_eq!(asked.code, 64, "{words:?} {asked:#?}");
            assert!(asked.stderr.contains(&told) && asked.stderr.contains("`--yes`"), "{words:?} {asked:#?}");
            assert!(!shell.folder.join(new).exists(), "{words:?}");
            assert_eq!((shell.read("connections/x.yaml"), shell.read(PROD)), before, "{words:?}");
        }
        for words in writes {
            let _ = fs::remove_file(shell.folder.join(new));
            let meant = run(&shell, words, &["--yes"], "kelp");
            assert_eq!(meant.code, 0, "{words:?} {meant:#?}");
            assert!(shell.folder.join(new).exists(), "{words:?}");
        }
    }
    // Whoever decrypts another file that was written here is no stranger; a list that somebody else wrote proves nothing.
    let (shell, eve) = real();
    shell.ok(&["recipients", "add", "eve", &eve]);
    for folder in ["environments/new", "environments/newer"] {
        fs::create_dir_all(shell.folder.join(folder)).unwrap();
        shell.put(&format!("{folder}/environment.yaml"), "extends: prod\n");
    }
    let ended = set(&shell, "HUBSPOT_TOKEN", "new", "kelp");
    assert!(!ended.stderr.contains("would gain"), "{ended:#?}");
    let ben = shell.again().with_demo_identity();
    let asked = ben.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "newer"], "kelp");
    assert_eq!(asked.code, 64, "{asked:#?}");
    ben.ok(&["recipients", "accept", "-e", "prod", "--yes"]);
    set(&ben, "HUBSPOT_TOKEN", "newer", "kelp");
}

/// Who decrypts dev alone is a stranger to what a branch puts above prod, and to a layer that stands by itself.
#[test]
fn e17_a_recipient_of_one_layer_is_a_stranger_to_the_first_secret_of_another() {
    for (settings, code) in [
        ("extends: prod\nrecipients: [me, eve]\n", 64),
        ("recipients: [me, eve]\n", 64),
        ("extends: dev\n", 0),
        ("recipients: [me]\n", 0),
    ] {
        let (shell, eve) = real();
        shell.ok(&["recipients", "add", "eve", &eve, "-e", "dev"]);
        fs::create_dir_all(shell.folder.join("environments/new")).unwrap();
        shell.put("environments/new/environment.yaml", settings);
        let ended = shell.run_with(&["secret", "set", "TOKEN", "-e", "new"], "kelp");
        assert_eq!(ended.code, code, "{settings} {ended:#?}");
        assert_eq!(ended.stderr.contains("`eve ("), settings.contains("eve") || settings.contains("dev"), "{ended:#?}");
    }
}

/// What was not changed is not said to have been.
#[test]
fn e17_lists_that_others_changed_are_told_of_as_they_are() {
    let (shell, eve) = real();
    let ben = identity(&shell, "../ben.txt");
    shell.ok(&["recipients", "add", "ben", &ben]);
    edit(&shell, "tieline.yaml", "recipients: [me, ben]", "recipients: [me, eve]");
    edit(&shell, "tieline.yaml", "keys:\n", &format!("keys:\n  eve: {eve}\n"));
    let asked = shell.run(&["recipients", "add", "dan", &identity(&shell, "../dan.txt")]);
    assert_eq!(asked.code, 64, "{asked:#?}");
    let gains = "`eve` would gain access too: the settings name them, and the files are not sealed to them yet\n";
    let loses = "`ben` would lose access too: the files are sealed to them, and the settings name them no longer\n";
    assert!(asked.stderr.contains(gains) && asked.stderr.contains(loses), "{asked:#?}");
}

/// What comes of the rules as they were, and eve's key.
type Rewrite<'r> = &'r dyn Fn(&str, &str) -> String;

/// Rules for stock sops that a branch changes, at the top or nearer to a secrets file: sops would seal to whom they name.
#[test]
fn a59_a_recipient_that_a_branch_adds_to_the_rules_of_sops_is_an_error() {
    let nested = "environments/prod/.sops.yaml";
    let rules: [(&str, Rewrite<'_>); 5] = [
        (".sops.yaml", &|own, eve| own.replace("      age:\n", &format!("      age:\n        - {eve}\n"))),
        (".sops.yaml", &|_, eve| {
            format!("creation_rules:\n  - path_regex: prod\n    age: '{ME}, {eve}'\n  - age: {ME}\n")
        }),
        (nested, &|_, eve| format!("creation_rules:\n  - age: {eve}\n")),
        (nested, &|_, eve| format!("creation_rules:\n  - key_groups: [{{age: [{eve}]}}]\n")),
        (".sops.yaml", &|own, _| {
            own.replace("      age:\n", "      pgp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n      age:\n")
        }),
    ];
    for (number, (path, text)) in rules.iter().enumerate() {
        let shell = quickstart();
        let eve = identity(&shell, "../eve.txt");
        shell.ok(&["validate"]);
        shell.put(path, &text(&shell.read(".sops.yaml"), &eve));
        let ended = shell.run(&["validate", "--format", "concise"]);
        assert_eq!(ended.code, 1, "{number} {ended:#?}");
        assert!(ended.stdout.contains("recipients-differ") && ended.stdout.contains(path), "{number} {ended:#?}");
        let who = if number < 3 { &*eve } else { "others than age recipients" };
        assert!(ended.stdout.contains(who) && ended.stdout.contains(PROD), "{number} {ended:#?}");
    }
    // Rules of one's own that name the layer's recipients, or fit no file of it, are nobody's business.
    let shell = quickstart();
    shell.put(".sops.yaml", &format!("creation_rules:\n  - path_regex: docs/\n    pgp: 85D77543\n  - age: {ME}\n"));
    shell.ok(&["validate"]);
    shell.put(".sops.yaml", "creation_rules:\n  - kms: arn:aws:kms:eu-west-1:1:key/a\n");
    shell.ok(&["validate"]);
}
