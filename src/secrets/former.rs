//! Who may know a file's data key though the file is not sealed to them any more.
//!
//! `updatekeys` hands a data key on as it is. So whoever an earlier version was sealed to can still use the key if that
//! version has the same one: which shows without it, as two files that share a ciphertext share the data key. From one
//! change to the next some values mostly stay, so versions are followed as far as they share one with each other.

use std::collections::{BTreeSet, HashMap};

use crate::sops::{Encrypted, Format, Identities, Metadata};
use crate::world::brought::Former;

/// So many ciphertexts of all versions are compared.
const MAX_LEAVES: usize = 2_000_000;
/// So many versions are opened: each may ask for a hardware token.
const MAX_OPENED: usize = 8;

/// What stands for others than age recipients, who have no name here.
const OTHERS: &str = "others than age recipients";

/// The public keys of those who could decrypt an earlier version under the data key that a file has now, and are not among its
/// recipients; `None` where there are more versions than are compared. `text` is that of `file`.
///
/// Where every value is new, only who holds a key can tell: a version that comes before is opened by `identities`. Where none
/// opens it, whoever it was sealed to counts.
pub fn holders(
    file: &Encrypted<'_>,
    (text, format): (&str, Format),
    versions: &[Former],
    identities: Option<&Identities>,
) -> Option<BTreeSet<String>> {
    let sealed = |version: &Former| {
        let file = Encrypted::parse_as(&version.text, format);
        // Of a version that can't be read, as amid a merge, nobody knows whom it was sealed to.
        file.map_or_else(|_| BTreeSet::from([OTHERS.to_owned()]), |file| sealed_to(file.metadata()))
    };
    let read: Vec<(Vec<&str>, BTreeSet<String>)> =
        versions.iter().map(|version| (leaves(&version.text), sealed(version))).collect();
    let now = sealed_to(file.metadata());
    if read.iter().all(|(_, sealed)| sealed.is_subset(&now)) {
        return Some(BTreeSet::new());
    }
    if read.iter().map(|(leaves, _)| leaves.len()).sum::<usize>() > MAX_LEAVES {
        return None;
    }
    let mut having: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, (leaves, _)) in read.iter().enumerate() {
        leaves.iter().for_each(|leaf| having.entry(leaf).or_default().push(index));
    }
    // Those with the same data key, those that may have it, and those that have another one.
    let (mut same, mut unknown, mut other) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<&str> = leaves(text);
    loop {
        while let Some(leaf) = open.pop() {
            for index in having.remove(leaf).into_iter().flatten().filter(|index| same.insert(*index)) {
                open.extend(&read[index].0);
            }
        }
        let before = same.iter().flat_map(|index| &versions[*index].after);
        let mut before = before.filter(|at| !same.contains(*at) && !unknown.contains(*at) && !other.contains(*at));
        let Some(next) = before.next().copied() else { break };
        let opened = identities.filter(|_| unknown.len() + other.len() < MAX_OPENED);
        match opened.and_then(|identities| has_same_key(file, (&versions[next].text, format), identities)) {
            Some(true) => {
                same.insert(next);
                open.extend(&read[next].0);
            }
            Some(false) => drop(other.insert(next)),
            None => drop(unknown.insert(next)),
        }
    }
    Some(same.union(&unknown).flat_map(|index| read[*index].1.difference(&now)).cloned().collect())
}

/// Whether a version has the data key of a file; `None` where no identity opens both.
fn has_same_key(file: &Encrypted<'_>, (text, format): (&str, Format), identities: &Identities) -> Option<bool> {
    let version = Encrypted::parse_as(text, format).ok()?;
    file.has_key_of(&version, identities).ok()
}

/// What tells the ciphertexts of a file apart from all others: their nonces and tags.
fn leaves(text: &str) -> Vec<&str> {
    let sealed = text.split("ENC[").skip(1).filter_map(|rest| rest.split_once(']'));
    sealed.filter_map(|(leaf, _)| Some(leaf.split_once(",iv:")?.1.rsplit_once(",type:")?.0)).collect()
}

