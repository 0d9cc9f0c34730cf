//! A `.sops.yaml`: the path of a file in the first line, the rules below it.

use tieline::sops::config::{Rules, creation, write};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, config) = text.split_once('\n').unwrap_or((text, ""));
    let found = creation(config, path);
    let error = match Rules::parse(config) {
        Err(error) => Some(error),
        Ok(rules) => {
            assert_eq!(rules.creation(path).map(|one| one.cloned()), found);
            rules.creation(path).err()
        }
    };
    assert!(error.and_then(|error| error.range).is_none_or(|range| config.get(range).is_some()));
    let recipients = found.ok().flatten().map(|creation| creation.recipients).unwrap_or_default();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    if recipients.is_empty() {
        return;
    }
    // What is written is read, and is about this path alone.
    let written = write([(path, recipients.clone())]);
    let read = creation(&written, path).unwrap_or_else(|error| panic!("{error:?}: {written}"));
    let read = read.unwrap_or_else(|| panic!("{path:?} is not found: {written}")).recipients;
    let list = |keys: &[&str]| -> Vec<String> {
        let one = keys.iter().flat_map(|key| key.split(',')).map(|key| key.trim().to_owned());
        one.filter(|key| !key.is_empty()).collect()
    };
    assert_eq!(read, list(&recipients), "{written}");
    assert_eq!(creation(&written, &format!("{path}x")), Ok(None), "{written}");
}
