//! `secrets.sops.yaml` of a layer: opened with an identity, its MAC verified, its place checked.

use std::collections::BTreeMap;

use crate::secret::Secret;
use crate::secrets::recipients::name_of;
use crate::secrets::{Unopened, foreign, scope, unopened};
use crate::sops::{Encrypted, Identities, Map, Value};
use crate::workspace::secrets::SCOPE;
use crate::workspace::{Layer, Workspace};

/// Opens a layer's secrets.
///
/// # Errors
/// No identity fits, the file was changed, or it belongs to another place.
pub fn open(
    workspace: &Workspace,
    layer: &Layer,
    identities: &Identities,
) -> Result<BTreeMap<String, Secret<String>>, Unopened> {
    let Some(file) = &layer.secrets else { return Ok(BTreeMap::new()) };
    let source = workspace.sources.get(file.file);
    let data = Encrypted::parse(source.text()).and_then(|encrypted| encrypted.open(identities));
    let data = data.map_err(|error| unopened(source.path(), &error, &|key| name_of(workspace, key)))?;
    let id = workspace.root.settings.id.unwrap_or_default();
    take(data, &scope(id, &layer.path)).map_err(|found| foreign(source.path(), &found))
}

/// The values of an opened file; `Err` with the place that it belongs to, if that is another.
fn take(data: Vec<Map>, expected: &str) -> Result<BTreeMap<String, Secret<String>>, String> {
    let mut values = BTreeMap::new();
    for (name, value) in data.into_iter().flatten() {
        let Value::Str(value) = value else { continue };
        if name != SCOPE {
            values.insert(name, value);
        } else if value.expose() != expected {
            return Err(value.expose().clone());
        }
    }
    Ok(values)
}
