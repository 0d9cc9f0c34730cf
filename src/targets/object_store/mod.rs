//! An object store as a target: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.
//!
//! The same names as in a folder, below the URL's prefix. The head is swapped by a conditional put (If-Match and
//! If-None-Match; a generation on GCS), so that no lock is needed. There is no readable view. Account, endpoint and
//! credentials are those of the operator's environment, under the names that each vendor's own tools use; requests that
//! fail for a while are tried again with growing pauses.

mod http;

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, ObjectStore as Store, ObjectStoreExt, PutMode, PutOptions, RetryConfig, UpdateVersion,
};
use tokio::runtime::Runtime;

use super::{Inventory, Stored, Swap, Target, TargetError, manifest_path, object_path, signature_path, stored};
use crate::bundle::manifest::{MAX_HEAD, MAX_MANIFEST};
use crate::bundle::object::MAX_OBJECT;
use crate::bundle::signature::MAX_SIGNATURE;
use crate::bundle::{Deployed, Digest, Head, Scope};
use crate::world::program::Run;

/// This many requests are under way at once, unless the operator says otherwise.
pub const JOBS: usize = 16;

/// What a target holds is listed within this time, and up to this many files.
const LISTING: Duration = Duration::from_secs(600);
const MAX_FILES: usize = 1_000_000;
/// A target has at most this many heads.
const MAX_HEADS: usize = 10_000;

/// One environment in a bucket.
pub struct ObjectStore {
    url: String,
    store: Box<dyn Store>,
    prefix: String,
    /// `environments/ENV[+PROFILE]`.
    environment: String,
    runtime: Runtime,
    jobs: usize,
}

type Result<T> = std::result::Result<T, TargetError>;

/// What the operator's environment says of Azure. The login of the program `az`, where it is asked for
/// (AZURE_USE_AZURE_CLI, AZURE_CREDENTIAL_TYPE), is fetched here: the crate would start the program with all that we have.
fn azure(url: &str) -> Result<MicrosoftAzureBuilder> {
    let builder = MicrosoftAzureBuilder::from_env();
    let says = |key, value: &str| builder.get_config_value(&key).is_some_and(|said| said == value);
    if !says(AzureConfigKey::UseAzureCli, "true") && !says(AzureConfigKey::CredentialType, "azure_cli") {
        return Ok(builder);
    }
    let words =
        ["az", "account", "get-access-token", "--output", "json", "--scope", "https://storage.azure.com/.default"];
    let shell: &[&str] = if cfg!(windows) { &["cmd", "/C"] } else { &[] };
    let line: Vec<String> = shell.iter().chain(&words).map(|word| (*word).to_owned()).collect();
    let run = Run { line: &line, variables: &[], limit: 64 << 10, timeout: Duration::from_secs(60) };
    let answer = run.output().map_err(|why| TargetError::Failed(format!("`{url}` can't be used: {why}")))?;
    let token = serde_json::from_str::<serde_json::Value>(answer.expose())
        .ok()
        .and_then(|answer| answer.get("accessToken")?.as_str().map(str::to_owned))
        .ok_or_else(|| TargetError::Failed(format!("`{url}` can't be used: `az` gives no token")))?;
    Ok(builder
        .with_use_azure_cli(false)
        .with_config(AzureConfigKey::CredentialType, "bearer_token")
        .with_bearer_token_authorization(token))
}

impl ObjectStore {
    /// The target at `s3://BUCKET/PREFIX`, `gs://…` or `az://…`; nothing is asked yet.
    ///
    /// # Errors
    /// The operator's environment does not say enough.
    pub fn new(url: &str, scope: &Scope, jobs: Option<usize>) -> Result<Self> {
        crate::world::tls();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let bucket = rest.split('/').next().unwrap_or(rest);
        let retry =
            RetryConfig { backoff: BackoffConfig::default(), max_retries: 5, retry_timeout: Duration::from_secs(60) };
        let built: object_store::Result<Box<dyn Store>> = match scheme {
            "gs" => GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_retry(retry)
                .with_http_connector(http::Bounded)
                .build()
                .map(|store| Box::new(store) as _),
            "az" => azure(url)?
                .with_container_name(bucket)
                .with_retry(retry)
                .with_http_connector(http::Bounded)
                .build()
                .map(|store| Box::new(store) as _),
            _ => AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_retry(retry)
                .with_http_connector(http::Bounded)
                .build()
                .map(|store| Box::new(store) as _),
        };
        let failed = |why: &str| TargetError::Failed(format!("`{url}` can't be used: {why}"));
        Self::on(built.map_err(|error| failed(&reason(&error)))?, url, scope, jobs)
    }

