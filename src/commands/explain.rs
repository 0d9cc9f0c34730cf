//! `tieline explain`

use serde_json::{Value as Json, json};

use super::format::Report;
use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::compile::explain::{Step, credential_history, history, leaves};
use crate::compile::{self, Compiled};
use crate::connectors::json::plain;
use crate::diagnostic::sounds_secret;
use crate::model::connection::Connection;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::reporters::text::visible;
use crate::template::{OPEN, names_in};
use crate::ui::Ui;
use crate::value::path::{self, dotted};
use crate::value::{Node, Value};
use crate::workspace::layers::At;

/// Show which file and line set a value, and what it overrode.
///
/// Without PATH, every value of the connection with the line that set it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// The connection, by id or key; the instance of a customer is `ID@CUSTOMER`
    #[arg(value_name = "ID")]
    id: String,
    /// A value: `config.host`, `config."a.b"` or the JSON Pointer `/config/host`
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Report,
}

/// What stands for a value that may not be shown.
const MASK: &str = "********";

/// A connection that is explained.
struct Explained<'s> {
    session: &'s Session,
    at: At,
    connection: &'s Connection,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let at = session.chosen(&args.chosen)?;
    // Explaining helps to mend: a workspace with errors is explained as far as it goes.
    let (compiled, _) = compile::compile(&session.workspace, &session.catalogue, &at);
    let connection = find(&session, &compiled, &args.id)?;
    let explained = Explained { session: &session, at, connection };
    let wanted = args.path.as_deref().map_or(Some(String::new()), path::pointer);
    let wanted = wanted.ok_or_else(|| Failure::usage("a quote is not closed in the path"))?;
    let whole = explained.document();
    let found = whole.pointer(&wanted);
    let single = found.is_some_and(|n| explained.rows(n, &wanted) == [&*wanted]) && !wanted.is_empty();
    if single || found.is_none() {
        let steps = explained.steps(&wanted);
        if steps.is_empty() {
            let known = explained.rows(&whole, "").iter().map(|p| dotted(p)).collect::<Vec<_>>();
            let near = crate::diagnostic::nearest(&dotted(&wanted), known.iter().map(String::as_str));
            let failure = Failure::usage(format!("no layer sets `{}` of `{}`", dotted(&wanted), connection.id));
            return Err(match near {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help("without a path, `explain` shows every value"),
            });
        }
        explained.chain(&wanted, found, &steps, args.format, ui);
    } else {
        explained.all(found.unwrap_or(&whole), &wanted, args.format, ui);
    }
    Ok(Exit::Done)
}

fn find<'c>(session: &Session, compiled: &'c Compiled, name: &str) -> Result<&'c Connection, Failure> {
    let id = session.connection(compiled, name)?;
    compiled.connections.get(id).ok_or_else(|| {
        Failure::new(format!("`{id}` can't be explained: it is switched off or can't be read"))
            .help("`tieline validate` tells what is wrong")
    })
}

/// A template with a mask for all text around its expressions, and for all texts in quotes within them.
fn without_literals(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (expression, after) = after.split_once("}}").unwrap_or((after, ""));
        out += if before.trim().is_empty() { before } else { MASK };
        out += OPEN;
        let mut inner = expression;
        while let Some(at) = inner.find(['"', '\'']) {
            let quote = &inner[at..=at];
            out += &inner[..at];
            out += MASK;
            inner = inner[at + 1..].split_once(quote).map_or("", |(_, rest)| rest);
        }
        out += inner;
        out += "}}";
        rest = after;
    }
    out + if rest.trim().is_empty() { rest } else { MASK }
}

