//! Rules, policies and excuses, as somebody who keeps a workspace meets them.

use tieline::rules::RULES;

use crate::support::{Folder, Run};

const HEAD: &str = "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nkeys: {ops: age1vr9l69vvtreuntmsvsu4keme3jwsa25plc4fcngeyfn9v64u2eqqjzhu3u}\nrecipients: [ops]\n";
const TOKEN: &str = "Zk9Qw3Lr7Tx2Vb5Nm8Pc4Hs6Jd1Fg0Ya";

/// The base workspace with one more connection, and with this at the end of `tieline.yaml`.
fn workspace(connection: &str, settings: &str) -> Folder {
    let folder = Folder::base();
    folder.put("connections/more.yaml", connection);
    folder.put("tieline.yaml", format!("{HEAD}{settings}"));
    folder
}

fn http(rest: &str) -> String {
    format!(
        "connector: http\nconfig:\n  base_url: https://api.acme.example\n  headers:\n    X-Trace: {TOKEN}{rest}\nauth: {{mode: none}}\n"
    )
}

#[test]
fn z15_a_level_decides_what_a_rule_weighs() {
    let codes = |settings: &str| {
        let Run { code, .. } = workspace(&http(""), settings).validate();
        (code, workspace(&http(""), settings).codes())
    };
    assert_eq!(codes(""), (0, vec!["secret-shaped-value".to_owned()]), "a warning stops nothing");
    assert_eq!(codes("rules: {secret-shaped-value: error}\n"), (1, vec!["secret-shaped-value".to_owned()]));
    assert_eq!(codes("rules: {secret-shaped-value: 'off'}\n"), (0, Vec::new()));
    let shown = workspace(&http(""), "").validate();
    assert!(!shown.stdout.contains(TOKEN), "the value is never shown: {}", shown.stdout);
}

#[test]
fn an_excuse_stands_on_its_line_or_alone_above_it_and_has_a_reason() {
    assert_eq!(workspace(&http("   # tieline: allow secret-shaped-value of a test account"), "").codes(), [""; 0]);
    let above =
        http("").replace("    X-Trace", "    # tieline: allow secret-shaped-value of a test account\n    X-Trace");
    assert_eq!(workspace(&above, "").codes(), [""; 0]);
    let elsewhere = format!("# tieline: allow secret-shaped-value too far away\n{}", http(""));
    assert_eq!(workspace(&elsewhere, "").codes(), ["unused-excuse", "secret-shaped-value"]);
    // A value is no comment.
    let value = http("").replace("mode: none", "mode: none, x: '# tieline: allow secret-shaped-value because'");
    assert!(workspace(&value, "").codes().contains(&"secret-shaped-value".to_owned()));
}

#[test]
fn overdue_rotation_is_at_most_a_warning_x20() {
    let folder = workspace(&http("").replace(TOKEN, "x"), "rules: {overdue-rotation: error}\n");
    let credential = "connectors: [postgresql]\nrotate_every: 90d\nrotated: '2020-01-31'\nrunbook: https://wiki.acme.example/rotate\nauth: {mode: password, username: f, password: '${{ secrets.FINANCE_PASSWORD }}'}\n";
    folder.put("credentials/finance-db.yaml", credential);
    let run = folder.validate();
    assert_eq!(run.code, 0, "yesterday's green commit stays green: {}", run.stdout);
    assert!(run.stdout.contains("warning[overdue-rotation]"), "{}", run.stdout);
    assert!(run.stdout.contains("overdue since 2020-04-30"), "{}", run.stdout);
    assert!(run.stdout.contains("runbook: https://wiki.acme.example/rotate"), "{}", run.stdout);
    folder.put("credentials/finance-db.yaml", credential.replace("2020-01-31", "2999-01-31"));
    assert_eq!(folder.codes(), [""; 0]);
}

#[test]
fn x20_a_rotation_runbook_and_its_dates_are_checked() {
    for (every, fits) in
        [("90d", true), ("12 weeks", true), ("P90D", true), ("6mo", true), ("3h", false), ("often", false)]
    {
        let folder = Folder::base();
        folder.put("credentials/finance-db.yaml", format!("rotate_every: '{every}'\nrotated: '2999-01-31'\nauth: {{mode: password, username: f, password: '${{{{ secrets.FINANCE_PASSWORD }}}}'}}\n"));
        assert_eq!(folder.codes().is_empty(), fits, "{every}: {:?}", folder.codes());
    }
}

#[test]
fn x07_names_have_the_form_that_the_workspace_asks_for() {
    let settings = "rules: {naming: {level: warning, pattern: '^(finance|landing|[a-z]+-[a-z]+)$'}}\n";
    let plain = http("").replace(TOKEN, "x");
    assert_eq!(workspace(&plain, settings).codes(), ["naming"]);
    assert_eq!(workspace(&plain, "").codes(), [""; 0], "off until there is a pattern");
}

