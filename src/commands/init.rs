//! `tieline init`

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::acceptance::{Acceptance, location};
use super::session::{Keys, typed};
use super::{Cli, Exit, Failure};
use crate::providers::identities;
use crate::secrets::change::{Sealing, sealed};
use crate::secrets::{nameless, scope, sopsrc};
use crate::sops::{Format, Recipient, Value};
use crate::ui::Ui;
use crate::workspace::Workspace;
use crate::world::beneath::Access;
use crate::world::disk;
use crate::world::{System, World};

/// Make a small workspace to start from: two connections, one credential, dev and prod.
///
/// Secrets are sealed to your age identity: an existing one is reused, else one is made where sops looks for it,
/// outside of the workspace.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the workspace; it may exist, but nothing in it is overwritten
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

/// The files of `examples/quickstart`, which is what a new workspace looks like.
const FILES: &[(&str, &str)] = &[
    (".gitattributes", include_str!("../../examples/quickstart/.gitattributes")),
    (".gitignore", include_str!("../../examples/quickstart/.gitignore")),
    ("README.md", include_str!("../../examples/quickstart/README.md")),
    ("tieline.yaml", include_str!("../../examples/quickstart/tieline.yaml")),
    ("connections/hubspot.yaml", include_str!("../../examples/quickstart/connections/hubspot.yaml")),
    ("connections/warehouse.yaml", include_str!("../../examples/quickstart/connections/warehouse.yaml")),
    ("consumers/nightly-sync.yaml", include_str!("../../examples/quickstart/consumers/nightly-sync.yaml")),
    ("credentials/warehouse-db.yaml", include_str!("../../examples/quickstart/credentials/warehouse-db.yaml")),
    ("environments/dev/environment.yaml", include_str!("../../examples/quickstart/environments/dev/environment.yaml")),
    (
        "environments/prod/environment.yaml",
        include_str!("../../examples/quickstart/environments/prod/environment.yaml"),
    ),
    (
        "environments/prod/connections/warehouse.yaml",
        include_str!("../../examples/quickstart/environments/prod/connections/warehouse.yaml"),
    ),
];

/// Files that a repository may have already: kept as they are.
const OPTIONAL: &[&str] = &[".gitattributes", ".gitignore", "README.md"];

/// Placeholders that the new workspace's secrets hold.
const SECRETS: &[&str] = &["HUBSPOT_TOKEN", "WAREHOUSE_PASSWORD"];
const PLACEHOLDER: &str = "replace-me";

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let start = cli.directory.clone().unwrap_or_default();
    let folder = if args.folder == Path::new(".") { start } else { start.join(&args.folder) };
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
    let world = System::within(typed(cli, &folder).folder());
    let id = Uuid::new_v4();
    // Everything that can fail comes before the first file.
    let name = name(&folder);
    let secrets = ["dev", "prod"].map(|e| format!("environments/{e}/secrets.sops.yaml"));
    let there = |path: &str| world.files().exists(path);
    let ours = FILES.iter().map(|(path, _)| *path).filter(|path| !OPTIONAL.contains(path));
    if let Some(taken) = ours.chain(secrets.iter().map(String::as_str)).find(|path| there(path)) {
        return Err(Failure::new(format!("`{}` is there already: nothing was written", folder.join(taken).display()))
            .help("choose an empty folder, or move the file away"));
    }
    let (recipient, place) = identity(&world, ui)?;
    let time = world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let kept: Vec<&str> = OPTIONAL.iter().copied().filter(|path| there(path)).collect();
    let mut files: Vec<(String, String)> = FILES
        .iter()
        .filter(|(path, _)| !kept.contains(path))
        .map(|(path, text)| ((*path).to_owned(), fill(path, text, id, &name, &recipient)))
        .collect();
    for environment in ["dev", "prod"] {
        let layer = format!("environments/{environment}");
        let path = format!("{layer}/secrets.sops.yaml");
        let scope = scope(id, &layer);
        let recipients = std::slice::from_ref(&recipient);
        let values = SECRETS.iter().map(|name| ((*name).to_owned(), Value::from(PLACEHOLDER)));
        let sealing = Sealing {
            text: None,
            path: &path,
            scope: &scope,
            recipients,
            renew: true,
            time: &time,
            name_of: &nameless,
        };
        let text = sealed(values, &sealing).map_err(|e| Failure::new(e.reason))?;
        files.push((path, text));
    }
    for (path, text) in &files {
        world
            .files()
            .create(path, text.as_bytes(), Access::Shared)
            .map_err(|error| Failure::new(format!("can't write {path}: {error}")))?;
    }
    let acceptance = Acceptance::new(&world, &folder)?;
    for (path, text) in files.iter().filter(|(path, _)| secrets.contains(path)) {
        let file = folder.join(path);
        acceptance.judge(location(&file), &file, ("", Format::Yaml), path).written(None, text, Format::Yaml, ui);
    }
    let rules = sops_rules(&world)?;
    ui.say(&format!("made a workspace in {}: {} files", folder.display(), files.len() + rules));
    if kept.contains(&".gitignore") {
        ui.say("your .gitignore was kept: add `dist/` to it, the folder that bundles are deployed to, and `*.plan`");
    }
    ui.say(&format!("secrets are sealed to {recipient} ({place})"));
    let into = if args.folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    ui.say(&format!("next: {into}tieline validate"));
    Ok(Exit::Done)
}

