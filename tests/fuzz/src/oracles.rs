//! What holds whatever the input is. A target reads bytes as one of tieline's readers does, and asks these.

use std::collections::BTreeMap;

use tieline::codes;
use tieline::connectors::json::plain;
use tieline::diagnostic::{Diagnostic, QUIET};
use tieline::edit::format;
use tieline::reporters::human::{self, Look};
use tieline::reporters::json::Totals;
use tieline::reporters::text::is_unsafe;
use tieline::reporters::{concise, github, json, yaml as printed};
use tieline::rules::Rule;
use tieline::source::Sources;
use tieline::span::{FileId, Span};
use tieline::value::{Node, Value};
use tieline::yaml::events::{Event, Events};
use tieline::yaml::{self, MAX_DEPTH, conceal};

/// A secret that no output may hold.
pub(crate) const CANARY: &str = "x9canary7q";

/// No color, and the width of a terminal.
pub(crate) const LOOK: Look = Look { color: false, unicode: true, width: 80 };

/// Nothing in a text that is printed acts on a terminal.
pub(crate) fn calm(text: &str) {
    let acting = text.chars().find(|c| *c != '\n' && is_unsafe(*c));
    assert!(acting.is_none(), "{acting:?} would reach a terminal: {text:?}");
}

/// What is reported has a code with a page, stands within its files, and can be shown in every form.
pub(crate) fn report(told: &[Diagnostic], sources: &Sources, environments: usize) {
    for diagnostic in told.iter().filter(|diagnostic| diagnostic.code != QUIET) {
        let code = diagnostic.code;
        assert!(codes::page(code).is_some() || Rule::of(code).is_some(), "{code} has no page");
        assert!(!diagnostic.message.is_empty(), "{code} says nothing");
        diagnostic.labels.iter().for_each(|label| within(label.span, sources, code));
    }
    let hidden = sources.iter().all(|source| hides_canary(source.text()));
    let narrow = Look { width: 20, unicode: false, ..LOOK };
    let forms = [
        human::render(told, sources, environments, LOOK).to_string(),
        human::render(told, sources, environments, narrow).to_string(),
        concise::render(told, sources, "workspace/"),
        github::render(told, sources, "workspace/"),
        json::render(told, sources, Totals::default()),
    ];
    for form in &forms {
        calm(form);
        assert!(!hidden || !form.contains(CANARY), "the secret is shown: {form}");
    }
    assert!(serde_json::from_str::<serde_json::Value>(&forms[4]).is_ok(), "not JSON: {}", forms[4]);
}

/// Whether the canary stands in a text only as a login does: `password: CANARY`, in lines of their own.
pub(crate) fn hides_canary(text: &str) -> bool {
    let is_login = |line: &str| {
        let key =
            line.trim_end_matches(['\n', '\r']).strip_suffix(CANARY).and_then(|line| line.strip_suffix("password: "));
        key.is_some_and(|indent| indent.bytes().all(|byte| byte == b' '))
    };
    text.split_inclusive('\n').all(|line| !line.contains(CANARY) || is_login(line))
}

/// A span stands within its file, between characters.
pub(crate) fn within(span: Span, sources: &Sources, what: &str) {
    assert!((span.file.0 as usize) < sources.len(), "{what} stands in no file");
    let text = sources.get(span.file).text();
    assert!(text.get(span.range()).is_some(), "{what} stands at {:?} of {} bytes", span.range(), text.len());
}

/// Every node of a document stands within its text, and within the node that holds it unless an alias brought it.
pub(crate) fn tree(root: &Node, sources: &Sources) {
    let aliases = sources.get(root.span.file).text().contains('*');
    let inside = |outer: Span, inner: Span, what: &str| {
        within(inner, sources, what);
        let fits = outer.start <= inner.start && inner.end <= outer.end;
        assert!(aliases || fits, "{what} at {:?} is not within {:?}", inner.range(), outer.range());
    };
    let mut open = vec![root];
    within(root.span, sources, "the document");
    while let Some(node) = open.pop() {
        match &node.value {
            Value::List(items) => {
                items.iter().for_each(|item| inside(node.span, item.span, "an item"));
                open.extend(items);
            }
            Value::Map(map) => {
                for entry in map.iter() {
                    inside(node.span, entry.key_span, "a key");
                    inside(node.span, entry.value.span, "a value");
                    open.push(&entry.value);
                }
            }
            _ => {}
        }
    }
}

/// What is printed of a value is read as the same value, by our reader too.
pub(crate) fn prints(value: &serde_json::Value) {
    let text = printed::render(value).expect("every value can be printed");
    calm(&text);
    let (read, told) = yaml::parse(FileId(0), &text);
    let read = read.map(|root| plain(&root));
    assert!(told.is_empty(), "{told:?}: {text}");
    assert_eq!(read.as_ref(), Some(value), "{text}");
}

/// The canonical form is its own canonical form, and says the same: values, styles and comments. Whether there is one.
pub(crate) fn formats(text: &str, order: &[&str]) -> Option<String> {
    let done = format::format(text, order)?;
    let (old, new) = (yaml::parse(FileId(0), text), yaml::parse(FileId(0), &done));
    let same = old.0.as_ref().zip(new.0.as_ref()).is_some_and(|(old, new)| plain(old) == plain(new));
    assert!(same && new.1.is_empty(), "the meaning changes: {text:?} -> {done:?}");
    assert_eq!(pieces(text), pieces(&done), "a comment or spelling is lost: {text:?} -> {done:?}");
    assert_eq!(format::format(&done, order).as_ref(), Some(&done), "it changes again: {text:?}");
    let bare = |text: &str| text.matches('\n').count() - text.matches("\r\n").count();
    assert!(bare(text) > 0 || bare(&done) == 0, "lines end in another way: {text:?} -> {done:?}");
    Some(done)
}

/// The comments and scalars of a text with how often each is there.
fn pieces(text: &str) -> BTreeMap<String, usize> {
    let mut pieces = BTreeMap::new();
    for event in Events::new(text, MAX_DEPTH, true) {
        let piece = match event {
            Ok((Event::Comment(comment), _)) => format!("#{}", comment.trim_end()),
            Ok((Event::Scalar { text, style, .. }, _)) => format!("{style:?} {text}"),
            Ok(_) => continue,
            Err(error) => panic!("{error:?} in {text:?}"),
        };
        *pieces.entry(piece).or_insert(0) += 1;
    }
    pieces
}

/// What is shown of a text has as many lines, and no secret.
pub(crate) fn conceals(sources: &Sources) {
    for source in sources.iter() {
        let shown = conceal::shown(source);
        assert_eq!(shown.matches('\n').count(), source.text().matches('\n').count(), "lines went: {shown:?}");
        assert!(!hides_canary(source.text()) || !shown.contains(CANARY), "the secret is shown: {shown:?}");
    }
}