#[test]
fn x08_x11_x33_x37_c23_p25_each_has_a_rule_with_a_page() {
    for code in [
        "duplicate-endpoint",
        "mixed-residency",
        "credential-in-url",
        "generic-http-for-known-vendor",
        "extract-on-primary",
        "literal-credential-in-consumer",
        "exposes-organization",
    ] {
        assert!(RULES.iter().any(|rule| rule.code == code), "{code}");
    }
    for rule in RULES {
        let page = rule.page();
        assert!(page.lines().next().is_some_and(|title| title.ends_with('.')), "{}: {page}", rule.code);
        assert!(page.contains("Instead") || page.contains("```yaml"), "{} says what to do instead", rule.code);
        let run = Folder::empty().run(&["rule", "show", rule.code]);
        assert_eq!(run.code, 0);
        assert!(run.stdout.starts_with(&format!("# {}\n\n", rule.code)), "{}", run.stdout);
    }
    let codes: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert!(
        codes.windows(2).all(|pair| pair[0] < pair[1] || pair[0].starts_with("generic")),
        "sorted, none twice: {codes:?}"
    );
}

#[test]
fn rule_show_explains_errors_too_and_knows_near_names() {
    let run = Folder::empty().run(&["rule", "show", "plaintext-secret"]);
    assert!(run.stdout.starts_with("# plaintext-secret\n\nA secret field holds a plain value.\n"), "{}", run.stdout);
    let run = Folder::empty().run(&["rule", "show", "plaintext-secrets"]);
    assert_eq!(run.code, 64);
    assert!(run.stderr.contains("did you mean `plaintext-secret`?"), "{}", run.stderr);
}

#[test]
fn rule_list_tells_the_levels_in_force() {
    let folder = workspace(&http("").replace(TOKEN, "x"), "rules: {unused-secret: error}\n");
    let rules: serde_json::Value =
        serde_json::from_str(&folder.run(&["rule", "list", "--format", "json"]).stdout).unwrap();
    let level = |code: &str| rules.as_array().unwrap().iter().find(|r| r["code"] == code).unwrap()["level"].clone();
    assert_eq!((level("unused-secret"), level("naming")), ("error".into(), "off".into()));
    assert_eq!(rules.as_array().unwrap().len(), RULES.len());
}

#[test]
fn a_policy_speaks_of_the_record_and_points_at_the_field() {
    let policy = "policy:\n  - name: owned\n    require: connection.owner\n    message: every connection has an owner\n    level: warning\n    environments: [prod]\n";
    let folder = workspace(&http("").replace(TOKEN, "x"), policy);
    folder.put(
        "connections/finance.yaml",
        format!("owner: team-finance\n{}", include_str!("../fixtures/base/connections/finance.yaml")),
    );
    let run = folder.validate();
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("`more` breaks the policy `owned`: every connection has an owner"), "{}", run.stdout);
    assert!(!run.stdout.contains("`finance` breaks"), "{}", run.stdout);
    assert!(run.stdout.contains("found in: prod"), "{}", run.stdout);
}

#[test]
fn n02_no_policy_learns_anything_of_a_secret() {
    let policy = |require: &str| {
        format!("policy:\n  - {{name: p, when: \"connection.id == 'finance'\", require: \"{require}\"}}\n")
    };
    let holds = |require: &str| {
        !workspace(&http("").replace(TOKEN, "x"), &policy(require)).codes().contains(&"policy".to_owned())
    };
    assert!(holds("connection.auth.password == '(secret)'"), "every secret is one and the same text");
    assert!(!holds("connection.auth.password == 'FINANCE_PASSWORD'"));
    assert!(!holds("connection.auth.token"), "what is not there is neither true nor an error");
    assert!(holds("connection.auth.username is defined"));
}

