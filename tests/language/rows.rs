//! What the four products do, row by row: connections as a person writes them, and what is told of their mistakes.

use serde_json::json;

use super::instance;
use crate::shell::Shell;
use crate::support::Folder;

/// The base workspace with one more connection.
fn with(connection: &str) -> Folder {
    Folder::base().with("connections/more.yaml", connection)
}

/// What is told of one more connection.
fn told(connection: &str) -> String {
    with(connection).validate().stdout
}

fn fits(connection: &str) {
    assert_eq!(with(connection).codes(), [""; 0], "{connection}");
}

const SECRET: &str = "${{ secrets.FINANCE_PASSWORD }}";

#[test]
fn z17_z18_z19_z20_one_schema_three_variants_and_the_error_names_the_variant_and_what_it_lacks() {
    let auth = format!("auth: {{mode: api_key, api_key: '{SECRET}'}}\n");
    fits(&format!("connector: elasticsearch\nconfig: {{variant: serverless, node: 'https://a.example:443'}}\n{auth}"));
    fits(&format!("connector: elasticsearch\nconfig: {{variant: hosted, cloud_id: 'a:YWJj'}}\n{auth}"));
    fits("connector: elasticsearch\nconfig: {variant: local, node: 'http://localhost:9200'}\nauth: {mode: none}\n");
    let lacks = told(&format!("connector: elasticsearch\nconfig: {{variant: hosted}}\n{auth}"));
    assert!(lacks.contains("variant `hosted` of `elasticsearch` needs `config.cloud_id`"), "{lacks}");
    let typo = told(&format!("connector: elasticsearch\nconfig: {{variant: hostd, cloud_id: 'a:YWJj'}}\n{auth}"));
    assert!(typo.contains("`config.variant: hostd` is not a variant of `elasticsearch`"), "{typo}");
    assert!(typo.contains("did you mean `hosted`?"), "{typo}");
}

#[test]
fn z21_hubspot_bounds_its_retries() {
    let hubspot = |retries: &str| {
        format!(
            "connector: hubspot\nconfig: {{number_of_api_call_retries: {retries}}}\nauth: {{mode: private_app, access_token: '{SECRET}'}}\n"
        )
    };
    fits(&hubspot("5"));
    let text = told(&hubspot("9"));
    assert!(text.contains("`config.number_of_api_call_retries` must be at most 6, found 9"), "{text}");
}

#[test]
fn z22_c20_salesforce_logs_in_with_a_password_and_token_or_with_oauth_and_each_mode_has_its_fields() {
    let login = |auth: &str| format!("connector: salesforce\nconfig: {{domain: test}}\nauth: {{{auth}}}\n");
    fits(&login(&format!("mode: password, username: a@example.com, password: '{SECRET}', security_token: '{SECRET}'")));
    fits(&login(&format!("mode: jwt, client_id: app, username: a@example.com, private_key: '{SECRET}'")));
    let text = told(&login(&format!(
        "mode: password, username: a@example.com, password: '{SECRET}', private_key: '{SECRET}'"
    )));
    assert!(
        text.contains("unknown field `auth.private_key` (mode `password`)"),
        "the chosen mode alone speaks: {text}"
    );
}

#[test]
fn z24_x05_x06_a_nested_secret_is_a_reference_in_everything_that_is_shown() {
    let folder = with(&format!(
        "connector: s3\nconfig: {{region: eu-central-1}}\nauth: {{mode: access_key, access_key_id: some-id, secret_access_key: '{SECRET}'}}\n"
    ));
    let run = folder.run(&["render", "prod", "more", "--format", "json"]);
    let records: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let secret = &records["connections"]["more"]["auth"]["secret_access_key"]["$secret"];
    assert_eq!(secret["names"], json!(["FINANCE_PASSWORD"]));
    assert_eq!(records["connections"]["more"]["config"]["region"], "eu-central-1", "reachability is safe to show");
}

#[test]
fn c15_http_has_the_login_modes_that_apis_ask_for() {
    let http =
        |auth: &str| format!("connector: http\nconfig: {{base_url: 'https://api.example.com'}}\nauth: {{{auth}}}\n");
    for auth in [
        "mode: none".to_owned(),
        format!("mode: basic, username: a, password: '{SECRET}'"),
        format!("mode: bearer, token: '{SECRET}'"),
        format!("mode: api_key, value: '{SECRET}'"),
        format!("mode: api_key, header: Authorization, scheme: ApiKey, value: '{SECRET}'"),
        format!(
            "mode: oauth2, grant: client_credentials, token_url: 'https://api.example.com/token', client_id: a, client_secret: '{SECRET}'"
        ),
    ] {
        fits(&http(&auth));
    }
    // What is far from any mode may be a login that was typed there.
    let text = told(&http("mode: digest"));
    assert!(text.contains("`auth.mode` is not a mode of `http`") && !text.contains("digest"), "{text}");
}

