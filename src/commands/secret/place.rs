//! The layer that a secret goes into, and its file, kept under a lock.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::commands::acceptance::{Acceptance, Judged, tell_access};
use crate::commands::access::{Consent, Gain, consent, with_key};
use crate::commands::session::{Keys, absent};
use crate::commands::{Exit, Failure, Session};
use crate::diagnostic::nearest;
use crate::providers::identities::Found;
use crate::secrets::accepted::Location;
use crate::secrets::change::Sealing;
use crate::secrets::recipients::{self, Drift, Named, keys, name_of};
use crate::secrets::{Unopened, scope, unopened};
use crate::sops::{Encrypted, Format};
use crate::ui::Ui;
use crate::workspace::Layer;
use crate::workspace::discover::is_segment;
use crate::workspace::layers::At;
use crate::world::beneath::Access;
use crate::world::{ReadError, World};

/// A secrets file may have this many bytes.
const MAX_FILE: usize = 4 << 20;

/// A layer, by what it is for.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::commands) struct Choice {
    /// The environment whose file it is about
    #[arg(short, long, value_name = "ENV", required_unless_present = "customer")]
    pub(in crate::commands) environment: Option<String>,
    /// The customer whose file it is about; with an environment, what is for that one alone
    #[arg(long, value_name = "CUSTOMER")]
    pub(in crate::commands) customer: Option<String>,
    /// The profile whose file it is about
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) profile: Option<String>,
}

/// One secret of a layer, and who opens its file.
#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The secret's name: letters, digits and `_`
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    pub(super) keys: Keys,
}

/// A layer that a secret goes into, which may have no file yet.
pub(in crate::commands) struct Place<'w> {
    /// The layer's folder.
    pub(in crate::commands) path: String,
    /// Its secrets file.
    pub(in crate::commands) file: String,
    /// The layer, where there is one.
    pub(in crate::commands) layer: Option<&'w Layer>,
    stack: Vec<&'w Layer>,
    session: &'w Session,
}

impl<'s> Place<'s> {
    /// Finds it.
    pub(in crate::commands) fn of(session: &'s Session, choice: &Choice) -> Result<Self, Failure> {
        let workspace = &session.workspace;
        // An abstract environment has secrets for those that stand on it.
        let named = |name: &String| match workspace.environments.get_key_value(name.as_str()) {
            Some((name, _)) => Ok(name.clone()),
            None => session.environment(name),
        };
        let environment = choice.environment.as_ref().map(named).transpose()?;
        let customer = choice.customer.as_ref().map(|name| session.customer(name)).transpose()?;
        let environments = match &customer {
            Some(customer) => &workspace.customers[customer].environments,
            None => &workspace.environments,
        };
        let below = |environment: &Arc<str>| workspace.stack(&At::plain(environment));
        let above = customer.as_ref().map(|name| &workspace.customers[name]);
        let (mut path, mut layer, mut stack) = match (&customer, &environment) {
            (Some(customer), Some(environment)) => {
                let path = format!("customers/{customer}/environments/{environment}");
                let stack = below(environment).into_iter().chain(above).collect();
                (path, environments.get(environment), stack)
            }
            (Some(customer), None) => (format!("customers/{customer}"), above, vec![&workspace.root]),
            (None, Some(environment)) => {
                let mut stack = below(environment);
                stack.pop();
                (format!("environments/{environment}"), environments.get(environment), stack)
            }
            (None, None) => return Err(Failure::usage("name an environment or a customer")),
        };
        stack.extend(layer);
        if let Some(profile) = &choice.profile {
            if !is_segment(profile) || (customer.is_some() && environment.is_some()) {
                return Err(Failure::usage(format!("there can be no profile `{profile}` here"))
                    .help("a profile belongs to an environment or to a customer; its name is one segment of an id"));
            }
            path = format!("{path}/profiles/{profile}");
            layer = layer.and_then(|layer| layer.profiles.get(&**profile));
            stack.extend(layer);
        }
        Ok(Self { file: format!("{path}/secrets.sops.yaml"), path, layer, stack, session })
    }

    /// The same for a value that somebody names the place of: a profile is there already, so that a slip begins none.
    pub(in crate::commands) fn named(session: &'s Session, choice: &Choice) -> Result<Self, Failure> {
        let place = Self::of(session, choice)?;
        let Some((above, profile)) = place.path.split_once("/profiles/") else { return Ok(place) };
        let workspace = &session.workspace;
        let known: Vec<&str> = match (&choice.customer, &choice.environment) {
            (Some(customer), _) => workspace.customers[&**customer].profiles.keys().map(|name| &**name).collect(),
            (None, environment) => {
                let profiles = environment.iter().flat_map(|environment| workspace.profiles(environment));
                profiles.map(|name| &**name).collect()
            }
        };
        if known.contains(&profile) {
            return Ok(place);
        }
        let make = format!("to begin one, write {above}/profiles/{profile}/profile.yaml");
        let help = match nearest(profile, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? {make}"),
            None => make,
        };
        Err(Failure::usage(format!("there is no profile `{profile}` in {above}")).help(help))
    }

