//! `tieline connector`

use serde_json::{Value, json};

use super::format::Listing;
use super::session::connector_of;
use super::{Cli, Exit, Failure, Session};
use crate::connectors::field::Member;
use crate::connectors::{Catalogue, Connector};
use crate::diagnostic::listed;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::reporters::text::visible;
use crate::source::Sources;
use crate::ui::Ui;

/// List the connectors, and show what one asks for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the built-in connectors and the workspace's own
    List {
        /// Only of this category, or with this capability
        #[arg(value_name = "WORD")]
        word: Option<String>,
        /// The form of the output
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: Listing,
    },
    /// Show the fields of a connector, and its ways to log in
    Show {
        /// The connector
        #[arg(value_name = "CONNECTOR")]
        connector: String,
        /// Only this way to log in
        #[arg(long, value_name = "MODE")]
        mode: Option<String>,
        /// The form of the output
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: Listing,
    },
    /// Print the JSON Schema of a connector, standing alone
    Schema {
        /// The connector
        #[arg(value_name = "CONNECTOR")]
        connector: String,
    },
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    // Outside of a workspace, the built-in ones.
    let catalogue = match Session::open(cli) {
        Ok(session) => session.catalogue,
        Err(_) => Catalogue::new(&std::collections::BTreeMap::new(), &Sources::default()).0,
    };
    match &args.action {
        Action::List { word, format } => list(&catalogue, word.as_deref(), *format, ui),
        Action::Show { connector, mode, format } => {
            show(connector_of(&catalogue, connector)?, mode.as_deref(), *format, ui)?
        }
        Action::Schema { connector } => ui.machine(&pretty(connector_of(&catalogue, connector)?.schema())),
    }
    Ok(Exit::Done)
}

fn word<'c>(connector: &'c Connector, key: &str) -> &'c str {
    connector.about(key).and_then(Value::as_str).unwrap_or("")
}

fn list(catalogue: &Catalogue, wanted: Option<&str>, format: Listing, ui: &Ui) {
    let loaded = catalogue.ids().filter_map(|id| catalogue.get(id)?.ok());
    let fits = |c: &&Connector| wanted.is_none_or(|word| c.traits().contains(&word));
    let rows = loaded.filter(fits).map(|connector| {
        let title = connector.schema().get("title").and_then(Value::as_str).unwrap_or("");
        let modes = connector.choices("/auth/mode");
        (connector.id(), title, word(connector, "category"), word(connector, "status"), modes)
    });
    match format {
        Listing::Table => {
            let cells = |(id, title, category, status, modes): (&str, &str, &str, &str, Vec<String>)| {
                let cells = [id, title, category, status, &modes.join(", ")];
                cells.map(|cell| visible(cell).into_owned()).to_vec()
            };
            let columns = &["connector", "title", "category", "status", "modes"];
            ui.data(&table::render(columns, &rows.map(cells).collect::<Vec<_>>()));
        }
        Listing::Json => {
            let object = |(id, title, category, status, modes): (&str, &str, &str, &str, Vec<String>)| json!({"connector": id, "title": title, "category": category, "status": status, "modes": modes});
            ui.machine(&pretty(&Value::Array(rows.map(object).collect())));
        }
    }
}

/// A field, and in which variant or mode it stands.
struct Row<'c> {
    path: String,
    choice: String,
    field: Member<'c>,
}

fn show(connector: &Connector, mode: Option<&str>, format: Listing, ui: &Ui) -> Result<(), Failure> {
    let modes = connector.choices("/auth/mode");
    if let Some(mode) = mode.filter(|mode| !modes.iter().any(|known| known == mode)) {
        return Err(Failure::usage(format!("`{}` has no mode `{mode}`", connector.id()))
            .help(format!("modes: {}", listed(modes.iter().map(String::as_str), 20))));
    }
    let mut rows = Vec::new();
    for (block, choices) in [("config", connector.choices("/config/variant")), ("auth", modes)] {
        let choices: Vec<&str> = match choices.is_empty() {
            true => vec![""],
            false => choices
                .iter()
                .map(String::as_str)
                .filter(|c| block == "config" || mode.is_none_or(|m| m == *c))
                .collect(),
        };
        for choice in choices {
            let (variant, mode) = if block == "config" { (choice, "") } else { ("", choice) };
            let fields = connector.fields(&format!("/{block}"), variant, mode).into_iter();
            let own = fields.filter(|field| !matches!(&*field.name, "mode" | "variant"));
            rows.extend(own.map(|field| {
                let path = format!("{block}.{}", field.name);
                Row { path, choice: choice.to_owned(), field }
            }));
        }
    }
    match format {
        Listing::Table => draw(connector, &rows, ui),
        Listing::Json => {
            let object = |row: &Row<'_>| {
                let (field, word) = (&row.field, |key: &str| row.field.word(key).cloned().unwrap_or(Value::Null));
                json!({"field": row.path, "in": row.choice, "required": field.required, "secret": field.secret, "type": word("type"), "default": word("default"), "description": word("description")})
            };
            ui.machine(&pretty(&Value::Array(rows.iter().map(object).collect())));
        }
    }
    Ok(())
}

fn draw(connector: &Connector, rows: &[Row<'_>], ui: &Ui) {
    let schema = |key: &str| connector.schema().get(key).and_then(Value::as_str).unwrap_or("");
    let counts: Vec<&str> = connector.traits();
    ui.data(&format!("{}: {}\n", connector.id(), visible(schema("description"))));
    ui.data(&format!("counts as {}\n", visible(&counts.join(", "))));
    if !word(connector, "docs").is_empty() {
        ui.data(&format!("docs {}\n", visible(word(connector, "docs"))));
    }
    ui.data("\n");
    let cells = |row: &Row<'_>| {
        let text = |key: &str| match row.field.word(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let must = match (row.field.required, row.field.secret) {
            (true, true) => "required, secret",
            (true, false) => "required",
            (false, true) => "secret",
            (false, false) => "",
        };
        let cells = [row.path.clone(), row.choice.clone(), must.to_owned(), text("default"), text("description")];
        cells.map(|cell| visible(&cell).into_owned()).to_vec()
    };
    ui.data(&table::render(&["field", "in", "", "default", "what"], &rows.iter().map(cells).collect::<Vec<_>>()));
}
