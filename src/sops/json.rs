//! JSON -> a document, each value with the bytes it stands in.
//!
//! Only the brackets are read here; strings and numbers are `serde_json`'s. What sops refuses is refused: a byte order
//! mark, anything but an object at the top, a key that stands twice.

use std::borrow::Cow;
use std::ops::Range;

use super::document::{Document, Entry, Item, Kind, MAX_DEPTH, MAX_NODES, Map, Node, Scalar, split, unique};
use super::error::{ErrorKind, SopsError};
use super::typing::Typed;
use crate::yaml::events::Style;

/// Reads the one document of a text.
///
/// # Errors
///
/// [`ErrorKind::NotJson`], [`ErrorKind::Empty`], [`ErrorKind::TopNotMap`],
/// [`ErrorKind::DuplicateKey`], and limits that are exceeded.
pub(super) fn document(text: &str) -> Result<Document<'_>, SopsError> {
    let mut reader = Reader { text, at: 0, nodes: 0 };
    reader.space();
    if reader.peek().is_none() {
        return Err(ErrorKind::Empty.into());
    }
    let node = reader.value(0)?;
    reader.space();
    if reader.peek().is_some() {
        return Err(reader.bad());
    }
    match node.kind {
        Kind::Map(map) => Ok(split(map, Vec::new())),
        _ => Err(SopsError::at(ErrorKind::TopNotMap, &node.range)),
    }
}

/// Integers of a document as the floats that releases up to 3.13.1 take them for.
pub(super) fn as_floats(map: &mut Map<'_>) {
    for entry in &mut map.entries {
        float(&mut entry.value);
    }
}

