//! A whole workspace: `-- PATH --` lines with the files below them.

use tieline::compile::{self, desired::desired};
use tieline::connectors::Catalogue;
use tieline::diagnostic::{Diagnostic, has_errors};
use tieline::edit::format;
use tieline::model::record::Desired;
use tieline::plan::{Before, Plan};
use tieline::secrets::owners::{Handles, rules};
use tieline::secrets::sopsrc;
use tieline::sops::config::Rules;
use tieline::workspace::Workspace;
use tieline::workspace::discover::classify;
use tieline::workspace::layers::At;
use tieline::world::{Found, Kind};

use super::super::oracles;
use super::super::plans;
use super::super::world::Memory;

/// More files than this only make a run slow.
const MOST: usize = 64;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let memory = Memory::parse(text);
    if memory.files.len() <= MOST {
        whole(&memory);
    }
}

/// A workspace as it compiles in an environment, without errors.
pub(crate) struct Compiled {
    pub(crate) at: At,
    pub(crate) desired: Desired,
}

/// Everything that needs no key: what is reported, compiled, planned, formatted.
pub(crate) fn whole(memory: &Memory) -> (Vec<Diagnostic>, Vec<Compiled>) {
    let Ok((mut workspace, read)) = Workspace::read(memory) else { return Default::default() };
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let mut told = compile::check(&workspace, &catalogue, read.clone());
    let before = words(&told);
    assert_eq!(told, compile::check(&workspace, &catalogue, read.clone()), "another report the second time");
    sopsrc::check(&mut workspace, memory, &mut told);
    oracles::report(&told, &workspace.sources, workspace.environments.len());
    oracles::conceals(&workspace.sources);
    let mut all = Vec::new();
    for at in workspace.everywhere().into_iter().take(4) {
        let (compiled, found) = compile::compile(&workspace, &catalogue, &at);
        let found = tieline::diagnostic::merge(read.iter().cloned().chain(found).collect());
        oracles::report(&found, &workspace.sources, 1);
        if !has_errors(&found) {
            all.push(Compiled { at, desired: desired(&workspace, &catalogue, &compiled) });
        }
    }
    all.iter().for_each(|one| planned(&one.desired));
    if let [from, to, ..] = &*all {
        let places = |_: &str, _: &str| None;
        plans::changes(&Plan::between(&from.desired, &to.desired, &places));
    }
    formatted(memory, &before, &all);
    access(&workspace);
    (told, all)
}

/// Records can be printed, and planned from nothing, from themselves and to nothing.
fn planned(desired: &Desired) {
    let records = serde_json::json!(desired.records);
    oracles::prints(&records);
    plans::seals(desired);
    let places = |_: &str, _: &str| None;
    plans::forms(&Plan::new(desired, Before::Nothing, &places));
    let deployed = plans::deployed(desired);
    let again = Plan::new(desired, Some(&deployed), &places);
    assert!(again.changes.is_empty() && again.trust.is_empty(), "a plan of the same: {:?}", again.changes);
    plans::forms(&again);
    let nothing = Desired { records: Default::default(), trust: serde_json::json!({}), ..desired.clone() };
    plans::forms(&Plan::new(&nothing, Some(&deployed), &places));
}

/// What is reported, without where.
fn words(told: &[Diagnostic]) -> Vec<String> {
    let mut words: Vec<String> = told.iter().map(|one| format!("{}: {}", one.code, one.message)).collect();
    words.sort();
    words
}

/// In canonical form, the workspace compiles to the same, and the same is reported.
fn formatted(memory: &Memory, before: &[String], all: &[Compiled]) {
    let mut done = memory.clone();
    for path in memory.files.keys() {
        let Ok((_, role)) = classify(&Found { path: path.clone(), utf8: true, kind: Kind::File }) else { continue };
        let text = format::order(&role).and_then(|order| oracles::formats(memory.text(path), order));
        done.files.extend(text.map(|text| (path.clone(), text.into_bytes())));
    }
    if done.files == memory.files {
        return;
    }
    let (workspace, read) = Workspace::read(&done).unwrap_or_else(|_| panic!("formatted, it is no workspace"));
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    assert_eq!(words(&compile::check(&workspace, &catalogue, read)), before, "`fmt` changes what is reported");
    for one in all {
        let (compiled, _) = compile::compile(&workspace, &catalogue, &one.at);
        let digest = desired(&workspace, &catalogue, &compiled).digest();
        assert_eq!(digest, one.desired.digest(), "`fmt` changes what {} compiles to", one.at);
    }
}

/// CODEOWNERS has a rule a line, and `.sops.yaml` is read as it was written.
fn access(workspace: &Workspace) {
    if let Ok(rules) = rules(&Handles { given: Default::default(), workspace }, "") {
        oracles::calm(&rules.text);
        let lines = rules.text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), rules.count, "{}", rules.text);
    }
    if let Some(text) = sopsrc::text(workspace) {
        oracles::calm(&text);
        assert!(Rules::parse(&text).is_ok(), "{text}");
    }
}
