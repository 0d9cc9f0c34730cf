//! Plaintext in documents that take no part in anything: what stands in Git is what leaks.

use crate::secrets::{commit, quickstart};
use crate::support::{Folder, Told};

/// The value that must be told of and never shown.
const VALUE: &str = "otter-hunter-2";

const HEAD: &str = "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nkeys: {ops: age1vr9l69vvtreuntmsvsu4keme3jwsa25plc4fcngeyfn9v64u2eqqjzhu3u}\nrecipients: [ops]\n";

/// A connector of which one mode has a list of secrets, and one no secret.
const LAB: &str = r#"{
  "type": "object",
  "properties": {
    "config": {"type": "object", "properties": {"note": {"type": "string"}}},
    "auth": {
      "type": "object",
      "properties": {"mode": {"enum": ["password", "keys", "open"]}},
      "allOf": [
        {"if": {"properties": {"mode": {"const": "password"}}},
         "then": {"properties": {"password": {"type": "string", "writeOnly": true}, "username": {"type": "string"}}}},
        {"if": {"properties": {"mode": {"const": "keys"}}},
         "then": {"properties": {"keys": {"type": "array", "items": {"type": "string", "writeOnly": true}}}}}
      ]
    }
  }
}"#;

/// Every kind of layer, with a layer that lies above it.
const LAYERS: &[(&str, Option<&str>)] = &[
    ("", Some("environments/prod/")),
    ("environments/prod/", Some("environments/prod/profiles/night/")),
    ("environments/prod/profiles/night/", None),
    ("customers/globex/", Some("customers/globex/environments/prod/")),
    ("customers/globex/environments/prod/", Some("customers/globex/profiles/night/")),
    ("customers/globex/profiles/night/", None),
];

/// Every form that a value can stand in: its name, what stands below `config` and `auth`.
const FORMS: &[(&str, &str, &str)] = &[
    ("plain", "{}", "{mode: password, username: u, password: VALUE}"),
    ("list", "{}", "{mode: keys, keys: [\"${{ secrets.S }}\", VALUE]}"),
    ("replaced", "{}", "{$replace: {mode: password, username: u, password: VALUE}}"),
    ("replaced-list", "{}", "{mode: keys, keys: {$replace: [VALUE]}}"),
    ("alias", "{note: &anchor VALUE}", "{mode: password, username: u, password: *anchor}"),
    ("another-mode", "{}", "{mode: open, password: VALUE}"),
    ("no-mode", "{}", "{password: VALUE}"),
    ("folded", "{}", "\n  mode: password\n  password: >-\n    VALUE\n    and more"),
];

/// What keeps a document from being compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Overridden,
    Unlinked,
    Unlisted,
    Disabled,
    Orphaned,
}

/// A workspace in which every form stands in `layer`, idle; and the files that hold them.
fn workspace(layer: &str, above: Option<&str>, idle: Idle) -> (Folder, Vec<String>) {
    let folder = Folder::empty().with("tieline.yaml", HEAD).with("connectors/lab.json", LAB);
    let bound = "secrets: {S: 'vault://kv/s#p'}\n";
    folder.put("environments/prod/environment.yaml", bound);
    folder.put("environments/prod/profiles/night/profile.yaml", bound);
    let customers = layer.starts_with("customers/");
    let listed = customers && matches!(idle, Idle::Overridden | Idle::Disabled);
    let ids: Vec<&str> = FORMS.iter().map(|(form, ..)| *form).collect();
    let list = if listed { format!("connections: [{}]\n", ids.join(", ")) } else { String::new() };
    let none = if idle == Idle::Orphaned { "environments: []\n" } else { "" };
    folder.put("customers/globex/customer.yaml", format!("{none}{list}{bound}"));
    let mut files = Vec::new();
    for (form, config, auth) in FORMS {
        let auth = auth.replace("VALUE", VALUE);
        let config = config.replace("VALUE", VALUE);
        let kind = if idle == Idle::Unlinked { "credentials" } else { "connections" };
        let path = format!("{layer}{kind}/{form}.yaml");
        let mut text = String::new();
        if idle == Idle::Unlinked {
            // A credential has no `config`: its anchor stands in another place.
            text += &format!(
                "connectors: [lab]\ntitle: {}\n",
                if *form == "alias" { format!("&anchor {VALUE}") } else { "x".into() }
            );
        } else {
            let nameless = idle == Idle::Orphaned && !customers;
            text += if nameless { "title: x\n" } else { "connector: lab\n" };
            text += if customers || idle == Idle::Unlisted { "scope: organization\n" } else { "" };
            text += if idle == Idle::Disabled { "enabled: false\n" } else { "" };
            text += &format!("config: {config}\n");
        }
        text += &format!("auth: {auth}\n");
        folder.put(&path, text);
        files.push(path);
        if let (Idle::Overridden, Some(above)) = (idle, above) {
            let over = "auth: {$replace: {mode: password, username: u, password: \"${{ secrets.S }}\"}}\n";
            folder.put(&format!("{above}{kind}/{form}.yaml"), over);
        }
    }
    (folder, files)
}

