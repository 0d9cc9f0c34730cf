//! What every command starts with: the workspace found and read.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::formers::History;
use super::{Cli, Exit};
use crate::compile::{self, Compiled};
use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::{self, Diagnostic, has_errors, listed, nearest};
use crate::providers::identities::{self, Found};
use crate::sops::{Ask, Recipient};
use crate::ui::Ui;
use crate::value::Node;
use crate::workspace::Workspace;
use crate::workspace::discover::is_segment;
use crate::workspace::layers::At;
use crate::world::beneath::Typed;
use crate::world::disk;
use crate::world::{System, World};

/// An environment, with a profile where one is asked for.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct Chosen {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(super) environment: String,
    /// With the values and secrets of this profile
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Only connections that are exposed under this name (`expose: [NAME]`): a bundle and a head of their own
    #[arg(long, value_name = "NAME")]
    pub(super) expose: Option<String>,
}

impl Chosen {
    /// What was asked for, whether it is there or not.
    pub(super) fn at(&self) -> At {
        At {
            environment: self.environment.as_str().into(),
            profile: self.profile.as_deref().map(Into::into),
            expose: self.expose.as_deref().map(Into::into),
        }
    }
}

/// The operator's identities.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Keys {
    /// A file of age identities or a private SSH key, besides those that sops would find
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Keys {
    /// Looks for them; asks nobody yet.
    ///
    /// # Errors
    /// A file that was named can't be used.
    pub(super) fn find(&self, world: &dyn World, ui: &Ui) -> Result<Found, Failure> {
        let ask: Arc<dyn Ask> = Arc::new(*ui);
        identities::find(world, &self.identity, &ask).map_err(Failure::new)
    }
}

/// Why a command did nothing.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Failure {
    /// An operation that failed.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), help: None }
    }

    /// Wrong words on the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Another end of the process.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// A workspace as read.
pub struct Session {
    /// The folder that the command runs in.
    start: PathBuf,
    /// The outside.
    pub world: System,
    /// The workspace.
    pub workspace: Workspace,
    /// Its connectors.
    pub catalogue: Catalogue,
    /// Problems of its files.
    pub told: Vec<Diagnostic>,
    /// The settings that it had before, once somebody asks.
    pub(super) history: OnceCell<History>,
}

impl Session {
    /// Finds the workspace of the working directory (or `-C`) and reads it.
    ///
    /// # Errors
    /// There is none.
    pub fn open(cli: &Cli) -> Result<Self, Failure> {
        Self::at(cli.directory.as_deref().unwrap_or(Path::new(".")))
    }

    /// Finds the workspace of a folder and reads it.
    ///
    /// # Errors
    /// There is none.
    pub fn at(folder: &Path) -> Result<Self, Failure> {
        let start = absolute(folder)?;
        let world = System::new(find(&start)?);
        let (workspace, told) =
            Workspace::read(&world).map_err(|_| Failure::new("no workspace here").help("`tieline init` makes one"))?;
        let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
        Ok(Self { start, world, workspace, catalogue, told, history: OnceCell::new() })
    }

    /// A path that was typed, relative to the workspace with `/` between segments; empty for the workspace itself.
    ///
    /// # Errors
    /// Nothing stands there, or it lies outside of the workspace.
    #[allow(clippy::disallowed_methods, reason = "what was typed is looked up where it was typed")]
    pub fn inside(&self, path: &Path) -> Result<String, Failure> {
        let shown = path.display();
        let gone = |_| Failure::usage(format!("there is no file or folder `{shown}`"));
        let typed = self.start.join(path);
        let whole = match (typed.parent(), typed.file_name()) {
            // A link is told about as what it is, not as what it points to.
            (Some(folder), Some(name)) => folder.canonicalize().map(|folder| folder.join(name)),
            _ => typed.canonicalize(),
        };
        let whole = whole.and_then(|whole| whole.symlink_metadata().map(|_| whole)).map_err(gone)?;
        let root = self.world.root();
        let below = whole
            .strip_prefix(root)
            .map_err(|_| Failure::usage(format!("`{shown}` lies outside of the workspace in {}", root.display())))?;
        let segments: Vec<_> = below.iter().map(|s| s.to_string_lossy()).collect();
        Ok(segments.join("/"))
    }

