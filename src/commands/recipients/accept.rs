//! `tieline recipients accept`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::commands::acceptance::{Acceptance, commits_of, former_holders, location};
use crate::commands::access::with_key;
use crate::commands::session::{Session, typed};
use crate::commands::{Cli, Exit, Failure};
use crate::diagnostic::listed;
use crate::reporters::text::visible;
use crate::secrets::accepted::Standing;
use crate::secrets::recipients::name_of;
use crate::sops::{Encrypted, Format};
use crate::ui::Ui;
use crate::world::brought::Brought;
use crate::world::disk;

/// Accept the data key that somebody else gave a secrets file.
///
/// Whoever makes a file's data key can decrypt what is written under it. A file is written under its own key only if this machine made it or accepted it; else the next change makes a new one.
/// Says whom the file is sealed to and which commit brought the key, and asks. Without options, every file that is not accepted yet. Needs no key.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A sops file outside of a workspace's layers
    #[arg(value_name = "FILE", conflicts_with_all = ["environment", "customer"])]
    file: Option<PathBuf>,
    /// The environment whose file it is about
    #[arg(short, long, value_name = "ENV")]
    environment: Option<String>,
    /// The customer whose file it is about; with an environment, what is for that one only
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// The profile whose file it is about
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli);
    let world = crate::world::System::new(".");
    let (files, near): (Vec<PathBuf>, PathBuf) = match (&args.file, &session) {
        (Some(file), _) => {
            let file = disk::absolute(&cli.directory.clone().unwrap_or_default().join(file));
            (vec![file.clone()], file)
        }
        (None, Ok(session)) => (chosen(args, session)?, session.world.root().to_owned()),
        (None, Err(_)) => return session.map(|_| Exit::Done),
    };
    let session = session.ok();
    let acceptance = Acceptance::new(&world, &near)?;
    let mut open = Vec::new();
    for file in &files {
        let shown = shown(file, session.as_ref());
        let failure = |reason: &str| Failure::new(format!("{shown}: {reason}"));
        let text =
            typed(cli, file).read(64 << 20).map_err(|_| failure("it can't be read as text of at most 64 MiB"))?;
        let json = file.extension().is_some_and(|end| end == "json");
        let format = if json { Format::Json } else { Format::Yaml };
        let encrypted = Encrypted::parse_as(text.expose(), format).map_err(|error| failure(&error.to_string()))?;
        let judged = acceptance.judge(location(file), file, (text.expose(), format), &shown);
        if judged.accepted.standing(&encrypted) == Standing::Foreign {
            let commits = commits_of(&encrypted, file, format);
            let commit = commits.as_ref().and_then(|commits| acceptance.deciding(commits));
            describe(&shown, &encrypted, commit, session.as_ref(), ui);
            let former = former_holders(&encrypted, file, (text.expose(), format), None);
            // Without a history, who was accepted before is what there is to go by.
            let former = former.or_else(|| Some(judged.left(&encrypted)).filter(|left| !left.is_empty()));
            if let Some(former) = &former {
                describe_former(former, session.as_ref(), ui);
            } else if commits.is_some() {
                ui.say("  who could decrypt earlier versions under it is not known: the clone is shallow or partial");
            }
            open.push((judged, text, format, former.is_some_and(|former| !former.is_empty())));
        }
    }
    if open.is_empty() {
        ui.say("nothing to accept");
        return Ok(Exit::Done);
    }
    if !args.yes {
        if !ui.is_interactive() {
            return Err(Failure::usage("there is nobody to ask").help("`--yes` accepts them without asking"));
        }
        if !ui.confirm("Whoever made a data key can decrypt what is written under it. Accept?") {
            return Err(Failure::new("nothing was accepted"));
        }
    }
    let count = open.len();
    let retired = open.iter().filter(|(.., retired)| *retired).count();
    for (mut judged, text, format, retired) in open {
        if let Ok(file) = Encrypted::parse_as(text.expose(), format) {
            judged.remember(&file, retired, ui);
        }
    }
    let them = |count: usize| if count == 1 { "it" } else { "them" };
    ui.say(&match retired {
        0 => format!("{count} accepted: this machine keeps writing under {}", them(count)),
        _ if retired == count => format!("{count} accepted, until the next change of {}", them(count)),
        _ => format!("{count} accepted, of which {retired} until the next change"),
    });
    Ok(Exit::Done)
}

