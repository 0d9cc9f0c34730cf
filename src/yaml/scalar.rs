//! What a plain scalar is: YAML 1.2 core, where every reader agrees.
//!
//! A plain value that YAML 1.1 readers (PyYAML, Ruby, older Go libraries) take otherwise is neither: it must be quoted,
//! or written so that all agree.

/// A plain scalar, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// Text.
    Str,
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// `<<`, YAML 1.1's merge key.
    MergeKey,
    /// Readers disagree.
    Ambiguous(Reading),
    /// A number that does not fit; the text says how.
    OutOfRange(&'static str),
}

/// What some readers make of an ambiguous scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// `no`, `on`, `y`.
    Boolean,
    /// `0123`, `0o17`, `0b11`.
    Octal,
    /// `1_000`.
    Underscores,
    /// `1e3`, `-.5`: without a point, a digit before it or the sign of its exponent.
    Float,
    /// `=`, `<<`: marks of YAML 1.1.
    Mark,
    /// `1:30`.
    Sexagesimal,
    /// `2026-11-20`.
    Date,
}

impl Reading {
    /// What to write if no text was meant.
    pub fn instead(self) -> Option<&'static str> {
        match self {
            Self::Boolean => Some("true or false"),
            Self::Octal => Some("the number in decimal"),
            Self::Underscores => Some("the number without `_`"),
            Self::Float => Some("the number with a point, digits before it and a sign in the exponent: 1.5e+3"),
            Self::Sexagesimal => Some("the number of seconds or minutes"),
            Self::Date | Self::Mark => None,
        }
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Boolean => "a boolean",
            Self::Octal => "an octal or binary number",
            Self::Underscores | Self::Float => "a number",
            Self::Mark => "a mark of YAML 1.1",
            Self::Sexagesimal => "a number in base 60",
            Self::Date => "a date",
        })
    }
}

impl Plain {
    /// The kind, for a message.
    pub fn describe(&self) -> String {
        match self {
            Self::Str | Self::MergeKey => "a string".into(),
            Self::Null => "null".into(),
            Self::Bool(_) => "a boolean".into(),
            Self::Int(_) | Self::Float(_) | Self::OutOfRange(_) => "a number".into(),
            Self::Ambiguous(reading) => format!("{reading} to some YAML readers"),
        }
    }
}

/// Reads a plain (unquoted) scalar.
pub fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off"
        | "OFF" => return Plain::Ambiguous(Reading::Boolean),
        "<<" => return Plain::MergeKey,
        "=" => return Plain::Ambiguous(Reading::Mark),
        ".nan" | ".NaN" | ".NAN" => return Plain::OutOfRange("not a number"),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        _ => Plain::Str,
    }
}

fn number(text: &str) -> Plain {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Plain::OutOfRange("infinite");
    }
    if digits(unsigned) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Plain::Ambiguous(Reading::Octal);
        }
        return text.parse().map_or(Plain::OutOfRange("a number beyond 64 bits"), Plain::Int);
    }
    let hex = text.strip_prefix("0x").filter(|h| !h.is_empty());
    if let Some(hex) = hex.filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit())) {
        return i64::from_str_radix(hex, 16).map_or(Plain::OutOfRange("a number beyond 64 bits"), Plain::Int);
    }
    if is_float(unsigned) {
        if !is_float_to_all(text) {
            return Plain::Ambiguous(Reading::Float);
        }
        return match text.parse::<f64>() {
            Ok(f) if f.is_finite() => Plain::Float(f),
            _ => Plain::OutOfRange("a number beyond a 64-bit float"),
        };
    }
    old_number(text, unsigned)
}

