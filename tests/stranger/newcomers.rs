//! Environments of which nothing is deployed yet, that have the secrets of others.

use std::fs;

use serde_json::Value;

use super::retarget::{OWN, SENT, TOKEN, own};
use crate::secrets::commit;
use crate::shell::Shell;

const EVIL: &str = "evil.example.com";

/// The example, applied to `prod`, and committed.
fn applied() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.put(".gitignore", "dist\n*.txt\n");
    commit(&shell, "one");
    shell.ok(&["apply", "prod", "--yes"]);
    shell
}

fn put(shell: &Shell, path: &str, text: &str) {
    fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

/// What is told of re-targeted secrets: instance, environment that has them, path, new value.
fn told(shell: &Shell, arguments: &[&str]) -> Vec<(String, String, String, String)> {
    let plan: Value =
        serde_json::from_str(&shell.ok(&[&["plan"], arguments, &["--format", "json"]].concat()).stdout).unwrap();
    let all = plan["trust_changes"].as_array().unwrap().iter().filter(|change| change["kind"] == "destination");
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or("-").to_owned();
    all.map(|c| (text(c, "instance"), text(c, "compared_environment"), text(c, "path"), text(c, "new"))).collect()
}

fn one(environment: &str) -> Vec<(String, String, String, String)> {
    vec![("warehouse".into(), environment.into(), "/config/host".into(), EVIL.into())]
}

/// Plans in every form, and the apply, show it; once it is deployed it is no change.
fn shows(shell: &Shell, scope: &[&str]) {
    assert_eq!(told(shell, scope), one("prod"));
    assert_eq!(told(shell, &[scope, &["--against", "HEAD"]].concat()), one("prod"));
    let line = SENT.replace("in use", "in use in `prod`");
    for against in [&[][..], &["--against", "HEAD"]] {
        let human = shell.ok(&[&["plan"], scope, against].concat()).stdout;
        assert!(
            human.contains(&format!("warehouse: {line}\n    config.host: \"warehouse.example.com\" -> \"{EVIL}\"")),
            "{human}"
        );
        let markdown = shell.ok(&[&["plan"], scope, against, &["--format", "markdown"]].concat()).stdout;
        let (open, _) = markdown.split_once("<details>").unwrap();
        assert!(
            open.contains("**credential re-targeted**: a secret in use in `prod`") && open.contains(EVIL),
            "{markdown}"
        );
    }
    commit(shell, "merged");
    let ended = shell.ok(&[&["apply", "--yes"], scope].concat());
    assert!(ended.stdout.contains(&line) && ended.stdout.contains(EVIL), "{ended:?}");
    assert!(told(shell, scope).is_empty());
    assert!(told(shell, &["prod"]).is_empty());
}

#[test]
fn e06_a_new_profile_is_held_against_its_environment() {
    let shell = applied();
    let path = "environments/prod/profiles/fast/connections/warehouse.yaml";
    put(&shell, path, "config: {host: warehouse.example.com}\n");
    assert!(told(&shell, &["prod", "--profile", "fast"]).is_empty());
    put(&shell, path, &format!("config: {{host: {EVIL}}}\n"));
    shows(&shell, &["prod", "--profile", "fast"]);
}

#[test]
fn e06_a_new_environment_is_held_against_what_it_extends() {
    let shell = applied();
    put(&shell, "environments/canary/environment.yaml", "extends: prod\n");
    assert!(told(&shell, &["canary"]).is_empty());
    put(&shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n"));
    shows(&shell, &["canary"]);
    // Deployed there, it is known to go there: from one that extends it in turn too.
    put(&shell, "environments/nightly/environment.yaml", "extends: canary\n");
    assert!(told(&shell, &["nightly"]).is_empty());
    // What is deployed of others is not looked at where nothing is new.
    fs::write(shell.folder.join("dist/environments/prod/head.json"), "damaged").unwrap();
    let ended = shell.ok(&["plan", "canary"]);
    assert!(ended.stderr.is_empty(), "{ended:?}");
    let ended = shell.ok(&["plan", "nightly"]);
    assert!(ended.stderr.is_empty(), "canary settles it: {ended:?}");
    // What can't be read keeps nobody from a first apply, and is said.
    fs::remove_dir_all(shell.folder.join("environments/canary")).unwrap();
    fs::remove_dir_all(shell.folder.join("environments/nightly")).unwrap();
    put(&shell, "environments/other/environment.yaml", "extends: prod\n");
    let ended = shell.ok(&["plan", "other"]);
    assert!(
        ended.stderr.contains("`other` may have secrets of `prod`, and where they go there is not known"),
        "{ended:?}"
    );
}

#[test]
fn e06_a_new_exposure_is_held_against_its_environment() {
    let shell = applied();
    let settings = shell.read("tieline.yaml");
    shell.put("tieline.yaml", &format!("{settings}rules: {{exposes-organization: warning}}\n"));
    shell.put("connections/warehouse.yaml", &(shell.read("connections/warehouse.yaml") + "expose: [partner]\n"));
    shell.put("environments/prod/environment.yaml", &format!("vars: {{db_host: {EVIL}}}\n"));
    assert_eq!(told(&shell, &["prod", "--expose", "partner"]), one("prod"));
}

#[test]
fn e06_a_target_that_moves_as_well_hides_nothing() {
    let shell = applied();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}target: {{path: out}}\n"));
    put(&shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n"));
    assert_eq!(told(&shell, &["canary"]), one("prod"));
    // Typed targets are looked at before those of the workspace.
    assert_eq!(told(&shell, &["canary", "--target", "dist"]), one("prod"));
}

#[test]
fn e06_an_environment_that_takes_over_the_secrets_of_another_is_held_against_it() {
    let shell = applied();
    put(
        &shell,
        "environments/canary/environment.yaml",
        "vars: {db_host: canary.example.com}\nsecrets: {HUBSPOT_TOKEN: 'env:TIELINE_SECRET_A', WAREHOUSE_PASSWORD: 'env:TIELINE_SECRET_B'}\n",
    );
    let shell = shell.with("TIELINE_SECRET_A", "a").with("TIELINE_SECRET_B", "b");
    shell.ok(&["apply", "canary", "--yes"]);
    commit(&shell, "canary");
    put(&shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n"));
    for against in [&[][..], &["--against", "HEAD"]] {
        let told = told(&shell, &[&["canary"], against].concat());
        let prod = told.iter().find(|(instance, environment, ..)| instance == "warehouse" && environment == "prod");
        assert_eq!(prod.map(|(.., path, new)| (&**path, &**new)), Some(("/config/host", EVIL)), "{told:?}");
    }
}

/// Environments that share a layer, or bind a name to an address that another one has.
#[test]
fn e06_a_new_environment_is_held_against_all_that_have_its_secrets() {
    let shell = Shell::new();
    shell.put("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n");
    put(&shell, "connectors/own.json", OWN);
    put(&shell, "connections/own.yaml", &own("{server: '${{ vars.server }}'}", TOKEN));
    let environment = |name: &str, text: &str| put(&shell, &format!("environments/{name}/environment.yaml"), text);
    environment("base", "secrets: {TOKEN: 'vault://kv/prod/db#password'}\nvars: {server: base}\n");
    environment("prod", "extends: base\nvars: {server: prod}\n");
    commit(&shell, "one");
    let told = |name: &str| -> Vec<String> {
        told(&shell, &[name, "--against", "HEAD"])
            .into_iter()
            .map(|(_, environment, _, new)| format!("{environment} {new}"))
            .collect()
    };
    environment("other", "extends: base\nvars: {server: evil}\n");
    assert_eq!(told("other"), ["base evil"]);
    for uri in ["vault://kv/prod/db#password", "vault://kv/data/prod/db#data", "vault://kv/prod/db?version=1#password"]
    {
        environment("other", &format!("secrets: {{TOKEN: '{uri}'}}\nvars: {{server: evil}}\n"));
        assert_eq!(told("other"), ["base evil"], "{uri}");
    }
    environment("other", "secrets: {TOKEN: 'vault://kv/prod/db#password'}\nvars: {server: base}\n");
    assert!(told("other").is_empty());
    environment("other", "secrets: {TOKEN: 'vault://kv/other/db#password'}\nvars: {server: evil}\n");
    assert!(told("other").is_empty());
}
