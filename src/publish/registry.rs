//! A repository of an OCI registry: the few requests that a publication needs (OCI Distribution 1.1).
//!
//! The registry may be somebody else's by now. What it answers is bounded in size and time, and it sends us nowhere: a
//! redirect is not followed, an upload goes to the registry itself, and the login only to a service of its domain.

use std::cell::RefCell;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::bundle::Digest;
use crate::secret::Secret;
use crate::world::http::{Place, REDIRECT, Request, Response, Until, Way, ask};

/// The media type of an image's manifest.
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What a tag may point to: others' manifests too, so that they are seen before they are covered.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// A request may take this long, if it carries no bundle.
const TIMEOUT: Duration = Duration::from_secs(30);
/// All of a publication may take this long.
const TOTAL: Duration = Duration::from_secs(15 * 60);
/// A manifest, a token or an error may have this many bytes; registries take no larger manifest.
const MAX_ANSWER: u64 = 4 << 20;

/// What a request came to, or why it failed: words for people, none of them the registry's.
pub(super) type Asked<T> = Result<T, String>;

/// A repository, and how it is reached.
pub(super) struct Repository {
    way: Way,
    /// The registry; its path is the repository's.
    at: Place,
    /// What a token is asked for.
    scope: String,
    login: Option<(String, Secret<String>)>,
    /// What stands in `Authorization`, once the registry has asked for it.
    authorization: RefCell<Option<Secret<String>>>,
}

/// What a registry holds under the digest of a blob.
pub(super) enum Blob {
    /// These bytes, which need not be those that were asked for.
    Bytes(Vec<u8>),
    /// Something on another host, with the size that the registry says, if it says one.
    Elsewhere(Option<u64>),
}

impl Repository {
    /// The repository `name` at `HOST[:PORT]`, to be read, or written too; nothing is asked yet. This machine is spoken to
    /// without TLS, every other with it.
    pub(super) fn new(host: &str, name: &str, login: Option<(String, Secret<String>)>, writes: bool) -> Asked<Self> {
        // The name that people use is that of a web site.
        let host = if host == "docker.io" { "index.docker.io" } else { host };
        let is_here = crate::world::is_here(host.split(':').next().unwrap_or_default());
        let scheme = if is_here { "http" } else { "https" };
        let at = Place::of(&format!("{scheme}://{host}/v2/{name}/")).ok_or("this is not a host")?;
        let actions = if writes { "pull,push" } else { "pull" };
        Ok(Self {
            way: Way {
                timeout: Some(TIMEOUT),
                until: Some(Until::after(TOTAL)),
                most: Some(MAX_ANSWER),
                by_environment: !is_here,
                ..Way::default()
            },
            at,
            scope: format!("repository:{name}:{actions}"),
            login,
            authorization: RefCell::default(),
        })
    }

    /// The manifest that a tag or digest stands for, if there is one.
    pub(super) fn manifest(&self, reference: &str) -> Asked<Option<Vec<u8>>> {
        let url = self.url(&format!("manifests/{reference}"));
        let mut response = self.ask(&self.way, "GET", &url, &[("Accept", MANIFESTS)], &[])?;
        if response.status == 404 {
            return Ok(None);
        }
        accepted(&response)?;
        Ok(Some(std::mem::take(response.body.expose_mut())))
    }

    /// A blob of `size` bytes. Hosted registries keep them at another host's, to which we are not sent.
    pub(super) fn blob(&self, digest: &Digest, size: usize) -> Asked<Blob> {
        let way = Way { timeout: Some(TOTAL), most: Some(size as u64), ..self.way.clone() };
        let url = self.url(&format!("blobs/{}", digest.as_str()));
        let mut response = self.ask(&way, "GET", &url, &[], &[])?;
        if response.is_redirect() {
            let head = self.ask(&self.way, "HEAD", &url, &[], &[])?;
            if head.is_redirect() {
                return Ok(Blob::Elsewhere(None));
            }
            accepted(&head)?;
            return Ok(Blob::Elsewhere(head.header("content-length").and_then(|length| length.parse().ok())));
        }
        accepted(&response)?;
        Ok(Blob::Bytes(std::mem::take(response.body.expose_mut())))
    }

