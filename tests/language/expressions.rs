//! `${{ … }}`: types, escapes, names, places.

use serde_json::json;

use super::{instance, layers, secret};
use crate::support::Folder;

const VARS: &str = "vars:\n  host: db.acme.example\n  port: 5432\n  live: true\n  ratio: 0.5\n  list: [a, b]\n  map: {x: {w: 1}}\nsecrets:\n  TOKEN: 'env:TOKEN'\n";

fn workspace(config: &str) -> Folder {
    let folder = layers(&format!("connector: anything\nconfig:\n{config}"), &[]);
    folder.put("environments/dev/environment.yaml", VARS);
    folder
}

fn value(scalar: &str) -> serde_json::Value {
    instance(&workspace(&format!("  a: {scalar}\n")), "dev")["config"]["a"].clone()
}

#[test]
fn z13_a_whole_expression_keeps_its_type() {
    assert_eq!(value("${{ vars.port }}"), json!(5432));
    assert_eq!(value("${{ vars.live }}"), json!(true));
    assert_eq!(value("${{ vars.ratio }}"), json!(0.5));
    assert_eq!(value("${{ vars.list }}"), json!(["a", "b"]));
    assert_eq!(value("${{ vars.map }}"), json!({"x": {"w": 1}}));
    assert_eq!(value("${{ vars.map.x.w }}"), json!(1));
    assert_eq!(value("'${{ vars.port }}'"), json!(5432));
    assert_eq!(value("${{vars.port}}"), json!(5432));
    assert_eq!(value("${{ vars.port + 1 }}"), json!(5433));
    assert_eq!(value("${{ vars.list[1] }}"), json!("b"));
    assert_eq!(value("${{ vars.port | string }}"), json!("5432"));
    assert_eq!(value("${{ '5432' | int }}"), json!(5432));
}

#[test]
fn with_text_around_it_an_expression_is_text() {
    assert_eq!(value("${{ vars.host }}:${{ vars.port }}"), json!("db.acme.example:5432"));
    assert_eq!(value("a ${{ vars.live }}"), json!("a true"));
    assert_eq!(value("x${{ vars.list }}"), json!("x[\"a\",\"b\"]"));
    assert_eq!(value("|\n    ${{ vars.host }}"), json!("db.acme.example\n"));
}

#[test]
fn only_our_own_sign_opens_an_expression() {
    assert_eq!(value("$${{ vars.host }}"), json!("${{ vars.host }}"));
    assert_eq!(value("a$${{b${{ vars.port }}"), json!("a${{b5432"));
    assert_eq!(
        value("'{{ vars.host }} {% if %} {# c #} ${HOME} $(x)'"),
        json!("{{ vars.host }} {% if %} {# c #} ${HOME} $(x)")
    );
    assert_eq!(value("${{ '}}' ~ \"{{\" }}"), json!("}}{{"));
    assert_eq!(value("${{ {'a':{'b':1}} | tojson }}"), json!("{\"a\":{\"b\":1}}"));
}

#[test]
fn names_are_those_of_the_environment_and_the_connection() {
    assert_eq!(value("${{ env.name }}/${{ connection.id }}/${{ connection.connector }}"), json!("dev/c/anything"));
}

#[test]
fn the_frozen_filters() {
    let cases = [
        ("'A' | lower", json!("a")),
        ("'a' | upper", json!("A")),
        ("'a-b' | replace('-', '+')", json!("a+b")),
        ("'' | default('x', true)", json!("x")),
        ("' a ' | trim", json!("a")),
        ("vars.list | join('-')", json!("a-b")),
        ("vars.list | join(d='-')", json!("a-b")),
        ("'a,b' | split(',')", json!(["a", "b"])),
        ("'a' | b64encode", json!("YQ==")),
        ("'a b/ü' | urlencode", json!("a%20b%2F%C3%BC")),
        ("vars.map | tojson", json!("{\"x\":{\"w\":1}}")),
        ("1 | string", json!("1")),
        ("'7' | int", json!(7)),
        ("true | int", json!(1)),
        ("false | int", json!(0)),
    ];
    for (expression, expected) in cases {
        assert_eq!(value(&format!("${{{{ {expression} }}}}")), expected, "{expression}");
    }
}