    /// A path that was typed for something to be written or taken in, so that no link which the repository holds is
    /// followed on the way.
    pub(super) fn typed(&self, path: &Path) -> Typed {
        let root = self.world.root();
        Typed::new(path, Some(disk::repository(root).unwrap_or(root)))
    }

    /// The environment of this name.
    ///
    /// # Errors
    /// There is none; the help names those that are.
    pub fn environment(&self, name: &str) -> Result<Arc<str>, Failure> {
        if let Some(name) = self.workspace.concrete().find(|known| ***known == *name) {
            return Ok(name.clone());
        }
        let (message, help) = self.workspace.no_environment(name);
        Err(match self.world.files().obstacle(format!("environments/{name}")) {
            Some(found) => Failure::new(format!("{message}: {found}")).help("put the folder itself there"),
            None => Failure::usage(message).help(help),
        })
    }

    /// The environment and profile that were asked for.
    ///
    /// # Errors
    /// There is no such environment, or it has no such profile; the help names those that are.
    pub(super) fn chosen(&self, chosen: &Chosen) -> Result<At, Failure> {
        let environment = self.environment(&chosen.environment)?;
        let expose = chosen.expose.as_deref().map(|name| self.exposed(name)).transpose()?;
        let Some(name) = &chosen.profile else { return Ok(At { expose, ..At::plain(&environment) }) };
        let known = self.workspace.profiles(&environment);
        let names = || known.iter().map(|n| &***n);
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("make one: environments/{environment}/profiles/{name}/"),
            None => format!("profiles: {}", listed(names(), 12)),
        };
        match known.get(&Arc::from(&**name)) {
            Some(name) => Ok(At { environment, profile: Some(Arc::clone(name)), expose }),
            None => Err(Failure::usage(format!("`{environment}` has no profile `{name}`")).help(help)),
        }
    }

    /// A name that connections are exposed under.
    fn exposed(&self, name: &str) -> Result<Arc<str>, Failure> {
        let documents = self.workspace.layers().flat_map(|layer| layer.connections.values());
        let lists = documents.filter_map(|document| document.root.as_ref()?.get("expose")?.as_list());
        let known: BTreeSet<&str> = lists.flatten().filter_map(Node::as_str).collect();
        if known.contains(name) && is_segment(name) {
            return Ok(name.into());
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write `expose: [{name}]` in the connections that are to be"),
        };
        Err(Failure::usage(format!("no connection is exposed as `{name}`")).help(help))
    }

    /// The customer of this name.
    ///
    /// # Errors
    /// There is none; the help names those that are.
    pub fn customer(&self, name: &str) -> Result<Arc<str>, Failure> {
        if let Some((name, _)) = self.workspace.customers.get_key_value(name) {
            return Ok(name.clone());
        }
        let known = || self.workspace.customers.keys().map(|n| &**n);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known().next().is_none() => "make one: customers/NAME/customer.yaml".into(),
            None => format!("customers: {}", listed(known(), 12)),
        };
        Err(Failure::usage(format!("there is no customer `{name}`")).help(help))
    }

    /// Compiles an environment for commands that need it whole: problems are drawn, an error ends the command.
    ///
    /// # Errors
    /// The workspace has errors; they were drawn.
    pub fn compile(&self, at: &At, ui: &Ui) -> Result<Compiled, Failure> {
        let (compiled, told) = compile::compile(&self.workspace, &self.catalogue, at);
        let told = diagnostic::merge(self.told.iter().cloned().chain(told).collect());
        // One environment is compiled: its name says nothing here.
        ui.problems(&told, &self.workspace.sources, 1);
        if has_errors(&told) {
            let tally = crate::reporters::human::tally(&told);
            return Err(Failure::new(format!("`{at}` does not compile: {tally}"))
                .help("`tieline validate` tells every problem of every environment"));
        }
        Ok(compiled)
    }

    /// The connection of this id (or stable key) in a compiled environment.
    ///
    /// # Errors
    /// There is none; the help names a near one.
    pub fn connection<'c>(&self, compiled: &'c Compiled, name: &str) -> Result<&'c Arc<str>, Failure> {
        if let Some((id, _)) = compiled.connections.get_key_value(name) {
            return Ok(id);
        }
        let failure = || Failure::usage(format!("there is no connection `{name}` in `{}`", compiled.at));
        let customers = |id: &str| {
            let instances = compiled.connections.values().filter(move |c| *c.id == *id);
            instances.filter_map(|c| c.customer.as_deref()).collect::<Vec<_>>()
        };
        if let Some((id, _)) = compiled.states.find(name) {
            return match customers(id).first() {
                Some(first) => {
                    let names = listed(customers(id), 8);
                    Err(Failure::usage(format!("`{id}` is there once for each customer: {names}"))
                        .help(format!("name one: `{id}@{first}`")))
                }
                None => Ok(id),
            };
        }
        let failure = failure();
        let known = compiled.states.keys().chain(compiled.connections.keys()).map(|k| &**k);
        Err(match nearest(name, known) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("`tieline list` shows them"),
        })
    }

    /// The time as sops writes it: whole seconds, `Z`.
    pub fn timestamp(&self) -> String {
        self.world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// A variable of the process' environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.world.variable(name)
    }
}

