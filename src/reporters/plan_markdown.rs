//! Plans as a comment on a pull request.
//!
//! Short at first sight: the counts, what is refused, what changes in trust; the rest is folded. Nothing from a file
//! stands outside of a code span or a fenced block, so that none of it is a mention, a link, an image or markup, and the
//! fence is longer than any in it. No line begins with `#`: CI systems look for commands behind two of them.

use std::fmt::Write;

use super::human::Look;
use super::plan_human::{changes_human, re_targeted, reader, reencrypted, summary, unknown};
use super::text::visible;
use crate::plan::leaves::Leaf;
use crate::plan::relocation::Gone;
use crate::plan::trust::{Retargeted, TrustChange, retargeted};
use crate::plan::{Base, Plan};
use crate::value::segments;

/// GitHub takes 65,536 characters in a comment, GitLab more; this leaves room for a heading of somebody else's.
const MAX_CHARS: usize = 60_000;
/// A list is cut after this many entries.
const SHOWN: usize = 20;

/// The plans as Markdown, of at most 60,000 characters, and before them the environments that are gone.
///
/// What is trusted in an environment that is deployed comes before all else: a branch can add as many others as it likes.
pub fn plan_markdown(plans: &[Plan], gone: &[Gone]) -> String {
    let mut text = String::new();
    let mut gone: Vec<&Gone> = gone.iter().collect();
    gone.sort_by_key(|one| !one.is_protected);
    let gone = gone.into_iter().map(|one| {
        let protected = if one.is_protected { ", which was protected" } else { "" };
        format!("{}{protected}: what is deployed of it stays as it is", code(&one.name))
    });
    list(&mut text, "⚠️ Environments that are gone", gone);
    let several = plans.len() > 1;
    let (same, mut changed): (Vec<&Plan>, Vec<&Plan>) = plans.iter().partition(|plan| several && plan.is_empty());
    changed.sort_by_key(|plan| {
        let is_plain = plan.refused.is_empty() && plan.moved.is_empty() && plan.trust.is_empty();
        (plan.base.is_none(), is_plain)
    });
    let mut left = MAX_CHARS.saturating_sub(text.chars().count() + 6_000);
    let mut parts: Vec<(&Plan, String)> = Vec::new();
    for plan in &changed {
        let head = head(plan, left / 2);
        let length = head.chars().count();
        if length > left {
            break;
        }
        left -= length;
        parts.push((plan, head));
    }
    let shown = parts.len();
    let mut bare = 0;
    for (at, (plan, head)) in parts.iter().enumerate() {
        let mut rest = if plan.is_empty() { String::new() } else { rest(plan, left / (shown - at)) };
        if rest.chars().count() > left {
            rest.clear();
            bare += 1;
        }
        left -= rest.chars().count();
        let _ = writeln!(text, "{head}{rest}");
    }
    if bare > 0 {
        let _ = writeln!(text, "**The changes of {bare} environments are hidden: the log of the job has them.**\n");
    }
    if shown < changed.len() {
        let hidden = changed.len() - shown;
        let _ = writeln!(text, "**{hidden} more environments hidden: the log of the job has them.**\n");
    }
    if !same.is_empty() {
        let names: Vec<String> = same.iter().map(|plan| plan.scope.name()).collect();
        let _ = writeln!(text, "**No changes** in {}\n", codes(names.iter()));
    }
    text
}

/// What it is about, what is refused, and what is trusted.
fn head(plan: &Plan, room: usize) -> String {
    let mut text = String::new();
    let from = match &plan.base {
        Some(Base::Deployed { serial, .. }) => format!("against what is deployed (serial {serial})"),
        Some(Base::Revision { name, .. }) => format!("against {}", code(name)),
        None => "against nothing".to_owned(),
    };
    let told = if plan.is_empty() { "no changes".to_owned() } else { summary(plan) };
    let _ = writeln!(text, "**tieline plan of {}: {told}**, {from}\n", code(&plan.scope.name()));
    if plan.is_empty() {
        return text;
    }
    let refused = plan.refused.iter().map(|one| match &one.instance {
        Some(instance) => format!("{}: {}", code(instance), code(&one.reason)),
        None => code(&one.reason),
    });
    list(&mut text, "⛔ Refused", refused);
    let moved = plan.moved.iter().map(|one| {
        let gone =
            if one.gone.is_empty() { String::new() } else { format!("; not in this plan: {}", codes(one.gone.iter())) };
        format!("it was deployed at {}; this plan deploys to {}{gone}", code(&one.describe()), code(&one.to))
    });
    list(&mut text, "⚠️ Target moved", moved);
    trust(&mut text, plan, room);
    text
}

