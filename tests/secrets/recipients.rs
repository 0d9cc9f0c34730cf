//! Who can open what: somebody joins, leaves, and what a consumer's key opens.

use std::fs;

use super::{DEV, PROD, as_other, commit, edit, get, git, identity, quickstart, set};
use crate::shell::{Shell, feed, sops};

/// X13, X18, N05: a second person opens the secrets; removed, she opens none that is sealed anew.
#[test]
fn x18_n05_somebody_joins_and_leaves() {
    let shell = quickstart();
    let ben = identity(&shell, "ben.txt");
    set(&shell, "HUBSPOT_TOKEN", "prod", "kelp");
    let as_ben = as_other(&shell, "ben.txt");
    let read = ["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"];
    assert_eq!(as_ben(&read).code, 1);
    let value = |text: &str| text.lines().find(|line| line.starts_with("HUBSPOT_TOKEN:")).unwrap().to_owned();
    let before = value(&shell.read(PROD));

    shell.ok(&["recipients", "add", "ben", &ben]);
    assert_eq!(value(&shell.read(PROD)), before, "no value changes a byte");
    assert_eq!(as_ben(&read).stdout, "kelp");
    shell.ok(&["validate"]);
    shell.ok(&["recipients", "check"]);
    assert!(shell.read("tieline.yaml").contains("recipients: [me, ben]"), "{}", shell.read("tieline.yaml"));
    assert!(shell.read(".sops.yaml").contains(&ben));
    let again = shell.ok(&["recipients", "add", "ben"]);
    assert!(again.stderr.contains("already"), "{again:#?}");

    let kept = shell.ok(&["recipients", "remove", "ben"]);
    assert!(kept.stderr.contains("ben may still hold the old data keys"), "{kept:#?}");
    assert!(kept.stderr.contains("ben may have seen, and Git keeps: `HUBSPOT_TOKEN`"), "{kept:#?}");
    assert_eq!(value(&shell.read(PROD)), before);
    assert_eq!(as_ben(&read).code, 1);
    assert!(!shell.read(".sops.yaml").contains(&ben));

    shell.ok(&["recipients", "add", "ben"]);
    let meant = shell.ok(&["recipients", "remove", "ben", "--rotate-data-key"]);
    assert!(!meant.stderr.contains("may still hold"), "{meant:#?}");
    assert_ne!(value(&shell.read(PROD)), before, "a new data key, and every value sealed anew");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "kelp");
}

#[test]
fn one_environment_alone_gets_a_list_of_its_own() {
    let shell = quickstart();
    let ben = identity(&shell, "ben.txt");
    let prod = shell.read(PROD);
    shell.ok(&["recipients", "add", "ben", &ben, "-e", "dev"]);
    assert_eq!(shell.read(PROD), prod);
    assert!(shell.read("environments/dev/environment.yaml").contains("recipients: [me, ben]"));
    assert_eq!(as_other(&shell, "ben.txt")(&["secret", "get", "HUBSPOT_TOKEN", "-e", "dev"]).stdout, "replace-me");
    let listed = shell.ok(&["recipients", "list", "-e", "dev"]).stdout;
    assert!(listed.contains("ben") && listed.contains("environments/dev/environment.yaml"), "{listed}");
    let last = shell.run(&["recipients", "remove", "me", "-e", "prod"]);
    assert_eq!(last.code, 4, "nobody could open it: {last:#?}");
    let unknown = shell.run(&["recipients", "remove", "bne"]);
    assert_eq!(unknown.code, 64);
    assert!(unknown.stderr.contains("did you mean `ben`?"), "{unknown:#?}");
}

#[test]
fn a_list_in_lines_keeps_its_comments() {
    let shell = quickstart();
    let ben = identity(&shell, "ben.txt");
    edit(&shell, "tieline.yaml", "recipients: [me]", "recipients:\n  - me   # since 2024");
    shell.ok(&["recipients", "add", "ben", &ben]);
    let text = shell.read("tieline.yaml");
    assert!(text.contains("recipients:\n  - me   # since 2024\n  - ben\n"), "{text}");
    shell.ok(&["recipients", "remove", "ben"]);
    assert!(
        shell.read("tieline.yaml").ends_with("recipients:\n  - me   # since 2024\n"),
        "{}",
        shell.read("tieline.yaml")
    );
}

