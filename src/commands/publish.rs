//! `tieline publish`

use std::path::PathBuf;

use super::deploy::{Place, Where};
use super::signing::{Signing, parts};
use super::{Cli, Exit, Failure};
use crate::apply::{Options, vouched};
use crate::bundle::{Deployed, Digest};
use crate::compile::desired::publish;
use crate::publish::{PublishError, Registry};
use crate::secret::Secret;
use crate::targets::{TargetError, previous};
use crate::ui::Ui;
use crate::world::World;

/// Publish what is in force to an OCI registry, under the environment's tag.
///
/// The repository is the environment's (`publish: {oci: HOST/NAME}`); its host must be the one that you name. The login is
/// that of TIELINE_REGISTRY_USERNAME and TIELINE_REGISTRY_PASSWORD.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Where,
    /// The registry that may be written to
    #[arg(long, value_name = "HOST[:PORT]")]
    registry: String,
    /// Cover what the tag points to, if that is this digest: an artifact that you have looked at
    #[arg(long, value_name = "DIGEST")]
    replace: Option<Digest>,
    /// Ask for a signature by one of these, in the format that Git uses, which counts now
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// Send nothing: look whether the tag points to what is in force
    #[arg(long)]
    check: bool,
}

/// So many serials back a tag may point; older ones were covered long ago.
const HISTORY: usize = 1000;

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let place = Place::open(&args.at, cli)?;
    let stack = place.session.workspace.stack(&place.at);
    let Some(repository) = publish(&stack) else {
        return Err(Failure::new(format!("`{}` is published nowhere", place.at))
            .help("`publish: {oci: HOST/NAME}` in its environment.yaml says where to"));
    };
    let host = repository.split('/').next().unwrap_or_default();
    if host != args.registry {
        return Err(Failure::new(format!(
            "`{}` is published to `{host}`, and `{}` is allowed",
            place.at, args.registry
        ))
        .exit(Exit::Guard)
        .help("the host is for whoever runs tieline to choose: `--registry HOST` must say the same"));
    }
    let deployed = place.in_force(ui)?;
    if let Some(path) = &args.allowed_signers {
        let allowed = place.allowed_signers(path)?;
        let options = Options { signers: Some(&allowed), ..Options::default() };
        vouched(&*place.target, &deployed, place.session.world.now(), &options)
            .map_err(|error| Failure::new(error.to_string()).exit(Exit::Integrity).help("find out who applied it"))?;
    }
    let parts = parts(&place, &deployed, None, &Signing::default(), ui)?;
    let archive = parts.archive().map_err(|error| Failure::new(format!("the bundle can't be packed: {error}")))?;
    let variable = |name: &str| place.session.variable(name);
    let login = variable("TIELINE_REGISTRY_USERNAME").zip(variable("TIELINE_REGISTRY_PASSWORD").map(Secret::new));
    let registry = Registry::new(repository, login);
    let is_ours = |digest: &Digest| had(&place, &deployed, digest);
    let published = registry
        .publish(&deployed, archive, &is_ours, args.replace.as_ref(), args.check)
        .map_err(|error| failure(&error))?;
    let word = if published.changed { "published" } else { "nothing to do" };
    ui.say(&format!("{word}: serial {} of {} is {}", deployed.manifest.serial, place.at, published.tag));
    ui.data(&format!("{}@{}\n", repository, published.digest.as_str()));
    Ok(Exit::Done)
}

/// Whether a manifest was ever in force here.
fn had(place: &Place, deployed: &Deployed, wanted: &Digest) -> Result<bool, String> {
    let mut at = deployed.clone();
    for _ in 0..HISTORY {
        if at.digest == *wanted {
            return Ok(true);
        }
        if at.manifest.previous.as_ref() == Some(wanted) {
            return Ok(true);
        }
        match previous(&*place.target, &at) {
            Ok(Some(older)) => at = older,
            // What `gc` took may have been it: whoever publishes says so.
            Ok(None) | Err(TargetError::Missing(_)) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(false)
}

fn failure(error: &PublishError) -> Failure {
    match error {
        PublishError::Failed(why) => Failure::new(why.clone()),
        PublishError::Integrity(why) => Failure::new(why.clone()).exit(Exit::Integrity),
    }
}