/// The secrets files that were asked for; all of the workspace where nothing was.
fn chosen(args: &Args, session: &Session) -> Result<Vec<PathBuf>, Failure> {
    let environment = args.environment.as_ref().map(|name| session.environment(name)).transpose()?;
    let customer = args.customer.as_ref().map(|name| session.customer(name)).transpose()?;
    let mut layer = match (customer, environment) {
        (Some(customer), Some(environment)) => format!("customers/{customer}/environments/{environment}"),
        (Some(customer), None) => format!("customers/{customer}"),
        (None, Some(environment)) => format!("environments/{environment}"),
        (None, None) => String::new(),
    };
    if let Some(profile) = &args.profile {
        if layer.is_empty() {
            return Err(
                Failure::usage("a profile belongs to an environment or to a customer").help("name it: `-e ENV`")
            );
        }
        layer = format!("{layer}/profiles/{profile}");
    }
    let all = session.workspace.layers().filter(|one| one.secrets.is_some());
    let wanted = all.filter(|one| layer.is_empty() || *one.path == *layer);
    // Names only: they are read as what was typed is.
    let root = session.world.root();
    let files: Vec<PathBuf> = wanted.map(|one| root.join(one.file("secrets.sops.yaml"))).collect();
    match files.is_empty() && !layer.is_empty() {
        true => Err(Failure::usage(format!("`{layer}` has no secrets file"))),
        false => Ok(files),
    }
}

fn shown(file: &Path, session: Option<&Session>) -> String {
    let below = session.and_then(|session| file.strip_prefix(session.world.root()).ok());
    visible(&below.unwrap_or(file).display().to_string()).into_owned()
}

/// Says who may know a data key besides those whom the file is sealed to.
fn describe_former(former: &BTreeSet<String>, session: Option<&Session>, ui: &Ui) {
    if former.is_empty() {
        return;
    }
    let named = former.iter().map(|key| {
        let name = session.and_then(|session| name_of(&session.workspace, key));
        visible(&with_key(&name.unwrap_or_else(|| key.clone()), key)).into_owned()
    });
    let named: Vec<String> = named.collect();
    let named = listed(named.iter().map(String::as_str), usize::MAX);
    ui.say(&format!(
        "  {named} could decrypt an earlier version, and may know the data key: the next change makes a new one"
    ));
}

/// Says whom a file is sealed to, and where its data key comes from.
fn describe(
    shown: &str,
    file: &Encrypted<'_>,
    commit: Option<(&Brought, Option<String>)>,
    session: Option<&Session>,
    ui: &Ui,
) {
    let metadata = file.metadata();
    let keys = metadata.recipients.iter().chain(metadata.groups.iter().flatten()).map(|entry| entry.recipient.trim());
    let named = keys.map(|key| {
        let name = session.and_then(|session| name_of(&session.workspace, key));
        visible(&name.map_or_else(|| key.to_owned(), |name| format!("{name} ({key})"))).into_owned()
    });
    let named: Vec<String> = named.collect();
    ui.say(&format!("{shown} says that it is sealed to {}", listed(named.iter().map(String::as_str), usize::MAX)));
    if !metadata.unsupported.is_empty() {
        ui.say(&format!("  and to others than age recipients: {}", metadata.unsupported.join(", ")));
    }
    let Some((commit, signer)) = commit else {
        return ui
            .say("  which commit brought its data key is not known: it is not committed, or the clone is shallow");
    };
    let day =
        jiff::Timestamp::from_second(commit.time).map_or(String::new(), |time| time.strftime("%Y-%m-%d").to_string());
    let signed = match signer {
        Some(signer) => format!("signed by {}", visible(&signer)),
        None => "not signed by anybody you trust, so that the name is only a claim".to_owned(),
    };
    let (id, author) = (commit.commit.get(..12).unwrap_or(""), visible(&commit.author));
    ui.say(&format!("  its data key came with commit {id} by {author} on {day}, {signed}"));
}
