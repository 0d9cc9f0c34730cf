//! Where sops looks for identities: variables, files, commands. Nothing is read here.

use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// A place where identities come from.
pub enum Source {
    /// The content of `SOPS_AGE_KEY`.
    Text(Secret<String>),
    /// A file of identities.
    File {
        /// Where it is.
        path: PathBuf,
        /// Named by a variable: its absence is an error, while that of a default place is not.
        named: bool,
    },
    /// A command line of `SOPS_AGE_KEY_CMD` or `SOPS_AGE_SSH_PRIVATE_KEY_CMD`: what it prints is an identity.
    Command {
        /// The variable.
        variable: &'static str,
        /// Split like a shell's line, and run by no shell.
        line: Secret<String>,
    },
}

/// Whose conventions decide where configuration lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// `$XDG_CONFIG_HOME` or `~/.config`.
    Unix,
    /// `$XDG_CONFIG_HOME` or `~/Library/Application Support`.
    MacOs,
    /// `%AppData%`.
    Windows,
}

impl System {
    /// The system that this was built for.
    pub fn here() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Unix
        }
    }
}

/// The sources of identities, in sops' order. `env` looks a variable up; an empty one counts as absent.
pub fn sources(env: impl Fn(&str) -> Option<String>, home: Option<&Path>, system: System) -> Vec<Source> {
    let env = |name| env(name).filter(|value| !value.is_empty());
    let command = |variable| env(variable).map(|line| Source::Command { variable, line: Secret::new(line) });
    let mut sources = Vec::new();
    let file = |path, named| Source::File { path, named };
    sources.extend(env("SOPS_AGE_SSH_PRIVATE_KEY_FILE").map(|path| file(path.into(), true)));
    sources.extend(command("SOPS_AGE_SSH_PRIVATE_KEY_CMD"));
    let ssh = home.map(|home| home.join(".ssh"));
    sources.extend(ssh.iter().flat_map(|ssh| ["id_ed25519", "id_rsa"].map(|key| file(ssh.join(key), false))));
    sources.extend(env("SOPS_AGE_KEY").map(|text| Source::Text(Secret::new(text))));
    sources.extend(env("SOPS_AGE_KEY_FILE").map(|path| file(path.into(), true)));
    sources.extend(command("SOPS_AGE_KEY_CMD"));
    let config = match system {
        System::Windows => env("AppData").map(PathBuf::from),
        System::Unix | System::MacOs => env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| {
            let below = if system == System::MacOs { "Library/Application Support" } else { ".config" };
            home.map(|home| home.join(below))
        }),
    };
    sources.extend(config.map(|config| file(config.join("sops/age/keys.txt"), false)));
    sources
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sources_come_in_sops_order() {
        let env = |name: &str| match name {
            "SOPS_AGE_KEY" => Some("KEY".to_owned()),
            "SOPS_AGE_KEY_FILE" => Some("/keys".to_owned()),
            "SOPS_AGE_KEY_CMD" => Some("cat".to_owned()),
            _ => None,
        };
        let names = |env: &dyn Fn(&str) -> Option<String>, system| -> Vec<String> {
            let show = |source| match source {
                Source::Text(text) => text.expose().clone(),
                Source::File { path, named } => format!("{} {named}", path.display()),
                Source::Command { variable, .. } => variable.to_owned(),
            };
            sources(env, Some(Path::new("/home/ana")), system).into_iter().map(show).collect()
        };
        assert_eq!(
            names(&env, System::Unix),
            [
                "/home/ana/.ssh/id_ed25519 false",
                "/home/ana/.ssh/id_rsa false",
                "KEY",
                "/keys true",
                "SOPS_AGE_KEY_CMD",
                "/home/ana/.config/sops/age/keys.txt false"
            ]
        );
        let mac = "/home/ana/Library/Application Support/sops/age/keys.txt false";
        assert_eq!(names(&|_| None, System::MacOs).last().map(String::as_str), Some(mac));
        assert_eq!(names(&|_| None, System::Windows).len(), 2);
        // An empty variable counts as unset.
        let empty = names(&|_| Some(String::new()), System::Unix);
        assert_eq!(empty, names(&|_| None, System::Unix));
        if cfg!(target_os = "linux") {
            assert_eq!(System::here(), System::Unix);
        }
    }
}
