//! Which leaves of a document are encrypted: the one rule in its block.
//!
//! A [`Rule`] is what the block says; a [`Selector`] is the same, compiled once per document.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use super::document::Comment;
use super::error::ErrorKind;
use super::leaf;

/// The rule of a file. It is tried on every key from the top to the leaf; a match covers all that lies below.
///
/// Regular expressions are searched for anywhere in a key. They are sops' (RE2), read by a crate of the same family;
/// they differ in that `\d`, `\w` and `\b` know Unicode here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// All but keys that end so. sops' default, with `_unencrypted`.
    UnencryptedSuffix(String),
    /// Only keys that end so.
    EncryptedSuffix(String),
    /// All but keys that match.
    UnencryptedRegex(String),
    /// Only keys that match.
    EncryptedRegex(String),
    /// All but what follows a matching comment. Read only.
    UnencryptedCommentRegex(String),
    /// Only what follows a matching comment. Read only.
    EncryptedCommentRegex(String),
}

impl Default for Rule {
    fn default() -> Self {
        Self::UnencryptedSuffix("_unencrypted".to_owned())
    }
}

impl Rule {
    /// The six keys, of which a block holds at most one.
    pub(super) const KEYS: [&'static str; 6] = [
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
    ];

    pub(super) fn from_block(key: &str, text: String) -> Option<Self> {
        Some(match key {
            "unencrypted_suffix" => Self::UnencryptedSuffix(text),
            "encrypted_suffix" => Self::EncryptedSuffix(text),
            "unencrypted_regex" => Self::UnencryptedRegex(text),
            "encrypted_regex" => Self::EncryptedRegex(text),
            "unencrypted_comment_regex" => Self::UnencryptedCommentRegex(text),
            "encrypted_comment_regex" => Self::EncryptedCommentRegex(text),
            _ => return None,
        })
    }

    /// The key of the block, and its value.
    pub fn entry(&self) -> (&'static str, &str) {
        let (index, text) = match self {
            Self::UnencryptedSuffix(text) => (0, text),
            Self::EncryptedSuffix(text) => (1, text),
            Self::UnencryptedRegex(text) => (2, text),
            Self::EncryptedRegex(text) => (3, text),
            Self::UnencryptedCommentRegex(text) => (4, text),
            Self::EncryptedCommentRegex(text) => (5, text),
        };
        (Self::KEYS[index], text)
    }
}

enum Test {
    Suffix(String),
    Key(Regex),
    /// Every key, without compiling an expression for it: what our own files say.
    AnyKey,
    /// One of these keys: what the objects of our bundles say, which may have many.
    OneOf(HashSet<String>),
    Comment(Regex),
}

/// Bytes of memory that a compiled expression may take: a stranger's is compiled before any key is asked for.
const MAX_COMPILED: usize = 64 << 10;
/// The same of what it remembers of the texts that it saw.
const MAX_CACHE: usize = 256 << 10;

/// The keys of an expression that lists them: `^(A|B|C)$`.
fn one_of(text: &str) -> Option<HashSet<String>> {
    let plain =
        |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let keys = text.strip_prefix("^(")?.strip_suffix(")$")?.split('|');
    keys.map(|key| plain(key).then(|| key.to_owned())).collect()
}

/// A compiled rule.
pub(super) struct Selector {
    test: Test,
    /// What a match means: to be encrypted, or to stay plain.
    encrypted: bool,
}