fn float(node: &mut Node<'_>) {
    match &mut node.kind {
        Kind::Map(map) => as_floats(map),
        Kind::List(items) => items.iter_mut().for_each(|item| float(&mut item.value)),
        Kind::Scalar(scalar) => {
            if let Some(Typed::Int(_)) = scalar.typed {
                scalar.typed = scalar.text.parse().ok().map(Typed::Float);
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn bad(&self) -> SopsError {
        SopsError::at(ErrorKind::NotJson, &(self.at..self.at))
    }

    /// Takes this byte, after space.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn count(&mut self) -> Result<(), SopsError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(ErrorKind::TooLarge.into()) } else { Ok(()) }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, SopsError> {
        self.count()?;
        self.space();
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(SopsError::at(ErrorKind::TooDeep, &(start..start)));
        }
        let kind = match self.peek() {
            Some(b'{') => Kind::Map(self.map(depth)?),
            Some(b'[') => Kind::List(self.list(depth)?),
            Some(b'"') => Kind::Scalar(Scalar::new(self.string()?.0, Style::Quoted, None)),
            Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => Kind::Scalar(self.word()?),
            _ => return Err(self.bad()),
        };
        Ok(Node { range: start..self.at, kind })
    }

    fn map(&mut self, depth: usize) -> Result<Map<'a>, SopsError> {
        let mut map = Map { flow: true, ..Map::default() };
        self.at += 1;
        if !self.take(b'}') {
            loop {
                self.space();
                self.count()?;
                let (key, key_range) = self.string()?;
                if !self.take(b':') {
                    return Err(self.bad());
                }
                let value = self.value(depth + 1)?;
                map.entries.push(Entry { comments: Vec::new(), key, key_range, value });
                if !self.take(b',') {
                    break;
                }
            }
            if !self.take(b'}') {
                return Err(self.bad());
            }
        }
        unique(&map)?;
        Ok(map)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Item<'a>>, SopsError> {
        let mut items = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            items.push(Item { comments: Vec::new(), value: self.value(depth + 1)? });
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b']') { Ok(items) } else { Err(self.bad()) }
    }

    fn string(&mut self) -> Result<(Cow<'a, str>, Range<usize>), SopsError> {
        if self.peek() != Some(b'"') {
            return Err(self.bad());
        }
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let range = self.at..end + 1;
        let quoted = self.text.get(range.clone()).ok_or_else(|| self.bad())?;
        let inner = &quoted[1..quoted.len() - 1];
        let text = if inner.bytes().all(|byte| byte >= b' ' && byte != b'\\') {
            Cow::Borrowed(inner)
        } else {
            Cow::Owned(serde_json::from_str(quoted).map_err(|_| self.bad())?)
        };
        self.at = range.end;
        Ok((text, range))
    }

    /// A number, or one of the three words.
    fn word(&mut self) -> Result<Scalar<'a>, SopsError> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.')).unwrap_or(rest.len());
        let word = &rest[..end];
        let range = self.at..self.at + end;
        let typed = match word {
            "true" => Typed::Bool(true),
            "false" => Typed::Bool(false),
            "null" => Typed::Null,
            _ => {
                let number: serde_json::Number = serde_json::from_str(word).map_err(|_| self.bad())?;
                // `-0` is an integer to the newest sops, and hashed as `0`.
                match (word.parse(), number.as_f64()) {
                    (Ok(int), _) => Typed::Int(int),
                    (_, Some(float)) => Typed::Float(float),
                    _ => return Err(SopsError::at(ErrorKind::NotJson, &range)),
                }
            }
        };
        self.at = range.end;
        Ok(Scalar { typed: Some(typed), ..Scalar::new(Cow::Borrowed(word), Style::Plain, None) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kind(text: &str) -> Option<ErrorKind> {
        document(text).err().map(|error| error.kind)
    }

    #[test]
    fn e2_11_json_is_read_to_the_letter() {
        for fine in [
            "{}",
            " \t\r\n{ \"a\" : \"\" , \"b\":[ ] }\n",
            "{\"a\": \"x y\", \"b\": \"\\u00e9\\\"\\\\\", \"c\\t\": -1.5e+3}",
            "{\"a\": [1, true, false, null, \"\", {}, []]}",
        ] {
            assert_eq!(kind(fine), None, "{fine}");
        }
        for bad in [
            "{a: 1}",
            "{a\": 1}",
            "{x\"y\": 1}",
            "{\"a\" 1}",
            "{\"a\": \"x\ty\"}",
            "{\"a\": \"x\ny\"}",
            "{\"a\": \"x}",
            "{\"a\": \"x\\\"}",
            "{\"a\": \"\\x\"}",
            "{\"a\": 01}",
            "{\"a\": +1}",
            "{\"a\": .5}",
            "{\"a\": nul}",
            "{\"a\": 1,}",
            "{\"a\": [1,]}",
            "{\"a\": [1 2]}",
            "{\"a\": [1}",
            "{\"a\": 1",
            "{\"a\": 1} x",
            "{,}",
            "\u{feff}{}",
        ] {
            assert_eq!(kind(bad), Some(ErrorKind::NotJson), "{bad}");
        }
        assert_eq!((kind(""), kind(" \n")), (Some(ErrorKind::Empty), Some(ErrorKind::Empty)));
        assert_eq!((kind("[]"), kind("1")), (Some(ErrorKind::TopNotMap), Some(ErrorKind::TopNotMap)));
    }

    #[test]
    fn e2_11_json_has_a_depth() {
        let lists = |depth: usize| format!("{{\"a\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(kind(&lists(MAX_DEPTH - 1)), None);
        assert_eq!(kind(&lists(MAX_DEPTH)), Some(ErrorKind::TooDeep));
    }

    #[test]
    fn e2_11_integers_become_floats_wherever_they_stand_and_nothing_else_does() {
        let mut document =
            document("{\"a\": 1, \"l\": [2, {\"b\": -3}], \"s\": \"x\", \"t\": true, \"f\": 0.5}").unwrap();
        as_floats(&mut document.root);
        fn typed(node: &Node<'_>, out: &mut Vec<Option<Typed>>) {
            match &node.kind {
                Kind::Map(map) => map.entries.iter().for_each(|entry| typed(&entry.value, out)),
                Kind::List(items) => items.iter().for_each(|item| typed(&item.value, out)),
                Kind::Scalar(scalar) => out.push(scalar.typed.clone()),
            }
        }
        let mut found = Vec::new();
        document.root.entries.iter().for_each(|entry| typed(&entry.value, &mut found));
        let float = |float: f64| Some(Typed::Float(float));
        assert_eq!(found, [float(1.0), float(2.0), float(-3.0), None, Some(Typed::Bool(true)), float(0.5)]);
    }
}
