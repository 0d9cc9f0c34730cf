//! Promise: an edit changes what it is asked to change; all other bytes of the file stay, or where the layout forbids
//! that, all other ENC texts.
#![allow(clippy::unwrap_used)]

use tieline::secret::Secret;
use tieline::sops::{Change, Encrypted, ErrorKind, Format, Identities, Map, Rule, Settings, Value, encrypt};

use super::vectors::{cases, read, sealed};
use super::{TIME, key, random};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn set(text: &str, identities: &Identities, path: &[&str], value: &str) -> Option<String> {
    let file = Encrypted::parse(text).unwrap();
    let mut edit = file.edit(identities).unwrap();
    edit.set(path, secret(value)).unwrap();
    edit.finish(TIME, &mut random).unwrap()
}

fn string<'m>(map: &'m Map, path: &[&str]) -> Option<&'m str> {
    let (last, above) = path.split_last()?;
    let map = above.iter().try_fold(map, |map, key| map.get(key)?.as_map())?;
    map.get(last)?.as_str().map(|text| text.expose().as_str())
}

/// The lines of `new` that `old` has not.
fn changed<'t>(old: &str, new: &'t str) -> Vec<&'t str> {
    let old: std::collections::HashSet<_> = old.lines().collect();
    new.lines().filter(|line| !old.contains(line)).map(|line| line.split(['[', '"']).next().unwrap()).collect()
}

fn flat() -> (Identities, String) {
    let (identities, recipient, _) = key();
    let mut data = Map::new();
    for name in ["alpha", "beta", "gamma"] {
        data.push(name, secret(name));
    }
    let mut inner = Map::new();
    inner.push("x", "1");
    data.push("nested", inner);
    let settings = Settings {
        rule: &Rule::default(),
        mac_only_encrypted: false,
        recipients: std::slice::from_ref(&recipient),
        lastmodified: "2026-11-20T00:00:00Z",
    };
    let text = encrypt(&data, &settings, &mut random).unwrap();
    (identities, text)
}

#[test]
fn set_replaces_one_line_and_the_seal() {
    let (identities, text) = flat();
    let new = set(&text, &identities, &["beta"], "changed").unwrap();
    assert_eq!(changed(&text, &new), ["beta: ENC", "    lastmodified: ", "    mac: ENC"]);
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    assert_eq!(string(&data[0], &["beta"]), Some("changed"));
    assert_eq!(string(&data[0], &["alpha"]), Some("alpha"));
}

#[test]
fn set_adds_a_line_before_the_block_or_at_the_end_of_a_nested_map() {
    let (identities, text) = flat();
    let new = set(&text, &identities, &["yes"], "added").unwrap();
    assert_eq!(changed(&text, &new), ["", "    lastmodified: ", "    mac: ENC"]);
    assert!(new.contains("\n\"yes\": ENC["));
    let new = set(&text, &identities, &["nested", "y2"], "added").unwrap();
    assert_eq!(changed(&text, &new), ["    y2: ENC", "    lastmodified: ", "    mac: ENC"]);
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    assert_eq!(string(&data[0], &["nested", "y2"]), Some("added"));
}

#[test]
fn an_equal_value_changes_nothing() {
    let (identities, text) = flat();
    assert_eq!(set(&text, &identities, &["beta"], "beta"), None);
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    assert_eq!(edit.set(&["beta"], secret("b")).unwrap(), Change::Replaced);
    assert_eq!(edit.set(&["beta"], secret("beta")).unwrap(), Change::Replaced);
    assert_eq!(edit.set(&["new"], secret("n")).unwrap(), Change::Added);
    assert_eq!(edit.unset(&["new"]).unwrap(), Change::Removed);
    assert_eq!(edit.unset(&["nowhere"]).unwrap(), Change::Unchanged);
    assert!(!edit.is_changed());
    assert_eq!(edit.finish(TIME, &mut random).unwrap(), None);
}

#[test]
fn unset_removes_a_line_and_the_last_leaf_of_a_map_leaves_it_empty() {
    let (identities, text) = flat();
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    assert_eq!(edit.unset(&["gamma"]).unwrap(), Change::Removed);
    assert_eq!(edit.unset(&["nested", "x"]).unwrap(), Change::Removed);
    let new = edit.finish(TIME, &mut random).unwrap().unwrap();
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    assert_eq!(data[0].iter().map(|(key, _)| key).collect::<Vec<_>>(), ["alpha", "beta", "nested"]);
    assert!(data[0].get("nested").and_then(Value::as_map).unwrap().is_empty());
}

#[test]
fn many_changes_in_one_edit_and_one_map_added_in_order() {
    let (identities, text) = flat();
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    for (key, value) in [("one", "1"), ("two", ""), ("alpha", "A"), ("three", "no\n: x")] {
        edit.set(&[key], secret(value)).unwrap();
    }
    edit.unset(&["beta"]).unwrap();
    let new = edit.finish(TIME, &mut random).unwrap().unwrap();
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    let keys: Vec<_> = data[0].iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["alpha", "gamma", "nested", "one", "two", "three"]);
    assert_eq!(string(&data[0], &["three"]), Some("no\n: x"));
    assert!(new.contains("\ntwo: \"\"\n"));
}

