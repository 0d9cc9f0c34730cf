//! A bundle that is in force -> an artifact in an OCI registry, for runtimes that read from there.
//!
//! No target: it holds no state, and nothing is read back from it but whether it arrived. The artifact is the bundle's
//! archive under the media types of Flux (`OCIRepository` unpacks it), named by its digest, with the environment's tag
//! pointing to it. The same bundle gives the same artifact. A tag can be moved by whoever may write the registry, so it
//! is looked at first: one that points to something that this environment never had is told, not covered.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bundle::{Deployed, Digest};
use crate::secret::Secret;
use registry::{Blob, IMAGE, Repository};

mod registry;

/// The media types that Flux's `OCIRepository` takes without being told.
const CONFIG: &str = "application/vnd.cncf.flux.config.v1+json";
const CONTENT: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

/// Annotations that say which bundle it is.
const MANIFEST: &str = "tieline.manifest";
const SERIAL: &str = "tieline.serial";
const SCOPE: &str = "tieline.environment";

/// A repository of a registry, and who writes it.
pub struct Registry {
    host: String,
    name: String,
    login: Option<(String, Secret<String>)>,
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
    /// The repository `HOST[:PORT]/NAME`; nothing is asked yet.
    pub fn new(repository: &str, login: Option<(String, Secret<String>)>) -> Self {
        let (host, name) = repository.split_once('/').unwrap_or((repository, ""));
        Self { host: host.to_owned(), name: name.to_owned(), login }
    }

    /// Publishes a bundle under its environment's tag. `is_ours` says of the digest of a manifest whether the environment
    /// ever had it; `replace` is the digest of an artifact that may be covered whatever it is. With `check`, nothing is sent: only whether the tag points to this bundle is looked at.
    ///
    /// # Errors
    /// [`PublishError`]; the tag points where it did then, or the error says otherwise.
    pub fn publish(
        self,
        deployed: &Deployed,
        archive: Vec<u8>,
        is_ours: &dyn Fn(&Digest) -> Result<bool, String>,
        replace: Option<&Digest>,
        check: bool,
    ) -> Result<Published, PublishError> {
        let artifact = artifact(deployed, archive).map_err(PublishError::Failed)?;
        // A tag has neither `+` nor `@`. Where two names give one tag, its annotations tell them apart.
        let tag = deployed.manifest.scope().name().replace('+', "_").replace('@', "--");
        let shown = format!("{}/{}:{tag}", self.host, self.name);
        let told = |what: &str, why: String| PublishError::Failed(format!("cannot {what} {shown}: {why}"));
        let repository =
            Repository::new(&self.host, &self.name, self.login, !check).map_err(|why| told("read", why))?;
        let found = repository.manifest(&tag).map_err(|why| told("read", why))?;
        let digest = artifact.digest.clone();
        if found.as_ref() == Some(&artifact.manifest) {
            read_back(&repository, &artifact, &tag, &shown)?;
            return Ok(Published { tag: shown, digest, changed: false });
        }
        if let Some(found) = found.as_ref().filter(|found| replace != Some(&Digest::of(found))) {
            moved(deployed, found, is_ours, &shown)?;
        }
        if check {
            let now = found.map_or_else(|| "nothing".to_owned(), |found| Digest::of(&found).as_str().to_owned());
            let wanted = digest.as_str();
            return Err(PublishError::Integrity(format!(
                "{shown} points to {now}, not to {wanted}, which is in force"
            )));
        }
        // The manifest with its tag comes last: it makes the others found.
        repository.send(&artifact.config).map_err(|why| told("send the config to", why))?;
        repository.send(&artifact.layer).map_err(|why| told("send the bundle to", why))?;
        repository.tag(&tag, &artifact.manifest).map_err(|why| told("tag", why))?;
        read_back(&repository, &artifact, &tag, &shown)?;
        Ok(Published { tag: shown, digest, changed: true })
    }
}

/// What was sent is what is there: the manifest by its tag and by its digest, the bundle.
fn read_back(repository: &Repository, artifact: &Artifact, tag: &str, shown: &str) -> Result<(), PublishError> {
    let wrong = |what: &str| Err(PublishError::Integrity(format!("{shown}: the registry gives back another {what}")));
    let told = |why: String| PublishError::Failed(format!("cannot read back {shown}: {why}"));
    for (reference, what) in [(tag, "manifest for the tag"), (artifact.digest.as_str(), "manifest")] {
        if repository.manifest(reference).map_err(told)?.as_ref() != Some(&artifact.manifest) {
            return wrong(what);
        }
    }
    // A bundle on another host is not read back, as we are not sent there: the manifest, which is what we sent, names its
    // digest, and whoever pulls it checks that.
    match repository.blob(&Digest::of(&artifact.layer), artifact.layer.len()).map_err(told)? {
        Blob::Bytes(bytes) if bytes == artifact.layer => Ok(()),
        Blob::Elsewhere(size) if size.is_none_or(|size| size == artifact.layer.len() as u64) => Ok(()),
        Blob::Bytes(_) | Blob::Elsewhere(_) => wrong("bundle"),
    }
}

/// The annotations of a manifest that may be anybody's.
fn annotations(manifest: &[u8]) -> BTreeMap<String, String> {
    #[derive(Default, serde::Deserialize)]
    struct Annotated {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    serde_json::from_slice::<Annotated>(manifest).unwrap_or_default().annotations
}

/// Refuses to cover what somebody else put under the tag.
fn moved(
    deployed: &Deployed,
    found: &[u8],
    is_ours: &dyn Fn(&Digest) -> Result<bool, String>,
    shown: &str,
) -> Result<(), PublishError> {
    let refuse = |why: &str| {
        Err(PublishError::Integrity(format!(
            "{shown} {why}: look at who moved the tag, or whether `gc --keep` took that serial; `--replace {}` covers it",
            Digest::of(found).as_str()
        )))
    };
    let annotations = annotations(found);
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
    let image = Image {
        schema_version: 2,
        media_type: IMAGE,
        config: Descriptor::of(CONFIG, &config),
        layers: [Descriptor::of(CONTENT, &layer)],
        annotations,
    };
    let manifest = serde_json::to_vec(&image).map_err(|error| error.to_string())?;
    Ok(Artifact { config, layer, digest: Digest::of(&manifest), manifest })
}

/// An image's manifest (OCI Image 1.1).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
}

impl Descriptor {
    fn of(media_type: &'static str, bytes: &[u8]) -> Self {
        Self { media_type, digest: Digest::of(bytes).as_str().to_owned(), size: bytes.len() }
    }
}
