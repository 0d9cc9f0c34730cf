//! `tieline audit`

use serde_json::{Value, json};

use super::acceptance::{Acceptance, commits_of};
use super::{Cli, Exit, Failure, Session};
use crate::compile;
use crate::diagnostic::has_errors;
use crate::reporters::json::pretty;
use crate::reporters::table;
use crate::reporters::text::{csv, visible};
use crate::secrets::accepted::{Location, Standing};
use crate::secrets::audit::{self, FINDINGS, Row, committed, tally};
use crate::sops::{Encrypted, Format};
use crate::ui::Ui;
use crate::world::git;

/// Tell who can open what, what nobody uses, what is overdue, who changed what.
///
/// Also uses without a secret, files that are sealed to others than their layer says, and files whose data key somebody else made. Needs no key and no network. Exits with 1 if something asks to be done.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look through Git's history for plaintext that was ever committed in a secret field
    #[arg(long)]
    history: bool,
    /// The form of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Form,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Form {
    /// For people
    Human,
    /// For machines; its schema is in `schemas/output/`
    Json,
    /// For spreadsheets
    Csv,
}

const SECTIONS: &[(&str, &str)] = &[
    ("access", "who can open what"),
    ("changed", "who changed each secret last"),
    ("unused", "secrets that nothing uses"),
    ("missing", "uses without a secret"),
    ("overdue", "rotations that are overdue"),
    ("drift", "files that are sealed to others than their layer says"),
    (
        "unaccepted",
        "files whose data key somebody else made: `tieline recipients accept`, or the next change makes a new one",
    ),
    ("committed", "plaintext in Git's history: known to whoever has a clone, so rotate it"),
];

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let session = Session::open(cli)?;
    let folder = session.world.root();
    let told = compile::check(&session.workspace, &session.catalogue, session.told.clone());
    let (mut rows, unknown) = audit::audit(&session.workspace, &told, folder);
    unknown.iter().for_each(|why| ui.say(&format!("warning: {why}")));
    match unaccepted(&session)? {
        Some(own) => rows.extend(own),
        None if matches!(args.format, Form::Human) => {
            ui.say("no data key was made or accepted on this machine: those of somebody else are not told apart");
        }
        None => {}
    }
    if has_errors(&told) {
        ui.say("the workspace has errors: what nobody uses is not known before `tieline validate` is content");
    }
    if args.history && git::is_shallow(folder) {
        return Err(Failure::new("the clone is shallow: most of its history is not here, and can't be looked through")
            .help("`git fetch --unshallow`; in CI, a checkout of the whole history (`fetch-depth: 0`)"));
    }
    if args.history {
        rows.extend(committed(&session.catalogue, folder).map_err(|why| {
            Failure::new(format!("Git's history can't be read: {why}"))
                .help("run `--history` in a whole clone with at least one commit")
        })?);
    }
    match args.format {
        Form::Json => {
            let object = |row: &Row| {
                json!({
                    "kind": row.kind,
                    "place": row.place,
                    "name": row.name,
                    "environments": row.environments,
                    "detail": row.detail,
                })
            };
            ui.machine(&pretty(&Value::Array(rows.iter().map(object).collect())));
        }
        Form::Csv => ui.data(&csv(
            &["kind", "place", "name", "environments", "detail"],
            rows.iter().map(|row| [row.kind, &row.place, &row.name, &row.environments, &row.detail].map(str::to_owned)),
        )),
        Form::Human => human(&rows, has_errors(&told), ui),
    }
    let findings = rows.iter().filter(|row| FINDINGS.contains(&row.kind)).count();
    Ok(if findings == 0 && !has_errors(&told) { Exit::Done } else { Exit::Failed })
}

/// Files whose data key nobody accepted on this machine; `None` on one that has no memory, as those of CI, and so nothing to
/// compare with.
fn unaccepted(session: &Session) -> Result<Option<Vec<Row>>, Failure> {
    let (workspace, root) = (&session.workspace, session.world.root());
    let Some(id) = workspace.root.settings.id else { return Ok(None) };
    let acceptance = Acceptance::new(&session.world, root)?;
    let mut rows = Vec::new();
    for layer in workspace.layers() {
        let Some(file) = &layer.secrets else { continue };
        let source = workspace.sources.get(file.file);
        let Ok(encrypted) = Encrypted::parse(source.text()) else { continue };
        let (path, location) =
            (root.join(source.path()), Location::Layer { workspace: id, layer: layer.path.to_string() });
        let judged = acceptance.judge(location, &path, (source.text(), Format::Yaml), source.path());
        if !judged.accepted.has_memory() {
            return Ok(None);
        }
        if judged.standing == Standing::Foreign {
            let commits = commits_of(&encrypted, &path, Format::Yaml);
            let brought = commits.as_ref().and_then(|commits| acceptance.deciding(commits)).map(|(commit, _)| commit);
            rows.push(audit::unaccepted(workspace, layer, brought));
        }
    }
    Ok(Some(rows))
}

fn human(rows: &[Row], errors: bool, ui: &Ui) {
    let counts = tally(rows);
    for (kind, title) in SECTIONS {
        let own: Vec<&Row> = rows.iter().filter(|row| row.kind == *kind).collect();
        if own.is_empty() {
            continue;
        }
        let cells = |row: &&Row| {
            [&row.name, &row.environments, &row.place, &row.detail]
                .into_iter()
                .map(|text| visible(text).into_owned())
                .collect()
        };
        ui.data(&format!("{title} ({})\n", counts.get(kind).copied().unwrap_or(0)));
        ui.data(&table::render(&["name", "environments", "file", "what"], &own.iter().map(cells).collect::<Vec<_>>()));
        ui.data("\n");
    }
    let findings = rows.iter().filter(|row| FINDINGS.contains(&row.kind)).count();
    ui.say(&match findings {
        0 if errors => "nothing else that asks to be done is known".to_owned(),
        0 => "nothing asks to be done".to_owned(),
        n => format!("{n} to look at"),
    });
}
