//! What is deployed -> whether it is whole: every object of the manifest in force, down to its MAC where a key opens it.

use rayon::prelude::*;

use crate::bundle::archive::Parts;
use crate::bundle::check::{Opened, check};
use crate::bundle::{Deployed, Head, Integrity, Scope, Sealed};
use crate::sops::Identities;
use crate::targets::{Target, TargetError, ViewFault, deployed};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is in force; `None` where nothing is deployed.
    pub head: Option<Head>,
    /// How many objects the manifest names.
    pub objects: usize,
    /// How many of them an identity opened.
    pub opened: usize,
    /// All that is wrong; empty is good.
    pub problems: Vec<Problem>,
}

/// Something that is wrong. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The instance; `None` if it concerns the whole.
    pub instance: Option<String>,
    /// What it is.
    pub message: String,
}

/// Checks what is in force for `scope`. Without identities, all that needs none.
///
/// # Errors
/// Head or manifest can't be read, or are damaged: there is nothing to check objects against.
pub fn verify(target: &dyn Target, scope: &Scope, identities: Option<&Identities>) -> Result<Report, TargetError> {
    let Some(deployed) = deployed(target, scope)? else {
        return Ok(Report { head: None, objects: 0, opened: 0, problems: Vec::new() });
    };
    Ok(read(target, &deployed, identities)?)
}

/// Checks the objects of a manifest that was read, and whose signature and serial may have been looked at: a target could
/// answer with another one if it were asked again.
///
/// # Errors
/// The manifest is damaged.
pub fn read(target: &dyn Target, deployed: &Deployed, identities: Option<&Identities>) -> Result<Report, Integrity> {
    let read = |_: &str, sealed: &Sealed| target.read_object(&sealed.object).map_err(|error| error.to_string());
    objects(deployed, &read, identities)
}

/// What is wrong with the readable view of a target that has one: those who read it would get something else than what is
/// in force.
pub fn view(target: &dyn Target, deployed: &Deployed) -> Vec<Problem> {
    let problem = |fault: ViewFault| {
        let message = match &fault.instance {
            Some(_) => format!("`{}`, the readable view of it, is missing or was changed", fault.path),
            None => format!("`{}` is in the readable view, and the manifest does not name it", fault.path),
        };
        Problem { instance: fault.instance, message }
    };
    target.view_faults(deployed).into_iter().map(problem).collect()
}

/// Checks the files of a bundle that came as such.
///
/// # Errors
/// The manifest is damaged.
pub fn parts(parts: &Parts, identities: Option<&Identities>) -> Result<Report, Integrity> {
    let deployed = parts.deployed()?;
    let read = |id: &str, _: &Sealed| parts.objects.get(id).cloned().ok_or_else(|| "its file is missing".to_owned());
    let mut report = objects(&deployed, &read, identities)?;
    for id in parts.objects.keys().filter(|id| !deployed.manifest.connections.contains_key(*id)) {
        let message = "its file is in the bundle, and the manifest does not name it".to_owned();
        report.problems.push(Problem { instance: Some(id.clone()), message });
    }
    Ok(report)
}

/// Gives the bytes that stand for the object of an instance.
type Read<'r> = &'r (dyn Fn(&str, &Sealed) -> Result<Vec<u8>, String> + Sync);

fn objects(deployed: &Deployed, read: Read<'_>, identities: Option<&Identities>) -> Result<Report, Integrity> {
    let manifest = &deployed.manifest;
    let scope = manifest.scope();
    let mut problems = Vec::new();
    if manifest.desired_digest()? != manifest.desired {
        let message = "the manifest's desired digest is not that of its records".to_owned();
        problems.push(Problem { instance: None, message });
    }
    let results: Vec<_> = manifest
        .connections
        .par_iter()
        .map(|(id, sealed)| {
            let bytes = read(id, sealed).map_err(|error| vec![error]);
            (id, bytes.and_then(|bytes| check(&scope, sealed, &bytes, identities)))
        })
        .collect();
    let mut opened = 0;
    for (id, result) in results {
        match result {
            Ok(Opened::Yes) => opened += 1,
            Ok(Opened::No) => {}
            Err(messages) => {
                let problem = |message| Problem { instance: Some(id.clone()), message };
                problems.extend(messages.into_iter().map(problem));
            }
        }
    }
    Ok(Report { head: Some(deployed.head()), objects: manifest.connections.len(), opened, problems })
}
