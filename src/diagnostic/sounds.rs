//! Names that say secret: one list for everything that goes by names, since nothing else is known of a value.

/// What a name says that a secret stands behind, as one word or as two in a row (`api_key`, `api-key`, `apiKey`), also
/// fused with what stands before it (`dbpassword`).
pub const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "privatekey",
    "apikey",
    "accesskey",
    "accountkey",
    "clientkey",
    "encryptionkey",
    "masterkey",
    "sharedkey",
    "signingkey",
];

/// The same for words that count only whole: `compass` ends in one of them.
pub const WHOLE_SECRET_WORDS: &[&str] =
    &["pass", "pw", "passwords", "authorization", "cookie", "cookies", "credential", "credentials", "apikeys"];

/// What makes a name harmless that has one of [`SECRET_WORDS`], as its last word: it is about the secret.
pub const HARMLESS_ENDINGS: &[&str] = &[
    "algorithm",
    "arn",
    "audience",
    "count",
    "encryption",
    "endpoint",
    "expires",
    "expiry",
    "field",
    "file",
    "format",
    "header",
    "host",
    "id",
    "in",
    "issuer",
    "length",
    "lifetime",
    "location",
    "method",
    "mode",
    "name",
    "path",
    "policy",
    "prefix",
    "region",
    "required",
    "scope",
    "scopes",
    "size",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "version",
];

/// Keys of the language itself, which name what holds a secret.
const OURS: &[&str] = &["credential", "secrets"];

/// Whether what stands behind this key is likely a secret, wherever it is and whatever is known of it: then it is never
/// quoted.
pub fn sounds_secret(key: &str) -> bool {
    let words = words(key);
    let harmless = |last: &String| HARMLESS_ENDINGS.contains(&last.as_str());
    if words.last().is_none_or(harmless) || OURS.contains(&key) {
        return false;
    }
    let says = |word: &String| {
        let known = SECRET_WORDS.iter().any(|secret| word.ends_with(secret));
        known || WHOLE_SECRET_WORDS.contains(&word.as_str())
    };
    let pair = |pair: &[String]| {
        let fused = pair.concat();
        SECRET_WORDS.iter().chain(WHOLE_SECRET_WORDS).any(|secret| fused == *secret)
    };
    words.iter().any(says) || words.windows(2).any(pair)
}

/// What says who logs in, and how, where a name above says login or secret.
const WHO: &[&str] = &["account", "enabled", "grant", "principal", "realm", "scheme", "tenant", "user", "username"];

/// Whether a key below a login, or below a name that says secret, is about the secret, and not a part of it.
pub fn sounds_about_secret(key: &str) -> bool {
    let words = words(key);
    words.last().is_none_or(|last| HARMLESS_ENDINGS.contains(&&**last) || WHO.contains(&&**last))
}

/// `db.apiKey_2` as `db`, `api`, `key`: in lower case, without numbers at the end.
fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut before = ' ';
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_alphanumeric() {
            open = false;
        } else {
            // `apiKey`, and the last letter of `API` in `APIKey`.
            let hump = c.is_uppercase()
                && (before.is_lowercase() || (before.is_uppercase() && chars.peek().is_some_and(|n| n.is_lowercase())));
            if !open || hump {
                words.push(String::new());
            }
            open = true;
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    for word in &mut words {
        word.truncate(word.trim_end_matches(|c: char| c.is_numeric()).len());
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::sounds_secret;

    #[test]
    fn a_name_says_secret_by_whole_words() {
        for name in [
            "password",
            "PGPASSWORD",
            "db_password",
            "dbpassword",
            "Password1",
            "apiKey",
            "api_keys",
            "APIKey",
            "X-Api-Key",
            "x_api_key",
            "accessToken",
            "secret_access_key",
            "client_secret_value",
            "private_key",
            "private_key_passphrase",
            "AccountKey",
            "Authorization",
            "Cookie",
            "service_credentials",
            "db.credential",
            "token",
        ] {
            assert!(sounds_secret(name), "{name}");
        }
        for name in [
            "token_url",
            "tokenUrl",
            "secret_type",
            "password_encryption",
            "private_key_file",
            "access_key_id",
            "api_key_header",
            "credential",
            "secrets",
            "max_tokens",
            "tokenizer",
            "compass",
            "bypass",
            "public_key",
            "key",
            "passenger",
            "",
            "1",
        ] {
            assert!(!sounds_secret(name), "{name}");
        }
    }
}
