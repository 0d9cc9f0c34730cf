//! What the operator allows: no address of a repository is asked for without.

use crate::secrets::Unopened;
use crate::world::World;
use crate::world::allow::Allowed;

/// The variable that allows addresses.
pub const VARIABLE: &str = "TIELINE_SECRETS_ALLOW";

/// What is allowed where the operator says nothing: variables that are made for it.
const DEFAULT: &str = "env:TIELINE_SECRET_*";

/// Patterns of addresses that may be asked for.
pub struct Gate(Allowed);

impl Gate {
    /// What the operator's environment allows, and `more`, which was typed.
    pub fn new(world: &dyn World, more: &[String]) -> Self {
        let mut texts: Vec<String> = world.variable(VARIABLE).into_iter().collect();
        texts.extend(more.iter().cloned());
        if texts.is_empty() {
            texts.push(DEFAULT.to_owned());
        }
        Self(Allowed::of(&texts))
    }

    /// Why an address is not asked for; `None` if it may be.
    pub fn refuses(&self, uri: &str) -> Option<Unopened> {
        if self.0.has(uri) {
            return None;
        }
        let scheme = uri.split_inclusive([':', '/']).take(4).collect::<String>();
        Some(Unopened {
            path: uri.to_owned(),
            reason: format!("the operator does not allow it: {VARIABLE} is `{}`", self.0.shown()),
            help: format!("the one who runs this may set {VARIABLE}='{scheme}*', or `--secrets-allow '{scheme}*'`"),
            integrity: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Found, ReadError};

    struct Env(Option<&'static str>);

    impl World for Env {
        fn list(&self, _: &str) -> Result<Vec<Found>, ReadError> {
            Ok(Vec::new())
        }

        fn read(&self, _: &str, _: usize) -> Result<Vec<u8>, ReadError> {
            Err(ReadError::Missing)
        }

        fn variable(&self, name: &str) -> Option<String> {
            self.0.filter(|_| name == VARIABLE).map(str::to_owned)
        }

        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
    }

    #[test]
    fn a58_nothing_but_variables_made_for_it_unless_the_operator_says_so() {
        let gate = Gate::new(&Env(None), &[]);
        assert!(gate.refuses("env:TIELINE_SECRET_A").is_none());
        for uri in ["env:PATH", "env:AWS_SECRET_ACCESS_KEY", "vault://kv/a#b", "file:a", "op://a/b/c", "awssm://x"] {
            assert!(gate.refuses(uri).is_some(), "{uri}");
        }
        let gate = Gate::new(&Env(Some("vault://kv/prod/* awssm://prod/*,env:X")), &["op://team/*".to_owned()]);
        for uri in ["vault://kv/prod/a#b", "awssm://prod/x", "env:X", "op://team/a/b"] {
            assert!(gate.refuses(uri).is_none(), "{uri}");
        }
        // A set pattern takes the default's place; a prefix is no match.
        for uri in ["vault://kv/dev/a#b", "env:XY", "env:TIELINE_SECRET_A", "xvault://kv/prod/a#b"] {
            assert!(gate.refuses(uri).is_some(), "{uri}");
        }
    }
}
