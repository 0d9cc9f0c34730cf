//! Two copies of a secrets file become one: what each side can do to a value, a recipient and a data key, without Git.

use std::collections::BTreeSet;

use tieline::secret::Secret;
use tieline::secrets::merge::{Conflict, How, Merged, Sides, Stands, merge};
use tieline::secrets::{Unopened, nameless};
use tieline::sops::{Encrypted, Identities, Recipient, Value};

use super::change::file;
use crate::sops::{TIME, key, random};

const PROD: &str = "7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90/environments/prod";

/// Who opens the files, and who else they are sealed to.
struct People {
    me: Identities,
    mine: Recipient,
    ben: Recipient,
}

fn people() -> People {
    let ((me, mine, _), (_, ben, _)) = (key(), key());
    People { me, mine, ben }
}

impl People {
    /// A file of these values, sealed to me, and to ben too.
    fn file(&self, scope: &str, values: &[(&str, &str)], to_ben: bool) -> String {
        let values: Vec<_> = values.iter().copied().chain([("tieline_scope", scope)]).collect();
        let both = [self.mine.clone(), self.ben.clone()];
        file(&values, &both[..1 + usize::from(to_ben)], ".*")
    }

    /// The same file with values set or, where there is none, removed; its data key stays.
    fn edited(&self, text: &str, values: &[(&str, Option<&str>)]) -> String {
        let file = Encrypted::parse(text).unwrap();
        let mut edit = file.edit(&self.me).unwrap();
        for (name, value) in values {
            match value {
                Some(value) => drop(edit.set(&[name], Secret::new((*value).to_owned())).unwrap()),
                None => drop(edit.unset(&[name]).unwrap()),
            }
        }
        edit.finish(TIME, &mut random).unwrap().unwrap()
    }

    fn merged(&self, base: &str, ours: &str, theirs: &str) -> Result<Merged, Unopened> {
        self.merged_as(base, ours, theirs, true, [true; 2])
    }

    /// The same where ours may keep its data key or not, and who came on a side counts or doesn't.
    fn merged_as(
        &self,
        base: &str,
        ours: &str,
        theirs: &str,
        keep: bool,
        counts: [bool; 2],
    ) -> Result<Merged, Unopened> {
        let path = "environments/prod/secrets.sops.yaml";
        let how = How {
            path,
            identities: &self.me,
            keep,
            ours_count: counts[0],
            theirs_count: counts[1],
            time: TIME,
            name_of: &nameless,
        };
        merge(&Sides { base, ours, theirs }, &how)
    }

    /// What a file holds, but its scope.
    fn values(&self, text: &str) -> Vec<(String, String)> {
        let opened = Encrypted::parse(text).unwrap().open(&self.me).unwrap();
        let mut values = Vec::new();
        for (name, value) in opened.into_iter().flatten().filter(|(name, _)| name != "tieline_scope") {
            let Value::Str(value) = value else { panic!("{name} is not a string") };
            values.push((name, value.expose().clone()));
        }
        values.sort();
        values
    }

    /// Whether two files have one data key.
    fn same_key(&self, one: &str, other: &str) -> bool {
        Encrypted::parse(one).unwrap().has_key_of(&Encrypted::parse(other).unwrap(), &self.me).unwrap()
    }
}

fn sealed_to(text: &str) -> BTreeSet<String> {
    Encrypted::parse(text).unwrap().metadata().recipients.iter().map(|entry| entry.recipient.clone()).collect()
}

fn is(values: &[(&str, &str)]) -> Vec<(String, String)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// On ours or on theirs: who left is gone, and the key that they have opens nothing new.
#[test]
fn e2_11_who_left_on_either_side_of_a_merge_has_left() {
    let people = people();
    let both = people.file(PROD, &[("A", "1"), ("B", "1")], true);
    let without = people.file(PROD, &[("A", "1"), ("B", "2")], false);
    let changed = people.edited(&both, &[("A", Some("2"))]);
    for (ours, theirs, leavers) in [(&changed, &without, 1), (&without, &changed, 0)] {
        let merged = people.merged(&both, ours, theirs).unwrap();
        assert_eq!(sealed_to(&merged.text), BTreeSet::from([people.mine.as_str().to_owned()]));
        assert!(!people.same_key(&merged.text, &both), "a new data key");
        assert_eq!(people.values(&merged.text), is(&[("A", "2"), ("B", "2")]));
        assert_eq!((merged.leavers.len(), merged.newcomers.len(), merged.left_out.len()), (leavers, 0, 0));
        assert!(merged.leavers.iter().all(|key| *key == people.ben.as_str()));
    }
}

