//! minijinja behind one file: the frozen filters, the limits, and the way from our values to its values and back.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::OnceLock;

use base64::Engine as _;
use minijinja::value::{Kwargs, Rest, StringInput, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Expression, State, UndefinedBehavior, Value as Jinja};

use super::policy_words;
use crate::budget::{self, Cost};
use crate::span::Span;
use crate::value::{Entry, Map, Node, Value};

/// The filters of the language. No more will ever be taken away or change their meaning.
pub(super) const FILTERS: &[&str] = &[
    "lower",
    "upper",
    "replace",
    "default",
    "trim",
    "join",
    "split",
    "b64encode",
    "urlencode",
    "tojson",
    "string",
    "int",
];

/// Steps that one expression may take.
const FUEL: u64 = 10_000;
/// Bytes that one expression may give.
pub(super) const MAX_OUTPUT: usize = 64 << 10;

/// Steps that an item of a list counts for in a filter: it is copied.
const ITEM: usize = 8;

/// Why an expression has no value.
pub(super) struct Failure {
    /// The engine's words.
    pub(super) message: String,
    /// The part of the expression at fault, where the engine knows it.
    pub(super) range: Option<Range<usize>>,
}

/// The names of an environment, ready for the engine: built once, used for every expression.
pub(super) fn context<'n>(names: impl IntoIterator<Item = (&'n str, Jinja)>) -> Jinja {
    // Collected as a map first: the engine would make a list of pairs.
    Jinja::from(names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>())
}

fn engine() -> &'static Environment<'static> {
    static ENGINE: OnceLock<Environment<'static>> = OnceLock::new();
    ENGINE.get_or_init(|| build(UndefinedBehavior::Strict))
}

/// The same, where what is not there is no error.
fn lenient() -> &'static Environment<'static> {
    static ENGINE: OnceLock<Environment<'static>> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut engine = build(UndefinedBehavior::Chainable);
        engine.add_test("defined", |value: &Jinja| !value.is_undefined());
        engine.add_test(policy_words::COMPARABLE, |value: &Jinja| !value.is_undefined() && !value.is_none());
        engine.add_test("startingwith", |text: &str, start: &str| text.starts_with(start));
        engine.add_test("endingwith", |text: &str, end: &str| text.ends_with(end));
        engine
    })
}

fn build(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(undefined);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(32);
    engine.set_debug(true);
    engine.add_filter("lower", |text: StringInput<'_>| bounded(text.as_str().to_lowercase()));
    engine.add_filter("upper", |text: StringInput<'_>| bounded(text.as_str().to_uppercase()));
    engine.add_filter("replace", replace);
    engine.add_filter("default", minijinja::filters::default);
    engine.add_filter("trim", minijinja::filters::trim);
    engine.add_filter("join", join);
    engine.add_filter("split", split);
    engine.add_filter("string", |value: &Jinja| bounded(value.to_string()));
    engine.add_filter("int", int);
    engine.add_filter("b64encode", |text: &str| bounded(base64::engine::general_purpose::STANDARD.encode(text)));
    engine.add_filter("urlencode", |text: &str| bounded(percent_encode(text)));
    engine.add_filter("tojson", |value: &Jinja| {
        bounded(serde_json::to_string(value).map_err(|_| Error::new(ErrorKind::BadSerialization, "not JSON"))?)
    });
    engine
}

/// What a filter gives, which the next one would multiply: no filter is given more than a few times the limit.
fn bounded(text: String) -> Result<String, Error> {
    through(text.len())?;
    if text.len() <= MAX_OUTPUT { Ok(text) } else { Err(too_large()) }
}

/// Counts the bytes and items that go through a filter.
fn through(amount: usize) -> Result<(), Error> {
    if budget::spend(Cost::Steps, amount as u64) { Ok(()) } else { Err(exhausted()) }
}

fn exhausted() -> Error {
    Error::from(ErrorKind::OutOfFuel)
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a filter gives more than 64 KiB")
}

/// Counted before it is made: a text of a thousand with a thousand for each letter is a million.
fn replace(text: StringInput<'_>, from: StringInput<'_>, to: StringInput<'_>) -> Result<String, Error> {
    let (text, from, to) = (text.as_str(), from.as_str(), to.as_str());
    through(text.len())?;
    let size = text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len());
    if size > 2 * MAX_OUTPUT { Err(too_large()) } else { bounded(text.replace(from, to)) }
}

/// The same: a separator stands between any two items.
fn join(
    state: &mut State,
    list: &Jinja,
    separator: Option<StringInput<'_>>,
    attribute: Option<&str>,
    kwargs: Kwargs,
) -> Result<Jinja, Error> {
    let named: Option<StringInput<'_>> = kwargs.get("d")?;
    let between = separator.as_ref().or(named.as_ref()).map_or(0, |text| text.as_str().len());
    let mut size = 0usize;
    for item in list.try_iter()? {
        through(ITEM)?;
        size += between + item.as_str().map_or_else(|| item.to_string().len(), str::len);
        if size > 2 * MAX_OUTPUT {
            return Err(too_large());
        }
    }
    minijinja::filters::join(state, list, separator, attribute, kwargs)
}

/// Everything but RFC 3986's unreserved characters, so that the result fits any part of a URL.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn split(text: &str, separator: Option<&str>) -> Result<Vec<String>, Error> {
    through(text.len())?;
    let each = |part: &str| through(ITEM).map(|()| part.to_owned());
    match separator {
        Some(separator) => text.split(separator).map(each).collect(),
        None => text.split_whitespace().map(each).collect(),
    }
}