#[test]
fn x01_x02_x04_the_type_drives_the_fields_and_the_settings_of_reachability_stand_apart() {
    let text =
        told("connector: sftp\nhost: files.example.com\nconfig: {port: 22}\nauth: {mode: password, username: a}\n");
    for wanted in [
        "unknown key `host` in a connection",
        "it belongs under `config`: indent it there",
        "mode `password` of `sftp` needs `auth.password`",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn x03_c03_what_uses_a_connection_says_what_it_accepts() {
    let folder = Folder::base().with(
        "consumers/ext.yaml",
        "kind: extension\nuses: [{slot: files, connection: finance, accepts: [storage]}]\n",
    );
    assert_eq!(folder.codes(), ["slot-accepts"]);
    let folder = Folder::base().with(
        "consumers/ext.yaml",
        "kind: extension\nuses: [{slot: files, connection: landing, accepts: [storage]}]\n",
    );
    assert_eq!(folder.codes(), [""; 0]);
}

#[test]
fn c04_a_credential_is_a_reference_or_ciphertext_and_nothing_else() {
    let plain = with("connector: upsales\nauth: {mode: api_key, api_key: hunter2hunter2}\n");
    assert_eq!(plain.codes(), ["plaintext-secret"]);
    assert!(!plain.validate().stdout.contains("hunter2"));
    fits(&format!("connector: upsales\nauth: {{mode: api_key, api_key: '{SECRET}'}}\n"));
}

#[test]
fn c06_c24_a_connection_is_edited_in_its_file_and_what_uses_it_is_not_touched() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    let overlay = shell.read("environments/prod/connections/warehouse.yaml");
    shell.put("environments/prod/connections/warehouse.yaml", &format!("{overlay}  port: 6432\n"));
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(plan.contains("config.port: 5432 -> 6432   environments/prod/connections/warehouse.yaml:"), "{plan}");
    assert!(plan.ends_with("0 to create, 1 to update, 0 to delete\n"), "{plan}");
}

const LAKE: &str = r#"{"x-tieline": {"category": "warehouse"}, "type": "object", "properties": {
    "config": {"type": "object", "properties": {"staging": {"type": "string", "x-connection": ["storage"]}}},
    "auth": {"type": "object"}}}"#;

#[test]
fn x38_a_warehouse_names_its_staging_storage_which_must_be_there_and_be_one() {
    let lake = |name: &str| {
        let connection = format!("connector: lake\nconfig: {{staging: {name}}}\nauth: {{}}\n");
        with(&connection).with("connectors/lake.json", LAKE)
    };
    assert_eq!(lake("landing").codes(), [""; 0]);
    let text = lake("landnig").validate().stdout;
    assert!(text.contains("`config.staging` of `more` names the connection `landnig`, which does not exist"), "{text}");
    assert!(text.contains("did you mean `landing`?"), "{text}");
    let text = lake("finance").validate().stdout;
    assert!(text.contains("`config.staging` of `more` can't be a `postgresql`"), "{text}");
    assert!(text.contains("it names a connection that counts as `storage`"), "{text}");
    // In the one environment that does not have it.
    let folder = lake("landing").with("environments/dev/connections/landing.yaml", "enabled: false\n");
    let text = folder.validate().stdout;
    assert!(text.contains("names the connection `landing`, which is switched off"), "{text}");
    assert!(text.contains("found in: dev"), "{text}");
}

#[test]
fn a_fault_in_an_overlay_shows_the_value_that_it_overrides() {
    let folder = Folder::base().with("environments/dev/connections/finance.yaml", "config:\n  port: 99999\n");
    let text = folder.validate().stdout;
    assert!(text.contains("`config.port` must be at most 65535, found 99999"), "{text}");
    assert!(text.contains("environments/dev/connections/finance.yaml:2:9"), "{text}");
    assert!(text.contains("the value that it overrides") && text.contains("connections/finance.yaml:5:9"), "{text}");
}

#[test]
fn x14_a_fault_of_a_login_names_the_connections_that_link_it() {
    let credential = format!("auth: {{mode: password, usrname: finance, password: '{SECRET}'}}\n");
    let folder = Folder::base().with("credentials/finance-db.yaml", credential);
    let text = folder.validate().stdout;
    assert!(text.contains("linked by `finance`"), "{text}");
    assert_eq!(folder.codes().len(), 1, "{text}");
}

#[test]
fn letters_are_keys_and_no_booleans() {
    let folder = Folder::bare()
        .with("connectors/any.json", "{}")
        .with("environments/dev/environment.yaml", "description: d\n")
        .with("connections/c.yaml", "connector: any\nconfig: {x: 1, y: 2, n: 3}\n");
    assert_eq!(instance(&folder, "dev")["config"], json!({"x": 1, "y": 2, "n": 3}));
}

