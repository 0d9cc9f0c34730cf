//! A text in clear is sealed and opened, edited, sealed to others: what was in it is still in it. The first byte chooses
//! the rule, the text begins in the second line.

use std::sync::LazyLock;

use tieline::secret::Secret;
use tieline::sops::{Encrypted, Format, Identities, Map, Recipient, Rule, Settings, Value};
use tieline::sops::{encrypt_text, entries, keygen};

use super::super::oracles::{CANARY, hides_canary};

const TIME: &str = "2026-11-21T10:00:00Z";

/// Two people.
static PEOPLE: LazyLock<[(Identities, Recipient); 2]> = LazyLock::new(|| {
    [(), ()].map(|()| {
        let (identity, recipient) = keygen();
        (Identities::parse(identity.expose()).expect("an identity"), recipient)
    })
});

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, text) = text.split_once('\n').unwrap_or((text, ""));
    let choice = first.bytes().next().unwrap_or(b'0');
    let rule = match choice % 5 {
        0 => Rule::EncryptedRegex(".*".into()),
        1 => Rule::default(),
        2 => Rule::EncryptedRegex("^a".into()),
        3 => Rule::UnencryptedRegex("b$".into()),
        _ => Rule::EncryptedSuffix("_s".into()),
    };
    let [(mine, me), (theirs, them)] = &*PEOPLE;
    let format = if text.starts_with('{') { Format::Json } else { Format::Yaml };
    let settings = Settings {
        rule: &rule,
        mac_only_encrypted: choice % 2 == 1,
        recipients: std::slice::from_ref(me),
        lastmodified: TIME,
    };
    let sealed = match encrypt_text(text, format, &settings, &mut random) {
        Ok((sealed, _)) => sealed,
        Err(error) => {
            assert!(error.range.clone().is_none_or(|range| text.get(range).is_some()), "{error:?}");
            return;
        }
    };
    let file = Encrypted::parse_as(&sealed, format).expect("what is sealed is read");
    let data = open(&sealed, format, mine);
    if format == Format::Yaml {
        let mut written = Vec::new();
        entries(text).expect("what is sealed was read").iter().for_each(|e| flat(&e.key, &e.value, &mut written));
        assert_eq!(data, written, "{text:?}");
    }
    for leaf in file.leaves().expect("what is sealed has leaves") {
        // What stays in clear may look sealed: it was so before.
        let looks_sealed = leaf.enc.is_some() && text.contains("ENC[");
        assert!(leaf.empty || leaf.demanded == leaf.enc.is_some() || looks_sealed && !leaf.demanded, "{leaf:?}");
    }
    if choice % 5 == 0 && hides_canary(text) && !text.contains('?') {
        assert!(!sealed.contains(CANARY), "the secret is in clear: {sealed}");
    }
    let clear = file.clear(mine).expect("it opens").text(format).expect("what was read can be written");
    let (again, _) = encrypt_text(clear.expose(), format, &settings, &mut random).expect("it can be sealed again");
    assert_eq!(open(&again, format, mine), data, "{:?}", clear.expose());
    let both = [me.clone(), them.clone()];
    let rotated = file.rotate(mine, &both, TIME, &mut random).expect("it can have a new key");
    assert_eq!(open(&rotated, format, theirs), data);
    let rewrapped = file.rewrap(mine, &both).expect("it can be sealed to more");
    assert_eq!(open(&rewrapped, format, theirs), data);
    assert!(file.open(theirs).is_err(), "it opens for somebody else");
    edited(&sealed, format, &data);
}

/// A value is set and taken away again.
fn edited(sealed: &str, format: Format, data: &[String]) {
    let mine = &PEOPLE[0].0;
    let file = Encrypted::parse_as(sealed, format).expect("it was read before");
    let mut edit = file.edit(mine).expect("it opens");
    let there = edit.data().first().is_some_and(|map| map.get("zz_new").is_some());
    if there || edit.set(&["zz_new"], Secret::new("a \"new\"\n value: ".to_owned())).is_err() {
        return;
    }
    let more = edit.finish(TIME, &mut random).expect("it can be edited").expect("it was changed");
    let file = Encrypted::parse_as(&more, format).expect("what was edited is read");
    let mut edit = file.edit(mine).expect("what was edited opens");
    let set = edit.data()[0].get("zz_new").and_then(Value::as_str).map(|value| value.expose().as_str());
    assert_eq!(set, Some("a \"new\"\n value: "));
    edit.unset(&["zz_new"]).expect("it was set");
    let less = edit.finish(TIME, &mut random).expect("it can be edited").expect("it was changed");
    assert_eq!(open(&less, format, mine), data, "{less}");
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
}

fn open(text: &str, format: Format, identities: &Identities) -> Vec<String> {
    let file = Encrypted::parse_as(text, format).expect("what is sealed is read");
    let data = file.open(identities).expect("what is sealed opens");
    let mut leaves = Vec::new();
    data.iter().flat_map(Map::iter).for_each(|(key, value)| flat(key, value, &mut leaves));
    leaves
}

/// A line for each leaf: its path, type and bytes. The format doesn't tell `1.0` from `1`.
fn flat(path: &str, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::List(items) => {
            leaves.push(format!("{path} list of {}", items.len()));
            items.iter().enumerate().for_each(|(index, item)| flat(&format!("{path}/{index}"), item, leaves));
        }
        Value::Map(map) => {
            leaves.push(format!("{path} map of {}", map.len()));
            map.iter().for_each(|(key, value)| flat(&format!("{path}/{key:?}"), value, leaves));
        }
        Value::Int(_) | Value::Float(_) => leaves.push(format!("{path} number {:?}", value.with_bytes(<[u8]>::to_vec))),
        other => leaves.push(format!("{path} {:?} {:?}", other.kind(), other.with_bytes(<[u8]>::to_vec))),
    }
}
