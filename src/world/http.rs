//! HTTP to hosts that the operator named: secret stores, registries. Bounded in time and size; follows nothing.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::secret::Secret;

/// One request may take this long.
const TIMEOUT: Duration = Duration::from_secs(10);
/// It is tried this often, where trying again may help.
const TRIES: u32 = 3;
/// Between tries, doubled each time.
const BACKOFF: Duration = Duration::from_millis(200);
/// A response may have this many bytes.
const MAX_BODY: u64 = 4 << 20;

/// What the operator says of connections.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Certificates to trust in place of the system's, in PEM.
    pub certificates: Option<String>,
    /// A proxy, as a URL.
    pub proxy: Option<String>,
    /// Without that, the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`): never for what is asked for secrets.
    pub by_environment: bool,
    /// Unencrypted HTTP is allowed to other hosts than this machine.
    pub insecure: bool,
    /// A request may take this long, if not 10 s.
    pub timeout: Option<Duration>,
    /// All requests together, each try of them, are over by then.
    pub until: Option<Until>,
    /// A response may have this many bytes, if not 4 MiB.
    pub most: Option<u64>,
}

/// A point in time after which nothing is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Until(Instant);

impl Until {
    /// So long from now.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

impl Way {
    /// How long the next try may take.
    fn time(&self) -> Result<Duration, String> {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        match self.until.map_or(timeout, |until| until.left().min(timeout)) {
            Duration::ZERO => Err("the server takes too long".to_owned()),
            left => Ok(left),
        }
    }
}

/// A request. Header values and body may be secret: nothing of them is ever in an error.
pub struct Request<'r> {
    /// `GET`, `HEAD`, `POST` or `PUT`.
    pub method: &'r str,
    /// The URL: https, or http to this machine.
    pub url: &'r str,
    /// Headers.
    pub headers: Vec<(String, Secret<String>)>,
    /// The body of a `POST` or `PUT`.
    pub body: &'r [u8],
}

/// What came back.
pub struct Response {
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    /// The body, whatever the status; that of a redirect is not read.
    pub body: Secret<Vec<u8>>,
}

impl Response {
    /// A header, if it is there and text. It is the server's word.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the server would send us elsewhere.
    pub fn is_redirect(&self) -> bool {
        is_redirect(self.status)
    }
}

fn is_redirect(status: u16) -> bool {
    (300..400).contains(&status)
}

/// A URL, taken apart as the client that asks for it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `https` or `http`.
    pub scheme: String,
    /// The host in lower case.
    pub host: String,
    /// The port, named or not.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Place {
    /// Takes a whole URL apart; `None` where it is no URL of HTTP, or names a user.
    pub fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?;
        let usual = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        Some(Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(usual),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// The same place of the same server.
    pub fn url(&self) -> String {
        // A usual port is left out, as some servers take another `Host` for another site.
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => format!("{}://{}{}", self.scheme, self.host, self.path),
            (scheme, port) => format!("{scheme}://{}:{port}{}", self.host, self.path),
        }
    }
}

/// What is said of a redirect.
pub const REDIRECT: &str = "the server answers with a redirect, which is not followed";

/// Sends a request; again after a while where the network or the server failed.
///
/// # Errors
/// Words for people that hold nothing of what was sent or came back. A redirect is one.
pub fn send(way: &Way, request: &Request<'_>) -> Result<Response, String> {
    match ask(way, request)? {
        response if response.is_redirect() => Err(REDIRECT.to_owned()),
        response => Ok(response),
    }
}

