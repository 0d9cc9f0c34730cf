//! What people look at: lists, differences, graphs, reports.

use std::fs;

use serde_json::Value;

use crate::shell::{Shell, feed};
use crate::support::Folder;

fn ziggy() -> Shell {
    Shell::example("ziggy")
}

fn json(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.ok(&[arguments, &["--format", "json"]].concat()).stdout).unwrap()
}

#[test]
fn z13_diff_shows_what_differs_between_two_environments_and_no_secret() {
    let shell = ziggy();
    let text = shell.ok(&["diff", "dev", "prod"]).stdout;
    assert!(text.starts_with("only in dev: elasticsearch-local  elasticsearch\n"), "{text}");
    let host = "config.host: \"db.dev.ziggy.example\" -> \"db.ziggy.example\"\n      environments/dev/environment.yaml:4 -> environments/prod/environment.yaml:4\n";
    assert!(text.contains(host), "{text}");
    assert!(text.contains("auth.password: (secret) changed or re-encrypted"), "{text}");
    let one = json(&shell, &["diff", "dev", "prod", "search"]);
    assert_eq!(one["changes"].as_array().unwrap().len(), 1);
    assert_eq!(one["changes"][0]["id"], "search");
    assert_eq!(shell.ok(&["diff", "dev", "dev"]).stdout, "dev and dev are the same\n");
    let secrets = one["changes"][0]["leaves"].as_array().unwrap().iter().filter(|l| l["secret"] == true);
    assert!(secrets.clone().count() > 0 && secrets.clone().all(|l| l["old"].is_null() && l["new"].is_null()));
}

#[test]
fn z04_c05_p04_connections_are_listed_by_connector_and_shown() {
    let shell = ziggy();
    let list = shell.ok(&["list", "--connector", "elasticsearch"]).stdout;
    assert_eq!(list.lines().count(), 5, "{list}");
    assert!(list.lines().skip(1).all(|line| line.contains("elasticsearch")), "{list}");
    assert!(shell.ok(&["show", "hubspot"]).stdout.contains("connections/hubspot.yaml"));
}

