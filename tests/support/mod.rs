//! A workspace in a temporary folder, and the binary run on it as from a clean shell.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The crate's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A workspace that goes away with the value.
pub(crate) struct Folder {
    _temp: tempfile::TempDir,
    path: PathBuf,
}

/// What a run gave.
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
    pub(crate) took: Duration,
}

/// A diagnostic as the JSON output tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) code: String,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("acme");
        fs::create_dir(&path).unwrap();
        Self { _temp: temp, path }
    }

    /// A copy of `fixtures/base`: a workspace without problems.
    pub(crate) fn base() -> Self {
        Self::empty().copy(&root().join("fixtures/base"))
    }

    /// The smallest workspace: a `tieline.yaml` alone.
    pub(crate) fn bare() -> Self {
        Self::empty().with("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n")
    }

    /// The same with a file.
    pub(crate) fn with(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.put(path, text);
        self
    }

    /// Writes a file, over another if need be.
    pub(crate) fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The same with everything below another folder, but `expect.txt`.
    pub(crate) fn copy(self, from: &Path) -> Self {
        for path in files(from) {
            if path != "expect.txt" {
                self.put(&path, fs::read(from.join(&path)).unwrap());
            }
        }
        self
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the binary in the folder. Ends the test if it takes more than a minute.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tieline"));
        command.args(arguments).current_dir(&self.path);
        run(command)
    }

    /// `tieline validate`, as a person sees it.
    pub(crate) fn validate(&self) -> Run {
        self.run(&["validate"])
    }

    /// `tieline validate --format json`, checked against its published schema.
    pub(crate) fn json(&self) -> Value {
        let run = self.run(&["validate", "--format", "json"]);
        assert_eq!(run.stderr, "", "{}", run.stdout);
        let report: Value = serde_json::from_str(&run.stdout).expect("validate --format json gives JSON");
        let faults: Vec<String> = output_schema().iter_errors(&report).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "schemas/output/validate.json: {faults:#?}");
        let errors = report["summary"]["errors"].as_u64().unwrap();
        assert_eq!(run.code, i32::from(errors > 0), "{}", run.stdout);
        report
    }

    /// Code, file and line of everything told, sorted.
    pub(crate) fn told(&self) -> Vec<Told> {
        let mut told = told(&self.json());
        told.sort();
        told
    }

    /// The codes of everything told, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        told(&self.json()).into_iter().map(|t| t.code).collect()
    }

    /// The text under the first label of each diagnostic, as it stands in the file.
    pub(crate) fn underlined(&self) -> Vec<String> {
        let report = self.json();
        let slice = |d: &Value| {
            let bytes = fs::read(self.path.join(d["file"].as_str().unwrap())).unwrap();
            let byte = |end: &str| usize::try_from(d["range"][end]["byte"].as_u64().unwrap()).unwrap();
            String::from_utf8(bytes[byte("start")..byte("end")].to_vec()).unwrap()
        };
        report["diagnostics"].as_array().unwrap().iter().map(slice).collect()
    }
}

/// The schema of `validate --format json`.
fn output_schema() -> &'static jsonschema::Validator {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let text = fs::read_to_string(root().join("schemas/output/validate.json")).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    })
}

/// Code, file and line of everything in a report, in its order.
pub(crate) fn told(report: &Value) -> Vec<Told> {
    let one = |d: &Value| Told {
        file: d["file"].as_str().unwrap_or("").to_owned(),
        line: d["range"]["start"]["line"].as_u64().unwrap_or(0),
        code: d["code"].as_str().unwrap().to_owned(),
    };
    report["diagnostics"].as_array().unwrap().iter().map(one).collect()
}

