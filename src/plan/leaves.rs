//! Two trees -> the leaves that differ, redacted before anybody can format them.
//!
//! A leaf is secret if either side is, or holds, a secret, or if either side's schema says so. Then neither value
//! leaves this module, whatever it is: what is in clear on one side may be the password that the other side seals.

use serde_json::{Map, Value};

use crate::model::record::{KEYS, Record, SECRET, contains_secret, is_secret};
use crate::source::Line;
use crate::value::{push_segment, segments};
use crate::workspace::settings::is_name;
use crate::workspace::stores::Address;

/// What happened to a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeafAction {
    /// It is new.
    Add,
    /// It has another value.
    Change,
    /// It is gone.
    Remove,
}

impl LeafAction {
    /// `add`, `change` or `remove`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }
}

/// All that may be said about a secret leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// Another value, or the same under a new seal.
    Changed,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It was in clear.
    NowSealed,
    /// It is in clear now.
    NoLongerSealed,
}

impl Note {
    /// The words for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Changed => "(secret) changed or re-encrypted",
            Self::Added => "(secret) added",
            Self::Removed => "(secret) removed",
            Self::NowSealed => "(secret) now sealed; the old value was in clear: rotate it",
            Self::NoLongerSealed => "(secret) no longer sealed",
        }
    }
}

/// One leaf that differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// Its JSON Pointer.
    pub path: String,
    /// What happened to it.
    pub action: LeafAction,
    /// The old value; null where there was none, or it is secret.
    pub old: Value,
    /// The new value; null where there is none, or it is secret.
    pub new: Value,
    /// What may be said instead of the values, if it is secret.
    pub secret: Option<Note>,
    /// Where a secret came from and comes from, if that differs: addresses of stores, or names in files. Neither is a secret.
    pub sources: Option<Box<(String, String)>>,
    /// The file and line that the new value comes from.
    pub place: Option<Line>,
    /// The file and line that the old value comes from, where both sides are compiled here.
    pub old_place: Option<Line>,
}

impl Leaf {
    /// A value in clear that changes, of a line that nobody knows.
    pub fn change(path: &str, old: Value, new: Value) -> Self {
        let action = match (old.is_null(), new.is_null()) {
            (true, _) => LeafAction::Add,
            (_, true) => LeafAction::Remove,
            _ => LeafAction::Change,
        };
        let path = path.to_owned();
        Self { path, action, old, new, secret: None, sources: None, place: None, old_place: None }
    }

    /// The same with each letter beyond ASCII of a value without blanks by its number: a host that only looks like the old one
    /// is another.
    #[must_use]
    pub fn spelled(&self) -> Self {
        Self { old: spelled(&self.old), new: spelled(&self.new), ..self.clone() }
    }

    /// What may be said of a secret leaf, if it is one.
    pub fn told(&self) -> Option<String> {
        let note = self.secret?.text();
        Some(match self.sources.as_deref() {
            Some((old, new)) => format!("{note}: {old} -> {new}"),
            None => note.to_owned(),
        })
    }
}

/// The leaves that differ, sorted by path. `sealed` holds the secret paths of both sides' schemas: JSON Pointers in
/// which a segment `*` stands for any.
///
/// Null is the same as nothing. A list of scalars or secrets is one leaf; other lists are compared by index.
pub fn diff(old: &Value, new: &Value, sealed: &[&str]) -> Vec<Leaf> {
    let mut walk = Walk { sealed, path: String::new(), leaves: Vec::new() };
    walk.nodes(Some(old), Some(new));
    walk.leaves
}

/// The same of two records, or of one and nothing: of the keys that are `compared`.
pub fn diff_records(
    old: Option<&Record>,
    new: Option<&Record>,
    compared: impl Fn(&str) -> bool,
    sealed: &[&str],
) -> Vec<Leaf> {
    let mut walk = Walk { sealed, path: String::new(), leaves: Vec::new() };
    for key in KEYS.into_iter().filter(|key| compared(key)) {
        walk.below(key, old.and_then(|record| record.get(key)), new.and_then(|record| record.get(key)));
    }
    walk.leaves
}

struct Walk<'a> {
    sealed: &'a [&'a str],
    path: String,
    leaves: Vec<Leaf>,
}

/// A side as a map, where nothing counts as an empty one; `None` if it is something else.
fn as_map(side: Option<&Value>) -> Option<Option<&Map<String, Value>>> {
    match side {
        None => Some(None),
        Some(value) if is_secret(value) => None,
        Some(Value::Object(map)) => Some(Some(map)),
        Some(_) => None,
    }
}

fn as_list(side: Option<&Value>) -> Option<&[Value]> {
    match side {
        None => Some(&[]),
        Some(Value::Array(list)) => Some(list),
        Some(_) => None,
    }
}

