//! Files -> layers: lists the workspace, reads and parses in parallel, and files each document.

use std::sync::{Arc, OnceLock};

use super::discover::{Refusal, Role, TOP, classify};
use super::secrets::{self, SecretsFile};
use super::settings::{self, Settings};
use super::{Document, Layer, NoWorkspace, Workspace, check};
use crate::budget;
use crate::diagnostic::{Diagnostic, code, word};
use crate::parallel;
use crate::source::Sources;
use crate::span::{FileId, Span};
use crate::value::{Node, Value};
use crate::world::{Found, ReadError, World};
use crate::yaml;

/// A workspace may have this many files.
const MAX_FILES: usize = 200_000;
/// A connector schema may have this many bytes.
const MAX_SCHEMA_BYTES: usize = 1 << 20;

/// A file to read: where it belongs and what it is.
struct Planned {
    path: String,
    layer: Box<str>,
    /// What it is; a refused file is planned too, so that its place among the others is kept.
    role: Result<Role, Refusal>,
}

/// What was read in a file.
struct Read {
    root: Option<Node>,
    secrets: Option<SecretsFile>,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn read(world: &dyn World) -> Result<(Workspace, Vec<Diagnostic>), NoWorkspace> {
    let mut workspace =
        Workspace { today: world.now().to_zoned(jiff::tz::TimeZone::UTC).date(), ..Workspace::default() };
    let mut diagnostics = Vec::new();
    let planned = plan(world, &mut workspace.sources, &mut diagnostics);
    let nothing = !planned.iter().any(|p| p.role == Ok(Role::Workspace) || p.role.is_err());
    if nothing && diagnostics.is_empty() {
        return Err(NoWorkspace);
    }
    let first = workspace.sources.len();
    let files = parallel::within(&planned, |i, planned| {
        read_file(world, planned, FileId(u32::try_from(first + i).unwrap_or(u32::MAX)))
    });
    let files = match files {
        Ok(files) => files,
        Err(over) => {
            let path = &planned[over.most.0].path;
            let at = Span::file(workspace.sources.add(path, String::new(), true));
            diagnostics.push(over.told(at, "this file"));
            return Ok((workspace, diagnostics));
        }
    };
    budget::read(files.iter().map(|(text, _)| text.len() as u64).sum());
    for (planned, file) in planned.into_iter().zip(files) {
        let hidden = !planned.role.as_ref().is_ok_and(|role| *role != Role::Secrets);
        let (text, read) = file;
        let id = workspace.sources.add(&planned.path, text, hidden);
        match planned.role {
            Ok(role) => place(&mut workspace, &planned.layer, role, id, read, &mut diagnostics),
            Err(_) => diagnostics.extend(read.diagnostics),
        }
    }
    check::layers(&mut workspace, &mut diagnostics);
    Ok((workspace, diagnostics))
}

/// Lists what is there; everything refused is told.
fn plan(world: &dyn World, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Planned> {
    let mut planned = Vec::new();
    for top in TOP {
        let found = match world.list(top) {
            Ok(found) => found,
            Err(error) => {
                let span = Span::file(sources.add(top, String::new(), true));
                diagnostics.push(unreadable(span, &error, 0));
                continue;
            }
        };
        let classified = parallel::map(&found, |_, found| classify(found));
        for (found, classified) in found.into_iter().zip(classified) {
            match classified {
                Ok((layer, role)) => planned.push(Planned { path: found.path, layer, role: Ok(role) }),
                Err(Refusal::Ignored) => {}
                Err(refusal) => planned.push(Planned { path: found.path, layer: "".into(), role: Err(refusal) }),
            }
        }
    }
    for (folder, meant) in world.folders().iter().filter_map(|folder| Some((folder, slip(folder)?))) {
        // A folder without YAML or JSON, a program's sources for example, is not a misspelt one.
        let ours = |found: &Found| [".yaml", ".yml", ".json"].iter().any(|end| found.path.ends_with(end));
        if !world.list(folder).is_ok_and(|found| found.iter().any(ours)) {
            continue;
        }
        let span = Span::file(sources.add(folder, String::new(), true));
        let message = format!("the folder `{folder}` is not read: is it meant to be `{meant}`?");
        let help = format!("move its files into `{meant}/`, or rename the folder if it is not tieline's");
        diagnostics.push(Diagnostic::error(code::STRAY_FILE, span, message).help(help));
    }
    if planned.len() > MAX_FILES {
        let span = Span::file(sources.add("tieline.yaml", String::new(), true));
        let message = format!("{} files in the workspace, at most {MAX_FILES} are read", planned.len());
        diagnostics.push(Diagnostic::error(code::TOO_LARGE, span, message).help("split the workspace"));
        planned.clear();
    }
    planned
}

/// The folder at the top that is meant by one which is nearly called so.
fn slip(folder: &str) -> Option<&'static str> {
    let lower = folder.to_lowercase();
    let mut folders = TOP.iter().copied().filter(|name| !name.contains('.'));
    folders.find(|name| folder != *name && strsim::damerau_levenshtein(&lower, name) <= 1)
}

fn refuse(path: &str, refusal: &Refusal, at: Span) -> Diagnostic {
    match refusal {
        Refusal::NotAFile | Refusal::Ignored => {
            Diagnostic::error(code::NOT_A_REGULAR_FILE, at, "not a regular file: links and devices are not read")
                .help("put the file itself here; a link could lead out of the repository")
        }
        Refusal::Extension => Diagnostic::error(code::WRONG_EXTENSION, at, "the extension is `.yaml`").help(format!(
            "git mv {} {}",
            word(path),
            word(&path.replace(".yml", ".yaml"))
        )),
        Refusal::Id(segment) => Diagnostic::error(code::INVALID_ID, at, format!("`{segment}` can't be part of an id"))
            .help(
                "ids are paths of segments of lower-case letters, digits, `.`, `_` and `-`, each starting with a \
                 letter or digit, at most 63 long",
            ),
        Refusal::Stray(what) => {
            Diagnostic::error(code::STRAY_FILE, at, "this file has no place here").help(what.clone())
        }
    }
}

/// Reads one file: what is valid of its text, and what stands in it.
fn read_file(world: &dyn World, planned: &Planned, id: FileId) -> (String, Read) {
    let read = |text, root, secrets, diagnostics| (text, Read { root, secrets, diagnostics });
    let failed = |diagnostic: Diagnostic, text: String| read(text, None, None, vec![diagnostic]);
    let role = match &planned.role {
        Ok(role) => role,
        Err(refusal) => return failed(refuse(&planned.path, refusal, Span::file(id)), String::new()),
    };
    let limit = if matches!(role, Role::Connector(_)) { MAX_SCHEMA_BYTES } else { yaml::MAX_BYTES };
    let bytes = match world.read(&planned.path, limit) {
        Ok(bytes) => bytes,
        Err(error) => return failed(unreadable(Span::file(id), &error, limit), String::new()),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let diagnostic = not_utf8(id, &bytes, end);
            // For showing alone: what is valid, and the rest of the line that isn't.
            let line = bytes[end..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |i| end + i);
            let shown = if end == 0 { &[] } else { &bytes[..line] };
            return failed(diagnostic, String::from_utf8_lossy(shown).into_owned());
        }
    };
    match role {
        Role::Connector(_) => read(text, None, None, Vec::new()),
        Role::Secrets => {
            let mut diagnostics = Vec::new();
            let secrets = secrets::read(id, &text, &mut diagnostics);
            read(text, None, Some(secrets), diagnostics)
        }
        _ => {
            let (root, diagnostics) = yaml::parse(id, &text);
            read(text, root, None, diagnostics)
        }
    }
}