#[test]
fn what_cannot_be_set_is_refused_by_path() {
    let (identities, text) = flat();
    let file = Encrypted::parse(&text).unwrap();
    let mut edit = file.edit(&identities).unwrap();
    let mut kind = |path: &[&str]| edit.set(path, secret("x")).err().map(|error| (error.kind, error.path));
    assert_eq!(kind(&["nested"]), Some((ErrorKind::NotALeaf, Some("nested".into()))));
    assert_eq!(kind(&["alpha", "x"]), Some((ErrorKind::NoSuchMap, Some("alpha.x".into()))));
    assert_eq!(kind(&["sops"]), Some((ErrorKind::ReservedKey, Some("sops".into()))));
    assert_eq!(kind(&[]), Some((ErrorKind::NoSuchMap, None)));
}

/// Every leaf of every file that sops wrote can be set, a new one added, and one removed; the other ENC texts stay.
#[test]
fn files_of_every_layout_can_be_edited() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let (text, format) = sealed(&case);
        let identities = Identities::parse(&read(&case, "identity.txt")).unwrap();
        let Ok(file) = Encrypted::parse_as(&text, format) else { continue };
        if file.open(&identities).is_err() {
            continue;
        }
        let mut edit = file.edit(&identities).unwrap();
        let first = edit.data()[0].iter().find(|(_, value)| value.kind().is_some()).map(|(key, _)| key.to_owned());
        if let Some(key) = &first {
            edit.set(&[key], secret("a changed\nvalue")).unwrap();
        }
        edit.set(&["tieline_new"], secret("added")).unwrap();
        let new = edit.finish(TIME, &mut random).unwrap_or_else(|error| panic!("{name}: {error}")).unwrap();
        let file = Encrypted::parse_as(&new, format).unwrap();
        let data = file.open(&identities).unwrap();
        assert_eq!(string(&data[0], &["tieline_new"]), Some("added"), "{name}");
        if let Some(key) = &first {
            assert_eq!(string(&data[0], &[key]), Some("a changed\nvalue"), "{name}");
        }
        let kept = kept(&text, &new, format);
        assert!(kept.1 - kept.0 <= 1, "{name}: {kept:?}");
        assert_eq!(text.matches('#').count(), new.matches('#').count(), "{name}");
    }
}

/// How many ENC texts of leaves were kept, and how many there were.
fn kept(old: &str, new: &str, format: Format) -> (usize, usize) {
    let file = Encrypted::parse_as(old, format).unwrap();
    let leaves = file.leaves().unwrap();
    let texts = || leaves.iter().filter_map(|leaf| leaf.enc);
    (texts().filter(|enc| new.contains(enc.text)).count(), texts().count())
}

#[test]
fn flow_style_is_spliced_where_possible_and_rewritten_where_not() {
    let case = cases().into_iter().find(|case| case.ends_with("p45-foreign-layout")).unwrap();
    let text = read(&case, "encrypted.yaml");
    let identities = Identities::parse(&read(&case, "identity.txt")).unwrap();
    let new = set(&text, &identities, &["map", "b"], "in flow").unwrap();
    assert!(new.starts_with("%YAML 1.1\n---\n\"sops\":"));
    let new = set(&text, &identities, &["map", "c"], "added to flow").unwrap();
    assert!(new.contains("\nmap:\n    a: ENC["), "{new}");
    assert!(new.contains("# a plain comment that was never encrypted\n"));
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    assert_eq!(string(&data[0], &["map", "c"]), Some("added to flow"));
}

#[test]
fn odd_layouts_survive() {
    let (identities, text) = flat();
    let crlf = text.replace('\n', "\r\n");
    let new = set(&crlf, &identities, &["beta"], "changed").unwrap();
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
    let new = set(&crlf, &identities, &["delta"], "added").unwrap();
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
    let bom = format!("\u{feff}{text}");
    assert!(set(&bom, &identities, &["delta"], "added").unwrap().starts_with('\u{feff}'));
    let bare = text.trim_end();
    assert!(set(bare, &identities, &["beta"], "changed").is_some());
    let commented = text.replacen("gamma:", "# by hand\ngamma:", 1).replacen("sops:", "# last words\nsops:", 1);
    let new = set(&commented, &identities, &["delta"], "added").unwrap();
    assert!(new.contains("# by hand\ngamma:") && new.contains("# last words\nsops:"));
}

#[test]
fn an_edit_that_touches_an_anchor_expands_it() {
    let (identities, recipient, _) = key();
    let mut data = Map::new();
    data.push("a", "shared");
    data.push("b", "shared");
    data.push("pin", secret("1234"));
    let rule = Rule::EncryptedRegex("^pin$".into());
    let recipients = [recipient];
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    let text = encrypt(&data, &settings, &mut random).unwrap();
    let text = text.replacen("a: shared\nb: shared\n", "a: &x shared # note\nb: *x\n", 1);
    let new = set(&text, &identities, &["a"], "own").unwrap();
    let data = Encrypted::parse(&new).unwrap().open(&identities).unwrap();
    assert_eq!((string(&data[0], &["a"]), string(&data[0], &["b"])), (Some("own"), Some("shared")));
    assert!(new.contains("# note"));
}
