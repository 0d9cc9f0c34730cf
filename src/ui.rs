//! The only file that prints. Data goes to stdout, talk to stderr; colour only on a terminal that wants it. Everything is
//! encoded here ([`Shown`]): a text from a file, a command line, a target or a key holds nothing that acts on a terminal.
#![allow(clippy::disallowed_methods, reason = "the door to the terminal")]

use std::io::{self, BufRead, IsTerminal, Write};

use clap::error::{ContextKind, ContextValue};

use crate::diagnostic::Diagnostic;
use crate::reporters::human::{self, Look};
use crate::reporters::shown::{Show, Shown};
use crate::reporters::text::{is_unsafe, push_visible, visible};
use crate::secret::Secret;
use crate::sops::{Ask, Clear, Encrypted};
use crate::source::Sources;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where a run speaks.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    out: Look,
    talk: Look,
    /// A CI system looks for commands in what is printed.
    ci: bool,
    /// That system is GitHub Actions.
    github: bool,
    /// Stderr is a terminal.
    talk_is_terminal: bool,
}

/// The commands on whose lines somebody may type a secret by mistake.
const SECRETIVE: [&str; 2] = ["tieline secret ", "tieline sops "];

/// What of a word on such a line may be repeated: the name of an option.
fn named(word: &str) -> &str {
    match word.split_once('=').map_or(word, |(name, _)| name) {
        name if name.starts_with("--") || name.starts_with('<') => name,
        _ => "(not repeated: it may be a secret)",
    }
}

