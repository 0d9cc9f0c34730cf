//! Addresses of secrets in stores outside of the repository: their form, which shows without asking anybody.
//!
//! An address names a secret, never a host, a credential or a program: those come from the operator alone.
//!
//! | scheme | form |
//! | --- | --- |
//! | `env:` | `env:NAME`, a variable of the process that applies |
//! | `file:` | `file:PATH`, in the workspace or in the folder that the operator names; nothing of Git's |
//! | `vault:` | `vault://MOUNT/PATH#FIELD`, `?version=N` before the `#` |
//! | `awssm:` | `awssm://NAME`, `#FIELD` of a JSON secret, `?stage=…` or `?version=…` before it |
//! | `op:` | `op://VAULT/ITEM/FIELD`, also with a section |

use std::fmt;

/// The schemes, in the order of messages.
pub const SCHEMES: [&str; 5] = ["env", "file", "vault", "awssm", "op"];

/// Mounts that every Vault has, and that hold no secrets for others.
const OWN_MOUNTS: [&str; 4] = ["auth", "cubbyhole", "identity", "sys"];

/// How vault and item of 1Password are named.
const OP_CLASSES: [&str; 4] = ["by names", "item by id", "vault by id", "by ids"];

/// An address, taken apart. Two with the same resource are one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'u> {
    /// The whole text.
    pub uri: &'u str,
    /// One of [`SCHEMES`].
    pub scheme: &'u str,
    /// What is asked for: a name or path, segments joined with `/`.
    pub path: &'u str,
    /// Behind `?`: a key and a value.
    pub query: Option<(&'u str, &'u str)>,
    /// Behind `#`: the part of what is there.
    pub field: Option<&'u str>,
}

impl<'u> Address<'u> {
    /// Reads an address.
    ///
    /// # Errors
    /// What form it should have.
    pub fn parse(uri: &'u str) -> Result<Self, String> {
        let (scheme, rest) = uri.split_once(':').ok_or_else(|| schemes(""))?;
        if !SCHEMES.contains(&scheme) {
            return Err(schemes(scheme));
        }
        let form = |text: &str| Err(format!("write {text}"));
        let rest = match (scheme, rest.strip_prefix("//")) {
            ("env" | "file", None) => rest,
            ("env", Some(_)) => return form("env:NAME, without slashes"),
            ("file", Some(_)) => return form("file:PATH, without slashes before the path"),
            (_, Some(rest)) => rest,
            (_, None) => return Err(format!("write {scheme}://…, with two slashes")),
        };
        let (rest, field) = match rest.split_once('#') {
            Some((rest, field)) => (rest, Some(field)),
            None => (rest, None),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let query = match query.map(|query| query.split_once('=').ok_or(query)) {
            None => None,
            Some(Ok(pair)) => Some(pair),
            Some(Err(_)) => return form("one KEY=VALUE behind the `?`"),
        };
        let address = Self { uri, scheme, path, query, field };
        address.check()?;
        Ok(address)
    }

    fn check(&self) -> Result<(), String> {
        let form = |text: &str| Err(format!("write {text}"));
        let segments = || self.path.split('/');
        // What a store's own client would take for something else never gets there.
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@' | '=' | ':' | ' ' | '/');
        if !self.path.chars().all(fits) || segments().any(|s| s.is_empty() || s == "." || s == "..") {
            return form("a path of plain segments: no `.`, `..`, `%`, empty ones or control characters");
        }
        if self.field.is_some_and(|field| field.is_empty() || field.chars().any(char::is_control)) {
            return form("the name of a field behind the `#`");
        }
        let query = |known: &[&str]| match self.query {
            None => true,
            Some((key, value)) => {
                known.contains(&key) && !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic())
            }
        };
        let number = self.query.is_none_or(|(_, version)| version.bytes().all(|b| b.is_ascii_digit()));
        match self.scheme {
            "env" if self.field.is_some() || self.query.is_some() || !super::settings::is_name(self.path) => {
                form("env:NAME, letters, digits and `_`")
            }
            "file" if self.field.is_some() || self.query.is_some() => form("file:PATH, one file for a secret"),
            // The clone's settings hold logins, and so may what Git keeps in a home.
            "file" if segments().any(|segment| segment.to_lowercase().starts_with(".git")) => {
                form("the path of a file that is a secret: what begins with `.git` is Git's own")
            }
            "vault" if self.field.is_none() || segments().count() < 2 || !query(&["version"]) || !number => {
                form("vault://MOUNT/PATH#FIELD, or vault://MOUNT/PATH?version=3#FIELD")
            }
            // What stands there is Vault's own: the operator's token, policies, who may log in.
            "vault" if segments().next().is_some_and(|mount| OWN_MOUNTS.contains(&mount)) => {
                form("the mount of a key-value engine: `auth`, `cubbyhole`, `identity` and `sys` are Vault's own")
            }
            "awssm" if !query(&["version", "stage"]) => {
                form("awssm://NAME, awssm://NAME#FIELD, or awssm://NAME?stage=AWSPREVIOUS")
            }
            "op" if self.field.is_some() || self.query.is_some() || !(3..=4).contains(&segments().count()) => {
                form("op://VAULT/ITEM/FIELD, or op://VAULT/ITEM/SECTION/FIELD")
            }
            _ => Ok(()),
        }
    }