#[test]
fn without_a_key_that_opens_all_files_none_is_changed() {
    let shell = quickstart();
    let ben = identity(&shell, "ben.txt");
    let before = (shell.read("tieline.yaml"), shell.read(DEV), shell.read(PROD));
    let ended = as_other(&shell, "ben.txt")(&["recipients", "add", "ben", &ben]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("nothing was changed") && ended.stderr.contains("`me (age1a0x6ea"), "{ended:#?}");
    assert_eq!((shell.read("tieline.yaml"), shell.read(DEV), shell.read(PROD)), before);
    for (arguments, code) in [
        (vec!["recipients", "add", "carl"], 64),
        (vec!["recipients", "add", "carl", "age1nonsense"], 64),
        (vec!["recipients", "add", "me", &*ben], 4),
    ] {
        let ended = shell.run(&arguments);
        assert_eq!(ended.code, code, "{ended:#?}");
    }
    let private = fs::read_to_string(shell.folder.join("ben.txt")).unwrap();
    let private = private.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    for arguments in [vec!["recipients", "add", "carl", private], vec!["sops", "rotate", DEV, "--add-age", private]] {
        let ended = shell.run(&arguments);
        assert_eq!(ended.code, 64, "{ended:#?}");
        assert!(!ended.stderr.contains(private) && ended.stderr.contains("a private key"), "{ended:#?}");
    }
    let dry = shell.ok(&["recipients", "add", "ben", &ben, "--dry-run"]);
    assert!(dry.stderr.contains("nothing was written"), "{dry:#?}");
    assert_eq!((shell.read("tieline.yaml"), shell.read(DEV), shell.read(PROD)), before);
}

/// A70: a recipient that a file has and its layer does not, or the other way round, is told by name.
#[test]
fn a70_recipients_that_drift_are_told_and_stock_sops_can_make_them() {
    let shell = quickstart();
    let mallory = identity(&shell, "mallory.txt");
    // Whoever may open a file may seal it to others; the list in Git is what was reviewed.
    shell.ok(&[
        "sops",
        "updatekeys",
        PROD,
        "--yes",
        "--age",
        &format!("age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s,{mallory}"),
    ]);
    let ended = shell.run(&["recipients", "check"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains(&format!("{PROD}: sealed to `{mallory}` too")), "{ended:#?}");
    let told = shell.run(&["validate"]);
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("recipients-differ"), "{told:#?}");
    // Stripped: the one who is to open it can't.
    shell.ok(&["sops", "updatekeys", PROD, "--yes", "--age", &mallory]);
    let ended = shell.run(&["recipients", "check"]);
    assert!(ended.stdout.contains("not sealed to `me`"), "{ended:#?}");
    let json = shell.run(&["recipients", "check", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["missing"], serde_json::json!(["me"]));
}

/// A70: a file that was copied from another environment is not handed to this one's recipients, by no command.
#[test]
fn a66_a70_a_copied_file_is_sealed_to_nobody_else() {
    let shell = quickstart();
    let ben = identity(&shell, "ben.txt");
    set(&shell, "HUBSPOT_TOKEN", "prod", "kelp of production");
    shell.put(DEV, &shell.read(PROD));
    for more in [vec![], vec!["--dry-run"]] {
        let ended = shell.run(&[vec!["recipients", "add", "ben", &*ben, "-e", "dev"], more].concat());
        assert_eq!(ended.code, 5, "{ended:#?}");
        assert!(ended.stderr.contains("sealed for `environments/prod`"), "{ended:#?}");
    }
    assert!(!shell.read(DEV).contains(&ben) && !shell.read("tieline.yaml").contains(&ben));
}

/// The same with stock sops: `.sops.yaml` says who, `sops updatekeys` does it.
#[test]
fn n07_stock_sops_updates_keys_by_the_rules_that_we_write() {
    let Some(sops) = sops() else { return };
    let shell = quickstart();
    let ben = identity(&shell, "ben.txt");
    shell.ok(&["recipients", "add", "ben", &ben]);
    shell.ok(&[
        "sops",
        "updatekeys",
        PROD,
        "--yes",
        "--age",
        "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s",
    ]);
    let ended = feed(shell.command(&sops).args(["updatekeys", "-y", PROD]), "");
    assert_eq!(ended.code, 0, "{ended:#?}");
    shell.ok(&["recipients", "check"]);
    shell.ok(&["validate"]);
}

/// SSH keys are recipients like others: the key that a person has already.
#[test]
fn x36_an_ssh_key_is_a_recipient() {
    let shell = quickstart();
    let ssh = shell.home().join(".ssh");
    fs::create_dir_all(&ssh).unwrap();
    let mut make = shell.command("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-C", "ana@laptop", "-f"]).arg(ssh.join("id_ed25519"));
    assert_eq!(feed(&mut make, "").code, 0);
    let public = fs::read_to_string(ssh.join("id_ed25519.pub")).unwrap();
    shell.ok(&["recipients", "add", "ana", public.trim()]);
    shell.ok(&["validate"]);
    assert!(shell.read("tieline.yaml").contains("ssh-ed25519 "), "{}", shell.read("tieline.yaml"));
    let shell = shell.with("SOPS_AGE_KEY_FILE", "/nowhere");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "replace-me");
    shell.ok(&["apply", "prod", "--yes"]);
    assert!(shell.ok(&["verify", "prod"]).stdout.contains("2 opened"));
}

