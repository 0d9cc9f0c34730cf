//! Promise: readers that share no code with us open what we write: age itself, a short one in Python, an npm package.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value as Json;
use tieline::sops::{Encrypted, Settings, encrypt};

use super::{age, node_modules, python};
use crate::shell::{Shell, feed};
use crate::sops::data::Data;
use crate::sops::properties::{data as documents, map, rules};
use crate::sops::{TIME, key, random};
use crate::support::root;

/// How many random documents the independent reader gets.
const DOCUMENTS: usize = 2_000;

fn told(json: &Json) -> Data {
    let Some(object) = json.as_object() else { return Data::Null };
    let (kind, value) = object.iter().next().unwrap();
    match (kind.as_str(), value) {
        ("map", Json::Array(entries)) => {
            Data::Map(entries.iter().map(|e| (e[0].as_str().unwrap().to_owned(), told(&e[1]))).collect())
        }
        ("list", Json::Array(items)) => Data::List(items.iter().map(told).collect()),
        ("str", Json::String(text)) => Data::Str(text.clone()),
        ("bool", Json::Bool(value)) => Data::Bool(*value),
        ("int", Json::String(text)) => Data::Int(text.parse().unwrap()),
        ("float", Json::String(text)) => Data::Float(text.parse().unwrap()),
        _ => panic!("{json}"),
    }
}

#[test]
fn peer_python_reads_two_thousand_random_documents_equal() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, recipient, identity) = key();
    // The same documents in every run, so that a failure is one that can be looked at.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (proptest::collection::vec((".{0,12}", documents()), 0..6), rules(), proptest::bool::ANY);
    let mut wanted = Vec::new();
    let mut paths = String::new();
    while wanted.len() < DOCUMENTS {
        let (entries, rule, mac_only_encrypted) = strategy.new_tree(&mut runner).unwrap().current();
        let entries: Vec<_> = entries.into_iter().filter(|(key, _)| key != "sops").collect();
        let data = map(&entries);
        let recipients = [recipient.clone()];
        let settings = Settings { rule: &rule, mac_only_encrypted, recipients: &recipients, lastmodified: TIME };
        let Ok(text) = encrypt(&data, &settings, &mut random) else { continue };
        let path = folder.path().join(format!("{}.yaml", wanted.len()));
        fs::write(&path, &text).unwrap();
        paths += &format!("{}\n", path.display());
        wanted.push(Data::of_map(&data));
    }
    let mut command = Command::new(python);
    command.arg(root().join("tests/peers/read_sops.py")).arg(&identity);
    let ended = feed(&mut command, &paths);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let mut read = 0;
    for (line, wanted) in ended.stdout.lines().zip(&wanted) {
        let json: Json = serde_json::from_str(line).unwrap();
        let path = folder.path().join(format!("{read}.yaml"));
        assert!(json.get("error").is_none(), "{json}\n{}", fs::read_to_string(&path).unwrap());
        assert!(told(&json).matches(wanted), "{json}\n{wanted:?}\n{}", fs::read_to_string(&path).unwrap());
        read += 1;
    }
    assert_eq!(read, DOCUMENTS);
    eprintln!("documents that the Python reader read equal: {read}");
}

/// The data key alone: an age file like any other, 32 bytes.
#[test]
fn peer_age_opens_our_data_keys() {
    let Some(age) = age() else { return };
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    for file in ["environments/prod/secrets.sops.yaml", "dist/environments/prod/current/connections/hubspot.yaml"] {
        let text = shell.read(file);
        let encrypted = Encrypted::parse(&text).unwrap();
        for entry in &encrypted.metadata().recipients {
            let mut command = shell.command(&age);
            command.args(["--decrypt", "-i", "demo-identity.txt"]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(entry.enc.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{file}");
            assert_eq!(output.stdout.len(), 32, "{file}");
        }
    }
    // And the other way round: an identity that age made opens what is sealed to it.
    let made = feed(shell.command(age.replace("age", "age-keygen")).args(["-o", "theirs.txt"]), "");
    let recipient = made.stderr.trim().rsplit(' ').next().unwrap().to_owned();
    shell.put("a.yaml", "a: kelp\n");
    shell.ok(&["sops", "encrypt", "-i", "a.yaml", "--age", &recipient]);
    assert_eq!(shell.ok(&["sops", "decrypt", "a.yaml", "--identity", "theirs.txt"]).stdout, "a: kelp\n");
}

#[test]
fn peer_npm_sops_age_reads_our_files() {
    let Some(modules) = node_modules() else { return };
    let shell = Shell::new();
    let (_, recipient, identity) = key();
    let shell = shell.with("SOPS_AGE_KEY", &identity);
    for (file, kind, text) in [
        ("a.yaml", "yaml", "db:\n  password: \"two\\nlines: #'\"\n  port: 5432\n  list: [1, true, x]\nratio: 1.5\n"),
        (
            "a.json",
            "json",
            "{\"db\": {\"password\": \"žluť\", \"port\": 5432, \"list\": [1, true, \"x\"]}, \"ratio\": 1.5}",
        ),
    ] {
        shell.put(file, text);
        shell.ok(&["sops", "encrypt", "-i", file, "--age", recipient.as_str()]);
        let ours = Data::of_json(&shell.ok(&["sops", "decrypt", file, "--output-type", "json"]).stdout);
        let script = root().join("tests/peers/read_sops.mjs");
        let ended = feed(shell.command("node").arg(script).arg(&modules).args([file, kind]), "");
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(Data::of_json(&ended.stdout).matches(&ours), "{}", ended.stdout);
    }
}
