//! Two changed copies of a secrets file -> one: values by name, not lines of ciphertext.
//!
//! Takes the texts of the common ancestor and of both sides, opens all three, gives the merged file under a seal that
//! holds. What both sides changed differently stands in the result twice, both sealed: ours under its name, theirs under
//! the name with [`UNMERGED`] behind it, which `validate` refuses until somebody chose.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Sealing, renewed};
use super::{NameOf, Unopened, foreign, random, unopened};
use crate::secret::Secret;
use crate::sops::{Encrypted, Identities, Map, Recipient, SopsError, Value};
use crate::workspace::secrets::{SCOPE, UNMERGED, visible};

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
    /// For each conflict, the name that the other value has: with [`UNMERGED`] behind it, twice where an earlier merge left
    /// one of that name.
    pub beside: Vec<String>,
    /// Names that came from theirs.
    pub taken: Vec<String>,
    /// Recipients that one of the sides did not have, and the merged file has.
    pub newcomers: Vec<String>,
    /// Recipients of ours who left on theirs: the merged file is no longer sealed to them.
    pub leavers: Vec<String>,
    /// Recipients that came on a side which does not count, and where they stand: the merged file is not sealed to them.
    pub left_out: Vec<(String, Stands)>,
}

/// Which sides have a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Ours alone.
    Ours,
    /// Theirs alone.
    Theirs,
    /// Both, and the common ancestor has not.
    Both,
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

/// How the result is written.
pub struct How<'h> {
    /// The file, for messages.
    pub path: &'h str,
    /// Who opens the sides.
    pub identities: &'h Identities,
    /// Ours may keep its data key: nobody else made it.
    pub keep: bool,
    /// Who came on our side is sealed to: its entries are the operator's own, or accepted. A block says what somebody wrote
    /// into it, and what comes from the other side would be sealed to that.
    pub ours_count: bool,
    /// The same of theirs.
    pub theirs_count: bool,
    /// The time of writing: RFC 3339, whole seconds, `Z`.
    pub time: &'h str,
    /// Names for people.
    pub name_of: &'h NameOf<'h>,
}

/// Merges.
///
/// # Errors
/// One of the files does not open, holds something else than strings at the top, or could not be written; or its rule would
/// leave a value in clear.
pub fn merge(sides: &Sides<'_>, how: &How<'_>) -> Result<Merged, Unopened> {
    let How { path, identities, time, name_of, .. } = *how;
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
    let theirs_scope = other.get(SCOPE).map(|scope| Secret::new(scope.expose().clone()));
    let Resolved { actions, conflicts, beside, taken } = resolve(&old, &mine, other);
    let (now, other) = (recipients(&ours), recipients(&theirs));
    let (wanted, left_out) = sealed_to(&base, (&now, how.ours_count), (&other, how.theirs_count));
    if wanted.is_empty() {
        return Err(for_nobody(path));
    }
    let newcomers = wanted.iter().filter(|key| !now.contains(*key) || !other.contains(*key)).cloned().collect();
    let left = |key: &&String| !wanted.contains(*key) && left_out.iter().all(|(out, _)| out != *key);
    let leavers = now.iter().filter(left).cloned().collect();
    let to: Vec<Recipient> =
        wanted.iter().map(|key| key.parse()).collect::<Result<_, SopsError>>().map_err(|e| failed(&e))?;
    let entries = |file: &Encrypted<'_>| file.metadata().entries.clone();
    let scope = mine.get(SCOPE).or(theirs_scope.as_ref());
    let in_clear = actions.iter().find(|(name, value)| value.is_some() && !ours.seals(name)).map(|(name, _)| name);
    // Of two sides that are sealed to the same, one may have a new data key, which is not to be undone.
    let text = if how.keep && wanted == now && entries(&ours) == entries(&theirs) && in_clear.is_none() {
        let mut edit = ours.edit(identities).map_err(|e| failed(&e))?;
        for (name, value) in actions {
            match value {
                Some(value) => edit.set(&[&name], value).map(drop),
                None => edit.unset(&[&name]).map(drop),
            }
            .map_err(|e| failed(&e))?;
        }
        edit.finish(time, &mut random).map_err(|e| failed(&e))?.unwrap_or_else(|| sides.ours.to_owned())
    } else {
        let mut clear = ours.clear(identities).map_err(|e| failed(&e))?;
        let outside = in_clear.cloned();
        for (name, value) in actions {
            match value {
                Some(value) => clear.put(&name, &value),
                None => clear.remove(&name),
            }
        }
        match (scope, outside) {
            // One of ours: its rule is ours to choose.
            (Some(scope), _) => {
                let scope = scope.expose();
                let sealing = Sealing { text: None, path, scope, recipients: &to, renew: true, time, name_of };
                renewed(&ours, &mut clear, &sealing)?
            }
            (None, Some(name)) => return Err(left_in_clear(path, &name)),
            (None, None) => {
                ours.with_new_key(&clear, &ours.settings(&to, time), &mut random).map_err(|e| failed(&e))?
            }
        }
    };
    Ok(Merged { text, conflicts, beside, taken, newcomers, leavers, left_out })
}

