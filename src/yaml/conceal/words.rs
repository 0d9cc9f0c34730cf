//! What to conceal by names and forms alone: the values behind keys that sound secret, wherever they are, and private keys.

use std::ops::Range;
use std::sync::OnceLock;

use regex::Regex;

use crate::diagnostic::sounds_secret;

/// Ranges behind keys that sound secret, in comments too, and private keys anywhere.
pub(super) fn behind_secret_names(text: &str) -> Vec<Range<usize>> {
    static KEY: OnceLock<Option<Regex>> = OnceLock::new();
    static PRIVATE: OnceLock<Option<Regex>> = OnceLock::new();
    let private = r"(?is)AGE-SECRET-KEY-[A-Z0-9-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\z)";
    let private = PRIVATE.get_or_init(|| Regex::new(private).ok());
    let mut found: Vec<Range<usize>> = private.iter().flat_map(|p| p.find_iter(text)).map(|m| m.range()).collect();
    // Also `? password`, whose `:` stands in the next line.
    let key = KEY.get_or_init(|| Regex::new(r#"[A-Za-z0-9_.-]+["']?(?:[ \t]*:|\s+:[ \t\r\n])"#).ok());
    let mut at = 0;
    // Looked for once a line: a file may be one line.
    let mut line = 0..0;
    while let Some(hit) = key.as_ref().and_then(|k| k.find_at(text, at)) {
        at = hit.end();
        let name = hit.as_str().trim_end_matches(|c: char| c == ':' || c == '"' || c == '\'' || c.is_whitespace());
        if sounds_secret(name) && !text[at..].starts_with("//") {
            if hit.start() >= line.end {
                line.start = text[line.end..hit.start()].rfind('\n').map_or(line.start, |i| line.end + i + 1);
                line.end = text[hit.start()..].find('\n').map_or(text.len(), |i| hit.start() + i);
            }
            at = value(text, hit.range(), &line, &mut found);
        }
    }
    found
}

/// In a file of secrets: everything but the names at the start of lines, and the keys of the `sops` block.
pub(super) fn all_but_names(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let content = body.trim_start();
        let indent = body.len() - content.len();
        let name = content.split_once(':').map(|(name, _)| name);
        let name = name.filter(|n| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        let name = name.filter(|n| indent == 0 || METADATA.contains(n) || sounds_secret(n));
        let from = name.map_or(0, |n| indent + n.len() + 1);
        let space = body[from..].len() - body[from..].trim_start().len();
        found.push(start + from + space..start + body.len());
        start += line.len();
    }
    found
}

/// Keys of the `sops` block.
const METADATA: &[&str] = &[
    "age",
    "azure_kv",
    "enc",
    "encrypted_regex",
    "gcp_kms",
    "hc_vault",
    "key_groups",
    "kms",
    "lastmodified",
    "mac",
    "mac_only_encrypted",
    "pgp",
    "recipient",
    "shamir_threshold",
    "unencrypted_suffix",
    "version",
];

/// The value behind the key at `key`, over as many lines as it takes; gives the place to go on from.
fn value(text: &str, key: Range<usize>, line: &Range<usize>, found: &mut Vec<Range<usize>>) -> usize {
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |i| from + i);
    let head = text.get(line.start..key.start).unwrap_or("");
    let outer = head.len() - head.trim_start().len();
    let end = line_end(key.end).max(line.end.max(key.end));
    let rest = &text[key.end..end];
    let start = key.end + (rest.len() - rest.trim_start().len());
    // What stands before a value is a part of it here: a tag, an anchor.
    let bare = text[start..end].trim_start_matches(|c: char| !matches!(c, '"' | '\'' | ',' | '{' | '['));
    let marked = text[start..end].starts_with(['!', '&', '"', '\'']);
    let quote = bare.chars().next().filter(|c| marked && matches!(c, '"' | '\''));
    let quoted = quote.map(|quote| closing(text, end - bare.len() + 1, quote));
    if head.contains(['{', '[']) {
        let end = flow_end(text, quoted.unwrap_or(start));
        literals(text, start..end, found);
        return end;
    }
    let end = quoted.map_or(end, |behind| line_end(behind).max(behind));
    literals(text, start..end, found);
    // A block, a map, or a scalar that goes on: whatever is indented deeper.
    let mut at = (end + 1).min(text.len());
    if rest.trim().is_empty() && text[at..].trim_start().starts_with("from:") {
        // A name bound to a store.
        return at;
    }
    // The items of a list may stand in the column of its key.
    let list = rest.trim().is_empty() && head.trim().is_empty();
    while at < text.len() {
        let end = line_end(at);
        let body = text[at..end].trim_end_matches('\r');
        let content = body.trim_start();
        let indent = body.len() - content.len();
        let item = list && indent == outer && content.starts_with("- ");
        if !content.is_empty() && indent <= outer && !item {
            break;
        }
        literals(text, at + indent..at + body.len(), found);
        at = end + 1;
    }
    at.min(text.len()).max(end)
}

/// What is literal in each line of a range: all but references, and of these what stands in quotes. Signs around it stay.
pub(super) fn literals(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut start = range.start;
    for line in text[range].split_inclusive(['\n', '\r']) {
        in_line(text, start..start + line.len(), found);
        start += line.len();
    }
}

fn in_line(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut push = |range: Range<usize>| {
        let part = &text[range.clone()];
        let sign = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | '}' | '[' | ']' | ',');
        let begun = part.trim_start_matches(|c: char| sign(c) || c == ':' || c == '-' || c == '?');
        let start = range.end - begun.len();
        let literal = begun.trim_end_matches(sign);
        // The head of a block; and excuses, which are ours.
        let head = literal.strip_prefix(['|', '>']).filter(|rest| rest.len() < 3);
        let head = head.is_some_and(|rest| rest.bytes().all(|b| matches!(b, b'+' | b'-' | b'1'..=b'9')));
        if !literal.is_empty() && !head && !literal.starts_with("# tieline:") {
            found.push(start..start + literal.len());
        }
    };
    let mut at = range.start;
    while let Some(open) = text[at..range.end].find("${{").map(|i| at + i) {
        let Some(close) = text[open..range.end].find("}}").map(|i| open + i) else { break };
        push(at..open);
        let body = open + 3..close;
        if is_reference(&text[body.clone()]) {
            let mut quoted = body.start;
            while let Some(start) = text[quoted..close].find(['"', '\'']).map(|i| quoted + i) {
                let end = text[start + 1..close].find(&text[start..=start]).map_or(close, |i| start + 1 + i);
                push(start..end);
                quoted = (end + 1).min(close);
            }
        } else {
            push(body);
        }
        at = close + 2;
    }
    push(at..range.end);
}

