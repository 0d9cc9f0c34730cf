//! Where the values of secrets come from: one file a kind of store.
//!
//! Nothing here runs for `validate`, `render` or `plan`; only what seals a bundle or edits secrets opens a store. The
//! repository names secrets; identities, endpoints, credentials and programs come from the operator alone.

mod awssm;
mod env;
mod file;
pub mod gate;
pub mod identities;
pub mod signer;
mod op;
pub mod sops_file;
mod vault;

use std::collections::{BTreeMap, BTreeSet};

use crate::secret::Secret;
use crate::secrets::Unopened;
use crate::sops::Identities;
use crate::workspace::stores::Address;
use crate::workspace::{Layer, Workspace};
use crate::world::World;
use gate::Gate;

/// A kind of store.
pub trait Provider: Sync {
    /// The scheme of its addresses.
    fn scheme(&self) -> &'static str;

    /// Gets what is at an address, all fields of it: a text, or JSON that holds texts.
    ///
    /// # Errors
    /// Words for people that hold no value and no response.
    fn fetch(&self, address: &Address<'_>, world: &dyn World) -> Result<Secret<String>, Fault>;

    /// Picks the field that an address names out of what was there.
    ///
    /// # Errors
    /// There is no such field.
    fn pick(&self, address: &Address<'_>, found: &Secret<String>) -> Result<Secret<String>, Fault> {
        let Some(field) = address.field else { return Ok(Secret::new(found.expose().clone())) };
        pick_json(field, found)
    }
}

/// Every kind: one line here and one file beside this.
const PROVIDERS: &[&dyn Provider] = &[&env::Env, &file::File, &vault::Vault, &awssm::AwsSm, &op::Op];

/// Why a secret could not be had.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub help: String,
}

impl Fault {
    fn new(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: help.into() }
    }
}

/// How many stores are asked at once.
const AT_ONCE: usize = 8;

/// The values of secrets, opened.
#[derive(Default)]
pub struct Opened {
    layers: BTreeMap<String, BTreeMap<String, Secret<String>>>,
    stores: BTreeMap<String, Secret<String>>,
}

impl Opened {
    /// Opens the secrets files of these layers.
    ///
    /// # Errors
    /// Every file that could not be opened, each with the reason.
    pub fn open(workspace: &Workspace, layers: &[&Layer], identities: &Identities) -> Result<Self, Vec<Unopened>> {
        let mut opened = Self::default();
        let mut failed = Vec::new();
        let results = crate::parallel::map(layers, |_, layer| sops_file::open(workspace, layer, identities));
        for (layer, result) in layers.iter().zip(results) {
            match result {
                Ok(values) => {
                    opened.layers.insert(layer.path.to_string(), values);
                }
                Err(reason) => failed.push(reason),
            }
        }
        if failed.is_empty() { Ok(opened) } else { Err(failed) }
    }

