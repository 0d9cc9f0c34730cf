//! A value in clear stands behind a name that says secret.
//!
//! Where no schema knows a field (its connector does not exist, or it has no such field), its name decides: `password`,
//! `passphrase`, `secret`, `token`, `authorization`, `cookie`, `credential`, `api_key`, `access_key`, `private_key` and their
//! like, as whole words. Not where what stands behind says that it is about the secret: `token_url`, `secret_type`,
//! `password_encryption`, `private_key_file`, `access_key_id`.
//!
//! ```yaml
//! connector: postgres   # there is none of this name
//! auth: {mode: password, username: sync, password: hunter2}
//! ```
//!
//! Instead, write `${{ secrets.NAME }}`. If it is not a secret, say why on its line:
//! `# tieline: allow secret-named-value a key of the test fixture`.
