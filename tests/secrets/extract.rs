//! `secret extract` and `adopt`: how a team with plaintext, or with sops files of its own, moves in.

use std::fs;

use super::{DEV, PROD, commit, edit, get, quickstart, set};
use crate::shell::{Shell, feed, sops};

#[test]
fn z29_plaintext_is_moved_and_the_comment_beside_it_stays() {
    let shell = quickstart();
    edit(
        &shell,
        "connections/hubspot.yaml",
        "${{ secrets.HUBSPOT_TOKEN }}",
        "pat-na1-0123456789abcdef   # from the wiki",
    );
    assert_eq!(shell.run(&["validate"]).code, 1);
    let ended = shell.ok(&["secret", "extract"]);
    assert!(ended.stderr.contains("connections/hubspot.yaml:"), "{ended:#?}");
    assert!(!ended.stderr.contains("pat-na1"), "{ended:#?}");
    let text = shell.read("connections/hubspot.yaml");
    assert!(text.contains("access_token: ${{ secrets.HUBSPOT_ACCESS_TOKEN }}   # from the wiki\n"), "{text}");
    for environment in ["dev", "prod"] {
        assert_eq!(get(&shell, "HUBSPOT_ACCESS_TOKEN", environment), "pat-na1-0123456789abcdef");
    }
    shell.ok(&["validate"]);
    assert!(shell.ok(&["secret", "extract"]).stderr.contains("no secret field holds a value in clear"));
}

/// Every style that a value can be written in: the line reads as before, with a reference in its place.
#[test]
fn x17_a_value_is_found_in_every_style() {
    for (written, value) in [
        ("  password: hunter22", "hunter22"),
        ("  password: 'it''s'", "it's"),
        ("  password: \"tab\\there\"", "tab\there"),
        ("  password: |\n    -----BEGIN\n    x\n    -----END\n", "-----BEGIN\nx\n-----END\n"),
        ("  password: >-\n    folded\n    text\n", "folded text"),
        ("  password: 12345678", "12345678"),
        ("  password:\n    hunter22", "hunter22"),
        // The language's own spelling of `${{`.
        ("  password: 'hunter$${{22'", "hunter${{22"),
    ] {
        let shell = quickstart();
        let old = shell.read("credentials/warehouse-db.yaml");
        let line = old.lines().find(|line| line.trim_start().starts_with("password:")).unwrap();
        edit(&shell, "credentials/warehouse-db.yaml", line, written);
        shell.ok(&["secret", "extract", "credentials"]);
        let text = shell.read("credentials/warehouse-db.yaml");
        assert!(text.contains("${{ secrets.WAREHOUSE_DB_PASSWORD }}"), "{written}\n{text}");
        shell.ok(&["validate"]);
        assert_eq!(get(&shell, "WAREHOUSE_DB_PASSWORD", "prod"), value, "{written}");
    }
}

#[test]
fn a_value_in_brackets_is_quoted_and_one_of_an_environment_stays_its_own() {
    let shell = quickstart();
    fs::create_dir_all(shell.folder.join("environments/prod/connections")).unwrap();
    let overlay = "environments/prod/connections/hubspot.yaml";
    let old = shell.folder.join(overlay).exists();
    assert!(!old, "the example has no overlay of hubspot");
    shell.put(overlay, "auth: {access_token: pat-na1-prodprodprod} # for now\n");
    let dev = shell.read(DEV);
    shell.ok(&["secret", "extract"]);
    assert_eq!(shell.read(overlay), "auth: {access_token: \"${{ secrets.HUBSPOT_ACCESS_TOKEN }}\"} # for now\n");
    assert_eq!(shell.read(DEV), dev);
    assert_eq!(get(&shell, "HUBSPOT_ACCESS_TOKEN", "prod"), "pat-na1-prodprodprod");
    shell.ok(&["validate"]);
}

