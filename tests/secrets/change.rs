//! Promise: whatever stands in a secrets file, what a change leaves behind is sealed, and says where it belongs.

use tieline::secret::Secret;
use tieline::secrets::change::{Outcome, Sealing, change, to_edit};
use tieline::secrets::generate::Recipe;
use tieline::secrets::merge::{Sides, merge_in_clear};
use tieline::secrets::{nameless, short};
use tieline::sops::{Encrypted, Identities, Map, Recipient, Rule, Settings, Value, encrypt};

use crate::sops::{TIME, key, random};

const PROD: &str = "7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90/environments/prod";

/// A sealed file with these values.
pub(super) fn file(values: &[(&str, &str)], recipients: &[Recipient], regex: &str) -> String {
    let mut data = Map::new();
    for (name, value) in values {
        data.push(*name, Value::Str(Secret::new((*value).to_owned())));
    }
    let rule = Rule::EncryptedRegex(regex.into());
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients, lastmodified: TIME };
    encrypt(&data, &settings, &mut random).unwrap()
}

fn sealing<'a>(text: &'a str, recipients: &'a [Recipient]) -> Sealing<'a> {
    Sealing {
        text: Some(text),
        path: "environments/prod/secrets.sops.yaml",
        scope: PROD,
        recipients,
        renew: false,
        time: "2026-11-22T08:00:00Z",
        name_of: &nameless,
    }
}

/// The file after `A` was given this value.
fn set(text: &str, recipients: &[Recipient], identities: &Identities, value: &str) -> (Option<String>, Outcome) {
    let action = ("A".to_owned(), Some(Secret::new(value.to_owned())));
    let (text, outcomes) = change(&sealing(text, recipients), vec![action], identities).unwrap();
    (text, outcomes[0])
}

fn value(text: &str, identities: &Identities, name: &str) -> Option<String> {
    let data = Encrypted::parse(text).unwrap().open(identities).unwrap();
    data[0].get(name)?.as_str().map(|text| text.expose().clone())
}

#[test]
fn e2_11_a_change_seals_the_scope_whatever_the_file_had() {
    let (me, mine, _) = key();
    let to = [mine];
    let scope = ("tieline_scope", PROD);
    // Without a scope, as stock sops writes it; with one that its rule leaves in clear; sealed.
    let files = [
        (file(&[("A", "1"), ("B", "1")], &to, ".*"), true),
        (file(&[("A", "1"), ("B", "1"), scope], &to, "^(A|B)$"), false),
        (file(&[("A", "1"), ("B", "1"), scope], &to, ".*"), true),
    ];
    for (text, keeps) in &files {
        let (new, outcome) = set(text, &to, &me, "2");
        let new = new.unwrap();
        assert_eq!((outcome, value(&new, &me, "A").as_deref()), (Outcome::Replaced, Some("2")));
        assert_eq!(value(&new, &me, "tieline_scope").as_deref(), Some(PROD), "{new}");
        assert!(new.contains("\ntieline_scope: ENC["), "{new}");
        let enc = text.lines().find(|line| line.starts_with("B: ")).unwrap();
        assert_eq!(new.contains(enc), *keeps, "{new}");
    }
    // The same value again is no change.
    assert_eq!(set(&files[2].0, &to, &me, "1"), (None, Outcome::Unchanged));
    // Nor is it where all would be encrypted again, as a data key that is not to be kept demands.
    let again = |value: &str| {
        let action = ("A".to_owned(), Some(Secret::new(value.to_owned())));
        change(&Sealing { renew: true, ..sealing(&files[2].0, &to) }, vec![action], &me).unwrap().0
    };
    assert_eq!(again("1"), None);
    let new = again("2").unwrap();
    assert!(files[2].0.lines().filter(|line| line.contains("ENC[")).all(|line| !new.contains(line)), "{new}");
}

#[test]
fn e2_11_a_file_with_a_scope_alone_is_edited_as_an_empty_one() {
    let (me, mine, _) = key();
    let to = [mine];
    let text = file(&[("tieline_scope", PROD)], &to, ".*");
    assert_eq!(to_edit(&sealing(&text, &to), &me).unwrap().expose(), "");
    let text = file(&[("A", "1"), ("tieline_scope", PROD)], &to, ".*");
    assert_eq!(to_edit(&sealing(&text, &to), &me).unwrap().expose(), "A: \"1\"\n");
}

#[test]
fn e2_11_a_key_is_told_from_another_by_its_kind_its_end_and_its_comment() {
    let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    let age = "age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s";
    for (key, shown) in [
        (ssh.to_owned(), "ssh-ed25519 …HtZ6isGN"),
        (format!(" {ssh} ana at home\n"), "ssh-ed25519 …HtZ6isGN ana at home"),
        (age.to_owned(), "age1a0x6ea…95t35s"),
        ("a".repeat(24), "aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("a".repeat(25), "aaaaaaaaaa…aaaaaa"),
    ] {
        assert_eq!(short(&key), shown);
    }
}

#[test]
fn e2_11_texts_in_clear_are_merged_where_one_side_alone_changed() {
    let merge = |base, ours, theirs| merge_in_clear(&Sides { base, ours, theirs });
    let (base, one, other) = ("a\nb\nc\n", "a\nB\nc\n", "a\nb\nC\n");
    assert_eq!(merge(base, one, base), (one.to_owned(), true));
    assert_eq!(merge(base, base, one), (one.to_owned(), true));
    assert_eq!(merge(base, one, one), (one.to_owned(), true));
    let (text, whole) = merge(base, one, other);
    assert!(!whole && text.starts_with("a\n<<<<<<<") && text.contains("\nB\nc\n=======\nb\nC\n>>>>>>>"), "{text}");
    // Markers stand on lines of their own, whatever a text ends with.
    let (text, whole) = merge("a", "b", "c");
    assert!(!whole && text.contains("\nb\n=======\nc\n>>>>>>>"), "{text}");
    // What is the same at the end of both is there once.
    let (text, whole) = merge("a\nb\nc\n", "a\nB\nc\n", "a\nX\nc\n");
    assert!(!whole && text.contains("\nB\n=======\nX\n>>>>>>>") && text.ends_with("\nc\n"), "{text}");
}

/// Of 96 letters, the first 64 would come half as often again if bytes were not drawn again.
#[test]
fn e2_11_every_letter_is_as_likely() {
    let letters: Vec<char> = (' '..='~').chain(['§']).collect();
    assert_eq!(letters.len(), 96);
    let recipe = Recipe::parse(&format!("4096,set:{}", letters.iter().collect::<String>())).unwrap();
    let made = recipe.make();
    assert_eq!(made.expose().chars().count(), 4096);
    let first = made.expose().chars().filter(|letter| letters.iter().take(64).any(|one| one == letter)).count();
    assert!((2525..2935).contains(&first), "{first} of 2731");
    assert!(letters.iter().all(|letter| made.expose().contains(*letter)));
    let letters = |count: u32| (0..count).map(|n| char::from_u32(0x4e00 + n).unwrap()).collect::<String>();
    assert!(Recipe::parse(&format!("32,set:{}", letters(128))).is_ok());
    assert!(Recipe::parse(&format!("32,set:{}", letters(129))).is_err());
    assert!(Recipe::parse("64,set:abcdefgh\u{7}").is_err());
    for (recipe, right) in
        [("11,alphanumeric", true), ("10,alphanumeric", false), ("4096,hex", true), ("4097,hex", false)]
    {
        assert_eq!(Recipe::parse(recipe).is_ok(), right, "{recipe}");
    }
}
