//! What the commands of deploying share: an environment, what it is to have, and the target that holds it.

use std::path::Path;
use std::rc::Rc;

use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::apply::{Applied, ApplyError, Stamp};
use crate::bundle::{Commit, Deployed, Scope};
use crate::compile::Compiled;
use crate::compile::desired::{desired, place, target};
use crate::diagnostic::word;
use crate::model::record::Desired;
use crate::plan::Plan;
use crate::plan::guards::Refusal;
use crate::plan::relocation::Former;
use crate::plan::saved::{Saved, SavedBase};
use crate::reporters::human::plural;
use crate::reporters::plan_json;
use crate::source::Source;
use crate::targets::directory::Directory;
use crate::targets::object_store::ObjectStore;
use crate::targets::{Target, TargetError};
use crate::ui::Ui;
use crate::workspace::deployment;
use crate::workspace::layers::At;
use crate::world::allow::{Allowed, TARGETS};
use crate::world::{World, disk, git};

/// Where an environment is deployed, if not where it says itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Elsewhere {
    /// The target, in place of the environment's own: a folder, s3://BUCKET/PREFIX, gs://… or az://…
    #[arg(long, value_name = "DIR|URL")]
    pub(super) target: Option<String>,
    /// Refuse what is deployed with a lower serial; accept this one though a higher was seen here
    #[arg(long, value_name = "N")]
    pub(super) min_serial: Option<u64>,
    /// Refuse what is deployed of another lineage than this one, and accept this one; may be given several times
    #[arg(long, value_name = "UUID")]
    pub(super) lineage: Vec<uuid::Uuid>,
    /// How many requests to an object store are under way at once, and how many threads seal
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,
}

impl Elsewhere {
    /// Sets the number of threads: before anything runs on them.
    pub(super) fn limit(&self) {
        if let Some(jobs) = self.jobs {
            crate::parallel::limit(usize::from(jobs));
        }
    }
}

/// Which environment, and where it is deployed.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Where {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    #[command(flatten)]
    pub(super) elsewhere: Elsewhere,
}

/// An environment and its target.
pub(super) struct Place {
    /// The workspace.
    pub(super) session: Rc<Session>,
    /// The environment and profile.
    pub(super) at: At,
    /// The target.
    pub(super) target: Box<dyn Target>,
    /// What its head is about.
    pub(super) scope: Scope,
    /// Where the target is, as typed or as the environment says, for saved plans.
    pub(super) named: String,
    /// Where it is, for the memory of this machine.
    pub(super) address: String,
    /// The target as the environment says it, unless the operator named another.
    pub(super) own: Option<serde_json::Value>,
    /// Whether it is a folder of the workspace.
    pub(super) is_inside: bool,
    /// What must be deployed, by the operator's word.
    pub(super) pins: Pins,
    /// Whether to always report a lineage that is seen for the first time.
    pub(super) is_wary: bool,
}

/// What must be deployed, by the operator's word.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins {
    /// No lower serial.
    pub(super) min_serial: Option<u64>,
    /// Of one of these lineages, if there are any.
    pub(super) lineages: Vec<String>,
}

/// A target that is not opened yet.
pub(super) enum Destination {
    /// The URL of an object store.
    Store(String),
    /// A folder of the workspace, as its settings say.
    Own(String),
    /// A folder that the operator named.
    Typed(String),
}

impl Destination {
    /// That of an environment; with what the workspace says, unless the operator names another.
    fn of(session: &Session, at: &At, elsewhere: &Elsewhere) -> Result<(Self, Option<serde_json::Value>), Failure> {
        if let Some(typed) = &elsewhere.target {
            return Ok((Self::typed(typed, session)?, None));
        }
        let own = target(&session.workspace.stack(at));
        Ok((Self::own(own.clone()), Some(own.json())))
    }

