//! The MAC of a file: SHA-512 over the plaintexts of its leaves in order, without separators.
//!
//! Keys, nulls, comments and empty containers are not in it; the bundle's own digests cover those.

use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::leaf::{DataKey, Enc, Type};

/// SHA-256 of `sops`: sets a MAC over encrypted leaves only apart from one over all.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A MAC in the making.
pub(super) struct Mac {
    hash: Sha512,
    only_encrypted: bool,
}

impl Mac {
    pub(super) fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Self { hash, only_encrypted }
    }

    /// Adds a leaf's canonical plaintext.
    pub(super) fn add(&mut self, plaintext: &[u8], encrypted: bool) {
        if encrypted || !self.only_encrypted {
            self.hash.update(plaintext);
        }
    }

    /// The digest, to be kept from sight: it tells a short plaintext to whoever can guess.
    pub(super) fn finish(self) -> Digits {
        let mut digits = Zeroizing::new(Vec::with_capacity(128));
        for byte in self.hash.finalize() {
            digits.extend([byte >> 4, byte & 15].map(|n| b"0123456789ABCDEF"[usize::from(n)]));
        }
        Digits(digits)
    }
}

/// A finished MAC: 128 upper-case hex digits.
pub(super) struct Digits(Zeroizing<Vec<u8>>);

impl Digits {
    /// Seals it for the block; `lastmodified` in its canonical form.
    pub(super) fn seal(&self, key: &DataKey, lastmodified: &str, random: &mut dyn FnMut(&mut [u8])) -> Option<String> {
        key.seal(&self.0, Type::Str, lastmodified.as_bytes(), random)
    }

    /// Compares with a sealed one, in constant time; `None` if that does not decrypt.
    pub(super) fn matches(&self, key: &DataKey, sealed: &str, lastmodified: &str) -> Option<bool> {
        let stored = key.open(&Enc::parse(sealed)?, lastmodified.as_bytes())?;
        let difference = self.0.iter().zip(stored.iter()).fold(0, |d, (a, b)| d | (a ^ b));
        Some(stored.len() == self.0.len() && std::hint::black_box(difference) == 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn e2_11_a_mac_that_is_cut_off_or_goes_on_is_another() {
        let key = DataKey::new(Zeroizing::new([7; 32]));
        let mut mac = Mac::new(false);
        mac.add(b"kelp", true);
        let digits = mac.finish();
        let matches = |stored: &[u8]| {
            let sealed = key.seal(stored, Type::Str, b"now", &mut |iv| iv.fill(3)).unwrap();
            digits.matches(&key, &sealed, "now")
        };
        assert_eq!(matches(&digits.0), Some(true));
        assert_eq!(matches(&digits.0[..127]), Some(false));
        assert_eq!(matches(&[&digits.0[..], b"0"].concat()), Some(false));
    }
}