/// The same, where a redirect is an answer. It is never followed.
///
/// # Errors
/// As [`send`]'s.
pub fn ask(way: &Way, request: &Request<'_>) -> Result<Response, String> {
    allowed(way, request.url)?;
    let agent = agent(way)?;
    let mut wait = BACKOFF;
    let mut last = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(wait);
            wait *= 2;
        }
        match once(way, &agent, request, way.time()?) {
            Ok(response) if !matches!(response.status, 429 | 500 | 502 | 503 | 504) => return Ok(response),
            Ok(response) if attempt + 1 == TRIES => return Ok(response),
            Ok(response) => last = format!("HTTP status {}", response.status),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn agent(way: &Way) -> Result<Agent, String> {
    let roots = match &way.certificates {
        None => RootCerts::PlatformVerifier,
        Some(pem) => {
            let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(pem.as_bytes())
                .filter_map(|item| match item {
                    Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate.to_owned()),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err("the file of certificates holds none".to_owned());
            }
            RootCerts::new_with_certs(&certificates)
        }
    };
    let proxy = match way.proxy.as_deref() {
        Some(proxy) => Some(Proxy::new(proxy).map_err(|_| "the proxy is no URL".to_owned())?),
        None => way.by_environment.then(Proxy::try_from_env).flatten(),
    };
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .proxy(proxy)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(64 << 10)
        .user_agent(concat!("tieline/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.into())
}

fn once(way: &Way, agent: &Agent, request: &Request<'_>, time: Duration) -> Result<Response, String> {
    let mut built = ureq::http::Request::builder().method(request.method).uri(request.url);
    for (name, value) in &request.headers {
        built = built.header(name, value.expose());
    }
    let invalid = |_| "the request can't be written as HTTP".to_owned();
    let sent = if matches!(request.method, "POST" | "PUT") {
        let built = built.body(request.body).map_err(invalid)?;
        agent.run(agent.configure_request(built).timeout_global(Some(time)).build())
    } else {
        let built = built.body(()).map_err(invalid)?;
        agent.run(agent.configure_request(built).timeout_global(Some(time)).build())
    };
    let mut response = sent.map_err(|error| reason(&error, time))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Secret::new(Vec::new());
    if is_redirect(status) {
        return Ok(Response { status, headers, body });
    }
    body.expose_mut().reserve(64 << 10);
    let most = way.most.unwrap_or(MAX_BODY);
    let mut reader = response.body_mut().as_reader().take(most + 1);
    reader.read_to_end(body.expose_mut()).map_err(|error| format!("the answer was cut off: {}", error.kind()))?;
    match most {
        _ if body.expose().len() as u64 <= most => Ok(Response { status, headers, body }),
        MAX_BODY => Err("the answer has more than 4 MiB".to_owned()),
        most => Err(format!("the answer has more than {most} bytes")),
    }
}

/// The kind of an error; its text might quote what was sent.
fn reason(error: &ureq::Error, time: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {} s", time.as_secs()),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "nobody answers there".to_owned(),
        // What TLS refuses arrives as an error of reading.
        ureq::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.to_string().contains("certificate")) => {
            "the server's certificate is not trusted".to_owned()
        }
        ureq::Error::Io(error) => format!("the connection failed: {}", error.kind()),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "the server's certificate is not trusted".to_owned(),
        ureq::Error::BadUri(_) => "the endpoint is no URL".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

/// Whether a URL may be asked: encrypted, or on this machine; and never what hands out a machine's own credentials.
fn allowed(way: &Way, url: &str) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").ok_or("the endpoint is no URL")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.contains('@') {
        return Err("the endpoint holds a user: give credentials in their own variables".to_owned());
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    };
    let host = host.to_ascii_lowercase();
    let metadata = host.starts_with("169.254.") || host.starts_with("fe80:") || host.starts_with("fd00:ec2:");
    if metadata || host.starts_with("metadata.") || host.is_empty() {
        return Err("the endpoint is none of a secret store".to_owned());
    }
    let here = super::is_here(&host);
    match scheme {
        "https" => Ok(()),
        "http" if here || way.insecure => Ok(()),
        "http" => Err("the endpoint is not encrypted: https, or TIELINE_SECRETS_INSECURE_HTTP=1".to_owned()),
        _ => Err("the endpoint is no URL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a63_only_encrypted_endpoints_and_never_the_machines_own() {
        let way = Way::default();
        for good in
            ["https://vault.example.com:8200/v1", "http://127.0.0.1:8200", "http://[::1]:1/x", "http://localhost"]
        {
            assert_eq!(allowed(&way, good), Ok(()), "{good}");
        }
        for bad in [
            "http://vault.example.com",
            "http://127.evil.example",
            "http://localhost.evil.example",
            "http://0.0.0.0",
            "https://169.254.169.254/latest",
            "http://[fe80::1]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/latest",
            "https://[FD00:EC2::254]/latest",
            "https://metadata.google.internal/",
            "https://user:pw@vault.example.com",
            "ftp://x",
            "vault",
            "https:///x",
        ] {
            assert!(allowed(&way, bad).is_err(), "{bad}");
        }
        let insecure = Way { insecure: true, ..way };
        assert_eq!(allowed(&insecure, "http://vault.example.com"), Ok(()));
        assert!(allowed(&insecure, "http://169.254.169.254").is_err());
    }
}
