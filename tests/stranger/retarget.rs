//! Secrets that stay where what is set beside them does not: where they go, how they are protected on the way, as whom.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};
use tieline::connectors::json::plain;
use tieline::connectors::{Catalogue, Connector};
use tieline::source::Sources;
use tieline::value::Node;
use tieline::yaml;

use crate::secrets::{commit, git};
use crate::shell::Shell;
use crate::support::{files, root, sealed};

pub(super) const SENT: &str = "credential re-targeted: a secret in use could be sent elsewhere or with less protection";
pub(super) const RECIPIENT: &str = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";

/// A workspace with an environment `prod` that binds these secrets to a store.
pub(super) fn workspace(secrets: &[&str]) -> Shell {
    let shell = Shell::new();
    shell.put("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n");
    for folder in ["connections", "connectors", "credentials", "environments/prod/connections"] {
        fs::create_dir_all(shell.folder.join(folder)).unwrap();
    }
    let bound = secrets.iter().fold(String::from("secrets:\n"), |mut text, name| {
        let _ = writeln!(text, "  {name}: vault://kv/prod/{name}#value");
        text
    });
    shell.put("environments/prod/environment.yaml", if secrets.is_empty() { "description: prod\n" } else { &bound });
    shell
}

pub(super) fn plan_json(shell: &Shell) -> Value {
    serde_json::from_str(&shell.ok(&["plan", "prod", "--against", "HEAD", "--format", "json"]).stdout).unwrap()
}

/// The re-targeted secrets of a plan against `HEAD`: instance and path of each.
pub(super) fn retargeted(shell: &Shell) -> Vec<(String, String)> {
    let plan = plan_json(shell);
    let all = plan["trust_changes"].as_array().unwrap().iter().filter(|change| change["kind"] == "destination");
    let text = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    all.map(|change| (text(change, "instance"), text(change, "path"))).collect()
}

/// The paths alone, of a workspace in which one connection changes.
pub(super) fn paths(shell: &Shell) -> Vec<String> {
    retargeted(shell).into_iter().map(|(_, path)| path).collect()
}

pub(super) fn edit(shell: &Shell, path: &str, from: &str, to: &str) {
    let text = shell.read(path);
    assert!(text.contains(from), "{path} has no {from}");
    shell.put(path, &text.replace(from, to));
}

// --- Every field of every connector -------------------------------------------------------------------------------

/// Fields that can't change where a secret goes, how it is protected, or as whom. Whoever adds one here says why it can't.
const HARMLESS: [&str; 20] = [
    "application_name", // shown by the server
    "api_version",      // part of the path
    "connect_timeout",
    "directory", // where files go, behind the login
    "max_retries",
    "number_of_api_call_retries",
    "prefix", // of keys in the bucket
    "request_timeout",
    "retry",
    "timeout",
    // How pages are asked for; `type`, `link_rel` and `link_path` follow addresses that an answer names.
    "cursor_param",
    "first_offset",
    "first_page",
    "items_path",
    "limit",
    "limit_param",
    "offset_param",
    "page_param",
    // Replacing them sends no other secret elsewhere; the certificate and the user's name beside them are not harmless.
    "client_key",
    "client_key_password",
];

/// Two values that each field may have, so that one of them is another than it has.
fn values(field: &str) -> Vec<Value> {
    let certificate = |name: &str| format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n");
    let key = |letter: &str| format!("SHA256:{}", letter.repeat(43));
    match field {
        "host" | "server_name" => vec![json!("one.example.com"), json!("two.example.com")],
        "port" | "portal_id" | "connect_timeout" | "limit" | "first_page" | "first_offset" => {
            vec![json!(21), json!(22)]
        }
        "number_of_api_call_retries" | "max_retries" => vec![json!(1), json!(2)],
        "timeout" | "request_timeout" | "delay" | "max_delay" => vec![json!(3), json!(4)],
        "certificate" | "ca_certificate" | "client_certificate" => {
            vec![json!(certificate("a")), json!(certificate("b"))]
        }
        "host_key_fingerprint" => vec![json!(key("a")), json!(key("b"))],
        "base_url" | "url" | "endpoint" | "instance_url" | "token_url" | "authorize_url" | "node" => {
            vec![json!("https://one.example.com/"), json!("https://two.example.com/")]
        }
        "cloud_id" => vec![json!("a:ZXU="), json!("b:dXM=")],
        "role_arn" => {
            vec![json!("arn:aws:iam::123456789012:role/a"), json!("arn:aws:iam::123456789012:role/b")]
        }
        "region" => vec![json!("eu-central-1"), json!("eu-west-1")],
        "bucket" => vec![json!("bucket-one"), json!("bucket-two")],
        "domain" => vec![json!("one.my.salesforce.com"), json!("two.my.salesforce.com")],
        "api_version" => vec![json!("61.0"), json!("62.0")],
        "username" => vec![json!("one@example.com"), json!("two@example.com")],
        "force_path_style" => vec![json!(true), json!(false)],
        "scopes" => vec![json!(["a"]), json!(["a", "b"])],
        "params" => vec![json!({"hostaddr": "192.0.2.1"}), json!({"sslmode": "disable"})],
        "headers" => vec![json!({"Host": "one.example.com"}), json!({"Host": "two.example.com"})],
        "tls" => vec![json!({"mode": "require"}), json!({"mode": "disable"})],
        "ssh_tunnel" => ["one", "two"]
            .map(|host| {
                let password = "${{ secrets.SHOP_PASSWORD }}";
                json!({"method": "password", "host": host, "username": "t", "password": password})
            })
            .to_vec(),
        "pagination" => vec![json!({"type": "link"}), json!({"type": "link", "link_path": "next"})],
        "retry" => vec![json!({"max_retries": 1}), json!({"max_retries": 2})],
        "statuses" => vec![json!([429]), json!([502])],
        "grant" => vec![json!("client_credentials"), json!("pkce")],
        _ => vec![json!("one"), json!("two")],
    }
}

/// A connection of the fixtures that changes at one place.
struct Case {
    /// The JSON Pointer of what changes.
    path: String,
    connection: Value,
}

