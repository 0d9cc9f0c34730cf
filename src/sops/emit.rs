//! Tree -> text, in sops' own layout: four spaces, block style, the armored keys as literal blocks.
//!
//! Takes a document as scalars in clear or as ENC texts, gives YAML that 1.1 and 1.2 readers take alike: a string goes
//! without quotes only if it is an ENC text or a word that no reader takes for anything else. The `sops` block is a map
//! like any other.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::document::{Comment, Document, Format, Kind, Map, Node, Scalar};
use super::emit_json;
use super::error::{ErrorKind, SopsError};
use super::leaf::Enc;
use super::typing::Typed;
use super::value::float_text;
use crate::yaml::events::Style;

/// YAML takes no key longer than this without a `?` before it.
const MAX_KEY: usize = 1000;

/// Writes documents, each with its block last.
///
/// # Errors
///
/// [`ErrorKind::PathTooLong`] for a key that is too long to write, [`ErrorKind::ManyDocuments`], and plain scalars that
/// have no type.
pub(super) fn documents(documents: &[Document<'_>], format: Format) -> Result<String, SopsError> {
    if format == Format::Json {
        return emit_json::document(documents);
    }
    let mut out = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            out.push_str("---\n");
        }
        map(&mut out, &document.root, 0, false)?;
        if let Some(block) = &document.block {
            entry(&mut out, &block.key, &block.value, 0)?;
        } else if document.root.entries.is_empty() {
            out.push_str("{}\n");
        }
    }
    Ok(out)
}

/// The lines of one entry that stands at the top of a document.
pub(super) fn value_lines(value: &Node<'_>, indent: usize) -> Result<String, SopsError> {
    let mut out = String::new();
    match &value.kind {
        Kind::List(_) => list(&mut out, value, indent, false)?,
        Kind::Map(inner) => map(&mut out, inner, indent, false)?,
        Kind::Scalar(_) => leaf(&mut out, value, indent)?,
    }
    Ok(out)
}

