//! What the five commands share: the file, who seals and who opens it.

use std::path::{Path, PathBuf};

use crate::commands::acceptance::{Acceptance, Judged, location};
use crate::commands::access::{Unasked, consent};
use crate::commands::session::{Keys, recipient, typed};
use crate::commands::{Cli, Exit, Failure};
use crate::providers::identities::Found;
use crate::secret::Secret;
use crate::secrets::recipients::Named;
use crate::secrets::{nameless, unopened};
use crate::sops::config::{Creation, creation};
use crate::sops::{Encrypted, ErrorKind, Format, Recipient, SopsError, Type, WrappedKey};
use crate::ui::Ui;
use crate::world::beneath::{Access, Typed};
use crate::world::{ReadError, System, World, disk};

/// A file may have this many bytes.
const MAX_BYTES: usize = 64 << 20;

/// The file, and what it is written in.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is written in; else its name tells
    #[arg(long, value_name = "FORMAT", alias = "input-type")]
    format: Option<Written>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Written {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

impl From<Written> for Format {
    fn from(written: Written) -> Self {
        match written {
            Written::Yaml => Self::Yaml,
            Written::Json => Self::Json,
        }
    }
}

/// Who a file is sealed to.
#[derive(Debug, clap::Args)]
pub(super) struct To {
    /// A recipient, or several with commas between; else SOPS_AGE_RECIPIENTS, else what .sops.yaml says
    #[arg(long, value_name = "RECIPIENT")]
    age: Vec<String>,
}

/// A file as read.
pub(super) struct Read {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The same, so that no link which the repository holds is followed.
    typed: Typed,
    /// As it was typed.
    pub(super) shown: String,
    /// What it is written in.
    pub(super) format: Format,
    /// What it holds.
    pub(super) text: Secret<String>,
}

impl Input {
    pub(super) fn read(&self, cli: &Cli) -> Result<Read, Failure> {
        let path = cli.directory.as_deref().unwrap_or(Path::new("")).join(&self.file);
        let shown = self.file.display().to_string();
        let failure = |reason: String| Failure::new(format!("{shown}: {reason}"));
        let typed = typed(cli, &path);
        let text = typed.read(MAX_BYTES).map_err(|error| match error {
            ReadError::Missing => failure("there is no such file".into()).exit(Exit::Usage),
            ReadError::NotAFile => {
                failure(typed.obstacle().map_or_else(|| "not a regular file".into(), |found| found.to_string()))
            }
            ReadError::TooLarge => failure("more than 64 MiB".into()),
            ReadError::Failed(reason) => failure(reason),
        })?;
        let by_name = match path.extension().and_then(|end| end.to_str()) {
            Some("yaml" | "yml") => Some(Format::Yaml),
            Some("json") => Some(Format::Json),
            _ => None,
        };
        let format = self.format.map(Format::from).or(by_name).ok_or_else(|| {
            Failure::usage(format!("{shown}: the name does not tell what the file is written in"))
                .help("`--format yaml` or `--format json`")
        })?;
        Ok(Read { path, typed, shown, format, text })
    }
}

impl Read {
    pub(super) fn encrypted(&self) -> Result<Encrypted<'_>, Failure> {
        Encrypted::parse_as(self.text.expose(), self.format).map_err(|error| self.failure(&error, None))
    }

    /// Why nothing was done, with the line it is about.
    pub(super) fn failure(&self, error: &SopsError, found: Option<&Found>) -> Failure {
        let line = error.range.as_ref().and_then(|range| self.text.expose().get(..range.start));
        let line = line.map_or(String::new(), |before| format!(":{}", before.matches('\n').count() + 1));
        let told = unopened(&self.shown, error, &nameless);
        let failure = Failure::new(format!("{}{line}: {}; nothing of it was used", self.shown, told.reason));
        match (told.integrity, found) {
            (true, _) => failure.exit(Exit::Integrity).help(told.help),
            (false, Some(found)) => failure.help(format!("{}; {}", told.help, found.help())),
            (false, None) => failure.help(advice(&error.kind)),
        }
    }

    /// Puts another text in the file's place, at once or not at all.
    pub(super) fn replace(&self, text: &str, access: Access) -> Result<(), Failure> {
        self.typed
            .replace(text.as_bytes(), access)
            .map_err(|error| Failure::new(format!("can't write {}: {error}", self.shown)))
    }

    /// Whether the file may keep its data key.
    pub(super) fn judge(&self, own: Option<&Found>) -> Result<Judged, Failure> {
        let path = disk::absolute(&self.path);
        let world = System::new(".");
        let acceptance = Acceptance::new(&world, &path)?;
        let acceptance = match own {
            Some(own) => acceptance.with(&own.identities),
            None => acceptance,
        };
        Ok(acceptance.judge(location(&self.path), &path, (self.text.expose(), self.format), &self.shown))
    }

    /// Asks about recipients of the file's own list whom nobody here wrote or accepted, where it is known who that was. Else
    /// the list is all that there is to go by, as for sops.
    pub(super) fn consent(
        &self,
        judged: &Judged,
        to: &[Recipient],
        found: &Found,
        asked: &Unasked,
        ui: &Ui,
    ) -> Result<(), Failure> {
        if judged.accepted.recipients().next().is_none() {
            return Ok(());
        }
        let named = |to: &Recipient| Named { name: to.as_str().to_owned(), recipient: to.clone() };
        let to: Vec<Named> = to.iter().map(named).collect();
        let gains = judged.gains(self.text.expose(), self.format, &to, &found.identities);
        consent(gains, asked.yes, ui).map(drop)
    }

    /// Puts an encrypted text in the file's place, and remembers its data key.
    pub(super) fn keep(&self, text: &str, judged: &mut Judged, ui: &Ui) -> Result<(), Failure> {
        self.replace(text, Access::Shared)?;
        judged.written(Some(self.text.expose()), text, self.format, ui);
        Ok(())
    }

    /// Sees to it that age recipients of the whole file hold its data key, and nobody else: a new key can be sealed to no other
    /// kind here, and an entry of another kind that is kept may be a stranger's.
    pub(super) fn only_age(&self, file: &Encrypted<'_>) -> Result<(), Failure> {
        let Some(kind) = file.metadata().unsupported.first() else { return Ok(()) };
        let told =
            format!("{}: others than age recipients hold its data key, alone or in groups: `{kind}`", self.shown);
        Err(Failure::new(told).help("change it with sops, which can seal to them"))
    }

    /// The recipients that the block names. Whom else it is encrypted to can't be known.
    ///
    /// # Errors
    /// A name is not a recipient; and those of [`Read::only_age`].
    pub(super) fn recipients(&self, file: &Encrypted<'_>) -> Result<Vec<Recipient>, Failure> {
        self.only_age(file)?;
        let parse = |entry: &WrappedKey| {
            entry.recipient.parse().map_err(|error| Failure::new(format!("`{}`: {error}", entry.recipient)))
        };
        file.metadata().recipients.iter().map(parse).collect()
    }
}

