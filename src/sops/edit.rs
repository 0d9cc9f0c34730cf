//! Changing an encrypted file in place: single strings set or removed, everything else as it was.
//!
//! Takes an opened file and changes, gives the new text. The data key stays, and so do the ENC texts of all other
//! leaves, byte for byte. New texts are spliced over the old ones; where the layout allows no splice (flow style, a
//! shared anchor), the document is written anew around the kept ENC texts. Either way the result is read back and
//! compared with what was intended before the caller sees it.

use std::borrow::Cow;

use super::document::{Document, Entry, Kind, Map as Tree};
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::keys;
use super::leaf::{DataKey, Type};
use super::open::{Encrypted, Numbers};
use super::splice::{self, Wanted};
use super::tree::string;
use super::value::{Map, Value};
use super::write::check_timestamp;
use crate::secret::Secret;

/// Changes to the first document of an opened file, not yet written.
pub struct Edit<'t> {
    file: &'t Encrypted<'t>,
    key: DataKey,
    data: Vec<Map>,
    numbers: Numbers,
    actions: Vec<Action>,
}

/// What [`Edit::set`] and [`Edit::unset`] come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The value was equal already, or absent already.
    Unchanged,
    /// A leaf gets another value.
    Replaced,
    /// A leaf is new, at the end of its map.
    Added,
    /// A leaf is removed.
    Removed,
}

struct Action {
    path: Vec<String>,
    /// The new value; `None` to remove the leaf.
    value: Option<Secret<String>>,
}

impl<'a> Encrypted<'a> {
    /// Opens the file for changes; the MAC is verified.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::open`].
    pub fn edit<'t>(&'t self, identities: &Identities) -> Result<Edit<'t>, SopsError>
    where
        'a: 't,
    {
        self.edit_with(keys::data_key(&self.metadata, identities)?)
    }

    /// The same with the data key at hand: who holds a token is asked once.
    pub(super) fn edit_with<'t>(&'t self, key: DataKey) -> Result<Edit<'t>, SopsError>
    where
        'a: 't,
    {
        let (data, numbers) = self.verified(&key)?;
        Ok(Edit { file: self, key, data, numbers, actions: Vec::new() })
    }
}

