//! `.sops.yaml`: who a new file is sealed to, by its path, and the same written.

use regex::{Regex, RegexBuilder};

use super::document::{self, Format, Item, Kind, Map, Node};
use super::emit::quoted;
use super::error::{ErrorKind, SopsError};
use super::rule::Rule;
use super::typing::Typed;

/// What a creation rule says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// The age recipients, as written.
    pub recipients: Vec<String>,
    /// What is to be encrypted; `None` is the default.
    pub rule: Option<Rule>,
    /// Whether the MAC is to cover encrypted leaves only.
    pub mac_only_encrypted: bool,
}

/// Kinds of master key that this module does not seal to.
const OTHERS: [&str; 7] = ["pgp", "kms", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri", "hckms", "key_groups"];

/// The rules of a `.sops.yaml`.
#[derive(Debug)]
pub struct Rules(Vec<CreationRule>);

#[derive(Debug)]
struct CreationRule {
    /// Which paths it fits; `None` is all.
    path: Result<Option<Regex>, SopsError>,
    creation: Result<Creation, SopsError>,
}

impl Rules {
    /// Reads them. What is wrong with one is an error where it is asked for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadConfig`] for what can't be read.
    pub fn parse(config: &str) -> Result<Self, SopsError> {
        let documents = document::parse(config, Format::Yaml)?;
        let bad = |what| SopsError::from(ErrorKind::BadConfig(what));
        let rules = documents.first().and_then(|document| document.root.get("creation_rules"));
        let Some(Kind::List(rules)) = rules.map(|rules| &rules.value.kind) else { return Err(bad("creation_rules")) };
        let one = |rule: &Item<'_>| {
            let Kind::Map(rule) = &rule.value.kind else { return Err(bad("creation_rules")) };
            let regex = |pattern: String| RegexBuilder::new(&pattern).size_limit(1 << 20).build();
            let path = text(rule, "path_regex")
                .and_then(|pattern| pattern.map(regex).transpose().map_err(|_| bad("path_regex")));
            let creation = match OTHERS.iter().find(|kind| rule.get(kind).is_some()) {
                Some(other) => Err(bad(other)),
                None => read(rule),
            };
            Ok(CreationRule { path, creation })
        };
        rules.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// What the first rule that fits `path`, which is relative to the folder of the file, says. `None` if none does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadConfig`] for a path that is no regular expression, and a rule that fits and names keys of a kind that is
    /// not supported.
    pub fn creation(&self, path: &str) -> Result<Option<&Creation>, SopsError> {
        for rule in &self.0 {
            let fits = rule.path.as_ref().map_err(Clone::clone)?.as_ref().is_none_or(|regex| regex.is_match(path));
            if fits {
                return rule.creation.as_ref().map(Some).map_err(Clone::clone);
            }
        }
        Ok(None)
    }
}

/// The first rule of a `.sops.yaml` that fits `path`, which is relative to its folder. `None` if none does.
///
/// # Errors
///
/// [`ErrorKind::BadConfig`] for what can't be read, a path that is no regular expression, and a rule that fits and names
/// keys of a kind that is not supported.
pub fn creation(config: &str, path: &str) -> Result<Option<Creation>, SopsError> {
    Rules::parse(config)?.creation(path).map(Option::<&Creation>::cloned)
}

fn read(map: &Map<'_>) -> Result<Creation, SopsError> {
    let bad = |what| SopsError::from(ErrorKind::BadConfig(what));
    let mut creation = Creation::default();
    if let Some(age) = map.get("age") {
        let texts: Vec<String> = match &age.value.kind {
            Kind::Scalar(_) => vec![string(&age.value).ok_or_else(|| bad("age"))?],
            Kind::List(items) => {
                items.iter().map(|item| string(&item.value)).collect::<Option<_>>().ok_or_else(|| bad("age"))?
            }
            Kind::Map(_) => return Err(bad("age")),
        };
        let one = texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty());
        creation.recipients = one.map(str::to_owned).collect();
    }
    for key in Rule::KEYS {
        let rule = text(map, key)?.filter(|text| !text.is_empty()).and_then(|text| Rule::from_block(key, text));
        if rule.is_some() && creation.rule.is_some() {
            return Err(ErrorKind::TwoRules.into());
        }
        creation.rule = creation.rule.or(rule);
    }
    if let Some(only) = map.get("mac_only_encrypted") {
        let Kind::Scalar(scalar) = &only.value.kind else { return Err(bad("mac_only_encrypted")) };
        let Ok(Typed::Bool(only)) = scalar.resolve() else { return Err(bad("mac_only_encrypted")) };
        creation.mac_only_encrypted = only;
    }
    Ok(creation)
}

