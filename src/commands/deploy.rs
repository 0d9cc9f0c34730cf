//! What the commands of deploying share: an environment, what it is to have, and the target that holds it.

use std::path::Path;
use std::rc::Rc;

use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::apply::{Applied, ApplyError, Stamp};
use crate::bundle::{Commit, Deployed, Scope};
use crate::compile::Compiled;
use crate::compile::desired::{desired, place, target};
use crate::model::record::Desired;
use crate::plan::Plan;
use crate::plan::saved::{Saved, SavedBase};
use crate::reporters::human::plural;
use crate::reporters::plan_json;
use crate::serials::{Seen, Standing};
use crate::targets::directory::Directory;
use crate::targets::object_store::ObjectStore;
use crate::targets::{Target, TargetError, deployed};
use crate::ui::Ui;
use crate::workspace::deployment;
use crate::workspace::layers::At;
use crate::world::{World, git};

/// Where an environment is deployed, if not where it says itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Elsewhere {
    /// The target, in place of the environment's own: a folder, s3://BUCKET/PREFIX, gs://… or az://…
    #[arg(long, value_name = "DIR|URL")]
    pub(super) target: Option<String>,
    /// Refuse what is deployed with a lower serial; accept this one though a higher was seen here
    #[arg(long, value_name = "N")]
    pub(super) min_serial: Option<u64>,
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
    named: String,
    min_serial: Option<u64>,
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
        let own = || target(&session.workspace.stack(&at));
        let store = |url: &str| {
            let store = ObjectStore::new(url, &scope, elsewhere.jobs.map(usize::from));
            store.map(|store| Box::new(store) as Box<dyn Target>).map_err(|error| failed(&error))
        };
        let (named, target): (_, Box<dyn Target>) = match &elsewhere.target {
            Some(typed) if typed.contains("://") => {
                deployment::Target::object_store(typed).map_err(Failure::usage)?;
                (typed.clone(), store(typed.trim_end_matches('/'))?)
            }
            Some(typed) => {
                let folder = session.typed(Path::new(typed));
                (typed.clone(), Box::new(Directory::typed(&folder, typed, &scope)))
            }
            None => match own() {
                deployment::Target::ObjectStore(url) => (url.to_string(), store(&url)?),
                deployment::Target::Directory(path) => {
                    let files = session.world.files().within(&*path);
                    (path.to_string(), Box::new(Directory::within(files, &scope)))
                }
            },
        };
        Ok(Self { session, at, target, scope, named, min_serial: elsewhere.min_serial })
    }

    /// What is deployed: no older than what was seen before.
    ///
    /// # Errors
    /// It can't be read, is damaged, or is older.
    pub(super) fn deployed(&self) -> Result<Option<Deployed>, Failure> {
        let found = deployed(&*self.target, &self.scope).map_err(|error| failed(&error))?;
        if let Some(Deployed { manifest, .. }) = &found {
            let serial = manifest.serial;
            let older = |than: &str, help: &str| {
                let told = format!("serial {serial} is deployed at {}, {than}", self.target.describe());
                Err(Failure::new(told).exit(Exit::Integrity).help(help))
            };
            let mut seen = self.seen();
            match (self.min_serial, seen.standing(manifest)) {
                (Some(least), _) if serial < least => {
                    return older(
                        &format!("and `--min-serial {least}` was said: an older bundle was put in its place"),
                        "find out who wrote the target; a restored backup is accepted with its own number",
                    );
                }
                (None, Standing::Older(highest)) => {
                    let help = format!("if a backup was restored on purpose, `--min-serial {serial}` accepts it");
                    let than =
                        format!("and serial {highest} was seen here before: an older bundle was put in its place");
                    return older(&than, &help);
                }
                (None, Standing::OtherLineage) => {}
                _ => seen.remember(&manifest.lineage, serial),
            }
        }
        Ok(found)
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

    /// The memory of this environment.
    pub(super) fn seen(&self) -> Seen {
        Seen::read(&self.session.world, &self.scope)
    }

    /// Whether the environment is protected.
    pub(super) fn is_protected(&self) -> bool {
        self.session.workspace.environments[&self.at.environment].settings.protected
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
    /// The difference.
    pub(super) plan: Plan,
}

/// Compiles and compares.
pub(super) fn plan(place_: &Place, ui: &Ui) -> Result<Planned, Failure> {
    let Place { session, at, .. } = place_;
    let compiled = session.compile(at, ui)?;
    let desired = desired(&session.workspace, &session.catalogue, &compiled);
    let base = place_.deployed()?;
    let places = |id: &str, pointer: &str| place(&compiled, &session.workspace.sources, id, pointer);
    let plan = Plan::new(&desired, base.as_ref(), &places);
    Ok(Planned { compiled, desired, base, plan })
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
    shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "))
}

/// The command that applies an environment, with a plan where one is named.
pub(super) fn typed_apply(chosen: &Chosen, plan: Option<&Path>, elsewhere: &Elsewhere, cli: &Cli) -> String {
    let mut words = vec!["tieline".to_owned()];
    let mut option =
        |name: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|v| [name.to_owned(), v]));
    let path = |path: &Path| path.display().to_string();
    option("-C", cli.directory.as_deref().map(path));
    option("apply", Some(chosen.environment.clone()));
    option("--profile", chosen.profile.clone());
    option("--expose", chosen.expose.clone());
    option("--plan", plan.map(path));
    option("--target", elsewhere.target.clone());
    typed(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The commit of the work tree.
fn commit(session: &Session) -> Option<Commit> {
    git::commit(session.world.root()).map(|(id, dirty)| Commit { id, dirty })
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
    let Applied { head, changed, sealed, carried, view } = applied;
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