impl Edit<'_> {
    /// The data of all documents as opened, changes not applied.
    pub fn data(&self) -> &[Map] {
        &self.data
    }

    /// Gives the leaf at `path`, keys from the top down, a string. A leaf that is not there is added to its map.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchMap`] if there is no map to hold it, [`ErrorKind::NotALeaf`] if a map or list stands there,
    /// [`ErrorKind::ReservedKey`] and [`ErrorKind::MergeKey`].
    pub fn set(&mut self, path: &[&str], value: Secret<String>) -> Result<Change, SopsError> {
        let exists = self.original(path)?.is_some();
        if path == ["sops"] {
            return Err(failed(ErrorKind::ReservedKey, path));
        }
        if !exists && path.last() == Some(&"<<") {
            return Err(failed(ErrorKind::MergeKey, path));
        }
        let pending = self.actions.iter().position(|action| action.path == path);
        let current = match pending {
            Some(index) => self.actions[index].value.as_ref(),
            None => self.original(path)?.and_then(Value::as_str),
        };
        if current.is_some_and(|current| current.expose() == value.expose()) {
            return Ok(Change::Unchanged);
        }
        let back = self.original(path)?.and_then(Value::as_str).is_some_and(|old| old.expose() == value.expose());
        self.note(pending, path, (!back).then_some(Some(value)));
        Ok(if exists { Change::Replaced } else { Change::Added })
    }

    /// Removes the leaf at `path`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchMap`] and [`ErrorKind::NotALeaf`].
    pub fn unset(&mut self, path: &[&str]) -> Result<Change, SopsError> {
        let exists = self.original(path)?.is_some();
        let pending = self.actions.iter().position(|action| action.path == path);
        let there = pending.map_or(exists, |index| self.actions[index].value.is_some());
        if !there {
            return Ok(Change::Unchanged);
        }
        self.note(pending, path, exists.then_some(None));
        Ok(Change::Removed)
    }

    /// Replaces the pending action for a path, or drops it where it comes to nothing.
    fn note(&mut self, pending: Option<usize>, path: &[&str], value: Option<Option<Secret<String>>>) {
        if let Some(index) = pending {
            self.actions.remove(index);
        }
        if let Some(value) = value {
            let path = path.iter().map(|key| (*key).to_owned()).collect();
            self.actions.push(Action { path, value });
        }
    }

    fn original(&self, path: &[&str]) -> Result<Option<&Value>, SopsError> {
        let Some((last, above)) = path.split_last() else { return Err(ErrorKind::NoSuchMap.into()) };
        let mut map = &self.data[0];
        for key in above {
            map = map.get(key).and_then(Value::as_map).ok_or_else(|| failed(ErrorKind::NoSuchMap, path))?;
        }
        match map.get(last) {
            Some(Value::List(_) | Value::Map(_)) => Err(failed(ErrorKind::NotALeaf, path)),
            leaf => Ok(leaf),
        }
    }

    /// Whether anything would be written.
    pub fn is_changed(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Writes the changes: the new text, or `None` if nothing changed. `lastmodified` is the time of writing,
    /// `YYYY-MM-DDTHH:MM:SSZ`; `random` fills its argument with random bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadTimestamp`], and [`ErrorKind::EditFailed`] if the result does not read back as intended.
    pub fn finish(
        mut self,
        lastmodified: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Option<String>, SopsError> {
        check_timestamp(lastmodified)?;
        if !self.is_changed() {
            return Ok(None);
        }
        let wanted: Result<Vec<_>, _> = self.actions.iter().map(|action| self.wanted(action, random)).collect();
        let wanted = wanted?;
        for action in &self.actions {
            apply(&mut self.data[0], action);
        }
        if let Some(text) = splice::values(self.file, &wanted)
            && let Ok(text) = self.seal(&text, lastmodified, random)
        {
            return Ok(Some(text));
        }
        let text = emit::documents(&rewritten(&self.file.documents, &wanted), self.file.format)?;
        self.seal(&text, lastmodified, random).map(Some)
    }

    /// What the text of a leaf becomes: an ENC text where the rule demands one.
    fn wanted<'p>(&self, action: &'p Action, random: &mut dyn FnMut(&mut [u8])) -> Result<Wanted<'p>, SopsError> {
        let selector = &self.file.selector;
        let mut map = self.file.documents.first().map(|document| &document.root);
        let (mut matched, mut aad) = (false, String::new());
        for key in &action.path {
            let entry = map.and_then(|map| map.get(key));
            matched = matched || selector.matches(Some(key), entry.map_or(&[], |entry| &entry.comments));
            aad.push_str(key);
            aad.push(':');
            map = entry.and_then(|entry| entry.value.as_map());
        }
        let text = match &action.value {
            Some(value) if selector.demands(matched) && !value.expose().is_empty() => {
                let bytes = value.expose().as_bytes();
                Some(self.key.seal(bytes, Type::Str, aad.as_bytes(), random).ok_or(ErrorKind::TooLarge)?)
            }
            Some(value) => Some(value.expose().clone()),
            None => None,
        };
        Ok(Wanted { path: &action.path, text })
    }

    /// Puts the MAC into a changed text, if the text holds what it should.
    fn seal(&self, text: &str, lastmodified: &str, random: &mut dyn FnMut(&mut [u8])) -> Result<String, SopsError> {
        let format = self.file.format;
        let (_, digits) = Encrypted::parse_as(text, format)?.decrypt(&self.key, self.numbers)?;
        let mac = digits.seal(&self.key, lastmodified, random).ok_or(ErrorKind::TooLarge)?;
        let text = splice::block(text, format, lastmodified, &mac)?;
        let data = Encrypted::parse_as(&text, format)?.open_with(&self.key)?;
        if Map::all_same(&data, &self.data) { Ok(text) } else { Err(ErrorKind::EditFailed.into()) }
    }
}

fn failed(kind: ErrorKind, path: &[&str]) -> SopsError {
    let steps = path.iter().map(|key| super::walk::Step::Key(key)).collect();
    SopsError::new(kind).with_path(super::walk::Path(steps).whole())
}

fn apply(data: &mut Map, action: &Action) {
    let Some((last, above)) = action.path.split_last() else { return };
    let mut map = data;
    for key in above {
        let Some(Value::Map(inner)) = map.get_mut(key) else { return };
        map = inner;
    }
    match &action.value {
        None => map.entries.retain(|(key, _)| key != last),
        Some(value) => {
            let value = Value::from(value.expose().as_str());
            match map.get_mut(last) {
                Some(old) => *old = value,
                None => map.push(last.as_str(), value),
            }
        }
    }
}

/// The trees with the changes made, to be written anew.
fn rewritten<'a>(documents: &[Document<'a>], wanted: &[Wanted<'_>]) -> Vec<Document<'a>> {
    let mut documents = documents.to_vec();
    for Wanted { path, text } in wanted {
        if let Some(document) = documents.first_mut() {
            change(&mut document.root, path, text.clone());
        }
    }
    documents
}

fn change(map: &mut Tree<'_>, path: &[String], text: Option<String>) {
    let Some((key, below)) = path.split_first() else { return };
    let index = map.entries.iter().position(|entry| entry.key == *key);
    if !below.is_empty() {
        if let Some(Kind::Map(inner)) = index.map(|index| &mut map.entries[index].value.kind) {
            change(inner, below, text);
        }
        return;
    }
    match (index, text) {
        (Some(index), Some(text)) => map.entries[index].value = string(text),
        (Some(index), None) => {
            map.entries.remove(index);
        }
        (None, Some(text)) => map.entries.push(Entry {
            comments: Vec::new(),
            key: Cow::Owned(key.clone()),
            key_range: 0..0,
            value: string(text),
        }),
        (None, None) => {}
    }
}
