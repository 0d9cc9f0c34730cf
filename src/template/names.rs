//! The names and operators in an expression, found without evaluating it: enough to check every reference, with its
//! exact place, and to keep secrets out of conditions.

use std::ops::Range;

use super::engine::FILTERS;
use super::secret_use;
use crate::diagnostic::nearest;

/// A problem at a range of the expression's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

/// A dotted name: `vars.db.host` is `["vars", "db", "host"]`, each with its range.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    pub(super) segments: Vec<(&'a str, Range<usize>)>,
}

/// What an expression is made of.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// All names at the root of a term.
    pub(super) paths: Vec<Path<'a>>,
    /// What is wrong whatever the names mean.
    pub(super) faults: Vec<Fault>,
    /// It has a `*`, so that every name must be that of a number.
    pub(super) multiplies: bool,
}

impl<'a> Names<'a> {
    /// The secrets that are named.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'a str, Range<usize>)> + '_ {
        let secrets = self.paths.iter().filter(|p| p.segments[0].0 == "secrets");
        secrets.filter_map(|p| p.segments.get(1).map(|(name, range)| (*name, range.clone())))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Sign(&'a str),
    Text,
    Number,
}

/// A token with its range.
pub(super) type Placed<'a> = (Token<'a>, Range<usize>);

/// Bytes that an expression may be long.
const MAX_LENGTH: usize = 4 << 10;
/// Lists and maps may nest this deep in an expression: printing one within another doubles its backslashes.
const MAX_BRACKETS: usize = 4;

pub(super) const WORDS: &[&str] =
    &["true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"];
pub(super) const TESTS: &[&str] = &["==", "!=", "<", ">", "<=", ">=", "and", "or", "not", "in", "is"];

/// Whether the expression is one dotted name and nothing else: most are, and there is nothing to parse.
pub(super) fn is_path(text: &str) -> bool {
    let mut segments = text.trim_matches([' ', '\t', '\n', '\r']).split('.');
    let is_name = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !WORDS.contains(&segment)
    };
    segments.all(is_name)
}

/// Reads the names of an expression.
pub(super) fn read(text: &str) -> Names<'_> {
    let mut names = Names::default();
    let tokens = match growth(text) {
        Ok((tokens, multiplies)) => {
            names.multiplies = multiplies;
            tokens
        }
        Err(fault) => {
            names.faults.push(fault);
            // Names are told even so: whether a secret is among them decides what is shown.
            tokens(text)
        }
    };
    let mut at = 0;
    while at < tokens.len() {
        at = match tokens[at].0 {
            Token::Sign("|") => filter(&tokens, at + 1, &mut names),
            Token::Name("is") => {
                let range = tokens[at].1.clone();
                names.faults.push(fault(range, "tests (`is …`) are not available", "compare with `==`"));
                at + 2
            }
            // An attribute of something in brackets, not a name of its own.
            Token::Sign(".") => at + 2,
            Token::Name(word) if WORDS.contains(&word) => at + 1,
            // `name=` inside a call is a keyword argument.
            Token::Name(_) if matches!(tokens.get(at + 1), Some((Token::Sign("="), _))) => at + 2,
            Token::Name(_) => path(&tokens, at, &mut names),
            _ => at + 1,
        };
    }
    if names.paths.iter().any(|p| p.segments[0].0 == "secrets") {
        let known = names.faults.iter().any(|fault| fault.code == crate::diagnostic::code::SECRET_USE);
        names.faults.extend(secret_use::fault(text, &tokens).filter(|_| !known));
    }
    names
}

fn fault(range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { code: crate::diagnostic::code::INVALID_EXPRESSION, range, message: message.into(), help: help.into() }
}

/// The word behind a `|`.
pub(super) fn filter<'a>(tokens: &[Placed<'a>], at: usize, names: &mut Names<'a>) -> usize {
    let Some((Token::Name(name), range)) = tokens.get(at) else { return at };
    if !FILTERS.contains(name) {
        let help = match nearest(name, FILTERS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("filters: {}", FILTERS.join(", ")),
        };
        let mut told = fault(range.clone(), format!("there is no filter `{name}`"), help);
        told.code = crate::diagnostic::code::UNDEFINED_NAME;
        names.faults.push(told);
    }
    at + 1
}

