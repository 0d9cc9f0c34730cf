//! Signatures of manifests: SSHSIG, as `ssh-keygen -Y sign` makes them and `ssh-keygen -Y verify` checks them.
//!
//! The format is that of OpenSSH's PROTOCOL.sshsig; who may sign is said by a file of allowed signers, as Git uses it
//! ([`super::allowed_signers`]). A signature covers the bytes of `manifest.json`, and through its digests every object.

use jiff::Timestamp;
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig};

pub use super::allowed_signers::AllowedSigners;

/// What a signature is for: one that was made for something else does not count.
pub const NAMESPACE: &str = "tieline-bundle";
/// What Git's signatures of commits are for.
pub const COMMITS: &str = "git";
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

/// An RSA key of fewer bits signs nothing. OpenSSH still takes 1024, which can be factored; our library doesn't.
const MIN_RSA_BITS: usize = 2048;

impl AllowedSigners {
    /// Checks an armored signature of `message` that was made at `time`: as `ssh-keygen -Y verify` does, for some principal
    /// that the file names.
    ///
    /// # Errors
    /// It is not a signature, or of other bytes, or by nobody who may sign.
    pub fn verify(&self, signature: &[u8], message: &[u8], time: Timestamp) -> Result<Signer, String> {
        self.verify_for(NAMESPACE, signature, message, time)
    }

    /// The same for a signature of something else, which `namespace` names.
    ///
    /// # Errors
    /// Those of [`AllowedSigners::verify`].
    pub fn verify_for(
        &self,
        namespace: &str,
        signature: &[u8],
        message: &[u8],
        time: Timestamp,
    ) -> Result<Signer, String> {
        let signature = SshSig::from_pem(signature).map_err(|_| "not an SSH signature")?;
        let key = signature.public_key();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        if signature.namespace() != namespace {
            return Err(format!("the signature was made for something other than `{namespace}`"));
        }
        let short = |modulus: &[u8]| modulus.len() * 8 < MIN_RSA_BITS;
        if key.rsa().is_some_and(|rsa| rsa.n.as_positive_bytes().is_none_or(short)) {
            return Err(format!("the key {fingerprint} is too short"));
        }
        let principals = self.principals(key, namespace, time).map_err(|why| format!("the key {fingerprint} {why}"))?;
        // The comment of a key is not a part of it.
        PublicKey::from(key.clone())
            .verify(namespace, message, &signature)
            .map_err(|_| "the signature is of another manifest")?;
        Ok(Signer { principals, fingerprint })
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
            AllowedSigners::parse(file.as_bytes()).verify(signature.as_bytes(), message, now)
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
            ("cert-authority", "certificate authority (line 3)"),
            ("something=\"else\"", "line 3: unknown option"),
        ] {
            let error = check(&file(options), &good, b"manifest").unwrap_err();
            assert!(error.contains(words), "{options}: {error}");
        }
        assert!(check(&file(""), &good, b"other").unwrap_err().contains("another manifest"));
        assert!(
            check(&file(""), &signed(&other, NAMESPACE, b"manifest"), b"manifest")
                .unwrap_err()
                .contains("is not an allowed signer")
        );
        assert!(
            check(&file(""), &signed(&mine, "git", b"manifest"), b"manifest").unwrap_err().contains("something other")
        );
        assert!(check(&file(""), "nothing", b"manifest").is_err());
        assert_eq!(mine.algorithm(), Algorithm::Ed25519);
    }
}
