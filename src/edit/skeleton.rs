//! A connector's schema -> a connection file to fill in: what must be there first, what may be there in comments.

use std::fmt::Write;

use serde_json::Value as Json;

use super::{acts, escape, key, scalar};
use crate::connectors::Connector;
use crate::connectors::field::Member;
use crate::template::OPEN;

/// What the file is to be.
pub struct Wanted<'a> {
    /// The connector.
    pub connector: &'a Connector,
    /// Its id, for the names of secrets.
    pub id: &'a str,
    /// The offering; the first where there are several and none is named.
    pub variant: Option<&'a str>,
    /// The login; the first where there are several and none is named.
    pub mode: Option<&'a str>,
    /// A credential to link instead of a login of its own.
    pub credential: Option<&'a str>,
}

/// A connection file, and what is to be done for it.
pub struct Skeleton {
    /// The file.
    pub text: String,
    /// Secrets that it names.
    pub secrets: Vec<String>,
    /// Required fields that are left empty, to be filled in.
    pub blanks: usize,
}

/// Writes the file.
pub fn write(wanted: &Wanted<'_>) -> Skeleton {
    let connector = wanted.connector;
    let (variants, modes) = (connector.choices("/config/variant"), connector.choices("/auth/mode"));
    let first = |chosen: Option<&str>, all: &[String]| {
        chosen.map(str::to_owned).or_else(|| all.first().cloned()).unwrap_or_default()
    };
    let (variant, mode) = (first(wanted.variant, &variants), first(wanted.mode, &modes));
    let mut out = Skeleton { text: format!("connector: {}\n", scalar(connector.id())), secrets: Vec::new(), blanks: 0 };
    out.text += "# title:\n# owner:\n";
    if let Some(docs) = connector.about("docs").and_then(Json::as_str) {
        let _ = writeln!(out.text, "# {}", line(docs));
    }
    let fields = connector.fields("/config", &variant, &mode);
    let required = fields.iter().any(|field| field.required);
    let _ = writeln!(out.text, "{}", if required { "config:" } else { "config: {}" });
    if !variants.is_empty() {
        let _ = writeln!(out.text, "  variant: {}   # or {}", scalar(&variant), others(&variants, &variant));
    }
    out.block(wanted, fields, required);
    if let Some(credential) = wanted.credential {
        let _ = writeln!(out.text, "credential: {}", scalar(credential));
        return out;
    }
    out.text += "auth:\n";
    let rest = others(&modes, &mode);
    let note = if rest.is_empty() { String::new() } else { format!("   # or {rest}") };
    let _ = writeln!(out.text, "  mode: {}{note}", scalar(&mode));
    out.block(wanted, connector.fields("/auth", &variant, &mode), true);
    out
}

/// A text of a schema as a comment has it: its first line, in which nothing ends the line. Nobody but its author has read
/// a stranger's schema, and what follows a line break would be a key of the file.
fn line(text: &str) -> String {
    let first = text.trim().lines().next().unwrap_or("");
    first.chars().map(|c| if acts(c) { c.escape_debug().to_string() } else { c.to_string() }).collect()
}

/// A constant of a schema as YAML has it, on one line.
fn shown(value: &Json) -> String {
    let json = |c: char| if acts(c) { escape(c) } else { c.to_string() };
    value.as_str().map_or_else(|| value.to_string().chars().map(json).collect(), scalar)
}

/// Whether fields stand in a value: one of them may be a secret's.
fn is_composed(value: &Json) -> bool {
    value.is_object() || value.as_array().is_some_and(|items| items.iter().any(is_composed))
}

/// What the schema says of a field, with an example or its options.
fn comment(field: &Member<'_>) -> String {
    let description = field.word("description").and_then(Json::as_str).unwrap_or("");
    let options = field
        .word("enum")
        .and_then(Json::as_array)
        .map(|o| o.iter().filter(|_| !field.secret).map(shown).collect::<Vec<_>>().join(", "));
    let example = field.word("examples").and_then(|e| e.get(0)).filter(|e| !is_composed(e)).map(shown);
    let more = match (options.filter(|options| !options.is_empty()), example) {
        (Some(options), _) => format!(" (one of {options})"),
        (None, Some(example)) if !field.secret => format!(" (for example {example})"),
        _ => String::new(),
    };
    let text = line(&format!("{}{more}", line(description)));
    if text.is_empty() { text } else { format!("   # {text}") }
}

fn others(all: &[String], chosen: &str) -> String {
    line(&all.iter().filter(|one| *one != chosen).cloned().collect::<Vec<_>>().join(", "))
}

impl Skeleton {
    /// The fields of a block: those that must be there, then the others in comments.
    fn block(&mut self, wanted: &Wanted<'_>, mut fields: Vec<Member<'_>>, open: bool) {
        fields.retain(|field| !matches!(&*field.name, "mode" | "variant"));
        fields.sort_by_key(|field| (!field.required, field.field.rank));
        for field in fields {
            // An expression is for the one to write who fills in the file.
            let default = field.word("default").map(shown).filter(|default| !default.contains(OPEN));
            let value = if field.secret {
                let last = wanted.id.rsplit('/').next().unwrap_or(wanted.id);
                let name = format!("{last}_{}", field.name);
                let name: String = name
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                    .collect();
                let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("S{name}") } else { name };
                if field.required {
                    self.secrets.push(name.clone());
                }
                format!("${{{{ secrets.{name} }}}}")
            } else {
                self.blanks += usize::from(field.required && default.is_none());
                // An example that stood there as a value would be deployed one day.
                default.unwrap_or_default()
            };
            let comment = comment(&field);
            let mark = match (field.required, open) {
                (true, _) => "  ",
                (false, true) => "  # ",
                // Nothing is open that it could stand in: the block is to be opened first.
                (false, false) => "#   ",
            };
            let value = if value.is_empty() { value } else { format!(" {value}") };
            let _ = writeln!(self.text, "{mark}{}:{value}{comment}", key(&field.name));
        }
    }
}
