//! A value in clear looks like a secret.
//!
//! It has the form of a vendor's token or of a private key, or it is as random as only keys are. Clear values are shown in plans
//! and records, and stay in Git's history.
//!
//! ```yaml
//! config: {headers: {X-Trace: ghp_0123456789abcdefghijklmnopqrstuvwxyz}}
//! ```
//!
//! Instead, put it into a field that is secret, behind `${{ secrets.NAME }}`. If it is no secret, say why on its line:
//! `# tieline: allow secret-shaped-value a public key id`.

use super::shapes::shape;
use super::{Findings, Text};

pub(super) fn check(text: &Text<'_>, findings: &mut Findings<'_>) {
    // Public by nature: the schema has it in clear, and its name says what it is.
    let public = ["fingerprint", "certificate", "public_key", "access_key_id"];
    let Some(shape) = shape(text.text).filter(|_| !public.iter().any(|name| text.pointer.ends_with(name))) else {
        return;
    };
    findings.sources.mask(text.node.span);
    findings.tell(
        text.node.span,
        format!("{shape} in clear"),
        "if it is a secret and was ever committed, rotate it; then write ${{ secrets.NAME }} in a secret field",
    );
}
