//! `awssm://NAME`, `awssm://NAME#FIELD`: AWS Secrets Manager.
//!
//! Region and credentials are the vendor's variables: `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; for another endpoint `AWS_ENDPOINT_URL_SECRETS_MANAGER` or
//! `AWS_ENDPOINT_URL`. Profiles and instance roles are not looked at: `aws configure export-credentials --format env` turns
//! them into variables.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::json;

use super::{Fault, Provider, way};
use crate::secret::Secret;
use crate::workspace::stores::Address;
use crate::world::World;
use crate::world::http::{Request, Response, send};

pub(super) struct AwsSm;

const TARGET: &str = "secretsmanager.GetSecretValue";
const CONTENT: &str = "application/x-amz-json-1.1";

impl Provider for AwsSm {
    fn scheme(&self) -> &'static str {
        "awssm"
    }

    fn fetch(&self, address: &Address<'_>, world: &dyn World) -> Result<Secret<String>, Fault> {
        let region = world.variable("AWS_REGION").or_else(|| world.variable("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| missing("AWS_REGION"))?;
        let endpoint =
            ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"].into_iter().find_map(|n| world.variable(n));
        let plain = region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let default = || plain.then(|| format!("https://secretsmanager.{region}.amazonaws.com"));
        let endpoint = endpoint.or_else(default).ok_or_else(|| Fault::new("AWS_REGION is no region", ""))?;
        let url = format!("{}/", endpoint.trim_end_matches('/'));
        let mut body = json!({"SecretId": address.path});
        match address.query {
            Some(("stage", stage)) => body["VersionStage"] = stage.into(),
            Some((_, version)) => body["VersionId"] = version.into(),
            None => {}
        }
        let body = body.to_string();
        let headers = signed(world, &region, &url, body.as_bytes())?;
        let way = way(world, &["AWS_CA_BUNDLE"])?;
        let response = send(&way, &Request { method: "POST", url: &url, headers, body: body.as_bytes() })
            .map_err(|reason| Fault::new(reason, "AWS_REGION and AWS_ENDPOINT_URL say where it is"))?;
        if response.status != 200 {
            return Err(refusal(&response));
        }
        let parsed: Option<serde_json::Value> = serde_json::from_slice(response.body.expose()).ok();
        let text = parsed.as_ref().and_then(|answer| answer["SecretString"].as_str());
        text.map(|text| Secret::new(text.to_owned()))
            .ok_or_else(|| Fault::new("the secret is binary, or the answer is none", "secrets are texts here"))
    }
}

fn missing(name: &str) -> Fault {
    Fault::new(
        format!("{name} is not set"),
        "set it where `tieline apply` runs; `aws configure export-credentials --format env` prints credentials",
    )
}

/// The headers of a request, with its signature.
fn signed(world: &dyn World, region: &str, url: &str, body: &[u8]) -> Result<Vec<(String, Secret<String>)>, Fault> {
    let variable = |name: &str| world.variable(name).ok_or_else(|| missing(name));
    let credentials = aws_credential_types::Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        world.variable("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let identity = credentials.into();
    let fault = |_| Fault::new("the request can't be signed", "");
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("secretsmanager")
        .time(SystemTime::from(world.now()))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| Fault::new("the request can't be signed", ""))?
        .into();
    let plain = [("content-type", CONTENT), ("x-amz-target", TARGET)];
    let request = SignableRequest::new("POST", url, plain.into_iter(), SignableBody::Bytes(body)).map_err(fault)?;
    let (instructions, _) = sign(request, &params).map_err(fault)?.into_parts();
    let (signed, _) = instructions.into_parts();
    let mut headers: Vec<(String, Secret<String>)> =
        plain.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned()))).collect();
    headers.extend(signed.iter().map(|header| (header.name().to_owned(), Secret::new(header.value().to_owned()))));
    Ok(headers)
}

/// The kind of a refusal. Its text is not shown: it may quote what was asked for.
fn refusal(response: &Response) -> Fault {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(response.body.expose()).ok();
    let kind = parsed.as_ref().and_then(|answer| answer["__type"].as_str()).unwrap_or("");
    let kind = kind.rsplit('#').next().unwrap_or("");
    let (reason, help) = match kind {
        "ResourceNotFoundException" => {
            ("there is no such secret, or no such version", "`aws secretsmanager list-secrets`")
        }
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => ("access denied", "`aws sts get-caller-identity` tells who you are"),
        "InvalidRequestException" => ("the secret is marked for deletion, or the request does not fit it", ""),
        "DecryptionFailure" => ("its KMS key does not open it for you", ""),
        _ => return Fault::new(format!("the store answers with status {}", response.status), ""),
    };
    Fault::new(reason, help)
}
