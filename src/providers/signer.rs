//! The operator's signing key: a private SSH key in a file, or one that an agent keeps.

use std::path::{Path, PathBuf};

use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::OsRng;
use rsa::sha2::Sha512;
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use rsa::{BigUint, RsaPrivateKey};
use ssh_agent_client_rs::{Client, Identity};
use ssh_key::{Algorithm, HashAlg, PrivateKey, PublicKey, Signature, SshSig};

use crate::bundle::signature::{NAMESPACE, Sign, armored};
use crate::sops::Ask;
use crate::world::{ReadError, World, disk};

/// A key file may have this many bytes.
const MAX_BYTES: usize = 64 << 10;

/// The key that `path` names: the private one in it, or, of a public key, the private one in the agent of `SSH_AUTH_SOCK`.
///
/// # Errors
/// Words for people, which quote nothing of a private key.
pub fn find(path: &Path, world: &dyn World, ask: &dyn Ask) -> Result<Box<dyn Sign>, String> {
    let shown = path.display();
    let text = disk::read_private(path, MAX_BYTES).map_err(|error| match error {
        ReadError::Missing => format!("there is no key `{shown}`"),
        ReadError::Failed(why) => format!("the key `{shown}` can't be read: {why}"),
        ReadError::NotAFile | ReadError::TooLarge => format!("`{shown}` is no SSH key"),
    })?;
    let socket = || world.variable("SSH_AUTH_SOCK").map(PathBuf::from);
    if let Ok(public) = PublicKey::from_openssh(text.expose().trim()) {
        let socket = socket().ok_or(format!("`{shown}` is a public key, and no agent runs (SSH_AUTH_SOCK)"))?;
        return Ok(Box::new(Agent { socket, public }));
    }
    let key = PrivateKey::from_openssh(text.expose()).map_err(|_| {
        format!("`{shown}` is no key in the format of OpenSSH; `ssh-keygen -p -f {shown}` writes it anew")
    })?;
    if !key.is_encrypted() {
        return Ok(Box::new(File { key }));
    }
    // An agent that has it spares the passphrase.
    if let Some(socket) = socket()
        && let Ok(mut client) = Client::connect(&socket)
        && let Ok(keys) = client.list_all_identities()
        && keys.iter().any(|known| is_of(known, &key))
    {
        return Ok(Box::new(Agent { socket, public: key.public_key().clone() }));
    }
    let passphrase = ask
        .passphrase(&format!("Passphrase of {shown}"))
        .ok_or(format!("`{shown}` has a passphrase, and there is nobody to ask: `ssh-add` puts it into an agent"))?;
    let key = key.decrypt(passphrase.expose()).map_err(|_| format!("the passphrase does not open `{shown}`"))?;
    Ok(Box::new(File { key }))
}

fn is_of(known: &Identity<'_>, key: &PrivateKey) -> bool {
    matches!(known, Identity::PublicKey(known) if known.key_data() == key.public_key().key_data())
}

struct File {
    key: PrivateKey,
}

impl Sign for File {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<String, String> {
        let failed = |why: &dyn std::fmt::Display| format!("the key can't sign: {why}");
        let Some(pair) = self.key.key_data().rsa() else {
            let signature = self.key.sign(NAMESPACE, HashAlg::Sha512, message);
            return armored(&signature.map_err(|error| failed(&error))?);
        };
        let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message).map_err(|error| failed(&error))?;
        let number = |number: &ssh_key::Mpint| {
            number.as_positive_bytes().map(BigUint::from_bytes_be).ok_or_else(|| failed(&"it is damaged"))
        };
        let (public, private) = (&pair.public, &pair.private);
        let primes = vec![number(&private.p)?, number(&private.q)?];
        let key = RsaPrivateKey::from_components(number(&public.n)?, number(&public.e)?, number(&private.d)?, primes);
        let key = SigningKey::<Sha512>::new(key.map_err(|error| failed(&error))?);
        // Blinded, so that the time it takes says nothing of the key.
        let signed = key.try_sign_with_rng(&mut OsRng, &data).map_err(|error| failed(&error))?;
        let algorithm = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
        let signature = Signature::new(algorithm, signed.to_vec()).map_err(|error| failed(&error))?;
        let signature = SshSig::new(self.public_key().key_data().clone(), NAMESPACE, HashAlg::Sha512, signature);
        armored(&signature.map_err(|error| failed(&error))?)
    }
}

struct Agent {
    socket: PathBuf,
    public: PublicKey,
}

impl Sign for Agent {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<String, String> {
        let failed = |why: &dyn std::fmt::Display| format!("the agent did not sign: {why}");
        let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message).map_err(|error| failed(&error))?;
        let mut client = Client::connect(&self.socket).map_err(|error| failed(&error))?;
        let signature = client.sign(&self.public, &data).map_err(|error| failed(&error))?;
        let signature = SshSig::new(self.public.key_data().clone(), NAMESPACE, HashAlg::Sha512, signature);
        armored(&signature.map_err(|error| failed(&error))?)
    }
}
