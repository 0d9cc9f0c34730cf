//! The manifest: everything about a bundle but its secrets, in clear.
//!
//! The deployed manifest is the state; there is no other. It is named by the digest of its bytes, so it has one
//! spelling: whatever [`Manifest::parse`] reads must be what [`Manifest::bytes`] would write, which refuses unknown
//! and repeated keys, other spacing and numbers that do not survive, all with one comparison.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::spelling::{Compare, Parts, read, written};
use super::{Digest, FORMAT, Integrity, Scope, is_record_of};
use crate::model::record::{Desired, Record};

/// A manifest may have this many bytes (256 MiB).
pub const MAX_MANIFEST: usize = 256 << 20;
/// A head may have this many bytes (64 KiB).
pub const MAX_HEAD: usize = 64 << 10;
/// Serials: what every reader of JSON keeps, and far from where the next one would not be higher.
pub const SERIALS: std::ops::Range<u64> = 1..1 << 53;

/// One deployed state of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format: 0.
    pub format: u64,
    /// The workspace's id.
    pub workspace: String,
    /// The environment.
    pub environment: String,
    /// The profile, if any.
    pub profile: Option<String>,
    /// The UUID of the first apply: tells one history from another.
    pub lineage: String,
    /// Counts the applies of a lineage, from 1.
    pub serial: u64,
    /// The manifest before this one.
    pub previous: Option<Digest>,
    /// The desired digest of what was applied.
    pub desired: Digest,
    /// The serial of which this one puts the connections in force again: of a rollback alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<u64>,
    /// The customer that it was cut down to: of an export alone, never of what is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The Git commit that it was compiled from, if there was one.
    pub commit: Option<Commit>,
    /// When it was applied: RFC 3339, UTC, whole seconds. Told, never compared.
    pub time: String,
    /// The version of tieline that applied it.
    pub tool: String,
    /// The trust block.
    pub trust: Value,
    /// What is deployed, by instance.
    pub connections: BTreeMap<String, Sealed>,
}

/// The commit of a work tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Its object id.
    pub id: String,
    /// Whether the work tree differed from it.
    pub dirty: bool,
}

/// One deployed connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Its full record.
    pub record: Record,
    /// Its object.
    pub object: Digest,
}

/// What an environment points to: the only thing in a target that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The manifest in force.
    pub manifest: Digest,
    /// Its serial.
    pub serial: u64,
}

/// A manifest that was read from a target and found whole.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The digest of its bytes.
    pub digest: Digest,
    /// What they say.
    pub manifest: Manifest,
}

impl Deployed {
    /// The head that points here.
    pub fn head(&self) -> Head {
        Head { manifest: self.digest.clone(), serial: self.manifest.serial }
    }
}

impl Manifest {
    /// What it is about.
    pub fn scope(&self) -> Scope {
        Scope {
            workspace: self.workspace.clone(),
            environment: self.environment.clone(),
            profile: self.profile.clone(),
        }
    }

    /// The one spelling: JSON with fields in the order of the type, maps sorted, a line for each connection and a newline at
    /// the end.
    ///
    /// # Errors
    /// None that these types can raise; `serde_json` has the last word.
    pub fn bytes(&self) -> Result<Vec<u8>, Integrity> {
        canonical(self)
    }

    /// Whether these are the bytes that [`Manifest::bytes`] gives; they are not made to be compared.
    pub(super) fn is_written_as(&self, bytes: &[u8]) -> bool {
        let mut compare = Compare::with(bytes);
        written(self, &mut compare).is_ok() && compare.left == b"\n"
    }

    /// The desired digest of what it says; equals `desired` in a manifest that nobody edited.
    ///
    /// # Errors
    /// A workspace id that is no UUID.
    pub fn desired_digest(&self) -> Result<Digest, Integrity> {
        let workspace = self.workspace.parse().map_err(|_| bad("its workspace is no UUID"))?;
        Ok(Desired {
            workspace,
            environment: Arc::from(&*self.environment),
            profile: self.profile.as_deref().map(Arc::from),
            records: self.connections.iter().map(|(id, sealed)| (id.clone(), sealed.record.clone())).collect(),
            trust: self.trust.clone(),
        }
        .digest())
    }

