//! A sops file from elsewhere, taken into a layer: opened, checked, tied to its new place.

use super::change::{Action, Sealing, change, renewed};
use super::{NameOf, Unopened, unopened};
use crate::sops::{Encrypted, Format, Identities, Value};
use crate::workspace::secrets::{SCOPE, visible};
use crate::workspace::settings::is_name;

/// A foreign file, opened.
pub struct Foreign {
    /// Its secrets.
    pub values: Vec<(String, crate::secret::Secret<String>)>,
    /// The place it says it was sealed for; a file that other tools made says none.
    pub scope: Option<String>,
    /// Whom it says it is sealed to.
    pub recipients: Vec<String>,
}

/// Opens a foreign file; its MAC is verified.
///
/// # Errors
/// It does not open, or holds what can't be a secret: the reason names every such key.
pub fn open(
    path: &str,
    text: &str,
    format: Format,
    identities: &Identities,
    name_of: &NameOf<'_>,
) -> Result<Foreign, Unopened> {
    let failed = |error| unopened(path, &error, name_of);
    let file = Encrypted::parse_as(text, format).map_err(failed)?;
    let opened = file.open(identities).map_err(failed)?;
    let recipients = file.metadata().recipients.iter().map(|entry| entry.recipient.trim().to_owned()).collect();
    let mut foreign = Foreign { values: Vec::new(), scope: None, recipients };
    let mut odd = Vec::new();
    for (name, value) in opened.into_iter().flatten() {
        match value {
            Value::Str(value) if name == SCOPE => foreign.scope = Some(value.expose().clone()),
            Value::Str(value) if is_name(&name) && !value.expose().is_empty() => foreign.values.push((name, value)),
            value => odd.push(format!("`{}` {}", visible(&name), what_is_odd(&name, &value))),
        }
    }
    if odd.is_empty() {
        return Ok(foreign);
    }
    Err(Unopened {
        path: path.to_owned(),
        reason: format!("it opens, and holds what can't be a secret here: {}", odd.join("; ")),
        help: "a secrets file is one flat map of names (letters, digits, `_`) to strings: change it with `sops edit`, then \
               adopt it"
            .into(),
        integrity: false,
    })
}

fn what_is_odd(name: &str, value: &Value) -> &'static str {
    match value {
        Value::Map(_) | Value::List(_) => "is nested",
        _ if !is_name(name) => "can't be a name",
        Value::Null => "is null",
        Value::Str(_) => "is empty",
        _ => "is no string",
    }
}

/// The text of a layer's file with a foreign file's values in it.
///
/// # Errors
/// The layer's own file does not open, or has another value for a name: the reason lists the names.
pub fn into(sealing: &Sealing<'_>, foreign: Foreign, identities: &Identities) -> Result<Option<String>, Unopened> {
    let names: Vec<String> = foreign.values.iter().map(|(name, _)| name.clone()).collect();
    let actions: Vec<Action> = foreign.values.into_iter().map(|(name, value)| (name, Some(value))).collect();
    let sealing = &Sealing { renew: true, ..*sealing };
    let (text, outcomes) = change(sealing, actions, identities)?;
    let replaced = names.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == super::change::Outcome::Replaced);
    let replaced: Vec<&str> = replaced.map(|(name, _)| name.as_str()).collect();
    if replaced.is_empty() {
        return Ok(text);
    }
    Err(Unopened {
        path: sealing.path.to_owned(),
        reason: format!("it has other values for {}", replaced.join(", ")),
        help: "remove them from one of the files first: `tieline secret unset NAME -e ENV`".into(),
        integrity: false,
    })
}

/// The text of a layer's own file, tied to the layer and sealed to its recipients under a new data key: all that a move or a
/// foreign tool left undone. What it holds was looked at with [`open`].
///
/// # Errors
/// It does not open.
pub fn in_place(sealing: &Sealing<'_>, text: &str, identities: &Identities) -> Result<String, Unopened> {
    let failed = |error| unopened(sealing.path, &error, sealing.name_of);
    let encrypted = Encrypted::parse(text).map_err(failed)?;
    let mut clear = encrypted.clear(identities).map_err(failed)?;
    renewed(&encrypted, &mut clear, sealing)
}
