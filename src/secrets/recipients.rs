//! Who a layer's secrets are sealed to, by name.

use std::collections::BTreeSet;

use super::change::{Sealing, belongs, renewed};
use super::{Unopened, foreign, scope, unopened};
use crate::sops::{Encrypted, Identities, Map, Recipient, SopsError};
use crate::workspace::{Layer, Workspace};

/// A recipient and the name that the workspace has for it.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Its key.
    pub recipient: Recipient,
}

/// The recipients in force at the top of a stack.
///
/// # Errors
/// The name of one that has no usable key.
pub fn of(stack: &[&Layer]) -> Result<Vec<Named>, String> {
    let one = |name: &str| {
        let key = Workspace::public_key(stack, name).and_then(|key| key.parse().ok());
        key.map(|recipient| Named { name: name.to_owned(), recipient }).ok_or_else(|| name.to_owned())
    };
    Workspace::recipients(stack).iter().map(|name| one(&name.value)).collect()
}

/// A recipient of a layer who can't decrypt its file yet.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Who.
    pub named: Named,
    /// The file says that they can.
    pub claimed: bool,
}

/// Those of `wanted` who are not among `known`, the recipients who could decrypt the file before.
pub fn newcomers(file: &Encrypted<'_>, wanted: &[Named], known: &BTreeSet<&str>) -> Vec<Newcomer> {
    let claimed = |key: &str| file.metadata().recipients.iter().any(|entry| entry.recipient.trim() == key);
    let new = wanted.iter().filter(|named| !known.contains(named.recipient.as_str()));
    new.map(|named| Newcomer { named: named.clone(), claimed: claimed(named.recipient.as_str()) }).collect()
}

/// The keys alone.
pub fn keys(named: &[Named]) -> Vec<Recipient> {
    named.iter().map(|named| named.recipient.clone()).collect()
}

/// The name that some layer has for a key.
pub fn name_of(workspace: &Workspace, key: &str) -> Option<String> {
    let mut names = workspace.layers().flat_map(|layer| &layer.settings.keys);
    names.find(|(_, known)| known.value.trim() == key.trim()).map(|(name, _)| name.to_string())
}

/// How the recipients of a file differ from those of its layer: names (or keys) that are missing, and that are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// The layer's recipients that the file is not sealed to.
    pub missing: Vec<String>,
    /// Those that it is sealed to all the same.
    pub extra: Vec<String>,
}

impl Drift {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty()
    }
}

/// Compares a file with what its layer says.
pub fn drift(workspace: &Workspace, file: &Encrypted<'_>, wanted: &[Named]) -> Drift {
    let now: Vec<&str> = file.metadata().recipients.iter().map(|entry| entry.recipient.trim()).collect();
    let missing = wanted.iter().filter(|named| !now.contains(&named.recipient.as_str()));
    let extra = now.iter().filter(|key| !wanted.iter().any(|named| named.recipient.as_str() == **key));
    Drift {
        missing: missing.map(|named| named.name.clone()).collect(),
        extra: extra.map(|key| name_of(workspace, key).unwrap_or_else(|| (*key).to_owned())).collect(),
    }
}

/// A layer's secrets file that is to be sealed to others than it is.
pub struct Rewrap<'w> {
    /// Its path.
    pub path: &'w str,
    /// Its text.
    pub text: &'w str,
    /// Its layer's folder.
    pub layer: String,
    /// [`super::scope`] of its layer.
    pub scope: String,
    /// Whom it is to be sealed to.
    pub to: Vec<Named>,
    /// How what it says differs from that.
    pub drift: Drift,
    /// Somebody else may know its data key: it is not kept.
    pub renew: bool,
}

/// Every secrets file of a workspace whose recipients are not those of its layer.
pub fn drifted(workspace: &Workspace) -> Vec<Rewrap<'_>> {
    let mut drifted = Vec::new();
    for (layer, stack) in workspace.layers_with_stacks() {
        let Some(file) = &layer.secrets else { continue };
        let source = workspace.sources.get(file.file);
        let (Ok(to), Ok(encrypted)) = (of(&stack), Encrypted::parse(source.text())) else { continue };
        let drift = drift(workspace, &encrypted, &to);
        if !drift.is_none() && !to.is_empty() {
            let scope = scope(workspace.root.settings.id.unwrap_or_default(), &layer.path);
            let (path, text, layer) = (source.path(), source.text(), layer.path.to_string());
            drifted.push(Rewrap { path, text, layer, scope, to, drift, renew: false });
        }
    }
    drifted
}

/// How files are sealed to others.
pub struct Manner<'m> {
    /// Who opens them.
    pub identities: &'m Identities,
    /// A new data key, with every value sealed anew; else the old one, wrapped for others.
    pub rotate: bool,
    /// RFC 3339, whole seconds, `Z`.
    pub time: &'m str,
}

/// Opens files, to see whether they do; on all cores.
///
/// # Errors
/// Every file that does not open.
pub fn openable(workspace: &Workspace, files: &[Rewrap<'_>], identities: &Identities) -> Result<(), Vec<Unopened>> {
    let opened = crate::parallel::map(files, |_, file| {
        let name_of = |key: &str| name_of(workspace, key);
        let opened = Encrypted::parse(file.text).and_then(|encrypted| encrypted.open(identities));
        opened.map(drop).map_err(|error| unopened(file.path, &error, &name_of))
    });
    let failed: Vec<Unopened> = opened.into_iter().filter_map(Result::err).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}

/// The texts of files, sealed to others; on all cores.
///
/// # Errors
/// Every file that does not open.
pub fn rewrap(
    workspace: &Workspace,
    files: &[Rewrap<'_>],
    manner: &Manner<'_>,
) -> Result<Vec<(String, String)>, Vec<Unopened>> {
    let one = |_: usize, file: &Rewrap<'_>| {
        let name_of = |key: &str| name_of(workspace, key);
        let failed = |error: &SopsError| unopened(file.path, error, &name_of);
        let sealing = Sealing {
            text: Some(file.text),
            path: file.path,
            scope: &file.scope,
            recipients: &keys(&file.to),
            renew: true,
            time: manner.time,
            name_of: &name_of,
        };
        let encrypted = Encrypted::parse(file.text).map_err(|e| failed(&e))?;
        // A file that was copied here from another layer would hand that one's values to this one's recipients.
        if manner.rotate || file.renew {
            let mut clear = encrypted.clear(manner.identities).map_err(|e| failed(&e))?;
            belongs(clear.data(), &sealing)?;
            return Ok((file.path.to_owned(), renewed(&encrypted, &mut clear, &sealing)?));
        }
        let mine = |data: &[Map]| belongs(data, &sealing).is_ok();
        let text = encrypted.rewrap_if(manner.identities, sealing.recipients, &mine).map_err(|e| failed(&e))?;
        match text {
            Some(text) => Ok((file.path.to_owned(), text)),
            None => {
                let opened = encrypted.open(manner.identities).map_err(|e| failed(&e))?;
                Err(belongs(&opened, &sealing).err().unwrap_or_else(|| foreign(file.path, "")))
            }
        }
    };
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for result in crate::parallel::map(files, one) {
        match result {
            Ok(file) => done.push(file),
            Err(error) => failed.push(error),
        }
    }
    if failed.is_empty() { Ok(done) } else { Err(failed) }
}
