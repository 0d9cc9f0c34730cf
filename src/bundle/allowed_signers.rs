//! Files of allowed signers, as Git uses them: `ssh-keygen(1)`, ALLOWED SIGNERS.
//!
//! Each line means here what it means to `ssh-keygen -Y verify` (OpenSSH's `sshsig.c`, `misc.c`, `match.c`), with two
//! exceptions that only refuse more: a key in a `cert-authority` line can't sign, since certificates aren't read; and
//! dates without a `Z` are UTC on every machine, where OpenSSH takes the machine's own zone.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

/// OpenSSH gives up on a list with a pattern of this many bytes.
const MAX_PATTERN: usize = 1023;

/// Who may sign.
#[derive(Clone, Debug, Default)]
pub struct AllowedSigners {
    lines: Vec<Line>,
    /// What is wrong with lines that were skipped, by number, for the message if nobody signed.
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Line {
    number: usize,
    principals: String,
    key: KeyData,
    options: Options,
}

#[derive(Clone, Debug, Default)]
struct Options {
    authority: bool,
    namespaces: Option<String>,
    /// Seconds since 1970.
    after: Option<i64>,
    before: Option<i64>,
}

impl AllowedSigners {
    /// Only this key.
    pub fn only(key: &PublicKey) -> Self {
        let (principals, key) = ("*".to_owned(), key.key_data().clone());
        let line = Line { number: 1, principals, key, options: Options::default() };
        Self { lines: vec![line], notes: Vec::new() }
    }

    /// Reads a file: in each line `PRINCIPALS [OPTIONS] KEYTYPE KEY [COMMENT]`. Lines that can't be read allow nobody.
    pub fn parse(file: &[u8]) -> Self {
        let mut all = Self::default();
        for (at, line) in file.split(|byte| *byte == b'\n').enumerate() {
            // To OpenSSH, a line ends at its first NUL.
            let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let line = line.trim_start_matches(SPACE);
            if line.trim_start_matches(BLANK).is_empty() || line.starts_with('#') {
                continue;
            }
            match Line::parse(at + 1, line) {
                Ok(line) => all.lines.push(line),
                Err(why) => all.notes.push(format!("line {}: {why}", at + 1)),
            }
        }
        all
    }

    /// The principals of the first line that lets `key` sign in `namespace` at `time`.
    ///
    /// # Errors
    /// No line does; the words go on after the key's name.
    pub(super) fn principals(&self, key: &KeyData, namespace: &str, time: Timestamp) -> Result<String, String> {
        let own: Vec<&Line> = self.lines.iter().filter(|line| line.key == *key).collect();
        if let Some(line) = own.iter().find(|line| line.options.authority) {
            let number = line.number;
            return Err(format!("is a certificate authority (line {number}), and certificates are not supported"));
        }
        let mut why = "is not an allowed signer".to_owned();
        for line in &own {
            match line.options.unfit(namespace, time) {
                Some(unfit) => why = format!("{unfit} (line {})", line.number),
                None if own.iter().flat_map(|line| line.principals.split(',')).any(|name| line.is_of(name)) => {
                    return Ok(line.principals.clone());
                }
                None => why = format!("has no principal (line {})", line.number),
            }
        }
        for note in &self.notes {
            why.push_str("; ");
            why.push_str(note);
        }
        Err(why)
    }
}

/// What stands between words for OpenSSH: after the principals; elsewhere only the first two.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];
const SPACE: [char; 2] = [' ', '\t'];

impl Line {
    fn parse(number: usize, line: &str) -> Result<Self, &'static str> {
        let (principals, rest) = principals(line)?;
        if let Some(key) = key(rest) {
            return Ok(Self { number, principals, key, options: Options::default() });
        }
        let end = end_of_options(rest)?;
        let (options, rest) = rest.split_at(end);
        let rest = rest.trim_start_matches(SPACE);
        let key = key(rest).ok_or(if rest.is_empty() { "the key is missing" } else { "the key can't be read" })?;
        Ok(Self { number, principals, key, options: Options::parse(options)? })
    }

    /// Whether the line names a principal.
    fn is_of(&self, principal: &str) -> bool {
        list_matches(&self.principals, principal)
    }
}

