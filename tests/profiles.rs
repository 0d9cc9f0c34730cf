//! Profiles: bundles of their own, with secrets of their own.

use crate::tenancy::{json, put, tenants, told};

/// The secrets of production are none of a tester's.
#[test]
fn f12_a_profile_uses_no_secret_but_its_own() {
    let shell = tenants();
    let own = shell.read("environments/prod/profiles/test/secrets.sops.yaml");
    assert!(own.contains("_PASSWORD:"), "{own}");
    // A profile without any: one error lists what is missing.
    put(&shell, "environments/prod/profiles/night/profile.yaml", "description: At night\n");
    let told = told(&shell);
    let all = "the secrets `HUBSPOT_APP_SECRET`, `UPSALES_KEY`, `WAREHOUSE_PASSWORD`";
    let one = |environment: &str| {
        ("unknown-secret".to_owned(), format!("the profile `night` of `{environment}` lacks {all}"))
    };
    assert_eq!(told, [one("prod-us"), one("prod")]);
    let ended = shell.run(&["validate"]);
    assert!(ended.stdout.contains("`tieline secret set NAME -e prod --profile night` for each"), "{ended:#?}");
    assert!(ended.stdout.contains("found in: prod+night"), "{ended:#?}");
    assert_eq!(shell.run(&["plan", "prod", "--profile", "night"]).code, 1);
    // By its own word it has those of the environment too, and the word counts for no environment above.
    put(&shell, "environments/prod/profiles/night/profile.yaml", "inherit_secrets: true\n");
    shell.ok(&["plan", "prod", "--profile", "night"]);
    let ended = shell.run(&["plan", "prod-us", "--profile", "night"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("the profile `night` of `prod-us` lacks the secret"), "{all}");
}

/// Who lifts it says so in a plan.
#[test]
fn f12_that_a_profile_inherits_secrets_is_a_trust_change() {
    let shell = tenants();
    shell.ok(&["apply", "prod", "--profile", "test", "--yes"]);
    let settings = shell.read("environments/prod/profiles/test/profile.yaml");
    put(&shell, "environments/prod/profiles/test/profile.yaml", &format!("{settings}inherit_secrets: true\n"));
    let plan = shell.ok(&["plan", "prod", "--profile", "test"]).stdout;
    let told = plan.split_once("trust changes\n").unwrap_or_else(|| panic!("{plan}")).1;
    assert!(told.contains("inherit_secrets: + true"), "{plan}");
    // So it is where a customer's own profile says so.
    put(&shell, "environments/prod/profiles/test/profile.yaml", &settings);
    put(&shell, "customers/globex/profiles/test/profile.yaml", "inherit_secrets: true\n");
    let plan = shell.ok(&["plan", "prod", "--profile", "test"]).stdout;
    let told = plan.split_once("trust changes\n").unwrap_or_else(|| panic!("{plan}")).1;
    assert!(told.contains("inherit_secrets: + [\"globex\"]"), "{plan}");
}

#[test]
fn f12_a_profile_is_narrowed_to_some_connections() {
    let shell = tenants();
    put(&shell, "environments/prod/profiles/night/profile.yaml", "inherit_secrets: true\nconnections: ['ware*']\n");
    let rendered = json(&shell, &["render", "prod", "--profile", "night"]);
    let ids: Vec<&String> = rendered["connections"].as_object().unwrap().keys().collect();
    assert_eq!(ids, ["warehouse"]);
    // What it leaves out needs no secret.
    put(&shell, "environments/prod/profiles/night/profile.yaml", "connections: ['nothing*']\n");
    let ended = shell.run(&["validate"]);
    assert_eq!(ended.code, 0, "{ended:#?}");
}
