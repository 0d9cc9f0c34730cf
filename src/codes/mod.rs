//! What each code means, why it is told and what to do instead: one page a code.

macro_rules! pages {
    ($($code:literal),* $(,)?) => {
        /// The page of a code, in Markdown.
        pub fn page(code: &str) -> Option<&'static str> {
            match code {
                $($code => Some(include_str!(concat!($code, ".md"))),)*
                _ => None,
            }
        }
    };
}

pages!(
    "ambiguous-scalar",
    "control-character",
    "credential-connector",
    "customer-scope",
    "duplicate-key",
    "empty-file",
    "expression-not-allowed",
    "extends-cycle",
    "invalid-connector-schema",
    "invalid-directive",
    "invalid-expression",
    "invalid-id",
    "invalid-name",
    "invalid-public-key",
    "invalid-secrets-file",
    "invalid-value",
    "missing-key",
    "more-problems",
    "needs-consent",
    "needs-replace",
    "no-customer",
    "not-a-regular-file",
    "not-utf8",
    "number-range",
    "over-budget",
    "overlays-nothing",
    "patch-type",
    "plaintext-secret",
    "policy",
    "recipients-differ",
    "reference-cycle",
    "removes-nothing",
    "schema",
    "sealed",
    "secret-bound-twice",
    "secret-in-clear",
    "secret-use",
    "secrets-not-encrypted",
    "secrets-unscoped",
    "slot-accepts",
    "stray-file",
    "string-for-integer",
    "too-large",
    "undefined-name",
    "unknown-connection",
    "unknown-connector",
    "unknown-credential",
    "unknown-environment",
    "unknown-key",
    "unknown-recipient",
    "unknown-secret",
    "unreadable",
    "wrong-extension",
    "wrong-type",
    "yaml-alias",
    "yaml-differs",
    "yaml-documents",
    "yaml-key",
    "yaml-merge-key",
    "yaml-syntax",
    "yaml-tab",
    "yaml-tag",
    "yaml-too-deep",
    "yaml-too-many-nodes",
);

#[cfg(test)]
mod tests {
    use super::page;
    use crate::diagnostic::CODES;

    #[test]
    fn every_code_has_a_page_that_begins_with_it() {
        for code in CODES {
            let page = page(code).unwrap_or_default();
            assert!(page.starts_with(&format!("# {code}\n\n")), "{code}");
            assert!(page.lines().nth(2).is_some_and(|title| title.ends_with('.')), "{code} has a sentence for a title");
        }
    }

    #[test]
    fn no_page_is_about_nothing() {
        let pages = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("    \"")?.strip_suffix("\","));
        let unknown: Vec<&str> = pages.filter(|code| !CODES.contains(code)).collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }
}
