//! A bundle that is in force -> an artifact in an OCI registry, for runtimes that read from there.
//!
//! No target: it holds no state, and nothing is read back from it but whether it arrived. The artifact is the bundle's
//! archive under the media types of Flux (`OCIRepository` unpacks it), named by its digest, with the environment's tag
//! pointing to it. The same bundle gives the same artifact. A tag can be moved by whoever may write the registry, so it
//! is looked at first: one that points to something that this environment never had is told, not covered.

use std::collections::BTreeMap;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use tokio::runtime::Runtime;

use crate::bundle::{Deployed, Digest};
use crate::secret::Secret;

/// The media types that Flux's `OCIRepository` takes without being told.
const CONFIG: &str = "application/vnd.cncf.flux.config.v1+json";
const CONTENT: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Annotations that say which bundle it is.
const MANIFEST: &str = "tieline.manifest";
const SERIAL: &str = "tieline.serial";
const SCOPE: &str = "tieline.environment";

/// A repository of a registry, and how it is reached.
pub struct Registry {
    client: Client,
    runtime: Runtime,
    auth: RegistryAuth,
    registry: String,
    repository: String,
}

/// What was published, or is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// `HOST/NAME:TAG`.
    pub tag: String,
    /// The artifact's digest: what a careful reader pins.
    pub digest: Digest,
    /// Whether anything was sent.
    pub changed: bool,
}

/// Why nothing was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The registry can't be used.
    Failed(String),
    /// The tag points to what this environment never had, or the registry gives back something else than it was given.
    Integrity(String),
}

/// A bundle ready to be sent.
struct Artifact {
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: Vec<u8>,
    digest: Digest,
}

impl Registry {
    /// The repository `HOST[:PORT]/NAME`; nothing is asked yet. This machine is spoken to without TLS, every other with it.
    ///
    /// # Errors
    /// No runtime can be had from the operating system.
    pub fn new(repository: &str, login: Option<(String, Secret<String>)>) -> Result<Self, PublishError> {
        crate::world::tls();
        let (registry, name) = repository.split_once('/').unwrap_or((repository, ""));
        let host = registry.split(':').next().unwrap_or_default();
        let protocol = if crate::world::is_here(host) { ClientProtocol::Http } else { ClientProtocol::Https };
        let config = ClientConfig {
            protocol,
            user_agent: concat!("tieline/", env!("CARGO_PKG_VERSION")),
            connect_timeout: Some(std::time::Duration::from_secs(10)),
            read_timeout: Some(std::time::Duration::from_secs(60)),
            ..ClientConfig::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self {
            client: Client::new(config),
            runtime: runtime.map_err(|error| PublishError::Failed(error.to_string()))?,
            auth: match login {
                Some((user, password)) => RegistryAuth::Basic(user, password.expose().clone()),
                None => RegistryAuth::Anonymous,
            },
            registry: registry.to_owned(),
            repository: name.to_owned(),
        })
    }

    /// Publishes a bundle under its environment's tag. `is_ours` says of the digest of a manifest whether the environment
    /// ever had it. With `check`, nothing is sent: only whether the tag points to this bundle is looked at.
    ///
    /// # Errors
    /// [`PublishError`]; the tag points where it did then, or the error says otherwise.
    pub fn publish(
        &self,
        deployed: &Deployed,
        archive: Vec<u8>,
        is_ours: &dyn Fn(&Digest) -> Result<bool, String>,
        check: bool,
    ) -> Result<Published, PublishError> {
        let artifact = artifact(deployed, archive).map_err(PublishError::Failed)?;
        let name = deployed.manifest.scope().name();
        // A tag has no `+`.
        let tag = Reference::with_tag(self.registry.clone(), self.repository.clone(), name.replace('+', "_"));
        let shown = format!("{}/{}:{}", self.registry, self.repository, name.replace('+', "_"));
        let done = |changed| Published { tag: shown.clone(), digest: artifact.digest.clone(), changed };
        let operation = if check { RegistryOperation::Pull } else { RegistryOperation::Push };
        let found = self.runtime.block_on(async {
            self.client
                .auth(&tag, &self.auth, operation)
                .await
                .map_err(|error| failed("sign in to", &shown, &error))?;
            self.find(&tag, &shown).await
        })?;
        if let Some((digest, annotations)) = &found {
            if *digest == artifact.digest.as_str() {
                self.runtime.block_on(self.read_back(&artifact, &tag, &shown))?;
                return Ok(done(false));
            }
            moved(deployed, annotations, is_ours, &shown)?;
        }
        if check {
            let now = found.map_or_else(|| "nothing".to_owned(), |(digest, _)| digest);
            let wanted = artifact.digest.as_str();
            return Err(PublishError::Integrity(format!(
                "{shown} points to {now}, not to {wanted}, which is in force"
            )));
        }
        self.runtime.block_on(async {
            self.send(&artifact, &tag, &shown).await?;
            self.read_back(&artifact, &tag, &shown).await
        })?;
        Ok(done(true))
    }

    /// Sends what is not there yet, the manifest with its tag last.
    async fn send(&self, artifact: &Artifact, tag: &Reference, shown: &str) -> Result<(), PublishError> {
        for (bytes, what) in [(&artifact.config, "config"), (&artifact.layer, "bundle")] {
            let digest = Digest::of(bytes);
            let told = |error: OciDistributionError| failed(&format!("send the {what} to"), shown, &error);
            if !self.client.blob_exists(tag, digest.as_str()).await.map_err(told)? {
                self.client.push_blob(tag, bytes.clone(), digest.as_str()).await.map_err(told)?;
            }
        }
        let kind = IMAGE.parse().map_err(|_| PublishError::Failed("the media type is none".to_owned()))?;
        let sent = self.client.push_manifest_raw(tag, artifact.manifest.clone(), kind).await;
        sent.map(drop).map_err(|error| failed("tag", shown, &error))
    }

