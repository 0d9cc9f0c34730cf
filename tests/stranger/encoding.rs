//! Nothing that tieline prints acts: on a terminal, in a log, or on a CI system that reads along. Every command runs where
//! hostile bytes stand in everything that may hold text.

mod rows;
mod scenes;

use std::collections::BTreeSet;

use clap::CommandFactory;
use rows::{EXACT, ROWS, VARIABLES};
use scenes::{Scene, hostile_files, quoted};
use tieline::commands::Cli;

use crate::shell::{Ended, Shell, feed};

/// Everything that acts, and lines that would be somebody else's.
const HOSTILE: &str = "x\u{1b}[31m\u{1b}]8;;http://evil\u{7}\u{1b}]52;c;eA==\u{1b}\\\u{9b}2J\u{90}q\u{85}\u{7}\r\u{8}\u{7f}\t\
     \u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{ad}\u{3164}\u{e0041}\n::error::FORGED\n##[error]FORGED\nFORGED";

/// Every command that has none below it, from the command line itself.
pub(crate) fn leaves() -> Vec<(String, clap::Command)> {
    fn walk(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        let below: Vec<_> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
        if below.is_empty() {
            found.push((path.to_owned(), command.clone()));
        }
        below.iter().for_each(|sub| walk(sub, format!("{path} {}", sub.get_name()).trim(), found));
    }
    let mut found = Vec::new();
    walk(&Cli::command(), "", &mut found);
    found
}

fn acts(c: char) -> bool {
    (c.is_control() && c != '\n') || HOSTILE.contains(c) && !c.is_ascii()
}

/// A text without the styles of a terminal, each of which is one of a few.
fn unstyled(text: &str, what: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (style, rest) = part.split_once('m').unwrap_or_else(|| panic!("{what}: {part:?}"));
        let known = |n: &str| {
            matches!(n, "0" | "1" | "2" | "3" | "4" | "22" | "24" | "39") || matches!(n.parse(), Ok(30..=37 | 90..=97))
        };
        assert!(style.split(';').all(known), "{what}: {style:?}");
        plain.push_str(rest);
    }
    plain
}

/// How a command is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Color,
    Ci,
}

/// Runs a command in a scene, and looks at every byte.
fn speak(shell: &Shell, arguments: &[&str], mode: Mode) -> Ended {
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    match mode {
        Mode::Color => command.args(["--color", "always"]),
        Mode::Ci => command.env("GITHUB_ACTIONS", "true"),
    };
    let ended = feed(command.args(arguments), "\"a value\"");
    let what = format!("{arguments:?} {mode:?} -> {}", ended.code);
    let exact = EXACT.iter().any(|e| arguments.join(" ").starts_with(e));
    for (text, of) in [(&ended.stdout, "stdout"), (&ended.stderr, "stderr")] {
        if of == "stdout" && exact {
            continue;
        }
        let what = format!("{of} of {what}");
        let text = if mode == Mode::Color { unstyled(text, &what) } else { text.clone() };
        if let Some(at) = text.find(acts) {
            panic!(
                "{what}: acts: {:?}",
                text[..at].lines().last().unwrap_or_default().to_owned()
                    + &text[at..].chars().take(60).collect::<String>()
            );
        }
        assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{what}: a line of a stranger's\n{text}");
        if mode == Mode::Ci {
            assert!(!text.contains("##["), "{what}: {text}");
            let github = arguments.ends_with(&["github"]);
            let command = |line: &str| line.trim_start().starts_with("::") && !line.starts_with("::add-mask::");
            let ours =
                |line: &str| github && ["::error ", "::warning ", "::notice "].iter().any(|c| line.starts_with(c));
            assert!(!text.lines().any(|line| command(line) && !ours(line)), "{what}: {text}");
        }
        assert!(!text.contains("panicked"), "{what}: {text}");
    }
    ended
}

/// How the run of a number in a series is made.
fn mode(number: usize) -> Mode {
    [Mode::Color, Mode::Ci][number % 2]
}

