//! Who may know a file's data key though the file is not sealed to them any more.
//!
//! `updatekeys` hands a data key on as it is. So whoever an earlier version was sealed to can still use the key if that
//! version has the same one: which shows without it, as two files that share a ciphertext share the data key. From one
//! change to the next some values stay, so versions are followed as far as they share one with each other.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::sops::{Encrypted, Format, Metadata};

/// So many ciphertexts of all versions are compared.
const MAX_LEAVES: usize = 2_000_000;

/// What stands for others than age recipients, who have no name here.
const OTHERS: &str = "others than age recipients";

/// The versions that a file has had.
#[derive(Debug, Default)]
pub struct Former {
    versions: Vec<Version>,
    leaves: usize,
}

#[derive(Debug)]
struct Version {
    leaves: Vec<String>,
    holders: BTreeSet<String>,
}

impl Former {
    /// Takes in a version.
    pub fn add(&mut self, text: &str, format: Format) {
        let leaves = leaves(text);
        self.leaves += leaves.len();
        if self.leaves <= MAX_LEAVES {
            let file = Encrypted::parse_as(text, format);
            // Of a version that can't be read, as amid a merge, nobody knows whom it was sealed to.
            let holders = file.map_or_else(|_| BTreeSet::from([OTHERS.to_owned()]), |file| holders(file.metadata()));
            self.versions.push(Version { leaves, holders });
        }
    }

    /// The public keys of those who could decrypt a version with the data key that `text` has, and are not among the recipients
    /// of `file`, which that is the text of. `None` where there are more versions than are compared.
    pub fn holders(&self, file: &Encrypted<'_>, text: &str) -> Option<BTreeSet<String>> {
        if self.leaves > MAX_LEAVES {
            return None;
        }
        let mut having: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, version) in self.versions.iter().enumerate() {
            version.leaves.iter().for_each(|leaf| having.entry(leaf).or_default().push(index));
        }
        let (now, own) = (holders(file.metadata()), leaves(text));
        let (mut found, mut seen) = (BTreeSet::new(), HashSet::new());
        let mut open: Vec<&str> = own.iter().map(String::as_str).collect();
        while let Some(leaf) = open.pop() {
            for index in having.remove(leaf).into_iter().flatten().filter(|index| seen.insert(*index)) {
                let version = &self.versions[index];
                open.extend(version.leaves.iter().map(String::as_str));
                found.extend(version.holders.difference(&now).cloned());
            }
        }
        Some(found)
    }
}

/// What tells the ciphertexts of a file apart from all others: their nonces and tags.
fn leaves(text: &str) -> Vec<String> {
    let sealed = text.split("ENC[").skip(1).filter_map(|rest| rest.split_once(']'));
    let marks = sealed.filter_map(|(leaf, _)| Some(leaf.split_once(",iv:")?.1.rsplit_once(",type:")?.0.to_owned()));
    marks.collect()
}

/// Whom a file is sealed to, as its block says.
fn holders(metadata: &Metadata) -> BTreeSet<String> {
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

    fn holders_of(versions: &[&str], text: &str) -> Vec<String> {
        let mut former = Former::default();
        versions.iter().for_each(|version| former.add(version, Format::Yaml));
        former.holders(&Encrypted::parse(text).unwrap(), text).unwrap().into_iter().collect()
    }

    #[test]
    fn versions_are_followed_as_long_as_they_share_a_ciphertext() {
        let [(own, ana), (_, eve), (_, bob)] = [keygen(), keygen(), keygen()];
        let identities = Identities::parse(own.expose()).unwrap();
        let changed = |text: &str, name: &str, to: &[&Recipient]| {
            let file = Encrypted::parse(text).unwrap();
            let mut edit = file.edit(&identities).unwrap();
            edit.set(&[name], Secret::new("new".into())).unwrap();
            let text = edit.finish(TIME, &mut random).unwrap().unwrap();
            let to: Vec<Recipient> = to.iter().map(|&to| to.clone()).collect();
            Encrypted::parse(&text).unwrap().rewrap(&identities, &to).unwrap()
        };
        let first = made(&[ana.clone(), eve.clone()]);
        let second = changed(&first, "A", &[&ana, &bob]);
        let third = changed(&second, "B", &[&ana]);
        let mut both = [bob.as_str(), eve.as_str()];
        both.sort_unstable();
        assert_eq!(holders_of(&[&first, &second, &third], &third), both);
        assert_eq!(holders_of(&[&third, &second, &first], &third), both);
        assert_eq!(holders_of(&[&first, &third], &third), [""; 0], "nothing of the first is left");
        assert_eq!(holders_of(&[&first, &second], &made(&[ana])), [""; 0], "another data key");
        assert_eq!(holders_of(&[], &third), [""; 0]);
    }
}
