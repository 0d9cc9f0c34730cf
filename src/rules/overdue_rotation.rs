//! A credential should have been rotated by now.
//!
//! `rotated` is the day of the last rotation, `rotate_every` how long a value may be used. At most a warning, whatever the level:
//! a commit that was green yesterday stays green.
//!
//! ```yaml
//! rotate_every: 90d
//! rotated: '2026-01-31'
//! runbook: https://wiki.example.com/rotate-finance-db
//! ```
//!
//! Set a new value (`tieline secret set NAME -e ENV`), then write the day here. `tieline plan` lists every connection that it
//! reaches.

use jiff::civil::Date;

use super::Findings;
use crate::model::credential::Credential;

pub(super) fn check(credential: &Credential, today: Date, findings: &mut Findings<'_>) {
    let Some(rotation) = &credential.rotation else { return };
    let Some(due) = rotation.due.filter(|due| *due < today) else { return };
    let message = format!("`{}` was last rotated on {}, and is overdue since {due}", credential.id, rotation.rotated);
    let runbook = credential.runbook.as_deref().map(|runbook| format!(" (runbook: {runbook})"));
    let help = format!("rotate it, then write the day here{}", runbook.unwrap_or_default());
    findings.tell(rotation.span, message, help);
}
