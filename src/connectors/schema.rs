//! One connector: its schema as written, as compiled, and its secret places.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use crate::secret::Secret;
use jsonschema::{Draft, PatternOptions, Registry, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::builtin::SHARED;
use super::field::{self, Field, Member};
use super::json::Tree;
use super::sensitive::{self, Places, Walk};
use crate::digest::Digest;
use crate::value::Node;

/// How a schema refers to the shared definitions.
const OUTSIDE: &str = "../shared.json#/$defs/";
/// Ways in which one instance breaks its schema, of which more help nobody: each costs a walk to its place.
const MAX_ERRORS: usize = 2_000;
/// Steps of backtracking that a pattern with look-around may take.
const BACKTRACK_LIMIT: usize = 10_000;
/// Bytes of memory that one compiled pattern may take.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

/// Why a schema can't be used.
#[derive(Debug)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the schema's text, where known.
    pub offset: Option<usize>,
}

/// A connector that can validate.
pub struct Connector {
    id: Box<str>,
    /// The schema with what it shares with others put in: stands alone.
    schema: Value,
    digest: OnceLock<Digest>,
    validator: OnceLock<Result<Validator<Tree>, String>>,
    places: Mutex<HashMap<(String, String), Arc<Places>>>,
    merge_keys: OnceLock<Vec<(String, Box<str>)>>,
    refers: OnceLock<bool>,
}

impl Connector {
    /// Reads a schema. One of ours (`trusted`, and tested) is compiled when it is first used, a stranger's at once.
    pub(super) fn load(id: &str, text: &str, trusted: bool) -> Result<Self, Fault> {
        let fault = |message: String| Fault { message, offset: None };
        let schema: Value = serde_json::from_str(text).map_err(|error| Fault {
            message: format!("not JSON: {}", words(&error)),
            offset: offset(text, error.line(), error.column()),
        })?;
        if !schema.is_object() {
            return Err(fault("a schema is a JSON object".into()));
        }
        // The text may spell it with escapes.
        let shares = text.contains(OUTSIDE) || (text.contains('\\') && schema.to_string().contains(OUTSIDE));
        let schema = if shares { bundle(schema) } else { schema };
        let connector = Self {
            id: id.into(),
            digest: OnceLock::new(),
            schema,
            validator: OnceLock::new(),
            places: Mutex::default(),
            merge_keys: OnceLock::new(),
            refers: OnceLock::new(),
        };
        if !trusted {
            let Some(all) = sensitive::places(&connector.schema, &BTreeMap::new()) else {
                return Err(fault("its references (`$ref`) branch without end".into()));
            };
            if let Some(secret) = sensitive::secret_in_condition(&connector.schema, &all) {
                return Err(fault(format!(
                    "a condition (`if`) reads the secret `{secret}`: what it decides would tell"
                )));
            }
            let compiled = connector.validator.get_or_init(|| compile(id, &connector.schema));
            if let Err(message) = compiled {
                return Err(fault(message.clone()));
            }
        }
        Ok(connector)
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The schema, standing alone: for messages.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The digest of the schema.
    pub fn digest(&self) -> &Digest {
        self.digest.get_or_init(|| Digest::of(self.schema.to_string().as_bytes()))
    }

    /// One value of the `x-tieline` block.
    pub fn about(&self, key: &str) -> Option<&Value> {
        self.schema.get("x-tieline")?.get(key)
    }

    /// What a slot may ask for: the id, the category and the capabilities.
    pub fn traits(&self) -> Vec<&str> {
        let capabilities = self.about("capabilities").and_then(Value::as_array).into_iter().flatten();
        let category = self.about("category").and_then(Value::as_str);
        std::iter::once(&*self.id).chain(category).chain(capabilities.filter_map(Value::as_str)).collect()
    }

    /// The ways in which `instance`, a map of `config` and `auth`, breaks the schema, up to a limit that no person reaches;
    /// secret places accept anything.
    ///
    /// # Errors
    /// Why the schema doesn't compile; only a schema that was loaded as trusted can fail here.
    pub fn errors<'a>(&'a self, instance: &'a Node) -> Result<Vec<ValidationError<'a>>, String> {
        let compiled = self.validator.get_or_init(|| compile_trusted(&self.id, &self.schema));
        let validator = compiled.as_ref().map_err(Clone::clone)?;
        if validator.is_valid(instance) {
            return Ok(Vec::new());
        }
        Ok(validator.iter_errors(instance).take(MAX_ERRORS).collect())
    }

    /// Whether a secret's value has the form that its field asks for: pattern, length, format, one of a list. What a plan
    /// can't look at, an apply can.
    ///
    /// # Errors
    /// What the field asks for, in words that hold nothing of the value.
    pub fn fits(&self, pointer: &str, variant: &str, mode: &str, value: &Secret<String>) -> Result<(), String> {
        const WORDS: [&str; 5] = ["pattern", "minLength", "maxLength", "format", "enum"];
        let field = self.field(pointer, variant, mode);
        let asked = WORDS.iter().filter_map(|word| Some(((*word).to_owned(), field.word(word)?.clone())));
        let asked: Map<String, Value> = asked.collect();
        if asked.is_empty() {
            return Ok(());
        }
        let words = || {
            let described = field.word("description").and_then(Value::as_str).map(str::to_owned);
            described.unwrap_or_else(|| {
                let limits =
                    asked.iter().filter(|(key, _)| *key != "enum").map(|(key, value)| format!("{key} {value}"));
                limits.collect::<Vec<_>>().join(", ")
            })
        };
        let schema = Value::Object(asked.clone());
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(linear())
            .build(&schema)
            .map_err(|_| format!("the schema of `{}` asks for a form that can't be checked", self.id))?;
        // A copy, which is wiped like the first.
        let mut copy = Value::String(value.expose().clone());
        let fits = validator.is_valid(&copy);
        if let Value::String(text) = &mut copy {
            zeroize::Zeroize::zeroize(text);
        }
        if fits {
            Ok(())
        } else {
            Err(format!("the value does not have the form that the field asks for: {}", words()))
        }
    }

    /// The secret places for this variant and mode; empty strings where there is none.
    pub fn places(&self, variant: &str, mode: &str) -> Arc<Places> {
        let key = (variant.to_owned(), mode.to_owned());
        let Ok(mut cache) = self.places.lock() else { return Arc::default() };
        let fresh = || {
            let known = known(variant, mode);
            // Loading refused a schema that has none.
            Arc::new(sensitive::places(&self.schema, &known).unwrap_or_default())
        };
        Arc::clone(cache.entry(key).or_insert_with(fresh))
    }

    /// What the schema says of the field at a JSON Pointer, for this variant and mode; empty strings where there is none.
    pub fn field(&self, pointer: &str, variant: &str, mode: &str) -> Field<'_> {
        let known = known(variant, mode);
        field::find(&Walk::new(&self.schema, &known), pointer)
    }