/// What it touches, and every change.
fn rest(plan: &Plan, room: usize) -> String {
    let mut text = String::new();
    for file in &plan.reencrypted {
        let (names, uses) = (codes(file.secrets.iter()), codes(file.connections().into_iter()));
        let _ = writeln!(text, "{}: {}\n", code(&file.file), reencrypted(file));
        let _ = writeln!(text, "<details><summary>Their names</summary>\n\n{names} in {uses}\n\n</details>\n");
    }
    let access = plan.access.iter().flat_map(|access| {
        let told = |word: &str, ids: &[String]| {
            (!ids.is_empty()).then(|| format!("{} {word} {}", code(&reader(plan, access)), codes(ids.iter())))
        };
        [told("can newly decrypt", &access.gains), told("can no longer decrypt", &access.loses)]
    });
    list(&mut text, "Access", access.flatten());
    for (title, names) in [("Consumers", &plan.consumers), ("Customers", &plan.customers)] {
        if !names.is_empty() {
            let _ = writeln!(text, "{title} that are touched: {}\n", codes(names.iter()));
        }
    }
    if !plan.volatile.is_empty() {
        let _ = writeln!(text, "Resolved at apply: {}\n", codes(plan.volatile.iter()));
    }
    let moves = plan.moves.iter();
    list(&mut text, "Probably moved", moves.map(|m| format!("{} to {}: `key` says so", code(&m.from), code(&m.to))));
    if text.chars().count() > room / 2 {
        "**What it touches is hidden**: too long for a comment; `tieline plan` shows it all.\n\n".clone_into(&mut text);
    }
    changes(&mut text, plan, room);
    text
}

/// Every change in a folded block, as many as there is room for.
fn changes(text: &mut String, plan: &Plan, room: usize) {
    let look = Look { color: false, unicode: true, width: 100 };
    let room = room.saturating_sub(text.chars().count() + 400);
    let (mut block, mut shown) = (String::new(), 0);
    let changes = plan.changes_one_by_one();
    for change in &*changes {
        let drawn = changes_human(std::slice::from_ref(change), look);
        if block.chars().count() + drawn.chars().count() > room {
            break;
        }
        block.push_str(&drawn);
        shown += 1;
    }
    let hidden = changes.len() - shown;
    let fence = fence(&block);
    let _ = writeln!(text, "<details><summary>Every change</summary>\n\n{fence}text\n{block}{fence}\n");
    if hidden > 0 {
        let _ = writeln!(text, "**{hidden} hidden**: too long for a comment; `tieline plan` shows them all.\n");
    }
    let _ = writeln!(text, "</details>");
}

fn list(text: &mut String, title: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.collect();
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}:\n");
    for entry in entries.iter().take(SHOWN) {
        let _ = writeln!(text, "- {entry}");
    }
    if entries.len() > SHOWN {
        let _ = writeln!(text, "- and {} hidden", entries.len() - SHOWN);
    }
    text.push('\n');
}

