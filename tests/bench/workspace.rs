//! A workspace of any size, the same on every run but for what sealing makes random.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tieline::secret::Secret;
use tieline::sops::{self, Map, Recipient, Rule, Settings, Value};

/// The workspace's id.
const ID: &str = "6d1f6bb5-0c5e-4c3a-9d0e-0b8f5a6c7d11";
/// One credential for this many connections, one secret for this many.
const PER_CREDENTIAL: usize = 20;
const PER_SECRET: usize = 5;
const TEAMS: &[&str] = &["finance", "crm", "search", "logistics", "data", "web", "support", "partners"];

/// What one environment is.
struct Environment {
    name: &'static str,
    extends: Option<&'static str>,
    domain: Option<&'static str>,
}

/// `prod` alone.
const ONE: &[Environment] = &[Environment { name: "prod", extends: None, domain: Some("acme.example") }];

/// Two chains on one base. Two environments share their variables with another one.
const FIVE: &[Environment] = &[
    Environment { name: "base", extends: None, domain: Some("acme.example") },
    Environment { name: "dev", extends: Some("base"), domain: Some("dev.acme.example") },
    Environment { name: "prod", extends: Some("base"), domain: None },
    Environment { name: "prod-us", extends: Some("prod"), domain: Some("us.acme.example") },
    Environment { name: "test", extends: Some("dev"), domain: None },
];

/// Writes a workspace of `connections` into a temporary folder, with one environment or five. A third of the connections
/// has an overlay in one of them.
pub(crate) fn generate(connections: usize, five: bool) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let environments = if five { FIVE } else { ONE };
    let (_, recipient) = sops::keygen();
    write(
        root,
        "tieline.yaml",
        &format!("tieline: 1\nid: {ID}\nname: acme\nkeys:\n  ops: {recipient}\nrecipients: [ops]\n"),
    );
    for environment in environments {
        settings(root, environment, connections, &recipient);
    }
    for number in 0..connections.div_ceil(PER_CREDENTIAL) {
        credential(root, number);
    }
    for number in 0..connections {
        let path = format!("connections/{}.yaml", id(number));
        write(root, &path, &connection(number));
        if number.is_multiple_of(3) {
            let environment = environments[number / 3 % environments.len()].name;
            write(root, &format!("environments/{environment}/{path}"), &overlay(number));
        }
    }
    for number in 0..connections.div_ceil(100) {
        consumer(root, number, connections);
    }
    folder
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
    fs::write(path, text).expect("a file is written");
}

/// A hundred connections a folder.
fn id(number: usize) -> String {
    format!("{}/{:03}/{}-{number:05}", TEAMS[number % TEAMS.len()], number / 800, kind(number).0)
}

fn settings(root: &Path, environment: &Environment, connections: usize, recipient: &Recipient) {
    let Environment { name, extends, domain } = environment;
    let mut text = format!("description: The environment {name}\n");
    if let Some(extends) = extends {
        let _ = writeln!(text, "extends: {extends}");
    }
    if let Some(domain) = domain {
        let _ = write!(text, "vars:\n  domain: {domain}\n  region: eu-west-1\n  limits: {{timeout: 30, retries: 3}}\n");
    }
    write(root, &format!("environments/{name}/environment.yaml"), &text);
    let mut secrets = Map::new();
    for number in 0..connections.div_ceil(PER_SECRET) {
        let value = format!("{name}-value-{number:05}-of-a-usual-length");
        secrets.push(secret_name(number), Value::Str(Secret::new(value)));
    }
    secrets.push("tieline_scope", Value::Str(Secret::new(format!("{ID}/environments/{name}"))));
    let sealed = Settings {
        rule: &Rule::EncryptedRegex(".*".into()),
        mac_only_encrypted: false,
        recipients: std::slice::from_ref(recipient),
        lastmodified: "2026-11-20T12:00:00Z",
    };
    let mut random = |bytes: &mut [u8]| getrandom::fill(bytes).expect("randomness");
    let sealed = sops::encrypt(&secrets, &sealed, &mut random).expect("the secrets are sealed");
    write(root, &format!("environments/{name}/secrets.sops.yaml"), &sealed);
}

fn secret_name(number: usize) -> String {
    format!("{}_SECRET_{number:05}", TEAMS[number % TEAMS.len()].to_uppercase())
}

fn credential(root: &Path, number: usize) {
    let text = format!(
        "title: Shared login {number}\nowner: team-data\nlabels: {{tier: gold}}\nconnectors: [postgresql, mysql, sftp]\n\
         rotate_every: 90d\nrotated: '2026-10-01'\nauth:\n  mode: password\n  username: svc_${{{{ env.name | replace('-', \
         '_') }}}}_{number}\n  password: ${{{{ secrets.{} }}}}\n",
        secret_name(number)
    );
    write(root, &format!("credentials/shared/login-{number:04}.yaml"), &text);
}

fn consumer(root: &Path, number: usize, connections: usize) {
    let mut text = format!("kind: pipeline\ntitle: Pipeline {number}\nowner: team-data\nuses:\n");
    for slot in 0..5 {
        let used = (number * 97 + slot * 31) % connections;
        let _ = writeln!(text, "  - {{slot: s{slot}, connection: {}}}", id(used));
    }
    write(root, &format!("consumers/pipeline-{number:04}.yaml"), &text);
}

type Config = fn(usize) -> String;

/// The connector of a connection, its `config`, and whether it takes a username and a password.
fn kind(number: usize) -> (&'static str, Config, bool) {
    match number * 7 % 20 {
        0..=5 => ("postgresql", postgresql, true),
        6..=8 => ("mysql", mysql, true),
        9..=11 => ("s3", s3, false),
        12 | 13 => ("http", http, false),
        14 => ("sftp", sftp, true),
        15 => ("salesforce", salesforce, false),
        16 => ("hubspot", hubspot, false),
        17 => ("elasticsearch", elasticsearch, false),
        18 => ("openai", openai, false),
        _ => ("upsales", upsales, false),
    }
}

