//! The names in a policy's expression, and its comparisons made such that what a record does not have is in no order.

use std::ops::Range;

use super::names::{self, Fault, Names, Placed, Token, WORDS};
use crate::diagnostic::{code, nearest};

/// A name in the expression of a policy, `connection.config.port` or `connection['config']['port']`.
#[derive(Debug, PartialEq, Eq)]
pub struct PolicyName<'e> {
    /// Its segments, each with its range in the text.
    pub segments: Vec<(&'e str, Range<usize>)>,
    /// Whether the expression asks if it is there: `is defined`, `| default(…)`.
    pub is_tested: bool,
}

impl PolicyName<'_> {
    /// The whole of it.
    pub fn range(&self) -> Range<usize> {
        let ends = self.segments.first().zip(self.segments.last());
        ends.map_or(0..0, |((_, first), (_, last))| first.start..last.end)
    }
}

/// All of them, in order. What follows a part that is computed, `connection[x].y`, is in none.
pub(super) fn names(text: &str) -> Vec<PolicyName<'_>> {
    let tokens = names::tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = match tokens[at].0 {
            // The names of filters, of tests and of attributes.
            Token::Sign("|" | ".") => at + 2,
            Token::Name("is") if is_word(&tokens, at + 1, &["not"]) => at + 3,
            Token::Name("is") => at + 2,
            Token::Name(word) if WORDS.contains(&word) => at + 1,
            Token::Name(_) if matches!(tokens.get(at + 1), Some((Token::Sign("="), _))) => at + 2,
            Token::Name(_) => {
                let (name, next) = name(text, &tokens, at);
                found.push(name);
                next
            }
            _ => at + 1,
        };
    }
    found
}

fn name<'e>(text: &'e str, tokens: &[Placed<'e>], mut at: usize) -> (PolicyName<'e>, usize) {
    let mut segments = Vec::new();
    if let (Token::Name(word), range) = &tokens[at] {
        segments.push((*word, range.clone()));
        at += 1;
    }
    loop {
        let next = |ahead: usize| tokens.get(at + ahead).map(|(token, range)| (*token, range.clone()));
        match (next(0), next(1), next(2)) {
            (Some((Token::Sign("."), _)), Some((Token::Name(word), range)), _) => {
                segments.push((word, range));
                at += 2;
            }
            (Some((Token::Sign("["), _)), Some((Token::Text, range)), Some((Token::Sign("]"), _))) => {
                let inner = (range.start + 1).min(range.end)..range.end.saturating_sub(1).max(range.start + 1);
                // What is escaped in it is rare, and not looked at.
                let Some(word) = text.get(inner.clone()).filter(|word| !word.contains('\\')) else { break };
                segments.push((word, inner));
                at += 3;
            }
            _ => break,
        }
    }
    let test = if is_word(tokens, at + 1, &["not"]) { at + 2 } else { at + 1 };
    let is_tested = match tokens.get(at).map(|(token, _)| *token) {
        Some(Token::Name("is")) => is_word(tokens, test, &["defined"]),
        Some(Token::Sign("|")) => is_word(tokens, at + 1, &["default"]),
        _ => false,
    };
    (PolicyName { segments, is_tested }, at)
}

