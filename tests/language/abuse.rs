//! What a stranger may write into a workspace to hurt whoever validates it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{instance, layers};
use crate::support::{Folder, Run, run, sealed};

const RECIPIENT: &str = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";

fn with_vars(vars: &str, config: &str) -> Folder {
    let folder = layers(&format!("connector: anything\nconfig:\n{config}"), &[]);
    folder.put("environments/dev/environment.yaml", format!("vars:\n{vars}"));
    folder
}

/// `tieline validate` with no more address space than 1 GB: what is refused only after it was made aborts here.
fn confined(folder: &Folder) -> Run {
    let mut command = Command::new("sh");
    let line = format!("ulimit -v 1000000; exec '{}' validate", env!("CARGO_BIN_EXE_tieline"));
    command.args(["-c", &line]).current_dir(folder.path());
    let run = run(command);
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    run
}

#[test]
fn a22_no_expression_makes_much_out_of_little() {
    let nine = |filter: &str| format!("'q'{}", format!("| {filter}").repeat(9));
    let long = "x".repeat(60_000);
    let expressions = [
        "('x' * 90000000) | replace('x', 'y' * 90000000)".to_owned(),
        "([1] * 90000000) | join('x' * 1000)".to_owned(),
        "[1] * 90000000".to_owned(),
        "5 * 20000000 | string".to_owned(),
        "vars.text * 1000".to_owned(),
        "vars.list * 1000000".to_owned(),
        "vars * 3".to_owned(),
        "vars['text'] * 3".to_owned(),
        "env.name * 90000000".to_owned(),
        nine("replace('q', 'qqqqqqqqqqqq')"),
        format!("'\"'{}", "| tojson".repeat(60)),
        format!("'x'{}", "| b64encode".repeat(60)),
        format!("[[[[[['\\\\']{}", " ~ '']".repeat(5)),
        format!("vars.text{}", " ~ vars.text".repeat(300)),
        "vars.text | replace('', vars.text)".to_owned(),
        "vars.text | split('') | join(vars.text)".to_owned(),
        format!("'{}'", "x".repeat(5_000)),
    ];
    for expression in expressions {
        let folder =
            with_vars(&format!("  text: {long}\n  list: [1, 2]\n"), &format!("  a: >-\n    ${{{{ {expression} }}}}\n"));
        let run = confined(&folder);
        let shown = expression.get(..60).unwrap_or(&expression);
        assert_eq!(run.code, 1, "{shown}\n{}{}", run.stdout, run.stderr);
        assert_eq!(folder.codes(), ["invalid-expression"], "{shown}\n{}", run.stdout);
    }
}

#[test]
fn a22_a_large_variable_in_many_places_is_refused_in_bounded_memory() {
    let text = "x".repeat(1 << 20);
    let list = format!("[{}1]", "1, ".repeat(50_000));
    for (value, place) in [(&text, "  k: ${{ vars.big }}\n"), (&list, "  k: ${{ vars.big }}\n")] {
        let mut config = String::new();
        for n in 0..3_000 {
            config.push_str(&place.replace('k', &format!("k{n}")));
        }
        let folder = with_vars(&format!("  big: {value}\n"), &config);
        let run = confined(&folder);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert_eq!(folder.codes(), ["invalid-expression"]);
    }
    // In one scalar as well.
    let mut scalar = String::new();
    for _ in 0..3_000 {
        write!(scalar, "${{{{ vars.big }}}}").unwrap();
    }
    let folder = with_vars(&format!("  big: {}\n", "x".repeat(60_000)), &format!("  a: {scalar}\n"));
    assert_eq!(confined(&folder).code, 1);
    assert_eq!(folder.codes(), ["invalid-expression"]);
}