    /// Sends a blob, if the registry does not have it yet.
    pub(super) fn send(&self, bytes: &[u8]) -> Asked<()> {
        let digest = Digest::of(bytes);
        let head = self.ask(&self.way, "HEAD", &self.url(&format!("blobs/{}", digest.as_str())), &[], &[])?;
        // One that is on another host is there: a registry redirects to what it has, and takes no manifest without its blobs.
        if head.is_redirect() || (200..300).contains(&head.status) {
            return Ok(());
        }
        if head.status != 404 {
            return accepted(&head);
        }
        let begun = self.ask(&self.way, "POST", &self.url("blobs/uploads/"), &[], &[])?;
        accepted(&begun)?;
        let to = begun.header("location").ok_or("the registry does not say where an upload goes")?;
        let to = self.own(to).ok_or("the registry sends the upload to another host, which is not followed")?;
        let url = format!("{to}{}digest={}", joint(&to), digest.as_str());
        let way = Way { timeout: Some(TOTAL), ..self.way.clone() };
        accepted(&self.ask(&way, "PUT", &url, &[("Content-Type", "application/octet-stream")], bytes)?)
    }

    /// Puts a manifest under a tag.
    pub(super) fn tag(&self, tag: &str, manifest: &[u8]) -> Asked<()> {
        let url = self.url(&format!("manifests/{tag}"));
        accepted(&self.ask(&self.way, "PUT", &url, &[("Content-Type", IMAGE)], manifest)?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.at.url())
    }

    /// The URL that a `Location` means, if it is one of the registry: same scheme, host and port.
    fn own(&self, location: &str) -> Option<String> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Place::of(&Place { path: location.to_owned(), ..self.at.clone() }.url()).map(|place| place.url());
        }
        let place = Place::of(location)?;
        self.is_own(&place).then(|| place.url())
    }

    fn is_own(&self, place: &Place) -> bool {
        (&place.scheme, &place.host, place.port) == (&self.at.scheme, &self.at.host, self.at.port)
    }

    /// Sends a request; once more, signed in, where the registry asks for that.
    fn ask(&self, way: &Way, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Asked<Response> {
        let send = || {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new((*value).to_owned()));
            let mut headers: Vec<(String, Secret<String>)> = headers.iter().map(owned).collect();
            if let Some(authorization) = &*self.authorization.borrow() {
                headers.push(authorized(authorization));
            }
            ask(way, &Request { method, url, headers, body })
        };
        let response = send()?;
        if response.status != 401 {
            return Ok(response);
        }
        let signed = self.sign_in(response.header("www-authenticate").unwrap_or_default())?;
        self.authorization.replace(Some(signed));
        send()
    }

    /// What the registry wants in `Authorization`: the login itself, or a token that the login gives.
    fn sign_in(&self, challenge: &str) -> Asked<Secret<String>> {
        let basic = self.login.as_ref().map(|(user, password)| {
            let text = Secret::new(format!("{user}:{}", password.expose()));
            Secret::new(format!("Basic {}", STANDARD.encode(text.expose())))
        });
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return basic.ok_or_else(refused);
        }
        let parameter = |name: &str| parameters.split_once(&format!("{name}=\""))?.1.split('"').next();
        let realm = parameter("realm").and_then(Place::of).ok_or("the registry does not say where to sign in")?;
        if !self.may_sign_in_at(&realm) {
            return Err("the registry sends the login to another host, which is not followed".to_owned());
        }
        let mut url = realm.url();
        for (name, value) in [("service", parameter("service").unwrap_or_default()), ("scope", self.scope.as_str())] {
            let _ = write!(url, "{}{name}={}", joint(&url), encoded(value));
        }
        let headers = basic.iter().map(authorized).collect();
        let answer = ask(&self.way, &Request { method: "GET", url: &url, headers, body: &[] })?;
        accepted(&answer)?;
        let answer: Token =
            serde_json::from_slice(answer.body.expose()).map_err(|_| "the registry's token can't be read")?;
        let token = Secret::new(answer.token.or(answer.access_token).ok_or_else(refused)?);
        Ok(Secret::new(format!("Bearer {}", token.expose())))
    }

    /// Whether the login may be sent to what the registry calls its token service: the registry itself, or over TLS its
    /// host, a host below it, and the hosts beside it (`auth.docker.io` for `index.docker.io`, `gitlab.com` for
    /// `registry.gitlab.com`). What looks like a public suffix (`co.uk`) has no hosts beside each other; no list is kept,
    /// as the registry could ask for the login itself.
    fn may_sign_in_at(&self, realm: &Place) -> bool {
        let own = self.at.host.as_str();
        if self.is_own(realm) {
            return true;
        }
        if realm.scheme != "https" || own.parse::<IpAddr>().is_ok() {
            return false;
        }
        let is_public = |domain: &str| match domain.split_once('.') {
            None => true,
            Some((second, first)) => first.len() == 2 && second.len() <= 3,
        };
        let domain = match own.split_once('.') {
            Some((_, domain)) if !is_public(domain) => domain,
            _ => own,
        };
        realm.host.strip_suffix(domain).is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }
}

