//! The type of a scalar that stands in clear, by the rules of sops' YAML library (go-yaml v3).
//!
//! Takes text, style and tag of a scalar; gives what sops would hash. It stands apart because these rules are neither
//! YAML 1.1 nor 1.2, and the MAC depends on every one of them: `yes` is a string, `017` is 15, `08` is 8.0.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ErrorKind;
use super::time::Time;
use crate::yaml::events::{Style, Tag};

/// A scalar after typing. `Str` is the scalar's own text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Typed {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Time(Time),
    Bytes(Vec<u8>),
    Str,
}

const CORE: &str = "tag:yaml.org,2002:";

/// Types a scalar.
///
/// # Errors
///
/// [`ErrorKind::IntegerTooLarge`] and [`ErrorKind::TagMismatch`].
pub(super) fn resolve(text: &str, style: Style, tag: Option<&Tag>) -> Result<Typed, ErrorKind> {
    let tag = match tag.map(|tag| tag.name.as_str()) {
        None | Some("!") if style != Style::Plain => return Ok(Typed::Str),
        None | Some("!") => return implicit(text),
        Some(name) => name.strip_prefix(CORE).unwrap_or("?"),
    };
    let typed = match tag {
        "binary" => return binary(text).map(Typed::Bytes).ok_or(ErrorKind::TagMismatch),
        "timestamp" => return Time::parse_yaml(text).map(Typed::Time).ok_or(ErrorKind::TagMismatch),
        "null" | "bool" | "int" | "float" => implicit(text)?,
        // `!!str`, and every tag that sops does not know and drops.
        _ => return Ok(Typed::Str),
    };
    match (tag, &typed) {
        ("float", Typed::Int(int)) => Ok(Typed::Float(*int as f64)),
        ("null", Typed::Null) | ("bool", Typed::Bool(_)) | ("int", Typed::Int(_)) | ("float", Typed::Float(_)) => {
            Ok(typed)
        }
        _ => Err(ErrorKind::TagMismatch),
    }
}

fn implicit(text: &str) -> Result<Typed, ErrorKind> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Typed::Null,
        "true" | "True" | "TRUE" => Typed::Bool(true),
        "false" | "False" | "FALSE" => Typed::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Typed::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Typed::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Typed::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'.' => float(text).map_or(Typed::Str, Typed::Float),
            b'0'..=b'9' | b'+' | b'-' => match Time::parse_yaml(text) {
                Some(time) => Typed::Time(time),
                None => number(text)?,
            },
            _ => Typed::Str,
        },
    })
}

fn number(text: &str) -> Result<Typed, ErrorKind> {
    let plain = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    let (negative, magnitude) = match plain.as_bytes().first() {
        Some(b'-') => (true, &plain[1..]),
        Some(b'+') => (false, &plain[1..]),
        _ => (false, &*plain),
    };
    if let Some(value) = integer(magnitude) {
        let value = if negative { -value } else { value };
        if let Ok(int) = i64::try_from(value) {
            return Ok(Typed::Int(int));
        }
        // Without a sign such a number is an unsigned one, which sops knows no text for.
        if magnitude.len() == plain.len() {
            return Err(ErrorKind::IntegerTooLarge);
        }
    }
    Ok(float(&plain).map_or(Typed::Str, Typed::Float))
}

/// A magnitude in decimal, `0x`, `0o`, `0b`, or octal by a leading zero; `None` also where it exceeds 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    // `from_str_radix` takes a sign of its own.
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(i128::from)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and not overflowing.
fn float(text: &str) -> Option<f64> {
    // What else Rust reads is infinite, or not a number.
    text.parse().ok().filter(|f: &f64| f.is_finite())
}