    /// One that the operator names.
    fn typed(typed: &str, session: &Session) -> Result<Self, Failure> {
        if !typed.contains("://") {
            if deployment::is_among_sources(session.world.root(), &disk::absolute(Path::new(typed))) {
                let told = format!("the target `{typed}` lies among the sources of the workspace");
                return Err(Failure::usage(told).help("choose a folder of its own, such as `dist`"));
            }
            return Ok(Self::Typed(typed.to_owned()));
        }
        deployment::Target::object_store(typed).map_err(Failure::usage)?;
        Ok(Self::Store(typed.trim_end_matches('/').to_owned()))
    }

    /// One that a workspace names.
    pub(super) fn own(target: deployment::Target) -> Self {
        match target {
            deployment::Target::ObjectStore(url) => Self::Store(url.into()),
            deployment::Target::Directory(path) => Self::Own(path.into()),
        }
    }

    /// As it was typed, or as the workspace says.
    pub(super) fn named(&self) -> &str {
        let (Self::Store(named) | Self::Own(named) | Self::Typed(named)) = self;
        named
    }

    /// Opens it, if the operator allows that; nothing is read yet.
    pub(super) fn open(&self, session: &Session, scope: &Scope, jobs: Option<u16>) -> Result<Box<dyn Target>, Failure> {
        allowed(session, self.named())?;
        Ok(match self {
            Self::Store(url) => {
                Box::new(ObjectStore::new(url, scope, jobs.map(usize::from)).map_err(|error| failed(&error))?)
            }
            Self::Own(path) => Box::new(Directory::within(session.world.files().within(path), scope)),
            Self::Typed(path) => Box::new(Directory::typed(&session.typed(Path::new(path)), path, scope)),
        })
    }

    /// Where it is, in one spelling. The same name is another bucket behind another endpoint or account.
    fn address(&self, session: &Session) -> String {
        let (url, variables): (_, &[&str]) = match self {
            Self::Own(path) => return session.world.files().within(path).path().display().to_string(),
            Self::Typed(path) => return disk::absolute(Path::new(path)).display().to_string(),
            Self::Store(url) if url.starts_with("s3://") => {
                (url, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
            }
            Self::Store(url) if url.starts_with("az://") => (url, &["AZURE_STORAGE_ACCOUNT_NAME"]),
            Self::Store(url) => (url, &[]),
        };
        match variables.iter().find_map(|name| session.variable(name)) {
            Some(behind) => format!("{url} at {behind}"),
            None => url.clone(),
        }
    }

    /// Whether it is a folder of the workspace.
    fn is_inside(&self, session: &Session) -> bool {
        match self {
            Self::Store(_) => false,
            Self::Own(_) => true,
            Self::Typed(path) => disk::absolute(Path::new(path)).starts_with(session.world.root()),
        }
    }
}

impl Place {
    /// Opens the workspace and finds the target; nothing is compiled yet.
    pub(super) fn open(at: &Where, cli: &Cli) -> Result<Self, Failure> {
        at.elsewhere.limit();
        let session = Rc::new(Session::open(cli)?);
        let chosen = session.chosen(&at.chosen)?;
        Self::of(session, chosen, &at.elsewhere)
    }

    /// The target of an environment that is known.
    pub(super) fn of(session: Rc<Session>, at: At, elsewhere: &Elsewhere) -> Result<Self, Failure> {
        let scope = scope(&session, &at);
        let (destination, own) = Destination::of(&session, &at, elsewhere)?;
        let pins = Pins {
            min_serial: elsewhere.min_serial,
            lineages: elsewhere.lineage.iter().map(uuid::Uuid::to_string).collect(),
        };
        Ok(Self {
            target: destination.open(&session, &scope, elsewhere.jobs)?,
            address: destination.address(&session),
            is_inside: destination.is_inside(&session),
            named: elsewhere.target.clone().unwrap_or_else(|| destination.named().to_owned()),
            session,
            at,
            scope,
            own,
            pins,
            is_wary: false,
        })
    }

    /// Where an environment is deployed, which is not opened.
    pub(super) fn address_of(session: &Session, at: &At, elsewhere: &Elsewhere) -> Result<String, Failure> {
        Ok(Destination::of(session, at, elsewhere)?.0.address(session))
    }