#[test]
fn p05_z28_a_connector_tells_its_fields_modes_and_where_its_documentation_is() {
    let shell = ziggy();
    let text = shell.ok(&["connector", "show", "elasticsearch", "--mode", "basic"]).stdout;
    for wanted in ["docs https://", "config.cloud_id", "hosted", "auth.password", "required, secret"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("auth.api_key"), "only the mode that was asked for: {text}");
    let near = shell.run(&["connector", "show", "elastic"]);
    assert!(near.stderr.contains("did you mean `elasticsearch`?"), "{near:#?}");
    let schema: Value = serde_json::from_str(&shell.ok(&["connector", "schema", "s3"]).stdout).unwrap();
    assert!(jsonschema::validator_for(&schema).is_ok(), "it stands alone");
    assert_eq!(json(&shell, &["connector", "list", "crm"]).as_array().unwrap().len(), 3);
    // Without a workspace too.
    let run = Folder::empty().run(&["connector", "list"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn p26_x15_a_consumer_lists_its_connections_and_a_credential_who_links_it() {
    let shell = ziggy();
    let slots = json(&shell, &["show", "consumer/sync-leads"]);
    let marketing = slots.as_array().unwrap().iter().find(|s| s["slot"] == "marketing" && s["environment"] == "prod");
    assert_eq!(marketing.unwrap()["connection"], "hubspot");
    let links = json(&shell, &["show", "credential/ziggy-database"]);
    assert_eq!(links[0]["connection"], "database");
    let near = shell.run(&["show", "consumer/sync-lead"]);
    assert!(near.stderr.contains("did you mean `consumer/sync-leads`?"), "{near:#?}");
}

#[test]
fn c12_c13_the_reference_can_be_copied_and_used_in_place_of_the_id() {
    let shell = ziggy();
    let reference = shell.ok(&["show", "hubspot", "--reference"]).stdout;
    let consumer = format!("kind: flow\nuses: [{}]\n", reference.trim());
    fs::write(shell.folder.join("consumers/pasted.yaml"), consumer).unwrap();
    shell.ok(&["validate"]);
    let slots = json(&shell, &["show", "consumer/pasted"]);
    assert_eq!(slots[0]["connection"], "hubspot");
    let users = json(&shell, &["show", "hubspot"]);
    assert!(users[0]["consumers"].as_array().unwrap().contains(&"pasted".into()), "{users}");
}

#[test]
fn graphs_name_consumers_connections_credentials_and_customers() {
    let shell = Shell::example("tenants");
    let mermaid = shell.ok(&["graph", "prod"]).stdout;
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    for node in ["[\"warehouse (postgresql)\"]", "([\"order-sync (integration)\"])", "{{\"globex\"}}"] {
        assert!(mermaid.contains(node), "{node} in {mermaid}");
    }
    let dot = shell.ok(&["graph", "--format", "dot"]).stdout;
    assert!(dot.contains("\"consumer/order-sync\" -> \"connection/shop@globex\""), "{dot}");
}

#[test]
fn a52_no_name_breaks_out_of_a_graph() {
    let shell = Shell::example("quickstart");
    shell.put(
        "consumers/nightly-sync.yaml",
        "kind: 'x\"] --> <script>#35;|'\nuses: [{slot: 'a\"|b', connection: hubspot}]\n",
    );
    let mermaid = shell.ok(&["graph"]).stdout;
    assert!(!mermaid.contains("<script>") && !mermaid.contains("x\"]"), "{mermaid}");
    let dot = shell.ok(&["graph", "--format", "dot"]).stdout;
    assert!(dot.contains("x\\\"] --> <script>"), "{dot}");
}

/// A workspace with this many connections that have one mistake each.
fn broken(count: usize) -> Shell {
    let shell = Shell::example("quickstart");
    for i in 0..count {
        fs::write(shell.folder.join(format!("connections/c{i:03}.yaml")), "connector: mysqll\n").unwrap();
    }
    shell
}

#[test]
fn at_most_two_hundred_problems_are_drawn_and_all_are_counted() {
    let shell = broken(230);
    let text = shell.run(&["validate"]).stdout;
    assert_eq!(text.matches("error[unknown-connector]").count(), 200);
    let more = "… and 30 more: `tieline validate --format concise` tells all of them";
    assert!(text.contains(more), "{text}");
    for command in ["plan", "apply", "render"] {
        let told = shell.run(&[command, "dev"]).stderr;
        assert!(told.matches("error[unknown-connector]").count() == 200 && told.contains(more), "{told}");
    }
    assert!(text.ends_with("232 connections, 2 environments: 230 errors\n"), "{text}");
    let concise = shell.run(&["validate", "--format", "concise"]).stdout;
    assert_eq!(concise.lines().count(), 230);
    assert!(
        concise.starts_with("connections/c000.yaml:1:12: error[unknown-connector]: there is no connector `mysqll`\n")
    );
}

#[test]
fn a49_github_gets_annotations_with_paths_from_the_root_of_the_repository() {
    let shell = broken(12);
    let git = feed(shell.command("git").args(["init", "--quiet", ".."]), "");
    assert_eq!(git.code, 0, "{git:#?}");
    let ended = shell.run(&["validate", "--format", "github"]);
    assert_eq!(ended.code, 1);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 10, "GitHub shows ten: {lines:#?}");
    assert_eq!(
        lines[0],
        "::error file=quickstart/connections/c000.yaml,line=1,endLine=1,col=12,endColumn=18,title=unknown-connector::there is no connector `mysqll`%0Ahelp: did you mean `mysql`?"
    );
    assert_eq!(lines[9], "::error title=tieline::and 3 more: `tieline validate` tells all of them");
}

#[test]
fn a48_a_ci_system_finds_no_command_in_a_file_of_a_stranger() {
    let shell = Shell::example("quickstart").with("GITHUB_ACTIONS", "true");
    let title = "title: \"see ##[add-mask]x and ##vso[task.setvariable variable=a]b\"\nbad: 1\n";
    let text = shell.read("connections/warehouse.yaml");
    shell.put("connections/warehouse.yaml", &format!("{title}{text}"));
    for arguments in [
        &["validate"][..],
        &["validate", "--format", "concise"],
        &["validate", "--format", "json"],
        &["validate", "--format", "github"],
    ] {
        let ended = shell.run(arguments);
        assert!(!ended.stdout.contains("##") && !ended.stderr.contains("##"), "{arguments:?}: {ended:#?}");
    }
    shell.put("connections/warehouse.yaml", &text.replace("title: Warehouse", "title: \"##[stop]\""));
    for arguments in
        [&["render", "prod", "--format", "json"][..], &["list"], &["list", "--format", "json"], &["plan", "prod"]]
    {
        let ended = shell.ok(arguments);
        assert!(!ended.stdout.contains("##"), "{arguments:?}: {ended:#?}");
    }
}

#[test]
fn f23_a_connector_that_is_not_there_is_no_empty_list() {
    let shell = Shell::example("quickstart");
    let ended = shell.run(&["list", "--connector", "postgres"]);
    assert_eq!(ended.code, 64, "{ended:#?}");
    assert!(
        ended.stderr.contains("there is no connector `postgres`")
            && ended.stderr.contains("did you mean `postgresql`?")
    );
    shell.ok(&["list", "--connector", "s3"]);
}
