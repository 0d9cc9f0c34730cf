//! Path -> what the file is: a pure function of the path, so that the shape of a workspace stands in one place.

use crate::world::{Found, Kind};

/// Folders of connections, credentials and consumers, in any layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `connections/`
    Connections,
    /// `credentials/`
    Credentials,
    /// `consumers/`
    Consumers,
}

impl Family {
    /// The folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Credentials => "credentials",
            Self::Consumers => "consumers",
        }
    }

    /// What one file in it is, for messages.
    pub fn one(self) -> &'static str {
        match self {
            Self::Connections => "connection",
            Self::Credentials => "credential",
            Self::Consumers => "consumer",
        }
    }
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// `tieline.yaml`.
    Workspace,
    /// `environment.yaml` of an environment, or of a customer in one.
    Environment,
    /// `customers/C/customer.yaml`.
    Customer,
    /// `profile.yaml` of a profile.
    Profile,
    /// One connection, credential or consumer.
    Item(Family, Box<str>),
    /// `secrets.sops.yaml`.
    Secrets,
    /// `connectors/ID.json`.
    Connector(Box<str>),
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A README, which people may put anywhere.
    Ignored,
    /// No regular file.
    NotAFile,
    /// `.yml`.
    Extension,
    /// A path that is no id, with the segment at fault.
    Id(String),
    /// It has no place here; the text says what has.
    Stray(String),
}

/// What lies at the top of a workspace; nothing else is looked at.
pub const TOP: &[&str] = &[
    "tieline.yaml",
    "secrets.sops.yaml",
    "connections",
    "connectors",
    "consumers",
    "credentials",
    "customers",
    "environments",
];

/// The layer that a file belongs to (`""` is the root, else its folder, such as `environments/E`) and its role.
///
/// # Errors
/// The reason why the file is not used.
pub fn classify(found: &Found) -> Result<(Box<str>, Role), Refusal> {
    let name = found.path.rsplit('/').next().unwrap_or(&found.path);
    if name.starts_with("README") && found.path.contains('/') {
        return Err(Refusal::Ignored);
    }
    if !found.utf8 {
        return Err(Refusal::Id(name.to_owned()));
    }
    if found.kind != Kind::File {
        return Err(Refusal::NotAFile);
    }
    let segments: Vec<&str> = found.path.split('/').collect();
    match segments.as_slice() {
        ["tieline.yaml"] => Ok(("".into(), Role::Workspace)),
        ["connectors", rest @ ..] => connector(rest).map(|role| ("".into(), role)),
        ["environments", _] => Err(Refusal::Stray("an environment is a folder: environments/NAME/".into())),
        ["customers", _] => Err(Refusal::Stray("a customer is a folder: customers/NAME/customer.yaml".into())),
        ["environments", name, rest @ ..] => in_environment(name, rest),
        ["customers", name, rest @ ..] => in_customer(name, rest),
        rest => item(rest).map(|role| ("".into(), role)),
    }
}

/// What lies in `environments/E/`.
fn in_environment(name: &str, rest: &[&str]) -> Result<(Box<str>, Role), Refusal> {
    check_segment(name)?;
    let path = format!("environments/{name}");
    match rest {
        ["profiles", profile, below @ ..] => sublayer(&path, "profiles", profile, below, Role::Profile),
        ["profiles"] => Err(Refusal::Stray("a profile is a folder: profiles/NAME/".into())),
        rest => Ok((path.into(), settings_or_item(rest, Role::Environment)?)),
    }
}

/// What lies in `customers/C/`.
fn in_customer(name: &str, rest: &[&str]) -> Result<(Box<str>, Role), Refusal> {
    check_segment(name)?;
    let path = format!("customers/{name}");
    match rest {
        ["environments", environment, below @ ..] => {
            sublayer(&path, "environments", environment, below, Role::Environment)
        }
        ["profiles", profile, below @ ..] => sublayer(&path, "profiles", profile, below, Role::Profile),
        ["environments" | "profiles"] => {
            Err(Refusal::Stray("one folder each: environments/NAME/, profiles/NAME/".into()))
        }
        rest => Ok((path.into(), settings_or_item(rest, Role::Customer)?)),
    }
}

/// A layer within a layer: a profile of an environment or customer, or what differs for a customer in an environment.
fn sublayer(above: &str, kind: &str, name: &str, rest: &[&str], settings: Role) -> Result<(Box<str>, Role), Refusal> {
    if rest.is_empty() {
        return Err(Refusal::Stray(format!("{kind}/ holds one folder each: {kind}/NAME/")));
    }
    check_segment(name)?;
    Ok((format!("{above}/{kind}/{name}").into(), settings_or_item(rest, settings)?))
}