    /// The environment as it is typed.
    pub(super) fn chosen(&self) -> Chosen {
        let text = |name: &Option<std::sync::Arc<str>>| name.as_deref().map(str::to_owned);
        Chosen {
            environment: self.at.environment.to_string(),
            profile: text(&self.at.profile),
            expose: text(&self.at.expose),
        }
    }

    /// Whether the environment is protected.
    pub(super) fn is_protected(&self) -> bool {
        self.session.workspace.is_protected(&self.at.environment)
    }
}

/// Whether the operator allows a target, a URL or a folder: any, where nothing is said.
fn allowed(session: &Session, named: &str) -> Result<(), Failure> {
    let plain = named.trim_end_matches('/');
    let patterns = session.world.variable(TARGETS).map(|text| Allowed::of(&[text]));
    let Some(patterns) = patterns.filter(|patterns| !patterns.has(plain)) else { return Ok(()) };
    let told = format!("the operator does not allow the target `{named}`: {TARGETS} is `{}`", patterns.shown());
    Err(Failure::new(told).exit(Exit::Guard).help(format!("the one who runs this may set {TARGETS}='{plain}'")))
}

/// What a head of this environment is about.
pub(super) fn scope(session: &Session, at: &At) -> Scope {
    Scope {
        workspace: session.workspace.root.settings.id.unwrap_or_default().to_string(),
        environment: at.deployment(),
        profile: at.profile.as_deref().map(str::to_owned),
    }
}

/// An environment, what it is to have, and what would change.
pub(super) struct Planned {
    /// The environment, compiled.
    pub(super) compiled: Compiled,
    /// What it is to have.
    pub(super) desired: Desired,
    /// What it has.
    pub(super) base: Option<Deployed>,
    /// What the environment had at other targets, where the workspace sends it to a new one.
    pub(super) formers: Vec<Former>,
    /// The difference.
    pub(super) plan: Plan,
}

/// Compiles and compares.
pub(super) fn plan(place_: &Place, ui: &Ui) -> Result<Planned, Failure> {
    let Place { session, at, .. } = place_;
    let compiled = session.compile(at, ui)?;
    let desired = desired(&session.workspace, &session.catalogue, &compiled);
    let (base, mut formers) = place_.look(false, ui)?;
    let places = |id: &str, pointer: &str| place(&compiled, &session.workspace.sources, id, pointer);
    let mut plan = Plan::new(&desired, base.as_ref(), &places);
    if base.is_none() {
        place_.pinned()?;
        formers = place_.all_formers();
        let lost = place_
            .lost()
            .map(|lost| Refusal { instance: None, reason: format!("{lost}; `--initial` begins a new history") });
        plan.refused.extend(lost);
    }
    for former in formers.iter().filter(|former| former.is_deployed()) {
        plan.leave(former, &place_.target.describe(), &desired, &places);
    }
    super::related::hold(&mut plan, place_, base.as_ref(), &desired, &places, ui);
    Ok(Planned { compiled, desired, base, formers, plan })
}

/// The plan as it is saved.
pub(super) fn saved(place: &Place, plan: &Plan) -> Saved {
    Saved {
        tieline_plan: Saved::format(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        workspace: plan.scope.workspace.clone(),
        environment: place.at.environment.to_string(),
        profile: plan.scope.profile.clone(),
        expose: place.at.expose.as_deref().map(str::to_owned),
        target: place.named.clone(),
        base: SavedBase::of(plan),
        desired: plan.desired.clone(),
        commit: commit(&place.session),
        time: place.session.timestamp(),
        plan: plan_json::value(plan),
    }
}

/// A command as it is typed: words with blanks or other special characters in quotes.
pub(super) fn typed(words: &[&str]) -> String {
    words.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ")
}

/// The command that applies an environment, with a plan where one is named.
pub(super) fn typed_apply(chosen: &Chosen, plan: Option<&Path>, elsewhere: &Elsewhere, cli: &Cli) -> String {
    let mut words = vec!["tieline".to_owned()];
    let lineages: Vec<String> = elsewhere.lineage.iter().map(uuid::Uuid::to_string).collect();
    let mut option =
        |name: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|v| [name.to_owned(), v]));
    let path = |path: &Path| path.display().to_string();
    option("-C", cli.directory.as_deref().map(path));
    option("apply", Some(chosen.environment.clone()));
    option("--profile", chosen.profile.clone());
    option("--expose", chosen.expose.clone());
    option("--plan", plan.map(path));
    option("--target", elsewhere.target.clone());
    lineages.into_iter().for_each(|lineage| option("--lineage", Some(lineage)));
    typed(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The commit of the work tree.
fn commit(session: &Session) -> Option<Commit> {
    let used = session.workspace.sources.iter().map(Source::path);
    git::commit(session.world.root(), used).map(|(id, dirty)| Commit { id, dirty })
}

/// Asks whether to go on, unless `yes` said so already.
///
/// # Errors
/// The answer is no, or there is nobody to ask.
pub(super) fn confirm(question: &str, yes: bool, ui: &Ui) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !ui.is_interactive() {
        return Err(Failure::usage("there is nobody to ask").help("`--yes` goes on without asking"));
    }
    if ui.confirm(question) { Ok(()) } else { Err(Failure::new("nothing was changed")) }
}

/// A target that can't be used.
pub(super) fn failed(error: &TargetError) -> Failure {
    match error {
        TargetError::Failed(why) => Failure::new(why.clone()),
        TargetError::Integrity(why) => Failure::new(why.clone())
            .exit(Exit::Integrity)
            .help("what stands in the target is damaged or forged: restore it, or deploy to an empty one"),
    }
}

/// An apply that did not come about. `again` is the command that tries it again.
pub(super) fn not_applied(error: &ApplyError, again: &str) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        ApplyError::Secrets(_) => failure,
        ApplyError::Failed(_) => {
            failure.help(format!("once that is mended: `{again}`; it starts from what is in force"))
        }
        ApplyError::Stale { .. } => failure.exit(Exit::Stale).help("plan again, and look at what changed meanwhile"),
        ApplyError::Refused(refused) => {
            let failure = failure.exit(Exit::Guard);
            if refused.iter().any(|one| one.instance.is_some()) {
                failure.help("lift `protect: true` in an apply of its own first")
            } else {
                failure
            }
        }
        ApplyError::Integrity(_) => failure.exit(Exit::Integrity),
        ApplyError::Unsigned { .. } => failure
            .exit(Exit::Integrity)
            .help("find out who applied it; `tieline apply --reseal` trusts it as a base, and seals everything anew"),
    }
}

/// Time, version and commit of an apply that starts now.
pub(super) fn stamp(session: &Session) -> Stamp {
    Stamp { time: session.world.now(), tool: env!("CARGO_PKG_VERSION").to_owned(), commit: commit(session) }
}

/// A commit for people: the first digits, and whether the work tree differed.
pub(super) fn short(commit: &Commit) -> String {
    let id: String = commit.id.chars().take(12).collect();
    if commit.dirty { format!("{id} (dirty)") } else { id }
}

/// Says what an apply or a rollback did.
pub(super) fn tell(applied: &Applied, place: &Place, ui: &Ui) {
    let Applied { head, changed, sealed, carried, view, .. } = applied;
    if *changed {
        ui.say(&format!(
            "applied serial {} to {}: {sealed} object{} sealed, {carried} carried over",
            head.serial,
            place.target.describe(),
            plural(*sealed)
        ));
    } else {
        ui.say("nothing to do");
    }
    match view {
        Ok(true) if !changed => ui.say("the readable view was not as it should be: written anew"),
        Ok(_) => {}
        Err(error) => ui.say(&format!(
            "warning: the environment is in force, but its readable view could not be written: {error}; `tieline apply` \
             writes it again"
        )),
    }
}
