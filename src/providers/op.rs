//! `op://VAULT/ITEM/FIELD`: 1Password, through its program `op`, if the operator names it.

use std::time::Duration;

use super::{Fault, Provider};
use crate::secret::Secret;
use crate::workspace::stores::Address;
use crate::world::World;
use crate::world::program::Run;

pub(super) struct Op;

/// The program, which the operator names: without it none runs.
const PROGRAM: &str = "TIELINE_SECRETS_OP";

/// A person may have to unlock it.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Provider for Op {
    fn scheme(&self) -> &'static str {
        "op"
    }

    fn fetch(&self, address: &Address<'_>, world: &dyn World) -> Result<Secret<String>, Fault> {
        let program = world.variable(PROGRAM).ok_or_else(|| {
            Fault::new(
                "no program is allowed to run",
                format!("the one who runs this may name it: {PROGRAM}=op, or its path"),
            )
        })?;
        let line = [program, "read".into(), "--no-newline".into(), "--".into(), address.uri.to_owned()];
        let run = Run { line: &line, variables: &[], limit: 256 << 10, timeout: TIMEOUT };
        run.output().map_err(|reason| Fault::new(reason, "`op whoami` tells whether it is signed in"))
    }
}