/// The first word of a line, and what follows. What stands in quotes belongs to it, and it ends with them.
fn principals(line: &str) -> Result<(String, &str), &'static str> {
    let end = line.find(|c| c == '"' || BLANK.contains(&c)).ok_or("the key is missing")?;
    let (before, rest) = line.split_at(end);
    let (quoted, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("a quote has no end")?,
        None => ("", rest),
    };
    Ok((format!("{before}{quoted}"), rest.trim_start_matches(BLANK)))
}

/// The key that a text begins with.
fn key(text: &str) -> Option<KeyData> {
    let (kind, rest) = text.split_once(SPACE)?;
    let blob = rest.trim_start_matches(SPACE).split(SPACE).next()?;
    // Its decoder skips line ends; so does ours of what is left of them here.
    let blob: String = blob.chars().filter(|c| !c.is_ascii_whitespace() && *c != '\x0b').collect();
    // All three are names of an RSA key to OpenSSH.
    let kind = if matches!(kind, "rsa-sha2-256" | "rsa-sha2-512") { "ssh-rsa" } else { kind };
    Some(PublicKey::from_openssh(&format!("{kind} {blob}")).ok()?.key_data().clone())
}

/// Where the options that a text begins with end: at the first blank that stands in no quotes.
fn end_of_options(text: &str) -> Result<usize, &'static str> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = text[at + 1..].starts_with('"'),
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok(at),
            _ => {}
        }
    }
    if quoted { Err("a quote has no end") } else { Err("the key is missing") }
}

impl Options {
    fn parse(mut text: &str) -> Result<Self, &'static str> {
        let mut options = Self::default();
        while !text.is_empty() {
            if let Some(rest) = strip(text, "cert-authority") {
                options.authority = true;
                text = rest;
            } else if let Some(rest) = strip(text, "namespaces=") {
                let value = once(options.namespaces.is_some(), rest, &mut text)?;
                options.namespaces = Some(value);
            } else if let Some(rest) = strip(text, "valid-after=") {
                let value = once(options.after.is_some(), rest, &mut text)?;
                options.after = Some(timestamp(&value).ok_or("the time can't be read")?);
            } else if let Some(rest) = strip(text, "valid-before=") {
                let value = once(options.before.is_some(), rest, &mut text)?;
                options.before = Some(timestamp(&value).ok_or("the time can't be read")?);
            }
            if text.is_empty() {
                break;
            }
            text = text.strip_prefix(',').ok_or("unknown option")?;
            if text.is_empty() {
                return Err("an option is missing after the last comma");
            }
        }
        match (options.after, options.before) {
            (Some(after), Some(before)) if before <= after => Err("`valid-before` is not later than `valid-after`"),
            _ => Ok(options),
        }
    }

    /// Why the key can't sign, if it can't.
    fn unfit(&self, namespace: &str, time: Timestamp) -> Option<&'static str> {
        let second = time.as_second();
        if self.namespaces.as_ref().is_some_and(|list| !list_matches(list, namespace)) {
            Some("may not sign bundles")
        } else if self.after.is_some_and(|after| second < after) {
            Some("was not valid yet")
        } else if self.before.is_some_and(|before| second > before) {
            Some("was not valid any more")
        } else {
            None
        }
    }
}

/// What follows `word`, in any case, at the start of a text.
fn strip<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word))?;
    text.get(word.len()..)
}

/// The value of an option that may stand once, between quotes; `left` becomes what follows it.
fn once<'a>(there: bool, text: &'a str, left: &mut &'a str) -> Result<String, &'static str> {
    if there {
        return Err("an option stands twice");
    }
    let mut rest = text.strip_prefix('"').ok_or("a value needs quotes")?;
    let mut value = String::new();
    loop {
        let end = rest.find(['"', '\\']).ok_or("a quote has no end")?;
        value.push_str(&rest[..end]);
        if let Some(after) = rest[end..].strip_prefix('"') {
            *left = after;
            return Ok(value);
        }
        rest = &rest[end + 1..];
        if let Some(after) = rest.strip_prefix('"') {
            value.push('"');
            rest = after;
        } else {
            value.push('\\');
        }
    }
}