/// A public key that was typed. A private one is not shown again.
pub(super) fn recipient(text: &str) -> Result<Recipient, Failure> {
    let upper = text.to_ascii_uppercase();
    if upper.contains("SECRET-KEY-") || upper.contains("PRIVATE KEY") || upper.contains("AGE-PLUGIN-") {
        return Err(Failure::usage("this is a private key, and was typed where others may read it: make a new one")
            .help("the public key is what `tieline keygen` prints, `age1…`"));
    }
    text.parse().map_err(|error| Failure::usage(format!("`{text}`: {error}")))
}

/// The failure of something that is not there: a near name, or those that are known.
pub(super) fn absent<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> Failure {
    let known: Vec<&str> = known.collect();
    let failure = Failure::usage(format!("there is no {what} of the name `{name}`"));
    match nearest(name, known.iter().copied()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => failure.help("there is none at all"),
        None => failure.help(format!("there are {}", listed(known, 12))),
    }
}

/// The connector of this name.
///
/// # Errors
/// There is none, or its schema can't be used; the help names a near one.
pub(super) fn connector_of<'c>(catalogue: &'c Catalogue, name: &str) -> Result<&'c Connector, Failure> {
    match catalogue.get(name) {
        Some(Ok(connector)) => Ok(connector),
        Some(Err(faults)) => {
            let first = faults.first().map_or("", |fault| &*fault.message);
            Err(Failure::new(format!("the schema of `{name}` can't be used: {first}")))
        }
        None => {
            let failure = Failure::usage(format!("there is no connector `{name}`"));
            Err(match nearest(name, catalogue.ids()).or_else(|| catalogue.by_alias(name)) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help(format!("connectors: {}", listed(catalogue.ids(), 40))),
            })
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "before there is a world, its place must be found")]
fn absolute(folder: &Path) -> Result<PathBuf, Failure> {
    folder.canonicalize().map_err(|_| Failure::usage(format!("there is no folder `{}`", folder.display())))
}

/// The same as [`Session::typed`] where a command needs no workspace.
pub(super) fn typed(cli: &Cli, path: &Path) -> Typed {
    let start = cli.directory.as_deref().unwrap_or(Path::new("."));
    let start = absolute(start).ok();
    let repository = start.as_deref().and_then(|start| disk::repository(start).map(Path::to_owned));
    let repository = repository.or_else(|| find(start.as_deref()?).ok());
    Typed::new(path, repository.as_deref())
}

/// The workspace that `start` is in: the nearest folder upwards with a `tieline.yaml`, not beyond the repository.
#[allow(clippy::disallowed_methods, reason = "before there is a world, its place must be found")]
fn find(start: &Path) -> Result<PathBuf, Failure> {
    for folder in start.ancestors() {
        if folder.join("tieline.yaml").symlink_metadata().is_ok() {
            return Ok(folder.to_owned());
        }
        if folder.join(".git").symlink_metadata().is_ok() {
            break;
        }
    }
    Err(Failure::new(format!("no tieline.yaml in `{}` or above it in the repository", start.display()))
        .help("`tieline init FOLDER` makes a workspace; `-C DIR` runs in another folder"))
}
