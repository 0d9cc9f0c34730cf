//! Digests as text: `sha256:` and 64 hex digits, the form of OCI.

use sha2::{Digest, Sha256};

const PREFIX: &str = "sha256:";

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + 64);
    text.push_str(PREFIX);
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
    for byte in Sha256::digest(bytes) {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}
