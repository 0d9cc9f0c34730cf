//! What expressions can name in one environment: the merged variables, and every secret of the stack.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{listed, nearest};
use crate::digest::Digest;
use crate::overlay::{Notes, merge_map};
use crate::template::{self, SecretNames};
use crate::value::{Map, Node};
use crate::workspace::secrets::SCOPE;
use crate::workspace::{Layer, Workspace};

/// Where a secret's value comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'w> {
    /// The layer that has it.
    pub layer: &'w Layer,
    /// What it is there.
    pub kind: SourceKind<'w>,
}

/// The two places that a layer can have a secret in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind<'w> {
    /// Its `secrets.sops.yaml`; the digest of the ENC text.
    Sealed(Option<&'w Digest>),
    /// A secret store; the URI.
    Store(&'w str),
}

/// The names of one environment.
pub struct Names<'w> {
    workspace: &'w Workspace,
    /// The variables of the whole stack.
    pub vars: Map,
    secrets: BTreeMap<&'w str, Source<'w>>,
    /// A layer's secrets could not be read: any name might be in it.
    unreadable: bool,
    /// All layers are known.
    complete: bool,
}

impl<'w> Names<'w> {
    /// Collects the names of a stack, lowest layer first.
    pub fn new(workspace: &'w Workspace, stack: &[&'w Layer], notes: &mut Notes) -> Self {
        let mut vars = Map::default();
        let mut secrets = BTreeMap::new();
        let top = stack.last().map_or("", |layer| layer.path.strip_prefix("environments/").unwrap_or(""));
        let complete = workspace.is_complete(top);
        let mut unreadable = !complete;
        for layer in stack {
            merge_map(&mut vars, &layer.settings.vars, notes);
            if let Some(file) = &layer.secrets {
                unreadable |= !file.readable;
                for (name, sealed) in file.names.iter().filter(|(name, _)| &***name != SCOPE) {
                    secrets.insert(&**name, Source { layer, kind: SourceKind::Sealed(sealed.version.as_ref()) });
                }
            }
            for (name, binding) in &layer.settings.secrets {
                match &binding.uri {
                    Some(uri) => secrets.insert(&**name, Source { layer, kind: SourceKind::Store(uri) }),
                    None => secrets.remove(&**name),
                };
            }
        }
        for entry in vars.iter() {
            template::forbid(&entry.value, "`vars`", &mut notes.diagnostics);
        }
        Self { workspace, vars, secrets, unreadable, complete }
    }

    /// Where a secret comes from: the highest layer that has it.
    pub fn source(&self, name: &str) -> Option<Source<'w>> {
        self.secrets.get(name).copied()
    }

    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&Node> {
        self.vars.get(name)
    }
}

impl SecretNames for Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.unreadable || self.secrets.contains_key(name)
    }

    fn complete(&self) -> bool {
        self.complete
    }

    fn help(&self, name: &str) -> String {
        let has = |layer: &&Layer| {
            let sealed = layer.secrets.as_ref().is_some_and(|s| s.names.contains_key(name));
            sealed || layer.settings.secrets.get(name).is_some_and(|b| b.uri.is_some())
        };
        let elsewhere: BTreeSet<&str> = self.workspace.environments.values().filter(has).map(|l| &*l.path).collect();
        if !elsewhere.is_empty() {
            return format!(
                "{} {} it, and no environment reads another's secrets; set it here: `tieline secret set {name} -e ENV`",
                listed(elsewhere.iter().copied(), 4),
                if elsewhere.len() == 1 { "has" } else { "have" }
            );
        }
        match nearest(name, self.secrets.keys().copied()) {
            Some(near) => format!("did you mean `secrets.{near}`?"),
            None => format!("set it: `tieline secret set {name} -e ENV`"),
        }
    }
}
