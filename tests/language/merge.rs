//! Layers: JSON Merge Patch made strict, directives, and what belongs together.

use serde_json::json;

use super::{compiled, instance, layers, secret};

fn merged(lowest: &str, overlay: &str) -> serde_json::Value {
    let folder =
        layers(&format!("connector: anything\nconfig:\n{lowest}"), &[("prod", &format!("config:\n{overlay}"))]);
    instance(&folder, "prod")["config"].clone()
}

/// The codes of an overlay that something is wrong with, in the one environment that there is.
fn faults(lowest: &str, overlay: &str) -> Vec<String> {
    let folder = layers(lowest, &[("prod", overlay)]);
    let (_, _, told) = compiled(&folder, "prod");
    told.iter().map(|d| d.code.to_owned()).collect()
}

#[test]
fn z12_maps_merge_scalars_and_lists_replace_null_removes() {
    assert_eq!(merged("  a: {x: 1, w: 2}\n", "  a: {w: 3, z: 4}\n"), json!({"a": {"x": 1, "w": 3, "z": 4}}));
    assert_eq!(merged("  a: 1\n  b: text\n", "  a: two\n"), json!({"a": "two", "b": "text"}));
    assert_eq!(merged("  a: [1, 2]\n", "  a: [3]\n"), json!({"a": [3]}));
    assert_eq!(merged("  a: {x: 1}\n  b: 2\n", "  a: null\n"), json!({"b": 2}));
    assert_eq!(merged("  a: {x: 1, w: 2}\n", "  a: {x: null}\n"), json!({"a": {"w": 2}}));
    assert_eq!(merged("  a: 1\n", "  a: [1]\n"), json!({"a": [1]}));
}

#[test]
fn z12_the_four_directives() {
    assert_eq!(merged("  a: [1, 2]\n", "  a: {$append: [3]}\n"), json!({"a": [1, 2, 3]}));
    assert_eq!(merged("  a: [1, 2]\n", "  a: {$prepend: [3, 4]}\n"), json!({"a": [3, 4, 1, 2]}));
    assert_eq!(merged("  a: [1, 2, 1]\n", "  a: {$remove: [1]}\n"), json!({"a": [2]}));
    assert_eq!(merged("  a: [{k: 1}, {k: 2}]\n", "  a: {$remove: [{k: 1}]}\n"), json!({"a": [{"k": 2}]}));
    assert_eq!(merged("  a: {x: 1}\n", "  a: {$replace: {w: 2}}\n"), json!({"a": {"w": 2}}));
    assert_eq!(merged("  a: {x: 1}\n", "  a: {$replace: 5}\n"), json!({"a": 5}));
    // It carries what would be a directive, or nothing, elsewhere.
    assert_eq!(
        merged("  a: {x: 1}\n", "  a: {$replace: {$append: 1, b: null}}\n"),
        json!({"a": {"$append": 1, "b": null}})
    );
    assert_eq!(merged("  b: 1\n", "  a: {$replace: {w: 2}}\n"), json!({"a": {"w": 2}, "b": 1}));
}

#[test]
fn z12_a_wholly_different_object_for_one_environment() {
    let lowest =
        "connector: anything\nconfig: {node: https://a, tls: true}\nauth: {mode: x, password: '${{ secrets.P }}'}\n";
    let overlay = "config:\n  $replace: {cloud_id: b}\nauth:\n  $replace: {mode: none}\n";
    let folder = layers(lowest, &[("prod", overlay)]);
    folder.put("environments/dev/environment.yaml", "secrets: {P: 'env:P'}\n");
    assert_eq!(instance(&folder, "prod"), json!({"config": {"cloud_id": "b"}, "auth": {"mode": "none"}}));
    assert_eq!(secret(&folder, "dev", "/auth/password"), "${{ secrets.P }}");
}

