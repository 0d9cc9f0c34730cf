//! Names and paths that would be something else where they are written: a rule of CODEOWNERS, a command, a path.

use crate::secrets::{commit, edit, git, identity, quickstart};
use crate::shell::{Ended, Shell, copy};

/// What no name may be; the last two stand for the accounts that used to be written there.
const HOSTILE: &[&str] = &[
    "team\\n* @attacker/pwn",
    "team\\u001b]8;;x\\u0007",
    "team\\r",
    "team @attacker",
    "te\\u202eam",
    "team\\u00a0x",
    "#team",
    "*",
    "-rf",
    "$(id)",
    "`id`",
    "a;id",
    "a|b",
    "<img>",
    "![x](y)",
    "[a](b)",
    "ëve",
    "",
    "@acme/team",
    "ana@acme.example",
];

/// Everywhere that a name may stand: the file, and what it says with `NAME` in it.
const SINKS: &[(&str, &str)] = &[
    (
        "connections/n.yaml",
        "owner: NAME\nconnector: http\nconfig: {base_url: 'https://a.example'}\nauth: {mode: none}\n",
    ),
    (
        "connections/n.yaml",
        "labels: {NAME: x}\nconnector: http\nconfig: {base_url: 'https://a.example'}\nauth: {mode: none}\n",
    ),
    (
        "connections/n.yaml",
        "expose: [NAME]\nconnector: http\nconfig: {base_url: 'https://a.example'}\nauth: {mode: none}\n",
    ),
    // What nothing compiles is written into CODEOWNERS all the same.
    ("environments/prod/connections/hubspot.yaml", "owner: NAME\n"),
    ("environments/prod/connections/hubspot.yaml", "labels: {$replace: {NAME: x}}\n"),
    ("environments/prod/connections/hubspot.yaml", "expose: {$append: [NAME]}\n"),
    ("environments/prod/connections/off.yaml", "owner: NAME\nenabled: false\nconnector: http\n"),
    ("environments/new/connections/hubspot.yaml", "owner: NAME\n"),
    ("credentials/n.yaml", "owner: NAME\nauth: {mode: none}\n"),
    ("credentials/n.yaml", "labels: {NAME: x}\nauth: {mode: none}\n"),
    ("consumers/n.yaml", "owner: NAME\nkind: flow\nuses: [hubspot]\n"),
    ("consumers/n.yaml", "recipients: [NAME]\nkind: flow\nuses: [hubspot]\n"),
    ("consumers/n.yaml", "recipients: {$append: [NAME]}\nkind: flow\nuses: [hubspot]\n"),
    ("environments/new/environment.yaml", "recipients: [NAME]\n"),
    ("environments/new/environment.yaml", "keys: {NAME: KEY}\n"),
    ("environments/prod/profiles/test/profile.yaml", "recipients: [NAME]\n"),
    ("environments/prod/profiles/test/profile.yaml", "keys: {NAME: KEY}\n"),
    ("customers/globex/customer.yaml", "recipients: [NAME]\n"),
    ("customers/globex/customer.yaml", "keys: {NAME: KEY}\n"),
    ("customers/globex/environments/prod/environment.yaml", "recipients: [NAME]\n"),
];

