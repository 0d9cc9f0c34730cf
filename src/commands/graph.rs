//! `tieline graph`

use super::{Cli, Exit, Failure, Session};
use crate::reporters::graph::Graph;
use crate::ui::Ui;
use crate::workspace::layers::At;

/// Draw what hangs together: consumers, connections, credentials, customers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only one environment; else all of them together
    #[arg(value_name = "ENV")]
    environment: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// For Markdown on Git hosts.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// For scripts; its schema is in `schemas/output/`.
    Json,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let places = match &args.environment {
        Some(name) => vec![At::plain(&session.environment(name)?)],
        None => session.workspace.concrete().map(At::plain).collect(),
    };
    let mut graph = Graph::default();
    for at in &places {
        let compiled = session.compile(at, ui)?;
        for (instance, connection) in &compiled.connections {
            let node = ("connection", instance.to_string());
            graph.nodes.insert(node.clone(), format!("{instance} ({})", connection.connector.value));
            if let Some(link) = &connection.credential {
                let credential = ("credential", link.value.to_string());
                graph.nodes.insert(credential.clone(), link.value.to_string());
                graph.edges.insert((node.clone(), credential, String::new()));
            }
            if let Some(customer) = &connection.customer {
                let customer = ("customer", customer.to_string());
                graph.nodes.insert(customer.clone(), customer.1.clone());
                graph.edges.insert((customer, node.clone(), String::new()));
            }
            for consumer in compiled.consumers_of(connection) {
                let slots = consumer
                    .uses
                    .iter()
                    .filter(|u| *u.connection.value == *connection.id || *u.connection.value == *connection.key);
                let user = ("consumer", consumer.id.to_string());
                graph.nodes.insert(user.clone(), format!("{} ({})", consumer.id, consumer.kind));
                for slot in slots {
                    let word = if *slot.slot == *connection.id { String::new() } else { slot.slot.to_string() };
                    graph.edges.insert((user.clone(), node.clone(), word));
                }
            }
        }
    }
    match args.format {
        Format::Mermaid => ui.data(&graph.mermaid()),
        Format::Dot => ui.data(&graph.dot()),
        Format::Json => ui.machine(&graph.json()),
    }
    Ok(Exit::Done)
}
