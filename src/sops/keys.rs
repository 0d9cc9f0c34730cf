//! Master keys: the data key, wrapped by age for each recipient.
//!
//! Each recipient has an age file of its own around the raw 32 bytes; in a file with key groups around a share of them.
//! age draws its own randomness here.

use std::borrow::Cow;
use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

use age::armor::{ArmoredWriter, Format};
use age::{plugin, ssh, x25519};
use zeroize::Zeroizing;

use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::leaf::DataKey;
use super::metadata::{Metadata, WrappedKey};
use super::plugin::RecipientPlugin;
use super::shamir;

/// An age recipient: X25519 (`age1…`), an SSH public key, or that of a plugin (`age1NAME1…`).
#[derive(Clone)]
pub struct Recipient {
    text: String,
    key: Kind,
}

#[derive(Clone)]
enum Kind {
    X25519(x25519::Recipient),
    Ssh(ssh::Recipient),
    Plugin(plugin::Recipient),
}

impl Recipient {
    /// The text, as parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The plugin that seals to it: the program `age-plugin-NAME`.
    pub fn plugin(&self) -> Option<&str> {
        match &self.key {
            Kind::Plugin(recipient) => Some(recipient.plugin()),
            _ => None,
        }
    }

    /// Wraps the data key: an armored age file ending in one newline.
    pub(super) fn wrap(&self, key: &DataKey) -> Result<WrappedKey, SopsError> {
        let enc = match &self.key {
            Kind::X25519(recipient) => armored(recipient, key.bytes())?,
            Kind::Ssh(recipient) => armored(recipient, key.bytes())?,
            Kind::Plugin(recipient) => {
                let missing = || ErrorKind::NoPlugin(recipient.plugin().to_owned());
                armored(&RecipientPlugin::new(recipient).ok_or_else(missing)?, key.bytes())?
            }
        };
        Ok(WrappedKey { recipient: self.text.clone(), enc: format!("{}\n", enc.trim_end()) })
    }
}

/// An armored age file for one recipient. age's own function for that panics where a plugin fails.
fn armored(recipient: &dyn age::Recipient, bytes: &[u8]) -> Result<String, ErrorKind> {
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).map_err(|_| ErrorKind::Age)?;
    let mut text = Vec::new();
    let written = ArmoredWriter::wrap_output(&mut text, Format::AsciiArmor).and_then(|armor| {
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(bytes)?;
        writer.finish()?.finish().map(drop)
    });
    written.map_err(|_| ErrorKind::Age)?;
    String::from_utf8(text).map_err(|_| ErrorKind::Age)
}

impl From<x25519::Recipient> for Recipient {
    fn from(key: x25519::Recipient) -> Self {
        Self { text: key.to_string(), key: Kind::X25519(key) }
    }
}

impl FromStr for Recipient {
    type Err = SopsError;