    /// Reads the bytes of a manifest, of at most [`MAX_MANIFEST`].
    ///
    /// # Errors
    /// Anything but what [`Manifest::bytes`] writes, and a format that this version does not know.
    pub fn parse(bytes: &[u8]) -> Result<Self, Integrity> {
        // The field that says whether the others can be understood comes first: the rest need not be looked at.
        let head: Vec<u8> = bytes.iter().take(64).copied().filter(|b| !b.is_ascii_whitespace()).collect();
        let digits = head.strip_prefix(b"{\"format\":").unwrap_or_default();
        let digits = &digits[..digits.iter().take_while(|b| b.is_ascii_digit()).count()];
        let format = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        let format = format.ok_or_else(|| bad("it is not the JSON of a manifest"))?;
        if format > FORMAT {
            return Err(bad(&format!(
                "its format is {format}, newer than this tieline knows ({FORMAT}): update tieline"
            )));
        }
        let odd = || bad("it is not in canonical form: something else than this version of tieline wrote it");
        let manifest = match Parts::of(bytes) {
            Some(parts) => parts.read(),
            None => read::<Self>(bytes).and_then(|whole| whole.is_written_as(bytes).then_some(whole).ok_or_else(odd)),
        }?;
        if !SERIALS.contains(&manifest.serial) {
            return Err(bad(&format!("its serial is {}", manifest.serial)));
        }
        if manifest.customer.is_none() && (manifest.serial == 1) != manifest.previous.is_none() {
            return Err(bad("it does not say which manifest it follows"));
        }
        // One spelling of each, as of everything else in it.
        if !Uuid::try_parse(&manifest.lineage).is_ok_and(|uuid| uuid.to_string() == manifest.lineage) {
            return Err(bad("its lineage is not a UUID"));
        }
        if !manifest.time.parse().is_ok_and(|time: Timestamp| spelled(time) == manifest.time) {
            return Err(bad("its time is not one"));
        }
        for (id, sealed) in &manifest.connections {
            if !is_record_of(id, &sealed.record) {
                return Err(bad("a connection in it is not what its record says"));
            }
        }
        Ok(manifest)
    }
}

impl Head {
    /// The bytes of `head.json`.
    ///
    /// # Errors
    /// As [`Manifest::bytes`].
    pub fn bytes(&self) -> Result<Vec<u8>, Integrity> {
        canonical(self)
    }

    /// Reads the bytes of a head, of at most [`MAX_HEAD`].
    ///
    /// # Errors
    /// Anything but a digest and a serial.
    pub fn parse(bytes: &[u8]) -> Result<Self, Integrity> {
        let head: Option<Self> = serde_json::from_slice(bytes).ok();
        head.filter(|head| SERIALS.contains(&head.serial))
            .ok_or_else(|| Integrity("the head is damaged: it is not {manifest: digest, serial}".to_owned()))
    }
}

