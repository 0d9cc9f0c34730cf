//! Three sides of a secrets file are merged: compared with what a merge is to do, in other words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use tieline::secret::Secret;
use tieline::secrets::merge::{How, Merged, Sides, merge, merge_in_clear};
use tieline::secrets::nameless;
use tieline::sops::{Encrypted, Identities, Map, Recipient, Rule, Settings, Value, encrypt, keygen};

const TIME: &str = "2026-11-21T10:00:00Z";
const NAMES: &[&str] = &["A", "B", "A__theirs", "DB_PASSWORD", "long_name_of_a_secret", "tieline_scope"];
const VALUES: &[&str] = &["1", "two", " three\n", "x9canary7q", "ENC[x]", "ws/environments/dev"];

struct People {
    all: Identities,
    each: Vec<(Identities, Recipient)>,
}

static PEOPLE: LazyLock<People> = LazyLock::new(|| {
    let mut people = People { all: Identities::default(), each: Vec::new() };
    for _ in 0..3 {
        let (identity, recipient) = keygen();
        let parse = || Identities::parse(identity.expose()).expect("an identity");
        people.all.extend(parse());
        people.each.push((parse(), recipient));
    }
    people
});

type Values = BTreeMap<String, String>;

/// One side: its values, and who it is sealed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Side {
    values: Values,
    to: BTreeSet<String>,
    text: String,
}

impl Side {
    fn any(u: &mut Unstructured<'_>, from: Option<&Self>) -> Result<Self> {
        let mut side = from.cloned().unwrap_or_default();
        for _ in 0..u.int_in_range(0..=4)? {
            let name = (*u.choose(NAMES)?).to_owned();
            match u.ratio(1, 4)? {
                true => drop(side.values.remove(&name)),
                false => drop(side.values.insert(name, (*u.choose(VALUES)?).to_owned())),
            }
        }
        let mut to = u.int_in_range(0..=7)?;
        to = if to == 0 { 1 } else { to };
        let keep = u.ratio(3, 4)?;
        if from.is_none() || !keep {
            let everyone = PEOPLE.each.iter().enumerate();
            side.to = everyone.filter(|(n, _)| to & (1 << n) != 0).map(|(_, one)| one.1.as_str().to_owned()).collect();
        }
        match from {
            // Under the data key of the ancestor, as an edit leaves it.
            Some(from) if from.to == side.to && u.ratio(3, 4)? => side.text = edit(from, &side.values),
            _ => side.text = seal(&side, if u.ratio(1, 8)? { "^[AB]$" } else { ".*" }),
        }
        Ok(side)
    }
}

fn seal(side: &Side, rule: &str) -> String {
    let mut data = Map::new();
    side.values.iter().for_each(|(name, value)| data.push(name.as_str(), value.as_str()));
    let recipients: Vec<Recipient> = side.to.iter().map(|key| key.parse().expect("a recipient")).collect();
    let rule = Rule::EncryptedRegex(rule.into());
    let settings = Settings { rule: &rule, mac_only_encrypted: false, recipients: &recipients, lastmodified: TIME };
    encrypt(&data, &settings, &mut random).expect("strings can be sealed")
}

fn edit(from: &Side, values: &Values) -> String {
    let file = Encrypted::parse(&from.text).expect("a sealed text");
    let mut edit = file.edit(&PEOPLE.all).expect("it opens");
    for name in from.values.keys().filter(|name| !values.contains_key(*name)) {
        edit.unset(&[name]).expect("it is there");
    }
    for (name, value) in values {
        edit.set(&[name], Secret::new(value.clone())).expect("a name at the top");
    }
    edit.finish(TIME, &mut random).expect("it can be edited").unwrap_or_else(|| from.text.clone())
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
}

pub(crate) fn run(data: &[u8]) {
    // Not enough bytes make no case.
    let _ = case(&mut Unstructured::new(data));
}

fn case(u: &mut Unstructured<'_>) -> Result<()> {
    let base = if u.ratio(1, 8)? { None } else { Some(Side::any(u, None)?) };
    let (ours, theirs) = (Side::any(u, base.as_ref())?, Side::any(u, base.as_ref())?);
    let [keep, ours_count, theirs_count] = <[bool; 3]>::arbitrary(u)?;
    let sides = Sides { base: base.as_ref().map_or("", |base| &base.text), ours: &ours.text, theirs: &theirs.text };
    let how = How {
        path: "secrets.sops.yaml",
        identities: &PEOPLE.all,
        keep,
        ours_count,
        theirs_count,
        time: TIME,
        name_of: &nameless,
    };
    let nobody = Side::default();
    let base = base.as_ref().unwrap_or(&nobody);
    let wanted = sealed_to(&base.to, (&ours.to, ours_count), (&theirs.to, theirs_count));
    let merged = merge(&sides, &how);
    let scopes = [&ours, &theirs].map(|side| side.values.get("tieline_scope"));
    let foreign = matches!(scopes, [Some(here), Some(there)] if here != there);
    match merged {
        Err(error) => {
            let narrow = sides.ours.contains("^[AB]$");
            assert!(foreign || wanted.is_empty() || narrow, "not merged: {}", error.reason);
        }
        Ok(merged) => {
            assert!(!foreign, "two layers' files are merged");
            merged_as_told(&merged, base, &ours, &theirs, &wanted, keep);
        }
    }
    let lines = merge_in_clear(&sides).0;
    assert!(!lines.is_empty() || sides.ours.is_empty());
    Ok(())
}