fn indented(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn comments(out: &mut String, comments: &[Comment<'_>], indent: usize) {
    for comment in comments {
        indented(out, indent);
        out.push('#');
        out.push_str(&comment.text);
        out.push('\n');
    }
}

/// Writes the lines of a map; the first goes on where the text ends if `inline`.
fn map(out: &mut String, map: &Map<'_>, indent: usize, inline: bool) -> Result<(), SopsError> {
    for (index, item) in map.entries.iter().enumerate() {
        if index > 0 || !inline {
            comments(out, &item.comments, indent);
            indented(out, indent);
        }
        entry(out, &item.key, &item.value, indent)?;
    }
    comments(out, &map.trailing, indent);
    Ok(())
}

fn entry(out: &mut String, key: &str, value: &Node<'_>, indent: usize) -> Result<(), SopsError> {
    let key = if key == "<<" { Cow::Borrowed("!!merge <<") } else { quoted(key) };
    if key.chars().count() > MAX_KEY {
        return Err(ErrorKind::PathTooLong.into());
    }
    out.push_str(&key);
    out.push(':');
    match &value.kind {
        Kind::Map(inner) if !inner.entries.is_empty() => {
            out.push('\n');
            map(out, inner, indent + 4, false)
        }
        Kind::List(items) if !items.is_empty() => {
            out.push('\n');
            list(out, value, indent + 4, false)
        }
        _ => {
            out.push(' ');
            leaf(out, value, indent)
        }
    }
}

fn list(out: &mut String, node: &Node<'_>, indent: usize, inline: bool) -> Result<(), SopsError> {
    let Kind::List(items) = &node.kind else { return Ok(()) };
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !inline {
            comments(out, &item.comments, indent);
            indented(out, indent);
        }
        out.push('-');
        let commented = match &item.value.kind {
            Kind::Map(inner) => inner.entries.first().is_some_and(|first| !first.comments.is_empty()),
            Kind::List(inner) => inner.first().is_some_and(|first| !first.comments.is_empty()),
            Kind::Scalar(_) => false,
        };
        // What begins with a comment begins on a line of its own.
        match &item.value.kind {
            Kind::Map(inner) if !inner.entries.is_empty() => {
                out.push(if commented { '\n' } else { ' ' });
                map(out, inner, indent + 2, !commented)?;
            }
            Kind::List(inner) if !inner.is_empty() => {
                out.push(if commented { '\n' } else { ' ' });
                list(out, &item.value, indent + 2, !commented)?;
            }
            _ => {
                out.push(' ');
                leaf(out, &item.value, indent)?;
            }
        }
    }
    Ok(())
}

fn leaf(out: &mut String, node: &Node<'_>, indent: usize) -> Result<(), SopsError> {
    match &node.kind {
        Kind::List(_) => out.push_str("[]"),
        Kind::Map(_) => out.push_str("{}"),
        Kind::Scalar(scalar) if is_literal(scalar) => {
            out.push_str(if scalar.text.ends_with('\n') { "|" } else { "|-" });
            for line in scalar.text.lines() {
                out.push('\n');
                if !line.is_empty() {
                    // Where sops has them.
                    indented(out, indent + 2);
                    out.push_str(line);
                }
            }
        }
        Kind::Scalar(value) => {
            let text = spelled(value).map_err(|kind| SopsError::at(kind, &node.range))?;
            out.push_str(&text);
        }
    }
    out.push('\n');
    Ok(())
}

/// Lines as a key file or a certificate has them: nothing that a block scalar could misread.
fn is_literal(scalar: &Scalar<'_>) -> bool {
    let text = &*scalar.text;
    let clean = |line: &str| {
        !line.starts_with([' ', '\t'])
            && !line.ends_with([' ', '\t'])
            && line.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    let body = text.strip_suffix('\n').unwrap_or(text);
    scalar.style != Style::Plain
        && (scalar.style == Style::Block || body.contains('\n'))
        && scalar.tag.is_none()
        && !body.is_empty()
        && !body.starts_with('\n')
        && !body.ends_with('\n')
        && body.split('\n').all(clean)
}

/// The canonical spelling of a scalar on one line.
pub(super) fn spelled<'s>(scalar: &'s Scalar<'_>) -> Result<Cow<'s, str>, ErrorKind> {
    Ok(Cow::Owned(match scalar.resolve()? {
        Typed::Null => "null".to_owned(),
        Typed::Bool(bool) => bool.to_string(),
        Typed::Int(int) => int.to_string(),
        Typed::Float(float) => float_spelled(float),
        Typed::Time(time) => time.text(),
        Typed::Bytes(bytes) => format!("!!binary {}", quoted(&STANDARD.encode(bytes))),
        Typed::Str if Enc::parse(&scalar.text).is_some() => return Ok(Cow::Borrowed(&scalar.text)),
        Typed::Str => return Ok(quoted(&scalar.text)),
    }))
}

/// A float that is read as one: the hashed text, with `.0` where that is whole.
pub(super) fn float_spelled(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return (if float > 0.0 { ".inf" } else { "-.inf" }).to_owned();
    }
    let text = float_text(float);
    if text.contains('.') { text } else { text + ".0" }
}

/// A string, in double quotes unless it is a word of letters, digits and `_./-` that begins with a letter and that no
/// YAML reader takes for a boolean, null or number.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-'))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if word { Cow::Borrowed(text) } else { Cow::Owned(double_quoted(text)) }
}

