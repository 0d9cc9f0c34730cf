//! Deploying by stages: a workspace that is deployed, three of its connections changed.
//!
//! The floor is what JSON alone costs: the manifest's bytes read as plain JSON and written again.

use std::hint::black_box;
use std::path::Path;

use tieline::apply::{Options, Stamp, apply};
use tieline::bundle::object::Reveal;
use tieline::bundle::{Manifest, Scope};
use tieline::compile::compile;
use tieline::compile::desired::desired;
use tieline::connectors::Catalogue;
use tieline::model::record::Desired;
use tieline::plan::Plan;
use tieline::secret::Secret;
use tieline::targets::deployed;
use tieline::targets::directory::Directory;
use tieline::workspace::Workspace;
use tieline::workspace::layers::At;
use tieline::world::System;

use crate::watch::{Time, Watch};

/// What a row of the table says.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) times: Vec<Time>,
}

/// What one apply of three changes did, and how long each stage of it took.
pub(crate) struct Deploying {
    pub(crate) rows: Vec<Row>,
    pub(crate) connections: usize,
    pub(crate) sealed: usize,
    pub(crate) written: usize,
    pub(crate) manifest: usize,
}

/// So many connections change.
pub(crate) const CHANGED: usize = 3;
/// The stages that read and write the manifest, and their floor.
pub(crate) const READ: &str = "read the manifest in force";
pub(crate) const WRITE: &str = "write a manifest";
pub(crate) const FLOOR: &str = "the same bytes as plain JSON, read";
pub(crate) const FLOOR_WRITE: &str = "the same as plain JSON, written";

struct Constant;

impl Reveal for Constant {
    fn reveal(&self, _: &str, _: &str) -> Result<Secret<String>, String> {
        Ok(Secret::new("a secret of usual length".to_owned()))
    }
}

fn timed<T>(times: &mut Vec<Time>, run: impl FnOnce() -> T) -> T {
    let start = Watch::start();
    let result = run();
    times.push(start.elapsed());
    result
}

fn changed(desired: &Desired, round: usize) -> Desired {
    let mut next = desired.clone();
    for record in next.records.values_mut().take(CHANGED) {
        record["config"]["changed_in"] = round.into();
    }
    next
}

/// Measures, `rounds` times, each round starting from what the last one deployed.
pub(crate) fn measure(folder: &Path, rounds: usize) -> Deploying {
    let world = System::new(folder);
    let (workspace, _) = Workspace::read(&world).expect("a workspace");
    let at = At::plain(workspace.environments.keys().next().expect("an environment"));
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let (compiled, _) = compile(&workspace, &catalogue, &at);
    let first = desired(&workspace, &catalogue, &compiled);
    let dist = tempfile::tempdir().expect("a folder");
    let target = Directory::new(dist.path(), &Scope::of(&first));
    let stamp = Stamp { time: jiff::Timestamp::now(), tool: "bench".into(), commit: None };
    let put = |next: &Desired| {
        let base = deployed(&target, &Scope::of(next)).expect("what is deployed");
        apply(&target, next, base.as_ref(), &Constant, &stamp, &Options::default()).expect("applied")
    };
    put(&first);
    let names = [
        "compile",
        "records",
        "their digest",
        READ,
        "compare",
        "seal, write, swap, read back",
        WRITE,
        FLOOR,
        FLOOR_WRITE,
    ];
    let mut rows: Vec<Row> = names.into_iter().map(|name| Row { name, times: Vec::new() }).collect();
    let (mut sealed, mut written, mut manifest) = (0, 0, 0);
    for round in 0..rounds {
        let (compiled, _) = timed(row(&mut rows, "compile"), || compile(&workspace, &catalogue, &at));
        let records = timed(row(&mut rows, "records"), || desired(&workspace, &catalogue, &compiled));
        let next = changed(&records, round + 1);
        black_box(timed(row(&mut rows, "their digest"), || next.digest()));
        let base = timed(row(&mut rows, READ), || deployed(&target, &Scope::of(&next))).expect("what is deployed");
        let plan = timed(row(&mut rows, "compare"), || Plan::new(&next, base.as_ref(), &|_, _| None));
        assert_eq!(plan.changes.len(), CHANGED);
        let before = files(dist.path());
        let applied = timed(row(&mut rows, "seal, write, swap, read back"), || {
            apply(&target, &next, base.as_ref(), &Constant, &stamp, &Options::default()).expect("applied")
        });
        sealed = applied.sealed;
        written = files(dist.path()) - before;
        let now = deployed(&target, &Scope::of(&next)).expect("what is deployed").expect("something").manifest;
        let bytes = timed(row(&mut rows, WRITE), || Manifest::bytes(&now)).expect("bytes");
        manifest = bytes.len();
        let plain: serde_json::Value = timed(row(&mut rows, FLOOR), || serde_json::from_slice(&bytes)).expect("JSON");
        black_box(timed(row(&mut rows, FLOOR_WRITE), || serde_json::to_vec_pretty(&plain)).expect("bytes"));
    }
    Deploying { rows, connections: first.records.len(), sealed, written, manifest }
}

fn row<'r>(rows: &'r mut [Row], name: &str) -> &'r mut Vec<Time> {
    &mut rows.iter_mut().find(|row| row.name == name).expect("a row of this name").times
}

fn files(folder: &Path) -> usize {
    walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).filter(|e| e.file_type().is_file()).count()
}
