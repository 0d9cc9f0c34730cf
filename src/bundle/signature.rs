//! Signatures of manifests: SSHSIG, as `ssh-keygen -Y sign` makes them and `ssh-keygen -Y verify` checks them.
//!
//! The format is that of OpenSSH's PROTOCOL.sshsig; who may sign is said by a file of allowed signers, as Git uses it
//! (`ssh-keygen(1)`, ALLOWED SIGNERS). A signature covers the bytes of `manifest.json`, and through its digests every object.

use jiff::Timestamp;
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig};

/// What a signature is for: one that was made for something else does not count.
pub const NAMESPACE: &str = "tieline-bundle";
/// A signature may have this many bytes (64 KiB).
pub const MAX_SIGNATURE: usize = 64 << 10;

/// Makes signatures: a key in a file, or one in an agent.
pub trait Sign: Sync {
    /// The key's public half.
    fn public_key(&self) -> &PublicKey;

    /// The armored SSHSIG of some bytes in [`NAMESPACE`].
    ///
    /// # Errors
    /// Words for people.
    fn sign(&self, message: &[u8]) -> Result<String, String>;
}

/// The armored form of a signature.
///
/// # Errors
/// It can't be encoded.
pub fn armored(signature: &SshSig) -> Result<String, String> {
    signature.to_pem(LineEnding::LF).map_err(|error| error.to_string())
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The principals of the line that names the key.
    pub principals: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Whose signature counts.
#[derive(Clone, Debug, Default)]
pub struct AllowedSigners {
    lines: Vec<Allowed>,
    /// What was passed over, by line, for the message if nobody signed.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Allowed {
    principals: String,
    key: PublicKey,
    namespaces: Option<Vec<String>>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl AllowedSigners {
    /// One key alone.
    pub fn only(key: &PublicKey) -> Self {
        let (principals, key) = (key.comment().to_owned(), key.clone());
        Self {
            lines: vec![Allowed { principals, key, namespaces: None, after: None, before: None }],
            notes: Vec::new(),
        }
    }

    /// Reads a file: a line each of `PRINCIPALS [OPTIONS] KEYTYPE KEY [COMMENT]`.
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Allowed::parse(line) {
                Ok(allowed) => all.lines.push(allowed),
                Err(why) => all.notes.push(format!("line {}: {why}", number + 1)),
            }
        }
        all
    }

    /// Checks an armored signature of `message` that was made at `time`.
    ///
    /// # Errors
    /// It is no signature, or of other bytes, or by nobody who may sign.
    pub fn verify(&self, signature: &[u8], message: &[u8], time: Timestamp) -> Result<Signer, String> {
        let signature = SshSig::from_pem(signature).map_err(|_| "the signature is none of SSH's")?;
        let fingerprint = signature.public_key().fingerprint(HashAlg::Sha256).to_string();
        if signature.namespace() != NAMESPACE {
            return Err("the signature was made for something else than a bundle".to_owned());
        }
        let mut why = format!("the signer's key {fingerprint} is none of the allowed ones");
        for line in self.lines.iter().filter(|line| line.key.key_data() == signature.public_key()) {
            if let Some(unfit) = line.unfit(time) {
                why = format!("the key {fingerprint} {unfit}");
                continue;
            }
            return match line.key.verify(NAMESPACE, message, &signature) {
                Ok(()) => Ok(Signer { principals: line.principals.clone(), fingerprint }),
                Err(_) => Err("the signature is of another manifest".to_owned()),
            };
        }
        for note in &self.notes {
            why.push_str("; ");
            why.push_str(note);
        }
        Err(why)
    }
}

