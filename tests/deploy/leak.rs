//! Promise: no file of the target holds a secret, in whatever spelling.
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

use super::*;

#[test]
fn a34_no_file_of_the_target_holds_a_secret() {
    let bench = Bench::new();
    let mut desired = bench.desired(&["a", "b/c@globex"]);
    // In a list, under odd keys, and under keys that the header or the whole document has.
    let odd = json!({"list": ["x", secret("P", "1")], "a.b(c)$": secret("P", "1"), "tieline": secret("P", "1"),
        "deep": {"config": {"id": secret("P", "1")}}, "clear": {"id": "seen"}});
    desired.records.get_mut("a").unwrap()["config"] = odd;
    bench.apply(&desired).unwrap();
    let mut spellings = vec![CANARY.as_bytes().to_vec(), CANARY.bytes().rev().collect()];
    for skipped in 0..3 {
        let inner = &CANARY.as_bytes()[skipped..];
        let whole = &inner[..inner.len() - inner.len() % 3];
        for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE] {
            spellings.push(engine.encode(whole).into_bytes());
        }
    }
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    spellings.push(hex.to_uppercase().into_bytes());
    spellings.push(hex.into_bytes());
    spellings.push(b"Kanari3n-vogel%3F%C3%B6%26%2F%2B".to_vec());
    spellings.push(CANARY.as_bytes()[..6].to_vec());
    for (path, (bytes, _)) in bench.tree() {
        for spelling in &spellings {
            let found = bytes.windows(spelling.len()).any(|window| window == spelling);
            assert!(!found, "{} holds {}", path.display(), String::from_utf8_lossy(spelling));
        }
    }
    let report = tieline::verify::verify(&bench.target(), &scope(), Some(&bench.identities())).unwrap();
    assert_eq!((report.objects, report.opened, report.problems), (2, 2, vec![]));
    // `id` is a secret's key here, so the header's is sealed as well.
    let text = fs::read_to_string(object(&bench, "a")).unwrap();
    assert!(!text.contains("seen") && !text.contains("id: a\n"), "{text}");
}
