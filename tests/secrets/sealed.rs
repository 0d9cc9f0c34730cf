//! Fields that the schema leaves in clear and that are secret all the same: by `sealed`, or entry by entry in a free map.

use std::fs;

use super::{PROD, changed, get, quickstart, set};
use crate::shell::Shell;

/// The product's own example: an access key of S3 whose id is handed out by the vault.
const S3: &str = "connector: s3\nowner: team-data\nconfig: {region: eu-central-1, bucket: acme}\nauth:\n  mode: access_key\n  \
    access_key_id: ${{ secrets.AWS_ID }}\n  secret_access_key: ${{ secrets.KEY }}\nsealed: [auth.access_key_id]\n";

/// An id of the form that AWS gives its keys.
const ID: &str = concat!("AKIA", "IOSFODNN7EXAMPLE");

fn with_keys() -> Shell {
    let shell = quickstart();
    for name in ["KEY_ID", "KEY"] {
        for environment in ["dev", "prod"] {
            set(&shell, name, environment, &format!("the {name} of {environment}"));
            set(&shell, "AWS_ID", environment, ID);
        }
    }
    shell
}

fn record(shell: &Shell, id: &str) -> serde_json::Value {
    let printed = shell.ok(&["render", "prod", id, "--format", "json"]).stdout;
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    printed["connections"][id].clone()
}

#[test]
fn f02_a_sealed_field_is_a_secret_from_the_record_to_the_bundle() {
    let shell = with_keys();
    shell.put("connections/files.yaml", S3);
    let record = record(&shell, "files");
    assert_eq!(record["sealed"], serde_json::json!(["/auth/access_key_id"]));
    assert_eq!(record["auth"]["access_key_id"]["$secret"]["names"], serde_json::json!(["AWS_ID"]));
    shell.ok(&["apply", "prod", "--yes"]);
    let current = shell.read("dist/environments/prod/current/connections/files.yaml");
    assert!(current.contains("access_key_id: ENC[") && !current.contains(ID), "{current}");
    shell.ok(&["bundle", "export", "prod", "../b.tar.gz"]);
    let opened = shell.ok(&["bundle", "open", "../b.tar.gz", "files"]).stdout;
    assert!(opened.contains(&format!("access_key_id: {ID}")), "{opened}");
    // `explain` says where it comes from, and nothing of what it is.
    let told = shell.ok(&["explain", "prod", "files", "auth.access_key_id"]).stdout;
    assert!(told.contains("${{ secrets.AWS_ID }}"), "{told}");
    // A field whose value breaks its form is told when it is opened, without the value.
    let hook = "connector: http\nowner: team-data\nconfig: {base_url: '${{ secrets.KEY }}'}\nauth: {mode: none}\nsealed: [config.base_url]\n";
    shell.put("connections/hook.yaml", hook);
    let refused = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("does not have the form") && !refused.stderr.contains("the KEY"), "{refused:#?}");
}