/// Unlike Jinja's `int`, what is no integer is an error rather than 0.
fn int(value: &Jinja, rest: Rest<Jinja>, _kwargs: Kwargs) -> Result<i64, Error> {
    let text = value.to_string();
    let fail = || Error::new(ErrorKind::InvalidOperation, "the value is no integer");
    if !rest.is_empty() {
        return Err(Error::new(ErrorKind::TooManyArguments, "`int` takes no default"));
    }
    match value.kind() {
        ValueKind::Number | ValueKind::String => text.trim().parse().map_err(|_| fail()),
        ValueKind::Bool => Ok(i64::from(value.is_true())),
        _ => Err(fail()),
    }
}

/// Whether the text is an expression at all.
pub(super) fn check(expression: &str) -> Result<(), Failure> {
    engine().compile_expression(expression).map(|_| ()).map_err(|e| failure(&e, expression))
}

/// The value of an expression.
pub(super) fn evaluate(expression: &str, context: &Jinja) -> Result<Jinja, Failure> {
    // What it takes to read it; its filters count what goes through them.
    if !budget::spend(Cost::Steps, 100 + 4 * expression.len() as u64) {
        return Err(failure(&exhausted(), expression));
    }
    let compiled = engine().compile_expression(expression).map_err(|e| failure(&e, expression))?;
    let value = compiled.eval(context.clone()).map_err(|e| failure(&e, expression))?;
    let too_large = value.as_str().is_some_and(|s| s.len() > MAX_OUTPUT);
    let told = match value.kind() {
        ValueKind::Undefined => "the expression gives nothing",
        ValueKind::None => "the expression gives null",
        _ if too_large => "the expression gives more than 64 KiB",
        _ => return Ok(value),
    };
    Err(Failure { message: told.into(), range: None })
}

/// An expression that is true or false, ready to be asked.
pub(super) struct Question {
    expression: String,
    compiled: Expression<'static, 'static>,
}

impl Question {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn new(expression: &str) -> Result<Self, Failure> {
        let compiled =
            lenient().compile_expression_owned(expression.to_owned()).map_err(|e| failure(&e, expression))?;
        Ok(Self { expression: expression.to_owned(), compiled })
    }

    /// Its value for these names.
    pub(super) fn value(&self, names: &Jinja) -> Result<Jinja, Failure> {
        self.compiled.eval(names.clone()).map_err(|e| failure(&e, &self.expression))
    }
}

/// JSON for the engine.
pub(super) fn json_to_jinja(value: &serde_json::Value) -> Jinja {
    use serde_json::Value as Json;
    match value {
        Json::Null => Jinja::from(()),
        Json::Bool(b) => Jinja::from(*b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Jinja::from(i),
            None => Jinja::from(n.as_f64().unwrap_or_default()),
        },
        Json::String(s) => Jinja::from(&**s),
        Json::Array(items) => items.iter().map(json_to_jinja).collect(),
        Json::Object(map) => {
            Jinja::from(map.iter().map(|(k, v)| (k.clone(), json_to_jinja(v))).collect::<BTreeMap<_, _>>())
        }
    }
}

fn failure(error: &Error, expression: &str) -> Failure {
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the expression takes too many steps".to_owned(),
        (ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    Failure { message, range: error.range().map(|range| whole_characters(expression, range)) }
}

/// A range of the engine's, which counts some characters as one byte, widened to whole characters of the text.
fn whole_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let is_border = |at: &usize| text.is_char_boundary(*at);
    let start = (0..=range.start.min(text.len())).rev().find(is_border).unwrap_or(0);
    let end = (range.end.max(start)..text.len()).find(is_border).unwrap_or(text.len());
    start..end
}

/// Our value for the engine.
pub(super) fn to_jinja(node: &Node) -> Jinja {
    match &node.value {
        Value::Null | Value::Secret(_) => Jinja::from(()),
        Value::Bool(b) => Jinja::from(*b),
        Value::Int(i) => Jinja::from(*i),
        Value::Float(f) => Jinja::from(*f),
        Value::String(s) => Jinja::from(&**s),
        Value::List(items) => items.iter().map(to_jinja).collect(),
        Value::Map(map) => map_to_jinja(map),
    }
}

/// Our map for the engine.
pub(super) fn map_to_jinja(map: &Map) -> Jinja {
    let entries: BTreeMap<String, Jinja> = map.iter().map(|e| (e.key.to_string(), to_jinja(&e.value))).collect();
    Jinja::from(entries)
}

