//! Customers, tenants and profiles, as somebody with the example workspace uses them.

use std::fs;

use serde_json::Value;

use crate::shell::{Shell, tree};
use crate::support::Folder;

pub(crate) fn tenants() -> Shell {
    Shell::example("tenants").with_demo_identity()
}

pub(crate) fn json(shell: &Shell, arguments: &[&str]) -> Value {
    let ended = shell.ok(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&ended.stdout).unwrap()
}

fn rendered(shell: &Shell, environment: &str) -> Value {
    json(shell, &["render", environment])["connections"].take()
}

/// The ids of what an environment compiles to.
fn ids(shell: &Shell, arguments: &[&str]) -> Vec<String> {
    let records = json(shell, &[&["render"], arguments].concat())["connections"].take();
    records.as_object().unwrap().keys().cloned().collect()
}

/// The codes of the problems that `validate` tells, with the messages.
pub(crate) fn told(shell: &Shell) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&shell.run(&["validate", "--format", "json"]).stdout).unwrap();
    let text = |d: &Value, key: &str| d[key].as_str().unwrap_or("").to_owned();
    report["diagnostics"].as_array().unwrap().iter().map(|d| (text(d, "code"), text(d, "message"))).collect()
}

pub(crate) fn put(shell: &Shell, path: &str, text: &str) {
    fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

#[test]
fn p01_p02_a_connection_of_customers_has_an_instance_for_each_that_lists_it() {
    let shell = tenants();
    assert_eq!(ids(&shell, &["prod"]), ["crm@globex", "shop@globex", "shop@initech", "warehouse"]);
    let records = rendered(&shell, "prod");
    assert_eq!(records["shop@globex"]["customer"], "globex");
    assert_eq!(records["shop@globex"]["title"], "Upsales of globex", "`customer.name` is the customer's");
    let source = |id: &str| records[id]["auth"]["api_key"]["$secret"]["sources"][0]["from"].clone();
    assert_eq!(source("shop@globex"), "customers/globex/secrets.sops.yaml");
    assert_eq!(source("shop@initech"), "customers/initech/secrets.sops.yaml");
    let references: std::collections::BTreeSet<&str> =
        records.as_object().unwrap().values().map(|r| r["reference"].as_str().unwrap()).collect();
    assert_eq!(references.len(), 4, "each instance has a reference of its own");
}

#[test]
fn p03_p11_a_global_connection_serves_all_customers_and_none_can_change_it() {
    let shell = tenants();
    let records = rendered(&shell, "prod");
    assert_eq!(records["warehouse"]["customer"], Value::Null);
    put(&shell, "customers/globex/connections/warehouse.yaml", "config: {host: elsewhere.example.com}\n");
    let expected = "the connection `warehouse` is global: a customer can't change it";
    assert_eq!(told(&shell), [("customer-scope".into(), expected.into())]);
}

#[test]
fn p07_the_organizations_credentials_for_one_customer_never_serve_another() {
    let shell = tenants();
    fs::remove_file(shell.folder.join("customers/initech/secrets.sops.yaml")).unwrap();
    let [(code, message)] = told(&shell).try_into().unwrap();
    assert_eq!((code.as_str(), message.as_str()), ("unknown-secret", "no secret is named `UPSALES_KEY` here"));
    // Nor does one of the environment's.
    let set = shell.run_with(&["secret", "set", "UPSALES_KEY", "-e", "prod"], "ours");
    assert_eq!(set.code, 0, "{set:#?}");
    let [(code, message)] = told(&shell).try_into().unwrap();
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("unknown-secret", "`initech` has no secret `UPSALES_KEY` of its own")
    );
    let set = shell.run_with(&["secret", "set", "UPSALES_KEY", "--customer", "initech"], "theirs");
    assert_eq!(set.code, 0, "{set:#?}");
    assert_eq!(told(&shell), []);
}

