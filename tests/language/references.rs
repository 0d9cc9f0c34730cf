//! What refers to what: consumers, credentials, connectors, environments.

use serde_json::json;

use super::{compiled, instance, layers};
use crate::support::Folder;

/// The diagnostics of a base workspace with another consumer: code, help, environments.
fn consumer(text: &str) -> Vec<(String, String, serde_json::Value)> {
    let report = Folder::base().with("consumers/nightly.yaml", text).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
    let told = report["diagnostics"].as_array().unwrap();
    told.iter().map(|d| (text(&d["code"]), text(&d["help"]), d["environments"].clone())).collect()
}

#[test]
fn z03_c02_a_slot_accepts_connectors_categories_and_capabilities() {
    for accepts in ["[postgresql]", "[database]", "[sql]", "[s3, database]", "[]"] {
        let told = consumer(&format!("kind: block\nuses: [{{slot: db, connection: finance, accepts: {accepts}}}]\n"));
        assert!(told.is_empty(), "{accepts}: {told:?}");
    }
    for accepts in ["[s3]", "[storage, mysql]", "[postgres]"] {
        let told = consumer(&format!("kind: block\nuses: [{{slot: db, connection: finance, accepts: {accepts}}}]\n"));
        assert_eq!(told.iter().map(|t| t.0.as_str()).collect::<Vec<_>>(), ["slot-accepts"], "{accepts}");
    }
}

#[test]
fn c21_one_consumer_has_several_named_slots() {
    let two =
        "kind: node\nuses:\n  - {slot: from, connection: finance}\n  - {slot: to, connection: finance}\n  - landing\n";
    assert!(consumer(two).is_empty());
    let twice = "kind: node\nuses: [finance, finance]\n";
    assert_eq!(consumer(twice)[0].0, "duplicate-key");
}

#[test]
fn c08_a_connection_in_use_cannot_go_unnoticed() {
    let folder = Folder::base().with("consumers/other.yaml", "kind: flow\nuses: [landing]\n");
    std::fs::remove_file(folder.path().join("connections/landing.yaml")).unwrap();
    let told = folder.told();
    let places: Vec<_> = told.iter().map(|t| (t.code.as_str(), t.file.as_str(), t.line)).collect();
    assert_eq!(
        places,
        [("unknown-connection", "consumers/nightly.yaml", 4), ("unknown-connection", "consumers/other.yaml", 2)]
    );
    // Switched off in one environment alone.
    let folder = Folder::base().with("environments/dev/connections/landing.yaml", "enabled: false\n");
    let report = folder.json();
    assert_eq!(report["diagnostics"][0]["environments"], json!(["dev"]));
    folder.put("consumers/nightly.yaml", "kind: flow\nenvironments: [prod]\nuses: [finance, landing]\n");
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn c12_a_consumer_may_name_the_stable_key() {
    let folder = Folder::base()
        .with(
            "connections/landing.yaml",
            "connector: s3\nkey: landing-of-old\nconfig: {region: eu-central-1}\nauth: {mode: default}\n",
        )
        .with("consumers/nightly.yaml", "kind: flow\nuses: [landing-of-old]\n");
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn p15_tenants_are_environments_that_extend_one() {
    let folder = layers("connector: anything\nconfig: {region: '${{ vars.region }}', tier: gold}\n", &[]);
    folder.put("environments/dev/environment.yaml", "vars: {region: none}\n");
    folder.put("environments/prod/environment.yaml", "vars: {region: unset}\n");
    for (name, region) in [("prod-eu", "eu"), ("prod-us", "us")] {
        folder.put(
            &format!("environments/{name}/environment.yaml"),
            format!("extends: prod\nvars: {{region: {region}}}\n"),
        );
        assert_eq!(instance(&folder, name)["config"], json!({"region": region, "tier": "gold"}));
    }
    let key = |environment: &str| compiled(&folder, environment).1.connections["c"].key.to_string();
    assert_eq!(key("prod-eu"), key("prod-us"));
}

#[test]
fn x11_a_credential_of_the_wrong_kind_is_an_error_at_the_link() {
    let folder = Folder::base()
        .with("connections/landing.yaml", "connector: s3\nconfig: {region: eu-central-1}\ncredential: finance-db\n");
    let told = folder.told();
    assert_eq!(told[0].code, "credential-connector");
    assert_eq!((told[0].file.as_str(), told[0].line), ("connections/landing.yaml", 3));
}

#[test]
fn x14_a_fault_of_a_shared_login_is_told_once_at_the_login() {
    let mut folder = Folder::base().with(
        "credentials/finance-db.yaml",
        "auth:\n  mode: password\n  user: finance\n  password: ${{ secrets.FINANCE_PASSWORD }}\n",
    );
    for i in 0..5 {
        folder = folder.with(
            &format!("connections/orders{i}.yaml"),
            "connector: mysql\nconfig: {host: db.acme.example, database: orders}\ncredential: finance-db\n",
        );
    }
    let told = folder.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].code.as_str(), told[0].file.as_str(), told[0].line),
        ("unknown-key", "credentials/finance-db.yaml", 3)
    );
}

