//! `.sops.yaml`, kept in step with the workspace, so that stock sops seals to the right recipients.
//!
//! It lies at the root of the workspace: sops takes the nearest one above a file. One that somebody wrote by hand is left
//! alone.

use super::recipients;
use crate::sops::config;
use crate::workspace::Workspace;

/// The file's name.
pub const FILE: &str = ".sops.yaml";

/// How a file of ours begins.
const MARK: &str = "# Written by tieline, which keeps it in step with the recipients of every layer. Change those, not this \
                    file;\n# without these two lines tieline leaves it alone.\n";

/// Whether a file is ours to write.
pub fn is_ours(text: &str) -> bool {
    text.replace("\r\n", "\n").starts_with(MARK)
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