fn merged_as_told(merged: &Merged, base: &Side, ours: &Side, theirs: &Side, wanted: &BTreeSet<String>, keep: bool) {
    let file = Encrypted::parse(&merged.text).expect("what is merged is read");
    let to: BTreeSet<String> = file.metadata().recipients.iter().map(|key| key.recipient.clone()).collect();
    assert_eq!(&to, wanted, "it is sealed to others");
    for (identities, recipient) in &PEOPLE.each {
        assert_eq!(file.open(identities).is_ok(), wanted.contains(recipient.as_str()), "who opens it");
    }
    let data = file.open(&PEOPLE.all).expect("what is merged opens");
    let text = |value: &Value| value.as_str().expect("a string").expose().clone();
    let values: Values = data.iter().flat_map(Map::iter).map(|(name, value)| (name.to_owned(), text(value))).collect();
    let is_scope = |name: &String| name.starts_with("tieline_scope");
    let others = |values: Values| -> Values { values.into_iter().filter(|(name, _)| !is_scope(name)).collect() };
    // The scope is not a value that somebody set: it stays if a side has it.
    let scopes = [ours, theirs].map(|side| side.values.get("tieline_scope"));
    assert!(values.get("tieline_scope").is_none_or(|scope| scopes.contains(&Some(scope))), "a scope of neither side");
    assert_eq!(others(values), others(resolved(&base.values, &ours.values, &theirs.values)));
    let before = in_clear(&Encrypted::parse(&ours.text).expect("a sealed text"));
    assert!(in_clear(&file).is_subset(&before), "a value is in clear that was sealed");
    for side in [base, ours, theirs].into_iter().filter(|side| !side.text.is_empty()) {
        let sealed = Encrypted::parse(&side.text).expect("a sealed text");
        let same_key = file.has_key_of(&sealed, &PEOPLE.all).expect("both open");
        let left = side.to.iter().any(|key| !wanted.contains(key));
        assert!(!(same_key && left), "who left has the data key");
    }
    let mine = Encrypted::parse(&ours.text).expect("a sealed text");
    assert!(keep || !file.has_key_of(&mine, &PEOPLE.all).expect("both open"), "a data key of others is kept");
}

/// The names whose values a file's rule leaves in clear.
fn in_clear(file: &Encrypted<'_>) -> BTreeSet<String> {
    let leaves = file.leaves().expect("it has leaves");
    leaves.iter().filter(|leaf| leaf.enc.is_none()).map(|leaf| leaf.path.to_string()).collect()
}

/// The values of a merge, name by name.
fn resolved(base: &Values, ours: &Values, theirs: &Values) -> Values {
    let mut values = Values::new();
    let names: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for &name in &names {
        let (old, mine, other) = (base.get(name), ours.get(name), theirs.get(name));
        let changed = |side: Option<&String>| side != old;
        let (here, beside) = match (changed(mine), changed(other)) {
            (_, false) => (mine, None),
            (false, true) => (other, None),
            (true, true) if mine == other => (mine, None),
            (true, true) => (mine, other.or(mine)),
        };
        values.extend(here.map(|value| (name.clone(), value.clone())));
        let mut free = format!("{name}__theirs");
        while names.contains(&free) {
            free += "__theirs";
        }
        values.extend(beside.map(|value| (free, value.clone())));
    }
    values
}

/// Who stays: those whom both sides keep, and those who came on a side that counts.
fn sealed_to(
    base: &BTreeSet<String>,
    ours: (&BTreeSet<String>, bool),
    theirs: (&BTreeSet<String>, bool),
) -> BTreeSet<String> {
    let stays = |key: &&String| {
        let here = [ours, theirs].map(|(keys, counts)| (keys.contains(*key), counts));
        let both = here.iter().all(|(there, _)| *there);
        if base.contains(*key) || (base.is_empty() && both) {
            both
        } else {
            here.iter().any(|(there, counts)| *there && *counts)
        }
    };
    ours.0.union(theirs.0).filter(stays).cloned().collect()
}
