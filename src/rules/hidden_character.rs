//! A character that is not seen, or that turns text around.
//!
//! Marks that change the direction of text (U+202A to U+202E, U+2066 to U+2069, U+061C, U+200E, U+200F) and blanks of no width (U+200B,
//! U+2060, U+FEFF) make a file read otherwise than it is: a reviewer approves one host, and another is called. Wherever they
//! stand, in a value, a key or a comment, tieline shows them as `\u{202e}`.
//!
//! ```yaml
//! owner: "team-\u202Emrc"
//! ```
//!
//! Instead, delete it. Where a language needs it, say so on its line: `# tieline: allow hidden-character a Hebrew title`.

use super::{Everything, Findings};
use crate::span::{FileId, Span};

pub(super) fn check(_: &Everything<'_>, findings: &mut Findings<'_>) {
    let sources = findings.sources;
    for file in (0..sources.len()).filter_map(|i| Some(FileId(u32::try_from(i).ok()?))) {
        let source = sources.get(file);
        // What is all ASCII, as nearly every file is, costs next to nothing.
        if source.hidden() || source.text().is_ascii() {
            continue;
        }
        let mut last = None;
        for (at, c) in source.text().char_indices().filter(|(at, c)| is_hidden(*c) && !(*at == 0 && *c == '\u{feff}')) {
            let line = source.position(at).line;
            // One line, one word about it.
            if last.replace(line) == Some(line) {
                continue;
            }
            let what = if matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}') {
                "is not seen"
            } else {
                "turns the text behind it around"
            };
            findings.tell(
                Span::new(file, at..at + c.len_utf8()),
                format!("the character U+{:04X} {what}", u32::from(c)),
                "delete it: what is read here is not what stands here",
            );
        }
    }
}

fn is_hidden(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
