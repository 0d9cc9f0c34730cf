//! Promise: a file may be opened as a text, edited, sealed to others, or sealed anew, and loses nothing on the way.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;
use std::sync::Arc;

use tieline::secret::Secret;
use tieline::sops::{Ask, Encrypted, ErrorKind, Format, Identities, Map, Rule, Settings, encrypt_text};

use super::data::Data;
use super::vectors::{cases, read, sealed};
use super::{TIME, key, random};

/// Every case that opens: its name, its text, and who opens it.
fn opening() -> impl Iterator<Item = (String, String, Format, Identities)> {
    cases().into_iter().filter_map(|case| {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let (text, format) = sealed(&case);
        let identities = Identities::parse(&read(&case, "identity.txt")).unwrap();
        let opens = Encrypted::parse_as(&text, format).is_ok_and(|file| file.open(&identities).is_ok());
        opens.then_some((name, text, format, identities))
    })
}

fn data(text: &str, format: Format, identities: &Identities) -> Vec<Data> {
    let file = Encrypted::parse_as(text, format).unwrap();
    file.open(identities).unwrap().iter().map(Data::of_map).collect()
}

fn same(a: &[Data], b: &[Data]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.matches(b))
}

#[test]
fn a_file_is_sealed_to_others_and_no_value_changes_a_byte() {
    let (ours, recipient, _) = key();
    let (others, other, _) = key();
    let mut done = 0;
    for (name, text, format, identities) in opening() {
        let file = Encrypted::parse_as(&text, format).unwrap();
        if !file.metadata().groups.is_empty() {
            assert_eq!(
                file.rewrap(&identities, std::slice::from_ref(&recipient)).unwrap_err().kind,
                ErrorKind::KeyGroups,
                "{name}"
            );
            continue;
        }
        let new = file.rewrap(&identities, &[recipient.clone(), other.clone()]).unwrap();
        for identities in [&ours, &others] {
            assert!(
                same(
                    &data(&new, format, identities),
                    &data(&text, format, &Identities::parse(&identities_of(&name)).unwrap())
                ),
                "{name}"
            );
        }
        assert!(Encrypted::parse_as(&new, format).unwrap().open(&identities).is_err(), "{name}: the old one is out");
        let before = Encrypted::parse_as(&text, format).unwrap();
        assert!(
            before.leaves().unwrap().iter().filter_map(|leaf| leaf.enc).all(|enc| new.contains(enc.text)),
            "{name}"
        );
        let kept =
            |text: &str, key: &str| text.lines().find(|line| line.trim_start().starts_with(key)).map(str::to_owned);
        if format == Format::Yaml && !name.starts_with("p45") {
            assert_eq!(kept(&text, "mac:"), kept(&new, "mac:"), "{name}");
            assert_eq!(kept(&text, "lastmodified:"), kept(&new, "lastmodified:"), "{name}");
        }
        done += 1;
    }
    assert!(done > 45, "{done}");
}

fn identities_of(name: &str) -> String {
    let case = cases().into_iter().find(|case| case.ends_with(name)).unwrap();
    read(&case, "identity.txt")
}

#[test]
fn a_file_is_sealed_anew_and_every_ciphertext_is_another() {
    let (ours, recipient, _) = key();
    for (name, text, format, identities) in opening() {
        let file = Encrypted::parse_as(&text, format).unwrap();
        let new = match file.rotate(&identities, std::slice::from_ref(&recipient), TIME, &mut random) {
            Ok(new) => new,
            // What only one release of sops could write is not written again.
            Err(error) => {
                assert!(matches!(error.kind, ErrorKind::Unwritable(_)), "{name}: {error}");
                continue;
            }
        };
        assert!(same(&data(&new, format, &ours), &data(&text, format, &identities)), "{name}\n{new}");
        for enc in file.leaves().unwrap().iter().filter_map(|leaf| leaf.enc) {
            assert!(!new.contains(enc.text), "{name}");
        }
        assert_eq!(file.documents(), Encrypted::parse_as(&new, format).unwrap().documents(), "{name}");
    }
}

