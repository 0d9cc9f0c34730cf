//! A plan for a person at a terminal.
//!
//! Sections in the order of a review: the connections, what they touch, who can read what, what is trusted, what is
//! forbidden; the last line counts. Whatever comes from a file is shown with its control characters as text.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use unicode_width::UnicodeWidthStr;

use super::human::Look;
use super::shown::{Show, Shown, Style};
use super::text::visible;
use crate::plan::access::Access;
use crate::plan::leaves::Leaf;
use crate::plan::reencrypted::Reencrypted;
use crate::plan::relocation::Relocation;
use crate::plan::trust::{Retargeted, TrustChange, retargeted};
use crate::plan::{Action, Base, Change, Plan};
use crate::value::segments;

/// Names of up to so many columns are padded to the longest of them.
const LONGEST_NAME: usize = 40;
/// A list of ids is cut after this many.
const SHOWN_IDS: usize = 12;
/// The diff of one text is cut after this many lines.
const SHOWN_LINES: usize = 40;

/// Texts of more bytes are not compared by line: what that costs grows faster than they do.
const MAX_DIFF: usize = 64 << 10;

/// What a plan is held against, for its first line.
#[derive(Clone, Copy, Debug)]
pub enum Against<'a> {
    /// What [`crate::targets::Target::describe`] says.
    Target(&'a str),
    /// A Git revision as it was typed.
    Revision(&'a str),
}

/// The plan as text, its last line ended.
pub fn plan_human(plan: &Plan, against: Against<'_>, look: Look) -> Shown {
    let mut out = Out { text: Shown::default(), color: look.color, width: look.width };
    let name = plan.scope.name();
    let name = visible(&name);
    match (&plan.base, against) {
        (None, Against::Target(target)) => out.line(&format!("nothing deployed at {} yet\n", visible(target))),
        (None, Against::Revision(revision)) => {
            out.line(&format!("there is no {name} at {} yet\n", visible(revision)));
        }
        (Some(Base::Deployed { serial, .. }), _) if plan.is_empty() => {
            out.line(&format!("no changes: {name} is up to date (serial {serial})"));
            return out.text;
        }
        (Some(Base::Revision { name: revision, .. }), _) if plan.is_empty() => {
            out.line(&format!("no changes: {name} is the same at {}", visible(revision)));
            return out.text;
        }
        _ => {}
    }
    let changes = plan.changes_one_by_one();
    out.changes(&changes);
    if !changes.is_empty() {
        out.line("");
    }
    for file in &plan.reencrypted {
        let connections = file.connections();
        let uses = format!("in {}: {}", self::connections(connections.len()), listed(connections).concat());
        let title = format!("{}: {}", visible(&file.file), reencrypted(file));
        out.section(&title, &[listed(&file.secrets).concat(), uses]);
    }
    out.section("resolved at apply: external secrets without a version", &listed(&plan.volatile));
    out.section("consumers that use them", &listed(&plan.consumers));
    out.section("customers", &listed(&plan.customers));
    let access = plan.access.iter().flat_map(|access| {
        let who = reader(plan, access);
        let who = visible(&who);
        let told = |word: &str, ids: &Vec<String>| {
            (!ids.is_empty()).then(|| format!("{who} {word} {}: {}", connections(ids.len()), listed(ids).concat()))
        };
        [told("can newly decrypt", &access.gains), told("can no longer decrypt", &access.loses)]
    });
    out.section("access", &access.flatten().collect::<Vec<_>>());
    out.section("target moved", &plan.moved.iter().flat_map(moved).collect::<Vec<_>>());
    out.trust(&plan.trust);
    let moves = plan.moves.iter().map(|one| {
        let (from, to) = (visible(&one.from), visible(&one.to));
        let file = one.file.as_deref().map_or_else(|| to.clone(), visible);
        format!("{from} -> {to}: if it is the same connection, write `key: {}` into {file}", visible(&one.key))
    });
    out.section("probably moved", &moves.collect::<Vec<_>>());
    let refused = plan.refused.iter().map(|one| match &one.instance {
        Some(instance) => format!("{}: {}", visible(instance), visible(&one.reason)),
        None => visible(&one.reason).into_owned(),
    });
    out.section("refused", &refused.collect::<Vec<_>>());
    out.line(&summary(plan));
    out.text
}

/// Who can read something, with the key where nothing that is deployed says whose it is.
pub fn reader(plan: &Plan, access: &Access) -> String {
    let Access { recipient, key, .. } = access;
    if plan.base.is_some() || recipient == key { recipient.clone() } else { format!("{recipient} ({key})") }
}

/// What is said where it is not known where another environment sends secrets.
pub fn unknown(environment: Option<&str>, why: &str) -> String {
    match environment {
        Some(environment) => format!("not known: whether {environment} sends secrets of this plan elsewhere: {why}"),
        None => format!("not known: whether other environments send secrets of this plan elsewhere: {why}"),
    }
}

/// What is said of a file under a new data key.
pub fn reencrypted(file: &Reencrypted) -> String {
    format!("{} secrets re-encrypted under a new data key; any of them may have changed", file.secrets.len())
}

/// What an environment had where it was, a line each.
fn moved(one: &Relocation) -> Vec<String> {
    let mut lines =
        vec![format!("it was deployed at {}; this plan deploys to {}", visible(&one.describe()), visible(&one.to))];
    if !one.gone.is_empty() {
        let (count, gone) = (connections(one.gone.len()), listed(&one.gone).concat());
        lines.push(format!(
            "{count} of what is deployed there {} not in this plan: {gone}",
            if one.gone.len() == 1 { "is" } else { "are" }
        ));
    }
    lines
}

/// `1 to create, 2 to update, 0 to delete`.
pub fn summary(plan: &Plan) -> String {
    let count = |action| plan.count(action);
    let mut summary = format!(
        "{} to create, {} to update, {} to delete",
        count(Action::Create),
        count(Action::Update),
        count(Action::Delete)
    );
    if count(Action::Move) > 0 {
        summary += &format!(", {} to move", count(Action::Move));
    }
    summary
}

/// The changes alone, as [`plan_human`] draws them.
pub fn changes_human(changes: &[Change], look: Look) -> Shown {
    let mut out = Out { text: Shown::default(), color: look.color, width: look.width };
    out.changes(changes);
    out.text
}

/// What is said of a secret beside which settings change, with the deployed instance and the environment that it comes from
/// as `code` prints them.
pub fn re_targeted(group: &Retargeted<'_>, code: impl Fn(&str) -> String) -> String {
    let secret = group.of.map_or_else(|| "a secret in use".to_owned(), |of| format!("a secret of {}", code(of)));
    let there = group.environment.map_or_else(String::new, |name| format!(" in {}", code(name)));
    format!("credential re-targeted: {secret}{there} could be sent elsewhere or with less protection")
}

fn connections(count: usize) -> String {
    format!("{count} connection{}", if count == 1 { "" } else { "s" })
}

/// The names on one line, the first few; no line for none.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut names = names.into_iter();
    let shown: Vec<_> = names.by_ref().take(SHOWN_IDS).map(|name| visible(name)).collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => Vec::new(),
        (false, 0) => vec![shown.join(", ")],
        (false, more) => vec![format!("{} and {more} more", shown.join(", "))],
    }
}

