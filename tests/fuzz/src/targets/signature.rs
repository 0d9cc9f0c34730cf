//! A file of allowed signers, and a signature: the verdict is that of `ssh-keygen -Y verify`.
//!
//! `-- allowed_signers --` and `-- signature --` begin the two; without a signature there is one by our key. `@KEY@` stands
//! for our key, `@OTHER@` for another.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, PrivateKey};
use tieline::bundle::signature::{AllowedSigners, NAMESPACE, armored};
use tieline::reporters::shown::Shown;

use super::super::oracles::calm;
use super::super::world::Memory;

const MESSAGE: &[u8] = b"manifest";
const TIME: &str = "2026-11-21T10:00:00Z";
const STOCK_TIME: &str = "20261121100000Z";

pub(crate) struct Ours {
    pub(crate) key: String,
    pub(crate) other: String,
    pub(crate) signature: String,
}

pub(crate) static OURS: LazyLock<Ours> = LazyLock::new(|| {
    let key = |seed: u8| PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
    let public = |key: &PrivateKey| key.public_key().to_openssh().expect("a key");
    let signature = key(1).sign(NAMESPACE, HashAlg::Sha512, MESSAGE).expect("a signature");
    Ours { key: public(&key(1)), other: public(&key(2)), signature: armored(&signature).expect("a signature") }
});

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = text.replace("@KEY@", &OURS.key).replace("@OTHER@", &OURS.other);
    let parts = Memory::parse(&text);
    let file = parts.text("allowed_signers");
    let signature = if parts.files.contains_key("signature") { parts.text("signature") } else { &OURS.signature };
    let verdict =
        AllowedSigners::parse(file.as_bytes()).verify(signature.as_bytes(), MESSAGE, TIME.parse().expect("a time"));
    let words = match &verdict {
        Ok(signer) => format!("{} {}", signer.principals, signer.fingerprint),
        Err(words) => words.clone(),
    };
    calm(&Shown::from(words.as_str()));
    // A process for every input would be most of the time: one for each that is accepted, and some of the others.
    let some = cfg!(test) || data.iter().fold(0u8, |sum, byte| sum.wrapping_mul(31) ^ byte) % 16 == 0;
    if (verdict.is_ok() || some) && !unsupported(file, signature) {
        let stock = stock(file, signature, verdict.as_ref().map_or("", |signer| &signer.principals));
        assert!(
            stock.is_none_or(|stock| stock == verdict.is_ok()),
            "{verdict:?}, ssh-keygen: {stock:?}: {file:?} {signature:?}"
        );
    }
}

/// Certificates, and keys that live in hardware, are read by OpenSSH alone.
fn unsupported(file: &str, signature: &str) -> bool {
    let word = |text: &str| file.to_ascii_lowercase().contains(text);
    word("cert-authority") || word("-cert-v01") || word("sk-") || file.contains('\0') || signature.contains('\0')
}

/// Whether OpenSSH is there. It has no option that does nothing: any answer will do.
static THERE: LazyLock<bool> =
    LazyLock::new(|| Command::new("ssh-keygen").arg("-?").stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok());

/// The verdict of OpenSSH for any of the principals of a file; `None` where there is no OpenSSH, or too many principals.
fn stock(file: &str, signature: &str, principals: &str) -> Option<bool> {
    // Words with their quotes and what stands within those, between commas: more than there are, but all that there are.
    let plain = file.replace('"', "");
    let words = file.split(['\n', '\r', ' ', '\t', '"', ',']).chain(plain.split(['\n', '\r', ' ', '\t', ',']));
    let words = words.chain(file.split(['"', ','])).filter(|name| !name.contains("AAAA"));
    // The empty name is one to OpenSSH: it counts where a line names it.
    let words = words.filter(|name| !name.is_empty() && !name.contains(['\n', '\r']));
    let names: BTreeSet<&str> = words.chain(principals.split(',').filter(|_| !principals.is_empty())).collect();
    if names.len() > 16 || !*THERE {
        return None;
    }
    let folder = tempfile::tempdir().ok()?;
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [("message", MESSAGE), ("file", file.as_bytes()), ("signature", signature.as_bytes())] {
        fs::write(at(name), text).ok()?;
    }
    let accepts = |name: &&str| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-n", NAMESPACE, "-O", &format!("verify-time={STOCK_TIME}"), "-I", name]);
        command.arg("-f").arg(at("file")).arg("-s").arg(at("signature"));
        // Dates without a `Z` are UTC to us.
        command.env("TZ", "UTC").stdin(File::open(at("message")).expect("the message"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs").success()
    };
    Some(names.iter().any(accepts))
}
