//! Secrets files, kept: values set and removed, sealed to who may read them, taken in from elsewhere.
//!
//! Takes texts, identities, a time; gives texts. A command reads and writes the files, under a lock. What a secrets file
//! shows without a key is [`crate::workspace::secrets`]'; the format is [`crate::sops`]'.

pub mod accepted;
pub mod adopt;
pub mod audit;
pub mod change;
pub mod extract;
pub mod former;
pub mod generate;
pub mod history;
pub mod homes;
pub mod merge;
pub mod owners;
pub mod recipients;
pub mod sopsrc;

use uuid::Uuid;

use crate::diagnostic::listed;
use crate::sops::{ErrorKind, SopsError};

/// The value of the leaf that ties a file to its layer.
pub fn scope(workspace: Uuid, layer: &str) -> String {
    format!("{workspace}/{layer}")
}

/// The operating system's randomness. Without it nothing may be sealed.
pub fn random(buffer: &mut [u8]) {
    #[allow(clippy::expect_used, reason = "a guessable key would be worse than an abort")]
    getrandom::fill(buffer).expect("the operating system gives randomness");
}

/// A secrets file that could not be opened.
#[derive(Debug)]
pub struct Unopened {
    /// Its path.
    pub path: String,
    /// Why; never a value.
    pub reason: String,
    /// What to do.
    pub help: String,
    /// The file was changed or moved by somebody who had no key.
    pub integrity: bool,
}

/// Names for recipients' keys, where the workspace has some.
pub type NameOf<'n> = dyn Fn(&str) -> Option<String> + 'n;

/// Nobody has a name.
pub fn nameless(_: &str) -> Option<String> {
    None
}

/// Why a file does not open, for people.
pub fn unopened(path: &str, error: &SopsError, name_of: &NameOf<'_>) -> Unopened {
    let (help, integrity) = match &error.kind {
        ErrorKind::NoIdentity { recipients } => {
            let shown = |key: &String| match name_of(key.trim()) {
                Some(name) => format!("{name} ({})", short(key)),
                None => key.trim().to_owned(),
            };
            let shown: Vec<String> = recipients.iter().map(shown).collect();
            (format!("it is sealed to {}: ask one of them", listed(shown.iter().map(String::as_str), 4)), false)
        }
        ErrorKind::MacMismatch
        | ErrorKind::MacMissing
        | ErrorKind::MacDoesNotDecrypt
        | ErrorKind::DoesNotDecrypt
        | ErrorKind::BadDataKey
        | ErrorKind::BadPlaintext(_) => {
            ("somebody changed it without the key: restore it from Git, and find out who".to_owned(), true)
        }
        ErrorKind::SharesMissing { .. } => ("ask for the identities of the other groups".to_owned(), false),
        ErrorKind::NoPlugin(_) => ("install it on the path".to_owned(), false),
        _ => ("`tieline validate` tells more".to_owned(), false),
    };
    let reason = match &error.kind {
        ErrorKind::NoIdentity { .. } => "none of your identities opens it".to_owned(),
        _ => error.to_string(),
    };
    Unopened { path: path.to_owned(), reason, help, integrity }
}

/// A public key as people tell one from another.
pub fn short(key: &str) -> String {
    let key = key.trim();
    if key.starts_with("ssh-") {
        // Kind and comment; the key itself is long and says little.
        let mut words = key.splitn(3, ' ');
        let (kind, body, comment) = (words.next(), words.next().unwrap_or(""), words.next().unwrap_or(""));
        let end = body.len().saturating_sub(8);
        return format!("{} …{} {comment}", kind.unwrap_or(""), body.get(end..).unwrap_or("")).trim_end().to_owned();
    }
    match (key.get(..10), key.len() > 24) {
        (Some(start), true) => format!("{start}…{}", key.get(key.len() - 6..).unwrap_or("")),
        _ => key.to_owned(),
    }
}

/// A file that was sealed for another place.
pub fn foreign(path: &str, found: &str) -> Unopened {
    Unopened {
        path: path.to_owned(),
        reason: format!("the file was sealed for {}, not for this place", place(found)),
        help:
            "secrets files can't be copied between layers: set the values here with `tieline secret set`, or take the \
               file in with `tieline secret adopt`"
                .into(),
        integrity: true,
    }
}

/// The place that a scope names, in words.
pub fn place(scope: &str) -> String {
    let place = scope.split_once('/').map_or(scope, |(_, layer)| layer);
    let place = if place.is_empty() { "the root of a workspace" } else { place };
    format!("`{place}` of the workspace it was made in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_11_a_scope_says_the_layer_that_it_names() {
        for (scope, words) in [
            ("7a1f/", "`the root of a workspace`"),
            ("7a1f/environments/prod", "`environments/prod`"),
            ("odd", "`odd`"),
        ] {
            assert!(place(scope).starts_with(words), "{}", place(scope));
        }
    }

    #[test]
    fn e2_11_a_key_is_shown_short_and_can_be_told_from_others() {
        let age = "age1qqqqqqqqqqqqqqqqqqqqqqqqqzzzzzz";
        for (key, shown) in [
            (age, "age1qqqqqq…zzzzzz"),
            (" age1qqqqqqqqqqqqqqqqqqqqqqqqqzzzzzz\n", "age1qqqqqq…zzzzzz"),
            ("a23456789012345678901234", "a23456789012345678901234"),
            ("a234567890123456789012345", "a234567890…012345"),
            ("ssh-ed25519 AAAABBBBCCCCDDDD ana at work", "ssh-ed25519 …CCCCDDDD ana at work"),
            ("ssh-rsa AAAA", "ssh-rsa …AAAA"),
            ("ssh-rsa", "ssh-rsa …"),
            ("short", "short"),
        ] {
            assert_eq!(short(key), shown);
        }
    }

    #[test]
    fn e2_11_who_could_open_a_file_is_told_by_name_or_by_key() {
        let told = |name_of: &NameOf<'_>| {
            let recipients = vec![" age1qqqqqqqqqqqqqqqqqqqqqqqqqzzzzzz".to_owned()];
            let error = SopsError::from(ErrorKind::NoIdentity { recipients });
            let Unopened { help, integrity, .. } = unopened("x", &error, name_of);
            assert!(!integrity);
            help
        };
        assert_eq!(told(&nameless), "it is sealed to `age1qqqqqqqqqqqqqqqqqqqqqqqqqzzzzzz`: ask one of them");
        let ana = |key: &str| key.starts_with("age1").then(|| "ana".to_owned());
        assert_eq!(told(&ana), "it is sealed to `ana (age1qqqqqq…zzzzzz)`: ask one of them");
    }
}
