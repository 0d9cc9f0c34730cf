//! The level of every rule in a workspace, and the excuses that its files make.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::{RULES, Rule};
use crate::diagnostic::{CODES, Diagnostic, Severity, code};
use crate::source::Sources;
use crate::span::{FileId, Span};
use crate::workspace::Workspace;
use crate::workspace::policy::{Level, near_or_listed};

/// What marks an excuse in a comment.
pub(crate) const MARK: &str = "tieline: allow ";
/// Bytes of memory that a pattern of the workspace may take when it is compiled.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

/// The levels in force.
#[derive(Debug, Default)]
pub struct Levels {
    set: BTreeMap<&'static str, Level>,
    patterns: BTreeMap<&'static str, Regex>,
}

impl Levels {
    /// Reads `rules` of the workspace; what is wrong there is told.
    pub fn new(workspace: &Workspace, told: &mut Vec<Diagnostic>) -> Self {
        let mut levels = Self::default();
        for setting in &workspace.root.settings.rules {
            let Some(rule) = Rule::of(&setting.code.value) else {
                told.push(unknown(&setting.code.value, setting.code.span));
                continue;
            };
            if let Some(level) = setting.level {
                levels.set.insert(rule.code, level.min(rule.most));
            }
            let Some(pattern) = &setting.pattern else { continue };
            match RegexBuilder::new(&pattern.value).size_limit(PATTERN_SIZE_LIMIT).build() {
                Ok(compiled) if rule.code == "naming" => {
                    levels.patterns.insert(rule.code, compiled);
                }
                Ok(_) => told.push(
                    Diagnostic::error(code::UNKNOWN_KEY, pattern.span, format!("`{}` has no pattern", rule.code))
                        .help("remove it; `naming` is the rule that has one"),
                ),
                Err(_) => told.push(
                    Diagnostic::error(code::INVALID_VALUE, pattern.span, "this is no regular expression")
                        .help("without look-around and back-references, for example '^[a-z]+(/[a-z-]+)*$'"),
                ),
            }
        }
        levels
    }

    /// The level of a rule.
    pub fn of(&self, rule: &Rule) -> Level {
        self.set.get(rule.code).copied().unwrap_or(rule.level)
    }

    /// The rules that are looked at, with their levels.
    pub fn in_force(&self) -> impl Iterator<Item = (&'static Rule, Level)> {
        RULES.iter().map(|rule| (rule, self.of(rule))).filter(|(_, level)| *level != Level::Off)
    }

    /// The rules whose level is not the one that they come with.
    pub fn changed(&self) -> BTreeMap<&'static str, &'static str> {
        let changed = RULES.iter().filter(|rule| self.of(rule) != rule.level);
        changed.map(|rule| (rule.code, self.of(rule).word())).collect()
    }

    pub(super) fn pattern(&self, code: &str) -> Option<&Regex> {
        self.patterns.get(code)
    }
}

/// A code that is no rule's.
fn unknown(name: &str, at: Span) -> Diagnostic {
    if CODES.contains(&name) {
        return Diagnostic::error(
            code::INVALID_VALUE,
            at,
            format!("`{name}` is no rule: it stops a compile whatever the level"),
        )
        .help("remove it; `tieline rule list` shows what has a level");
    }
    let known: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
    Diagnostic::error(code::UNKNOWN_KEY, at, format!("there is no rule `{name}`")).help(near_or_listed(name, &known))
}

/// A comment that excuses a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excuse {
    /// Where the comment stands.
    pub span: Span,
    /// The rule that is excused.
    pub code: String,
    /// Why.
    pub reason: String,
    /// The line that it is about, counted from 1.
    pub line: usize,
}

/// Every excuse in the files of a workspace. A file without the mark costs one search.
pub fn excuses(sources: &Sources) -> Vec<Excuse> {
    let files = (0..sources.len()).filter_map(|i| Some(FileId(u32::try_from(i).ok()?)));
    files.flat_map(|file| in_file(sources, file)).collect()
}

fn in_file(sources: &Sources, file: FileId) -> Vec<Excuse> {
    let source = sources.get(file);
    if source.hidden() {
        return Vec::new();
    }
    let text = source.text();
    let excuse = |(at, _): (usize, &str)| {
        let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
        let end = text[at..].find('\n').map_or(text.len(), |i| at + i);
        // A comment begins at a `#` with nothing or a space before it.
        let hash = text[start..at].rfind('#').map(|i| start + i)?;
        let before = &text[start..hash];
        let blank = text[hash + 1..at].trim().is_empty();
        if !blank || !(before.is_empty() || before.ends_with([' ', '\t'])) {
            return None;
        }
        let rest = text[at + MARK.len()..end].trim();
        let (code, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let alone = before.trim().is_empty();
        let line = source.position(at).line + usize::from(alone);
        let span = Span::new(file, hash..end);
        Some(Excuse { span, code: code.to_owned(), reason: reason.trim().to_owned(), line })
    };
    text.match_indices(MARK).filter_map(excuse).collect()
}

/// Drops what is excused. With `all` problems of the workspace at hand, excuses that excuse nothing are told.
pub fn excuse(workspace: &Workspace, levels: &Levels, told: &mut Vec<Diagnostic>, all: bool) {
    let excuses = excuses(&workspace.sources);
    if excuses.is_empty() {
        return;
    }
    let mut used = vec![false; excuses.len()];
    told.retain(|diagnostic| {
        let Some(span) = diagnostic.span().filter(|_| Rule::of(diagnostic.code).is_some()) else { return true };
        let line = workspace.sources.position(span).line;
        let fits = |e: &Excuse| {
            e.span.file == span.file && e.line == line && e.code == diagnostic.code && !e.reason.is_empty()
        };
        match excuses.iter().position(fits) {
            Some(at) => {
                used[at] = true;
                false
            }
            None => true,
        }
    });
    let Some(rule) = Rule::of("unused-excuse").filter(|rule| all && levels.of(rule) != Level::Off) else { return };
    let severity = if levels.of(rule) == Level::Error { Severity::Error } else { Severity::Warning };
    for (excuse, _) in excuses.iter().zip(used).filter(|(_, used)| !used) {
        if let Some((message, help)) = idle(excuse, levels) {
            told.push(Diagnostic { severity, ..Diagnostic::error(rule.code, excuse.span, message).help(help) });
        }
    }
}

/// Why an excuse excuses nothing; `None` where its rule is off.
fn idle(excuse: &Excuse, levels: &Levels) -> Option<(String, String)> {
    let name = &excuse.code;
    Some(match Rule::of(name) {
        None if CODES.contains(&&**name) => {
            (format!("`{name}` can't be excused: it stops a compile"), "mend it, and remove the comment".into())
        }
        None => {
            let known: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
            (format!("there is no rule `{name}`"), near_or_listed(name, &known))
        }
        Some(_) if excuse.reason.is_empty() => {
            ("an excuse needs a reason".into(), format!("`# tieline: allow {name} REASON`"))
        }
        Some(rule) if levels.of(rule) == Level::Off => return None,
        Some(_) => (
            format!("nothing here is excused from `{name}`"),
            "remove the comment; it stands on the line that it excuses, or alone on the line above".into(),
        ),
    })
}
