//! Edited files, checked as if they stood in the workspace already.

use std::collections::BTreeMap;

use super::Edited;
use crate::compile;
use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;
use crate::workspace::{NoWorkspace, Workspace};
use crate::world::{Found, Kind, ReadError, World};

/// A world with some files replaced.
pub struct Overlaid<'w> {
    /// The world below.
    pub world: &'w dyn World,
    /// Path -> text; `None` where a file is gone.
    pub files: &'w BTreeMap<String, Option<String>>,
}

impl World for Overlaid<'_> {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let mut found = self.world.list(folder)?;
        found.retain(|f| !self.files.contains_key(&f.path));
        let below = |path: &str| path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let there = self.files.iter().filter(|(path, text)| text.is_some() && below(path));
        found.extend(there.map(|(path, _)| Found { path: path.clone(), utf8: true, kind: Kind::File }));
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn folders(&self) -> Vec<String> {
        self.world.folders()
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        match self.files.get(path) {
            Some(Some(text)) if text.len() > limit => Err(ReadError::TooLarge),
            Some(Some(text)) => Ok(text.clone().into_bytes()),
            Some(None) => Err(ReadError::Missing),
            None => self.world.read(path, limit),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.world.variable(name)
    }

    fn now(&self) -> jiff::Timestamp {
        self.world.now()
    }
}

/// What an edited workspace tells.
pub struct Checked {
    /// Its texts.
    pub sources: Sources,
    /// The errors that it did not have before.
    pub fresh: Vec<Diagnostic>,
}

/// Checks the workspace as it would be; `before` is what is told of it as it is.
///
/// # Errors
/// It would be none any more.
pub fn check(world: &dyn World, edited: &Edited, before: &[Diagnostic]) -> Result<Checked, NoWorkspace> {
    let overlaid = Overlaid { world, files: &edited.files };
    let (workspace, told) = Workspace::read(&overlaid)?;
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let told = compile::check(&workspace, &catalogue, told);
    let mut known: Vec<(&str, &str)> = errors(before).map(|d| (d.code, &*d.message)).collect();
    let mut fresh = Vec::new();
    for diagnostic in errors(&told) {
        let same = known.iter().position(|(code, message)| *code == diagnostic.code && *message == diagnostic.message);
        match same {
            Some(at) => {
                known.swap_remove(at);
            }
            None => fresh.push(diagnostic.clone()),
        }
    }
    Ok(Checked { sources: workspace.sources, fresh })
}

fn errors(told: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    told.iter().filter(|d| d.severity == Severity::Error)
}
