//! Workspaces in memory.

use std::collections::BTreeMap;

use tieline::world::{Found, Kind, ReadError, World};

/// Files by path, and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// Reads `-- PATH --` lines, each with the file's text below it. What stands above the first is left out.
    pub(crate) fn parse(text: &str) -> Self {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut current = None;
        for line in text.split_inclusive('\n') {
            let path = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
            if let Some(path) = path.filter(|path| is_path(path)) {
                files.entry(path.to_owned()).or_default().clear();
                current = Some(path.to_owned());
            } else if let Some(file) = current.as_ref().and_then(|path| files.get_mut(path)) {
                file.extend_from_slice(line.as_bytes());
            }
        }
        Self { files }
    }

    /// The text of a file; empty where there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

/// Whether a file can have this path, and a workspace reads it.
fn is_path(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|segment| !segment.is_empty() && !matches!(segment, "." | ".."))
}

impl World for Memory {
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError> {
        let below = |path: &str| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && !rest.contains("/.")))
        };
        let found = self.files.keys().filter(|path| below(path));
        Ok(found.map(|path| Found { path: path.clone(), utf8: true, kind: Kind::File }).collect())
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        let bytes = self.files.get(path).ok_or(ReadError::Missing)?;
        if bytes.len() > limit { Err(ReadError::TooLarge) } else { Ok(bytes.clone()) }
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::constant(1_795_255_200, 0)
    }
}