    /// The lists that merge by a key, in any variant and mode.
    pub fn merge_keys(&self) -> &[(String, Box<str>)] {
        self.merge_keys.get_or_init(|| self.places("", "").merge_keys())
    }

    /// Whether a field can name another connection: in most connectors none can.
    pub fn refers(&self) -> bool {
        *self.refers.get_or_init(|| self.schema.to_string().contains("\"x-connection\""))
    }

    /// The fields of `/config` or `/auth`, in the order of the schema, for this variant and mode.
    pub fn fields(&self, block: &str, variant: &str, mode: &str) -> Vec<Member<'_>> {
        let known = known(variant, mode);
        let places = self.places(variant, mode);
        let member = |name: &str| {
            let mut pointer = block.to_owned();
            crate::value::push_segment(&mut pointer, name);
            let field = self.field(&pointer, variant, mode);
            Member { name: name.to_owned(), required: field.required, secret: places.is_secret(&pointer), field }
        };
        field::names(&Walk::new(&self.schema, &known), block).into_iter().map(member).collect()
    }

    /// The constants that a field can have: modes of `/auth/mode`, variants of `/config/variant`.
    pub fn choices(&self, pointer: &str) -> Vec<String> {
        let field = self.field(pointer, "", "");
        let options = field.word("enum").and_then(Value::as_array).into_iter().flatten();
        options.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Every place that is secret in some variant or mode.
    pub fn secret_pointers(&self) -> Vec<String> {
        self.places("", "").secret_pointers().into_iter().collect()
    }
}

/// The discriminators whose values are known.
fn known<'k>(variant: &'k str, mode: &'k str) -> BTreeMap<&'k str, &'k str> {
    let known = [("/config/variant", variant), ("/auth/mode", mode)];
    known.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// A stranger's schema, held against its metaschema.
fn compile(id: &str, schema: &Value) -> Result<Validator<Tree>, String> {
    let form = sensitive::plan_form(schema);
    let options = || jsonschema::options_for::<Tree>().offline().with_base_uri(uri(id));
    // Linear time, whatever the pattern. A few foreign schemas need look-around: those alone may backtrack, a little.
    options().with_pattern_options(linear()).build(&form).or_else(|first| {
        let backtracking =
            PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT).size_limit(PATTERN_SIZE_LIMIT);
        options().with_pattern_options(backtracking).build(&form).map_err(|_| first.masked().to_string())
    })
}

/// One of our own schemas, which tests hold against the metaschema.
///
/// The crate checks what it is given before it compiles it, and the validator of the 2020-12 metaschema takes longer to
/// make than everything else that checking one connection needs. What a reference leads to it doesn't check: so it is
/// given a reference, in a draft whose metaschema is small.
fn compile_trusted(id: &str, schema: &Value) -> Result<Validator<Tree>, String> {
    let form = sensitive::plan_form(schema);
    let registry = Registry::new().add(uri(id), &form).and_then(jsonschema::RegistryBuilder::prepare);
    let registry = registry.map_err(|error| error.to_string())?;
    jsonschema::options_for::<Tree>()
        .offline()
        .with_registry(&registry)
        .with_draft(Draft::Draft7)
        .with_pattern_options(linear())
        .build(&json!({"$ref": uri(id)}))
        .map_err(|error| error.masked().to_string())
}

/// The address of a schema: nothing is ever fetched from it.
fn uri(id: &str) -> String {
    format!("tieline:/connectors/{id}.json")
}

fn linear() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(PATTERN_SIZE_LIMIT).dfa_size_limit(PATTERN_SIZE_LIMIT)
}

/// Puts the shared definitions into a schema, so that it stands alone.
fn bundle(mut schema: Value) -> Value {
    rewrite(&mut schema, OUTSIDE);
    let mut shared: Value = serde_json::from_str(SHARED).unwrap_or_default();
    let mut definitions = shared.get_mut("$defs").map(Value::take).unwrap_or_default();
    rewrite(&mut definitions, "#/$defs/");
    if let Some(map) = schema.as_object_mut() {
        let local = map.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
        if let Some(local) = local.as_object_mut() {
            local.insert("shared".into(), definitions);
        }
    }
    schema
}

fn rewrite(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix(prefix) {
                            *target = format!("#/$defs/shared/{name}");
                        }
                    }
                    value => rewrite(value, prefix),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, prefix)),
        _ => {}
    }
}

/// A JSON error without its position, which is told separately.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or("").to_owned()
}

fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    Some(at)
}