    /// The target in a store that is there already; `url` names it for people, and its path is the prefix.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn on(store: Box<dyn Store>, url: &str, scope: &Scope, jobs: Option<usize>) -> Result<Self> {
        let prefix = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, prefix)| prefix);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| TargetError::Failed(format!("`{url}` can't be used: {error}")))?;
        Ok(Self {
            url: url.to_owned(),
            store,
            prefix: prefix.to_owned(),
            environment: format!("environments/{}", scope.name()),
            runtime,
            jobs: jobs.unwrap_or(JOBS).max(1),
        })
    }

    fn path(&self, below: &str) -> Path {
        // Without a prefix it begins with a `/`, which is no part of a path.
        Path::from(format!("{}/{below}", self.prefix))
    }

    fn failed(&self, what: &str, path: &str, error: &Error) -> TargetError {
        TargetError::Failed(format!("cannot {what} `{}/{path}`: {}", self.url, reason(error)))
    }

    fn missing(&self, path: &str) -> TargetError {
        TargetError::Missing(format!("`{}/{path}` is missing", self.url))
    }

    fn damaged(&self, path: &str, why: &str) -> TargetError {
        TargetError::Integrity(format!("`{}/{path}` {why}", self.url))
    }

    /// The bytes of an object of the store and its version; `None` where there is none. The size is looked at before
    /// anything is taken.
    async fn get(&self, path: &str, limit: usize) -> Result<Option<(Vec<u8>, UpdateVersion)>> {
        let found = match self.store.get(&self.path(path)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", path, &error)),
        };
        if found.meta.size > limit as u64 {
            return Err(self.damaged(path, "is larger than any that tieline writes"));
        }
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let mut bytes = Vec::new();
        let mut stream = found.into_stream();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| self.failed("read", path, &error))?);
            if bytes.len() > limit {
                return Err(self.damaged(path, "is larger than any that tieline writes"));
            }
        }
        Ok(Some((bytes, version)))
    }

    async fn get_named(&self, path: &str, digest: &Digest, limit: usize) -> Result<Vec<u8>> {
        let (bytes, _) = self.get(path, limit).await?.ok_or_else(|| self.missing(path))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(self.damaged(path, "was changed: its digest is not its name"))
        }
    }

    /// Stores what is named by a digest, unless it is there.
    async fn put(&self, path: &str, bytes: &[u8], limit: usize) -> Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&self.path(path), bytes.to_vec().into(), options).await {
            Ok(_) => Ok(()),
            // Ours, from a request that was tried twice; or one of the same bytes.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => match self.get(path, limit).await? {
                Some((found, _)) if found == bytes => Ok(()),
                _ => Err(self.damaged(path, "was changed: its digest is not its name")),
            },
            Err(error) => Err(self.failed("write", path, &error)),
        }
    }

    /// A store that goes on listing is not one that holds bundles.
    fn endless(&self, folder: &str) -> TargetError {
        TargetError::Failed(format!("cannot list `{}/{folder}`: the store's list does not end", self.url))
    }

    async fn list(&self) -> Result<Inventory> {
        let mut found = Inventory::default();
        for folder in ["objects", "manifests"] {
            let mut list = self.store.list(Some(&self.path(folder)));
            let mut count = 0;
            while let Some(meta) = list.try_next().await.map_err(|error| self.failed("list", folder, &error))? {
                count += 1;
                if count > MAX_FILES {
                    return Err(self.endless(folder));
                }
                let name = meta.location.filename().unwrap_or_default();
                let written = meta.last_modified.timestamp();
                found.stored.extend(stored(&format!("{folder}/{name}"), meta.size, written));
            }
        }
        let listed = self.store.list_with_delimiter(Some(&self.path("environments"))).await;
        let listed = listed.map_err(|error| self.failed("list", "environments", &error))?;
        if listed.common_prefixes.len() > MAX_HEADS {
            return Err(self.endless("environments"));
        }
        for folder in listed.common_prefixes {
            let name = folder.filename().unwrap_or_default().to_owned();
            let path = format!("environments/{name}/head.json");
            if let Some((bytes, _)) = self.get(&path, MAX_HEAD).await? {
                found.heads.push((name, Head::parse(&bytes)?));
            }
        }
        found.heads.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    fn head_path(&self) -> String {
        format!("{}/head.json", self.environment)
    }

    async fn head(&self) -> Result<Option<(Head, UpdateVersion)>> {
        let found = self.get(&self.head_path(), MAX_HEAD).await?;
        found.map(|(bytes, version)| Ok((Head::parse(&bytes)?, version))).transpose()
    }
}

