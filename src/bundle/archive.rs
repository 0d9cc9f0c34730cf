//! A bundle as one file: tar and gzip, the same bytes for the same bundle.
//!
//! `manifest.json`, `manifest.json.sig` where it is signed, and `connections/ID.yaml` for each connection, sorted, all of
//! user and group 0, mode 0644 and time 0. What is read may come from anybody: only regular files under these names are
//! taken, each once and within its bounds, and nothing is written to a disk. Folders are passed over, for people pack
//! archives anew; links and devices are refused.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, Builder, EntryType, Header};

use super::manifest::MAX_MANIFEST;
use super::object::MAX_OBJECT;
use super::signature::MAX_SIGNATURE;
use super::{Deployed, Digest, Integrity, Manifest, is_instance};

/// All files of a bundle together may have this many bytes (1 GiB), headers included.
pub const MAX_BUNDLE: u64 = 1 << 30;
/// Bytes that any archive may unpack to, and more for each byte that it has: those of bundles unpack to ten at most.
const UNPACKED: (u64, u64) = (32 << 20, 64);
/// A bundle may have this many files.
const MAX_FILES: usize = 1_000_000;

/// The files of a bundle, as they come: nobody vouched for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// `manifest.json`.
    pub manifest: Vec<u8>,
    /// `manifest.json.sig`.
    pub signature: Option<Vec<u8>>,
    /// The object of each instance.
    pub objects: BTreeMap<String, Vec<u8>>,
}

const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.json.sig";

/// What a name in a bundle stands for, and how many bytes it may have.
pub enum Part<'n> {
    /// The manifest.
    Manifest,
    /// Its signature.
    Signature,
    /// The object of an instance.
    Object(&'n str),
}

impl Part<'_> {
    /// The part of a name; `None` of one that no bundle has.
    pub fn of(name: &str) -> Option<Part<'_>> {
        match name {
            MANIFEST => Some(Part::Manifest),
            SIGNATURE => Some(Part::Signature),
            _ => {
                let instance = name.strip_prefix("connections/")?.strip_suffix(".yaml")?;
                is_instance(instance).then_some(Part::Object(instance))
            }
        }
    }

    /// The bytes that it may have.
    pub fn limit(&self) -> usize {
        match self {
            Self::Manifest => MAX_MANIFEST,
            Self::Signature => MAX_SIGNATURE,
            Self::Object(_) => MAX_OBJECT,
        }
    }
}

impl Parts {
    /// Puts a file in its place.
    ///
    /// # Errors
    /// It is there already.
    pub fn put(&mut self, part: &Part<'_>, bytes: Vec<u8>) -> Result<(), Integrity> {
        let there = match part {
            Part::Manifest => !std::mem::replace(&mut self.manifest, bytes).is_empty(),
            Part::Signature => self.signature.replace(bytes).is_some(),
            Part::Object(instance) => self.objects.insert((*instance).to_owned(), bytes).is_some(),
        };
        if there { Err(bad("a file is in it twice")) } else { Ok(()) }
    }

    /// What the manifest says. Whether the objects are those that it names is for [`super::check`].
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn deployed(&self) -> Result<Deployed, Integrity> {
        if self.manifest.is_empty() {
            return Err(bad("there is no manifest.json in it"));
        }
        Ok(Deployed { digest: Digest::of(&self.manifest), manifest: Manifest::parse(&self.manifest)? })
    }

    /// The archive.
    ///
    /// # Errors
    /// None that memory can raise; the writers have the last word.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        // No time, no name; the byte that says on which system: unknown.
        let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
        let mut builder = Builder::new(gzip);
        for (instance, bytes) in &self.objects {
            append(&mut builder, &format!("connections/{instance}.yaml"), bytes)?;
        }
        append(&mut builder, MANIFEST, &self.manifest)?;
        if let Some(signature) = &self.signature {
            append(&mut builder, SIGNATURE, signature)?;
        }
        builder.into_inner()?.finish()
    }

    /// Reads an archive.
    ///
    /// # Errors
    /// It is none, or holds what no bundle does.
    pub fn read(archive: impl Read) -> Result<Self, Integrity> {
        let mut parts = Self::default();
        let mut archive =
            Archive::new(Bounded { inner: GzDecoder::new(Counted { inner: archive, read: 0 }), unpacked: 0 });
        let entries = archive.entries().map_err(|_| bad("it is no tar archive under gzip"))?;
        for (count, entry) in entries.enumerate() {
            let mut entry = entry.map_err(|error| unreadable(&error))?;
            if count == MAX_FILES {
                return Err(bad("it has more than a million files"));
            }
            match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {}
                EntryType::Directory => continue,
                _ => return Err(bad("something in it is no regular file")),
            }
            let path = entry.path_bytes().into_owned();
            let name = std::str::from_utf8(&path).unwrap_or_default();
            let name = name.strip_prefix("./").unwrap_or(name);
            let Some(part) = Part::of(name) else { return Err(bad("a file in it belongs to no bundle")) };
            let (size, limit) = (entry.size(), part.limit());
            if size > limit as u64 {
                return Err(bad("a file in it is larger than any that tieline writes"));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
            if bytes.len() as u64 != size {
                return Err(bad("it is cut off"));
            }
            parts.put(&part, bytes)?;
        }
        Ok(parts)
    }
}

