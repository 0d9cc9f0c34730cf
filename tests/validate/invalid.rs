//! `fixtures/invalid`: one mistake a folder, put over `fixtures/base`; exactly what is expected is told.

use std::fmt::Write;
use std::fs;

use serde_json::Value;
use tieline::diagnostic::CODES;
use tieline::rules::RULES;

use crate::support::{Expected, Folder, expectations, files, root};

/// Codes that no file in Git can raise; their tests stand in code.
const IN_CODE: &[&str] = &["unreadable", "too-large", "not-a-regular-file", "more-problems"];

/// The fixtures' names: a code, or a code and a variant.
fn fixtures() -> Vec<String> {
    let folder = root().join("fixtures/invalid");
    let folders = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|e| e.file_type().unwrap().is_dir());
    let mut names: Vec<String> = folders.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a fixture expects of which file: the comments beside its mistakes, and `expect.txt` (`FILE:LINE error[CODE]: words`).
fn expected(name: &str) -> Vec<(String, Expected)> {
    let folder = root().join("fixtures/invalid").join(name);
    let mut expected = Vec::new();
    for file in files(&folder) {
        let text = fs::read(folder.join(&file)).unwrap();
        if file == "expect.txt" {
            for line in String::from_utf8(text).unwrap().lines() {
                let (place, told) = line.split_once(' ').unwrap();
                let (file, line) = place.rsplit_once(':').unwrap();
                expected.push((file.to_owned(), Expected::read(line.parse().unwrap(), told).unwrap()));
            }
        } else {
            expected.extend(expectations(&text).into_iter().map(|expected| (file.clone(), expected)));
        }
    }
    expected.sort();
    expected
}

/// What is told of a fixture, in the form of its expectations.
fn told(folder: &Folder) -> Vec<(String, Expected)> {
    let report = folder.json();
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let one = |d: &Value| {
        let line = d["range"]["start"]["line"].as_u64().unwrap();
        let words = text(&d["message"]);
        (text(&d["file"]), Expected { line, severity: text(&d["severity"]), code: text(&d["code"]), words })
    };
    let mut told: Vec<_> = report["diagnostics"].as_array().unwrap().iter().map(one).collect();
    told.sort();
    told
}

/// Whether exactly the expected is told: nothing is missing, nothing too much, nothing elsewhere, and in these words.
fn fits(expected: &[(String, Expected)], told: &[(String, Expected)]) -> bool {
    let one = |((file, wanted), (at, told)): (&(String, Expected), &(String, Expected))| {
        let same = (file, wanted.line, &wanted.severity, &wanted.code) == (at, told.line, &told.severity, &told.code);
        same && !wanted.words.is_empty() && told.words.contains(&wanted.words)
    };
    expected.len() == told.len() && expected.iter().zip(told).all(one)
}

#[test]
fn the_base_workspace_has_no_problems() {
    let run = Folder::base().validate();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    assert_eq!(run.stdout, "2 connections, 2 environments: no problems\n");
}

#[test]
fn every_mistake_is_told_once_at_its_line() {
    let mut wrong = String::new();
    for name in fixtures() {
        let folder = Folder::base().copy(&root().join("fixtures/invalid").join(&name));
        let (expected, told) = (expected(&name), told(&folder));
        assert!(!expected.is_empty(), "{name} expects nothing");
        if !fits(&expected, &told) {
            let _ = writeln!(wrong, "{name}:\n  expected {expected:?}\n  told     {told:?}");
        }
        if !told.iter().any(|(_, t)| name.starts_with(&t.code)) {
            let _ = writeln!(wrong, "{name} is not named after what it raises");
        }
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "../snapshots/invalid"}, {
            insta::assert_snapshot!(name.clone(), folder.validate().stdout);
        });
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn there_are_fixtures_for_what_people_really_mistype() {
    assert!(fixtures().len() >= 150, "{}", fixtures().len());
}

#[test]
fn every_code_has_a_fixture() {
    let fixtures = fixtures();
    let named =
        |code: &str| fixtures.iter().any(|f| f.strip_prefix(code).is_some_and(|r| r.is_empty() || r.starts_with('-')));
    let rules = RULES.iter().map(|rule| rule.code);
    let missing: Vec<_> =
        CODES.iter().copied().chain(rules).filter(|code| !named(code) && !IN_CODE.contains(code)).collect();
    assert!(missing.is_empty(), "no fixture raises {missing:?}");
}

#[test]
fn the_codes_are_for_ever() {
    let mut codes: Vec<_> = CODES.iter().copied().chain(RULES.iter().map(|rule| rule.code)).collect();
    codes.sort_unstable();
    assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "a code stands twice");
    insta::assert_snapshot!(codes.join("\n"));
}
