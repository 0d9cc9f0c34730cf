//! What is the same for all customers comes from the organization, and what is a customer's own from the customer.

use crate::support::Folder;

const LAB: &str = r#"{"type": "object", "properties": {
  "config": {"type": "object", "properties": {
    "tenant": {"type": "string", "x-scope": "global"}, "region": {"type": "string"}
  }},
  "auth": {"type": "object", "properties": {
    "mode": {"enum": ["key"]}, "key": {"type": "string", "writeOnly": true},
    "app": {"type": "string", "writeOnly": true, "x-scope": "global"}
  }}
}}"#;

/// A connection of the customer `globex`, with these secrets in its login.
fn workspace(key: &str, app: &str) -> Folder {
    let shop = format!(
        "connector: lab\nscope: customer\nconfig: {{tenant: a, region: b}}\n\
         auth: {{mode: key, key: '${{{{ secrets.{key} }}}}', app: '${{{{ secrets.{app} }}}}'}}\n"
    );
    Folder::bare()
        .with("connectors/lab.json", LAB)
        .with("environments/dev/environment.yaml", "secrets: {DEV: 'env:DEV'}\n")
        .with("customers/globex/customer.yaml", "connections: [shop]\nsecrets: {OWN: 'env:OWN'}\n")
        .with("connections/shop.yaml", shop)
}

/// What is told, with its help and the places that belong to it.
fn told(folder: &Folder) -> Vec<String> {
    let report = folder.json();
    let one = |d: &serde_json::Value| {
        let text = |key: &str| d[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}; {}", text("file"), text("code"), text("message"), text("help"))
    };
    report["diagnostics"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn e2_11_a_field_for_all_customers_is_set_by_the_organization_in_any_of_its_layers() {
    let folder = workspace("OWN", "DEV").with("environments/dev/connections/shop.yaml", "config: {tenant: c}\n");
    assert_eq!(told(&folder), [""; 0]);
    // What a customer alone has is no change of anything.
    let own = "auth: {mode: key, key: '${{ secrets.OWN }}'}";
    let alone = format!("connector: lab\nscope: customer\nconfig: {{tenant: c}}\n{own}\n");
    folder.put("customers/globex/connections/other.yaml", alone);
    folder.put("customers/globex/customer.yaml", "connections: [shop, other]\nsecrets: {OWN: 'env:OWN'}\n");
    assert_eq!(told(&folder), [""; 0]);
    folder.put("customers/globex/connections/shop.yaml", "config: {tenant: d}\n");
    let all = told(&folder);
    assert_eq!(
        all,
        [
            "customers/globex/connections/shop.yaml customer-scope: `config.tenant` is the same for all customers: `globex` \
          can't set it; remove it here; what differs for customers goes into a field that the connector doesn't share"
        ]
    );
    let shown = folder.validate().stdout;
    assert!(
        shown.contains("the value for all") && shown.contains("environments/dev/connections/shop.yaml:1:18"),
        "{shown}"
    );
    folder.put("customers/globex/connections/shop.yaml", "config: {$replace: {tenant: d}}\n");
    assert!(told(&folder).contains(&all[0]), "in a directive the same");
}

#[test]
fn e2_11_a_customer_uses_its_own_secrets_and_all_customers_those_of_the_organization() {
    let own = "connections/shop.yaml unknown-secret: `globex` has no secret `DEV` of its own; `environments/dev` has one, and a \
               customer never uses another's: `tieline secret set DEV --customer globex`";
    let shared = "connections/shop.yaml customer-scope: `auth.app` is the same for all customers: the secret `OWN` is \
                  `globex`'s own; `customers/globex` has it: name a secret of the organization's";
    for (key, app, expected) in
        [("OWN", "DEV", &[][..]), ("DEV", "DEV", &[own]), ("OWN", "OWN", &[shared]), ("DEV", "OWN", &[own, shared])]
    {
        let folder = workspace(key, app);
        assert_eq!(told(&folder), expected, "{key} {app}");
    }
}