    /// What the tag points to: the digest and the annotations.
    async fn find(
        &self,
        tag: &Reference,
        shown: &str,
    ) -> Result<Option<(String, BTreeMap<String, String>)>, PublishError> {
        match self.client.pull_manifest(tag, &self.auth).await {
            Ok((OciManifest::Image(image), digest)) => Ok(Some((digest, image.annotations.unwrap_or_default()))),
            Ok((OciManifest::ImageIndex(_), digest)) => Ok(Some((digest, BTreeMap::new()))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(failed("read", shown, &error)),
        }
    }

    /// What was sent is what is there: the tag, the manifest by its digest, the bundle.
    async fn read_back(&self, artifact: &Artifact, tag: &Reference, shown: &str) -> Result<(), PublishError> {
        let wrong = |what: &str| PublishError::Integrity(format!("{shown}: the registry gives back another {what}"));
        let told = |error: OciDistributionError| failed("read back", shown, &error);
        let digest = self.client.fetch_manifest_digest(tag, &self.auth).await.map_err(told)?;
        if digest != artifact.digest.as_str() {
            return Err(wrong("digest for the tag"));
        }
        let pinned = Reference::with_digest(self.registry.clone(), self.repository.clone(), digest);
        let (manifest, _) = self.client.pull_manifest_raw(&pinned, &self.auth, &[IMAGE]).await.map_err(told)?;
        if manifest != artifact.manifest {
            return Err(wrong("manifest"));
        }
        let mut layer = Vec::new();
        let digest = Digest::of(&artifact.layer);
        match self.client.pull_blob(tag, &descriptor(CONTENT, &artifact.layer), &mut layer).await {
            Ok(()) if Digest::of(&layer) == digest => Ok(()),
            Ok(()) | Err(OciDistributionError::DigestError(_)) => Err(wrong("bundle")),
            Err(error) => Err(told(error)),
        }
    }
}

/// Refuses to cover what somebody else put under the tag.
fn moved(
    deployed: &Deployed,
    annotations: &BTreeMap<String, String>,
    is_ours: &dyn Fn(&Digest) -> Result<bool, String>,
    shown: &str,
) -> Result<(), PublishError> {
    let refuse = |why: &str| {
        Err(PublishError::Integrity(format!(
            "{shown} {why}: somebody else moved the tag; look at it, and delete it there"
        )))
    };
    let Some(manifest) = annotations.get(MANIFEST).and_then(|text| text.parse::<Digest>().ok()) else {
        return refuse("points to something that tieline did not publish");
    };
    if annotations.get(SCOPE) != Some(&scope(deployed)) {
        return refuse("points to a bundle of another workspace or environment");
    }
    match is_ours(&manifest) {
        Ok(true) => Ok(()),
        Ok(false) => refuse("points to a bundle that this environment never had"),
        Err(why) => Err(PublishError::Failed(why)),
    }
}

fn scope(deployed: &Deployed) -> String {
    format!("{}/{}", deployed.manifest.workspace, deployed.manifest.scope().name())
}

/// The artifact of a bundle: always the same bytes.
fn artifact(deployed: &Deployed, layer: Vec<u8>) -> Result<Artifact, String> {
    let manifest = &deployed.manifest;
    let mut annotations = BTreeMap::from([
        ("org.opencontainers.image.created".to_owned(), manifest.time.clone()),
        (MANIFEST.to_owned(), deployed.digest.as_str().to_owned()),
        (SERIAL.to_owned(), manifest.serial.to_string()),
        (SCOPE.to_owned(), scope(deployed)),
    ]);
    if let Some(commit) = &manifest.commit {
        annotations.insert("org.opencontainers.image.revision".to_owned(), commit.id.clone());
    }
    let config = b"{}".to_vec();
    let image = OciImageManifest {
        media_type: Some(IMAGE.to_owned()),
        config: descriptor(CONFIG, &config),
        layers: vec![descriptor(CONTENT, &layer)],
        annotations: Some(annotations),
        ..OciImageManifest::default()
    };
    let manifest = serde_json::to_vec(&image).map_err(|error| error.to_string())?;
    Ok(Artifact { config, layer, digest: Digest::of(&manifest), manifest })
}

fn descriptor(kind: &str, bytes: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: kind.to_owned(),
        digest: Digest::of(bytes).as_str().to_owned(),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

fn is_absent(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| {
            matches!(error.code, OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound)
        }),
        OciDistributionError::ServerError { code, .. } => *code == 404,
        _ => false,
    }
}

/// The kind of an error, on one line; not what a server says at length.
fn failed(what: &str, shown: &str, error: &OciDistributionError) -> PublishError {
    let why = match error {
        OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
            "the registry refuses the login (TIELINE_REGISTRY_USERNAME, TIELINE_REGISTRY_PASSWORD)".to_owned()
        }
        OciDistributionError::ServerError { code, .. } => format!("HTTP status {code}"),
        OciDistributionError::RequestError(_) => "nobody answers there, or not as a registry does".to_owned(),
        other => other.to_string().lines().next().unwrap_or_default().chars().take(200).collect(),
    };
    PublishError::Failed(format!("cannot {what} {shown}: {why}"))
}
