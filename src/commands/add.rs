//! `tieline add`

use std::collections::BTreeSet;

use super::change::{Manner, make};
use super::session::connector_of;
use super::{Cli, Exit, Failure, Session};
use crate::connectors::Connector;
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::edit::references::files;
use crate::edit::skeleton::{Skeleton, Wanted, write};
use crate::edit::{Changes, scalar};
use crate::reporters::human::plural;
use crate::span::Span;
use crate::ui::Ui;
use crate::value::{Node, Value};
use crate::workspace::discover::{Family, is_id};

/// Write the file of a new connection, from its connector's schema.
///
/// Required fields come first, the others stand in comments with what they mean; secrets are references. With `--for`, only
/// what a consumer's slot accepts, and the consumer uses it; without a connector, `--for` shows what would fit.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connector: `tieline connector list` shows them
    #[arg(value_name = "CONNECTOR", required_unless_present = "consumer")]
    connector: Option<String>,
    /// The id of the new connection, which is the path of its file
    #[arg(value_name = "ID", required_unless_present = "consumer", requires = "connector")]
    id: Option<String>,
    /// Put it into this environment alone
    #[arg(short, long, value_name = "ENV")]
    environment: Option<String>,
    /// The way to log in, where the connector has several
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// The offering, where the connector has several
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// Link this credential in place of a login of its own
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// The consumer that needs it, or one slot of it
    #[arg(long = "for", value_name = "CONSUMER[:SLOT]")]
    consumer: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let slot = args.consumer.as_deref().map(|name| Slot::find(&session, name)).transpose()?;
    let (Some(connector), Some(id)) = (&args.connector, &args.id) else {
        return match &slot {
            Some(slot) => offer(&session, slot, ui),
            None => Err(Failure::usage("name a connector and an id")),
        };
    };
    let connector = connector_of(&session.catalogue, connector)?;
    if let Some(slot) = slot.as_ref().filter(|slot| !slot.takes(connector)) {
        return Err(Failure::usage(format!("the slot `{}` does not accept a `{}`", slot.name, connector.id()))
            .help(format!("it accepts {}", listed(slot.accepts.iter().map(String::as_str), 12))));
    }
    let folder = match &args.environment {
        Some(name) => format!("environments/{}/connections", session.environment(name)?),
        None => "connections".to_owned(),
    };
    checked(&session, args, connector, id)?;
    let wanted = Wanted {
        connector,
        id,
        variant: args.variant.as_deref(),
        mode: args.mode.as_deref(),
        credential: args.credential.as_deref(),
    };
    let skeleton = write(&wanted);
    let mut changes = Changes::new(&session.workspace);
    let path = format!("{folder}/{id}.yaml");
    changes.create(path.clone(), skeleton.text.clone());
    if let Some(slot) = &slot {
        slot.fill(&session, id, &mut changes)?;
    }
    let edited = changes.finish();
    // What is to be filled in is told below; that it is not there yet is no news.
    let open = |told: &Diagnostic| matches!(told.code, code::MISSING_KEY | code::UNKNOWN_SECRET | code::SCHEMA);
    let ended = make(&session, &edited, &args.manner, open, ui)?;
    if !args.manner.dry_run {
        next(&skeleton, &path, args, ui);
    }
    Ok(ended)
}

fn next(skeleton: &Skeleton, path: &str, args: &Args, ui: &Ui) {
    ui.say(&format!("made {path}"));
    if skeleton.blanks > 0 {
        ui.say(&format!("next: fill in {} field{} there", skeleton.blanks, plural(skeleton.blanks)));
    }
    let environment = args.environment.as_deref().unwrap_or("ENV");
    for secret in &skeleton.secrets {
        ui.say(&format!("next: tieline secret set {secret} -e {environment}"));
    }
}

/// Refuses an id that is taken or none, and choices that the connector does not have.
fn checked(session: &Session, args: &Args, connector: &Connector, id: &str) -> Result<(), Failure> {
    if !is_id(id) {
        return Err(Failure::usage(format!("`{id}` is no id"))
            .help("segments of lower-case letters, digits, `.`, `_` and `-`, joined by `/`"));
    }
    if let Some(file) = files(&session.workspace, Family::Connections, id).first() {
        let path = session.workspace.sources.get(*file).path();
        return Err(Failure::usage(format!("there is a connection `{id}` already, in {path}")));
    }
    for (chosen, what, pointer) in [(&args.mode, "mode", "/auth/mode"), (&args.variant, "variant", "/config/variant")] {
        let known = connector.choices(pointer);
        if let Some(chosen) = chosen.as_ref().filter(|c| !known.contains(c)) {
            let failure = Failure::usage(format!("`{}` has no {what} `{chosen}`", connector.id()));
            return Err(match nearest(chosen, known.iter().map(String::as_str)) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help(format!("{what}s: {}", listed(known.iter().map(String::as_str), 12))),
            });
        }
    }
    Ok(())
}

/// A place in a consumer that a connection fills.
struct Slot<'s> {
    consumer: &'s str,
    name: String,
    accepts: Vec<String>,
    /// The scalar that names its connection, where it has one; else it is to be added.
    connection: Option<Span>,
    uses: Option<&'s Node>,
    document: &'s Node,
}