/// Every kind of layer × what keeps a document from being compiled × every form of a value.
#[test]
fn a106_plaintext_is_told_of_wherever_it_stands_and_never_shown() {
    for (layer, above) in LAYERS {
        for idle in [Idle::Overridden, Idle::Unlinked, Idle::Unlisted, Idle::Disabled, Idle::Orphaned] {
            let (folder, files) = workspace(layer, *above, idle);
            let told = folder.told();
            for file in files {
                let text = std::fs::read_to_string(folder.path().join(&file)).unwrap();
                let line = text.lines().position(|line| line.contains(VALUE)).unwrap() as u64 + 1;
                let wanted = Told { file: file.clone(), line, code: "plaintext-secret".into() };
                let there = told.iter().filter(|t| **t == wanted).count();
                assert_eq!(there, 1, "{layer} {idle:?}: {wanted:?} in\n{text}\n{told:#?}");
            }
            for format in ["human", "json", "concise", "github"] {
                let run = folder.run(&["validate", "--format", format]);
                assert_eq!(run.code, 1, "{layer} {idle:?} {format}: {}", run.stdout);
                let shown = run.stdout + &run.stderr;
                assert!(!shown.contains(VALUE) && !shown.contains("and more"), "{layer} {idle:?} {format}:\n{shown}");
            }
        }
    }
}

/// A workspace with a root document that each environment overrides.
fn overridden(connection: &str) -> Folder {
    let folder = Folder::base().with("connections/orders.yaml", connection);
    for environment in ["dev", "prod"] {
        let over =
            "auth: {$replace: {mode: password, username: orders, password: \"${{ secrets.FINANCE_PASSWORD }}\"}}\n";
        folder.put(&format!("environments/{environment}/connections/orders.yaml"), over);
    }
    folder
}

fn orders(password: &str) -> String {
    format!(
        "connector: mysql\nconfig: {{host: orders.acme.example, database: orders}}\nauth:\n  mode: password\n  username: orders\n  password: {password}\n"
    )
}

/// The codes of what is told of a root document that is overridden everywhere.
fn codes(password: &str) -> Vec<String> {
    overridden(&orders(password)).codes()
}

#[test]
fn a45_every_kind_of_value_is_plaintext_in_an_overridden_document() {
    let clear = [
        "hunter-22",
        "'hunter-22'",
        "12345678",
        "1.5",
        "true",
        "''",
        "\"${{ vars.db_host }}\"",
        "\"${{ 'hunter-22' }}\"",
        "\"x-$${{ secrets.FINANCE_PASSWORD }}\"",
        "\"${{ secrets.FINANCE_PASSWORD\"",
        "|\n    hunter\n    22",
        ">-\n    hunter\n    22",
        "[\"${{ secrets.FINANCE_PASSWORD }}\", hunter-22]",
        "{a: {b: hunter-22}}",
        "{$replace: hunter-22}",
        "{$append: [hunter-22]}",
        "{$remove: [hunter-22]}",
        "2026-01-31",
    ];
    for value in clear {
        assert!(codes(value).contains(&"plaintext-secret".to_owned()), "{value}: {:?}", codes(value));
    }
    let sealed = [
        "${{ secrets.FINANCE_PASSWORD }}",
        "\"${{secrets.FINANCE_PASSWORD}}\"",
        "x-${{ secrets.FINANCE_PASSWORD }}-y",
        "\"${{ secrets.FINANCE_PASSWORD | upper }}\"",
        "{$replace: \"${{ secrets.FINANCE_PASSWORD }}\"}",
    ];
    for value in sealed {
        assert_eq!(codes(value), [""; 0], "{value}");
    }
}