    /// That of a layer which exists.
    pub(in crate::commands) fn at(session: &'s Session, layer: &'s Layer, stack: Vec<&'s Layer>) -> Self {
        let file = layer.file("secrets.sops.yaml");
        Self { path: layer.path.to_string(), file, layer: Some(layer), stack, session }
    }

    /// Whom its secrets are sealed to.
    pub(in crate::commands) fn recipients(&self) -> Result<Vec<Named>, Failure> {
        let named = recipients::of(&self.stack).map_err(|name| {
            Failure::new(format!("the recipient `{name}` has no usable key")).help("`tieline validate` tells more")
        })?;
        if named.is_empty() {
            return Err(Failure::new(format!(
                "`{}` has no recipients: the value would be sealed to nobody",
                self.path
            ))
            .help("name a key and a recipient in tieline.yaml: `keys: {me: age1…}`, `recipients: [me]`"));
        }
        Ok(named)
    }

    /// The file as it stands now.
    pub(in crate::commands) fn read(&self) -> Result<Option<String>, Failure> {
        let failed = |reason: &str| Failure::new(format!("{}: {reason}", self.file));
        match self.session.world.read(&self.file, MAX_FILE) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| failed("not UTF-8")),
            Err(ReadError::Missing) => Ok(None),
            Err(ReadError::NotAFile) => {
                let obstacle = self.session.world.files().obstacle(&self.file);
                Err(failed(&obstacle.map_or_else(|| "not a regular file".to_owned(), |found| found.to_string())))
            }
            Err(ReadError::TooLarge) => Err(failed("more than 4 MiB")),
            Err(ReadError::Failed(reason)) => Err(failed(&reason)),
        }
    }

    /// Who would gain access to the file by a change of it.
    pub(super) fn gains(&self, found: &Found) -> Result<Vec<Gain>, Failure> {
        let Some(text) = self.read()? else { return self.strangers(found) };
        let gains = self.judge(&text, found)?.gains(&text, Format::Yaml, &self.recipients()?, &found.identities);
        if let Ok(file) = Encrypted::parse(&text) {
            let listed = |key: &str| file.metadata().recipients.iter().any(|entry| entry.recipient.trim() == key);
            if !gains.is_empty() && !found.identities.recipients().any(listed) {
                // Who can't open the file can't give access to it: that comes first.
                let name_of = |key: &str| name_of(&self.session.workspace, key);
                file.open(&found.identities).map_err(|e| refused(&unopened(&self.file, &e, &name_of), found))?;
            }
        }
        Ok(gains)
    }

    /// Of those that the layer's first secret would be sealed to, who can't decrypt the file of a layer below it, as far as
    /// this machine knows; or, if none of these has one, all files of the workspace.
    fn strangers(&self, found: &Found) -> Result<Vec<Gain>, Failure> {
        let mut to = self.recipients()?;
        let own: BTreeSet<&str> = found.identities.recipients().collect();
        to.retain(|named| !own.contains(named.recipient.as_str()));
        if to.is_empty() {
            return Ok(Vec::new());
        }
        let below = |layer: &Layer| self.stack.iter().any(|below| below.path == layer.path);
        let sealed = || self.session.workspace.layers().filter(|layer| layer.secrets.is_some());
        let is_stacked = sealed().any(below);
        let (mut any, mut all) = (BTreeSet::new(), None::<BTreeSet<String>>);
        for layer in sealed().filter(|layer| !is_stacked || below(layer)) {
            let other = Place::at(self.session, layer, Vec::new());
            let Some(text) = other.read()? else { continue };
            let Ok(file) = Encrypted::parse(&text) else { continue };
            let judged = other.judge(&text, found)?;
            let known: BTreeSet<String> = judged.known(&file).map(str::to_owned).collect();
            all = Some(all.map_or_else(|| known.clone(), |all| all.intersection(&known).cloned().collect()));
            any.extend(known);
        }
        let known = if is_stacked { any } else { all.unwrap_or_default() };
        to.retain(|named| !known.contains(named.recipient.as_str()));
        Ok(to.into_iter().map(|named| Gain::of(&self.file, named, false)).collect())
    }

    /// Says who would gain access to the file by a change of it, and asks.
    pub(super) fn consent(&self, found: &Found, yes: bool, ui: &Ui) -> Result<Consent, Failure> {
        consent(self.gains(found)?, yes, ui)
    }

    fn judge(&self, text: &str, found: &Found) -> Result<Judged, Failure> {
        let root = self.session.world.root();
        let location = Location::Layer { workspace: self.id()?, layer: self.path.clone() };
        let acceptance = Acceptance::new(&self.session.world, root)?.with(&found.identities);
        Ok(acceptance.judge(location, &root.join(&self.file), (text, Format::Yaml), &self.file))
    }

    fn id(&self) -> Result<Uuid, Failure> {
        self.session.workspace.root.settings.id.ok_or_else(|| {
            Failure::new("the workspace has no valid `id`").help("`tieline validate` tells what is wrong")
        })
    }

    /// Changes the file: `change` is given how it is to be sealed, and gives its new text, or `None` where nothing changes.
    /// Of several at once, each sees what the one before it wrote. Nobody gains access to what is there without `consent`.
    /// Says who gains or loses access by it, and if the data key is another one.
    pub(in crate::commands) fn keep<T>(
        &self,
        found: &Found,
        consent: &Consent,
        ui: &Ui,
        change: impl FnOnce(&Sealing<'_>) -> Result<(Option<String>, T), Unopened>,
    ) -> Result<T, Failure> {
        let (id, named, files) = (self.id()?, self.recipients()?, self.session.world.files());
        let _lock = files.lock().map_err(|error| Failure::new(format!("can't lock the workspace: {error}")))?;
        let text = self.read()?;
        let now = text.as_deref().unwrap_or("");
        let mut judged = self.judge(now, found)?;
        let gains = match &text {
            Some(text) => judged.gains(text, Format::Yaml, &named, &found.identities),
            None => self.strangers(found)?,
        };
        if !consent.covers(&gains) {
            return Err(Failure::new(format!("{} was changed by somebody else meanwhile", self.file))
                .help("run the same command again"));
        }
        let sealing = Sealing {
            text: text.as_deref(),
            path: &self.file,
            scope: &scope(id, &self.path),
            recipients: &keys(&named),
            renew: judged.renew(),
            time: &self.session.timestamp(),
            name_of: &|key| name_of(&self.session.workspace, key),
        };
        let (new, told) = change(&sealing).map_err(|error| refused(&error, found))?;
        if let Some(new) = new {
            // A layer may begin with its first secret.
            let written = match text {
                None => files.create(&self.file, new.as_bytes(), Access::Shared),
                Some(_) => files.replace(&self.file, new.as_bytes(), Access::Shared),
            };
            written.map_err(|error| Failure::new(format!("can't write {}: {error}", self.file)))?;
            let drift = match text.as_deref().map(Encrypted::parse) {
                Some(Ok(old)) => recipients::drift(&self.session.workspace, &old, &named),
                // A new file: nobody could decrypt it before, and nothing is in it but what was just given.
                _ => {
                    let named = named.iter().map(|named| with_key(&named.name, named.recipient.as_str()));
                    Drift { missing: named.collect(), extra: Vec::new() }
                }
            };
            tell_access(&self.file, &drift.missing, &drift.extra, ui);
            judged.written(text.as_deref(), &new, Format::Yaml, ui);
        }
        Ok(told)
    }

    /// The layer that a secret comes from: the highest that has it. A name that is bound to a store has its address.
    pub(super) fn source(&self, name: &str) -> Option<(&'s Layer, Option<&'s str>)> {
        self.stack.iter().rev().find_map(|layer| match layer.settings.secrets.get(name) {
            Some(binding) => Some((*layer, Some(binding.uri.as_deref().unwrap_or("")))),
            None => layer.secrets.as_ref()?.names.contains_key(name).then_some((*layer, None)),
        })
    }

    /// The failure of a secret that is not there.
    pub(in crate::commands) fn missing(&self, name: &str) -> Failure {
        let known = self.layer.and_then(|layer| layer.secrets.as_ref()).into_iter().flat_map(|s| s.names.keys());
        absent(&format!("secret in {}", self.path), name, known.map(|name| &**name))
    }
}

/// Why a file was not opened.
pub(in crate::commands) fn refused(error: &Unopened, found: &Found) -> Failure {
    let failure = Failure::new(format!("{}: {}", error.path, error.reason));
    if error.integrity {
        failure.exit(Exit::Integrity).help(error.help.clone())
    } else {
        failure.help(format!("{}; {}", error.help, found.help()))
    }
}