/// What can't be moved is told, with the line and what to do, and never called clean.
#[test]
fn a_secret_where_none_can_stand_is_told_and_stays() {
    let shell = quickstart();
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "${{ vars.token }}");
    edit(&shell, "tieline.yaml", "recipients:", "vars: {token: pat-na1-0123456789abcdef}\nrecipients:");
    edit(
        &shell,
        "connections/warehouse.yaml",
        "database: ",
        "application_name: ghp_0123456789abcdefghijABCDEFGHIJ012345\n  database: ",
    );
    let before = (shell.read("tieline.yaml"), shell.read("connections/warehouse.yaml"));
    let ended = shell.run(&["secret", "extract"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    for told in ["tieline.yaml:", "connections/warehouse.yaml:", " stays: ", "nothing else to move"] {
        assert!(ended.stderr.contains(told), "{told}: {ended:#?}");
    }
    assert!(!ended.stderr.contains("pat-na1") && !ended.stderr.contains("ghp_"), "{ended:#?}");
    assert_eq!((shell.read("tieline.yaml"), shell.read("connections/warehouse.yaml")), before);
}

#[test]
fn a_dry_run_and_one_without_a_key_change_nothing() {
    let shell = quickstart();
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "pat-na1-0123456789abcdef");
    let before = (shell.read("connections/hubspot.yaml"), shell.read(PROD));
    assert!(shell.ok(&["secret", "extract", "--dry-run"]).stderr.contains("HUBSPOT_ACCESS_TOKEN in"));
    let keyless = shell.with("SOPS_AGE_KEY_FILE", "/nowhere");
    assert_eq!(keyless.run(&["secret", "extract"]).code, 1);
    assert_eq!((keyless.read("connections/hubspot.yaml"), keyless.read(PROD)), before);
}

/// A file that stock sops made has no scope: adopted, it is tied to its place, under a new data key.
#[test]
fn n07_a_file_of_stock_sops_moves_in() {
    let Some(sops) = sops() else { return };
    let shell = quickstart();
    shell.put("plain.yaml", "HUBSPOT_TOKEN: theirs\nWAREHOUSE_PASSWORD: also theirs\n");
    // It finds the recipients in `.sops.yaml`, by the name that the file is to have.
    let made = feed(shell.command(&sops).args(["encrypt", "--filename-override", PROD, "plain.yaml"]), "");
    assert_eq!(made.code, 0, "{made:#?}");
    fs::remove_file(shell.folder.join("plain.yaml")).unwrap();
    shell.put(PROD, &made.stdout);
    let warned = shell.run(&["validate"]);
    assert!(warned.stdout.contains("secrets-unscoped"), "{warned:#?}");
    assert_eq!(shell.run(&["secret", "adopt", "-e", "prod"]).code, 64, "nobody is there to ask");
    let ended = shell.ok(&["secret", "adopt", "-e", "prod", "--yes"]);
    assert!(ended.stderr.contains("2 secrets: `HUBSPOT_TOKEN`, `WAREHOUSE_PASSWORD`"), "{ended:#?}");
    assert!(ended.stderr.contains("does not say what it was sealed for"), "{ended:#?}");
    let text = shell.read(PROD);
    let line = |text: &str| text.lines().find(|line| line.starts_with("HUBSPOT_TOKEN:")).unwrap().to_owned();
    assert_ne!(line(&made.stdout), line(&text));
    assert!(shell.ok(&["validate"]).stdout.contains("no problems"));
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "theirs");
}

/// A file of another environment is another environment's, until somebody says otherwise.
#[test]
fn a66_a_moved_file_is_refused_until_it_is_adopted() {
    let shell = quickstart();
    let dev = shell.read(DEV);
    shell.put(PROD, &dev);
    assert_eq!(shell.run(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]).code, 5);
    let ended = shell.ok(&["secret", "adopt", "-e", "prod", "--yes"]);
    assert!(ended.stderr.contains("it was sealed for `environments/dev`"), "{ended:#?}");
    assert_eq!(get(&shell, "HUBSPOT_TOKEN", "prod"), "replace-me");
}

