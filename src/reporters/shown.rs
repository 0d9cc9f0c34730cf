//! Text that may be printed: no character in it acts on a terminal, but for the styles that were asked for here.
//!
//! [`Shown`] is the only form that [`crate::ui`] prints. Whatever becomes one is encoded on its way in, so a caller that
//! forgets it does no harm; escape sequences of styles are added behind that, by [`Shown::paint`] alone.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, AddAssign, Deref};

use super::text::{is_unsafe, push_visible};

/// How text looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A heading.
    Bold,
    /// Of less weight.
    Dim,
    /// Something is lost, or wrong.
    Red,
    /// Something is new.
    Green,
    /// Something changes.
    Yellow,
    /// Something moves.
    Cyan,
}

impl Style {
    /// The number of the escape sequence that begins it (ECMA-48, "select graphic rendition").
    fn number(self) -> u8 {
        match self {
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Cyan => 36,
        }
    }
}

/// Encoded text, with styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// Text in a style, if there is to be any.
    pub fn paint(style: Option<Style>, text: &str) -> Self {
        let text = Self::from(text);
        match style {
            Some(style) => Self(format!("\x1b[{}m{}\x1b[0m", style.number(), text.0)),
            None => text,
        }
    }

    /// What a library drew with styles of its own: of all escape sequences those that begin or end a style stay. What it
    /// was given to draw had been encoded, so they are the library's.
    pub(crate) fn drawn(text: &str) -> Self {
        let mut shown = Self::default();
        let mut rest = text;
        while let Some(at) = rest.find("\x1b[") {
            shown += &rest[..at];
            let style = rest[at + 2..].find(|c: char| !c.is_ascii_digit() && c != ';').map(|end| at + 2 + end);
            rest = match style.filter(|end| rest[*end..].starts_with('m')) {
                Some(end) => {
                    shown.0.push_str(&rest[at..=end]);
                    &rest[end + 1..]
                }
                None => {
                    shown += &rest[at..at + 2];
                    &rest[at + 2..]
                }
            };
        }
        shown += rest;
        shown
    }

    /// The same, in which no CI system finds a command: `::command` at the start of a line and `##[command]` anywhere
    /// (GitHub), `##vso[` (Azure), `##teamcity[`, `section_start:` (GitLab) get a visible escape.
    #[must_use]
    pub fn without_commands(self) -> Self {
        if !["::", "##", "section_"].iter().any(|mark| self.0.contains(mark)) {
            return self;
        }
        let line = |line: &str| {
            let start = unstyled(line);
            let line = match start.strip_prefix("::") {
                Some(rest) => format!("{}\\x3a:{rest}", &line[..line.len() - start.len()]),
                None => line.to_owned(),
            };
            line.replace("##", "#\\x23")
                .replace("section_start:", "section\\x5fstart:")
                .replace("section_end:", "section\\x5fend:")
        };
        Self(self.0.split('\n').map(line).collect::<Vec<_>>().join("\n"))
    }

    /// The same with every line but the first indented, so that it can't look like a line of ours.
    #[must_use]
    pub fn set_in(self) -> Self {
        let mut lines = self.0.split('\n');
        let first = lines.next().unwrap_or_default().to_owned();
        Self(lines.fold(first, |text, line| text + if line.starts_with(' ') { "\n" } else { "\n  " } + line))
    }
}

/// A line behind the blanks and styles that it begins with.
fn unstyled(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some(end) = rest.strip_prefix("\x1b[").and_then(|rest| rest.find('m')) {
        rest = rest[end + 3..].trim_start();
    }
    rest
}

/// Every character that could act as a visible escape; line breaks stay.
impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        if !text.chars().any(|c| c != '\n' && is_unsafe(c)) {
            return Self(text.to_owned());
        }
        let mut shown = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            if c == '\n' { shown.push(c) } else { push_visible(&mut shown, c) }
        }
        Self(shown)
    }
}

/// The text as it is printed.
impl Deref for Shown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<&str> for Shown {
    fn eq(&self, text: &&str) -> bool {
        self.0 == **text
    }
}

impl From<&String> for Shown {
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<T: Into<Shown>> Add<T> for Shown {
    type Output = Self;

    fn add(mut self, other: T) -> Self {
        self += other;
        self
    }
}

impl<T: Into<Shown>> AddAssign<T> for Shown {
    fn add_assign(&mut self, other: T) {
        self.0.push_str(&other.into().0);
    }
}

/// What can be printed: text, which is encoded for that, and what is shown already.
pub trait Show {
    /// As it is printed.
    fn shown(&self) -> Shown;
}

impl Show for str {
    fn shown(&self) -> Shown {
        self.into()
    }
}

impl Show for String {
    fn shown(&self) -> Shown {
        self.into()
    }
}

impl Show for Cow<'_, str> {
    fn shown(&self) -> Shown {
        self.as_ref().into()
    }
}

impl Show for Shown {
    fn shown(&self) -> Shown {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a46_only_styles_that_were_asked_for_escape() {
        let hostile = "a\u{1b}[31mb\u{9b}c\r\u{202e}d\n\u{7f}\te";
        let encoded = "a\\u{1b}[31mb\\u{9b}c\\r\\u{202e}d\n\\u{7f}\\te";
        assert_eq!(Shown::from(hostile), encoded);
        let painted = Shown::paint(Some(Style::Red), hostile) + hostile;
        assert_eq!(painted.to_string(), format!("\u{1b}[31m{encoded}\u{1b}[0m{encoded}"));
        assert_eq!(Shown::paint(None, "a"), "a");
    }

    #[test]
    fn a46_of_what_a_library_drew_only_styles_stay() {
        let drawn = "\u{1b}[36;1mx\u{1b}[0m \u{1b}[2Jy\u{1b}]8;;z\u{7}\u{1b}[3";
        assert_eq!(Shown::drawn(drawn), "\u{1b}[36;1mx\u{1b}[0m \\u{1b}[2Jy\\u{1b}]8;;z\\u{7}\\u{1b}[3");
    }

    #[test]
    fn a48_a51_no_ci_system_finds_a_command_in_what_people_read() {
        let text = "::error::x\n  ::add-mask::a\nsee ##[set-env name=a]b and ##vso[task] ##teamcity[x] section_start:1:a\na::b";
        assert_eq!(
            Shown::from(text).without_commands(),
            "\\x3a:error::x\n  \\x3a:add-mask::a\nsee #\\x23[set-env name=a]b and #\\x23vso[task] #\\x23teamcity[x] section\\x5fstart:1:a\na::b"
        );
        let styled = Shown::paint(Some(Style::Bold), "::error::x").without_commands();
        assert_eq!(styled, "\u{1b}[1m\\x3a:error::x\u{1b}[0m");
        assert_eq!(Shown::from("a: b").without_commands(), "a: b");
    }

    #[test]
    fn a46_a_line_break_in_a_message_begins_no_line_of_ours() {
        assert_eq!(Shown::from("a\nerror: b\n  c").set_in(), "a\n  error: b\n  c");
    }
}
