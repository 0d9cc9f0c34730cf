//! `tieline plan`

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::against::{self, Sides};
use super::deploy::{Elsewhere, Place, plan, saved, typed_apply};
use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::plan::Plan;
use crate::plan::relocation::Gone;
use crate::reporters::plan_human::{Against, plan_human};
use crate::reporters::plan_json::{plan_gitlab, plan_json, plans_json};
use crate::reporters::plan_markdown::plan_markdown;
use crate::ui::Ui;
use crate::workspace::layers::At;
use crate::world::beneath::Access;

/// Show what an apply would change: every connection and every changed value, with the line that causes it.
///
/// Needs no key: secrets are compared by what is seen of them without opening. With `--against`, no target and no network
/// either: that is the form for a stranger's pull request.
///
/// What a run may take is bounded: 1,000,000 values, 20,000,000 expression steps, 20,000,000 schema checks, and
/// more for each byte that it reads. `tieline rule show over-budget` says what is counted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment
    #[arg(value_name = "ENV", required_unless_present = "all")]
    environment: Option<String>,
    /// Every environment, with each of its profiles
    #[arg(long, conflicts_with_all = ["environment", "profile", "expose", "out"])]
    all: bool,
    /// With the values and secrets of this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only connections that are exposed under this name (`expose: [NAME]`): a bundle and a head of their own
    #[arg(long, value_name = "NAME")]
    expose: Option<String>,
    /// Compare with what a Git revision compiles to; or two revisions, `A..B`; or with where a branch began, `A...`
    #[arg(long, value_name = "REV", conflicts_with_all = ["target", "out", "min_serial", "lineage"])]
    against: Option<String>,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// Save the plan, for `tieline apply ENV --plan FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// The form of the plan
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// The form of a plan.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For machines; its schema is in `schemas/output/`.
    Json,
    /// A comment on a pull request.
    Markdown,
    /// What GitLab's widget reads: `artifacts:reports:terraform`.
    Gitlab,
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    args.elsewhere.limit();
    let session = Rc::new(Session::open(cli)?);
    let (plans, gone) = match &args.against {
        Some(typed) => compared(args, &session, typed, ui)?,
        None => (deployed(args, &session, ui)?, Vec::new()),
    };
    let changes = !gone.is_empty() || plans.iter().any(|(plan, _)| !plan.is_empty());
    print(args, plans, &gone, ui);
    if let Some(path) = &args.out {
        let apply = typed_apply(&chosen(args), Some(path), &args.elsewhere, cli);
        ui.say(&format!("saved; `{apply}` applies this plan and no other"));
    }
    Ok(if args.detailed_exitcode && changes { Exit::Changes } else { Exit::Done })
}

fn chosen(args: &Args) -> Chosen {
    Chosen {
        environment: args.environment.clone().unwrap_or_default(),
        profile: args.profile.clone(),
        expose: args.expose.clone(),
    }
}

/// Plans against what is deployed, each with the target's name.
fn deployed(args: &Args, session: &Rc<Session>, ui: &Ui) -> Result<Vec<(Plan, String)>, Failure> {
    if !args.all {
        let at = session.chosen(&chosen(args))?;
        let place = Place::of(Rc::clone(session), at, &args.elsewhere)?;
        let planned = plan(&place, ui)?;
        if let Some(path) = &args.out {
            save(path, &place, &planned.plan)?;
        }
        return Ok(vec![(planned.plan, place.target.describe())]);
    }
    let mut plans = Vec::new();
    for at in session.workspace.everywhere() {
        let place = Place::of(Rc::clone(session), at, &args.elsewhere)?;
        plans.push((plan(&place, ui)?.plan, place.target.describe()));
    }
    Ok(plans)
}

/// Plans with the name of what each is held against, and the environments that are gone.
type Compared = (Vec<(Plan, String)>, Vec<Gone>);

/// Plans against a revision.
fn compared(args: &Args, session: &Session, typed: &str, ui: &Ui) -> Result<Compared, Failure> {
    let sides = Sides::open(session, typed)?;
    let all = if args.all {
        let mut all = sides.old.everywhere();
        all.extend(sides.new.as_ref().map_or_else(|| session.workspace.everywhere(), against::Past::everywhere));
        all.sort_by_key(At::to_string);
        all.dedup_by_key(|at| at.to_string());
        all
    } else {
        vec![against::chosen(session, &sides, &chosen(args))?]
    };
    let (mut plans, mut gone) = (Vec::new(), Vec::new());
    for at in all {
        match against::plan(session, &sides, &at, args.all, ui)? {
            Some(plan) => plans.push((plan, sides.old.name.clone())),
            None => {
                ui.say(&format!("`{at}` is gone; what is deployed of it stays as it is"));
                gone.push(Gone { name: at.to_string(), is_protected: sides.old.is_protected(&at) });
            }
        }
    }
    Ok((plans, gone))
}

fn save(path: &Path, place: &Place, plan: &Plan) -> Result<(), Failure> {
    let shown = path.display();
    let bytes = saved(place, plan).bytes().map_err(|error| Failure::new(error.to_string()))?;
    let file = place.session.typed(path);
    file.replace(&bytes, Access::Private).map_err(|error| Failure::new(format!("can't write `{shown}`: {error}")))
}

fn print(args: &Args, plans: Vec<(Plan, String)>, gone: &[Gone], ui: &Ui) {
    let against = |name| match args.against {
        Some(_) => Against::Revision(name),
        None => Against::Target(name),
    };
    match args.format {
        Format::Human => {
            for (at, (plan, name)) in plans.iter().enumerate() {
                if args.all {
                    let gap = if at == 0 { "" } else { "\n" };
                    ui.data(&format!("{gap}== {}\n", plan.scope.name()));
                }
                ui.data(&plan_human(plan, against(name), ui.look()));
            }
        }
        Format::Json => {
            let plans: Vec<Plan> = plans.into_iter().map(|(plan, _)| plan).collect();
            match (args.all, plans.first()) {
                (false, Some(plan)) => ui.machine(&plan_json(plan)),
                _ => ui.machine(&plans_json(&plans, gone)),
            }
        }
        Format::Markdown => {
            ui.data(&plan_markdown(&plans.into_iter().map(|(plan, _)| plan).collect::<Vec<_>>(), gone));
        }
        Format::Gitlab => ui.machine(&plan_gitlab(&plans.into_iter().map(|(plan, _)| plan).collect::<Vec<_>>())),
    }
}
