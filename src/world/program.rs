//! Programs that the operator named: they run with bounds on time and output. None is ever named by a repository.
#![allow(clippy::disallowed_methods, reason = "this is the door")]

use std::ffi::OsStr;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::child::{Environment, Start};
use crate::secret::Secret;

/// How a program is run.
pub struct Run<'a> {
    /// The program, found like a shell finds it, and its arguments; no shell is in between.
    pub line: &'a [String],
    /// Variables besides those of the operator.
    pub variables: &'a [(&'a str, &'a str)],
    /// The bytes it may print.
    pub limit: usize,
    /// How long it may take.
    pub timeout: Duration,
}

impl Run<'_> {
    /// What the program prints. What it says on stderr goes to the terminal: it may ask the person something.
    ///
    /// # Errors
    /// It can't be run, fails, takes too long, prints too much or no text; words that hold nothing it printed.
    pub fn output(&self) -> Result<Secret<String>, String> {
        let Some((program, arguments)) = self.line.split_first() else { return Err("the command is empty".into()) };
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let start = Start {
            program: OsStr::new(program),
            arguments: &arguments,
            environment: Environment::Operator(self.variables),
            folder: None,
            pipes: (Stdio::null(), Stdio::piped(), Stdio::inherit()),
            apart: false,
        };
        let mut child = start.now().map_err(|error| format!("`{program}` can't be run: {}", error.kind()))?;
        let limit = self.limit;
        let pipe = child.stdout.take();
        let reader = std::thread::spawn(move || {
            // Room for all of it: growing would leave copies behind.
            let mut text = Secret::new(String::with_capacity(limit + 64));
            let read = pipe.map(|pipe| pipe.take(limit as u64 + 1).read_to_string(text.expose_mut()));
            match read {
                Some(Ok(bytes)) if bytes <= limit => Ok(text),
                Some(Ok(_)) => Err(format!("printed more than {limit} bytes")),
                _ => Err("printed what is no text".to_owned()),
            }
        });
        let start = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if start.elapsed() < self.timeout => std::thread::sleep(Duration::from_millis(5)),
                _ => {
                    let _ = child.kill().and_then(|()| child.wait().map(drop));
                    return Err(format!("`{program}` took longer than {} s", self.timeout.as_secs()));
                }
            }
        };
        if !status.success() {
            return Err(format!("`{program}` failed: {status}"));
        }
        let text = reader.join().unwrap_or_else(|_| Err("could not be read".to_owned()));
        text.map_err(|error| format!("`{program}` {error}"))
    }
}
