//! A scalar, split into text and expressions.

use std::ops::Range;

use super::OPEN;

/// A piece of a scalar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text as it stands.
    Text(&'a str),
    /// The literal `${{`, written `$${{`.
    Escape,
    /// An expression; the range is that of its text in the scalar.
    Expression(&'a str, Range<usize>),
}

/// Splits a scalar; `Err` is the offset of a `${{` that is never closed.
pub(super) fn parts(text: &str) -> Result<Vec<Part<'_>>, usize> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(OPEN).map(|i| at + i) {
        if text[at..found].ends_with('$') {
            if found - 1 > at {
                parts.push(Part::Text(&text[at..found - 1]));
            }
            parts.push(Part::Escape);
            at = found + OPEN.len();
            continue;
        }
        if found > at {
            parts.push(Part::Text(&text[at..found]));
        }
        let start = found + OPEN.len();
        let end = start + close(&text[start..]).ok_or(found)?;
        parts.push(Part::Expression(&text[start..end], start..end));
        at = end + 2;
    }
    if at < text.len() {
        parts.push(Part::Text(&text[at..]));
    }
    Ok(parts)
}

/// The offset of the `}}` that ends an expression: not inside a string, nor one of a `{…}` of its own.
fn close(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_splits_at_its_expressions() {
        let text = "a ${{ x }} b $${{ c ${{ '}}' ~ {'k': 1} }}";
        let read: Vec<String> = parts(text).unwrap_or_default().iter().map(|p| format!("{p:?}")).collect();
        assert_eq!(
            read,
            [
                r#"Text("a ")"#,
                r#"Expression(" x ", 5..8)"#,
                r#"Text(" b ")"#,
                "Escape",
                r#"Text(" c ")"#,
                r#"Expression(" '}}' ~ {'k': 1} ", 23..40)"#,
            ]
        );
        assert_eq!(parts("x ${{ never"), Err(2));
        for (text, expression) in [
            (r"${{ 'a\'}}' }}x", r" 'a\'}}' "),
            (r"${{ '\\' }}x", r" '\\' "),
            ("${{ {'k': 1}}}", " {'k': 1}"),
            ("${{ {'k': {'l': 1}}}}}", " {'k': {'l': 1}}"),
            ("${{ a }}}", " a "),
        ] {
            let first = parts(text).map(|parts| parts.into_iter().next());
            assert_eq!(first, Ok(Some(Part::Expression(expression, 3..3 + expression.len()))), "{text}");
        }
        assert_eq!(parts("{{ x }} {% y %}").map(|p| p.len()), Ok(1));
    }
}