/// `/config/host` as `config.host`; a key that is no simple word in quotes.
fn dotted(pointer: &str) -> String {
    let simple = |key: &str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '@'))
    };
    let name = |key: String| if simple(&key) { key } else { shown(&Value::String(key)) };
    segments(pointer).map(name).collect::<Vec<_>>().join(".")
}

fn shown(value: &Value) -> String {
    visible(&value.to_string()).into_owned()
}

/// `OLD -> NEW`, or the id alone.
fn named(change: &Change) -> String {
    let from = change.from.as_ref().map_or_else(String::new, |from| format!("{} -> ", visible(from)));
    format!("{from}{}", visible(&change.instance))
}

struct Out {
    text: Shown,
    color: bool,
    /// Columns; what is longer takes another line.
    width: usize,
}

impl Out {
    fn line(&mut self, line: &(impl Show + ?Sized)) {
        self.text += line.shown();
        self.text += "\n";
    }

    /// The text in a style, where colours are wanted.
    fn paint(&self, style: Style, text: &str) -> Shown {
        Shown::paint(self.color.then_some(style), text)
    }

    fn section(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.line(&self.paint(Style::Bold, title));
        for line in lines {
            self.line(&format!("  {line}"));
        }
        self.line("");
    }

    fn changes(&mut self, changes: &[Change]) {
        let widths = changes.iter().map(|change| named(change).width()).filter(|width| *width <= LONGEST_NAME);
        let width = widths.max().unwrap_or(0);
        changes.iter().for_each(|change| self.change(change, width));
    }

    /// One change, its name padded to `width` columns.
    fn change(&mut self, change: &Change, width: usize) {
        let (sign, style) = match change.action {
            Action::Create => ("+", Style::Green),
            Action::Update => ("~", Style::Yellow),
            Action::Delete => ("-", Style::Red),
            Action::Move => (">", Style::Cyan),
        };
        let sign = self.paint(style, &format!("{sign} {:<6}", change.action.word()));
        let name = named(change);
        let gap = " ".repeat(width.saturating_sub(name.width()) + 2);
        let (name, connector) = (self.paint(Style::Bold, &name), self.paint(Style::Dim, &visible(&change.connector)));
        self.line(&(sign + " " + name + gap + connector));
        if matches!(change.action, Action::Update | Action::Move) {
            for leaf in &change.leaves {
                self.leaf(leaf, 4);
            }
        }
    }

    fn leaf(&mut self, leaf: &Leaf, indent: usize) {
        self.setting("", leaf, indent);
    }