#[test]
fn p08_what_the_customer_supplies_is_an_empty_slot_with_what_a_form_needs() {
    let shell = tenants();
    let crm = &rendered(&shell, "prod")["crm@globex"];
    assert_eq!(crm["slots"][0]["path"], "/auth/refresh_token");
    assert_eq!(crm["slots"][0]["schema"]["type"], "string");
    assert!(crm["auth"].get("refresh_token").is_none());
    // A required secret may be missing there, and only there.
    let shop = shell.read("connections/shop.yaml");
    let shop = shop.replace("  api_key: ${{ secrets.UPSALES_KEY }}\n", "");
    shell.put("connections/shop.yaml", &shop);
    assert_eq!(told(&shell)[0].0, "missing-key");
    shell.put("connections/shop.yaml", &shop.replace("organization\n", "customer\nsupplied_by: customer\n"));
    // The keys that the customers' files still have are of no use now.
    assert!(told(&shell).iter().all(|(code, _)| code == "unused-secret"), "{:?}", told(&shell));
    let slot = &rendered(&shell, "prod")["shop@initech"]["slots"][0];
    assert_eq!((slot["path"].as_str(), slot["required"].as_bool()), (Some("/auth/api_key"), Some(true)));
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["verify", "prod"]);
}

#[test]
fn p09_the_organization_cannot_supply_what_needs_a_persons_consent() {
    let shell = tenants();
    let crm = shell.read("connections/crm.yaml").replace("supplied_by: customer\n", "");
    shell.put("connections/crm.yaml", &crm);
    let [(code, message)] = told(&shell).try_into().unwrap();
    assert_eq!(code, "needs-consent");
    assert!(message.contains("asks a person of the customer's for consent"), "{message}");
}

#[test]
fn p13_p14_values_of_lower_layers_are_inherited_and_global_fields_stay() {
    let shell = tenants();
    let records = rendered(&shell, "prod-us");
    assert_eq!(records["shop@globex"]["config"]["url"], "https://us.upsales.example.com/api/v2/");
    assert_eq!(rendered(&shell, "prod")["shop@globex"]["config"]["url"], "https://power.upsales.com/api/v2/");
    put(&shell, "customers/globex/connections/crm.yaml", "auth: {client_id: theirs}\n");
    let expected = "`auth.client_id` is the same for all customers: `globex` can't set it";
    assert_eq!(told(&shell), [("customer-scope".into(), expected.into())]);
    // Beside a secret of the organization's, nothing differs that isn't harmless.
    put(&shell, "customers/globex/connections/crm.yaml", "auth: {scopes: [crm.objects.contacts.read]}\n");
    assert_eq!(told(&shell).len(), 1);
    put(&shell, "customers/globex/connections/crm.yaml", "config: {number_of_api_call_retries: 2}\n");
    assert_eq!(told(&shell), []);
}

#[test]
fn p15_p16_tenants_share_the_stable_key_and_each_has_its_own_values() {
    let shell = tenants();
    let (eu, us) = (rendered(&shell, "prod"), rendered(&shell, "prod-us"));
    assert_eq!(eu["warehouse"]["reference"], us["warehouse"]["reference"]);
    assert_eq!(eu["warehouse"]["config"]["host"], "warehouse.eu.example.com");
    assert_eq!(us["warehouse"]["config"]["host"], "warehouse.us.example.com");
    assert!(us.get("shop@initech").is_none(), "a customer is in the environments that it names");
}

#[test]
fn p17_a_key_that_one_tenant_lacks_is_an_error_that_lists_where_it_is() {
    let shell = tenants();
    put(
        &shell,
        "environments/prod-us/connections/lake.yaml",
        "connector: s3\nkey: data-lake\nconfig: {region: us-east-1}\nauth: {mode: default}\n",
    );
    put(&shell, "consumers/lake-sync.yaml", "kind: pipeline\nuses: [data-lake]\n");
    let ended = shell.run(&["validate"]);
    assert!(ended.stdout.contains("`lake-sync` uses the connection `data-lake`, which does not exist"), "{ended:#?}");
    assert!(ended.stdout.contains("it is there in `prod-us`"), "{ended:#?}");
    assert!(ended.stdout.contains("found in: prod\n"), "{ended:#?}");
}

