//! What an expression that names a secret may be made of: what comes of it comes of the secret, and nothing that it decides
//! tells anything of the value.
//!
//! Texts and variables may be joined to a secret (`vars.user ~ ':' ~ secrets.PASSWORD`), filters may spell it another way,
//! and a condition over what everybody may see may choose between secrets. Whatever else puts a clear value beside a
//! secret's name could give that value instead of the secret.

use std::ops::Range;

use super::names::{Fault, Placed, TESTS, Token, WORDS};
use super::split::Part;
use crate::diagnostic::code;

/// So many letters and digits right beside a secret are a part of it, and no prefix of another kind.
const PART: usize = 6;

/// A word of so many letters and digits is a part of a secret, whatever it is an argument of.
const MIXED: usize = 8;

const JOIN: &str = "name the secret by itself: `Bearer ${{ secrets.NAME }}`, `${{ vars.user ~ ':' ~ secrets.NAME }}`";

/// What brackets hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Terms.
    Group,
    /// What a filter is given besides its value.
    Argument,
    /// Which part of a value is meant.
    Index,
}

/// What is open at a token.
struct Level {
    kind: Kind,
    /// Between `if` and `else`.
    condition: bool,
    /// The branches so far: where each begins, and whether it names a secret.
    branches: Vec<(usize, bool)>,
}

impl Level {
    fn new(kind: Kind, at: usize) -> Self {
        Self { kind, condition: false, branches: vec![(at, false)] }
    }

    fn names_secret(&self) -> bool {
        self.branches.iter().any(|(_, named)| *named)
    }

    fn name(&mut self) {
        if let Some(branch) = self.branches.last_mut() {
            branch.1 = true;
        }
    }
}

/// The first thing in an expression that names a secret which can't stand there.
pub(super) fn fault(text: &str, tokens: &[Placed<'_>]) -> Option<Fault> {
    let mut levels = vec![Level::new(Kind::Group, 0)];
    for at in 0..tokens.len() {
        if let Some((message, help)) = step(text, tokens, at, &mut levels) {
            return Some(told(tokens[at].1.clone(), message, help));
        }
        if matches!(tokens[at].0, Token::Sign(")" | "]" | "}")) && levels.len() > 1 {
            let closed = levels.pop()?;
            if let Some(fault) = one_sided(&closed, tokens) {
                return Some(fault);
            }
            if let Some(level) = levels.last_mut().filter(|_| closed.names_secret()) {
                level.name();
            }
        }
    }
    levels.first().and_then(|root| one_sided(root, tokens))
}

fn told(range: Range<usize>, message: &str, help: &str) -> Fault {
    Fault { code: code::SECRET_USE, range, message: message.into(), help: help.into() }
}

/// Takes one token; gives what is wrong with it, and what to do.
fn step(text: &str, tokens: &[Placed<'_>], at: usize, levels: &mut Vec<Level>) -> Option<(&'static str, &'static str)> {
    let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at)).map(|(token, _)| *token);
    let decides = levels.iter().any(|level| level.condition);
    // Arguments and indices are no value of their own.
    let is_value = !decides && levels.iter().all(|level| level.kind == Kind::Group);
    let level = levels.last_mut()?;
    const PARTS: &str = "an expression that names a secret can't have lists or maps, nor take parts of values";
    const DECIDES: &str = "a secret can't take part in a condition or comparison";
    let layer = "decide by `vars` or `env.name`, or let an environment's layer choose the secret";
    match tokens[at].0 {
        Token::Sign("(") => {
            let filter = matches!((before(2), before(1)), (Some(Token::Sign("|")), Some(Token::Name(_))));
            levels.push(Level::new(if filter { Kind::Argument } else { Kind::Group }, at + 1));
        }
        Token::Sign("[") if is_part(before(1)) => levels.push(Level::new(Kind::Index, at + 1)),
        Token::Sign("[" | "{") if !decides => return Some((PARTS, JOIN)),
        Token::Sign("[" | "{") => levels.push(Level::new(Kind::Group, at + 1)),
        Token::Sign(",") if is_value => return Some((PARTS, JOIN)),
        Token::Sign(".") if matches!(before(1), Some(Token::Text | Token::Sign(")"))) => return Some((PARTS, JOIN)),
        Token::Name("if") => level.condition = true,
        Token::Name("else") => {
            level.condition = false;
            level.branches.push((at + 1, false));
        }
        Token::Name("secrets") if !matches!(before(1), Some(Token::Sign("."))) => {
            level.name();
            if decides {
                return Some((DECIDES, layer));
            }
            if !is_value {
                return Some(("a secret can't be the argument of a filter, nor an index", JOIN));
            }
        }
        Token::Name("default") if matches!(before(1), Some(Token::Sign("|"))) => {
            return Some((
                "a secret always has a value: `default` can't stand beside one",
                "leave `default` out; `tieline secret set NAME -e ENV` gives a secret its value",
            ));
        }
        Token::Name(word) | Token::Sign(word) if !decides && TESTS.contains(&word) => return Some((DECIDES, layer)),
        Token::Sign("-" | "*" | "**" | "/" | "//" | "%") if is_value => {
            return Some(("nothing can be computed of a secret", JOIN));
        }
        Token::Text if is_value && is_joined(text, tokens, at) => return Some((A_PART, WHOLE)),
        // What a filter puts into a value is a part of it as well.
        Token::Text
            if !decides && level.kind == Kind::Argument && is_mixed(text.get(tokens[at].1.clone()).unwrap_or("")) =>
        {
            return Some((A_PART, WHOLE));
        }
        _ => {}
    }
    None
}

