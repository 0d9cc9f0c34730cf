//! `secrets.sops.yaml`, as far as it shows without a key: which names there are, whether every value is sealed, and to
//! whom. No identity is looked for here.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::is_protected;
use super::settings::is_name;
use super::{Layer, Workspace};
use crate::budget::{self, Cost};
use crate::diagnostic::{Diagnostic, MAX_IN_A_FILE, code, listed};
use crate::digest::Digest;
use crate::sops::{Encrypted, ErrorKind, Leaf, SopsError, Step, Type};
use crate::source::Sources;
use crate::span::{FileId, Span};
use crate::value::Map;
use crate::yaml;

/// The leaf that ties a file to its place: `WORKSPACE_ID/LAYER_PATH`, checked on every opening.
pub const SCOPE: &str = "tieline_scope";

/// What stands behind the name of a value that a merge could not place: both sides had changed it.
pub const UNMERGED: &str = "__theirs";

/// A layer's sealed secrets.
#[derive(Debug)]
pub struct SecretsFile {
    /// The file.
    pub file: FileId,
    /// The secrets by name.
    pub names: BTreeMap<Box<str>, Sealed>,
    /// Whom it says it is sealed to.
    pub recipients: Vec<Box<str>>,
    /// Whether it carries [`SCOPE`].
    pub scoped: bool,
    /// Whether the names are all known: a file that can't be read must not make its secrets unknown.
    pub readable: bool,
}

/// One sealed value.
#[derive(Debug)]
pub struct Sealed {
    /// Where its name stands.
    pub span: Span,
    /// The digest of its ENC text: what anyone with the repository can see of a change. `None` if it is not sealed.
    pub version: Option<Digest>,
}

/// A file that could not be read, which was told: it may have any secret.
pub fn unusable(file: FileId) -> SecretsFile {
    SecretsFile { file, names: BTreeMap::new(), recipients: Vec::new(), scoped: false, readable: false }
}

/// Reads and checks a file without a key.
pub fn read(file: FileId, text: &str, told: &mut Vec<Diagnostic>) -> SecretsFile {
    let mut secrets = unusable(file);
    let encrypted = match Encrypted::parse(text) {
        Ok(encrypted) => encrypted,
        Err(error) => {
            unreadable(&error, text, &mut secrets, told);
            return secrets;
        }
    };
    let metadata = encrypted.metadata();
    secrets.recipients = metadata.recipients.iter().map(|r| r.recipient.trim().into()).collect();
    if let Some(kind) = metadata.unsupported.first() {
        let message = format!("the file has a master key of the kind `{kind}`");
        told.push(
            Diagnostic::error(code::INVALID_SECRETS_FILE, Span::file(file), message)
                .help("tieline opens files that are sealed to age recipients alone: remove the other key"),
        );
    }
    if !metadata.has_mac() {
        told.push(
            Diagnostic::error(code::INVALID_SECRETS_FILE, Span::file(file), "the `sops` block has no `mac`")
                .help("somebody changed the file without the key: restore it from Git, and find out who"),
        );
    }
    match encrypted.leaves() {
        Ok(leaves) => {
            secrets.readable = true;
            // Aliases make many names of a few bytes.
            if !budget::spend(Cost::Values, leaves.len().saturating_sub(text.len() / 8) as u64) {
                told.push(budget::told(Cost::Values, Span::file(file)));
                return secrets;
            }
            for leaf in &leaves {
                take(leaf, &mut secrets, told);
                if told.len() > MAX_IN_A_FILE {
                    break;
                }
            }
        }
        Err(error) => unreadable(&error, text, &mut secrets, told),
    }
    secrets
}