/// A data key that somebody has replaced is not taken again, whichever side replaced it; one that both have is kept.
#[test]
fn e2_11_a_data_key_that_either_side_replaced_stays_replaced() {
    let people = people();
    let base = people.file(PROD, &[("A", "1"), ("B", "1")], false);
    let changed = people.edited(&base, &[("A", Some("2"))]);
    let rotated = people.file(PROD, &[("A", "1"), ("B", "2")], false);
    for (ours, theirs) in [(&changed, &rotated), (&rotated, &changed)] {
        let merged = people.merged(&base, ours, theirs).unwrap();
        assert!(!people.same_key(&merged.text, &base), "the old data key is back");
        assert_eq!(people.values(&merged.text), is(&[("A", "2"), ("B", "2")]));
    }
    let other = people.edited(&base, &[("B", Some("2"))]);
    let merged = people.merged(&base, &changed, &other).unwrap();
    assert!(people.same_key(&merged.text, &base), "nobody replaced it");
    assert_eq!((merged.conflicts, merged.taken), (vec![], vec!["B".to_owned()]));
}

/// A value that one side removed and the other changed is kept as an open question, whoever removed it.
#[test]
fn e2_11_a_value_that_one_side_removed_and_the_other_changed_is_a_conflict_on_both_sides() {
    let people = people();
    let base = people.file(PROD, &[("A", "1"), ("B", "1")], false);
    let removed = people.edited(&base, &[("A", None)]);
    let changed = people.edited(&base, &[("A", Some("2"))]);
    let merged = people.merged(&base, &removed, &changed).unwrap();
    assert_eq!(merged.conflicts, [("A".to_owned(), Conflict::OursRemoved)]);
    assert_eq!(people.values(&merged.text), is(&[("A__theirs", "2"), ("B", "1")]));
    let merged = people.merged(&base, &changed, &removed).unwrap();
    assert_eq!(merged.conflicts, [("A".to_owned(), Conflict::TheirsRemoved)]);
    assert_eq!(people.values(&merged.text), is(&[("A", "2"), ("A__theirs", "2"), ("B", "1")]));
    let third = people.edited(&base, &[("A", Some("3"))]);
    let merged = people.merged(&base, &changed, &third).unwrap();
    assert_eq!(merged.conflicts, [("A".to_owned(), Conflict::BothChanged)]);
    assert_eq!(people.values(&merged.text), is(&[("A", "2"), ("A__theirs", "3"), ("B", "1")]));
    // What one side removed and the other left alone goes, and what both removed is no question.
    for (ours, theirs) in [(&removed, &base), (&base, &removed), (&removed, &removed)] {
        let merged = people.merged(&base, ours, theirs).unwrap();
        assert_eq!(merged.conflicts, []);
        assert_eq!(people.values(&merged.text), is(&[("B", "1")]));
    }
}

/// What an earlier merge left stands under the name that this one would take.
#[test]
fn e2_a_conflict_loses_no_value_that_an_earlier_merge_left() {
    let people = people();
    let base = people.file(PROD, &[("A", "1"), ("A__theirs", "left")], false);
    let (ours, theirs) = (people.edited(&base, &[("A", Some("2"))]), people.edited(&base, &[("A", Some("3"))]));
    let merged = people.merged(&base, &ours, &theirs).unwrap();
    assert_eq!(merged.beside, ["A__theirs__theirs"]);
    assert_eq!(people.values(&merged.text), is(&[("A", "2"), ("A__theirs", "left"), ("A__theirs__theirs", "3")]));
    // And one that comes with theirs.
    let base = people.file(PROD, &[("A", "1")], false);
    let (ours, theirs) = (
        people.edited(&base, &[("A", Some("2"))]),
        people.edited(&base, &[("A", Some("3")), ("A__theirs", Some("4"))]),
    );
    let merged = people.merged(&base, &ours, &theirs).unwrap();
    assert_eq!(people.values(&merged.text), is(&[("A", "2"), ("A__theirs", "4"), ("A__theirs__theirs", "3")]));
}

/// Values of another layer would be taken in by a merge that nobody looks at.
#[test]
fn e2_11_a_file_of_another_layer_is_not_merged() {
    let people = people();
    let base = people.file(PROD, &[("A", "1")], false);
    let dev = people.file(&PROD.replace("prod", "dev"), &[("A", "2")], false);
    for (ours, theirs) in [(&base, &dev), (&dev, &base)] {
        let refused = people.merged(&base, ours, theirs).map(|merged| merged.text).unwrap_err();
        assert!(refused.integrity && refused.reason.starts_with("the file was sealed for"), "{refused:?}");
    }
}