/// Runs a command with a clean environment.
pub(crate) fn run(mut command: Command) -> Run {
    command.env_clear().env("LANG", "C.UTF-8").env("NO_COLOR", "1").env("COLUMNS", "100").env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = |pipe: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("output is UTF-8")
    };
    let (stdout, stderr) = std::thread::scope(|scope| {
        let stdout = scope.spawn(move || reader(&mut out));
        let stderr = scope.spawn(move || reader(&mut err));
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("the command hangs");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        (stdout.join().unwrap(), stderr.join().unwrap())
    });
    let code = child.wait().unwrap().code().expect("the process ended by itself, not by a signal");
    Run { stdout, stderr, code, took: start.elapsed() }
}

/// Says that a test, or a part of it, is passed over, and why: past the harness, which shows nothing of a test that passes.
///
/// Where peers are required (`TIELINE_REQUIRE_PEERS=1`, as in `.ci/run`), that ends the test.
pub(crate) fn passed_over(why: &str) {
    assert!(std::env::var("TIELINE_REQUIRE_PEERS").as_deref() != Ok("1"), "passed over: {why}");
    say(why);
}

/// The same where the program is there and the system refuses what it is for (EPERM, as in containers): that can't be
/// installed, so it is no failure where peers are required, only said.
pub(crate) fn forbidden(what: &str, stderr: &str) {
    let refused =
        ["Operation not permitted", "Permission denied", "PTRACE_TRACEME"].iter().any(|why| stderr.contains(why));
    let why = format!("the system forbids {what} here: {}", stderr.trim());
    if refused { say(&why) } else { passed_over(&why) }
}

fn say(why: &str) {
    use std::io::Write;
    // One write, so that no other test's line comes in between.
    let _ = std::io::stderr().write_all(format!("passed over: {why}\n").as_bytes());
}

/// Every file below a folder, as paths relative to it, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let all = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = all.filter(|e| e.file_type().is_file());
    files.map(|e| e.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned()).collect()
}

/// What a file says that is told of it: `# error[CODE]: words of the message`, on the line at fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    pub(crate) line: u64,
    pub(crate) severity: String,
    pub(crate) code: String,
    /// Part of the message.
    pub(crate) words: String,
}

impl Expected {
    /// `error[CODE]: words`, told at a line.
    pub(crate) fn read(line: u64, text: &str) -> Option<Self> {
        let (head, words) = text.split_once("]: ")?;
        let (severity, code) = head.split_once('[')?;
        let severity = ["error", "warning", "info"].into_iter().find(|word| severity.ends_with(word))?;
        let [severity, code, words] = [severity, code, words.trim_end()].map(str::to_owned);
        Some(Self { line, severity, code, words })
    }
}

/// The expectations in a file, in the order of its lines.
pub(crate) fn expectations(text: &[u8]) -> Vec<Expected> {
    let text = String::from_utf8_lossy(text);
    let marked = text.lines().enumerate().filter_map(|(i, line)| {
        let marks = ["# error[", "# warning[", "# info["];
        let at = marks.iter().filter_map(|mark| line.find(mark)).min()?;
        Expected::read(i as u64 + 1, &line[at + 2..])
    });
    marked.collect()
}

/// A secrets file with these names, sealed to these recipients, and with a scope, which nothing reads without a key.
pub(crate) fn sealed(names: &[&str], recipients: &[&str]) -> String {
    use tieline::secret::Secret;
    use tieline::sops::{Map, Rule, Settings, Value, encrypt};
    let mut data = Map::new();
    for name in names {
        data.push(*name, Value::Str(Secret::new(format!("value of {name}"))));
    }
    data.push("tieline_scope", Value::Str(Secret::new("as sealed by a test".to_owned())));
    let recipients: Vec<_> = recipients.iter().map(|r| r.parse().unwrap()).collect();
    let settings = Settings {
        rule: &Rule::EncryptedRegex(".*".into()),
        mac_only_encrypted: false,
        recipients: &recipients,
        lastmodified: "2026-11-20T08:00:00Z",
    };
    encrypt(&data, &settings, &mut |bytes| getrandom::fill(bytes).unwrap()).unwrap()
}