fn not_utf8(id: FileId, bytes: &[u8], end: usize) -> Diagnostic {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let message = if utf16 {
        "the file is UTF-16, not UTF-8".to_owned()
    } else {
        format!("byte 0x{:02x} at offset {end} is not UTF-8", bytes.get(end).copied().unwrap_or(0))
    };
    Diagnostic::error(code::NOT_UTF8, Span::new(id, end..end + usize::from(end > 0)), message)
        .help("save the file as UTF-8")
}

fn unreadable(span: Span, error: &ReadError, limit: usize) -> Diagnostic {
    match error {
        ReadError::TooLarge => {
            let message = format!("the file has more than {} KiB", limit >> 10);
            Diagnostic::error(code::TOO_LARGE, span, message).help("split it; a connection is one file")
        }
        ReadError::NotAFile => {
            Diagnostic::error(code::NOT_A_REGULAR_FILE, span, "not a regular file: links and devices are not read")
                .help("put the file itself here; a link could lead out of the repository")
        }
        ReadError::Missing => Diagnostic::error(code::UNREADABLE, span, "the file went away while it was read"),
        ReadError::Failed(reason) => {
            Diagnostic::error(code::UNREADABLE, span, format!("can't read the file: {reason}"))
        }
    }
}

/// Files a document under its layer.
fn place(workspace: &mut Workspace, layer: &str, role: Role, id: FileId, read: Read, told: &mut Vec<Diagnostic>) {
    let Read { root, secrets, diagnostics } = read;
    let usable = diagnostics.is_empty();
    told.extend(diagnostics);
    // A file of comments only reads as null.
    let root = root.filter(|node| node.value != Value::Null || node.span.start != node.span.end);
    let yaml = matches!(role, Role::Workspace | Role::Item(..));
    if root.is_none() && yaml && usable {
        told.push(
            Diagnostic::error(code::EMPTY_FILE, Span::file(id), "the file has no content")
                .help("write the keys, or delete the file"),
        );
    }
    if let Role::Connector(connector) = role {
        workspace.connectors.insert(connector, id);
        return;
    }
    if let (Some(node), Role::Workspace | Role::Environment | Role::Customer | Role::Profile) = (&root, &role) {
        settings::mask(node, &workspace.sources);
    }
    let nested = layer.matches('/').count() > 1;
    let layer = layer_at(workspace, layer);
    match role {
        Role::Workspace | Role::Environment | Role::Customer | Role::Profile => {
            layer.settings_file = Some(id);
            layer.unusable = root.is_none() && !(usable && role != Role::Workspace);
            let read = match role {
                Role::Workspace => settings::workspace,
                Role::Customer => settings::customer,
                Role::Environment if !nested => settings::environment,
                Role::Profile => settings::profile,
                _ => settings::sublayer,
            };
            let before = told.len();
            layer.settings = root.as_ref().map_or_else(Settings::default, |node| read(node, told));
            layer.unusable |= told[before..].iter().any(hides_names);
        }
        Role::Item(family, item) => {
            layer.family_mut(family).insert(item.into(), Document { file: id, root, names: OnceLock::new() });
        }
        Role::Secrets => layer.secrets = Some(secrets.unwrap_or_else(|| secrets::unusable(id))),
        Role::Connector(_) => {}
    }
}

