//! Names in messages: which was meant, and which are there.

use std::borrow::Cow;

/// A word of a command that is printed to be typed: in quotes where a shell would take it for more than one word.
pub fn word(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_else(|_| text.replace('\0', "").into())
}

/// Names that are looked at for one that was meant: nobody means one of thousands, and a stranger may have written both
/// lists.
const MAX_CANDIDATES: usize = 2000;
/// Bytes of a name that somebody may have meant to write.
const MAX_NAME: usize = 1000;
/// Names that are compared letter by letter: those with the most letters in common.
const MAX_COMPARED: usize = 32;

/// The candidate nearest to `name`, if one is near enough to be meant: at most a third of its letters off, or begun by it.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let wanted = plain(name);
    let limit = (wanted.chars().count() / 3).max(1);
    let counts = Counts::of(&wanted);
    let differ = |candidate: &'a str| {
        // People cut words short: `postgre`, `elastic`.
        let longer = wanted.len() >= 4 && candidate.len() > wanted.len();
        let short = longer && begins(candidate, &wanted) && plain(candidate).starts_with(&wanted);
        let letters = counts.as_ref().map_or(0, |counts| counts.differ(candidate));
        (short || letters <= 2 * limit).then_some((letters, candidate, short))
    };
    let fits = |candidate: &&str| *candidate != name && candidate.len() <= 3 * name.len() + 3;
    let mut alike: Vec<_> = candidates.into_iter().take(MAX_CANDIDATES).filter(fits).filter_map(differ).collect();
    alike.sort_by_key(|(letters, ..)| *letters);
    alike.truncate(MAX_COMPARED);
    let compared = alike
        .into_iter()
        .map(|(_, candidate, short)| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate, short));
    let near = compared.filter(|(distance, _, short)| *short || *distance <= limit);
    near.min_by_key(|(distance, ..)| *distance).map(|(_, candidate, _)| candidate)
}

/// Whether a name may begin with another, by their first letters.
fn begins(name: &str, wanted: &str) -> bool {
    let first = |text: &str| text.bytes().next().map(|byte| byte.to_ascii_lowercase());
    !name.is_ascii() || name.starts_with(SEPARATORS) || first(name) == first(wanted)
}

/// A name as it is compared.
fn plain(name: &str) -> String {
    name.to_lowercase().replace(SEPARATORS, "")
}

const SEPARATORS: [char; 4] = ['-', '_', '.', ' '];

/// How often each letter stands in a name: a slip changes that of two at most, which is told without looking at their order.
struct Counts([i16; 128]);

impl Counts {
    /// `None` for a name that is not ASCII.
    fn of(plain: &str) -> Option<Self> {
        let mut counts = [0; 128];
        for byte in plain.bytes() {
            *counts.get_mut(usize::from(byte))? += 1;
        }
        Some(Self(counts))
    }

    /// How many letters one has and the other has not: each slip changes two at most. None of a name that isn't ASCII.
    fn differ(&self, other: &str) -> usize {
        let mut left = self.0;
        for byte in other.bytes().filter(|byte| !SEPARATORS.contains(&char::from(*byte))) {
            match left.get_mut(usize::from(byte.to_ascii_lowercase())) {
                Some(count) => *count -= 1,
                None => return 0,
            }
        }
        // Letters and digits: other signs hardly stand in a name.
        left[b'0'.into()..].iter().map(|count| usize::from(count.unsigned_abs())).sum()
    }
}

/// A list for a sentence: "`a`, `b` and 3 more".
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(most).map(|name| format!("`{name}`")).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_near_name_is_a_slip_or_the_word_cut_short() {
        let ids = ["elasticsearch", "http", "mysql", "postgresql", "s3"];
        for (typed, meant) in [
            ("postgre", Some("postgresql")),
            ("postgrseql", Some("postgresql")),
            ("Elastic_Search", Some("elasticsearch")),
            ("mysq", Some("mysql")),
            ("kafka", None),
        ] {
            assert_eq!(nearest(typed, ids), meant, "{typed}");
        }
    }
}