const A_PART: &str = "nothing separates this text from the secret beside it: it is a part of it, in clear";
const WHOLE: &str = "put all of the value into the secret: `tieline secret set NAME -e ENV`; a text that is no part of it ends \
                     in a space or a sign, as `Bearer ` does";

/// Whether a `[` behind this token takes a part of a clear value that has a name.
fn is_part(before: Option<Token<'_>>) -> bool {
    match before {
        Some(Token::Name(name)) => !WORDS.contains(&name),
        Some(Token::Sign("]")) => true,
        _ => false,
    }
}

/// A condition with a secret in one of its branches, and none in another.
fn one_sided(level: &Level, tokens: &[Placed<'_>]) -> Option<Fault> {
    if !level.names_secret() {
        return None;
    }
    let (start, _) = level.branches.iter().find(|(_, named)| !named)?;
    let range = tokens.get(*start).map(|(_, range)| range.clone())?;
    Some(told(
        range,
        "a secret stands in one branch of this condition, and none in the other",
        "name a secret in each, or let an environment's layer choose",
    ))
}

/// Whether a text has letters and digits in one word, as passwords have, and what is replaced in a value mostly has not.
fn is_mixed(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| {
        word.chars().count() >= MIXED && word.contains(char::is_numeric) && word.contains(char::is_alphabetic)
    })
}