/// A misspelt name is never there: a policy that names it would say nothing for ever.
#[test]
fn f07_a_name_that_no_record_can_have_is_an_error_wherever_a_policy_says_it() {
    let codes = |policy: &str| {
        let folder = workspace(&http("").replace(TOKEN, "x"), &format!("policy:\n  - {policy}\n"));
        folder.put(
            "connections/landing.yaml",
            "connector: s3\nlabels: {tier: gold}\nconfig: {region: eu-central-1}\nauth: {mode: default}\n",
        );
        (folder.codes(), folder.validate().stdout)
    };
    for (wrong, help) in [
        ("{name: p, require: \"conection.owner\"}", "did you mean `connection`?"),
        ("{name: p, require: \"owner == 'x'\"}", "there are `connection`, `env`"),
        ("{name: p, when: \"env.nmae == 'prod'\", require: connection.id}", "did you mean `name`?"),
        ("{name: p, require: connection.id, message: \"${{ connection.ownr }}\"}", "did you mean `owner`?"),
        ("{name: p, require: \"connection.config.tls.mdoe == 'x'\"}", "did you mean `mode`?"),
        ("{name: p, require: \"connection['config']['hots'] == 'x'\"}", "did you mean `host`?"),
        ("{name: p, require: \"'x' in [connection.auth.usrname]\"}", "did you mean `username`?"),
        (
            "{name: p, require: \"connection.labels.teir == 'gold'\"}",
            "did you mean `tier`?; `connection.labels.teir is defined`",
        ),
        ("{name: p, level: 'off', require: \"connection.id | lowre\"}", ""),
        ("{name: p, require: \"connection.id | lowre == 'x'\"}", "did you mean `lower`?"),
        ("{name: p, require: \"connection.id is startingwth 'x'\"}", "did you mean `startingwith`?"),
    ] {
        let (codes, shown) = codes(wrong);
        let expected: &[&str] = if help.is_empty() { &[] } else { &["undefined-name"] };
        assert_eq!(codes, expected, "{wrong}\n{shown}");
        assert!(shown.contains(help), "{wrong}\n{shown}");
    }
    for right in [
        "{name: p, require: \"connection.labels.teir is not defined\"}",
        "{name: p, require: \"connection.labels.teir | default('x') == 'x'\"}",
        "{name: p, when: \"connection.config.params.anything == 'x'\", require: 'false'}",
        "{name: p, when: \"connection.connector == 'postgresql'\", require: \"connection.config.port < 65536\"}",
    ] {
        let (codes, shown) = codes(right);
        assert!(codes.is_empty(), "{right}\n{shown}");
    }
}

/// Of what a record does not have `==`, `<` and `in` are false and `!=` is true; what can't be evaluated is no excuse.
#[test]
fn f07_what_a_record_does_not_have_meets_no_requirement() {
    let broken = |policy: &str| {
        let folder = workspace(&http("").replace(TOKEN, "x"), &format!("policy:\n  - {policy}\n"));
        folder.validate().stdout.matches("breaks the policy").count()
    };
    // `landing` is on S3, which has no port; `finance` has one, and no owner.
    let of = |id: &str, require: &str| {
        broken(&format!("{{name: p, when: \"connection.id == '{id}'\", require: \"{require}\"}}"))
    };
    for (require, held) in [
        ("connection.config.port < 65536", false),
        ("connection.config.port > 0", false),
        ("connection.config.port == 1", false),
        ("connection.config.port != 1", true),
        ("connection.owner in ['team']", false),
        ("connection.owner not in ['team']", true),
        ("'x' in connection.config.port", false),
        ("1 < 2 and not connection.config.port < 9", true),
        ("connection.config.port + 1 > 0", false),
        ("connection.config.bucket | int > 0", false),
        ("'acme' in connection.config.bucket", true),
    ] {
        assert_eq!(of("landing", require) == 0, held, "{require}");
    }
    assert_eq!(of("finance", "connection.config.port < 65536"), 0);
    // Nobody knows whether the first is about S3: it is.
    assert!(
        broken("{name: p, when: \"connection.config.bucket | int > 0\", require: \"connection.connector != 's3'\"}")
            > 0
    );
}

/// A schema that refers to itself describes fields without end; one that can't be used leaves its fields unknown.
#[test]
fn f07_the_names_of_a_recursive_schema_are_bounded() {
    let policy = "policy:\n  - {name: p, require: \"connection.config.f1.f0.f1.f0.f1.f0.f1.z != 'x'\"}\n";
    for (count, codes) in [(2, &[][..]), (30, &["invalid-connector-schema"])] {
        let fields = crate::bounds::each(count, |i| format!("\"f{i}\": {{\"$ref\": \"#/$defs/n\"}}, "));
        let node = format!("{{\"type\": \"object\", \"properties\": {{{fields}\"z\": {{}}}}}}");
        let auth = "{\"properties\": {\"mode\": {}}}";
        let schema =
            format!("{{\"properties\": {{\"config\": {node}, \"auth\": {auth}}}, \"$defs\": {{\"n\": {node}}}}}");
        let folder = workspace(&http("").replace(TOKEN, "x"), policy);
        folder.put("connectors/own.json", schema);
        let cost = crate::bounds::run(&folder, 10, &["validate"]);
        assert_eq!(folder.codes(), codes, "{}", cost.stdout);
    }
}

