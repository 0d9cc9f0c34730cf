//! `rotate_every` in the first line, `rotated` in the second: what is accepted has one meaning and comes to an end.

use std::sync::Arc;

use tieline::edit;
use tieline::model::credential::Credential;
use tieline::source::Sources;
use tieline::yaml;

use super::super::oracles;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (every, rotated) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let document =
        format!("auth: {{mode: default}}\nrotate_every: {}\nrotated: {}\n", edit::scalar(every), edit::scalar(rotated));
    let mut sources = Sources::default();
    let file = sources.add("credentials/a.yaml", document.clone(), false);
    let (Some(root), told) = yaml::parse(file, &document) else { return };
    assert!(told.is_empty(), "{document}");
    let mut told = Vec::new();
    let read = Credential::read(&Arc::from("a"), root, &mut told);
    oracles::report(&told, &sources, 1);
    let rotation = read.and_then(|credential| credential.rotation);
    if told.is_empty() && !every.contains("${{") && !rotated.contains("${{") {
        let rotation = rotation.expect("both were accepted");
        assert_eq!(rotation.rotated.to_string(), rotated, "another spelling of a day is accepted");
        assert_eq!(rotated.len(), "2026-01-31".len(), "a day of no calendar that people use");
        let period: jiff::Span = every.parse().expect("it was accepted");
        let below = [period.get_microseconds(), period.get_nanoseconds(), period.get_seconds(), period.get_minutes()];
        assert!(below.iter().all(|unit| *unit == 0), "{every:?} has units below a day");
        let due = rotation.due.unwrap_or_else(|| panic!("{every:?} after {rotated:?} is never due"));
        assert!(due > rotation.rotated && due.year() < 10_000, "{every:?} after {rotated:?} is due on {due}");
    }
}
