//! Which layers stand on which: the stacks of environments, profiles and customers, lowest layer first.
//!
//! root · the `extends` chain, farthest first · the environment · the profiles of one name along that chain · the
//! customer · what differs for the customer in each environment of the chain · the customer's profile.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::discover::is_segment;
use super::{Layer, Workspace};

/// What is compiled together and deployed under one head: an environment, with a profile where one is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The environment.
    pub environment: Arc<str>,
    /// The profile.
    pub profile: Option<Arc<str>>,
    /// Only what is exposed under this name: a bundle of its own.
    pub expose: Option<Arc<str>>,
}

impl At {
    /// An environment without a profile.
    pub fn plain(environment: &Arc<str>) -> Self {
        Self { environment: environment.clone(), profile: None, expose: None }
    }
}

impl At {
    /// The one of this name, as it is displayed and as files of it are named.
    pub fn named(name: &str) -> Option<Self> {
        let (rest, profile) = name.split_once('+').map_or((name, None), |(rest, profile)| (rest, Some(profile.into())));
        let (environment, expose) =
            rest.split_once('@').map_or((rest, None), |(rest, expose)| (rest, Some(expose.into())));
        let plain = [Some(environment), profile.as_deref(), expose.as_deref()];
        let is_plain = plain.into_iter().flatten().all(is_segment);
        is_plain.then(|| Self { environment: environment.into(), profile, expose })
    }

    /// The environment as bundles and heads name it: `prod`, or `prod@embedded` for what is exposed alone.
    pub fn deployment(&self) -> String {
        match &self.expose {
            Some(expose) => format!("{}@{expose}", self.environment),
            None => self.environment.to_string(),
        }
    }

    /// The words that name it on a command line: `prod --profile test`.
    pub fn typed(&self) -> String {
        let option = |name: &str, value: &Option<Arc<str>>| value.as_ref().map(|value| format!(" --{name} {value}"));
        let [profile, expose] = [option("profile", &self.profile), option("expose", &self.expose)];
        format!("{}{}{}", self.environment, profile.unwrap_or_default(), expose.unwrap_or_default())
    }
}

/// `prod`, or `prod+test` with a profile.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.deployment())?;
        match &self.profile {
            Some(profile) => write!(f, "+{profile}"),
            None => Ok(()),
        }
    }
}

/// Environments that may stand on each other.
pub const MAX_CHAIN: usize = 64;

impl Workspace {
    /// An environment and what it extends, farthest first.
    ///
    /// Unknown and circular `extends` end the chain; of one that is too long the environment alone is left. Reading the
    /// workspace tells all of them.
    pub fn chain(&self, environment: &str) -> Vec<&Layer> {
        let mut chain: Vec<&Layer> = Vec::new();
        let mut next = self.environments.get(environment);
        while let Some(layer) = next {
            if chain.iter().any(|known| std::ptr::eq(*known, layer)) {
                break;
            }
            if chain.len() == MAX_CHAIN {
                chain.truncate(1);
                break;
            }
            chain.push(layer);
            next = layer.settings.extends.as_ref().and_then(|e| self.environments.get(&e.value));
        }
        chain.reverse();
        chain
    }

    /// The environments that are compiled and deployed: those that aren't abstract.
    pub fn concrete(&self) -> impl Iterator<Item = &Arc<str>> {
        self.environments.iter().filter(|(_, layer)| !layer.settings.is_abstract).map(|(name, _)| name)
    }

    /// Whether there is an environment of this name that isn't abstract.
    pub fn has_environment(&self, name: &str) -> bool {
        self.environments.get(name).is_some_and(|layer| !layer.settings.is_abstract)
    }

    /// The environments that stand on this one, directly or through others, and aren't abstract.
    pub fn built_on(&self, name: &str) -> Vec<&str> {
        let on = |other: &&Arc<str>| self.chain(other).iter().any(|layer| layer.name() == name);
        self.concrete().filter(on).map(|other| &**other).collect()
    }

    /// Whether an environment is protected: as the nearest of its chain says that says anything.
    pub fn is_protected(&self, environment: &str) -> bool {
        is_protected(&self.chain(environment))
    }

    /// The layers that all customers share, lowest first.
    pub fn stack(&self, at: &At) -> Vec<&Layer> {
        let chain = self.chain(&at.environment);
        let profiles = chain.iter().filter_map(|layer| layer.profiles.get(at.profile.as_ref()?));
        std::iter::once(&self.root).chain(chain.iter().copied()).chain(profiles).collect()
    }