/// N06, X13: a consumer's key opens the connections that it uses and no others.
#[test]
fn n06_a_consumers_key_opens_what_it_uses_and_no_more() {
    let shell = quickstart();
    let runtime = identity(&shell, "runtime.txt");
    edit(&shell, "tieline.yaml", "keys:\n", &format!("keys:\n  runtime: {runtime}\n"));
    let consumer = shell.read("consumers/nightly-sync.yaml");
    shell.put("consumers/nightly-sync.yaml", &format!("{consumer}recipients: [runtime]\n"));
    edit(&shell, "consumers/nightly-sync.yaml", "hubspot", "warehouse");
    let text = shell.read("consumers/nightly-sync.yaml");
    let lines: Vec<&str> = text.lines().collect();
    let once: Vec<&str> = lines.iter().enumerate().filter(|(i, l)| !lines[..*i].contains(l)).map(|(_, l)| *l).collect();
    shell.put("consumers/nightly-sync.yaml", &(once.join("\n") + "\n"));
    shell.ok(&["apply", "prod", "--yes"]);
    let ended = shell.ok(&["verify", "prod", "--as", "nightly-sync"]);
    assert_eq!(ended.stdout, "opens warehouse\nnightly-sync opens 1 of 2 objects of prod\n");
    let ended = shell.ok(&["verify", "prod", "--as", "me"]);
    assert!(ended.stdout.ends_with("me opens 2 of 2 objects of prod\n"), "{ended:#?}");
    // With the key itself: stock tools open one object, and the other not.
    let as_runtime = as_other(&shell, "runtime.txt");
    let object = |id: &str| format!("dist/environments/prod/current/connections/{id}.yaml");
    assert_eq!(as_runtime(&["sops", "decrypt", &object("warehouse")]).code, 0);
    assert_eq!(as_runtime(&["sops", "decrypt", &object("hubspot")]).code, 1);
    let ended = shell.run(&["verify", "prod", "--as", "nobody"]);
    assert_eq!(ended.code, 64, "{ended:#?}");
}

