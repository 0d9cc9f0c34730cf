//! What to conceal in a text that is not YAML: by lines, their indentation, and the names at their start.

use std::ops::Range;
use std::sync::OnceLock;

use regex::Regex;

use super::is_clear;
use super::words::literals;
use crate::diagnostic::sounds_secret;

/// The names that are shown within a login, beside those that sound secret. Any other word may be part of a value that runs
/// over lines.
const SHOWN: &[&str] = &["auth", "mode", "username", "value"];

/// The ranges that may be parts of a login, or of a value whose name sounds secret.
pub(super) fn of(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut place = Place::default();
    // A login may stand under an alias of what was written elsewhere.
    let mut aliased = false;
    for line in lines(text) {
        let body = &text[line.clone()];
        let content = body.trim_start_matches(['\u{feff}', ' ', '\t']);
        let indent = body.len() - content.len();
        if content.trim_end().is_empty() {
            continue;
        }
        let Some(from) = place.concealed(content, indent) else { continue };
        let range = line.start + indent + from..line.end;
        let mut words = text[range.clone()].split([' ', ',', '[', '{', ':']);
        aliased |= words.any(|word| word.starts_with('*') && word.len() > 1);
        literals(text, range, &mut found);
    }
    if aliased {
        lines(text).for_each(|line| literals(text, line, &mut found));
    }
    found
}

/// Where a line stands.
struct Place {
    /// The indentation of the last key at the top; what is indented deeper belongs to it.
    top: usize,
    /// Whether that is a login, or could be a part of one.
    login: bool,
    /// The indentations of the keys above.
    levels: Vec<usize>,
    /// The indentation of the key, within what is clear, whose value we are in.
    secret: Option<usize>,
}

impl Default for Place {
    fn default() -> Self {
        Self { top: usize::MAX, login: true, levels: Vec::new(), secret: None }
    }
}

impl Place {
    /// From where on a line is concealed, if it is.
    fn concealed(&mut self, content: &str, indent: usize) -> Option<usize> {
        let comment = content.starts_with('#');
        if comment && self.top == usize::MAX {
            return None;
        }
        let named = name(content);
        if indent <= self.top && !comment {
            *self =
                Self { top: indent, login: !named.as_ref().is_some_and(|(name, _)| is_clear(name)), ..Self::default() };
        }
        // A secret ends at a key that stands where keys stood before; any other line may be a part of it.
        let ends = |key: usize| !comment && named.is_some() && indent <= key && self.levels.contains(&indent);
        if self.secret.is_some_and(ends) {
            self.secret = None;
        }
        if self.login || self.secret.is_some() {
            let shown = named.filter(|(name, _)| SHOWN.contains(name) || sounds_secret(name));
            return Some(shown.map_or(0, |(_, behind)| behind));
        }
        if named.is_some() && !comment {
            self.levels.retain(|level| *level < indent);
            self.levels.push(indent);
        }
        let from = login(content).or_else(|| begins_secret(content))?;
        self.secret = Some(indent);
        Some(from)
    }
}

/// The lines of a text, at every break that YAML knows.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    text.split_inclusive(['\n', '\r']).map(move |line| {
        let start = at;
        at += line.len();
        start..start + line.trim_end_matches(['\n', '\r']).len()
    })
}

/// The plain name that a line begins with as a key, and where what follows its `:` begins.
fn name(content: &str) -> Option<(&str, usize)> {
    static NAME: OnceLock<Option<Regex>> = OnceLock::new();
    let name = NAME.get_or_init(|| Regex::new(r#"^(?:["']?)([A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*:"#).ok());
    let captures = name.as_ref()?.captures(content)?;
    Some((captures.get(1)?.as_str(), captures.get(0)?.end()))
}

/// Behind the word that a line begins with, if it sounds secret: the `:` may be what is missing.
pub(super) fn begins_secret(content: &str) -> Option<usize> {
    let word = content.trim_start_matches(['?', '-', ' ', '"', '\'']);
    let rest = word.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    sounds_secret(&word[..word.len() - rest.len()]).then_some(content.len() - rest.len())
}

/// Where a login begins in a line that is clear else: behind `auth`.
fn login(content: &str) -> Option<usize> {
    static AUTH: OnceLock<Option<Regex>> = OnceLock::new();
    let auth = AUTH.get_or_init(|| Regex::new(r#"(?:^|[\s{,\[?"'-])auth["']?[ \t]*(?::|$)"#).ok());
    Some(auth.as_ref()?.find(content)?.end())
}