/// Every row in a scene, in both modes; in a copy of it where the row writes.
fn all_rows(scene: &Scene, usage_is_wrong: bool) {
    let reads = [
        "validate",
        "render",
        "explain",
        "list",
        "show",
        "rule",
        "diff",
        "graph",
        "connector",
        "plan",
        "status",
        "history",
        "verify",
    ];
    let shared = scene.fork();
    for row in ROWS {
        let arguments: Vec<&str> = row.split(' ').collect();
        for mode in [Mode::Color, Mode::Ci] {
            let shell = if reads.contains(&arguments[0]) { &shared } else { &scene.fork() };
            let ended = speak(shell, &arguments, mode);
            assert!(!usage_is_wrong || !ended.stderr.contains("Usage:"), "{row}: {ended:#?}");
        }
    }
}

#[test]
fn e15_a46_every_command_has_a_row() {
    let rows: BTreeSet<&str> = ROWS.iter().copied().collect();
    for (leaf, _) in leaves() {
        let has = rows.iter().any(|row| **row == leaf || row.starts_with(&format!("{leaf} ")));
        assert!(has, "`tieline {leaf}` has no row: add it, so that what it prints is looked at");
    }
}

#[test]
fn e15_a46_a48_no_command_prints_what_acts_where_everything_hostile_compiles() {
    all_rows(&Scene::speaking(), true);
}

#[test]
fn e15_a46_a48_no_command_prints_what_acts_where_nothing_is_right() {
    all_rows(&Scene::broken(), false);
}

/// Each line of each file of the workspace in turn: its value, its key.
#[test]
fn e15_a46_no_line_of_a_file_makes_a_command_print_what_acts() {
    let scene = Scene::quickstart();
    let mut rows = ROWS.iter().cycle();
    for (at, (path, text)) in hostile_files(&scene).into_iter().enumerate() {
        let shell = scene.fork();
        shell.put(&path, &text);
        let format = ["human", "github", "json", "concise"][at % 4];
        speak(&shell, &["validate", "--format", format], mode(at / 4));
        let row: Vec<&str> = rows.next().unwrap().split(' ').collect();
        speak(&shell, &row, mode(at + 1));
    }
}

/// Each text of a manifest, a head and a saved plan in turn, with the digests that it then has.
#[test]
fn e15_a46_nothing_that_a_target_holds_makes_a_command_print_what_acts() {
    let scene = Scene::quickstart();
    let readers = [
        "verify prod",
        "status",
        "plan prod",
        "history prod",
        "bundle export prod new.tgz",
        "rollback prod --yes",
        "apply prod --yes",
        "bundle inspect b.tgz",
        "bundle open b.tgz",
        "gc prod --dry-run",
        "history prod --format json",
        "status --format json",
        "plan prod --format markdown",
    ];
    let mut readers = readers.iter().cycle();
    for (at, deployed) in scene.hostile_targets().into_iter().enumerate() {
        let shell = scene.fork();
        deployed.put(&shell);
        speak(&shell, &["verify", "prod"], mode(at));
        let row: Vec<&str> = readers.next().unwrap().split(' ').collect();
        speak(&shell, &row, mode(at + 1));
    }
    let shell = scene.fork();
    for (at, saved) in scenes::hostile_tokens(&scene.shell.read("saved.plan")).into_iter().enumerate() {
        shell.put("saved.plan", &saved);
        speak(&shell, &["apply", "prod", "--plan", "saved.plan", "--yes"], mode(at));
    }
}

/// Each argument and option of each command in turn, and the variables of the environment that it reads.
#[test]
fn e15_a46_nothing_that_is_typed_is_printed_so_that_it_acts() {
    let scene = Scene::quickstart();
    let words: Vec<(String, Vec<String>)> = leaves()
        .into_iter()
        .map(|(leaf, command)| {
            let takes: Vec<String> = command
                .get_arguments()
                .filter(|a| a.get_action().takes_values() && !a.is_positional())
                .map(|a| format!("--{}", a.get_long().unwrap()))
                .collect();
            (leaf, takes)
        })
        .collect();
    let shell = scene.fork();
    for (at, (leaf, options)) in words.into_iter().enumerate() {
        let leaf: Vec<&str> = leaf.split(' ').collect();
        for (number, typed) in [vec![HOSTILE], vec![HOSTILE; 3], vec![&*format!("--{HOSTILE}")]].into_iter().enumerate()
        {
            speak(&shell, &[&leaf[..], &typed].concat(), mode(at + number));
        }
        let help = speak(&shell, &[&leaf[..], &["--help"]].concat(), mode(at));
        assert_eq!(help.code, 0, "{help:#?}");
        for (number, option) in options.iter().enumerate() {
            speak(&shell, &[&leaf[..], &["prod", "hubspot", option, HOSTILE]].concat(), mode(at + number));
            speak(&shell, &[&leaf[..], &["prod", option, HOSTILE]].concat(), mode(at + number + 1));
        }
    }
    for (names, rows) in VARIABLES {
        for name in *names {
            let shell = scene.fork().with(name, HOSTILE);
            for (at, row) in rows.iter().enumerate() {
                speak(&shell, &row.split(' ').collect::<Vec<_>>(), mode(at));
            }
        }
    }
}

