//! Promise: what we accept, other readers of YAML read alike; what they would read otherwise is refused.

use serde_json::json;

use crate::shell::Shell;
use crate::support::Folder;

/// Characters that end a line, or are not there, for some readers only; and the words for each.
const DIVIDING: [(char, &str); 5] = [
    ('\r', "a carriage return (U+000D) without a line feed"),
    ('\u{85}', "a next line (U+0085)"),
    ('\u{2028}', "a line separator (U+2028)"),
    ('\u{2029}', "a paragraph separator (U+2029)"),
    ('\u{feff}', "a byte order mark (U+FEFF)"),
];

const SETTINGS: &str = "vars: {db_host: db.acme.example}\nsecrets: {FINANCE_PASSWORD: 'env:X'}\n";

fn environment(more: &str) -> Folder {
    Folder::base().with("environments/dev/environment.yaml", format!("{SETTINGS}{more}"))
}

#[test]
fn e2_05_a_comment_that_others_read_as_a_key_is_refused() {
    for (character, words) in DIVIDING {
        for text in [
            format!("# a note{character}protected: true\n"),
            format!("description: a{character}b\n"),
            format!("description: 'a{character}b'\n"),
            format!("description: \"a{character}b\"\n"),
            format!("description: |\n  a{character}b\n"),
            format!("description:{character} a\n"),
            format!("{character}description: a\n"),
            format!("\"descr{character}iption\": a\n"),
            format!("description: a{character}"),
        ] {
            let folder = environment(&text);
            assert_eq!(folder.underlined(), [character.to_string()], "{text:?}");
            let report = folder.json();
            let told = &report["diagnostics"][0];
            assert_eq!(told["code"], "control-character", "{text:?}");
            assert!(told["message"].as_str().unwrap().starts_with(words), "{text:?}: {told}");
        }
        // An escape is a character like any other.
        let number = u32::from(character);
        assert_eq!(environment(&format!("description: \"a\\u{number:04x}b\"\n")).codes(), Vec::<String>::new());
    }
    // What YAML itself does not allow.
    for character in ['\u{fffe}', '\u{ffff}', '\u{7f}', '\u{9f}', '\u{b}'] {
        let folder = environment(&format!("# a{character}b\n"));
        assert_eq!(
            (folder.codes(), folder.underlined()),
            (vec!["control-character".to_owned()], vec![character.to_string()])
        );
    }
}

#[test]
fn e2_05_line_breaks_of_windows_and_a_mark_at_the_start_stay() {
    for text in [SETTINGS.replace('\n', "\r\n"), format!("\u{feff}{SETTINGS}"), format!("{SETTINGS}# end\r\n\r\n")] {
        let folder = Folder::base().with("environments/dev/environment.yaml", &text);
        assert_eq!(folder.codes(), Vec::<String>::new(), "{text:?}");
    }
    let twice = Folder::base().with("environments/dev/environment.yaml", format!("\u{feff}\u{feff}{SETTINGS}"));
    assert_eq!(twice.codes(), ["control-character"]);
}

/// Sealed files, rules of sops and what people type into them are read by another reader than documents.
#[test]
fn e2_05_sealed_files_and_rules_are_held_to_it_too() {
    let shell = Shell::example("quickstart").with_demo_identity();
    let (rules, secrets) = (shell.read(".sops.yaml"), "environments/prod/secrets.sops.yaml");
    let text = shell.read(secrets);
    for (character, words) in DIVIDING {
        shell.put(secrets, &format!("# a note{character}x: y\n{text}"));
        let ended = shell.run(&["validate"]);
        assert!(ended.code == 1 && ended.stdout.contains(words), "{character:?}: {}", ended.stdout);
        let ended = shell.run(&["sops", "decrypt", secrets]);
        assert!(ended.code == 1 && ended.stderr.contains(words), "{character:?}: {}", ended.stderr);
        shell.put(secrets, &text);

        // Told before a value is looked at.
        shell.put(secrets, "a: b\n");
        shell.put(".sops.yaml", &format!("# a note{character}x: y\n{rules}"));
        let ended = shell.run(&["sops", "encrypt", secrets]);
        assert!(ended.code != 0 && ended.stderr.contains(words), "{character:?}: {}", ended.stderr);
        shell.put(".sops.yaml", &rules);
        shell.ok(&["sops", "encrypt", secrets]);

        shell.put(secrets, &format!("# a note{character}x: y\na: b\n"));
        let ended = shell.run(&["sops", "encrypt", secrets]);
        assert!(ended.code == 1 && ended.stderr.contains(words), "{character:?}: {}", ended.stderr);
        shell.put(secrets, &text);
    }
    assert_eq!(shell.run(&["validate"]).code, 0);
}

