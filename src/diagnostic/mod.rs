//! A problem and everything that is to be said about it. Knows no stage of the pipeline; rendering stands in
//! [`crate::reporters`].

mod logins;
mod near;
mod sounds;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::span::{FileId, Span};
pub use logins::{MASK, logins, without_logins};
pub use near::{listed, nearest, word};
pub use sounds::{HARMLESS_ENDINGS, SECRET_WORDS, WHOLE_SECRET_WORDS, sounds_about_secret, sounds_secret};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing can be deployed.
    Error,
    /// Worth mending; never stops anything.
    Warning,
    /// Told, no more.
    Info,
}

impl Severity {
    /// `error`, `warning` or `info`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// A place that belongs to the problem, with a word on why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there, in a few words; may be empty.
    pub message: String,
}

/// One problem: one cause, told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable kebab-case name, one of [`CODES`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, names in backticks, no full stop, never a secret value.
    pub message: String,
    /// The place, first; then what else belongs to it.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// The environments in which it was found; empty where it does not depend on one.
    pub environments: Vec<Arc<str>>,
    /// The customers in whose instances alone it was found; empty where it does not depend on one.
    pub customers: Vec<Arc<str>>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { span, message: String::new() }],
            help: None,
            environments: Vec::new(),
            customers: Vec::new(),
        }
    }

    /// A warning at `span`.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// A word under the underlined place.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.message = message.into();
        }
        self
    }

    /// Another place that belongs to the problem.
    #[must_use]
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The place that is underlined.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }
}

/// The code of what fails because of something that was told elsewhere: it keeps what depends on it from being
/// blamed, and [`merge`] drops it.
pub const QUIET: &str = "";

/// What else may be told of the very same place, and is no news beside the first: mending the one mends the other.
const FOLLOWS: &[(&str, &[&str])] = &[
    (code::PLAINTEXT_SECRET, &[code::AMBIGUOUS_SCALAR, code::NUMBER_RANGE, "secret-shaped-value", "credential-in-url"]),
    (code::AMBIGUOUS_SCALAR, &[code::SCHEMA, code::WRONG_TYPE]),
    (code::NUMBER_RANGE, &[code::SCHEMA, code::WRONG_TYPE]),
    (code::EXPRESSION_NOT_ALLOWED, &[code::SCHEMA, code::INVALID_NAME]),
    (code::INVALID_NAME, &[code::UNKNOWN_RECIPIENT]),
    (code::YAML_KEY, &[code::INVALID_NAME]),
];

/// Sorts by place and tells the same fault in several environments once, with all their names.
pub fn merge(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let causes: HashSet<(&str, Option<Span>)> = diagnostics.iter().map(|d| (d.code, d.span())).collect();
    let tags = diagnostics.iter().filter(|d| d.code == code::YAML_TAG).filter_map(Diagnostic::span);
    let tags: BTreeSet<(FileId, u32)> = tags.map(|span| (span.file, span.end)).collect();
    let unread = |d: &Diagnostic| matches!(d.code, code::TOO_LARGE | code::UNREADABLE | code::NOT_UTF8);
    let unread: HashSet<Option<FileId>> =
        diagnostics.iter().filter(|d| unread(d)).map(|d| d.span().map(|s| s.file)).collect();
    let follows = |d: &Diagnostic| {
        if d.code == code::INVALID_CONNECTOR_SCHEMA && unread.contains(&d.span().map(|s| s.file)) {
            return true;
        }
        // Nobody knows what a tagged value was to be: it stands right behind the tag.
        let behind = |span: Span| {
            let near = (span.file, span.start.saturating_sub(4))..=(span.file, span.start);
            tags.range(near).next().is_some()
        };
        if d.code != code::YAML_TAG && d.span().is_some_and(behind) {
            return true;
        }
        let causes_of = FOLLOWS.iter().filter(|(_, effects)| effects.contains(&d.code));
        causes_of.into_iter().any(|(cause, _)| causes.contains(&(*cause, d.span())))
    };
    let told: Vec<bool> = diagnostics.iter().map(|d| d.code != QUIET && !follows(d)).collect();
    let mut sorted: Vec<Diagnostic> =
        diagnostics.into_iter().zip(told).filter_map(|(d, told)| told.then_some(d)).collect();
    sorted.sort_by(|a, b| {
        let key = |d: &Diagnostic| d.span().map(|s| (s.file, s.start, s.end));
        (key(a), a.severity, a.code, &a.message).cmp(&(key(b), b.severity, b.code, &b.message))
    });
    let mut merged: Vec<Diagnostic> = Vec::with_capacity(sorted.len());
    for diagnostic in sorted {
        match merged.last_mut() {
            Some(last)
                if last.code == diagnostic.code
                    && last.message == diagnostic.message
                    && last.span() == diagnostic.span() =>
            {
                if diagnostic.customers.is_empty() {
                    // It needs no customer.
                    last.customers.clear();
                } else if !last.customers.is_empty() {
                    add_missing(&mut last.customers, diagnostic.customers);
                }
                add_missing(&mut last.environments, diagnostic.environments);
            }
            _ => merged.push(diagnostic),
        }
    }
    for diagnostic in &mut merged {
        // What a message quotes may be an address.
        for text in std::iter::once(&mut diagnostic.message).chain(&mut diagnostic.help) {
            if let std::borrow::Cow::Owned(shown) = without_logins(text) {
                *text = shown;
            }
        }
        // What is wrong in an environment is wrong in it with any profile too.
        let all = diagnostic.environments.clone();
        let plain = |name: &str| name.split_once('+').is_some_and(|(plain, _)| all.iter().any(|e| **e == *plain));
        diagnostic.environments.retain(|name| !plain(name));
    }
    capped(merged)
}

