//! What an environment says of deploying: where its bundles go, where they are published, how much one apply may delete.
//!
//! None of it names a host: a folder lies in the workspace, a bucket is found by the operator's account and endpoint, and
//! a registry must be the one that the operator names again.

use std::path::{Component, Path, PathBuf};

use super::discover::{TOP, is_segment};
use crate::diagnostic::{Diagnostic, code};
use crate::fields::Fields;
use crate::span::{Span, Spanned};
use crate::value::{Node, Value};

/// Where bundles go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A folder, relative to the workspace.
    Directory(Box<str>),
    /// An object store: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`.
    ObjectStore(Box<str>),
}

/// How much one apply may delete. Each limit that is set is one of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Guards {
    /// Share of the deployed connections, in percent.
    pub max_delete_percent: Option<f64>,
    /// Number of connections.
    pub max_delete_count: Option<u64>,
}

/// The schemes of object stores.
const SCHEMES: [&str; 3] = ["s3://", "gs://", "az://"];

impl Target {
    /// The object store of a URL.
    ///
    /// # Errors
    /// It is none, in words for people.
    pub fn object_store(url: &str) -> Result<Self, &'static str> {
        let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or("an object store is s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let word = |text: &str, more: &[u8]| {
            text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
        };
        if !(3..=63).contains(&bucket.len()) || !word(bucket, b".-_") {
            return Err("the name of a bucket has 3 to 63 lower-case letters, digits, `.`, `-`, `_`");
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() && !prefix.split('/').all(|segment| is_segment(&segment.to_lowercase())) {
            return Err("the prefix is made of letters, digits, `.`, `-`, `_`, with `/` between");
        }
        Ok(Self::ObjectStore(url.strip_suffix('/').unwrap_or(url).into()))
    }

    /// Reads what [`Target::json`] gave.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value.get("kind")?.as_str()? {
            "directory" => {
                value.get("path")?.as_str().filter(|path| is_inside(path)).map(|path| Self::Directory(path.into()))
            }
            "object-store" => Self::object_store(value.get("url")?.as_str()?).ok(),
            _ => None,
        }
    }

    /// As in the trust block.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Directory(path) => serde_json::json!({"kind": "directory", "path": path}),
            Self::ObjectStore(url) => serde_json::json!({"kind": "object-store", "url": url}),
        }
    }
}

/// Whether a path leads to a folder of the workspace.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|segment| is_segment(&segment.to_lowercase()))
}

/// Whether a path lies in what is read as sources of the workspace at `root`, or is `root`: a target there would put its
/// files among them. Links are not followed.
pub fn is_among_sources(root: &Path, path: &Path) -> bool {
    // Some file systems take `Connections` for `connections`.
    let is_source = |name: Component<'_>| TOP.iter().any(|top| name.as_os_str().eq_ignore_ascii_case(top));
    let below = |below: &Path| below.components().next().is_none_or(is_source);
    straight(path).strip_prefix(straight(root)).is_ok_and(below)
}

/// A path without `.` and `..`.
fn straight(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut straight, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                straight.pop();
            }
            component => straight.push(component),
        }
        straight
    })
}

