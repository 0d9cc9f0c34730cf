//! Promise: whatever stands in a file, a plan in a log, a report or a comment says it and does nothing else.

use std::collections::BTreeSet;

use serde_json::json;
use tieline::plan::Plan;
use tieline::plan::leaves::{Leaf, LeafAction};
use tieline::plan::{Action, Base, Change};
use tieline::reporters::plan_human::{Against, plan_human};
use tieline::reporters::plan_json::{plan_gitlab, plan_json};
use tieline::reporters::plan_markdown::plan_markdown;

use super::{LOOK, scope};
use crate::shell::Shell;
use tieline::bundle::Digest;

/// Everything that a renderer, a terminal or a CI system could take for its own.
const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\u{7}\r\u{8}\u{202e}\u{200b}::error::x ##[add-mask]b ##vso[task.complete]c \
                       ##teamcity[x] section_start:1:y ```` `x` | <details><img src=https://evil.example/beacon> @org/team \
                       #123 Fixes #1 [l](https://evil.example) https://evil.example -->\n::stop-commands::x\n# heading\n```\n</details>";

fn change(instance: &str) -> Change {
    let leaf = Leaf {
        path: format!("/config/{}", HOSTILE.replace('/', "~1")),
        action: LeafAction::Change,
        old: json!(HOSTILE),
        new: json!(format!("{HOSTILE}2")),
        secret: None,
        sources: None,
        place: Some(tieline::source::Line { file: HOSTILE.into(), number: 4 }),
        old_place: None,
    };
    Change {
        instance: instance.to_owned(),
        id: instance.to_owned(),
        customer: None,
        profile: None,
        reference: String::new(),
        connector: HOSTILE.to_owned(),
        action: Action::Update,
        from: None,
        leaves: vec![leaf.into()],
    }
}

fn plan(changes: Vec<Change>) -> Plan {
    let digest = Digest::of(b"x");
    let trust = changes.iter().take(1).flat_map(|change| &change.leaves).map(|leaf| {
        tieline::plan::trust::TrustChange::Destination {
            instance: HOSTILE.to_owned(),
            of: Some(HOSTILE.to_owned()),
            environment: Some(HOSTILE.to_owned()),
            leaf: Leaf::clone(leaf),
        }
    });
    Plan {
        scope: scope(),
        base: Some(Base::Revision { name: HOSTILE.to_owned(), commit: HOSTILE.to_owned(), desired: digest.clone() }),
        desired: Digest::of(b"y"),
        reencrypted: Vec::new(),
        unchanged: 0,
        volatile: vec![HOSTILE.to_owned()],
        consumers: BTreeSet::from([HOSTILE.to_owned()]),
        customers: BTreeSet::from([HOSTILE.to_owned()]),
        access: vec![tieline::plan::access::Access {
            recipient: HOSTILE.to_owned(),
            key: HOSTILE.to_owned(),
            gains: vec![HOSTILE.to_owned()],
            loses: vec![],
        }],
        trust: trust.collect(),
        moves: vec![],
        moved: vec![tieline::plan::relocation::Relocation {
            from: HOSTILE.to_owned(),
            to: HOSTILE.to_owned(),
            serial: Some(4),
            connections: Some(2),
            gone: vec![HOSTILE.to_owned()],
            unread: Some(HOSTILE.to_owned()),
        }],
        refused: vec![tieline::plan::guards::Refusal { instance: None, reason: HOSTILE.to_owned() }],
        changes,
    }
}

/// What stands outside of code spans and fenced blocks (CommonMark 0.31, 4.5 and 6.1).
fn markup(markdown: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<usize> = None;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if ticks >= open && line.trim_start_matches('`').trim().is_empty() => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None => {
                let mut rest = line;
                while let Some(at) = rest.find('`') {
                    outside.push_str(&rest[..at]);
                    let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                    let body = &rest[at + run..];
                    let close = body.char_indices().map(|(i, _)| i).find(|&i| {
                        body[i..].starts_with(&"`".repeat(run))
                            && !body[i + run..].starts_with('`')
                            && !body[..i].ends_with('`')
                    });
                    match close {
                        Some(close) => rest = &body[close + run..],
                        None => panic!("a code span that does not end: {line}"),
                    }
                }
                outside.push_str(rest);
                outside.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "every fence is closed");
    outside
}