impl Walk<'_> {
    fn nodes(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let old = old.filter(|value| !value.is_null());
        let new = new.filter(|value| !value.is_null());
        if old == new {
            return;
        }
        if let (Some(a), Some(b)) = (as_map(old), as_map(new)) {
            let mut keys: Vec<&String> = a.iter().chain(b.iter()).flat_map(|map| map.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            if !keys.is_empty() {
                for key in keys {
                    self.below(key, a.and_then(|map| map.get(key)), b.and_then(|map| map.get(key)));
                }
                return;
            }
        }
        if let (Some(a), Some(b)) = (as_list(old), as_list(new))
            && a.iter().chain(b).any(|item| item.is_object() || item.is_array())
            // Items move: where one is secret, another index may hold the same in clear.
            && !a.iter().chain(b).any(is_secret)
        {
            for index in 0..a.len().max(b.len()) {
                self.below(&index.to_string(), a.get(index), b.get(index));
            }
            return;
        }
        self.leaf(old, new);
    }

    fn below(&mut self, segment: &str, old: Option<&Value>, new: Option<&Value>) {
        let length = self.path.len();
        push_segment(&mut self.path, segment);
        self.nodes(old, new);
        self.path.truncate(length);
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let action = match (old, new) {
            (None, _) => LeafAction::Add,
            (_, None) => LeafAction::Remove,
            _ => LeafAction::Change,
        };
        let secret = self.note(old, new);
        let shown = |side: Option<&Value>| match secret {
            None => side.cloned().unwrap_or(Value::Null),
            Some(_) => Value::Null,
        };
        let sources = || {
            let (was, is) = (sources(old?)?, sources(new?)?);
            (was != is).then(|| Box::new((was, is)))
        };
        let (sources, old, new) = (sources(), shown(old), shown(new));
        let path = self.path.clone();
        self.leaves.push(Leaf { path, action, old, new, secret, sources, place: None, old_place: None });
    }

    fn note(&self, old: Option<&Value>, new: Option<&Value>) -> Option<Note> {
        let (was, is) = (old.is_some_and(contains_secret), new.is_some_and(contains_secret));
        if !was && !is && !self.sealed.iter().any(|pattern| related(pattern, &self.path)) {
            return None;
        }
        Some(match (old, new) {
            (None, _) => Note::Added,
            (_, None) => Note::Removed,
            _ if is && !was => Note::NowSealed,
            _ if was && !is => Note::NoLongerSealed,
            _ => Note::Changed,
        })
    }
}

fn spelled(value: &Value) -> Value {
    match value {
        Value::String(text) if !text.is_ascii() && !text.contains(char::is_whitespace) => {
            let letter = |c: char| if c.is_ascii() { c.to_string() } else { format!("<U+{:04X}>", u32::from(c)) };
            text.chars().map(letter).collect::<String>().into()
        }
        Value::Array(items) => items.iter().map(spelled).collect(),
        other => other.clone(),
    }
}

/// Where a secret comes from: its addresses, or its names and files.
fn sources(value: &Value) -> Option<String> {
    let source = |source: &Value| {
        let (from, name) = (source.get("from")?.as_str()?, source.get("name")?.as_str()?);
        match Address::parse(from) {
            Ok(address) => Some(address.uri.to_owned()),
            Err(_) => is_name(name).then(|| format!("{name} in {from}")),
        }
    };
    let sources = value.get(SECRET).filter(|_| is_secret(value))?.get("sources")?.as_array()?;
    sources.iter().map(source).collect::<Option<Vec<_>>>().map(|sources| sources.join(", "))
}

