//! `audit`: what a security officer asks, answered without a key.

use super::{PROD, commit, edit, identity, quickstart, set};

#[test]
fn n05_x15_x16_an_audit_tells_who_what_and_when_without_a_key() {
    let shell = quickstart();
    let ben = identity(&shell, "../ben.txt");
    shell.ok(&["recipients", "add", "ben", &ben, "-e", "dev"]);
    set(&shell, "IDLE", "prod", "x");
    edit(&shell, "credentials/warehouse-db.yaml", "auth:\n", "rotate_every: 30d\nrotated: '2024-01-31'\nauth:\n");
    commit(&shell, "first");
    set(&shell, "HUBSPOT_TOKEN", "prod", "not committed");
    let shell = shell.with("SOPS_AGE_KEY_FILE", "/nowhere");
    let ended = shell.run(&["audit"]);
    assert_eq!(ended.code, 1, "there is something to do");
    let section = |title: &str| {
        let rest = ended.stdout.split(title).nth(1).unwrap_or_else(|| panic!("{title}\n{}", ended.stdout));
        rest.split("\n\n").next().unwrap().to_owned()
    };
    let access = section("who can open what");
    assert!(access.lines().any(|line| line.starts_with("ben ") && line.contains(" dev ")), "{access}");
    assert!(!access.lines().any(|line| line.starts_with("ben ") && line.contains(" prod ")), "{access}");
    let changed = section("who changed each secret last");
    assert!(changed.lines().any(|l| l.starts_with("HUBSPOT_TOKEN") && l.ends_with("not committed yet")), "{changed}");
    assert!(changed.lines().any(|l| l.starts_with("WAREHOUSE_PASSWORD") && l.contains("by Ana on 20")), "{changed}");
    assert!(section("secrets that nothing uses").contains("IDLE"));
    assert!(section("rotations that are overdue").contains("warehouse-db"));
    let csv = shell.run(&["audit", "--format", "csv"]).stdout;
    assert!(csv.starts_with("kind,place,name,environments,detail\n"), "{csv}");
    assert!(csv.lines().all(|line| !line.is_empty()) && csv.contains("\nunused,"), "{csv}");
}

