//! Identities: who we are, and where sops would look for that.
//!
//! Texts come in, nothing is read here: [`super::sources()`] says which texts and files the caller should bring. What needs a
//! person (a passphrase, a touch on a token) is asked through [`Ask`], and only when a file needs it.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, OnceLock};

use age::secrecy::{ExposeSecret, SecretString};
use age::{plugin, scrypt, ssh, x25519};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::plugin::IdentityPlugin;
use crate::secret::Secret;

/// The work that a file under a passphrase may ask for, 2^N: about four seconds and 1 GiB. What `age` makes has 18.
const MAX_WORK_FACTOR: u8 = 20;

/// A person who may be asked. Every answer may be `None`: there is nobody.
pub trait Ask: Send + Sync {
    /// A passphrase, not echoed. `what` says for which key.
    fn passphrase(&self, what: &str) -> Option<Secret<String>>;
    /// Tells something: "touch your token".
    fn tell(&self, message: &str);
    /// A yes or no.
    fn confirm(&self, question: &str) -> Option<bool>;
}

/// Nobody is there.
pub struct Nobody;

impl Ask for Nobody {
    fn passphrase(&self, _: &str) -> Option<Secret<String>> {
        None
    }

    fn tell(&self, _: &str) {}

    fn confirm(&self, _: &str) -> Option<bool> {
        None
    }
}

/// [`Ask`] as age wants it.
#[derive(Clone)]
pub(super) struct Asker(pub(super) Arc<dyn Ask>);

impl age::Callbacks for Asker {
    fn display_message(&self, message: &str) {
        self.0.tell(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.confirm(&match no {
            Some(no) => format!("{message} (yes: {yes}, no: {no})"),
            None => format!("{message} ({yes})"),
        })
    }

    fn request_public_string(&self, _: &str) -> Option<String> {
        None
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.passphrase(description).map(|passphrase| passphrase.expose().clone().into())
    }
}

/// Identities, ready to open files: X25519, SSH keys, those of plugins, and files of them under a passphrase.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Key>,
    locked: Vec<Locked>,
    later: Vec<Box<Later>>,
    unsupported: Vec<String>,
}

/// Gives identities for a recipient when they are needed.
type Later = dyn Fn(&str) -> Option<Arc<Identities>> + Send + Sync;

pub(super) struct Key {
    identity: Box<dyn age::Identity + Send + Sync>,
    /// Its recipient, where that is known without asking: to try the likely entry of a file first.
    recipient: Option<String>,
}

/// A file of identities, or an SSH key, under a passphrase: opened when nothing else fits, once.
struct Locked {
    content: Content,
    place: String,
    asker: Asker,
    opened: OnceLock<Vec<Key>>,
}

enum Content {
    /// The text of an age file.
    Age(Zeroizing<String>),
    /// The key, and its recipient: nobody is asked for files that are sealed to others.
    Ssh(Box<ssh::Identity>, String),
}

/// Why a text is no list of identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The text is an age file, but not under a passphrase.
    NotPassphrase,
    /// The text begins like a private SSH key and is none that can be used: the reason.
    Ssh(String),
    /// This line, counted from 1, is no identity.
    Line(usize),
}

impl std::error::Error for IdentityError {}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPassphrase => f.write_str("it is an age file that is sealed to somebody, not under a passphrase"),
            Self::Ssh(reason) => write!(f, "an SSH key that can't be used: {reason}"),
            Self::Line(line) => write!(f, "line {line} is not an age identity"),
        }
    }
}