#[test]
fn a22_a_policy_is_bounded_too() {
    for (expression, told) in [
        ("('x' * 90000000) | replace('x', 'y') == ''", "no text or list can stand beside it"),
        ("env.name * 90000000 == connection.id", "a policy can't multiply"),
        ("env.name ** 9 == connection.id", "a policy can't multiply"),
    ] {
        let folder = layers("connector: anything\nconfig: {}\nauth: {}\n", &[]);
        let policy = format!("policy:\n  - {{name: p, require: \"{expression}\", message: m}}\n");
        folder.put("tieline.yaml", format!("tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n{policy}"));
        let run = confined(&folder);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert_eq!(folder.codes(), ["invalid-expression"], "{}", run.stdout);
        assert!(run.stdout.contains(told), "it is refused before it is evaluated: {}", run.stdout);
    }
    // What the filters of a policy would make is counted first, as elsewhere.
    let text = "x".repeat(32_000);
    let folder = layers(&format!("connector: anything\ntitle: {text}\nconfig: {{}}\nauth: {{}}\n"), &[]);
    for filters in ["replace('', connection.title)", "replace('x', connection.title)"] {
        let policy = format!("policy:\n  - {{name: p, require: \"connection.title | {filters} == ''\", message: m}}\n");
        folder.put("tieline.yaml", format!("tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n{policy}"));
        let run = confined(&folder);
        assert_eq!(folder.codes(), ["policy"], "{}", run.stdout);
        assert!(run.stdout.contains("a filter gives more than 64 KiB"), "{}", run.stdout);
    }
}

/// Two texts, each within the limit, of which a filter would make a gigabyte.
#[test]
fn e2_11_what_a_filter_would_make_is_counted_before_it_is_made() {
    let text = "x".repeat(32_000);
    for filters in ["replace('', vars.text)", "replace('x', vars.text)", "split('') | join(vars.text)"] {
        let folder = with_vars(&format!("  text: {text}\n"), &format!("  a: ${{{{ vars.text | {filters} }}}}\n"));
        let run = confined(&folder);
        assert_eq!(run.code, 1, "{filters}\n{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("a filter gives more than 64 KiB"), "{filters}\n{}", run.stdout);
    }
    for told_by_int in ["'x' | int(0)", "'5' | int(3)", "'' | int", "'1.5' | int", "[1] | int"] {
        let folder = with_vars("  a: 1\n", &format!("  a: ${{{{ {told_by_int} }}}}\n"));
        assert_eq!(
            folder.codes(),
            ["invalid-expression"],
            "{told_by_int}: no default, and no 0, stands for what is no integer"
        );
    }
    // And what it gives in the end: a byte more than the limit, and none.
    for (more, told) in [(36, false), (37, true)] {
        let text = "x".repeat(65_500);
        let expression = format!("vars.text ~ '{}'", "x".repeat(more));
        let folder = with_vars(&format!("  text: {text}\n"), &format!("  a: ${{{{ {expression} }}}}\n"));
        let run = folder.validate();
        assert_eq!(run.stdout.contains("the expression gives more than 64 KiB"), told, "{more}: {}", run.stdout);
    }
}

#[test]
fn what_is_bounded_leaves_room_for_what_people_write() {
    let folder = with_vars(
        "  size: 2\n  list: [1, 2]\n  names: [db1, db2]\n",
        "  a: ${{ vars.size * 1024 ** 2 }}\n  b: ${{ vars.size * 1.5 }}s\n  c: ${{ vars.names | join(',') }}\n  d: ${{ vars.list }}\n  \
         e: \"${{ ('a-b' | replace('-', '.')) ~ '.example' }}\"\n  f: \"${{ [env.name, 'x'] | join }}\"\n",
    );
    assert_eq!(
        instance(&folder, "dev")["config"],
        json!({"a": 2_097_152, "b": "3.0s", "c": "db1,db2", "d": [1, 2], "e": "a.b.example", "f": "devx"})
    );
}

#[cfg(unix)]
#[test]
fn a16_what_is_swapped_for_a_link_after_it_was_listed_is_not_followed() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tieline::world::{ReadError, System, World};

    let folder = Folder::empty().with("connections/a/c.yaml", "inside").with("beside/c.yaml", "outside");
    let (real, away) = (folder.path().join("connections/a"), folder.path().join("connections/away"));
    let world = System::new(folder.path());
    let read = || world.read("connections/a/c.yaml", 100);
    assert_eq!(read(), Ok(b"inside".to_vec()));
    // A folder on the way, and the file itself; by where they are, and from where the link stands.
    let (beside, up) = (folder.path().join("beside"), PathBuf::from("../beside"));
    for to in [beside, up] {
        fs::rename(&real, &away).unwrap();
        symlink(&to, &real).unwrap();
        assert!(fs::read(real.join("c.yaml")).is_ok_and(|bytes| bytes == b"outside"), "{to:?}");
        assert_eq!(read(), Err(ReadError::NotAFile), "{to:?}");
        fs::remove_file(&real).unwrap();
        fs::create_dir(&real).unwrap();
        let to = if to.is_absolute() { to } else { Path::new("..").join(to) };
        symlink(to.join("c.yaml"), real.join("c.yaml")).unwrap();
        assert!(fs::read(real.join("c.yaml")).is_ok_and(|bytes| bytes == b"outside"), "{to:?}");
        assert_eq!(read(), Err(ReadError::NotAFile), "{to:?}");
        fs::remove_dir_all(&real).unwrap();
        fs::rename(&away, &real).unwrap();
    }
    fs::rename(&real, &away).unwrap();
    // And while it is being read, at any moment.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::rename(&away, &real).unwrap();
                fs::rename(&real, &away).unwrap();
                symlink(folder.path().join("beside"), &real).unwrap();
                fs::remove_file(&real).unwrap();
            }
        });
        let all: Vec<_> = (0..20_000).map(|_| read()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(all.iter().flatten().all(|bytes| bytes == b"inside"));
        assert!(all.iter().any(Result::is_err), "nothing was swapped");
    });
}

