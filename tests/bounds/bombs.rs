//! Small inputs that would take for ever, or all memory: each ends within five seconds and 512 MiB, and says why.

use std::io::Read;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{each, run};
use crate::support::{Folder, sealed};

const KEY: &str = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";

const HTTP: &str = "connector: http\nconfig: {base_url: 'https://x.example.com'}\nauth: {mode: none}\n";
const OWN: &str = "connector: own\nconfig: {}\nauth: {mode: a}\n";
const SETTINGS: &str = "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n";

/// Seconds of processor time, of all threads.
const SECONDS: u32 = if cfg!(debug_assertions) { 10 } else { 5 };

fn bare() -> Folder {
    Folder::bare().with("environments/dev/environment.yaml", "{}\n")
}

/// A connector whose schema has these members beside `properties`.
fn own(members: &str) -> String {
    format!(
        r#"{{"type": "object", "properties": {{"config": {{}}, "auth": {{"properties": {{"mode": {{}}}}}}}}{members}}}"#
    )
}

/// Validates, and expects to be told this.
fn told(folder: &Folder, what: &str, words: &str) -> String {
    let cost = run(folder, SECONDS, &["validate"]);
    let shown: String = cost.stdout.chars().take(2000).collect();
    assert!(cost.printed() < 1 << 20, "{what}: {} bytes printed", cost.printed());
    assert!(cost.code == 1 && cost.stdout.contains(words), "{what}: `{words}` is not in\n{shown}{}", cost.stderr);
    eprintln!("{what}: {:.2?}", cost.user);
    cost.stdout
}