#[test]
fn what_a_merge_patch_would_do_in_silence_is_an_error() {
    let lowest = "connector: anything\nconfig: {map: {a: 1}, text: b, list: [1]}\n";
    let cases = [
        ("config: {map: 5}\n", "patch-type"),
        ("config: {map: [1]}\n", "patch-type"),
        ("config: {text: {a: 1}}\n", "patch-type"),
        ("config: {list: {a: 1}}\n", "patch-type"),
        ("config: 5\n", "patch-type"),
        ("config: {text: {$append: [1]}}\n", "invalid-directive"),
        ("config: {map: {$remove: [1]}}\n", "invalid-directive"),
        ("config: {list: {$append: 1}}\n", "invalid-directive"),
        ("config: {none: {$append: [1]}}\n", "invalid-directive"),
        ("config: {list: {$append: [1], $remove: [1]}}\n", "invalid-directive"),
        ("config: {list: {$append: [1], b: 1}}\n", "invalid-directive"),
        ("config: {list: {$add: [1]}}\n", "invalid-directive"),
    ];
    for (overlay, code) in cases {
        assert_eq!(faults(lowest, overlay), [code], "{overlay}");
    }
}

#[test]
fn a_patch_that_changes_nothing_is_an_error_only_if_so_in_every_environment() {
    let lowest = "connector: anything\nconfig: {a: 1, list: [x]}\n";
    let shared = "config: {b: null, list: {$remove: [v]}}\n";
    let folder = layers(lowest, &[("shared", shared)]);
    for name in ["one", "two"] {
        folder.put(&format!("environments/{name}/environment.yaml"), "extends: shared\n");
    }
    assert_eq!(folder.codes(), ["removes-nothing", "removes-nothing"]);
    // `base` has what the patch removes, below it in one environment alone.
    folder.put("environments/base/environment.yaml", "");
    folder.put("environments/base/connections/c.yaml", "config: {b: 2, list: [v]}\n");
    folder.put("environments/shared/environment.yaml", "extends: base\n");
    assert_eq!(folder.codes(), Vec::<String>::new());
    assert_eq!(instance(&folder, "one")["config"], json!({"a": 1, "list": []}));
}

#[test]
fn a25_an_overlay_of_nothing_is_an_error_only_if_so_in_every_environment() {
    let folder = layers("connector: anything\n", &[]);
    folder.put("environments/shared/environment.yaml", "extends: base\n");
    folder.put("environments/shared/connections/other.yaml", "config: {a: 1}\n");
    folder.put("environments/base/environment.yaml", "");
    assert_eq!(folder.codes(), ["overlays-nothing"]);
    folder.put("environments/base/connections/other.yaml", "connector: anything\n");
    assert_eq!(folder.codes(), Vec::<String>::new());
}

#[test]
fn x14_credential_and_auth_displace_each_other() {
    let credential = "auth: {mode: shared, password: '${{ secrets.P }}'}\n";
    let folder = layers("connector: anything\ncredential: login\n", &[("prod", "auth: {mode: own}\n")])
        .with("credentials/login.yaml", credential)
        .with("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n");
    for environment in ["dev", "prod"] {
        folder.put(&format!("environments/{environment}/environment.yaml"), "secrets: {P: 'env:P'}\n");
    }
    assert_eq!(instance(&folder, "dev")["auth"]["mode"], "shared");
    assert_eq!(instance(&folder, "prod")["auth"], json!({"mode": "own"}));
    folder.put("connections/c.yaml", "connector: anything\nauth: {mode: own, extra: 1}\n");
    folder.put("environments/prod/connections/c.yaml", "credential: login\n");
    assert_eq!(instance(&folder, "dev")["auth"], json!({"mode": "own", "extra": 1}));
    assert_eq!(instance(&folder, "prod")["auth"]["mode"], "shared");
    assert_eq!(instance(&folder, "prod")["auth"].get("extra"), None);
}

#[test]
fn z12_another_mode_variant_or_connector_needs_replace_and_prints_the_lines() {
    let lowest = "connector: anything\nconfig: {variant: local, node: a}\nauth: {mode: basic, user: u}\n";
    let cases = [
        ("auth: {mode: none}\n", "auth:\n  $replace:\n    mode: none\n    …"),
        ("config: {variant: hosted}\n", "config:\n  $replace:\n    variant: hosted\n    …"),
        ("connector: s3\nauth: {$replace: {mode: default}}\n", "config:\n  $replace:\n    …"),
    ];
    for (overlay, lines) in cases {
        let folder = layers(lowest, &[("prod", overlay)]);
        let report = folder.json();
        let told = report["diagnostics"].as_array().unwrap();
        assert_eq!(told.len(), 1, "{overlay}: {report:#}");
        assert_eq!(told[0]["code"], "needs-replace");
        assert!(told[0]["help"].as_str().unwrap().ends_with(lines), "{}", told[0]["help"]);
    }
    // The same choice again is no other choice.
    let folder = layers(lowest, &[("prod", "connector: anything\nauth: {mode: basic, user: v}\n")]);
    assert_eq!(instance(&folder, "prod")["auth"], json!({"mode": "basic", "user": "v"}));
}

