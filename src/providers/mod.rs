//! Where the values of secrets come from: one file a kind of store.
//!
//! Nothing here runs for `validate`, `render` or `plan`; only what seals a bundle or edits secrets opens a store. The
//! repository names secrets; identities and endpoints come from the operator alone.

pub mod identities;
pub mod sops_file;

use std::collections::BTreeMap;

use crate::secret::Secret;
use crate::secrets::Unopened;
use crate::sops::Identities;
use crate::workspace::{Layer, Workspace};

/// The secrets files of some layers, opened.
#[derive(Default)]
pub struct Opened {
    layers: BTreeMap<String, BTreeMap<String, Secret<String>>>,
}

impl Opened {
    /// Opens the secrets files of these layers.
    ///
    /// # Errors
    /// Every file that could not be opened, each with the reason.
    pub fn open(workspace: &Workspace, layers: &[&Layer], identities: &Identities) -> Result<Self, Vec<Unopened>> {
        let mut opened = Self::default();
        let mut failed = Vec::new();
        for layer in layers {
            match sops_file::open(workspace, layer, identities) {
                Ok(values) => {
                    opened.layers.insert(layer.path.to_string(), values);
                }
                Err(reason) => failed.push(reason),
            }
        }
        if failed.is_empty() { Ok(opened) } else { Err(failed) }
    }

    /// The value of a secret of a layer, copied for one use.
    pub fn value(&self, layer: &str, name: &str) -> Option<Secret<String>> {
        let value = self.layers.get(layer)?.get(name)?;
        Some(Secret::new(value.expose().clone()))
    }
}