#[test]
fn a106_one_value_is_told_of_once_with_the_environments_that_take_it() {
    let folder = overridden(&orders("hunter-22"));
    let report = folder.json();
    let [told] = report["diagnostics"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!(
        (told["file"].as_str(), told["environments"].as_array().map(Vec::len)),
        (Some("connections/orders.yaml"), Some(0))
    );
    // In force in one of them: the same line, once.
    std::fs::remove_file(folder.path().join("environments/dev/connections/orders.yaml")).unwrap();
    let report = folder.json();
    let [told] = report["diagnostics"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!(told["environments"], serde_json::json!(["dev"]));
}

/// The connector, variant and mode in force where a document stands decide, not those above it.
#[test]
fn a106_what_is_clear_where_it_stands_stays_clear() {
    // Another connector above, and another mode: what lies below is judged by its own.
    let folder = overridden(
        "connector: mysql\nconfig: {host: h.acme.example, database: d}\nauth: {mode: password, username: plain, password: \"${{ secrets.FINANCE_PASSWORD }}\"}\n",
    );
    assert_eq!(folder.codes(), [""; 0]);
    let one = r#"{"type": "object", "properties": {"auth": {"type": "object", "properties": {"mode": {"enum": ["a", "b"]}}, "allOf": [
        {"if": {"properties": {"mode": {"const": "a"}}}, "then": {"properties": {"name": {"type": "string"}}}},
        {"if": {"properties": {"mode": {"const": "b"}}}, "then": {"properties": {"name": {"type": "string", "writeOnly": true}}}}]}}}"#;
    let folder = Folder::base().with("connectors/lab.json", one);
    folder.put("connections/lab.yaml", "connector: lab\nauth: {mode: a, name: clear}\n");
    folder.put(
        "environments/prod/connections/lab.yaml",
        "auth: {$replace: {mode: b, name: \"${{ secrets.FINANCE_PASSWORD }}\"}}\n",
    );
    assert_eq!(folder.codes(), [""; 0], "clear in mode `a`");
    // Without a mode below, any may be meant.
    folder.put("connections/lab.yaml", "connector: lab\nauth: {name: clear}\n");
    folder.put("environments/dev/connections/lab.yaml", "auth: {mode: b, name: \"${{ secrets.FINANCE_PASSWORD }}\"}\n");
    folder
        .put("environments/prod/connections/lab.yaml", "auth: {mode: b, name: \"${{ secrets.FINANCE_PASSWORD }}\"}\n");
    assert_eq!(folder.codes(), ["plaintext-secret"]);
}

/// An environment is planned and applied only if every document in its layers is clean; another one's are not in its way.
#[test]
fn a106_commands_refuse_an_environment_whose_layers_hold_plaintext() {
    let folder = overridden(&orders(VALUE));
    for command in [&["render", "prod"][..], &["plan", "prod"], &["apply", "prod", "--yes"], &["diff", "dev", "prod"]] {
        let run = folder.run(command);
        assert_eq!(run.code, 1, "{command:?}: {}{}", run.stdout, run.stderr);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(VALUE), "{command:?}");
    }
    assert!(!folder.path().join("dist").exists());
    let folder = Folder::base()
        .with("environments/dev/credentials/old.yaml", format!("auth: {{mode: password, password: {VALUE}}}\n"));
    assert_eq!(folder.run(&["render", "prod"]).code, 0, "it stands in dev");
    assert_eq!(folder.run(&["render", "dev"]).code, 1);
    assert_eq!(folder.run(&["validate"]).code, 1);
    let paths = |path: &str| folder.run(&["validate", path]).code;
    assert_eq!((paths("environments/dev"), paths("environments/prod")), (1, 0), "as pre-commit asks");
}

