//! CODEOWNERS: who must review a change of what is sealed, of whom it is sealed to, and of each connection.
//!
//! Sealing says who may use a secret; the Git host, with these rules and a protected branch, says who may change it. A
//! line break or a blank too many would be a rule of somebody else's, so names become accounts only through `handles`,
//! whose values have a strict form, and a path that the hosts read in different ways is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::recipients;
use crate::workspace::discover::Family;
use crate::workspace::layers::At;
use crate::workspace::{Layer, Workspace};

/// The lines around our rules.
const BEGIN: &str = "# tieline: begin (written by `tieline codeowners`)";
const END: &str = "# tieline: end";
/// What a line has that was one of them.
const MARKS: [&str; 2] = ["# tieline: begin", "# tieline: end"];

/// Rules, and the names that they lack.
#[derive(Debug)]
pub struct Rules {
    /// The text, markers included.
    pub text: String,
    /// How many rules there are.
    pub count: usize,
    /// Names of owners and recipients that stand for no account.
    pub unmapped: BTreeSet<String>,
}

/// What names stand for: those of the command line, then `handles`.
pub struct Handles<'w> {
    /// Name -> account; `None` for whoever has none: machines own nothing.
    pub given: BTreeMap<String, Option<String>>,
    /// The workspace.
    pub workspace: &'w Workspace,
}

impl Handles<'_> {
    /// The account of a name, `None` within for whoever has none.
    fn account(&self, name: &str) -> Option<Option<&str>> {
        match self.given.get(name) {
            Some(given) => Some(given.as_deref()),
            None => self.workspace.root.settings.handles.get(name).map(Option::as_deref),
        }
    }
}

/// The rules; the Git host lets the last one that fits win. `prefix` is the way from the repository's root to the
/// workspace, with a `/` at its end.
///
/// # Errors
/// What a path has that can't stand in CODEOWNERS.
pub fn rules(handles: &Handles<'_>, prefix: &str) -> Result<Rules, String> {
    let workspace = handles.workspace;
    let prefix = pattern(prefix)?;
    let (mut lines, mut count, mut unmapped) = (String::new(), 0, BTreeSet::new());
    let mut rule = |path: &str, names: &BTreeSet<String>| -> Result<(), String> {
        let known = names.iter().filter_map(|name| {
            let account = handles.account(name);
            if account.is_none() {
                unmapped.insert(name.clone());
            }
            account.flatten()
        });
        let accounts: BTreeSet<&str> = known.collect();
        // A path without owners would be free for all: it keeps those of the rule before it.
        if !accounts.is_empty() {
            let accounts: Vec<&str> = accounts.into_iter().collect();
            lines.push_str(&format!("/{prefix}{} {}\n", pattern(path)?, accounts.join(" ")));
            count += 1;
        }
        Ok(())
    };
    let all = workspace.layers_with_stacks();
    let owners: Vec<Owners> = all.iter().map(|(layer, stack)| Owners::of(workspace, layer, stack)).collect();
    let layers = || all.iter().map(|(layer, _)| *layer).zip(&owners);
    // What alters everything belongs to whom the root belongs to.
    let root = layers().find(|(layer, _)| layer.path.is_empty()).map(|(_, owners)| owners.names.clone());
    let root = root.unwrap_or_default();
    // Folders first, as the last rule that fits wins: what a branch adds asks somebody too.
    for family in [Family::Connections, Family::Credentials, Family::Consumers] {
        rule(&format!("{}/", family.folder()), &root)?;
    }
    for folder in ["environments/", "customers/"] {
        rule(folder, &root)?;
    }
    for (layer, owners) in layers().filter(|(layer, _)| !layer.path.is_empty()) {
        rule(&format!("{}/", layer.path), &owners.names)?;
    }
    // In the layers of a protected environment, nobody else decides.
    for (layer, _) in layers().filter(|(_, owners)| !owners.protected) {
        for family in [Family::Connections, Family::Credentials, Family::Consumers] {
            for (id, document) in layer.family(family) {
                let owner = document.root.as_ref().and_then(|root| root.get("owner")).and_then(|owner| owner.as_str());
                let path = layer.file(&format!("{}/{id}.yaml", family.folder()));
                rule(&path, &owner.map(str::to_owned).into_iter().collect())?;
            }
        }
    }
    for (layer, owners) in layers().filter(|(layer, _)| layer.settings_file.is_some() || layer.secrets.is_some()) {
        let settings = layer.settings_file.map(|file| workspace.sources.get(file).path().to_owned());
        settings.iter().try_for_each(|path| rule(path, &owners.names))?;
        rule(&layer.file("secrets.sops.yaml"), &owners.names)?;
    }
    for path in ["connectors/", ".sops.yaml", ".gitattributes", ".github/CODEOWNERS", "CODEOWNERS"] {
        rule(path, &root)?;
    }
    let missing: String = unmapped.iter().map(|name| format!("# no account: {}\n", line_to_write(name))).collect();
    Ok(Rules { text: format!("{BEGIN}\n{missing}{lines}{END}\n"), count, unmapped })
}