#[test]
fn a05_a_merge_key_brings_no_sealed_value_in() {
    let text = sealed(&["TOKEN"], &[RECIPIENT]);
    assert!(text.starts_with("TOKEN: ENC["));
    let text = text.replacen("sops:\n", "<<: {STOLEN: x}\nsops:\n", 1);
    let folder = layers("connector: anything\nauth: {password: '${{ secrets.STOLEN }}'}\n", &[]);
    folder.put("environments/dev/environment.yaml", format!("keys: {{me: {RECIPIENT}}}\nrecipients: [me]\n"));
    folder.put("environments/dev/secrets.sops.yaml", text);
    assert!(folder.codes().contains(&"invalid-secrets-file".to_owned()), "{}", folder.validate().stdout);
}

#[test]
fn a17_layers_in_circles_end_and_long_chains_are_read() {
    let folder = layers("connector: anything\nconfig: {}\n", &[]);
    for n in 0..200 {
        folder.put(&format!("environments/e{n}/environment.yaml"), format!("extends: e{}\n", (n + 1) % 200));
    }
    assert_eq!(folder.codes(), ["extends-cycle"]);
    // As deep as any: `dev` and 63 above it. One more is told once, where it begins.
    folder.put("environments/e63/environment.yaml", "extends: dev\n");
    folder.put("environments/e199/environment.yaml", "");
    let told = folder.told();
    assert_eq!(told.len(), 2, "{told:?}");
    let places: Vec<(&str, &str)> = told.iter().map(|t| (&*t.file, &*t.code)).collect();
    assert_eq!(
        places,
        [("environments/e0/environment.yaml", "too-large"), ("environments/e135/environment.yaml", "too-large")]
    );
    folder.put("environments/e0/environment.yaml", "");
    folder.put("environments/e71/environment.yaml", "");
    folder.put("environments/e135/environment.yaml", "");
    let run = folder.validate();
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
}

