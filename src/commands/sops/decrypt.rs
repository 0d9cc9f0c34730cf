//! `tieline sops decrypt`

use super::file::{Input, Written, identities};
use crate::commands::session::Keys;
use crate::commands::{Cli, Exit, Failure};
use crate::sops::{Map, Value};
use crate::ui::Ui;
use crate::world::disk::Access;

/// Open a file and print it in clear.
///
/// Its MAC is verified first: nothing is printed of a file that was tampered with. On GitHub its values are masked line by
/// line, as far as that goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    keys: Keys,
    /// What to print it in; else as the file is
    #[arg(long, value_name = "FORMAT")]
    output_type: Option<Written>,
    /// Print one value alone: '["database"]["password"]'
    #[arg(long, value_name = "PATH")]
    extract: Option<String>,
    /// Write it in the file's place
    #[arg(short, long)]
    in_place: bool,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let file = args.input.read(cli)?;
    let encrypted = file.encrypted()?;
    let found = identities(&args.keys, ui)?;
    let clear = encrypted.clear(&found.identities).map_err(|error| file.failure(&error, Some(&found)))?;
    if let Some(path) = &args.extract {
        let value = extract(clear.data(), path)?;
        ui.mask_all(&encrypted, &clear);
        value.with_bytes(|bytes| ui.bytes(bytes));
        return Ok(Exit::Done);
    }
    let format = args.output_type.map_or(file.format, Into::into);
    let text = clear.text(format).map_err(|error| file.failure(&error, None))?;
    if args.in_place {
        // In clear it is for its owner only.
        file.replace(text.expose(), Access::Private)?;
    } else {
        ui.mask_all(&encrypted, &clear);
        ui.bytes(text.expose().as_bytes());
    }
    Ok(Exit::Done)
}

/// The value at a path.
fn extract<'d>(data: &'d [Map], path: &str) -> Result<&'d Value, Failure> {
    let steps = super::set::steps(path)?;
    let missing = || Failure::new(format!("there is no value at {path}"));
    let (first, rest) = steps.split_first().ok_or_else(missing)?;
    let root = data.first().and_then(|map| map.get(first.key()?)).ok_or_else(missing)?;
    let value = rest.iter().try_fold(root, |value, step| match (value, step) {
        (Value::Map(map), step) => map.get(step.key()?),
        (Value::List(list), step) => list.get(step.index()?),
        _ => None,
    });
    let value = value.ok_or_else(missing)?;
    match value {
        Value::Map(_) | Value::List(_) | Value::Null => {
            Err(Failure::new(format!("a map, a list or null stands at {path}: name a single value")))
        }
        value => Ok(value),
    }
}