/// Merges texts that are not encrypted: what one side left alone is the other's; else all between the first and the last line
/// that differ stands there twice, between conflict markers, as from Git. Gives the text, and whether there are none.
pub fn merge_in_clear(sides: &Sides<'_>) -> (String, bool) {
    let Sides { base, ours, theirs } = *sides;
    if ours == theirs || base == theirs {
        return (ours.to_owned(), true);
    }
    if base == ours {
        return (theirs.to_owned(), true);
    }
    let (one, other): (Vec<&str>, Vec<&str>) =
        (ours.split_inclusive('\n').collect(), theirs.split_inclusive('\n').collect());
    let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let rest = one[same..].iter().rev().zip(other[same..].iter().rev());
    let end = rest.take_while(|(one, other)| one == other).count();
    let mut text = one[..same].concat();
    let mut put = |marker: &str, lines: &[&str]| {
        text.push_str(marker);
        text.push('\n');
        text.push_str(&lines.concat());
        if !text.ends_with('\n') {
            text.push('\n');
        }
    };
    put("<<<<<<< ours", &one[same..one.len() - end]);
    put("=======", &other[same..other.len() - end]);
    put(">>>>>>> theirs", &one[one.len() - end..]);
    (text, false)
}

/// Whom the merged file is sealed to, and who is left out. A side is its recipients, and whether who came there counts.
fn sealed_to(
    base: &BTreeSet<String>,
    ours: (&BTreeSet<String>, bool),
    theirs: (&BTreeSet<String>, bool),
) -> (BTreeSet<String>, Vec<(String, Stands)>) {
    let (mut wanted, mut left_out) = (BTreeSet::new(), Vec::new());
    for key in ours.0.union(theirs.0) {
        let stands = match (ours.0.contains(key), theirs.0.contains(key)) {
            (true, true) => Stands::Both,
            (true, false) => Stands::Ours,
            (false, _) => Stands::Theirs,
        };
        let counts = (ours.1 && stands != Stands::Theirs) || (theirs.1 && stands != Stands::Ours);
        // Without an ancestor there is nothing that both could have it from.
        let known = base.contains(key) || (base.is_empty() && stands == Stands::Both);
        match (known, stands) {
            (true, Stands::Both) => drop(wanted.insert(key.clone())),
            // Who left on one side leaves.
            (true, _) => {}
            (false, _) if counts => drop(wanted.insert(key.clone())),
            (false, _) => left_out.push((key.clone(), stands)),
        }
    }
    (wanted, left_out)
}

fn for_nobody(path: &str) -> Unopened {
    Unopened {
        path: path.to_owned(),
        reason: "the sides have no recipient in common that is to stay".into(),
        help: "merge it by hand: `sops decrypt` both sides".into(),
        integrity: false,
    }
}

fn left_in_clear(path: &str, name: &str) -> Unopened {
    Unopened {
        path: path.to_owned(),
        reason: format!("the rule in its `sops` block would leave `{}` in clear", visible(name)),
        help: "merge it by hand: `sops decrypt` both sides".into(),
        integrity: false,
    }
}

/// What is to be done to ours, what is in conflict, and what is theirs.
#[derive(Default)]
struct Resolved {
    actions: Vec<(String, Option<Secret<String>>)>,
    conflicts: Vec<(String, Conflict)>,
    beside: Vec<String>,
    taken: Vec<String>,
}

fn resolve(old: &Values, mine: &Values, mut other: Values) -> Resolved {
    let same = |a: Option<&Secret<String>>, b: Option<&Secret<String>>| match (a, b) {
        (Some(a), Some(b)) => a.expose() == b.expose(),
        (None, None) => true,
        _ => false,
    };
    let names: BTreeSet<String> = old.keys().chain(mine.keys()).chain(other.keys()).cloned().collect();
    let mut resolved = Resolved::default();
    for name in &names {
        let (before, ours) = (old.get(name), mine.get(name));
        let theirs = other.remove(name);
        if same(before, theirs.as_ref()) || same(ours, theirs.as_ref()) {
            continue;
        }
        if same(before, ours) {
            resolved.taken.push(name.clone());
            resolved.actions.push((name.clone(), theirs));
            continue;
        }
        // Where one side removed it, the value is what can't be got back: it stays, marked as an open question.
        let (conflict, marked) = match (ours, theirs) {
            (Some(_), Some(theirs)) => (Conflict::BothChanged, theirs),
            (None, Some(theirs)) => (Conflict::OursRemoved, theirs),
            (Some(ours), None) => (Conflict::TheirsRemoved, Secret::new(ours.expose().clone())),
            (None, None) => continue,
        };
        let mut beside = format!("{name}{UNMERGED}");
        // A value that an earlier merge left is not to be lost.
        while names.contains(&beside) {
            beside.push_str(UNMERGED);
        }
        resolved.actions.push((beside.clone(), Some(marked)));
        resolved.conflicts.push((name.clone(), conflict));
        resolved.beside.push(beside);
    }
    resolved
}