    /// The layers of a customer alone, lowest first: they stand on [`Workspace::stack`].
    pub fn customer_layers(&self, at: &At, customer: &str) -> Vec<&Layer> {
        let Some(layer) = self.customers.get(customer) else { return Vec::new() };
        let chain = self.chain(&at.environment);
        let environments = chain.iter().filter_map(|l| layer.environments.get(l.name()));
        let profile = at.profile.as_ref().and_then(|profile| layer.profiles.get(profile));
        std::iter::once(layer).chain(environments).chain(profile).collect()
    }

    /// Whether a profile uses the secrets of its environment too, as its own settings say, or for a customer's instance those
    /// of the customer's profile. A profile of an environment below says nothing of it.
    pub fn inherits_secrets(&self, at: &At, customer: Option<&str>) -> bool {
        let owners = [self.environments.get(&at.environment), customer.and_then(|name| self.customers.get(name))];
        let profile =
            |layer: &Layer| layer.profiles.get(at.profile.as_ref()?).map(|profile| profile.settings.inherit_secrets);
        owners.into_iter().flatten().any(|layer| profile(layer) == Some(true))
    }

    /// The layers of an instance: those that all share, and those of its customer.
    pub fn stack_of(&self, at: &At, customer: Option<&str>) -> Vec<&Layer> {
        let mut stack = self.stack(at);
        stack.extend(customer.into_iter().flat_map(|customer| self.customer_layers(at, customer)));
        stack
    }

    /// Everything that can be compiled: every environment, alone and with each profile that one of its layers has.
    pub fn everywhere(&self) -> Vec<At> {
        let mut all = Vec::new();
        for environment in self.concrete() {
            all.push(At::plain(environment));
            let profiles = self.profiles(environment).into_iter().cloned();
            all.extend(profiles.map(|profile| At {
                environment: environment.clone(),
                profile: Some(profile),
                expose: None,
            }));
        }
        all
    }

    /// The names of the profiles that an environment can be compiled with.
    pub fn profiles(&self, environment: &str) -> BTreeSet<&Arc<str>> {
        let layers = self.chain(environment).into_iter().chain(self.customers.values());
        layers.flat_map(|layer| layer.profiles.keys()).collect()
    }

    /// The customers that an environment has, by name.
    pub fn customers_in<'w>(&'w self, environment: &'w str) -> impl Iterator<Item = (&'w Arc<str>, &'w Layer)> {
        self.customers.iter().filter(move |(_, layer)| layer.is_in(environment))
    }

    /// Every layer, the root first.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        let tops = self.environments.values().chain(self.customers.values());
        std::iter::once(&self.root).chain(tops.flat_map(Layer::with_sublayers))
    }

    /// Every layer with the stack that it is the top of.
    pub fn layers_with_stacks(&self) -> Vec<(&Layer, Vec<&Layer>)> {
        let mut all = vec![(&self.root, vec![&self.root])];
        for (name, layer) in &self.environments {
            let stack = self.stack(&At::plain(name));
            for profile in layer.profiles.values() {
                all.push((profile, stack.iter().copied().chain([profile]).collect()));
            }
            all.push((layer, stack));
        }
        for customer in self.customers.values() {
            all.push((customer, vec![&self.root, customer]));
            for (name, layer) in &customer.environments {
                let below = self.stack(&At::plain(name));
                all.push((layer, below.into_iter().chain([customer, layer]).collect()));
            }
            all.extend(customer.profiles.values().map(|profile| (profile, vec![&self.root, customer, profile])));
        }
        all
    }

    /// Whether all layers of an environment are known: each has settings that could be read, and the chain ends at the
    /// root. Where not, that was told, and what is missing in the environment is not to blame.
    pub fn is_complete(&self, environment: &str) -> bool {
        let chain = self.chain(environment);
        let lowest = chain.first().and_then(|l| l.settings.extends.as_ref());
        lowest.is_none() && !self.root.unusable && chain.iter().all(|layer| !layer.unusable)
    }
}

/// Whether a stack, lowest layer first, is that of a protected environment.
pub fn is_protected(stack: &[&Layer]) -> bool {
    stack.iter().rev().find_map(|layer| layer.settings.protected).unwrap_or(false)
}

impl Layer {
    /// The last segment of its path: the name of the environment, customer or profile.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// Whether an environment has it, if it is a customer's.
    pub fn is_in(&self, environment: &str) -> bool {
        let listed = self.settings.environments.as_ref();
        listed.is_none_or(|list| list.iter().any(|e| &*e.value == environment))
    }

    /// Whether it is a profile, of an environment or a customer.
    pub fn is_profile(&self) -> bool {
        self.path.contains("/profiles/")
    }

    /// Whether it belongs to a customer.
    pub fn is_customers(&self) -> bool {
        self.path.starts_with("customers/")
    }

    /// The path of a file in this layer.
    pub fn file(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// The layer and those within it.
    pub(super) fn with_sublayers(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.environments.values()).chain(self.profiles.values())
    }
}
