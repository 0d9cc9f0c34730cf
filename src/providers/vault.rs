//! `vault://MOUNT/PATH#FIELD`: HashiCorp Vault and OpenBao, key-value engines of version 2 and 1.
//!
//! Address, token and namespace are the vendor's variables: `VAULT_ADDR`, `VAULT_TOKEN` (or `~/.vault-token`),
//! `VAULT_NAMESPACE`, `VAULT_CACERT`. Which version an engine has is found by asking: version 2 first.

use std::path::Path;

use super::{Fault, Provider, way};
use crate::secret::Secret;
use crate::workspace::stores::Address;
use crate::world::http::{Request, Response, send};
use crate::world::{World, disk};

pub(super) struct Vault;

impl Provider for Vault {
    fn scheme(&self) -> &'static str {
        "vault"
    }

    fn fetch(&self, address: &Address<'_>, world: &dyn World) -> Result<Secret<String>, Fault> {
        let missing = |name: &str| Fault::new(format!("{name} is not set"), "set it where `tieline apply` runs");
        let endpoint = world.variable("VAULT_ADDR").ok_or_else(|| missing("VAULT_ADDR"))?;
        let token = token(world).ok_or_else(|| missing("VAULT_TOKEN"))?;
        let (mount, path) = address.path.split_once('/').unwrap_or((address.path, ""));
        let version = address.query.map_or(String::new(), |(_, version)| format!("?version={version}"));
        let base = endpoint.trim_end_matches('/');
        let (mount, path) = (encoded(mount), encoded(path));
        let second = get(world, &format!("{base}/v1/{mount}/data/{path}{version}"), &token)?;
        if second.status == 200
            && let Some(fields) = data(&second, &["data", "data"])
        {
            return Ok(fields);
        }
        if second.status == 200 || !version.is_empty() || !matches!(second.status, 403..=405) {
            return Err(status(&second));
        }
        if is_of_second(&path) {
            return Err(Fault::new(
                "nothing is there, and an engine of version 1 is not asked for what begins with `data/` or `metadata/`",
                "leave it out: `vault://MOUNT/PATH#FIELD` is the same for both versions",
            ));
        }
        let first = get(world, &format!("{base}/v1/{mount}/{path}"), &token)?;
        match data(&first, &["data"]).filter(|_| first.status == 200) {
            Some(fields) => Ok(fields),
            // What the engine of version 2 says is nearer the truth if both refuse.
            None => Err(status(if first.status == 404 { &second } else { &first })),
        }
    }
}

fn token(world: &dyn World) -> Option<Secret<String>> {
    let set = world.variable("VAULT_TOKEN").map(Secret::new);
    set.or_else(|| {
        let home = world.variable("HOME")?;
        let text = disk::read_private(&Path::new(&home).join(".vault-token"), 4096).ok()?;
        Some(Secret::new(text.expose().trim().to_owned()))
    })
}

fn get(world: &dyn World, url: &str, token: &Secret<String>) -> Result<Response, Fault> {
    let mut headers = vec![
        ("X-Vault-Token".to_owned(), Secret::new(token.expose().clone())),
        ("X-Vault-Request".to_owned(), Secret::new("true".to_owned())),
    ];
    if let Some(namespace) = world.variable("VAULT_NAMESPACE") {
        headers.push(("X-Vault-Namespace".to_owned(), Secret::new(namespace)));
    }
    let way = way(world, &["VAULT_CACERT"])?;
    send(&way, &Request { method: "GET", url, headers, body: b"" })
        .map_err(|reason| Fault::new(reason, "VAULT_ADDR names the server, VAULT_CACERT its certificates"))
}

/// Whether a path is one of the interface of version 2: there it is another spelling of a secret, and what is found has the
/// fields of an envelope.
fn is_of_second(path: &str) -> bool {
    path.split('/').next().is_some_and(|first| matches!(first, "data" | "metadata"))
}

/// The object at a path of the answer, as JSON. A version that was deleted has none.
fn data(response: &Response, path: &[&str]) -> Option<Secret<String>> {
    let parsed: serde_json::Value = serde_json::from_slice(response.body.expose()).ok()?;
    let found = path.iter().try_fold(&parsed, |value, key| value.get(key)).filter(|value| value.is_object());
    found.map(|value| Secret::new(value.to_string()))
}

fn status(response: &Response) -> Fault {
    let (reason, help) = match response.status {
        200 => (
            "the answer holds no data: this version was deleted, or it is not Vault that answers",
            "name another with `?version=N`",
        ),
        403 => ("permission denied", "the token's policy must allow to read it: `vault token lookup`"),
        404 => ("nothing is there", "`vault kv get` shows what is; the first segment is the mount"),
        429 => ("the server asks to slow down", "try again later"),
        503 => ("the server is sealed or in maintenance", "`vault status`"),
        status => return Fault::new(format!("the server answers with status {status}"), "`vault status`"),
    };
    Fault::new(reason, help)
}

/// A path for a URL. Its segments are plain, as [`Address`] checked; what is no ASCII letter is still written out.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