/// An error's kind, without what the server said or was sent.
fn reason(error: &Error) -> String {
    let text = match error {
        Error::NotFound { .. } => return "it is not there".to_owned(),
        Error::PermissionDenied { .. } => return "permission denied".to_owned(),
        Error::Unauthenticated { .. } => return "the credentials are refused".to_owned(),
        Error::NotImplemented { .. } | Error::NotSupported { .. } => {
            return "the store does not support conditional puts".to_owned();
        }
        other => refusal(other).unwrap_or_else(|| other.to_string()),
    };
    // Behind the status a body is quoted, which is the server's.
    let text = text.lines().next().unwrap_or_default();
    let text = text.split(": <").next().unwrap_or_default();
    text.chars().take(300).collect()
}

/// Why we did not take an answer, without what the client adds.
fn refusal(error: &Error) -> Option<String> {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<http::Refused>() {
            return Some(refused.to_string());
        }
        cause = error.source();
    }
    None
}

impl Target for ObjectStore {
    fn describe(&self) -> String {
        self.url.clone()
    }

    fn read_head(&self) -> Result<Option<Head>> {
        Ok(self.runtime.block_on(self.head())?.map(|(head, _)| head))
    }

    fn read_manifest(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.runtime.block_on(self.get_named(&manifest_path(digest), digest, MAX_MANIFEST))
    }

    fn read_signature(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let found = self.runtime.block_on(self.get(&signature_path(digest), MAX_SIGNATURE))?;
        Ok(found.map(|(bytes, _)| bytes))
    }

    fn read_object(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.runtime.block_on(self.get_named(&object_path(digest), digest, MAX_OBJECT))
    }

    fn is_lost(&self, _: &Digest) -> Result<bool> {
        Ok(false)
    }

    fn put_objects(&self, objects: &[(&Digest, &[u8])], stored: &(dyn Fn() + Sync)) -> Result<()> {
        self.runtime.block_on(async {
            let all = futures_util::stream::iter(objects).map(|(digest, bytes)| async move {
                self.put(&object_path(digest), bytes, MAX_OBJECT).await?;
                stored();
                Ok(())
            });
            all.buffer_unordered(self.jobs).try_collect().await
        })
    }

    fn put_manifest(&self, digest: &Digest, bytes: &[u8], signature: Option<&[u8]>) -> Result<()> {
        self.runtime.block_on(async {
            if let Some(signature) = signature {
                self.put(&signature_path(digest), signature, MAX_SIGNATURE).await?;
            }
            self.put(&manifest_path(digest), bytes, MAX_MANIFEST).await
        })
    }

    fn swap_head(&self, expected: Option<&Head>, new: &Head) -> Result<Swap> {
        let path = self.head_path();
        let bytes = new.bytes()?;
        self.runtime.block_on(async {
            let found = self.head().await?;
            let (head, version) = found.map_or((None, None), |(head, version)| (Some(head), Some(version)));
            if head.as_ref() != expected {
                return Ok(Swap::Lost { found: head });
            }
            let mode = version.map_or(PutMode::Create, PutMode::Update);
            let options = PutOptions { mode, ..PutOptions::default() };
            let put = self.store.put_opts(&self.path(&path), bytes.into(), options).await;
            let Err(error) = put else { return Ok(Swap::Done) };
            // Refused, or nobody knows: an answer may have been lost behind a put that was done.
            let found = self.head().await.map_err(|_| self.failed("write", &path, &error))?.map(|(head, _)| head);
            if found.as_ref() == Some(new) {
                return Ok(Swap::Done);
            }
            match error {
                Error::AlreadyExists { .. } | Error::Precondition { .. } => Ok(Swap::Lost { found }),
                error => Err(self.failed("write", &path, &error)),
            }
        })
    }

    fn refresh_view(&self, _: &Deployed) -> Result<bool> {
        Ok(false)
    }

    fn inventory(&self) -> Result<Inventory> {
        self.runtime.block_on(async {
            let listed = tokio::time::timeout(LISTING, self.list()).await;
            listed.unwrap_or_else(|_| Err(self.endless("objects")))
        })
    }

    fn delete(&self, stored: &Stored) -> Result<()> {
        self.runtime.block_on(async {
            for path in stored.paths() {
                match self.store.delete(&self.path(&path)).await {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.failed("delete", &path, &error)),
                }
            }
            Ok(())
        })
    }
}