fn node(connection: &Value) -> Node {
    let mut sources = Sources::default();
    let text = json!({"config": connection["config"], "auth": connection["auth"]}).to_string();
    let file = sources.add("x.yaml", text.clone(), false);
    yaml::parse(file, &text).0.unwrap()
}

fn is_valid(connector: &Connector, connection: &Value) -> bool {
    connector.errors(&node(connection)).unwrap().is_empty()
}

/// Sets, changes or removes what stands at a pointer.
fn with(connection: &Value, path: &str, value: Option<Value>) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let mut changed = connection.clone();
    match (changed.pointer_mut(parent).unwrap(), value) {
        (Value::Object(map), Some(value)) => drop(map.insert(name.to_owned(), value)),
        (Value::Object(map), None) => drop(map.remove(name)),
        (list, Some(value)) => list[name.parse::<usize>().unwrap()] = value,
        (list, None) => drop(list.as_array_mut().unwrap().remove(name.parse().unwrap())),
    }
    changed
}

/// Every map below `config` and `auth`, as JSON Pointers.
fn maps(value: &Value, pointer: &str, found: &mut Vec<String>) {
    if let Value::Object(map) = value {
        found.push(pointer.to_owned());
        map.iter().for_each(|(key, value)| maps(value, &format!("{pointer}/{key}"), found));
    }
}

/// Every clear field that a connection has or could have: changed, removed, added, as far as its schema allows.
fn cases(connector: &Connector, connection: &Value, fields: &mut BTreeSet<String>) -> Vec<Case> {
    let choice = |block: &str, switch: &str| connection[block][switch].as_str().unwrap_or_default().to_owned();
    let (variant, mode) = (choice("config", "variant"), choice("auth", "mode"));
    let mut found = Vec::new();
    let mut blocks = Vec::new();
    ["config", "auth"].iter().for_each(|block| maps(&connection[*block], &format!("/{block}"), &mut blocks));
    for block in blocks {
        for member in connector.fields(&block, &variant, &mode) {
            let path = format!("{block}/{}", member.name);
            let is = connection.pointer(&path);
            let switch = ["/auth/mode", "/config/variant", "/config/pagination/type", "/config/ssh_tunnel/method"];
            if member.secret || switch.contains(&&*path) {
                continue;
            }
            fields.insert(member.name.clone());
            let mut cases: Vec<Value> = Vec::new();
            if !is.is_some_and(Value::is_object) {
                let other = values(&member.name).into_iter().find(|value| Some(value) != is);
                cases.extend(other.map(|value| with(connection, &path, Some(value))));
            }
            cases.extend(is.map(|_| with(connection, &path, None)));
            cases.retain(|case| is_valid(connector, case));
            found.extend(cases.into_iter().map(|connection| Case { path: path.clone(), connection }));
        }
    }
    found
}

/// What the fixtures leave out: fields that other fields allow.
const MORE: &str = "\
connector: http
config:
  base_url: https://api.example.com
  tls: {mode: verify-full, client_certificate: '-----BEGIN CERTIFICATE-----', client_key: '${{ secrets.SHOP_PASSWORD }}'}
  retry: {max_retries: 1, delay: 1, max_delay: 2, statuses: [500]}
  pagination: PAGINATION
auth: {mode: oauth2, grant: pkce, token_url: 'https://a.example.com', authorize_url: 'https://a.example.com', client_id: a, client_secret: '${{ secrets.SHOP_PASSWORD }}'}
";
const PAGINATION: [&str; 4] = [
    "{type: page, page_param: a, first_page: 0, limit_param: a, limit: 1, items_path: a}",
    "{type: offset, offset_param: a, first_offset: 0}",
    "{type: cursor, cursor_param: a, cursor_path: a}",
    "{type: link, link_rel: a, link_path: a}",
];