fn append(builder: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder.append_data(&mut header, name, bytes)
}

/// A reader that knows how many bytes were read.
struct Counted<R> {
    inner: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// A reader that fails behind as many bytes as a bundle of its size has: what unpacks to more is a bomb.
struct Bounded<R> {
    inner: GzDecoder<Counted<R>>,
    unpacked: u64,
}

/// Told apart from other errors by its text, since readers in between wrap errors.
const TOO_LARGE: &str = "more bytes than a bundle may have";

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked += read as u64;
        let (any, each) = UNPACKED;
        let limit = MAX_BUNDLE.min(any + each * self.inner.get_ref().read);
        if self.unpacked > limit { Err(io::Error::other(TOO_LARGE)) } else { Ok(read) }
    }
}

fn unreadable(error: &io::Error) -> Integrity {
    if error.to_string().contains(TOO_LARGE) {
        bad("it unpacks to more than a bundle of its size can hold")
    } else {
        bad("it is damaged or cut off")
    }
}

fn bad(why: &str) -> Integrity {
    Integrity(format!("this is no bundle: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts(signature: bool) -> Parts {
        Parts {
            manifest: b"m".to_vec(),
            signature: signature.then(|| b"s".to_vec()),
            objects: [("a/b".to_owned(), b"one".to_vec()), ("c@d".to_owned(), b"two".to_vec())].into(),
        }
    }

    #[test]
    fn e2_11_an_archive_says_nothing_of_who_packed_it_and_when() {
        for signed in [false, true] {
            let bytes = parts(signed).archive().unwrap();
            // gzip: deflate, no name, no time, no system.
            assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
            let mut archive = Archive::new(GzDecoder::new(&bytes[..]));
            let mut names = Vec::new();
            for entry in archive.entries().unwrap() {
                let entry = entry.unwrap();
                let header = entry.header();
                let numbers = (header.mode(), header.uid(), header.gid(), header.mtime());
                assert_eq!(numbers.0.unwrap(), 0o644);
                assert_eq!((numbers.1.unwrap(), numbers.2.unwrap(), numbers.3.unwrap()), (0, 0, 0));
                names.push(String::from_utf8(entry.path_bytes().into_owned()).unwrap());
            }
            let all = ["connections/a/b.yaml", "connections/c@d.yaml", "manifest.json", "manifest.json.sig"];
            assert_eq!(names, all[..if signed { 4 } else { 3 }]);
            assert_eq!(Parts::read(&bytes[..]).unwrap(), parts(signed));
        }
    }

    fn packed(entries: &[(&str, u64, &[u8])], end: bool) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, size, bytes) in entries {
            let mut header = Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_size(*size);
            header.set_cksum();
            tar.extend_from_slice(header.as_bytes());
            tar.extend_from_slice(bytes);
        }
        tar.resize(if end { tar.len().next_multiple_of(512) + 1024 } else { tar.len() }, 0);
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
        gzip.write_all(&tar).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn e2_11_an_archive_is_refused_for_what_is_wrong_with_it() {
        let why = |entries: &[(&str, u64, &[u8])], end: bool| {
            let packed = packed(entries, end);
            Parts::read(&packed[..]).map(drop).map_err(|error| error.0.replace("this is no bundle: ", ""))
        };
        let large = Err("a file in it is larger than any that tieline writes".to_owned());
        let cut = Err("it is cut off".to_owned());
        // What a file may have, to the byte: one that says so and hasn't is cut off.
        for (name, limit) in
            [("manifest.json", MAX_MANIFEST), ("manifest.json.sig", MAX_SIGNATURE), ("connections/a.yaml", MAX_OBJECT)]
        {
            assert_eq!(why(&[(name, limit as u64, b"x")], false), cut, "{name}");
            assert_eq!(why(&[(name, limit as u64 + 1, b"x")], false), large, "{name}");
        }
        assert_eq!(why(&[("manifest.json", 2, b"x")], false), cut);
        assert_eq!(why(&[("manifest.json", 1, b"x")], true), Ok(()));
        assert_eq!(why(&[("./manifest.json", 1, b"x")], true), Ok(()));
        for name in ["manifest", "connections/a", "a.yaml", "connections/A.yaml", "x/manifest.json"] {
            let other = Err("a file in it belongs to no bundle".to_owned());
            assert_eq!(why(&[(name, 1, b"x")], true), other, "{name}");
        }
        let one = [b"x".as_slice(), &[0; 511]].concat();
        for name in ["manifest.json", "manifest.json.sig", "connections/a.yaml"] {
            let twice = Err("a file is in it twice".to_owned());
            assert_eq!(why(&[(name, 1, &one), (name, 1, &one)], true), twice, "{name}");
        }
        let whole = packed(&[("manifest.json", 1, &one)], true);
        let damaged = |bytes: &[u8]| Parts::read(bytes).map(drop).unwrap_err().0;
        assert!(damaged(&whole[..whole.len() / 2]).ends_with("it is damaged or cut off"));
        assert!(damaged(b"nothing of the kind").ends_with("it is damaged or cut off"));
        assert!(Parts::default().deployed().unwrap_err().0.ends_with("there is no manifest.json in it"));
    }
}