/// What to do about a file that could not be read or sealed.
fn advice(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unwritable(Type::Time) => "put the date into quotes: sops before 3.10 knows no dates",
        ErrorKind::Unwritable(Type::Int) => {
            "put the number into quotes: releases of sops disagree on integers this large in JSON"
        }
        ErrorKind::Rounded | ErrorKind::IntegerTooLarge => "put the number into quotes: it would be rounded",
        ErrorKind::Unwritable(Type::Float) => "write 0: no release of sops opens a negative zero in clear",
        ErrorKind::Unwritable(_) => "write it as a text: releases of sops disagree on others",
        ErrorKind::MergeKey => "write out what `<<` stands for: readers disagree on it",
        ErrorKind::ReservedKey => "the file is sealed already; `tieline sops decrypt` opens it",
        ErrorKind::NoBlock => "`tieline sops encrypt` seals a file that is in clear",
        ErrorKind::ManyDocuments => "`--output-type yaml` holds all of them",
        ErrorKind::DuplicateKey { .. } => "remove one of the two",
        ErrorKind::KeyNotString => "put the key into quotes",
        ErrorKind::KeyGroups => "`sops updatekeys` can seal to groups",
        _ => "the file is as it was",
    }
}

/// The identities of the operator.
pub(super) fn identities(keys: &Keys, ui: &Ui) -> Result<Found, Failure> {
    keys.find(&System::new("."), ui)
}

/// The time as sops writes it.
pub(super) fn now() -> String {
    System::new(".").now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The operating system's randomness.
pub(super) fn random(buffer: &mut [u8]) {
    crate::secrets::random(buffer);
}

impl To {
    /// Whether nobody was named on the command line.
    pub(super) fn is_silent(&self) -> bool {
        self.age.is_empty()
    }

    /// What was asked for, or what `.sops.yaml` says of the file.
    pub(super) fn creation(&self, file: &Read) -> Result<Creation, Failure> {
        let named = match self.age.is_empty() {
            true => System::new(".").variable("SOPS_AGE_RECIPIENTS").into_iter().collect(),
            false => self.age.clone(),
        };
        let named = named.iter().flat_map(|text| text.split(',')).map(|text| text.trim().to_owned());
        let named: Vec<String> = named.filter(|text| !text.is_empty()).collect();
        let mut creation = configured(file)?.unwrap_or_default();
        if !named.is_empty() {
            creation.recipients = named;
        }
        Ok(creation)
    }
}

/// The recipients of a creation rule, of which there must be some.
pub(super) fn recipients(creation: &Creation) -> Result<Vec<Recipient>, Failure> {
    if creation.recipients.is_empty() {
        return Err(Failure::usage("nobody is named to seal it to")
            .help("`--age RECIPIENT`, SOPS_AGE_RECIPIENTS, or a creation rule in .sops.yaml that fits the file"));
    }
    creation.recipients.iter().map(|text| recipient(text)).collect()
}

/// What the nearest `.sops.yaml` above the file says of it. SOPS_CONFIG may name another.
fn configured(file: &Read) -> Result<Option<Creation>, Failure> {
    let path = disk::absolute(&file.path);
    let named = System::new(".").variable("SOPS_CONFIG").map(|named| disk::absolute(Path::new(&named)));
    let above = || path.ancestors().skip(1).take(100).map(|folder| folder.join(".sops.yaml")).find(|c| disk::exists(c));
    let Some(config) = named.or_else(above) else { return Ok(None) };
    let shown = config.display();
    let place = file.typed.beside(&config);
    let text = place.read(1 << 20).map_err(|_| {
        let why = place.obstacle().map(|found| format!(": {found}")).unwrap_or_default();
        Failure::new(format!("{shown} can't be read{why}"))
    })?;
    let folder = config.parent().unwrap_or(Path::new(""));
    let relative = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
    creation(text.expose(), &relative).map_err(|error| Failure::new(format!("{shown}: {error}")))
}