#[test]
fn a99_e2_01_references_of_a_schema_that_circle_chain_or_double_are_refused() {
    let doubling = |keyword: &str, reference: fn(usize) -> String| {
        let one = |i: usize| {
            let next = format!(r#"{{"$ref": "{}"}}"#, reference(i + 1));
            let both = if keyword == "not" {
                format!(r#"{{"not": {next}, "allOf": [{next}]}}"#)
            } else {
                format!(r#"{{"{keyword}": [{next}, {next}]}}"#)
            };
            format!(r#""d{i}": {both}, "#)
        };
        own(&format!(r##", "$ref": "#/$defs/d0", "$defs": {{{}"d40": {{}}}}"##, each(40, one)))
    };
    let plain = |i: usize| format!("#/$defs/d{i}");
    let chain = each(16_000, |i| format!(r##""d{i}": {{"$ref": "#/$defs/d{}"}}, "##, i + 1));
    for (what, schema, words) in [
        (
            "itself",
            own(r##", "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}"##),
            "lead back to it",
        ),
        (
            "a chain",
            own(&format!(r##", "allOf": [{{"$ref": "#/$defs/d0"}}], "$defs": {{{chain}"d16000": {{}}}}"##)),
            "more than 100 references",
        ),
        ("allOf", doubling("allOf", plain), "more than 10000 times"),
        ("oneOf", doubling("oneOf", plain), "more than 10000 times"),
        ("not", doubling("not", plain), "more than 10000 times"),
        ("encoded", doubling("allOf", |i| format!("#/%24defs/d{i}")), "`$ref` is encoded"),
        ("an anchor", doubling("allOf", |i| format!("#d{i}")), "`$ref` names an anchor"),
    ] {
        let connection = format!("{OWN}stray: 1\n");
        told(&bare().with("connectors/own.json", schema).with("connections/c.yaml", connection), what, words);
    }
}

#[test]
fn a99_e2_01_a_schema_that_looks_at_many_values_many_times_is_cut_off_by_the_budget() {
    // A thousand looks at each of 80,000 values.
    let options = each(1000, |i| format!(r#"{{"const": "v{i}"}}, "#));
    let schema = own("").replace(
        r#""config": {}"#,
        &format!(r#""config": {{"properties": {{"l": {{"items": {{"anyOf": [{options}{{"type": "string"}}]}}}}}}}}"#),
    );
    let text = format!("connector: own\nconfig: {{l: [{}]}}\nauth: {{mode: a}}\n", "x, ".repeat(80_000));
    let folder = bare().with("connectors/own.json", schema).with("connections/c.yaml", text);
    let shown = told(&folder, "looks", "schema checks");
    assert!(shown.contains("error[over-budget]") && shown.contains("connections/c.yaml"), "{shown}");
}

#[test]
fn a99_e2_03_patterns_are_bounded_by_size_and_by_the_text_that_is_held_against_them() {
    let field = |pattern: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"config": {{"additionalProperties": {{"pattern": "{pattern}"}}}}, "auth": {{"properties": {{"mode": {{}}}}}}}}}}"#
        )
    };
    let texts = |n: usize, length: usize| {
        format!(
            "connector: own\nconfig:\n{}auth: {{mode: a}}\n",
            each(n, |i| format!("  k{i}: {}\n", "a".repeat(length)))
        )
    };
    let large = bare()
        .with("connectors/own.json", field("^(([a-z]{1,60}){1,60})$"))
        .with("connections/c.yaml", texts(250, 200));
    told(&large, "a large pattern", "the pattern takes more than 64 KiB compiled");
    // As large as may be, and backtracking, over long texts.
    for pattern in ["^(([a-z]{1,30}){1,30})1$", "^(?=(a+)+b)", "^(?!x)(a|a)*1$"] {
        let folder = bare().with("connectors/own.json", field(pattern)).with("connections/c.yaml", texts(300, 12_000));
        told(&folder, pattern, "");
    }
    let patterns = each(1000, |i| format!(r#""^(?!x)a{{1,50}}{i}": {{}}, "#));
    let schema = format!(
        r#"{{"type": "object", "properties": {{"config": {{"patternProperties": {{{patterns}"z": {{}}}}}}, "auth": {{"properties": {{"mode": {{}}}}}}}}}}"#
    );
    let keys = each(8000, |i| format!("  aaaaaaaaaaaaaaaaaaaa{i}: 1\n"));
    let text = format!("connector: own\nconfig:\n{keys}auth: {{mode: a}}\n");
    told(
        &bare().with("connectors/own.json", schema).with("connections/c.yaml", text),
        "keys",
        "more than 1000 patterns",
    );
    let patterns = each(200, |i| format!(r#""^(?!x)a{{1,50}}{i}": {{}}, "#));
    let schema = format!(
        r#"{{"type": "object", "properties": {{"config": {{"patternProperties": {{{patterns}"z": {{}}}}}}, "auth": {{"properties": {{"mode": {{}}}}}}}}}}"#
    );
    let text = format!("connector: own\nconfig:\n{keys}auth: {{mode: a}}\n");
    told(&bare().with("connectors/own.json", schema).with("connections/c.yaml", text), "fewer keys", "schema checks");
}

#[test]
fn a100_e2_01_aliases_over_many_files_share_one_budget() {
    // 90,000 values a file, which one file may have.
    let text = format!("{HTTP}labels: &a {{{}}}\nx: [{}]\n", each(300, |i| format!("l{i}: x, ")), "*a, ".repeat(298));
    let folder = (0..200).fold(bare(), |folder, i| folder.with(&format!("connections/c{i}.yaml"), &text));
    let shown = told(&folder, "aliases", "more than 1,000,000 values");
    assert!(shown.contains("connections/c0.yaml"), "{shown}");
    let again = run(&folder, SECONDS, &["validate"]).stdout;
    assert_eq!(shown, again, "the same in every run");
}

#[test]
fn a01_e2_01_an_alias_of_a_large_text_counts_its_bytes() {
    let text = format!(
        "connector: own\nconfig:\n  a: &a {}\n  l: [{}]\nauth: {{mode: a}}\n",
        "x".repeat(1 << 20),
        "*a, ".repeat(50_000)
    );
    let folder = bare().with("connectors/own.json", own("")).with("connections/c.yaml", text);
    told(&folder, "a text", "more than 100000 values in one file");
}

#[test]
fn a22_e2_02_what_goes_through_the_filters_of_expressions_is_counted_in_bytes() {
    let filters = "vars.b".to_owned() + &"|split('')|join('')".repeat(200);
    let fields = each(10, |i| format!("  p{i}: ${{{{ {filters} }}}}\n"));
    let folder = bare()
        .with("connectors/own.json", own(""))
        .with("tieline.yaml", format!("{SETTINGS}vars: {{b: {}}}\n", "x".repeat(20_000)));
    let one = format!("connector: own\nconfig:\n{fields}auth: {{mode: a}}\n");
    told(&folder.with("connections/c.yaml", one), "filters", "more than");
}

#[test]
fn a22_e2_02_expressions_of_many_files_share_one_budget() {
    let filters = "vars.b".to_owned() + &"|split('')|join('')".repeat(20);
    let folder = bare()
        .with("connectors/own.json", own(""))
        .with("tieline.yaml", format!("{SETTINGS}vars: {{b: {}}}\n", "x".repeat(20_000)));
    let text = format!("connector: own\nconfig:\n  p: ${{{{ {filters} }}}}\nauth: {{mode: a}}\n");
    let folder = (0..300).fold(folder, |folder, i| folder.with(&format!("connections/c{i}.yaml"), &text));
    let shown = told(&folder, "filters of 300 files", "expression steps");
    assert_eq!(shown, run(&folder, SECONDS, &["validate"]).stdout, "the same in every run");
}

#[test]
fn a22_e2_01_what_expressions_put_in_place_is_counted_over_all_files() {
    // 64 KiB of text in 60 places of each file.
    let folder = bare()
        .with("connectors/own.json", own(""))
        .with("tieline.yaml", format!("{SETTINGS}vars: {{b: {}}}\n", "x".repeat(64_000)));
    let text =
        format!("connector: own\nconfig:\n{}auth: {{mode: a}}\n", each(60, |i| format!("  p{i}: ${{{{ vars.b }}}}\n")));
    let folder = (0..300).fold(folder, |folder, i| folder.with(&format!("connections/c{i}.yaml"), &text));
    told(&folder, "values", " values\n");
}

#[test]
fn a101_e2_01_a_thousand_policies_over_300_connections_are_held() {
    let policies = each(1000, |i| {
        format!(
            "  - {{name: p{i}, when: \"connection.connector == 'http'\", require: \"connection.connector != 'x{i}'\"}}\n"
        )
    });
    let folder = bare().with("tieline.yaml", format!("{SETTINGS}policy:\n{policies}"));
    let folder = (0..300).fold(folder, |folder, i| {
        folder.with(&format!("connections/c{i}.yaml"), HTTP.replace("x.example", &format!("x{i}.example")))
    });
    let cost = run(&folder, SECONDS, &["validate"]);
    assert_eq!(cost.code, 0, "{}", cost.stdout.chars().take(2000).collect::<String>());
    eprintln!("policies: {:.2?}", cost.user);
}

#[test]
fn e2_03_the_expression_of_a_secrets_file_is_bounded_before_any_key_is_asked_for() {
    let sealed = sealed(&["A"], &[KEY]);
    let value = sealed.lines().find_map(|line| line.strip_prefix("A: ")).unwrap();
    let file = |expression: &str| {
        let keys = each(5000, |i| format!("{}_{i}: {value}\n", "a".repeat(100)));
        let text = sealed.replacen("encrypted_regex: \".*\"", &format!("encrypted_regex: '{expression}'"), 1);
        assert!(text.contains(expression), "{sealed}");
        bare()
            .with("tieline.yaml", format!("{SETTINGS}keys: {{me: {KEY}}}\nrecipients: [me]\n"))
            .with("secrets.sops.yaml", keys + &text)
    };
    told(&file("^(([a-z]{1,60}){1,60})$"), "a large rule", "takes more than 64 KiB compiled");
    // As large as may be.
    let cost = run(&file("^(([a-z]{1,30}){1,15})_[0-9]+|A$"), SECONDS, &["validate"]);
    eprintln!("a rule: {:.2?} {}", cost.user, cost.stdout.chars().take(300).collect::<String>());
}

#[test]
fn e2_04_an_archive_of_a_megabyte_unpacks_to_no_gigabyte() {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for i in 0..60 {
        let mut header = tar::Header::new_gnu();
        header.set_size(16 << 20);
        header.set_mode(0o644);
        let zeros = std::io::repeat(b'0').take(16 << 20);
        builder.append_data(&mut header, format!("connections/c{i}.yaml"), zeros).unwrap();
    }
    let archive = builder.into_inner().unwrap().finish().unwrap();
    assert!(archive.len() < 2 << 20, "{}", archive.len());
    let folder = bare().with("bundle.tar.gz", &archive);
    let cost = run(&folder, SECONDS, &["bundle", "inspect", "bundle.tar.gz"]);
    assert_eq!(cost.code, 5, "{}", cost.stderr);
    assert!(cost.stderr.contains("it unpacks to more than a bundle of its size can hold"), "{}", cost.stderr);
}

#[test]
fn a01_a02_a03_e2_01_what_one_file_may_be_is_bounded_before_it_is_read() {
    let nested =
        |open: &str, close: &str, n: usize| format!("connector: own\nconfig: {}1{}\n", open.repeat(n), close.repeat(n));
    let block = each(1500, |i| format!("{}a:\n", " ".repeat(i)));
    let doubling = each(40, |i| format!("  a{}: &a{} [*a{i}, *a{i}]\n", i + 1, i + 1));
    for (what, text, words) in [
        ("brackets", nested("[", "]", 100_000), "nested more than 64 deep"),
        ("braces", nested("{a: ", "}", 100_000), "nested more than 64 deep"),
        ("blocks", block, "nested more than 64 deep"),
        (
            "aliases that double",
            format!("connector: own\nconfig:\n  a0: &a0 [x]\n{doubling}"),
            "more than 100000 values",
        ),
        ("five megabytes", format!("# {}\n{HTTP}", "x".repeat(5 << 20)), "more than 4096 KiB"),
        ("a long key", format!("{}: 1\n", "k".repeat(3 << 20)), "error["),
    ] {
        told(&bare().with("connectors/own.json", own("")).with("connections/c.yaml", text), what, words);
    }
}

#[test]
fn a100_e2_01_diagnostics_take_no_more_memory_than_a_person_reads() {
    // Every value is ambiguous, and each would be told.
    let text = format!("connector: own\nconfig: {{l: [{}]}}\nauth: {{mode: a}}\n", "012,".repeat(90_000));
    let folder = bare().with("connectors/own.json", own(""));
    let folder = (0..6).fold(folder, |folder, i| folder.with(&format!("connections/c{i}.yaml"), &text));
    told(&folder, "diagnostics", "ambiguous-scalar");
}