#[test]
fn z10_a_new_type_is_a_schema_file_without_a_rebuild() {
    let schema = r#"{
  "type": "object",
  "required": ["config"],
  "properties": {
    "config": {"type": "object", "required": ["url"], "additionalProperties": false, "properties": {"url": {"type": "string"}}},
    "auth": {"type": "object", "additionalProperties": false, "properties": {"key": {"type": "string", "writeOnly": true}}}
  },
  "additionalProperties": false
}"#;
    let with = |text: &str| {
        Folder::base().with("connectors/billing.json", schema).with("connections/billing.yaml", text).codes()
    };
    assert_eq!(
        with("connector: billing\nconfig: {url: https://x}\nauth: {key: '${{ secrets.FINANCE_PASSWORD }}'}\n"),
        Vec::<String>::new()
    );
    assert_eq!(with("connector: billing\nconfig: {ulr: https://x}\n"), ["unknown-key"]);
    assert_eq!(with("connector: billing\nconfig: {url: https://x}\nauth: {key: plain}\n"), ["plaintext-secret"]);
    assert_eq!(with("connector: biling\nconfig: {url: https://x}\n"), ["unknown-connector"]);
}

#[test]
fn z26_the_vendors_spelling_leads_to_ours() {
    let cases = [
        ("connector: mysql\nconfig: {host: db.acme.example, dbname: orders}\ncredential: finance-db\n", "database"),
        ("connector: mysql\nconfig: {server: db.acme.example, database: orders}\ncredential: finance-db\n", "host"),
        (
            "connector: hubspot\nauth: {mode: private_app, accessToken: '${{ secrets.FINANCE_PASSWORD }}'}\n",
            "access_token",
        ),
        ("connector: openai\nauth: {mode: api_key, apiKey: '${{ secrets.FINANCE_PASSWORD }}'}\n", "api_key"),
    ];
    for (text, ours) in cases {
        let report = Folder::base().with("connections/orders.yaml", text).json();
        let told = report["diagnostics"].as_array().unwrap();
        assert_eq!(told.len(), 1, "{text}: {report:#}");
        assert_eq!(told[0]["help"], format!("did you mean `{ours}`?"), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_not_blamed_on_what_refers_to_it() {
    let broken = "connector: [\n";
    for (path, text) in [
        ("connections/landing.yaml", broken),
        ("connections/landing.yaml", "just text\n"),
        ("connections/landing.yaml", "connector: 5\n"),
        ("connections/landing.yaml", "title: no connector\n"),
        ("connections/landing.yaml", ""),
        ("credentials/finance-db.yaml", broken),
        ("credentials/finance-db.yaml", "just text\n"),
        ("credentials/finance-db.yaml", "auth: text\n"),
        ("credentials/finance-db.yaml", ""),
        ("environments/prod/connections/finance.yaml", broken),
        ("environments/prod/environment.yaml", broken),
        ("environments/prod/environment.yaml", "just text\n"),
        ("environments/prod/environment.yaml", "vars: text\nsecrets: {FINANCE_PASSWORD: 'env:X'}\n"),
        ("environments/prod/environment.yaml", "vars: {db_host: db}\nsecrets: text\n"),
        ("environments/prod/environment.yaml", "var: {db_host: db}\nsecrets: {FINANCE_PASSWORD: 'env:X'}\n"),
        ("environments/prod/environment.yaml", "vars: {db_host: db}\nsecrets: {FINANCE_PASSWORD: plain}\n"),
        ("environments/prod/environment.yaml", "vars: {db_host: db}\nsecrets: {FINANCE_PASSWORD: [a]}\n"),
        ("tieline.yaml", broken),
        ("tieline.yaml", ""),
        ("consumers/nightly.yaml", broken),
        ("environments/dev/secrets.sops.yaml", broken),
    ] {
        let told = Folder::base().with(path, text).told();
        assert_eq!(told.len(), 1, "{path} {text:?}: {told:#?}");
        assert_eq!(told[0].file, path, "{text:?}");
    }
    let folder = Folder::base()
        .with("connectors/billing.json", "{")
        .with("connections/orders.yaml", "connector: billing\nconfig: {a: 1}\ncredential: finance-db\n");
    folder.put("consumers/nightly.yaml", "kind: flow\nuses: [{slot: a, connection: orders, accepts: [s3]}]\n");
    assert_eq!(folder.codes(), ["credential-connector", "invalid-connector-schema"]);
}
