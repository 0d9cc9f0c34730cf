//! The library, whole and stage by stage. Every measure runs once a round, so that noise falls on all alike.

use std::hint::black_box;
use std::path::Path;

use rayon::prelude::*;
use tieline::compile::connection::{State, merge};
use tieline::compile::context::Context;
use tieline::compile::names::Names;
use tieline::compile::{self, Compiled};
use tieline::connectors::Catalogue;
use tieline::model::connection::Connection;
use tieline::overlay::Notes;
use tieline::rules::levels::Levels;
use tieline::source::Sources;
use tieline::span::FileId;
use tieline::template;
use tieline::validate::{self, Against};
use tieline::workspace::Workspace;
use tieline::workspace::discover::{self, Family, Role};
use tieline::workspace::layers::At;
use tieline::world::{System, World};
use tieline::yaml::events::Events;
use tieline::{diagnostic, yaml};

use crate::watch::{Time, Watch};

/// What a row of the table says.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) times: Vec<Time>,
    /// How many documents or connections it went through.
    pub(crate) count: usize,
}

/// Runs once and says how long it took.
type Measure<'a> = Box<dyn FnMut() -> Time + 'a>;

/// The row that others are compared with.
pub(crate) const FLOOR: &str = "read + parse: the floor";
/// The same without building trees.
pub(crate) const EVENTS: &str = "read + YAML events";
/// What users wait for.
pub(crate) const VALIDATE: &str = "validate";

/// Measures the workspace in `folder`, `rounds` times.
pub(crate) fn measure(folder: &Path, rounds: usize) -> Vec<Row> {
    let world = System::new(folder);
    let paths = paths(&world);
    let (workspace, told) = Workspace::read(&world).unwrap_or_else(|_| panic!("there is a workspace"));
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let told = compile::check(&workspace, &catalogue, told);
    assert!(told.is_empty(), "{} problems, the first: {:?}", told.len(), told[0]);
    let prepared = Prepared::new(&workspace, &catalogue);

    let files = workspace.sources.len();
    let connections = workspace.connection_count();
    let pairs = connections * workspace.environments.len().max(1);
    let mut measures: Vec<(&'static str, usize, Measure<'_>)> = vec![
        ("walk", files, Box::new(|| timed(|| paths_and_roles(&world)))),
        ("read", files, Box::new(|| timed(|| read_all(&world, &paths, |_, _| ())))),
        (
            EVENTS,
            files,
            Box::new(|| timed(|| read_all(&world, &paths, |_, text| Events::new(text, 64, false).count()))),
        ),
        (FLOOR, files, Box::new(|| timed(|| read_all(&world, &paths, yaml::parse)))),
        ("Workspace::read", files, Box::new(|| timed(|| Workspace::read(&world)))),
        ("compile::check", pairs, Box::new(|| timed(|| check(&workspace)))),
        ("  merge", connections, Box::new(|| timed(|| prepared.merge()))),
        ("  read the model", connections, Box::new(|| prepared.model())),
        ("  evaluate", connections, Box::new(|| prepared.evaluate())),
        ("  schema and secret placement", connections, Box::new(|| prepared.validate())),
        (VALIDATE, connections, Box::new(|| whole(&world).0)),
        ("  and drop", connections, Box::new(|| whole(&world).1)),
    ];
    let mut rows: Vec<Row> =
        measures.iter().map(|(name, count, _)| Row { name, times: Vec::new(), count: *count }).collect();
    for _ in 0..rounds {
        for (row, (_, _, run)) in rows.iter_mut().zip(&mut measures) {
            row.times.push(run());
        }
    }
    rows
}

fn timed<T>(run: impl FnOnce() -> T) -> Time {
    let start = Watch::start();
    let result = black_box(run());
    let time = start.elapsed();
    drop(result);
    time
}

/// Every YAML file.
fn paths(world: &System) -> Vec<String> {
    let yaml = |(path, role): (String, Role)| (!matches!(role, Role::Connector(_))).then_some(path);
    paths_and_roles(world).into_iter().filter_map(yaml).collect()
}

fn paths_and_roles(world: &System) -> Vec<(String, Role)> {
    let found = discover::TOP.iter().flat_map(|top| world.list(top).expect("a listing"));
    found.filter_map(|found| discover::classify(&found).ok().map(|(_, role)| (found.path, role))).collect()
}