fn text(map: &Map<'_>, key: &'static str) -> Result<Option<String>, SopsError> {
    let entry = map.get(key);
    let read = entry.map(|entry| string(&entry.value).ok_or(ErrorKind::BadConfig(key)));
    Ok(read.transpose()?)
}

fn string(node: &Node<'_>) -> Option<String> {
    match &node.kind {
        Kind::Scalar(scalar) if matches!(scalar.resolve(), Ok(Typed::Str)) => Some(scalar.text.to_string()),
        _ => None,
    }
}

/// Rules for files of exactly these paths, each sealed whole to these recipients.
pub fn write<'a>(files: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>) -> String {
    let mut out = String::from("creation_rules:\n");
    for (path, recipients) in files {
        let pattern = format!("^{}$", regex::escape(path));
        out.push_str(&format!("    - path_regex: {}\n", quoted(&pattern)));
        out.push_str("      encrypted_regex: \".*\"\n      age:\n");
        for recipient in recipients {
            out.push_str(&format!("        - {}\n", quoted(recipient)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_rule_that_fits_wins_and_one_without_a_path_fits_all() {
        let config = "creation_rules:\n  - path_regex: prod/.*\\.yaml$\n    age: 'a, b'\n    encrypted_regex: ^data$\n  \
                      - age: [c]\n    mac_only_encrypted: true\n";
        let prod = creation(config, "x/prod/a.yaml").unwrap().unwrap();
        assert_eq!(prod.recipients, ["a", "b"]);
        assert_eq!(prod.rule, Some(Rule::EncryptedRegex("^data$".into())));
        let other = creation(config, "dev/a.yaml").unwrap().unwrap();
        assert_eq!((other.recipients, other.mac_only_encrypted), (vec!["c".to_owned()], true));
    }

    #[test]
    fn what_is_written_is_read_and_fits_its_own_file_alone() {
        let config = write([("environments/a.b/secrets.sops.yaml", vec!["age1x", "ssh-ed25519 AAAA ana"])]);
        let found = creation(&config, "environments/a.b/secrets.sops.yaml").unwrap().unwrap();
        assert_eq!(found.recipients, ["age1x", "ssh-ed25519 AAAA ana"]);
        assert_eq!(found.rule, Some(Rule::EncryptedRegex(".*".into())));
        for other in ["environments/axb/secrets.sops.yaml", "x/environments/a.b/secrets.sops.yaml"] {
            assert_eq!(creation(&config, other).unwrap(), None);
        }
    }

    #[test]
    fn keys_of_other_kinds_and_odd_forms_are_refused() {
        let kind = |text: &str| creation(text, "a.yaml").unwrap_err().kind;
        assert_eq!(kind("a: 1\n"), ErrorKind::BadConfig("creation_rules"));
        assert_eq!(kind("creation_rules: [{pgp: x}]\n"), ErrorKind::BadConfig("pgp"));
        assert_eq!(kind("creation_rules: [{path_regex: '('}]\n"), ErrorKind::BadConfig("path_regex"));
        assert_eq!(kind("creation_rules: [{encrypted_regex: a, encrypted_suffix: b}]\n"), ErrorKind::TwoRules);
    }
}
