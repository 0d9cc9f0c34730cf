//! `.sops.yaml`, kept in step with the workspace, so that stock sops seals to the right recipients.
//!
//! It lies at the root of the workspace: sops takes the nearest one above a file. One that somebody wrote by hand is left
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use super::recipients;
use crate::diagnostic::{Diagnostic, code, listed};
use crate::sops::config::{self, Rules};
use crate::span::Span;
use crate::workspace::Workspace;
use crate::world::World;

/// The file's name.
pub const FILE: &str = ".sops.yaml";

/// A file may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// How a file of ours begins.
const MARK: &str = "# Written by tieline, which keeps it in step with the recipients of every layer. Change those, not this \
                    file;\n# without these two lines tieline leaves it alone.\n";

/// Whether a file is ours to write.
pub fn is_ours(text: &str) -> bool {
    text.replace("\r\n", "\n").starts_with(MARK)
}

/// Whether a file of ours has lines that we don't write: somebody's rule or comment, which would be lost.
pub fn has_more(text: &str) -> bool {
    let text = text.replace("\r\n", "\n");
    let Some(rules) = text.strip_prefix(MARK) else { return true };
    // What Git writes between the two sides of a merge that it can't make: both are ours.
    let marker = |line: &str| ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
    let ours = |line: &str| {
        let path = |rest: &str| rest.starts_with("\"^") && rest.ends_with("secrets\\\\.sops\\\\.yaml$\"");
        line.strip_prefix("    - path_regex: ").is_some_and(path)
            || marker(line)
            || line == "creation_rules:"
            || line == "      encrypted_regex: \".*\""
            || line == "      age:"
            || line.strip_prefix("        - ").is_some_and(|key| !key.contains(" #"))
    };
    !rules.lines().all(ours)
}

/// What the file is to say: a rule for each layer that has recipients, whether it has secrets yet or not. `None` if none
/// has.
pub fn text(workspace: &Workspace) -> Option<String> {
    let mut rules = Vec::new();
    for (layer, stack) in workspace.layers_with_stacks() {
        let Ok(named) = recipients::of(&stack) else { continue };
        // The root has a file only if it names recipients itself; so does every other layer with those below it.
        if !named.is_empty() {
            let keys: Vec<String> = named.iter().map(|named| named.recipient.to_string()).collect();
            rules.push((layer.file("secrets.sops.yaml"), keys));
        }
    }
    if rules.is_empty() {
        return None;
    }
    let rules = rules.iter().map(|(path, keys)| (path.as_str(), keys.iter().map(String::as_str).collect()));
    Some(format!("{MARK}{}", config::write(rules)))
}

/// Keys that a `.sops.yaml` names for the secrets file of a layer, and that are not among the layer's recipients: stock sops
/// seals to them. It takes the nearest file above the one it seals.
pub fn check(workspace: &mut Workspace, world: &dyn World, told: &mut Vec<Diagnostic>) {
    // Folder -> what its file says.
    let mut known: BTreeMap<String, Option<(String, Option<Rules>)>> = BTreeMap::new();
    // Folder and key -> the files of layers that it is named for.
    let mut strangers: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (layer, stack) in workspace.layers_with_stacks() {
        let Ok(named) = recipients::of(&stack) else { continue };
        let segments: Vec<&str> = layer.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let folders = (0..=segments.len()).rev().map(|count| segments[..count].join("/"));
        let nearest = folders
            .into_iter()
            .find(|folder| known.entry(folder.clone()).or_insert_with(|| rules(world, folder)).is_some());
        let Some(folder) = nearest else { continue };
        let Some(Some((text, rules))) = known.get(&folder) else { continue };
        let file = layer.file("secrets.sops.yaml");
        let path = file.strip_prefix(&folder).unwrap_or(&file).trim_start_matches('/');
        let new: Vec<String> = match rules.as_ref().map(|rules| rules.creation(path)) {
            Some(Ok(creation)) => {
                let keys = creation.iter().flat_map(|creation| &creation.recipients);
                let is_named = |key: &&String| named.iter().any(|named| named.recipient.as_str() == key.trim());
                keys.filter(|key| !is_named(key)).cloned().collect()
            }
            // Keys of other kinds, or what only sops understands. Who wrote the file at the top by hand chose that.
            _ if folder.is_empty() && !is_ours(text) => Vec::new(),
            _ => vec!["others than age recipients".to_owned()],
        };
        for key in new {
            strangers.entry((folder.clone(), key)).or_default().insert(file.clone());
        }
    }
    let mut sources = BTreeMap::new();
    for ((folder, key), files) in strangers {
        let Some(Some((text, _))) = known.get(&folder) else { continue };
        let path = if folder.is_empty() { FILE.to_owned() } else { format!("{folder}/{FILE}") };
        let source = *sources.entry(folder).or_insert_with(|| workspace.sources.add(&path, text.clone(), false));
        let at = text.find(&key).map_or(Span::file(source), |at| Span::new(source, at..at + key.len()));
        let files = listed(files.iter().map(String::as_str), 4);
        let message = format!("sops would seal {files} to `{key}` too, not among the layer's recipients");
        told.push(Diagnostic::error(code::RECIPIENTS_DIFFER, at, message).help(
            "remove the key here; if they are to decrypt it, `tieline recipients add NAME KEY` writes this file as well",
        ));
    }
}

fn rules(world: &dyn World, folder: &str) -> Option<(String, Option<Rules>)> {
    let path = if folder.is_empty() { FILE.to_owned() } else { format!("{folder}/{FILE}") };
    let text = String::from_utf8(world.read(&path, MAX_BYTES).ok()?).ok()?;
    let rules = Rules::parse(&text).ok();
    Some((text, rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody wrote into a file of ours is seen, so that it is not lost.
    #[test]
    fn e2_11_a_file_of_ours_has_the_lines_that_we_write() {
        let path = "    - path_regex: \"^environments/dev/secrets\\\\.sops\\\\.yaml$\"";
        let ours =
            format!("{MARK}creation_rules:\n{path}\n      encrypted_regex: \".*\"\n      age:\n        - age1abc\n");
        assert!(is_ours(&ours) && !has_more(&ours) && !has_more(&ours.replace('\n', "\r\n")));
        assert!(!is_ours("creation_rules:\n") && has_more("creation_rules:\n"));
        for marker in ["<<<<<<< ours", "||||||| base", "=======", ">>>>>>> theirs"] {
            assert!(!has_more(&format!("{ours}{marker}\n")), "{marker}");
        }
        for line in [
            "# why",
            "    - path_regex: \"environments/dev/secrets\\\\.sops\\\\.yaml$\"",
            "    - path_regex: \"^environments/dev/.*$\"",
            "    - path_regex: \"^x\"",
            "      encrypted_regex: \"x\"",
            "        - age1abc # ana's",
            "      kms: x",
            "destination_rules:",
            "",
        ] {
            assert!(has_more(&format!("{ours}{line}\n")), "{line}");
        }
    }
}
