//! What is deployed -> whether it is whole: every object of the manifest in force, down to its MAC where a key opens it.

use rayon::prelude::*;

use crate::bundle::check::{Opened, check};
use crate::bundle::{Deployed, Head, Scope};
use crate::sops::Identities;
use crate::targets::{Target, TargetError, deployed};

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
    let Some(Deployed { digest, manifest }) = deployed(target, scope)? else {
        return Ok(Report { head: None, objects: 0, opened: 0, problems: Vec::new() });
    };
    let mut problems = Vec::new();
    if manifest.desired_digest()? != manifest.desired {
        let message = "the manifest's desired digest is not that of its records".to_owned();
        problems.push(Problem { instance: None, message });
    }
    let results: Vec<_> = manifest
        .connections
        .par_iter()
        .map(|(id, sealed)| {
            let bytes = target.read_object(&sealed.object).map_err(|error| vec![error.to_string()]);
            (id, bytes.and_then(|bytes| check(scope, sealed, &bytes, identities)))
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
    let head = Some(Head { manifest: digest, serial: manifest.serial });
    Ok(Report { head, objects: manifest.connections.len(), opened, problems })
}