impl<'s> Slot<'s> {
    /// `CONSUMER`, which gets a new use, or `CONSUMER:SLOT`.
    fn find(session: &'s Session, name: &str) -> Result<Self, Failure> {
        let (consumer, slot) = name.split_once(':').map_or((name, None), |(consumer, slot)| (consumer, Some(slot)));
        let all = || session.workspace.layers().flat_map(|layer| &layer.consumers);
        let Some((id, document)) = all().find(|(id, _)| ***id == *consumer) else {
            let failure = Failure::usage(format!("there is no consumer `{consumer}`"));
            return Err(match nearest(consumer, all().map(|(id, _)| &**id)) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help("make one: consumers/NAME.yaml with `kind: …`"),
            });
        };
        let document = document.root.as_ref().ok_or_else(|| Failure::new("the consumer's file can't be used"))?;
        let uses = document.get("uses");
        let items = uses.and_then(Node::as_list).unwrap_or_default();
        let slot_name = |item: &'s Node| {
            item.as_str().or_else(|| item.get("slot")?.as_str()).or_else(|| item.get("connection")?.as_str())
        };
        let mut found =
            Self { consumer: id, name: consumer.to_owned(), accepts: Vec::new(), connection: None, uses, document };
        if let Some(slot) = slot {
            let Some(item) = items.iter().find(|item| slot_name(item) == Some(slot)) else {
                let failure = Failure::usage(format!("`{consumer}` has no slot `{slot}`"));
                return Err(failure.help(format!("slots: {}", listed(items.iter().filter_map(slot_name), 12))));
            };
            found.name = slot.to_owned();
            let accepts = item.get("accepts").and_then(Node::as_list).unwrap_or_default();
            found.accepts = accepts.iter().filter_map(Node::as_str).map(str::to_owned).collect();
            found.connection = item.get("connection").or(Some(item)).filter(|n| n.as_str().is_some()).map(|n| n.span);
        }
        Ok(found)
    }

    fn takes(&self, connector: &Connector) -> bool {
        let traits: BTreeSet<&str> = connector.traits().into_iter().collect();
        self.accepts.is_empty() || self.accepts.iter().any(|wanted| traits.contains(wanted.as_str()))
    }

    /// Writes the reference into the consumer.
    fn fill(&self, session: &Session, id: &str, changes: &mut Changes<'_>) -> Result<(), Failure> {
        if let Some(span) = self.connection {
            changes.rename(span, id);
            return Ok(());
        }
        let sources = &session.workspace.sources;
        let by_hand = || {
            Failure::new(format!("can't write the reference into the file of `{}`", self.consumer))
                .help(format!("add it by hand: `uses: [{id}]`"))
        };
        match self.uses.map(|uses| (uses, &uses.value)) {
            None => {
                let last = self.document.as_map().and_then(|m| m.iter().last()).ok_or_else(by_hand)?;
                changes.line_below(last.value.span, 0, &format!("uses: [{}]", scalar(id)));
            }
            Some((uses, Value::List(items))) => {
                let last = items.last().map(|item| item.span);
                let text = sources.slice(uses.span);
                match last {
                    Some(last) if text.starts_with('[') => {
                        changes.replace(
                            Span::new(last.file, last.range().end..last.range().end),
                            format!(", {}", scalar(id)),
                        );
                    }
                    Some(last) => {
                        let whole = sources.get(last.file).text();
                        let dash = whole[..last.start as usize].rfind('-').ok_or_else(by_hand)?;
                        let column = dash - whole[..dash].rfind('\n').map_or(0, |i| i + 1);
                        changes.line_below(last, column, &format!("- {}", scalar(id)));
                    }
                    None => changes.replace(uses.span, format!("[{}]", scalar(id))),
                }
            }
            Some(_) => return Err(by_hand()),
        }
        Ok(())
    }
}

/// What would fit a slot: connections that are there, and connectors for a new one.
fn offer(session: &Session, slot: &Slot<'_>, ui: &Ui) -> Result<Exit, Failure> {
    let loaded = |id: &str| session.catalogue.get(id).and_then(Result::ok);
    let root = &session.workspace.root;
    let fits = root.connections.iter().filter_map(|(id, document)| {
        let connector = document.root.as_ref()?.get("connector")?.as_str()?;
        loaded(connector).filter(|c| slot.takes(c)).map(|_| format!("  {id}  {connector}\n"))
    });
    let fits: String = fits.collect();
    if !fits.is_empty() {
        ui.data(&format!("connections that fit\n{fits}"));
    }
    let connectors = session.catalogue.ids().filter(|id| loaded(id).is_some_and(|c| slot.takes(c)));
    let connectors: String = connectors.map(|id| format!("  {id}\n")).collect();
    ui.data(&format!("connectors for a new one\n{connectors}"));
    let target = if slot.connection.is_some() { format!("{}:{}", slot.consumer, slot.name) } else { slot.name.clone() };
    ui.say(&format!("next: tieline add CONNECTOR ID --for {target}"));
    Ok(Exit::Done)
}
