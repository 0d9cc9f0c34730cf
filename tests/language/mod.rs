//! What `1-language` promises to people who write connections.
#![allow(clippy::unwrap_used)]

mod abuse;
mod alike;
mod expressions;
mod merge;
mod properties;
mod references;
mod robust;
mod rows;
mod secrets;
mod yaml;

use std::sync::Arc;

use tieline::compile::{self, Compiled};
use tieline::connectors::{Catalogue, json::plain};
use tieline::diagnostic::{Diagnostic, merge};
use tieline::value::Value;
use tieline::workspace::Workspace;
use tieline::workspace::layers::At;
use tieline::world::System;

use crate::support::Folder;

/// What an environment compiles to, and what was told.
fn compiled(folder: &Folder, environment: &str) -> (Workspace, Compiled, Vec<Diagnostic>) {
    let (workspace, told) = Workspace::read(&System::new(folder.path())).unwrap();
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let (compiled, more) = compile::compile(&workspace, &catalogue, &At::plain(&Arc::from(environment)));
    (workspace, compiled, merge(told.into_iter().chain(more).collect()))
}

/// The instance of the connection `c` in an environment, as JSON; everything told must be expected.
fn instance(folder: &Folder, environment: &str) -> serde_json::Value {
    let (_, compiled, told) = compiled(folder, environment);
    assert!(told.is_empty(), "{told:#?}");
    plain(&compiled.connections["c"].instance)
}

/// The instance's secret at a pointer, as written.
fn secret(folder: &Folder, environment: &str, pointer: &str) -> String {
    let (_, compiled, told) = compiled(folder, environment);
    assert!(told.is_empty(), "{told:#?}");
    match &compiled.connections["c"].instance.pointer(pointer).unwrap().value {
        Value::Secret(reference) => reference.template.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A connector that takes anything, so that a case is about the language alone.
const ANYTHING: &str = r#"{
  "type": "object",
  "properties": {
    "config": {"type": "object"},
    "auth": {"type": "object", "properties": {"password": {"type": "string", "writeOnly": true}}}
  }
}"#;

/// A workspace with the connection `c`, and overlays of it by environment.
fn layers(lowest: &str, overlays: &[(&str, &str)]) -> Folder {
    let mut folder = Folder::bare()
        .with("connectors/anything.json", ANYTHING)
        .with("connections/c.yaml", lowest)
        .with("environments/dev/environment.yaml", "description: Development\n");
    for (environment, text) in overlays {
        folder.put(&format!("environments/{environment}/environment.yaml"), "");
        folder = folder.with(&format!("environments/{environment}/connections/c.yaml"), text);
    }
    folder
}

#[test]
fn a_workspace_of_anything_has_no_problems() {
    let folder = layers("connector: anything\nconfig: {a: 1}\nauth: {}\n", &[("prod", "config: {b: 2}\n")]);
    assert_eq!(folder.codes(), Vec::<String>::new());
    assert_eq!(instance(&folder, "prod"), serde_json::json!({"config": {"a": 1, "b": 2}, "auth": {}}));
}
