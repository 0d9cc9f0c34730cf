//! Values of a secrets file, changed.

use super::{NameOf, Unopened, foreign, random, unopened};
use crate::secret::Secret;
use crate::sops::{Change, Clear, Encrypted, Map, Recipient, Rule, Settings, SopsError, Value, encrypt};
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
#[derive(Clone, Copy)]
pub struct Sealing<'a> {
    /// The file's text; `None` where there is none yet.
    pub text: Option<&'a str>,
    /// Its path, for messages.
    pub path: &'a str,
    /// [`super::scope`] of the layer.
    pub scope: &'a str,
    /// Whom it is to be sealed to.
    pub recipients: &'a [Recipient],
    /// Everything is to be encrypted under a new data key: somebody else may know the one it has.
    pub renew: bool,
    /// RFC 3339, whole seconds, `Z`.
    pub time: &'a str,
    /// Names for people.
    pub name_of: &'a NameOf<'a>,
}

/// A secret and its new value; `None` removes it.
pub type Action = (String, Option<Secret<String>>);

/// Sets and removes secrets; gives the file's new text, or `None` where nothing changes, and what became of each.
///
/// The data key and all other values stay as they are, byte for byte, unless the recipients changed or the data key is not
/// to be kept: then everything is encrypted again, so that who knows the old key can't decrypt what comes. The same holds
/// where the rule in the file, which anybody may have written there, would leave a value in clear.
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
        let outcomes = actions.into_iter().map(|(name, value)| added(&mut data, name, value)).collect();
        let sealed = if data.is_empty() { None } else { Some(sealed(data, sealing)?) };
        return Ok((sealed, outcomes));
    };
    let encrypted = Encrypted::parse(text).map_err(|e| failed(&e))?;
    let same = same_recipients(&encrypted, sealing.recipients);
    let sealed = actions.iter().filter(|(_, value)| value.is_some()).all(|(name, _)| encrypted.seals(name));
    if sealing.renew || !same || !sealed || !encrypted.seals(SCOPE) {
        let mut clear = encrypted.clear(identities).map_err(|e| failed(&e))?;
        belongs(clear.data(), sealing)?;
        let outcomes: Vec<Outcome> = actions.into_iter().map(|action| put(&mut clear, action)).collect();
        let idle = same && outcomes.iter().all(|outcome| *outcome == Outcome::Unchanged);
        let text = if idle { None } else { Some(renewed(&encrypted, &mut clear, sealing)?) };
        return Ok((text, outcomes));
    }
    let mut edit = encrypted.edit(identities).map_err(|e| failed(&e))?;
    belongs(edit.data(), sealing)?;
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
    // The same as it has, if it has one.
    edit.set(&[SCOPE], Secret::new(sealing.scope.to_owned())).map_err(|e| failed(&e))?;
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

/// Applies an action to a file that does not exist yet.
fn added(data: &mut Vec<(String, Value)>, name: String, value: Option<Secret<String>>) -> Outcome {
    let Some(value) = value else { return Outcome::Unchanged };
    data.push((name, Value::Str(value)));
    Outcome::Added
}

/// Applies an action to an opened file.
fn put(clear: &mut Clear, (name, value): Action) -> Outcome {
    let old = clear.data().iter().find_map(|document| document.get(&name));
    let same = |value: &Secret<String>| old.and_then(Value::as_str).is_some_and(|old| old.expose() == value.expose());
    let outcome = match (old.is_some(), &value) {
        (true, Some(value)) if same(value) => Outcome::Unchanged,
        (true, Some(_)) => Outcome::Replaced,
        (false, Some(_)) => Outcome::Added,
        (true, None) => Outcome::Removed,
        (false, None) => Outcome::Unchanged,
    };
    match value {
        Some(value) => clear.put(&name, &value),
        None => clear.remove(&name),
    }
    outcome
}

/// The text of a layer's file under a new data key, tied to the layer, and by our rule: all values are encrypted, whatever the
/// file said before. Comments stay.
///
/// # Errors
/// It could not be written.
pub fn renewed(encrypted: &Encrypted<'_>, clear: &mut Clear, sealing: &Sealing<'_>) -> Result<String, Unopened> {
    clear.put(SCOPE, &Secret::new(sealing.scope.to_owned()));
    let text = encrypted.with_new_key(clear, &settings(&all(), sealing), &mut random);
    text.map_err(|error| unopened(sealing.path, &error, sealing.name_of))
}

/// The rule of our files.
fn all() -> Rule {
    Rule::EncryptedRegex(".*".into())
}

fn settings<'s>(rule: &'s Rule, sealing: &Sealing<'s>) -> Settings<'s> {
    Settings { rule, mac_only_encrypted: false, recipients: sealing.recipients, lastmodified: sealing.time }
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
    encrypt(&data, &settings(&all(), sealing), &mut random).map_err(|e| unopened(sealing.path, &e, sealing.name_of))
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