fn connection(number: usize) -> String {
    let (connector, config, password) = kind(number);
    let team = TEAMS[number % TEAMS.len()];
    let mut text = format!(
        "# {team}: used by the nightly load and by two dashboards.\nconnector: {connector}\ntitle: {connector} of {team}, \
         number {number}\ndescription: >-\n  Where the {team} team keeps what it has; ask in\n  its channel \
         before raising limits.\nowner: team-{team}\n# Read by the report on costs.\nlabels:\n  residency: {}\n  tier: \
         {}\n  cost_center: cc-{:04}\n  team: {team}\n\nconfig:\n",
        ["eu", "us"][number % 2],
        ["gold", "silver", "bronze"][number % 3],
        number % 977,
    );
    text.push_str(&config(number));
    let secret = secret_name(number / PER_SECRET);
    let credential = number / PER_CREDENTIAL;
    match (connector, password) {
        (_, true) if number.is_multiple_of(2) => {
            let _ = writeln!(text, "# One login for the whole team.\ncredential: shared/login-{credential:04}");
        }
        (_, true) => {
            let _ = writeln!(
                text,
                "auth:\n  mode: password\n  username: {team}_{number}\n  # Rotated by the platform team.\n  password: \
                 ${{{{ secrets.{secret} }}}}"
            );
        }
        (_, false) => {
            let auth = match connector {
                "s3" => "access_key\n  access_key_id: AKIAIOSFODNN7EXAMPLE\n  secret_access_key",
                "http" => "bearer\n  token",
                "salesforce" => "client_credentials\n  client_id: 3MVG9exampleConsumerKey\n  client_secret",
                "hubspot" => "private_app\n  access_token",
                _ => "api_key\n  api_key",
            };
            let _ = writeln!(text, "auth:\n  mode: {auth}: ${{{{ secrets.{secret} }}}}");
        }
    }
    text
}

fn overlay(number: usize) -> String {
    let tier = "# Smaller here: nobody looks at it at night.\nlabels:\n  tier: bronze\n";
    let config = match kind(number).0 {
        "postgresql" | "mysql" => "config:\n  database: smaller\n  params: {$replace: {keepalives: 0}}\n",
        "s3" => "config:\n  bucket: acme-elsewhere\n",
        "http" => "config:\n  headers: {X-Environment: other}\n  retry: {statuses: {$append: [500]}}\n",
        "sftp" => "config:\n  directory: /incoming/smaller\n",
        "upsales" => "",
        "salesforce" => "config:\n  api_version: '61.0'\n",
        "hubspot" => "config:\n  number_of_api_call_retries: 2\n",
        _ => "config:\n  max_retries: 1\n",
    };
    format!("{tier}{config}")
}

fn postgresql(number: usize) -> String {
    format!(
        "  host: db-{number}.${{{{ vars.domain }}}}\n  port: 5432\n  database: warehouse_{number}\n  connect_timeout: 10    \
         # seconds\n  application_name: nightly-{number}\n  params:\n    target_session_attrs: read-write\n    keepalives: \
         1\n  tls:\n    mode: verify-full\n"
    )
}

fn mysql(number: usize) -> String {
    format!(
        "  host: 10.{}.{}.12\n  port: 3306\n  database: shop_{number}\n  connect_timeout: 10\n  params:\n    charset: \
         utf8mb4\n    allowPublicKeyRetrieval: false\n  tls:\n    mode: require\n",
        number / 250 % 250,
        number % 250
    )
}

fn s3(number: usize) -> String {
    format!(
        "  region: ${{{{ vars.region }}}}\n  bucket: acme-landing-{number}\n  # One prefix a partner.\n  prefix: \
         incoming/orders/{number}/\n  endpoint: https://s3-{}.${{{{ vars.domain }}}}\n  force_path_style: true\n",
        ["eu", "us"][number % 2]
    )
}

fn http(number: usize) -> String {
    format!(
        "  base_url: https://orders-{number}.example.com/v1\n  timeout: ${{{{ vars.limits.timeout }}}}\n  headers:\n    \
         Accept: application/json\n    X-Team: platform\n  retry:\n    max_retries: 3\n    delay: 0.5\n    statuses: [429, \
         502, 503, 504]\n  pagination:\n    type: offset\n    offset_param: offset\n"
    )
}

fn sftp(number: usize) -> String {
    format!("  host: files-{number}.example.com\n  port: 22\n  directory: /incoming/{number}   # theirs, not ours\n")
}

fn salesforce(number: usize) -> String {
    format!(
        "  domain: acme-{number}.my.salesforce.com\n  instance_url: https://acme-{number}.my.salesforce.com\n  # Quoted: \
         a number would lose its zero.\n  api_version: \"62.0\"\n"
    )
}

fn hubspot(number: usize) -> String {
    format!("  number_of_api_call_retries: 5\n  portal_id: {}\n", 12_000_000 + number)
}

fn elasticsearch(number: usize) -> String {
    format!(
        "  variant: serverless\n  node: https://project-{number}.es.eu-west-1.aws.elastic.cloud:443\n  request_timeout: \
         45.5\n  max_retries: 5\n"
    )
}

fn openai(number: usize) -> String {
    format!(
        "  base_url: https://api.openai.com/v1\n  organization: org-acme\n  project: proj_{number}\n  timeout: 60            \
         # seconds\n  max_retries: 3\n"
    )
}

fn upsales(_: usize) -> String {
    "  # Without the trailing slash, the server redirects.\n  url: https://power.upsales.com/api/v2/\n".into()
}
