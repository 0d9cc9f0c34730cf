//! The data of a document: what opening gives and writing takes.
//!
//! Every single value is a [`Secret`], whether its document keeps it encrypted or in clear: what is encrypted is the
//! rule's decision, and a value that is never printable cannot leak when the rule changes. Maps keep their order.

use zeroize::Zeroizing;

use super::leaf::Type;
use crate::secret::Secret;

/// A node of the data.
pub enum Value {
    /// `null`; never encrypted, never in the MAC.
    Null,
    /// A boolean.
    Bool(Secret<bool>),
    /// A 64-bit signed integer.
    Int(Secret<i64>),
    /// A 64-bit float.
    Float(Secret<f64>),
    /// A string. The empty one is never encrypted.
    Str(Secret<String>),
    /// A string that is not UTF-8, from a `!!binary` scalar. Read only.
    Bytes(Secret<Vec<u8>>),
    /// A timestamp in RFC 3339. Read only.
    Time(Secret<String>),
    /// A list.
    List(Vec<Value>),
    /// A map.
    Map(Map),
}

/// A map in the order of its document.
#[derive(Default)]
pub struct Map {
    pub(super) entries: Vec<(String, Value)>,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry at the end. A key that is there already makes [`super::encrypt`] refuse the document.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.entries.push((key.into(), value.into()));
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(k, _)| k == key).map(|(_, value)| value)
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Value {
    /// The value's type; `None` for a list or a map.
    pub fn kind(&self) -> Option<Type> {
        Some(match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Float(_) => Type::Float,
            Self::Str(_) | Self::Bytes(_) => Type::Str,
            Self::Time(_) => Type::Time,
            Self::List(_) | Self::Map(_) => return None,
        })
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&Secret<String>> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Hands the canonical bytes, which are encrypted and hashed, to `use_bytes`; `None` for null, lists and maps.
    /// Copies made on the way are wiped.
    pub fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let text = match self {
            Self::Null | Self::List(_) | Self::Map(_) => return None,
            Self::Str(text) | Self::Time(text) => return Some(use_bytes(text.expose().as_bytes())),
            Self::Bytes(bytes) => return Some(use_bytes(bytes.expose())),
            Self::Bool(bool) => (if *bool.expose() { "True" } else { "False" }).to_owned(),
            Self::Int(int) => int.expose().to_string(),
            Self::Float(float) => float_text(*float.expose()),
        };
        Some(use_bytes(Zeroizing::new(text).as_bytes()))
    }

    /// Reads the bytes of a decrypted leaf as the type it claims.
    pub(super) fn from_plaintext(kind: Type, mut bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let text = || std::str::from_utf8(&bytes).ok();
        Some(match kind {
            Type::Str => match String::from_utf8(std::mem::take(&mut *bytes)) {
                Ok(text) => Self::Str(Secret::new(text)),
                Err(error) => Self::Bytes(Secret::new(error.into_bytes())),
            },
            Type::Bytes => Self::Bytes(Secret::new(std::mem::take(&mut *bytes))),
            Type::Bool => Self::Bool(Secret::new(match text()? {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
                "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
                _ => return None,
            })),
            Type::Int => Self::Int(Secret::new(text()?.parse().ok()?)),
            Type::Float => {
                let text = text()?;
                let float: f64 = text.parse().ok()?;
                // Digits that overflow are no float; the words for infinity are.
                if float.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
                    return None;
                }
                Self::Float(Secret::new(float))
            }
            Type::Time => Self::Time(Secret::new(super::time::Time::parse_rfc3339(text()?)?.text())),
            Type::Comment | Type::Null => return None,
        })
    }

    /// Whether two values are the same data; used to check an edit, never on a path that an attacker could time.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Map(a), Self::Map(b)) => a.same(b),
            (Self::List(_) | Self::Map(_), _) | (_, Self::List(_) | Self::Map(_)) => false,
            _ => {
                let equal = self.with_bytes(|a| other.with_bytes(|b| a == b));
                // A plain `1000.0` may come back as the integer 1000: the format does not tell them apart.
                match (self, other) {
                    (Self::Null, Self::Null) => true,
                    (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => equal == Some(Some(true)),
                    _ => self.kind() == other.kind() && equal == Some(Some(true)),
                }
            }
        }
    }
}

impl Map {
    /// The same of all documents of a file.
    pub(super) fn all_same(one: &[Self], other: &[Self]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.same(other))
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        let entries = || self.entries.iter().zip(&other.entries);
        self.len() == other.len() && entries().all(|((k, a), (l, b))| k == l && a.same(b))
    }
}

impl From<Secret<String>> for Value {
    fn from(value: Secret<String>) -> Self {
        Self::Str(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(Secret::new(value.to_owned()))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Secret::new(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(Secret::new(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(Secret::new(value))
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

/// Shortest digits that read back to the same float, never an exponent, no trailing `.0`.
///
/// The digits are ryu's: where two shortest texts are equally near, it takes the even last digit, as sops does and
/// `format!` does not.
pub(super) fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return (if float > 0.0 { "+Inf" } else { "-Inf" }).to_owned();
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(float);
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = Zeroizing::new(format!("{whole}{fraction}"));
    // Where the point stands in `digits`; ryu's exponents are within ±324.
    let point = whole.len() as isize + exponent.parse::<isize>().unwrap_or(0);
    if point <= 0 {
        format!("{sign}0.{}{}", "0".repeat(point.unsigned_abs()), *digits)
    } else if digits.len() <= point as usize {
        format!("{sign}{}{}", *digits, "0".repeat(point as usize - digits.len()))
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    // The ties below are not the shortest digits of their floats; that is the point.
    #![allow(clippy::excessive_precision)]
    use super::*;

    #[test]
    fn floats_have_shortest_even_digits_and_no_exponent() {
        let cases = [
            (1000000000000000.25, "1000000000000000.2"),
            (1000000000000000.75, "1000000000000000.8"),
            (1.5, "1.5"),
            (1.0, "1"),
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (0.0, "0"),
            (-0.0, "-0"),
            (-12.5, "-12.5"),
            (123456.789, "123456.789"),
            (0.1, "0.1"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (1.25e-10, "0.000000000125"),
            (10.0, "10"),
        ];
        for (float, text) in cases {
            assert_eq!(float_text(float), text);
        }
        assert_eq!(float_text(f64::MAX).len(), 309);
        assert_eq!(float_text(5e-324).parse::<f64>(), Ok(5e-324));
    }

    #[test]
    fn e2_11_digits_that_overflow_are_no_float_and_words_are() {
        let read = |text: &str| Value::from_plaintext(Type::Float, Zeroizing::new(text.into())).is_some();
        assert!(read("1e300") && read("+Inf") && read("-inf") && read("NaN"));
        assert!(!read("1e999") && !read("-1e999") && !read("x"));
    }
}
