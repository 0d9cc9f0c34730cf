//! How many values a document makes: its own limit, and what it takes of the run's budget.

use super::MAX_NODES;
use crate::budget::{self, Cost};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// Bytes of a file for each of which a value is free of charge: what people write takes more.
const BYTES_A_VALUE: usize = 8;

/// The values that a document made so far.
pub(super) struct Size {
    values: usize,
    free: usize,
}

impl Size {
    /// That of a text of so many bytes, at its beginning.
    pub(super) fn new(bytes: usize) -> Self {
        Self { values: 0, free: bytes / BYTES_A_VALUE }
    }

    /// Adds what stands at `span`.
    ///
    /// # Errors
    /// What is told where that is too much.
    pub(super) fn add(&mut self, values: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        let before = self.values.max(self.free);
        self.values += values;
        if self.values > MAX_NODES {
            let message = format!("more than {MAX_NODES} values in one file, aliases expanded");
            let told = Diagnostic::error(code::YAML_TOO_MANY_NODES, span, message);
            return Err(Box::new(told.help("split the file, or write fewer aliases of large values")));
        }
        let charged = self.values.max(self.free) - before;
        if charged > 0 && !budget::spend(Cost::Values, charged as u64) {
            return Err(Box::new(budget::told(Cost::Values, span)));
        }
        Ok(())
    }
}
