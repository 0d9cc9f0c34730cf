//! `tieline secret`

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::format::Listing;
use super::{Cli, Exit, Failure, Session, session};
use crate::compile;
use crate::compile::desired::secrets_path;
use crate::model::connection::Connection;
use crate::providers::sops_file::{self, Outcome, Setting};
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::sops::Recipient;
use crate::template;
use crate::ui::Ui;
use crate::workspace::discover::is_segment;
use crate::workspace::layers::At;
use crate::workspace::secrets::SCOPE;
use crate::workspace::settings::is_name;
use crate::workspace::{Layer, Workspace};
use crate::world::World;
use crate::world::disk::{self, Access};

/// A secret may have this many bytes.
const MAX_BYTES: usize = 256 << 10;

/// Set and list secrets of an environment.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Set a secret: the value comes from the keyboard, unseen, or from stdin
    Set(Set),
    /// List the secrets of an environment: names, where they come from, who uses them
    List(List),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The secret's name: letters, digits and `_`
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    layer: Choice,
    #[command(flatten)]
    keys: session::Keys,
}

/// A layer, by what it is for.
#[derive(Debug, clap::Args)]
struct Choice {
    /// The environment whose file it goes into
    #[arg(short, long, value_name = "ENV", required_unless_present = "customer")]
    environment: Option<String>,
    /// The customer whose file it goes into; with an environment, for that one alone
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// The profile whose file it goes into
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

#[derive(Debug, clap::Args)]
struct List {
    /// The environment
    #[arg(short, long, value_name = "ENV")]
    environment: String,
    /// With what this customer has
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// With what this profile has
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.action {
        Action::Set(args) => set(args, cli, ui),
        Action::List(args) => list(args, cli, ui),
    }
}

fn set(args: &Set, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    if !is_name(&args.name) || args.name == SCOPE {
        return Err(Failure::usage(format!("`{}` can't be the name of a secret", args.name))
            .help("letters, digits and `_`, not starting with a digit; the value is never an argument"));
    }
    let session = Session::open(cli)?;
    let workspace = &session.workspace;
    let chosen = layer(&session, &args.layer)?;
    let id = workspace.root.settings.id.ok_or_else(|| {
        Failure::new("the workspace has no valid `id`").help("`tieline validate` tells what is wrong")
    })?;
    let recipients = recipients(&chosen)?;
    let path = format!("{}/secrets.sops.yaml", chosen.path);
    let value = ui
        .read_secret(&format!("value of {} in {}: ", args.name, chosen.path), MAX_BYTES)
        .map_err(|error| Failure::new(format!("can't read the value: {error}")))?;
    if value.expose().is_empty() {
        return Err(Failure::new("the value is empty").help("an empty value is never encrypted: nothing was written"));
    }
    let found = args.keys.find(&session.world, ui)?;
    let setting = Setting {
        text: chosen.layer.and_then(|l| l.secrets.as_ref()).map(|s| workspace.sources.get(s.file).text()),
        path: &path,
        scope: &sops_file::scope(id, &chosen.path),
        recipients: &recipients,
        time: &timestamp(&session),
    };
    let (text, outcome) = sops_file::set(&setting, &args.name, value, &found.identities).map_err(|unopened| {
        let failure = Failure::new(format!("{}: {}", unopened.path, unopened.reason));
        if unopened.integrity {
            failure.exit(Exit::Integrity).help(unopened.help)
        } else {
            failure.help(format!("{}; {}", unopened.help, found.help()))
        }
    })?;
    if let Some(text) = text {
        // A layer may begin with its first secret.
        let write = if setting.text.is_none() { disk::create } else { disk::replace };
        write(&session.world.root().join(&path), text.as_bytes(), Access::Shared)
            .map_err(|error| Failure::new(format!("can't write {path}: {error}")))?;
    }
    ui.say(&match outcome {
        Outcome::Unchanged => format!("{} is that already in {path}", args.name),
        Outcome::Replaced => format!("{} replaced in {path}", args.name),
        Outcome::Added => format!("{} added to {path}", args.name),
    });
    Ok(Exit::Done)
}

/// The time as sops writes it: whole seconds, `Z`.
pub(super) fn timestamp(session: &Session) -> String {
    session.world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A layer that a secret goes into, which may have no file yet.
struct Chosen<'w> {
    path: String,
    layer: Option<&'w Layer>,
    stack: Vec<&'w Layer>,
}

fn layer<'s>(session: &'s Session, choice: &Choice) -> Result<Chosen<'s>, Failure> {
    let workspace = &session.workspace;
    let environment = choice.environment.as_ref().map(|name| session.environment(name)).transpose()?;
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
    Ok(Chosen { path, layer, stack })
}

