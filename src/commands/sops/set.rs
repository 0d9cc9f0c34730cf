//! `tieline sops set`

use super::file::{Input, identities, now, random};
use crate::commands::access::Unasked;
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure};
use crate::diagnostic::{listed, word};
use crate::reporters::human::plural;
use crate::secret::Secret;
use crate::sops::{self, Recipient};
use crate::ui::Ui;

/// A value may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// Give one value another one; it comes from stdin, as JSON.
///
/// In place: that value's line changes, `mac` and `lastmodified`, and nothing else. Where somebody else made the file's data key, which then may be known to others, everything is encrypted under a new one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Where: '["database"]["password"]', '["hosts"][0]'
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    keys: Keys,
    /// Take stdin as a text, not as JSON
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    access: Unasked,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let file = args.input.read(cli)?;
    let steps = steps(&args.path)?;
    let path: Vec<sops::Step<'_>> = steps.iter().map(Step::as_sops).collect();
    let encrypted = file.encrypted()?;
    let found = identities(&args.keys, ui)?;
    let mut clear = encrypted.clear(&found.identities).map_err(|error| file.failure(&error, Some(&found)))?;
    let value = ui
        .read_secret(&format!("value of {}: ", args.path), MAX_BYTES)
        .map_err(|error| Failure::new(format!("can't read the value: {error}")))?;
    let json = match args.text {
        true => Secret::new(serde_json::Value::from(value.expose().as_str()).to_string()),
        false => value,
    };
    clear.set(&path, json.expose()).map_err(|error| match error.kind {
        sops::ErrorKind::NotJson => Failure::usage("the value is not JSON")
            .help("a text stands in double quotes: '\"text\"'; or `--text` takes stdin as it is"),
        sops::ErrorKind::Rounded | sops::ErrorKind::Unwritable(_) => {
            Failure::new(format!("{}: nothing was written", error.kind)).help("put the number into quotes: '\"…\"'")
        }
        _ => Failure::new(error.to_string()),
    })?;
    let text = clear.text(file.format).map_err(|error| file.failure(&error, None))?;
    let new = encrypted.with_text(&clear, text.expose(), &now(), &mut random);
    let mut judged = file.judge(Some(&found))?;
    let new = match new.map_err(|error| file.failure(&error, None))? {
        Some(_) if judged.renew() => {
            let accept =
                format!("`tieline recipients accept {}` keeps it, if you trust who made it", word(&file.shown));
            let recipients = file.recipients(&encrypted).map_err(|failure| failure.help(accept))?;
            file.consent(&judged, &recipients, &found, &args.access, ui)?;
            // The block's list is a claim that anybody could write: whom it is sealed to now is said.
            ui.say(&format!(
                "{} is sealed to {}",
                file.shown,
                listed(recipients.iter().map(Recipient::as_str), usize::MAX)
            ));
            let time = now();
            let new = encrypted.with_new_key(&clear, &encrypted.settings(&recipients, &time), &mut random);
            Some(new.map_err(|error| file.failure(&error, None))?)
        }
        new => new,
    };
    match new {
        Some(new) => {
            file.keep(&new, &mut judged, ui)?;
            if stands_in_clear(&new, file.format, &path) {
                ui.say(&format!("{}: the file's rule leaves {} in clear", file.shown, args.path));
            }
            let kept = sops::Encrypted::parse_as(&new, file.format).map_or(0, |file| file.comments_in_lists());
            let lost = encrypted.comments_in_lists().saturating_sub(kept);
            if lost > 0 {
                let told = format!("the file was laid out anew, and {lost} comment{} in lists left out", plural(lost));
                ui.say(&format!("{}: {told}", file.shown));
            }
        }
        None => ui.say(&format!("{} is that already in {}", args.path, file.shown)),
    }
    Ok(Exit::Done)
}

/// Whether what stands at a path, or a part of it, is not encrypted. The rule stands in the file, for whoever wrote it to choose.
fn stands_in_clear(text: &str, format: sops::Format, path: &[sops::Step<'_>]) -> bool {
    let Ok(file) = sops::Encrypted::parse_as(text, format) else { return false };
    let leaves = file.leaves().unwrap_or_default();
    leaves.iter().any(|leaf| leaf.path.0.starts_with(path) && !leaf.demanded && !leaf.empty)
}

/// A step of a path that was typed.
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }

    pub(super) fn index(&self) -> Option<usize> {
        match self {
            Self::Key(_) => None,
            Self::Index(index) => Some(*index),
        }
    }

    fn as_sops(&self) -> sops::Step<'_> {
        match self {
            Self::Key(key) => sops::Step::Key(key),
            Self::Index(index) => sops::Step::Index(*index),
        }
    }
}

/// Reads `["a"]["b"][0]`, as sops has it.
pub(super) fn steps(path: &str) -> Result<Vec<Step>, Failure> {
    let bad = || Failure::usage(format!("`{path}` is no path")).help("write it as '[\"database\"][\"hosts\"][0]'");
    let mut steps = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        // A JSON list of one element, read to its end.
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<(serde_json::Value,)>();
        let (step,) = values.next().and_then(Result::ok).ok_or_else(bad)?;
        rest = rest[values.byte_offset()..].trim_start();
        steps.push(match step {
            serde_json::Value::String(key) => Step::Key(key),
            serde_json::Value::Number(index) => {
                Step::Index(index.as_u64().and_then(|index| usize::try_from(index).ok()).ok_or_else(bad)?)
            }
            _ => return Err(bad()),
        });
    }
    if steps.is_empty() { Err(bad()) } else { Ok(steps) }
}
