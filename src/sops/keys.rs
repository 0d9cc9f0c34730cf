//! Master keys: the data key, wrapped by age for each recipient.
//!
//! Each recipient has an age file of its own around the raw 32 bytes. age draws its own randomness here.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use age::x25519;
use zeroize::Zeroizing;

use super::error::{ErrorKind, SopsError};
use super::identities::Identities;
use super::leaf::DataKey;
use super::metadata::{Metadata, WrappedKey};
use crate::secret::Secret;

/// An X25519 age recipient, `age1…`.
#[derive(Clone)]
pub struct Recipient {
    text: String,
    key: x25519::Recipient,
}

impl Recipient {
    /// The text, as parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Wraps the data key: an armored age file ending in one newline.
    pub(super) fn wrap(&self, key: &DataKey) -> Result<WrappedKey, SopsError> {
        let enc = age::encrypt_and_armor(&self.key, key.bytes()).map_err(|_| ErrorKind::Age)?;
        Ok(WrappedKey { recipient: self.text.clone(), enc: format!("{}\n", enc.trim_end()) })
    }
}

impl FromStr for Recipient {
    type Err = SopsError;

    /// Parses a recipient; spaces around it are dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnsupportedRecipient`] for the kinds that sops knows and this module does not, and
    /// [`ErrorKind::BadRecipient`].
    fn from_str(text: &str) -> Result<Self, SopsError> {
        let text = text.trim();
        match text.parse() {
            Ok(key) => Ok(Self { text: text.to_owned(), key }),
            Err(_) => Err(SopsError::new(match text {
                _ if text.starts_with("ssh-") || text.starts_with("age1pq1") || text.starts_with("age1tag") => {
                    ErrorKind::UnsupportedRecipient
                }
                // A plugin's recipient: `age1name1…`.
                _ if text.strip_prefix("age1").is_some_and(|rest| rest.contains('1')) => {
                    ErrorKind::UnsupportedRecipient
                }
                _ => ErrorKind::BadRecipient,
            })),
        }
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

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Recipient {}

/// Makes a new identity: the text `AGE-SECRET-KEY-1…`, and its recipient.
pub fn keygen() -> (Secret<String>, Recipient) {
    let identity = x25519::Identity::generate();
    let key = identity.to_public();
    (Secret::new(identity.to_string().expose_secret().to_owned()), Recipient { text: key.to_string(), key })
}

/// Finds the data key: tries every identity on every age entry, likely ones first.
///
/// # Errors
///
/// [`ErrorKind::UnsupportedKeys`] if no age entry exists but others do, [`ErrorKind::BadDataKey`], and
/// [`ErrorKind::NoIdentity`].
pub(super) fn data_key(metadata: &Metadata, identities: &Identities) -> Result<DataKey, SopsError> {
    if metadata.recipients.is_empty() && !metadata.unsupported.is_empty() {
        return Err(ErrorKind::UnsupportedKeys(metadata.unsupported.clone()).into());
    }
    let claimed = |entry: &&WrappedKey| identities.keys.iter().any(|key| key.recipient == entry.recipient);
    let likely = metadata.recipients.iter().filter(claimed);
    let others = metadata.recipients.iter().filter(|entry| !claimed(entry));
    let mut damaged = false;
    for entry in likely.chain(others) {
        match unwrap(&entry.enc, identities) {
            Unwrapped::Key(key) => return Ok(*key),
            Unwrapped::Damaged => damaged = true,
            Unwrapped::Locked => {}
        }
    }
    if damaged {
        return Err(ErrorKind::BadDataKey.into());
    }
    let recipients = metadata.recipients.iter().map(|entry| entry.recipient.clone()).collect();
    Err(ErrorKind::NoIdentity { recipients }.into())
}

enum Unwrapped {
    Key(Box<DataKey>),
    /// An identity fits, the content does not.
    Damaged,
    Locked,
}

fn unwrap(enc: &str, identities: &Identities) -> Unwrapped {
    // Line ends and newlines around the armor are lost and won by hand editing; age itself is strict about them.
    let armor = enc.trim().replace("\r\n", "\n");
    let Ok(decryptor) = age::Decryptor::new_buffered(age::armor::ArmoredReader::new(armor.as_bytes())) else {
        return Unwrapped::Locked;
    };
    let Ok(reader) = decryptor.decrypt(identities.keys.iter().map(|key| &key.identity as &dyn age::Identity)) else {
        return Unwrapped::Locked;
    };
    let mut content = Zeroizing::new(Vec::with_capacity(64));
    if reader.take(33).read_to_end(&mut content).is_err() {
        return Unwrapped::Damaged;
    }
    match <[u8; 32]>::try_from(content.as_slice()) {
        Ok(bytes) => Unwrapped::Key(Box::new(DataKey::new(Zeroizing::new(bytes)))),
        Err(_) => Unwrapped::Damaged,
    }
}
