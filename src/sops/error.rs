//! What can be wrong with a sops file, as a type: the caller explains, this module only names the cause.
//!
//! No error holds plaintext: the key at the top may appear (sops leaves it in clear), values never do, nor keys below, which
//! may be values that lost their quotes.

use std::fmt;
use std::ops::Range;

use super::leaf::Type;
use crate::yaml::characters::Refused;
use crate::yaml::events::SyntaxErrorKind;

/// Why a text could not be read, opened, written or edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SopsError {
    /// The cause.
    pub kind: ErrorKind,
    /// Where in the text, in bytes, if it is about a place.
    pub range: Option<Range<usize>>,
    /// The path of the leaf or map it is about, as [`super::Path`] displays it.
    pub path: Option<String>,
}

/// The cause of a [`SopsError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not YAML.
    Syntax(SyntaxErrorKind),
    /// The text is not JSON.
    NotJson,
    /// No document, or nothing but comments.
    Empty,
    /// Nested deeper than 64 levels, aliases expanded.
    TooDeep,
    /// More than 100,000 nodes, aliases expanded, or an alias that multiplies the text.
    TooLarge,
    /// The keys on the way to a leaf are longer than 16 KiB together, or a key to be written is longer than YAML allows.
    PathTooLong,
    /// The top of a document is a list or a scalar.
    TopNotMap,
    /// A key that is no string: a number, a boolean, null, a date, a list or a map.
    KeyNotString,
    /// A key stands twice in one map.
    DuplicateKey {
        /// The bytes of the first of the two.
        first: Range<usize>,
    },
    /// A plain integer from 2^63 to 2^64 - 1, which sops cannot hold.
    IntegerTooLarge,
    /// A number with more digits than a 64-bit float holds: it would be rounded.
    Rounded,
    /// A tag that does not fit its scalar: `!!int x`.
    TagMismatch,
    /// There is no map under the key `sops` in the first document: not a sops file.
    NoBlock,
    /// A field of the block has a form that cannot be read.
    BadBlock(&'static str),
    /// The block has no `version`.
    VersionMissing,
    /// Two of the six rule keys stand in the block.
    TwoRules,
    /// The rule's regular expression does not compile.
    BadRegex,
    /// Its regular expression takes too much memory compiled.
    LargeRegex,
    /// The rule demands encryption, but the value is in clear.
    NotEncrypted,
    /// The rule demands encryption, and the value begins like an ENC text but is none.
    BadEnc,
    /// The value does not decrypt: it was changed, or moved here from another path or file.
    DoesNotDecrypt,
    /// The value decrypts, but its plaintext is not of the type it claims.
    BadPlaintext(Type),
    /// There is no `mac`.
    MacMissing,
    /// The `mac` does not decrypt: it or `lastmodified` was changed.
    MacDoesNotDecrypt,
    /// The values are not those the `mac` was made of: one was added, removed, changed or moved.
    MacMismatch,
    /// None of the identities opens the file.
    NoIdentity {
        /// The recipients that the file names.
        recipients: Vec<String>,
    },
    /// The file has key groups, and the identities open too few of them.
    SharesMissing {
        /// Groups that open.
        have: usize,
        /// Groups that it takes.
        needed: usize,
    },
    /// The data key is held only by kinds of master key that are not supported, such as `pgp`.
    UnsupportedKeys(Vec<String>),
    /// An identity opens an `enc`, but what it holds is not a data key.
    BadDataKey,
    /// Not an age recipient.
    BadRecipient,
    /// An SSH key of a kind that age does not seal to.
    UnsupportedRecipient,
    /// A post-quantum recipient.
    PostQuantum,
    /// The program of a recipient's plugin is not installed: its name behind `age-plugin-`.
    NoPlugin(String),
    /// Nobody to encrypt for.
    NoRecipients,
    /// A timestamp that is not `YYYY-MM-DDTHH:MM:SSZ`.
    BadTimestamp,
    /// A plaintext may not have the top-level key `sops`.
    ReservedKey,
    /// The key `<<` would be read as a merge by others.
    MergeKey,
    /// A value that not every sops release reads back: a timestamp, raw bytes, a plain negative zero.
    Unwritable(Type),
    /// Comment rules are read, never written: a fresh document has no comments.
    CommentRule,
    /// A path that leads nowhere, or through something that is not a map.
    NoSuchMap,
    /// A path to a map or list where a single value is wanted.
    NotALeaf,
    /// The edited text did not read back as expected; nothing was changed.
    EditFailed,
    /// JSON holds one document.
    ManyDocuments,
    /// A number that JSON has no text for: an infinity, NaN.
    NotInJson,
    /// The file has key groups, whose shares are not made here.
    KeyGroups,
    /// A key of `.sops.yaml` that can't be read, or that this module does not know to follow.
    BadConfig(&'static str),
    /// age failed to wrap the data key.
    Age,
}

impl SopsError {
    pub(super) fn new(kind: ErrorKind) -> Self {
        Self { kind, range: None, path: None }
    }

    pub(super) fn at(kind: ErrorKind, range: &Range<usize>) -> Self {
        Self { kind, range: Some(range.clone()), path: None }
    }

    pub(super) fn with_path(mut self, path: String) -> Self {
        self.path = Some(path);
        self
    }
}

impl From<ErrorKind> for SopsError {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl std::error::Error for SopsError {}

impl fmt::Display for SopsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "`{path}`: ")?;
        }
        self.kind.fmt(f)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax(SyntaxErrorKind::Refused(c)) => return write!(f, "not YAML: {}", Refused::describe(*c)),
            Self::Syntax(SyntaxErrorKind::Tab) => "not YAML: a tab where YAML wants spaces",
            Self::Syntax(SyntaxErrorKind::UnknownAnchor) => "not YAML: an alias without its anchor",
            Self::Syntax(SyntaxErrorKind::Unclosed) => "not YAML: a bracket or quote that never closes",
            Self::Syntax(_) => "not YAML",
            Self::NotJson => "not JSON",
            Self::Empty => "the text has no document",
            Self::TooDeep => "nested too deeply",
            Self::TooLarge => "too many nodes",
            Self::PathTooLong => "the keys on the way to this value are too long",
            Self::TopNotMap => "the top of the document is not a map",
            Self::KeyNotString => "a key is not a string",
            Self::DuplicateKey { .. } => "the key stands twice in its map",
            Self::IntegerTooLarge => "the integer does not fit 64 bits with a sign",
            Self::Rounded => "the number has more digits than a 64-bit float holds",
            Self::TagMismatch => "the tag does not fit the value",
            Self::NoBlock => "no `sops` block: the file is not encrypted with sops",
            Self::BadBlock(field) => return write!(f, "the `sops` block is malformed at `{field}`"),
            Self::VersionMissing => "the `sops` block has no `version`",
            Self::TwoRules => "the `sops` block holds two rules for what is encrypted",
            Self::LargeRegex => "the rule's regular expression takes more than 64 KiB compiled",
            Self::BadRegex => "the rule's regular expression does not compile",
            Self::NotEncrypted => "the value is in clear where the rule demands encryption",
            Self::BadEnc => "the encrypted text is damaged",
            Self::DoesNotDecrypt => "the value does not decrypt: it was changed, or belongs to another place",
            Self::BadPlaintext(kind) => return write!(f, "the decrypted value is not of type `{kind}`"),
            Self::MacMissing => "the `sops` block has no `mac`",
            Self::MacDoesNotDecrypt => "the `mac` does not decrypt: it or `lastmodified` was changed",
            Self::MacMismatch => "the values do not match the `mac`: the file was changed without sops",
            Self::NoIdentity { recipients } => {
                return write!(f, "no identity opens the file; its recipients are {}", recipients.join(", "));
            }
            Self::UnsupportedKeys(kinds) => {
                return write!(f, "the data key is held only by unsupported kinds of key: {}", kinds.join(", "));
            }
            Self::BadDataKey => "the file's data key is damaged",
            Self::BadRecipient => "not an age recipient",
            Self::SharesMissing { have, needed } => {
                return write!(
                    f,
                    "the file has key groups: your identities open {have} of them, and it takes {needed}"
                );
            }
            Self::UnsupportedRecipient => {
                "an SSH key of a kind that age does not seal to: only ssh-ed25519 and ssh-rsa of 2048 to 4096 bits"
            }
            Self::PostQuantum => "post-quantum recipients are not supported yet",
            Self::NoPlugin(name) => return write!(f, "the program age-plugin-{name} is not installed"),
            Self::NoRecipients => "no recipients to encrypt for",
            Self::BadTimestamp => "not a timestamp of the form `YYYY-MM-DDTHH:MM:SSZ`",
            Self::ReservedKey => "the top-level key `sops` is reserved",
            Self::MergeKey => "the key `<<` cannot be written",
            Self::Unwritable(kind) => return write!(f, "a value of type `{kind}` cannot be written here"),
            Self::CommentRule => "rules by comment cannot be written",
            Self::NoSuchMap => "no map at this path",
            Self::NotALeaf => "a map or list where a single value is wanted",
            Self::EditFailed => "the edited text does not read back as expected",
            Self::ManyDocuments => "the file has several documents, and JSON holds one",
            Self::NotInJson => "JSON has no text for this number",
            Self::KeyGroups => "the file has key groups: who can open it is not changed here",
            Self::BadConfig(key) => return write!(f, ".sops.yaml: `{key}` can't be read, or is not supported"),
            Self::Age => "age could not wrap the data key",
        })
    }
}
