//! What a message quotes of a value, and what it must not.

use crate::support::Folder;

const SECRETS: &str = "secrets: {A: 'env:A', B: 'env:B', C: 'env:C', D: 'env:D', E: 'env:E'}\n";

/// A workspace of one connection, whose environment has these variables and some secrets.
fn workspace(connection: &str, vars: &str) -> Folder {
    let folder = Folder::bare().with("connections/c.yaml", connection);
    folder.with("environments/dev/environment.yaml", format!("{vars}{SECRETS}"))
}

/// Code and message of everything told.
fn told(folder: &Folder) -> Vec<(String, String)> {
    let report = folder.json();
    let text = |d: &serde_json::Value, key: &str| d[key].as_str().unwrap().to_owned();
    report["diagnostics"].as_array().unwrap().iter().map(|d| (text(d, "code"), text(d, "message"))).collect()
}

fn database(config: &str, auth: &str) -> String {
    format!("connector: postgresql\nconfig: {{host: db.example.com, database: d{config}}}\nauth: {{{auth}}}\n")
}

const PASSWORD: &str = "mode: password, username: u, password: '${{ secrets.A }}'";

#[test]
fn e2_11_a_value_of_up_to_40_letters_is_quoted() {
    for (length, quoted) in [(40, true), (41, false)] {
        let mode = "ä".repeat(length);
        let told = told(&workspace(&database(&format!(", tls: {{mode: {mode}}}"), PASSWORD), ""));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].1.contains(&mode), quoted, "{told:?}");
    }
}

#[test]
fn e2_11_four_secrets_are_named_and_the_others_counted() {
    let named = |names: &[&str]| names.iter().map(|name| format!("${{{{ secrets.{name} }}}}")).collect::<String>();
    for (names, words) in [
        (&["A", "B", "C", "D"][..], "the secret `A`, `B`, `C`, `D` in `"),
        (&["A", "B", "C", "D", "E"], "the secret `A`, `B`, `C`, `D` and 1 more in `"),
    ] {
        let connection = database("", PASSWORD).replace("database: d", &format!("database: '{}'", named(names)));
        let told = told(&workspace(&connection, ""));
        let one = told.iter().find(|(code, _)| code == "secret-in-clear").unwrap_or_else(|| panic!("{told:?}"));
        assert!(one.1.starts_with(words), "{told:?}");
    }
}

/// An empty choice is not called by its name.
#[test]
fn e2_11_an_empty_mode_is_not_a_mode_without_a_name() {
    let told = told(&workspace(&database("", "mode: ''"), ""));
    assert!(told.iter().all(|(_, message)| !message.contains("`auth.mode: `")), "{told:?}");
    assert!(told.iter().any(|(_, message)| message.contains("auth.mode")), "{told:?}");
}

/// A choice that is not a text is told of as any other value.
#[test]
fn e2_11_a_variant_that_is_not_a_text_has_no_name() {
    let told = told(&workspace("connector: elasticsearch\nconfig: {variant: 5}\nauth: {mode: none}\n", ""));
    assert!(told.iter().any(|(_, message)| message.contains("config.variant")), "{told:?}");
    assert!(told.iter().all(|(_, message)| !message.contains("`config.variant: `")), "{told:?}");
}

/// What stands in a secret field is not quoted, whatever the field is called and wherever it is.
#[test]
fn e2_11_a_number_in_a_secret_field_is_not_quoted() {
    const OWN: &str = r#"{"type": "object", "properties": {
      "config": {"properties": {"plain_word": {"type": "string", "writeOnly": true}, "door_password": {"type": "string"}}},
      "auth": {"properties": {"plain_word": {"type": "string", "writeOnly": true}, "other": {"type": "string"}}}
    }}"#;
    for (connection, field) in [
        ("config: {plain_word: 471147}\nauth: {}\n", "config.plain_word"),
        ("config: {}\nauth: {plain_word: 471147}\n", "auth.plain_word"),
    ] {
        let folder = workspace(&format!("connector: own\n{connection}"), "").with("connectors/own.json", OWN);
        let run = folder.validate();
        assert!(run.code == 1 && run.stdout.contains(field), "{}", run.stdout);
        assert!(
            !run.stdout.contains("471147") && !folder.json().to_string().contains("471147"),
            "{field}\n{}",
            run.stdout
        );
    }
}

/// Nobody knows which fields of a login are secret where its mode is not known, or is missing; and nothing that stands beside
/// what is told of is printed.
#[test]
fn e2_11_beside_an_unknown_mode_nothing_of_a_login_is_shown() {
    for auth in [
        "mode: pasword, username: otter-hunter-2",
        "mode: pasword, username: otter-hunter-2, password: '${{ secrets.A }}'",
        "mode: zzzzzzzzz, token_url: 'https://otter-hunter-2.example'",
        "username: otter-hunter-2",
        "mode: '', username: otter-hunter-2",
    ] {
        let folder = workspace(&database("", auth), "");
        let run = folder.validate();
        assert_eq!(run.code, 1, "{}", run.stdout);
        assert!(!run.stdout.contains("otter"), "{auth}\n{}", run.stdout);
        assert!(!folder.json().to_string().contains("otter"), "{auth}");
    }
}

