//! `fixtures/invalid`: one mistake a folder, put over `fixtures/base`; exactly what is expected is told.

use std::fmt::Write;
use std::fs;

use tieline::diagnostic::CODES;

use crate::support::{Folder, Told, expectations, files, root};

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

/// What a fixture expects: the comments beside its mistakes, and `expect.txt` (`CODE FILE LINE`).
fn expected(name: &str) -> Vec<Told> {
    let folder = root().join("fixtures/invalid").join(name);
    let mut expected = Vec::new();
    for file in files(&folder) {
        let text = fs::read(folder.join(&file)).unwrap();
        if file == "expect.txt" {
            for line in String::from_utf8(text).unwrap().lines() {
                let mut words = line.split(' ').map(str::to_owned);
                let (code, file) = (words.next().unwrap(), words.next().unwrap());
                expected.push(Told { code, file, line: words.next().unwrap().parse().unwrap() });
            }
        } else {
            let here = expectations(&text).into_iter();
            expected.extend(here.map(|(line, code)| Told { code, file: file.clone(), line }));
        }
    }
    expected.sort();
    expected
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
        let (expected, told) = (expected(&name), folder.told());
        assert!(!expected.is_empty(), "{name} expects nothing");
        if expected != told {
            let _ = writeln!(wrong, "{name}:\n  expected {expected:?}\n  told     {told:?}");
        }
        if !told.iter().any(|t| name.starts_with(&t.code)) {
            let _ = writeln!(wrong, "{name} is not named after what it raises");
        }
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "../snapshots/invalid"}, {
            insta::assert_snapshot!(name.clone(), folder.validate().stdout);
        });
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_code_has_a_fixture() {
    let fixtures = fixtures();
    let named =
        |code: &str| fixtures.iter().any(|f| f.strip_prefix(code).is_some_and(|r| r.is_empty() || r.starts_with('-')));
    let missing: Vec<_> = CODES.iter().filter(|code| !named(code) && !IN_CODE.contains(code)).collect();
    assert!(missing.is_empty(), "no fixture raises {missing:?}");
}

#[test]
fn the_codes_are_for_ever() {
    let mut codes = CODES.to_vec();
    codes.sort_unstable();
    assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "a code stands twice");
    insta::assert_snapshot!(codes.join("\n"));
}
