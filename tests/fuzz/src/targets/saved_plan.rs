//! A saved plan that somebody has edited.

use tieline::plan::saved::Saved;

use super::super::oracles::calm;
use tieline::reporters::shown::Shown;

pub(crate) fn run(data: &[u8]) {
    let plan = match Saved::parse(data) {
        Ok(plan) => plan,
        Err(words) => return calm(&words),
    };
    let bytes = plan.bytes().expect("a plan can be written");
    let read = Saved::parse(&bytes);
    assert_eq!(read.as_ref(), Ok(&plan), "{}", String::from_utf8_lossy(&bytes));
    assert!(plan.differences(&plan).is_empty(), "{:?}", plan.differences(&plan));
    let mut other = plan.clone();
    other.base = None;
    other.plan = serde_json::json!({"trust_changes": [{"kind": "x"}], "refused": [], "moved_from": {}});
    other.environment.push('x');
    let told = plan.differences(&other);
    assert!(!told.is_empty());
    told.iter().for_each(|line| calm(&Shown::from(line.as_str())));
}