/// A name with its attributes.
fn path<'a>(tokens: &[Placed<'a>], at: usize, names: &mut Names<'a>) -> usize {
    let mut segments = Vec::new();
    let mut next = at;
    while let Some((Token::Name(name), range)) = tokens.get(next) {
        segments.push((*name, range.clone()));
        next += 1;
        match (tokens.get(next).map(|t| t.0), tokens.get(next + 1).map(|t| t.0)) {
            (Some(Token::Sign(".")), Some(Token::Name(_))) => next += 1,
            _ => break,
        }
    }
    if let (Some((Token::Sign("["), range)), "secrets", 2..) = (tokens.get(next), segments[0].0, segments.len()) {
        let message = "a secret is a string: it has no parts";
        let mut told = fault(range.clone(), message, "write `secrets.NAME`, whole");
        told.code = crate::diagnostic::code::SECRET_USE;
        names.faults.push(told);
    }
    if let Some((Token::Sign("("), range)) = tokens.get(next) {
        let called = segments[0].1.start..range.end;
        names.faults.push(fault(called, "there are no functions to call", "use a filter: `value | filter`"));
        if segments[0].0 != "secrets" {
            return next;
        }
    }
    names.paths.push(Path { segments });
    next
}

/// The tokens, and whether there is a `*`; or what could make much out of little, since the engine counts steps and not
/// bytes: to be refused before it reads the expression, for it computes constants on the way.
fn growth(text: &str) -> Result<(Vec<Placed<'_>>, bool), Fault> {
    if text.len() > MAX_LENGTH {
        let help = "split it: parts of it can be `vars`";
        return Err(fault(0..text.len(), "the expression is longer than 4 KiB", help));
    }
    let tokens = tokens(text);
    let mut depth = 0usize;
    for (token, range) in &tokens {
        match token {
            Token::Sign("[" | "{") => depth += 1,
            Token::Sign("]" | "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            let message = format!("brackets nest more than {MAX_BRACKETS} deep in this expression");
            return Err(fault(range.clone(), message, "write lists and maps in YAML, outside of the expression"));
        }
    }
    let multiplies = tokens.iter().any(|(token, _)| matches!(token, Token::Sign("*" | "**")));
    let is_text = |at: usize| match tokens[at].0 {
        Token::Text | Token::Sign("[" | "{" | "~") => true,
        Token::Sign("|") => !matches!(tokens.get(at + 1), Some((Token::Name("int"), _))),
        _ => false,
    };
    match (0..tokens.len()).find(|at| multiplies && is_text(*at)) {
        Some(at) => {
            let help = "multiply in an expression of its own: ${{ vars.size * 2 }}s";
            Err(fault(tokens[at].1.clone(), "`*` multiplies numbers: no text or list can stand beside it", help))
        }
        None => Ok((tokens, multiplies)),
    }
}

/// What keeps an expression of a policy from being evaluated: over a record, which value is a number is not known.
pub(super) fn grows(text: &str) -> Option<Fault> {
    match growth(text) {
        Ok((tokens, true)) => {
            let times = tokens.iter().find(|(token, _)| matches!(token, Token::Sign("*" | "**")))?;
            Some(fault(times.1.clone(), "a policy can't multiply", "compare with the product, written out"))
        }
        Ok(_) => None,
        Err(fault) => Some(fault),
    }
}

pub(super) fn tokens(text: &str) -> Vec<Placed<'_>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let token = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                Token::Text
            }
            b if b.is_ascii_digit() => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'.' | b'_')) {
                    at += 1;
                }
                Token::Number
            }
            b if b.is_ascii_alphabetic() || b == b'_' => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                    at += 1;
                }
                Token::Name(&text[start..at])
            }
            _ => {
                let two = text.get(at..at + 2).filter(|s| matches!(*s, "==" | "!=" | "<=" | ">=" | "//" | "**"));
                // Beyond ASCII nothing has a meaning; a whole character is one sign.
                let length = text[at..].chars().next().map_or(1, char::len_utf8);
                at += two.map_or(length, str::len);
                Token::Sign(&text[start..at])
            }
        };
        tokens.push((token, start..at));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(text: &str) -> Vec<String> {
        let join = |p: &Path<'_>| p.segments.iter().map(|s| s.0).collect::<Vec<_>>().join(".");
        read(text).paths.iter().map(join).collect()
    }

    #[test]
    fn names_are_found_outside_strings_and_filters() {
        assert_eq!(roots("vars.a.b | default('vars.c') ~ env.name"), ["vars.a.b", "env.name"]);
        assert_eq!(roots("vars.list[0].x + vars['y']"), ["vars.list", "vars"]);
        assert_eq!(roots("'a' if vars.on else none"), ["vars.on"]);
        assert_eq!(roots("vars.a is vars.b ~ env.name"), ["vars.a", "env.name"]);
        assert_eq!(roots("('x').b vars.c"), ["vars.c"]);
        assert_eq!(roots("vars.a|join(d=vars.b)"), ["vars.a", "vars.b"]);
        assert_eq!(roots("'a'|lower vars.b"), ["vars.b"]);
        assert_eq!(roots("f(vars.a) ~ secrets(vars.b)"), ["vars.a", "secrets", "vars.b"]);
    }

    #[test]
    fn n02_secrets_decide_nothing() {
        for text in ["'a' if secrets.X else 'b'", "secrets.X == 'a'", "not secrets.X", "secrets.A or secrets.B"] {
            assert_eq!(read(text).faults.len(), 1, "{text}");
        }
        for text in ["secrets.A if env.name == 'dev' else secrets.B", "vars.u ~ ':' ~ secrets.P | urlencode"] {
            assert!(read(text).faults.is_empty(), "{text}");
        }
        // Each cause once, and each cause.
        let codes = |text: &str| read(text).faults.iter().map(|fault| fault.code).collect::<Vec<_>>();
        assert_eq!(codes("secrets.A['x'] == 1"), ["secret-use"]);
        assert_eq!(codes("secrets.A|nope == 'x'"), ["undefined-name", "secret-use"]);
    }

    #[test]
    fn e2_11_an_expression_falls_into_words_signs_texts_and_numbers() {
        let read = |text: &str| -> Vec<String> {
            let kind = |token: &Token<'_>| match token {
                Token::Name(_) => 'n',
                Token::Sign(_) => 's',
                Token::Text => 't',
                Token::Number => '0',
            };
            tokens(text).iter().map(|(token, range)| format!("{}{}", kind(token), &text[range.clone()])).collect()
        };
        let text = r"a_1 ~ 'x\'y' ~1.5_0>=é**_b//c == !d";
        assert_eq!(
            read(text),
            ["na_1", "s~", r"t'x\'y'", "s~", "01.5_0", "s>=", "sé", "s**", "n_b", "s//", "nc", "s==", "s!", "nd"]
        );
        assert_eq!(read("a'b"), ["na", "t'b"]);
        assert_eq!(read(r#"a"b\"#), ["na", r#"t"b\"#]);
        assert_eq!(read(r"'\\'a"), [r"t'\\'", "na"]);
        for (text, is) in [
            ("vars.a", true),
            (" _x._y2\r\n\t", true),
            ("vars", true),
            ("", false),
            ("vars..a", false),
            ("vars.2a", false),
            ("vars.a-b", false),
            ("vars.not", false),
            ("is.x", false),
        ] {
            assert_eq!(is_path(text), is, "{text}");
        }
    }

    #[test]
    fn e2_11_brackets_nest_and_a_product_has_bounds() {
        let faults = |text: &str| read(text).faults.len();
        assert_eq!((faults("[[[[1]]]]"), faults("[[[[[1]]]]]"), faults("[1] ~ [2] ~ [3] ~ [4] ~ [5]")), (0, 1, 0));
        assert_eq!((faults("[[[1]],[[[1]]]]"), faults("[[[1]],[[[[1]]]]]"), faults("'x' * 2")), (0, 1, 1));
        assert_eq!(
            (faults("vars.a * 2"), faults("vars.a * 'x'"), faults("vars.a|int * 2"), faults("vars.a|trim * 2")),
            (0, 1, 0, 1)
        );
        let grows = |text: &str| grows(text).map(|fault| fault.range);
        assert_eq!((grows("a * 2"), grows("a ** 2"), grows("a - 2")), (Some(2..3), Some(2..4), None));
        assert_eq!(grows(&format!("'{}'", "x".repeat(MAX_LENGTH - 2))), None);
        assert_eq!(grows(&format!("'{}'", "x".repeat(MAX_LENGTH - 1))), Some(0..MAX_LENGTH + 1));
    }
}