/// The settings file of a layer, or anything else in it.
fn settings_or_item(rest: &[&str], settings: Role) -> Result<Role, Refusal> {
    let name = match settings {
        Role::Customer => "customer",
        Role::Profile => "profile",
        _ => "environment",
    };
    match rest {
        [file] if file.strip_suffix(".yaml") == Some(name) => Ok(settings),
        [file] if file.strip_suffix(".yml") == Some(name) => Err(Refusal::Extension),
        rest => item(rest),
    }
}

fn item(segments: &[&str]) -> Result<Role, Refusal> {
    let (family, rest) = match segments {
        ["secrets.sops.yaml"] => return Ok(Role::Secrets),
        ["secrets.sops.yml"] => return Err(Refusal::Extension),
        ["connections", rest @ ..] => (Family::Connections, rest),
        ["credentials", rest @ ..] => (Family::Credentials, rest),
        ["consumers", rest @ ..] => (Family::Consumers, rest),
        _ => {
            let known = "a layer holds connections/, credentials/, consumers/, secrets.sops.yaml and its settings file";
            return Err(Refusal::Stray(known.into()));
        }
    };
    Ok(Role::Item(family, id(rest, ".yaml")?))
}

fn connector(rest: &[&str]) -> Result<Role, Refusal> {
    match rest {
        [name] if name.ends_with(".json") => Ok(Role::Connector(id(rest, ".json")?)),
        _ => Err(Refusal::Stray("connectors/ holds one JSON Schema a connector: connectors/ID.json".into())),
    }
}

fn id(segments: &[&str], extension: &str) -> Result<Box<str>, Refusal> {
    let (last, folders) = segments.split_last().ok_or_else(|| Refusal::Id(String::new()))?;
    let Some(last) = last.strip_suffix(extension) else {
        let yml = last.ends_with(".yml");
        return Err(if yml { Refusal::Extension } else { Refusal::Stray(format!("only {extension} files go here")) });
    };
    for segment in folders.iter().copied().chain([last]) {
        check_segment(segment)?;
    }
    // Beside a file of that name, which another layer may have, no such folder could be deployed.
    if let Some(folder) = folders.iter().find(|folder| folder.ends_with(".yaml")) {
        return Err(Refusal::Id((*folder).to_owned()));
    }
    let mut id = segments.join("/");
    id.truncate(id.len() - extension.len());
    Ok(id.into())
}

fn check_segment(segment: &str) -> Result<(), Refusal> {
    if is_segment(segment) { Ok(()) } else { Err(Refusal::Id(segment.to_owned())) }
}

/// One segment of an id: `[a-z0-9][a-z0-9._-]{0,62}`.
pub fn is_segment(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut bytes = text.bytes();
    bytes.next().is_some_and(alphanumeric)
        && text.len() <= 63
        && bytes.all(|b| alphanumeric(b) || matches!(b, b'.' | b'_' | b'-'))
}

/// A whole id: segments joined by `/`, none but the last ending in `.yaml`.
pub fn is_id(text: &str) -> bool {
    text.split('/').all(is_segment) && !text.contains(".yaml/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(path: &str) -> Result<(Box<str>, Role), Refusal> {
        classify(&Found { path: path.into(), utf8: true, kind: Kind::File })
    }

    #[test]
    fn z01_an_id_is_the_path_of_the_file() {
        let warehouse = Role::Item(Family::Connections, "finance/warehouse".into());
        assert_eq!(role("connections/finance/warehouse.yaml"), Ok(("".into(), warehouse.clone())));
        let overlay = role("environments/dev/connections/finance/warehouse.yaml");
        assert_eq!(overlay, Ok(("environments/dev".into(), warehouse)));
    }

    #[test]
    fn what_has_no_place_is_refused() {
        assert_eq!(role("connections/a.yml"), Err(Refusal::Extension));
        assert_eq!(role("connections/A.yaml"), Err(Refusal::Id("A".into())));
        assert_eq!(role("connections/a@b.yaml"), Err(Refusal::Id("a@b".into())));
        assert_eq!(role("connections/README.md"), Err(Refusal::Ignored));
        assert!(matches!(role("environments/dev/notes.txt"), Err(Refusal::Stray(_))));
        assert!(matches!(role("connections/notes.txt"), Err(Refusal::Stray(_))));
    }
}
