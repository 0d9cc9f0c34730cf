//! Paths into a tree as people write them, and as JSON Pointers.

use super::{push_segment, segments};

/// `config.host`, `config."a.b"` or `/config/host` as a JSON Pointer; `None` where a quote is not closed.
pub fn pointer(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let mut pointer = String::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (segment, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (segment, after) = quoted.split_once('"')?;
                (segment, after.strip_prefix('.').unwrap_or(after))
            }
            None => rest.split_once('.').unwrap_or((rest, "")),
        };
        push_segment(&mut pointer, segment);
        rest = after;
    }
    Some(pointer)
}

/// A JSON Pointer as people write paths: `auth.password`, `"a.b"` in quotes.
pub fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for segment in segments(pointer) {
        if !path.is_empty() {
            path.push('.');
        }
        if segment.contains(['.', '"', ' ']) || segment.is_empty() {
            path.push_str(&format!("{segment:?}"));
        } else {
            path.push_str(&segment);
        }
    }
    path
}
