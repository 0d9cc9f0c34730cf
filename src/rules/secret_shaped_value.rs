//! A value in clear is as random as only keys are.
//!
//! Clear values are shown in plans and records, and stay in Git's history. What has the known form of a vendor's token or of a private
//! key is no guess: that is the error `plaintext-secret`, wherever it stands.
//!
//! ```yaml
//! config: {headers: {X-Trace: Zk9Qw3Lr7Tx2Vb5Nm8Pc4Hs6Jd1Fg0Ya}}
//! ```
//!
//! Instead, put it into a field that is secret, behind `${{ secrets.NAME }}`. If it is not a secret, say why on its line:
//! `# tieline: allow secret-shaped-value a public key id`.

use super::shapes::is_random;
use super::{Findings, Text};

/// Public by nature: the schema has it in clear, and its name says what it is.
const PUBLIC: [&str; 4] = ["fingerprint", "certificate", "public_key", "access_key_id"];

pub(super) fn check(text: &Text<'_>, findings: &mut Findings<'_>) {
    if !is_random(text.text) || PUBLIC.iter().any(|name| text.pointer.ends_with(name)) {
        return;
    }
    findings.sources.mask(text.span);
    findings.tell(
        text.span,
        "a random text, as keys are, in clear",
        "if it is a secret and was ever committed, rotate it; then write ${{ secrets.NAME }} in a secret field",
    );
}
