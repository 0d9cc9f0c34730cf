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

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn verdict(file: &str) -> Result<String, String> {
        let key = PublicKey::from_openssh(KEY).unwrap();
        AllowedSigners::parse(file.as_bytes()).principals(key.key_data(), "tieline-bundle", Timestamp::UNIX_EPOCH)
    }

    /// Each line as OpenSSH reads it: blanks, quotes, comments, and what follows a NUL.
    #[test]
    fn e2_11_a_line_of_signers_is_read_as_openssh_reads_it() {
        let blob = KEY.trim_start_matches("ssh-ed25519 ");
        let (start, end) = blob.split_at(9);
        for (file, principals) in [
            (format!("a {KEY}"), "a"),
            (format!(" \t a \t {KEY} somebody's"), "a"),
            (format!("a\r{KEY}"), "a"),
            (format!("a,b {KEY}\r\n"), "a,b"),
            (format!("\"a b\" {KEY}"), "a b"),
            (format!("\"a b\"{KEY}"), "a b"),
            (format!("a\"b c\" {KEY}"), "ab c"),
            (format!("a {KEY}\0 rest"), "a"),
            (format!("# a\n\n \t\r\n #b {KEY}\nc {KEY}"), "c"),
            (format!("a cert\nb {KEY}"), "b"),
            (format!("a ssh-ed25519 \t {blob}"), "a"),
            (format!("a ssh-ed25519 {start}\x0b{end}"), "a"),
            (format!("a ssh-ed25519 {start}\x0c\r{end}"), "a"),
            (format!("a namespaces=\"tieline-*\" \t {KEY}"), "a"),
            (format!("a NameSpaces=\"x,tieline-bundle\" {KEY}"), "a"),
            (format!("a namespaces=\"x\\\"y,tieline-bundle\" {KEY}"), "a"),
            (format!("a namespaces=\"x\\y,tieline-bundle\" {KEY}"), "a"),
            (format!("a namespaces=\"a b,*\",valid-after=\"19690101\" {KEY}\nb {KEY}"), "b"),
            (format!("a valid-before=\"19700101000001\" {KEY}"), "a"),
        ] {
            assert_eq!(verdict(&file).as_deref(), Ok(principals), "{file:?}");
        }
    }

    #[test]
    fn e2_11_a_line_of_signers_that_allows_nobody_says_why() {
        for (file, why) in [
            (String::new(), "is not an allowed signer"),
            ("# c\n \t\r\n  # d\n".to_owned(), "is not an allowed signer"),
            ("a".to_owned(), "line 1: the key is missing"),
            ("\na ".to_owned(), "line 2: the key is missing"),
            ("a cert-authority".to_owned(), "line 1: the key is missing"),
            ("a cert-authority \t".to_owned(), "line 1: the key is missing"),
            ("a cert-authority x y".to_owned(), "line 1: the key can't be read"),
            (format!("\"a {KEY}"), "line 1: a quote has no end"),
            (format!("a namespaces=\"x {KEY}"), "line 1: a quote has no end"),
            (format!("a namespaces=\"x\\\" {KEY}"), "line 1: a quote has no end"),
            (format!("a namespaces=x {KEY}"), "line 1: a value needs quotes"),
            (format!("a namespaces=\"*\",namespaces=\"*\" {KEY}"), "line 1: an option stands twice"),
            (format!("a valid-after=\"1\" {KEY}"), "line 1: the time can't be read"),
            (format!("a valid-before=\"1\" {KEY}"), "line 1: the time can't be read"),
            (format!("a namespaces=\"*\", {KEY}"), "line 1: an option is missing after the last comma"),
            (format!("a namespaces=\"*\"x {KEY}"), "line 1: unknown option"),
            (
                format!("a valid-after=\"20240101\",valid-before=\"20240101\" {KEY}"),
                "line 1: `valid-before` is not later than `valid-after`",
            ),
            (format!("a valid-after=\"20240101\",valid-before=\"20240102\" {KEY}"), "was not valid yet (line 1)"),
            (format!("\na valid-after=\"19700101000001\" {KEY}"), "was not valid yet (line 2)"),
            (format!("a namespaces=\"x\" {KEY}"), "may not sign bundles (line 1)"),
            (format!("!a {KEY}"), "has no principal (line 1)"),
            (format!("a\x01 cert-authority {KEY}"), "is a certificate authority (line 1)"),
            (format!("a\0 {KEY}"), "line 1: the key is missing"),
        ] {
            let told = verdict(&file).map_or_else(|told| told, |of| format!("allowed as {of}"));
            assert!(told.contains(why), "{file:?}: {told}");
            assert_eq!(told.contains("line"), why.contains("line"), "{file:?}: {told}");
        }
    }
}