#[test]
fn a24_a102_every_field_of_every_connector_beside_a_secret_is_a_trust_change_or_harmless() {
    let fixtures = root().join("fixtures/connectors/valid");
    let catalogue = Catalogue::builtin();
    let (mut all, mut secrets) = (Vec::new(), BTreeSet::from(["SHOP_PASSWORD".to_owned()]));
    let more = PAGINATION.iter().enumerate().map(|(at, how)| (format!("more-{at}"), MORE.replace("PAGINATION", how)));
    let fixed =
        files(&fixtures).into_iter().map(|file| (file.clone(), fs::read_to_string(fixtures.join(file)).unwrap()));
    let mut fields = BTreeSet::new();
    for (file, text) in fixed.chain(more) {
        let mut sources = Sources::default();
        let id = sources.add(&file, text.clone(), false);
        let connection = plain(&yaml::parse(id, &text).0.unwrap());
        let connector = catalogue.get(connection["connector"].as_str().unwrap()).unwrap().unwrap();
        for (at, _) in text.match_indices("secrets.") {
            let name = text[at + 8..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            secrets.insert(name.to_owned());
        }
        let cases = cases(connector, &connection, &mut fields);
        all.push((file.trim_end_matches(".yaml").to_owned(), connection, cases));
    }
    let shell = workspace(&secrets.iter().map(|name| &**name).collect::<Vec<_>>());
    let write = |name: &str, connection: &Value| {
        shell.put(&format!("connections/{name}.yaml"), &serde_json::to_string_pretty(connection).unwrap());
    };
    all.iter().for_each(|(name, connection, _)| write(name, connection));
    commit(&shell, "one");
    let rounds = all.iter().map(|(_, _, cases)| cases.len()).max().unwrap();
    let mut wrong = Vec::new();
    for round in 0..rounds {
        for (name, connection, cases) in &all {
            write(name, cases.get(round).map_or(connection, |case| &case.connection));
        }
        let told = retargeted(&shell);
        for (name, connection, cases) in &all {
            let Some(case) = cases.get(round) else { continue };
            fields.remove(case.path.rsplit('/').next().unwrap());
            let has_secret = connection.to_string().contains("secrets.");
            let harmless = case.path.split('/').any(|segment| HARMLESS.contains(&segment));
            let below =
                |path: &str| path.strip_prefix(&case.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let is_told = told.iter().any(|(instance, path)| instance == name && below(path));
            if is_told != (has_secret && !harmless) {
                wrong.push(format!("{name} {}: told {is_told}", case.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(fields.is_empty(), "never changed: {fields:?}");
}

#[test]
fn e06_another_connector_mode_or_variant_beside_a_secret_is_a_trust_change() {
    let shell = workspace(&["PW", "KEY"]);
    let elastic = "connector: elasticsearch\nconfig: {variant: hosted, cloud_id: 'a:ZXU='}\nauth: {mode: basic, username: u, password: '${{ secrets.PW }}'}\n";
    let sftp = "connector: sftp\nconfig: {host: files.example.com}\nauth: {mode: password, username: u, password: '${{ secrets.KEY }}'}\n";
    shell.put("connections/search.yaml", elastic);
    shell.put("connections/files.yaml", sftp);
    commit(&shell, "one");
    shell.put(
        "connections/search.yaml",
        &elastic.replace("variant: hosted, cloud_id: 'a:ZXU='", "variant: local, node: 'http://a.example.com'"),
    );
    shell.put(
        "connections/files.yaml",
        &sftp.replace("mode: password", "mode: private_key").replace("password:", "private_key:"),
    );
    let told: BTreeSet<_> =
        retargeted(&shell).into_iter().map(|(instance, path)| format!("{instance} {path}")).collect();
    for expected in ["search /config/variant", "search /config/node", "search /config/cloud_id", "files /auth/mode"] {
        assert!(told.contains(expected), "{expected}: {told:?}");
    }
    shell.put("connections/search.yaml", elastic);
    shell.put("connections/files.yaml", "connector: http\nconfig: {base_url: 'https://files.example.com'}\nauth: {mode: bearer, token: '${{ secrets.KEY }}'}\n");
    assert!(paths(&shell).contains(&"/connector".to_owned()));
}

// --- Connectors of the workspace ----------------------------------------------------------------------------------

pub(super) const OWN: &str = r#"{
  "x-tieline": {"harmless": ["/config/retries", "/config/proxy_password"]},
  "type": "object",
  "properties": {
    "config": {"properties": {
      "server": {"type": "string"}, "broker": {"type": "string"}, "retries": {"type": "integer"},
      "proxy_password": {"type": "string", "writeOnly": true},
      "hosts": {"type": "array"}, "peers": {"type": "array"}, "url": {"type": "string", "writeOnly": true},
      "registry": {"type": "string", "x-connection": ["http", "own"]}, "extra": {"type": "object"}
    }},
    "auth": {"properties": {"mode": {"type": "string"}, "user": {"type": "string"},
      "token": {"type": "string", "writeOnly": true}, "second": {"type": "string", "writeOnly": true}}}
  }
}"#;

/// A connection of that connector.
pub(super) fn own(config: &str, auth: &str) -> String {
    format!("connector: own\nconfig: {config}\nauth: {auth}\n")
}

pub(super) const TOKEN: &str = "{token: '${{ secrets.TOKEN }}'}";

/// A workspace with the connector and one connection of it, committed.
pub(super) fn with_own(config: &str, auth: &str) -> Shell {
    let shell = workspace(&["TOKEN", "OTHER", "URL"]);
    shell.put("connectors/own.json", OWN);
    shell.put("connections/own.yaml", &own(config, auth));
    commit(&shell, "one");
    shell
}

/// What is told when the connection becomes this one.
fn told_of(config: &str, auth: &str, to_config: &str, to_auth: &str) -> Vec<String> {
    let shell = with_own(config, auth);
    shell.put("connections/own.yaml", &own(to_config, to_auth));
    paths(&shell)
}

#[test]
fn a60_a102_any_change_beside_a_kept_secret_is_told_whatever_its_name() {
    let cases = [
        ("{server: a}", "{server: b}", vec!["/config/server"]),
        ("{broker: a}", "{}", vec!["/config/broker"]),
        ("{}", "{broker: a}", vec!["/config/broker"]),
        ("{hosts: [a, b]}", "{hosts: [b, a]}", vec!["/config/hosts"]),
        ("{peers: [{n: a}, {n: b}]}", "{peers: [{n: b}, {n: a}]}", vec!["/config/peers/0/n", "/config/peers/1/n"]),
        ("{extra: {a: {b: 1}}}", "{extra: {a: {c: 1}}}", vec!["/config/extra/a/b", "/config/extra/a/c"]),
        ("{extra: {a: 1}}", "{extra: {a: '1'}}", vec!["/config/extra/a"]),
        ("{retries: 1}", "{retries: 2}", vec![]),
        ("{retries: 1, server: a}", "{retries: 2, server: a}", vec![]),
    ];
    for (from, to, expected) in cases {
        assert_eq!(told_of(from, TOKEN, to, TOKEN), expected, "{from} -> {to}");
    }
    assert_eq!(
        told_of("{}", "{user: a, token: '${{ secrets.TOKEN }}'}", "{}", "{user: b, token: '${{ secrets.TOKEN }}'}"),
        ["/auth/user"]
    );
    // Another address of a store may be of the same secret; without a secret there is nothing to send elsewhere.
    assert_eq!(told_of("{server: a}", TOKEN, "{server: b}", "{token: '${{ secrets.OTHER }}'}"), ["/config/server"]);
    assert!(told_of("{server: a}", TOKEN, "{server: b}", "{}").is_empty());
}

#[test]
fn e06_a_field_is_harmless_only_if_the_deployed_schema_says_so_too() {
    let shell = with_own("{server: a, retries: 1}", TOKEN);
    edit(&shell, "connectors/own.json", "\"/config/retries\"", "\"/config/retries\", \"/config/server\"");
    shell.put("connections/own.yaml", &own("{server: evil, retries: 2}", TOKEN));
    assert_eq!(paths(&shell), ["/config/server"]);
    let plan = plan_json(&shell);
    let list = plan["trust_changes"].as_array().unwrap().iter().find(|t| t["path"] == "/connectors/own/harmless");
    assert_eq!(list.unwrap()["new"], json!(["/config/proxy_password", "/config/retries", "/config/server"]));
    // Nor is what was harmless, if the new schema doesn't say it any more.
    let shell = with_own("{server: a, retries: 1}", TOKEN);
    edit(&shell, "connectors/own.json", "\"/config/retries\", ", "");
    shell.put("connections/own.yaml", &own("{server: a, retries: 2}", TOKEN));
    assert_eq!(paths(&shell), ["/config/retries"]);
    // Once both say it, it is.
    let shell = with_own("{server: a}", TOKEN);
    edit(&shell, "connectors/own.json", "\"/config/retries\"", "\"/config/server\"");
    commit(&shell, "two");
    shell.put("connections/own.yaml", &own("{server: b}", TOKEN));
    assert!(paths(&shell).is_empty());
}

#[test]
fn e06_title_labels_owner_and_protect_are_no_trust_change_and_a_move_is_none() {
    let shell = with_own("{server: a}", TOKEN);
    shell.put(
        "connections/own.yaml",
        &format!("{}title: Own\nowner: team\nlabels: {{a: b}}\nprotect: true\n", own("{server: a}", TOKEN)),
    );
    assert!(paths(&shell).is_empty());
    fs::remove_file(shell.folder.join("connections/own.yaml")).unwrap();
    shell.put("connections/other.yaml", &format!("{}key: own\n", own("{server: a}", TOKEN)));
    assert!(paths(&shell).is_empty());
    // Without a key it is another connection, with the same secret and the same settings.
    shell.put("connections/other.yaml", &own("{server: a}", TOKEN));
    assert!(paths(&shell).is_empty());
    shell.put("connections/other.yaml", &own("{server: b}", TOKEN));
    assert_eq!(paths(&shell), ["/config/server"]);
}

// --- Secrets that are sealed, renamed, moved ------------------------------------------------------------------------

/// The secrets file of `prod` with these names, the values of `new` sealed anew.
pub(super) fn reseal(shell: &Shell, names: &[&str], new: &[&str]) {
    let path = "environments/prod/secrets.sops.yaml";
    let fresh = sealed(names, &[RECIPIENT]);
    if !shell.folder.join(path).exists() {
        return shell.put(path, &fresh);
    }
    let mut text = shell.read(path);
    for name in new {
        let line = |text: &str| text.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap().to_owned();
        text = text.replace(&line(&text), &line(&fresh));
    }
    shell.put(path, &text);
}

#[test]
fn e06_rotation_alone_is_no_trust_change_and_a_sealed_address_that_changes_is() {
    let shell = workspace(&[]);
    let names = ["TOKEN", "URL", "SECOND"];
    shell.put(
        "tieline.yaml",
        &format!("tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nkeys: {{me: {RECIPIENT}}}\nrecipients: [me]\n"),
    );
    shell.put("connectors/own.json", OWN);
    reseal(&shell, &names, &[]);
    let sealed_url = own("{url: '${{ secrets.URL }}'}", TOKEN);
    shell.put("connections/own.yaml", &sealed_url);
    shell.put("connections/webhook.yaml", &own("{url: '${{ secrets.SECOND }}'}", "{}"));
    commit(&shell, "one");
    let told = |shell: &Shell| -> Vec<String> {
        retargeted(shell).into_iter().map(|(instance, path)| format!("{instance} {path}")).collect()
    };
    // The token itself, and an address that is the only secret of its connection.
    reseal(&shell, &names, &["TOKEN", "SECOND"]);
    assert!(told(&shell).is_empty());
    // An address beside the token: nobody sees where it leads now.
    reseal(&shell, &names, &["URL"]);
    assert_eq!(told(&shell), ["own /config/url"]);
    let plan = plan_json(&shell);
    let change = plan["trust_changes"].as_array().unwrap().iter().find(|t| t["kind"] == "destination").unwrap();
    assert_eq!((&change["old"], &change["new"], &change["secret"]), (&Value::Null, &Value::Null, &Value::Bool(true)));
    commit(&shell, "two");
    // Another name for it, more text around it, in clear instead, or gone.
    for config in ["{url: '${{ secrets.SECOND }}'}", "{url: 'https://evil.example/${{ secrets.URL }}'}", "{}"] {
        shell.put("connections/own.yaml", &own(config, TOKEN));
        assert_eq!(told(&shell), ["own /config/url"], "{config}");
    }
    // A secret that stands elsewhere in its connection, or in other text.
    for auth in ["{second: '${{ secrets.TOKEN }}'}", "{token: 'x${{ secrets.TOKEN }}'}"] {
        shell.put("connections/own.yaml", &own("{url: '${{ secrets.URL }}'}", auth));
        assert_eq!(told(&shell).len(), 1, "{auth}: {:?}", told(&shell));
    }
}

#[test]
fn e06_another_name_for_a_deployed_address_is_the_same_secret() {
    for alias in ["vault://kv/prod/TOKEN#value", "vault://kv/prod/TOKEN?version=3#value"] {
        let shell = with_own("{server: a}", TOKEN);
        edit(
            &shell,
            "environments/prod/environment.yaml",
            "secrets:\n",
            &format!("secrets:\n  HARMLESS_LOOKING: {alias}\n"),
        );
        let aliased = own("{server: evil}", "{token: '${{ secrets.HARMLESS_LOOKING }}'}");
        // In the connection that has it, and in one that is new.
        shell.put("connections/own.yaml", &aliased);
        assert_eq!(retargeted(&shell), [("own".to_owned(), "/config/server".to_owned())], "{alias}");
        shell.put("connections/own.yaml", &own("{server: a}", TOKEN));
        shell.put("connections/new.yaml", &aliased);
        assert_eq!(retargeted(&shell), [("new".to_owned(), "/config/server".to_owned())], "{alias}");
        let text = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
        assert!(text.contains("new: credential re-targeted: a secret of `own` could be sent elsewhere"), "{text}");
        assert!(text.contains("config.server: \"a\" -> \"evil\""), "{text}");
    }
}

#[test]
fn e06_secrets_that_two_connections_swap_are_told_in_both() {
    let shell = with_own("{server: a}", TOKEN);
    shell.put("connections/two.yaml", &own("{server: b}", "{token: '${{ secrets.OTHER }}'}"));
    commit(&shell, "two");
    shell.put("connections/own.yaml", &own("{server: a}", "{token: '${{ secrets.OTHER }}'}"));
    shell.put("connections/two.yaml", &own("{server: b}", TOKEN));
    let both = ["own", "two"].map(|id| (id.to_owned(), "/config/server".to_owned()));
    assert_eq!(retargeted(&shell), both);
}

#[test]
fn e06_what_is_known_of_two_connections_does_not_add_up() {
    // The secret goes to `prod` over TLS, and without to a host of its own: never without to `prod`.
    let at = |host: &str, mode: &str| {
        format!(
            "connector: postgresql\nconfig: {{host: {host}, database: d, tls: {{mode: {mode}}}}}\nauth: {{mode: password, username: u, password: '${{{{ secrets.TOKEN }}}}'}}\n"
        )
    };
    let shell = workspace(&["TOKEN"]);
    shell.put("connections/one.yaml", &at("prod.example.com", "verify-full"));
    shell.put("connections/two.yaml", &at("test.example.com", "disable"));
    commit(&shell, "one");
    shell.put("connections/three.yaml", &at("prod.example.com", "disable"));
    assert_eq!(retargeted(&shell).len(), 1, "{:?}", retargeted(&shell));
    shell.put("connections/three.yaml", &at("test.example.com", "disable"));
    assert!(retargeted(&shell).is_empty());
}

#[test]
fn a31_a_leaf_that_is_secret_on_one_side_is_told_without_its_value() {
    let shell = with_own("{server: canary-in-clear}", TOKEN);
    edit(
        &shell,
        "connectors/own.json",
        "\"server\": {\"type\": \"string\"}",
        "\"server\": {\"type\": \"string\", \"writeOnly\": true}",
    );
    shell.put("connections/own.yaml", &own("{server: '${{ secrets.URL }}'}", TOKEN));
    assert_eq!(paths(&shell), ["/config/server"]);
    for format in ["human", "json", "markdown"] {
        let text = shell.ok(&["plan", "prod", "--against", "HEAD", "--format", format]).stdout;
        assert!(!text.contains("canary"), "{text}");
    }
}

// --- References, credentials, customers -----------------------------------------------------------------------------

#[test]
fn e06_a_connection_that_is_named_is_told_if_it_is_another_and_only_then() {
    let shell = with_own("{registry: registry}", TOKEN);
    let registry = |url: &str| format!("connector: http\nconfig: {{base_url: '{url}'}}\nauth: {{mode: none}}\n");
    shell.put("connections/registry.yaml", &registry("https://registry.example.com"));
    commit(&shell, "two");
    // Renamed: the same connection, by either name.
    shell.ok(&["mv", "registry", "schemas/registry"]);
    assert!(paths(&shell).is_empty(), "{:?}", retargeted(&shell));
    shell.put("connections/own.yaml", &own("{registry: schemas/registry}", TOKEN));
    assert!(paths(&shell).is_empty(), "{:?}", retargeted(&shell));
    // Another one, by another name or by the old one.
    shell.put("connections/evil.yaml", &registry("https://evil.example"));
    shell.put("connections/own.yaml", &own("{registry: evil}", TOKEN));
    assert_eq!(paths(&shell), ["/config/registry"]);
    fs::rename(shell.folder.join("connections/evil.yaml"), shell.folder.join("connections/registry.yaml")).unwrap();
    edit(&shell, "connections/registry.yaml", "connector: http", "connector: http\nkey: evil");
    shell.put("connections/own.yaml", &own("{registry: registry}", TOKEN));
    assert_eq!(paths(&shell), ["/config/registry"]);
    edit(&shell, "connections/schemas/registry.yaml", "key: registry", "key: gone");
    shell.put("connections/own.yaml", &own("{registry: schemas/registry}", TOKEN));
    assert_eq!(paths(&shell), ["/config/registry"]);
    shell.put("connections/own.yaml", &own("{registry: registry}", TOKEN));
    assert_eq!(paths(&shell), ["/config/registry", "/config/base_url"]);
    let plan = plan_json(&shell);
    let change = plan["trust_changes"].as_array().unwrap().iter().find(|t| t["path"] == "/config/registry").unwrap();
    assert!(change["old"] != change["new"] && change["old"].is_string(), "{change}");
}

/// The text that names a connection to one schema is a host to the other.
#[test]
fn e2_11_a_name_is_one_of_a_connection_only_if_both_schemas_say_so() {
    let marks = [r#""server": {"type": "string"}"#, r#""server": {"type": "string", "x-connection": ["http"]}"#];
    for [was, is] in [marks, [marks[1], marks[0]]] {
        let shell = with_own("{}", TOKEN);
        // One connection by two names: `back` is the key of `front`.
        let front = "connector: http\nkey: back\nconfig: {base_url: 'https://front.example.com'}\nauth: {mode: none}\n";
        shell.put("connections/front.yaml", front);
        edit(&shell, "connectors/own.json", marks[0], was);
        shell.put("connections/own.yaml", &own("{server: front}", TOKEN));
        commit(&shell, "two");
        shell.put("connections/own.yaml", &own("{server: back}", TOKEN));
        let known: &[&str] = if was == marks[0] { &["/config/server"] } else { &[] };
        assert_eq!(paths(&shell), known, "{was}");
        if was != is {
            let text = shell.read("connectors/own.json");
            shell.put("connectors/own.json", &text.replace(was, is));
        }
        assert_eq!(paths(&shell), ["/config/server"], "{was} -> {is}");
    }
}

#[test]
fn e06_a_kept_secret_that_moves_into_a_harmless_field_is_told() {
    let with = |name: &str| format!("{{proxy_password: '${{{{ secrets.{name} }}}}'}}");
    assert!(told_of(&with("OTHER"), TOKEN, &with("URL"), TOKEN).is_empty());
    assert_eq!(told_of(&with("OTHER"), TOKEN, &with("TOKEN"), TOKEN), ["/config/proxy_password"]);
    assert_eq!(told_of("{}", TOKEN, &with("TOKEN"), TOKEN), ["/config/proxy_password"]);
}

#[test]
fn e06_what_a_secret_goes_through_is_held_to_the_same() {
    let shell = with_own("{registry: front}", TOKEN);
    let http = |url: &str| format!("connector: http\nconfig: {{base_url: '{url}'}}\nauth: {{mode: none}}\n");
    let through = |name: &str| own(&format!("{{registry: {name}}}"), "{mode: none}");
    // Neither has a secret: that of `own` goes through both.
    shell.put("connections/front.yaml", &through("back"));
    shell.put("connections/back.yaml", &http("https://back.example.com"));
    shell.put("connections/other.yaml", &http("https://other.example.com"));
    commit(&shell, "two");
    shell.put("connections/back.yaml", &http("https://evil.example"));
    shell.put("connections/other.yaml", &http("https://evil.example"));
    assert_eq!(retargeted(&shell), [("back".to_owned(), "/config/base_url".to_owned())]);
}

/// What has a secret of its own, and is what another one's goes through, is told once.
#[test]
fn e2_11_a_setting_that_matters_to_two_secrets_is_told_once() {
    let shell = with_own("{registry: back}", TOKEN);
    shell.put("connections/back.yaml", &own("{server: a}", "{token: '${{ secrets.OTHER }}'}"));
    commit(&shell, "two");
    shell.put("connections/back.yaml", &own("{server: evil}", "{token: '${{ secrets.OTHER }}'}"));
    assert_eq!(retargeted(&shell), [("back".to_owned(), "/config/server".to_owned())]);
}

/// Two names of one connection are the same where a connection is named, and two texts anywhere else.
#[test]
fn e2_11_only_what_names_a_connection_may_have_another_name() {
    let shell = with_own("{registry: registry, server: registry}", TOKEN);
    shell.put(
        "connections/registry.yaml",
        "connector: http\nconfig: {base_url: 'https://r.example'}\nauth: {mode: none}\n",
    );
    commit(&shell, "two");
    shell.ok(&["mv", "registry", "schemas/registry"]);
    shell.put("connections/own.yaml", &own("{registry: schemas/registry, server: registry}", TOKEN));
    assert!(paths(&shell).is_empty(), "{:?}", retargeted(&shell));
    shell.put("connections/own.yaml", &own("{registry: registry, server: schemas/registry}", TOKEN));
    assert_eq!(paths(&shell), ["/config/server"]);
}

/// Another address of a store is a rotation, as long as nothing else makes the value.
#[test]
fn e2_11_another_address_and_another_text_around_it_is_no_rotation() {
    let shell = with_own("{server: a, proxy_password: '${{ secrets.OTHER }}'}", TOKEN);
    edit(
        &shell,
        "environments/prod/environment.yaml",
        "vault://kv/prod/OTHER#value",
        "vault://kv/prod/OTHER?version=3#value",
    );
    let before = retargeted(&shell);
    shell.put("connections/own.yaml", &own("{server: a, proxy_password: 'x${{ secrets.OTHER }}'}", TOKEN));
    assert!(retargeted(&shell).len() > before.len(), "{before:?} {:?}", retargeted(&shell));
    // The same in a login, where another value alone is none of a trust change.
    let shell = with_own("{server: a}", TOKEN);
    edit(
        &shell,
        "environments/prod/environment.yaml",
        "vault://kv/prod/TOKEN#value",
        "vault://kv/prod/TOKEN?version=3#value",
    );
    assert!(paths(&shell).is_empty(), "{:?}", retargeted(&shell));
    shell.put("connections/own.yaml", &own("{server: a}", "{token: 'x${{ secrets.TOKEN }}'}"));
    assert_eq!(paths(&shell), ["/auth/token"]);
}

/// Two customers have the organization's secret, each with a proxy of its own.
#[test]
fn e06_what_a_new_customer_sends_a_secret_in_use_through_is_held_to_the_same() {
    let shell = workspace(&["TOKEN"]);
    shell.put(
        "connectors/own.json",
        &OWN.replace(
            "{\"type\": \"string\", \"writeOnly\": true}, \"second\"",
            "{\"type\": \"string\", \"writeOnly\": true, \"x-scope\": \"global\"}, \"second\"",
        ),
    );
    let organization = |config: &str, auth: &str| own(config, auth) + "scope: organization\n";
    shell.put("connections/own.yaml", &organization("{registry: proxy}", TOKEN));
    shell.put("connections/proxy.yaml", &organization("{registry: back}", "{}"));
    shell.put("connections/back.yaml", &organization("{server: a}", "{}"));
    let customer = |name: &str, server: Option<&str>| {
        let folder = shell.folder.join("customers").join(name).join("connections");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("../customer.yaml"), "connections: [own, proxy, back]\n").unwrap();
        if let Some(server) = server {
            fs::write(folder.join("back.yaml"), format!("config: {{server: {server}}}\n")).unwrap();
        }
    };
    customer("acme", None);
    commit(&shell, "one");
    customer("other", None);
    assert!(retargeted(&shell).is_empty(), "{:?}", retargeted(&shell));
    customer("eve", Some("evil"));
    assert_eq!(retargeted(&shell), [("back@eve".to_owned(), "/config/server".to_owned())]);
    let text = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    assert!(
        text.contains("back@eve: credential re-targeted: a secret of `own@acme` could be sent elsewhere"),
        "{text}"
    );
}

/// Nobody can tell offline that it has another value.
#[test]
fn e06_another_secret_in_the_place_of_one_in_use_counts_as_kept_where_something_beside_it_changes() {
    let shell = workspace(&[]);
    shell.put(
        "tieline.yaml",
        &format!("tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nkeys: {{me: {RECIPIENT}}}\nrecipients: [me]\n"),
    );
    shell.put("connectors/own.json", OWN);
    let file = |name: &str| format!("{{token: '${{{{ secrets.{name} }}}}'}}");
    reseal(&shell, &["A", "B", "C"], &[]);
    fs::create_dir_all(shell.folder.join("environments/base")).unwrap();
    shell.put("environments/base/environment.yaml", "description: base\n");
    shell.put("environments/base/secrets.sops.yaml", &sealed(&["S"], &[RECIPIENT]));
    let store = "extends: base\nsecrets: {S: 'vault://kv/prod/s#value'}\n";
    shell.put("environments/prod/environment.yaml", store);
    shell.put("connections/own.yaml", &own("{server: a}", &file("A")));
    shell.put("connections/store.yaml", &own("{server: a}", &file("S")));
    commit(&shell, "one");
    // Each change alone is a rotation or is told already.
    shell.put("connections/own.yaml", &own("{server: a}", &file("B")));
    assert!(paths(&shell).is_empty());
    shell.put("connections/own.yaml", &own("{server: evil}", &file("B")));
    assert_eq!(retargeted(&shell), [("own".to_owned(), "/config/server".to_owned())]);
    let text = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    let file = "environments/prod/secrets.sops.yaml";
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("(secret) changed or re-encrypted: A in {file} -> B in {file}")), "{text}");
    // Unbound, the copy below is used.
    shell.put("connections/own.yaml", &own("{server: a}", "{token: '${{ secrets.A }}'}"));
    shell.put("environments/prod/environment.yaml", "extends: base\n");
    assert!(paths(&shell).is_empty());
    shell.put("connections/store.yaml", &own("{server: evil}", "{token: '${{ secrets.S }}'}"));
    assert_eq!(retargeted(&shell), [("store".to_owned(), "/config/server".to_owned())]);
    // Another address of a store: both are shown, and neither is a secret.
    shell.put("environments/prod/environment.yaml", &store.replace("prod/s#", "prod/admin#"));
    shell.put("connections/store.yaml", &own("{server: a}", "{token: '${{ secrets.S }}'}"));
    let plan = plan_json(&shell);
    let leaf = &plan["changes"][0]["leaves"][0];
    assert_eq!(leaf["old_source"], "vault://kv/prod/s#value");
    assert_eq!(leaf["new_source"], "vault://kv/prod/admin#value");
}

#[test]
fn e06_what_a_shared_login_changes_is_one_line_for_all_its_connections() {
    let shell = workspace(&["PW"]);
    let login = |user: &str| {
        format!("connectors: [mysql]\nauth: {{mode: password, username: {user}, password: '${{{{ secrets.PW }}}}'}}\n")
    };
    shell.put("credentials/shop.yaml", &login("reader"));
    for at in 0..15 {
        let text =
            format!("connector: mysql\nconfig: {{host: db.example.com, database: shop{at:02}}}\ncredential: shop\n");
        shell.put(&format!("connections/shop{at:02}.yaml"), &text);
    }
    commit(&shell, "one");
    shell.put("credentials/shop.yaml", &login("root"));
    assert_eq!(retargeted(&shell).len(), 15);
    let text = shell.ok(&["plan", "prod", "--against", "HEAD"]).stdout;
    let told = text.split_once("trust changes\n").unwrap().1;
    assert_eq!(
        told.split("\n\n").next().unwrap(),
        format!(
            "  {SENT}, in 15 connections:\n    \
             shop00, shop01, shop02, shop03, shop04, shop05, shop06, shop07, shop08, shop09, shop10, shop11 and 3 more\n    \
             auth.username: \"reader\" -> \"root\"   credentials/shop.yaml:2"
        )
    );
    let markdown = shell.ok(&["plan", "prod", "--against", "HEAD", "--format", "markdown"]).stdout;
    assert_eq!(markdown.matches("credential re-targeted").count(), 1, "{markdown}");
}

#[test]
fn e06_instances_of_customers_and_profiles_are_held_to_the_same() {
    let shell = workspace(&["TOKEN"]);
    shell.put("connectors/own.json", OWN);
    fs::create_dir_all(shell.folder.join("customers/globex/connections")).unwrap();
    shell.put(
        "customers/globex/customer.yaml",
        "environments: [prod]\nconnections: [own]\nsecrets: {TOKEN: 'vault://kv/globex#TOKEN'}\n",
    );
    shell.put("connections/own.yaml", &(own("{server: a}", TOKEN) + "scope: organization\n"));
    fs::create_dir_all(shell.folder.join("environments/prod/profiles/test")).unwrap();
    shell.put(
        "environments/prod/profiles/test/profile.yaml",
        "secrets: {TOKEN: 'vault://kv/test#TOKEN'}\nvars: {server: a}\nconnections: [plain]\n",
    );
    shell.put("connections/plain.yaml", &own("{server: a}", TOKEN));
    commit(&shell, "one");
    shell.put("customers/globex/connections/own.yaml", "config: {server: evil}\n");
    assert_eq!(retargeted(&shell), [("own@globex".to_owned(), "/config/server".to_owned())]);
    shell.put("connections/plain.yaml", &own("{server: worse}", TOKEN));
    let text = shell.ok(&["plan", "prod", "--profile", "test", "--against", "HEAD"]).stdout;
    assert!(text.contains(&format!("plain: {SENT}\n    config.server: \"a\" -> \"worse\"")), "{text}");
    // What is exposed is a bundle of its own, and held to the same.
    let exposed = |server: &str| own(&format!("{{server: {server}}}"), TOKEN) + "expose: [partner]\n";
    let settings = shell.read("tieline.yaml");
    shell.put("tieline.yaml", &(settings + "rules: {exposes-organization: warning}\n"));
    shell.put("connections/plain.yaml", &exposed("a"));
    commit(&shell, "two");
    shell.put("connections/plain.yaml", &exposed("worse"));
    let text = shell.ok(&["plan", "prod", "--expose", "partner", "--against", "HEAD"]).stdout;
    assert!(text.contains(&format!("plain: {SENT}")), "{text}");
}

// --- What is deployed, and what a reviewer sees ----------------------------------------------------------------------

#[test]
fn a24_a102_what_is_deployed_is_compared_in_the_same_way_and_knows_what_was_harmless() {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    let plan = || shell.ok(&["plan", "prod"]).stdout;
    let path = "connections/warehouse.yaml";
    let before = shell.read(path);
    for (from, to, told) in [
        (
            "  port: 5432\n",
            "  port: 5432\n  params: {hostaddr: 192.0.2.1, sslmode: disable}\n",
            "config.params.hostaddr: + \"192.0.2.1\"",
        ),
        ("  database: warehouse\n", "  database: other\n", "config.database: \"warehouse\" -> \"other\""),
    ] {
        edit(&shell, path, from, to);
        let plan = plan();
        assert!(plan.contains(&format!("warehouse: {SENT}\n    {told}")), "{plan}");
        shell.put(path, &before);
    }
    edit(&shell, path, "  port: 5432\n", "  port: 5432\n  connect_timeout: 9\n  application_name: x\n");
    let told = plan();
    assert!(told.contains("connect_timeout") && !told.contains("re-targeted"), "{told}");
    // A saved plan shows it too.
    edit(&shell, path, "  connect_timeout: 9\n", "  tls: {mode: disable}\n");
    shell.put(path, &shell.read(path).replace("  tls:\n    mode: prefer\n", ""));
    edit(&shell, "environments/prod/connections/warehouse.yaml", "verify-full", "require");
    shell.ok(&["plan", "prod", "--out", "p.plan"]);
    let saved: Value = serde_json::from_str(&shell.read("p.plan")).unwrap();
    let told = saved["plan"]["trust_changes"].as_array().unwrap();
    assert!(told.iter().any(|change| change["path"] == "/config/tls/mode"), "{told:#?}");
    // And so does going back, where the secret would go as it did before.
    shell.ok(&["apply", "prod", "--yes"]);
    let back = shell.ok(&["rollback", "prod", "--yes"]).stdout;
    assert!(back.contains(&format!("warehouse: {SENT}")), "{back}");
}

#[test]
fn e06_nothing_pushes_a_re_targeted_secret_out_of_a_comment() {
    let shell = with_own("{server: a}", TOKEN);
    let mut noise = String::from("rules: {duplicate-endpoint: warning}\npolicy:\n");
    for at in 0..60 {
        let _ = writeln!(noise, "  - {{name: p{at}, require: \"connection.id != 'x'\", message: m}}");
    }
    let settings = shell.read("tieline.yaml");
    shell.put("tieline.yaml", &(settings + &noise));
    shell.put("connections/own.yaml", &own("{server: evil}", TOKEN));
    let ended = shell.run(&["plan", "prod", "--against", "HEAD", "--format", "markdown"]);
    assert_eq!(ended.code, 0, "{ended:#?}");
    let (open, folded) = ended.stdout.split_once("<details>").unwrap();
    assert!(open.contains("**credential re-targeted**") && open.contains("`\"evil\"`"), "{open}");
    assert!(folded.contains("policy.p59") && !ended.stdout.contains("hidden"), "{}", ended.stdout);
    assert_eq!(git(&shell, &["status", "--porcelain"]).code, 0);
}

#[test]
fn e06_one_connection_with_many_changes_pushes_nothing_out_of_a_comment() {
    let shell = workspace(&["TOKEN", "OTHER"]);
    shell.put("connectors/own.json", OWN);
    let many = |value: &str| {
        let extra: Vec<String> = (0..600).map(|at| format!("h{at}: {value}{}", "v".repeat(40))).collect();
        own(&format!("{{extra: {{{}}}, server: {value}vv}}", extra.join(", ")), TOKEN)
    };
    shell.put("connections/aaa.yaml", &many("a"));
    let long =
        |host: &str| own(&format!("{{server: 'first-{}{host}'}}", "a".repeat(300)), "{token: '${{ secrets.OTHER }}'}");
    shell.put("connections/zzz.yaml", &long(".example.com"));
    commit(&shell, "one");
    shell.put("connections/aaa.yaml", &many("b"));
    shell.put("connections/zzz.yaml", &long(".evil.example"));
    let comment = shell.ok(&["plan", "prod", "--against", "HEAD", "--format", "markdown"]).stdout;
    let (open, _) = comment.split_once("<details>").unwrap();
    assert_eq!(open.matches("**credential re-targeted**").count(), 2, "{open}");
    assert!(open.contains("`aaa`: `config.server`: `\"avv") && open.contains("and 581 more"), "{open}");
    // Of what is long, both ends are shown: an address is decided at its end.
    assert!(open.contains("first-aaa") && open.contains(".evil.example\""), "{open}");
}

#[test]
fn e06_a_host_that_only_looks_like_the_old_one_is_spelled_in_a_trust_change() {
    let shell = with_own("{server: 'https://api.example.com'}", TOKEN);
    shell.put("connections/own.yaml", &own("{server: 'https://\u{430}pi.example.com'}", TOKEN));
    for format in ["human", "markdown"] {
        let text = shell.ok(&["plan", "prod", "--against", "HEAD", "--format", format]).stdout;
        assert!(text.contains("https://<U+0430>pi.example.com"), "{text}");
    }
}

/// What an apply wrote there would be read as sources: the workspace would no longer compile.
#[test]
fn e02_no_target_lies_among_the_sources() {
    let folder = crate::support::Folder::base();
    let whole = folder.path().to_str().unwrap().to_owned();
    for typed in [
        "connections",
        "environments/dev",
        "Customers/x",
        "./credentials/",
        "dist/../consumers",
        "../acme/connectors/x",
        "tieline.yaml",
        ".",
        &whole,
        &format!("{whole}/connections"),
    ] {
        let run = folder.run(&["plan", "dev", "--target", typed]);
        let words = format!("the target `{typed}` lies among the sources of the workspace");
        assert!(run.code == 64 && run.stderr.contains(&words), "{typed}: {}{}", run.stdout, run.stderr);
    }
    for typed in ["dist", "dist/connections", "connections2", "../connections", "../dist"] {
        let run = folder.run(&["plan", "dev", "--target", typed]);
        assert!(!run.stderr.contains("among the sources"), "{typed}: {}", run.stderr);
    }
    for path in ["connections", "environments/dev/deployed", "Connectors/x"] {
        folder.put("environments/dev/environment.yaml", format!("description: Development\nvars: {{db_host: db.acme.example}}\nsecrets: {{FINANCE_PASSWORD: 'vault://kv/dev/finance#password'}}\ntarget: {{path: {path}}}\n"));
        assert_eq!(folder.codes(), ["invalid-value"], "{path}");
    }
}
