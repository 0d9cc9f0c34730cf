//! What the commands of deploying share: an environment, what it is to have, and the target that holds it.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::destination::Destination;
use super::known::Before;
use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::apply::{Applied, ApplyError, Stamp};
use crate::bundle::{Commit, Deployed, Scope};
use crate::compile::Compiled;
use crate::compile::desired::{desired, place};
use crate::diagnostic::word;
use crate::model::record::Desired;
use crate::plan::Plan;
use crate::plan::guards::Refusal;
use crate::plan::relocation::Former;
use crate::plan::saved::{Saved, SavedBase};
use crate::reporters::human::plural;
use crate::reporters::plan_json;
use crate::source::Source;
use crate::targets::{Target, TargetError};
use crate::ui::Ui;
use crate::workspace::layers::At;
use crate::world::{World, git};

/// Where an environment is deployed, if not where it says itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Elsewhere {
    /// The target, in place of the environment's own: a folder, s3://BUCKET/PREFIX, gs://… or az://…
    #[arg(long, value_name = "DIR|URL")]
    pub(super) target: Option<String>,
    /// Refuse what is deployed with a lower serial
    #[arg(long, value_name = "N")]
    pub(super) min_serial: Option<u64>,
    /// Accept what is deployed with this serial though something else was seen here, as after a backup was restored
    #[arg(long, value_name = "N")]
    pub(super) accept_serial: Option<u64>,
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
    /// The folder, if it is one of the workspace.
    pub(super) own_folder: Option<PathBuf>,
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
    /// This one, whatever was seen.
    pub(super) accept_serial: Option<u64>,
    /// Of one of these lineages, if there are any.
    pub(super) lineages: Vec<String>,
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
            accept_serial: elsewhere.accept_serial,
            lineages: elsewhere.lineage.iter().map(uuid::Uuid::to_string).collect(),
        };
        Ok(Self {
            target: destination.open(&session, &scope, elsewhere.jobs)?,
            address: destination.address(&session),
            own_folder: destination.folder_inside(&session),
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

    /// A command for this environment, as it is typed.
    pub(super) fn command(&self, name: &str) -> String {
        format!("tieline {name} {}", self.at.typed())
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
    /// Whether it may have had something at others of which nothing is known.
    pub(super) is_unknown: bool,
    /// The difference.
    pub(super) plan: Plan,
}

/// Compiles and compares.
pub(super) fn plan(place_: &Place, ui: &Ui) -> Result<Planned, Failure> {
    let Place { session, at, .. } = place_;
    let compiled = session.compile(at, ui)?;
    let desired = desired(&session.workspace, &session.catalogue, &compiled);
    let (base, Before { mut formers, is_unknown }) = place_.look(false, ui)?;
    let places = |id: &str, pointer: &str| place(&compiled, &session.workspace.sources, id, pointer);
    let mut plan = Plan::new(&desired, base.as_ref(), &places);
    if base.is_none() {
        place_.pinned()?;
        formers = place_.all_formers()?;
        let lost = place_
            .lost()
            .map(|lost| Refusal { instance: None, reason: format!("{lost}; `--initial` begins a new history") });
        plan.refused.extend(lost);
    }
    if let (Some(base), true) = (&base, formers.iter().any(Former::is_deployed)) {
        let (verify, serial) = (place_.command("verify"), base.manifest.serial);
        ui.say(&format!(
            "the target moved: once you have looked at that, `{verify} --accept-serial {serial}` remembers it, as an apply does; on \
             machines without a memory it shows until nothing stands at the old one"
        ));
    }
    for former in formers.iter().filter(|former| former.is_deployed()) {
        plan.leave(former, &place_.target.describe(), &desired, &places);
    }
    super::formers::ids(session).iter().for_each(|id| plan.was_of(id));
    super::related::hold(&mut plan, place_, base.as_ref(), &desired, &places, ui);
    Ok(Planned { compiled, desired, base, formers, is_unknown, plan })
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
    typed_apply_with(chosen, plan, elsewhere, &[], cli)
}

/// The same, with more options as they were given.
pub(super) fn typed_apply_with(
    chosen: &Chosen,
    plan: Option<&Path>,
    elsewhere: &Elsewhere,
    more: &[(&str, Option<String>)],
    cli: &Cli,
) -> String {
    let mut words = vec!["tieline".to_owned()];
    let lineages: Vec<String> = elsewhere.lineage.iter().map(uuid::Uuid::to_string).collect();
    let mut option =
        |name: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|v| [name.to_owned(), v]));
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let path = |path: &Path| path.display().to_string();
    option("-C", cli.directory.as_deref().map(path));
    option("apply", Some(chosen.environment.clone()));
    option("--profile", chosen.profile.clone());
    option("--expose", chosen.expose.clone());
    option("--plan", plan.map(path));
    option("--target", elsewhere.target.clone());
    lineages.into_iter().for_each(|lineage| option("--lineage", Some(lineage)));
    option("--min-serial", number(elsewhere.min_serial));
    option("--accept-serial", number(elsewhere.accept_serial));
    more.iter().for_each(|(name, value)| option(name, value.clone()));
    words.retain(|word| !word.is_empty());
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
        TargetError::Integrity(why) | TargetError::Missing(why) => Failure::new(why.clone())
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
        ApplyError::Unsigned { .. } => failure.exit(Exit::Integrity).help(format!(
            "find out who applied it: a key that ended, or an apply without `--sign`, is the usual cause; `{again} \
                 --trust-base` builds on it"
        )),
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
