//! Text from a file, made harmless for a terminal, a log or a web page.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character could act rather than be read: control characters, bidirectional overrides, zero-width marks.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// `text` on one line, with every character that could act as a visible escape: `\n`, `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        push_visible(&mut shown, c);
    }
    Cow::Owned(shown)
}

/// One character of [`visible`].
pub fn push_visible(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_unsafe(c) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a46_no_character_reaches_a_terminal_that_would_act() {
        assert_eq!(visible("a\u{1b}[31mb\u{9b}c\r\u{202e}d"), "a\\u{1b}[31mb\\u{9b}c\\r\\u{202e}d");
        assert_eq!(visible("plain ünï"), "plain ünï");
    }
}
