//! `tieline secret`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::format::Listing;
use super::{Cli, Exit, Failure, Session};
use crate::compile;
use crate::compile::desired::secrets_path;
use crate::providers::identities;
use crate::providers::sops_file::{self, Outcome, Setting};
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::sops::Recipient;
use crate::template;
use crate::ui::Ui;
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
    /// The environment whose file it goes into
    #[arg(short, long, value_name = "ENV")]
    environment: String,
    /// A file of age identities, besides those that sops would find
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct List {
    /// The environment
    #[arg(short, long, value_name = "ENV")]
    environment: String,
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
    let environment = session.environment(&args.environment)?;
    let workspace = &session.workspace;
    let layer = &workspace.environments[&environment];
    let id = workspace.root.settings.id.ok_or_else(|| {
        Failure::new("the workspace has no valid `id`").help("`tieline validate` tells what is wrong")
    })?;
    let recipients = recipients(workspace, &environment)?;
    let path = secrets_path(layer);
    let value = ui
        .read_secret(&format!("value of {} in {environment}: ", args.name), MAX_BYTES)
        .map_err(|error| Failure::new(format!("can't read the value: {error}")))?;
    if value.expose().is_empty() {
        return Err(Failure::new("the value is empty").help("an empty value is never encrypted: nothing was written"));
    }
    let found = identities::find(&session.world, &args.identity).map_err(Failure::new)?;
    let setting = Setting {
        text: layer.secrets.as_ref().map(|s| workspace.sources.get(s.file).text()),
        path: &path,
        scope: &sops_file::scope(id, &layer.path),
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
        disk::replace(&session.world.root().join(&path), text.as_bytes(), Access::Shared)
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

/// Whom an environment's secrets are sealed to.
fn recipients(workspace: &Workspace, environment: &str) -> Result<Vec<Recipient>, Failure> {
    let stack = workspace.stack(environment);
    let names = Workspace::recipients(&stack);
    if names.is_empty() {
        return Err(Failure::new(format!("`{environment}` has no recipients: the value would be sealed to nobody"))
            .help("name a key and a recipient in tieline.yaml: `keys: {me: age1…}`, `recipients: [me]`"));
    }
    let one = |name: &str| {
        let key = Workspace::public_key(&stack, name);
        key.and_then(|key| key.parse().ok()).ok_or_else(|| {
            Failure::new(format!("the recipient `{name}` has no usable key")).help("`tieline validate` tells more")
        })
    };
    names.iter().map(|name| one(&name.value)).collect()
}

const COLUMNS: &[&str] = &["name", "from", "used by"];

fn list(args: &List, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let environment = session.environment(&args.environment)?;
    let names = names(&session.workspace.stack(&environment));
    let used = used(&session, &environment);
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
            ui.data(&pretty(&Value::Array(objects.collect())));
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

/// Secret -> the connections and credentials whose files name it in this environment.
fn used(session: &Session, environment: &Arc<str>) -> BTreeMap<String, Vec<String>> {
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (compiled, _) = compile::compile(&session.workspace, &session.catalogue, environment);
    for connection in compiled.connections.values() {
        for name in template::secrets_in(&connection.instance) {
            used.entry(name.to_owned()).or_default().push(connection.id.to_string());
        }
    }
    used
}
