//! A bundle that was named on the command line: an archive, or a folder that one was unpacked into.

use std::path::{Path, PathBuf};

use crate::bundle::Deployed;
use crate::bundle::archive::{Part, Parts};
use crate::commands::signing::{allowed_signers, signed};
use crate::commands::{Exit, Failure};
use crate::ui::Ui;
use crate::world::{Kind, ReadError, System, World, disk};

/// Which bundle, and how much it must prove.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The bundle: an archive (.tgz), or the folder that one was unpacked into
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Ask for a signature by one of these, in the format that Git uses
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// Refuse a bundle with a lower serial
    #[arg(long, value_name = "N")]
    min_serial: Option<u64>,
    /// Refuse a bundle of another lineage; may be given several times
    #[arg(long, value_name = "UUID")]
    lineage: Vec<uuid::Uuid>,
}

impl Source {
    /// Its files and what the manifest says. The signature is checked if one is asked for; the objects are not yet.
    pub(super) fn read(&self, ui: &Ui) -> Result<(Parts, Deployed), Failure> {
        let path = &self.path;
        let damaged = |error: crate::bundle::Integrity| {
            Failure::new(format!("{}: {error}", path.display())).exit(Exit::Integrity)
        };
        let parts = match disk::open(path) {
            Ok(file) => Parts::read(file).map_err(damaged)?,
            Err(ReadError::NotAFile) => folder(path)?,
            Err(ReadError::Failed(why)) => return Err(Failure::new(format!("{}: {why}", path.display()))),
            Err(_) => return Err(Failure::usage(format!("there is no bundle at {}", path.display()))),
        };
        let deployed = parts.deployed().map_err(damaged)?;
        let serial = deployed.manifest.serial;
        if let Some(least) = self.min_serial.filter(|least| serial < *least) {
            return Err(Failure::new(format!(
                "the bundle has serial {serial}, and {least} is the lowest that is accepted"
            ))
            .exit(Exit::Integrity));
        }
        let lineage = &deployed.manifest.lineage;
        if !self.lineage.is_empty() && !self.lineage.iter().any(|pinned| pinned.to_string() == *lineage) {
            return Err(Failure::new(format!("the bundle is of lineage {lineage}, which is not one that is accepted"))
                .exit(Exit::Integrity));
        }
        if let Some(file) = &self.allowed_signers {
            let now = System::new(path).now();
            signed(&allowed_signers(file)?, parts.signature.as_deref(), &parts.manifest, &deployed, now, ui)?;
        }
        Ok((parts, deployed))
    }
}

/// The files of a folder, none of them through a link.
fn folder(path: &Path) -> Result<Parts, Failure> {
    let world = System::new(path);
    let failed = |what: &str, why: &str| Failure::new(format!("{}/{what} {why}", path.display())).exit(Exit::Integrity);
    let mut parts = Parts::default();
    let found = world.list("").map_err(|_| failed("", "can't be read"))?;
    for file in found {
        let Some(part) = Part::of(&file.path).filter(|_| file.kind == Kind::File) else {
            return Err(failed(&file.path, "belongs to no bundle"));
        };
        let bytes =
            world.read(&file.path, part.limit()).map_err(|_| failed(&file.path, "can't be read, or is too large"))?;
        parts.put(&part, bytes).map_err(|error| failed(&file.path, &error.to_string()))?;
    }
    Ok(parts)
}