impl Explained<'_> {
    /// The compiled connection as one tree.
    fn document(&self) -> Node {
        let mut node = Node::clone(&self.connection.instance);
        if let Value::Map(map) = &mut node.value {
            let texts = [
                ("title", &self.connection.title),
                ("description", &self.connection.description),
                ("labels", &self.connection.labels),
            ];
            for (key, text) in texts {
                if let Some(text) = text {
                    map.push(crate::value::Entry { key: key.into(), key_span: text.span, value: Node::clone(text) });
                }
            }
        }
        node
    }

    fn steps(&self, pointer: &str) -> Vec<Step<'_>> {
        let stack = self.session.workspace.stack_of(&self.at, self.connection.customer.as_deref());
        match &self.connection.credential {
            Some(link) if pointer.starts_with("/auth") => credential_history(&stack, &link.value, pointer),
            _ => history(&stack, &self.session.catalogue, &self.connection.id, pointer),
        }
    }

    fn place(&self, span: crate::span::Span) -> (String, usize) {
        let sources = &self.session.workspace.sources;
        (sources.path(span).to_owned(), sources.position(span).line)
    }

    /// Whether what stands at a pointer may be secret: in any mode; or by its name, where no schema knows it to be clear.
    fn is_secret(&self, pointer: &str) -> bool {
        let login = pointer.starts_with("/auth") && pointer != "/auth/mode";
        let named = login || crate::value::segments(pointer).any(|name| sounds_secret(&name));
        let Some(Ok(connector)) = self.session.catalogue.get(&self.connection.connector.value) else { return named };
        let choice = |block, switch| self.connection.choice(block, switch);
        let known = || connector.field(pointer, choice("config", "variant"), choice("auth", "mode"));
        connector.places_sealing(self.connection, "", "").is_secret(pointer) || (named && known().schemas.is_empty())
    }

    /// The JSON Pointers of what has a row, below `above` where `node` stands. What lies in a secret place has none of its
    /// own: a key there may be the secret, in braces by a slip.
    fn rows(&self, node: &Node, above: &str) -> Vec<String> {
        let row = |mut pointer: String| {
            let ends = pointer.match_indices('/').map(|(at, _)| at).filter(|at| *at >= above.len().max(1));
            // A login as a whole is secret by its name alone, and has a row for each field.
            let whole = |at: &usize| pointer[..*at] != *"/auth" || self.is_secret("/auth/mode");
            if let Some(end) = ends.filter(whole).find(|at| self.is_secret(&pointer[..*at])) {
                pointer.truncate(end);
            }
            pointer
        };
        let mut rows: Vec<String> = leaves(node, above).into_iter().map(row).collect();
        rows.dedup();
        rows
    }

    /// A value as it may be shown: in a secret place, the expressions that take it from secrets and nothing else.
    fn visible_part(&self, node: &Node, pointer: &str) -> Json {
        let template = match &node.value {
            Value::Map(_) | Value::List(_) if self.is_secret(pointer) => return MASK.into(),
            Value::Map(_) | Value::List(_) => return Json::Null,
            Value::Secret(reference) => &reference.template,
            Value::String(text) if text.contains(OPEN) => text,
            // What a document has in clear, of whichever connector and mode, was found and masked when it was compiled.
            _ if self.is_secret(pointer) || self.session.workspace.sources.is_masked(node.span) => return MASK.into(),
            _ => return plain(node),
        };
        if !self.is_secret(pointer) {
            return (&**template).into();
        }
        let from_secret =
            matches!(node.value, Value::Secret(_)) || names_in(node).iter().any(|name| name.starts_with("secrets."));
        if from_secret { without_literals(template).into() } else { MASK.into() }
    }

    /// The same, on one line; text bare where it is an expression.
    fn shown(&self, node: &Node, pointer: &str) -> String {
        match self.visible_part(node, pointer) {
            Json::Null if !matches!(node.value, Value::Null) => "…".into(),
            Json::String(text) if text == MASK || text.contains(OPEN) => text,
            value => value.to_string(),
        }
    }

    fn chain(&self, pointer: &str, found: Option<&Node>, steps: &[Step<'_>], format: Report, ui: &Ui) {
        let value = found.map(|n| self.shown(n, pointer));
        let last = steps.len() - 1;
        if let Report::Json = format {
            let step = |(i, step): (usize, &Step<'_>)| {
                let (file, line) = self.place(step.span);
                let written = step.value.as_ref().map(|n| self.visible_part(n, pointer));
                json!({"layer": step.layer, "file": file, "line": line, "written": written, "in_force": i == last})
            };
            let layers: Vec<Json> = steps.iter().enumerate().map(step).collect();
            ui.machine(&pretty(&json!({
                "environment": &*self.at.environment,
                "profile": self.at.profile.as_deref(),
                "id": self.connection.instance_id(),
                "path": pointer,
                "value": found.map(|n| self.visible_part(n, pointer)),
                "layers": layers,
            })));
            return;
        }
        let heading = value.as_deref().unwrap_or("removed");
        ui.data(&format!(
            "{} of {} in {}: {}\n",
            dotted(pointer),
            self.connection.instance_id(),
            self.at,
            visible(heading)
        ));
        if let (Some(link), true) = (&self.connection.credential, pointer.starts_with("/auth")) {
            let (file, line) = self.place(link.span);
            ui.data(&format!("  the login of the credential `{}`, linked in {file}:{line}\n", link.value));
        }
        let mut rows = Vec::new();
        for (i, step) in steps.iter().enumerate().rev() {
            let (file, line) = self.place(step.span);
            let role = match (i == last, &step.value) {
                (_, None) => "removed in",
                (true, _) => "set in",
                (false, _) => "overrides",
            };
            let written = step.value.as_ref().map_or_else(String::new, |n| self.shown(n, pointer));
            rows.push(vec![format!("  {role}"), format!("{file}:{line}"), written]);
            // An expression whose value came from elsewhere: say from where.
            if let Some(node) = found.filter(|n| i == last && n.span != step.span) {
                let (file, line) = self.place(node.span);
                rows.push(vec!["    from".into(), format!("{file}:{line}"), self.shown(node, pointer)]);
            }
        }
        let text = table::render(&["", "", ""], &rows);
        ui.data(text.trim_start_matches('\n'));
    }

    fn all(&self, node: &Node, above: &str, format: Report, ui: &Ui) {
        let leaf = |pointer: String| {
            let node = node.pointer(&pointer[above.len()..])?;
            let (file, line) = self.place(node.span);
            Some((pointer, node, file, line))
        };
        let rows = self.rows(node, above).into_iter().filter_map(leaf);
        match format {
            Report::Human => {
                let cells = |(pointer, node, file, line): (String, &Node, String, usize)| {
                    vec![dotted(&pointer), self.shown(node, &pointer), format!("{file}:{line}")]
                };
                ui.data(&table::render(&["path", "value", "set in"], &rows.map(cells).collect::<Vec<_>>()));
            }
            Report::Json => {
                let object = |(path, node, file, line): (String, &Node, String, usize)| json!({"path": path, "value": self.visible_part(node, &path), "file": file, "line": line});
                ui.machine(&pretty(&Json::Array(rows.map(object).collect())));
            }
        }
    }
}