/// What we print has escapes, so that we read it again.
#[test]
fn e2_05_what_we_write_of_such_characters_is_read_again() {
    let (_, recipient, identity) = crate::sops::key();
    let shell = Shell::new().with("SOPS_AGE_KEY", &identity);
    for (character, _) in DIVIDING {
        let value = json!({format!("k{character}"): format!("a{character}b\n"), "sealed": format!("c{character}\n{character}d\n")});
        shell.put("a.json", &value.to_string());
        shell.ok(&["sops", "encrypt", "-i", "a.json", "--age", recipient.as_str(), "--encrypted-regex", "^sealed$"]);
        let yaml = shell.ok(&["sops", "decrypt", "a.json", "--output-type", "yaml"]).stdout;
        assert!(!yaml.contains(character), "{yaml:?}");
        shell.put("a.yaml", &yaml);
        shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", recipient.as_str(), "--encrypted-regex", "^sealed$"]);
        assert!(!shell.read("a.yaml").contains(character));
        let read = shell.ok(&["sops", "decrypt", "a.yaml", "--output-type", "json"]).stdout;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&read).unwrap(), value);
    }
    let shell = Shell::example("quickstart").with_demo_identity();
    let all: String = DIVIDING.iter().map(|(character, _)| format!("a{character}")).collect();
    shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], &all);
    assert_eq!(shell.ok(&["secret", "get", "HUBSPOT_TOKEN", "-e", "prod"]).stdout, all);
    let title: String = DIVIDING.iter().map(|(character, _)| format!("\\u{:04x}", u32::from(*character))).collect();
    let text = shell.read("connections/warehouse.yaml").replace("title: Warehouse", &format!("title: \"{title}\""));
    shell.put("connections/warehouse.yaml", &text.replace("database: warehouse", &format!("database: \"{title}\"")));
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["verify", "prod"]);
    let rendered = shell.ok(&["render", "prod"]).stdout;
    let (_, told) = tieline::yaml::parse(tieline::span::FileId(0), &rendered);
    assert!(told.is_empty() && rendered.contains("\\L"), "{rendered}\n{told:?}");
    shell.ok(&["fmt"]);
    shell.ok(&["mv", "warehouse", "house"]);
    shell.ok(&["validate"]);
}

