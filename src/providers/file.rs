//! `file:PATH`: a file of the workspace, or below the folder that the operator names in `TIELINE_SECRETS_ROOT`, where
//! orchestrators mount secrets. Links are followed in neither. In the workspace, what is hidden there for another program's
//! use is not read, and neither are its own documents: a branch chooses the path.

use super::{Fault, Provider};
use crate::secret::Secret;
use crate::workspace::discover::TOP;
use crate::workspace::stores::Address;
use crate::world::{ReadError, System, World};

pub(super) struct File;

/// The folder that paths are below, in place of the workspace.
const ROOT: &str = "TIELINE_SECRETS_ROOT";

/// A secret may have this many bytes.
const MAX_BYTES: usize = 256 << 10;

impl Provider for File {
    fn scheme(&self) -> &'static str {
        "file"
    }

    fn fetch(&self, address: &Address<'_>, world: &dyn World) -> Result<Secret<String>, Fault> {
        let place = match world.variable(ROOT) {
            Some(root) => System::new(root).read(address.path, MAX_BYTES),
            None => {
                if let Some(why) = not_a_secret(address.path) {
                    return Err(Fault::new(why, format!("name the folder that holds secrets in {ROOT}")));
                }
                world.read(address.path, MAX_BYTES)
            }
        };
        let help = format!("paths are below {ROOT} where that is set, else below the workspace");
        let bytes = place.map_err(|error| {
            let reason = match error {
                ReadError::Missing => "there is no such file".to_owned(),
                ReadError::NotAFile => "not a regular file, or behind a link".to_owned(),
                ReadError::TooLarge => "more than 256 KiB".to_owned(),
                ReadError::Failed(reason) => reason,
            };
            Fault::new(reason, help.clone())
        })?;
        let has = |mark: &[u8]| bytes.windows(mark.len()).any(|part| part.eq_ignore_ascii_case(mark));
        if world.variable(ROOT).is_none() && [&b"AGE-SECRET-KEY-"[..], b"AGE-PLUGIN-"].into_iter().any(has) {
            drop(Secret::new(bytes));
            return Err(Fault::new("an identity that opens secrets is not read as one", help));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            drop(Secret::new(error.into_bytes()));
            Fault::new("not UTF-8", "")
        })?;
        Ok(Secret::new(text).of_one_line())
    }
}

/// Why a file of the workspace is not meant to be a secret.
fn not_a_secret(path: &str) -> Option<&'static str> {
    let mut segments = path.split('/');
    if segments.clone().any(|segment| segment.starts_with('.')) {
        return Some("a hidden file of the workspace is not read as a secret");
    }
    let top = segments.next().is_some_and(|first| TOP.iter().any(|name| name.eq_ignore_ascii_case(first)));
    let sealed = [".sops.yaml", ".sops.json"].iter().any(|end| path.to_lowercase().ends_with(end));
    (top || sealed).then_some("a document of the workspace is not read as a secret")
}