/// Reads every file and does something with its text, keeping nothing.
fn read_all<T>(world: &System, paths: &[String], then: impl Fn(FileId, &str) -> T + Sync) {
    paths.par_iter().with_min_len(16).for_each(|path| {
        let bytes = world.read(path, yaml::MAX_BYTES).expect("a file is read");
        let text = String::from_utf8(bytes).expect("UTF-8");
        black_box(then(FileId(0), &text));
    });
}

fn check(workspace: &Workspace) -> Vec<diagnostic::Diagnostic> {
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    compile::check(workspace, &catalogue, Vec::new())
}

/// What `tieline validate` does but for finding the workspace and printing, and what it takes to drop it all.
fn whole(world: &System) -> (Time, Time) {
    let start = Watch::start();
    let (workspace, told) = Workspace::read(world).unwrap_or_else(|_| panic!("there is a workspace"));
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let told = compile::check(&workspace, &catalogue, told);
    let time = start.elapsed();
    assert!(told.is_empty());
    let start = Watch::start();
    drop((workspace, catalogue));
    (time, start.elapsed())
}

/// The last environment with its connections at every stage.
struct Prepared<'w> {
    sources: &'w Sources,
    catalogue: &'w Catalogue,
    context: Context<'w>,
    compiled: Compiled,
}

impl<'w> Prepared<'w> {
    fn new(workspace: &'w Workspace, catalogue: &'w Catalogue) -> Self {
        let environment = workspace.environments.keys().next_back().expect("an environment");
        let mut notes = Notes::default();
        // Lives as long as the process: a context borrows its names.
        let at = At::plain(environment);
        let levels = Box::leak(Box::new(Levels::new(workspace, &mut Vec::new())));
        let names = Box::leak(Box::new(Names::new(workspace, &at, None, &mut notes)));
        let context = Context::new(workspace, (catalogue, levels), &at, names, None, &mut notes);
        let (compiled, _) = compile::compile(workspace, catalogue, &at);
        Self { sources: &workspace.sources, catalogue, context, compiled }
    }

    fn ids(&self) -> Vec<&std::sync::Arc<str>> {
        self.compiled.connections.keys().collect()
    }

    fn merge(&self) {
        self.ids().par_iter().with_min_len(16).for_each(|id| {
            let mut notes = Notes::default();
            let documents = self.context.documents(Family::Connections, id);
            black_box(merge(&self.context, id, &documents, &mut notes, &mut State::default()));
        });
    }

    fn merged(&self) -> Vec<(&std::sync::Arc<str>, tieline::value::Node)> {
        let mut merged = Vec::new();
        for id in self.ids() {
            let documents = self.context.documents(Family::Connections, id);
            let node = merge(&self.context, id, &documents, &mut Notes::default(), &mut State::default());
            merged.push((id, node.expect("a merged connection")));
        }
        merged
    }

    fn model(&self) -> Time {
        let merged = self.merged();
        let start = Watch::start();
        merged.into_par_iter().with_min_len(16).for_each(|(id, node)| {
            black_box(Connection::read(id, node, &mut Vec::new()));
        });
        start.elapsed()
    }

    fn evaluate(&self) -> Time {
        let read = |(id, node)| Connection::read(id, node, &mut Vec::new()).expect("a connection");
        let mut connections: Vec<Connection> = self.merged().into_iter().map(read).collect();
        let start = Watch::start();
        connections.par_iter_mut().with_min_len(16).for_each(|connection| {
            let scope = self.context.scope.connection(&connection.id, &connection.connector.value);
            template::evaluate(
                std::sync::Arc::make_mut(&mut connection.instance),
                0,
                &scope,
                self.sources,
                &mut Vec::new(),
            );
        });
        start.elapsed()
    }

    fn validate(&self) -> Time {
        let mut connections: Vec<Connection> = self.compiled.connections.values().cloned().collect();
        let start = Watch::start();
        connections.par_iter_mut().with_min_len(16).for_each(|connection| {
            let connector = self.catalogue.get(&connection.connector.value).and_then(Result::ok).expect("a connector");
            let against =
                Against { connector, sources: self.sources, incomplete: false, slots: false, layers: Vec::new() };
            validate::check(connection, &against, &mut Vec::new());
        });
        start.elapsed()
    }
}