fn add_missing(names: &mut Vec<Arc<str>>, more: Vec<Arc<str>>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Nobody mends more than these in one file before the next run; and to draw 100,000 in one long line takes for ever.
pub const MAX_IN_A_FILE: usize = 1000;

/// Cuts off what one file has too many of, and says so. The diagnostics are sorted by file.
fn capped(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    let mut diagnostics = diagnostics.into_iter().peekable();
    while let Some(file) = diagnostics.peek().map(|d| d.span().map(|s| s.file)) {
        let mut here = std::iter::from_fn(|| diagnostics.next_if(|d| d.span().map(|s| s.file) == file));
        kept.extend(here.by_ref().take(MAX_IN_A_FILE));
        if let Some(span) = here.next().and_then(|first| first.span()) {
            here.for_each(drop);
            let message = "from here on the file has more problems than are told";
            kept.push(Diagnostic {
                severity: Severity::Info,
                ..Diagnostic::error(code::MORE_PROBLEMS, span, message).help("mend those before, and run again")
            });
        }
    }
    kept
}

/// Whether an error is among them.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// The codes of all diagnostics. A code keeps its meaning for ever.
        pub mod code {
            $($(#[$doc])* pub const $name: &str = $code;)*
        }
        /// Every code of [`code`]; a snapshot pins the list, and each has a fixture that raises it.
        pub const CODES: &[&str] = &[$($code),*];
    };
}

codes! {
    /// The run needs more than its budget.
    OVER_BUDGET = "over-budget";
    /// A file or folder that the workspace cannot use where it stands.
    STRAY_FILE = "stray-file";
    /// `.yml` in place of `.yaml`.
    WRONG_EXTENSION = "wrong-extension";
    /// A path that is no id.
    INVALID_ID = "invalid-id";
    /// A symbolic link, device, pipe or socket where a regular file is wanted.
    NOT_A_REGULAR_FILE = "not-a-regular-file";
    /// A file that could not be read.
    UNREADABLE = "unreadable";
    /// A file, or the workspace, over a limit.
    TOO_LARGE = "too-large";
    /// The bytes are not UTF-8.
    NOT_UTF8 = "not-utf8";
    /// A control character.
    CONTROL_CHARACTER = "control-character";
    /// Not YAML.
    YAML_SYNTAX = "yaml-syntax";
    /// Nested deeper than the limit.
    YAML_TOO_DEEP = "yaml-too-deep";
    /// More nodes than the limit, aliases expanded.
    YAML_TOO_MANY_NODES = "yaml-too-many-nodes";
    /// A tab where YAML wants spaces.
    YAML_TAB = "yaml-tab";
    /// YAML that not every reader takes, or takes alike.
    YAML_DIFFERS = "yaml-differs";
    /// More than one document in a file.
    YAML_DOCUMENTS = "yaml-documents";
    /// The same key twice in a map.
    DUPLICATE_KEY = "duplicate-key";
    /// A key that is no string.
    YAML_KEY = "yaml-key";
    /// A tag.
    YAML_TAG = "yaml-tag";
    /// `<<`.
    YAML_MERGE_KEY = "yaml-merge-key";
    /// An alias without an anchor, or within its own anchor.
    YAML_ALIAS = "yaml-alias";
    /// A plain scalar that readers take in different ways.
    AMBIGUOUS_SCALAR = "ambiguous-scalar";
    /// A number outside the ranges.
    NUMBER_RANGE = "number-range";
    /// A file without content.
    EMPTY_FILE = "empty-file";
    /// A key that is not known here.
    UNKNOWN_KEY = "unknown-key";
    /// A key that must be there.
    MISSING_KEY = "missing-key";
    /// A value of the wrong type for its key.
    WRONG_TYPE = "wrong-type";
    /// A value that its key does not allow.
    INVALID_VALUE = "invalid-value";
    /// A customer would change, or list, what is one for all.
    CUSTOMER_SCOPE = "customer-scope";
    /// Credentials that only a person of a customer's can give are to be supplied by the organization.
    NEEDS_CONSENT = "needs-consent";
    /// A connection for customers that none has.
    NO_CUSTOMER = "no-customer";
    /// `extends` names no environment.
    UNKNOWN_ENVIRONMENT = "unknown-environment";
    /// `extends` runs in a circle.
    EXTENDS_CYCLE = "extends-cycle";
    /// A recipient that `keys` does not name.
    UNKNOWN_RECIPIENT = "unknown-recipient";
    /// A name of an owner, key, recipient, label or exposure that is not plain.
    INVALID_NAME = "invalid-name";
    /// Text that is no age or SSH public key.
    INVALID_PUBLIC_KEY = "invalid-public-key";
    /// An overlay for something that no lower layer has.
    OVERLAYS_NOTHING = "overlays-nothing";
    /// `null` or `$remove` that removes nothing.
    REMOVES_NOTHING = "removes-nothing";
    /// A map patched by a scalar, or back.
    PATCH_TYPE = "patch-type";
    /// A directive that cannot be applied.
    INVALID_DIRECTIVE = "invalid-directive";
    /// Another `mode`, `variant` or `connector` without `$replace`.
    NEEDS_REPLACE = "needs-replace";
    /// A connector that does not exist.
    UNKNOWN_CONNECTOR = "unknown-connector";
    /// A connector schema that cannot be used.
    INVALID_CONNECTOR_SCHEMA = "invalid-connector-schema";
    /// `credential` names none that exists.
    UNKNOWN_CREDENTIAL = "unknown-credential";
    /// A credential that this connector may not link.
    CREDENTIAL_CONNECTOR = "credential-connector";
    /// A consumer uses a connection that does not exist.
    UNKNOWN_CONNECTION = "unknown-connection";
    /// A slot does not accept the connector of its connection.
    SLOT_ACCEPTS = "slot-accepts";
    /// Connections name each other in a circle.
    REFERENCE_CYCLE = "reference-cycle";
    /// `${{ … }}` that is no expression.
    INVALID_EXPRESSION = "invalid-expression";
    /// An expression where only a literal may stand.
    EXPRESSION_NOT_ALLOWED = "expression-not-allowed";
    /// A name that is not defined.
    UNDEFINED_NAME = "undefined-name";
    /// A secret that no layer has.
    UNKNOWN_SECRET = "unknown-secret";
    /// `secrets` in another form than `secrets.NAME`, or in a condition.
    SECRET_USE = "secret-use";
    /// A field that can't be sealed, or no longer is.
    SEALED = "sealed";
    /// A secret in a field that is not secret.
    SECRET_IN_CLEAR = "secret-in-clear";
    /// A plain value in a secret field.
    PLAINTEXT_SECRET = "plaintext-secret";
    /// `secrets.sops.yaml` is not encrypted.
    SECRETS_NOT_ENCRYPTED = "secrets-not-encrypted";
    /// `secrets.sops.yaml` is not what we accept of a sops file.
    INVALID_SECRETS_FILE = "invalid-secrets-file";
    /// `secrets.sops.yaml` is sealed to others than the configured recipients.
    RECIPIENTS_DIFFER = "recipients-differ";
    /// `secrets.sops.yaml` does not say where it belongs: it could have been copied here.
    SECRETS_UNSCOPED = "secrets-unscoped";
    /// One layer has a secret in its file and binds it to a store.
    SECRET_BOUND_TWICE = "secret-bound-twice";
    /// A connection is not as a policy of the workspace wants it.
    POLICY = "policy";
    /// The instance does not match its connector's schema.
    SCHEMA = "schema";
    /// More problems in a file than are told.
    MORE_PROBLEMS = "more-problems";
    /// A string was read as the integer that it spells.
    STRING_FOR_INTEGER = "string-for-integer";
}