impl Identities {
    /// Reads the text of an identity file, or of `SOPS_AGE_KEY`: identities one to a line or separated by spaces,
    /// empty lines and comments skipped; a private SSH key; or an age file of identities under a passphrase. Asks nobody.
    ///
    /// # Errors
    ///
    /// [`IdentityError`], which never quotes the text. Identities of kinds that are not supported are no error: see
    /// [`Identities::unsupported`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        Self::parse_at(text, "the identity", &(Arc::new(Nobody) as Arc<dyn Ask>))
    }

    /// The same, and whom to ask for what a person knows. `place` names the text to that person.
    ///
    /// # Errors
    ///
    /// Those of [`Identities::parse`].
    pub fn parse_at(text: &str, place: &str, ask: &Arc<dyn Ask>) -> Result<Self, IdentityError> {
        let asker = Asker(Arc::clone(ask));
        let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let mut identities = Self::default();
        if start.starts_with("age-encryption.org/") || start.starts_with("-----BEGIN AGE ENCRYPTED FILE") {
            let decryptor = decryptor(start).filter(|d| d.is_scrypt());
            decryptor.ok_or(IdentityError::NotPassphrase)?;
            identities.lock(Content::Age(Zeroizing::new(start.to_owned())), place, asker);
        } else if start.starts_with("-----BEGIN ") {
            let key = ssh_key(start)?;
            match (&key, public_half(start)) {
                (ssh::Identity::Unencrypted(_), recipient) => {
                    identities.keys.push(Key { identity: Box::new(key), recipient });
                }
                (_, Some(recipient)) => identities.lock(Content::Ssh(Box::new(key), recipient), place, asker),
                (_, None) => return Err(IdentityError::Ssh("it is not in OpenSSH's format".to_owned())),
            }
        } else {
            identities.lines(text, &asker)?;
        }
        Ok(identities)
    }

    fn lock(&mut self, content: Content, place: &str, asker: Asker) {
        self.locked.push(Locked { content, place: place.to_owned(), asker, opened: OnceLock::new() });
    }

    fn lines(&mut self, text: &str, asker: &Asker) -> Result<(), IdentityError> {
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            for word in line.split_whitespace().take_while(|word| !word.starts_with('#')) {
                self.add(word, asker, index + 1)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, word: &str, asker: &Asker, line: usize) -> Result<(), IdentityError> {
        if word.starts_with("AGE-SECRET-KEY-PQ-1") {
            self.unsupported.push("a post-quantum identity, which is not supported yet".to_owned());
        } else if word.starts_with("AGE-PLUGIN-") {
            let identity: plugin::Identity = word.parse().map_err(|_| IdentityError::Line(line))?;
            let name = identity.plugin().to_owned();
            // The other identities of the file are as good without it.
            match IdentityPlugin::new(identity, asker.clone()) {
                Some(program) => self.keys.push(Key { identity: Box::new(program), recipient: None }),
                None => self.unsupported.push(format!(
                    "an identity of the plugin `{name}`, whose program age-plugin-{name} is not installed"
                )),
            }
        } else {
            let identity: x25519::Identity = word.parse().map_err(|_| IdentityError::Line(line))?;
            let recipient = Some(identity.to_public().to_string());
            self.keys.push(Key { identity: Box::new(identity), recipient });
        }
        Ok(())
    }

    /// Adds those of another source.
    pub fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.locked.extend(other.locked);
        self.later.extend(other.later);
        self.unsupported.extend(other.unsupported);
    }

    /// Adds a source that is asked when no other identity fits: it is told the recipient, and gives what it has.
    pub fn later(&mut self, source: impl Fn(&str) -> Option<Arc<Self>> + Send + Sync + 'static) {
        self.later.push(Box::new(source));
    }

    /// What those sources have for a recipient.
    pub(super) fn for_recipient(&self, recipient: &str) -> impl Iterator<Item = Arc<Self>> {
        self.later.iter().filter_map(move |source| source(recipient))
    }

    /// The recipients of these identities, as far as they are known without asking anybody.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.recipient.as_deref())
    }

    /// The identities that were passed over, in words: what each is, and why.
    pub fn unsupported(&self) -> &[String] {
        &self.unsupported
    }

    /// Whether there is none that can open anything.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.locked.is_empty() && self.later.is_empty()
    }

    /// Those that need no passphrase of a whole file.
    pub(super) fn ready(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| &*key.identity as &dyn age::Identity)
    }

    /// Those under a passphrase that may open what is sealed to `recipient`. The passphrase is asked for now, once; a
    /// wrong one gives none.
    pub(super) fn unlocked(&self, recipient: &str) -> impl Iterator<Item = &dyn age::Identity> {
        let fitting = self.locked.iter().filter(move |locked| match &locked.content {
            Content::Age(_) => true,
            Content::Ssh(_, own) => recipient.trim().starts_with(own.as_str()),
        });
        let opened = fitting.flat_map(|locked| locked.opened.get_or_init(|| locked.open()));
        opened.map(|key| &*key.identity as &dyn age::Identity)
    }
}

impl Locked {
    fn open(&self) -> Vec<Key> {
        let Some(passphrase) = self.asker.0.passphrase(&format!("passphrase of {}", self.place)) else {
            return Vec::new();
        };
        let keys = match &self.content {
            Content::Age(text) => self.open_age(text, &passphrase),
            Content::Ssh(key, recipient) => open_ssh(key, recipient, &passphrase).map(|key| vec![key]),
        };
        keys.unwrap_or_else(|| {
            self.asker.0.tell(&format!("{}: the passphrase does not open it", self.place));
            Vec::new()
        })
    }

