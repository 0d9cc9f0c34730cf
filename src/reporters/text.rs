//! Foreign text, made safe to show.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal, or the eye, would take the character for something else than text: control characters (C0, C1,
/// DEL), marks that turn the direction of writing, and those of no width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with every hidden character, line breaks too, as `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |out, c| write!(out, "\\u{{{:x}}}", u32::from(c)))
}

/// JSON with every hidden character in its strings as `\u001b`. Line breaks of the layout stay.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    escaped(json, |out, c| match c {
        '\n' => out.write_char(c),
        c => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
    })
}

fn escaped(text: &str, escape: impl Fn(&mut String, char) -> std::fmt::Result) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a string does not fail.
            let _ = escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a46_a47_nothing_that_a_terminal_obeys_is_left() {
        let bad = "a\u{1b}]8;;x\u{7}\r\u{8}\u{9b}2J\u{7f}\u{202e}\u{200b}\u{feff}\u{2066}\u{e0041}ö𝄞";
        let shown = visible(bad);
        assert!(!shown.contains(is_hidden), "{shown}");
        assert!(shown.starts_with("a\\u{1b}]8;;x\\u{7}\\u{d}\\u{8}\\u{9b}2J") && shown.ends_with("ö𝄞"), "{shown}");
        let json = serde_json::json!({ "k": bad }).to_string();
        let safe = visible_json(&json);
        assert!(!safe.contains(is_hidden), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["k"], bad);
    }
}
