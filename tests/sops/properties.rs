//! Promises over random data: what is written opens to the same; what is broken is refused, never a panic.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use tieline::sops::{Encrypted, Format, Map, Rule, Settings, Value, encrypt, is_sops};

use super::data::Data;
use super::vectors::{cases, read, sealed};
use super::{TIME, key, random};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z_]{1,8}",
        2 => any::<String>(),
        1 => "[-+~.:0-9eExob_#&*!|>'\"%@`{}\\[\\], \t\r\n\u{85}\u{2028}\u{feff}]{0,8}",
        1 => prop::sample::select(vec!["yes", "no", "null", "1:30", "<<", "=", "017", "2031-05-06", "", "- a", "ENC[x]"])
            .prop_map(str::to_owned),
    ]
}

pub(crate) fn data() -> impl Strategy<Value = Data> {
    let leaf = prop_oneof![
        Just(Data::Null),
        any::<bool>().prop_map(Data::Bool),
        any::<i64>().prop_map(Data::Int),
        prop::num::f64::NORMAL.prop_map(Data::Float),
        text().prop_map(Data::Str),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..5).prop_map(Data::List), vec((text(), inner), 0..5).prop_map(Data::Map)]
    })
}

fn value(data: &Data) -> Value {
    match data {
        Data::Null => Value::Null,
        Data::Bool(bool) => Value::from(*bool),
        Data::Int(int) => Value::from(*int),
        Data::Float(float) => Value::from(*float),
        Data::Str(text) => Value::from(text.as_str()),
        Data::List(list) => Value::List(list.iter().map(value).collect()),
        Data::Map(entries) => Value::Map(map(entries)),
    }
}

/// Keys that cannot be written are left out: `<<`, and those that are there already.
pub(crate) fn map(entries: &[(String, Data)]) -> Map {
    let mut map = Map::new();
    for (key, data) in entries {
        if key != "<<" && map.get(key).is_none() {
            map.push(key.as_str(), value(data));
        }
    }
    map
}

pub(crate) fn rules() -> impl Strategy<Value = Rule> {
    prop::sample::select(vec![
        Rule::default(),
        Rule::EncryptedRegex("[a-m]".into()),
        Rule::UnencryptedRegex("^[a-m]".into()),
        Rule::EncryptedSuffix("e".into()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encrypted_opens_to_the_same(
        entries in vec((text(), data()), 0..6), rule in rules(), mac_only_encrypted: bool,
    ) {
        let (identities, recipient, _) = key();
        let recipients = [recipient];
        let settings = Settings { rule: &rule, mac_only_encrypted, recipients: &recipients, lastmodified: TIME };
        let map = map(&entries);
        let text = encrypt(&map, &settings, &mut random).unwrap();
        prop_assert!(is_sops(&text, Format::Yaml));
        let file = Encrypted::parse(&text).unwrap();
        prop_assert!(file.leaves().unwrap().iter().all(|leaf| !leaf.demanded || leaf.empty || leaf.enc.is_some()));
        let opened = file.open(&identities).unwrap();
        prop_assert_eq!(opened.len(), 1);
        // Not `matches`: a whole float must come back as a float.
        prop_assert_eq!(Data::of_map(&opened[0]), Data::of_map(&map));
        let mut edit = file.edit(&identities).unwrap();
        edit.set(&["added"], tieline::secret::Secret::new("x".into())).unwrap();
        let edited = edit.finish(TIME, &mut random).unwrap();
        for enc in file.leaves().unwrap().iter().filter(|leaf| leaf.path.to_string() != "added").filter_map(|leaf| leaf.enc) {
            prop_assert!(edited.as_ref().is_none_or(|edited| edited.contains(enc.text)));
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*|[-a-c:&*?!|>{}\\[\\],#\"' \n\t]{0,60}") {
        let _ = Encrypted::parse(&text).map(|file| file.leaves().map(|leaves| leaves.len()));
        let _ = is_sops(&text, Format::Yaml);
    }

    #[test]
    fn a_mutated_file_never_panics_and_if_it_opens_it_can_be_edited(
        case in 0..71_usize, at: prop::sample::Index, length in 0..6_usize,
        with in "[-a-z:&*?!|>{}\\[\\],#\"' \n\t=A-Z0-9]{0,6}",
    ) {
        let case = &cases()[case];
        let (text, format) = sealed(case);
        prop_assume!(text.len() < 60_000);
        let mut start = at.index(text.len());
        while !text.is_char_boundary(start) { start -= 1; }
        let mut end = (start + length).min(text.len());
        while !text.is_char_boundary(end) { end += 1; }
        let mutated = format!("{}{with}{}", &text[..start], &text[end..]);
        let identities = tieline::sops::Identities::parse(&read(case, "identity.txt")).unwrap();
        if let Ok(file) = Encrypted::parse_as(&mutated, format) {
            let _ = file.leaves();
            if let Ok(mut edit) = file.edit(&identities) {
                let keys: Vec<_> = edit.data()[0].iter().map(|(key, _)| key.to_owned()).collect();
                for key in keys {
                    let _ = edit.set(&[&key], tieline::secret::Secret::new("x".into()));
                }
                let _ = edit.set(&["new"], tieline::secret::Secret::new("x".into()));
                let text = edit.finish(TIME, &mut random);
                prop_assert!(text.is_ok(), "{:?}\n{mutated}", text.err());
            }
        }
    }
}
