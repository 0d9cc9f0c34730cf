//! A file in clear, as a person edits it: values decrypted, comments too, order and documents as they were.

use std::borrow::Cow;

use super::document::{Comment, Document, Format, Item, Kind, Map as Tree, Node, Scalar};
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::leaf::{DataKey, Enc, Type};
use super::open::{Encrypted, Leaf, plain, sealed};
use super::rule::{Rule, Selector};
use super::transform::{Transform, comment_aad, transform, wipe};
use super::tree::{entry, of_value, string};
use super::value::{Map, Value};
use super::walk::{Place, Step, walk};
use super::{json, keys};
use crate::secret::Secret;
use crate::yaml::characters::is_refused;

/// An opened file's documents, wiped on drop. The MAC was verified.
pub struct Clear {
    pub(super) documents: Vec<Document<'static>>,
    data: Vec<Map>,
    /// So that who holds a token is asked once, not again when the text comes back.
    pub(super) key: DataKey,
}

impl Drop for Clear {
    fn drop(&mut self) {
        wipe(&mut self.documents);
    }
}

impl Clear {
    /// The data alone.
    pub fn data(&self) -> &[Map] {
        &self.data
    }

    /// The values that stand encrypted in a file whose data this is.
    pub fn sealed<'c>(&'c self, file: &Encrypted<'_>) -> Vec<&'c Value> {
        let leaves = file.leaves().unwrap_or_default();
        let value = |leaf: &Leaf<'_>| {
            let mut steps = leaf.path.0.iter();
            let Some(Step::Key(first)) = steps.next() else { return None };
            let root = self.data.get(leaf.document)?.get(first)?;
            steps.try_fold(root, |value, &step| match (value, step) {
                (Value::Map(map), Step::Key(key)) => map.get(key),
                (Value::List(list), Step::Index(index)) => list.get(index),
                _ => None,
            })
        };
        leaves.iter().filter(|leaf| leaf.enc.is_some()).filter_map(value).collect()
    }

    /// Takes a key out of the first document.
    pub fn remove(&mut self, key: &str) {
        for document in self.documents.iter_mut().take(1) {
            document.root.entries.retain(|entry| entry.key != key);
        }
    }

    /// Gives a key at the top of the first document this text; a key that is not there is added.
    pub fn put(&mut self, key: &str, value: &Secret<String>) {
        let Some(document) = self.documents.first_mut() else { return };
        let value = string(value.expose().clone());
        match document.root.entries.iter_mut().find(|entry| entry.key == key) {
            Some(old) => old.value = value,
            None => document.root.entries.push(entry(key, value)),
        }
    }

    /// Puts a JSON value at a path of the first document. Maps on the way are made where they are missing; an index of a
    /// list is one that is there, or the one behind the last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotJson`], [`ErrorKind::NoSuchMap`], [`ErrorKind::ReservedKey`], and numbers that would be rounded.
    pub fn set(&mut self, path: &[Step<'_>], json: &str) -> Result<(), SopsError> {
        // Wrapped, since a document is an object.
        let wrapped = Secret::new(format!("{{\"value\": {json}}}"));
        let mut parsed = json::document(wrapped.expose())?;
        let (Some(entry), 1) = (parsed.root.entries.pop(), parsed.root.entries.len() + 1) else {
            return Err(ErrorKind::NotJson.into());
        };
        super::exact::number(&entry.value, Format::Json).map_err(|error| SopsError::new(error.kind))?;
        if path.first() == Some(&Step::Key("sops")) {
            return Err(ErrorKind::ReservedKey.into());
        }
        let place = || super::walk::Path(path.to_vec()).whole();
        let root = self.documents.first_mut().map(|document| &mut document.root);
        let put = root.and_then(|root| put_in(root, path, owned(&entry.value)));
        put.ok_or_else(|| SopsError::new(ErrorKind::NoSuchMap).with_path(place()))
    }

    /// The text to show or edit. JSON has no comments, and holds one document.
    ///
    /// # Errors
    ///
    /// What the format cannot hold: [`ErrorKind::ManyDocuments`], [`ErrorKind::NotInJson`].
    pub fn text(&self, format: Format) -> Result<Secret<String>, SopsError> {
        emit::documents(&self.documents, format).map(Secret::new)
    }
}

impl Encrypted<'_> {
    /// Opens the file as a text to edit; the MAC is verified first.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::open`].
    pub fn clear(&self, identities: &Identities) -> Result<Clear, SopsError> {
        self.clear_with(&keys::data_key(&self.metadata, identities)?)
    }

    pub(super) fn clear_with(&self, key: &DataKey) -> Result<Clear, SopsError> {
        let data = self.open_with(key)?;
        let documents = transform(&self.documents, &self.selector, &mut Clearing { key })?;
        Ok(Clear { documents, data, key: key.again() })
    }
}

struct Clearing<'k> {
    key: &'k DataKey,
}