/// What a token service answers, under either name.
#[derive(serde::Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

fn authorized(value: &Secret<String>) -> (String, Secret<String>) {
    ("Authorization".to_owned(), Secret::new(value.expose().clone()))
}

/// What stands before one more parameter of a query.
fn joint(url: &str) -> char {
    if url.contains('?') { '&' } else { '?' }
}

/// A value for a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Whether a request was granted.
fn accepted(response: &Response) -> Asked<()> {
    match response.status {
        200..=299 => Ok(()),
        300..=399 => Err(REDIRECT.to_owned()),
        401 | 403 => Err(refused()),
        status => Err(format!("HTTP status {status}")),
    }
}

fn refused() -> String {
    "the registry refuses the login (TIELINE_REGISTRY_USERNAME, TIELINE_REGISTRY_PASSWORD)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(host: &str) -> Repository {
        Repository::new(host, "team/app", None, true).unwrap()
    }

    #[test]
    fn a110_the_login_goes_to_the_registry_and_its_domain() {
        for (host, realm) in [
            ("docker.io", "https://auth.docker.io/token"),
            ("registry-1.docker.io", "https://auth.docker.io/token"),
            ("ghcr.io", "https://ghcr.io/token"),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
            ("git.example.com:5050", "https://GIT.example.com/jwt/auth"),
            ("example.co.uk", "https://auth.example.co.uk/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/token"),
            ("10.0.0.5", "https://10.0.0.5/token"),
        ] {
            assert!(repository(host).may_sign_in_at(&Place::of(realm).unwrap()), "{host} {realm}");
        }
        for (host, realm) in [
            ("docker.io", "https://auth.docker.io.evil.example/token"),
            ("docker.io", "https://evildocker.io/token"),
            ("docker.io", "http://auth.docker.io/token"),
            ("ghcr.io", "https://evil.io/token"),
            ("ghcr.io", "http://ghcr.io/token"),
            ("example.co.uk", "https://evil.co.uk/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5001/token"),
            ("127.0.0.1:5000", "https://evil.0.0.1/token"),
            ("10.0.0.5", "https://9.0.0.5/token"),
        ] {
            let place = Place::of(realm);
            assert!(place.is_none_or(|place| !repository(host).may_sign_in_at(&place)), "{host} {realm}");
        }
        for realm in ["https://ghcr.io@evil.example/", "https://evil.example\\.ghcr.io/", "ftp://ghcr.io/", "/token"] {
            assert!(Place::of(realm).is_none(), "{realm}");
        }
    }

    #[test]
    fn a110_an_upload_goes_to_the_registry() {
        let at = repository("registry.example.com:5000");
        let here = "https://registry.example.com:5000/v2/up?x=1";
        assert_eq!(at.own("/v2/up?x=1").as_deref(), Some(here));
        assert_eq!(at.own(here).as_deref(), Some(here));
        for elsewhere in [
            "http://registry.example.com:5000/v2/up",
            "https://registry.example.com/v2/up",
            "https://registry.example.com:50001/v2/up",
            "https://evil.example/v2/up",
            "//evil.example/v2/up",
            "@evil.example/",
        ] {
            assert_eq!(at.own(elsewhere), None, "{elsewhere}");
        }
    }
}