#[test]
fn a_text_that_was_opened_and_not_changed_is_not_written() {
    for (name, text, format, identities) in opening() {
        let file = Encrypted::parse_as(&text, format).unwrap();
        let clear = file.clear(&identities).unwrap();
        let text = clear.text(format).unwrap();
        let again = file.with_text(&clear, text.expose(), TIME, &mut random);
        assert_eq!(again.unwrap(), None, "{name}\n{}", text.expose());
    }
}

#[test]
fn an_edited_text_keeps_what_was_not_edited() {
    for (name, text, format, identities) in opening() {
        let file = Encrypted::parse_as(&text, format).unwrap();
        let opened = file.clear(&identities).unwrap();
        let clear = opened.text(format).unwrap();
        let edited = match format {
            Format::Json => clear.expose().replacen('{', "{\"tieline_new\": [1, {\"x\": \"y\"}], ", 1),
            Format::Yaml => format!("# by hand\ntieline_new: [1, {{x: y}}]\n{}", clear.expose()),
        };
        let new =
            file.with_text(&opened, &edited, TIME, &mut random).unwrap_or_else(|e| panic!("{name}: {e}")).unwrap();
        let leaves = file.leaves().unwrap();
        let gone = leaves.iter().filter_map(|leaf| leaf.enc).filter(|enc| !new.contains(enc.text)).count();
        // A comment in a list is not written again.
        let expected = if name.starts_with("p15") { gone } else { 0 };
        assert_eq!(gone, expected, "{name}\n{new}");
        let read = data(&new, format, &identities);
        let Data::Map(entries) = &read[0] else { panic!("{name}") };
        assert_eq!(entries[0].0, "tieline_new", "{name}");
        assert_eq!(entries.len(), 1 + file.open(&identities).unwrap()[0].len(), "{name}");
    }
}

#[test]
fn strings_alone_are_edited_line_by_line() {
    let (identities, recipient, _) = key();
    let rule = Rule::default();
    let settings = Settings {
        rule: &rule,
        mac_only_encrypted: false,
        recipients: &[recipient],
        lastmodified: "2026-11-20T00:00:00Z",
    };
    let plain = "# the first\na: one # and why\nb: |\n  -----BEGIN\n  x\n  -----END\nc: {d: e}\n";
    let (text, left_out) = encrypt_text(plain, Format::Yaml, &settings, &mut random).unwrap();
    assert_eq!(left_out, 0);
    assert!(!text.contains("the first") && !text.contains("and why"), "{text}");
    let file = Encrypted::parse(&text).unwrap();
    let opened = file.clear(&identities).unwrap();
    let clear = opened.text(Format::Yaml).unwrap();
    assert_eq!(clear.expose(), "# the first\n# and why\na: one\nb: |\n  -----BEGIN\n  x\n  -----END\nc:\n    d: e\n");
    let new = file.with_text(&opened, &clear.expose().replace("x\n", "y\n"), TIME, &mut random).unwrap().unwrap();
    let changed: Vec<_> =
        new.lines().filter(|line| !text.contains(line)).map(|line| line.split('[').next().unwrap()).collect();
    assert_eq!(changed, ["b: ENC", "    lastmodified: \"2026-11-21T08:00:00Z\"", "    mac: ENC"]);
}

#[test]
fn comments_in_lists_are_left_out_and_counted() {
    let (identities, recipient, _) = key();
    let rule = Rule::default();
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &[recipient], lastmodified: TIME };
    let (text, left_out) = encrypt_text("l:\n  # one\n  - a # two\n", Format::Yaml, &settings, &mut random).unwrap();
    assert_eq!(left_out, 2);
    let file = Encrypted::parse(&text).unwrap();
    assert_eq!(file.clear(&identities).unwrap().text(Format::Yaml).unwrap().expose(), "l:\n    - a\n");
    let twice = encrypt_text(&text, Format::Yaml, &settings, &mut random).unwrap_err();
    assert_eq!(twice.kind, ErrorKind::ReservedKey);
}

