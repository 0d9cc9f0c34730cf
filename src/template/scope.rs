//! The names that the expressions of one environment (and one connection) can use.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use minijinja::Value as Jinja;

use super::engine;
use super::names::{Fault, Names, Path};
use crate::diagnostic::{QUIET, code, listed, nearest};
use crate::value::{Map, Node, Value};

/// What the names stand for.
pub struct Scope<'a> {
    vars: &'a Map,
    secrets: &'a dyn SecretNames,
    /// Whose instances these are.
    customer: Option<&'a str>,
    ground: Ground<'a>,
    context: OnceLock<Jinja>,
}

/// What the names of the engine are made of. They are made when the first expression asks for them: most connections
/// have none that does.
enum Ground<'a> {
    /// The name of the environment.
    Environment(Box<str>),
    /// The environment, and the id and connector of the connection.
    Connection(&'a Scope<'a>, &'a str, &'a str),
}

/// The secrets of a stack of layers, by name.
pub trait SecretNames: Sync {
    /// Whether a layer of the stack has this secret.
    fn has(&self, name: &str) -> bool;
    /// Whether all variables and secrets are known; where not, that was told, and nothing that names one is to blame.
    fn complete(&self) -> bool;
    /// What to do about a name that no layer has.
    fn help(&self, name: &str) -> String;
}

impl<'a> Scope<'a> {
    /// The names of an environment: for credentials, and as the ground for [`Scope::connection`].
    /// In the instances of a customer, its name is one too.
    pub fn environment(name: &str, customer: Option<&'a str>, vars: &'a Map, secrets: &'a dyn SecretNames) -> Self {
        Self { vars, secrets, customer, ground: Ground::Environment(name.into()), context: OnceLock::new() }
    }

