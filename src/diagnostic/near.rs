//! Names in messages: which was meant, and which are there.

use std::borrow::Cow;

/// A word of a command that is printed to be typed: in quotes where a shell would take it for more than one word.
pub fn word(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_else(|_| text.replace('\0', "").into())
}

/// The candidate nearest to `name`, if one is near enough to be meant: at most a third of its letters off, or begun by it.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace(['-', '_', '.', ' '], "");
    let wanted = plain(name);
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        // Nobody means one of thousands, and a stranger may have written both lists.
        .take(2000)
        .filter(|candidate| *candidate != name && candidate.len() <= 3 * name.len() + 3)
        .filter_map(|candidate| {
            let plain = plain(candidate);
            let distance = strsim::damerau_levenshtein(&wanted, &plain);
            // People cut words short: `postgre`, `elastic`.
            let short = wanted.len() >= 4 && plain.starts_with(&wanted);
            (distance <= limit || short).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