fn binary(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    STANDARD.decode(joined).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Result<Typed, ErrorKind> {
        resolve(text, Style::Plain, None)
    }

    fn tagged(name: &str, text: &str, style: Style) -> Result<Typed, ErrorKind> {
        resolve(text, style, Some(&Tag { name: format!("{CORE}{name}"), range: 0..0 }))
    }

    #[test]
    fn integers_in_every_radix() {
        let cases = [
            ("017", 15),
            ("0777_7", 4095),
            ("0x1F", 31),
            ("+0x1F", 31),
            ("-0o17", -15),
            ("0O17", 15),
            ("0b101", 5),
            ("1_000", 1000),
            ("0_x1", 1),
            ("-0b1_1", -3),
            ("+12", 12),
            ("0", 0),
            ("-0", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, int) in cases {
            assert_eq!(plain(text), Ok(Typed::Int(int)), "{text}");
        }
    }

    #[test]
    fn floats_and_what_only_looks_like_them() {
        let cases = [
            ("08", 8.0),
            ("1_0.5", 10.5),
            ("1e5_0", 1e50),
            (".5", 0.5),
            (".5e3", 500.0),
            ("5.", 5.0),
            ("+.5", 0.5),
            ("1e-400", 0.0),
            ("18446744073709551616", 18446744073709551616.0),
            ("-9223372036854775809", -9223372036854775808.0),
            ("+9223372036854775808", 9223372036854775808.0),
        ];
        for (text, float) in cases {
            assert_eq!(plain(text), Ok(Typed::Float(float)), "{text}");
        }
        let strings = [
            "1:30",
            "0b12",
            "0x1p4",
            "1.2.3",
            "1e400",
            "._1",
            ".e5",
            "_1",
            "=",
            "Infinity",
            "NaN",
            "tRUE",
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "0o",
            "0xFFFFFFFFFFFFFFFFFF",
            "-0x8000000000000001",
            "+",
            "-",
            ".",
            "--1",
            "0x-1",
            "+nan",
            "<<",
        ];
        for text in strings {
            assert_eq!(plain(text), Ok(Typed::Str), "{text}");
        }
        assert_eq!(plain("18446744073709551615"), Err(ErrorKind::IntegerTooLarge));
        assert_eq!(plain("0xFFFFFFFFFFFFFFFF"), Err(ErrorKind::IntegerTooLarge));
    }

    #[test]
    fn tags_do_what_they_say_or_are_refused() {
        assert_eq!(tagged("str", "12", Style::Plain), Ok(Typed::Str));
        assert_eq!(tagged("float", "3", Style::Plain), Ok(Typed::Float(3.0)));
        assert_eq!(tagged("int", "12", Style::Quoted), Ok(Typed::Int(12)));
        assert_eq!(tagged("bool", "true", Style::Quoted), Ok(Typed::Bool(true)));
        assert_eq!(tagged("null", "", Style::Quoted), Ok(Typed::Null));
        assert_eq!(tagged("binary", "aGVs\nbG8=", Style::Block), Ok(Typed::Bytes(b"hello".to_vec())));
        for (tag, text) in
            [("int", "3.0"), ("bool", "yes"), ("float", "x"), ("timestamp", "5"), ("binary", "a GVs"), ("null", "x")]
        {
            assert_eq!(tagged(tag, text, Style::Plain), Err(ErrorKind::TagMismatch), "{tag} {text}");
        }
        let unknown = Tag { name: "!x".to_owned(), range: 0..0 };
        assert_eq!(resolve("12", Style::Plain, Some(&unknown)), Ok(Typed::Str));
        assert_eq!(resolve("12", Style::Quoted, None), Ok(Typed::Str));
    }

    #[test]
    fn e2_11_what_begins_as_a_number_and_is_none_is_a_string() {
        for text in [
            "0x+1F",
            "0x-1",
            "0b+1",
            "0b2",
            "0o+7",
            "0o8",
            "0+5",
            "++5",
            "-+5",
            "+-5",
            "--5",
            "+",
            "-",
            "0x",
            "0o",
            "0b",
            "1x",
            "+inf",
            "-inf",
            "+nan",
            "+infinity",
            "-Infinity",
            "1e",
            "1e+",
            "1e999",
            "1.2.3",
            "1:30",
            "0x1p3",
            ".",
            "..5",
            "-.",
        ] {
            assert_eq!(plain(text), Ok(Typed::Str), "{text}");
        }
        for (text, float) in
            [("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("+1.5e-1", 0.15), ("089", 89.0), ("1_0.5", 10.5)]
        {
            assert_eq!(plain(text), Ok(Typed::Float(float)), "{text}");
        }
        // Of 64 bits, with and without a sign.
        for (text, typed) in [
            ("9223372036854775807", Ok(Typed::Int(i64::MAX))),
            ("-9223372036854775808", Ok(Typed::Int(i64::MIN))),
            ("9223372036854775808", Err(ErrorKind::IntegerTooLarge)),
            ("18446744073709551615", Err(ErrorKind::IntegerTooLarge)),
            ("0xFFFFFFFFFFFFFFFF", Err(ErrorKind::IntegerTooLarge)),
            ("18446744073709551616", Ok(Typed::Float(18_446_744_073_709_551_616.0))),
            ("+9223372036854775808", Ok(Typed::Float(9_223_372_036_854_775_808.0))),
            ("-9223372036854775809", Ok(Typed::Float(-9_223_372_036_854_775_808.0))),
        ] {
            assert_eq!(plain(text), typed, "{text}");
        }
    }
}