#[test]
fn a23_a_value_is_never_evaluated_again() {
    let folder = layers("connector: anything\nconfig:\n  a: ${{ '$' ~ '{{ env.name }}' }}\n", &[]);
    assert_eq!(instance(&folder, "dev")["config"]["a"], json!("${{ env.name }}"));
}

#[test]
fn n02_what_mentions_a_secret_is_secret_whatever_filters_it_passes() {
    for scalar in [
        "${{ secrets.TOKEN }}",
        "Bearer ${{ secrets.TOKEN }}",
        "${{ secrets.TOKEN | b64encode }}",
        "${{ vars.host ~ ':' ~ secrets.TOKEN | urlencode }}",
    ] {
        let folder = layers(&format!("connector: anything\nauth:\n  password: {scalar}\n"), &[]);
        folder.put("environments/dev/environment.yaml", VARS);
        assert_eq!(secret(&folder, "dev", "/auth/password"), scalar);
        assert_eq!(workspace(&format!("  a: {scalar}\n")).codes(), ["secret-in-clear"], "{scalar}");
    }
}

#[test]
fn an_error_underlines_the_very_part_of_the_scalar() {
    let cases = [
        // Plain, single-quoted, double-quoted, literal, folded, and in flow style.
        ("  a: ${{ vars.hots }}\n", "hots"),
        ("  a: x ${{ vars.host }} ${{ vars.hots }}\n", "hots"),
        ("  a: '${{ vars.hots }}'\n", "hots"),
        ("  a: 'it''s ${{ vars.hots }}'\n", "hots"),
        ("  a: \"${{ vars.hots }}\"\n", "hots"),
        ("  a: \"\\t\\u00e4 ${{ vars.hots }}\"\n", "hots"),
        ("  a: |\n    first\n    ${{ vars.hots }}\n", "hots"),
        ("  a: >-\n    first\n    ${{ vars.host }}\n    ${{ vars.hots }}\n", "hots"),
        ("  a: [\"${{ vars.hots }}\"]\n", "hots"),
        ("  a: ä ${{ vars.hots }}\n", "hots"),
        ("  a: hots ${{ vars.hots }}\n", "hots"),
        ("  a: ${{ vars.host }} hots ${{ vars.hots }}\n", "hots"),
        ("  a: ${{ vrs.host }}\n", "vrs"),
        ("  a: vrs ${{vars.host}} vrs ${{vrs.host}}\n", "vrs"),
        ("  a: \"vrs ${{vars.host}} \\u00e4 ${{vrs.host}}\"\n", "vrs"),
        ("  a: ${{ vars.host | lowr }}\n", "lowr"),
        ("  a: ${{ vars.map.x.z }}\n", "z"),
        ("  a: ${{ env.nam }}\n", "nam"),
        ("  a: $${{ x }} ${{ vars.hots }}\n", "hots"),
    ];
    for (config, underlined) in cases {
        let folder = workspace(config);
        assert_eq!(folder.underlined(), [underlined], "{config}");
        // The place is that of the mistake, not of an equal word before it.
        let report = folder.json();
        let column = report["diagnostics"][0]["range"]["start"]["column"].as_u64().unwrap() as usize;
        let line = report["diagnostics"][0]["range"]["start"]["line"].as_u64().unwrap() as usize;
        let written = config.lines().nth(line - 3).unwrap().chars().collect::<Vec<_>>();
        let before: String = written[..column - 1].iter().collect();
        assert!(before.ends_with(['.', ' ', '{']), "{config}: column {column}, behind {before:?}");
        assert!(
            before.matches("${{").count() == config.lines().nth(line - 3).unwrap().matches("${{").count(),
            "{config}"
        );
    }
}

#[test]
fn near_names_are_offered() {
    let cases = [
        ("${{ vars.hots }}", "did you mean `vars.host`?"),
        ("${{ vars.map.x.z }}", "did you mean `vars.map.x.w`?"),
        ("${{ var.host }}", "did you mean `vars`?"),
        ("${{ port }}", "did you mean `vars.port`?"),
        ("${{ env.nam }}", "`env` has `name`"),
        ("${{ vars.host | uper }}", "did you mean `upper`?"),
        ("${{ secrets.TOKN }}", "did you mean `secrets.TOKEN`?"),
    ];
    for (scalar, help) in cases {
        let report = workspace(&format!("  a: {scalar}\n")).json();
        let told = report["diagnostics"].as_array().unwrap();
        let helps: Vec<&str> = told.iter().filter_map(|d| d["help"].as_str()).collect();
        assert!(helps.contains(&help), "{scalar}: {helps:?}");
    }
}