/// Forms that we took, and others took otherwise or not at all.
#[test]
fn e2_06_forms_that_others_read_otherwise_are_refused() {
    for value in ["1e3", "1E3", "1e+3", "0.1e1", "1.e3", "-.5", "+.5", ".1_0", "._1", "-_1", "=", "<<"] {
        let folder = environment(&format!("description: {value}\n"));
        let report = folder.json();
        assert_eq!(report["diagnostics"][0]["code"], "ambiguous-scalar", "{value}");
        let help = report["diagnostics"][0]["help"].as_str().unwrap();
        assert!(help.contains(&format!("'{value}'")), "{value}: {help}");
        assert_eq!(environment(&format!("description: '{value}'\n")).codes(), Vec::<String>::new(), "{value}");
    }
    for (text, code) in [
        ("description: ! 12\n", "yaml-tag"),
        ("description: &x: a\n", "yaml-differs"),
        ("description: &x a\nguards: &x {max_delete_count: 1}\n", "yaml-differs"),
        ("description: |\n  a", "yaml-differs"),
        ("description: |\n \n  a\n", "yaml-differs"),
        ("guards:\n \tmax_delete_count: 1\n", "yaml-tab"),
        ("guards:\tmax_delete_count: 1\n", "yaml-tab"),
        ("description: a\tb\n", "yaml-tab"),
        ("description: a\t# note\n", "yaml-tab"),
        ("guards: &a{max_delete_count: 1}\n", "yaml-differs"),
        ("guards: {max_delete_count: 1\n, max_delete_percent: 2}\n", "yaml-differs"),
        ("description: \"a\nb\"\n", "yaml-syntax"),
        ("description: \"a \\\n\n  b\"\n", "yaml-differs"),
        ("outputs: {a: {name: b?c}}\n", "yaml-differs"),
        ("outputs: {a: :b}\n", "yaml-differs"),
        ("outputs: {a:}\n", "yaml-differs"),
        ("outputs: {a\n  : b}\n", "yaml-differs"),
        ("description: !!str\n  a\n", "yaml-differs"),
    ] {
        assert_eq!(environment(text).codes(), [code], "{text:?}");
    }
    for whole in ["|2\r\n  b\r\n", "&x: a\n"] {
        let folder = Folder::base().with("environments/dev/environment.yaml", whole);
        assert_eq!(folder.json()["diagnostics"][0]["code"], "yaml-differs", "{whole:?}");
    }
}

#[test]
fn e2_06_what_people_write_all_the_time_stays() {
    for text in [
        "description: |\n  a\n\n  b\n",
        "description: >-\n  a\n  b",
        "description: \"a\tb\"\n",
        "description: a # with a\ttab\n",
        "description: 1.5e+3 x\n",
        "description: what?\n",
        "guards: {\n  max_delete_count: 1, # one\n  max_delete_percent: 5\n}\n",
        "guards:\r\n  max_delete_count: 1\r\n",
        "description: http://example.com/?a=b&c=d#e\n",
    ] {
        assert_eq!(environment(text).codes(), Vec::<String>::new(), "{text:?}");
    }
}

