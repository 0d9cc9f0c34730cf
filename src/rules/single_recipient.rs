//! A protected environment is sealed to one key alone.
//!
//! Who loses that key has lost every secret in it, and nobody else can deploy.
//!
//! ```yaml
//! protected: true
//! recipients: [ops]
//! ```
//!
//! Instead, seal to two at least: the pipeline's key, and one that is kept safe elsewhere.
//!
//! ```yaml
//! recipients: [ci, break-glass]
//! ```

use super::{Everything, Findings};
use crate::workspace::Workspace;
use crate::workspace::layers::At;

pub(super) fn check(everything: &Everything<'_>, findings: &mut Findings<'_>) {
    let workspace = everything.workspace;
    for (name, layer) in workspace.environments.iter().filter(|(name, _)| workspace.is_protected(name)) {
        let stack = workspace.stack(&At::plain(name));
        if let [only] = Workspace::recipients(&stack) {
            let message = format!("`{name}` is protected, and sealed to `{}` alone", only.value);
            findings.tell(
                only.span,
                message,
                "add a second recipient, whose key is kept elsewhere: one lost key loses every secret",
            );
            let Some(file) = layer.settings_file else { continue };
            let place = crate::span::Span::file(file);
            if only.span.file != file
                && let Some(told) = findings.last()
            {
                *told = told.clone().also(place, "this environment has no recipients of its own");
            }
        }
    }
}
