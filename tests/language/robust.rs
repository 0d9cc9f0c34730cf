//! Whatever stands in a file: no panic, no endless run, and every place lies in its file.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tieline::compile;
use tieline::connectors::Catalogue;
use tieline::reporters::{human, json};
use tieline::workspace::Workspace;
use tieline::world::{Found, Kind, ReadError, World};

/// A workspace in memory.
struct Memory(Vec<(String, Vec<u8>)>);

impl World for Memory {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let below = |path: &str| path == folder || path.starts_with(&format!("{folder}/"));
        let found = |path: &String| Found { path: path.clone(), utf8: true, kind: Kind::File };
        let mut all: Vec<Found> = self.0.iter().map(|(path, _)| path).filter(|p| below(p)).map(found).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        let (_, bytes) = self.0.iter().find(|(p, _)| p == path).ok_or(ReadError::Missing)?;
        if bytes.len() > limit { Err(ReadError::TooLarge) } else { Ok(bytes.clone()) }
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

/// Checks and draws a workspace with these bytes in one file.
fn survives(path: &str, bytes: &[u8]) {
    let start = Instant::now();
    let mut files: Vec<(String, Vec<u8>)> = [
        ("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n"),
        ("environments/dev/environment.yaml", "vars: {host: db}\nsecrets: {P: 'env:P'}\n"),
        (
            "connections/c.yaml",
            "connector: postgresql\nconfig: {host: \"${{ vars.host }}\", database: d, port: 1}\ncredential: l\n",
        ),
        ("credentials/l.yaml", "auth: {mode: password, username: u, password: \"${{ secrets.P }}\"}\n"),
        ("consumers/n.yaml", "kind: flow\nuses: [c]\n"),
    ]
    .iter()
    .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
    .collect();
    files.retain(|(p, _)| p != path);
    files.push((path.to_owned(), bytes.to_vec()));
    let world = Memory(files);
    let (workspace, told) = Workspace::read(&world).unwrap();
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let told = compile::check(&workspace, &catalogue, told);
    for label in told.iter().flat_map(|d| &d.labels) {
        assert!(label.span.start <= label.span.end);
        let length = world.0.iter().find(|(p, _)| p == workspace.sources.path(label.span)).map_or(0, |(_, b)| b.len());
        assert!(label.span.end as usize <= length, "{told:#?}");
    }
    let look = human::Look { color: false, unicode: true, width: 100 };
    let _ = human::render(&told, &workspace.sources, 1, look);
    let _ = json::render(&told, &workspace.sources, json::Totals::default());
    assert!(start.elapsed() < Duration::from_secs(10));
}

const PLACES: &[&str] = &[
    "connections/c.yaml",
    "environments/dev/connections/c.yaml",
    "credentials/l.yaml",
    "consumers/n.yaml",
    "tieline.yaml",
    "environments/dev/environment.yaml",
    "environments/dev/secrets.sops.yaml",
    "connectors/x.json",
];

/// Pieces that people and attackers put together.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "connector: postgresql",
        "config:",
        "auth:",
        "mode: password",
        "host: ",
        "port: ",
        "password: ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "|",
        ">",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "<<: ",
        "? ",
        "---\n",
        "...\n",
        "#",
        " #",
        "\t",
        "\r\n",
        "${{ ",
        " }}",
        "vars.host",
        "secrets.P",
        "env.name",
        " | lower",
        "$append",
        "$replace",
        "null",
        "5",
        "0123",
        "1e999",
        "\u{feff}",
        "\u{301}",
        "ä",
        "\u{1f600}",
        "\u{85}",
        "\u{2028}",
        "\\",
        "\\u0000",
        "%YAML 1.1\n",
        "sops:",
        "ENC[AES256_GCM,data:,iv:,tag:,type:str]",
        "@",
        "`",
        "credential: l",
        "uses: ",
        "kind: flow",
        "tieline: 1",
        "extends: dev",
        "keys: ",
        "vars: ",
        "secrets: ",
        "target: ",
        "labels: ",
        "title: ",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a11_arbitrary_bytes_never_panic(place in prop::sample::select(PLACES.to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(place, &bytes);
    }

    #[test]
    fn a11_arbitrary_text_never_panics(place in prop::sample::select(PLACES.to_vec()), text in "\\PC{0,200}") {
        survives(place, text.as_bytes());
    }
}

proptest! {
    // The fuzzer has tried millions of the kind; these say that nothing was lost since.
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a11_what_looks_like_a_file_never_panics(place in prop::sample::select(PLACES.to_vec()), text in pieces()) {
        survives(place, text.as_bytes());
    }

    #[test]
    fn a11_a_file_cut_off_or_with_a_byte_changed_never_panics(at in 0usize..140, byte in any::<u8>(), cut in any::<bool>()) {
        let text = b"connector: postgresql\nconfig: {host: \"${{ vars.host }}\", database: d, port: 1}\nlabels: &a {x: 'y'}\ntitle: |\n  a\ncredential: l\n";
        let mut bytes = text.to_vec();
        let at = at.min(bytes.len() - 1);
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        survives("connections/c.yaml", &bytes);
    }
}

/// Keys by the thousand in a lower and a higher layer, and as many mistakes, cost no square of time.
#[test]
fn a03_large_maps_are_merged_and_told_in_time() {
    use std::fmt::Write;
    let many = |value: &str| {
        (0..30_000).fold(String::new(), |mut text, i| {
            let _ = writeln!(text, "  key{i}: {value}");
            text
        })
    };
    let folder = super::layers(
        &format!("connector: anything\nlabels:\n{}", many("a")),
        &[("prod", &format!("labels:\n{}", many("b")))],
    );
    let run = folder.validate();
    assert!(run.code == 0 && run.took < Duration::from_secs(20), "{:?}", run.took);
    let (_, compiled, _) = super::compiled(&folder, "prod");
    let labels = compiled.connections["c"].labels.as_ref().unwrap().as_map().unwrap();
    assert_eq!(labels.len(), 30_000);
    assert!(labels.iter().all(|label| label.value.as_str() == Some("b")), "the higher layer's");
    folder.put("environments/prod/connections/c.yaml", format!("labels:\n{}", many("null").replace("key", "kye")));
    let run = folder.validate();
    assert!(run.code == 1 && run.took < Duration::from_secs(40), "{:?}", run.took);
    assert!(run.stdout.contains("`kye0: null` removes nothing"), "{}", run.stdout);
}

#[test]
fn a_file_in_one_line_is_shown_around_the_mistake_alone() {
    let keys: Vec<String> = (0..3000).map(|i| format!("\"key{i}\": \"é\"")).collect();
    let folder = super::layers(
        &format!("{{\"connector\": \"anything\", \"labels\": {{{}}}, \"titel\": \"c\"}}", keys.join(", ")),
        &[],
    );
    let run = folder.validate();
    assert!(run.stdout.len() < 2000, "{}", run.stdout);
    insta::assert_snapshot!(run.stdout);
}

#[test]
fn a03_a_file_with_too_many_problems_is_told_in_time() {
    let line = format!(
        "connector: http\nconfig: {{headers: {{{}}}}}\n",
        (0..90_000).map(|i| format!("h{i}: 1")).collect::<Vec<_>>().join(", ")
    );
    let folder = crate::support::Folder::bare().with("connections/c.yaml", line);
    let report = folder.json();
    let told = report["diagnostics"].as_array().unwrap();
    assert_eq!(told.len(), 1001);
    assert_eq!(told[1000]["code"], "more-problems");
    let run = folder.validate();
    assert_eq!(run.code, 1);
    assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
}