impl Ui {
    /// Looks at the terminal once. `variable` reads the environment.
    pub fn new(color: Color, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let look = |terminal: bool| {
            let forced = ["CLICOLOR_FORCE", "FORCE_COLOR"].iter().any(|v| variable(v).is_some_and(|v| v != "0"));
            let refused = variable("NO_COLOR").is_some()
                || variable("CLICOLOR").as_deref() == Some("0")
                || variable("TERM").as_deref() == Some("dumb");
            let color = match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => !refused && (forced || terminal),
            };
            let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|v| variable(v));
            let unicode = locale.is_none_or(|l| l.to_ascii_lowercase().replace('-', "").contains("utf8"));
            let columns = variable("COLUMNS").and_then(|c| c.parse().ok()).filter(|c| (40..=400).contains(c));
            Look { color, unicode, width: columns.unwrap_or(100) }
        };
        let systems = ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION"];
        let ci = systems.iter().any(|name| variable(name).is_some());
        let github = variable("GITHUB_ACTIONS").as_deref() == Some("true");
        let talk_is_terminal = io::stderr().is_terminal();
        Self { out: look(io::stdout().is_terminal()), talk: look(talk_is_terminal), ci, github, talk_is_terminal }
    }

    /// How stdout looks.
    pub fn look(&self) -> Look {
        self.out
    }

    /// Prints data for people. Where a CI system reads along, nothing in it is a command to that system.
    pub fn data(&self, text: &(impl Show + ?Sized)) {
        self.put(io::stdout().lock(), text.shown());
    }

    /// Prints data for machines, in a form whose writer has escaped in its own way what could act: what is left of that
    /// is encoded all the same. A reader that went away is no error.
    pub fn machine(&self, text: &(impl Show + ?Sized)) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.shown().as_bytes()).and_then(|()| out.flush());
    }

    /// Prints bytes as they are: the value or document that was asked for. On a terminal, which would act on them,
    /// control characters are shown as escapes, and that is said.
    pub fn bytes(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        let shown = if out.is_terminal() { harmless(bytes) } else { None };
        let bytes = shown.as_ref().map_or(bytes, |shown| shown.expose().as_bytes());
        let _ = out.write_all(bytes).and_then(|()| out.flush());
        if shown.is_some() {
            self.say("control characters are shown as escapes: redirect stdout for the exact bytes");
        }
    }

    /// Writes text for people.
    fn put(&self, mut to: impl Write, text: Shown) {
        let text = if self.ci { text.without_commands() } else { text };
        let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    }

    /// Whether stdout is a terminal.
    pub fn is_shown(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Asks GitHub's runner to hide a value that is about to be printed, each of its lines, since it compares lines. Short
    /// ones are left: hiding every `1` would hide nothing and garble the log. The runner needs the value as it is: nothing
    /// but `%` is escaped, which is its own. A terminal never gets it.
    pub fn mask(&self, value: &Secret<String>) {
        if self.github && !self.talk_is_terminal {
            let mut err = io::stderr().lock();
            // A carriage return ends a line for the runner as well, and what stands behind it would be a command.
            let lines = value.expose().split(['\n', '\r']).map(str::trim);
            for line in lines.filter(|line| line.chars().count() >= 4) {
                let _ = writeln!(err, "::add-mask::{}", line.replace('%', "%25"));
            }
        }
    }

    /// The same of every value that stands encrypted in a file which is about to be printed in clear.
    pub fn mask_all(&self, file: &Encrypted<'_>, clear: &Clear) {
        if self.github && !self.talk_is_terminal {
            for value in clear.sealed(file) {
                value.with_bytes(|bytes| self.mask(&Secret::new(String::from_utf8_lossy(bytes).into_owned())));
            }
        }
    }

    /// Says something to the person, a line. What follows a line break is set in.
    pub fn say(&self, text: &(impl Show + ?Sized)) {
        self.put(io::stderr().lock(), text.shown().set_in() + "\n");
    }

    /// Shows how far something is, on one line that the next one covers: on a terminal alone.
    pub fn progress(&self, what: &str, done: usize, all: usize) {
        if self.talk_is_terminal && !self.ci {
            let mut err = io::stderr().lock();
            let end = if done == all { "\r\x1b[K" } else { "" };
            let _ = write!(err, "\r{} {done}/{all}{end}", visible(what)).and_then(|()| err.flush());
        }
    }

    /// Says why nothing was done.
    pub fn fail(&self, message: &str, help: Option<&str>) {
        self.say(&format!("error: {message}"));
        if let Some(help) = help {
            self.say(&format!("  help: {help}"));
        }
    }

    /// Prints help, to stdout, or what is wrong with a command line, to stderr: for [`clap`].
    pub fn usage(&self, mut error: clap::Error) {
        if !error.use_stderr() {
            // Nobody's words but ours.
            let help = error.render();
            let help = if self.out.color { Shown::drawn(&help.ansi().to_string()) } else { help.to_string().into() };
            return self.data(&help);
        }
        // clap mixes what was typed with its own styles: it is encoded before, and the styles are left out.
        let is_of_secrets = error.context().any(|(kind, value)| {
            let usage = value.to_string();
            kind == ContextKind::Usage && SECRETIVE.iter().any(|command| usage.contains(command))
        });
        let encoded = |kind: ContextKind, text: &String| match kind {
            ContextKind::InvalidArg | ContextKind::InvalidValue | ContextKind::InvalidSubcommand if is_of_secrets => {
                visible(named(text)).into_owned()
            }
            _ => visible(text).into_owned(),
        };
        let typed: Vec<(ContextKind, ContextValue)> = error
            .context()
            .filter_map(|(kind, value)| match value {
                ContextValue::String(text) => Some((kind, ContextValue::String(encoded(kind, text)))),
                ContextValue::Strings(texts) => {
                    Some((kind, ContextValue::Strings(texts.iter().map(|text| encoded(kind, text)).collect())))
                }
                _ => None,
            })
            .collect();
        for (kind, value) in typed {
            error.insert(kind, value);
        }
        self.put(io::stderr().lock(), error.render().to_string().into());
    }

    /// Draws problems as talk: for commands whose data is something else.
    pub fn problems(&self, diagnostics: &[Diagnostic], sources: &Sources, environments: usize) {
        if !diagnostics.is_empty() {
            self.put(io::stderr().lock(), human::render(diagnostics, sources, environments, self.talk));
        }
    }

    /// Whether there is a person to ask.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for `yes`; anything else is a no.
    pub fn confirm(&self, question: &str) -> bool {
        self.put(io::stderr().lock(), Shown::from(question).set_in() + " Type `yes` to go on: ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == "yes"
    }

    /// Asks whether to go on: Enter is a yes, `no` a no; so is nobody being there.
    pub fn go_on(&self, question: &str, no: &str) -> bool {
        if !self.is_interactive() {
            return false;
        }
        self.put(io::stderr().lock(), Shown::from(question).set_in());
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).is_ok_and(|bytes| bytes > 0) && answer.trim() != no
    }

    /// A secret from the terminal, not echoed, even where stdin is something else; `None` where there is none.
    pub fn passphrase(&self, prompt: &str) -> Option<Secret<String>> {
        rpassword::prompt_password(format!("{}: ", visible(prompt))).ok().map(Secret::new)
    }

    /// A secret from a person, not echoed; or all of stdin where that is no terminal, without one line break at its end.
    ///
    /// # Errors
    /// The operating system's; or stdin is no text, or longer than `limit` bytes.
    pub fn read_secret(&self, prompt: &str, limit: usize) -> io::Result<Secret<String>> {
        if io::stdin().is_terminal() {
            return rpassword::prompt_password(visible(prompt)).map(Secret::new);
        }
        // A secret from the first byte, so that an early return wipes it too; with room for all of it, since growing would
        // leave copies behind.
        let mut value = Secret::new(String::with_capacity(limit + 64));
        let mut input = io::Read::take(io::stdin().lock(), limit as u64 + 1);
        io::Read::read_to_string(&mut input, value.expose_mut())?;
        if value.expose().len() > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {limit} bytes")));
        }
        Ok(value.of_one_line())
    }
}

/// A value as a terminal may show it, if it has anything that would act there; line breaks and tabs don't.
fn harmless(bytes: &[u8]) -> Option<Secret<String>> {
    let acts = |c: char| !matches!(c, '\n' | '\t') && is_unsafe(c);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(acts) => return None,
        _ => Secret::new(String::from_utf8_lossy(bytes).into_owned()),
    };
    let text = text.expose();
    // With room for all of it: growing would leave copies behind.
    let mut shown = Secret::new(String::with_capacity(text.len() * 10));
    for c in text.chars() {
        if acts(c) { push_visible(shown.expose_mut(), c) } else { shown.expose_mut().push(c) }
    }
    Some(shown)
}

/// Whom identities ask.
impl Ask for Ui {
    fn passphrase(&self, what: &str) -> Option<Secret<String>> {
        Self::passphrase(self, what)
    }

    fn tell(&self, message: &str) {
        self.say(message);
    }

    fn confirm(&self, question: &str) -> Option<bool> {
        self.is_interactive().then(|| Self::confirm(self, question))
    }
}
