//! A map in written order.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::Node;
use crate::span::Span;

/// Maps up to this size are walked: those that people write.
const SMALL: usize = 64;

/// A map in written order. Keys are unique.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<Entry>,
    /// Of a large map alone: a walk for each of its keys would cost its square.
    index: Option<Box<Index>>,
}

/// One key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Box<str>,
    /// Where the key was written.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

/// Where the keys of a large map stand, by their hashes. Of two keys with one hash it has either; the other is walked to.
#[derive(Clone, Debug, Default)]
struct Index {
    hasher: RandomState,
    places: HashMap<u64, usize>,
}

impl Index {
    fn add(&mut self, key: &str, place: usize) {
        self.places.insert(self.hasher.hash_one(key), place);
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.places.get(&self.hasher.hash_one(key)).copied()
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Map {
    /// A map of these entries; the caller has seen to it that no key stands twice.
    pub fn new(entries: Vec<Entry>) -> Self {
        let index = indexed(&entries);
        Self { entries, index }
    }

    fn place(&self, key: &str) -> Option<usize> {
        let walk = || self.entries.iter().position(|entry| &*entry.key == key);
        let Some(index) = &self.index else { return walk() };
        match index.place(key) {
            Some(place) if self.entries.get(place).is_some_and(|entry| &*entry.key == key) => Some(place),
            Some(_) => walk(),
            None => None,
        }
    }

    /// The entry of `key`.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(self.place(key)?)
    }

    /// The entry of `key`, to change its value.
    pub fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        let place = self.place(key)?;
        self.entries.get_mut(place)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let entry = self.entries.remove(self.place(key)?);
        self.index = indexed(&self.entries);
        Some(entry)
    }

    /// Puts an entry at the end. The key must not be there yet.
    pub fn push(&mut self, entry: Entry) {
        match &mut self.index {
            Some(index) => index.add(&entry.key, self.entries.len()),
            None if self.entries.len() == SMALL => {
                self.entries.push(entry);
                self.index = indexed(&self.entries);
                return;
            }
            None => {}
        }
        self.entries.push(entry);
    }

    /// All entries as written.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// All entries, to change their values.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Entry> {
        self.entries.iter_mut()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The index of so many entries, where they need one.
fn indexed(entries: &[Entry]) -> Option<Box<Index>> {
    (entries.len() > SMALL).then(|| {
        let mut index = Box::<Index>::default();
        entries.iter().enumerate().for_each(|(place, entry)| index.add(&entry.key, place));
        index
    })
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::FileId;
    use crate::value::Value;

    fn entry(n: i64) -> Entry {
        let span = Span::file(FileId(0));
        Entry { key: format!("k{n}").into(), key_span: span, value: Node::new(span, Value::Int(n)) }
    }

    #[test]
    fn e2_11_every_key_of_a_map_is_found_whatever_its_size_and_however_it_was_made() {
        for size in [1, 63, 64, 65, 66, 200] {
            let mut pushed = Map::default();
            (0..size).for_each(|n| pushed.push(entry(n)));
            let mut less = Map::new((-1..=size).map(entry).collect());
            less.remove("k-1");
            less.remove(&format!("k{size}"));
            for map in [pushed, Map::new((0..size).map(entry).collect()), less] {
                for n in 0..size {
                    assert_eq!(
                        map.get(&format!("k{n}")).map(|node| &node.value),
                        Some(&Value::Int(n)),
                        "{n} of {size}"
                    );
                }
                assert_eq!((map.get("k-1"), map.get(&format!("k{size}"))), (None, None), "{size}");
                assert_eq!(map, Map::new((0..size).map(entry).collect()));
            }
        }
    }
}
