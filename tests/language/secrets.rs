//! Secrets: where a name may come from, and where its value may stand. No key is at hand in any of these.

use super::{compiled, layers};
use crate::support::{Folder, sealed};
use tieline::workspace::layers::At;

const OPS: &str = "age1vr9l69vvtreuntmsvsu4keme3jwsa25plc4fcngeyfn9v64u2eqqjzhu3u";
const KEYS: &str = "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nkeys: {ops: age1vr9l69vvtreuntmsvsu4keme3jwsa25plc4fcngeyfn9v64u2eqqjzhu3u}\n";

/// A connection whose password is `secrets.P`, in the environments `dev` and `prod`.
fn workspace() -> Folder {
    let folder = layers("connector: anything\nauth: {password: '${{ secrets.P }}'}\n", &[]).with("tieline.yaml", KEYS);
    folder.put("environments/dev/environment.yaml", "recipients: [ops]\n");
    folder.put("environments/prod/environment.yaml", "recipients: [ops]\nsecrets: {P: 'vault://kv/prod#p'}\n");
    folder
}

#[test]
fn z14_a_secret_comes_from_the_sealed_file_of_its_layer_without_a_key() {
    let folder = workspace().with("environments/dev/secrets.sops.yaml", sealed(&["P"], &[OPS]));
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn a56_an_environment_cannot_name_a_secret_of_another() {
    let report = workspace().json();
    let told = report["diagnostics"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{report:#}");
    assert_eq!(
        (told[0]["code"].as_str(), &told[0]["environments"]),
        (Some("unknown-secret"), &serde_json::json!(["dev"]))
    );
    assert!(
        told[0]["help"].as_str().unwrap().starts_with("`environments/prod` has it, and no environment reads another's")
    );
}

#[test]
fn secrets_are_looked_up_from_the_highest_layer_down() {
    let folder = workspace();
    folder.put("environments/dev/environment.yaml", "extends: prod\n");
    assert_eq!(folder.codes(), Vec::<String>::new());
    let source = |folder: &Folder| {
        let (workspace, ..) = compiled(folder, "dev");
        let mut notes = tieline::overlay::Notes::default();
        let names = tieline::compile::names::Names::new(&workspace, &At::plain(&"dev".into()), None, &mut notes);
        names.source("P").map(|source| format!("{} {:?}", source.layer.path, source.kind))
    };
    assert_eq!(
        source(&folder).as_deref(),
        Some("environments/prod Store { uri: \"vault://kv/prod#p\", by_reference: false }")
    );
    folder.put("environments/dev/environment.yaml", "extends: prod\nsecrets: {P: 'vault://kv/dev#p'}\n");
    assert_eq!(
        source(&folder).as_deref(),
        Some("environments/dev Store { uri: \"vault://kv/dev#p\", by_reference: false }")
    );
    folder.put("environments/dev/environment.yaml", "extends: prod\nsecrets: {P: null}\n");
    assert_eq!(source(&folder), None);
    assert_eq!(folder.codes(), ["unknown-secret"]);
    folder.put("environments/dev/environment.yaml", "extends: prod\nrecipients: [ops]\n");
    folder.put("environments/dev/secrets.sops.yaml", sealed(&["P"], &[OPS]));
    assert!(source(&folder).unwrap().starts_with("environments/dev Sealed"));
}

#[test]
fn the_root_has_sealed_secrets_only_if_it_names_recipients() {
    let folder = workspace().with("secrets.sops.yaml", sealed(&["P"], &[OPS]));
    assert_eq!(folder.codes(), ["recipients-differ"]);
    folder.put("tieline.yaml", format!("{KEYS}recipients: [ops]\n"));
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn n05_the_block_names_exactly_the_configured_recipients() {
    let (_, other) = tieline::sops::keygen();
    let sealed_to = |recipients: &[&str]| {
        let folder = workspace().with("environments/dev/secrets.sops.yaml", sealed(&["P"], recipients));
        let report = folder.json();
        let told = report["diagnostics"].as_array().unwrap().clone();
        told.iter().map(|d| d["message"].as_str().unwrap().replace(other.as_str(), "OTHER")).collect::<Vec<_>>()
    };
    assert_eq!(sealed_to(&[OPS]), Vec::<String>::new());
    assert_eq!(
        sealed_to(&[OPS, other.as_str()]),
        ["the secrets file is sealed to `OTHER` too, not among the layer's recipients"]
    );
    assert_eq!(sealed_to(&[other.as_str()]), ["the secrets file is sealed to `OTHER`, and not to the layer's `ops`"]);
}

#[test]
fn n02_both_directions_are_errors_that_no_rule_lifts() {
    let clear =
        layers("connector: anything\nconfig: {a: '${{ secrets.P }}'}  # tieline: allow secret-in-clear because\n", &[]);
    clear.put("environments/dev/environment.yaml", "secrets: {P: 'env:P'}\n");
    assert_eq!(clear.codes(), ["secret-in-clear", "unused-excuse"]);
    let plain =
        layers("connector: anything\nauth: {password: hunter2}  # tieline: allow plaintext-secret because\n", &[]);
    assert_eq!(plain.codes(), ["plaintext-secret", "unused-excuse"]);
    for value in [
        "5",
        "true",
        "1.5",
        "''",
        "[a]",
        "{a: b}",
        "'${{ vars.x }}'",
        "'${{ env.name }}'",
        "'x${{ env.name }}'",
        "$${{ x }}",
    ] {
        let folder = layers(&format!("connector: anything\nauth:\n  password: {value}\n"), &[]);
        folder.put("environments/dev/environment.yaml", "vars: {x: hunter2}\n");
        assert_eq!(folder.codes(), ["plaintext-secret"], "{value}");
    }
}

#[test]
fn n02_a_secret_decides_nothing() {
    for expression in [
        "'a' if secrets.P else 'b'",
        "secrets.P == 'a'",
        "not secrets.P",
        "secrets.P and 'a'",
        "secrets.P in 'abc'",
        "'a' if (secrets.P) else 'b'",
        "secrets['P']",
        "secrets",
        "secrets.P.length",
        "(secrets).P",
        "secrets|tojson",
        "secrets.P[0]",
    ] {
        let folder = layers(&format!("connector: anything\nauth:\n  password: \"${{{{ {expression} }}}}\"\n"), &[]);
        folder.put("environments/dev/environment.yaml", "secrets: {P: 'env:P'}\n");
        let codes = folder.codes();
        assert!(codes.iter().any(|c| c == "secret-use" || c == "invalid-expression"), "{expression}: {codes:?}");
    }
}

/// What ties a file to its layer is in each of them, and would be a value that somebody may put anywhere.
#[test]
fn e2_11_the_scope_of_a_file_is_not_a_secret_that_can_be_named() {
    let folder = workspace();
    folder.put("connections/c.yaml", "connector: anything\nauth: {password: '${{ secrets.tieline_scope }}'}\n");
    folder.put("environments/prod/environment.yaml", "recipients: [ops]\n");
    for environment in ["dev", "prod"] {
        folder.put(&format!("environments/{environment}/secrets.sops.yaml"), sealed(&[], &[OPS]));
    }
    assert_eq!(folder.codes(), ["unknown-secret"]);
    // Nor where it is not sealed, which is an error of the file.
    let text = sealed(&["P"], &[OPS]);
    let line = text.lines().find(|line| line.starts_with("tieline_scope: ")).unwrap();
    for environment in ["dev", "prod"] {
        let path = format!("environments/{environment}/secrets.sops.yaml");
        folder.put(&path, text.replace(line, "tieline_scope: in clear"));
    }
    let codes = folder.codes();
    assert!(codes.contains(&"unknown-secret".to_owned()), "{codes:?}");
    assert!(codes.contains(&"secrets-not-encrypted".to_owned()), "{codes:?}");
}

/// Up to five letters and digits beside a secret are a prefix of some kind, six are a part of it; up to seven, in letters and
/// digits, are what a filter is given, eight are a part of it.
#[test]
fn e2_11_a_text_beside_a_secret_is_a_part_of_it_from_its_sixth_letter_on() {
    for (short, long) in [
        ("${{ 'abcde' ~ secrets.P }}", "${{ 'abcdef' ~ secrets.P }}"),
        ("${{ secrets.P ~ 'abcd1' }}", "${{ secrets.P ~ 'abcd12' }}"),
        ("${{ ('ab-cd12f' ~ secrets.P) }}", "${{ ('ab-cd123f' ~ secrets.P) }}"),
        ("abcde${{ secrets.P }}", "abcdef${{ secrets.P }}"),
        ("${{ secrets.P }}abcde", "${{ secrets.P }}abcdef"),
        ("abcdef-${{ secrets.P }}", "abcdef${{ secrets.P | trim }}"),
        // What is joined to a variable is no part of a secret that stands further off.
        ("${{ secrets.P ~ vars.u ~ 'abcdef' }}", "${{ vars.u ~ secrets.P ~ 'abcdef' }}"),
        ("${{ 'abcdef' ~ vars.u ~ secrets.P }}", "${{ 'abcdef' ~ secrets.P ~ vars.u }}"),
        ("${{ secrets.P | replace('abcdef1', '') }}", "${{ secrets.P | replace('abcdefg1', '') }}"),
        ("${{ secrets.P | replace('abcdefgh', '12345678') }}", "${{ secrets.P | replace('', '1234567h') }}"),
    ] {
        for (text, expected) in [(short, &[][..]), (long, &["secret-use"])] {
            let folder = layers(&format!("connector: anything\nauth:\n  password: \"{text}\"\n"), &[]);
            folder.put("environments/dev/environment.yaml", "vars: {u: ana}\nsecrets: {P: 'env:P'}\n");
            let (_, _, told) = compiled(&folder, "dev");
            let codes: Vec<&str> = told.iter().map(|d| d.code).collect();
            assert_eq!(codes, expected, "{text}: {told:#?}");
        }
    }
}

/// Texts and variables around a secret make its value too: its record has their digest, and nothing of the secret itself.
#[test]
fn e2_11_what_stands_around_a_secret_is_a_part_of_its_record() {
    use serde_json::{Value, json};
    use tieline::digest::Digest;
    let record = |template: &str, user: &str| -> Value {
        let folder = layers(&format!("connector: anything\nauth:\n  password: \"{template}\"\n"), &[]);
        folder.put("environments/dev/environment.yaml", format!("vars: {{u: {user}}}\nsecrets: {{P: 'env:P'}}\n"));
        let run = folder.run(&["render", "dev", "c", "--format", "json"]);
        let printed: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
        fn find(value: &Value) -> Option<Value> {
            match value {
                Value::Object(map) => map.get("$secret").cloned().or_else(|| map.values().find_map(find)),
                Value::Array(items) => items.iter().find_map(find),
                _ => None,
            }
        }
        find(&printed).unwrap()["template"].clone()
    };
    let around = |template: &str, inputs: Value| {
        let around = json!({"template": template, "inputs": inputs});
        json!(Digest::of(around.to_string().as_bytes()))
    };
    assert_eq!(record("${{ secrets.P }}", "ana"), Value::Null);
    let template = "${{ vars.u ~ ':' ~ secrets.P }}";
    assert_eq!(record(template, "ana"), around(template, json!({"vars.u": "ana"})));
    assert_eq!(record(template, "ben"), around(template, json!({"vars.u": "ben"})));
    let template = "u-${{ secrets.P }}";
    assert_eq!(record(template, "ana"), around(template, json!({})));
}

/// Where an expression over a secret is wrong by itself, what stands beside it is not told of as well.
#[test]
fn e2_11_one_mistake_beside_a_secret_is_told_once() {
    let folder = layers("connector: anything\nauth:\n  password: \"abcdef${{ secrets.P | nowhere }}\"\n", &[]);
    folder.put("environments/dev/environment.yaml", "secrets: {P: 'env:P'}\n");
    let (_, _, told) = compiled(&folder, "dev");
    assert_eq!(told.iter().map(|d| d.code).collect::<Vec<_>>(), ["undefined-name"], "{told:#?}");
}

/// An expression over a secret is read before anything is sealed, though only an apply can evaluate it.
#[test]
fn e2_11_an_expression_over_a_secret_is_read_at_once() {
    for text in
        ["secrets.P ~", "secrets.P+", "secrets.P ~ 'x", "(secrets.P", "secrets.P)", "secrets.P-", "secrets.P vars.u"]
    {
        let folder = layers(&format!("connector: anything\nauth:\n  password: \"${{{{ {text} }}}}\"\n"), &[]);
        folder.put("environments/dev/environment.yaml", "vars: {u: ana}\nsecrets: {P: 'env:P'}\n");
        let codes = folder.codes();
        assert!(
            codes.contains(&"invalid-expression".to_owned()) || codes.contains(&"secret-use".to_owned()),
            "{text}: {codes:?}"
        );
    }
}
