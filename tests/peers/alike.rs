//! Promise: what we accept, PyYAML, libyaml, ruamel.yaml and the npm packages yaml and js-yaml accept too, and read as the
//! same value.
//!
//! Documents of `corpus`, those of the fixtures and examples, mutants of them by one edit, and every short text of the
//! characters that numbers and dates are made of. What we refuse is not asked for. `TIELINE_MUTANTS` makes more mutants.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value as Json, json};
use tieline::diagnostic::Severity;
use tieline::span::FileId;
use tieline::value::{Node, Value};

use super::{yaml_node_modules, yaml_python};
use crate::shell::feed;
use crate::support::{files, root};

/// Mutants that are made, of which most are refused.
const MUTANTS: usize = 2_000;

/// A value in the form of the peers' answers; `None` of what we refuse.
fn ours(text: &str) -> Option<Json> {
    let (root, told) = tieline::yaml::parse(FileId(0), text);
    let fine = !told.iter().any(|one| one.severity == Severity::Error);
    root.filter(|_| fine).map(|root| shown(&root))
}

fn shown(node: &Node) -> Json {
    match &node.value {
        Value::Null => json!({"null": true}),
        Value::Bool(value) => json!({"bool": value}),
        Value::Int(value) => json!({"int": value.to_string()}),
        Value::Float(value) => json!({"float": value.to_string()}),
        Value::String(text) => json!({"str": text}),
        Value::List(items) => json!({"list": items.iter().map(shown).collect::<Vec<_>>()}),
        Value::Map(map) => {
            json!({"map": map.iter().map(|e| json!([{"str": e.key}, shown(&e.value)])).collect::<Vec<_>>()})
        }
        Value::Secret(_) => unreachable!("the reader makes no secrets"),
    }
}

/// Whether a peer's value is ours. JavaScript has one kind of number.
fn same(ours: &Json, theirs: &Json) -> bool {
    let number = |value: &Json, kind: &str| value[kind].as_str()?.parse::<f64>().ok();
    let kind = |value: &Json| value.as_object().and_then(|object| object.keys().next().cloned()).unwrap_or_default();
    match (&*kind(ours), &*kind(theirs)) {
        ("int" | "float", "number") => number(ours, &kind(ours)) == number(theirs, "number"),
        ("float", "float") => number(ours, "float") == number(theirs, "float"),
        ("list", "list") => {
            let (a, b) = (ours["list"].as_array().unwrap(), theirs["list"].as_array().unwrap());
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        ("map", "map") => {
            // Not every peer keeps their order.
            let sorted = |value: &Json| {
                let mut entries = value["map"].as_array().unwrap().clone();
                entries.sort_by_key(|entry| entry[0].to_string());
                entries
            };
            let (a, b) = (sorted(ours), sorted(theirs));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a[0] == b[0] && same(&a[1], &b[1]))
        }
        _ => ours == theirs,
    }
}

/// Whether a reader may refuse what we read: a bracket that closes at the column of its key, which people write all the
/// time and which means one thing.
fn tolerated(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with([']', '}']))
}