    /// Parses a recipient; spaces around it are dropped. An SSH key may have a comment behind it, which stays.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PostQuantum`] and [`ErrorKind::UnsupportedRecipient`] for kinds that age knows and this module does
    /// not, and [`ErrorKind::BadRecipient`].
    fn from_str(text: &str) -> Result<Self, SopsError> {
        let text = text.trim();
        // A line break would let a key's comment carry what it likes into the files that name it.
        if text.chars().any(char::is_control) {
            return Err(ErrorKind::BadRecipient.into());
        }
        let key = if text.starts_with("age1pq1") || text.starts_with("age1tagpq1") {
            return Err(ErrorKind::PostQuantum.into());
        } else if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
            text.parse().map(Kind::Ssh).map_err(|error| match error {
                ssh::ParseRecipientKeyError::Unsupported(_) | ssh::ParseRecipientKeyError::Ignore => {
                    ErrorKind::UnsupportedRecipient
                }
                _ => ErrorKind::BadRecipient,
            })
        } else if text.strip_prefix("age1").is_some_and(|rest| rest.contains('1')) {
            // A plugin's recipient: `age1name1…`.
            text.parse().map(Kind::Plugin).map_err(|_| ErrorKind::BadRecipient)
        } else {
            text.parse().map(Kind::X25519).map_err(|_| ErrorKind::BadRecipient)
        };
        Ok(Self { text: text.to_owned(), key: key? })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Finds the data key: tries every identity on every age entry, likely ones first; those under a passphrase last.
///
/// # Errors
///
/// [`ErrorKind::UnsupportedKeys`] if no age entry exists but others do, [`ErrorKind::BadDataKey`],
/// [`ErrorKind::NoIdentity`], and [`ErrorKind::SharesMissing`].
pub(super) fn data_key(metadata: &Metadata, identities: &Identities) -> Result<DataKey, SopsError> {
    // Master keys at the top win over groups, as with sops.
    if metadata.groups.is_empty() || !metadata.recipients.is_empty() {
        if metadata.recipients.is_empty() && !metadata.unsupported.is_empty() {
            return Err(ErrorKind::UnsupportedKeys(metadata.unsupported.clone()).into());
        }
        let content = first(&metadata.recipients, identities)?;
        let content = content.ok_or_else(|| no_identity(metadata.recipients.iter()))?;
        return whole(&content);
    }
    let (mut shares, mut damaged) = (Vec::new(), None);
    for group in &metadata.groups {
        // A group that is damaged matters only if the others are too few.
        match first(group, identities) {
            Ok(share) => shares.extend(share),
            Err(error) => damaged = Some(error),
        }
    }
    if let ([_], [share]) = (&*metadata.groups, &*shares) {
        return whole(share);
    }
    let needed = metadata.threshold.unwrap_or(metadata.groups.len());
    if let Some(error) = damaged.filter(|_| shares.len() < needed) {
        return Err(error);
    }
    match shares.len() {
        0 => Err(no_identity(metadata.groups.iter().flatten())),
        have if have < needed => Err(ErrorKind::SharesMissing { have, needed }.into()),
        _ => match shamir::combine(&shares[..needed]) {
            Some(key) => Ok(DataKey::new(key)),
            None => Err(ErrorKind::BadDataKey.into()),
        },
    }
}

fn whole(content: &[u8]) -> Result<DataKey, SopsError> {
    match <[u8; 32]>::try_from(content) {
        Ok(bytes) => Ok(DataKey::new(Zeroizing::new(bytes))),
        Err(_) => Err(ErrorKind::BadDataKey.into()),
    }
}

fn no_identity<'m>(entries: impl Iterator<Item = &'m WrappedKey>) -> SopsError {
    ErrorKind::NoIdentity { recipients: entries.map(|entry| entry.recipient.clone()).collect() }.into()
}

/// What the first entry that an identity fits holds; `None` if none does.
fn first(entries: &[WrappedKey], identities: &Identities) -> Result<Option<Zeroizing<Vec<u8>>>, SopsError> {
    let ours: Vec<&str> = identities.recipients().collect();
    // An SSH key may have a comment behind it.
    let claimed = |entry: &&WrappedKey| ours.iter().any(|key| entry.recipient.trim().starts_with(key));
    let likely = || entries.iter().filter(claimed);
    let others = || entries.iter().filter(|entry| !claimed(entry));
    let mut damaged = false;
    for entry in likely().chain(others()) {
        match unwrap(&entry.enc, identities.ready()) {
            Unwrapped::Content(content) => return Ok(Some(content)),
            Unwrapped::Damaged => damaged = true,
            Unwrapped::Locked => {}
        }
    }
    for entry in entries {
        if let Unwrapped::Content(content) = unwrap(&entry.enc, identities.unlocked(&entry.recipient)) {
            return Ok(Some(content));
        }
        for later in identities.for_recipient(&entry.recipient) {
            if let Unwrapped::Content(content) =
                unwrap(&entry.enc, later.ready().chain(later.unlocked(&entry.recipient)))
            {
                return Ok(Some(content));
            }
        }
    }
    if damaged { Err(ErrorKind::BadDataKey.into()) } else { Ok(None) }
}

enum Unwrapped {
    Content(Zeroizing<Vec<u8>>),
    /// An identity fits, the content does not.
    Damaged,
    Locked,
}

fn unwrap<'i>(enc: &str, identities: impl Iterator<Item = &'i dyn age::Identity>) -> Unwrapped {
    // Line ends and newlines around the armor are lost and won by hand editing; age itself is strict about them.
    let trimmed = enc.trim();
    let armor = if trimmed.contains('\r') { Cow::Owned(trimmed.replace("\r\n", "\n")) } else { Cow::Borrowed(trimmed) };
    let Ok(decryptor) = age::Decryptor::new_buffered(age::armor::ArmoredReader::new(armor.as_bytes())) else {
        return Unwrapped::Locked;
    };
    let Ok(reader) = decryptor.decrypt(identities) else {
        return Unwrapped::Locked;
    };
    let mut content = Zeroizing::new(Vec::with_capacity(64));
    // A share is one byte longer than a key; nothing else is.
    match reader.take(shamir::SHARE as u64 + 1).read_to_end(&mut content) {
        Ok(32..=shamir::SHARE) => Unwrapped::Content(content),
        _ => Unwrapped::Damaged,
    }
}