/// Each line of a sealed file in turn, and of `.sops.yaml`; a side of a merge with another recipient.
#[test]
fn e15_a46_no_sealed_file_makes_a_command_print_what_acts() {
    let scene = Scene::quickstart();
    let rows = ROWS.iter().filter(|row| {
        ["sops", "secret", "recip", "audit", "merge", "valid", "apply"].iter().any(|p| row.starts_with(p))
    });
    let rows: Vec<&str> = rows.copied().filter(|row| !row.contains("--install")).collect();
    let mut rows = rows.iter().cycle();
    let sealed = scenes::SEALED;
    for (at, text) in scene.hostile_sealed().into_iter().enumerate() {
        let shell = scene.fork();
        for path in [sealed, "theirs.yaml"] {
            shell.put(path, &text);
        }
        speak(&shell, &["sops", "decrypt", sealed], mode(at));
        speak(&shell, &["merge-driver", "base.yaml", "ours.yaml", "theirs.yaml", HOSTILE], mode(at + 1));
        speak(&shell, &rows.next().unwrap().split(' ').collect::<Vec<_>>(), mode(at));
    }
    let rules = format!(
        "creation_rules:\n  - path_regex: {0}\n    age: {0}\n    encrypted_regex: {0}\n    {0}: x\n",
        quoted(HOSTILE)
    );
    for rules in std::iter::once(rules.clone()).chain(scenes::hostile_lines(&rules.replace(&quoted(HOSTILE), "x"))) {
        let shell = scene.fork();
        shell.put(".sops.yaml", &rules);
        for row in [
            "sops encrypt connections/hubspot.yaml",
            "sops updatekeys environments/prod/secrets.sops.yaml",
            "recipients add me",
        ] {
            speak(&shell, &row.split(' ').collect::<Vec<_>>(), Mode::Ci);
        }
    }
}

/// The value that was asked for is exact, but on a terminal, which would act on it.
#[test]
fn e15_a46_a_secret_is_exact_in_a_pipe_and_harmless_on_a_terminal() {
    let shell = Scene::quickstart().shell;
    let set = feed(
        shell.command(env!("CARGO_BIN_EXE_tieline")).args(["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"]),
        HOSTILE,
    );
    assert_eq!(set.code, 0, "{set:#?}");
    assert_eq!(shell.ok(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]).stdout, HOSTILE);
    // GitHub's runner ends a line at a carriage return too: behind it, the value would be a command.
    let command = "abcd\r::stop-commands::x\n::error::y";
    feed(shell.command(env!("CARGO_BIN_EXE_tieline")).args(["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"]), command);
    let mut get = shell.command(env!("CARGO_BIN_EXE_tieline"));
    let got = feed(get.env("GITHUB_ACTIONS", "true").args(["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]), "");
    assert_eq!(got.stderr, "::add-mask::abcd\n::add-mask::::stop-commands::x\n::add-mask::::error::y\n");
    feed(shell.command(env!("CARGO_BIN_EXE_tieline")).args(["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"]), HOSTILE);
    let Some(seen) = scenes::on_a_terminal(&shell, &["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]) else { return };
    let acting = |c: char| acts(c) && !matches!(c, '\r' | '\t');
    assert!(!seen.contains(acting) && seen.contains("\\u{1b}]8;;http://evil\\u{7}"), "{seen:?}");
    assert!(seen.contains("redirect stdout for the exact bytes"), "{seen:?}");
    let seen = scenes::on_a_terminal(&shell, &["sops", "decrypt", scenes::SEALED]).unwrap();
    assert!(!seen.contains(acting), "{seen:?}");
}
