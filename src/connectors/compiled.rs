//! A schema -> a validator of it.

use std::collections::HashSet;

use jsonschema::{Draft, PatternOptions, Registry, ValidationError, Validator};
use serde_json::{Value, json};

use super::check::Wrong;
use super::form::plan_form;
use super::json::Tree;
use super::patterns::{BACKTRACK_LIMIT, MAX_COMPILED};

/// Bytes of memory that a compiled pattern may take for what it remembers of the texts that it saw.
const CACHE_LIMIT: usize = 128 << 10;

/// The form of a stranger's schema, held against its metaschema.
pub(super) fn compile(id: &str, form: &Value) -> Result<Validator<Tree>, Wrong> {
    let options = || jsonschema::options_for::<Tree>().offline().with_base_uri(uri(id));
    // Linear time, whatever the pattern. A few foreign schemas need look-around: those alone may backtrack, a little.
    options().with_pattern_options(linear()).build(form).or_else(|first| {
        let backtracking = PatternOptions::fancy_regex()
            .backtrack_limit(BACKTRACK_LIMIT)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(CACHE_LIMIT);
        options().with_pattern_options(backtracking).build(form).map_err(|_| unbuilt(first))
    })
}

/// Why a schema doesn't compile.
fn unbuilt(error: ValidationError<'_>) -> Wrong {
    Wrong {
        pointer: error.instance_path().as_str().to_owned(),
        message: error.masked().to_string(),
        help: String::new(),
    }
}

/// One of our own schemas, which tests hold against the metaschema.
///
/// The crate checks what it is given before it compiles it, and the validator of the 2020-12 metaschema takes longer to
/// make than everything else that checking one connection needs. What a reference leads to it doesn't check: so it is
/// given a reference, in a draft whose metaschema is small.
pub(super) fn compile_trusted(id: &str, schema: &Value) -> Result<Validator<Tree>, Wrong> {
    let unprepared = |message: String| Wrong { pointer: String::new(), message, help: String::new() };
    let form = plan_form(schema, &HashSet::new());
    let registry = Registry::new().add(uri(id), &form).and_then(jsonschema::RegistryBuilder::prepare);
    let registry = registry.map_err(|error| unprepared(error.to_string()))?;
    jsonschema::options_for::<Tree>()
        .offline()
        .with_registry(&registry)
        .with_draft(Draft::Draft7)
        .with_pattern_options(linear())
        .build(&json!({"$ref": uri(id)}))
        .map_err(unbuilt)
}

/// The address of a schema: nothing is ever fetched from it.
fn uri(id: &str) -> String {
    format!("tieline:/connectors/{id}.json")
}

pub(super) fn linear() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(MAX_COMPILED).dfa_size_limit(CACHE_LIMIT)
}
