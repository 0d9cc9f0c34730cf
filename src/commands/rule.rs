//! `tieline rule`

use serde_json::{Value, json};

use super::format::Listing;
use super::{Cli, Exit, Failure, Session};
use crate::codes;
use crate::diagnostic::CODES;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::rules::levels::Levels;
use crate::rules::{RULES, Rule};
use crate::ui::Ui;
use crate::workspace::policy::near_or_listed;

/// List the built-in rules, and read about any code.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the rules with the level that each has here
    List {
        /// The form of the output
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: Listing,
    },
    /// Print what a code means, why, and what to do instead
    Show {
        /// The code of a rule, or of an error
        #[arg(value_name = "CODE")]
        code: String,
    },
}

const COLUMNS: &[&str] = &["code", "level", "summary"];

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &args.action {
        Action::List { format } => list(*format, cli, ui),
        Action::Show { code } => show(code, ui),
    }
}

fn list(format: Listing, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    // Outside of a workspace, the levels that rules come with.
    let levels = match Session::open(cli) {
        Ok(session) => Levels::new(&session.workspace, &mut Vec::new()),
        Err(_) => Levels::default(),
    };
    let rows = RULES.iter().map(|rule| [rule.code.to_owned(), levels.of(rule).word().to_owned(), rule.summary()]);
    match format {
        Listing::Table => ui.data(&table::render(COLUMNS, &rows.map(Vec::from).collect::<Vec<_>>())),
        Listing::Json => {
            let object =
                |[code, level, summary]: [String; 3]| json!({"code": code, "level": level, "summary": summary});
            ui.machine(&pretty(&Value::Array(rows.map(object).collect())));
        }
    }
    Ok(Exit::Done)
}

fn show(name: &str, ui: &Ui) -> Result<Exit, Failure> {
    let page = match Rule::of(name) {
        Some(rule) => format!("# {name}\n\n{}", rule.page()),
        None => match codes::page(name) {
            Some(page) => page.to_owned(),
            None => {
                let known: Vec<&str> = RULES.iter().map(|rule| rule.code).chain(CODES.iter().copied()).collect();
                let failure = Failure::usage(format!("there is no code `{name}`"));
                return Err(failure.help(near_or_listed(name, &known)));
            }
        },
    };
    ui.data(&page);
    Ok(Exit::Done)
}
