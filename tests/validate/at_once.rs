//! Every problem in every file, in one run, in order of place, each once; the same on every machine.

use std::fs;

use crate::support::{Folder, files, root};

fn several() -> Folder {
    Folder::base()
        .with("connections/orders.yaml", "connector: mysqll\nconfig:\n  host: orders.acme.example\n")
        .with("connections/b.yaml", "connector: s3\nconfig:\n\tregion: eu-central-1\n")
        .with("connections/Upper.yaml", "connector: s3\n")
        .with(
            "connections/finance.yaml",
            "connector: postgresql\nconfig:\n  host: ${{ vars.db_hots }}\n  port: 70000\ncredential: finance-bd\n",
        )
        .with("consumers/nightly.yaml", "kind: pipeline\nuses: [finanse, landing, ordrs]\n")
        .with("environments/prod/environment.yaml", "extends: production\nprotect: true\n")
        .with("environments/dev/secrets.sops.yaml", "ORDERS: correct-horse\n")
}

#[test]
fn several_mistakes_in_several_files_are_all_told_in_order() {
    let folder = several();
    insta::assert_snapshot!(folder.validate().stdout);
    let report = folder.json();
    let places: Vec<_> = report["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| {
            let start = &d["range"]["start"];
            (d["file"].as_str().unwrap().to_owned(), start["byte"].as_u64().unwrap())
        })
        .collect();
    let mut sorted = places.clone();
    sorted.sort_by_key(|(file, byte)| (file.as_str() != "tieline.yaml", file.clone(), *byte));
    assert_eq!(places, sorted);
}

#[test]
fn the_json_form_is_pinned() {
    let folder = several();
    let run = folder.run(&["validate", "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(run.stdout);
}

#[test]
fn two_runs_are_equal_to_the_byte_whatever_the_order_of_files() {
    let first = several();
    let forth: Vec<String> = files(first.path());
    let mut back = Folder::empty();
    for path in forth.iter().rev() {
        back = back.with(path, fs::read(first.path().join(path)).unwrap());
    }
    for format in ["human", "json"] {
        let run = |folder: &Folder| folder.run(&["validate", "--format", format]).stdout;
        let once = run(&first);
        assert_eq!(once, run(&first));
        assert_eq!(once, run(&back));
    }
}

#[test]
fn the_same_fault_in_several_environments_is_told_once_with_their_names() {
    let base = root().join("fixtures/base/environments/prod");
    let mut folder = Folder::base().with(
        "connections/orders.yaml",
        "connector: mysql\nconfig: {host: \"${{ vars.orders_host }}\", database: orders}\ncredential: finance-db\n",
    );
    for name in ["a", "b", "c"] {
        for file in files(&base) {
            folder = folder.with(&format!("environments/{name}/{file}"), fs::read(base.join(&file)).unwrap());
        }
    }
    let prod = fs::read_to_string(base.join("environment.yaml")).unwrap();
    folder.put("environments/prod/environment.yaml", prod.replace("vars:", "vars:\n  orders_host: db.acme.example"));
    let report = folder.json();
    let told = report["diagnostics"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{report:#}");
    assert_eq!(told[0]["environments"], serde_json::json!(["a", "b", "c", "dev"]));
    insta::assert_snapshot!(folder.validate().stdout);
    // In all of them: nothing to single out.
    folder.put("environments/prod/environment.yaml", prod);
    assert!(!folder.validate().stdout.contains("found in"), "{}", folder.validate().stdout);
}

#[test]
fn a_workspace_without_environments_is_checked_too() {
    let folder = Folder::bare().with("connections/orders.yaml", "connector: mysqll\n");
    assert_eq!(folder.codes(), ["unknown-connector"]);
}

#[test]
fn no_workspace_is_a_failure_that_says_what_to_do() {
    let run = Folder::empty().validate();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.starts_with("error: no tieline.yaml in `"), "{}", run.stderr);
    assert!(run.stderr.contains("help: `tieline init FOLDER` makes a workspace"), "{}", run.stderr);
    let run = Folder::empty().run(&["validate", "-C", "nowhere"]);
    assert_eq!(run.code, 64, "{}", run.stderr);
    let run = Folder::empty().run(&["validate", "--format", "xml"]);
    assert_eq!(run.code, 64, "{}", run.stderr);
}

#[test]
fn paths_narrow_the_report_and_not_the_check() {
    let folder = several();
    let run = folder.run(&["validate", "connections/finance.yaml"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("connections/finance.yaml") && !run.stdout.contains("orders.yaml"), "{}", run.stdout);
    assert_eq!(folder.run(&["validate", "connections/landing.yaml"]).code, 0);
    assert_eq!(folder.run(&["validate", "./environments/"]).code, 1);
}

/// The issue's own list: each of these mistakes has a fixture with a snapshot of its own.
#[test]
fn the_mistakes_that_everybody_makes_have_a_fixture_each() {
    let list = [
        ("missing field", "missing-key-field"),
        ("wrong type", "schema-wrong-type"),
        ("unknown key", "unknown-key-config"),
        ("misspelt connector", "unknown-connector"),
        ("unknown variable", "undefined-name"),
        ("unknown secret", "unknown-secret"),
        ("secret in a clear field", "secret-in-clear"),
        ("plain text in a secret field", "plaintext-secret"),
        ("secrets committed in clear", "secrets-not-encrypted"),
        ("dangling credential", "unknown-credential"),
        ("dangling reference of a consumer", "unknown-connection"),
        ("circle of environments", "extends-cycle"),
        ("overlay that matches nothing", "overlays-nothing"),
        ("duplicate key", "duplicate-key"),
        ("tab as indentation", "yaml-tab"),
        ("not UTF-8", "not-utf8"),
        ("nested too deep", "yaml-too-deep"),
    ];
    for (mistake, fixture) in list {
        assert!(root().join("fixtures/invalid").join(fixture).is_dir(), "{mistake}");
        assert!(root().join(format!("tests/snapshots/invalid/{fixture}.snap")).is_file(), "{mistake}");
    }
}

#[test]
fn x12_a_misspelt_connector_is_not_the_credentials_fault() {
    let folder = Folder::bare()
        .with("connections/c.yaml", "connector: postgre\ncredential: login\n")
        .with("credentials/login.yaml", "connectors: [postgresql]\nauth: {mode: password}\n")
        .with("environments/dev/environment.yaml", "");
    assert_eq!(folder.codes(), ["unknown-connector"]);
    assert!(folder.validate().stdout.contains("did you mean `postgresql`?"));
}
