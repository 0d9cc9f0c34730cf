//! Characters that no YAML file may have as they are: YAML does not allow them, a terminal would obey them, or one reader
//! ends a line where another goes on, so that a comment of the one is a key of the other.

/// A character that may not stand in a file; in double quotes, its escape may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its first byte in the text.
    pub at: usize,
    /// The character.
    pub character: char,
}

impl Refused {
    /// The character and what is wrong with it, for a message.
    pub fn describe(character: char) -> String {
        let number = u32::from(character);
        match character {
            '\r' => {
                "a carriage return (U+000D) without a line feed, which ends a line for some YAML readers only".into()
            }
            '\u{85}' => "a next line (U+0085), which ends a line for some YAML readers only".into(),
            '\u{2028}' => "a line separator (U+2028), which ends a line for some YAML readers only".into(),
            '\u{2029}' => "a paragraph separator (U+2029), which ends a line for some YAML readers only".into(),
            '\u{feff}' => "a byte order mark (U+FEFF) behind the file's start, which some YAML readers drop".into(),
            '\u{fffe}' | '\u{ffff}' => format!("U+{number:04X}, which YAML does not allow"),
            _ => format!("control character U+{number:04X} in the file"),
        }
    }

    /// What to do about it.
    pub fn help(character: char) -> String {
        match character {
            '\r' => "end the line with a line feed, or write it as \"\\r\" in a double-quoted string".into(),
            _ => format!("remove it, or write it as \"\\u{:04x}\" in a double-quoted string", u32::from(character)),
        }
    }
}

/// The first refused character of a text that does not begin with a byte order mark, or whose mark was taken off.
pub fn first_refused(text: &str) -> Option<Refused> {
    // Hardly a file has any. Without a branch for each byte, many bytes are looked at in one step.
    let suspicious = |b: u8| ((b < 0x20) & (b != b'\t') & (b != b'\n')) | matches!(b, 0x7f | 0xc2 | 0xe2 | 0xef);
    if !text.bytes().fold(false, |found, b| found | suspicious(b)) {
        return None;
    }
    let behind = |at: usize| text.as_bytes().get(at + 1);
    let found = text.char_indices().find(|(at, c)| match c {
        '\t' | '\n' => false,
        '\r' => behind(*at) != Some(&b'\n'),
        c => is_refused(*c),
    });
    found.map(|(at, character)| Refused { at, character })
}

/// Whether a character may not stand in a file at all, wherever it is.
pub fn is_refused(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