fn put(shell: &Shell, path: &str, text: &str) {
    std::fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

/// A code in what `validate` says of a file.
fn says(ended: &Ended, file: &str, code: &str) -> bool {
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let told = report["diagnostics"].as_array().unwrap();
    told.iter().any(|d| d["code"] == code && d["file"] == file)
}

#[test]
fn e04_a98_a_name_that_is_not_plain_is_refused_wherever_it_stands() {
    for (file, text) in SINKS {
        let shell = quickstart();
        for hostile in HOSTILE {
            put(&shell, file, &text.replace("NAME", &format!("\"{hostile}\"")).replace("KEY", "age1x"));
            let ended = shell.run(&["validate", "--format", "json"]);
            let told = says(&ended, file, "invalid-name") || says(&ended, file, "invalid-directive");
            assert!(ended.code == 1 && told, "{file}: {text}: {hostile}\n{ended:#?}");
        }
        put(&shell, file, &text.replace("NAME", "\"team-finance.eu\"").replace("KEY", "age1x"));
        let ended = shell.run(&["validate", "--format", "json"]);
        assert!(!says(&ended, file, "invalid-name"), "{file}: {text}\n{ended:#?}");
    }
}

#[test]
fn e04_codeowners_writes_only_accounts_that_handles_names() {
    let shell = quickstart();
    let write = ["codeowners", "--write", "CODEOWNERS"];
    let refused = shell.run(&write);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("team-data: \"@ACCOUNT\""), "{refused:#?}");
    assert!(!shell.folder.join("CODEOWNERS").exists(), "nothing is written while a name has no account");
    let printed = shell.run(&["codeowners"]);
    assert_eq!(printed.code, 1, "{printed:#?}");
    assert!(printed.stdout.contains("# no account: write `team-data: \"@ACCOUNT\"`"), "{printed:#?}");
    assert!(!printed.stdout.contains("@team-data") && !printed.stdout.contains("@me"), "no name is an account");
    let settings = shell.read("tieline.yaml");
    for account in ["@acme/data", "@ana", "ana@acme.example", "@group/sub/team"] {
        shell.put(
            "tieline.yaml",
            &format!("{settings}handles:\n  team-data: \"{account}\"\n  team-crm: null\n  me: null\n"),
        );
        let written = shell.ok(&write);
        assert!(written.stderr.ends_with(" rules\n"), "{written:#?}");
        let text = shell.read("CODEOWNERS");
        assert!(text.contains(&format!("/connections/warehouse.yaml {account}\n")), "{text}");
        assert!(!text.contains("secrets.sops.yaml"), "`null` is a machine, which owns nothing: {text}");
    }
    for account in ["@a @b", "@a\\n* @eve", "ana", "@", "@a/*", "#a", "@a\\u001b[2K", "@a\\u200b"] {
        shell.put(
            "tieline.yaml",
            &format!("{settings}handles:\n  team-data: \"{account}\"\n  team-crm: null\n  me: null\n"),
        );
        let refused = shell.run(&write);
        assert_eq!(refused.code, 1, "{account}\n{refused:#?}");
        let given = format!(
            "team-data={}",
            account.replace("\\n", "\n").replace("\\u001b", "\u{1b}").replace("\\u200b", "\u{200b}")
        );
        assert_eq!(shell.run(&["codeowners", "--as", &given]).code, 64, "{account}");
    }
    shell.put("tieline.yaml", &settings);
    edit(&shell, "connections/warehouse.yaml", "owner: team-data", "owner: \"x\\n* @eve\"");
    let refused = shell.run(&["codeowners", "--as", "me=@ana", "--as", "x=@x"]);
    assert!(refused.code == 1 && refused.stdout.is_empty(), "no rules come of a workspace with errors: {refused:#?}");
}

#[test]
fn e04_codeowners_keeps_what_stands_outside_of_its_markers_or_writes_nothing() {
    let shell = quickstart();
    let arguments =
        ["codeowners", "--as", "me=@ana", "--as", "team-crm=", "--as", "team-data=@acme/data", "--write", "CODEOWNERS"];
    let begin = "# tieline: begin (written by `tieline codeowners`)\n";
    for damaged in [
        format!("* @a\n{begin}/mine @b\n"),
        format!("{begin}/mine @b\n# tieline: end—\n/more @c\n"),
        format!("# tieline: end\n{begin}/mine @b\n"),
        format!("{begin}{begin}# tieline: end\n/mine @b\n"),
        format!("{begin}# tieline: end\n/mine @b\n# tieline: end\n"),
    ] {
        shell.put("CODEOWNERS", &damaged);
        let refused = shell.run(&arguments);
        assert_eq!(refused.code, 1, "{damaged}\n{refused:#?}");
        assert_eq!(shell.read("CODEOWNERS"), damaged);
    }
    shell.put("CODEOWNERS", &format!("* @a\r\n{begin}/old @b\n# tieline: end\n\n/mine @c"));
    shell.ok(&arguments);
    let text = shell.read("CODEOWNERS");
    assert!(text.starts_with("* @a\r\n# tieline: begin") && text.ends_with("# tieline: end\n\n/mine @c"), "{text}");
    assert!(!text.contains("/old"), "{text}");
}