#[test]
fn a_file_from_elsewhere_is_taken_in_and_left_where_it_was() {
    let shell = quickstart();
    let recipient = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";
    shell.put("old.json", "{\"API_KEY\": \"kelp\"}\n");
    shell.ok(&["sops", "encrypt", "-i", "old.json", "--age", recipient]);
    let ended = shell.ok(&["secret", "adopt", "old.json", "-e", "prod", "--yes"]);
    assert!(ended.stderr.contains("no connection uses `API_KEY`"), "{ended:#?}");
    assert_eq!(get(&shell, "API_KEY", "prod"), "kelp");
    assert!(shell.folder.join("old.json").exists());
    for (text, told) in [
        ("{\"db\": {\"pw\": \"x\"}}", "`db` is nested"),
        ("{\"a-b\": \"x\"}", "`a-b` can't be a name"),
        ("{\"A\": 5}", "`A` is no string"),
        ("{\"A\": \"\"}", "`A` is empty"),
        ("{\"A\": null}", "`A` is null"),
        ("{\"API_KEY\": \"another\"}", "it has other values for API_KEY"),
    ] {
        shell.put("odd.json", text);
        shell.ok(&["sops", "encrypt", "-i", "odd.json", "--age", recipient]);
        let before = shell.read(PROD);
        let ended = shell.run(&["secret", "adopt", "odd.json", "-e", "prod", "--yes"]);
        assert_eq!((ended.code, shell.read(PROD) == before), (1, true), "{ended:#?}");
        assert!(ended.stderr.contains(told), "{told}\n{}", ended.stderr);
    }
}

/// X17: what was ever committed is found, with the first commit that had it, and never shown.
#[test]
fn x17_plaintext_in_git_history_is_found_and_not_shown() {
    let shell = Shell::example("quickstart").with_demo_identity();
    commit(&shell, "clean");
    let clean = shell.run(&["audit", "--history"]);
    assert!(!clean.stdout.contains("plaintext in Git's history"), "{clean:#?}");
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "pat-na1-0123456789abcdef");
    commit(&shell, "oops");
    shell.ok(&["secret", "extract"]);
    commit(&shell, "moved");
    shell.put(DEV, "HUBSPOT_TOKEN: in-clear-for-a-day\n");
    commit(&shell, "oops again");
    shell.put(DEV, &quickstart().read(DEV));
    commit(&shell, "restored");
    let ended = shell.run(&["audit", "--history"]);
    assert_eq!(ended.code, 1);
    let section = ended.stdout.split("plaintext in Git's history").nth(1).unwrap();
    assert!(section.contains("auth.access_token") && section.contains("connections/hubspot.yaml:"), "{section}");
    assert!(section.contains(DEV) && section.contains("HUBSPOT_TOKEN"), "{section}");
    assert!(section.contains("by Ana on 20"), "{section}");
    for value in ["pat-na1", "in-clear-for"] {
        assert!(!ended.stdout.contains(value) && !ended.stderr.contains(value), "{ended:#?}");
    }
}

