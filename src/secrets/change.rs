//! Values of a secrets file, changed.

use super::{NameOf, Unopened, foreign, random, unopened};
use crate::secret::Secret;
use crate::sops::{Change, Encrypted, Map, Recipient, Rule, Settings, SopsError, Value, encrypt};
use crate::workspace::secrets::SCOPE;

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there with this value, or was not there.
    Unchanged,
    /// It replaces another value.
    Replaced,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

/// A layer's secrets file, and how it is to be sealed.
pub struct Sealing<'a> {
    /// The file's text; `None` where there is none yet.
    pub text: Option<&'a str>,
    /// Its path, for messages.
    pub path: &'a str,
    /// [`super::scope`] of the layer.
    pub scope: &'a str,
    /// Whom it is to be sealed to.
    pub recipients: &'a [Recipient],
    /// RFC 3339, whole seconds, `Z`.
    pub time: &'a str,
    /// Names for people.
    pub name_of: &'a NameOf<'a>,
}

/// A secret and its new value; `None` removes it.
pub type Action = (String, Option<Secret<String>>);

/// Sets and removes secrets; gives the file's new text, or `None` where nothing changes, and what became of each.
///
/// The data key and all other values stay as they are, byte for byte, unless the recipients changed: then everything is
/// sealed anew, so that who was removed can't open what comes.
///
/// # Errors
/// The file does not open, belongs to another place, or could not be written.
pub fn change(
    sealing: &Sealing<'_>,
    actions: Vec<Action>,
    identities: &crate::sops::Identities,
) -> Result<(Option<String>, Vec<Outcome>), Unopened> {
    let failed = |error: &SopsError| unopened(sealing.path, error, sealing.name_of);
    let Some(text) = sealing.text else {
        let mut data = Vec::new();
        let outcomes = apply(&mut data, actions);
        let sealed = if data.is_empty() { None } else { Some(sealed(data, sealing)?) };
        return Ok((sealed, outcomes));
    };
    let encrypted = Encrypted::parse(text).map_err(|e| failed(&e))?;
    if !same_recipients(&encrypted, sealing.recipients) {
        let opened = encrypted.open(identities).map_err(|e| failed(&e))?;
        belongs(&opened, sealing)?;
        let mut data: Vec<(String, Value)> = opened.into_iter().flatten().filter(|(key, _)| key != SCOPE).collect();
        let outcomes = apply(&mut data, actions);
        return Ok((Some(sealed(data, sealing)?), outcomes));
    }
    let mut edit = encrypted.edit(identities).map_err(|e| failed(&e))?;
    belongs(edit.data(), sealing)?;
    let scoped = edit.data().iter().any(|d| d.get(SCOPE).is_some());
    let mut outcomes = Vec::with_capacity(actions.len());
    for (name, value) in actions {
        let change = match value {
            Some(value) => edit.set(&[&name], value),
            None => edit.unset(&[&name]),
        };
        outcomes.push(match change.map_err(|e| failed(&e))? {
            Change::Unchanged => Outcome::Unchanged,
            Change::Replaced => Outcome::Replaced,
            Change::Added => Outcome::Added,
            Change::Removed => Outcome::Removed,
        });
    }
    if !scoped {
        edit.set(&[SCOPE], Secret::new(sealing.scope.to_owned())).map_err(|e| failed(&e))?;
    }
    let text = edit.finish(sealing.time, &mut random).map_err(|e| failed(&e))?;
    Ok((text, outcomes))
}

/// Whether a file is sealed to these and no others, as it says.
pub fn same_recipients(file: &Encrypted<'_>, wanted: &[Recipient]) -> bool {
    let mut now: Vec<&str> = file.metadata().recipients.iter().map(|r| r.recipient.trim()).collect();
    let mut wanted: Vec<&str> = wanted.iter().map(Recipient::as_str).collect();
    now.sort_unstable();
    wanted.sort_unstable();
    now == wanted
}

/// Whether an opened file was sealed for this place, or says nothing about it.
///
/// # Errors
/// It was sealed for another one.
pub fn belongs(data: &[Map], sealing: &Sealing<'_>) -> Result<(), Unopened> {
    match data.iter().find_map(|d| d.get(SCOPE)).and_then(Value::as_str) {
        Some(found) if found.expose() != sealing.scope => Err(foreign(sealing.path, found.expose())),
        _ => Ok(()),
    }
}

fn apply(data: &mut Vec<(String, Value)>, actions: Vec<Action>) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(actions.len());
    for (name, value) in actions {
        let at = data.iter().position(|(key, _)| *key == name);
        outcomes.push(match (at, value) {
            (Some(at), Some(value)) => {
                let same = data[at].1.as_str().is_some_and(|old| old.expose() == value.expose());
                data[at].1 = Value::Str(value);
                if same { Outcome::Unchanged } else { Outcome::Replaced }
            }
            (None, Some(value)) => {
                data.push((name, Value::Str(value)));
                Outcome::Added
            }
            (Some(at), None) => {
                data.remove(at);
                Outcome::Removed
            }
            (None, None) => Outcome::Unchanged,
        });
    }
    outcomes
}

/// A new secrets file with these values.
///
/// # Errors
/// It could not be written.
pub fn sealed(values: impl IntoIterator<Item = (String, Value)>, sealing: &Sealing<'_>) -> Result<String, Unopened> {
    let mut data = Map::new();
    for (name, value) in values {
        data.push(name, value);
    }
    data.push(SCOPE.to_owned(), Value::from(sealing.scope));
    let settings = Settings {
        rule: &Rule::EncryptedRegex(".*".into()),
        mac_only_encrypted: false,
        recipients: sealing.recipients,
        lastmodified: sealing.time,
    };
    encrypt(&data, &settings, &mut random).map_err(|e| unopened(sealing.path, &e, sealing.name_of))
}

/// The values of a file, as a text to edit: without the scope.
///
/// # Errors
/// The file does not open, or belongs to another place.
pub fn to_edit(sealing: &Sealing<'_>, identities: &crate::sops::Identities) -> Result<Secret<String>, Unopened> {
    let failed = |error: &SopsError| unopened(sealing.path, error, sealing.name_of);
    let Some(text) = sealing.text else { return Ok(Secret::new(String::new())) };
    let encrypted = Encrypted::parse(text).map_err(|e| failed(&e))?;
    let mut clear = encrypted.clear(identities).map_err(|e| failed(&e))?;
    belongs(clear.data(), sealing)?;
    clear.remove(SCOPE);
    let text = clear.text(crate::sops::Format::Yaml).map_err(|e| failed(&e))?;
    Ok(if text.expose().trim() == "{}" { Secret::new(String::new()) } else { text })
}