/// Who owns what a layer holds.
struct Owners {
    names: BTreeSet<String>,
    /// It is a layer of a protected environment's own, of which `owner` says nothing.
    protected: bool,
}

impl Owners {
    /// Those of the environments that the layer alters: of the protected ones, where it alters some, since of several names
    /// on a line any one may approve. Where it alters none, who may open its secrets.
    fn of(workspace: &Workspace, layer: &Layer, stack: &[&Layer]) -> Self {
        let people = |stack: &[&Layer]| recipients::of(stack).unwrap_or_default().into_iter().map(|named| named.name);
        let mut segments = layer.path.split('/');
        let (kind, name) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        let customer = workspace.customers.get(name).filter(|_| kind == "customers");
        let alters = |environment: &&Arc<str>| match kind {
            "environments" => workspace.chain(environment).iter().any(|below| below.name() == name),
            "customers" => customer.is_some_and(|customer| customer.is_in(environment)),
            _ => true,
        };
        let protected = workspace.concrete().filter(alters).filter(|environment| workspace.is_protected(environment));
        let protected: Vec<&Arc<str>> = protected.collect();
        let own = kind == "environments" && !protected.is_empty();
        let of = |environments: Vec<&Arc<str>>| -> BTreeSet<String> {
            environments.into_iter().flat_map(|name| people(&workspace.stack(&At::plain(name)))).collect()
        };
        let names = if protected.is_empty() { people(stack).collect() } else { of(protected) };
        Self { names, protected: own }
    }
}

/// The line of `handles` that a name lacks.
pub fn line_to_write(name: &str) -> String {
    format!("write `{}: \"@ACCOUNT\"` below `handles` in tieline.yaml", crate::edit::scalar(name))
}

/// A path as all Git hosts read it in CODEOWNERS: with blanks escaped. They differ on anything else that isn't plain.
fn pattern(path: &str) -> Result<String, String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '=' | ',' | '~' | ' ');
    match path.chars().find(|c| !plain(*c)) {
        Some(strange) => Err(format!("`{path}` can't stand in CODEOWNERS: it has {strange:?}")),
        None => Ok(path.replace(' ', "\\ ")),
    }
}