#[test]
fn p22_p23_p24_a_profile_is_a_bundle_of_its_own_with_its_own_secrets() {
    let shell = tenants();
    shell.ok(&["apply", "prod", "--yes"]);
    let normal = tree(&shell.folder.join("dist/environments/prod"));
    shell.ok(&["apply", "prod", "--profile", "test", "--yes"]);
    assert!(normal == tree(&shell.folder.join("dist/environments/prod")), "the normal bundle knows nothing of it");
    let test = json(&shell, &["render", "prod", "--profile", "test"]);
    assert_eq!(test["profile"], "test");
    let warehouse = &test["connections"]["warehouse"];
    assert_eq!(warehouse["config"]["database"], "analytics_test");
    assert_eq!(
        warehouse["auth"]["password"]["$secret"]["sources"][0]["from"],
        "environments/prod/profiles/test/secrets.sops.yaml"
    );
    assert_eq!(rendered(&shell, "prod")["warehouse"]["config"]["database"], "analytics");
    assert!(shell.folder.join("dist/environments/prod+test/head.json").exists());
    // Changed at any time, without the normal bundle.
    put(&shell, "environments/prod/profiles/test/connections/warehouse.yaml", "config: {database: other}\n");
    assert_eq!(shell.run(&["plan", "prod", "--detailed-exitcode"]).code, 0);
    assert_eq!(shell.run(&["plan", "prod", "--profile", "test", "--detailed-exitcode"]).code, 2);
    // The tenant that extends the environment has the profile too.
    assert_eq!(
        json(&shell, &["render", "prod-us", "--profile", "test"])["connections"]["warehouse"]["config"]["database"],
        "other"
    );
    let typo = shell.run(&["plan", "prod", "--profile", "tets"]);
    assert_eq!(typo.code, 64);
    assert!(typo.stderr.contains("did you mean `test`?"), "{typo:#?}");
}

#[test]
fn p22_what_is_wrong_in_a_profile_is_told_without_asking_for_it() {
    let shell = tenants();
    put(&shell, "environments/prod/profiles/test/connections/warehouse.yaml", "config: {port: 99999}\n");
    let told = told(&shell);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "schema");
}

#[test]
fn n04_a_plan_names_the_customers_that_a_change_reaches() {
    let shell = tenants();
    shell.ok(&["apply", "prod", "--yes"]);
    let shop = shell.read("connections/shop.yaml").replace("api/v2/", "api/v3/");
    shell.put("connections/shop.yaml", &shop);
    let plan = json(&shell, &["plan", "prod"]);
    assert_eq!(plan["impact"]["customers"], serde_json::json!(["globex", "initech"]));
    let changed: Vec<&str> =
        plan["changes"].as_array().unwrap().iter().map(|c| c["customer"].as_str().unwrap()).collect();
    assert_eq!(changed, ["globex", "initech"]);
}

