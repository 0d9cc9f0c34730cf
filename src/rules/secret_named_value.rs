//! A value in clear stands behind a name that says secret.
//!
//! Where no schema knows a field (its connector does not exist, or has no such field), or only as one of any name (a header, a
//! driver's parameter), and in `labels` and `vars`, its name decides: unless the schema says `"writeOnly": false`. These say
//! secret, as whole words or two in a row (`api_key`, `api-key`, `apiKey`): `password`, `passwords`, `passwd`, `pass`, `pw`, `pwd`, `passphrase`,
//! `passcode`, `secret`, `token`, `authorization`, `cookie`, `cookies`, `credential`, `credentials`, `private_key`, `api_key`,
//! `api_keys`, `access_key`, `account_key`, `client_key`, `encryption_key`, `master_key`, `shared_key`, `signing_key`.
//!
//! Not where the last word says that it is about the secret: `algorithm`, `arn`, `audience`, `count`, `encryption`, `endpoint`,
//! `expires`, `expiry`, `field`, `file`, `format`, `header`, `host`, `id`, `in`, `issuer`, `length`, `lifetime`, `location`,
//! `method`, `mode`, `name`, `path`, `policy`, `prefix`, `region`, `required`, `scope`, `scopes`, `size`, `timeout`, `ttl`, `type`,
//! `uri`, `url`, `version`.
//!
//! What stands below such a name, or in variables below `auth`, is part of the secret, unless it is called one of these, or `user`,
//! `username`, `account`, `principal`, `realm`, `scheme`, `grant`, `tenant`, `enabled`.
//!
//! ```yaml
//! connector: postgres   # there is none of this name
//! auth: {mode: password, username: sync, password: hunter2}
//! ```
//!
//! Instead, write `${{ secrets.NAME }}`; where no secret can stand, in a field of `auth`. If it is not a secret, say why on its line:
//! `# tieline: allow secret-named-value a key of the test fixture`.

#[cfg(test)]
mod tests {
    use crate::diagnostic::{HARMLESS_ENDINGS, SECRET_WORDS, WHOLE_SECRET_WORDS};

    #[test]
    fn the_page_names_every_word() {
        let page = include_str!("secret_named_value.rs").replace('_', "");
        let all = [SECRET_WORDS, WHOLE_SECRET_WORDS, HARMLESS_ENDINGS].concat();
        let missing: Vec<_> = all.iter().filter(|word| !page.contains(&format!("`{word}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
