//! The fields that a connection seals, held against its schema: only the text of a field that it has can be sealed.

use super::Against;
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::model::connection::Connection;
use crate::value::path::dotted;
use crate::value::segments;

/// Reports fields that can't be sealed. A field of another variant or mode is accepted, since it is sealed there.
pub(super) fn check(connection: &Connection, against: &Against<'_>, told: &mut Vec<Diagnostic>) {
    if connection.sealed.is_empty() {
        return;
    }
    let connector = against.connector;
    let any = connector.places("", "");
    let chosen = connector.places(connection.choice("config", "variant"), connection.choice("auth", "mode"));
    for sealed in &connection.sealed {
        let field = dotted(&sealed.pointer);
        let refused = |message: String, help: String| Diagnostic::error(code::SEALED, sealed.span, message).help(help);
        let Some(_) = at(&any, &sealed.pointer) else {
            let (above, name) = sealed.pointer.rsplit_once('/').unwrap_or_default();
            let known = connector.names(above);
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{}`?", dotted(&format!("{above}/{near}"))),
                None => format!("fields of `{}`: {}", dotted(above), listed(known.iter().copied(), 12)),
            };
            told.push(refused(format!("`{}` has no field `{field}`", connector.id()), help));
            continue;
        };
        let Some(place) = at(&chosen, &sealed.pointer).filter(|place| !place.secret) else { continue };
        let why = match place {
            Places { connection: Some(_), .. } => "it names another connection, which everybody has to know",
            Places { asked: true, .. } => {
                "a condition of the schema reads it, and nobody can evaluate that without its value"
            }
            Places { other: true, .. } => "only a text can be",
            _ => continue,
        };
        told.push(refused(format!("`{field}` can't be sealed: {why}"), "remove it from `sealed`".to_owned()));
    }
}

/// The place of a field, if the schema knows it; all below a secret is secret.
fn at<'p>(places: &'p Places, pointer: &str) -> Option<&'p Places> {
    let step = |place: &'p Places, segment: String| if place.secret { Some(place) } else { place.below(&segment) };
    segments(pointer).try_fold(places, step)
}
