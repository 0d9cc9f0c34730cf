//! A digest whose form was checked: what may become part of a path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Integrity;
use crate::digest::sha256;
use crate::model::record::Desired;

/// `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

const PREFIX: &str = "sha256:";

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// The desired digest.
    pub fn desired(desired: &Desired) -> Self {
        Self(desired.digest())
    }

    /// `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hex digits.
    pub fn hex(&self) -> &str {
        &self.0[PREFIX.len()..]
    }
}

impl FromStr for Digest {
    type Err = Integrity;

    fn from_str(text: &str) -> Result<Self, Integrity> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Digest {
    type Error = Integrity;

    fn try_from(text: String) -> Result<Self, Integrity> {
        let hex = text.strip_prefix(PREFIX).unwrap_or("");
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() == 64 && hex.bytes().all(digit) {
            Ok(Self(text))
        } else {
            Err(Integrity("a digest is not `sha256:` and 64 hex digits".to_owned()))
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_exact_form_is_a_digest() {
        let good = Digest::of(b"x");
        assert_eq!(good.as_str().parse(), Ok(good.clone()));
        let upper = good.as_str().to_uppercase();
        for bad in ["", "sha256:", good.hex(), &upper, "sha256:../../../../etc/passwd", &format!("{good}0")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
