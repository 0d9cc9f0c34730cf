//! Logins within addresses: `https://user:password@host`, `s3://bucket?secret=value`.

use std::borrow::Cow;
use std::ops::Range;

use super::sounds_secret;

/// What stands where a value may not be shown: always as long.
pub const MASK: &str = "********";

/// The ranges of a text that are logins of addresses, sorted: what stands between `://` and `@`, and the values behind names
/// of a query that sound secret.
pub fn logins(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("://").map(|i| at + i + 3) {
        let end = start + end(&text[start..]);
        let address = &text[start..end];
        let host = start + user(address).map_or(0, |length| length + 1);
        if host > start + 1 {
            found.push(start..host - 1);
        }
        query(text, host..end, &mut found);
        at = end;
    }
    found
}

/// The same text with masks in the place of logins.
pub fn without_logins(text: &str) -> Cow<'_, str> {
    let found = logins(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for range in found {
        shown.push_str(&text[at..range.start]);
        shown.push_str(MASK);
        at = range.end;
    }
    Cow::Owned(shown + &text[at..])
}

/// Where an address ends: at white space or a quote, expressions over.
fn end(text: &str) -> usize {
    let mut at = 0;
    while let Some(found) = text[at..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')) {
        let open = text[at..at + found].rfind("${{").map(|i| at + i);
        match open.and_then(|open| Some(open + text[open..].find("}}")? + 2)).filter(|close| *close > at + found) {
            Some(close) => at = close,
            None => return at + found,
        }
    }
    text.len()
}

/// The length of the user's part of an address, without its `@`.
fn user(address: &str) -> Option<usize> {
    let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
    if let Some(end) = address[..authority].rfind('@') {
        return Some(end);
    }
    // A password with a sign in it that ends the host, which is none then: a port has digits alone.
    let (_, behind) = address[..authority].split_once(':')?;
    let is_port = !behind.is_empty() && behind.bytes().all(|b| b.is_ascii_digit());
    address.rfind('@').filter(|_| !is_port)
}

fn query(text: &str, address: Range<usize>, found: &mut Vec<Range<usize>>) {
    let Some(mut at) = text[address.clone()].find('?').map(|i| address.start + i + 1) else { return };
    while at < address.end {
        let end = text[at..address.end].find(['&', ';', '#']).map_or(address.end, |i| at + i);
        if let Some((name, value)) = text[at..end].split_once('=')
            && sounds_secret(name)
            && !value.is_empty()
        {
            found.push(end - value.len()..end);
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_a_scheme_and_a_host_is_a_login() {
        for (text, shown) in [
            ("https://u:pw@h/p", "https://********@h/p"),
            ("url: 'https://token@h', x: y@z", "url: 'https://********@h', x: y@z"),
            ("postgres://u:p/w#x?@y@h/d", "postgres://********@h/d"),
            ("https://u:${{ vars.pw }}@h and more", "https://********@h and more"),
            ("s3://bucket/p?secret=V&x=1", "s3://bucket/p?secret=********&x=1"),
            ("https://a:b@c?token=V d://e@f", "https://********@c?token=******** d://********@f"),
        ] {
            assert_eq!(without_logins(text), shown);
        }
        for text in ["https://h:8080/a@b", "https://h/react@18", "https://h", "://", "a://@h", "https://ä@", "x@y.z"] {
            let shown = without_logins(text);
            assert!(shown == text || text == "https://ä@", "{shown}");
        }
    }
}
