//! A sealed file that somebody without a key has changed: it opens to what was sealed, or not at all.

use std::sync::LazyLock;

use tieline::secrets::{nameless, unopened};
use tieline::sops::{Encrypted, Format, Identities, SopsError, is_sops};
use tieline::source::Sources;
use tieline::workspace::secrets;

use super::super::oracles;

macro_rules! vectors {
    ($($name:literal / $file:literal),* $(,)?) => {
        /// Sealed files with an identity that opens each.
        pub(crate) const VECTORS: &[(&str, &str)] = &[$((
            include_str!(concat!("../../../../fixtures/sops/", $name, "/", $file)),
            include_str!(concat!("../../../../fixtures/sops/", $name, "/identity.txt")),
        )),*];
    };
}

vectors!(
    "p01-basic-scalars" / "encrypted.yaml",
    "p08-nested" / "encrypted.yaml",
    "p15-comments-in-lists-read" / "encrypted.yaml",
    "p16-multi-document" / "encrypted.yaml",
    "p19-encrypted-regex" / "encrypted.yaml",
    "p23-mac-only-encrypted" / "encrypted.yaml",
    "p24-three-recipients" / "encrypted.yaml",
    "p26-shamir-2-of-3" / "encrypted.yaml",
    "p30-json-ints-3.13.2" / "encrypted.json",
    "p34-anchors-merge" / "encrypted.yaml",
);

struct Sealed {
    identities: Identities,
    /// The sealed values of each file, in order.
    values: Vec<Vec<Vec<u8>>>,
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let mut all = Sealed { identities: Identities::parse("").unwrap_or_default(), values: Vec::new() };
    for (_, identity) in VECTORS {
        all.identities.extend(Identities::parse(identity).expect("an identity"));
    }
    for (text, _) in VECTORS {
        let format = if text.starts_with('{') { Format::Json } else { Format::Yaml };
        let file = Encrypted::parse_as(text, format).expect("a vector");
        all.values.push(values(&file, &all.identities).expect("a vector opens"));
    }
    all
});

/// The values that stand encrypted in a file.
fn values(file: &Encrypted<'_>, identities: &Identities) -> Result<Vec<Vec<u8>>, SopsError> {
    let clear = file.clear(identities)?;
    let sealed = clear.sealed(file);
    Ok(sealed.into_iter().filter_map(|value| value.with_bytes(<[u8]>::to_vec)).collect())
}

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut sources = Sources::default();
    let file = sources.add("secrets.sops.yaml", text.to_owned(), true);
    let mut told = Vec::new();
    secrets::read(file, text, &mut told);
    oracles::report(&told, &sources, 1);
    if let Err(problems) = secrets::plain(text) {
        assert!(!problems.is_empty());
    }
    for format in [Format::Yaml, Format::Json] {
        let parsed = Encrypted::parse_as(text, format);
        let Ok(sealed) = parsed.inspect_err(|error| place(error, text)) else { continue };
        assert!(is_sops(text, format) || !sealed.metadata().has_mac(), "read, but not recognized");
        match sealed.leaves() {
            Ok(leaves) => {
                for leaf in &leaves {
                    assert!(text.get(leaf.range.clone()).is_some(), "{leaf:?}");
                    assert!(leaf.key_range.clone().is_none_or(|range| text.get(range).is_some()), "{leaf:?}");
                }
            }
            Err(error) => place(&error, text),
        }
        match values(&sealed, &SEALED.identities) {
            Ok(values) => {
                let known = SEALED.values.contains(&values);
                assert!(known, "a changed file opens: {:?}", values.iter().map(|v| String::from_utf8_lossy(v)));
            }
            Err(error) => place(&error, text),
        }
    }
}

/// An error stands within the text and can be told.
fn place(error: &SopsError, text: &str) {
    assert!(error.range.clone().is_none_or(|range| text.get(range).is_some()), "{error:?}");
    let told = unopened("secrets.sops.yaml", error, &nameless);
    assert!(!told.reason.is_empty() && !told.help.is_empty());
    oracles::calm(&tieline::reporters::text::visible(&told.reason));
}