#[test]
fn a_use_without_a_secret_and_a_clean_workspace() {
    let shell = quickstart();
    let ended = shell.run(&["audit"]);
    assert_eq!(ended.code, 0, "{ended:#?}");
    shell.ok(&["secret", "unset", "HUBSPOT_TOKEN", "-e", "prod", "--force"]);
    let ended = shell.run(&["audit"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("uses without a secret (1)"), "{ended:#?}");
    assert!(ended.stderr.contains("what nobody uses is not known"), "{ended:#?}");
    let history = shell.run(&["audit", "--history"]);
    assert_eq!(history.code, 1);
    assert!(history.stderr.contains("Git's history can't be read"), "no clone: {history:#?}");
}

/// A clone that has the last commit alone, as CI systems make them, can't tell what was ever committed.
#[test]
fn x17_a_shallow_clone_is_not_called_clean() {
    let shell = quickstart();
    commit(&shell, "first");
    commit_again(&shell);
    let mut clone = shell.command("git");
    let from = format!("file://{}", shell.folder.display());
    let ended = crate::shell::feed(clone.args(["clone", "-q", "--depth", "1", &from, "../shallow"]), "");
    assert_eq!(ended.code, 0, "{ended:#?}");
    let ended = shell.run(&["-C", "../shallow", "audit", "--history"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("the clone is shallow") && ended.stderr.contains("--unshallow"), "{ended:#?}");
}

fn commit_again(shell: &crate::shell::Shell) {
    set(shell, "HUBSPOT_TOKEN", "prod", "another");
    commit(shell, "second");
}

/// A spreadsheet runs what begins like a formula; a name from Git may.
#[test]
fn a46_a_name_in_csv_is_no_formula_and_no_escape() {
    let shell = quickstart();
    commit(&shell, "first");
    let mut command = shell.command("git");
    command.env("GIT_AUTHOR_NAME", "=HYPERLINK(\"x\")\u{1b}[2J").env("GIT_AUTHOR_EMAIL", "a@b");
    command.env("GIT_COMMITTER_NAME", "b").env("GIT_COMMITTER_EMAIL", "a@b");
    set(&shell, "HUBSPOT_TOKEN", "prod", "x");
    let ended = crate::shell::feed(command.args(["commit", "-qam", "x"]), "");
    assert_eq!(ended.code, 0, "{ended:#?}");
    for format in ["human", "csv", "json"] {
        let ended = shell.run(&["audit", "--format", format]);
        assert!(!ended.stdout.contains('\u{1b}'), "{format}");
    }
    assert!(shell.read(PROD).contains("HUBSPOT_TOKEN"));
}

/// Each row stands in its own section, and its place is the line to look at.
#[test]
fn e2_11_a_row_of_an_audit_has_its_kind_and_its_line() {
    let shell = quickstart();
    set(&shell, "IDLE", "prod", "x");
    edit(&shell, "credentials/warehouse-db.yaml", "auth:\n", "rotate_every: 30d\nrotated: '2024-01-31'\nauth:\n");
    let line = |path: &str, start: &str| {
        let text = shell.read(path);
        let line = text.lines().position(|line| line.starts_with(start)).unwrap() + 1;
        format!("{path}:{line}")
    };
    let csv = shell.run(&["audit", "--format", "csv"]).stdout;
    let rows = |kind: &str| -> Vec<Vec<String>> {
        let rows = csv.lines().map(|row| row.split(',').take(3).map(str::to_owned).collect::<Vec<_>>());
        rows.filter(|row| row[0] == kind).collect()
    };
    assert_eq!(rows("unused"), [["unused", &line(PROD, "IDLE"), "IDLE"]], "{csv}");
    let overdue = line("credentials/warehouse-db.yaml", "rotated");
    assert_eq!(rows("overdue").iter().map(|row| &row[1]).collect::<Vec<_>>(), [&overdue], "{csv}");
    assert_eq!(rows("missing").len(), 0, "{csv}");
}

/// A value that stood in clear is found in every folder that holds documents, and nowhere else.
#[test]
fn e2_11_plaintext_of_history_is_found_in_every_folder_of_documents() {
    let shell = crate::shell::Shell::example("tenants").with_demo_identity();
    commit(&shell, "clean");
    let layers = [
        "",
        "environments/prod/",
        "environments/prod/profiles/test/",
        "customers/globex/",
        "customers/globex/environments/prod/",
        "customers/globex/profiles/test/",
        // Layers that are gone count too.
        "environments/old/",
        "customers/old/",
    ];
    let mut wanted = Vec::new();
    for layer in layers {
        wanted.push(format!("{layer}connections/zz.yaml"));
        wanted.push(format!("{layer}credentials/zz.yaml"));
    }
    let elsewhere = [
        "docs/connections/zz.yaml",
        "environments/connections/zz.yaml",
        "environments/prod/environments/prod/connections/zz.yaml",
        "customers/globex/environments/connections/zz.yaml",
        "connections/below/deeper/secrets/zz.txt",
        // Names that no layer can have.
        "environments/a name/connections/zz.yaml",
        "customers/a name/connections/zz.yaml",
        "customers/a name/environments/prod/connections/zz.yaml",
        "environments/a name/profiles/test/connections/zz.yaml",
        "environments/prod/profiles/a name/connections/zz.yaml",
        "customers/globex/environments/a name/connections/zz.yaml",
        // The folder of all customers is not one of documents, though it holds the same as another that is.
        "customers/connections/twin.yaml",
    ];
    let all = || wanted.iter().map(String::as_str).chain(elsewhere);
    // The same text is told once: each is another.
    for (n, path) in all().enumerate() {
        std::fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
        let connector = if path.contains("credentials") { "" } else { "connector: openai\n" };
        shell.put(path, &format!("{connector}auth: {{mode: api_key, api_key: otter-hunter-{n}}}\n"));
    }
    // What is empty, or an expression that can give no secret, has told nobody anything.
    shell.put("connections/empty.yaml", "connector: openai\nauth: {mode: api_key, api_key: ''}\n");
    shell.put("connections/named.yaml", "connector: openai\nauth: {mode: api_key, api_key: '${{ vars.region }}'}\n");
    wanted.push("environments/twin/connections/twin.yaml".to_owned());
    let twin = shell.read("customers/connections/twin.yaml");
    std::fs::create_dir_all(shell.folder.join("environments/twin/connections")).unwrap();
    shell.put(wanted.last().unwrap(), &twin);
    let all = || wanted.iter().map(String::as_str).chain(elsewhere);
    commit(&shell, "in clear");
    all().for_each(|path| std::fs::remove_file(shell.folder.join(path)).unwrap());
    commit(&shell, "removed");
    let csv = shell.run(&["audit", "--history", "--format", "csv"]).stdout;
    let rows = csv.lines().filter_map(|row| row.strip_prefix("committed,")?.split_once(':'));
    let mut found: Vec<&str> = rows.map(|(path, _)| path).collect();
    let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{csv}");
    assert!(!csv.contains("otter"), "{csv}");
    // The commit is named by the first twelve of its digits.
    let commit = csv.split("in clear since ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(commit.len() == 12 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{commit}");
}

#[test]
fn e2_11_access_is_told_with_the_environments_that_see_a_file() {
    let shell = crate::tenancy::tenants();
    for at in [&["-e", "prod-us"][..], &["--customer", "globex", "-e", "prod-us"]] {
        let ended = shell.run_with(&[&["secret", "set", "UPSALES_KEY", "--yes"], at].concat(), "x");
        assert_eq!(ended.code, 0, "{ended:#?}");
    }
    let csv = shell.run(&["audit", "--format", "csv"]).stdout;
    for (layer, environments) in [
        ("customers/globex", "\"prod, prod-us\""),
        ("customers/globex/environments/prod-us", "prod-us"),
        ("environments/prod", "\"prod, prod-us\""),
        ("environments/prod-us", "prod-us"),
    ] {
        let row = format!("\naccess,{layer}/secrets.sops.yaml,me,{environments},");
        assert!(csv.contains(&row), "{row}\n{csv}");
    }
}