    /// Names under which it is filed: two addresses of one secret share a name here and in [`Address::other_names`], in
    /// whatever spelling, as far as the form of addresses shows. Other secrets may share one as well.
    pub fn names(&self) -> Vec<String> {
        let item = self.item();
        match self.class() {
            Some(class) => vec![item, format!("op:{class}")],
            None => vec![item],
        }
    }

    /// The names under which other spellings of it may be filed.
    pub fn other_names(&self) -> Vec<String> {
        let others = self.class().into_iter().flat_map(|own| OP_CLASSES.into_iter().filter(move |other| *other != own));
        std::iter::once(self.item()).chain(others.map(|class| format!("op:{class}"))).collect()
    }

    /// What it is a part of: no field, no version, no case where names may have none.
    fn item(&self) -> String {
        let Self { scheme, path, .. } = self;
        let item = match *scheme {
            // The interface of version 2 has these behind the mount, which may have several segments itself.
            "vault" => {
                let (mount, rest) = path.split_once('/').unwrap_or((path, ""));
                let rest = rest.split('/').filter(|segment| !matches!(*segment, "data" | "metadata"));
                std::iter::once(mount).chain(rest).collect::<Vec<_>>().join("/")
            }
            // A field may be named with or without its section, by its label or its id.
            "op" => path.split('/').take(2).collect::<Vec<_>>().join("/").to_lowercase(),
            // The name stands alone or in an ARN, there with six characters of AWS's own or without them.
            "awssm" => {
                let mut name = path.rsplit_once(":secret:").map_or(*path, |(_, name)| name);
                while let Some((rest, _)) = name.rsplit_once('-').filter(|(_, suffix)| suffix.len() == 6) {
                    name = rest;
                }
                name.to_owned()
            }
            _ => path.to_lowercase(),
        };
        format!("{scheme}:{item}")
    }

    /// How an address of 1Password names vault and item. Nobody can hold a name against an id without asking.
    fn class(&self) -> Option<&'static str> {
        let is_id = |segment: &str| segment.len() == 26 && segment.bytes().all(|b| b.is_ascii_alphanumeric());
        let mut segments = self.path.split('/').filter(|_| self.scheme == "op");
        let (vault, item) = (segments.next()?, segments.next()?);
        Some(OP_CLASSES[usize::from(is_id(vault)) * 2 + usize::from(is_id(item))])
    }

    /// The address without its field: what a store is asked for.
    pub fn resource(&self) -> &'u str {
        self.uri.split('#').next().unwrap_or(self.uri)
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri)
    }
}