#[test]
fn one_fault_in_what_customers_share_is_told_once() {
    let shell = tenants();
    let shop = shell.read("connections/shop.yaml").replace("mode: api_key", "mode: api_kye");
    shell.put("connections/shop.yaml", &shop);
    let told = told(&shell);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn every_layer_of_the_stack_has_its_place() {
    let shell = tenants();
    for profile in ["environments/prod/profiles/test", "environments/prod-us/profiles/test"] {
        put(&shell, &format!("{profile}/profile.yaml"), "inherit_secrets: true\n");
    }
    // Each layer sets the label named after it, and `who`: the highest one wins.
    for (path, name) in [
        ("connections/shop.yaml", "root"),
        ("environments/prod/connections/shop.yaml", "below"),
        ("environments/prod-us/connections/shop.yaml", "environment"),
        ("environments/prod/profiles/test/connections/shop.yaml", "below-profile"),
        ("environments/prod-us/profiles/test/connections/shop.yaml", "profile"),
        ("customers/globex/connections/shop.yaml", "customer"),
        ("customers/globex/environments/prod/connections/shop.yaml", "customer-below"),
        ("customers/globex/environments/prod-us/connections/shop.yaml", "customer-environment"),
        ("customers/globex/profiles/test/connections/shop.yaml", "customer-profile"),
    ] {
        let text = fs::read_to_string(shell.folder.join(path)).unwrap_or_default();
        put(&shell, path, &format!("{text}labels: {{who: {name}, {name}: 'yes'}}\n"));
    }
    let stack = shell.ok(&["explain", "prod-us", "shop@globex", "labels.who", "--profile", "test", "--format", "json"]);
    let stack: Value = serde_json::from_str(&stack.stdout).unwrap();
    let layers: Vec<&str> = stack["layers"].as_array().unwrap().iter().map(|l| l["layer"].as_str().unwrap()).collect();
    assert_eq!(
        layers,
        [
            "",
            "environments/prod",
            "environments/prod-us",
            "environments/prod/profiles/test",
            "environments/prod-us/profiles/test",
            "customers/globex",
            "customers/globex/environments/prod",
            "customers/globex/environments/prod-us",
            "customers/globex/profiles/test",
        ]
    );
    assert_eq!(told(&shell), []);
}

#[test]
fn p25_f10_what_is_exposed_has_a_bundle_of_its_own_without_the_organizations_secrets() {
    let shell = tenants();
    let crm = shell.read("connections/crm.yaml");
    shell.put("connections/crm.yaml", &crm.replace("scope: customer\n", "scope: customer\nexpose: [embedded]\n"));
    // The secret of the app is the organization's: whoever holds the bundle would have it.
    let all = told(&shell);
    assert!(!all.is_empty() && all.iter().all(|(code, _)| code == "exposes-organization"), "{all:?}");
    assert!(all[0].1.contains("`HUBSPOT_APP_SECRET` belongs to the organization"), "{all:?}");
    let (connection, _) = crm.split_once("auth:").unwrap();
    let own = format!("{connection}expose: [embedded]\nauth: {{mode: private_app}}\n");
    shell.put("connections/crm.yaml", &own);
    let all: Vec<String> = told(&shell).into_iter().map(|(code, _)| code).collect();
    assert_eq!(all, ["unused-secret"]);
    let records = json(&shell, &["render", "prod", "--expose", "embedded"])["connections"].take();
    assert_eq!(records.as_object().unwrap().keys().collect::<Vec<_>>(), ["crm@globex"]);
    shell.ok(&["apply", "prod", "--expose", "embedded", "--yes"]);
    assert!(shell.folder.join("dist/environments/prod@embedded/head.json").exists());
    assert!(!shell.folder.join("dist/environments/prod").exists(), "the whole environment is another bundle");
    shell.ok(&["verify", "prod", "--expose", "embedded"]);
    assert_eq!(shell.run(&["plan", "prod", "--expose", "embedded", "--detailed-exitcode"]).code, 0);
    assert_eq!(shell.run(&["plan", "prod", "--detailed-exitcode"]).code, 2);
    let typo = shell.run(&["plan", "prod", "--expose", "embeded"]);
    assert!(typo.stderr.contains("did you mean `embedded`?"), "{typo:#?}");
    let warehouse = shell.read("connections/warehouse.yaml");
    shell.put("connections/warehouse.yaml", &format!("expose: [embedded]\n{warehouse}"));
    assert_eq!(told(&shell)[0].0, "exposes-organization");
}

#[test]
fn x38_what_an_instance_names_must_be_there_too() {
    let shell = tenants();
    put(
        &shell,
        "connectors/lake.json",
        r#"{"properties": {"config": {"properties": {"staging": {"x-connection": ["warehouse", "database"]}}}, "auth": {}}}"#,
    );
    put(&shell, "connections/lake.yaml", "connector: lake\nscope: customer\nconfig: {staging: warehouse}\n");
    put(&shell, "customers/globex/customer.yaml", "connections: [shop, crm, lake]\n");
    assert_eq!(told(&shell), []);
    put(&shell, "customers/globex/connections/lake.yaml", "config: {staging: warehose}\n");
    let expected = "`config.staging` of `lake` names the connection `warehose`, which does not exist";
    assert_eq!(told(&shell), [("unknown-connection".into(), expected.into())]);
}

/// A login without a person needs nobody's consent, whoever supplies it.
#[test]
fn e2_11_only_a_login_that_asks_a_person_needs_consent() {
    for (auth, told) in [
        ("mode: private_app, access_token: '${{ secrets.TOKEN }}'", false),
        (
            "mode: oauth2, client_id: a, client_secret: '${{ secrets.TOKEN }}', refresh_token: '${{ secrets.TOKEN }}'",
            true,
        ),
    ] {
        let folder = Folder::bare()
            .with("connections/crm.yaml", format!("connector: hubspot\nscope: organization\nauth: {{{auth}}}\n"))
            .with("customers/globex/customer.yaml", "connections: [crm]\nsecrets: {TOKEN: 'env:TOKEN'}\n")
            .with("environments/dev/environment.yaml", "description: dev\n");
        assert_eq!(folder.codes().contains(&"needs-consent".to_owned()), told, "{auth}: {:?}", folder.codes());
    }
    for (grant, told) in [("client_credentials", false), ("authorization_code", true), ("pkce", true)] {
        let auth = format!(
            "mode: oauth2, grant: {grant}, client_id: a, token_url: 'https://t.example', authorize_url: 'https://a.example', client_secret: '${{{{ secrets.TOKEN }}}}'"
        );
        let folder = Folder::bare()
            .with("connections/api.yaml", format!("connector: http\nscope: organization\nconfig: {{base_url: 'https://x.example'}}\nauth: {{{auth}}}\n"))
            .with("customers/globex/customer.yaml", "connections: [api]\nsecrets: {TOKEN: 'env:TOKEN'}\n")
            .with("environments/dev/environment.yaml", "description: dev\n");
        assert_eq!(folder.codes().contains(&"needs-consent".to_owned()), told, "{grant}: {:?}", folder.json());
    }
}

/// A map that is the same for all customers is told of once, whatever a customer sets in it.
#[test]
fn e2_11_a_global_map_is_told_of_once() {
    const OWN: &str = r#"{"type": "object", "properties": {
      "config": {"properties": {"routes": {"type": "object", "x-scope": "global"}, "own": {"type": "object"}}}, "auth": {}
    }}"#;
    let folder = Folder::bare()
        .with("connectors/own.json", OWN)
        .with(
            "connections/c.yaml",
            "connector: own\nscope: organization\nconfig: {routes: {a: {x: 1}}, own: {b: 1}}\nauth: {}\n",
        )
        .with("customers/globex/customer.yaml", "connections: [c]\n")
        .with("customers/globex/connections/c.yaml", "config: {own: {b: 2}, routes: {a: {x: 2}, c: {y: {z: 1}}}}\n")
        .with("environments/dev/environment.yaml", "description: dev\n");
    assert_eq!(folder.codes(), ["customer-scope"]);
}

