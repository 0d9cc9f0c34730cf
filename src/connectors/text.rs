//! The text of a schema -> where in it something stands. `serde_json` says no positions, and takes the last of two keys
//! that are the same; readers of a review see the first.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use crate::value::push_segment;

/// The keys that an object has twice: their names, and where each stands again.
pub(super) fn duplicates(text: &str) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    Scan { text, at: 0 }.value(&mut String::new(), &mut |member| {
        if let Member::Again(key, range) = member {
            found.push((key.to_owned(), range));
        }
    });
    found
}

/// Where the members at these JSON Pointers stand: the key in an object; in a list a text, or the
/// first byte of anything else. What the text has not
/// is not in the result.
pub(super) fn members(text: &str, wanted: &BTreeSet<&str>) -> BTreeMap<String, Range<usize>> {
    let mut found = BTreeMap::new();
    Scan { text, at: 0 }.value(&mut String::new(), &mut |member| {
        if let Member::At(at, range) = member
            && wanted.contains(at)
        {
            found.insert(at.to_owned(), range);
        }
    });
    found
}

/// Where the value of a member stands, whose key stands at `key`.
pub(super) fn value_of(text: &str, key: &Range<usize>) -> Range<usize> {
    let mut scan = Scan { text, at: key.end };
    scan.peek();
    scan.at += 1;
    scan.peek();
    let start = scan.at;
    scan.value(&mut String::new(), &mut |_| {});
    start..scan.at.min(text.len())
}

enum Member<'m> {
    At(&'m str, Range<usize>),
    Again(&'m str, Range<usize>),
}

/// Reads what `serde_json` has read before: valid, and no deeper than it allows.
struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn value(&mut self, pointer: &mut String, see: &mut dyn FnMut(Member<'_>)) {
        match self.peek() {
            Some(b'{') => self.object(pointer, see),
            Some(b'[') => self.list(pointer, see),
            Some(b'"') => {
                self.string();
            }
            _ => {
                let rest = &self.text.as_bytes()[self.at..];
                self.at += rest.iter().take_while(|byte| !matches!(byte, b',' | b']' | b'}')).count();
            }
        }
    }

    fn object(&mut self, pointer: &mut String, see: &mut dyn FnMut(Member<'_>)) {
        let mut keys = HashSet::new();
        self.at += 1;
        while self.peek() == Some(b'"') {
            let range = self.string();
            let key: String = serde_json::from_str(&self.text[range.clone()]).unwrap_or_default();
            let length = pointer.len();
            push_segment(pointer, &key);
            see(Member::At(pointer, range.clone()));
            if keys.contains(&key) {
                see(Member::Again(&key, range));
            }
            keys.insert(key);
            self.peek();
            self.at += 1;
            self.value(pointer, see);
            pointer.truncate(length);
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn list(&mut self, pointer: &mut String, see: &mut dyn FnMut(Member<'_>)) {
        self.at += 1;
        let mut index = 0usize;
        while !matches!(self.peek(), None | Some(b']')) {
            let length = pointer.len();
            push_segment(pointer, &index.to_string());
            let text = self.peek() == Some(b'"');
            let end = if text { Scan { ..*self }.string().end } else { self.at + 1 };
            see(Member::At(pointer, self.at..end));
            self.value(pointer, see);
            pointer.truncate(length);
            index += 1;
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    /// Passes a string, its quotes too.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                b'"' => break,
                _ => 1,
            };
        }
        self.at = (self.at + 1).min(bytes.len());
        start..self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{ "a" : [ 1, {"b\"":"x]"}, [] ], "c/d":{"e":-1.5e3,"\u0065":null} }"#;

    #[test]
    fn members_stand_where_the_text_has_them() {
        let at = |pointer| members(TEXT, &[pointer].into()).remove(pointer).map(|range| &TEXT[range]);
        assert_eq!(at("/a"), Some("\"a\""));
        assert_eq!(at("/a/1"), Some("{"));
        assert_eq!(at("/a/1/b\""), Some(r#""b\"""#));
        assert_eq!(at("/a/2"), Some("["));
        assert_eq!(at("/c~1d"), Some("\"c/d\""));
        assert_eq!(at("/a/3"), None);
        let value = |key| members(TEXT, &[key].into()).remove(key).map(|key| &TEXT[value_of(TEXT, &key)]);
        assert_eq!(value("/a"), Some(r#"[ 1, {"b\"":"x]"}, [] ]"#));
        assert_eq!(value("/c~1d/e"), Some("null"), "the last of two");
    }

    #[test]
    fn a_key_that_stands_twice_is_found_however_it_is_spelled() {
        let found: Vec<_> = duplicates(TEXT).into_iter().map(|(key, range)| (key, &TEXT[range])).collect();
        assert_eq!(found, [("e".to_owned(), r#""\u0065""#)]);
        assert_eq!(duplicates(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#), []);
    }
}
