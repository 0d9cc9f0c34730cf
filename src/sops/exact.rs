//! Numbers that would be rounded: refused before anything is sealed, since nobody would notice.

use super::document::{Format, Kind, Map, Node};
use super::error::{ErrorKind, SopsError};
use super::leaf::Type;
use super::typing::Typed;
use super::value::float_text;
use super::write::JSON_INTEGERS;

/// Looks at every number of a text that was written by a person.
///
/// # Errors
///
/// [`ErrorKind::Rounded`] for digits that a 64-bit float does not hold, [`ErrorKind::Unwritable`] for an integer of JSON
/// beyond 2^53, which releases of sops take for a float.
pub(super) fn numbers(map: &Map<'_>, format: Format) -> Result<(), SopsError> {
    map.entries.iter().try_for_each(|entry| number(&entry.value, format))
}

pub(super) fn number(node: &Node<'_>, format: Format) -> Result<(), SopsError> {
    match &node.kind {
        Kind::Map(map) => numbers(map, format),
        Kind::List(items) => items.iter().try_for_each(|item| number(&item.value, format)),
        Kind::Scalar(scalar) => match scalar.resolve() {
            Ok(Typed::Int(int)) if format == Format::Json && int.unsigned_abs() > JSON_INTEGERS.unsigned_abs() => {
                Err(SopsError::at(ErrorKind::Unwritable(Type::Int), &node.range))
            }
            Ok(Typed::Float(float)) if float.is_finite() && !holds(float, &scalar.text) => {
                Err(SopsError::at(ErrorKind::Rounded, &node.range))
            }
            _ => Ok(()),
        },
    }
}

/// Whether a float is the number that was written: its shortest digits are, or all that it has, or as many as tell it from
/// any other float (17). An integer that is none of 64 bits is no float.
fn holds(float: f64, written: &str) -> bool {
    let integer = written.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'_'));
    let number = digits(written);
    if integer && float.abs() >= JSON_INTEGERS as f64 {
        return false;
    }
    number == digits(&float_text(float))
        || (number.0.len() <= 17 && float != 0.0)
        // No float has more than 1,074 digits behind the point.
        || number == digits(&format!("{float:.1074}"))
}

/// A decimal number's digits without zeros at either end, and the power of ten of the last; zero has none.
fn digits(text: &str) -> (String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.replace('_', "").parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (whole, fraction) = (plain(whole), plain(fraction));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_end_matches('0');
    let zeros = (all.len() - significant.len()) as i64;
    match significant.trim_start_matches('0') {
        "" => (String::new(), 0),
        some => (some.to_owned(), exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros)),
    }
}

#[cfg(test)]
mod tests {
    use super::{digits, holds};

    #[test]
    fn spellings_of_one_number_have_the_same_digits() {
        for (one, other) in
            [("1.50", "1.5"), ("1e3", "1000"), ("0.001", "1e-3"), ("-0.0", "0"), ("08", "8"), ("1_0.5", "10.5")]
        {
            assert_eq!(digits(one), digits(other), "{one} {other}");
        }
        for (one, other) in [("1.5", "15"), ("1e-400", "0"), ("9007199254740993", "9007199254740992")] {
            assert_ne!(digits(one), digits(other), "{one} {other}");
        }
    }

    #[test]
    fn e2_11_a_number_is_held_if_its_digits_are_or_tell_it_from_any_other() {
        for (written, holds_it) in [
            ("0.1", true),
            ("0.0", true),
            ("-0.0", true),
            ("1e3", true),
            // Seventeen digits tell any float; of eighteen the last is lost.
            ("0.10000000000000001", true),
            ("0.100000000000000001", false),
            ("0.1000000000000000055511151231257827021181583404541015625", true),
            ("0.1000000000000000055511151231257827021181583404541015626", false),
            ("9007199254740991.0", true),
            ("9007199254740993.0", true),
            ("900719925474099312.5", false),
            ("1e-400", false),
            // Integers beyond 2^53 are rounded by somebody, whether this float holds them or not.
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("-9007199254740992", false),
            ("+9007199254740992", false),
            ("18446744073709551616", false),
            ("-18446744073709551616", false),
            ("+18446744073709551616", false),
            ("18_446_744_073_709_551_616", false),
            ("18446744073709551616.0", true),
        ] {
            let float: f64 = written.replace('_', "").parse().unwrap_or(f64::NAN);
            assert_eq!(holds(float, written), holds_it, "{written}");
        }
    }
}
