//! `tieline list`

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::format::Listing;
use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::diagnostic::nearest;
use crate::model::connection::Connection;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::ui::Ui;
use crate::value::Node;
use crate::workspace::layers::At;

/// List the connections, with the environments that have them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those of one environment
    #[arg(short, long, value_name = "ENV")]
    environment: Option<String>,
    /// With the values of a profile
    #[arg(long, value_name = "NAME", requires = "environment")]
    profile: Option<String>,
    /// Only the instances of one customer
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// Only those of one connector
    #[arg(long, value_name = "CONNECTOR")]
    connector: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Listing,
}

const COLUMNS: &[&str] = &["id", "connector", "owner", "environments", "title"];

/// What is told of one connection, over all environments.
#[derive(Default)]
struct Row {
    connector: String,
    owner: String,
    title: String,
    environments: Vec<Arc<str>>,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let places = match &args.environment {
        Some(name) => {
            vec![session.chosen(&Chosen { environment: name.clone(), profile: args.profile.clone(), expose: None })?]
        }
        None => session.workspace.concrete().map(At::plain).collect(),
    };
    let customer = args.customer.as_ref().map(|name| session.customer(name)).transpose()?;
    let mut rows: BTreeMap<Arc<str>, Row> = BTreeMap::new();
    for at in &places {
        let compiled = session.compile(at, ui)?;
        let wanted = |c: &Connection| customer.is_none() || c.customer == customer;
        for (id, connection) in compiled.connections.into_iter().filter(|(_, c)| wanted(c)) {
            let row = rows.entry(id).or_default();
            row.environments.push(at.environment.clone());
            row.connector = connection.connector.value.to_string();
            row.owner = connection.owner.unwrap_or_default().into();
            row.title = connection.title.as_deref().and_then(Node::as_str).unwrap_or("").into();
        }
    }
    if let Some(name) = args.connector.as_ref().filter(|name| !session.catalogue.contains(name)) {
        let help = match nearest(name, session.catalogue.ids()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`tieline connector list` shows them".to_owned(),
        };
        return Err(Failure::usage(format!("there is no connector `{name}`")).help(help));
    }
    rows.retain(|_, row| args.connector.as_ref().is_none_or(|c| *c == row.connector));
    match args.format {
        Listing::Table => {
            let cells = |(id, row): (&Arc<str>, &Row)| {
                let environments = row.environments.join(", ");
                vec![id.to_string(), row.connector.clone(), row.owner.clone(), environments, row.title.clone()]
            };
            ui.data(&table::render(COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>()));
        }
        Listing::Json => {
            let object = |(id, row): (&Arc<str>, &Row)| {
                let environments: Vec<&str> = row.environments.iter().map(|e| &**e).collect();
                json!({
                    "id": &**id,
                    "connector": row.connector,
                    "owner": row.owner,
                    "environments": environments,
                    "title": row.title,
                })
            };
            ui.machine(&pretty(&Value::Array(rows.iter().map(object).collect())));
        }
    }
    Ok(Exit::Done)
}
