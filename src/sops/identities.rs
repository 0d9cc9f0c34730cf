//! Identities: who we are, and where sops would look for that.
//!
//! Texts come in, nothing is read here. [`sources`] says which texts and files the caller should bring.

use std::fmt;
use std::path::{Path, PathBuf};

use age::x25519;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// X25519 identities, ready to open files.
#[derive(Default)]
pub struct Identities {
    pub(super) keys: Vec<Key>,
    unsupported: Vec<String>,
}

pub(super) struct Key {
    pub(super) identity: x25519::Identity,
    /// Its recipient, to try the likely entry of a file first.
    pub(super) recipient: String,
}

/// Why a text is no list of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The text is an age file under a passphrase.
    Passphrase,
    /// The text is an OpenSSH private key.
    Ssh,
    /// This line, counted from 1, is no identity.
    Line(usize),
}

impl std::error::Error for IdentityError {}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase => f.write_str("identities under a passphrase are not supported"),
            Self::Ssh => f.write_str("ssh keys are not supported as identities"),
            Self::Line(line) => write!(f, "line {line} is not an age identity"),
        }
    }
}

impl Identities {
    /// Reads the text of an identity file, or of `SOPS_AGE_KEY`: identities one to a line or separated by spaces,
    /// empty lines and comments skipped.
    ///
    /// # Errors
    ///
    /// [`IdentityError`], which never quotes the text. Identities of kinds that are not supported are no error: see
    /// [`Identities::unsupported`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if start.starts_with("age-encryption.org/") || start.starts_with("-----BEGIN AGE ENCRYPTED FILE") {
            return Err(IdentityError::Passphrase);
        }
        if start.starts_with("-----BEGIN ") {
            return Err(IdentityError::Ssh);
        }
        let mut identities = Self::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            for word in line.split_whitespace().take_while(|word| !word.starts_with('#')) {
                identities.add(word).ok_or(IdentityError::Line(index + 1))?;
            }
        }
        Ok(identities)
    }

    fn add(&mut self, word: &str) -> Option<()> {
        for kind in ["AGE-PLUGIN-", "AGE-SECRET-KEY-PQ-1"] {
            if word.starts_with(kind) {
                self.unsupported.push(kind.trim_end_matches(['-', '1']).to_owned());
                return Some(());
            }
        }
        let identity: x25519::Identity = word.parse().ok()?;
        let recipient = identity.to_public().to_string();
        self.keys.push(Key { identity, recipient });
        Some(())
    }

    /// Adds those of another source.
    pub fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.unsupported.extend(other.unsupported);
    }

    /// The recipients of these identities.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.recipient.as_str())
    }

    /// The kinds of identities that were skipped: `AGE-PLUGIN`, `AGE-SECRET-KEY-PQ`.
    pub fn unsupported(&self) -> &[String] {
        &self.unsupported
    }

    /// Whether there is none that can open anything.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// A place where identities come from.
pub enum Source {
    /// The content of `SOPS_AGE_KEY`.
    Text(Secret<String>),
    /// A file of identities.
    File {
        /// Where it is.
        path: PathBuf,
        /// Named by `SOPS_AGE_KEY_FILE`: its absence is an error, while that of a default place is not.
        named: bool,
    },
    /// A variable that sops obeys and this module does not: commands and ssh keys.
    Unsupported(&'static str),
}

/// Whose conventions decide where configuration lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// `$XDG_CONFIG_HOME` or `~/.config`.
    Unix,
    /// `$XDG_CONFIG_HOME` or `~/Library/Application Support`.
    MacOs,
    /// `%AppData%`.
    Windows,
}

impl System {
    /// The system that this was built for.
    pub fn here() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Unix
        }
    }
}

/// The sources of identities, in sops' order. `env` looks a variable up; an empty one counts as absent.
pub fn sources(env: impl Fn(&str) -> Option<String>, home: Option<&Path>, system: System) -> Vec<Source> {
    let env = |name| env(name).filter(|value| !value.is_empty());
    let unsupported = |name| env(name).map(|value| drop(Zeroizing::new(value))).map(|()| Source::Unsupported(name));
    let mut sources = Vec::new();
    sources.extend(unsupported("SOPS_AGE_SSH_PRIVATE_KEY_FILE"));
    sources.extend(unsupported("SOPS_AGE_SSH_PRIVATE_KEY_CMD"));
    sources.extend(env("SOPS_AGE_KEY").map(|text| Source::Text(Secret::new(text))));
    sources.extend(env("SOPS_AGE_KEY_FILE").map(|path| Source::File { path: path.into(), named: true }));
    sources.extend(unsupported("SOPS_AGE_KEY_CMD"));
    let config = match system {
        System::Windows => env("AppData").map(PathBuf::from),
        System::Unix | System::MacOs => env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| {
            let below = if system == System::MacOs { "Library/Application Support" } else { ".config" };
            home.map(|home| home.join(below))
        }),
    };
    sources.extend(config.map(|config| Source::File { path: config.join("sops/age/keys.txt"), named: false }));
    sources
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sops::keygen;

    #[test]
    fn lines_spaces_and_comments_are_read() {
        let ((a, a_public), (b, b_public)) = (keygen(), keygen());
        let text = format!("# created: today\r\n{}   {} # mine\n\nAGE-PLUGIN-YUBIKEY-1QQ\n", a.expose(), b.expose());
        let identities = Identities::parse(&text).unwrap();
        assert_eq!(identities.recipients().collect::<Vec<_>>(), [a_public.as_str(), b_public.as_str()]);
        assert_eq!(identities.unsupported(), ["AGE-PLUGIN"]);
    }

    #[test]
    fn what_is_no_identity_is_named_by_its_line_only() {
        assert_eq!(Identities::parse("\n\nhunter2").err(), Some(IdentityError::Line(3)));
        assert_eq!(Identities::parse("-----BEGIN AGE ENCRYPTED FILE-----\n").err(), Some(IdentityError::Passphrase));
        assert_eq!(Identities::parse("-----BEGIN OPENSSH PRIVATE KEY-----\n").err(), Some(IdentityError::Ssh));
        assert!(Identities::parse("").unwrap().is_empty());
    }

    #[test]
    fn sources_come_in_sops_order() {
        let env = |name: &str| match name {
            "SOPS_AGE_KEY" => Some("KEY".to_owned()),
            "SOPS_AGE_KEY_FILE" => Some("/keys".to_owned()),
            "SOPS_AGE_KEY_CMD" => Some("cat".to_owned()),
            _ => None,
        };
        let names = |env: &dyn Fn(&str) -> Option<String>, system| -> Vec<String> {
            let show = |source| match source {
                Source::Text(text) => text.expose().clone(),
                Source::File { path, named } => format!("{} {named}", path.display()),
                Source::Unsupported(name) => name.to_owned(),
            };
            sources(env, Some(Path::new("/home/ana")), system).into_iter().map(show).collect()
        };
        assert_eq!(
            names(&env, System::Unix),
            ["KEY", "/keys true", "SOPS_AGE_KEY_CMD", "/home/ana/.config/sops/age/keys.txt false"]
        );
        let mac = "/home/ana/Library/Application Support/sops/age/keys.txt false";
        assert_eq!(names(&|_| None, System::MacOs), [mac]);
        assert!(names(&|_| None, System::Windows).is_empty());
    }
}