/// What is trusted: re-targeted secrets first; what is more than a glance takes is folded, so that nothing pushes anything
/// out of sight but what would not fit at all.
fn trust(text: &mut String, plan: &Plan, room: usize) {
    let groups = retargeted(&plan.trust);
    let block = plan.trust.iter().filter_map(|change| match change {
        TrustChange::Block(leaf) => Some(setting(leaf)),
        TrustChange::Unprotected { instance, leaf } | TrustChange::Unsealed { instance, leaf } => {
            Some(format!("{}: {}", code(instance), setting(leaf)))
        }
        TrustChange::Apart { environment, leaf } => {
            Some(format!("unlike {}, which has the same secrets: {}", code(environment), setting(leaf)))
        }
        TrustChange::Unknown { environment, why } => {
            Some(format!("**{}**", unknown(environment.as_deref().map(code).as_deref(), &code(why))))
        }
        TrustChange::Destination { .. } => None,
    });
    let entries: Vec<String> = groups.iter().map(retarget).chain(block).collect();
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "⚠️ Trust changes:\n");
    let (mut shown, mut hidden) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        // What is too long leaves its room to the others, and one kind to the other.
        let room = if at < groups.len() && groups.len() < entries.len() { room * 2 / 3 } else { room };
        if text.chars().count() + entry.chars().count() > room {
            hidden += 1;
            continue;
        }
        if shown == SHOWN {
            let _ = writeln!(text, "\n<details><summary>More trust changes</summary>\n");
        }
        let _ = writeln!(text, "- {entry}");
        shown += 1;
    }
    if hidden > 0 {
        let _ = writeln!(text, "- **{hidden} hidden**: too long for a comment; `tieline plan` shows them all");
    }
    if shown > SHOWN {
        let _ = writeln!(text, "\n</details>");
    }
    text.push('\n');
}

/// Settings that say where something is sent, before the others.
const ENDPOINTS: [&str; 6] = ["host", "url", "server", "endpoint", "domain", "node"];

fn retarget(group: &Retargeted<'_>) -> String {
    let instances: Vec<String> = group.instances.iter().map(|id| (*id).to_owned()).collect();
    let mut leaves: Vec<&Leaf> = group.leaves.iter().collect();
    leaves.sort_by_key(|leaf| {
        let name = segments(&leaf.path).last().unwrap_or_default().to_lowercase();
        !ENDPOINTS.iter().any(|part| name.contains(part))
    });
    let mut settings: Vec<String> = leaves.iter().take(SHOWN).map(|leaf| setting(&leaf.spelled())).collect();
    if leaves.len() > SHOWN {
        settings.push(format!("and {} more", leaves.len() - SHOWN));
    }
    let what = re_targeted(group, code);
    let what = what.replacen("credential re-targeted", "**credential re-targeted**", 1);
    format!("{what}: {}: {}", codes(instances.iter()), settings.join("; "))
}

/// A setting with both values and its line.
fn setting(leaf: &Leaf) -> String {
    let path = code(&segments(&leaf.path).collect::<Vec<_>>().join("."));
    let values = match (leaf.secret, leaf.sources.as_deref()) {
        (Some(note), Some((old, new))) => format!("{}: {} to {}", note.text(), code(old), code(new)),
        (Some(note), None) => note.text().to_owned(),
        (None, _) => format!("{} to {}", code(&leaf.old.to_string()), code(&leaf.new.to_string())),
    };
    let place = leaf.place.as_ref().map(|line| format!(" ({})", code(&line.to_string())));
    format!("{path}: {values}{}", place.unwrap_or_default())
}

fn codes<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&String> = names.collect();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| code(name)).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// A code span, of which at most 200 characters are shown: the head and the tail, for an address begins and ends with what
/// matters. Backticks around it are more than any in it.
fn code(text: &str) -> String {
    const HEAD: usize = 120;
    const TAIL: usize = 80;
    let text = visible(text);
    let length = text.chars().count();
    let cut = match length > HEAD + TAIL {
        true => text.chars().take(HEAD).chain(['…']).chain(text.chars().skip(length - TAIL)).collect(),
        false => text.into_owned(),
    };
    let ticks = "`".repeat(longest_run(&cut) + 1);
    // A blank on either side keeps a backtick at an end apart; renderers take it away.
    let pad = if cut.starts_with('`') || cut.ends_with('`') || cut.is_empty() { " " } else { "" };
    format!("{ticks}{pad}{cut}{pad}{ticks}")
}

fn fence(block: &str) -> String {
    "`".repeat(longest_run(block).max(2) + 1)
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
