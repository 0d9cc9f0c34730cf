//! Names in messages: which was meant, and which are there.

use std::borrow::Cow;

/// A word of a command that is printed to be typed: in quotes where a shell would take it for more than one word.
pub fn word(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_else(|_| text.replace('\0', "").into())
}

/// The candidate nearest to `name`, if one is near enough to be meant: at most a third of its letters off, or begun by it.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(name);
    let limit = (wanted.chars().count() / 3).max(1);
    let counts = Counts::of(&wanted);
    candidates
        .into_iter()
        // Nobody means one of thousands, and a stranger may have written both lists.
        .take(2000)
        .filter(|candidate| *candidate != name && candidate.len() <= 3 * name.len() + 3)
        .filter_map(|candidate| {
            let is_near = counts.as_ref().is_none_or(|counts| counts.are_near(candidate, limit));
            // People cut words short: `postgre`, `elastic`.
            let may_be_short = wanted.len() >= 4 && candidate.len() > wanted.len();
            if !is_near && !may_be_short {
                return None;
            }
            let plain = plain(candidate);
            let short = may_be_short && plain.starts_with(&wanted);
            if !is_near && !short {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&wanted, &plain);
            (distance <= limit || short).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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

    /// Whether another name may be at most `limit` slips away.
    fn are_near(&self, other: &str, limit: usize) -> bool {
        let mut left = self.0;
        for byte in other.bytes().filter(|byte| !SEPARATORS.contains(&char::from(*byte))) {
            match left.get_mut(usize::from(byte.to_ascii_lowercase())) {
                Some(count) => *count -= 1,
                None => return true,
            }
        }
        let differ: usize = left.iter().map(|count| usize::from(count.unsigned_abs())).sum();
        differ <= 2 * limit
    }
}

/// A list for a sentence: "`a`, `b` and 3 more".
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    if names.len() <= most {
        return names.join(", ");
    }
    format!("{} and {} more", names[..most].join(", "), names.len() - most)
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
