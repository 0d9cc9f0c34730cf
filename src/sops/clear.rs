//! A file in clear, as a person edits it: values decrypted, comments too, order and documents as they were.

use std::borrow::Cow;

use super::document::{Comment, Document, Format, Scalar};
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::keys;
use super::leaf::{DataKey, Enc, Type};
use super::open::{Encrypted, sealed};
use super::transform::{Transform, comment_aad, transform, wipe};
use super::typing::Typed;
use super::value::{Map, Value};
use super::walk::Place;
use crate::secret::Secret;
use crate::yaml::events::Style;

/// An opened file's documents, wiped on drop. The MAC was verified.
pub struct Clear {
    pub(super) documents: Vec<Document<'static>>,
    data: Vec<Map>,
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
        Ok(Clear { documents, data })
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
        // would end it.
        Ok(Some(text.filter(|text| !text.contains(['\n', '\r'])).unwrap_or_else(|| comment.text.to_string())))
    }
}

/// A value as a scalar of a tree, whose type is the value's own.
pub(super) fn of_value(value: &Value) -> Scalar<'static> {
    let plain =
        |text: String, typed| Scalar { typed: Some(typed), ..Scalar::new(Cow::Owned(text), Style::Plain, None) };
    match value {
        Value::Bool(bool) => plain(bool.expose().to_string(), Typed::Bool(*bool.expose())),
        Value::Int(int) => plain(int.expose().to_string(), Typed::Int(*int.expose())),
        Value::Float(float) => plain(emit::float_spelled(*float.expose()), Typed::Float(*float.expose())),
        Value::Str(text) => Scalar::new(Cow::Owned(text.expose().clone()), Style::Quoted, None),
        Value::Time(text) => match super::time::Time::parse_rfc3339(text.expose()) {
            Some(time) => plain(text.expose().clone(), Typed::Time(time)),
            None => Scalar::new(Cow::Owned(text.expose().clone()), Style::Quoted, None),
        },
        Value::Bytes(bytes) => plain(String::from("binary"), Typed::Bytes(bytes.expose().clone())),
        Value::Null | Value::List(_) | Value::Map(_) => plain(String::new(), Typed::Null),
    }
}
