//! The operator's age identities, found where sops finds them.

use std::path::{Path, PathBuf};

use crate::secret::Secret;
use crate::sops::{Identities, IdentityError, Source, System, sources};
use crate::world::{ReadError, World, disk};

/// A file of identities may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// What was found, and where.
#[derive(Default)]
pub struct Found {
    /// The identities.
    pub identities: Identities,
    /// What was passed over, for the message if nothing opens a file.
    pub notes: Vec<String>,
}

impl Found {
    /// What to do if none of them opens a file.
    pub fn help(&self) -> String {
        let looked = "SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, the file sops/age/keys.txt of your configuration folder, \
                      and `--identity FILE`";
        let mut help = format!("identities come from {looked}");
        for note in &self.notes {
            help.push_str("; ");
            help.push_str(note);
        }
        help
    }
}

/// Collects the identities of the process' environment, and those of `files`, which the operator named.
///
/// # Errors
/// A named source that can't be used; the text names it and quotes nothing of it.
pub fn find(world: &dyn World, files: &[PathBuf]) -> Result<Found, String> {
    let mut found = Found::default();
    for path in files {
        let text = disk::read_private(path, MAX_BYTES).map_err(|e| format!("{}: {}", path.display(), reason(&e)))?;
        add(&mut found, &text, &path.display().to_string(), true)?;
    }
    let home = world.variable("HOME").map(PathBuf::from);
    for source in sources(|name| world.variable(name), home.as_deref(), System::here()) {
        match source {
            Source::Text(text) => add(&mut found, &text, "SOPS_AGE_KEY", false)?,
            Source::Unsupported(name) => found.notes.push(format!("{name} is set, which is not supported yet")),
            Source::File { path, named } => match disk::read_private(&path, MAX_BYTES) {
                Ok(text) => add(&mut found, &text, &path.display().to_string(), false)?,
                Err(ReadError::Missing) if !named => {}
                Err(error) => found.notes.push(format!("{}: {}", path.display(), reason(&error))),
            },
        }
    }
    Ok(found)
}

fn add(found: &mut Found, text: &Secret<String>, place: &str, must: bool) -> Result<(), String> {
    match Identities::parse(text.expose()) {
        Ok(identities) => {
            found.notes.extend(
                identities.unsupported().iter().map(|kind| format!("{place} holds a {kind}, not supported yet")),
            );
            found.identities.extend(identities);
            Ok(())
        }
        Err(error) => {
            let reason = match error {
                IdentityError::Passphrase => "it is under a passphrase, which is not supported yet".to_owned(),
                IdentityError::Ssh => "it is an SSH key, which is not supported yet".to_owned(),
                IdentityError::Line(line) => format!("line {line} is no age identity"),
            };
            let told = format!("{place}: {reason}");
            if must {
                return Err(told);
            }
            found.notes.push(told);
            Ok(())
        }
    }
}

fn reason(error: &ReadError) -> String {
    match error {
        ReadError::Missing => "there is no such file".into(),
        ReadError::NotAFile => "not a regular file".into(),
        ReadError::TooLarge => "too large for a file of identities".into(),
        ReadError::Failed(reason) => reason.clone(),
    }
}

/// The default place of a new identity: where sops looks first when nothing is set.
pub fn default_file(world: &dyn World) -> Option<PathBuf> {
    let home = world.variable("HOME").map(PathBuf::from);
    let nothing_set = |name: &str| if name.starts_with("SOPS_") { None } else { world.variable(name) };
    sources(nothing_set, home.as_deref().map(Path::new), System::here()).into_iter().find_map(|source| match source {
        Source::File { path, .. } => Some(path),
        _ => None,
    })
}