/// Files one leaf under its name.
fn take(leaf: &Leaf<'_>, secrets: &mut SecretsFile, told: &mut Vec<Diagnostic>) {
    let file = secrets.file;
    let span = Span::new(file, leaf.key_range.clone().unwrap_or_else(|| leaf.range.clone()));
    let mut error = |code, message: String, help: &str| told.push(Diagnostic::error(code, span, message).help(help));
    let [Step::Key(name)] = leaf.path.0.as_slice() else {
        // What stands below it may be a value that lost its quotes: `A: {hunter2}`.
        let first = match leaf.path.0.first() {
            Some(Step::Key(name)) => visible(name),
            _ => leaf.path.to_string(),
        };
        let message = format!("`{first}` is nested: the file is one flat map of names to strings");
        error(code::INVALID_SECRETS_FILE, message, "one name a value: DB_PASSWORD, DB_TOKEN");
        return;
    };
    if !is_name(name) {
        let message = format!("`{}` can't be the name of a secret", visible(name));
        error(code::INVALID_SECRETS_FILE, message, "letters, digits and `_`, not starting with a digit");
        return;
    }
    if let Some(of) = name.strip_suffix(UNMERGED) {
        let help =
            "compare them with `tieline secret get`, set the one that is right, then `tieline secret unset` this one";
        error(code::INVALID_SECRETS_FILE, format!("a merge left another value of `{of}` here"), help);
    }
    match leaf.enc {
        None if leaf.empty => {
            let message = format!("`{name}` is empty, and empty values are never encrypted");
            error(code::INVALID_SECRETS_FILE, message, "set it with `tieline secret set`, or remove it");
        }
        None => {
            let message = format!("`{name}` is not encrypted");
            let help = "it is in Git's history now: rotate it, then set the new value with `tieline secret set`";
            error(code::SECRETS_NOT_ENCRYPTED, message, help);
        }
        Some(enc) if enc.kind != Type::Str => {
            let message = format!("`{name}` is sealed as `{}`, secrets are strings", enc.kind.name());
            error(code::INVALID_SECRETS_FILE, message, "quote the value when you edit the file: '5432'");
        }
        Some(enc) if *name != SCOPE => {
            let version = Digest::of(enc.text.as_bytes());
            secrets.names.insert((*name).into(), Sealed { span, version: Some(version) });
            return;
        }
        Some(_) => {
            secrets.scoped = true;
            return;
        }
    }
    // What refers to the name is not to blame.
    secrets.names.insert((*name).into(), Sealed { span, version: None });
}

/// A key that can't be a name, up to where a value may begin that was typed into it: `DB_PASSWORD=hunter2`.
pub fn visible(name: &str) -> String {
    let end = name.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.')).unwrap_or(name.len());
    let (head, rest) = name.split_at(end);
    let shown: String = head.chars().take(64).flat_map(char::escape_default).collect();
    if rest.is_empty() { shown } else { shown + "…" }
}

fn unreadable(error: &SopsError, text: &str, secrets: &mut SecretsFile, told: &mut Vec<Diagnostic>) {
    let file = secrets.file;
    let span = error.range.clone().map_or(Span::file(file), |range| Span::new(file, range));
    if matches!(error.kind, ErrorKind::NoBlock) {
        // Committed in clear. Its names still count, so that one cause is told once.
        let (root, _) = yaml::parse(file, text);
        let entries = root.as_ref().and_then(crate::value::Node::as_map).into_iter().flat_map(Map::iter);
        let mut first = None;
        for entry in entries {
            first = first.or(Some(entry.key_span));
            // What is no name may be a value that was written in its place.
            if is_name(&entry.key) {
                secrets.names.insert(entry.key.clone(), Sealed { span: entry.key_span, version: None });
            }
        }
        secrets.readable = true;
        told.push(
            Diagnostic::error(
                code::SECRETS_NOT_ENCRYPTED,
                first.unwrap_or(span),
                "the file is not encrypted: it has no `sops` block",
            )
            .help(
                "if it was ever committed or pushed, rotate every value in it. Then seal the new ones with \
                 `tieline secret set NAME -e ENV`, or with `sops encrypt -i`",
            ),
        );
        return;
    }
    let message = match error.kind {
        ErrorKind::Empty => "the file is empty".to_owned(),
        _ => format!("not a sops file: {error}"),
    };
    told.push(
        Diagnostic::error(code::INVALID_SECRETS_FILE, span, message)
            .help("restore it from Git, or write it anew with `tieline secret set`"),
    );
}

/// What concerns a secrets file and the settings of its layer.
pub fn check_layers(workspace: &Workspace, told: &mut Vec<Diagnostic>) {
    for (layer, stack) in workspace.layers_with_stacks() {
        let Some(secrets) = &layer.secrets else { continue };
        for (name, binding) in layer.settings.secrets.iter().filter(|(_, b)| b.uri.is_some()) {
            if let Some(sealed) = secrets.names.get(name) {
                let message = format!("`{name}` is bound to a store and stands in the layer's secrets file");
                told.push(
                    Diagnostic::error(code::SECRET_BOUND_TWICE, binding.span, message)
                        .also(sealed.span, "sealed here")
                        .help("keep one of them"),
                );
            }
        }
        check_recipients(&stack, layer, secrets, &workspace.sources, told);
        check_scope(secrets, is_protected(&stack), told);
    }
}