#[test]
fn a21_nothing_outside_can_be_reached() {
    for expression in [
        "range(3)",
        "open('x')",
        "now()",
        "env('HOME')",
        "vars.host.upper()",
        "lipsum()",
        "dict()",
        "namespace()",
        "debug()",
        "self",
        "loop",
        "super()",
        "vars.__class__",
        "cycler('a')",
        "joiner()",
        "include('x')",
        "vars | attr('x')",
        "vars.list | random",
        "'/etc/passwd' | file",
        "vars.list | map('upper')",
        "1 is defined",
        "vars.list is mapping",
    ] {
        let codes = workspace(&format!("  a: ${{{{ {expression} }}}}\n")).codes();
        assert!(!codes.is_empty(), "{expression}");
        assert!(
            codes.iter().all(|c| ["invalid-expression", "undefined-name"].contains(&c.as_str())),
            "{expression}: {codes:?}"
        );
    }
    for statement in ["{% for x in y %}", "{{ vars.host }}", "{# c #}"] {
        assert_eq!(value(&format!("'{statement}'")), json!(statement));
    }
}

#[test]
fn a22_steps_and_output_are_bounded() {
    for expression in [
        "'x' * 1000000000",
        "('x' * 60000) ~ ('x' * 60000)",
        "9 ** 9 ** 9",
        "[1] * 1000000000",
        "('x' * 60000) | replace('x', 'y' * 1000)",
        "9223372036854775807 + 1",
        "1 / 0",
        "1 // 0",
    ] {
        let folder = workspace(&format!("  a: ${{{{ {expression} }}}}\n"));
        let run = folder.validate();
        assert!(run.took.as_secs() < 5, "{expression}: {:?}", run.took);
        assert_eq!(folder.codes(), ["invalid-expression"], "{expression}\n{}", run.stdout);
    }
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(workspace(&format!("  a: ${{{{ {deep} }}}}\n")).codes(), ["invalid-expression"]);
}

#[test]
fn null_and_nothing_are_errors() {
    for expression in ["none", "", " ", "vars.nothing"] {
        let codes = workspace(&format!("  a: ${{{{{expression}}}}}\n")).codes();
        assert_eq!(codes.len(), 1, "{expression:?}: {codes:?}");
    }
}

