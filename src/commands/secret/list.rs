//! `tieline secret list`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::commands::format::Listing;
use crate::commands::session::{Chosen, Session};
use crate::commands::{Cli, Exit, Failure};
use crate::compile;
use crate::diagnostic::without_logins;
use crate::model::connection::Connection;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::secrets::recipients::name_of;
use crate::template;
use crate::ui::Ui;
use crate::workspace::Layer;
use crate::workspace::layers::At;
use crate::workspace::stores::Address;
use crate::world::{World, git};

/// List secrets: where they come from, version, age, who uses and who can open them.
///
/// Values are never shown, and no key is needed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The environment; else all of them
    #[arg(short, long, value_name = "ENV")]
    environment: Option<String>,
    /// With what this customer has
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// With what this profile has
    #[arg(long, value_name = "NAME", requires = "environment")]
    profile: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

const COLUMNS: &[&str] = &["name", "environments", "from", "version", "age", "used by", "recipients"];

/// A secret, from one place.
#[derive(Default)]
struct Row {
    environments: BTreeSet<String>,
    version: Option<String>,
    days: Option<i64>,
    used: BTreeSet<String>,
    recipients: Vec<String>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let places: Vec<At> = match &args.environment {
        Some(environment) => {
            let chosen = Chosen { environment: environment.clone(), profile: args.profile.clone(), expose: None };
            vec![session.chosen(&chosen)?]
        }
        None => session.workspace.everywhere(),
    };
    let customer = args.customer.as_ref().map(|name| session.customer(name)).transpose()?;
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    let ages = Ages::of(&session, ui);
    for at in &places {
        let used = used(&session, at, customer.as_ref());
        for (name, (from, layer)) in names(&session.workspace.stack_of(at, customer.as_deref())) {
            let used = used.get(&name).cloned().unwrap_or_default();
            let row = rows.entry((name.clone(), from)).or_default();
            row.environments.insert(at.to_string());
            row.used.extend(used);
            row.facts(&session, layer, &name, &ages);
        }
    }
    match args.format {
        Listing::Table => {
            let cells = rows.iter().map(|((name, from), row)| row.cells(name, from));
            ui.data(&table::render(COLUMNS, &cells.collect::<Vec<_>>()));
        }
        Listing::Json => {
            let objects = rows.iter().map(|((name, from), row)| row.json(name, from));
            ui.machine(&pretty(&Value::Array(objects.collect())));
        }
    }
    Ok(Exit::Done)
}

impl Row {
    fn facts(&mut self, session: &Session, layer: &Layer, name: &str, ages: &Ages) {
        let Some(file) = &layer.secrets else { return };
        let Some(sealed) = file.names.get(name) else { return };
        self.version = sealed.version.as_ref().map(ToString::to_string);
        let shown = |key: &str| name_of(&session.workspace, key).unwrap_or_else(|| key.to_owned());
        self.recipients = file.recipients.iter().map(|key| shown(key)).collect();
        let source = session.workspace.sources.get(file.file);
        let before = source.text().get(..sealed.span.range().start).unwrap_or("");
        self.days = ages.days(session, source.path(), before.matches('\n').count());
    }

    fn cells(&self, name: &str, from: &str) -> Vec<String> {
        let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        // As much of the digest as tells one version from the next.
        let version = self.version.as_deref().map_or("", |v| v.strip_prefix("sha256:").unwrap_or(v));
        vec![
            name.to_owned(),
            join(&self.environments),
            from.to_owned(),
            version.get(..8).unwrap_or(version).to_owned(),
            self.days.map_or(String::new(), |days| format!("{days} d")),
            join(&self.used),
            self.recipients.join(", "),
        ]
    }

    fn json(&self, name: &str, from: &str) -> Value {
        json!({
            "name": name,
            "environments": self.environments,
            "from": from,
            "version": self.version,
            "age_days": self.days,
            "used_by": self.used,
            "recipients": self.recipients,
        })
    }
}

/// When lines changed last, by Git; it is asked once.
struct Ages(BTreeMap<String, Vec<Option<git::LastChange>>>);

impl Ages {
    fn of(session: &Session, ui: &Ui) -> Self {
        let files = session.workspace.layers().filter_map(|layer| layer.secrets.as_ref());
        let sources = files.map(|file| session.workspace.sources.get(file.file));
        let texts = sources.map(|source| (source.path(), source.text())).collect();
        let known = git::last_changes(session.world.root(), &texts);
        Self(known.map_err(|why| ui.say(&format!("warning: {why}"))).unwrap_or_default())
    }

    /// Days since a line (from 0) changed; `None` without Git.
    fn days(&self, session: &Session, path: &str, line: usize) -> Option<i64> {
        let now = session.world.now().as_second();
        let time = self.0.get(path)?.get(line)?.as_ref().map_or(now, |change| change.time);
        Some(now.saturating_sub(time).max(0) / 86400)
    }
}

/// Every secret of a stack and where it comes from; the highest layer wins.
fn names<'w>(stack: &[&'w Layer]) -> BTreeMap<String, (String, &'w Layer)> {
    let mut names = BTreeMap::new();
    for layer in stack {
        let sealed = layer.secrets.iter().flat_map(|s| s.names.keys());
        names.extend(sealed.map(|name| (name.to_string(), (layer.file("secrets.sops.yaml"), *layer))));
        for (name, binding) in &layer.settings.secrets {
            match &binding.uri {
                Some(uri) => names.insert(name.to_string(), (address(uri), *layer)),
                None => names.remove(&**name),
            };
        }
    }
    names
}

/// The address of a store as it may be shown: what is not an address may be the value itself.
pub(super) fn address(uri: &str) -> String {
    match Address::parse(uri) {
        Ok(_) => without_logins(uri).into_owned(),
        Err(_) => "(not an address)".to_owned(),
    }
}

/// Secret -> the connections and credentials whose files name it in this environment, and for this customer.
fn used(session: &Session, at: &At, customer: Option<&Arc<str>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (compiled, _) = compile::compile(&session.workspace, &session.catalogue, at);
    let ours = |c: &&Connection| c.customer.is_none() || c.customer.as_ref() == customer;
    for connection in compiled.connections.values().filter(ours) {
        for name in template::secrets_in(&connection.instance) {
            used.entry(name.to_owned()).or_default().insert(connection.instance_id());
        }
    }
    used
}