/// Writes `.sops.yaml`, unless there is one; gives the number of files.
fn sops_rules(world: &System) -> Result<usize, Failure> {
    let text = Workspace::read(world).ok().and_then(|(workspace, _)| sopsrc::text(&workspace));
    let Some(text) = text.filter(|_| !world.files().exists(sopsrc::FILE)) else { return Ok(0) };
    world
        .files()
        .create(sopsrc::FILE, text.as_bytes(), Access::Shared)
        .map_err(|error| Failure::new(format!("can't write {}: {error}", sopsrc::FILE)))?;
    Ok(1)
}

/// The workspace's name: the folder's.
fn name(folder: &Path) -> String {
    let last = disk::absolute(folder).file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "connections".into() } else { name.chars().take(63).collect() }
}

/// The example's file with what belongs to the new workspace.
fn fill(path: &str, text: &str, id: Uuid, name: &str, recipient: &Recipient) -> String {
    if path != "tieline.yaml" {
        return text.to_owned();
    }
    let line = |line: &str| -> String {
        let indent = &line[..line.len() - line.trim_start().len()];
        let comment = line.find("   #").map_or("", |at| &line[at..]);
        match line.trim_start().split(':').next() {
            Some("id") => format!("id: {id}{comment}"),
            Some("name") => format!("name: '{name}'"),
            Some("me") => format!("{indent}me: {recipient}"),
            _ => line.to_owned(),
        }
    };
    text.lines().map(|l| line(l) + "\n").collect()
}

/// The recipient of the operator's identity, made where there is none, and where the identity is.
fn identity(world: &System, ui: &Ui) -> Result<(Recipient, String), Failure> {
    let found = Keys::default().find(world, ui)?;
    if let Some(recipient) = found.identities.recipients().find(|recipient| recipient.starts_with("age1")) {
        let recipient = recipient.parse().map_err(|_| Failure::new("the identity found has no usable recipient"))?;
        return Ok((recipient, "an identity that you have".into()));
    }
    let file = identities::default_file(world).ok_or_else(|| {
        Failure::new("there is no place for an age identity: neither HOME nor XDG_CONFIG_HOME is set")
            .help("set SOPS_AGE_KEY_FILE to a file of identities")
    })?;
    let recipient = identities::append(world, &file)
        .map_err(|error| Failure::new(format!("can't write {}: {error}", file.display())))?;
    Ok((recipient, format!("a new identity in {}: keep a copy of it safe", file.display())))
}