/// A file of rules with ours instead of those it had, or at its end; all other text stays as it is.
///
/// # Errors
/// The line, from 1, of a marker that has lost its other one: what is ours can't be told from what isn't.
pub fn into_file(old: &str, rules: &str) -> Result<String, usize> {
    let (mut begin, mut end) = (None, None);
    let mut at = 0;
    for (number, line) in old.split_inclusive('\n').enumerate() {
        let behind = at + line.len();
        match line.trim_end_matches(['\r', '\n', ' ', '\t']) {
            BEGIN if begin.is_none() => begin = Some((number, at)),
            END if begin.is_some() && end.is_none() => end = Some(behind),
            other if MARKS.iter().any(|mark| other.contains(mark)) => return Err(number + 1),
            _ => {}
        }
        at = behind;
    }
    match (begin, end) {
        (Some((_, begin)), Some(end)) => Ok(format!("{}{rules}{}", &old[..begin], &old[end..])),
        (Some((number, _)), None) => Err(number + 1),
        _ if old.is_empty() || old.ends_with('\n') => Ok(format!("{old}{rules}")),
        _ => Ok(format!("{old}\n{rules}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OURS: &str = "# tieline: begin (written by `tieline codeowners`)\n/a @a\n# tieline: end\n";

    /// Whatever stands outside of the markers is kept byte for byte, or nothing is written.
    #[test]
    fn e04_text_outside_of_the_markers_is_never_lost() {
        let lines =
            [BEGIN, END, "* @everyone", "# tieline: end—", "# tieline: begin", "", "/x @x\r", "  # tieline: end", END];
        let mut files = vec![String::new()];
        for _ in 0..4 {
            let longer: Vec<String> =
                files.iter().flat_map(|file| lines.iter().map(move |line| format!("{file}{line}\n"))).collect();
            files = longer;
            files.iter().chain(files.iter().map(|f| f.trim_end().to_owned()).collect::<Vec<_>>().iter()).for_each(kept);
        }
    }

    fn kept(old: &String) {
        let whole = |text: &str, marker: &str| text.lines().filter(|line| line.trim_end() == marker).count();
        let damaged = old.lines().any(|l| MARKS.iter().any(|m| l.contains(m)) && ![BEGIN, END].contains(&l.trim_end()));
        match into_file(old, OURS) {
            Err(line) => assert!((1..=old.lines().count()).contains(&line), "{old:?}"),
            Ok(new) => {
                assert!(!damaged && whole(old, BEGIN) == whole(old, END) && whole(old, BEGIN) <= 1, "{old:?}");
                let (before, behind) = match old.find(BEGIN) {
                    Some(at) => (&old[..at], old[at..].split_once(END).unwrap().1.trim_start_matches('\n')),
                    None => (old.as_str(), ""),
                };
                assert!(new.starts_with(before) && new.ends_with(behind), "{old:?} -> {new:?}");
                assert_eq!(into_file(&new, OURS).as_ref(), Ok(&new), "a second time changes nothing: {old:?}");
            }
        }
    }

    #[test]
    fn a98_a_path_that_hosts_read_in_different_ways_is_refused() {
        assert_eq!(pattern("a b/ü.yaml").as_deref(), Ok("a\\ b/ü.yaml"));
        for strange in ["a#b", "a[b", "a\\b", "a*b", "a?b", "!a", "a\nb", "a\u{1b}b", "a@b", "a\tb", "a\"b"] {
            assert!(pattern(strange).is_err(), "{strange:?}");
        }
    }

    #[test]
    fn e2_11_our_rules_stand_where_they_stood_or_at_the_end() {
        let other = "# tieline: begin (written by `tieline codeowners`)\r\n/b @b\n# tieline: end \n";
        for (old, new) in [
            (String::new(), Ok(OURS.to_owned())),
            ("* @x".to_owned(), Ok(format!("* @x\n{OURS}"))),
            ("* @x\n".to_owned(), Ok(format!("* @x\n{OURS}"))),
            (format!("* @x\n{other}/y @y"), Ok(format!("* @x\n{OURS}/y @y"))),
            (format!("a\n{BEGIN}\n"), Err(2)),
            (format!("a\nb\n{END}\n"), Err(3)),
            (format!("{BEGIN}\n{BEGIN}\n{END}\n"), Err(2)),
            (format!("{BEGIN}\n{END}\n{END}\n"), Err(3)),
            (format!("{BEGIN}\n{END}\nx # tieline: begin\n"), Err(3)),
        ] {
            assert_eq!(into_file(&old, OURS), new, "{old:?}");
        }
    }
}