fn schemes(scheme: &str) -> String {
    let near = crate::diagnostic::nearest(scheme, SCHEMES.iter().copied());
    match near {
        Some(near) => format!("did you mean `{near}:`?"),
        None => "write env:NAME, file:PATH, vault://MOUNT/PATH#FIELD, awssm://NAME or op://VAULT/ITEM/FIELD".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let vault = Address::parse("vault://kv/prod/db?version=3#password").unwrap();
        assert_eq!((vault.path, vault.query, vault.field), ("kv/prod/db", Some(("version", "3")), Some("password")));
        assert_eq!(vault.resource(), "vault://kv/prod/db?version=3");
        for good in [
            "env:TIELINE_SECRET_A",
            "file:run/secrets/db",
            "awssm://prod/db",
            "awssm://prod/db#user",
            "op://a b/item/field",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn spellings_of_one_secret_share_a_name() {
        let (id, other) = ("abcdefghijklmnopqrstuvwxy2", "zbcdefghijklmnopqrstuvwxy2");
        let meets = |a: &str, b: &str| {
            let (a, b) = (Address::parse(a).unwrap(), Address::parse(b).unwrap());
            let (names, looked_up) = (a.names(), b.other_names());
            looked_up.iter().any(|name| names.contains(name))
        };
        for (a, b) in [
            ("vault://kv/prod/db#password", "vault://kv/data/prod/db#data"),
            ("vault://kv/prod/db#password", "vault://kv/metadata/data/prod/db?version=3#x"),
            ("vault://kv/team/db#password", "vault://kv/team/data/db#data"),
            ("op://Prod/db/password", "op://prod/DB/login/password"),
            ("op://prod/db/password", &format!("op://{id}/{other}/password")),
            (&format!("op://prod/{id}/password"), &format!("op://{other}/{id}/password")),
            ("awssm://prod/db#password", "awssm://arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"),
            ("awssm://prod/db-passwd", "awssm://arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-passwd"),
            ("awssm://prod/db-passwd", "awssm://arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-passwd-AbCdEf"),
            ("awssm://prod/db?stage=AWSPREVIOUS", "awssm://prod/db#password"),
            ("env:TIELINE_SECRET_A", "env:tieline_secret_a"),
            ("file:run/db", "file:Run/DB"),
        ] {
            assert!(meets(a, b) && meets(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("vault://kv/prod/db#password", "vault://kv/prod/api#password"),
            ("vault://kv/prod/db#password", "vault://other/prod/db#password"),
            ("op://prod/db/password", "op://prod/api/password"),
            (&format!("op://{id}/{id}/password"), &format!("op://{id}/{other}/password")),
            ("awssm://prod/db", "awssm://prod/api"),
            ("vault://kv/prod#x", "awssm://prod"),
        ] {
            assert!(!meets(a, b) && !meets(b, a), "{a} {b}");
        }
    }

    #[test]
    fn nothing_in_an_address_leads_elsewhere() {
        for bad in [
            "vault://kv/../sys/seal#x",
            "vault://kv/%2e%2e/x#x",
            "vault://kv//x#x",
            "vault://kv#x",
            "vault://auth/token/lookup-self#id",
            "vault://sys/policy/root#rules",
            "vault://cubbyhole/x#y",
            "vault://identity/entity/id/x#name",
            "vault://kv/x",
            "vault://kv/x?namespace=a#x",
            "vault://kv/x?version=a#x",
            "file:../x",
            "file:/etc/passwd",
            "file:.git/config",
            "file:run/.GIT/config",
            "file:.git-credentials",
            "file://etc/passwd",
            "env:A-B",
            "env://A",
            "op://a/b",
            "awssm://a?region=us-east-1",
            "awssm://a\nb",
            "http://169.254.169.254/",
            "exec:rm",
            "plain",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
