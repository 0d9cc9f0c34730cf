//! `secrets.sops.yaml` of a layer: opened with an identity, its MAC verified, its place checked.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Unopened;
use crate::secret::Secret;
use crate::sops::{Encrypted, ErrorKind, Identities, Map, Settings, SopsError, Value, encrypt};
use crate::sops::{Recipient, Rule};
use crate::workspace::secrets::SCOPE;
use crate::workspace::{Layer, Workspace};

/// The value of [`SCOPE`] that ties a file to its layer.
pub fn scope(workspace: Uuid, layer: &str) -> String {
    format!("{workspace}/{layer}")
}

/// Opens a layer's secrets.
///
/// # Errors
/// No identity fits, the file was changed, or it belongs to another place.
pub fn open(
    workspace: &Workspace,
    layer: &Layer,
    identities: &Identities,
) -> Result<BTreeMap<String, Secret<String>>, Unopened> {
    let Some(file) = &layer.secrets else { return Ok(BTreeMap::new()) };
    let source = workspace.sources.get(file.file);
    let data = Encrypted::parse(source.text()).and_then(|encrypted| encrypted.open(identities));
    let data = data.map_err(|error| unopened(source.path(), &error))?;
    let id = workspace.root.settings.id.unwrap_or_default();
    take(data, &scope(id, &layer.path)).map_err(|found| foreign(source.path(), &found))
}

/// The values of an opened file; `Err` with the place that it belongs to, if that is another.
fn take(data: Vec<Map>, expected: &str) -> Result<BTreeMap<String, Secret<String>>, String> {
    let mut values = BTreeMap::new();
    for (name, value) in data.into_iter().flatten() {
        let Value::Str(value) = value else { continue };
        if name != SCOPE {
            values.insert(name, value);
        } else if value.expose() != expected {
            return Err(value.expose().clone());
        }
    }
    Ok(values)
}

fn foreign(path: &str, found: &str) -> Unopened {
    let place = found.split_once('/').map_or(found, |(_, layer)| layer);
    let place = if place.is_empty() { "the root of a workspace" } else { place };
    Unopened {
        path: path.to_owned(),
        reason: format!("the file was sealed for `{place}` of the workspace it was made in, not for this place"),
        help: "secrets files can't be copied between layers: set the values here with `tieline secret set`".into(),
        integrity: true,
    }
}

/// Why a file does not open, for people.
pub fn unopened(path: &str, error: &SopsError) -> Unopened {
    let (help, integrity) = match &error.kind {
        ErrorKind::NoIdentity { recipients } => {
            (format!("it is sealed to {}", crate::diagnostic::listed(recipients.iter().map(String::as_str), 4)), false)
        }
        ErrorKind::MacMismatch
        | ErrorKind::MacMissing
        | ErrorKind::MacDoesNotDecrypt
        | ErrorKind::DoesNotDecrypt
        | ErrorKind::BadPlaintext(_) => {
            ("somebody changed it without the key: restore it from Git, and find out who".to_owned(), true)
        }
        _ => ("`tieline validate` tells more".to_owned(), false),
    };
    let reason = match &error.kind {
        ErrorKind::NoIdentity { .. } => "none of your identities opens it".to_owned(),
        _ => error.to_string(),
    };
    Unopened { path: path.to_owned(), reason, help, integrity }
}

/// What became of a value that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there with this value.
    Unchanged,
    /// It replaces another value.
    Replaced,
    /// It is new.
    Added,
}

/// A change of a layer's secrets: what the file is to hold.
pub struct Setting<'a> {
    /// The file's text; `None` where there is none yet.
    pub text: Option<&'a str>,
    /// Its path, for messages.
    pub path: &'a str,
    /// [`scope`] of the layer.
    pub scope: &'a str,
    /// Whom it is to be sealed to.
    pub recipients: &'a [Recipient],
    /// RFC 3339, whole seconds, `Z`.
    pub time: &'a str,
}

/// Sets one secret; gives the file's new text, or `None` where nothing changes.
///
/// The data key and all other values stay as they are, byte for byte, unless the recipients changed: then everything is
/// sealed anew, so that who was removed can't open what comes.
///
/// # Errors
/// The file does not open, belongs to another place, or could not be written.
pub fn set(
    setting: &Setting<'_>,
    name: &str,
    value: Secret<String>,
    identities: &Identities,
) -> Result<(Option<String>, Outcome), Unopened> {
    let failed = |error: &SopsError| unopened(setting.path, error);
    let Some(text) = setting.text else {
        let mut data = Map::new();
        data.push(name.to_owned(), Value::Str(value));
        data.push(SCOPE.to_owned(), Value::from(setting.scope));
        return Ok((Some(sealed(&data, setting)?), Outcome::Added));
    };
    let encrypted = Encrypted::parse(text).map_err(|e| failed(&e))?;
    let belongs = |data: &[Map]| match data.iter().find_map(|d| d.get(SCOPE)).and_then(Value::as_str) {
        Some(found) if found.expose() != setting.scope => Err(foreign(setting.path, found.expose())),
        _ => Ok(()),
    };
    let mut now: Vec<&str> = encrypted.metadata().recipients.iter().map(|r| r.recipient.trim()).collect();
    let mut wanted: Vec<&str> = setting.recipients.iter().map(Recipient::as_str).collect();
    now.sort_unstable();
    wanted.sort_unstable();
    if now != wanted {
        let data = encrypted.open(identities).map_err(|e| failed(&e))?;
        belongs(&data)?;
        let outcome = if data.iter().any(|d| d.get(name).is_some()) { Outcome::Replaced } else { Outcome::Added };
        let kept = data.into_iter().flatten().filter(|(key, _)| key != name && key != SCOPE);
        let mut fresh = Map::new();
        for (key, value) in kept {
            fresh.push(key, value);
        }
        fresh.push(name.to_owned(), Value::Str(value));
        fresh.push(SCOPE.to_owned(), Value::from(setting.scope));
        return Ok((Some(sealed(&fresh, setting)?), outcome));
    }
    let mut edit = encrypted.edit(identities).map_err(|e| failed(&e))?;
    belongs(edit.data())?;
    let scoped = edit.data().iter().any(|d| d.get(SCOPE).is_some());
    let change = edit.set(&[name], value).map_err(|e| failed(&e))?;
    if !scoped {
        edit.set(&[SCOPE], Secret::new(setting.scope.to_owned())).map_err(|e| failed(&e))?;
    }
    let outcome = match change {
        crate::sops::Change::Unchanged => Outcome::Unchanged,
        crate::sops::Change::Added => Outcome::Added,
        _ => Outcome::Replaced,
    };
    let text = edit.finish(setting.time, &mut random).map_err(|e| failed(&e))?;
    Ok((text, outcome))
}

/// A new secrets file.
///
/// # Errors
/// It could not be written.
pub fn sealed(data: &Map, setting: &Setting<'_>) -> Result<String, Unopened> {
    let settings = Settings {
        rule: &Rule::EncryptedRegex(".*".into()),
        mac_only_encrypted: false,
        recipients: setting.recipients,
        lastmodified: setting.time,
    };
    encrypt(data, &settings, &mut random).map_err(|e| unopened(setting.path, &e))
}

/// The operating system's randomness. Without it nothing may be sealed.
pub fn random(buffer: &mut [u8]) {
    #[allow(clippy::expect_used, reason = "a guessable key would be worse than an abort")]
    getrandom::fill(buffer).expect("the operating system gives randomness");
}