/// A file in the shell's folder, with the folders that it needs.
fn write(shell: &Shell, path: &str, text: &str) {
    fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

/// What `validate` tells, by code.
fn codes(shell: &Shell) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_str(&shell.run(&["validate", "--format", "json"]).stdout).unwrap();
    report["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap().to_owned()).collect()
}

/// What takes part in nothing is moved too, into the file from which it could be taken.
#[test]
fn a106_plaintext_that_takes_no_part_is_moved() {
    let value = "otter-hunter-2";
    let api = format!("connector: openai\nauth: {{mode: api_key, api_key: {value}}}\n");
    for (path, text, home) in [
        ("credentials/old.yaml", format!("auth:\n  mode: password\n  username: x\n  password: {value}\n"), PROD),
        ("connections/off.yaml", format!("enabled: false\n{api}"), PROD),
        ("environments/dev/credentials/old.yaml", format!("auth: {{mode: password, password: {value}}}\n"), DEV),
        (
            "customers/globex/connections/off.yaml",
            format!("scope: customer\n{api}"),
            "customers/globex/secrets.sops.yaml",
        ),
        (
            "customers/globex/environments/prod/connections/off.yaml",
            format!("scope: customer\n{api}"),
            "customers/globex/environments/prod/secrets.sops.yaml",
        ),
        (
            "customers/globex/profiles/night/credentials/off.yaml",
            format!("auth: {{mode: password, password: {value}}}\n"),
            "customers/globex/profiles/night/secrets.sops.yaml",
        ),
        (
            "environments/prod/profiles/night/credentials/off.yaml",
            format!("auth: {{mode: password, password: {value}}}\n"),
            "environments/prod/profiles/night/secrets.sops.yaml",
        ),
    ] {
        let shell = quickstart();
        write(&shell, "customers/globex/customer.yaml", "description: none yet\n");
        write(&shell, path, &text);
        assert!(codes(&shell).contains(&"plaintext-secret".to_owned()), "{path}");
        let ended = shell.ok(&["secret", "extract"]);
        assert!(ended.stderr.contains(home) && !ended.stderr.contains(value), "{path}: {ended:#?}");
        assert!(!codes(&shell).contains(&"plaintext-secret".to_owned()), "{path}: {:?}", codes(&shell));
        assert!(!shell.read(path).contains(value), "{path}");
        let opened = shell.ok(&["sops", "decrypt", home]);
        assert!(opened.stdout.contains(value), "{path}: {opened:#?}");
    }
}

/// A value of the root that each environment overrides: into the file of each, and what is in force stays.
#[test]
fn a106_an_overridden_value_is_moved_and_what_is_compiled_stays() {
    let shell = quickstart();
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "pat-na1-0123456789abcdef");
    for environment in ["dev", "prod"] {
        let path = format!("environments/{environment}/connections/hubspot.yaml");
        write(&shell, &path, "auth: {access_token: \"${{ secrets.HUBSPOT_TOKEN }}\"}\n");
    }
    shell.ok(&["secret", "extract"]);
    assert!(shell.ok(&["validate"]).stdout.contains("no problems"));
    let rendered = shell.ok(&["render", "prod", "hubspot"]).stdout;
    assert!(rendered.contains("- HUBSPOT_TOKEN"), "{rendered}");
}