/// X18: may use is not may change; the Git host enforces it by these rules.
#[test]
fn x18_codeowners_names_who_reviews_what() {
    let shell = quickstart();
    fs::create_dir_all(shell.folder.join(".github")).unwrap();
    shell.put(".github/CODEOWNERS", "* @everyone\n");
    edit(
        &shell,
        "tieline.yaml",
        "recipients: [me]",
        "recipients: [me]\nhandles: {team-data: \"@acme/team-data\", team-crm: null}",
    );
    let write = ["codeowners", "--as", "me=@ana", "--write", ".github/CODEOWNERS"];
    for _ in 0..2 {
        let said = shell.ok(&write).stderr;
        let written = shell.read(".github/CODEOWNERS").lines().filter(|line| line.starts_with('/')).count();
        assert!(said.contains(&format!(".github/CODEOWNERS: {written} rules")), "{said}");
    }
    let text = shell.read(".github/CODEOWNERS");
    assert!(text.starts_with("* @everyone\n# tieline: begin"), "{text}");
    for rule in [
        "/environments/prod/secrets.sops.yaml @ana",
        "/tieline.yaml @ana",
        "/.github/CODEOWNERS @ana",
        "/connections/warehouse.yaml @acme/team-data",
    ] {
        assert_eq!(text.lines().filter(|line| *line == rule).count(), 1, "{rule}\n{text}");
    }
    // A layer that has nothing to own has no rules.
    let tenants = Shell::example("tenants").with_demo_identity();
    let printed = tenants.ok(&["codeowners", "--as", "me=@ana", "--as", "team-integrations="]).stdout;
    assert!(printed.contains("/customers/globex/secrets.sops.yaml @ana\n"), "{printed}");
    assert!(!printed.contains("/customers/globex/environments/prod-us/secrets.sops.yaml"), "{printed}");
    let printed = shell.ok(&["codeowners", "--as", "me="]).stdout;
    assert!(!printed.contains("secrets.sops.yaml"), "a machine owns nothing: {printed}");
    let below = Shell::new();
    crate::shell::copy(&crate::support::root().join("examples/quickstart"), &below.folder.join("deep/er"));
    assert_eq!(git(&below, &["init", "-q"]).code, 0);
    let printed =
        below.ok(&["-C", "deep/er", "codeowners", "--as", "me=@ana", "--as", "team-data=", "--as", "team-crm="]).stdout;
    assert!(printed.contains("/deep/er/environments/prod/secrets.sops.yaml @ana\n"), "{printed}");
    commit(&below, "one");
}

/// Lines of somebody in a file that we keep: all of them stay, or nothing is written.
#[test]
fn e2_08_rules_that_somebody_added_to_sops_yaml_are_never_lost() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let ours = shell.read(".sops.yaml");
    let (_, recipient, _) = crate::sops::key();
    let first = ours.lines().nth(3).unwrap();
    for (number, edited) in [
        format!("{ours}    - path_regex: ^other/\n      age: x\n"),
        format!("{ours}# a note\n"),
        ours.replacen(first, &format!("    # a note\n{first}"), 1),
        format!("{ours}stores:\n  yaml:\n    indent: 2\n"),
        ours.replacen("      encrypted_regex: \".*\"\n", "      encrypted_regex: \".*\" # all\n", 1),
        ours.replacen("deq95t35s\n", "deq95t35s # of ana\n", 1),
        ours.replacen("secrets\\\\.sops\\\\.yaml$\"", "secrets\\\\.sops\\\\.yml$\"", 1),
    ]
    .iter()
    .enumerate()
    {
        let shell = Shell::example("quickstart").with_demo_identity();
        shell.put(".sops.yaml", edited);
        let said = shell.ok(&["recipients", "add", &format!("eve{number}"), recipient.as_str(), "--yes"]).stderr;
        assert_eq!(&shell.read(".sops.yaml"), edited);
        assert!(said.contains(".sops.yaml has lines that tieline did not write"), "{said}");
    }
    shell.ok(&["recipients", "add", "eve", recipient.as_str(), "--yes"]);
    assert_ne!(shell.read(".sops.yaml"), ours);
    // And again, by the same rules.
    let ours = shell.read(".sops.yaml");
    shell.ok(&["recipients", "remove", "eve", "--yes"]);
    assert_ne!(shell.read(".sops.yaml"), ours);
}

#[test]
fn e2_08_an_identity_goes_below_the_last_line_of_a_file_that_lacks_its_end() {
    let shell = Shell::new();
    fs::create_dir_all(shell.keys().parent().unwrap()).unwrap();
    fs::write(shell.keys(), "# what stands here is somebody's").unwrap();
    shell.ok(&["init"]);
    let text = fs::read_to_string(shell.keys()).unwrap();
    assert!(text.starts_with("# what stands here is somebody's\n# created: "), "{}", text.lines().next().unwrap());
}