#[test]
fn f07_a_message_says_whom_it_is_about() {
    let policy = "policy:\n  - {name: owned, require: connection.owner, message: \"${{ connection.id | upper }} on ${{ env.name }} needs an owner ($${{ x }}${{ connection.owner }})\"}\n";
    let run = workspace(&http("").replace(TOKEN, "x"), policy).validate();
    assert!(run.stdout.contains("`landing` breaks the policy `owned`: LANDING on"), "{}", run.stdout);
    assert!(run.stdout.contains("needs an owner (${{ x }})"), "{}", run.stdout);
}

#[test]
fn a59_changed_levels_excuses_and_policies_are_trust_changes() {
    use crate::shell::Shell;
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    let settings = shell.read("tieline.yaml");
    shell.put(
        "tieline.yaml",
        &format!("{settings}rules: {{unused-secret: 'off'}}\npolicy: [{{name: any, require: 'true'}}]\n"),
    );
    let hubspot = shell.read("connections/hubspot.yaml");
    shell.put("connections/hubspot.yaml", &format!("# tieline: allow duplicate-endpoint two portals\n{hubspot}"));
    let plan = shell.ok(&["plan", "prod"]).stdout;
    for told in ["trust changes", "unused-secret", "policy", "duplicate-endpoint (two portals)"] {
        assert!(plan.contains(told), "{told} in\n{plan}");
    }
}

/// On the day itself there is still time.
#[test]
fn e2_11_a_rotation_that_is_due_today_is_not_overdue() {
    use tieline::connectors::Catalogue;
    use tieline::workspace::{Workspace, layers::At};
    let folder = Folder::base();
    folder.put("credentials/finance-db.yaml", "connectors: [postgresql]\nrotate_every: 90d\nrotated: '2026-01-31'\nauth: {mode: password, username: f, password: '${{ secrets.FINANCE_PASSWORD }}'}\n");
    for (today, overdue) in [("2026-04-30", false), ("2026-05-01", false), ("2026-05-02", true)] {
        let (mut workspace, _) = Workspace::read(&tieline::world::System::new(folder.path())).unwrap();
        workspace.today = today.parse().unwrap();
        let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
        let (_, told) = tieline::compile::compile(&workspace, &catalogue, &At::plain(&"dev".into()));
        assert_eq!(told.iter().any(|d| d.code == "overdue-rotation"), overdue, "{today}: {told:#?}");
    }
}

/// One endpoint that two connections reach as two people is no mistake; as one it is, however the login is written.
#[test]
fn e2_11_connections_are_the_same_only_with_one_login() {
    let connection =
        |login: &str| format!("connector: mysql\nconfig: {{host: orders.acme.example, database: orders}}\n{login}\n");
    let inline = |user: &str| {
        connection(&format!(
            "auth: {{mode: password, username: {user}, password: '${{{{ secrets.FINANCE_PASSWORD }}}}'}}"
        ))
    };
    let told = |one: &str, other: &str| {
        let folder = Folder::base().with("connections/one.yaml", one).with("connections/other.yaml", other);
        folder.codes().contains(&"duplicate-endpoint".to_owned())
    };
    let login = "auth: {mode: password, username: f, password: '${{ secrets.FINANCE_PASSWORD }}'}\n";
    let shared = |id: &str| connection(&format!("credential: {id}"));
    let two = |one: &str, other: &str| {
        let folder =
            Folder::base().with("connections/one.yaml", shared(one)).with("connections/other.yaml", shared(other));
        let codes = folder.with("credentials/first.yaml", login).with("credentials/second.yaml", login).codes();
        codes.contains(&"duplicate-endpoint".to_owned())
    };
    assert!(!two("first", "second") && two("first", "first"));
    assert!(!told(&inline("a"), &inline("b")) && told(&inline("a"), &inline("a")));
}

/// A mistake in a policy is underlined where it stands, in a scalar that is written as it is read.
#[test]
fn e2_11_a_policy_is_underlined_at_the_word_at_fault() {
    let underlined = |require: &str| {
        let policy = format!("policy:\n  - name: p\n    require: {require}\n");
        let folder = workspace(&http("").replace(TOKEN, "x"), &policy);
        assert_eq!(folder.codes(), ["undefined-name"], "{require}");
        folder.underlined()
    };
    assert_eq!(underlined("connection.id | nowhere"), ["nowhere"]);
    assert_eq!(underlined("\"connection.id | nowhere\""), ["nowhere"]);
    assert_eq!(underlined("'connection.id | nowhere or ''x'' == env.name'").len(), 1);
    assert_eq!(underlined("\"connection.id\\x20| nowhere\""), ["\"connection.id\\x20| nowhere\""]);
}