/// The second of `YYYYMMDD[HHMM[SS]]`, with `Z` or `UTC` behind it or not. As for `strptime`, a number may be padded with blanks, a month
/// runs over into the next, and a minute has up to 61 seconds. Not before 1970.
fn timestamp(text: &str) -> Option<i64> {
    let zone = |zone: &str| {
        let at = text.len().checked_sub(zone.len())?;
        text.get(at..)?.eq_ignore_ascii_case(zone).then(|| &text[..at])
    };
    let digits = zone("Z").or_else(|| zone("UTC")).unwrap_or(text);
    if !digits.is_ascii() || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let number = |from: usize, to: usize, least: i64, most: i64| {
        let Some(field) = digits.get(from..to) else { return Some(0) };
        let field = field.trim_start_matches(' ');
        let number = field.bytes().all(|b| b.is_ascii_digit()).then(|| field.parse::<i64>().ok())??;
        (least..=most).contains(&number).then_some(number)
    };
    let (year, month, day) = (number(0, 4, 0, 9999)?, number(4, 6, 1, 12)?, number(6, 8, 1, 31)?);
    let (hour, minute, second) = (number(8, 10, 0, 23)?, number(10, 12, 0, 59)?, number(12, 14, 0, 61)?);
    let first = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
    let date = first.checked_add((day - 1).days()).ok()?;
    let days = date.since(Date::constant(1970, 1, 1)).ok()?.get_days();
    let seconds = i64::from(days) * 86_400 + hour * 3_600 + minute * 60 + second;
    (seconds > 0).then_some(seconds)
}

/// Whether a list of patterns between commas matches a text: one must, and none of those behind a `!` may.
fn list_matches(list: &str, text: &str) -> bool {
    let mut found = false;
    // A comma at the end begins no pattern.
    for pattern in list.strip_suffix(',').unwrap_or(list).split(',').filter(|_| !list.is_empty()) {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |pattern| (true, pattern));
        if pattern.len() >= MAX_PATTERN || (negated && matches(pattern, text)) {
            return false;
        }
        found |= matches(pattern, text);
    }
    found
}

/// OpenSSH's patterns: `*` for any text, `?` for any byte.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last `*` doesn't match: it takes one byte more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{list_matches, timestamp};

    /// What OpenSSH's `strptime` takes for a time, and what it gives for it.
    #[test]
    fn e2_11_a_time_is_read_to_the_second_and_each_number_has_its_limits() {
        for (text, seconds) in [
            ("19700101000001", 1),
            ("197001010001", 60),
            ("197001010100", 3_600),
            ("19700102", 86_400),
            ("20240229123456", 1_709_210_096),
            ("20240229123456Z", 1_709_210_096),
            ("20240229123456utc", 1_709_210_096),
            ("202402291234", 1_709_210_040),
            ("20240231", 1_709_337_600),
            ("20240302", 1_709_337_600),
            ("2024 1 1", 1_704_067_200),
            ("20241231235959", 1_735_689_599),
            ("20241231235961", 1_735_689_601),
            ("20240229123400", 1_709_210_040),
            ("202402290000", 1_709_164_800),
            ("99991231", 253_402_214_400),
        ] {
            assert_eq!(timestamp(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "Z",
            "UTC",
            "19700101",
            "19691231",
            "00000101",
            "20240001",
            "20241301",
            "20240100",
            "20240132",
            "202401012400",
            "202401010060",
            "20240101000062",
            "2024010112",
            "202401011",
            "20240101Zx",
            "2024-1-1",
            "20240é1",
            "202401010é0",
            "-2240101",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn e2_11_a_list_of_patterns_matches_as_openssh_says() {
        for (list, text, is) in [
            ("a,b", "b", true),
            ("a,b", "c", false),
            ("a,", "a", true),
            ("a,", "", false),
            ("", "", false),
            ("!a,*", "a", false),
            ("*,!a", "a", false),
            ("!a,*", "b", true),
            ("!a", "b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*", "a", true),
            ("a**", "a", true),
            ("*c", "abcc", true),
            ("*c", "ac", true),
            ("*c", "aac", true),
            ("*c", "aaac", true),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyyb", false),
            ("ab", "abc", false),
            ("abc", "ab", false),
            ("abc", "abd", false),
        ] {
            assert_eq!(list_matches(list, text), is, "{list} {text}");
        }
        // A pattern that is too long ends the list, whatever it says.
        for (length, is) in [(1022, true), (1023, false)] {
            let long = "*".repeat(length);
            assert_eq!(list_matches(&long, "a"), is, "{length}");
            assert_eq!(list_matches(&format!("a,{long}"), "a"), is, "{length}");
        }
    }
}
