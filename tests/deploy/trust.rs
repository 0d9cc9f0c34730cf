//! Abuse: what a pull request may change of what is trusted, and what the plan says of it.

use std::fs;

use crate::shell::Shell;

const OWN: &str = r#"{"type": "object", "properties": {
  "config": {"type": "object", "properties": {"url": {"type": "string", "default": "https://default.example"}}},
  "auth": {"type": "object", "properties": {"token": {"type": "string", "writeOnly": true, "minLength": 3}}}
}}"#;

/// The quickstart with a connector of its own and a connection of it, deployed.
fn deployed() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    fs::create_dir(shell.folder.join("connectors")).unwrap();
    shell.put("connectors/own.json", OWN);
    shell.put("connections/own.yaml", "connector: own\nconfig: {}\nauth: {token: '${{ secrets.HUBSPOT_TOKEN }}'}\n");
    shell.ok(&["apply", "prod", "--yes"]);
    shell
}

/// What the plan says below `trust changes`.
fn trust_changes(plan: &str) -> &str {
    plan.split_once("trust changes\n").unwrap_or_else(|| panic!("no trust changes:\n{plan}")).1
}

#[test]
fn a24_an_overlay_that_sends_a_secret_elsewhere_is_a_trust_change() {
    let shell = deployed();
    let overlay = shell.read("environments/prod/connections/warehouse.yaml");
    shell.put(
        "environments/prod/connections/warehouse.yaml",
        &overlay.replace("config:", "config:\n  host: evil.example"),
    );
    let plan = shell.ok(&["plan", "prod"]).stdout;
    let told = trust_changes(&plan);
    assert!(
        told.contains(
            "warehouse: credential re-targeted: a secret in use could be sent elsewhere or with less protection"
        ),
        "{plan}"
    );
    assert!(
        told.contains(
            "\"warehouse.example.com\" -> \"evil.example\"\n      environments/prod/connections/warehouse.yaml:"
        ),
        "{plan}"
    );
}

#[test]
fn a31_a_schema_that_no_longer_calls_a_field_secret_is_told_and_shows_nothing() {
    let shell = deployed();
    shell.put("connectors/own.json", &OWN.replace(r#""writeOnly": true"#, r#""writeOnly": false"#));
    // As long as a secret stands there, nothing compiles.
    let refused = shell.run(&["plan", "prod"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("secret-in-clear") || refused.stdout.contains("secret-in-clear"), "{refused:?}");
    // What was secret on one side is shown on neither.
    shell.put("connections/own.yaml", "connector: own\nconfig: {}\nauth: {token: canary-in-clear}\n");
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(trust_changes(&plan).contains(r#"connectors.own.secrets: -"/auth/token""#), "{plan}");
    assert!(plan.contains("auth.token: (secret) no longer sealed"), "{plan}");
    assert!(!plan.contains("canary") && !shell.ok(&["plan", "prod", "--format", "json"]).stdout.contains("canary"));
}

#[test]
fn a32_a_default_of_a_schema_is_never_put_in() {
    let shell = deployed();
    let record = shell.ok(&["render", "prod", "own"]).stdout;
    assert!(record.contains("id: own") && !record.contains("default.example"), "{record}");
}

#[test]
fn a33_an_older_schema_is_a_trust_change() {
    let shell = deployed();
    shell.put("connectors/own.json", &OWN.replace(r#", "minLength": 3"#, ""));
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(trust_changes(&plan).contains("connectors.own.schema:\n    \"sha256:"), "{plan}");
}

#[test]
fn a27_no_environment_is_taken_for_another() {
    let shell = deployed();
    for command in ["plan", "render", "apply"] {
        assert_eq!(shell.run(&[command]).code, 64, "{command}");
        for name in ["production", "pro", "PROD", "", "."] {
            let ended = shell.run(&[command, name]);
            assert!(ended.code != 0 && ended.stdout.is_empty(), "{command} {name:?}: {ended:?}");
        }
    }
}

#[test]
fn a05_an_alias_of_a_sealed_value_does_not_open_under_another_name() {
    let shell = deployed();
    let path = "environments/prod/secrets.sops.yaml";
    let text = shell.read(path).replacen("HUBSPOT_TOKEN: ENC", "HUBSPOT_TOKEN: &x ENC", 1);
    shell.put(path, &text.replacen("\nsops:", "\nSTOLEN: *x\nsops:", 1));
    shell.put("connections/own.yaml", "connector: own\nconfig: {}\nauth: {token: '${{ secrets.STOLEN }}'}\n");
    let ended = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(ended.code, 5, "{ended:?}");
}