/// The answers of all peers, for each document.
fn answers(documents: &[String]) -> Option<Vec<Vec<(String, Json)>>> {
    let (python, modules) = (yaml_python()?, yaml_node_modules()?);
    let folder = root().join("tests/peers");
    let mut commands = [Command::new(python), Command::new("node")];
    commands[0].arg(folder.join("read_yaml.py"));
    commands[1].arg(folder.join("read_yaml.mjs")).arg(modules);
    let input: String = documents.iter().map(|text| format!("{}\n", Json::from(text.as_str()))).collect();
    let mut all = vec![Vec::new(); documents.len()];
    let ended = std::thread::scope(|scope| {
        let running: Vec<_> = commands.iter_mut().map(|command| scope.spawn(|| feed(command, &input))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    for ended in ended {
        assert_eq!((ended.code, ended.stdout.lines().count()), (0, documents.len()), "{}", ended.stderr);
        for (line, answers) in ended.stdout.lines().zip(&mut all) {
            let answer: Json = serde_json::from_str(line).unwrap();
            answers.extend(answer.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    Some(all)
}

/// The documents that a peer reads otherwise, each with what it makes of it; `None` without peers.
fn otherwise(documents: &[String]) -> Option<Vec<String>> {
    let all = answers(documents)?;
    let mut found = Vec::new();
    for (text, answers) in documents.iter().zip(all) {
        let ours = ours(text).unwrap();
        for (name, theirs) in answers {
            let refused = theirs == json!("refused");
            if !(if refused { tolerated(text) } else { same(&ours, &theirs) }) {
                found.push(format!("{text:?}\n    tieline {ours}\n    {name} {theirs}"));
                break;
            }
        }
    }
    Some(found)
}

/// The seeds: what the corpus has, one document between two lines of `---`.
fn seeds() -> Vec<String> {
    let corpus = root().join("tests/peers/corpus");
    let mut seeds: Vec<String> = Vec::new();
    for path in files(&corpus) {
        let text = fs::read_to_string(corpus.join(path)).unwrap();
        seeds.extend(text.split("---\n").map(str::to_owned));
    }
    seeds
}

/// Files as people write them.
fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    for folder in ["fixtures/base", "fixtures/connectors/valid", "examples/quickstart", "examples/tenants"] {
        let folder = root().join(folder);
        let yaml = files(&folder).into_iter().filter(|path| path.ends_with(".yaml") && !path.contains("secrets"));
        examples.extend(yaml.map(|path| fs::read_to_string(folder.join(path)).unwrap()));
    }
    examples
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// What an edit puts in.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    ":",
    ": ",
    "- ",
    "-",
    "#",
    " #",
    "&a ",
    "&a",
    "*a",
    "!",
    "! ",
    "!!str ",
    "|",
    ">",
    "|2",
    ">-",
    "|+",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    ", ",
    "?",
    "? ",
    "%",
    "@",
    "`",
    "0",
    "1",
    ".",
    "_",
    "e",
    "~",
    "=",
    "<<",
    "+",
    "\\",
    "é",
    "\u{a0}",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "null",
    "\u{200b}",
    "!a ",
    "!<tag:yaml.org,2002:str> ",
    "\\\n",
    "\n ",
    "\n  ",
    "\n\t",
    " \n",
    "|-\n",
    ">\n",
];

fn mutant(seed: &str, dice: &mut Dice) -> String {
    let borders: Vec<usize> = seed.char_indices().map(|(at, _)| at).chain([seed.len()]).collect();
    let at = borders[dice.below(borders.len())];
    let to = borders.iter().copied().find(|border| *border > at).unwrap_or(at);
    let piece = PIECES[dice.below(PIECES.len())];
    let line = |at: usize| seed[..at].rfind('\n').map_or(0, |found| found + 1);
    let end = seed[at..].find('\n').map_or(seed.len(), |found| at + found + 1);
    match dice.below(9) {
        0 => format!("{}{}", &seed[..at], &seed[to..]),
        1 => format!("{}{piece}{}", &seed[..at], &seed[to..]),
        2 => format!("{}{}", &seed[..line(at)], &seed[end..]),
        3 => format!("{}{}{}", &seed[..end], &seed[line(at)..end], &seed[end..]),
        4 => format!("{} {}", &seed[..line(at)], &seed[line(at)..]),
        5 => format!("{}{}", &seed[..line(at)], seed[line(at)..].trim_start_matches(' ')),
        6 => seed[..at].to_owned(),
        _ => format!("{}{piece}{}", &seed[..at], &seed[at..]),
    }
}

/// Documents and their mutants that we accept, each once.
fn documents() -> Vec<String> {
    let count = std::env::var("TIELINE_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(MUTANTS);
    let (seeds, examples) = (seeds(), examples());
    let mut dice = Dice(count as u64);
    let mut all: BTreeSet<String> = seeds.iter().cloned().chain(examples).collect();
    for text in &all {
        let (root, told) = tieline::yaml::parse(FileId(0), text);
        assert!(root.is_some() && told.is_empty(), "{told:?}\n{text}");
    }
    for number in 0..count {
        let mut text = seeds[number % seeds.len()].clone();
        for _ in 0..=dice.below(2) {
            text = mutant(&text, &mut dice);
        }
        all.insert(text);
    }
    all.into_iter().filter(|text| ours(text).is_some()).collect()
}

#[test]
fn e2_06_what_we_accept_all_peers_read_as_the_same_value() {
    let Some(found) = otherwise(&documents()) else { return };
    assert!(found.is_empty(), "{} documents:\n{}", found.len(), found.join("\n"));
}

/// Each alone as a value, many to a document.
#[test]
fn e2_06_every_short_plain_scalar_is_read_alike() {
    const CHARACTERS: &str = "01_.-+eExob:~=<yn ";
    let mut texts = vec![String::new()];
    let mut last = texts.clone();
    for _ in 0..3 {
        last = last.iter().flat_map(|text| CHARACTERS.chars().map(move |c| format!("{text}{c}"))).collect();
        texts.extend(last.iter().cloned());
    }
    let spelled = [
        "1.0e+3",
        "-1.5E-7",
        "0x1F",
        "2026-11-20",
        "12:30:45",
        "0.1e1",
        "1.e3",
        "1e+3",
        "-.5",
        ".1_0",
        ".inf",
        "+.INF",
        "0o17",
    ];
    texts.extend(spelled.map(str::to_owned));
    // One scalar on one line: what lists and maps come of it is asked of the documents.
    let scalar = |text: &str| {
        let list = ours(&format!(
            "- {text}
"
        ))?;
        let one = &list["list"].as_array()?[0];
        (text.trim() == text && one["map"].is_null() && one["list"].is_null()).then_some(())
    };
    let accepted: Vec<String> = texts.into_iter().filter(|text| scalar(text).is_some()).collect();
    assert!(accepted.len() > 1_000, "{}", accepted.len());
    let list = |some: &[String]| some.iter().map(|text| format!("- {text}\n")).collect::<String>();
    let lists: Vec<String> = accepted.chunks(500).map(list).collect();
    for list in &lists {
        let (root, told) = tieline::yaml::parse(FileId(0), list);
        assert!(root.is_some() && told.is_empty(), "{told:?}\n{list}");
    }
    let Some(found) = otherwise(&lists) else { return };
    if !found.is_empty() {
        let one: Vec<String> = accepted.iter().map(|text| format!("- {text}\n")).collect();
        let found = otherwise(&one).unwrap();
        panic!("{} scalars:\n{}", found.len(), found.join("\n"));
    }
}

#[test]
fn e2_06_the_peers_are_asked() {
    let Some(found) = answers(&["a: no\n".to_owned()]) else { return };
    let values: Vec<String> = found[0].iter().map(|(name, value)| format!("{name} {}", value["map"][0][1])).collect();
    assert_eq!(values.len(), 5, "{values:?}");
    assert!(values.contains(&"PyYAML {\"bool\":false}".to_owned()), "{values:?}");
}

/// What `edit` and sealed files say of any character, in keys and values, all peers read as that character.
#[test]
fn e2_09_what_we_write_of_any_character_all_peers_read() {
    use tieline::secret::Secret;
    use tieline::sops::{Map, Rule, Settings, Value, encrypt};
    // All that acts, ends a line or is not a character; of the rest every 61st.
    let acts = |c: &char| c.is_control() || c.escape_debug().len() > 2 || u32::from(*c) & 0xfffe == 0xfffe;
    let all = ('\0'..=char::MAX)
        .filter(|c| u32::from(*c) % 61 == 0 || (u32::from(*c) < 0x3000) || (u32::from(*c) > 0xfd00 && acts(c)));
    let all: Vec<char> =
        all.take(20_000).chain(['\u{fdd0}', '\u{1fffe}', '\u{1ffff}', '\u{e0001}', '\u{10ffff}']).collect();
    let recipients = [crate::sops::key().1];
    let settings = Settings {
        rule: &Rule::EncryptedRegex("^nothing$".into()),
        mac_only_encrypted: false,
        recipients: &recipients,
        lastmodified: crate::sops::TIME,
    };
    let mut documents = Vec::new();
    for (number, run) in all.chunks(80).enumerate() {
        let text: String = run.iter().collect();
        let written = format!("{}: [{}]\n", tieline::edit::key(&text), tieline::edit::scalar(&text));
        assert_eq!(ours(&written), Some(json!({"map": [[{"str": text}, {"list": [{"str": text}]}]]})), "{written}");
        documents.push(written);
        if number % 4 == 0 {
            let mut data = Map::new();
            data.push(text.clone(), Value::Str(Secret::new(text.clone())));
            let sealed = encrypt(&data, &settings, &mut crate::sops::random).unwrap();
            let (clear, _) = sealed.split_once("sops:").unwrap();
            assert_eq!(ours(clear), Some(json!({"map": [[{"str": text}, {"str": text}]]})), "{clear}");
            documents.push(clear.to_owned());
        }
    }
    let Some(found) = otherwise(&documents) else { return };
    assert!(found.is_empty(), "{} documents:\n{}", found.len(), found.join("\n"));
}