/// A string in double quotes, on one line; legal in any context.
pub(super) fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            // Printable in YAML 1.1 and 1.2, and no line break in either.
            '\u{a0}'..='\u{2027}' | '\u{202f}'..='\u{d7ff}' | '\u{e000}'..='\u{fdff}' => out.push(c),
            '\u{fe00}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => out.push(c),
            c if c <= '\u{ff}' => _ = write!(out, "\\x{:02X}", u32::from(c)),
            c => _ = write!(out, "\\u{:04X}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_without_quotes_and_everything_doubtful_with() {
        for plain in ["db", "password_2", "a.b/c-d", "Norway", "age1qqq"] {
            assert_eq!(quoted(plain), plain);
        }
        for doubtful in
            ["", "no", "NO", "Y", "~", "1", "1:30", "0x1", "a b", "a:", "_x", ".5", "=", "<<", "-", "é", "null"]
        {
            assert_eq!(quoted(doubtful), format!("\"{doubtful}\""));
        }
        assert_eq!(quoted("a\n\u{85}\u{2028}\u{0}\"\\"), "\"a\\n\\x85\\u2028\\x00\\\"\\\\\"");
    }

    fn line(text: &str, style: Style, tag: bool) -> Option<String> {
        let tag = tag.then(|| crate::yaml::events::Tag { name: "tag:yaml.org,2002:str".into(), range: 0..0 });
        let scalar = Scalar::new(Cow::Borrowed(text), style, tag);
        let mut out = String::new();
        leaf(&mut out, &Node { range: 0..0, kind: Kind::Scalar(scalar) }, 2).ok().map(|()| out)
    }

    /// A text goes as lines where no reader could take a blank or a break for something else, else in quotes.
    #[test]
    fn e2_11_a_text_goes_as_lines_only_if_that_is_safe() {
        for (text, style, expected) in [
            ("a\nb", Style::Quoted, "|-\n    a\n    b\n"),
            ("a\nb\n", Style::Quoted, "|\n    a\n    b\n"),
            ("a\n\nb", Style::Quoted, "|-\n    a\n\n    b\n"),
            ("a b~\n !", Style::Quoted, "\"a b~\\n !\"\n"),
            ("a b~\n!", Style::Quoted, "|-\n    a b~\n    !\n"),
            ("a", Style::Block, "|-\n    a\n"),
            ("a\n", Style::Block, "|\n    a\n"),
            ("a", Style::Quoted, "a\n"),
            ("a\n", Style::Quoted, "\"a\\n\"\n"),
            ("", Style::Block, "\"\"\n"),
            ("\n", Style::Block, "\"\\n\"\n"),
            ("\na", Style::Block, "\"\\na\"\n"),
            ("a\n\n", Style::Block, "\"a\\n\\n\"\n"),
            ("a\n b", Style::Block, "\"a\\n b\"\n"),
            ("a\n\tb", Style::Block, "\"a\\n\\tb\"\n"),
            ("a \nb", Style::Block, "\"a \\nb\"\n"),
            ("a\t\nb", Style::Block, "\"a\\t\\nb\"\n"),
            ("a\nb\u{e9}", Style::Block, "\"a\\nb\u{e9}\"\n"),
            ("a\nb\u{7f}", Style::Block, "\"a\\nb\\x7F\"\n"),
            ("a\r\nb", Style::Block, "\"a\\r\\nb\"\n"),
        ] {
            assert_eq!(line(text, style, false).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(line("a\nb", Style::Block, true).as_deref(), Some("\"a\\nb\"\n"));
        assert_eq!(line("a\nb", Style::Plain, false).as_deref(), Some("\"a\\nb\"\n"));
    }

    #[test]
    fn e2_11_every_letter_is_written_as_readers_of_both_versions_take_it() {
        for (text, expected) in [
            ("\u{1f}\u{20}\u{7e}\u{7f}", "\\x1F ~\\x7F"),
            ("\u{9f}\u{a0}\u{2027}\u{2028}", "\\x9F\u{a0}\u{2027}\\u2028"),
            ("\u{2029}\u{202e}\u{202f}", "\\u2029\\u202E\u{202f}"),
            ("\u{d7ff}\u{e000}\u{fdff}\u{fe00}", "\u{d7ff}\u{e000}\u{fdff}\u{fe00}"),
            ("\u{fefe}\u{feff}\u{ff00}", "\u{fefe}\\uFEFF\u{ff00}"),
            ("\u{fffd}\u{fffe}\u{ffff}", "\u{fffd}\\uFFFE\\uFFFF"),
            ("\u{10000}\u{10ffff}", "\u{10000}\u{10ffff}"),
            ("\"\\\n\t\r\0", "\\\"\\\\\\n\\t\\r\\x00"),
        ] {
            assert_eq!(double_quoted(text), format!("\"{expected}\""), "{text:?}");
        }
        for (float, text) in [
            (f64::NAN, ".nan"),
            (f64::INFINITY, ".inf"),
            (f64::NEG_INFINITY, "-.inf"),
            (0.0, "0.0"),
            (1.0, "1.0"),
            (-0.5, "-0.5"),
            (1e21, "1000000000000000000000.0"),
            (1.5e-7, "0.00000015"),
        ] {
            assert_eq!(float_spelled(float), text);
        }
        for (text, plain) in
            [("a", true), ("a_1./-", true), ("a:", false), ("1a", false), ("nulls", true), ("NULL", false)]
        {
            assert_eq!(quoted(text) == text, plain, "{text}");
        }
    }
}
