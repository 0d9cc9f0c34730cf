//! Values as YAML that every reader takes for the same, and that holds no character that acts: such a one stands as an
//! escape of YAML's in double quotes, and so does what a CI system would take for a command.

use std::fmt::Write;
use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::ser::Formatter;
use serde_saphyr::DoubleQuoted;

use super::text::is_unsafe;
use crate::yaml::scalar;

/// What CI systems look for anywhere in a line.
const COMMANDS: &[(&str, &str)] =
    &[("##", "\\x23\\x23"), ("section_start:", "section\\x5fstart:"), ("section_end:", "section\\x5fend:")];

/// Keys of more bytes may be too long for YAML once they are escaped, which makes six characters of one byte.
const LONG_KEY: usize = 128;

/// The value as YAML, its last line ended.
///
/// # Errors
/// What the writer says.
pub fn render(value: &Value) -> Result<String, String> {
    let text = match has_odd_key(value) {
        // The writer quotes no key that it could do without: JSON is YAML too, and has all of them in quotes.
        true => json(value)? + "\n",
        false => serde_saphyr::to_string(&Yaml(value)).map_err(|error| error.to_string())?,
    };
    // All of these stand in double quotes.
    let text = COMMANDS.iter().fold(text, |text, (command, escaped)| text.replace(command, escaped));
    if !text.contains(acts) {
        return Ok(text);
    }
    let mut shown = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        let _ = match u32::from(c) {
            _ if !acts(c) => shown.write_char(c),
            number @ ..=0xffff => write!(shown, "\\u{number:04x}"),
            number => write!(shown, "\\U{number:08x}"),
        };
    }
    Ok(shown)
}

/// Whether [`render`] writes a value as JSON: the whole of it, then.
pub fn is_json(value: &Value) -> bool {
    has_odd_key(value)
}

/// JSON over several lines. YAML has no key of more than 1024 characters, escapes counted, without a `?` before it.
fn json(value: &Value) -> Result<String, String> {
    if !has_key(value, &|key| key.len() > LONG_KEY) {
        return serde_json::to_string_pretty(value).map_err(|error| error.to_string());
    }
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, Marked);
    value.serialize(&mut writer).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// JSON with a line for each value and a `?` before each key.
struct Marked;

impl Formatter for Marked {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"\n  " } else { b",\n  " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"\n  ? " } else { b",\n  ? " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }
}

fn acts(c: char) -> bool {
    c != '\n' && is_unsafe(c)
}

/// Whether a text must stand in double quotes, where escapes are read.
fn is_odd(text: &str) -> bool {
    COMMANDS.iter().any(|(command, _)| text.contains(command))
        || text.lines().any(|line| line.trim_start().starts_with("::"))
        || text.contains(acts)
        // A block scalar would begin with blanks, which not every reader takes for an empty line.
        || (text.contains('\n') && text.lines().next().is_some_and(|line| line.trim().is_empty()))
}

/// Whether a key must. With the colon that stands behind it, it may become a command.
fn has_odd_key(value: &Value) -> bool {
    has_key(value, &|key| is_odd(&format!("{key}:")) || lacks_quotes(key))
}

/// Whether a text that is no string without quotes would be written without them: the writer knows fewer forms of dates than
/// we do.
fn lacks_quotes(text: &str) -> bool {
    let is_plain = || serde_saphyr::to_string(&text).is_ok_and(|written| written.trim_end() == text);
    !matches!(scalar::plain(text), scalar::Plain::Str) && is_plain()
}

fn has_key(value: &Value, is_one: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| is_one(key) || has_key(value, is_one)),
        Value::Array(items) => items.iter().any(|item| has_key(item, is_one)),
        _ => false,
    }
}

struct Yaml<'a>(&'a Value);

impl Serialize for Yaml<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let mut entries = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    entries.serialize_entry(key, &Yaml(value))?;
                }
                entries.end()
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Yaml)),
            Value::String(text) => Text(text).serialize(serializer),
            other => other.serialize(serializer),
        }
    }
}

struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if is_odd(self.0) || lacks_quotes(self.0) {
            DoubleQuoted(self.0).serialize(serializer)
        } else {
            self.0.serialize(serializer)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::span::FileId;
    use crate::yaml::events::{Event, Events};
    use serde_json::json;

    #[test]
    fn a46_a48_yaml_is_harmless_and_says_the_same() {
        let bad = "a\u{1b}]8;;x\u{7}\r\u{8}\u{9b}2J\u{7f}\t\u{85}\u{202e}\u{200b}\u{feff}\u{2028}\u{2066}\u{e0041}ö𝄞\n::error::x\n##[y]";
        let long = "\u{200b}k".repeat(400);
        for text in [
            bad,
            &long,
            "a\u{200b}",
            "\u{ad}",
            "::error::x",
            "x\n ::error::x\n",
            "##vso[x]",
            "section_start:1:x",
            "section_end",
            "\n>",
            "2026-11-20T23:44:5G0Z",
            " \n\n a\n",
            ":",
            "- a\u{2060}: b #",
        ] {
            let value = json!({"k": text, text: ["plain", text, {"x": text}], "n": 1});
            let yaml = render(&value).unwrap();
            assert!(!yaml.contains(acts) && !yaml.contains("##"), "{yaml}");
            assert!(!yaml.lines().any(|line| line.trim_start().starts_with("::")), "{yaml}");
            assert!(!yaml.contains("section_end:"), "{yaml}");
            if text.len() > LONG_KEY {
                // No file of a workspace has a `?`: what others read is looked at by itself.
                let texts = Events::new(&yaml, 64, false)
                    .filter(|event| matches!(event, Ok((Event::Scalar { text: read, .. }, _)) if **read == *text));
                assert_eq!(texts.count(), 4, "{yaml}");
                continue;
            }
            let (root, told) = crate::yaml::parse(FileId(0), &yaml);
            assert!(told.is_empty(), "{yaml}\n{told:?}");
            let root = root.unwrap();
            assert_eq!(root.get("k").unwrap().as_str(), Some(text), "{yaml}");
            assert_eq!(root.get(text).unwrap().as_list().unwrap()[1].as_str(), Some(text), "{yaml}");
        }
    }
}