/// What belongs into a login and stands at the top of the file is as secret as it would be there.
#[test]
fn e2_11_a_field_of_a_login_at_the_top_of_a_file_is_not_shown() {
    let login = "auth: {mode: password, username: u}\nconfig: {host: db.example.com";
    for (line, rest, block, shown) in [
        ("password: otter-hunter-2", "database: d}", "auth", false),
        ("username: otter-hunter-2", "database: d}", "auth", false),
        ("database: otterbase", "port: 5432}", "config", true),
    ] {
        let login = if line.starts_with("username") { login.replace(", username: u", "") } else { login.to_owned() };
        let folder = workspace(&format!("connector: postgresql\n{line}\n{login}, {rest}\n"), "");
        let run = folder.validate();
        assert!(run.code == 1 && run.stdout.contains(&format!("it belongs under `{block}`")), "{}", run.stdout);
        assert_eq!(run.stdout.contains("otter"), shown, "{}", run.stdout);
    }
}

/// `auth` below a name that says secret says how to log in; what stands beside it does not.
#[test]
fn e2_11_auth_in_a_variable_says_how_to_log_in() {
    let told = |vars: &str| {
        let folder = workspace(&database("", PASSWORD), &format!("vars:\n  portal_password:\n    {vars}\n"));
        folder.codes().contains(&"secret-named-value".to_owned())
    };
    assert!(!told("auth: basic"));
    assert!(told("first: otter-hunter-2"));
}

/// What is as long as a secret is not taken for the name of a choice.
#[test]
fn e2_11_a_choice_of_up_to_23_letters_is_named() {
    for (length, named) in [(23, true), (24, false)] {
        let variant = "v".repeat(length);
        let connection = format!("connector: elasticsearch\nconfig: {{variant: {variant}}}\nauth: {{mode: none}}\n");
        let told = told(&workspace(&connection, ""));
        assert!(told.iter().any(|(_, message)| message.contains("config.variant")), "{told:?}");
        let is = told.iter().any(|(_, message)| message.contains(&format!("`config.variant: {variant}`")));
        assert_eq!(is, named, "{told:?}");
    }
}

/// Where a value was brought in from elsewhere, the secret goes into the field and not to that line.
#[test]
fn e2_11_a_secret_goes_where_the_field_is() {
    let helps = |connection: &str, vars: &str| -> Vec<String> {
        let report = workspace(connection, vars).json();
        let told = report["diagnostics"].as_array().unwrap().iter().filter(|d| d["code"] == "plaintext-secret");
        told.map(|d| d["help"].as_str().unwrap().to_owned()).collect()
    };
    let here = helps(&database("", "mode: password, username: u, password: otter-hunter-2"), "");
    assert!(here.len() == 1 && here[0].ends_with("}} here"), "{here:?}");
    let field = database("", "mode: password, username: u, password: '${{ vars.word }}'");
    // Whichever of the two stands further from the beginning of its file.
    for before in ["", &"# far behind the field\n".repeat(40)] {
        let there = helps(&field, &format!("{before}vars: {{word: otter-hunter-2}}\n"));
        assert!(there.len() == 1 && there[0].ends_with("}} in that field"), "{there:?}");
    }
}

#[test]
fn e2_11_a_path_is_written_so_that_its_parts_can_be_told_apart() {
    use tieline::value::path::dotted;
    for (pointer, path) in
        [("/config/a", "config.a"), ("/config/a.b", "config.\"a.b\""), ("/config/", "config.\"\""), ("/a b", "\"a b\"")]
    {
        assert_eq!(dotted(pointer), path);
    }
}

/// A mask instead of quotes would look like a value that was typed in clear.
#[test]
fn f04_the_quotes_of_an_expression_are_no_value() {
    for (written, shown) in [
        (r#""${{ secrets.FINANCE_PASSWORD }}""#, r#""${{ secrets.FINANCE_PASSWORD }}""#),
        ("'${{ secrets.FINANCE_PASSWORD }}'", "'${{ secrets.FINANCE_PASSWORD }}'"),
        (r#""hunter2${{ secrets.FINANCE_PASSWORD }}""#, r#""********${{ secrets.FINANCE_PASSWORD }}""#),
        ("'${{ secrets.FINANCE_PASSWORD }}hunter2'", "'${{ secrets.FINANCE_PASSWORD }}********'"),
    ] {
        let connection = format!("connector: hubspot\nauth: {{mode: private_app, acess_token: {written}}}\n");
        let told = Folder::base().with("connections/crm.yaml", connection).validate().stdout;
        assert!(told.contains(&format!("acess_token: {shown}}}")) && !told.contains("hunter2"), "{told}");
    }
}