/// Whom a layer's secrets are sealed to.
fn recipients(chosen: &Chosen<'_>) -> Result<Vec<Recipient>, Failure> {
    let (path, stack) = (&chosen.path, &chosen.stack);
    let names = Workspace::recipients(stack);
    if names.is_empty() {
        return Err(Failure::new(format!("`{path}` has no recipients: the value would be sealed to nobody"))
            .help("name a key and a recipient in tieline.yaml: `keys: {me: age1…}`, `recipients: [me]`"));
    }
    let one = |name: &str| {
        let key = Workspace::public_key(stack, name);
        key.and_then(|key| key.parse().ok()).ok_or_else(|| {
            Failure::new(format!("the recipient `{name}` has no usable key")).help("`tieline validate` tells more")
        })
    };
    names.iter().map(|name| one(&name.value)).collect()
}

const COLUMNS: &[&str] = &["name", "from", "used by"];

fn list(args: &List, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let at = session.chosen(&session::Chosen {
        environment: args.environment.clone(),
        profile: args.profile.clone(),
        expose: None,
    })?;
    let customer = args.customer.as_ref().map(|name| session.customer(name)).transpose()?;
    let names = names(&session.workspace.stack_of(&at, customer.as_deref()));
    let used = used(&session, &at, customer.as_ref());
    let rows: Vec<(String, String, Vec<String>)> = names
        .into_iter()
        .map(|(name, from)| {
            let used = used.get(&name).cloned().unwrap_or_default();
            (name, from, used)
        })
        .collect();
    match args.format {
        Listing::Table => {
            let cells = rows.into_iter().map(|(name, from, used)| vec![name, from, used.join(", ")]);
            ui.data(&table::render(COLUMNS, &cells.collect::<Vec<_>>()));
        }
        Listing::Json => {
            let objects =
                rows.into_iter().map(|(name, from, used)| json!({"name": name, "from": from, "used by": used}));
            ui.machine(&pretty(&Value::Array(objects.collect())));
        }
    }
    Ok(Exit::Done)
}

/// Every secret of a stack and where it comes from; the highest layer wins.
fn names(stack: &[&Layer]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for layer in stack {
        let sealed = layer.secrets.iter().flat_map(|s| s.names.keys());
        names.extend(sealed.map(|name| (name.to_string(), secrets_path(layer))));
        for (name, binding) in &layer.settings.secrets {
            match &binding.uri {
                Some(uri) => names.insert(name.to_string(), uri.to_string()),
                None => names.remove(&**name),
            };
        }
    }
    names
}

/// Secret -> the connections and credentials whose files name it in this environment, and for this customer.
fn used(session: &Session, at: &At, customer: Option<&Arc<str>>) -> BTreeMap<String, Vec<String>> {
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (compiled, _) = compile::compile(&session.workspace, &session.catalogue, at);
    let ours = |c: &&Connection| c.customer.is_none() || c.customer.as_ref() == customer;
    for connection in compiled.connections.values().filter(ours) {
        for name in template::secrets_in(&connection.instance) {
            used.entry(name.to_owned()).or_default().push(connection.instance_id());
        }
    }
    used
}