/// The engine's value as ours, written at `span`. `None` for what has no place in a tree.
pub(super) fn from_jinja(value: &Jinja, span: Span) -> Option<Node> {
    let read = match value.kind() {
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(i) if value.is_integer() => Value::Int(i),
            // Beyond 64 bits: a float would be another number.
            None if value.is_integer() => return None,
            _ => Value::Float(f64::try_from(value.clone()).ok().filter(|f| f.is_finite())?),
        },
        ValueKind::String => Value::String(value.as_str()?.into()),
        ValueKind::Seq | ValueKind::Iterable => {
            Value::List(value.try_iter().ok()?.map(|v| from_jinja(&v, span)).collect::<Option<_>>()?)
        }
        ValueKind::Map => {
            let entry = |key: Jinja| {
                let below = value.get_item(&key).ok()?;
                Some(Entry { key: key.as_str()?.into(), key_span: span, value: from_jinja(&below, span)? })
            };
            Value::Map(Map::new(value.try_iter().ok()?.map(entry).collect::<Option<_>>()?))
        }
        _ => return None,
    };
    Some(Node::new(span, read))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whether an expression has a value with so many steps left of the run.
    fn within(expression: &str, context: &Jinja, left: u64) -> bool {
        budget::begin();
        assert!(budget::spend(Cost::Steps, budget::limit(Cost::Steps) - left));
        evaluate(expression, context).is_ok()
    }

    #[test]
    fn e2_11_an_expression_costs_its_length_and_a_filter_what_goes_through_it() {
        let vars = context([
            ("text", Jinja::from("x".repeat(1000))),
            ("list", Jinja::from_iter((0..50).map(|_| Jinja::from("xy")))),
        ]);
        let context = context([("vars", vars)]);
        for (expression, filters) in [
            ("vars.text", 0),
            ("vars.text | lower", 1000),
            ("vars.text | replace('y', 'zz')", 2000),
            ("vars.list | join", 50 * ITEM as u64),
            ("vars.text | split('y')", 1000 + ITEM as u64),
            ("vars.list | join('-')", 50 * ITEM as u64),
        ] {
            let cost = 100 + 4 * expression.len() as u64 + filters;
            assert!(within(expression, &context, cost), "{expression}");
            assert!(!within(expression, &context, cost - 1), "{expression}");
        }
    }

    #[test]
    fn e2_11_what_a_filter_gives_has_at_most_64_kib() {
        for (length, gives) in [(MAX_OUTPUT, true), (MAX_OUTPUT + 1, false)] {
            let context = context([("text", Jinja::from("x".repeat(length)))]);
            assert_eq!(evaluate("text | lower", &context).is_ok(), gives, "{length}");
        }
        // What is replaced is counted before it is made, up to twice as much.
        let context = context([("text", Jinja::from("x".repeat(MAX_OUTPUT / 2)))]);
        let why = |expression: &str| evaluate(expression, &context).err().map(|failure| failure.message);
        assert_eq!(why("text | replace('x', 'xx')"), None);
        assert!(why("text | replace('x', 'xxx')").is_some_and(|why| why.contains("64 KiB")));
    }

    /// A number that YAML can't hold is no value.
    #[test]
    fn e2_11_a_number_that_has_no_place_in_yaml_is_no_value() {
        use crate::source::Sources;
        let mut sources = Sources::default();
        let at = Span::file(sources.add("x.yaml", String::new(), false));
        let node = |value: Jinja| from_jinja(&value, at).map(|node| node.value);
        assert_eq!(node(Jinja::from(7)), Some(Value::Int(7)));
        assert_eq!(node(Jinja::from(7.0)), Some(Value::Float(7.0)));
        assert_eq!(node(Jinja::from(i64::MAX)), Some(Value::Int(i64::MAX)));
        assert_eq!(node(Jinja::from(u64::MAX)), None);
        assert_eq!(node(Jinja::from(f64::INFINITY)), None);
        assert_eq!(node(Jinja::from(f64::NAN)), None);
    }

    /// What a list is joined to is counted with what stands between, before it is made.
    #[test]
    fn e2_11_a_list_is_joined_up_to_twice_what_an_expression_may_give() {
        let list = |items: usize, length: usize| {
            let items = Jinja::from_iter((0..items).map(|_| Jinja::from("x".repeat(length))));
            context([("list", items)])
        };
        let why =
            |expression: &str, context: &Jinja| evaluate(expression, context).err().map(|failure| failure.message);
        let over = |expression: &str, context: &Jinja| {
            why(expression, context).is_some_and(|why| why.contains("a filter gives more than 64 KiB"))
        };
        // 64 items of 2 KiB are 128 KiB: that is looked at, and found too long by itself.
        assert!(!over("list | join", &list(64, 2048)) && why("list | join", &list(64, 2048)).is_some());
        assert!(over("list | join", &list(64, 2049)));
        assert!(over("list | join('-')", &list(64, 2048)));
        assert!(!over("list | join('-')", &list(64, 2047)));
        assert!(!over("list | join(d='-')", &list(64, 2047)));
        assert!(over("list | join(d='-')", &list(64, 2048)));
    }
}