impl Selector {
    /// Compiles a rule.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadRegex`], where sops would go on with a rule that matches nothing.
    pub(super) fn new(rule: &Rule) -> Result<Self, ErrorKind> {
        let regex = |text: &str| {
            let built = RegexBuilder::new(text).size_limit(MAX_COMPILED).dfa_size_limit(MAX_CACHE).build();
            built.map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => ErrorKind::LargeRegex,
                _ => ErrorKind::BadRegex,
            })
        };
        let test = match rule {
            Rule::UnencryptedSuffix(text) | Rule::EncryptedSuffix(text) => Test::Suffix(text.clone()),
            Rule::UnencryptedRegex(text) | Rule::EncryptedRegex(text) if text == ".*" => Test::AnyKey,
            Rule::UnencryptedRegex(text) | Rule::EncryptedRegex(text) => match one_of(text) {
                Some(keys) => Test::OneOf(keys),
                None => Test::Key(regex(text)?),
            },
            Rule::UnencryptedCommentRegex(text) | Rule::EncryptedCommentRegex(text) => Test::Comment(regex(text)?),
        };
        Ok(Self { test, encrypted: rule.entry().0.starts_with("encrypted") })
    }

    /// Whether the rule matches an entry by itself; `key` is `None` for the element of a list.
    pub(super) fn matches(&self, key: Option<&str>, comments: &[Comment<'_>]) -> bool {
        match &self.test {
            Test::Suffix(suffix) => key.is_some_and(|key| key.ends_with(suffix)),
            Test::AnyKey => key.is_some(),
            Test::OneOf(keys) => key.is_some_and(|key| keys.contains(key)),
            Test::Key(regex) => key.is_some_and(|key| regex.is_match(key)),
            Test::Comment(_) => comments.iter().any(|comment| self.names(&comment.text)),
        }
    }

    /// Whether a comment is one that the rule goes by. It stays plain under either rule, so an encrypted one is none.
    pub(super) fn names(&self, comment: &str) -> bool {
        match &self.test {
            Test::Comment(regex) => leaf::Enc::parse(comment).is_none() && regex.is_match(comment),
            _ => false,
        }
    }

    /// Whether a leaf is encrypted, given whether it or anything above it matched.
    pub(super) fn demands(&self, matched: bool) -> bool {
        matched == self.encrypted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn suffix_rules_compare_the_end_and_regexes_search_anywhere() {
        let demands = |rule: Rule, key| {
            let selector = Selector::new(&rule).unwrap();
            selector.demands(selector.matches(Some(key), &[]))
        };
        assert!(demands(Rule::default(), "a"));
        assert!(!demands(Rule::default(), "_unencrypted"));
        assert!(demands(Rule::EncryptedSuffix("_s".into()), "a_s"));
        assert!(!demands(Rule::EncryptedSuffix("_s".into()), "a_S"));
        assert!(demands(Rule::EncryptedRegex("ass".into()), "password"));
        assert!(!demands(Rule::UnencryptedRegex("(?i)^PASS".into()), "password"));
    }

    #[test]
    fn an_expression_that_explodes_is_refused() {
        for (bad, kind) in [("(", ErrorKind::BadRegex), ("((a{1000}){1000}){1000}", ErrorKind::LargeRegex)] {
            assert_eq!(Selector::new(&Rule::EncryptedRegex(bad.into())).err(), Some(kind));
        }
    }

    #[test]
    fn an_expression_that_lists_keys_is_no_expression_however_long_it_is() {
        let keys: Vec<String> = (0..20_000).map(|i| format!("key-{i}")).collect();
        let selector = Selector::new(&Rule::EncryptedRegex(format!("^({})$", keys.join("|")))).unwrap();
        for (key, found) in
            [("key-0", true), ("key-19999", true), ("key-20000", false), ("key", false), ("xkey-0", false)]
        {
            assert_eq!(selector.matches(Some(key), &[]), found, "{key}");
        }
        assert!(one_of("^(a|b.c)$").is_none() && one_of("^(a|)$").is_none() && one_of("^(a)|(b)$").is_none());
    }

    #[test]
    fn e2_11_a_rule_goes_by_keys_or_by_comments_and_by_no_sealed_one() {
        let selector = |rule: Rule| Selector::new(&rule).unwrap();
        let by_comment = selector(Rule::EncryptedCommentRegex(".".into()));
        let zeros = |bytes: usize| {
            "A".repeat(bytes.div_ceil(3) * 4 - 2 + bytes % 3 / 2) + if bytes % 3 == 2 { "=" } else { "==" }
        };
        let sealed = format!("ENC[AES256_GCM,data:YQ==,iv:{},tag:{},type:comment]", zeros(32), zeros(16));
        assert!(leaf::Enc::parse(&sealed).is_some(), "{sealed}");
        assert!(by_comment.names("x") && !by_comment.names("") && !by_comment.names(&sealed));
        assert!(!selector(Rule::EncryptedRegex(".".into())).names("x"));
        let comment = |text: &'static str| [Comment { text: text.into(), range: 0..0 }];
        assert!(by_comment.matches(None, &comment("x")) && !by_comment.matches(Some("x"), &comment("")));
        for (rule, key, matches) in [
            (Rule::EncryptedRegex(".*".into()), Some("x"), true),
            (Rule::EncryptedRegex(".*".into()), Some(""), true),
            (Rule::EncryptedRegex(".*".into()), None, false),
            (Rule::UnencryptedRegex(".*".into()), Some("x\ny"), true),
            (Rule::EncryptedRegex("^(a|b)$".into()), Some("b"), true),
            (Rule::EncryptedRegex("^(a|b)$".into()), Some("ab"), false),
            (Rule::EncryptedRegex("^(a|b)$".into()), None, false),
            (Rule::EncryptedRegex("a.c".into()), Some("xabcx"), true),
            (Rule::EncryptedRegex("a.c".into()), None, false),
            (Rule::EncryptedSuffix("s".into()), Some("as"), true),
            (Rule::EncryptedSuffix("s".into()), Some("sa"), false),
            (Rule::EncryptedSuffix("s".into()), None, false),
        ] {
            assert_eq!(selector(rule.clone()).matches(key, &comment("x")), matches, "{rule:?} {key:?}");
        }
    }
}
