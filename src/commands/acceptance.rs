//! Whether a file may keep its data key: whether this operator made or accepted it, or somebody whose signature counts did.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::access::Gain;
use super::{Failure, Session};
use crate::bundle::signature::{AllowedSigners, COMMITS};
use crate::diagnostic::listed;
use crate::reporters::text::visible;
use crate::secrets::accepted::{Accepted, Location, Standing, same_entries};
use crate::secrets::former::holders;
use crate::secrets::recipients::{Named, newcomers};
use crate::sops::{Encrypted, Format, Identities};
use crate::ui::Ui;
use crate::world::brought::{Brought, brought, versions};
use crate::world::{System, World, disk};

/// Names the file of allowed signers whose commits bring data keys that are accepted.
pub(super) const SIGNERS: &str = "TIELINE_ALLOWED_SIGNERS";

/// Who decides on data keys.
pub(super) struct Acceptance<'a> {
    world: &'a System,
    signers: Option<AllowedSigners>,
    own: Option<&'a Identities>,
}

/// A file of which it was found out.
pub(super) struct Judged {
    /// The memory of its place.
    pub(super) accepted: Accepted,
    /// What comes of it and of the commit's signature.
    pub(super) standing: Standing,
    /// The file as people know it.
    shown: String,
}

impl<'a> Acceptance<'a> {
    /// Reads the operator's allowed signers; `near` is a path in the repository that it is about.
    pub(super) fn new(world: &'a System, near: &Path) -> Result<Self, Failure> {
        let Some(named) = world.variable(SIGNERS).map(PathBuf::from) else {
            return Ok(Self { world, signers: None, own: None });
        };
        let shown = named.display();
        let wrong = |why: &str| Failure::usage(format!("{SIGNERS} names `{shown}`, {why}"));
        // What a repository holds, whoever opens a pull request may change.
        if !named.is_absolute() || is_in_repository(&named, near) {
            return Err(wrong("which the repository could change")
                .help("name a file outside of the repository by its absolute path"));
        }
        let text = disk::read_private(&named, 4 << 20).map_err(|_| wrong("which can't be read"))?;
        Ok(Self { world, signers: Some(AllowedSigners::parse(text.expose().as_bytes())), own: None })
    }

    /// The same with identities, which see who left where every value was changed at once.
    pub(super) fn with(self, own: &'a Identities) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Finds out how a file stands. `path` is absolute; a text that is not a sops file is foreign.
    pub(super) fn judge(&self, location: Location, path: &Path, (text, format): (&str, Format), shown: &str) -> Judged {
        let accepted = Accepted::read(self.world, location);
        let standing = match Encrypted::parse_as(text, format) {
            Ok(file) => match accepted.standing(&file) {
                // A signature says who brought it, not that nobody else knows its data key.
                Standing::Foreign if self.signer(&file, path, format).is_some() => {
                    match former_holders(&file, path, (text, format), self.own) {
                        Some(former) if former.is_empty() => Standing::Accepted,
                        Some(_) => Standing::Retired,
                        None => Standing::Foreign,
                    }
                }
                standing => standing,
            },
            Err(_) => Standing::Foreign,
        };
        Judged { accepted, standing, shown: shown.to_owned() }
    }

    /// Whose signature the commits have that brought a file's data key.
    fn signer(&self, file: &Encrypted<'_>, path: &Path, format: Format) -> Option<String> {
        self.signers.as_ref()?;
        self.deciding(&commits_of(file, path, format)?)?.1
    }

    /// Of the commits that brought a data key, the first that no allowed signer signed, else the last and its signer.
    pub(super) fn deciding<'b>(&self, commits: &'b [Brought]) -> Option<(&'b Brought, Option<String>)> {
        let mut signed = commits.iter().map(|commit| (commit, self.signed(commit)));
        signed.clone().find(|(_, signer)| signer.is_none()).or_else(|| signed.next_back())
    }

    fn signed(&self, commit: &Brought) -> Option<String> {
        let (signers, signature) = (self.signers.as_ref()?, commit.signature.as_ref()?);
        // The committer chooses a commit's time: who held a key that has expired would name a day on which it had not.
        let made = jiff::Timestamp::from_second(commit.time).ok()?;
        let at = |time| signers.verify_for(COMMITS, &signature.armored, &signature.payload, time).ok();
        at(made).and(at(self.world.now())).map(|signer| signer.principals)
    }
}

/// Whether a file lies in the repository that `near` lies in: then whoever opens a pull request may change it.
pub(super) fn is_in_repository(file: &Path, near: &Path) -> bool {
    let (file, near) = (disk::canonical(file), disk::canonical(near));
    let repository = disk::repository(&near);
    repository.is_some() && disk::repository(&file) == repository
}

/// The commits that brought the data key of a file as it stands now.
pub(super) fn commits_of(file: &Encrypted<'_>, path: &Path, format: Format) -> Option<Vec<Brought>> {
    let same = |text: &str| Encrypted::parse_as(text, format).is_ok_and(|other| same_entries(&other, file));
    brought(path, &same)
}

/// Who could decrypt an earlier version of a file under the same data key and is not a recipient any more; `None` where the
/// history that would tell is not there. `own` sees what only a key can.
pub(super) fn former_holders(
    file: &Encrypted<'_>,
    path: &Path,
    text: (&str, Format),
    own: Option<&Identities>,
) -> Option<BTreeSet<String>> {
    holders(file, text, &versions(path)?, own)
}