impl Allowed {
    fn unfit(&self, time: Timestamp) -> Option<&'static str> {
        let other = self.namespaces.as_ref().is_some_and(|all| !all.iter().any(|pattern| matches(pattern, NAMESPACE)));
        if other {
            Some("may not sign bundles")
        } else if self.after.is_some_and(|after| time < after) {
            Some("was not valid yet")
        } else if self.before.is_some_and(|before| time >= before) {
            Some("was not valid any more")
        } else {
            None
        }
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let (principals, rest) = word(line).ok_or("there are no principals")?;
        let allowed = |options: &str, key: &str| {
            let key = PublicKey::from_openssh(key).map_err(|_| "the key can't be read")?;
            let mut line = Self {
                principals: principals.trim_matches('"').to_owned(),
                key,
                namespaces: None,
                after: None,
                before: None,
            };
            line.options(options)?;
            Ok(line)
        };
        // A key begins with its type, of which OpenSSH's all have a `-`; an option has a `=`, or is a word.
        let (first, after) = word(rest).ok_or("there is no key")?;
        if first.contains('-') && !first.contains('=') && !first.eq_ignore_ascii_case("cert-authority") {
            allowed("", rest)
        } else {
            allowed(first, after)
        }
    }

    fn options(&mut self, options: &str) -> Result<(), &'static str> {
        for option in split(options) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = value.trim_matches('"');
            match name.to_ascii_lowercase().as_str() {
                "" => {}
                "namespaces" => self.namespaces = Some(value.split(',').map(|one| one.trim().to_owned()).collect()),
                "valid-after" => self.after = Some(timestamp(value).ok_or("the time can't be read")?),
                "valid-before" => self.before = Some(timestamp(value).ok_or("the time can't be read")?),
                "cert-authority" => return Err("certificates are not supported"),
                _ => return Err("there is no such option"),
            }
        }
        Ok(())
    }
}

/// The first word of a line, blanks in quotes belonging to it, and the rest.
fn word(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let mut quoted = false;
    let end = line.find(|c: char| {
        quoted ^= c == '"';
        !quoted && c.is_ascii_whitespace()
    });
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (!word.is_empty()).then_some((word, rest.trim_start()))
}

/// Options between commas that stand in no quotes.
fn split(options: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    options.split(move |c: char| {
        quoted ^= c == '"';
        !quoted && c == ','
    })
}

/// `YYYYMMDD[HHMM[SS]]`, with a `Z` or without: as UTC, for a machine's own time zone is no property of a signature.
fn timestamp(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let padded = format!("{digits:0<14}");
    let part = |from: usize, to: usize| padded[from..to].parse::<i8>().ok();
    let year = padded[..4].parse::<i16>().ok()?;
    let date =
        jiff::civil::DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?, 0);
    Some(date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// OpenSSH's patterns: `*` for any text, `?` for any character.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }
        Some(c) => {
            let mut rest = text.chars();
            rest.next().is_some_and(|t| c == '?' || c == t) && matches(&pattern[c.len_utf8()..], rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ssh_key::{Algorithm, PrivateKey};

    fn key(seed: u8) -> PrivateKey {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
        PrivateKey::from(pair)
    }

    fn signed(key: &PrivateKey, namespace: &str, message: &[u8]) -> String {
        armored(&key.sign(namespace, HashAlg::Sha512, message).unwrap()).unwrap()
    }

    #[test]
    fn a74_only_an_allowed_key_in_its_time_and_for_bundles_counts() {
        let (mine, other) = (key(1), key(2));
        let public = mine.public_key().to_openssh().unwrap();
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let check = |file: &str, signature: &str, message: &[u8]| {
            AllowedSigners::parse(file).verify(signature.as_bytes(), message, now)
        };
        let good = signed(&mine, NAMESPACE, b"manifest");
        let file = |options: &str| format!("# who\n\nops@acme.example,ci {options} {public}\n");
        assert_eq!(check(&file(""), &good, b"manifest").unwrap().principals, "ops@acme.example,ci");
        for fine in [
            "namespaces=\"git,tieline-*\"",
            "valid-after=\"20260101\"",
            "valid-before=\"20270101Z\",namespaces=\"tieline-bundle\"",
        ] {
            assert!(check(&file(fine), &good, b"manifest").is_ok(), "{fine}");
        }
        for (options, words) in [
            ("namespaces=\"git\"", "may not sign"),
            ("valid-after=\"20261122\"", "not valid yet"),
            ("valid-before=\"202611210959\"", "not valid any more"),
            ("cert-authority", "not supported"),
            ("something=\"else\"", "no such option"),
        ] {
            let error = check(&file(options), &good, b"manifest").unwrap_err();
            assert!(error.contains(words), "{options}: {error}");
        }
        assert!(check(&file(""), &good, b"other").unwrap_err().contains("another manifest"));
        assert!(
            check(&file(""), &signed(&other, NAMESPACE, b"manifest"), b"manifest").unwrap_err().contains("none of")
        );
        assert!(
            check(&file(""), &signed(&mine, "git", b"manifest"), b"manifest").unwrap_err().contains("something else")
        );
        assert!(check(&file(""), "nothing", b"manifest").is_err());
        assert_eq!(mine.algorithm(), Algorithm::Ed25519);
    }
}