/// A list of secrets is a customer's own item by item.
#[test]
fn e2_11_no_item_of_a_list_is_a_secret_of_the_organizations() {
    const OWN: &str = r#"{"type": "object", "properties": {"config": {}, "auth": {"properties": {
      "one": {"type": "string", "writeOnly": true},
      "all": {"type": "array", "items": {"type": "string", "writeOnly": true}}
    }}}}"#;
    let codes = |auth: &str| {
        let folder = Folder::bare()
            .with("connectors/own.json", OWN)
            .with("connections/c.yaml", format!("connector: own\nscope: organization\nauth: {{{auth}}}\n"))
            .with("customers/globex/customer.yaml", "connections: [c]\nsecrets: {OWN: 'env:OWN'}\n")
            .with("environments/dev/environment.yaml", "secrets: {SHARED: 'env:SHARED'}\n");
        folder.codes().into_iter().filter(|code| code != "unused-secret").collect::<Vec<_>>()
    };
    let (own, shared) = ("'${{ secrets.OWN }}'", "'${{ secrets.SHARED }}'");
    assert_eq!(codes(&format!("one: {own}, all: [{own}, {own}]")), [""; 0]);
    assert_eq!(codes(&format!("one: {shared}")), ["unknown-secret"]);
    assert_eq!(codes(&format!("all: [{own}, {shared}]")), ["unknown-secret"]);
}

