//! Every JSON output matches its published schema in `schemas/output/`.

use std::fs;

use serde_json::Value;

use crate::shell::Shell;
use crate::support::{files, root};

/// Arguments, and the schema of what they print.
const OUTPUTS: &[(&[&str], &str)] = &[
    (&["validate", "--format", "json"], "validate"),
    (&["render", "prod", "--format", "json"], "render"),
    (&["render", "prod", "s3", "--format", "json"], "render"),
    (&["list", "--format", "json"], "list"),
    (&["list", "-e", "dev", "--connector", "elasticsearch", "--format", "json"], "list"),
    (&["show", "database", "--format", "json"], "show"),
    (&["explain", "prod", "database", "--format", "json"], "explain"),
    (&["explain", "prod", "search", "config.node", "--format", "json"], "explain"),
    (&["explain", "prod", "database", "auth.password", "--format", "json"], "explain"),
    (&["secret", "list", "-e", "prod", "--format", "json"], "secret-list"),
    (&["secret", "list", "--format", "json"], "secret-list"),
    (&["audit", "--format", "json"], "audit"),
    (&["recipients", "list", "--format", "json"], "recipients-list"),
    (&["recipients", "check", "--format", "json"], "recipients-check"),
    (&["plan", "prod", "--format", "json"], "plan"),
    (&["plan", "prod", "--format", "gitlab"], "plan-gitlab"),
    (&["plan", "--all", "--format", "json"], "plans"),
    (&["status", "--format", "json"], "status"),
    (&["diff", "dev", "prod", "--format", "json"], "diff"),
    (&["graph", "--format", "json"], "graph"),
    (&["connector", "list", "--format", "json"], "connector-list"),
    (&["connector", "show", "elasticsearch", "--format", "json"], "connector-show"),
    (&["rule", "list", "--format", "json"], "rule-list"),
    (&["show", "consumer/sync-leads", "--format", "json"], "show-consumer"),
    (&["show", "credential/ziggy-database", "--format", "json"], "show-credential"),
];

/// The same, where something is deployed and exported to `b.tgz`.
const DEPLOYED: &[(&[&str], &str)] = &[
    (&["history", "prod", "--format", "json"], "history"),
    (&["status", "--format", "json"], "status"),
    (&["bundle", "inspect", "b.tgz", "--format", "json"], "bundle-inspect"),
];

fn check(shell: &Shell, arguments: &[&str], schema: &str) -> Value {
    let ended = shell.run(arguments);
    assert_eq!((ended.code, &*ended.stderr), (0, ""), "{arguments:?}: {}", ended.stdout);
    let output: Value = serde_json::from_str(&ended.stdout).unwrap();
    let text = fs::read_to_string(root().join(format!("schemas/output/{schema}.json"))).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let faults: Vec<String> = validator.iter_errors(&output).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{arguments:?} against {schema}.json: {faults:#?}");
    output
}

#[test]
fn every_json_output_matches_its_schema() {
    let shell = Shell::example("ziggy").with_demo_identity();
    for (arguments, schema) in OUTPUTS {
        check(&shell, arguments, schema);
    }
}

#[test]
fn a_plan_with_every_kind_of_change_matches_its_schema() {
    let shell = Shell::example("ziggy").with_demo_identity();
    assert_eq!(shell.run(&["apply", "prod", "--yes"]).code, 0);
    let edit = |path: &str, from: &str, to: &str| {
        let path = shell.folder.join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{path:?} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("connections/database.yaml", "port: 5432", "port: 5433");
    edit("consumers/sync-leads.yaml", "hubspot", "openai");
    fs::remove_file(shell.folder.join("connections/hubspot.yaml")).unwrap();
    let added = "connector: http\nconfig:\n  base_url: https://example.com\nauth:\n  mode: none\n";
    fs::write(shell.folder.join("connections/status.yaml"), added).unwrap();
    let plan = check(&shell, &["plan", "prod", "--format", "json"], "plan");
    let actions: Vec<&str> =
        plan["changes"].as_array().unwrap().iter().map(|c| c["action"].as_str().unwrap()).collect();
    for action in ["create", "update", "delete"] {
        assert!(actions.contains(&action), "{action} is not among {actions:?}");
    }
    let port = plan["changes"].as_array().unwrap().iter().find(|c| c["id"] == "database").unwrap();
    assert_eq!(port["leaves"][0]["file"], "connections/database.yaml");
    assert!(plan["trust_changes"].as_array().unwrap().iter().any(|t| t["kind"] == "destination"));
}

#[test]
fn no_schema_stands_without_a_test() {
    let tested: Vec<&str> = OUTPUTS.iter().chain(DEPLOYED).map(|(_, schema)| *schema).collect();
    for file in files(&root().join("schemas/output")) {
        let name = file.strip_suffix(".json").unwrap();
        assert!(tested.contains(&name), "nothing prints {file}");
    }
}

#[test]
fn what_is_deployed_matches_its_schemas() {
    let shell = Shell::example("ziggy").with_demo_identity();
    crate::secrets::commit(&shell, "one");
    assert_eq!(shell.run(&["apply", "prod", "--yes"]).code, 0);
    assert_eq!(shell.run(&["bundle", "export", "prod", "b.tgz"]).code, 0);
    for (arguments, schema) in DEPLOYED {
        check(&shell, arguments, schema);
    }
    let plan = check(&shell, &["plan", "dev", "--against", "HEAD", "--format", "json"], "plan");
    assert_eq!(plan["base"]["revision"], "HEAD");
    let each = check(&shell, &["plan", "--all", "--against", "HEAD", "--format", "json"], "plans");
    assert_eq!(each["plans"].as_array().unwrap().len(), 2);
}
