//! First inputs, from the fixtures and examples: what a fuzzer would need long to come upon.

use std::fs;
use std::path::{Path, PathBuf};

use tieline::compile::{compile, desired::desired};
use tieline::connectors::Catalogue;
use tieline::workspace::Workspace;

use super::plans;
use super::targets::VECTORS;
use super::world::Memory;

/// Writes them all, a folder for each target.
pub(crate) fn write(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(name.replace('/', "_")), bytes).expect("a file");
    };
    let base = read(&root.join("fixtures/base"), &Memory::default());
    let mut all = vec![("base".to_owned(), base.clone())];
    for name in folders(&root.join("fixtures/invalid")) {
        all.push((name.clone(), read(&root.join("fixtures/invalid").join(name), &base)));
    }
    for name in folders(&root.join("examples")) {
        all.push((format!("example-{name}"), read(&root.join("examples").join(name), &Memory::default())));
    }
    for (name, memory) in &all {
        put("workspace", name, text(memory).as_bytes());
        for (path, bytes) in memory.files.iter().filter(|(path, _)| path.ends_with(".yaml")) {
            if base.files.get(path) != Some(bytes) || name == "base" {
                put("yaml", &format!("{name}-{path}"), bytes);
                put("sops_round_trip", &format!("{name}-{path}"), &[b"0\n", &**bytes].concat());
            }
        }
        deployed(name, memory, &put);
    }
    for (n, (sealed, _)) in VECTORS.iter().enumerate() {
        put("sops_read", &n.to_string(), sealed.as_bytes());
    }
}

/// What a workspace deploys, as manifests, heads, archives and saved plans.
fn deployed(name: &str, memory: &Memory, put: &dyn Fn(&str, &str, &[u8])) {
    let Ok((workspace, _)) = Workspace::read(memory) else { return };
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    for at in workspace.everywhere().into_iter().take(1) {
        let (compiled, _) = compile(&workspace, &catalogue, &at);
        let desired = desired(&workspace, &catalogue, &compiled);
        if desired.records.len() > 4 || !(name == "base" || name.starts_with("example")) {
            continue;
        }
        let deployed = plans::deployed(&desired);
        let manifest = deployed.manifest.bytes().expect("a manifest");
        put("manifest", name, &manifest);
        put("manifest", &format!("{name}-head"), &deployed.head().bytes().expect("a head"));
        put("archive", name, &plans::tar(&manifest, &desired));
        put("saved_plan", name, &plans::saved(&desired));
    }
}

fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().expect("a name")).collect()
}

/// A workspace over another.
fn read(folder: &Path, base: &Memory) -> Memory {
    let mut memory = base.clone();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(folder.join(&below)).expect("a folder").map(|entry| entry.expect("an entry")) {
            let path = below.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(path);
            } else if let Ok(bytes) = fs::read(entry.path()) {
                memory.files.insert(path.to_str().expect("a name").to_owned(), bytes);
            }
        }
    }
    memory.files.retain(|path, _| !path.ends_with(".md") && !path.ends_with(".txt"));
    memory
}

/// The form that [`Memory::parse`] reads.
fn text(memory: &Memory) -> String {
    let file = |(path, bytes): (&String, &Vec<u8>)| {
        let text = String::from_utf8_lossy(bytes);
        format!("-- {path} --\n{text}{}", if text.ends_with('\n') { "" } else { "\n" })
    };
    memory.files.iter().map(file).collect()
}