#[test]
fn z12_another_mode_of_a_credential_needs_replace_too() {
    let folder = layers("connector: anything\ncredential: login\n", &[("prod", "title: c\n")])
        .with("credentials/login.yaml", "auth: {mode: basic, user: u}\n")
        .with("environments/prod/credentials/login.yaml", "auth: {mode: none}\n");
    assert_eq!(folder.codes(), ["needs-replace"]);
}

#[test]
fn layers_stack_root_extends_environment() {
    let folder = layers("connector: anything\nconfig: {root: 0, a: 0, b: 0, c: 0}\n", &[]);
    for (name, extends, config) in
        [("far", "", "{a: 1, b: 1, c: 1}"), ("near", "far", "{b: 2, c: 2}"), ("top", "near", "{c: 3}")]
    {
        let extends = if extends.is_empty() { String::new() } else { format!("extends: {extends}\n") };
        folder.put(&format!("environments/{name}/environment.yaml"), format!("{extends}vars: {{{name}: 1}}\n"));
        folder.put(&format!("environments/{name}/connections/c.yaml"), format!("config: {config}\n"));
    }
    assert_eq!(instance(&folder, "top")["config"], json!({"root": 0, "a": 1, "b": 2, "c": 3}));
    assert_eq!(instance(&folder, "far")["config"], json!({"root": 0, "a": 1, "b": 1, "c": 1}));
    assert_eq!(instance(&folder, "dev")["config"], json!({"root": 0, "a": 0, "b": 0, "c": 0}));
}

#[test]
fn n03_a_value_is_blamed_at_the_line_that_brought_it_in() {
    let folder = layers(
        "connector: postgresql\nconfig: {host: db, database: d}\nauth: {mode: password, username: u, password: '${{ secrets.P }}'}\n",
        &[("prod", "config:\n  port: '${{ vars.port }}'\n")],
    );
    folder.put("environments/dev/environment.yaml", "secrets: {P: 'env:P'}\n");
    folder.put("environments/prod/environment.yaml", "secrets: {P: 'env:P'}\nvars:\n  port: 70000\n");
    let told = folder.told();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].file.as_str(), told[0].line), ("environments/prod/environment.yaml", 3));
    assert_eq!(folder.underlined(), ["70000"]);
}

/// Small maps are walked, larger ones have an index: each key is found, on both sides of the border.
#[test]
fn e2_11_each_key_of_a_map_is_found_however_many_there_are() {
    for size in [1, 2, 63, 64, 65, 66, 130] {
        let lines = |value: &dyn Fn(usize) -> i32| -> String {
            (0..size).map(|at| format!("  k{at}: {}\n", value(at))).collect()
        };
        let map = |value: &dyn Fn(usize) -> i32| -> serde_json::Value {
            (0..size).map(|at| (format!("k{at}"), json!(value(at)))).collect::<serde_json::Map<_, _>>().into()
        };
        let one = |_| 1;
        assert_eq!(merged(&lines(&one), &lines(&|at| at as i32 + 7)), map(&|at| at as i32 + 7), "{size}");
        for at in [0, size / 2, size - 1] {
            assert_eq!(merged(&lines(&one), &format!("  k{at}: 2\n")), map(&|other| 1 + i32::from(other == at)));
            let mut fewer = map(&one);
            fewer.as_object_mut().unwrap().remove(&format!("k{at}"));
            assert_eq!(merged(&lines(&one), &format!("  k{at}: null\n")), fewer, "k{at} of {size}");
        }
        let mut more = map(&one);
        more["new"] = json!(3);
        assert_eq!(merged(&lines(&one), "  new: 3\n"), more, "{size}");
    }
}