/// Whom a side names that does not count is left out, and told of; what both have from their ancestor stays.
#[test]
fn e2_11_who_came_on_a_side_that_does_not_count_is_left_out() {
    let people = people();
    let (mine, ben) = (people.mine.as_str().to_owned(), people.ben.as_str().to_owned());
    let alone = people.file(PROD, &[("A", "1")], false);
    let with = people.file(PROD, &[("A", "1"), ("B", "1")], true);
    let (me, both) = (BTreeSet::from([mine.clone()]), BTreeSet::from([mine.clone(), ben.clone()]));
    let cases = [
        // Who came on ours alone, on theirs alone, on both; and whether ours and theirs count.
        (&with, &alone, [false, true], &me, Some(Stands::Ours)),
        (&with, &alone, [true, false], &both, None),
        (&alone, &with, [true, false], &me, Some(Stands::Theirs)),
        (&alone, &with, [false, true], &both, None),
        (&with, &with, [false, false], &me, Some(Stands::Both)),
        (&with, &with, [true, false], &both, None),
        (&with, &with, [false, true], &both, None),
    ];
    for (ours, theirs, counts, to, left_out) in cases {
        let merged = people.merged_as(&alone, ours, theirs, true, counts).unwrap();
        assert_eq!(&sealed_to(&merged.text), to, "{counts:?}");
        let expected: Vec<_> = left_out.into_iter().map(|stands| (ben.clone(), stands)).collect();
        assert_eq!(merged.left_out, expected, "{counts:?}");
        assert!(left_out.is_none() || !people.same_key(&merged.text, &with), "{counts:?}: a data key of theirs");
    }
    // Without an ancestor, what both have is all that both could have it from.
    let merged = people.merged_as("", &with, &with, true, [false; 2]).unwrap();
    assert_eq!((sealed_to(&merged.text), merged.left_out), (both, vec![]));
    let merged = people.merged_as("", &with, &alone, true, [false; 2]).unwrap();
    assert_eq!((sealed_to(&merged.text), merged.left_out), (me, vec![(ben, Stands::Ours)]));
    // A data key that somebody else made is not kept, whoever the file is sealed to.
    let changed = people.edited(&alone, &[("A", Some("2"))]);
    let merged = people.merged_as(&alone, &alone, &changed, false, [true; 2]).unwrap();
    assert!(!people.same_key(&merged.text, &alone));
    assert_eq!(people.values(&merged.text), is(&[("A", "2")]));
}

#[test]
fn e2_11_a_merge_is_sealed_to_somebody_and_leaves_nothing_in_clear() {
    let ((_, mine, my_key), (_, ben, bens_key)) = (key(), key());
    let me = Identities::parse(&format!("{my_key}\n{bens_key}")).unwrap();
    let people = People { me, mine, ben };
    let (mine, ben) = (people.mine.clone(), people.ben.clone());
    let values = [("A", "1"), ("tieline_scope", PROD)];
    let base = file(&values, &[mine.clone(), ben.clone()], ".*");
    let (ours, theirs) = (file(&values, std::slice::from_ref(&mine), ".*"), file(&values, &[ben], ".*"));
    let refused = people.merged(&base, &ours, &theirs).map(|merged| merged.text).unwrap_err();
    assert!(refused.reason.contains("no recipient in common"), "{refused:?}");
    // The rule of ours would leave what comes from theirs in clear: a file of ours gets our rule, another is refused.
    for (scope, merges) in [(Some(("tieline_scope", PROD)), true), (None, false)] {
        let file = |more: &[(&str, &str)], regex: &str| {
            let values: Vec<_> = [("A", "1")].into_iter().chain(more.iter().copied()).chain(scope).collect();
            file(&values, std::slice::from_ref(&mine), regex)
        };
        let ours = file(&[], "^(A|tieline_scope)$");
        // Under another data key, and under ours, where somebody wrote it in clear.
        for theirs in [file(&[("B", "kelp-forest")], ".*"), people.edited(&ours, &[("B", Some("kelp-forest"))])] {
            match people.merged(&ours, &ours, &theirs) {
                Ok(merged) => {
                    assert!(merges && !merged.text.contains("kelp-forest"), "{}", merged.text);
                    assert_eq!(people.values(&merged.text), is(&[("A", "1"), ("B", "kelp-forest")]));
                }
                Err(refused) => assert!(!merges && refused.reason.contains("would leave `B` in clear"), "{refused:?}"),
            }
        }
    }
}

/// Who is left out for another reason has not left.
#[test]
fn e2_11_who_left_is_told_beside_who_is_left_out() {
    let people = people();
    let (_, eve, _) = key();
    let values = [("A", "1"), ("tieline_scope", PROD)];
    let sealed = |to: &[&Recipient]| {
        let to: Vec<Recipient> = to.iter().map(|&one| one.clone()).collect();
        file(&values, &to, ".*")
    };
    let base = sealed(&[&people.mine, &people.ben]);
    let ours = sealed(&[&people.mine, &people.ben, &eve]);
    let theirs = sealed(&[&people.mine]);
    let merged = people.merged_as(&base, &ours, &theirs, true, [false, true]).unwrap();
    assert_eq!(merged.leavers, [people.ben.as_str()]);
    assert_eq!(merged.left_out, [(eve.as_str().to_owned(), Stands::Ours)]);
    assert_eq!(sealed_to(&merged.text), BTreeSet::from([people.mine.as_str().to_owned()]));
}