/// Whether a quoted text and a secret are joined to one word.
fn is_joined(text: &str, tokens: &[Placed<'_>], at: usize) -> bool {
    let joins = |placed: Option<&Placed<'_>>| matches!(placed, Some((Token::Sign("~" | "+"), _)));
    let (left, right) = (&tokens[..at], &tokens[at + 1..]);
    let before = joins(left.last()) && ends_in_secret(&left[..left.len() - 1]);
    let behind = joins(right.first()) && begins_with_secret(&right[1..]);
    let literal = unquoted(text.get(tokens[at].1.clone()).unwrap_or(""));
    (before && begins(literal) >= PART) || (behind && ends(literal) >= PART)
}

fn begins_with_secret(tokens: &[Placed<'_>]) -> bool {
    let first = tokens.iter().find(|(token, _)| *token != Token::Sign("("));
    first.is_some_and(|(token, _)| *token == Token::Name("secrets"))
}

/// Whether the last term, filters and brackets around it off, names a secret.
fn ends_in_secret(mut tokens: &[Placed<'_>]) -> bool {
    loop {
        match tokens {
            [rest @ .., (Token::Sign("|"), _), (Token::Name(_), _)] => tokens = rest,
            [.., (Token::Name("secrets"), _), (Token::Sign("."), _), (Token::Name(_), _)] => return true,
            [rest @ .., (Token::Sign(")"), _)] => {
                let mut depth = 1;
                let open = rest.iter().rposition(|(token, _)| {
                    match token {
                        Token::Sign(")") => depth += 1,
                        Token::Sign("(") => depth -= 1,
                        _ => {}
                    }
                    depth == 0
                });
                let Some(open) = open else { return false };
                match &rest[..open] {
                    // What a filter is given.
                    [before @ .., (Token::Sign("|"), _), (Token::Name(_), _)] => tokens = before,
                    _ => tokens = &rest[open + 1..],
                }
            }
            _ => return false,
        }
    }
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['\'', '"'])
}

/// Letters and digits that a text begins with.
fn begins(text: &str) -> usize {
    text.chars().take_while(|c| c.is_alphanumeric()).count()
}

/// Letters and digits that a text ends with.
fn ends(text: &str) -> usize {
    text.chars().rev().take_while(|c| c.is_alphanumeric()).count()
}

/// A text right beside an expression that begins or ends with a secret, and is a part of it: its range in the scalar. The
/// tokens of each expression are asked for.
pub(super) fn joint<'a>(parts: &[Part<'a>], tokens: &dyn Fn(&'a str) -> Vec<Placed<'a>>) -> Option<Fault> {
    let mut at = 0;
    let mut edges: Vec<Edges> = Vec::with_capacity(parts.len());
    for part in parts {
        edges.push(match part {
            Part::Text(text) => {
                let range = at..at + text.len();
                Edges { range, secret: [false; 2], letters: [begins(text), ends(text)] }
            }
            Part::Escape => Edges { range: at..at + 4, secret: [false; 2], letters: [0; 2] },
            Part::Expression(text, range) => Edges::of(text, range.clone(), &tokens(text)),
        });
        at = match part {
            Part::Text(text) => at + text.len(),
            Part::Escape => at + 4,
            Part::Expression(_, range) => range.end + 2,
        };
    }
    edges.windows(2).find_map(|pair| {
        let [left, right] = pair else { return None };
        let part = match (left.secret[1], right.secret[0]) {
            (true, false) if right.letters[0] >= PART => right,
            (false, true) if left.letters[1] >= PART => left,
            _ => return None,
        };
        Some(told(part.range.clone(), A_PART, WHOLE))
    })
}

/// What a part of a scalar begins and ends with.
struct Edges {
    range: Range<usize>,
    /// A secret.
    secret: [bool; 2],
    /// So many letters and digits.
    letters: [usize; 2],
}

impl Edges {
    fn of(text: &str, range: Range<usize>, tokens: &[Placed<'_>]) -> Self {
        let quoted = |placed: Option<&Placed<'_>>, count: fn(&str) -> usize| match placed {
            Some((Token::Text, range)) => count(unquoted(text.get(range.clone()).unwrap_or(""))),
            _ => 0,
        };
        let letters = [quoted(tokens.first(), begins), quoted(tokens.last(), ends)];
        Self { range, secret: [begins_with_secret(tokens), ends_in_secret(tokens)], letters }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{gives_secret, names, parts};
    use super::*;

    #[test]
    fn e2_11_the_very_part_that_can_not_stand_there_is_told() {
        for (text, part, message) in [
            ("('y' if vars.x else secrets.A)", "'y'", "one branch"),
            ("secrets.A if vars.x else 'z'", "'z'", "one branch"),
            ("secrets.A if secrets else secrets.C", "secrets", "condition or comparison"),
            ("secrets.A if vars.x == 'y' else secrets.B in 'z'", "in", "condition or comparison"),
            ("vars.a|replace('x', 'abcdef' ~ secrets.A)", "secrets", "the argument of a filter"),
            ("secrets.A ~ 'x' / 2", "/", "computed"),
            ("secrets.A|replace('x', 'hunter22')", "'hunter22'", "in clear"),
            ("secrets.A|default('x')", "default", "always has a value"),
            ("(secrets.A).b", ".", "lists or maps"),
            ("{'x': secrets.A}", "{", "lists or maps"),
        ] {
            let told = fault(text, &names::tokens(text)).map(|fault| (fault.range, fault.message));
            let (range, told) = told.unwrap_or_default();
            assert!(&text[range.clone()] == part && told.contains(message), "{text}: {told} at {range:?}");
        }
        for (text, part) in [
            ("ab ${{ vars.x }}$${{${{ secrets.A }}abcdef", "abcdef"),
            ("x ${{ 'abcdef' }}${{ secrets.A }}", " 'abcdef' "),
            ("${{ secrets.A }}${{ secrets.B }}ghijkl", "ghijkl"),
        ] {
            let parts = parts(text).unwrap_or_default();
            let told = joint(&parts, &|text| names::tokens(text)).map(|fault| fault.range).unwrap_or_default();
            let at = text.find(part).unwrap_or_default();
            assert_eq!(told, at..at + part.len(), "{text}");
        }
    }

    #[test]
    fn e2_11_what_can_only_give_a_secret_is_one() {
        for text in [
            "${{ secrets.A }}",
            "Bearer ${{ secrets.A }}",
            "${{ vars.user ~ ':' ~ secrets.A }}",
            "${{ vars.default ~ vars.secrets ~ secrets.A }}",
            "${{ secrets.A|replace('x', 'y') }}",
            "${{ secrets.A|replace('hunter2', 'y') }}",
            "${{ secrets.A|replace('abcdefgh', '12345678') }}",
            "${{ secrets.A if env.name == 'x' else secrets.B }}",
            "${{ ((secrets.A)) if (vars.x == 'y') else (secrets.B) }}",
            "${{ secrets.A if vars.x else secrets.B if vars.y else secrets.C }}",
            "${{ (secrets.A if vars.x else secrets.B) ~ ':' }}",
            "${{ secrets.A if env.name in ['a', 'b'] else secrets.B }}",
            "${{ secrets.A if env.name in ('a', 'b') else secrets.B }}",
            "${{ secrets.A if vars.hosts['hunter22'] else secrets.B }}",
            "${{ vars.list[0] ~ secrets.A }}",
            "${{ vars.list[-1] ~ secrets.A }}",
            "${{ vars.map['x']['y'].z ~ secrets.A }}",
            "${{ secrets.A if vars.x|replace('hunter22', 'x') == 'y' else secrets.B }}",
            "${{ 'hunter22-' ~ secrets.A }}",
            // What is wrong with it is another thing.
            "${{ secrets.A|nope }}",
            // What is beside it and no part of it.
            "${{ 'abcde' ~ secrets.A ~ 'abcde' }}",
            "${{ 'abcdef-' ~ secrets.A ~ '-abcdef' }}",
            "${{ 'abcdef' ~ vars.x ~ secrets.A ~ vars.x ~ 'abcdef' }}",
            "abcde${{ secrets.A }}abcde",
            "abcdef ${{ secrets.A }}-abcdef",
            "${{ secrets.A }}$${{abcdef",
            "${{ secrets.A }}${{ secrets.B }}",
            "${{ secrets.A }}${{ 'abcde' }}",
        ] {
            assert!(gives_secret(text), "{text}");
        }
    }

    #[test]
    fn e2_11_what_could_give_or_tell_something_else_is_no_secret() {
        for text in [
            "${{ vars.secrets }}",
            "${{ [secrets.A] }}",
            "${{ ['x'] ~ secrets.A }}",
            "${{ ('x')[0] ~ secrets.A }}",
            "${{ {'a': secrets.A} }}",
            "${{ secrets.A, 'x' }}",
            "${{ 'x'.y ~ secrets.A }}",
            "${{ (vars.a).b ~ secrets.A }}",
            "${{ secrets.A if secrets.B else secrets.C }}",
            "${{ secrets.A if vars.x else 'y' }}",
            "${{ 'y' if vars.x else secrets.A }}",
            "${{ secrets.A if vars.x else secrets.B if vars.y else 'z' }}",
            "${{ (secrets.A if vars.x else 'y') ~ secrets.B }}",
            "${{ secrets.A if (vars.x if secrets.B else 'y') else secrets.C }}",
            "${{ (secrets.A) if vars.x else 'y' }}",
            "${{ (vars.a) if vars.x else secrets.B }}",
            "${{ secrets.A) == 'x' }}",
            "${{ vars.a|replace('x', secrets.A) }}",
            "${{ vars.map[secrets.A] }}",
            "${{ secrets.A|default('x') }}",
            "${{ secrets.A == 'x' }}",
            "${{ secrets.A is defined }}",
            "${{ -secrets.A }}",
            "${{ secrets.A * 2 }}",
            "${{ secrets.A|replace('hunter22', 'x') }}",
            "${{ secrets.A|replace('x', '-hunter22-') }}",
            // A part of it, in clear.
            "${{ 'abcdef' ~ secrets.A }}",
            "${{ secrets.A ~ 'abcdef' }}",
            "${{ secrets.A|trim ~ 'abcdef' }}",
            "${{ secrets.A|replace('a', ('b')) ~ 'abcdef' }}",
            "${{ ('x' ~ (secrets.A)) ~ 'abcdef' }}",
            "${{ 'abcdef' ~ ((secrets.A)) }}",
            "${{ '-abcdef' ~ secrets.A }}",
            "abcdef${{ secrets.A }}",
            "${{ secrets.A }}abcdef",
            "x ${{ secrets.A ~ ':' ~ secrets.B }}abcdef",
            "${{ secrets.A }}${{ 'abcdef' }}",
            "${{ 'abcdef' }}${{ secrets.A }}",
        ] {
            assert!(!gives_secret(text), "{text}");
        }
    }
}