/// Reads `target`.
pub(super) fn target(fields: &mut Fields<'_>) -> Option<Spanned<Target>> {
    let entry = fields.entry("target")?;
    let mut inner = Fields::new(&entry.value, "a target", &["kind", "path", "url"], fields.diagnostics())?;
    let kind = inner.string("kind");
    let (takes, other) = match kind.as_ref().map_or("directory", |kind| kind.value) {
        "directory" => ("path", "url"),
        "object-store" => ("url", "path"),
        _ => {
            let span = kind.map_or_else(|| inner.span(), |kind| kind.span);
            let told = Diagnostic::error(code::INVALID_VALUE, span, "there is no such kind of target")
                .help("`directory` or `object-store`");
            inner.diagnostics().push(told);
            return None;
        }
    };
    if let Some(other) = inner.entry(other) {
        let told =
            Diagnostic::error(code::INVALID_VALUE, other.key_span, format!("this kind of target takes `{takes}`"))
                .help("`kind: directory` has a `path`, `kind: object-store` a `url`");
        inner.diagnostics().push(told);
        return None;
    }
    // An unknown key, which was told, is more likely a misspelt one than one too many.
    if entry.value.as_map().is_some_and(|map| map.iter().all(|entry| matches!(&*entry.key, "kind" | "path" | "url"))) {
        inner.require(takes, entry.value.span, format!("write `{takes}: …`"))?;
    }
    let written = inner.string(takes)?;
    let read = match takes {
        "url" => Target::object_store(written.value).map_err(|why| ("this is no object store", why)),
        _ if is_inside(written.value) && is_among_sources(Path::new(""), Path::new(written.value)) => Err((
            "the target's folder lies among the sources of the workspace",
            "choose a folder of its own, such as `dist`: what an apply writes there would be read as sources",
        )),
        _ if is_inside(written.value) => Ok(Target::Directory(written.value.into())),
        _ => Err((
            "the target's folder must lie in the workspace",
            "a relative path without `..`; an operator may choose any with `--target DIR`",
        )),
    };
    match read {
        Ok(value) => Some(Spanned { value, span: written.span }),
        Err((message, help)) => {
            inner.diagnostics().push(Diagnostic::error(code::INVALID_VALUE, written.span, message).help(help));
            None
        }
    }
}

/// Reads `publish`: a repository of an OCI registry, `HOST[:PORT]/NAME`.
pub(super) fn publish(fields: &mut Fields<'_>) -> Option<Spanned<Box<str>>> {
    let entry = fields.entry("publish")?;
    let mut inner = Fields::new(&entry.value, "a publication", &["oci"], fields.diagnostics())?;
    inner.require("oci", entry.value.span, "write `oci: HOST/NAME`, a repository of an OCI registry")?;
    let oci = inner.string("oci")?;
    if is_repository(oci.value) {
        return Some(Spanned { value: oci.value.into(), span: oci.span });
    }
    let told = Diagnostic::error(code::INVALID_VALUE, oci.span, "this is no repository of an OCI registry")
        .help("`HOST/NAME` in lower case, without a tag: registry.example.com/team/connections");
    inner.diagnostics().push(told);
    None
}

/// Whether a text is `HOST[:PORT]/NAME`, without tag and digest (OCI distribution specification 1.1).
pub fn is_repository(text: &str) -> bool {
    let Some((host, name)) = text.split_once('/') else { return false };
    let (domain, port) = host.split_once(':').map_or((host, None), |(domain, port)| (domain, Some(port)));
    let host = domain.starts_with(|c: char| c.is_ascii_alphanumeric())
        && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && port.is_none_or(|port| port.parse::<u16>().is_ok());
    host && name.len() <= 200 && name.split('/').all(is_segment)
}

/// Reads `guards`.
pub(super) fn guards(fields: &mut Fields<'_>) -> Guards {
    let mut guards = Guards::default();
    let Some(entry) = fields.entry("guards") else { return guards };
    let known = ["max_delete_percent", "max_delete_count"];
    let Some(mut inner) = Fields::new(&entry.value, "guards", &known, fields.diagnostics()) else { return guards };
    if let Some(entry) = inner.entry("max_delete_percent") {
        let percent = match entry.value.value {
            Value::Int(int) => i32::try_from(int).ok().map(f64::from),
            Value::Float(float) => Some(float),
            _ => None,
        };
        guards.max_delete_percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        check(&mut inner, &entry.value, guards.max_delete_percent.is_some(), "a number from 0 to 100");
    }
    if let Some(entry) = inner.entry("max_delete_count") {
        guards.max_delete_count = match entry.value.value {
            Value::Int(int) => u64::try_from(int).ok(),
            _ => None,
        };
        check(&mut inner, &entry.value, guards.max_delete_count.is_some(), "a whole number, 0 or more");
    }
    guards
}

fn check(fields: &mut Fields<'_>, node: &Node, right: bool, expected: &str) {
    if !right {
        let span: Span = node.span;
        let told = Diagnostic::error(code::INVALID_VALUE, span, format!("a guard is {expected}"))
            .help("a guard that can't be read would let everything through");
        fields.diagnostics().push(told);
    }
}