/// `explain` shows what lower layers say: not what is secret by another connector's or mode's schema than the one in force.
#[test]
fn a106_explain_shows_no_plaintext_of_a_lower_layer() {
    let folder = Folder::base().with(
        "connections/api.yaml",
        format!(
            "connector: http\nconfig: {{base_url: https://api.acme.example}}\nauth: {{mode: api_key, value: {VALUE}}}\n"
        ),
    );
    for environment in ["dev", "prod"] {
        let over = "connector: openai\nconfig: {$replace: {}}\nauth: {$replace: {mode: api_key, api_key: \"${{ secrets.FINANCE_PASSWORD }}\"}}\n";
        folder.put(&format!("environments/{environment}/connections/api.yaml"), over);
    }
    for format in ["human", "json"] {
        let run = folder.run(&["explain", "prod", "api", "auth.value", "--format", format]);
        assert!(run.stdout.contains("********"), "{}{}", run.stdout, run.stderr);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(VALUE), "{}", run.stdout);
    }
}

#[test]
fn a106_where_no_schema_knows_a_field_its_name_decides_and_one_line_can_be_excused() {
    let folder = Folder::base();
    let credential = |line: &str| {
        // A customer's, which no connection links: nothing else is told of it.
        folder.put("customers/globex/customer.yaml", "connections: []\n");
        folder.put("customers/globex/credentials/odd.yaml", format!("auth:\n  mode: odd\n  {line}\n"));
        folder.codes().into_iter().filter(|code| code != "unused-credential").collect::<Vec<_>>()
    };
    for named in [
        "x_pass: hunter",
        "DB-Token: hunter",
        "apiKey: 12345",
        "credential: hunter",
        "x: {secret: [hunter]}",
        "cookies: [hunter]",
    ] {
        assert_eq!(credential(named), ["secret-named-value"], "{named}");
    }
    for harmless in [
        "token_url: https://x",
        "secret_type: opaque",
        "x: hunter",
        "x_token: ''",
        "token: null",
        "use_token: true",
        "token: \"${{ secrets.A }}\"",
    ] {
        assert_eq!(credential(harmless), [""; 0], "{harmless}");
    }
    assert_eq!(credential("x_token: hunter   # tieline: allow secret-named-value of the test fixture"), [""; 0]);
    // What a schema marks knows no excuse.
    assert_eq!(
        credential("password: hunter   # tieline: allow plaintext-secret of the test fixture"),
        ["plaintext-secret", "unused-excuse"]
    );
}

/// What stands in the place of a login is one.
#[test]
fn a106_a_login_that_is_not_a_map_is_told_of() {
    for auth in ["hunter-22", "[hunter-22]", "12345678", "[{password: hunter-22}]"] {
        let folder = overridden(
            &orders("x")
                .replace("auth:\n  mode: password\n  username: orders\n  password: x", &format!("auth: {auth}")),
        );
        assert_eq!(folder.codes(), ["secret-named-value"], "{auth}");
        let run = folder.validate();
        assert!(!run.stdout.contains("hunter") && !run.stdout.contains("1234"), "{}", run.stdout);
    }
}

/// A document that is not a map is never read where nothing links it.
#[test]
fn a106_a_document_of_another_shape_hides_nothing() {
    for text in ["- {password: hunter}\n", "auht: {mode: password, password: hunter}\n", "password: hunter\n"] {
        let folder = Folder::base().with("customers/globex/customer.yaml", "connections: []\n");
        folder.put("customers/globex/credentials/odd.yaml", text);
        assert_eq!(folder.validate().code, 1, "{text}");
    }
}