/// Everything whose change alters a protected environment belongs to those who own it, whoever has written their name there.
#[test]
fn f11_what_alters_a_protected_environment_is_owned_by_its_owners() {
    let shell = quickstart();
    // Two names of the one key that all is sealed to.
    let settings = shell.read("tieline.yaml");
    let key = settings.lines().find_map(|line| line.trim().strip_prefix("me: ")).unwrap().to_owned();
    let key = key.split_whitespace().next().unwrap();
    edit(&shell, "tieline.yaml", "keys:", &format!("keys:\n  ana: {key}\n  ben: {key}"));
    let handles = "handles: {me: '@me', ana: '@ana', ben: '@ben', team-data: '@data', team-crm: '@crm'}\n";
    shell.put("tieline.yaml", &format!("{}\n{handles}", shell.read("tieline.yaml")));
    let add = |path: &str, more: &str| shell.put(path, &format!("{}{more}", shell.read(path)));
    let protected = |yes: &str| {
        let text = shell.read("environments/prod/environment.yaml");
        let text: String = text.lines().filter(|l| !l.starts_with("protected")).map(|l| format!("{l}\n")).collect();
        shell.put("environments/prod/environment.yaml", &format!("{text}protected: {yes}\n"));
    };
    add("environments/prod/environment.yaml", "recipients: [ana]\n");
    add("environments/dev/environment.yaml", "recipients: [ben]\n");
    protected("true");
    let folder = |path: &str| fs::create_dir_all(shell.folder.join(path)).unwrap();
    folder("customers/globex");
    shell.put("customers/globex/customer.yaml", "environments: [dev]\nconnections: []\nrecipients: [ben]\n");
    folder("customers/initech");
    shell.put("customers/initech/customer.yaml", "connections: []\nrecipients: [ben]\n");
    folder("environments/prod/profiles/night");
    shell.put("environments/prod/profiles/night/profile.yaml", "recipients: [ben]\nconnections: [nothing]\n");
    folder("environments/staging");
    let staging = "extends: prod\nprotected: false\nrecipients: [ben]\n";
    shell.put("environments/staging/environment.yaml", staging);
    let overlay = shell.read("environments/prod/connections/warehouse.yaml");
    shell.put("environments/prod/connections/warehouse.yaml", &format!("owner: team-data\n{overlay}"));
    let owners = |path: &str| {
        let printed = shell.ok(&["codeowners"]).stdout;
        let fits = |rule: &str| format!("/{path}").starts_with(rule) && (rule.ends_with('/') || rule[1..] == *path);
        let mut rules = printed.lines().filter_map(|line| line.split_once(' ')).filter(|(rule, _)| fits(rule));
        rules.next_back().map(|(_, names)| names.to_owned()).unwrap_or_default()
    };
    for (path, names) in [
        ("environments/prod/environment.yaml", "@ana"),
        ("environments/prod/connections/warehouse.yaml", "@ana"),
        ("environments/prod/connections/new.yaml", "@ana"),
        ("environments/prod/profiles/night/profile.yaml", "@ana"),
        ("environments/prod/profiles/night/secrets.sops.yaml", "@ana"),
        ("environments/dev/environment.yaml", "@ben"),
        ("environments/staging/secrets.sops.yaml", "@ben"),
        ("customers/globex/customer.yaml", "@ben"),
        ("customers/initech/customer.yaml", "@ana"),
        ("customers/initech/connections/new.yaml", "@ana"),
        ("tieline.yaml", "@ana"),
        ("connectors/own.json", "@ana"),
        ("consumers/new.yaml", "@ana"),
        // What all environments start from belongs to whom it says.
        ("connections/warehouse.yaml", "@data"),
    ] {
        assert_eq!(owners(path), names, "{path}\n{}", shell.run(&["codeowners"]).stdout);
    }
    // Without protection, each layer belongs to who may open its secrets.
    protected("false");
    assert_eq!(owners("environments/prod/connections/warehouse.yaml"), "@data");
    assert_eq!(owners("tieline.yaml"), "@me");
}