/// Whose app it is decides where its secret goes: no customer does, by any of its layers.
#[test]
fn f09_nothing_of_a_customers_changes_what_all_share_or_where_the_organizations_secret_goes() {
    let crm = |shell: &Shell, client: &str| {
        shell.put(
            "connections/crm.yaml",
            &shell.read("connections/crm.yaml").replace("8f3c2a10-tieline-example", client),
        );
    };
    let customer = |shell: &Shell, more: &str| {
        let settings = shell.read("customers/globex/customer.yaml");
        shell.put("customers/globex/customer.yaml", &format!("{settings}{more}"));
    };
    let root_vars = |shell: &Shell, vars: &str| {
        let settings = shell.read("tieline.yaml");
        shell.put("tieline.yaml", &format!("{settings}\n{vars}\n"));
    };
    // A variable behind a global field.
    let shell = tenants();
    crm(&shell, "${{ vars.app }}");
    root_vars(&shell, "vars: {app: ours}");
    assert_eq!(told(&shell), []);
    customer(&shell, "vars: {app: evil}\n");
    let all = told(&shell);
    assert!(!all.is_empty() && all.iter().all(|(code, _)| code == "customer-scope"), "{all:?}");
    assert!(all[0].1.contains("`auth.client_id` is the same for all customers"), "{all:?}");
    // The name of the customer is no value of its own.
    let shell = tenants();
    crm(&shell, "${{ customer.name }}");
    customer(&shell, "vars: {app: evil}\n");
    assert_eq!(told(&shell), []);
    // A setting that is no global field, beside the organization's secret: where it goes.
    let shell = tenants();
    put(&shell, "customers/globex/connections/crm.yaml", "config: {base_url: 'https://evil.example.com'}\n");
    let all = told(&shell);
    assert!(
        all.iter().any(|(code, text)| code == "customer-scope"
            && text.starts_with("`config.base_url` says where the organization's `HUBSPOT_APP_SECRET` goes")),
        "{all:?}"
    );
    // What is harmless may differ.
    put(&shell, "customers/globex/connections/crm.yaml", "config: {number_of_api_call_retries: 2}\n");
    assert_eq!(told(&shell), []);
    // A credential of its own.
    let shell = tenants();
    let text = shell.read("connections/crm.yaml");
    let (connection, auth) = text.split_once("auth:").unwrap();
    shell.put("connections/crm.yaml", &format!("{connection}credential: app\n"));
    put(&shell, "credentials/app.yaml", &format!("connectors: [hubspot]\nauth:{auth}"));
    assert_eq!(told(&shell), []);
    put(&shell, "customers/globex/credentials/app.yaml", "auth: {client_id: evil}\n");
    let all = told(&shell);
    assert!(all.iter().any(|(code, text)| code == "customer-scope" && text.contains("`auth.client_id`")), "{all:?}");
    // A connection that only the customer has.
    let shell = tenants();
    put(
        &shell,
        "customers/globex/connections/own.yaml",
        &shell.read("connections/crm.yaml").replace("8f3c2a10", "evil"),
    );
    customer(&shell, "");
    let settings = shell.read("customers/globex/customer.yaml").replace("[shop, crm]", "[shop, crm, own]");
    shell.put("customers/globex/customer.yaml", &settings);
    let all = told(&shell);
    assert!(
        all.iter().any(|(code, text)| code == "customer-scope"
            && text.contains(
                "the secret `HUBSPOT_APP_SECRET` is the organization's: no connection of `globex` alone can use it"
            )),
        "{all:?}"
    );
}

#[test]
fn f09_a_credential_of_global_connections_is_no_customers_to_change() {
    let shell = tenants();
    let ids: Vec<String> = fs::read_dir(shell.folder.join("credentials")).map_or_else(
        |_| Vec::new(),
        |found| found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
    );
    if ids.is_empty() {
        let warehouse = shell.read("connections/warehouse.yaml");
        let (connection, auth) = warehouse.split_once("auth:").unwrap();
        shell.put("connections/warehouse.yaml", &format!("{connection}credential: wh\n"));
        put(&shell, "credentials/wh.yaml", &format!("connectors: [postgresql]\nauth:{auth}"));
    }
    assert_eq!(told(&shell), []);
    let id = ids.first().map_or("wh.yaml", |id| id.as_str());
    put(&shell, &format!("customers/globex/credentials/{id}"), "auth: {username: evil}\n");
    let all = told(&shell);
    assert!(
        all.iter().any(|(code, text)| code == "customer-scope" && text.contains("a customer can't change it")),
        "{all:?}"
    );
}
