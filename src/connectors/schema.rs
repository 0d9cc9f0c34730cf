//! One connector: its schema as written, as compiled, and its secret places.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::secret::Secret;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::check::{self, Wrong};
use super::compiled::{compile, compile_trusted, linear};
use super::field::{self, Field, Member, Walk};
use super::form::{self, plan_form};
use super::json::{Tree, weighed};
use super::patterns::{self, Weights};
use super::sensitive::Places;
use super::shared::{self, OUTSIDE};
use super::{branching, harmless, marks, text, unmarked};
use crate::budget::{self, Paid};
use crate::digest::Digest;
use crate::model::connection::Connection;
use crate::value::Node;

/// Ways in which one instance breaks its schema, of which more help nobody: each costs a walk to its place.
const MAX_ERRORS: usize = 2_000;

/// Why a schema can't be used.
#[derive(Debug)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to do, where that is known.
    pub help: Option<String>,
    /// Bytes of the schema's text, where known.
    pub range: Option<Range<usize>>,
    /// Bytes of the text that may not be shown.
    pub masked: Option<Range<usize>>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, range: None, masked: None }
    }
}

/// What is wrong with a text, with where it stands.
fn located(text: &str, wrong: Vec<Wrong>) -> Vec<Fault> {
    let wanted: BTreeSet<&str> = wrong.iter().map(|wrong| &*wrong.pointer).collect();
    let ranges = if wrong.is_empty() { BTreeMap::new() } else { text::members(text, &wanted) };
    let fault = |wrong: Wrong| Fault {
        range: ranges.get(&wrong.pointer).cloned(),
        message: wrong.message,
        help: Some(wrong.help).filter(|help| !help.is_empty()),
        masked: None,
    };
    wrong.into_iter().map(fault).collect()
}

/// A variant and a mode.
type Choice = (String, String);

/// A connector that can validate.
pub struct Connector {
    id: Box<str>,
    /// The schema with what it shares with others put in: stands alone.
    schema: Value,
    digest: OnceLock<Digest>,
    validator: OnceLock<Result<Validator<Tree>, Wrong>>,
    /// What its patterns cost; nothing where it is ours.
    weights: Weights,
    places: Mutex<HashMap<Choice, (Arc<Places>, Paid)>>,
    merge_keys: OnceLock<Vec<(String, Box<str>)>>,
    refers: OnceLock<bool>,
    unmarked: Vec<Unmarked>,
}

/// A field of a stranger's schema whose name says secret, and that is neither marked nor called clear.
#[derive(Clone, Debug)]
pub struct Unmarked {
    /// Its name.
    pub name: String,
    /// Bytes of the schema's text: its key.
    pub range: Range<usize>,
}

impl Connector {
    /// Reads a schema. One of ours (`trusted`, and tested) is compiled when it is first used, a stranger's at once.
    pub(super) fn load(id: &str, text: &str, trusted: bool) -> Result<Self, Vec<Fault>> {
        let schema: Value = serde_json::from_str(text).map_err(|error| {
            let at = offset(text, error.line(), error.column());
            vec![Fault { range: at.map(|at| at..at), ..Fault::new(format!("not JSON: {}", words(&error))) }]
        })?;
        if !schema.is_object() {
            return Err(vec![Fault::new("a schema is a JSON object")]);
        }
        if !trusted {
            let twice = text::duplicates(text).into_iter().map(|(key, range)| Fault {
                message: format!("the key `{key}` stands twice in one object"),
                help: Some("remove one of the two: only one of them counts, and readers differ in which".to_owned()),
                range: Some(range),
                masked: None,
            });
            let twice: Vec<Fault> = twice.collect();
            if !twice.is_empty() {
                return Err(twice);
            }
        }
        // The text may spell it with escapes.
        let shares = text.contains(OUTSIDE) || (text.contains('\\') && schema.to_string().contains(OUTSIDE));
        if shares && schema.pointer("/$defs/shared").is_some() {
            let pointer = "/$defs/shared".to_owned();
            let message = "`$defs/shared` is where the shared definitions go".to_owned();
            return Err(located(text, vec![Wrong { pointer, message, help: "give it another name".to_owned() }]));
        }
        let mut connector = Self {
            id: id.into(),
            weights: Weights::NONE,
            digest: OnceLock::new(),
            schema: if shares { shared::bundle(schema) } else { schema },
            validator: OnceLock::new(),
            places: Mutex::default(),
            merge_keys: OnceLock::new(),
            refers: OnceLock::new(),
            unmarked: Vec::new(),
        };
        if !trusted {
            connector.examine(text, shares)?;
        }
        Ok(connector)
    }

