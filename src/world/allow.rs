//! What the operator allows, in a variable of the process: patterns of addresses. No file of a repository can add to it.

use regex::Regex;

/// The variable that says which targets may be read or written: names of buckets are global, and a repository can name any.
pub const TARGETS: &str = "TIELINE_TARGETS_ALLOW";

/// Patterns that stand apart by spaces or commas; `*` is any text.
pub struct Allowed {
    patterns: Vec<Regex>,
    shown: String,
}

impl Allowed {
    /// Reads the patterns in these texts.
    pub fn of(texts: &[String]) -> Self {
        let words = || texts.iter().flat_map(|text| text.split([' ', ',', '\n', '\t'])).filter(|word| !word.is_empty());
        let patterns = words().filter_map(|glob| {
            let pattern: Vec<String> = glob.split('*').map(regex::escape).collect();
            Regex::new(&format!("^(?s:{})$", pattern.join(".*"))).ok()
        });
        Self { patterns: patterns.collect(), shown: words().collect::<Vec<_>>().join(" ") }
    }

    /// Whether a pattern matches the whole of `address`.
    pub fn has(&self, address: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(address))
    }

    /// The patterns, for a message.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}
