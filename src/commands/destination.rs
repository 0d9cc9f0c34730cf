//! Where an environment is deployed: the folder or the object store that its settings or the operator name.

use std::path::{Component, Path, PathBuf};

use super::deploy::{Elsewhere, failed};
use super::{Exit, Failure, Session};
use crate::bundle::Scope;
use crate::compile::desired::target;
use crate::diagnostic::word;
use crate::targets::Target;
use crate::targets::directory::Directory;
use crate::targets::object_store::ObjectStore;
use crate::workspace::deployment;
use crate::workspace::layers::At;
use crate::world::allow::{Allowed, TARGETS};
use crate::world::disk;

/// A target that is not opened yet.
pub(super) enum Destination {
    /// The URL of an object store.
    Store(String),
    /// A folder of the workspace, as its settings say.
    Own(String),
    /// A folder that the operator named.
    Typed(String),
}

impl Destination {
    /// That of an environment; with what the workspace says, unless the operator names another.
    pub(super) fn of(
        session: &Session,
        at: &At,
        elsewhere: &Elsewhere,
    ) -> Result<(Self, Option<serde_json::Value>), Failure> {
        if let Some(typed) = &elsewhere.target {
            return Ok((Self::typed(typed, session)?, None));
        }
        let own = target(&session.workspace.stack(at));
        Ok((Self::own(own.clone()), Some(own.json())))
    }

    /// One that the operator names.
    fn typed(typed: &str, session: &Session) -> Result<Self, Failure> {
        if !typed.contains("://") {
            if deployment::is_among_sources(session.world.root(), &disk::absolute(Path::new(typed))) {
                let told = format!("the target `{typed}` lies among the sources of the workspace");
                return Err(Failure::usage(told).help("choose a folder of its own, such as `dist`"));
            }
            return Ok(Self::Typed(typed.to_owned()));
        }
        deployment::Target::object_store(typed).map_err(Failure::usage)?;
        Ok(Self::Store(typed.trim_end_matches('/').to_owned()))
    }

    /// One that a workspace names.
    pub(super) fn own(target: deployment::Target) -> Self {
        match target {
            deployment::Target::ObjectStore(url) => Self::Store(url.into()),
            deployment::Target::Directory(path) => Self::Own(path.into()),
        }
    }

    /// As it was typed, or as the workspace says.
    pub(super) fn named(&self) -> &str {
        let (Self::Store(named) | Self::Own(named) | Self::Typed(named)) = self;
        named
    }

    /// Opens it, if the operator allows that; nothing is read yet.
    pub(super) fn open(&self, session: &Session, scope: &Scope, jobs: Option<u16>) -> Result<Box<dyn Target>, Failure> {
        self.allowed(session)?;
        Ok(match self {
            Self::Store(url) => {
                Box::new(ObjectStore::new(url, scope, jobs.map(usize::from)).map_err(|error| failed(&error))?)
            }
            Self::Own(path) => Box::new(Directory::within(session.world.files().within(path), scope)),
            Self::Typed(path) => Box::new(Directory::typed(&session.typed(Path::new(path)), path, scope)),
        })
    }

    /// Where it is, in one spelling. The same name is another bucket behind another endpoint or account.
    pub(super) fn address(&self, session: &Session) -> String {
        let (url, variables): (_, &[&str]) = match self {
            Self::Own(path) => return session.world.files().within(path).path().display().to_string(),
            Self::Typed(path) => return disk::absolute(Path::new(path)).display().to_string(),
            Self::Store(url) if url.starts_with("s3://") => {
                (url, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
            }
            Self::Store(url) if url.starts_with("az://") => (url, &["AZURE_STORAGE_ACCOUNT_NAME"]),
            Self::Store(url) => (url, &[]),
        };
        match variables.iter().find_map(|name| session.variable(name)) {
            Some(behind) => format!("{url} at {behind}"),
            None => url.clone(),
        }
    }

    /// The folder, if it is one of the workspace.
    pub(super) fn folder_inside(&self, session: &Session) -> Option<PathBuf> {
        match self {
            Self::Own(path) => Some(session.world.files().within(path).path()),
            Self::Typed(path) => Some(disk::absolute(Path::new(path))).filter(|_| self.is_inside(session)),
            Self::Store(_) => None,
        }
    }

    /// Whether it is a folder of the workspace.
    pub(super) fn is_inside(&self, session: &Session) -> bool {
        match self {
            Self::Store(_) => false,
            Self::Own(_) => true,
            Self::Typed(path) => disk::absolute(Path::new(path)).starts_with(session.world.root()),
        }
    }

    /// Refuses what the operator does not allow: anything is allowed where nothing is said, nothing where an empty text is.
    pub(super) fn allowed(&self, session: &Session) -> Result<(), Failure> {
        let Some(said) = session.world.said(TARGETS) else { return Ok(()) };
        let plain = self.plain(session);
        let patterns = Allowed::of(&[said]);
        if patterns.has(&plain) {
            return Ok(());
        }
        let named = self.named();
        let told = match patterns.shown() {
            "" => format!("the operator does not allow the target `{named}`: {TARGETS} is empty, which allows none"),
            shown => format!("the operator does not allow the target `{named}`: {TARGETS} is `{shown}`"),
        };
        let help = format!("the one who runs this may set {TARGETS}={}", word(&plain));
        Err(Failure::new(told).exit(Exit::Guard).help(help))
    }

    /// What patterns are held against: a URL, or a folder in its one spelling, below the workspace or from the root on.
    fn plain(&self, session: &Session) -> String {
        let Self::Typed(path) = self else { return self.named().trim_end_matches('/').to_owned() };
        let mut straight = PathBuf::new();
        for component in disk::absolute(Path::new(path)).components() {
            match component {
                Component::ParentDir => _ = straight.pop(),
                other => straight.push(other),
            }
        }
        let below = straight.strip_prefix(session.world.root()).unwrap_or(&straight);
        below.display().to_string()
    }
}
