//! Commands that change files: what they write, what they leave alone, what they refuse.

use std::fs;

use proptest::prelude::*;
use tieline::edit::format::format;
use tieline::edit::skeleton::{self, Wanted};
use tieline::span::FileId;
use tieline::yaml;

use crate::shell::{Shell, tree};

fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

fn put(shell: &Shell, path: &str, text: &str) {
    fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

const ORDERS: &str =
    "connector: postgresql\nconfig: {host: db.example.com, database: orders}\ncredential: warehouse-db\n";

#[test]
fn c08_c09_a_connection_in_use_is_not_deleted_and_another_takes_its_place_in_one_change() {
    let shell = quickstart();
    put(&shell, "connections/orders.yaml", ORDERS);
    let before = tree(&shell.folder);
    let refused = shell.run(&["delete", "warehouse"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("consumer `nightly-sync`, consumers/nightly-sync.yaml:"), "{refused:#?}");
    assert!(refused.stderr.contains("`tieline delete warehouse --replace-with OTHER`"), "{refused:#?}");
    assert!(before == tree(&shell.folder), "nothing was written");
    let dry = shell.ok(&["delete", "warehouse", "--replace-with", "orders", "--dry-run"]);
    assert!(dry.stdout.contains("+  - {slot: target, connection: orders, accepts: [postgresql, mysql]}"), "{dry:#?}");
    assert!(before == tree(&shell.folder), "a dry run writes nothing");
    shell.ok(&["delete", "warehouse", "--replace-with", "orders"]);
    assert!(!shell.folder.join("connections/warehouse.yaml").exists());
    assert!(!shell.folder.join("environments/prod/connections").exists(), "its overlay and the empty folder went too");
    let consumer = shell.read("consumers/nightly-sync.yaml");
    assert!(consumer.contains("# the slot is named after the connection"), "comments stay: {consumer}");
    shell.ok(&["validate"]);
}

#[test]
fn c07_what_is_protected_is_not_deleted() {
    let shell = quickstart();
    put(&shell, "connections/orders.yaml", &format!("{ORDERS}protect: true\n"));
    let refused = shell.run(&["delete", "orders"]);
    assert_eq!(refused.code, 4, "{refused:#?}");
    assert!(refused.stderr.contains("connections/orders.yaml:4 says so"), "{refused:#?}");
    put(&shell, "connections/orders.yaml", ORDERS);
    shell.ok(&["delete", "orders"]);
    assert!(!shell.folder.join("connections/orders.yaml").exists());
}

#[test]
fn p20_p21_x12_one_consumer_or_all_switch_to_another_connection_if_their_slots_accept_it() {
    let shell = quickstart();
    put(&shell, "connections/orders.yaml", ORDERS);
    put(&shell, "consumers/report.yaml", "kind: flow\nuses:\n  # the source\n  - \"warehouse\"   # quoted\n");
    shell.ok(&["swap", "warehouse", "orders", "--consumer", "report"]);
    assert_eq!(shell.read("consumers/report.yaml"), "kind: flow\nuses:\n  # the source\n  - orders   # quoted\n");
    assert!(shell.read("consumers/nightly-sync.yaml").contains("connection: warehouse"));
    shell.ok(&["swap", "orders", "warehouse"]);
    shell.ok(&["swap", "warehouse", "orders"]);
    assert!(!shell.read("consumers/nightly-sync.yaml").contains("warehouse"));
    let before = tree(&shell.folder);
    let refused = shell.run(&["swap", "orders", "hubspot"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("the slot `target` does not accept a `hubspot`"), "{refused:#?}");
    assert!(before == tree(&shell.folder));
    let same = shell.ok(&["swap", "warehouse", "orders"]);
    assert_eq!(same.stderr, "nothing to change\n");
    assert!(shell.run(&["swap", "warehose", "orders"]).stderr.contains("did you mean `warehouse`?"));
}

#[test]
fn p15_a_renamed_connection_keeps_its_reference() {
    let shell = quickstart();
    let reference = shell.ok(&["show", "warehouse", "--reference"]).stdout;
    shell.ok(&["apply", "prod", "--yes"]);
    let overlay = shell.read("environments/prod/connections/warehouse.yaml");
    shell.ok(&["mv", "warehouse", "finance/warehouse"]);
    assert_eq!(shell.ok(&["show", "finance/warehouse", "--reference"]).stdout, reference);
    assert_eq!(shell.read("environments/prod/connections/finance/warehouse.yaml"), overlay, "moved, not changed");
    assert!(shell.read("connections/finance/warehouse.yaml").contains("connector: postgresql\nkey: warehouse\n"));
    shell.ok(&["validate"]);
    let plan = shell.ok(&["plan", "prod"]).stdout;
    assert!(plan.contains("0 to create, 0 to update, 0 to delete, 1 to move"), "{plan}");
    // Once more: the key is there already.
    shell.ok(&["mv", "finance/warehouse", "warehouse2"]);
    assert_eq!(shell.ok(&["show", "warehouse2", "--reference"]).stdout, reference);
    let taken = shell.run(&["mv", "warehouse2", "hubspot"]);
    assert!(taken.stderr.contains("there is a connection `hubspot` already"), "{taken:#?}");
    shell.ok(&["mv", "credential/warehouse-db", "credential/dwh"]);
    assert!(shell.read("connections/warehouse2.yaml").contains("credential: dwh"));
    shell.ok(&["validate"]);
}

#[test]
fn x09_x10_p12_a_skeleton_has_what_the_chosen_type_needs_first_and_the_rest_in_comments() {
    let shell = quickstart();
    let ended = shell.ok(&["add", "postgresql", "finance/orders", "--mode", "client_certificate"]);
    let text = shell.read("connections/finance/orders.yaml");
    let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} in\n{text}"));
    assert!(at("\n  host:") < at("\n  # port: 5432"), "required fields come first");
    assert!(at("mode: client_certificate   # or password") < at("private_key: ${{ secrets.ORDERS_PRIVATE_KEY }}"));
    assert!(ended.stderr.contains("next: tieline secret set ORDERS_PRIVATE_KEY -e ENV"), "{ended:#?}");
    assert!(ended.stderr.contains("next: fill in"), "{ended:#?}");
    let told = shell.run(&["validate"]);
    assert!(told.stdout.contains("`config.host` has no value"), "{told:#?}");
    assert!(told.stdout.contains("for example `db.example.com`"), "{told:#?}");
    let taken = shell.run(&["add", "mysql", "finance/orders"]);
    assert_eq!(taken.code, 64);
    assert!(taken.stderr.contains("already, in connections/finance/orders.yaml"), "{taken:#?}");
    assert!(shell.run(&["add", "postgres", "x"]).stderr.contains("did you mean `postgresql`?"));
    let mode = shell.run(&["add", "postgresql", "x", "--mode", "pasword"]);
    assert!(mode.stderr.contains("did you mean `password`?"), "{mode:#?}");
}

#[test]
fn x12_a_new_connection_links_a_credential_that_fits() {
    let shell = quickstart();
    shell.ok(&["add", "postgresql", "orders", "--credential", "warehouse-db"]);
    assert!(shell.read("connections/orders.yaml").ends_with("credential: warehouse-db\n"));
    let refused = shell.run(&["add", "hubspot", "crm", "--credential", "warehouse-db"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("the credential `warehouse-db` is not for `hubspot`"), "{refused:#?}");
    assert!(!shell.folder.join("connections/crm.yaml").exists());
}

#[test]
fn every_connector_has_a_skeleton_that_parses_in_every_mode_and_variant() {
    let shell = quickstart();
    let catalogue = tieline::connectors::Catalogue::new(&std::collections::BTreeMap::new(), &Default::default()).0;
    let ids: Vec<&str> = catalogue.ids().collect();
    assert!(ids.len() >= 10);
    for id in ids {
        let connector = catalogue.get(id).unwrap().unwrap();
        let or_none = |choices: Vec<String>| if choices.is_empty() { vec![String::new()] } else { choices };
        for variant in or_none(connector.choices("/config/variant")) {
            for mode in or_none(connector.choices("/auth/mode")) {
                let name = format!("{id}-{variant}-{mode}x").replace('_', "-");
                let mut arguments = vec!["add", id, &name];
                arguments.extend(if mode.is_empty() { vec![] } else { vec!["--mode", &mode] });
                arguments.extend(if variant.is_empty() { vec![] } else { vec!["--variant", &variant] });
                let ended = shell.run(&arguments);
                // Not every mode goes with every variant; then the schema says so.
                assert!(ended.code == 0 || ended.stderr.contains("error["), "{arguments:?}: {ended:#?}");
                if ended.code == 0 {
                    let text = shell.read(&format!("connections/{name}.yaml"));
                    assert_eq!(yaml::parse(FileId(0), &text).1.len(), 0, "{text}");
                }
            }
        }
    }
}

/// The texts of a connector's schema are a stranger's: none of them becomes a key of the new file.
#[test]
fn e11_a_schema_adds_no_line_to_a_new_connection() {
    const LINE: &str = "x\nexpose: [public]\r\n#\u{85}\u{2028}\u{1b}[2K\u{202e}";
    let field = |more: serde_json::Value| {
        let mut field = serde_json::json!({"type": "string", "title": LINE, "description": LINE});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    let mut config = serde_json::Map::new();
    for name in [LINE, "a: b", "- c", "? d", "# e", "", "<<", "'f", "\"g", "expose"] {
        config.insert(name.to_owned(), field(serde_json::json!({"default": LINE, "examples": [LINE]})));
    }
    config.insert("list".to_owned(), field(serde_json::json!({"default": [LINE, {LINE: LINE}]})));
    config.insert("host".to_owned(), field(serde_json::json!({"default": "${{ secrets.HUBSPOT_TOKEN }}"})));
    config.insert("option".to_owned(), field(serde_json::json!({"enum": [LINE, "b"]})));
    config.insert("variant".to_owned(), serde_json::json!({"enum": [LINE, "other\nexpose: [public]"]}));
    let required: Vec<&String> = config.keys().collect();
    let schema = serde_json::json!({
        "type": "object",
        "description": LINE,
        "x-tieline": {"docs": format!("https://x.example/{LINE}")},
        "properties": {
            "config": {"type": "object", "required": required, "properties": config},
            "auth": {"type": "object", "properties": {"mode": {"enum": [LINE, "other\nexpose: [public]"]}, LINE: {"writeOnly": true}}},
        },
    });
    let mut sources = tieline::source::Sources::default();
    let file = sources.add("connectors/own.json", schema.to_string(), false);
    let (catalogue, _) = tieline::connectors::Catalogue::new(&[("own".into(), file)].into(), &sources);
    let connector = catalogue.get("own").unwrap().unwrap();
    let wanted = Wanted { connector, id: "new", variant: None, mode: None, credential: None };
    let text = skeleton::write(&wanted).text;
    assert!(text.contains("# https://x.example/x\n"), "{text}");
    let (root, told) = yaml::parse(FileId(0), &text);
    assert_eq!(told.len(), 0, "{text}");
    let keys: Vec<&str> = root.as_ref().unwrap().as_map().unwrap().iter().map(|entry| &*entry.key).collect();
    assert_eq!(keys, ["connector", "config", "auth"], "{text}");
    let config = root.as_ref().unwrap().get("config").unwrap();
    assert_eq!(config.as_map().unwrap().len(), required.len(), "{text}");
    assert_eq!(config.get("a: b").and_then(|node| node.as_str()), Some(LINE), "{text}");
    assert_eq!(config.get("variant").and_then(|node| node.as_str()), Some(LINE), "{text}");
    assert!(!text.contains("secrets.HUBSPOT_TOKEN"), "{text}");
}

#[test]
fn c14_c22_p06_p18_p19_a_consumer_says_what_it_needs_and_the_new_connection_is_used_at_once() {
    let shell = quickstart();
    let offer = shell.ok(&["add", "--for", "nightly-sync:target"]);
    assert_eq!(
        offer.stdout,
        "connections that fit\n  warehouse  postgresql\nconnectors for a new one\n  mysql\n  postgresql\n"
    );
    assert_eq!(offer.stderr, "next: tieline add CONNECTOR ID --for nightly-sync:target\n");
    let refused = shell.run(&["add", "s3", "landing", "--for", "nightly-sync:target"]);
    assert!(refused.stderr.contains("the slot `target` does not accept a `s3`"), "{refused:#?}");
    shell.ok(&["add", "postgresql", "orders", "--credential", "warehouse-db", "--for", "nightly-sync:target"]);
    assert!(shell.read("consumers/nightly-sync.yaml").contains("{slot: target, connection: orders, accepts:"));
    shell.ok(&["add", "s3", "landing", "--for", "nightly-sync"]);
    assert!(shell.read("consumers/nightly-sync.yaml").ends_with("\n  - landing\n"));
    put(&shell, "consumers/empty.yaml", "kind: flow");
    shell.ok(&["add", "s3", "drop", "--for", "empty"]);
    assert_eq!(shell.read("consumers/empty.yaml"), "kind: flow\nuses: [drop]");
    shell.ok(&["add", "s3", "drop2", "--for", "empty"]);
    assert_eq!(shell.read("consumers/empty.yaml"), "kind: flow\nuses: [drop, drop2]");
    assert!(shell.run(&["add", "--for", "nightly-sink"]).stderr.contains("did you mean `nightly-sync`?"));
}

#[test]
fn line_endings_and_a_missing_last_one_stay() {
    let shell = quickstart();
    put(
        &shell,
        "connections/orders.yaml",
        "connector: mysql\r\nconfig: {host: db.example.com, database: orders}\r\ncredential: warehouse-db",
    );
    shell.ok(&["mv", "orders", "orders2"]);
    assert_eq!(
        shell.read("connections/orders2.yaml"),
        "connector: mysql\r\nkey: orders\r\nconfig: {host: db.example.com, database: orders}\r\ncredential: warehouse-db"
    );
}

#[test]
fn fmt_orders_keys_keeps_comments_and_is_at_rest_the_second_time() {
    let shell = quickstart();
    let untidy = "# Orders of the shop\n\n# who\nowner: team\nconfig:\n    # where\n    host: db.example.com   # primary\n    database: orders\nconnector: mysql\ncredential: warehouse-db\n";
    put(&shell, "connections/orders.yaml", untidy);
    let check = shell.run(&["fmt", "--check"]);
    assert_eq!((check.code, check.stdout.as_str()), (1, "connections/orders.yaml\n"), "{check:#?}");
    assert_eq!(shell.read("connections/orders.yaml"), untidy, "`--check` writes nothing");
    shell.ok(&["fmt"]);
    assert_eq!(
        shell.read("connections/orders.yaml"),
        "# Orders of the shop\n\nconnector: mysql\n# who\nowner: team\nconfig:\n  # where\n  host: db.example.com   # primary\n  database: orders\ncredential: warehouse-db\n"
    );
    assert_eq!(shell.ok(&["fmt", "--check"]).stdout, "");
    put(&shell, "connections/broken.yaml", "connector: [mysql\n");
    assert_eq!(shell.ok(&["fmt"]).stdout, "", "what can't be parsed is left alone");
}

/// Maps in block style, with comments, odd indentation and values of every kind.
fn documents() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("db.example.com".to_owned()),
        Just("'quoted: text'".to_owned()),
        Just("5432".to_owned()),
        Just("{a: 1, b: [x, y]}".to_owned()),
        Just("[one, two]".to_owned()),
        Just("${{ vars.host }}".to_owned()),
        Just("|\n          text\n            more\n".to_owned()),
        Just("\"two\n          lines\"".to_owned()),
    ];
    let key = prop_oneof![
        Just("connector"),
        Just("config"),
        Just("auth"),
        Just("title"),
        Just("owner"),
        Just("labels"),
        Just("other")
    ];
    let block = (1usize..7, prop::collection::vec((0u8..4, scalar.clone(), any::<bool>()), 1..4)).prop_map(
        |(indent, fields)| {
            let pad = " ".repeat(indent);
            let line = |(i, (kind, value, comment)): (usize, (u8, String, bool))| {
                let above = if comment { format!("{pad}# about f{i}\n") } else { String::new() };
                match kind {
                    0 => format!("{above}{pad}f{i}:\n{pad}- {}\n{pad}- b\n", "x"),
                    1 => format!("{above}{pad}f{i}:\n{pad}   -  k: 1\n{pad}      l: 2\n"),
                    _ => format!("{above}{pad}f{i}: {value}\n"),
                }
            };
            format!("\n{}", fields.into_iter().enumerate().map(line).collect::<String>())
        },
    );
    let entry = (key, prop_oneof![scalar.prop_map(|s| format!(" {s}\n")), block], any::<bool>());
    prop::collection::btree_map(0u8..20, entry, 1..6).prop_map(|entries| {
        let mut seen = std::collections::BTreeSet::new();
        let once = entries.into_values().filter(move |(key, ..)| seen.insert(*key)).collect::<Vec<_>>();
        once.into_iter()
            .map(|(key, value, comment)| format!("{}{key}:{value}", if comment { "# above\n" } else { "" }))
            .collect()
    })
}

proptest! {
    #[test]
    fn fmt_changes_no_value_and_is_idempotent(text in documents()) {
        let order = &["connector", "title", "owner", "labels", "config", "auth"];
        if let Some(formatted) = format(&text, order) {
            let (before, after) = (yaml::parse(FileId(0), &text).0.unwrap(), yaml::parse(FileId(0), &formatted).0.unwrap());
            prop_assert!(before.same(&after));
            prop_assert_eq!(format(&formatted, order), Some(formatted.clone()));
            let comments = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::trim).filter(|l| l.starts_with('#')).map(str::to_owned).collect();
                lines.sort();
                lines
            };
            prop_assert_eq!(comments(&text), comments(&formatted));
        }
    }
}
