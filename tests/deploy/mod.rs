//! Planning and applying, seen from outside: records in, a target on disk out.
#![allow(clippy::unwrap_used)]

mod against;
mod apply;
mod archive;
mod comment;
mod contract;
mod crash;
mod gc;
mod guards;
mod kept;
mod kept_edges;
mod kept_whole;
mod leak;
mod life;
mod limits;
mod objects;
mod peer_sops;
mod plan;
mod publish;
mod remote;
mod saved;
mod signing;
mod strace;
mod trust;
mod verify;
mod vouched;
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tieline::apply::{Applied, ApplyError, Options, Stamp};
use tieline::bundle::object::Reveal;
use tieline::bundle::{Deployed, Digest, Scope};
use tieline::model::record::{Desired, Record};
use tieline::secret::Secret;
use tieline::sops::{Identities, keygen};
use tieline::targets::directory::Directory;
use tieline::targets::{Target, deployed};

/// A temporary target, the key that opens it, and the steps of a command.
struct Bench {
    folder: tempfile::TempDir,
    identity: String,
    recipient: String,
}

/// How text is drawn in tests.
const LOOK: tieline::reporters::human::Look =
    tieline::reporters::human::Look { color: false, unicode: true, width: 100 };

/// Part of every secret, so that a leak is found.
const CANARY: &str = "Kanari3n-vogel?ö&/+";

struct Canaries;

impl Reveal for Canaries {
    fn reveal(&self, instance: &str, pointer: &str) -> Result<Secret<String>, String> {
        Ok(Secret::new(format!("{CANARY}{instance}{pointer}")))
    }
}

impl Bench {
    fn new() -> Self {
        let (identity, recipient) = keygen();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, identity: identity.expose().clone(), recipient: recipient.as_str().to_owned() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("dist")
    }

    fn target(&self) -> Directory {
        Directory::new(self.root(), &scope())
    }

    fn identities(&self) -> Identities {
        Identities::parse(&self.identity).unwrap()
    }

    fn deployed(&self) -> Option<Deployed> {
        deployed(&self.target(), &scope()).unwrap()
    }

    /// A database with a password.
    fn database(&self, id: &str) -> Record {
        let (connection, customer) = id.split_once('@').map_or((id, None), |(id, customer)| (id, Some(customer)));
        let record = json!({
            "id": connection, "customer": customer, "profile": null, "key": connection,
            "reference": format!("reference-of-{id}"), "connector": "postgresql",
            "config": {"host": "db.example", "port": 5432, "database": "no", "ratio": 0.25, "tls": {"mode": "require"}},
            "auth": {"mode": "password", "username": "u", "password": secret("DB_PASSWORD", "1")},
            "title": "Database", "owner": "team-data", "labels": {"tier": "gold"},
            "recipients": [self.recipient], "consumers": ["nightly"], "expose": [], "protect": false,
        });
        serde_json::from_value(record).unwrap()
    }

    fn desired(&self, ids: &[&str]) -> Desired {
        let records = ids.iter().map(|id| ((*id).to_owned(), self.database(id))).collect();
        self.desired_of(records)
    }

    fn desired_of(&self, records: BTreeMap<String, Record>) -> Desired {
        Desired {
            workspace: "2fc57e25-dce2-4a90-ae69-ae44cb0c8e84".parse().unwrap(),
            environment: "prod".into(),
            profile: None,
            records,
            trust: json!({
                "recipients": {"demo": self.recipient},
                "connectors": {"postgresql": {"schema": Digest::of(b""), "secrets": ["/auth/password"]}},
            }),
        }
    }

    fn apply(&self, desired: &Desired) -> Result<Applied, ApplyError> {
        self.apply_onto(desired, self.deployed().as_ref())
    }

    fn apply_onto(&self, desired: &Desired, base: Option<&Deployed>) -> Result<Applied, ApplyError> {
        tieline::apply::apply(&self.target(), desired, base, &Canaries, &stamp(), &Options::default())
    }

    /// Every file of the target with its content and its time of change.
    fn tree(&self) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
        files(&self.root())
            .into_iter()
            .map(|path| {
                let time = fs::metadata(&path).unwrap().modified().unwrap();
                (path.clone(), (fs::read(path).unwrap(), time))
            })
            .collect()
    }

    fn objects(&self) -> usize {
        fs::read_dir(self.root().join("objects")).unwrap().count()
    }

    fn view(&self, id: &str) -> PathBuf {
        self.root().join(format!("environments/prod/current/connections/{id}.yaml"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    entries.map(Result::unwrap).filter(|e| !e.file_type().is_dir()).map(|e| e.into_path()).collect()
}

fn secret(name: &str, version: &str) -> Value {
    let source = json!({"name": name, "from": "environments/prod/secrets.sops.yaml", "version": version});
    json!({"$secret": {"names": [name], "sources": [source], "delivery": "resolve"}})
}

fn scope() -> Scope {
    Scope { workspace: "2fc57e25-dce2-4a90-ae69-ae44cb0c8e84".into(), environment: "prod".into(), profile: None }
}

fn stamp() -> Stamp {
    Stamp { time: "2026-11-21T08:00:00.123Z".parse().unwrap(), tool: "0.1.0".into(), commit: None }
}

/// The path of the object of an instance.
fn object(bench: &Bench, id: &str) -> PathBuf {
    let deployed = bench.deployed().unwrap();
    bench.root().join("objects").join(deployed.manifest.connections[id].object.hex())
}

/// The exit code of a failure, and whether the target still says what it said.
fn code(result: Result<Applied, ApplyError>) -> u8 {
    result.unwrap_err().exit_code()
}

#[test]
fn a_scope_names_its_head() {
    let profile = Scope { profile: Some("test".into()), ..scope() };
    assert_eq!((scope().name(), profile.name()), ("prod".into(), "prod+test".into()));
    let bench = Bench::new();
    assert_eq!(bench.target().describe(), bench.root().display().to_string());
    for environment in ["..", "../../x", "a/../../b"] {
        let target = Directory::new(bench.root(), &Scope { environment: environment.into(), ..scope() });
        fs::create_dir_all(bench.root().join("environments/a")).unwrap();
        assert!(target.read_head().is_err(), "{environment}");
    }
}