/// Whom a file is sealed to, as its block says.
fn sealed_to(metadata: &Metadata) -> BTreeSet<String> {
    let keys = metadata.recipients.iter().chain(metadata.groups.iter().flatten()).map(|entry| entry.recipient.trim());
    // With another comment behind it, an SSH key is the same.
    let plain = |key: &str| key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let others = metadata.unsupported.iter().map(|_| OTHERS.to_owned());
    keys.map(plain).chain(others).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::digest::Digest;
    use crate::secret::Secret;
    use crate::sops::{Identities, Map, Recipient, Rule, Settings, Value, encrypt, keygen};

    const TIME: &str = "2026-11-20T08:00:00Z";

    fn random(bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }

    fn made(recipients: &[Recipient]) -> String {
        let mut data = Map::new();
        data.push("A", Value::from("a"));
        data.push("B", Value::from("b"));
        let rule = &Rule::EncryptedRegex(".*".into());
        encrypt(&data, &Settings { rule, mac_only_encrypted: false, recipients, lastmodified: TIME }, &mut random)
            .unwrap()
    }

    /// Of versions, each of which came after the one that stands before it.
    fn holders_of(versions: &[&str], text: &str, identities: Option<&Identities>) -> Vec<String> {
        let former = |(place, text): (usize, &&str)| Former {
            text: (*text).to_owned(),
            after: (0..place).rev().take(1).collect(),
        };
        let versions: Vec<Former> = versions.iter().enumerate().map(former).collect();
        let found = holders(&Encrypted::parse(text).unwrap(), (text, Format::Yaml), &versions, identities);
        found.unwrap().into_iter().collect()
    }

    #[test]
    fn e2_11_an_ssh_key_is_the_same_with_another_comment() {
        let sealed = |age: &str| {
            let text = format!(
                "sops: {{version: 3.9.0, lastmodified: '{TIME}', mac: x, age: [{{recipient: {age}, enc: x}}]}}\n"
            );
            sealed_to(Encrypted::parse(&text).unwrap().metadata())
        };
        assert_eq!(sealed("ssh-ed25519 AAAA ana"), sealed("ssh-ed25519 AAAA ben at work"));
        assert_ne!(sealed("ssh-ed25519 AAAA ana"), sealed("ssh-ed25519 BBBB ana"));
    }

    #[test]
    fn versions_are_followed_as_long_as_they_share_a_data_key() {
        let [(own, ana), (_, eve), (_, bob)] = [keygen(), keygen(), keygen()];
        let identities = Identities::parse(own.expose()).unwrap();
        let changed = |text: &str, names: &[&str], to: &[&Recipient]| {
            let file = Encrypted::parse(text).unwrap();
            let mut edit = file.edit(&identities).unwrap();
            for name in names {
                edit.set(&[name], Secret::new(Digest::of(text.as_bytes()).as_str().to_owned())).unwrap();
            }
            let text = edit.finish(TIME, &mut random).unwrap().unwrap();
            let to: Vec<Recipient> = to.iter().map(|&to| to.clone()).collect();
            Encrypted::parse(&text).unwrap().rewrap(&identities, &to).unwrap()
        };
        let first = made(&[ana.clone(), eve.clone()]);
        let second = changed(&first, &["A"], &[&ana, &bob]);
        let third = changed(&second, &["B"], &[&ana]);
        let mut both = [bob.as_str(), eve.as_str()];
        both.sort_unstable();
        assert_eq!(holders_of(&[&first, &second, &third], &third, None), both);
        assert_eq!(holders_of(&[&third, &second, &first], &third, None), both);
        assert_eq!(holders_of(&[], &third, None), [""; 0]);
        // Nothing of the first is left; with a key it shows all the same.
        let whole = changed(&first, &["A", "B"], &[&ana]);
        assert_eq!(holders_of(&[&first, &whole], &whole, Some(&identities)), [eve.as_str()]);
        assert_eq!(holders_of(&[&first, &whole], &whole, None), [eve.as_str()], "nobody can tell");
        let later = changed(&whole, &["A", "B"], &[&ana]);
        assert_eq!(holders_of(&[&first, &whole, &later], &later, Some(&identities)), [eve.as_str()]);
        // Another data key.
        let other = made(std::slice::from_ref(&ana));
        assert_eq!(holders_of(&[&first, &other], &other, Some(&identities)), [""; 0]);
        let own = changed(&other, &["A", "B"], &[&ana]);
        assert_eq!(holders_of(&[&first, &other, &own], &own, None), [""; 0], "what came before that is older");
    }

    /// Each may ask for a hardware token: beyond eight, whoever a version was sealed to counts.
    #[test]
    fn e2_11_eight_versions_are_opened_and_no_more() {
        let [(own, ana), (_, eve)] = [keygen(), keygen()];
        let identities = Identities::parse(own.expose()).unwrap();
        let now = made(std::slice::from_ref(&ana));
        let older = made(&[ana.clone(), eve.clone()]);
        for (count, holder) in [(8, None), (9, Some(eve.as_str()))] {
            let latest = Former { text: now.clone(), after: (1..=count).collect() };
            let versions: Vec<Former> = std::iter::once(latest)
                .chain((0..count).map(|_| Former { text: older.clone(), after: Vec::new() }))
                .collect();
            let file = Encrypted::parse(&now).unwrap();
            let found = holders(&file, (&now, Format::Yaml), &versions, Some(&identities)).unwrap();
            assert_eq!(found.iter().map(String::as_str).next(), holder, "{count} versions");
        }
    }
}