fn values(data: Vec<Map>, path: &str) -> Result<Values, Unopened> {
    let mut values = Values::new();
    for (name, value) in data.into_iter().flatten() {
        let Value::Str(value) = value else {
            return Err(Unopened {
                path: path.to_owned(),
                reason: format!("`{}` is no string at the top: only flat files of strings are merged", visible(&name)),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Words of `name=value`.
    fn read(text: &str) -> Values {
        let pairs = text.split_whitespace().map(|word| word.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).collect()
    }

    #[test]
    fn e2_11_what_one_side_changed_is_taken_and_what_both_did_is_asked() {
        use Conflict::{BothChanged, OursRemoved, TheirsRemoved};
        for (old, mine, other, actions, conflicts, taken) in [
            ("A=1", "A=1", "A=1", "", vec![], ""),
            ("A=1 B=1", "A=1 B=2", "A=2 B=1", "A=2", vec![], "A"),
            ("A=1", "A=1", "", "A", vec![], "A"),
            ("", "", "A=1", "A=1", vec![], "A"),
            ("A=1", "", "A=1", "", vec![], ""),
            ("A=1", "", "", "", vec![], ""),
            ("A=1", "A=2", "A=2", "", vec![], ""),
            ("", "A=2", "A=2", "", vec![], ""),
            ("A=1", "A=2", "A=3", "A__theirs=3", vec![BothChanged], ""),
            ("", "A=2", "A=3", "A__theirs=3", vec![BothChanged], ""),
            ("A=1", "", "A=3", "A__theirs=3", vec![OursRemoved], ""),
            ("A=1", "A=2", "", "A__theirs=2", vec![TheirsRemoved], ""),
            ("A__theirs=0", "A=2 A__theirs=0", "A=3 A__theirs=0", "A__theirs__theirs=3", vec![BothChanged], ""),
        ] {
            let resolved = resolve(&read(old), &read(mine), read(other));
            let word = |(name, value): &(String, Option<Secret<String>>)| {
                value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={}", value.expose()))
            };
            let case = format!("{old:?}, {mine:?}, {other:?}");
            assert_eq!(resolved.actions.iter().map(word).collect::<Vec<_>>().join(" "), actions, "{case}");
            assert_eq!(
                resolved.conflicts.iter().map(|(_, conflict)| *conflict).collect::<Vec<_>>(),
                conflicts,
                "{case}"
            );
            assert_eq!(resolved.taken.join(" "), taken, "{case}");
            assert_eq!(resolved.beside.len(), conflicts.len(), "{case}");
        }
    }

    #[test]
    fn e2_11_who_came_on_a_side_that_counts_is_sealed_to_and_who_left_is_not() {
        let set = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        for (base, ours, theirs, counts, wanted, left_out) in [
            ("a", "a", "a", (false, false), "a", vec![]),
            ("a b", "a", "a b", (true, true), "a", vec![]),
            ("a b", "a b", "a", (true, true), "a", vec![]),
            ("a b", "a", "a", (true, true), "a", vec![]),
            ("a", "a b", "a", (true, false), "a b", vec![]),
            ("a", "a b", "a", (false, true), "a", vec![("b", Stands::Ours)]),
            ("a", "a", "a c", (false, true), "a c", vec![]),
            ("a", "a", "a c", (true, false), "a", vec![("c", Stands::Theirs)]),
            ("a", "a d", "a d", (true, false), "a d", vec![]),
            ("a", "a d", "a d", (false, true), "a d", vec![]),
            ("a", "a d", "a d", (false, false), "a", vec![("d", Stands::Both)]),
            ("", "a b", "a c", (false, false), "a", vec![("b", Stands::Ours), ("c", Stands::Theirs)]),
            ("", "a b", "a c", (true, true), "a b c", vec![]),
        ] {
            let (ours, theirs) = (set(ours), set(theirs));
            let found = sealed_to(&set(base), (&ours, counts.0), (&theirs, counts.1));
            let left_out: Vec<(String, Stands)> = left_out.iter().map(|(key, at)| ((*key).to_owned(), *at)).collect();
            assert_eq!(found, (set(wanted), left_out), "{base:?}, {ours:?}, {theirs:?}, {counts:?}");
        }
    }

    #[test]
    fn e2_11_texts_in_clear_are_merged_as_git_does() {
        for (base, ours, theirs, text, whole) in [
            ("a\n", "b\n", "b\n", "b\n", true),
            ("a\n", "b\n", "a\n", "b\n", true),
            ("a\n", "a\n", "b\n", "b\n", true),
            ("a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n", "a\n<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\nc\n", false),
            ("", "x", "y", "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n", false),
            ("b\n", "a\na\n", "a\n", "a\n<<<<<<< ours\na\n=======\n>>>>>>> theirs\n", false),
        ] {
            assert_eq!(merge_in_clear(&Sides { base, ours, theirs }), (text.to_owned(), whole), "{ours:?} {theirs:?}");
        }
    }
}
