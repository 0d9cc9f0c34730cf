//! What `plan`, `apply` and `verify` share: an environment, what it is to have, and the target that holds it.

use std::path::PathBuf;

use super::session::Chosen;
use super::{Cli, Exit, Failure, Session};
use crate::bundle::{Deployed, Scope};
use crate::compile::Compiled;
use crate::compile::desired::{desired, place, target_path};
use crate::model::record::Desired;
use crate::plan::Plan;
use crate::targets::directory::Directory;
use crate::targets::{TargetError, deployed};
use crate::ui::Ui;
use crate::workspace::layers::At;

/// Which environment, and where it is deployed.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// The folder of the directory target, in place of the environment's own
    #[arg(long, value_name = "DIR")]
    pub(super) target: Option<PathBuf>,
}

/// An environment and its target.
pub(super) struct Place {
    /// The workspace.
    pub(super) session: Session,
    /// The environment and profile.
    pub(super) at: At,
    /// The target.
    pub(super) target: Directory,
    /// What its head is about.
    pub(super) scope: Scope,
}

impl Place {
    /// Opens the workspace and finds the target; nothing is compiled yet.
    pub(super) fn open(at: &Where, cli: &Cli) -> Result<Self, Failure> {
        let session = Session::open(cli)?;
        let deployment = session.chosen(&at.chosen)?;
        let id = session.workspace.root.settings.id.unwrap_or_default();
        let scope = Scope {
            workspace: id.to_string(),
            environment: deployment.deployment(),
            profile: deployment.profile.as_deref().map(str::to_owned),
        };
        let folder = match &at.target {
            Some(folder) => folder.clone(),
            None => session.world.root().join(target_path(&session.workspace.stack(&deployment))),
        };
        Ok(Self { target: Directory::new(folder, &scope), session, at: deployment, scope })
    }

    /// What is deployed.
    pub(super) fn deployed(&self) -> Result<Option<Deployed>, Failure> {
        deployed(&self.target, &self.scope).map_err(|error| failed(&error))
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

/// A target that can't be used.
pub(super) fn failed(error: &TargetError) -> Failure {
    match error {
        TargetError::Failed(why) => Failure::new(why.clone()),
        TargetError::Integrity(why) => Failure::new(why.clone())
            .exit(Exit::Integrity)
            .help("what stands in the target is damaged or forged: restore it, or deploy to an empty one"),
    }
}
