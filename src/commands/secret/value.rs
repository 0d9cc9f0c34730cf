//! Where a value comes from: never from an argument, which every process on the machine can read.

use std::path::{Path, PathBuf};

use crate::commands::{Failure, Session};
use crate::secret::Secret;
use crate::secrets::generate::Recipe;
use crate::ui::Ui;
use crate::workspace::secrets::SCOPE;
use crate::workspace::settings::is_name;
use crate::world::ReadError;
use crate::world::beneath::Typed;

/// A secret may have this many bytes.
const MAX_BYTES: usize = 256 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct From {
    /// Take the value from a file; one line without the line break behind it, several lines as they are
    #[arg(long, value_name = "FILE", group = "value")]
    from_file: Option<PathBuf>,
    /// Make a value up that nobody has seen: 32 letters and digits, or `--generate=64,hex`, `40,ascii`, `40,set:abc123`
    #[arg(long, value_name = "LENGTH,ALPHABET", group = "value", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    generate: Option<String>,
}

impl From {
    /// The value.
    pub(super) fn read(&self, prompt: &str, session: &Session, ui: &Ui) -> Result<Secret<String>, Failure> {
        let value = match (&self.from_file, &self.generate) {
            (Some(file), _) => from_file(file, &session.typed(file))?,
            (_, Some(recipe)) => Recipe::parse(recipe).map_err(Failure::usage)?.make(),
            _ => ui
                .read_secret(prompt, MAX_BYTES)
                .map_err(|error| Failure::new(format!("can't read the value: {error}")))?,
        };
        if value.expose().is_empty() {
            return Err(
                Failure::new("the value is empty").help("an empty value is never encrypted: nothing was written")
            );
        }
        Ok(value)
    }
}

fn from_file(file: &Path, place: &Typed) -> Result<Secret<String>, Failure> {
    let failed = |reason: &str| Failure::new(format!("{}: {reason}", file.display()));
    let value = place.read(MAX_BYTES).map_err(|error| match error {
        ReadError::Missing => failed("there is no such file"),
        // What stands behind a link of the repository would be sealed to whoever may read the secret.
        ReadError::NotAFile => match place.obstacle() {
            Some(found) => failed(&found.to_string()),
            None => failed("not a regular file"),
        },
        ReadError::TooLarge => failed("more than 262144 bytes"),
        ReadError::Failed(reason) => failed(&reason),
    })?;
    Ok(value.of_one_line())
}

/// A name that a secret can have.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if is_name(name) && name != SCOPE {
        return Ok(());
    }
    // It is not repeated: `NAME=VALUE` is a mistake that is easily made.
    Err(Failure::usage("not a valid secret name (not shown: it may contain a value)")
        .help("letters, digits and `_`, not starting with a digit; the value is never an argument: it is asked for"))
}
