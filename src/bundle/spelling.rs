//! How a manifest is spelt, to the byte, and how its lines are read at once.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use super::manifest::{Manifest, Sealed, bad};
use super::{Integrity, is_instance};
use crate::parallel;

/// The lines of a manifest: those of its connections can be read at once, and compared with what they must be.
pub(super) struct Parts<'b> {
    /// The whole with no connection in it.
    frame: Vec<u8>,
    /// A line each, without the line break.
    lines: Vec<&'b [u8]>,
}

impl<'b> Parts<'b> {
    const OPEN: &'static [u8] = b"\n  \"connections\": {\n";
    const CLOSE: &'static [u8] = b"\n  }\n}\n";

    /// `None` of what does not have the lines of a manifest with connections.
    pub(super) fn of(bytes: &'b [u8]) -> Option<Self> {
        // A line break stands in no string of JSON: the first such line is the field.
        let at = bytes.windows(Self::OPEN.len()).position(|window| window == Self::OPEN)?;
        let body = bytes[at + Self::OPEN.len()..].strip_suffix(Self::CLOSE)?;
        let frame = [&bytes[..at], b"\n  \"connections\": {}\n}\n"].concat();
        Some(Self { frame, lines: body.split(|byte| *byte == b'\n').collect() })
    }

    /// Reads frame and lines, each held against what it must be.
    pub(super) fn read(&self) -> Result<Manifest, Integrity> {
        let odd = || bad("it is not in canonical form: something else than this version of tieline wrote it");
        let mut manifest: Manifest = read(&self.frame)?;
        let frame_is_right = manifest.is_written_as(&self.frame);
        let last = self.lines.len() - 1;
        let one = |index: usize, line: &&[u8]| {
            let line = line.strip_prefix(b"    \"").ok_or_else(odd)?;
            let line = if index == last { line } else { line.strip_suffix(b",").ok_or_else(odd)? };
            let end = line.iter().position(|byte| *byte == b'"').ok_or_else(odd)?;
            let (id, rest) = line.split_at(end);
            let id = std::str::from_utf8(id).ok().filter(|id| is_instance(id)).ok_or_else(odd)?;
            let bytes = rest.strip_prefix(b"\": ").ok_or_else(odd)?;
            let sealed: Sealed = read(bytes)?;
            let mut compare = Compare { left: bytes };
            let same = serde_json::to_writer(&mut compare, &sealed).is_ok() && compare.left.is_empty();
            if same { Ok((id.to_owned(), sealed)) } else { Err(odd()) }
        };
        let read: Result<Vec<_>, Integrity> = parallel::map(&self.lines, one).into_iter().collect();
        let mut read = read?;
        // Neighbours are mostly alike: what they have in common is in memory once.
        for at in 1..read.len() {
            let (before, rest) = read.split_at_mut(at);
            if let (Some((_, before)), Some((_, next))) = (before.last(), rest.first_mut()) {
                next.record.share(&before.record);
            }
        }
        if !frame_is_right || !read.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(odd());
        }
        manifest.connections = read.into_iter().collect();
        Ok(manifest)
    }
}

/// The error of `serde_json` may quote a value; where it is tells enough.
pub(super) fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Integrity> {
    serde_json::from_slice(bytes)
        .map_err(|e| bad(&format!("it has not the form of one, line {}, column {}", e.line(), e.column())))
}

/// A writer that takes nothing but what is expected.
pub(super) struct Compare<'b> {
    /// What is still to come.
    pub(super) left: &'b [u8],
}

impl<'b> Compare<'b> {
    /// Expects these bytes.
    pub(super) fn with(bytes: &'b [u8]) -> Self {
        Self { left: bytes }
    }
}

impl io::Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.strip_prefix(bytes).ok_or_else(|| io::Error::other("something else"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a value in the one spelling.
pub(super) fn written(value: &impl Serialize, to: impl io::Write) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, Lines::default()))
}

/// JSON with a line for each field of the whole and of its maps, so that two manifests differ in the lines of the
/// connections that do; what is deeper stands on its line without a blank.
#[derive(Default)]
struct Lines {
    depth: usize,
    filled: bool,
}

impl Lines {
    /// Maps at most this deep have a line for each entry.
    const DEEPEST: usize = 2;

    fn line(&self, writer: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.filled && self.depth < Self::DEEPEST {
            self.line(writer)?;
        }
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if self.depth <= Self::DEEPEST { self.line(writer) } else { Ok(()) }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.depth <= Self::DEEPEST { b": " } else { b":" })
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}