/// Where each customer has a connection of its own, the value goes to those that list it; where no file could hold it, what
/// to do is said.
#[test]
fn a106_a_value_for_customers_goes_to_the_customers_or_stays_with_what_to_do() {
    let tenants = || Shell::example("tenants").with_demo_identity();
    let shell = tenants();
    edit(&shell, "connections/shop.yaml", "${{ secrets.UPSALES_KEY }}", "otter-hunter-2");
    shell.ok(&["secret", "extract"]);
    shell.ok(&["validate"]);
    for customer in ["globex", "initech"] {
        let ended = shell.ok(&["secret", "get", "SHOP_API_KEY", "--customer", customer]);
        assert_eq!(ended.stdout, "otter-hunter-2");
    }
    // In a credential: into the files of the customers of who links it, whatever else there is.
    let shell = tenants();
    let shop = shell.read("connections/shop.yaml");
    let (rest, _) = shop.split_once("auth:\n").unwrap();
    shell.put("connections/shop.yaml", &format!("{rest}credential: shop-login\n"));
    write(&shell, "credentials/shop-login.yaml", "auth:\n  mode: api_key\n  api_key: otter-hunter-2\n");
    shell.ok(&["secret", "extract"]);
    for customer in ["globex", "initech"] {
        let file = shell.read(&format!("customers/{customer}/secrets.sops.yaml"));
        assert!(file.contains("SHOP_LOGIN_API_KEY: ENC["), "{file}");
    }
    // With an environment: into the customers' files of that one.
    let shell = tenants();
    edit(&shell, "connections/shop.yaml", "${{ secrets.UPSALES_KEY }}", "otter-hunter-2");
    shell.ok(&["secret", "extract", "-e", "prod"]);
    for customer in ["globex", "initech"] {
        let file = shell.read(&format!("customers/{customer}/environments/prod/secrets.sops.yaml"));
        assert!(file.contains("SHOP_API_KEY: ENC["), "{file}");
    }
    // In an environment, or with one, that not all of them have: into theirs alone.
    let shell = tenants();
    let overlay = "environments/prod-us/connections/shop.yaml";
    write(&shell, overlay, "auth: {api_key: otter-hunter-2}\n");
    shell.ok(&["secret", "extract"]);
    let there = |shell: &Shell, customer: &str| {
        shell.folder.join(format!("customers/{customer}/environments/prod-us/secrets.sops.yaml")).exists()
    };
    assert!(there(&shell, "globex") && !there(&shell, "initech") && !shell.read(overlay).contains("otter"));
    let shell = tenants();
    edit(&shell, "connections/shop.yaml", "${{ secrets.UPSALES_KEY }}", "otter-hunter-2");
    shell.run(&["secret", "extract", "-e", "prod-us"]);
    assert!(there(&shell, "globex") && !there(&shell, "initech"));
    // In a profile: into those of the customers that the environment has.
    let shell = tenants();
    let profile = "environments/prod/profiles/test/connections/shop.yaml";
    write(&shell, profile, "auth: {api_key: otter-hunter-2}\n");
    shell.ok(&["secret", "extract"]);
    for customer in ["globex", "initech"] {
        let file = shell.read(&format!("customers/{customer}/profiles/test/secrets.sops.yaml"));
        assert!(file.contains("SHOP_API_KEY: ENC["), "{file}");
    }
    assert!(!shell.read(profile).contains("otter"));
    // Global in every instance: the organization's.
    let shell = tenants();
    edit(&shell, "connections/crm.yaml", "${{ secrets.HUBSPOT_APP_SECRET }}", "otter-hunter-2");
    shell.ok(&["secret", "extract"]);
    shell.ok(&["validate"]);
    // Nobody lists it; each customer supplies its own.
    let shell = tenants();
    write(
        &shell,
        "connections/alone.yaml",
        "connector: openai\nscope: customer\nauth: {mode: api_key, api_key: otter-hunter-2}\n",
    );
    let crm = shell.read("connections/crm.yaml");
    shell.put("connections/crm.yaml", &(crm + "  refresh_token: otter-hunter-3\n"));
    let before = shell.read("connections/alone.yaml");
    let ended = shell.run(&["secret", "extract"]);
    assert_eq!((ended.code, shell.read("connections/alone.yaml") == before), (1, true), "{ended:#?}");
    for told in ["`connections: [alone]`", "each customer supplies its own for `crm`: delete the line"] {
        assert!(ended.stderr.contains(told), "{told}: {ended:#?}");
    }
    assert!(!ended.stderr.contains("otter"), "{ended:#?}");
}

/// What a reference can't stand in for stays, with what to do.
#[test]
fn a106_an_alias_an_empty_text_and_what_is_removed_stay() {
    let old = "auth:\n  mode: password\n";
    for (text, told) in [
        (
            format!("title: &a otter-hunter-2\n{old}  password: *a\n"),
            "an alias puts it into a field that is not secret too",
        ),
        (format!("{old}  password: ''\n"), "it is empty"),
        (format!("{old}  password: {{$remove: [otter-hunter-2]}}\n"), "write the list without it"),
        (format!("{old}  password: \"otter-${{{{ env.name }}}}\"\n"), "no variable can hold a secret"),
    ] {
        let shell = quickstart();
        write(&shell, "credentials/old.yaml", &text);
        let ended = shell.run(&["secret", "extract"]);
        assert_eq!((ended.code, shell.read("credentials/old.yaml")), (1, text), "{ended:#?}");
        assert!(ended.stderr.contains(told) && !ended.stderr.contains("otter"), "{told}: {ended:#?}");
    }
    // Aliases among secret fields are one value.
    let shell = quickstart();
    write(&shell, "credentials/old.yaml", &format!("{old}  password: &a otter-hunter-2\n  token: *a\n"));
    shell.ok(&["secret", "extract"]);
    assert!(shell.read("credentials/old.yaml").contains("password: &a ${{ secrets.OLD_PASSWORD }}\n  token: *a\n"));
}