/// What `validate` and `plan` take, `apply` seals.
#[test]
fn e2_07_one_depth_for_blocks_brackets_and_what_expressions_give() {
    let shell = Shell::example("quickstart").with_demo_identity();
    std::fs::create_dir_all(shell.folder.join("connectors")).unwrap();
    shell.put("connectors/anything.json", r#"{"type": "object", "properties": {"config": {"type": "object"}}}"#);
    // `around` block maps with brackets in the innermost; the root and `config` are two more.
    let nested = |around: usize, brackets: &str| -> String {
        let lines = (1..=around).map(|depth| format!("{}k:\n", "  ".repeat(depth)));
        format!("connector: anything\nconfig:\n{}{}k: {brackets}\n", lines.collect::<String>(), "  ".repeat(around + 1))
    };
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let settings = shell.read("environments/prod/environment.yaml");
    let var = |depth: usize| settings.replace("vars:\n", &format!("vars:\n  deep: {}\n", lists(depth)));
    assert_ne!(var(1), settings);

    // 2 + 32 + 30 = 64: as deep as anything goes, to the end.
    shell.put("connections/deep.yaml", &nested(32, &lists(30)));
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["verify", "prod"]);
    shell.put("environments/prod/environment.yaml", &var(30));
    shell.put("connections/deep.yaml", &nested(32, "${{ vars.deep }}"));
    let dev = shell.read("environments/dev/environment.yaml");
    shell.put("environments/dev/environment.yaml", &dev.replace("vars:\n", "vars:\n  deep: []\n"));
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["verify", "prod"]);

    // One more.
    let told = |what: &str| {
        let ended = shell.run(&["validate", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let told = &report["diagnostics"][0];
        assert_eq!(
            (ended.code, &told["code"], &told["file"]),
            (1, &json!("yaml-too-deep"), &json!("connections/deep.yaml")),
            "{what}"
        );
        told["range"]["start"]["line"].as_u64().unwrap()
    };
    shell.put("environments/prod/environment.yaml", &var(31));
    assert_eq!(told("what an expression gives"), 35);
    shell.put("environments/prod/environment.yaml", &var(1));
    shell.put("connections/deep.yaml", &nested(32, &lists(31)));
    assert_eq!(told("blocks and brackets"), 35);
    let alias = format!("title: x\nlabels: &deep {{a: {}}}\n{}", lists(30), nested(32, "*deep"));
    shell.put("connections/deep.yaml", &alias);
    assert_eq!(told("an alias"), 37);
}

#[test]
fn e2_07_a_number_that_would_be_rounded_is_not_sealed() {
    let (_, recipient, identity) = crate::sops::key();
    let shell = Shell::new().with("SOPS_AGE_KEY", &identity);
    let seal = |file: &str, text: &str| {
        shell.put(file, text);
        shell.run(&["sops", "encrypt", "-i", file, "--age", recipient.as_str()])
    };
    for number in [
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775808",
        "123456789012345678901234567890",
        "1.12345678901234567890123",
        "0.1000000000000000055511151231257827",
        "1e-400",
    ] {
        let ended = seal("a.json", &format!("{{\"a\": {{\"b\": [{number}]}}}}"));
        assert!(ended.code == 1 && ended.stderr.contains("into quotes"), "{number}: {}", ended.stderr);
        assert!(!shell.read("a.json").contains("sops"), "{number}");
        let ended = seal("b.json", &format!("{{\"a\": \"{number}\"}}"));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let ended = shell.run_with(&["sops", "set", "b.json", "[\"a\"]"], number);
        assert!(ended.code == 1 && ended.stderr.contains("into quotes"), "{number}: {}", ended.stderr);
        assert_eq!(shell.ok(&["sops", "decrypt", "b.json", "--extract", "[\"a\"]"]).stdout, number);
    }
    for number in ["9223372036854775808", "18446744073709551616", "1.12345678901234567890123", "1e-400"] {
        let ended = seal("a.yaml", &format!("a: {number}\n"));
        assert!(ended.code == 1 && ended.stderr.contains("into quotes"), "{number}: {}", ended.stderr);
    }
    for number in ["9007199254740992", "-1", "0.1", "1.50", "1e3", "2.5e-7", "1e22", "0.30000000000000004"] {
        assert_eq!(seal("a.json", &format!("{{\"a\": {number}}}")).code, 0, "{number}");
        let read = shell.ok(&["sops", "decrypt", "a.json"]).stdout;
        let read: serde_json::Value = serde_json::from_str(&read).unwrap();
        assert_eq!(read["a"].as_f64(), number.parse().ok(), "{number}");
    }
    assert_eq!(seal("a.yaml", "a: 9223372036854775807\nb: 1_0.50\nc: .inf\n").code, 0);
}

#[test]
fn e2_09_a_day_has_one_spelling_and_a_span_comes_to_an_end() {
    let credential = |every: &str, rotated: &str| {
        let text = format!(
            "rotate_every: '{every}'\nrotated: {rotated}\nauth: {{mode: password, username: f, password: '${{{{ secrets.FINANCE_PASSWORD }}}}'}}\n"
        );
        Folder::base().with("credentials/finance-db.yaml", text).json()["diagnostics"].clone()
    };
    let refused = |told: &serde_json::Value, words: &str| {
        let told = &told[0];
        assert_eq!(told["code"], "invalid-value", "{words}: {told}");
        assert!(told["message"].as_str().unwrap().contains(words) && told["help"].is_string(), "{told}");
    };
    for every in [
        "15000y",
        "101y",
        "1201mo",
        "36600d",
        "90d 5us",
        "90d 1ns",
        "90d 1h",
        "P90DT1S",
        "24h",
        "-90d",
        "90d ago",
        "0d",
        "90",
        "d",
        "",
        "1y 5000000us",
        "P1Y1H",
    ] {
        refused(&credential(every, "'2999-01-31'"), "`rotate_every`");
    }
    for rotated in [
        "'-002020-01-01'",
        "'+002020-01-01'",
        "'2026-01-31T10:00:00'",
        "'2026-01-31T10:00:00Z'",
        "'2026-01-31 10:00'",
        "'2026-01-31Z'",
        "'20260131'",
        "'2026-W05-6'",
        "'2026-031'",
        "'2026-1-31'",
        "'2026-02-30'",
        "' 2026-01-31'",
        "'2026-01-31[Europe/Oslo]'",
        "'2026-01-31T00:00:00[u-ca=hebrew]'",
    ] {
        refused(&credential("90d", rotated), "`rotated`");
    }
    refused(&credential("90d", "'9999-12-31'"), "`rotate_every` leads beyond");
    for every in ["90d", "12w", "6mo", "1y", "P90D", "1y 6mo", "12 weeks", "100y"] {
        assert_eq!(credential(every, "'2999-01-31'"), json!([]), "{every}");
    }
}

/// Texts that hold every character of Unicode, in runs and alone where it matters.
fn every_character() -> Vec<String> {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let mut texts: Vec<String> = all.chunks(90).map(|run| run.iter().collect()).collect();
    let odd = all
        .iter()
        .filter(|c| !c.is_alphanumeric() || c.is_ascii())
        .filter(|c| u32::from(**c) < 0x3000 || u32::from(**c) >= 0xfd00);
    let odd: Vec<char> = odd.copied().take(12_000).collect();
    for c in odd.iter().filter(|c| c.is_ascii() || c.escape_debug().len() > 1 || u32::from(**c) & 0xfffe == 0xfffe) {
        texts.extend([c.to_string(), format!("a{c}b"), format!("{c} x: #"), format!("x{c}"), format!("\n{c}\n")]);
    }
    texts
}

#[test]
fn e2_09_every_character_of_unicode_is_written_so_that_it_is_read_again() {
    use tieline::edit;
    use tieline::span::FileId;
    let texts = every_character();
    // In a line of its own, between brackets, and as a key of a map of its own.
    for some in texts.chunks(100) {
        let lines = some.iter().map(|text| format!("- {}\n- [{0}]\n- {}: a\n", edit::scalar(text), edit::key(text)));
        let written: String = lines.collect();
        assert_eq!(written.lines().count(), 3 * some.len(), "{written:?}");
        let (root, told) = tieline::yaml::parse(FileId(0), &written);
        assert!(told.is_empty(), "{written}\n{told:?}");
        let root = root.unwrap();
        for (text, [alone, listed, keyed]) in some.iter().zip(root.as_list().unwrap().as_chunks().0) {
            let key = keyed.as_map().unwrap().iter().next().map(|entry| &*entry.key);
            let read = [alone.as_str(), listed.as_list().unwrap()[0].as_str(), key];
            assert_eq!(read, [Some(text.as_str()); 3], "{written}");
        }
    }
    // Many at once: what `render` prints, and what stands in sealed files in clear.
    for some in texts.chunks(200) {
        let value: serde_json::Map<String, serde_json::Value> =
            some.iter().enumerate().map(|(at, text)| (format!("{text}{at}"), json!([text]))).collect();
        let rendered = tieline::reporters::yaml::render(&value.clone().into()).unwrap();
        let (root, told) = tieline::yaml::parse(FileId(0), &rendered);
        assert!(told.is_empty(), "{told:?}\n{rendered}");
        assert_eq!(tieline::connectors::json::plain(&root.unwrap()), serde_json::Value::Object(value));
    }
}
