//! A URL or connection string has a credential in it.
//!
//! Hosts and URLs are shown in plans, records and logs. `https://user:pass@host`, a signature in a query (`?sig=…`), a token in
//! one (`?access_token=…`) or a password in a JAAS line is a secret in a place that is not one.
//!
//! ```yaml
//! config: {base_url: https://sync:hunter2@api.example.com}
//! ```
//!
//! Instead, put the login under `auth`, and the secret behind `${{ secrets.NAME }}`:
//!
//! ```yaml
//! config: {base_url: https://api.example.com}
//! auth: {mode: basic, username: sync, password: "${{ secrets.API_PASSWORD }}"}
//! ```

use std::sync::OnceLock;

use regex::Regex;

use super::{Findings, Text};

fn forms() -> &'static [(Regex, &'static str)] {
    static FORMS: OnceLock<Vec<(Regex, &'static str)>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let forms = [
            (r"(?i)^[a-z][a-z0-9+.-]*://[^/@\s?#:]*:[^/@\s?#]+@", "a user and password"),
            (r"(?i)[?&;](?:sig|signature|access_token|token|api_?key|key|secret|password|pwd|x-amz-signature)=[^&;\s]{6,}", "a token"),
            (r"(?i)\b(?:password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|secret)\s*=\s*[^;\s]{3,}", "a password"),
        ];
        forms.into_iter().filter_map(|(form, what)| Some((Regex::new(form).ok()?, what))).collect()
    })
}

pub(super) fn check(text: &Text<'_>, findings: &mut Findings<'_>) {
    // Every form has one of these.
    if text.pointer.is_empty() || !(text.text.contains('=') || text.text.contains("://")) {
        return;
    }
    if let Some((_, what)) = forms().iter().find(|(form, _)| form.is_match(text.text)) {
        findings.sources.mask(text.node.span);
        findings.tell(
            text.node.span,
            format!("{what} stands in this value, which is shown to everybody"),
            "if it was ever committed, rotate it. Logins go under `auth`, with the secret as ${{ secrets.NAME }}",
        );
    }
}