/// A file that other tools made does not say where it belongs.
fn check_scope(secrets: &SecretsFile, protected: bool, told: &mut Vec<Diagnostic>) {
    // A file that is to be mended anyway is sealed anew then, with its place.
    let faulty = told.iter().any(|d| d.span().is_some_and(|s| s.file == secrets.file));
    if secrets.scoped || !secrets.readable || faulty {
        return;
    }
    let message = format!("the secrets file has no `{SCOPE}`: nobody can tell whether it was copied from elsewhere");
    let at = start(secrets);
    let make = if protected { Diagnostic::error } else { Diagnostic::warning };
    told.push(
        make(code::SECRETS_UNSCOPED, at, message)
            .help("`tieline secret adopt -e ENV` checks and adds it; so does the next `tieline secret set` there"),
    );
}

/// Where what concerns the whole file is told: at its first name.
fn start(secrets: &SecretsFile) -> Span {
    let first = secrets.names.values().map(|s| s.span).min().unwrap_or(Span::file(secrets.file));
    Span { end: first.start, ..first }
}

fn check_recipients(
    stack: &[&Layer],
    layer: &Layer,
    secrets: &SecretsFile,
    sources: &Sources,
    told: &mut Vec<Diagnostic>,
) {
    if stack.iter().any(|layer| layer.unusable) {
        return;
    }
    let configured = Workspace::recipients(stack);
    // Names without a key were told where they stand.
    let named: BTreeMap<&str, &str> =
        configured.iter().filter_map(|r| Some((Workspace::public_key(stack, &r.value)?, &*r.value))).collect();
    if named.len() < configured.len() || secrets.recipients.is_empty() {
        return;
    }
    let at = start(secrets);
    if configured.is_empty() {
        let settings = match &layer.settings_file {
            Some(file) => sources.path(Span::file(*file)).to_owned(),
            None => layer.file("profile.yaml"),
        };
        told.push(
            Diagnostic::error(code::RECIPIENTS_DIFFER, at, "the layer has a secrets file, but no recipients")
                .help(format!("name whom it is sealed to in {settings}: `recipients: [NAME]`")),
        );
        return;
    }
    let sealed: BTreeSet<&str> = secrets.recipients.iter().map(|r| &**r).collect();
    let missing: Vec<&str> = named.iter().filter(|(key, _)| !sealed.contains(*key)).map(|(_, name)| *name).collect();
    let all_keys = |key: &str| stack.iter().flat_map(|l| &l.settings.keys).find(|(_, k)| &*k.value == key);
    let extra: Vec<&str> = sealed
        .iter()
        .filter(|key| !named.contains_key(*key))
        .map(|key| all_keys(key).map_or(*key, |(name, _)| &**name))
        .collect();
    let (not, but) = (listed(missing.iter().copied(), 8), listed(extra.iter().copied(), 8));
    let message = match (missing.is_empty(), extra.is_empty()) {
        (true, true) => return,
        (false, true) => format!("the secrets file is not sealed to {not}"),
        (true, false) => format!("the secrets file is sealed to {but} too, not among the layer's recipients"),
        (false, false) => format!("the secrets file is sealed to {but}, and not to the layer's {not}"),
    };
    told.push(
        Diagnostic::error(code::RECIPIENTS_DIFFER, at, message)
            .help("`tieline recipients add NAME` and `remove` seal the files to whom the layers name; so does the next `tieline secret set` there"),
    );
}

/// Secrets in clear, by name.
pub type Plain = BTreeMap<String, crate::secret::Secret<String>>;

/// Reads `NAME: value` lines that a person wrote: YAML, one flat map of names to strings.
///
/// # Errors
/// Every fault with its line; never a value.
pub fn plain(text: &str) -> Result<Plain, Vec<String>> {
    let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let mut plain = Plain::new();
    let entries = match crate::sops::entries(text) {
        Ok(entries) => entries,
        Err(error) if error.kind == ErrorKind::Empty => return Ok(plain),
        Err(error) => {
            let at = error.range.as_ref().map_or(1, |range| line(range.start));
            let fault =
                format!("line {at}: {}: write `NAME: value`, in quotes what has `: ` or ` #` in it", error.kind);
            return Err(vec![fault]);
        }
    };
    let mut faults = Vec::new();
    for entry in entries {
        let (at, name) = (line(entry.key_range.start), entry.key);
        if !is_name(&name) || name == SCOPE {
            faults.push(format!(
                "line {at}: `{}` can't be the name of a secret: letters, digits and `_`",
                visible(&name)
            ));
            continue;
        }
        match entry.value {
            crate::sops::Value::Str(value) if !value.expose().is_empty() => _ = plain.insert(name, value),
            crate::sops::Value::Str(_) | crate::sops::Value::Null => {
                faults.push(format!("line {at}: `{name}` is empty, and empty values are never encrypted"));
            }
            _ => faults.push(format!("line {at}: `{name}` is no string: quote its value")),
        }
    }
    if faults.is_empty() { Ok(plain) } else { Err(faults) }
}