#[test]
fn f02_what_is_sealed_in_one_environment_is_in_clear_in_another() {
    let shell = with_keys();
    let base = "connector: http\nowner: team-data\nconfig: {timeout: 5}\nauth: {mode: none}\n";
    shell.put("connections/hook.yaml", base);
    let sealed = "config: {base_url: '${{ secrets.KEY }}'}\nsealed: [config.base_url]\n";
    shell.put("environments/prod/connections/hook.yaml", sealed);
    fs::create_dir_all(shell.folder.join("environments/dev/connections")).unwrap();
    let clear = "config: {base_url: 'https://hook.example.com'}\n";
    shell.put("environments/dev/connections/hook.yaml", clear);
    shell.ok(&["validate"]);
    // An environment that stands on the one that seals it has it sealed too.
    let settings = shell.read("environments/dev/environment.yaml");
    shell.put("environments/dev/environment.yaml", &format!("{settings}extends: prod\n"));
    let refused = shell.run(&["validate"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(
        refused.stdout.contains("`config.base_url` is a secret, and its value stands here in clear"),
        "{refused:#?}"
    );
    assert!(!refused.stdout.contains("hook.example.com"), "{refused:#?}");
    assert_eq!(refused.stdout.matches("error[").count(), 1, "{refused:#?}");
}

#[test]
fn f02_a_credential_is_held_to_what_its_connections_seal() {
    let shell = with_keys();
    let login = shell.read("credentials/warehouse-db.yaml");
    let link = shell.read("connections/warehouse.yaml");
    shell.put("connections/warehouse.yaml", &format!("{link}\nsealed: [auth.username]\n"));
    let refused = shell.run(&["validate"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    let told = refused.stdout.matches("`auth.username` is a secret, and its value stands here in clear").count();
    assert!(told == 1 && refused.stdout.contains("credentials/warehouse-db.yaml"), "{refused:#?}");
    // Sealed where it stands, for all that link it.
    shell.put("connections/warehouse.yaml", &link);
    let sealed = login.replace("username: loader", "username: ${{ secrets.KEY_ID }}");
    assert!(sealed != login, "{login}");
    shell.put("credentials/warehouse-db.yaml", &format!("{sealed}\nsealed: [auth.username]\n"));
    shell.ok(&["validate"]);
    assert_eq!(record(&shell, "warehouse")["sealed"], serde_json::json!(["/auth/username"]));
}

#[test]
fn f02_what_is_no_longer_sealed_is_a_trust_change() {
    let shell = with_keys();
    shell.put("connections/files.yaml", S3);
    shell.ok(&["apply", "prod", "--yes"]);
    shell.put(
        "connections/files.yaml",
        &S3.replace("sealed: [auth.access_key_id]\n", "").replace("${{ secrets.AWS_ID }}", ID),
    );
    let plan = shell.ok(&["plan", "prod"]).stdout;
    let told = plan.split_once("trust changes\n").unwrap_or_else(|| panic!("{plan}")).1;
    assert!(told.contains("files: sealed: -\"/auth/access_key_id\""), "{plan}");
    assert!(plan.contains("(secret) no longer sealed"), "{plan}");
    let json: serde_json::Value =
        serde_json::from_str(&shell.ok(&["plan", "prod", "--format", "json"]).stdout).unwrap();
    let kinds: Vec<&str> =
        json["trust_changes"].as_array().unwrap().iter().filter_map(|t| t["kind"].as_str()).collect();
    assert!(kinds.contains(&"sealed"), "{kinds:?}");
    let comment = shell.ok(&["plan", "prod", "--format", "markdown"]).stdout;
    assert!(comment.contains("Trust changes") && comment.contains("sealed"), "{comment}");
}

#[test]
fn f01_an_entry_of_a_free_map_may_be_a_secret_or_in_clear() {
    let shell = with_keys();
    let hook = "connector: http\nowner: team-data\nconfig:\n  base_url: https://hook.example.com\n  headers:\n    \
        Authorization: Bearer ${{ secrets.KEY }}\n    X-Team: data\nauth: {mode: none}\n";
    shell.put("connections/hook.yaml", hook);
    let warehouse = shell.read("connections/warehouse.yaml");
    let params = "  params:\n    sslpassword: ${{ secrets.KEY_ID }}\n    search_path: public\n";
    shell.put("connections/warehouse.yaml", &warehouse.replace("  tls:\n", &format!("{params}  tls:\n")));
    shell.ok(&["validate"]);
    shell.ok(&["apply", "prod", "--yes"]);
    let current = shell.read("dist/environments/prod/current/connections/hook.yaml");
    assert!(current.contains("Authorization: ENC[") && current.contains("X-Team: data"), "{current}");
    shell.ok(&["bundle", "export", "prod", "../b.tar.gz"]);
    let opened = shell.ok(&["bundle", "open", "../b.tar.gz", "hook"]).stdout;
    assert!(opened.contains("Authorization: \"Bearer the KEY of prod\""), "{opened}");
    let opened = shell.ok(&["bundle", "open", "../b.tar.gz", "warehouse"]).stdout;
    assert!(opened.contains("sslpassword: \"the KEY_ID of prod\""), "{opened}");
    // In clear, a name that says secret is refused, and the help leads to what works.
    shell.put("connections/hook.yaml", &hook.replace("${{ secrets.KEY }}", "hunter2"));
    let refused = shell.run(&["validate"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stdout.contains("secret-named-value") && !refused.stdout.contains("hunter2"), "{refused:#?}");
    assert!(refused.stdout.contains("write ${{ secrets.AUTHORIZATION }} here"), "{refused:#?}");
}

/// Headers may be called anything, so a sealed one can have the name of a key in the document's header.
#[test]
fn f01_a_sealed_entry_may_have_any_name() {
    let shell = with_keys();
    let names = [
        "id",
        "customer",
        "reference",
        "connector",
        "format",
        "workspace",
        "environment",
        "profile",
        "tieline",
        "sops",
        "config",
    ];
    let headers: String = names.iter().map(|name| format!("    {name}: ${{{{ secrets.KEY }}}}\n")).collect();
    let hook = format!(
        "connector: http\nowner: team-data\nconfig:\n  base_url: https://hook.example.com\n  headers:\n{headers}auth: {{mode: none}}\n"
    );
    shell.put("connections/hook.yaml", &hook);
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["verify", "prod"]);
    shell.ok(&["bundle", "export", "prod", "../b.tar.gz"]);
    let opened = shell.ok(&["bundle", "open", "../b.tar.gz", "hook"]).stdout;
    assert_eq!(opened.matches("the KEY of prod").count(), names.len(), "{opened}");
    let again = shell.ok(&["apply", "prod", "--yes"]).stdout;
    assert!(again.contains("no changes"), "{again}");
}

/// A secret that is extracted from a free map is sealed where it stood.
#[test]
fn f01_what_stood_in_clear_in_a_free_map_is_extracted() {
    let shell = with_keys();
    let hook = "connector: http\nowner: team-data\nconfig:\n  base_url: https://hook.example.com\n  headers:\n    X-Api-Key: hunter2\nauth: {mode: none}\n";
    shell.put("environments/prod/connections/hook.yaml", hook);
    let before = shell.read(PROD);
    shell.ok(&["secret", "extract", "environments/prod/connections/hook.yaml", "--yes"]);
    assert!(shell.read("environments/prod/connections/hook.yaml").contains("X-Api-Key: ${{ secrets."));
    assert!(!changed(&before, &shell.read(PROD)).is_empty());
    shell.ok(&["validate"]);
    assert_eq!(get(&shell, "HOOK_X_API_KEY", "prod"), "hunter2");
}

/// A token of a vendor's known form is refused wherever people write clear text, and no excuse lets it pass.
#[test]
fn f01_a_token_is_refused_in_every_clear_text() {
    let token = concat!("ghp_", "0123456789abcdefghijABCDEFGHIJ012345");
    let http = "connector: http\nowner: team-data\nconfig: {base_url: 'https://h.example.com'}\nauth: {mode: none}\n";
    let places = [
        ("connections/hook.yaml", format!("{http}title: see {token}\n")),
        ("connections/hook.yaml", format!("{http}description: see {token}\n")),
        ("connections/hook.yaml", format!("{http}labels: {{note: {token}}}\n")),
        ("connections/hook.yaml", format!("enabled: false\n{http}title: see {token}\n")),
        ("connections/hook.yaml", http.replace("h.example.com", &format!("h.example.com/{token}"))),
        (
            "credentials/other.yaml",
            format!("title: {token}\nauth: {{mode: basic, username: a, password: '${{{{ secrets.KEY }}}}'}}\n"),
        ),
        (
            "credentials/other.yaml",
            format!("runbook: {token}\nauth: {{mode: basic, username: a, password: '${{{{ secrets.KEY }}}}'}}\n"),
        ),
        ("consumers/other.yaml", format!("kind: flow\ntitle: {token}\nuses: [hubspot]\n")),
        ("consumers/other.yaml", format!("kind: flow\nuses: [hubspot]\nsettings: {{deep: [{{x: {token}}}]}}\n")),
        ("environments/dev/environment.yaml", format!("description: {token}\nvars: {{db_host: h}}\n")),
        ("environments/dev/environment.yaml", format!("vars: {{db_host: h, unused: {{deep: {token}}}}}\n")),
    ];
    for (path, text) in places {
        let shell = with_keys();
        let line = text.lines().find(|line| line.contains(token)).unwrap_or_default();
        let excused = text.replace(line, &format!("{line} # tieline: allow plaintext-secret because"));
        for text in [&text, &excused] {
            shell.put(path, text);
            let refused = shell.run(&["validate", "--format", "concise"]);
            assert_eq!(refused.code, 1, "{text}\n{refused:#?}");
            let told = refused.stdout.matches("error[plaintext-secret]: a GitHub token stands here in clear").count();
            assert!(told == 1 && !refused.stdout.contains(token), "{text}\n{refused:#?}");
        }
    }
}

/// Who can write into the secrets file decides as whom a connection logs in, if its user name is sealed.
#[test]
fn f02_another_sealed_setting_beside_a_secret_that_stays_is_a_trust_change() {
    let shell = with_keys();
    let login =
        shell.read("credentials/warehouse-db.yaml").replace("username: loader", "username: ${{ secrets.KEY_ID }}");
    shell.put("credentials/warehouse-db.yaml", &format!("{login}\nsealed: [auth.username]\n"));
    shell.ok(&["apply", "prod", "--yes"]);
    set(&shell, "KEY_ID", "prod", "mallory");
    let plan = shell.ok(&["plan", "prod"]).stdout;
    let told = plan.split_once("trust changes\n").unwrap_or_else(|| panic!("{plan}")).1;
    assert!(told.contains("auth.username: (secret) changed or re-encrypted"), "{plan}");
}