#[test]
fn a52_nothing_from_a_file_is_markup_in_a_comment() {
    let text = plan_markdown(&[plan(vec![change("kept")])], &[]);
    let outside = markup(&text);
    for bad in ["@org", "#123", "<img", "](", "evil.example", "| ", "-->", "heading", "##", "::"] {
        assert!(!outside.contains(bad), "{bad}: {outside}");
    }
    assert_eq!((outside.matches("<details>").count(), outside.matches("</details>").count()), (1, 1), "{outside}");
    insta::assert_snapshot!("hostile_comment", text);
}

#[test]
fn a46_a47_no_form_of_a_plan_holds_a_character_that_acts() {
    let plan = plan(vec![change("kept")]);
    let forms = [
        plan_human(&plan, Against::Revision(HOSTILE), LOOK).to_string(),
        plan_human(&plan, Against::Target(HOSTILE), LOOK).to_string(),
        plan_json(&plan),
        plan_markdown(std::slice::from_ref(&plan), &[]),
        plan_gitlab(std::slice::from_ref(&plan)),
    ];
    for form in &forms {
        let acting = |c: char| c != '\n' && tieline::reporters::text::is_unsafe(c);
        assert!(!form.contains(acting), "{form:?}");
    }
    // JSON still says what it was.
    let back: serde_json::Value = serde_json::from_str(&forms[2]).unwrap();
    assert_eq!(back["changes"][0]["leaves"][0]["old"], HOSTILE);
}

#[test]
fn a53_a_comment_is_never_too_long_and_says_what_it_hides() {
    let many: Vec<Change> = (0..2000).map(|n| change(&format!("group/c{n}"))).collect();
    let text = plan_markdown(&[plan(many.clone())], &[]);
    assert!(text.chars().count() < 65_536, "{}", text.chars().count());
    let hidden = text.lines().find(|line| line.contains("hidden**")).unwrap();
    assert!(hidden.contains("`tieline plan` shows them all"), "{hidden}");
    markup(&text);
    let several = plan_markdown(&vec![plan(many); 30], &[]);
    assert!(several.chars().count() < 65_536 && several.contains("hidden"), "{}", several.chars().count());
    markup(&several);
}

/// A workspace whose files hold what CI systems listen to.
fn listening() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    let title = r###"title: "##[set-env name=X]y\n::stop-commands::abc\n::error::z ##vso[task.setvariable variable=x]y ##teamcity[a] section_start:1:b""###;
    let text = shell.read("connections/hubspot.yaml");
    let lines = text.lines().map(|line| if line.starts_with("title") { title } else { line });
    shell.put("connections/hubspot.yaml", &lines.map(|line| format!("{line}\n")).collect::<String>());
    shell
}

#[test]
fn a48_a50_a51_a55_no_ci_system_finds_a_command_in_a_plan_whatever_its_form() {
    for variable in ["GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION", "CI"] {
        // Files that GitHub reads back: nothing is written to them.
        let shell = listening();
        let output = shell.everything().join("github-output");
        std::fs::write(&output, "").unwrap();
        let shell = shell.with(variable, "true").with("GITHUB_OUTPUT", output.to_str().unwrap());
        for format in ["human", "json", "markdown", "gitlab"] {
            let ended = shell.ok(&["plan", "prod", "--format", format]);
            for text in [&ended.stdout, &ended.stderr] {
                assert!(!text.contains("##"), "{format}: {text}");
                assert!(!text.contains("section_start:") || format == "json", "{format}: {text}");
                assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{format}: {text}");
            }
        }
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "");
    }
}

#[test]
fn a47_characters_that_reorder_text_are_told_in_a_file() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let text = shell.read("connections/hubspot.yaml");
    shell.put("connections/hubspot.yaml", &format!("description: of\u{202e}crm\n{text}"));
    let told = shell.run(&["validate"]);
    assert!(!format!("{}{}", told.stdout, told.stderr).contains('\u{202e}'), "{told:?}");
    assert!(told.stdout.contains("warning[hidden-character]") && told.stdout.contains("U+202E"), "{told:?}");
}