/// What looks like a secret by its form is an error in a file that nothing is compiled of, as in any other.
#[test]
fn a106_a_login_in_a_url_and_a_token_in_settings_are_told_of_in_every_file() {
    let over = "config: {base_url: https://api.acme.example}\n";
    let folder = Folder::base().with(
        "connections/api.yaml",
        format!(
            "connector: http\nconfig: {{base_url: 'https://sync:{VALUE}@api.acme.example'}}\nauth: {{mode: none}}\n"
        ),
    );
    for environment in ["dev", "prod"] {
        folder.put(&format!("environments/{environment}/connections/api.yaml"), over);
    }
    folder.put("customers/globex/customer.yaml", "connections: []\n");
    folder
        .put("customers/globex/consumers/flow.yaml", format!("kind: flow\nuses: []\nsettings: {{api_key: {VALUE}}}\n"));
    let mut codes = folder.codes();
    codes.sort();
    assert_eq!(codes, ["credential-in-url", "literal-credential-in-consumer"]);
    for format in ["human", "json", "concise", "github"] {
        let run = folder.run(&["validate", "--format", format]);
        assert!(run.code == 1 && !run.stdout.contains(VALUE), "{format}: {}", run.stdout);
    }
}

/// Where no schema has a field by its name, the name decides: in every layer, whoever takes it.
#[test]
fn a106_plaintext_in_maps_of_any_names_is_told_of_in_every_layer_and_never_shown() {
    let free = |key: &str| {
        format!(
            "connector: http\nconfig:\n  base_url: https://api.acme.example\n  headers: {{{key}: {VALUE}}}\nauth: {{mode: none}}\n"
        )
    };
    let replaced = format!(
        "connector: http\nconfig:\n  base_url: https://api.acme.example\n  headers: {{$replace: {{Cookie: {VALUE}}}}}\nauth: {{mode: none}}\n"
    );
    let label = format!(
        "connector: http\nlabels: {{$replace: {{token: {VALUE}}}}}\nconfig: {{base_url: https://api.acme.example}}\nauth: {{mode: none}}\n"
    );
    let vars = format!("vars: {{a: {{db_password: {VALUE}}}}}\n");
    let secret = "secrets: {FINANCE_PASSWORD: 'vault://kv/prod/finance#password'}\n";
    let customer = format!("connections: []\n{vars}");
    let profile = format!("{secret}{vars}");
    let root = std::fs::read_to_string(crate::support::root().join("fixtures/base/tieline.yaml")).unwrap() + &vars;
    let cases = [
        ("connections/api.yaml", free("Authorization")),
        ("connections/api.yaml", free("X-Api-Key")),
        ("environments/prod/connections/api.yaml", replaced),
        ("connections/api.yaml", label),
        ("connections/api.yaml", free("Cookie").replace("connector", "enabled: false\nconnector")),
        (
            "customers/globex/connections/api.yaml",
            free("Proxy-Authorization").replace("connector", "scope: organization\nconnector"),
        ),
        ("tieline.yaml", root),
        ("customers/globex/customer.yaml", customer),
        ("environments/prod/profiles/night/profile.yaml", profile.clone()),
        ("customers/globex/profiles/night/profile.yaml", profile),
        ("customers/globex/environments/prod/environment.yaml", vars),
    ];
    for (path, text) in cases {
        let folder = Folder::base().with("customers/globex/customer.yaml", "connections: []\n");
        folder.put(path, &text);
        let line = text.lines().position(|line| line.contains(VALUE)).unwrap() as u64 + 1;
        let wanted = Told { file: path.into(), line, code: "secret-named-value".into() };
        assert_eq!(folder.told().iter().filter(|told| **told == wanted).count(), 1, "{text}\n{:#?}", folder.told());
        for arguments in [
            &["validate"][..],
            &["validate", "--format", "concise"],
            &["validate", "--format", "github"],
            &["secret", "extract", "--dry-run"],
        ] {
            let run = folder.run(arguments);
            // What can be a secret where it stands can be extracted.
            let refused = run.code == 1 || arguments[0] == "secret";
            assert!(
                refused && !format!("{}{}", run.stdout, run.stderr).contains(VALUE),
                "{arguments:?} {}{}",
                run.stdout,
                run.stderr
            );
        }
    }
}