impl Judged {
    /// Whether another version of the file, of the other side of a merge, is the last that was written or accepted here.
    pub(super) fn remembers(&self, text: &str, format: Format) -> bool {
        Encrypted::parse_as(text, format).is_ok_and(|file| self.accepted.standing(&file) != Standing::Foreign)
    }

    /// Who of those that a file is to be sealed to would gain access by it. Who opens it with one of `own` has it; a text that
    /// is not a sops file has nothing that anybody could gain.
    pub(super) fn gains(&self, text: &str, format: Format, to: &[Named], own: &Identities) -> Vec<Gain> {
        let Ok(file) = Encrypted::parse_as(text, format) else { return Vec::new() };
        let known = own.recipients().chain(self.known(&file)).collect();
        newcomers(&file, to, &known).into_iter().map(|new| Gain::of(&self.shown, new.named, new.claimed)).collect()
    }

    /// Those who can decrypt a file, as far as this machine knows.
    pub(super) fn known<'f>(&'f self, file: &'f Encrypted<'_>) -> impl Iterator<Item = &'f str> {
        // Anybody may have added to the list; and who is not on it may have been removed by somebody else.
        let remembered: Option<BTreeSet<&str>> =
            (self.standing == Standing::Foreign).then(|| self.accepted.recipients().collect());
        let listed = file.metadata().recipients.iter().map(|entry| entry.recipient.trim());
        listed.filter(move |key| remembered.as_ref().is_none_or(|remembered| remembered.contains(key)))
    }

    /// The recipients of the file that was written or accepted last that this one does not list.
    pub(super) fn left(&self, file: &Encrypted<'_>) -> BTreeSet<String> {
        let listed: BTreeSet<&str> = file.metadata().recipients.iter().map(|entry| entry.recipient.trim()).collect();
        self.accepted.recipients().filter(|key| !listed.contains(key)).map(str::to_owned).collect()
    }

    /// Whether everything is to be encrypted under a new data key.
    pub(super) fn renew(&self) -> bool {
        self.standing != Standing::Accepted
    }

    /// Remembers the data key of the text that was written, and says if it is another one than before, and why.
    pub(super) fn written(&mut self, old: Option<&str>, new: &str, format: Format, ui: &Ui) {
        self.tell_renewed(old, new, format, ui);
        if let Ok(file) = Encrypted::parse_as(new, format) {
            self.remember(&file, false, ui);
        }
    }

    /// The same of a merge, which may be aborted: what was there before counts as it did.
    pub(super) fn merged(&mut self, ours: &str, new: &str, format: Format, ui: &Ui) {
        self.tell_renewed(Some(ours), new, format, ui);
        if let (Ok(ours), Ok(new)) = (Encrypted::parse_as(ours, format), Encrypted::parse_as(new, format)) {
            let done = self.accepted.remember_merged(&ours, &new);
            self.tell_forgotten(done, ui);
        }
    }

    fn tell_renewed(&self, old: Option<&str>, new: &str, format: Format, ui: &Ui) {
        let Ok(file) = Encrypted::parse_as(new, format) else { return };
        let old = old.and_then(|old| Encrypted::parse_as(old, format).ok());
        if old.as_ref().is_some_and(|old| !same_entries(old, &file)) {
            let shown = visible(&self.shown);
            match self.standing {
                Standing::Accepted => {}
                Standing::Retired => ui.say(&format!(
                    "{shown}: who lost access may know the old data key, so everything is encrypted under a new one"
                )),
                Standing::Foreign => ui.say(&format!(
                    "{shown}: its data key was not made or accepted here, so everything is encrypted under a new one (`tieline recipients accept` keeps a colleague's)"
                )),
            }
        }
    }

    /// Remembers that somebody knows the data key of the text that was written who has lost access by it: what is written next
    /// gets another one.
    pub(super) fn retire(&mut self, new: &str, format: Format, ui: &Ui) {
        if let Ok(file) = Encrypted::parse_as(new, format) {
            self.remember(&file, true, ui);
        }
    }

    /// Remembers the data key of a file as it is now.
    pub(super) fn remember(&mut self, file: &Encrypted<'_>, retired: bool, ui: &Ui) {
        let done = self.accepted.remember(file, retired);
        self.tell_forgotten(done, ui);
    }

    fn tell_forgotten(&self, done: std::io::Result<()>, ui: &Ui) {
        if let Err(error) = done {
            // Without a memory the next command makes a new data key again, which does no harm.
            ui.say(&format!(
                "{}: its data key can't be remembered: {}",
                visible(&self.shown),
                visible(&error.to_string())
            ));
        }
    }
}

/// Says who gains and who loses access to a file.
pub(super) fn tell_access(file: &str, gains: &[String], loses: &[String], ui: &Ui) {
    for (names, verb) in [(gains, "can decrypt"), (loses, "can no longer decrypt")] {
        if !names.is_empty() {
            let names = listed(names.iter().map(String::as_str), usize::MAX);
            ui.say(&format!("{} {verb} {}", visible(&names), visible(file)));
        }
    }
}

/// Where a file belongs: to a layer of the workspace that it lies in, or to its path.
pub(super) fn location(file: &Path) -> Location {
    of_layer(file).unwrap_or_else(|| Location::Path(disk::absolute(file)))
}

fn of_layer(file: &Path) -> Option<Location> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let session = Session::at(folder).ok()?;
    let path = session.inside(Path::new(file.file_name()?)).ok()?;
    let layer = session.workspace.layers().find(|layer| layer.file("secrets.sops.yaml") == path)?;
    Some(Location::Layer { workspace: session.workspace.root.settings.id?, layer: layer.path.to_string() })
}
