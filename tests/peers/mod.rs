//! Against what others made and agreed on. A peer that is not there is passed over ([`passed_over`]).

mod alike;
mod readers;
mod yaml_suite;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::support::{forbidden, passed_over, root};

/// A server of this folder, which ends with the value.
pub(crate) struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// `http://127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Server {
    /// Starts a script, once it says where it is; `None` without Python.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new(python()?);
        command.arg(root().join("tests/peers").join(script)).args(arguments);
        Some(Self::spawn(command))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut address = String::new();
        output.read_line(&mut address).unwrap();
        assert!(address.contains("://127.0.0.1:"), "the server starts: {address}");
        Self { child, output, address: address.trim().to_owned() }
    }

    /// What it was asked for.
    pub(crate) fn asked(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A program that runs, or the test is passed over.
pub(crate) fn there(what: &str, command: &mut Command) -> bool {
    let ran = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = ran.is_ok_and(|status| status.success());
    if !found {
        passed_over(&format!("no {what} found"));
    }
    found
}

/// Whether this machine lets a program do what it is for; a container may not, and then the test is passed over.
pub(crate) fn permitted(what: &str, command: &mut Command) -> bool {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => forbidden(what, &String::from_utf8_lossy(&output.stderr)),
        Err(error) => passed_over(&format!("{what}: {error}")),
    }
    false
}

/// Python with pyrage, cryptography, PyYAML, hvac and moto: `$TIELINE_PEER_PYTHON`.
pub(crate) fn python() -> Option<String> {
    let name = std::env::var("TIELINE_PEER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(&name);
    command.args(["-c", "import pyrage, cryptography, yaml, hvac, moto, boto3"]);
    there("Python with pyrage, cryptography, PyYAML, hvac and moto", &mut command).then_some(name)
}

/// age, of Debian.
fn age() -> Option<String> {
    there("age", Command::new("age").arg("--version")).then(|| "age".to_owned())
}

/// A folder with `node_modules/sops-age`: `$TIELINE_PEER_NODE`.
fn node_modules() -> Option<String> {
    let folder = std::env::var("TIELINE_PEER_NODE").unwrap_or_else(|_| ".".to_owned());
    let code = format!("require('node:module').createRequire('{folder}/')('sops-age')");
    there("Node with sops-age", Command::new("node").args(["-e", &code])).then_some(folder)
}

/// Python with PyYAML on libyaml and ruamel.yaml: `$TIELINE_PEER_PYTHON`.
fn yaml_python() -> Option<String> {
    let name = std::env::var("TIELINE_PEER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(&name);
    command.args(["-c", "import yaml, ruamel.yaml; yaml.CSafeLoader"]);
    there("Python with PyYAML, libyaml and ruamel.yaml", &mut command).then_some(name)
}

/// A folder with the npm packages yaml and js-yaml: `$TIELINE_PEER_NODE`.
fn yaml_node_modules() -> Option<String> {
    let folder = std::env::var("TIELINE_PEER_NODE").unwrap_or_else(|_| ".".to_owned());
    let code = format!("const r = require('node:module').createRequire('{folder}/'); r('yaml'); r('js-yaml')");
    there("Node with yaml and js-yaml", Command::new("node").args(["-e", &code])).then_some(folder)
}

/// A test without its peer says so on stderr, which nobody captures; where peers are required it fails.
#[test]
fn e2_11_a_test_that_is_passed_over_says_so_or_fails() {
    let run = |required: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "peers::readers::peer_age_opens_our_data_keys"]).env_clear();
        command.env("PATH", "/nowhere").envs(required.map(|value| ("TIELINE_REQUIRE_PEERS", value)));
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(text.contains("running 1 test"), "{text}");
        assert!(text.contains("passed over: no age found"), "{text}");
        output.status.success()
    };
    assert!(run(None) && !run(Some("1")));
}
