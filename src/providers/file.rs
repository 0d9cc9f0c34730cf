//! `file:PATH`: a file of the workspace, or below the folder that the operator names in `TIELINE_SECRETS_ROOT`, where
//! orchestrators mount secrets. Links are followed in neither.

use super::{Fault, Provider};
use crate::secret::Secret;
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
            None => world.read(address.path, MAX_BYTES),
        };
        let help = format!("paths are below {ROOT} where that is set, else below the workspace");
        let bytes = place.map_err(|error| {
            let reason = match error {
                ReadError::Missing => "there is no such file".to_owned(),
                ReadError::NotAFile => "not a regular file, or behind a link".to_owned(),
                ReadError::TooLarge => "more than 256 KiB".to_owned(),
                ReadError::Failed(reason) => reason,
            };
            Fault::new(reason, help)
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            drop(Secret::new(error.into_bytes()));
            Fault::new("not UTF-8", "")
        })?;
        let mut value = Secret::new(text);
        // An editor's line break at the end of a password is not part of it; that of a key file is.
        let cut = value.expose().strip_suffix('\n').map(|v| v.strip_suffix('\r').unwrap_or(v).len());
        if let Some(length) = cut.filter(|length| !value.expose()[..*length].contains('\n')) {
            value.expose_mut().truncate(length);
        }
        Ok(value)
    }
}
