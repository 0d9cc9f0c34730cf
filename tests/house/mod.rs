//! The house shows its plan: a file imports only what stands above it in `lib.rs`, and the members of a family know
//! neither each other nor their registry.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use crate::support::{files, root};

/// The top-level modules in the order of `lib.rs`.
fn order() -> BTreeMap<String, usize> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let names = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.enumerate().map(|(place, name)| (name.to_owned(), place)).collect()
}

/// The module that a file of `src/` belongs to.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// A file without its tests and comments, which may look anywhere.
fn code(path: &str) -> String {
    let text = fs::read_to_string(root().join("src").join(path)).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every `crate::NAME` in a text, through braces too.
fn imports(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in text.match_indices("crate::") {
        let rest = &text[at + found.len()..];
        let word = |s: &str| s.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned();
        match rest.strip_prefix('{') {
            None => names.push(word(rest)),
            Some(list) => {
                // The first segment of each item, nested braces aside.
                let mut depth = 0usize;
                let mut item = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => names.push(word(std::mem::take(&mut item).trim())),
                        c if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                names.push(word(item.trim()));
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// One function says that a test is passed over, and fails where nothing may be.
#[test]
fn e2_11_a_test_is_passed_over_in_one_way() {
    let tests = root().join("tests");
    for path in files(&tests).iter().filter(|path| path.ends_with(".rs") && *path != "house/mod.rs") {
        let text = fs::read_to_string(tests.join(path)).unwrap();
        for way in ["\"skipped", "\"SKIPPED", "eprintln!(\"passed over"] {
            assert!(!text.contains(way), "tests/{path} has `{way}`: `support::passed_over` says it");
        }
        let is_the_one = ["support/mod.rs", "peers/mod.rs"].contains(&path.as_str());
        assert!(
            is_the_one || !text.contains("(\"TIELINE_REQUIRE_PEERS"),
            "tests/{path} asks whether peers are required"
        );
    }
}

#[test]
fn a_file_imports_only_what_stands_above_it_in_lib_rs() {
    let order = order();
    let mut backwards = String::new();
    for path in files(&root().join("src")).iter().filter(|p| p.ends_with(".rs") && *p != "lib.rs" && *p != "main.rs") {
        let own = module(path);
        let Some(place) = order.get(own) else {
            let _ = writeln!(backwards, "{path}: `{own}` is not in lib.rs");
            continue;
        };
        for used in imports(&code(path)) {
            match order.get(&used) {
                Some(above) if above > place => {
                    let _ = writeln!(backwards, "{path} looks down at `{used}`");
                }
                Some(_) => {}
                None => {
                    let _ = writeln!(backwards, "{path} imports `{used}`, which is no module");
                }
            }
        }
    }
    assert!(backwards.is_empty(), "{backwards}");
}

/// Families that grow: folder, what its members may share.
const FAMILIES: &[(&str, &[&str])] = &[
    ("commands", &["acceptance", "session", "deploy", "signing", "against", "format", "formers", "known", "change"]),
    ("reporters", &["text", "shown", "snippet", "human", "json", "plan_human", "table"]),
    ("providers", &[]),
    ("targets", &[]),
    ("exports", &[]),
    ("imports", &[]),
    ("rules", &["facts", "levels", "shapes"]),
];

#[test]
fn members_of_a_family_know_neither_each_other_nor_their_registry() {
    let mut wrong = String::new();
    for (family, shared) in FAMILIES {
        let folder = root().join("src").join(family);
        let members: Vec<String> = if folder.is_dir() { files(&folder) } else { Vec::new() };
        let names: Vec<&str> = members.iter().map(|m| module(m)).filter(|m| *m != "mod").collect();
        for member in members.iter().filter(|m| !m.contains('/') && *m != "mod.rs") {
            let own = module(member);
            if shared.contains(&own) {
                continue;
            }
            let text = code(&format!("{family}/{member}"));
            for sibling in names.iter().filter(|name| **name != own && !shared.contains(name)) {
                for way in [format!("super::{sibling}::"), format!("crate::{family}::{sibling}::")] {
                    if text.contains(&way) {
                        let _ = writeln!(wrong, "{family}/{member} imports its sibling `{sibling}`");
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A path that is put together below the workspace's root goes around the door that follows no link.
#[test]
fn e03_no_path_below_the_workspace_is_put_together_by_hand() {
    let all = files(&root().join("src"));
    let wrong = all.iter().filter(|path| path.ends_with(".rs") && !path.starts_with("world/"));
    let wrong: Vec<_> = wrong.filter(|path| code(path).contains("root().join(")).collect();
    assert!(wrong.is_empty(), "use `world.files()`, or `files().within(…)`: {wrong:?}");
}

#[test]
fn the_reader_of_imports_reads_braces() {
    assert_eq!(imports("use crate::a::b; use crate::{c, d::{e, f}, g::h}; crate::i::j();"), ["a", "c", "d", "g", "i"]);
}

#[test]
fn lib_rs_names_every_module_once() {
    let order = order();
    let folders = fs::read_dir(root().join("src")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    for name in folders.filter(|n| n != "lib.rs" && n != "main.rs") {
        assert!(order.contains_key(name.trim_end_matches(".rs")), "src/{name} is not in lib.rs");
    }
}

/// What prints, or would act on a terminal, by its name in the code.
const PRINTS: &[&str] = &[
    "print!(",
    "println!(",
    "dbg!(",
    "stdout()",
    "stderr()",
    "io::stdout",
    "io::stderr",
    "rpassword",
    ".print()",
    ".exit()",
    "Cli::parse(",
    "\\x1b",
    "\\u{1b}",
    "\\x9b",
    "\\u{9b}",
    "\\033",
    "/dev/tty",
    "/dev/std",
];

/// Who may: the door, and for escape sequences the text that it takes.
const MAY_PRINT: &[(&str, &[&str])] =
    &[("ui.rs", PRINTS), ("reporters/shown.rs", &["\\x1b"]), ("world/program.rs", &["/dev/tty"])];

#[test]
fn e15_nothing_prints_but_ui_and_no_escape_sequence_stands_anywhere_else() {
    let mut wrong = String::new();
    for path in files(&root().join("src")).iter().filter(|path| path.ends_with(".rs")) {
        let text = code(path);
        let may = MAY_PRINT.iter().find(|(file, _)| file == path).map_or(&[][..], |(_, may)| *may);
        for name in PRINTS.iter().filter(|name| text.contains(**name) && !may.contains(name)) {
            let _ = writeln!(wrong, "{path}: `{name}`: go through `Ui`, which encodes what it prints");
        }
        if text.contains(|c: char| c.is_control() && c != '\n') {
            let _ = writeln!(wrong, "{path}: a control character");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