/// What a schema says is clear stays so, and what has the name of another thing.
#[test]
fn a106_a_name_that_is_about_a_secret_or_that_a_schema_calls_clear_is_none() {
    let schema = r#"{"type": "object", "properties": {"auth": {"type": "object"}, "config": {"type": "object", "properties": {
        "clear": {"type": "object", "additionalProperties": {"type": "string", "writeOnly": false}},
        "open": {"type": "object", "additionalProperties": {"type": "object", "properties": {"note": {"type": "string"}}}}}}}}"#;
    let folder = Folder::base().with("connectors/lab.json", schema);
    let codes = |config: &str| {
        folder.put("connections/lab.yaml", format!("connector: lab\nconfig: {config}\n"));
        folder.codes()
    };
    assert_eq!(codes("{clear: {page_token: next}, open: {token: {note: a}, password: {type: b}}}"), [""; 0]);
    assert_eq!(codes("{open: {a: {password: b}}}"), ["secret-named-value"]);
    let settings = std::fs::read_to_string(crate::support::root().join("fixtures/base/tieline.yaml")).unwrap();
    for clear in [
        "token_url: 'https://a/token'",
        "cookie: {name: a, path: b}",
        "auth: basic",
        "auth: {mode: basic, username: a, token_url: 'https://a'}",
        "use_token: true",
        "password: ''",
        "git: 'ssh://git@git.acme.example/a'",
        "mail: 'mailto:a@acme.example'",
        "at: 'https://acme.example/@me?to=a@acme.example'",
    ] {
        folder.put("tieline.yaml", format!("{settings}vars: {{{clear}}}\n"));
        folder.put("connections/lab.yaml", "connector: lab\n");
        assert_eq!(folder.codes(), [""; 0], "{clear}");
    }
}

/// A warning within a value, or one that is excused, hides no plaintext.
#[test]
fn a106_what_is_only_a_warning_hides_nothing() {
    let value = "\"hunter\u{200b}22 $${{ x\"   # tieline: allow hidden-character of a test\n  # more";
    assert_eq!(codes(value), ["plaintext-secret"]);
    assert!(codes("\"hunter\u{200b}22 $${{ x\"").contains(&"plaintext-secret".to_owned()));
}

