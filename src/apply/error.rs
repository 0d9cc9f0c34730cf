//! Why nothing was applied.

use std::collections::BTreeSet;
use std::fmt;

use crate::bundle::object::Failure;
use crate::bundle::{Head, Integrity};
use crate::plan::guards::Refusal;
use crate::targets::TargetError;

/// Why nothing was applied. Holds no value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// These connections could not be sealed.
    Secrets(Vec<Failure>),
    /// It could not be done.
    Failed(String),
    /// The environment is not where the plan starts from.
    Stale {
        /// What the plan starts from.
        expected: Option<Head>,
        /// What is in force.
        found: Option<Head>,
    },
    /// A guard forbids it.
    Refused(Vec<Refusal>),
    /// What stands in the target is damaged, forged or not ours.
    Integrity(String),
    /// What is in force has no valid signature, and one was asked for.
    Unsigned {
        /// Its serial.
        serial: u64,
        /// What is wrong with the one that it has, if any.
        why: String,
    },
}

impl ApplyError {
    /// The exit code of its class.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Secrets(_) | Self::Failed(_) => 1,
            Self::Stale { .. } => 3,
            Self::Refused(_) => 4,
            Self::Integrity(_) | Self::Unsigned { .. } => 5,
        }
    }
}

impl From<TargetError> for ApplyError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Failed(why) => Self::Failed(why),
            TargetError::Integrity(why) | TargetError::Missing(why) => Self::Integrity(why),
        }
    }
}

impl From<Integrity> for ApplyError {
    fn from(error: Integrity) -> Self {
        Self::Integrity(error.0)
    }
}

impl std::error::Error for ApplyError {}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |head: &Option<Head>| match head {
            Some(head) => format!("serial {} ({})", head.serial, &head.manifest.hex()[..12]),
            None => "nothing deployed".to_owned(),
        };
        match self {
            Self::Failed(why) | Self::Integrity(why) => f.write_str(why),
            Self::Unsigned { serial, why } => {
                write!(f, "serial {serial}, which is in force, has no signature that counts now: {why}")
            }
            Self::Stale { expected, found } => {
                let (expected, found) = (told(expected), told(found));
                write!(f, "the environment moved from {expected} to {found} since this plan; nothing was changed")
            }
            Self::Refused(refusals) => {
                f.write_str("refused by a guard; nothing was changed")?;
                refusals.iter().try_for_each(|Refusal { instance, reason }| match instance {
                    Some(instance) => write!(f, "\n  `{instance}`: {reason}"),
                    None => write!(f, "\n  {reason}"),
                })
            }
            Self::Secrets(failures) => {
                let count = failures.iter().map(|failure| &failure.instance).collect::<BTreeSet<_>>().len();
                write!(f, "connections that can't be sealed: {count}; nothing was changed")?;
                failures.iter().try_for_each(|failure| {
                    let Failure { instance, pointer, reason } = failure;
                    let space = if pointer.is_empty() { "" } else { " " };
                    write!(f, "\n  `{instance}`{space}{pointer}: {reason}")
                })
            }
        }
    }
}
