//! A URL or connection string has a credential in it.
//!
//! Hosts and URLs are shown in plans, records and logs, and so are titles and descriptions. `https://user:pass@host`, `https://token@host`, a signature in a query (`?sig=…`), a token in
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

use super::shapes::login;
use super::{Findings, Text};

pub(super) fn check(text: &Text<'_>, findings: &mut Findings<'_>) {
    if let Some(what) = login(text.text) {
        findings.sources.mask(text.span);
        findings.tell(
            text.span,
            format!("{what} stands in this value, which is shown to everybody"),
            "if it was ever committed, rotate it. Logins go under `auth`, with the secret as ${{ secrets.NAME }}",
        );
    }
}