/// Whether an expression is made of names, filters and quoted texts: then it says what is meant and holds nothing itself.
fn is_reference(expression: &str) -> bool {
    static FORM: OnceLock<Option<Regex>> = OnceLock::new();
    let form = FORM.get_or_init(|| {
        let quoted = r#"(?:'[^']*'|"[^"]*")"#;
        let argument = format!(r"(?:{quoted}|\d{{1,3}})");
        let filter = format!(r"(?:\s*\|\s*[a-z0-9]{{1,9}}(?:\(\s*{argument}(?:\s*,\s*{argument})*\s*\))?)");
        let name = format!(r"(?:vars|secrets|secret|env|connection|customer|slots)(?:\.[A-Za-z0-9_-]+|\[{quoted}\])*");
        let term = format!(r"(?:not\s+)?(?:{quoted}|{name}){filter}*");
        let between = r"(?:\s*(?:[~+]|==|!=)\s*|\s+(?:if|else|and|or|in)\s+)";
        Regex::new(&format!(r"^\s*{term}(?:{between}{term})*\s*$")).ok()
    });
    form.as_ref().is_some_and(|form| form.is_match(expression))
}

/// Behind the quote that closes what was opened before `from`; the end of the text if none does.
fn closing(text: &str, from: usize, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in text[from..].char_indices() {
        match c {
            '\\' if quote == '"' => escaped = !escaped,
            c if c == quote && !escaped => return from + i + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Where the value within brackets that begins at `from` ends: at the sign behind it, maps and lists of its own over.
fn flow_end(text: &str, from: usize) -> usize {
    let (mut at, mut depth) = (from, 0usize);
    while let Some(found) = text[at..].find([',', '}', ']', '{', '[']).map(|i| at + i) {
        if text[..found].ends_with('$') && text[found..].starts_with("{{") {
            at = text[found..].find("}}").map_or(text.len(), |i| found + i + 2);
            continue;
        }
        match text.as_bytes()[found] {
            b'{' | b'[' => depth += 1,
            _ if depth == 0 => return found,
            b',' => {}
            _ => depth -= 1,
        }
        at = found + 1;
    }
    text.len()
}