impl Transform for Clearing<'_> {
    fn scalar(&mut self, place: &Place<'_>, scalar: &Scalar<'_>) -> Result<Option<Scalar<'static>>, ErrorKind> {
        if !place.demanded || scalar.text.is_empty() {
            let mut kept = Scalar::new(Cow::Owned(scalar.text.to_string()), scalar.style, scalar.tag.clone());
            kept.typed.clone_from(&scalar.typed);
            return Ok(Some(kept));
        }
        Ok(sealed(self.key, place, scalar)?.map(|value| of_value(&value)))
    }

    fn comment(&mut self, place: &Place<'_>, comment: &Comment<'_>) -> Result<Option<String>, ErrorKind> {
        let enc = Enc::parse(&comment.text).filter(|enc| enc.kind == Type::Comment);
        let opened = enc.and_then(|enc| self.key.open(&enc, comment_aad(place).as_bytes()));
        let text = opened.and_then(|bytes| std::str::from_utf8(&bytes).ok().map(str::to_owned));
        // One that does not open is kept as it stands, as sops does: plain comments may be added by hand. A line break
        // would end it, and what else no file may have has no escape in a comment.
        Ok(Some(
            text.filter(|text| !text.contains(|c| c == '\n' || is_refused(c)))
                .unwrap_or_else(|| comment.text.to_string()),
        ))
    }
}

/// The same tree with texts of its own.
fn owned(node: &Node<'_>) -> Node<'static> {
    let kind = match &node.kind {
        Kind::Scalar(scalar) => {
            let text = Cow::Owned(scalar.text.to_string());
            Kind::Scalar(Scalar { typed: scalar.typed.clone(), ..Scalar::new(text, scalar.style, None) })
        }
        Kind::List(items) => {
            let item = |item: &Item<'_>| Item { comments: Vec::new(), value: owned(&item.value) };
            Kind::List(items.iter().map(item).collect())
        }
        Kind::Map(map) => {
            let entries = map.entries.iter().map(|old| entry(&old.key, owned(&old.value)));
            Kind::Map(Tree { entries: entries.collect(), ..Tree::default() })
        }
    };
    Node { range: 0..0, kind }
}

fn put_in(map: &mut Tree<'static>, path: &[Step<'_>], value: Node<'static>) -> Option<()> {
    let (Step::Key(key), below) = path.split_first()? else { return None };
    let index = match map.entries.iter().position(|entry| entry.key == *key) {
        Some(index) => index,
        None => {
            map.entries.push(entry(key, Node { range: 0..0, kind: Kind::Map(Tree::default()) }));
            map.entries.len() - 1
        }
    };
    put(&mut map.entries[index].value, below, value)
}

fn put(node: &mut Node<'static>, path: &[Step<'_>], value: Node<'static>) -> Option<()> {
    match (path.split_first(), &mut node.kind) {
        (None, _) => *node = value,
        (Some((Step::Key(_), _)), Kind::Map(map)) => return put_in(map, path, value),
        (Some((Step::Index(index), below)), Kind::List(items)) => {
            if *index == items.len() && below.is_empty() {
                items.push(Item { comments: Vec::new(), value });
            } else {
                return put(&mut items.get_mut(*index)?.value, below, value);
            }
        }
        _ => return None,
    }
    Some(())
}

/// An entry at the top of a text in clear.
pub struct PlainEntry {
    /// Its key.
    pub key: String,
    /// The bytes of the key.
    pub key_range: std::ops::Range<usize>,
    /// Its value.
    pub value: Value,
}

/// The entries at the top of a YAML text in clear.
///
/// # Errors
///
/// What keeps the text from being read, as with [`super::encrypt_text`]. No error holds a value.
pub fn entries(text: &str) -> Result<Vec<PlainEntry>, SopsError> {
    let mut documents = super::document::parse(text, Format::Yaml)?;
    let selector = Selector::new(&Rule::default())?;
    let data = walk(&documents, &selector, |place, node, scalar| {
        scalar.resolve().map(|typed| Some(plain(typed, &scalar.text))).map_err(|kind| place.error(kind, node))
    })?;
    let keys = documents.drain(..).flat_map(|document| document.root.entries).map(|entry| entry.key_range);
    let values = data.into_iter().flatten();
    Ok(keys.zip(values).map(|(key_range, (key, value))| PlainEntry { key, key_range, value }).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sops::{Settings, encrypt_text, keygen};

    /// Whoever has the data key may seal what a comment can't hold: it must not become a line of its own.
    #[test]
    fn e2_11_a_comment_with_a_line_break_is_not_opened() {
        let (identity, recipient) = keygen();
        let identities = Identities::parse(identity.expose()).unwrap();
        let rule = Rule::default();
        let recipients = [recipient];
        let lastmodified = "2026-11-21T08:00:00Z";
        let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified };
        let (text, _) = encrypt_text("# x\na: v\n", Format::Yaml, &settings, &mut |b| b.fill(3)).unwrap();
        let key = keys::data_key(Encrypted::parse(&text).unwrap().metadata(), &identities).unwrap();
        for (comment, opens) in [(" fine", true), (" x\nb: z", false), (" x\u{2028}b: z", false), (" \u{1b}", false)] {
            let sealed = key.seal(comment.as_bytes(), Type::Comment, b":", &mut |b| b.fill(4)).unwrap();
            let (_, rest) = text.split_once('\n').unwrap();
            let text = format!("#{sealed}\n{rest}");
            let clear = Encrypted::parse(&text).unwrap().clear(&identities).unwrap().text(Format::Yaml).unwrap();
            let expected = if opens { comment } else { &sealed };
            assert_eq!(clear.expose(), &format!("#{expected}\na: v\n"));
        }
    }
}
