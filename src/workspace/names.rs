//! Names that people choose: of owners, keys, recipients, labels, exposures; and the accounts that names stand for on
//! the Git host.
//!
//! They are printed, and written into CODEOWNERS, commands, Markdown and paths. So the language takes only characters
//! that mean nothing there, and every document is held to that by itself, whether anything uses it or not.

use super::discover::{Family, is_segment};
use super::{Layer, Workspace};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;
use crate::value::{Map, Node, Value};

/// The longest name, in characters.
const LONGEST: usize = 63;
/// The longest account, in characters: the limit of mail addresses.
const LONGEST_ACCOUNT: usize = 254;

/// What a text has that a name can't: `[A-Za-z0-9][A-Za-z0-9._/ -]{0,62}`; `None` if it is a name.
pub fn fault(text: &str) -> Option<String> {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | ' ');
    let Some(first) = text.chars().next() else { return Some("be empty".to_owned()) };
    if let Some(strange) = text.chars().find(|c| !plain(c)) {
        return Some(format!("hold {}", shown(strange)));
    }
    if !first.is_ascii_alphanumeric() {
        return Some(format!("begin with {}", shown(first)));
    }
    (text.len() > LONGEST).then(|| format!("have more than {LONGEST} characters"))
}

/// A character in a message: by its number if it could act, or not be seen.
fn shown(c: char) -> String {
    if c.is_ascii_graphic() && c != '`' { format!("`{c}`") } else { format!("the character U+{:04X}", u32::from(c)) }
}

/// Tells a text that can't be a name; `what` is whose ("an owner").
pub(super) fn check(text: &str, span: Span, what: &str, told: &mut Vec<Diagnostic>) {
    let Some(fault) = fault(text) else { return };
    let help = if text.contains('@') {
        "name the team or person, and write the account below `handles` in tieline.yaml: `handles: {NAME: \"@acme/team\"}`"
    } else {
        "letters, digits, `.`, `_`, `/`, `-` and spaces, beginning with a letter or digit"
    };
    told.push(Diagnostic::error(code::INVALID_NAME, span, format!("the name of {what} can't {fault}")).help(help));
}

/// Whether a text is an account on a Git host: `@user`, `@organization/team` (GitLab's groups nest), or a mail address.
pub fn is_account(text: &str) -> bool {
    let word = |text: &str, more: &[u8]| {
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        ends(text.bytes().next())
            && ends(text.bytes().last())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b) || more.contains(&b))
    };
    text.len() <= LONGEST_ACCOUNT
        && match text.strip_prefix('@') {
            Some(path) => path.split('/').all(|segment| word(segment, &[])),
            None => text.split_once('@').is_some_and(|(user, host)| {
                word(user, b"+") && host.contains('.') && host.split('.').all(|label| word(label, &[]))
            }),
        }
}

/// Tells the names in every document of every layer.
pub(super) fn check_documents(workspace: &Workspace, told: &mut Vec<Diagnostic>) {
    for layer in workspace.layers() {
        for family in [Family::Connections, Family::Credentials, Family::Consumers] {
            check_family(layer, family, told);
        }
    }
}

fn check_family(layer: &Layer, family: Family, told: &mut Vec<Diagnostic>) {
    for root in layer.family(family).values().filter_map(|document| document.root.as_ref()) {
        texts(root.get("owner"), &mut |text, span| check(text, span, "an owner", told));
        labels(root.get("labels"), false, told);
        match family {
            Family::Connections => texts(root.get("expose"), &mut |text, span| exposure(text, span, told)),
            Family::Consumers => {
                texts(root.get("recipients"), &mut |text, span| check(text, span, "a recipient", told));
            }
            Family::Credentials => {}
        }
    }
}

/// Every text below a node, directives of merging included.
fn texts(node: Option<&Node>, each: &mut dyn FnMut(&str, Span)) {
    match node.map(|node| (&node.value, node.span)) {
        Some((Value::String(text), span)) => each(text, span),
        Some((Value::List(items), _)) => items.iter().for_each(|item| texts(Some(item), each)),
        Some((Value::Map(map), _)) => map.iter().for_each(|entry| texts(Some(&entry.value), each)),
        _ => {}
    }
}

/// The keys of labels. A key with a `$` is a directive, but for those that `$replace` carries.
fn labels(node: Option<&Node>, literal: bool, told: &mut Vec<Diagnostic>) {
    for entry in node.and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        if !literal && entry.key.starts_with('$') {
            labels(Some(&entry.value), &*entry.key == "$replace", told);
        } else {
            check(&entry.key, entry.key_span, "a label", told);
        }
    }
}

/// An exposure names a folder of the target and a tag, beside the environment's: it has the form of one.
fn exposure(text: &str, span: Span, told: &mut Vec<Diagnostic>) {
    if is_segment(text) {
        return;
    }
    let message = match fault(text) {
        Some(fault) => format!("the name of an exposure can't {fault}"),
        None => format!("`{text}` can't be the name of an exposure"),
    };
    let help = "lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most 63";
    told.push(Diagnostic::error(code::INVALID_NAME, span, message).help(help));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a98_names_are_plain() {
        for name in ["ana", "Team Finance", "platform/data-eu", "0ps", "a.b_c-d", &"a".repeat(63)] {
            assert_eq!(fault(name), None, "{name}");
        }
        for (name, why) in [
            ("", "be empty"),
            ("team\n* @x", "hold the character U+000A"),
            ("@acme/team", "hold `@`"),
            ("a\u{1b}[31m", "hold the character U+001B"),
            ("*", "hold `*`"),
            ("-rf", "begin with `-`"),
            (" a", "begin with the character U+0020"),
            ("tëam", "hold the character U+00EB"),
            ("a`b", "hold the character U+0060"),
            (&"a".repeat(64), "have more than 63 characters"),
        ] {
            assert_eq!(fault(name).as_deref(), Some(why), "{name:?}");
        }
    }

    #[test]
    fn a98_accounts_have_a_form() {
        for account in ["@ana", "@acme/team-finance", "@group/sub/team", "ana.b+x@mail.acme.example", "@ana_acme"] {
            assert!(is_account(account), "{account}");
        }
        for account in [
            "",
            "@",
            "ana",
            "@ana @eve",
            "@ana\n* @eve",
            "@a//b",
            "@/a",
            "ana@acme",
            "@a b",
            "@-a",
            "a@b.c d",
            "@a*",
            "@é",
        ] {
            assert!(!is_account(account), "{account}");
        }
    }
}
