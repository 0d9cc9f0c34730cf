//! `env:NAME`: a variable of the process that applies, as CI systems hand secrets to jobs.

use super::{Fault, Provider};
use crate::secret::Secret;
use crate::workspace::stores::Address;
use crate::world::World;

pub(super) struct Env;

impl Provider for Env {
    fn scheme(&self) -> &'static str {
        "env"
    }

    fn fetch(&self, address: &Address<'_>, world: &dyn World) -> Result<Secret<String>, Fault> {
        let value = world.variable(address.path).map(Secret::new);
        value.ok_or_else(|| Fault::new("the variable is not set, or empty", "set it where `tieline apply` runs"))
    }
}