#[test]
fn what_ties_files_together_is_literal() {
    let orders = "connector: s3\nconfig: {region: eu-central-1}\nauth: {mode: default}\n";
    let cases = [
        ("connections/orders.yaml", orders.replace("s3", "${{ env.name }}")),
        ("connections/orders.yaml", format!("{orders}owner: ${{{{ env.name }}}}\n")),
        ("connections/orders.yaml", format!("{orders}key: ${{{{ env.name }}}}\n")),
        ("connections/orders.yaml", format!("{orders}expose: [\"${{{{ env.name }}}}\"]\n")),
        ("connections/orders.yaml", format!("{orders}labels: {{\"${{{{ env.name }}}}\": x}}\n")),
        ("connections/orders.yaml", orders.replace("auth: {mode: default}", "credential: ${{ env.name }}")),
        ("consumers/nightly.yaml", "kind: ${{ env.name }}\nuses: [finance]\n".into()),
        ("consumers/nightly.yaml", "kind: flow\nuses: [\"${{ env.name }}\"]\n".into()),
        ("consumers/nightly.yaml", "kind: flow\nuses: [{slot: \"${{ env.name }}\", connection: finance}]\n".into()),
        ("consumers/nightly.yaml", "kind: flow\nenvironments: [\"${{ env.name }}\"]\n".into()),
        ("consumers/nightly.yaml", "kind: flow\nrecipients: [\"${{ env.name }}\"]\n".into()),
        ("credentials/finance-db.yaml", "owner: ${{ env.name }}\nauth: {mode: password, username: u, password: \"${{ secrets.FINANCE_PASSWORD }}\"}\n".into()),
        ("credentials/finance-db.yaml", "connectors: [\"${{ env.name }}\"]\nauth: {mode: password, username: u, password: \"${{ secrets.FINANCE_PASSWORD }}\"}\n".into()),
    ];
    for (path, text) in cases {
        assert_eq!(Folder::base().with(path, &text).codes(), ["expression-not-allowed"], "{path}\n{text}");
    }
    for text in ["title: ${{ env.name }}\n", "description: in ${{ env.name }}\n", "labels: {in: \"${{ env.name }}\"}\n"]
    {
        let folder = Folder::base().with("connections/orders.yaml", format!("{orders}{text}"));
        assert_eq!(folder.codes(), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn settings_that_cannot_hold_an_expression_say_so() {
    let base = "vars: {db_host: db.acme.example}\nsecrets: {FINANCE_PASSWORD: 'env:X'}\n";
    for line in [
        "extends: ${{ env.name }}\n",
        "recipients: [\"${{ env.name }}\"]\n",
        "target: {kind: directory, path: \"${{ env.name }}\"}\n",
    ] {
        let folder = Folder::base().with("environments/prod/environment.yaml", format!("{base}{line}"));
        assert_eq!(folder.codes().len(), 1, "{line}: {:?}", folder.codes());
    }
}

/// What an expression gives may be nested as deep as a value that is written there.
#[test]
fn e2_11_what_an_expression_gives_may_be_as_deep_as_what_is_written() {
    let too_deep = |folder: &Folder| folder.codes().contains(&"yaml-too-deep".to_owned());
    let nested = |depth: usize| format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
    let given = |depth: usize, around: usize| {
        let config = format!("  a: {}'${{{{ vars.deep }}}}'{}\n", "[".repeat(around), "]".repeat(around));
        let folder = workspace(&config);
        folder.put("environments/dev/environment.yaml", format!("vars:\n  deep: {}\n", nested(depth)));
        too_deep(&folder)
    };
    let written = |depth: usize| too_deep(&workspace(&format!("  a: {}\n", nested(depth))));
    let deepest = (1..80).take_while(|depth| !written(*depth)).last().unwrap();
    assert!(deepest > 40, "{deepest}");
    for around in [0, 20] {
        assert!(!given(deepest - around, around), "{deepest} {around}");
        assert!(given(deepest - around + 1, around), "{deepest} {around}");
    }
}

/// A variable is given in a text up to what any expression may give.
#[test]
fn e2_11_a_variable_in_a_text_has_at_most_64_kib() {
    for (length, told) in [(64 << 10, false), ((64 << 10) + 1, true)] {
        let folder = workspace("  a: x${{ vars.big }}\n");
        folder.put("environments/dev/environment.yaml", format!("vars: {{big: {}}}\n", "b".repeat(length)));
        assert_eq!(folder.codes().contains(&"invalid-expression".to_owned()), told, "{length}");
    }
}

#[test]
fn e2_11_an_expression_has_at_most_4_kib() {
    for (length, told) in [(4096, false), (4097, true)] {
        let expression = format!("'{}'", "x".repeat(length - 4));
        let folder = workspace(&format!("  a: ${{{{ {expression} }}}}\n"));
        let is = folder.codes().contains(&"invalid-expression".to_owned());
        assert_eq!(is, told, "{length}");
    }
}

/// A name with an underscore is a name, and a word of the language is none.
#[test]
fn e2_11_names_begin_with_a_letter_or_an_underscore() {
    let folder = workspace("  a: ${{ vars._x }}\n  b: ${{ vars.x_1 }}\n");
    folder.put("environments/dev/environment.yaml", "vars: {_x: one, x_1: two}\n");
    assert_eq!(instance(&folder, "dev")["config"], json!({"a": "one", "b": "two"}));
    for text in ["vars.is", "vars.in", "vars.1x"] {
        let folder = workspace(&format!("  a: ${{{{ {text} }}}}\n"));
        assert!(!folder.codes().is_empty(), "{text}");
    }
}

/// Where the words of an expression are escaped, nobody can underline a part of them.
#[test]
fn e2_11_an_escaped_expression_is_underlined_whole() {
    let folder = workspace("  a: \"${{ vars.\\u0068ots }}\"\n");
    assert_eq!(folder.underlined(), ["\"${{ vars.\\u0068ots }}\""]);
}