    /// The same with the names of one connection.
    pub fn connection<'s>(&'s self, id: &'s str, connector: &'s str) -> Scope<'s> {
        let ground = Ground::Connection(self, id, connector);
        Scope { vars: self.vars, secrets: self.secrets, customer: self.customer, ground, context: OnceLock::new() }
    }

    /// For the engine.
    pub(super) fn context(&self) -> &Jinja {
        self.context.get_or_init(|| match &self.ground {
            Ground::Environment(name) => {
                let env = engine::context([("name", Jinja::from(&**name))]);
                let customer = self.customer.map(|name| ("customer", engine::context([("name", Jinja::from(name))])));
                let names = [("vars", engine::map_to_jinja(self.vars)), ("env", env)];
                engine::context(names.into_iter().chain(customer))
            }
            Ground::Connection(environment, id, connector) => {
                let connection = [("id", Jinja::from(*id)), ("connector", Jinja::from(*connector))];
                environment.extended("connection", engine::context(connection))
            }
        })
    }

    /// The same with the secrets' values.
    pub(super) fn context_with(&self, secrets: Jinja) -> Jinja {
        self.extended("secrets", secrets)
    }

    fn extended(&self, name: &'static str, value: Jinja) -> Jinja {
        let known = ["vars", "env", "customer", "connection"].into_iter();
        let known = known.filter_map(|n| {
            let value = self.context().get_attr(n).ok()?;
            (!value.is_undefined()).then_some((n, value))
        });
        engine::context(known.chain([(name, value)]))
    }

    /// The variable that an expression of the form `vars.a.b` names.
    pub(super) fn variable(&self, expression: &str) -> Option<&Node> {
        let mut segments = expression.strip_prefix("vars.")?.split('.');
        let first = self.vars.get(segments.next()?)?;
        segments.try_fold(first, |node, segment| node.get(segment))
    }

    /// The text that an expression of one dotted name stands for, without asking the engine.
    pub(super) fn text(&self, expression: &str) -> Option<&str> {
        let text = match (expression, &self.ground) {
            ("env.name", Ground::Environment(name)) => Some(&**name),
            ("env.name", Ground::Connection(environment, ..)) => environment.text(expression),
            ("customer.name", _) => self.customer,
            ("connection.id", Ground::Connection(_, id, _)) => Some(*id),
            ("connection.connector", Ground::Connection(_, _, connector)) => Some(*connector),
            _ => self.variable(expression)?.as_str(),
        };
        text.filter(|text| text.len() <= engine::MAX_OUTPUT)
    }

    /// The clear inputs of an expression, by name: what its value depends on.
    pub fn inputs(&self, template: &str) -> BTreeMap<String, String> {
        let mut inputs = BTreeMap::new();
        for part in super::split::parts(template).unwrap_or_default() {
            let super::split::Part::Expression(expression, _) = part else { continue };
            for path in super::names::read(expression).paths {
                let root = path.segments[0].0;
                if root != "secrets" {
                    let name: Vec<&str> = path.segments.iter().map(|s| s.0).collect();
                    let value = self.context().get_attr(root).ok();
                    // The whole root where it is indexed by an expression.
                    let value = value.and_then(|v| name[1..].iter().try_fold(v, |v, n| v.get_attr(n).ok()));
                    inputs.insert(name.join("."), value.map(|v| super::printed(&v)).unwrap_or_default());
                }
            }
        }
        inputs
    }

    /// Checks every name of an expression.
    pub(super) fn check(&self, names: &Names<'_>) -> Vec<Fault> {
        let undefined = |path| self.check_path(path);
        let no_number = |path| if names.multiplies { self.no_number(path) } else { None };
        names.paths.iter().filter_map(|path| undefined(path).or_else(|| no_number(path))).collect()
    }

    /// A name beside a `*`: text and lists would be repeated.
    fn no_number(&self, path: &Path<'_>) -> Option<Fault> {
        let names: Vec<&str> = path.segments.iter().map(|s| s.0).collect();
        let name = names.join(".");
        if matches!(self.variable(&name).map(|node| &node.value), Some(Value::Int(_) | Value::Float(_))) {
            return None;
        }
        Some(Fault {
            code: code::INVALID_EXPRESSION,
            range: path.segments[0].1.start..path.segments[path.segments.len() - 1].1.end,
            message: format!("`*` multiplies numbers, and `{name}` is none"),
            help: "multiply in an expression of its own: ${{ vars.size * 2 }}s".into(),
        })
    }

    /// About as many bytes as the values that an expression names.
    pub(super) fn weight(&self, paths: &[Path<'_>]) -> usize {
        let variables = paths.iter().filter(|path| path.segments[0].0 == "vars").filter_map(|path| {
            let mut level = self.vars;
            let mut found = None;
            for (name, _) in &path.segments[1..] {
                found = Some(level.get(name)?);
                match &found?.value {
                    Value::Map(map) => level = map,
                    _ => break,
                }
            }
            // Indexed by an expression: any of them.
            Some(found.map_or_else(|| level.iter().map(|e| weight(&e.value)).sum(), weight))
        });
        variables.sum()
    }

    fn check_path(&self, path: &Path<'_>) -> Option<Fault> {
        let (root, range) = &path.segments[0];
        let rest = &path.segments[1..];
        match *root {
            "vars" => self.check_variable(rest),
            "secrets" => self.check_secret(range.clone(), rest),
            "env" => fixed("env", &["name"], range, rest),
            "connection" if matches!(self.ground, Ground::Connection(..)) => {
                fixed("connection", &["id", "connector"], range, rest)
            }
            "connection" => Some(undefined(
                range.clone(),
                "`connection` is not defined in a credential",
                "a credential is shared by connections: use `vars` or `env.name`",
            )),
            "customer" if self.customer.is_some() => fixed("customer", &["name"], range, rest),
            "customer" => Some(undefined(
                range.clone(),
                "`customer` is defined in the instances of customers only",
                "this is one for all customers: a connection has an instance for each with `scope: customer`",
            )),
            other => {
                let known = ["vars", "secrets", "env", "connection", "customer"];
                let help = match nearest(other, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if self.vars.get(other).is_some() => format!("did you mean `vars.{other}`?"),
                    None => format!("names: {}; text goes in quotes: '{other}'", listed(known, 5)),
                };
                Some(undefined(range.clone(), format!("`{other}` is not defined"), help))
            }
        }
    }

    fn check_variable(&self, rest: &[(&str, Range<usize>)]) -> Option<Fault> {
        let mut level = self.vars;
        let mut prefix = "vars".to_owned();
        for (name, range) in rest {
            let Some(node) = level.get(name) else {
                if !self.secrets.complete() {
                    return Some(Fault {
                        code: QUIET,
                        range: range.clone(),
                        message: String::new(),
                        help: String::new(),
                    });
                }
                let keys = || level.iter().map(|e| &*e.key);
                let help = match nearest(name, keys()) {
                    Some(near) => format!("did you mean `{prefix}.{near}`?"),
                    None if level.is_empty() => {
                        format!("define it: `vars: {{{name}: …}}` in tieline.yaml or an environment.yaml")
                    }
                    None => format!("`{prefix}` has {}", listed(keys(), 8)),
                };
                return Some(undefined(range.clone(), format!("`{prefix}.{name}` is not defined"), help));
            };
            prefix = format!("{prefix}.{name}");
            match &node.value {
                Value::Map(map) => level = map,
                _ => return None,
            }
        }
        None
    }

    fn check_secret(&self, range: Range<usize>, rest: &[(&str, Range<usize>)]) -> Option<Fault> {
        let use_fault = |range, message: &str| Fault {
            code: code::SECRET_USE,
            range,
            message: message.into(),
            help: "write `secrets.NAME`, a name that can be seen without evaluating anything".into(),
        };
        match rest {
            [] => Some(use_fault(range, "`secrets` stands without a name")),
            [(name, at)] if !self.secrets.has(name) => Some(Fault {
                code: code::UNKNOWN_SECRET,
                range: at.clone(),
                message: format!("no secret is named `{name}` here"),
                help: self.secrets.help(name),
            }),
            [_] => None,
            [_, (_, at), ..] => Some(use_fault(at.clone(), "a secret is a string: it has no parts")),
        }
    }
}

/// About as many bytes as a value takes.
pub(super) fn weight(node: &Node) -> usize {
    8 + match &node.value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(map) => map.iter().map(|e| e.key.len() + weight(&e.value)).sum(),
        _ => 0,
    }
}

fn undefined(range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { code: code::UNDEFINED_NAME, range, message: message.into(), help: help.into() }
}

/// A root with a fixed set of attributes.
fn fixed(root: &str, known: &[&str], range: &Range<usize>, rest: &[(&str, Range<usize>)]) -> Option<Fault> {
    let options = listed(known.iter().copied(), 4);
    match rest {
        [(name, _)] if known.contains(name) => None,
        [] => Some(undefined(range.clone(), format!("`{root}` stands alone"), format!("`{root}` has {options}"))),
        [(name, at), ..] => {
            Some(undefined(at.clone(), format!("`{root}.{name}` is not defined"), format!("`{root}` has {options}")))
        }
    }
}
