//! `tieline show`

use std::sync::Arc;

use serde_json::{Value, json};

use super::format::Listing;
use super::{Cli, Exit, Failure, Session};
use crate::compile::Compiled;
use crate::compile::connection::State;
use crate::compile::desired::reference;
use crate::diagnostic::{listed, nearest};
use crate::model::connection::Connection;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::ui::Ui;
use crate::value::Node;
use crate::workspace::discover::Family;
use crate::workspace::layers::At;

/// Show one connection: what it is in each environment, who uses it, which files make it.
///
/// `consumer/ID` shows what fills the slots of a consumer, `credential/ID` what links a credential.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection, by id or key; or `consumer/ID`, `credential/ID`
    #[arg(value_name = "ID")]
    id: String,
    /// Print nothing but the stable reference, a UUID that is the same in every environment
    #[arg(long)]
    reference: bool,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

const COLUMNS: &[&str] =
    &["environment", "id", "connector", "title", "owner", "credential", "reference", "consumers", "files"];

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    if let Some(id) = args.id.strip_prefix("consumer/") {
        return consumer(&session, id, args.format, ui);
    }
    if let Some(id) = args.id.strip_prefix("credential/") {
        return credential(&session, id, args.format, ui);
    }
    let mut rows = Vec::new();
    let mut missing = None;
    for environment in session.workspace.concrete() {
        let at = At::plain(environment);
        let compiled = session.compile(&at, ui)?;
        match session.connection(&compiled, &args.id) {
            Ok(id) => rows.extend(compiled.connections.get(id).map(|c| row(&session, &compiled, c))),
            Err(failure) => missing = Some(failure),
        }
    }
    let Some(first) = rows.first() else {
        return Err(
            missing.unwrap_or_else(|| Failure::new(format!("the connection `{}` is switched off everywhere", args.id)))
        );
    };
    if args.reference {
        ui.data(&format!("{}\n", first["reference"].as_str().unwrap_or("")));
        return Ok(Exit::Done);
    }
    match args.format {
        Listing::Json => ui.machine(&pretty(&Value::Array(rows))),
        Listing::Table => {
            for row in &rows {
                let lines: Vec<Vec<String>> = COLUMNS
                    .iter()
                    .map(|c| vec![(*c).to_owned(), cell(&row[*c])])
                    .filter(|l| !l[1].is_empty())
                    .collect();
                // The row's own column names lead; a table of two columns needs no heading.
                let text = table::render(&["", ""], &lines);
                ui.data(text.trim_start_matches('\n'));
                ui.data("\n");
            }
        }
    }
    Ok(Exit::Done)
}

/// What fills the slots of a consumer, in each environment that it runs in.
fn consumer(session: &Session, id: &str, format: Listing, ui: &Ui) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for environment in session.workspace.concrete() {
        let compiled = session.compile(&At::plain(environment), ui)?;
        let Some(consumer) = compiled.consumers.iter().find(|c| *c.id == *id) else { continue };
        for used in &consumer.uses {
            let found = compiled.states.find(&used.connection.value);
            let connector = found.and_then(|(_, state)| match state {
                State::Known { connector, .. } => Some(&**connector),
                _ => None,
            });
            let accepts: Vec<&str> = used.accepts.iter().map(|a| &*a.value).collect();
            rows.push(json!({
                "environment": &**environment,
                "slot": &*used.slot,
                "connection": found.map(|(id, _)| &**id),
                "connector": connector,
                "accepts": accepts,
            }));
        }
    }
    let known = session.workspace.layers().flat_map(|layer| layer.consumers.keys());
    unknown(known, "consumer", id)?;
    listing(&["environment", "slot", "connection", "connector", "accepts"], rows, format, ui)
}

/// What links a credential, in each environment.
fn credential(session: &Session, id: &str, format: Listing, ui: &Ui) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for environment in session.workspace.concrete() {
        let compiled = session.compile(&At::plain(environment), ui)?;
        let links = |c: &&Connection| c.credential.as_ref().is_some_and(|link| *link.value == *id);
        for connection in compiled.connections.values().filter(links) {
            let consumers: Vec<&str> = compiled.consumers_of(connection).map(|c| &*c.id).collect();
            rows.push(json!({
                "environment": &**environment,
                "connection": connection.instance_id(),
                "connector": &*connection.connector.value,
                "mode": connection.choice("auth", "mode"),
                "consumers": consumers,
            }));
        }
    }
    let known = session.workspace.layers().flat_map(|layer| layer.credentials.keys());
    unknown(known, "credential", id)?;
    listing(&["environment", "connection", "connector", "mode", "consumers"], rows, format, ui)
}

fn unknown<'n>(known: impl Iterator<Item = &'n Arc<str>>, what: &str, id: &str) -> Result<(), Failure> {
    let known: Vec<&str> = known.map(|id| &**id).collect();
    if known.contains(&id) {
        return Ok(());
    }
    let failure = Failure::usage(format!("there is no {what} `{id}`"));
    Err(match nearest(id, known.iter().copied()) {
        Some(near) => failure.help(format!("did you mean `{what}/{near}`?")),
        None => failure.help(format!("{what}s: {}", listed(known, 20))),
    })
}

fn listing(columns: &[&str], rows: Vec<Value>, format: Listing, ui: &Ui) -> Result<Exit, Failure> {
    match format {
        Listing::Json => ui.machine(&pretty(&Value::Array(rows))),
        Listing::Table => {
            let cells = |row: &Value| columns.iter().map(|column| cell(&row[*column])).collect();
            ui.data(&table::render(columns, &rows.iter().map(cells).collect::<Vec<Vec<String>>>()));
        }
    }
    Ok(Exit::Done)
}

fn row(session: &Session, compiled: &Compiled, connection: &Connection) -> Value {
    let workspace = &session.workspace;
    let consumers: Vec<&str> = compiled.consumers_of(connection).map(|c| &*c.id).collect();
    let documents = workspace.stack_of(&compiled.at, connection.customer.as_deref()).into_iter();
    let documents = documents.filter_map(|layer| layer.family(Family::Connections).get(&connection.id));
    let files: Vec<&str> = documents.map(|d| workspace.sources.get(d.file).path()).collect();
    json!({
        "environment": &*compiled.at.environment,
        "id": connection.instance_id(),
        "connector": &*connection.connector.value,
        "title": connection.title.as_deref().and_then(Node::as_str),
        "owner": connection.owner,
        "credential": connection.credential.as_ref().map(|c| &*c.value),
        "reference": reference(workspace.root.settings.id.unwrap_or_default(), &connection.instance_key()),
        "consumers": consumers,
        "files": files,
    })
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