#[test]
fn e04_a_folder_that_hosts_read_in_different_ways_is_refused() {
    for (folder, fits) in
        [("a b", true), ("a#b", false), ("a[b]", false), ("a\\b", false), ("*", false), ("a\nb @eve ", false)]
    {
        let shell = Shell::new();
        copy(&crate::support::root().join("examples/quickstart"), &shell.folder.join(folder));
        assert_eq!(git(&shell, &["init", "-q"]).code, 0);
        let ended = shell.run(&[
            "-C",
            folder,
            "codeowners",
            "--as",
            "me=@ana",
            "--as",
            "team-crm=",
            "--as",
            "team-data=@acme/data",
        ]);
        assert_eq!(ended.code, i32::from(!fits), "{folder:?}\n{ended:#?}");
        assert!(!fits || ended.stdout.contains("\n/a\\ b/tieline.yaml @ana\n"), "{ended:#?}");
        assert!(fits || ended.stdout.is_empty(), "{ended:#?}");
    }
}

/// Helper: what is printed between backticks after `help:`, on any line.
fn commands(ended: &Ended) -> Vec<String> {
    let all = format!("{}\n{}", ended.stdout, ended.stderr);
    let quoted = all.split('`').skip(1).step_by(2).map(str::to_owned);
    quoted.filter(|text| text.starts_with("tieline ") || text.starts_with("git ")).collect()
}

#[test]
fn e04_a_printed_command_says_no_more_than_it_should() {
    let shell = quickstart();
    put(&shell, "consumers/n.yaml", "kind: flow\nuses: [\"x;touch pwned;\"]\n");
    let ended = shell.run(&["validate"]);
    assert!(!commands(&ended).iter().any(|command| command.contains("touch")), "{ended:#?}");
    std::fs::remove_file(shell.folder.join("consumers/n.yaml")).unwrap();
    // Files whose names would be more than one word.
    for name in ["connections/a b;touch pwned;.yml", "connections/$(touch pwned).yml"] {
        put(&shell, name, "a: b\n");
        let ended = shell.run(&["validate", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let help = report["diagnostics"][0]["help"].as_str().unwrap();
        let typed = help.strip_prefix("git ").unwrap_or_else(|| panic!("{help}"));
        commit(&shell, "one");
        let mut run = shell.command("sh");
        run.args(["-c", &format!("git {typed}")]);
        let ran = crate::shell::feed(&mut run, "");
        assert_eq!(ran.code, 0, "{help}\n{ran:#?}");
        assert!(!shell.folder.join("pwned").exists(), "{help}");
        let renamed = name.replace(".yml", ".yaml");
        std::fs::remove_file(shell.folder.join(renamed)).unwrap();
    }
}

#[test]
fn e04_a_name_with_blanks_is_a_name_everywhere() {
    let shell = quickstart();
    let key = identity(&shell, "ana.txt");
    shell.ok(&["recipients", "add", "Team Finance/eu", &key]);
    shell.ok(&["validate"]);
    shell.ok(&["recipients", "check"]);
    let refused = shell.run(&["recipients", "add", "eve\n", &key]);
    assert_eq!(refused.code, 64, "{refused:#?}");
}

/// The last rule that fits wins, as Git hosts read them: what a branch adds fits one, and what somebody owns stays theirs.
#[test]
fn e04_what_a_branch_adds_asks_somebody() {
    let shell = Shell::example("tenants").with_demo_identity();
    let unmapped = shell.run(&["codeowners"]).stderr;
    let names = unmapped.split("write `").skip(1).filter_map(|rest| rest.split(':').next());
    let accounts: Vec<String> = names.map(|name| format!("{}=@{}", name, name.replace(['.', '_'], "-"))).collect();
    let given: Vec<&str> = accounts.iter().flat_map(|account| ["--as", account.as_str()]).collect();
    let rules = shell.ok(&[&["codeowners"][..], &given].concat()).stdout;
    let of = |path: &str| {
        let fits = |line: &&str| {
            let pattern = line.split(' ').next().unwrap();
            !line.starts_with('#') && (path == pattern || (pattern.ends_with('/') && path.starts_with(pattern)))
        };
        rules.lines().rev().find(fits).map(|line| line.split_once(' ').unwrap().1.to_owned())
    };
    for path in [
        "/environments/new/environment.yaml",
        "/environments/prod/profiles/new/profile.yaml",
        "/environments/prod/connections/new.yaml",
        "/customers/new/customer.yaml",
        "/customers/globex/connections/new.yaml",
        "/.gitattributes",
    ] {
        assert!(of(path).is_some(), "{path}: {rules}");
    }
    let prod = of("/environments/prod/environment.yaml");
    assert!(prod.is_some() && prod == of("/environments/prod/connections/new.yaml"), "{rules}");
}