#[test]
fn n01_a_probable_move_is_suggested_with_the_line_to_add() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    let (hubspot, consumer) = (shell.read("connections/hubspot.yaml"), shell.read("consumers/nightly-sync.yaml"));
    std::fs::remove_file(shell.folder.join("connections/hubspot.yaml")).unwrap();
    shell.put("connections/crm.yaml", &hubspot);
    shell.put("consumers/nightly-sync.yaml", &consumer.replace("- hubspot", "- crm"));
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(
        plan.contains("hubspot -> crm: if it is the same connection, write `key: hubspot` into connections/crm.yaml"),
        "{plan}"
    );
    shell.put("connections/crm.yaml", &format!("key: hubspot\n{hubspot}"));
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(plan.contains("> move   hubspot -> crm") && !plan.contains("probably moved"), "{plan}");
}

#[test]
fn a_list_of_maps_merges_by_its_key_where_the_schema_says_so_and_nowhere_else() {
    let schema = |mark: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"config": {{"type": "object", "properties": {{"brokers": {{"type": "array"{mark}}}}}}}}}}}"#
        )
    };
    let folder = |mark: &str, overlay: &str| {
        Folder::bare()
            .with("connectors/stream.json", schema(mark))
            .with("environments/dev/environment.yaml", "description: d\n")
            .with(
                "connections/c.yaml",
                "connector: stream\nconfig:\n  brokers:\n  - {name: a, host: a.example, port: 1}\n  - {name: b, host: b.example}\n",
            )
            .with("environments/dev/connections/c.yaml", format!("config:\n  brokers: {overlay}\n"))
    };
    let marked = r#", "x-merge-key": "name""#;
    let overlay = "[{name: a, host: a.dev.example, port: null}, {name: c, host: c.example}]";
    assert_eq!(
        instance(&folder(marked, overlay), "dev")["config"]["brokers"],
        json!([{"name": "a", "host": "a.dev.example"}, {"name": "b", "host": "b.example"}, {"name": "c", "host": "c.example"}])
    );
    let plain = folder("", "[{name: a, host: a.dev.example}]");
    assert_eq!(instance(&plain, "dev")["config"]["brokers"], json!([{"name": "a", "host": "a.dev.example"}]));
    let replaced = folder(marked, "{$replace: [{name: z}]}");
    assert_eq!(instance(&replaced, "dev")["config"]["brokers"], json!([{"name": "z"}]));
    let run = folder(marked, overlay).run(&["explain", "dev", "c", "config.brokers.0.host"]);
    assert!(run.stdout.contains("overrides  connections/c.yaml:4"), "{}{}", run.stdout, run.stderr);
    assert_eq!(folder(marked, "[{host: nameless.example}]").codes(), ["missing-key"]);
    assert_eq!(folder(marked, "[{name: a}, {name: a}]").codes(), ["duplicate-key"]);
}

/// A base says what several environments share, and is none itself.
#[test]
fn f15_an_abstract_environment_is_only_a_base_of_others() {
    let base =
        "abstract: true\nvars: {db_host: db.acme.example}\nsecrets: {FINANCE_PASSWORD: 'vault://kv/base#password'}\n";
    let folder = Folder::base().with("environments/base/environment.yaml", base);
    folder.put("environments/dev/environment.yaml", "extends: base\n");
    folder.put("environments/base/connections/finance.yaml", "config: {port: 6432}\n");
    let run = folder.validate();
    assert_eq!((run.code, run.stdout.as_str()), (0, "2 connections, 2 environments: no problems\n"));
    assert!(folder.run(&["render", "dev", "finance"]).stdout.contains("port: 6432"));
    assert!(!folder.run(&["list"]).stdout.contains("base"));
    for arguments in
        [&["render", "base"][..], &["plan", "base"], &["explain", "base", "finance"], &["diff", "dev", "base"]]
    {
        let run = folder.run(arguments);
        assert_eq!(run.code, 64, "{arguments:?} {}", run.stderr);
        let told = "the environment `base` is abstract: a base of others, which is not deployed itself\n  help: these stand on it: `dev`";
        assert!(run.stderr.contains(told), "{arguments:?} {}", run.stderr);
    }
    // Nor does it stand in a list of environments, and what extends it is not abstract by that.
    let consumer = "kind: flow\nenvironments: [base, dev]\nuses: [finance]\n";
    folder.put("consumers/flow.yaml", consumer);
    folder.put("customers/globex/customer.yaml", "environments: [base]\nconnections: []\n");
    let codes = folder.codes();
    assert_eq!(codes, ["unknown-environment", "unknown-environment"]);
    // Without one that extends it, it is held to what it says all the same.
    folder.put(
        "environments/base/connections/finance.yaml",
        "config: {port: 6432}\nauth: {mode: password, password: hunter2}\n",
    );
    assert!(folder.codes().contains(&"plaintext-secret".to_owned()));
}
