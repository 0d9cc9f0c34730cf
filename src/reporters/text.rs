//! Text from a file, made harmless for a terminal, a log or a web page.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character could act rather than be read: control characters, bidirectional overrides, and what Unicode has
/// displayed as nothing, but for the variation selectors of emoji.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
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

/// JSON with every character in its strings that could act as `\u001b`; the line breaks between them stay.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    // Azure and GitHub look for `##[…` anywhere in a line, strings of JSON included.
    if json.contains("##") {
        return Cow::Owned(visible_json(&json.replace("##", "\\u0023\\u0023")).into_owned());
    }
    if !json.chars().any(|c| c != '\n' && is_unsafe(c)) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c == '\n' || !is_unsafe(c) {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(shown)
}

/// The text of a GitHub workflow command: what would end it is escaped, and so is what could act or begin another one.
pub fn command_data(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A").replace("##", "#\\x23")
}

/// A property of a GitHub workflow command.
pub fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// CSV as RFC 4180 has it, but for line breaks of one character. A cell that a spreadsheet would take for a formula gets
/// a `'` before it.
pub fn csv<const N: usize>(columns: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let cell = |text: &str| {
        let text = visible(text);
        let formula = text.starts_with(['=', '+', '-', '@']);
        let text = if formula { format!("'{text}") } else { text.into_owned() };
        // In quotes, a CI system finds no command at the start of a line.
        if text.contains([',', '"']) || text.trim_start().starts_with("::") {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let line = |cells: &mut dyn Iterator<Item = &str>| cells.map(cell).collect::<Vec<_>>().join(",") + "\n";
    let mut out = line(&mut columns.iter().copied());
    rows.for_each(|row| out.push_str(&line(&mut row.iter().map(String::as_str))));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a49_a_command_ends_where_it_is_meant_to() {
        assert_eq!(command_data("100%\r\nnext"), "100%25\\r%0Anext");
        assert_eq!(command_property("a,b:c"), "a%2Cb%3Ac");
    }

    #[test]
    fn a46_json_is_harmless_and_says_the_same() {
        let bad = "a\u{1b}]8;;x\u{7}\r\u{8}\u{9b}2J\u{7f}\u{202e}\u{200b}\u{feff}\u{2066}\u{e0041}ö𝄞";
        let json = serde_json::json!({ "k": bad }).to_string();
        let safe = visible_json(&json);
        assert!(!safe.contains(is_unsafe), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["k"], bad);
    }

    #[test]
    fn a46_no_character_reaches_a_terminal_that_would_act() {
        assert_eq!(visible("a\u{1b}[31mb\u{9b}c\r\u{202e}d"), "a\\u{1b}[31mb\\u{9b}c\\r\\u{202e}d");
        assert_eq!(visible("plain ünï"), "plain ünï");
    }
}