/// Whether a leaf at `path` is, lies in, or stands in the place of what `pattern` names.
fn related(pattern: &str, path: &str) -> bool {
    segments(pattern).zip(segments(path)).all(|(pattern, segment)| pattern == "*" || pattern == segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(version: &str) -> Value {
        json!({"$secret": {"names": ["P"], "sources": [{"name": "P", "from": "x", "version": version}], "delivery": "resolve"}})
    }

    fn told(old: &Value, new: &Value, sealed: &[&str]) -> Vec<String> {
        let say = |leaf: &Leaf| {
            let what =
                leaf.secret.map_or_else(|| format!("{} -> {}", leaf.old, leaf.new), |note| note.text().to_owned());
            format!("{} {}: {what}", leaf.action.word(), leaf.path)
        };
        diff(old, new, sealed).iter().map(say).collect()
    }

    #[test]
    fn each_changed_leaf_is_told_and_null_is_nothing() {
        let old = json!({"a": {"b": 1, "c/d": "x", "gone": true, "same": [1]}, "l": ["x", "y"], "n": null});
        let new = json!({"a": {"b": 2, "c/d": null, "same": [1], "new": {}}, "l": ["x"], "m": [{"k": 1}]});
        assert_eq!(
            told(&old, &new, &[]),
            [
                "change /a/b: 1 -> 2",
                "remove /a/c~1d: \"x\" -> null",
                "remove /a/gone: true -> null",
                "add /a/new: null -> {}",
                "change /l: [\"x\",\"y\"] -> [\"x\"]",
                "add /m/0/k: null -> 1",
            ]
        );
    }

    #[test]
    fn e2_11_a_list_is_one_leaf_unless_it_holds_maps_or_lists() {
        for (old, new, expected) in [
            (json!([1, 2]), json!([1, 3]), &["change /l: [1,2] -> [1,3]"][..]),
            (json!([[1], [2]]), json!([[1], [3]]), &["change /l/1: [2] -> [3]"]),
            (json!([{"a": 1}, 2]), json!([{"a": 3}, 2]), &["change /l/0/a: 1 -> 3"]),
            (json!([1]), json!([1, [2]]), &["add /l/1: null -> [2]"]),
            (json!([[1], 2]), json!([[1]]), &["remove /l/1: 2 -> null"]),
            (json!([[]]), json!([]), &["remove /l/0: [] -> null"]),
            (json!([{"a": 1}]), json!({"a": 1}), &["change /l: [{\"a\":1}] -> {\"a\":1}"]),
            (json!({}), json!([]), &["change /l: {} -> []"]),
            (json!({"a": {}}), json!({"a": {"b": null}}), &[]),
            (json!({"a": 1}), json!({}), &["remove /l/a: 1 -> null"]),
            (
                json!([secret("1"), {"a": 1}]),
                json!([{"a": 1}, secret("1")]),
                &["change /l: (secret) changed or re-encrypted"],
            ),
        ] {
            assert_eq!(told(&json!({"l": old}), &json!({"l": new}), &[]), expected, "{old} {new}");
        }
    }

    /// A word that looks like another one is shown letter by letter; prose is not.
    #[test]
    fn e2_11_letters_beyond_ascii_are_spelled_in_words() {
        for (value, shown) in [
            (json!("host"), json!("host")),
            (json!("h\u{f6}st"), json!("h<U+00F6>st")),
            (json!("h\u{f6}st und port"), json!("h\u{f6}st und port")),
            (json!("\u{1f600}"), json!("<U+1F600>")),
            (json!(["\u{e9}", 1, ["\u{e9}"], null]), json!(["<U+00E9>", 1, ["<U+00E9>"], null])),
            (json!({"a": "\u{e9}"}), json!({"a": "\u{e9}"})),
        ] {
            assert_eq!(spelled(&value), shown);
        }
    }

    #[test]
    fn a_leaf_is_redacted_if_either_side_is_secret() {
        let clear = json!({"p": "hunter2"});
        let (one, two) = (json!({"p": secret("1")}), json!({"p": secret("2")}));
        assert_eq!(told(&one, &two, &[]), ["change /p: (secret) changed or re-encrypted"]);
        assert_eq!(told(&json!({}), &two, &[]), ["add /p: (secret) added"]);
        assert_eq!(told(&two, &json!({}), &[]), ["remove /p: (secret) removed"]);
        let sealed = "change /p: (secret) now sealed; the old value was in clear: rotate it";
        assert_eq!(told(&clear, &two, &[]), [sealed]);
        assert_eq!(told(&two, &clear, &[]), ["change /p: (secret) no longer sealed"]);
    }

    #[test]
    fn a_change_of_type_does_not_uncover_a_secret() {
        let map = json!({"auth": {"mode": "password", "password": secret("1")}});
        let text = json!({"auth": "hunter2"});
        assert_eq!(told(&map, &text, &[]), ["change /auth: (secret) no longer sealed"]);
        assert_eq!(told(&text, &map, &[]).len(), 1);
        let list = json!({"auth": ["hunter2", secret("1")]});
        assert!(!format!("{:?}", told(&list, &text, &[])).contains("hunter2"));
        let shifted = json!({"auth": [secret("1"), "hunter2"]});
        assert!(!format!("{:?}", told(&list, &shifted, &[])).contains("hunter2"));
        let longer = json!({"auth": ["x", "hunter2"]});
        assert_eq!(told(&json!({"auth": [secret("1")]}), &longer, &[]), ["change /auth: (secret) no longer sealed"]);
        let whole = json!({"auth": secret("1")});
        assert!(!format!("{:?}", told(&whole, &json!({"auth": {"x": "hunter2"}}), &[])).contains("hunter2"));
    }

    #[test]
    fn a_leaf_is_redacted_if_either_schema_says_so() {
        let old = json!({"auth": {"token": "hunter2", "user": "u"}, "config": {"headers": {"X": "hunter2"}}});
        let new = json!({"auth": {"user": "v"}, "config": {"headers": {"X": "other"}}});
        let sealed = ["/auth/token", "/config/headers/*"];
        assert_eq!(
            told(&old, &new, &sealed),
            [
                "remove /auth/token: (secret) removed",
                "change /auth/user: \"u\" -> \"v\"",
                "change /config/headers/X: (secret) changed or re-encrypted",
            ]
        );
        assert!(!format!("{:?}", told(&old, &json!({"auth": "hunter2"}), &sealed)).contains("hunter2"));
    }
}