/// The name that a value would get is that of another secret, sealed or in a store: it gets another name.
#[test]
fn e2_11_a_name_that_is_taken_is_not_taken_again() {
    let shell = quickstart();
    set(&shell, "HUBSPOT_ACCESS_TOKEN", "prod", "what stands there");
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "pat-na1-typed-in-clear");
    let dev = shell.read("environments/dev/environment.yaml");
    shell.put(
        "environments/dev/environment.yaml",
        &format!("{dev}secrets: {{HUBSPOT_ACCESS_TOKEN_2: 'vault://kv/x#y'}}\n"),
    );
    shell.ok(&["secret", "extract", "--yes"]);
    let name = "HUBSPOT_ACCESS_TOKEN_3";
    assert!(shell.read("connections/hubspot.yaml").contains(&format!("${{{{ secrets.{name} }}}}")));
    for environment in ["dev", "prod"] {
        assert_eq!(get(&shell, name, environment), "pat-na1-typed-in-clear");
    }
    assert_eq!(get(&shell, "HUBSPOT_ACCESS_TOKEN", "prod"), "what stands there");
    shell.ok(&["validate"]);
}

/// One value is one secret, wherever it stands in a layer; and a label is shown, so that none can stand there.
#[test]
fn e2_11_one_value_gets_one_name_and_what_is_stuck_stays() {
    let shell = quickstart();
    edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "pat-na1-typed-in-clear");
    shell.put("connections/second.yaml", &shell.read("connections/hubspot.yaml").replace("title: ", "title: Second "));
    edit(&shell, "connections/warehouse.yaml", "labels:\n", "labels:\n  db_password: hunter-in-clear-7\n");
    let warehouse = shell.read("connections/warehouse.yaml");
    let ended = shell.run(&["secret", "extract", "--yes"]);
    assert!(ended.stderr.contains("no secret can stand here"), "{ended:#?}");
    assert_eq!(shell.read("connections/warehouse.yaml"), warehouse);
    let reference = "access_token: ${{ secrets.HUBSPOT_ACCESS_TOKEN }}";
    for file in ["connections/hubspot.yaml", "connections/second.yaml"] {
        assert!(shell.read(file).contains(reference), "{}", shell.read(file));
    }
    assert_eq!(get(&shell, "HUBSPOT_ACCESS_TOKEN", "prod"), "pat-na1-typed-in-clear");
}

/// A value of the root goes into the files of all environments, or of those that are named.
#[test]
fn e2_11_a_value_of_the_root_goes_where_it_is_told() {
    for (only, files) in
        [(&[][..], [true, true]), (&["-e", "dev"], [true, false]), (&["-e", "prod", "-e", "dev"], [true; 2])]
    {
        let shell = quickstart();
        edit(&shell, "connections/hubspot.yaml", "${{ secrets.HUBSPOT_TOKEN }}", "pat-na1-typed-in-clear");
        shell.run(&[&["secret", "extract", "--yes"], only].concat());
        let has = ["dev", "prod"].map(|environment| {
            let path = format!("environments/{environment}/secrets.sops.yaml");
            shell.folder.join(&path).exists() && shell.read(&path).contains("HUBSPOT_ACCESS_TOKEN: ENC[")
        });
        assert_eq!(has, files, "{only:?}");
    }
}
