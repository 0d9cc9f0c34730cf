//! One encrypted leaf: the ENC text, and the data key that seals and opens it.
//!
//! AES-256-GCM with a 32-byte IV; the additional data is the leaf's path. The type stands outside of what is
//! authenticated: that is the format's weakness, not this reader's.

use std::fmt;

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{AeadInOut, array::ArraySize};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The type of a leaf, as the format names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `str`
    Str,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `bool`
    Bool,
    /// `time`: a timestamp
    Time,
    /// `comment`: a comment, in lists as an element
    Comment,
    /// `bytes`: legacy, read only
    Bytes,
    /// `null`: never in an ENC text
    Null,
}

impl Type {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "str" => Self::Str,
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "time" => Self::Time,
            "comment" => Self::Comment,
            "bytes" => Self::Bytes,
            _ => return None,
        })
    }

    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Time => "time",
            Self::Comment => "comment",
            Self::Bytes => "bytes",
            Self::Null => "null",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) const PREFIX: &str = "ENC[AES256_GCM,data:";

/// An ENC text, taken apart. Its form has been checked; whether it decrypts has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enc<'t> {
    /// The whole text, `ENC[…]`.
    pub text: &'t str,
    /// The type it claims; not authenticated.
    pub kind: Type,
    data: &'t str,
    iv: &'t str,
    tag: &'t str,
}

impl<'t> Enc<'t> {
    /// Takes an ENC text apart; `None` if it is none. Nothing may follow the `]`, which sops would ignore.
    pub fn parse(text: &'t str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?.strip_suffix(']')?;
        let (data, rest) = rest.split_once(",iv:")?;
        let (iv, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        let base64 = |field: &str| {
            !field.is_empty()
                && field.len().is_multiple_of(4)
                && field.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
        };
        [data, iv, tag].into_iter().all(base64).then_some(())?;
        Some(Self { text, kind: Type::parse(kind)?, data, iv, tag })
    }
}

type Gcm<Iv> = AesGcm<Aes256, Iv>;

/// The key of one file. Wiped on drop, like the key schedule inside the cipher.
pub(super) struct DataKey {
    bytes: Zeroizing<[u8; 32]>,
    cipher: Gcm<U32>,
}

impl PartialEq for DataKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl DataKey {
    pub(super) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let cipher = Gcm::new((&*bytes).into());
        Self { bytes, cipher }
    }

    /// The same key, for another holder.
    pub(super) fn again(&self) -> Self {
        Self::new(self.bytes.clone())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Decrypts a leaf; `None` if it was not sealed with this key under this additional data.
    ///
    /// IVs of 32 bytes are what sops writes; 16 and 12 are other writers' habit. No others are known.
    pub(super) fn open(&self, enc: &Enc<'_>, aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let iv = STANDARD.decode(enc.iv).ok()?;
        let tag = STANDARD.decode(enc.tag).ok()?;
        let data = STANDARD.decode(enc.data).ok()?;
        match iv.len() {
            32 => open_with(&self.cipher, &iv, data, &tag, aad),
            16 => open_with(&Gcm::<U16>::new((&*self.bytes).into()), &iv, data, &tag, aad),
            12 => open_with(&Gcm::<U12>::new((&*self.bytes).into()), &iv, data, &tag, aad),
            _ => None,
        }
    }

    /// Seals a plaintext as an ENC text, with a fresh IV from `random`; `None` only beyond 64 GiB.
    pub(super) fn seal(
        &self,
        plaintext: &[u8],
        kind: Type,
        aad: &[u8],
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Option<String> {
        let mut iv = [0; 32];
        random(&mut iv);
        let mut data = Zeroizing::new(plaintext.to_vec());
        let nonce = Nonce::<U32>::try_from(&iv[..]).ok()?;
        let tag = self.cipher.encrypt_inout_detached(&nonce, aad, data.as_mut_slice().into()).ok()?;
        let mut text = String::with_capacity(PREFIX.len() + data.len().div_ceil(3) * 4 + 96);
        text.push_str(PREFIX);
        STANDARD.encode_string(&*data, &mut text);
        text.push_str(",iv:");
        STANDARD.encode_string(iv, &mut text);
        text.push_str(",tag:");
        STANDARD.encode_string(tag, &mut text);
        text.push_str(",type:");
        text.push_str(kind.name());
        text.push(']');
        Some(text)
    }
}

fn open_with<Iv: ArraySize>(
    cipher: &Gcm<Iv>,
    iv: &[u8],
    data: Vec<u8>,
    tag: &[u8],
    aad: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut data = Zeroizing::new(data);
    let nonce = Nonce::<Iv>::try_from(iv).ok()?;
    let tag = Tag::<U16>::try_from(tag).ok()?;
    cipher.decrypt_inout_detached(&nonce, aad, data.as_mut_slice().into(), &tag).ok()?;
    Some(data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> DataKey {
        DataKey::new(Zeroizing::new([7; 32]))
    }

    #[test]
    fn a_leaf_opens_under_its_own_path_only() {
        let text = key().seal(b"kelp", Type::Str, b"a:b:", &mut |iv| iv.fill(3)).unwrap();
        let enc = Enc::parse(&text).unwrap();
        assert_eq!(enc.kind, Type::Str);
        assert_eq!(key().open(&enc, b"a:b:").unwrap().as_slice(), b"kelp");
        assert!(key().open(&enc, b"a:c:").is_none());
        assert_eq!(STANDARD.decode(enc.iv).unwrap().len(), 32);
    }

    #[test]
    fn short_ivs_of_other_writers_open_too() {
        let cipher = Gcm::<U12>::new((&[7; 32]).into());
        let mut data = *b"kelp";
        let tag = cipher.encrypt_inout_detached(&[1; 12].into(), b"a:", data.as_mut_slice().into()).unwrap();
        let [data, iv, tag] = [&data[..], &[1; 12], &tag].map(|bytes| STANDARD.encode(bytes));
        let text = format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]");
        assert_eq!(key().open(&Enc::parse(&text).unwrap(), b"a:").unwrap().as_slice(), b"kelp");
    }

    #[test]
    fn what_is_not_exactly_an_enc_text_is_none() {
        let good = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]";
        assert!(Enc::parse(good).is_some());
        for bad in [
            &format!("{good} "),
            &format!("{good}]"),
            &good[..20],
            &good.replace("AA==,iv", ",iv"),
            "",
            &good.replace("str", "text"),
            &good.replace("AA==", "A A="),
            &good.replace("GCM", "CBC"),
        ] {
            assert!(Enc::parse(bad).is_none(), "{bad}");
        }
    }
}