/// Several connectors that link one credential: secret in any is secret, and what none of them knows goes by its name.
#[test]
fn a106_a_credential_is_judged_by_everything_that_links_it() {
    let schema = |field: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"auth": {{"type": "object", "additionalProperties": true, "properties": {{"mode": {{"enum": ["m"]}}, {field}}}}}}}}}"#
        )
    };
    let folder = Folder::base()
        .with("connectors/one.json", schema(r#""key": {"type": "string", "writeOnly": true}"#))
        .with("connectors/two.json", schema(r#""key": {"type": "string"}, "note": {"type": "string"}"#))
        .with("credentials/both.yaml", "auth:\n  mode: m\n  key: hunter\n  note: clear\n  x_token: hunter\n")
        .with("connections/two.yaml", "connector: two\ncredential: both\n");
    assert_eq!(folder.codes(), ["secret-named-value"], "clear in `two`");
    // Nobody lists it: it counts all the same.
    folder.put("connections/one.yaml", "connector: one\nscope: organization\ncredential: both\n");
    assert_eq!(folder.codes(), ["no-customer", "plaintext-secret", "secret-named-value"]);
}

/// A branch that removes plaintext from a file that nothing is compiled of can be compared with its base.
#[test]
fn a106_the_older_side_of_a_plan_may_hold_what_the_newer_one_removes() {
    let shell = quickstart();
    let old = shell.folder.join("credentials/old.yaml");
    std::fs::write(&old, format!("auth: {{mode: api_key, value: {VALUE}}}\n")).unwrap();
    commit(&shell, "oops");
    assert_eq!(shell.run(&["plan", "prod", "--against", "HEAD"]).code, 1, "the work tree still has it");
    std::fs::remove_file(&old).unwrap();
    let ended = shell.ok(&["plan", "prod", "--against", "HEAD"]);
    assert!(!format!("{ended:?}").contains(VALUE), "{ended:#?}");
    commit(&shell, "gone");
    assert_eq!(shell.run(&["plan", "prod", "--against", "HEAD..HEAD~1"]).code, 1, "nor may a newer side");
    // What was committed is found by the same judgement.
    let ended = shell.run(&["audit", "--history"]);
    assert!(ended.stdout.contains("auth.value") && ended.stdout.contains("credentials/old.yaml:1"), "{ended:#?}");
    assert!(!format!("{ended:?}").contains(VALUE), "{ended:#?}");
}

/// What gives a clear value, or may, though it names a secret.
const BESIDE: &[&str] = &[
    "${{ secrets.S | replace('a', 'Hq7zkwmxvtj') }}",
    "${{ secrets.S | join('Hq7zkwmxvtj') }}",
    "${{ secrets.S | trim('x Hq7zkwmxvtj') | lower }}",
    "${{ 'VALUE' if true else secrets.S }}",
    "${{ secrets.S if false else 'VALUE' }}",
    "${{ (secrets.S if env.name == 'x' else ('VALUE')) | trim }}",
    "${{ secrets.S if false else (secrets.S if false else 'VALUE') }}",
    "${{ vars.plain if true else secrets.S }}",
    "${{ ['VALUE', secrets.S][0] }}",
    "${{ ['VALUE', secrets.S] | join('') }}",
    "${{ ('VALUE', secrets.S)[0] }}",
    "${{ ('VALUE', secrets.S) | join(' ') }}",
    "${{ {'a': 'VALUE', 'b': secrets.S}['a'] }}",
    "${{ {'a': 'VALUE', 'b': secrets.S}.a }}",
    "${{ {'a': 'VALUE'}.a ~ secrets.S }}",
    "${{ 'VALUE' | default(secrets.S) }}",
    "${{ secrets.S | default('VALUE') }}",
    "${{ 'VALUE' | replace(secrets.S, '') }}",
    "${{ vars.plain | replace(secrets.S, '') }}",
    "${{ vars[secrets.S] }}",
    "${{ 'VALUE ' ~ (secrets.S | trim)[:0] }}",
    "${{ (secrets.S | int) - (secrets.S | int) ~ 'VALUE' }}",
    "${{ 'VALUEasitis' ~ secrets.S }}",
    "${{ secrets.S + 'asitisVALUE' }}",
    "${{ 'VALUEasitis' ~ (secrets.S | trim) }}",
    "${{ (secrets.S | replace('a', 'b')) ~ 'asitisVALUE' }}",
    "${{ secrets.S | trim ~ 'asitisVALUE' }}",
    "${{ (secrets.S) }}asitisVALUE",
    "${{ secrets.S if env.name == 'x' else secrets.T }}asitisVALUE",
    "VALUEasitis${{ secrets.S }}",
    "${{ secrets.S }}asitisVALUE",
    "${{ secrets.S | trim }}asitisVALUE",
    "${{ secrets.S }}${{ 'asitisVALUE' }}",
    "${{ 'VALUEasitis' }}${{ secrets.S }}",
];

/// What joins clear texts to a secret, or chooses between secrets.
const HONEST: &[&str] = &[
    "${{ secrets.S | replace('PRIVATE-KEY ', '') | replace('v1', 'v2') | replace('\n', ' ') }}",
    "Bearer ${{ secrets.S }}",
    "reader:${{ secrets.S }}",
    "${{ vars.plain }}:${{ secrets.S }}",
    "${{ (vars.plain ~ ':' ~ secrets.S) | b64encode }}",
    "Basic ${{ ('reader:' ~ (secrets.S | trim)) | b64encode }}",
    "postgres://reader:${{ secrets.S | urlencode }}@db.acme.example/main",
    "${{ secrets.S if env.name == 'dev' else secrets.T }}",
    "${{ secrets.S if env.name in ['dev', 'test'] else secrets.T }}",
    "${{ ('Bearer ' ~ secrets.S) if vars.map['m'] == 'x' else ('Token ' ~ secrets.T) }}",
    "${{ ('live_' if env.name == 'prod' else 'test_') ~ secrets.S }}",
    "${{ vars.map.m ~ '-' ~ vars.map['m'] ~ '-' ~ secrets.S }}",
    "${{ secrets.S | replace('\\n', '') | upper }}",
    "{\"type\": \"service_account\", \"key\": \"${{ secrets.S }}\"}",
    "v2${{ secrets.S }}",
    "$${{ x }}${{ secrets.S }}",
];

fn beside(expression: &str) -> Folder {
    let folder = Folder::empty().with("tieline.yaml", HEAD).with("connectors/lab.json", LAB);
    let bound = "vars:\n  plain: otter-hunter-2\n  map: {m: x}\nsecrets: {S: 'vault://kv/s#p', T: 'vault://kv/t#p'}\n";
    folder.put("environments/prod/environment.yaml", bound);
    let quoted = expression.replace("VALUE", VALUE).replace('\'', "''");
    let login = format!("auth:\n  mode: password\n  username: u\n  password: '{quoted}'\n");
    folder.put("connections/on.yaml", format!("connector: lab\n{login}"));
    folder.put("connections/off.yaml", format!("connector: lab\nenabled: false\n{login}"));
    folder.put("credentials/unlinked.yaml", format!("connectors: [lab]\n{login}"));
    folder
}

/// A mention of a secret doesn't make a value one.
#[test]
fn a106_no_clear_value_hides_beside_the_name_of_a_secret() {
    for expression in BESIDE {
        let folder = beside(expression);
        let told = folder.told();
        for file in ["connections/on.yaml", "connections/off.yaml", "credentials/unlinked.yaml"] {
            let code = told.iter().find(|told| told.file == file).map(|told| &*told.code);
            assert!(matches!(code, Some("secret-use" | "plaintext-secret")), "{file}: {expression}: {told:?}");
        }
        let run = folder.validate();
        let shown = run.stdout + &run.stderr;
        assert!(!shown.contains(VALUE), "{expression}\n{shown}");
    }
    for expression in HONEST {
        let told = beside(expression).told();
        let errors: Vec<&Told> = told.iter().filter(|told| told.code.contains("secret-")).collect();
        assert!(errors.is_empty(), "{expression}: {errors:?}");
    }
}

/// A token of a known form in the text around a secret.
#[test]
fn a106_a_text_around_a_secret_is_looked_at_as_any_other() {
    let token = format!("ghp_{}", "0123456789abcdefghijklmnopqrstuvwxyz");
    let told = beside(&format!("{token} ${{{{ secrets.S }}}}")).told();
    assert!(told.iter().any(|told| told.code == "plaintext-secret"), "{told:?}");
    let told = beside(&format!("${{{{ '{token} ' ~ secrets.S }}}}")).told();
    assert!(told.iter().any(|told| told.code == "plaintext-secret"), "{told:?}");
}

#[test]
fn a106_history_knows_a_value_beside_the_name_of_a_secret() {
    let shell = quickstart();
    let clean = shell.read("connections/hubspot.yaml");
    let plain =
        clean.replace("${{ secrets.HUBSPOT_TOKEN }}", "${{ 'otter-hunter-2' if true else secrets.HUBSPOT_TOKEN }}");
    assert_ne!(clean, plain);
    shell.put("connections/hubspot.yaml", &plain);
    commit(&shell, "in clear");
    shell.put("connections/hubspot.yaml", &clean);
    commit(&shell, "mended");
    let found = shell.run(&["audit", "--history"]);
    assert!(found.stdout.contains("connections/hubspot.yaml"), "{found:#?}");
}