    /// Asks the stores for these addresses: all that the gate lets through, several at once, each resource once.
    ///
    /// # Errors
    /// Every address that could not be had, each with the reason. One that the gate does not let through keeps all others
    /// from being asked.
    pub fn ask(&mut self, uris: &BTreeSet<&str>, gate: &Gate, world: &dyn World) -> Result<(), Vec<Unopened>> {
        let mut failed: Vec<Unopened> = uris.iter().filter_map(|uri| gate.refuses(uri)).collect();
        let mut resources: BTreeMap<&str, Vec<Address<'_>>> = BTreeMap::new();
        for uri in uris {
            match Address::parse(uri) {
                Ok(address) => resources.entry(address.resource()).or_default().push(address),
                Err(form) => failed.push(unopened(uri, Fault::new("this is no address of a secret", form))),
            }
        }
        if !failed.is_empty() {
            return Err(failed);
        }
        let resources: Vec<Vec<Address<'_>>> = resources.into_values().collect();
        // Waiting, not computing: a thread for each, in rounds.
        for round in resources.chunks(AT_ONCE) {
            let results: Vec<_> = std::thread::scope(|scope| {
                let ask = |addresses| scope.spawn(move || one(addresses, world));
                let threads: Vec<_> = round.iter().map(ask).collect();
                threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
            });
            for result in results {
                for (uri, value) in result.unwrap_or_default() {
                    match value {
                        Ok(value) => _ = self.stores.insert(uri, value),
                        Err(fault) => failed.push(unopened(&uri, fault)),
                    }
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// The value of a secret of a layer, copied for one use.
    pub fn value(&self, layer: &str, name: &str) -> Option<Secret<String>> {
        let value = self.layers.get(layer)?.get(name)?;
        Some(Secret::new(value.expose().clone()))
    }

    /// The value at an address, copied for one use.
    pub fn stored(&self, uri: &str) -> Option<Secret<String>> {
        let value = self.stores.get(uri)?;
        Some(Secret::new(value.expose().clone()))
    }
}

type Answer = (String, Result<Secret<String>, Fault>);

/// The values of addresses that share a resource.
fn one(addresses: &Vec<Address<'_>>, world: &dyn World) -> Vec<Answer> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let provider = PROVIDERS.iter().find(|provider| provider.scheme() == first.scheme);
    let found = match provider {
        Some(provider) => provider.fetch(first, world),
        None => Err(Fault::new("no store is known by this scheme", "")),
    };
    let value = |address: &Address<'_>| {
        let value = match (&found, provider) {
            (Ok(found), Some(provider)) => provider.pick(address, found),
            (Err(fault), _) => Err(fault.clone()),
            (Ok(_), None) => Err(Fault::new("no store is known by this scheme", "")),
        };
        let value = value.and_then(|value| match value.expose().is_empty() {
            true => Err(Fault::new("the value is empty", "set it in the store")),
            false => Ok(value),
        });
        (address.uri.to_owned(), value)
    };
    addresses.iter().map(value).collect()
}

fn unopened(uri: &str, fault: Fault) -> Unopened {
    Unopened { path: uri.to_owned(), reason: fault.reason, help: fault.help, integrity: false }
}

/// A field of a JSON object: a text as it is, a number or `true` as JSON writes it.
fn pick_json(field: &str, found: &Secret<String>) -> Result<Secret<String>, Fault> {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(found.expose());
    let Ok(serde_json::Value::Object(mut fields)) = parsed else {
        return Err(Fault::new("what is there is no JSON object, so it has no fields", "leave the `#FIELD` out"));
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    let value = fields.remove(field);
    // What else is there is secret as well.
    fields.into_iter().for_each(|(_, value)| wipe(value));
    match value {
        Some(serde_json::Value::String(text)) => Ok(Secret::new(text)),
        Some(serde_json::Value::Null) | None => {
            let near = crate::diagnostic::nearest(field, names.iter().map(String::as_str));
            let help = near.map_or_else(
                || format!("it has {}", crate::diagnostic::listed(names.iter().map(String::as_str), 12)),
                |near| format!("did you mean `#{near}`?"),
            );
            Err(Fault::new(format!("there is no field `{field}`"), help))
        }
        Some(serde_json::Value::Bool(value)) => Ok(Secret::new(value.to_string())),
        Some(serde_json::Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(Secret::new(number.to_string()))
        }
        // It may have had more digits than a float has.
        Some(serde_json::Value::Number(_)) => Err(Fault::new(
            format!("the field `{field}` is a number that is not whole, or too large"),
            "store it as a text",
        )),
        // Sealed as a text it would be what nobody meant, or all of a secret by another name.
        Some(other) => {
            let what = if other.is_array() { "a list" } else { "an object" };
            wipe(other);
            Err(Fault::new(format!("the field `{field}` is {what}"), "name a field that holds a text"))
        }
    }
}

fn wipe(value: serde_json::Value) {
    match value {
        serde_json::Value::String(text) => drop(Secret::new(text)),
        serde_json::Value::Array(items) => items.into_iter().for_each(wipe),
        serde_json::Value::Object(fields) => fields.into_iter().for_each(|(_, value)| wipe(value)),
        _ => {}
    }
}

/// What the operator says of connections to stores.
fn way(world: &dyn World, certificates: &[&str]) -> Result<crate::world::http::Way, Fault> {
    let named = certificates.iter().find_map(|name| Some((name, world.variable(name)?)));
    let pem = match named {
        None => None,
        Some((name, path)) => {
            let text = crate::world::disk::read_private(std::path::Path::new(&path), 1 << 20);
            let text = text.map_err(|_| Fault::new(format!("the file that {name} names can't be read"), ""))?;
            Some(text.expose().clone())
        }
    };
    Ok(crate::world::http::Way {
        certificates: pem,
        proxy: world.variable("TIELINE_SECRETS_PROXY"),
        insecure: world.variable("TIELINE_SECRETS_INSECURE_HTTP").as_deref() == Some("1"),
        ..crate::world::http::Way::default()
    })
}