/// A time as manifests say it: in UTC, with seconds.
pub fn spelled(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn canonical(value: &impl Serialize) -> Result<Vec<u8>, Integrity> {
    let mut bytes = Vec::new();
    written(value, &mut bytes).map_err(|_| Integrity("not writable as JSON".to_owned()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn bad(why: &str) -> Integrity {
    Integrity(format!("the manifest is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn manifest() -> Manifest {
        let config = json!({"x": 0.1, "y": 123456.789e-7, "z": i64::MIN});
        let record = Record::new([("id", json!("a/b")), ("customer", json!(null)), ("config", config)]);
        Manifest {
            format: 0,
            workspace: "2fc57e25-dce2-4a90-ae69-ae44cb0c8e84".into(),
            environment: "prod".into(),
            profile: None,
            lineage: "00000000-0000-4000-8000-000000000000".into(),
            serial: 1,
            previous: None,
            rollback_of: None,
            customer: None,
            desired: Digest::of(b""),
            commit: None,
            time: "2026-01-02T03:04:05Z".into(),
            tool: "0.1.0".into(),
            trust: json!({}),
            connections: [("a/b".to_owned(), Sealed { record, object: Digest::of(b"o") })].into(),
        }
    }

    #[test]
    fn a_manifest_with_any_number_of_connections_reads_back_and_their_order_counts() {
        let mut many = manifest();
        let one = many.connections.pop_first().unwrap().1;
        for count in [0, 1, 2, 100] {
            many.connections = (0..count)
                .map(|n| {
                    let mut sealed = one.clone();
                    sealed.record["id"] = format!("c{n}").into();
                    (format!("c{n}"), sealed)
                })
                .collect();
            let bytes = many.bytes().unwrap();
            assert_eq!(Manifest::parse(&bytes).unwrap(), many, "{count}");
            assert!(many.is_written_as(&bytes));
        }
        let text = String::from_utf8(many.bytes().unwrap()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.contains("\"c10\"")).unwrap();
        lines.swap(at, at + 1);
        assert!(Manifest::parse(format!("{}\n", lines.join("\n")).as_bytes()).is_err(), "another order");
        lines[at] = lines[at + 1];
        assert!(Manifest::parse(format!("{}\n", lines.join("\n")).as_bytes()).is_err(), "one twice");
    }

    #[test]
    fn a_manifest_has_a_line_for_each_connection() {
        let text = String::from_utf8(manifest().bytes().unwrap()).unwrap();
        let line = text.lines().find(|line| line.contains("\"a/b\": ")).unwrap();
        assert!(line.starts_with("    \"a/b\": {\"record\":{\"config\":{\"x\":0.1,"), "{line}");
        assert!(text.starts_with("{\n  \"format\": 0,\n") && text.ends_with("\n  }\n}\n"), "{text}");
        assert!(text.contains("\n  \"trust\": {},\n"), "{text}");
        // Of maps in maps, the second has lines, and the third has none.
        let mut deeper = manifest();
        deeper.trust = json!({"connectors": {"own": {"a": 1, "b": []}}, "guards": {}});
        let text = String::from_utf8(deeper.bytes().unwrap()).unwrap();
        let lines = "  \"trust\": {\n    \"connectors\": {\"own\":{\"a\":1,\"b\":[]}},\n    \"guards\": {}\n  },\n";
        assert!(text.contains(lines), "{text}");
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), deeper);
    }

    #[test]
    fn e2_11_a_serial_has_its_limits_and_says_what_it_follows() {
        let with = |serial: u64, previous: bool, customer: Option<&str>| {
            let mut one = manifest();
            (one.serial, one.previous) = (serial, previous.then(|| Digest::of(b"p")));
            one.customer = customer.map(Into::into);
            Manifest::parse(&one.bytes().unwrap()).is_ok()
        };
        let most = (1 << 53) - 1;
        for (serial, previous, fine) in [
            (0, false, false),
            (0, true, false),
            (1, false, true),
            (1, true, false),
            (2, true, true),
            (2, false, false),
            (most, true, true),
            (most + 1, true, false),
        ] {
            assert_eq!(with(serial, previous, None), fine, "{serial} {previous}");
        }
        // A manifest of one customer says less.
        assert!(with(2, false, Some("acme")) && !with(0, false, Some("acme")));
    }

    #[test]
    fn a_manifest_has_one_spelling() {
        let bytes = manifest().bytes().unwrap();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("\"format\": 0", "\"format\":  0"),
            ("\"serial\": 1", "\"serial\": 1,\n  \"serial\": 1"),
            ("\"serial\": 1", "\"serial\": 0"),
            ("\"serial\": 1", "\"serial\": 9007199254740992"),
            ("\"serial\": 1", "\"serial\": 18446744073709551615"),
            ("\"x\":0.1", "\"x\":0.10"),
            ("\"x\":0.1", "\"x\":0.2,\"x\":0.1"),
            ("\"trust\"", "\"extra\": 1,\n  \"trust\""),
            ("\"id\":\"a/b\"", "\"id\":\"a/c\""),
            ("sha256:", "sha256:../"),
            ("}\n", "}"),
            ("    \"a/b\"", "  \"a/b\""),
            ("\"a/b\": ", "\"a\\u002fb\": "),
            ("\"a/b\": ", "\"a/b\":"),
            // Behind what is read, up to the line's end.
            ("\"object\"", "\"object\" "),
            ("\"}\n  }\n}\n", "\"} \n  }\n}\n"),
            ("\"}\n  }\n}\n", "\"}\t\n  }\n}\n"),
            ("\n  }\n}\n", ",\n  }\n}\n"),
            ("\n  }\n}\n", "\n  }\n}\n\n"),
            ("\n  \"connections\": {\n", "\n  \"connections\": {\n  \"connections\": {\n"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Manifest::parse(changed.as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn a91_a_newer_format_is_refused_before_anything_else_is_read() {
        let error = Manifest::parse(b"{\"format\": 1, \"whatever\": []}").unwrap_err();
        assert!(error.0.contains("newer than this tieline knows"), "{error}");
        for bad in [&b""[..], b"[]", b"{}", b"{\"format\": -1}", b"\xff", b"{\"format\": 0}"] {
            assert!(Manifest::parse(bad).is_err());
        }
    }

    #[test]
    fn a75_a_path_in_place_of_a_digest_is_no_head() {
        for bad in ["../../x", "sha256:../../x", "/etc/passwd"] {
            let head = json!({"manifest": bad, "serial": 1}).to_string();
            assert!(Head::parse(head.as_bytes()).is_err());
        }
    }
}