    fn open_age(&self, text: &str, passphrase: &Secret<String>) -> Option<Vec<Key>> {
        let mut identity = scrypt::Identity::new(passphrase.expose().clone().into());
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        let mut text_in_clear = Secret::new(String::with_capacity(64 << 10));
        let reader = decryptor(text)?.decrypt(std::iter::once(&identity as &dyn age::Identity)).ok()?;
        reader.take(64 << 10).read_to_string(text_in_clear.expose_mut()).ok()?;
        let mut identities = Identities::default();
        identities.lines(text_in_clear.expose(), &self.asker).ok()?;
        Some(identities.keys)
    }
}

fn open_ssh(key: &ssh::Identity, recipient: &str, passphrase: &Secret<String>) -> Option<Key> {
    let ssh::Identity::Encrypted(key) = key else { return None };
    let key = key.decrypt(passphrase.expose().clone().into()).ok()?;
    Some(Key { identity: Box::new(ssh::Identity::from(key)), recipient: Some(recipient.to_owned()) })
}

fn decryptor(text: &str) -> Option<age::Decryptor<impl Read>> {
    // Armored or not, with line ends as a person's tools left them.
    let armor = text.trim().replace("\r\n", "\n");
    age::Decryptor::new_buffered(age::armor::ArmoredReader::new(std::io::Cursor::new(armor.into_bytes()))).ok()
}

fn ssh_key(text: &str) -> Result<ssh::Identity, IdentityError> {
    let bad = |reason: &str| IdentityError::Ssh(reason.to_owned());
    match ssh::Identity::from_buffer(text.as_bytes(), None) {
        Ok(ssh::Identity::Unsupported(_)) => Err(bad("only ssh-ed25519 and ssh-rsa keys in OpenSSH's format are")),
        Ok(key) => Ok(key),
        Err(_) => Err(bad("it is not an OpenSSH private key, or cut off")),
    }
}

/// The public key that a private one carries in clear, also under a passphrase (OpenSSH's PROTOCOL.key).
fn public_half(text: &str) -> Option<String> {
    let body: String = text.lines().map(str::trim).skip(1).take_while(|line| !line.starts_with("-----")).collect();
    let bytes = Zeroizing::new(STANDARD.decode(body).ok()?);
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let mut string = |skip: usize| {
        let (length, behind) = rest.get(skip..)?.split_first_chunk::<4>()?;
        let (string, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = behind;
        Some(string)
    };
    // The cipher, the key derivation and its options; then the number of keys.
    for _ in 0..3 {
        string(0)?;
    }
    let public = string(4)?;
    let (length, kind) = public.split_first_chunk::<4>()?;
    let kind = std::str::from_utf8(kind.get(..u32::from_be_bytes(*length) as usize)?).ok()?;
    Some(format!("{kind} {}", STANDARD.encode(public)))
}

/// Makes a new identity: the text `AGE-SECRET-KEY-1…`, and its recipient.
pub fn keygen() -> (Secret<String>, super::Recipient) {
    let identity = x25519::Identity::generate();
    let recipient = super::Recipient::from(identity.to_public());
    (Secret::new(identity.to_string().expose_secret().to_owned()), recipient)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sops::keygen;

    #[test]
    fn lines_spaces_and_comments_are_read() {
        let ((a, a_public), (b, b_public)) = (keygen(), keygen());
        let text = format!("# created: today\r\n{}   {} # mine\n\nAGE-SECRET-KEY-PQ-1QQ\n", a.expose(), b.expose());
        let identities = Identities::parse(&text).unwrap();
        assert_eq!(identities.recipients().collect::<Vec<_>>(), [a_public.as_str(), b_public.as_str()]);
        assert_eq!(identities.unsupported(), ["a post-quantum identity, which is not supported yet"]);
    }

    #[test]
    fn what_is_no_identity_is_named_by_its_line_only() {
        assert_eq!(Identities::parse("\n\nhunter2").err(), Some(IdentityError::Line(3)));
        let armor = Identities::parse("-----BEGIN AGE ENCRYPTED FILE-----\n").err();
        assert_eq!(armor, Some(IdentityError::NotPassphrase));
        let ssh = Identities::parse("-----BEGIN OPENSSH PRIVATE KEY-----\n").err();
        assert!(matches!(ssh, Some(IdentityError::Ssh(_))));
        assert!(Identities::parse("").unwrap().is_empty());
    }
}