#[test]
fn a19_ids_that_look_the_same_cannot_be() {
    let whole = "connector: anything\nconfig: {}\nauth: {}\n";
    // Another case, a Cyrillic а, a full-width ａ, a soft hyphen, a combining accent.
    for name in ["C", "\u{430}", "\u{ff41}", "c\u{ad}", "c\u{301}"] {
        let folder = layers(whole, &[]).with(&format!("connections/{name}.yaml"), whole);
        assert_eq!(folder.codes(), ["invalid-id"], "{name:?}");
    }
    // A folder and a file of one name are two ids, in a bundle too.
    let folder = layers(whole, &[]).with("connections/c/c.yaml", whole);
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn a26_the_order_in_which_files_came_to_be_changes_nothing() {
    let names = ["b", "a/x", "a-b", "z", "a/y/z"];
    let make = |names: &[&str]| {
        let folder = layers("connector: anything\nconfig: {a: [1]}\nauth: {}\n", &[]);
        for name in names {
            folder.put(&format!("connections/{name}.yaml"), "connector: anything\nconfig: {list: [1]}\nauth: {}\n");
            folder.put(&format!("environments/dev/connections/{name}.yaml"), "config: {list: {$append: [2]}}\n");
        }
        folder.run(&["render", "dev"]).stdout
    };
    let forwards = make(&names);
    let backwards: Vec<&str> = names.into_iter().rev().collect();
    assert!(forwards.contains("a/y/z"), "{forwards}");
    assert_eq!(forwards, make(&backwards));
}

#[test]
fn a30_a_pattern_of_a_schema_takes_bounded_time() {
    // Exponential where a regex backtracks; the second can't be matched without backtracking, and is cut off.
    for pattern in ["^(a+)+$", "^(?=a)(a+)+$", "^(a|a)*$", "(x+x+)+y", "^(?=(a+)+b)", "^((?=a)a+)+$"] {
        let schema = json!({"type": "object", "properties": {
            "config": {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}},
        }});
        let value = if pattern.contains('x') { "x".repeat(40) } else { format!("{}!", "a".repeat(40)) };
        let folder = layers(&format!("connector: slow\nconfig: {{a: '{value}'}}\n"), &[]);
        folder.put("connectors/slow.json", schema.to_string());
        let run = confined(&folder);
        assert!(run.took < Duration::from_secs(5), "{pattern}: {:?}", run.took);
        assert_eq!(run.code, 1, "{pattern}\n{}", run.stdout);
    }
}

/// Wherever a schema holds a pattern against a text or a key. One that may backtrack is cut off, each time by itself.
#[test]
fn a30_a_pattern_takes_bounded_time_under_every_keyword() {
    let text = format!("{}!", "a".repeat(40));
    let cases = |pattern: &str| {
        let own = json!({"pattern": pattern});
        [
            ("items", json!({"items": own}), json!([text])),
            ("contains", json!({"contains": own}), json!([text])),
            ("any", json!({"anyOf": [own, {"type": "integer"}]}), json!(text)),
            ("if", json!({"if": own, "then": {}, "else": {"type": "integer"}}), json!(text)),
            ("all", json!({"allOf": [{"allOf": [own]}]}), json!(text)),
            ("reference", json!({"$ref": "#/$defs/p"}), json!(text)),
            ("names", json!({"propertyNames": own}), json!({&text: "x"})),
            ("others", json!({"additionalProperties": own}), json!({"k": text})),
            (
                "keys",
                json!({"patternProperties": {pattern: {"type": "integer"}}, "additionalProperties": false}),
                json!({&text: "x"}),
            ),
        ]
    };
    let told = |pattern: &str, cases: &[(&str, serde_json::Value, serde_json::Value)]| {
        let fields: serde_json::Map<_, _> = cases.iter().map(|case| (case.0.to_owned(), case.1.clone())).collect();
        let config: serde_json::Map<_, _> = cases.iter().map(|case| (case.0.to_owned(), case.2.clone())).collect();
        let schema = json!({"type": "object", "$defs": {"p": {"pattern": pattern}},
            "properties": {"config": {"type": "object", "properties": fields}}});
        let folder = layers(&format!("connector: slow\nconfig: {}\n", json!(config)), &[]);
        folder.put("connectors/slow.json", schema.to_string());
        let run = confined(&folder);
        assert!(run.took < Duration::from_secs(5), "{pattern}: {:?}\n{}", run.took, run.stdout);
        run.stdout
    };
    let all = cases("^(a+)+$");
    let report = told("^(a+)+$", &all);
    assert_eq!(report.matches("error[schema]").count(), all.len() - 1, "{report}");
    assert_eq!(report.matches("error[unknown-key]").count(), 1, "{report}");
    for case in cases("^((?=a)a+)+$") {
        let report = told("^((?=a)a+)+$", std::slice::from_ref(&case));
        assert!(report.contains(": 1 error"), "{}: {report}", case.0);
    }
}