/// The person who knows a passphrase, and counts how often she was asked.
struct Ana(&'static str, std::sync::atomic::AtomicUsize);

impl Ask for Ana {
    fn passphrase(&self, _: &str) -> Option<Secret<String>> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(Secret::new(self.0.to_owned()))
    }

    fn tell(&self, _: &str) {}

    fn confirm(&self, _: &str) -> Option<bool> {
        None
    }
}

fn keygen(folder: &std::path::Path, arguments: &[&str]) -> (String, String) {
    let file = folder.join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-C", "ana@example", "-f"]).arg(&file).args(arguments).output();
    assert!(made.unwrap().status.success());
    let texts = [file.clone(), file.with_extension("pub")].map(|path| fs::read_to_string(path).unwrap());
    let [private, public] = texts;
    (private, public)
}

fn one_secret(recipient: &str) -> String {
    let mut data = Map::new();
    data.push("a", "kelp");
    let recipients = [recipient.parse().unwrap()];
    let settings =
        Settings { rule: &Rule::default(), mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    tieline::sops::encrypt(&data, &settings, &mut random).unwrap()
}

#[test]
fn ssh_keys_of_both_kinds_open_what_is_sealed_to_them() {
    for kind in [["-t", "ed25519", "-N", ""].as_slice(), &["-t", "rsa", "-b", "2048", "-N", ""]] {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = keygen(folder.path(), kind);
        let text = one_secret(&public);
        assert!(text.contains("ana@example"), "the key's comment says whose it is");
        assert!(Encrypted::parse(&text).unwrap().open(&Identities::parse(&private).unwrap()).is_ok(), "{kind:?}");
        let (stranger, _, _) = key();
        let error = Encrypted::parse(&text).unwrap().open(&stranger).err().unwrap();
        assert!(matches!(error.kind, ErrorKind::NoIdentity { .. }));
    }
}

#[test]
fn an_ssh_key_under_a_passphrase_asks_only_for_a_file_that_is_sealed_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = keygen(folder.path(), &["-t", "ed25519", "-N", "tide"]);
    let ana = Arc::new(Ana("tide", 0.into()));
    let ask: Arc<dyn Ask> = ana.clone();
    let identities = Identities::parse_at(&private, "key", &ask).unwrap();
    let (_, other, _) = key();
    assert!(Encrypted::parse(&one_secret(other.as_str())).unwrap().open(&identities).is_err());
    assert_eq!(ana.1.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(Encrypted::parse(&one_secret(&public)).unwrap().open(&identities).is_ok());
}

#[test]
fn a_file_of_identities_under_a_passphrase_asks_once_and_last() {
    let (_, recipient, secret) = key();
    let passphrase = age::secrecy::SecretString::from("tide".to_owned());
    let mut lock = age::scrypt::Recipient::new(passphrase);
    lock.set_work_factor(4);
    let text = age::encrypt_and_armor(&lock, secret.as_bytes()).unwrap();
    let ana = Arc::new(Ana("tide", 0.into()));
    let ask: Arc<dyn Ask> = ana.clone();
    let mut identities = Identities::parse_at(&text, "keys.txt", &ask).unwrap();
    let (ready, other, _) = key();
    identities.extend(ready);
    let asked = || ana.1.load(std::sync::atomic::Ordering::Relaxed);
    assert!(Encrypted::parse(&one_secret(other.as_str())).unwrap().open(&identities).is_ok());
    assert_eq!(asked(), 0);
    for _ in 0..2 {
        assert!(Encrypted::parse(&one_secret(recipient.as_str())).unwrap().open(&identities).is_ok());
    }
    assert_eq!(asked(), 1);
}

/// A72: a file of identities may ask for a year of work; it gets none.
#[test]
fn a72_a_huge_scrypt_work_factor_is_refused_at_once() {
    let header = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- \
                  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let ask: Arc<dyn Ask> = Arc::new(Ana("tide", 0.into()));
    let identities = Identities::parse_at(header, "keys.txt", &ask).unwrap();
    let (_, other, _) = key();
    let start = std::time::Instant::now();
    assert!(Encrypted::parse(&one_secret(other.as_str())).unwrap().open(&identities).is_err());
    assert!(start.elapsed().as_secs() < 5);
}
