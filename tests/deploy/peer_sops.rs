//! Promise: stock sops opens an object with the identity of a recipient, and its MAC holds.
//!
//! The program is `$TIELINE_PEER_SOPS`, or `sops` on the path. Without one the test is passed over.
#![allow(clippy::print_stderr)]

use std::process::{Command, Output};

use super::*;

fn decrypt(program: &str, bench: &Bench, path: &Path) -> Output {
    let mut command = Command::new(program);
    command.current_dir(bench.folder.path()).env_clear().env("HOME", bench.folder.path());
    command.env("SOPS_AGE_KEY", &bench.identity);
    command.args(["decrypt", "--input-type", "yaml", "--output-type", "json"]).arg(path).output().unwrap()
}

#[test]
fn peer_sops_opens_an_object_and_its_mac_covers_the_clear_values() {
    let Some(program) = crate::shell::sops() else { return };
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b", "c"]);
    let odd = json!({"": "x", "a.b(c)$#&~-": secret("P", "1"), "l": [secret("P", "1"), {"k": secret("P", "1"), "yes": "no"}],
        "config": secret("P", "1"), "f": 1e300, "n": null, "t": "1:30", "u": "öä\u{85}\u{1b}\n", "e": {}, "el": []});
    desired.records.get_mut("b").unwrap()["config"] = odd;
    desired.records.get_mut("c").unwrap()["auth"] = json!({"mode": "none"});
    bench.apply(&desired).unwrap();
    for (id, record) in &desired.records {
        let path = object(&bench, id);
        let output = decrypt(&program, &bench, &path);
        assert!(output.status.success(), "{id}: {}", String::from_utf8_lossy(&output.stderr));
        let opened: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut expected = Value::from(record);
        open(id, &mut String::new(), &mut expected);
        assert_eq!((&opened["config"], &opened["auth"]), (&expected["config"], &expected["auth"]), "{id}");
        assert_eq!(opened["tieline"]["reference"], record["reference"]);
        let changed = fs::read_to_string(&path).unwrap().replacen("mode: ", "mode: x", 1);
        let copy = bench.folder.path().join("changed.yaml");
        fs::write(&copy, changed).unwrap();
        assert_eq!(decrypt(&program, &bench, &copy).status.code(), Some(51), "{id}");
    }
}

/// Puts the canaries where the record has its secrets.
fn open(id: &str, pointer: &mut String, value: &mut Value) {
    if tieline::model::record::is_secret(value) {
        *value = Canaries.reveal(id, pointer).unwrap_or_else(|_| unreachable!()).expose().as_str().into();
        return;
    }
    let mut below = |segment: &str, value: &mut Value| {
        let length = pointer.len();
        tieline::value::push_segment(pointer, segment);
        open(id, pointer, value);
        pointer.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| below(key, value)),
        Value::Array(list) => list.iter_mut().enumerate().for_each(|(index, value)| below(&index.to_string(), value)),
        _ => {}
    }
}