    /// A leaf, behind the name of the connection that it is of where nothing above says it.
    fn setting(&mut self, of: &str, leaf: &Leaf, indent: usize) {
        let places =
            leaf.old_place.iter().chain(&leaf.place).map(|line| format!("{}:{}", visible(&line.file), line.number));
        let place = places.collect::<Vec<_>>().join(" -> ");
        let of = if of.is_empty() { String::new() } else { format!("{of}: ") };
        let head = format!("{:indent$}{of}{}:", "", dotted(&leaf.path));
        if let Some(note) = leaf.told() {
            return self.told(&head, &[visible(&note).into_owned()], " ", &place);
        }
        match (&leaf.old, &leaf.new) {
            (Value::String(old), Value::String(new))
                if (old.contains('\n') || new.contains('\n')) && old.len().max(new.len()) <= MAX_DIFF =>
            {
                self.told(&head, &[], " ", &place);
                self.lines(old, new, indent + 2);
            }
            (Value::Array(old), Value::Array(new)) => {
                let only = |sign: &str, a: &[Value], b: &[Value]| {
                    let items = a.iter().filter(|item| !b.contains(item));
                    items.map(|item| format!("{sign}{}", shown(item))).collect::<Vec<_>>()
                };
                let mut items = only("-", old, new);
                items.extend(only("+", new, old));
                if items.is_empty() {
                    items.push(format!("{}, other order or repeats", shown(&leaf.new)));
                }
                self.told(&head, &items, " ", &place);
            }
            (Value::Null, new) => self.told(&head, &[format!("+ {}", shown(new))], " ", &place),
            (old, Value::Null) => self.told(&head, &[format!("- {}", shown(old))], " ", &place),
            (old, new) => self.told(&head, &[shown(old), shown(new)], " -> ", &place),
        }
    }

    /// `head piece piece   place` on one line if it fits; else each piece on one of its own, and the place too.
    fn told(&mut self, head: &str, pieces: &[String], between: &str, place: &str) {
        let joined = pieces.join(between);
        let line = if joined.is_empty() { head.to_owned() } else { format!("{head} {joined}") };
        let dim = self.paint(Style::Dim, place);
        if place.is_empty() && (line.width() <= self.width || pieces.len() < 2) {
            return self.line(&line);
        }
        if line.width() + 3 + place.width() <= self.width {
            return self.line(&(Shown::from(line) + "   " + dim));
        }
        let indent = head.len() - head.trim_start().len() + 2;
        if line.width() <= self.width || pieces.len() < 2 {
            self.line(&line);
        } else {
            self.line(head);
            let arrow = if between == " " { "" } else { "-> " };
            for (at, piece) in pieces.iter().enumerate() {
                self.line(&format!("{:indent$}{}{piece}", "", if at == 0 { "" } else { arrow }));
            }
        }
        if !place.is_empty() {
            self.line(&(Shown::from(" ".repeat(indent)) + dim));
        }
    }

    /// The lines of a text that differ.
    fn lines(&mut self, old: &str, new: &str, indent: usize) {
        let diff = TextDiff::from_lines(old, new);
        let mut changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
        for change in changes.by_ref().take(SHOWN_LINES) {
            let insert = change.tag() == ChangeTag::Insert;
            let (sign, style) = if insert { ("+", Style::Green) } else { ("-", Style::Red) };
            let text = visible(change.value().trim_end_matches('\n')).into_owned();
            let line = self.paint(style, &format!("{sign} {text}"));
            self.line(&(Shown::from(" ".repeat(indent)) + line));
        }
        let more = changes.count();
        if more > 0 {
            self.line(&format!("{:indent$}and {more} more lines", ""));
        }
    }

    fn trust(&mut self, changes: &[TrustChange]) {
        if changes.is_empty() {
            return;
        }
        self.line(&self.paint(Style::Bold, "trust changes"));
        for change in changes {
            match change {
                TrustChange::Block(leaf) => self.leaf(leaf, 2),
                TrustChange::Unprotected { instance, leaf } | TrustChange::Unsealed { instance, leaf } => {
                    self.setting(&visible(instance), leaf, 2);
                }
                TrustChange::Apart { environment, leaf } => {
                    self.setting(&format!("unlike `{}`, which has the same secrets", visible(environment)), leaf, 2);
                }
                TrustChange::Unknown { environment, why } => {
                    let name = environment.as_ref().map(|name| format!("`{}`", visible(name)));
                    let told = unknown(name.as_deref(), &visible(why));
                    self.line(&self.paint(Style::Red, &format!("  {told}")));
                }
                TrustChange::Destination { .. } => {}
            }
        }
        for group in retargeted(changes) {
            let what = re_targeted(&group, |name| format!("`{}`", visible(name)));
            let told = match &group.instances[..] {
                [instance] => format!("  {}: {what}", visible(instance)),
                instances => format!("  {what}, in {}:", connections(instances.len())),
            };
            self.line(&self.paint(Style::Red, &told));
            if group.instances.len() > 1 {
                let ids: Vec<String> = group.instances.iter().map(|id| (*id).to_owned()).collect();
                listed(&ids).iter().for_each(|ids| self.line(&format!("    {ids}")));
            }
            group.leaves.iter().for_each(|leaf| self.leaf(&leaf.spelled(), 4));
        }
        self.line("");
    }
}