/// The numbers and dates of YAML 1.1 that YAML 1.2 takes as text.
fn old_number(text: &str, unsigned: &str) -> Plain {
    let radix = |prefix: &str, radix: u32| {
        let rest = unsigned.strip_prefix(prefix).unwrap_or("");
        rest.chars().any(|c| c.is_digit(radix)) && rest.chars().all(|c| c == '_' || c.is_digit(radix))
    };
    if radix("0o", 8) || radix("0b", 2) || radix("0x", 16) {
        return Plain::Ambiguous(Reading::Octal);
    }
    if unsigned.contains('_') {
        // Some readers drop them first, wherever they stand, and then look for a number.
        let stripped: String = unsigned.chars().filter(|c| *c != '_').collect();
        let digits = stripped.bytes().all(|b| b.is_ascii_digit());
        if digits || is_float(&stripped) || matches!(&*stripped, "." | "0x" | "0o" | "0b") {
            return Plain::Ambiguous(Reading::Underscores);
        }
    }
    if is_sexagesimal(unsigned) {
        return Plain::Ambiguous(Reading::Sexagesimal);
    }
    if is_date(text) {
        return Plain::Ambiguous(Reading::Date);
    }
    Plain::Str
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
    };
    mantissa_fits && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// Of these the ones that YAML 1.1 has too: `[-+]?[0-9]+\.[0-9]*` or `\.[0-9]+`, the exponent with a sign.
fn is_float_to_all(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let dotted = mantissa.contains('.') && !mantissa.starts_with("-.") && !mantissa.starts_with("+.");
    dotted && exponent.is_none_or(|e| e.starts_with(['+', '-']))
}

/// `[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or("");
    let mut parts = parts.peekable();
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        || parts.peek().is_none()
    {
        return false;
    }
    while let Some(part) = parts.next() {
        let part = if parts.peek().is_none() { part.split('.').next().unwrap_or("") } else { part };
        if !matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']) {
            return false;
        }
    }
    true
}

/// `YYYY-M-D`, alone or with a time behind it.
fn is_date(text: &str) -> bool {
    let date = text.split(['T', 't', ' ']).next().unwrap_or("");
    let mut parts = date.split('-');
    let digits = |part: Option<&str>, min: usize, max: usize| {
        part.is_some_and(|p| (min..=max).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    digits(parts.next(), 4, 4) && digits(parts.next(), 1, 2) && digits(parts.next(), 1, 2) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_values_are_read() {
        assert_eq!(plain("5432"), Plain::Int(5432));
        assert_eq!(plain("-1"), Plain::Int(-1));
        assert_eq!(plain("0"), Plain::Int(0));
        assert_eq!(plain("0x1F"), Plain::Int(31));
        assert_eq!(plain("1.5"), Plain::Float(1.5));
        assert_eq!(plain("1.0e+3"), Plain::Float(1000.0));
        assert_eq!(plain(".5"), Plain::Float(0.5));
        assert_eq!(plain("~"), Plain::Null);
        for text in ["10.0.0.1", "1.2.3", "a:b", "-", "--", "+", ".", "..", "eu-west-1", "12ab", "e5", "1:99", "-a"] {
            assert_eq!(plain(text), Plain::Str, "{text}");
        }
    }

    #[test]
    fn a07_what_readers_take_differently_is_ambiguous() {
        use Reading::*;
        let cases = [
            ("no", Boolean),
            ("On", Boolean),
            ("0123", Octal),
            ("08", Octal),
            ("0o17", Octal),
            ("0b11", Octal),
            ("1_000", Underscores),
            ("1_0.5", Underscores),
            (".1_0", Underscores),
            ("-_1", Underscores),
            ("1e3", Float),
            ("0.1e1", Float),
            ("1.e3", Float),
            ("-.5", Float),
            ("=", Mark),
            ("1:30", Sexagesimal),
            ("190:20:30.15", Sexagesimal),
            ("2026-11-20", Date),
            ("2026-1-2T03:04:05Z", Date),
        ];
        for (text, reading) in cases {
            assert_eq!(plain(text), Plain::Ambiguous(reading), "{text}");
        }
        for text in ["9223372036854775808", "1.0e+400", ".inf", "-.INF", ".nan"] {
            assert!(matches!(plain(text), Plain::OutOfRange(_)), "{text}");
        }
    }
}
