//! HTTP to an object store, which may be somebody else's: what it answers is bounded, and it sends us nowhere.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};

/// A request may take this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// So may a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that is not an object may have this many bytes: a page of a list has the most, of 5,000 names.
const MAX_ANSWER: usize = 16 << 20;
/// All pages of lists together may have this many bytes: about a million names.
const MAX_LISTED: usize = 400 << 20;
/// Lists may have this many pages.
const MAX_PAGES: usize = 2_000;

/// Makes clients that follow no redirect.
#[derive(Debug)]
pub(super) struct Bounded;

impl HttpConnector for Bounded {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let option = |key| options.get_config_value(&key);
        let is = |key| option(key).as_deref() == Some("true");
        let failed = |error: reqwest::Error| object_store::Error::Generic { store: "HTTP", source: Box::new(error) };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tieline/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .https_only(!is(ClientConfigKey::AllowHttp));
        if is(ClientConfigKey::AllowInvalidCertificates) {
            // The operator's environment says so: no file can.
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(proxy) = option(ClientConfigKey::ProxyUrl) {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(failed)?);
        }
        Ok(HttpClient::new(Client {
            client: builder.build().map_err(failed)?,
            pages: AtomicUsize::new(0),
            listed: AtomicUsize::new(0),
        }))
    }
}

#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    /// Pages of lists that were asked for.
    pages: AtomicUsize,
    /// Bytes of lists that came.
    listed: AtomicUsize,
}

/// Why an answer is not taken.
#[derive(Debug)]
pub(super) struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

fn refused(why: &'static str) -> HttpError {
    // Not tried again.
    HttpError::new(HttpErrorKind::Unknown, Refused(why))
}

impl HttpService for Client {
    fn call<'c, 'a>(
        &'c self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>
    where
        'c: 'a,
        Self: 'a,
    {
        Box::pin(self.bounded(request))
    }
}

impl Client {
    async fn bounded(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let get = request.method().as_str() == "GET";
        let query = request.uri().query().unwrap_or_default();
        // S3's and Azure's lists; Google's has no path below the bucket.
        let list = get && (query.contains("list-type=") || query.contains("comp=list"));
        if list && self.pages.fetch_add(1, Ordering::Relaxed) >= MAX_PAGES {
            return Err(refused("the store's list does not end"));
        }
        let response = self.client.call(request).await?;
        let status = response.status();
        if status.is_redirection() && response.headers().contains_key("location") {
            return Err(refused("the store answers with a redirect, which is not followed"));
        }
        if get && !list && status.is_success() {
            // An object: its reader counts as it comes.
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let bytes = body.map_err(|_| refused("the store's answer does not end, or is larger than any"))?.to_bytes();
        if list && self.listed.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > MAX_LISTED {
            return Err(refused("the store's list does not end"));
        }
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(bytes)))
    }
}