/// The layer of this path, made where it is new.
fn layer_at<'w>(workspace: &'w mut Workspace, path: &str) -> &'w mut Layer {
    let mut segments = path.split('/');
    let mut layer = &mut workspace.root;
    let mut top = Some((&mut workspace.environments, &mut workspace.customers));
    while let (Some(kind), Some(name)) = (segments.next(), segments.next()) {
        let family = match (top.take(), kind) {
            (Some((environments, _)), "environments") => environments,
            (Some((_, customers)), _) => customers,
            (None, "environments") => &mut layer.environments,
            (None, _) => &mut layer.profiles,
        };
        let above = if layer.path.is_empty() { String::new() } else { format!("{}/", layer.path) };
        layer = family
            .entry(Arc::from(name))
            .or_insert_with(|| Layer { path: format!("{above}{kind}/{name}").into(), ..Layer::default() });
    }
    layer
}

/// Whether a problem of a settings file may keep names from being known: a block that is not what it should be, or whose
/// key is misspelt.
fn hides_names(diagnostic: &Diagnostic) -> bool {
    let misspelt = || diagnostic.help.as_deref().is_some_and(|help| help.starts_with("did you mean"));
    match diagnostic.code {
        code::WRONG_TYPE => true,
        code::UNKNOWN_KEY => misspelt(),
        _ => false,
    }
}