fn is_word(tokens: &[Placed<'_>], at: usize, words: &[&str]) -> bool {
    matches!(tokens.get(at), Some((Token::Name(word), _)) if words.contains(word))
}

/// A filter or a test that there is not, a function, or two comparisons in one.
pub(super) fn fault(text: &str) -> Option<Fault> {
    let tokens = names::tokens(text);
    let mut told = Names::default();
    for (at, (token, range)) in tokens.iter().enumerate() {
        let follows = |ahead: usize| tokens.get(at + ahead).map(|(token, range)| (*token, range.clone()));
        match (token, follows(1)) {
            (Token::Sign("|"), _) => {
                names::filter(&tokens, at + 1, &mut told);
            }
            (Token::Name("is"), _) => {
                let next = follows(1).filter(|(token, _)| *token != Token::Name("not")).or_else(|| follows(2));
                let Some((Token::Name(test), range)) = next else { continue };
                if !TESTS.contains(&test) {
                    let help = nearest(test, TESTS.iter().copied());
                    let help =
                        help.map_or(format!("tests: {}", TESTS.join(", ")), |near| format!("did you mean `{near}`?"));
                    told.faults.push(Fault {
                        code: code::UNDEFINED_NAME,
                        range,
                        message: format!("there is no test `{test}`"),
                        help,
                    });
                }
            }
            (Token::Name(word), Some((Token::Sign("("), _))) if !WORDS.contains(word) && !is_behind(&tokens, at) => {
                let (message, help) = ("there are no functions to call", "use a filter: `value | filter`");
                told.faults.push(Fault {
                    code: code::INVALID_EXPRESSION,
                    range: range.clone(),
                    message: message.into(),
                    help: help.into(),
                });
            }
            (token, _) if is_order(*token) && right(&tokens, at).1.is_some_and(is_order) => {
                let (message, help) = ("two comparisons in one", "compare two values at a time: `a < b and b < c`");
                told.faults.push(Fault {
                    code: code::INVALID_EXPRESSION,
                    range: range.clone(),
                    message: message.into(),
                    help: help.into(),
                });
            }
            _ => {}
        }
    }
    told.faults.into_iter().next()
}

/// Whether a word is that of a filter or a test, or an attribute.
fn is_behind(tokens: &[Placed<'_>], at: usize) -> bool {
    matches!(
        &tokens[..at],
        [.., (Token::Sign("|" | ".") | Token::Name("is"), _)] | [.., (Token::Name("is"), _), (Token::Name("not"), _)]
    )
}

fn is_order(token: Token<'_>) -> bool {
    matches!(token, Token::Name("in") | Token::Sign("<" | ">" | "<=" | ">="))
}

/// The tests that policies have.
pub(super) const TESTS: [&str; 3] = ["defined", "startingwith", "endingwith"];

/// The name of the test for what can be compared.
pub(super) const COMPARABLE: &str = "_comparable";

/// The expression with each `a < b` and `a in b` false where a name on either side is not there: the engine has an order
/// for everything, and nothing comes before all numbers in it.
pub(super) fn compared(text: &str) -> String {
    let tokens = names::tokens(text);
    let mut insertions: Vec<(usize, String)> = Vec::new();
    for (at, (token, _)) in tokens.iter().enumerate() {
        if !is_order(*token) {
            continue;
        }
        let is_negated = *token == Token::Name("in") && at > 0 && is_word(&tokens, at - 1, &["not"]);
        let (Some(start), Some(end)) = (left(&tokens, if is_negated { at - 1 } else { at }), right(&tokens, at).0)
        else {
            continue;
        };
        let named = names(&text[start..end]).into_iter().filter(|name| name.segments.len() > 1);
        let guards: Vec<String> = named
            .map(|name| format!("{} is {COMPARABLE}", &text[start..end][whole(&name, &text[start..end])]))
            .collect();
        if guards.is_empty() {
            continue;
        }
        let guards = guards.join(" and ");
        let (open, close) = match is_negated {
            true => (format!("(not ({guards}) or ("), "))"),
            false => (format!("({guards} and "), ")"),
        };
        insertions.extend([(start, open), (end, close.to_owned())]);
    }
    let mut whole = text.to_owned();
    // From the back, so that what stands before keeps its place.
    insertions.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    insertions.into_iter().for_each(|(at, inserted)| whole.insert_str(at, &inserted));
    whole
}

/// The range of a name as it is written, with the bracket that it ends in.
fn whole(name: &PolicyName<'_>, text: &str) -> Range<usize> {
    let range = name.range();
    let is_quoted = text[range.end..].starts_with(['"', '\'']);
    range.start..range.end + if is_quoted { text[range.end..].find(']').map_or(0, |at| at + 1) } else { 0 }
}

/// What ends an operand of a comparison.
fn ends(token: Token<'_>) -> bool {
    match token {
        Token::Name(word) => matches!(word, "and" | "or" | "not" | "if" | "else" | "in" | "is"),
        Token::Sign(sign) => matches!(sign, "==" | "!=" | "<" | ">" | "<=" | ">=" | "," | ":"),
        _ => false,
    }
}

/// Where the operand before the token `at` begins.
fn left(tokens: &[Placed<'_>], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut start = None;
    for (token, range) in tokens[..at].iter().rev() {
        match token {
            Token::Sign(")" | "]" | "}") => depth += 1,
            Token::Sign("(" | "[" | "{") if depth == 0 => break,
            Token::Sign("(" | "[" | "{") => depth -= 1,
            token if depth == 0 && ends(*token) => break,
            _ => {}
        }
        start = Some(range.start);
    }
    start
}

/// Where the operand behind the token `at` ends, and the token at which it does.
fn right<'e>(tokens: &[Placed<'e>], at: usize) -> (Option<usize>, Option<Token<'e>>) {
    let mut depth = 0usize;
    let mut end = None;
    for (token, range) in &tokens[at + 1..] {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") if depth == 0 => break,
            Token::Sign(")" | "]" | "}") => depth -= 1,
            token if depth == 0 && ends(*token) => return (end, Some(*token)),
            _ => {}
        }
        end = Some(range.end);
    }
    (end, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f07_every_name_is_found_with_its_place() {
        let text = "connection.config.port < 5 and env.name in ['a', 'b'] and connection['labels']['x'] is not defined";
        let found = names(text);
        let read: Vec<(String, bool)> = found
            .iter()
            .map(|name| (name.segments.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("/"), name.is_tested))
            .collect();
        assert_eq!(
            read,
            [
                ("connection/config/port".to_owned(), false),
                ("env/name".to_owned(), false),
                ("connection/labels/x".to_owned(), true)
            ]
        );
        assert_eq!(&text[found[0].range()], "connection.config.port");
        let names: Vec<usize> =
            names("a|default(b.c).d, x(k=y) is startingwith z").iter().map(|n| n.segments.len()).collect();
        assert_eq!(names, [1, 2, 1, 1, 1]);
        assert!(super::names("a['").len() == 1 && super::names("a.b[\"\\x\"].c")[0].segments.len() == 2);
    }

    #[test]
    fn f07_what_is_not_there_is_in_no_order() {
        for (text, expected) in [
            ("a.b < 5", "(a.b is _comparable and a.b < 5)"),
            ("x and 5 >= a['b'] or y", "x and (a['b'] is _comparable and 5 >= a['b']) or y"),
            ("not a.b in a.c", "not (a.b is _comparable and a.c is _comparable and a.b in a.c)"),
            ("a.b not in ['x']", "(not (a.b is _comparable) or (a.b not in ['x']))"),
            ("(a.b + 1) * 2 > 7", "(a.b is _comparable and (a.b + 1) * 2 > 7)"),
            ("'<' == a.b", "'<' == a.b"),
            ("1 < 2", "1 < 2"),
            ("a < b", "a < b"),
            ("a.b not < 5", "a.b not < 5"),
            ("x and (a.b) > 7", "x and (a.b is _comparable and (a.b) > 7)"),
            ("(a.b and c.d) > 7", "(a.b is _comparable and c.d is _comparable and (a.b and c.d) > 7)"),
            ("7 < (a.b or c.d) and x", "(a.b is _comparable and c.d is _comparable and 7 < (a.b or c.d)) and x"),
            ("7 < ((a.b)) or x", "(a.b is _comparable and 7 < ((a.b))) or x"),
            ("f(a.b < 5)", "f((a.b is _comparable and a.b < 5))"),
            ("5 in [a.b, c.d]", "(a.b is _comparable and c.d is _comparable and 5 in [a.b, c.d])"),
            ("[a.b <= 1, c.d >= 1]", "[(a.b is _comparable and a.b <= 1), (c.d is _comparable and c.d >= 1)]"),
            ("{'x': a.b > 1}", "{'x': (a.b is _comparable and a.b > 1)}"),
            ("x if a.b < 1 else y", "x if (a.b is _comparable and a.b < 1) else y"),
            ("a.b < 1 == true", "(a.b is _comparable and a.b < 1) == true"),
        ] {
            assert_eq!(compared(text), expected);
        }
    }

    #[test]
    fn e2_11_what_a_policy_can_not_ask_is_told_with_its_place() {
        let nope = Some(("there is no test `nope`", "nope"));
        let call = "there are no functions to call";
        for (text, expected) in [
            ("a|nope", Some(("there is no filter `nope`", "nope"))),
            ("a|lower|default(1)", None),
            ("a is nope", nope),
            ("a is not nope", nope),
            ("a is defined", None),
            ("a is not defined", None),
            ("a is startingwith('x')", None),
            ("a is not endingwith('x')", None),
            ("f(1)", Some((call, "f"))),
            ("not f(1)", Some((call, "f"))),
            ("a and not f(1)", Some((call, "f"))),
            ("a.f(1)", None),
            ("a and (b)", None),
            ("not (b)", None),
            ("a < b < c", Some(("two comparisons in one", "<"))),
            ("a in b >= c", Some(("two comparisons in one", "in"))),
            ("a < b == c", None),
            ("a < b and b < c", None),
            ("(a < b) < c", None),
            ("a < (b < c)", None),
            ("a < [b < c]", None),
            ("a == b == c", None),
        ] {
            let told = fault(text);
            let told = told.as_ref().map(|fault| (fault.message.as_str(), &text[fault.range.clone()]));
            assert_eq!(told, expected, "{text}");
        }
    }

    #[test]
    fn e2_11_a_policy_names_what_stands_outside_of_its_words() {
        for (text, all) in [
            ("connection.config.host", &["connection.config.host"][..]),
            ("connection['a b'].c == x", &["connection.a b.c", "x"]),
            ("connection[x].y", &["connection", "x"]),
            ("a is defined and b", &["a?", "b"]),
            ("a.b is not defined or not c", &["a.b?", "c"]),
            ("a['b'] | default('c') == d", &["a.b?", "d"]),
            ("a|length > b", &["a", "b"]),
            ("a is none", &["a"]),
            ("a is not none", &["a"]),
            ("a is sameas b", &["a", "b"]),
            ("a is not sameas b", &["a", "b"]),
            ("'x' in a|map(attribute='b')|list", &["a"]),
            ("a|join(b=c)", &["a", "c"]),
            ("('x').y == z", &["z"]),
            ("a|length b", &["a", "b"]),
            ("a['']", &["a."]),
        ] {
            let found = names(text);
            let spelled = found.iter().map(|name| {
                let segments: Vec<&str> = name.segments.iter().map(|(segment, _)| *segment).collect();
                segments.join(".") + if name.is_tested { "?" } else { "" }
            });
            assert_eq!(spelled.collect::<Vec<_>>(), all, "{text}");
            for name in &found {
                assert!(name.segments.iter().all(|(segment, range)| &text[range.clone()] == *segment), "{text}");
            }
        }
        assert_eq!(names("x == a.b['c d'] == y")[1].range(), 5..13);
    }
}
