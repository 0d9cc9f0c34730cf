//! Two changed copies of a secrets file -> one: values by name, not lines of ciphertext.
//!
//! Takes the texts of the common ancestor and of both sides, opens all three, gives the merged file under a seal that
//! holds. What both sides changed differently stands in the result twice, both sealed: ours under its name, theirs under
//! the name with [`UNMERGED`] behind it, which `validate` refuses until somebody chose.

use std::collections::{BTreeMap, BTreeSet};

use super::{NameOf, Unopened, foreign, random, unopened};
use crate::secret::Secret;
use crate::sops::{Encrypted, Identities, Map, Recipient, SopsError, Value};
use crate::workspace::secrets::{SCOPE, UNMERGED};

/// The three texts.
pub struct Sides<'t> {
    /// Of the common ancestor; empty where there is none.
    pub base: &'t str,
    /// Ours.
    pub ours: &'t str,
    /// Theirs.
    pub theirs: &'t str,
}

/// A merged file.
pub struct Merged {
    /// Its text.
    pub text: String,
    /// Names that both sides changed differently.
    pub conflicts: Vec<(String, Conflict)>,
    /// Names that came from theirs.
    pub taken: Vec<String>,
    /// Recipients of theirs alone: the merged file is not sealed to them. A block says what somebody wrote into it; who is to
    /// open a file stands in the settings, which are reviewed.
    pub newcomers: Vec<String>,
}

/// What two sides did to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Each gave it another value.
    BothChanged,
    /// Ours removed it, theirs changed it.
    OursRemoved,
    /// Ours changed it, theirs removed it.
    TheirsRemoved,
}

type Values = BTreeMap<String, Secret<String>>;

/// Merges. `path` is for messages, `time` the time of writing.
///
/// # Errors
/// One of the files does not open, holds something else than strings at the top, or could not be written.
pub fn merge(
    sides: &Sides<'_>,
    path: &str,
    identities: &Identities,
    time: &str,
    name_of: &NameOf<'_>,
) -> Result<Merged, Unopened> {
    let failed = |error: &SopsError| unopened(path, error, name_of);
    let open = |text| -> Result<(Encrypted<'_>, Values), Unopened> {
        let file = Encrypted::parse(text).map_err(|e| failed(&e))?;
        let data = file.open(identities).map_err(|e| failed(&e))?;
        Ok((file, values(data, path)?))
    };
    let (ours, mine) = open(sides.ours)?;
    let (theirs, other) = open(sides.theirs)?;
    if let (Some(here), Some(there)) = (mine.get(SCOPE), other.get(SCOPE))
        && here.expose() != there.expose()
    {
        return Err(foreign(path, there.expose()));
    }
    let (base, old) = match sides.base.trim().is_empty() {
        true => (BTreeSet::new(), Values::new()),
        false => {
            let (file, values) = open(sides.base)?;
            (recipients(&file), values)
        }
    };
    let (actions, conflicts, taken) = resolve(&old, &mine, other);
    let (now, other) = (recipients(&ours), recipients(&theirs));
    // Who left on their side leaves. Who came there does not come by this: nobody is sealed to for being named in a block.
    let wanted: BTreeSet<String> =
        now.iter().filter(|key| other.contains(*key) || !base.contains(*key)).cloned().collect();
    let newcomers = other.difference(&now).filter(|key| !base.contains(*key)).cloned().collect();
    let to: Vec<Recipient> =
        wanted.iter().map(|key| key.parse()).collect::<Result<_, SopsError>>().map_err(|e| failed(&e))?;
    let mut edit = ours.edit(identities).map_err(|e| failed(&e))?;
    for (name, value) in actions {
        match value {
            Some(value) => edit.set(&[&name], value).map(drop),
            None => edit.unset(&[&name]).map(drop),
        }
        .map_err(|e| failed(&e))?;
    }
    let edited = edit.finish(time, &mut random).map_err(|e| failed(&e))?.unwrap_or_else(|| sides.ours.to_owned());
    let keys =
        |file: &Encrypted<'_>| -> Vec<String> { file.metadata().recipients.iter().map(|r| r.enc.clone()).collect() };
    // Of two sides that are sealed to the same, one may have a new data key, which is not to be undone.
    let text = if wanted == now && keys(&ours) == keys(&theirs) {
        edited
    } else {
        let file = Encrypted::parse(&edited).map_err(|e| failed(&e))?;
        file.rotate(identities, &to, time, &mut random).map_err(|e| failed(&e))?
    };
    Ok(Merged { text, conflicts, taken, newcomers })
}

type Resolved = (Vec<(String, Option<Secret<String>>)>, Vec<(String, Conflict)>, Vec<String>);

/// What is to be done to ours, what is in conflict, and what is theirs.
fn resolve(old: &Values, mine: &Values, mut other: Values) -> Resolved {
    let same = |a: Option<&Secret<String>>, b: Option<&Secret<String>>| match (a, b) {
        (Some(a), Some(b)) => a.expose() == b.expose(),
        (None, None) => true,
        _ => false,
    };
    let names: BTreeSet<String> = old.keys().chain(mine.keys()).chain(other.keys()).cloned().collect();
    let (mut actions, mut conflicts, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let (before, ours) = (old.get(&name), mine.get(&name));
        let theirs = other.remove(&name);
        if same(before, theirs.as_ref()) || same(ours, theirs.as_ref()) {
            continue;
        }
        if same(before, ours) {
            taken.push(name.clone());
            actions.push((name, theirs));
            continue;
        }
        // Where one side removed it, the value is what can't be got back: it stays, marked as an open question.
        let (conflict, marked) = match (ours, theirs) {
            (Some(_), Some(theirs)) => (Conflict::BothChanged, theirs),
            (None, Some(theirs)) => (Conflict::OursRemoved, theirs),
            (Some(ours), None) => (Conflict::TheirsRemoved, Secret::new(ours.expose().clone())),
            (None, None) => continue,
        };
        actions.push((format!("{name}{UNMERGED}"), Some(marked)));
        conflicts.push((name, conflict));
    }
    (actions, conflicts, taken)
}

fn values(data: Vec<Map>, path: &str) -> Result<Values, Unopened> {
    let mut values = Values::new();
    for (name, value) in data.into_iter().flatten() {
        let Value::Str(value) = value else {
            return Err(Unopened {
                path: path.to_owned(),
                reason: format!(
                    "`{}` is no string at the top: only flat files of strings are merged",
                    name.escape_default()
                ),
                help: "merge it by hand: `sops decrypt` both sides".into(),
                integrity: false,
            });
        };
        values.insert(name, value);
    }
    Ok(values)
}

fn recipients(file: &Encrypted<'_>) -> BTreeSet<String> {
    file.metadata().recipients.iter().map(|entry| entry.recipient.trim().to_owned()).collect()
}
