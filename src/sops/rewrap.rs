//! Who can open a file: the data key wrapped anew, for others.
//!
//! Values, `mac` and `lastmodified` stay as they are, byte for byte; so does the data key, which who was removed may have
//! kept. To mean it, [`Encrypted::rotate`].

use super::document::Kind;
use super::emit;
use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::keys::{self, Recipient};
use super::open::Encrypted;
use super::splice;
use super::tree::age_entries;
use super::value::Map as Data;

impl Encrypted<'_> {
    /// The file, sealed to these recipients and no others. The MAC is verified first, so that nobody seals on what was
    /// tampered with.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::open`], [`ErrorKind::NoRecipients`], and [`ErrorKind::KeyGroups`].
    pub fn rewrap(&self, identities: &Identities, recipients: &[Recipient]) -> Result<String, SopsError> {
        self.rewrap_if(identities, recipients, &|_| true)?.ok_or_else(|| ErrorKind::EditFailed.into())
    }

    /// The same, unless what it holds is not what the caller means to hand to others: then `None`.
    ///
    /// # Errors
    ///
    /// Those of [`Encrypted::rewrap`].
    pub fn rewrap_if(
        &self,
        identities: &Identities,
        recipients: &[Recipient],
        meant: &dyn Fn(&[Data]) -> bool,
    ) -> Result<Option<String>, SopsError> {
        if recipients.is_empty() {
            return Err(ErrorKind::NoRecipients.into());
        }
        if !self.metadata.groups.is_empty() {
            return Err(ErrorKind::KeyGroups.into());
        }
        let key = keys::data_key(&self.metadata, identities)?;
        if !meant(&self.open_with(&key)?) {
            return Ok(None);
        }
        let wrapped = recipients.iter().map(|recipient| recipient.wrap(&key)).collect::<Result<Vec<_>, _>>()?;
        let entries = age_entries(wrapped);
        let kept = |text: String| {
            let file = Encrypted::parse_as(&text, self.format).ok()?;
            let now = file.metadata.recipients.iter().map(|entry| entry.recipient.as_str());
            // What was opened above is what was written: the MAC tells.
            (now.eq(recipients.iter().map(Recipient::as_str)) && file.open_with(&key).is_ok()).then_some(text)
        };
        if let Some(text) = splice::recipients(self, &entries).and_then(kept) {
            return Ok(Some(text));
        }
        let mut documents = self.documents.clone();
        for block in documents.iter_mut().filter_map(|document| document.block.as_mut()) {
            let Kind::Map(block) = &mut block.value.kind else { continue };
            // The block of a further document may have none, and is read by nobody.
            if let Some(age) = block.entries.iter_mut().find(|entry| entry.key == "age") {
                age.value = entries.clone();
            }
        }
        kept(emit::documents(&documents, self.format)?).map(Some).ok_or_else(|| ErrorKind::EditFailed.into())
    }
}
