//! The operator's age identities, found where sops finds them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::secret::Secret;
use crate::sops::{Ask, Identities, Recipient, Source, System, keygen, sources};
use crate::world::beneath::{Access, Typed};
use crate::world::disk;
use crate::world::program::Run;
use crate::world::{ReadError, World};

/// A file of identities may have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// How long a command that prints identities may take: a person may have to touch something.
const TIMEOUT: Duration = Duration::from_secs(120);

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
        let looked = "SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, the file sops/age/keys.txt of your configuration folder, your SSH \
                      keys and `--identity FILE`; `tieline keygen` makes one";
        let mut help = format!("identities come from {looked}");
        for note in &self.notes {
            help.push_str("; ");
            help.push_str(note);
        }
        help
    }
}

/// Collects the identities of the process' environment, and those of `files`, which the operator named. Nobody is asked
/// anything yet: passphrases and tokens are for the file that needs them.
///
/// # Errors
/// A source of `files` that can't be used; the text names it and quotes nothing of it.
pub fn find(world: &dyn World, files: &[PathBuf], ask: &Arc<dyn Ask>) -> Result<Found, String> {
    let mut found = Found::default();
    for path in files {
        let text = disk::read_private(path, MAX_BYTES).map_err(|e| format!("{}: {}", path.display(), reason(&e)))?;
        let place = path.display().to_string();
        let identities =
            Identities::parse_at(text.expose(), &place, ask).map_err(|error| format!("{place}: {error}"))?;
        found.add(identities, &place);
    }
    let home = world.variable("HOME").map(PathBuf::from);
    for source in sources(|name| world.variable(name), home.as_deref(), System::here()) {
        match source {
            Source::Text(text) => found.take(&text, "SOPS_AGE_KEY", ask),
            Source::Command { variable, line } => found.command(variable, &line, ask),
            Source::File { path, named } => match disk::read_private(&path, MAX_BYTES) {
                Ok(text) => found.take(&text, &path.display().to_string(), ask),
                Err(ReadError::Missing) if !named => {}
                Err(error) => found.notes.push(format!("{}: {}", path.display(), reason(&error))),
            },
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, identities: Identities, place: &str) {
        let unsupported = identities.unsupported().iter();
        self.notes.extend(unsupported.map(|kind| format!("{place} holds {kind}")));
        self.identities.extend(identities);
    }

    fn take(&mut self, text: &Secret<String>, place: &str, ask: &Arc<dyn Ask>) {
        match Identities::parse_at(text.expose(), place, ask) {
            Ok(identities) => self.add(identities, place),
            Err(error) => self.notes.push(format!("{place}: {error}")),
        }
    }

    /// A command is run when a file is not opened without it, once for each recipient, which it is told.
    fn command(&mut self, variable: &'static str, line: &Secret<String>, ask: &Arc<dyn Ask>) {
        let Some(words) = shlex::split(line.expose()).filter(|words| !words.is_empty()) else {
            self.notes.push(format!("{variable} is no command line"));
            return;
        };
        let (ask, known) = (Arc::clone(ask), Mutex::new(BTreeMap::new()));
        self.identities.later(move |recipient| {
            let mut known = known.lock().ok()?;
            let run = || {
                let variables = [("SOPS_AGE_RECIPIENT", recipient)];
                let run = Run { line: &words, variables: &variables, limit: MAX_BYTES, timeout: TIMEOUT };
                let identities = run.output().and_then(|text| {
                    Identities::parse_at(text.expose(), variable, &ask).map_err(|error| error.to_string())
                });
                identities.map_err(|error| ask.tell(&format!("{variable}: {error}"))).ok().map(Arc::new)
            };
            known.entry(recipient.to_owned()).or_insert_with(run).clone()
        });
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
    let sources = sources(nothing_set, home.as_deref().map(Path::new), System::here());
    // Not among the SSH keys, which come first.
    sources.into_iter().rev().find_map(|source| match source {
        Source::File { path, .. } if path.ends_with("sops/age/keys.txt") => Some(path),
        _ => None,
    })
}

/// Makes an identity in a file that must not exist yet, and that only the owner may read; gives its recipient.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or the operating system's.
pub fn create(world: &dyn World, file: &Typed) -> io::Result<Recipient> {
    let (secret, recipient) = keygen();
    let created = world.now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let text = format!("# created: {created}\n# public key: {recipient}\n{}\n", secret.expose());
    let text = Secret::new(text);
    if let Typed::Outside(path) = file {
        close_above(world, path)?;
    }
    file.create(text.expose().as_bytes(), Access::Private)?;
    Ok(recipient)
}

/// Appends a new identity to the file that sops looks in, which is made where there is none; gives its recipient.
///
/// # Errors
/// The operating system's.
pub fn append(world: &dyn World, file: &Path) -> io::Result<Recipient> {
    let (secret, recipient) = keygen();
    let text = format!("# created: {}\n# public key: {recipient}\n{}\n", world.now(), secret.expose());
    close_above(world, file)?;
    disk::append_private(file, &Secret::new(text))?;
    Ok(recipient)
}

/// Makes the folder of a file of identities, for its owner only; of the two folders that are made for such files it closes
/// older ones. Who can write there can put another identity in place of ours. Folders that the operator names are the
/// operator's.
fn close_above(world: &dyn World, file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    disk::private_folder(folder)?;
    match folder.parent().filter(|_| default_file(world).as_deref() == Some(file)) {
        Some(top) => disk::close_folders(folder, top),
        None => Ok(()),
    }
}
