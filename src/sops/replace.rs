//! Another text for a file: what an editor makes of it.
//!
//! The data key stays, and the ENC text of every value and comment that did not change. Where only strings changed, so
//! does every other byte; else the file is written anew in sops' own layout around the kept ENC texts.

use super::clear::Clear;
use super::document::{self, Comment, Document, Kind, Scalar};
use super::edit::Edit;
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::leaf::{DataKey, Enc, Type};
use super::open::{Encrypted, plain, sealed};
use super::splice;
use super::transform::{Transform, comment_aad, transform};
use super::value::{Map, Value};
use super::walk::{Place, walk};
use super::write::{Random, Sealing, Stash, check_timestamp};
use crate::secret::Secret;

impl Encrypted<'_> {
    /// Seals another text in the place of this one: `clear` is what [`Encrypted::clear`] gave of this file, `text` the same,
    /// edited. `None` if it says the same.
    ///
    /// # Errors
    ///
    /// What keeps the new text from being read, [`ErrorKind::ReservedKey`],
    /// [`ErrorKind::BadTimestamp`].
    pub fn with_text(
        &self,
        clear: &Clear,
        text: &str,
        lastmodified: &str,
        random: &mut Random<'_>,
    ) -> Result<Option<String>, SopsError> {
        check_timestamp(lastmodified)?;
        let new = document::parse(text, self.format)?;
        if let Some(block) = new.iter().find_map(|document| document.block.as_ref()) {
            return Err(SopsError::at(ErrorKind::ReservedKey, &block.key_range));
        }
        let wanted = walk(&new, &self.selector, |place, node, scalar| {
            scalar.resolve().map(|typed| Some(plain(typed, &scalar.text))).map_err(|kind| place.error(kind, node))
        })?;
        let key = clear.key.again();
        let same = |data: &[Map]| Map::all_same(data, &wanted);
        if comments(&clear.documents) == comments(&new) {
            if same(clear.data()) {
                return Ok(None);
            }
            let spliced = self.spliced(clear, &wanted, key.again(), lastmodified, random);
            let holds = |text: &String| {
                Encrypted::parse_as(text, self.format)
                    .and_then(|file| file.open_with(&key))
                    .is_ok_and(|data| same(&data))
            };
            if let Some(text) = spliced.filter(holds) {
                return Ok(Some(text));
            }
        }
        let mut stashing = Stashing { key: &key, stash: Stash::default() };
        transform(&self.documents, &self.selector, &mut stashing)?;
        let sealing = Sealing { key: &key, strict: false, stash: stashing.stash };
        let (mut documents, mac) = sealing.run(&new, &self.selector, self.metadata.mac_only_encrypted, random)?;
        let mac = mac.finish().seal(&key, lastmodified, random).ok_or(ErrorKind::TooLarge)?;
        let block = self.documents.first().and_then(|document| document.block.as_ref());
        let mut sealed: Vec<Document<'_>> = Vec::with_capacity(documents.len());
        for document in documents.drain(..) {
            sealed.push(Document { block: block.cloned(), ..document });
        }
        let text = splice::block(&emit::documents(&sealed, self.format)?, self.format, lastmodified, &mac)?;
        let read = Encrypted::parse_as(&text, self.format)?.open_with(&key)?;
        if same(&read) { Ok(Some(text)) } else { Err(ErrorKind::EditFailed.into()) }
    }

    /// The changes as an [`Edit`], where they are strings in the first document alone.
    fn spliced(
        &self,
        clear: &Clear,
        wanted: &[Map],
        key: DataKey,
        lastmodified: &str,
        random: &mut Random<'_>,
    ) -> Option<String> {
        let mut edit = self.edit_with(key).ok()?;
        differences(clear.data().first()?, wanted.first()?, &mut Vec::new(), &mut edit)?;
        edit.finish(lastmodified, random).ok()?
    }
}

/// Tells an edit what differs; `None` where that is more than strings.
fn differences<'m>(old: &'m Map, new: &'m Map, path: &mut Vec<&'m str>, edit: &mut Edit<'_>) -> Option<()> {
    for (key, value) in old.iter() {
        path.push(key);
        match (value, new.get(key)) {
            (Value::Map(_) | Value::List(_), None) => return None,
            (_, None) => _ = edit.unset(path).ok()?,
            (Value::Map(old), Some(Value::Map(new))) => differences(old, new, path, edit)?,
            (old, Some(new)) if old.same(new) => {}
            (_, Some(Value::Str(text))) => _ = edit.set(path, Secret::new(text.expose().clone())).ok()?,
            _ => return None,
        }
        path.pop();
    }
    for (key, value) in new.iter().filter(|(key, _)| old.get(key).is_none()) {
        path.push(key);
        edit.set(path, Secret::new(value.as_str()?.expose().clone())).ok()?;
        path.pop();
    }
    Some(())
}

/// Every comment in a map, in order.
fn comments(documents: &[Document<'_>]) -> Vec<String> {
    fn of(kind: &Kind<'_>, out: &mut Vec<String>) {
        match kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter().for_each(|item| of(&item.value.kind, out)),
            Kind::Map(map) => of_map(map, out),
        }
    }
    fn of_map(map: &document::Map<'_>, out: &mut Vec<String>) {
        for entry in &map.entries {
            out.extend(entry.comments.iter().map(|comment| comment.text.to_string()));
            of(&entry.value.kind, out);
        }
        out.extend(map.trailing.iter().map(|comment| comment.text.to_string()));
    }
    let mut out = Vec::new();
    documents.iter().for_each(|document| of_map(&document.root, &mut out));
    out
}

/// Collects the ENC texts of a file.
struct Stashing<'k> {
    key: &'k DataKey,
    stash: Stash,
}

impl Transform for Stashing<'_> {
    fn scalar(&mut self, place: &Place<'_>, scalar: &Scalar<'_>) -> Result<Option<Scalar<'static>>, ErrorKind> {
        if let Some(enc) = Enc::parse(&scalar.text).filter(|_| place.demanded)
            && let Some(value) = sealed(self.key, place, scalar)?
        {
            value.with_bytes(|bytes| self.stash.put(&place.aad, enc.kind, bytes, &enc));
        }
        Ok(None)
    }

    fn comment(&mut self, place: &Place<'_>, comment: &Comment<'_>) -> Result<Option<String>, ErrorKind> {
        if let Some(enc) = Enc::parse(&comment.text).filter(|enc| enc.kind == Type::Comment)
            && let Some(bytes) = self.key.open(&enc, comment_aad(place).as_bytes())
        {
            self.stash.put(comment_aad(place), Type::Comment, &bytes, &enc);
        }
        Ok(None)
    }
}
