//! Promise: what README.md shows is what happens.
//!
//! In a `console` block, `$ ` starts a command and what follows is its output, stdout and stderr as on a terminal. In the
//! output `…` stands for anything within a line, and alone on a line for any lines. Blocks run in order in one folder.

use std::fs;
use std::path::Path;

use regex::Regex;

use crate::shell::{Shell, feed, sops};
use crate::support::root;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The texts of the code blocks of a language, in order.
fn blocks(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside: Option<String> = None;
    for line in readme().lines() {
        if let Some(text) = &mut inside {
            if line == "```" {
                found.extend(inside.take());
            } else {
                *text += line;
                *text += "\n";
            }
        } else if line == format!("```{language}") {
            inside = Some(String::new());
        }
    }
    assert!(!found.is_empty(), "no {language} block");
    found
}

/// A command and the output that the README shows for it.
fn steps(block: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => {
                *output += line;
                *output += "\n";
            }
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    steps
}

/// Whether an output is what is shown, `…` standing for anything.
fn shows(shown: &str, output: &str) -> bool {
    let mut pattern = String::from("^");
    for line in shown.lines() {
        pattern += &match line.trim() {
            "…" => "(?:.*\n)*?".to_owned(),
            _ => regex::escape(line).replace('…', ".*") + "\n",
        };
    }
    Regex::new(&(pattern + "$")).unwrap().is_match(output)
}

#[test]
fn a_shown_output_matches_itself_and_nothing_else() {
    assert!(shows("a\n  …\nb (…)\n", "a\nx\n\ny\nb (c)\n") && shows("a\n…\n", "a\n") && shows("", ""));
    for output in ["a\nb c\n", "a\nb (c)\nd\n", "", "a\nb (c)"] {
        assert!(!shows("a\n…\nb (…)\n", output), "{output:?}");
    }
}

#[test]
fn e00_each_line_about_trust_names_a_test_that_is_there() {
    let readme = readme();
    let section = readme.split("\n## ").find(|section| section.starts_with("Who is trusted with what")).unwrap();
    let tests: String = crate::support::files(&root().join("tests"))
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| fs::read_to_string(root().join("tests").join(path)).unwrap())
        .collect();
    let name = Regex::new("`([aef][0-9]{1,3}_[a-z][a-z0-9_]+|e2_[0-9a-z_]+)`").unwrap();
    let mut lines = 0;
    let rows =
        section.lines().filter(|line| line.starts_with("| ") && !line.ends_with("shown by |") && !line.contains("---"));
    for line in rows {
        let cell = line.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = name.captures_iter(cell).map(|found| found.get(1).unwrap().as_str()).collect();
        assert!(!names.is_empty(), "no test shows this: {line}");
        for name in names {
            assert!(tests.contains(&format!("#[test]\nfn {name}()")), "there is no test `{name}`");
        }
        lines += 1;
    }
    assert!(lines >= 25, "{lines} lines");
}

#[test]
fn the_tour_shows_what_happens() {
    let bin = Path::new(env!("CARGO_BIN_EXE_tieline")).parent().unwrap();
    let mut shell = Shell::new().with_path(bin);
    let sops = sops();
    let mut ran = 0;
    for (command, shown) in blocks("console").iter().flat_map(|block| steps(block)) {
        if let Some(folder) = command.strip_prefix("cd ") {
            shell.folder.push(folder);
            continue;
        }
        let command = match (command.strip_prefix("sops "), &sops) {
            (Some(_), None) => continue,
            (Some(rest), Some(sops)) => format!("'{}' {rest}", sops),
            (None, _) => command,
        };
        let mut run = shell.command("sh");
        let ended = feed(run.args(["-c", &format!("exec 2>&1; {command}")]), "");
        assert!(shows(&shown, &ended.stdout), "$ {command}\n--- shown\n{shown}\n--- given\n{}", ended.stdout);
        let wrong = shown.contains("error[");
        assert_eq!(ended.code, i32::from(wrong), "$ {command}\n{}", ended.stdout);
        ran += 1;
    }
    assert!(ran > 12, "{ran}");
}

#[test]
fn the_main_command_does_the_main_job() {
    let block = &blocks("sh")[0];
    let words: Vec<&str> = block.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "--").unwrap();
    assert_eq!(words[1..at], ["cargo", "run", "--release", "--locked"]);
    // The same from a copy of the example: what the command names is relative to where it is typed.
    let shell = Shell::new();
    crate::shell::copy(&root().join("examples/quickstart"), &shell.folder.join("examples/quickstart"));
    let (variable, value) = words[0].split_once('=').unwrap();
    let shell = shell.with(variable, value);
    let ended = shell.ok(&words[at + 1..]);
    assert!(ended.stdout.ends_with("2 to create, 0 to update, 0 to delete\n"), "{ended:#?}");
    assert!(shell.folder.join("examples/quickstart/dist/environments/prod/head.json").is_file());
}

#[test]
fn the_test_command_is_the_one_that_ci_runs() {
    let readme = readme();
    let commands: Vec<_> = readme.lines().filter(|line| line.starts_with("cargo test ")).collect();
    assert_eq!(commands, ["cargo test --locked"]);
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    let last: Vec<_> = ci.lines().rev().take(3).collect();
    assert_eq!(last[0], "exec bash -euc \"$tests\"", "the tests are the last that is run");
    assert!(last[2].starts_with("tests=$(sed -n '/^cargo test /{p;q}' README.md)"), "{last:?}");
}

#[test]
fn ci_can_be_run() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(root().join(".ci/run")).unwrap().permissions().mode() & 0o111, 0o111);
    }
    let ended = feed(std::process::Command::new("bash").args(["-n", ".ci/run"]).current_dir(root()), "");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

/// What stands in the README under a heading.
fn section(heading: &str) -> String {
    let readme = readme();
    let start = readme.find(&format!("\n## {heading}")).unwrap_or_else(|| panic!("no section {heading}"));
    let rest = &readme[start + 1..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
}

#[test]
fn what_the_readme_names_is_there() {
    let name = Regex::new("`([a-z.]+/[A-Za-z0-9_./-]*|[a-z]+\\.toml)`").unwrap();
    let text = section("How do I add") + &section("Two commands") + &section("Two minutes");
    let mut named = 0;
    for (_, [path]) in name.captures_iter(&text).map(|c| c.extract()) {
        // A file to be made, or one of a workspace.
        if path.contains("NAME") || path.starts_with("environments/") {
            continue;
        }
        assert!(root().join(path).exists(), "the README names {path}");
        named += 1;
    }
    assert!(named > 15, "{named}");
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut within = false;
    let mut direct: Vec<&str> = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.ends_with("dependencies]");
        } else if let (true, Some((name, _))) = (within && !line.starts_with('#'), line.split_once(" = ")) {
            direct.push(name);
        }
    }
    let table = section("Dependencies");
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.contains("---") && !line.starts_with("| |"));
    let mut told: Vec<&str> = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(',').map(str::trim)).collect();
    direct.sort_unstable();
    told.sort_unstable();
    assert!(direct.len() > 20);
    assert_eq!(told, direct);
}

#[test]
fn no_text_of_the_repository_is_about_one_machine() {
    let path = Regex::new("(?:^|[\\s\"'(=`])/(?:home|root|work|Users)/").unwrap();
    for file in ["README.md", "CHANGELOG.md", ".ci/run", "Cargo.toml", "deny.toml", "clippy.toml"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(!path.is_match(&text), "{file}");
    }
}