    /// Holds a stranger's schema against what one may say, and compiles it.
    fn examine(&mut self, text: &str, shares: bool) -> Result<(), Vec<Fault>> {
        let wrong = check::check(&self.schema, shares);
        if !wrong.is_empty() {
            return Err(located(text, wrong));
        }
        let weights = branching::check(&self.schema).and_then(|()| patterns::weigh(&self.schema));
        self.weights = weights.map_err(|wrong| located(text, vec![wrong]))?;
        let Some(found) = form::everything(&self.schema) else {
            return Err(vec![Fault::new("its references (`$ref`) branch without end, or it is too deep")]);
        };
        let mut wrong = harmless::check(&self.schema, &found.places);
        let fields = unmarked::find(&self.schema, &found.places);
        if let Some((secret, pointer)) = form::secret_in_condition(&self.schema, &found) {
            let message = format!(
                "a condition (`if` or `not`) reads the secret `{secret}`: its outcome would reveal something of the value"
            );
            let help = "let the condition ask for another field, or only whether the secret is there (`required`)";
            wrong.push(Wrong { pointer, message, help: help.to_owned() });
        }
        if !wrong.is_empty() {
            return Err(located(text, wrong));
        }
        let choices = ["/config/variant", "/auth/mode"].map(|switch| self.choices(switch));
        let (sealed, written) = form::branches(&self.schema, &choices[0], &choices[1], found);
        let wrong = form::values(&self.schema, &written);
        if !wrong.is_empty() {
            let mut faults = located(text, wrong);
            for fault in &mut faults {
                fault.masked = fault.range.as_ref().map(|key| text::value_of(text, key));
            }
            return Err(faults);
        }
        let ranges = text::members(text, &fields.iter().map(|(pointer, _)| &**pointer).collect());
        let fields =
            fields.into_iter().filter_map(|(at, name)| Some(Unmarked { name, range: ranges.get(&at)?.clone() }));
        self.unmarked = fields.collect();
        match self.validator.get_or_init(|| compile(&self.id, &plan_form(&self.schema, &sealed))) {
            Ok(_) => Ok(()),
            Err(wrong) => Err(located(text, vec![wrong.clone()])),
        }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The fields of a workspace's schema whose name says secret, and that it leaves in clear.
    pub fn unmarked(&self) -> &[Unmarked] {
        &self.unmarked
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
    /// Why the schema doesn't compile: only a schema that was loaded as trusted can fail so. Or the budget is used up.
    pub fn errors<'a>(&'a self, instance: &'a Node) -> Result<Vec<ValidationError<'a>>, String> {
        let compiled = self.validator.get_or_init(|| compile_trusted(&self.id, &self.schema));
        let validator = compiled.as_ref().map_err(|wrong| wrong.message.clone())?;
        let errors = weighed(self.weights, || match validator.is_valid(instance) {
            true => Vec::new(),
            false => validator.iter_errors(instance).take(MAX_ERRORS).collect(),
        });
        match budget::over() {
            Some(cost) => Err(format!("there are too many {}", cost.words())),
            None => Ok(errors),
        }
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
        // A panic elsewhere left what is in there whole.
        let mut cache = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            budget::aside(|| {
                let found = marks::walk(&self.schema, &known(variant, mode));
                // Loading refused a schema that has none.
                Arc::new(found.map_or_else(Places::all_secret, |found| found.places))
            })
        };
        let (places, paid) = cache.entry(key).or_insert_with(fresh);
        // If this uses up the budget, the stage that runs reports it.
        let _ = budget::pay(*paid);
        Arc::clone(places)
    }

    /// What is secret in a connection: by the schema, and by what the connection and its credential seal.
    pub fn places_of(&self, connection: &Connection) -> Arc<Places> {
        self.places_sealing(connection, connection.choice("config", "variant"), connection.choice("auth", "mode"))
    }

    /// The same for this variant and mode; empty strings for any.
    pub fn places_sealing(&self, connection: &Connection, variant: &str, mode: &str) -> Arc<Places> {
        let places = self.places(variant, mode);
        match connection.sealed.is_empty() {
            true => places,
            false => Arc::new(places.sealing(connection.sealed_fields())),
        }
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

    /// The names of the fields that the map at a JSON Pointer can have in some variant and mode.
    pub fn names(&self, pointer: &str) -> Vec<&str> {
        field::names(&Walk::new(&self.schema, &BTreeMap::new()), pointer)
    }

    /// The constants that a field can have: modes of `/auth/mode`, variants of `/config/variant`.
    pub fn choices(&self, pointer: &str) -> Vec<String> {
        let field = self.field(pointer, "", "");
        let options = field.word("enum").and_then(Value::as_array).into_iter().flatten();
        options.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The fields that the schema calls harmless, as JSON Pointers in which a segment `*` stands for any: `x-tieline`'s
    /// `harmless`.
    pub fn harmless(&self) -> Vec<&str> {
        harmless::list(&self.schema)
    }

    /// Every place that names another connection in some variant or mode.
    pub fn connection_pointers(&self) -> Vec<String> {
        if self.refers() { self.places("", "").connection_pointers().into_iter().collect() } else { Vec::new() }
    }

    /// Every place that is secret in some variant or mode.
    pub fn secret_pointers(&self) -> Vec<String> {
        self.places("", "").secret_pointers().into_iter().collect()
    }
}

/// The discriminators whose values are known.
pub(super) fn known<'k>(variant: &'k str, mode: &'k str) -> BTreeMap<&'k str, &'k str> {
    let known = [("/config/variant", variant), ("/auth/mode", mode)];
    known.into_iter().filter(|(_, value)| !value.is_empty()).collect()
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
